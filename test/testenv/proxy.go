// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Proxy stands between the broker and kube-apiserver. It lets a test intervene before a
// request reaches kube-apiserver and after the request took effect.
type Proxy struct {
	URL string

	before, after atomic.Pointer[func(*http.Request)]
	fault         atomic.Pointer[func(*http.Request) *Fault]
	server        *http.Server
}

// Fault describes a failure of a request.
type Fault struct {
	Late  bool          // fail after kube-apiserver carried out the request; otherwise it never receives it
	Code  int           // status code of the response; 0 closes the connection
	Body  string        // body of the response
	Retry bool          // send the header Retry-After: 1
	Hang  time.Duration // delay before the failure
	Pass  bool          // forward the request normally after the delay
}

// Break sets the function that returns the fault of each request; nil for no faults.
func (p *Proxy) Break(f func(*http.Request) *Fault) { p.fault.Store(&f) }

// answer sends the fault to the client.
func (f *Fault) answer(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(f.Hang):
	case <-r.Context().Done():
	}
	if f.Code == 0 {
		panic(http.ErrAbortHandler)
	}
	if f.Retry {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Code)
	_, _ = io.WriteString(w, f.Body)
}

// Cut sets functions to call before and after each request; nil for none.
func (p *Proxy) Cut(before, after func(*http.Request)) {
	p.before.Store(&before)
	p.after.Store(&after)
}

// StartProxy starts a proxy in front of the cluster.
func (c *Cluster) StartProxy() (*Proxy, error) { return c.StartProxyTo(c.Server) }

// StartProxyTo starts a proxy in front of one of the cluster's kube-apiservers.
func (c *Cluster) StartProxyTo(server string) (*Proxy, error) {
	target, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(c.Dir, "pki", "serving-ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	// The certificate of kube-apiserver is valid for 127.0.0.1, where the proxy
	// listens.
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.Dir, "pki", "apiserver.crt"),
		filepath.Join(c.Dir, "pki", "apiserver.key"))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{URL: "https://" + l.Addr().String()}
	p.Cut(nil, nil)
	p.Break(nil)
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 50,
		},
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
			var fault *Fault
			if f := *p.fault.Load(); f != nil {
				fault = f(r)
			}
			switch {
			case fault != nil && fault.Pass:
				time.Sleep(fault.Hang)
				reverse.ServeHTTP(w, r)
			case fault == nil:
				reverse.ServeHTTP(w, r)
			case fault.Late: // the client does not get the response
				reverse.ServeHTTP(&discard{header: http.Header{}}, r)
				fault.answer(w, r)
			default:
				fault.answer(w, r)
			}
		}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, ErrorLog: log.New(nowhere{}, "", 0),
	}
	go func() { _ = p.server.ServeTLS(l, "", "") }()
	return p, nil
}

// Close ends the proxy.
func (p *Proxy) Close() { _ = p.server.Close() }

// Kubeconfig writes a kubeconfig with the broker's identity that leads through the
// proxy.
func (p *Proxy) Kubeconfig(ctx context.Context, c *Cluster) (string, error) {
	return c.BrokerKubeconfig(ctx, p.URL)
}

// discard is a ResponseWriter that drops the response.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
