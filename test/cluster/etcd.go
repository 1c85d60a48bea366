// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"google.golang.org/grpc"
)

// startEtcd runs etcd inside this process and returns the URL that kube-apiserver
// dials. Both listeners are unix sockets in dir, so etcd has no port, and the mode of
// dir protects it.
func startEtcd(dir string) (*embed.Etcd, string, error) {
	cfg := embed.NewConfig()
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.LogLevel = "warn"
	cfg.LogOutputs = []string{filepath.Join(dir, "etcd.log")}
	cfg.UnsafeNoFsync = true
	cfg.QuotaBackendBytes = 4 << 30
	cfg.GRPCAdditionalServerOptions = []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(slowWrites(filepath.Join(dir, "slow-writes"))),
	}
	wal.SegmentSizeBytes = 4 << 20 // two are allocated at once; the default takes 128 MiB of disk for each cluster

	// A cluster with one member elects itself after the election timeout: keep it
	// short.
	cfg.TickMs, cfg.ElectionMs = 10, 100

	client, err := socketPath(dir, "etcd.sock")
	if err != nil {
		return nil, "", err
	}
	peer, err := socketPath(dir, "etcd-peer.sock")
	if err != nil {
		return nil, "", err
	}
	cfg.ListenClientUrls = []url.URL{{Scheme: "unix", Path: client}}
	cfg.ListenPeerUrls = []url.URL{{Scheme: "unix", Path: peer}}
	// Advertised URLs need a host and a port, but a cluster with one member dials none.
	cfg.AdvertiseClientUrls = []url.URL{{Scheme: "http", Host: "localhost:2379"}}
	cfg.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:2380"}}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)

	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, "", err
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, "unix://" + client, nil
	case <-time.After(2 * time.Minute):
		e.Close()
		return nil, "", errors.New("etcd was not ready within two minutes")
	}
}

// slowWrites delays each transaction by the duration in a file, like a disk that is
// slow to sync. It delays nothing while the file does not exist.
func slowWrites(file string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if _, writes := req.(*etcdserverpb.TxnRequest); writes { // kube-apiserver uses no other request for writes
			if b, err := os.ReadFile(file); err == nil {
				d, err := time.ParseDuration(strings.TrimSpace(string(b)))
				if err != nil {
					return nil, err
				}
				select {
				case <-time.After(d):
				case <-ctx.Done():
				}
			}
		}
		return next(ctx, req)
	}
}
