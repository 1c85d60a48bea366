// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"tenama.dev/tenama/pkg/client"
)

// ConfigMapName is the name of the ConfigMap with the positions.
const ConfigMapName = "tenama-forwarder"

// reread is how often the configuration is read again: the kubelet updates what it mounts
// within a minute or two.
const reread = 10 * time.Second

// Options are the options of the forwarder.
type Options struct {
	// Kubeconfig is the path of a kubeconfig; if empty, the ServiceAccount of the pod is used.
	Kubeconfig string
	// Namespace is where the ConfigMap is.
	Namespace string
	// Config is the path of the configuration.
	Config string
	// MetricsAddress is where /metrics and /livez are served; empty for nowhere.
	MetricsAddress string
}

// Run sends messages until ctx is done. A configuration that becomes invalid is reported, and
// the last valid one stays in force. Errors: that the configuration is invalid at the start.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	config, err := restConfig(o.Kubeconfig)
	if err != nil {
		return err
	}
	config.UserAgent = "tenama-forwarder"
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	c, err := client.New(config)
	if err != nil {
		return err
	}
	f := &forwarder{Options: o, log: log, client: c, store: &store{client: kube, namespace: o.Namespace,
		name: ConfigMapName}}
	raw, parsed, err := f.read()
	if err != nil {
		return err
	}
	if o.MetricsAddress != "" {
		server := &http.Server{Addr: o.MetricsAddress, Handler: handler(), ReadHeaderTimeout: 5 * time.Second}
		defer server.Close()
		go func() {
			if err := server.ListenAndServe(); err != http.ErrServerClosed {
				log.Error("Serving metrics failed", "err", err)
			}
		}()
	}
	for ctx.Err() == nil {
		raw, parsed = f.serve(ctx, raw, parsed)
	}
	return nil
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.BuildConfigFromFlags("", kubeconfig)
}

type forwarder struct {
	Options
	log    *slog.Logger
	client *client.Client
	store  *store
}

func (f *forwarder) read() ([]byte, *Config, error) {
	b, err := os.ReadFile(f.Config)
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	c, err := ParseConfig(b)
	return b, c, err
}

// serve runs the endpoints of a configuration until ctx is done or another valid configuration
// is there, which it returns.
func (f *forwarder) serve(ctx context.Context, raw []byte, c *Config) ([]byte, *Config) {
	work, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	names := map[string]bool{}
	forget()
	for i := range c.Endpoints {
		e := &c.Endpoints[i]
		names[e.Name] = true
		s, err := newSender(e)
		if err != nil { // it was validated
			f.log.Error("The endpoint cannot be used", "endpoint", e.Name, "err", err)
			continue
		}
		p := &pipeline{endpoint: e, source: c.Source, sender: s, store: f.store, now: f.client.Now,
			log: f.log.With("endpoint", e.Name), limit: time.After}
		running.Go(func() { p.run(work, f.client) })
	}
	f.log.Info("Forwarding", "endpoints", len(c.Endpoints), "source", c.Source)
	if err := f.store.keep(ctx, names); err != nil && ctx.Err() == nil {
		f.log.Warn("Removing the positions of other endpoints failed", "err", err)
	}
	reported := raw
	for {
		select {
		case <-ctx.Done():
			return raw, c
		case <-time.After(reread):
		}
		now, next, err := f.read()
		switch {
		case err == nil && !bytes.Equal(now, raw):
			f.log.Info("The configuration has changed")
			return now, next
		case err != nil && !bytes.Equal(now, reported):
			f.log.Error("The new configuration is invalid; the last one stays in force", "err", err)
			reported = now
		}
	}
}
