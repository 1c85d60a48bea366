// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	"k8s.io/client-go/tools/clientcmd"
)

// Proxy stands between the broker and kube-apiserver and lets a test cut in,
// before a request reaches kube-apiserver and after it took effect.
type Proxy struct {
	URL string

	before, after atomic.Pointer[func(*http.Request)]
	server        *http.Server
}

// Cut sets what is called with each request; nil for nothing.
func (p *Proxy) Cut(before, after func(*http.Request)) {
	p.before.Store(&before)
	p.after.Store(&after)
}

// StartProxy starts a proxy in front of the cluster.
func (c *Cluster) StartProxy() (*Proxy, error) {
	target, err := url.Parse(c.Server)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(c.Dir, "pki", "serving-ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	// The certificate of kube-apiserver is for 127.0.0.1, as the proxy is.
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.Dir, "pki", "apiserver.crt"), filepath.Join(c.Dir, "pki", "apiserver.key"))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{URL: "https://" + l.Addr().String()}
	p.Cut(nil, nil)
	reverse := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 50},
		FlushInterval: -1,
		ErrorLog:      log.New(nowhere{}, "", 0),
		ModifyResponse: func(r *http.Response) error {
			if f := *p.after.Load(); f != nil {
				f(r.Request)
			}
			return nil
		},
	}
	p.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if f := *p.before.Load(); f != nil {
				f(r)
			}
			reverse.ServeHTTP(w, r)
		}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, ErrorLog: log.New(nowhere{}, "", 0),
	}
	go func() { _ = p.server.ServeTLS(l, "", "") }()
	return p, nil
}

// Close ends the proxy.
func (p *Proxy) Close() { _ = p.server.Close() }

// Kubeconfig writes a kubeconfig of the broker's identity that leads through
// the proxy.
func (p *Proxy) Kubeconfig(ctx context.Context, c *Cluster) (string, error) {
	path, err := c.ServiceAccountKubeconfig(ctx, c.Home, c.Account)
	if err != nil {
		return "", err
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return "", err
	}
	config.Clusters["test"].Server = p.URL
	path += ".proxied"
	return path, clientcmd.WriteToFile(*config, path)
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
