// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// startEtcd runs etcd inside this process and returns the URL that
// kube-apiserver dials. Both listeners are unix sockets in dir, so etcd has no
// port, and the mode of dir is what protects it.
func startEtcd(dir string) (*embed.Etcd, string, error) {
	cfg := embed.NewConfig()
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.LogLevel = "warn"
	cfg.LogOutputs = []string{filepath.Join(dir, "etcd.log")}
	cfg.UnsafeNoFsync = true
	cfg.QuotaBackendBytes = 4 << 30
	wal.SegmentSizeBytes = 4 << 20 // two are allocated at once; the default takes 128 MiB of disk for each cluster

	// A cluster of one elects itself after the election timeout: keep it short.
	cfg.TickMs, cfg.ElectionMs = 10, 100

	socket := func(name string) []url.URL {
		return []url.URL{{Scheme: "unix", Path: filepath.Join(dir, name)}}
	}
	cfg.ListenClientUrls = socket("etcd.sock")
	cfg.ListenPeerUrls = socket("etcd-peer.sock")
	// Advertised URLs need a host and a port, but a cluster of one dials none.
	cfg.AdvertiseClientUrls = []url.URL{{Scheme: "http", Host: "localhost:2379"}}
	cfg.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:2380"}}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)

	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, "", err
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, "unix://" + filepath.Join(dir, "etcd.sock"), nil
	case <-time.After(20 * time.Second):
		e.Close()
		return nil, "", errors.New("etcd was not ready within 20 s")
	}
}
