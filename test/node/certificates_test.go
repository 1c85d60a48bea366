// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
	apiregistration "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"tenama.dev/tenama/test/testenv"
)

// readers is how many clients send requests at once, half of them to each kube-apiserver.
const readers = 8

// handshakes counts the requests, and the TLS handshakes with brokers, while certificates
// are replaced.
type handshakes struct {
	requests, verified, failed atomic.Int64
	cancel                     context.CancelFunc
	wg                         sync.WaitGroup

	mu      sync.Mutex
	errors  []string
	issuers []string // of the certificates that the pods last presented, by their keys
}

// startHandshakes sends requests through two kube-apiservers, none of which is repeated, and
// connects to each broker to verify its certificate with what the APIService says at that
// moment, as a kube-apiserver does that has no connection yet.
func startHandshakes(t *testing.T, n *Node) *handshakes {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	h := &handshakes{cancel: cancel}
	urls := []string{"", startSecond(t)}
	for i := range readers {
		config, err := n.Config("alice")
		if err != nil {
			t.Fatal(err)
		}
		if url := urls[i%2]; url != "" {
			config.Host = url
		}
		config.QPS = -1
		api := kubernetes.NewForConfigOrDie(config).Discovery().RESTClient()
		h.wg.Go(func() {
			for ctx.Err() == nil {
				_, err := api.Get().AbsPath("/apis/tenama.dev/v1alpha1/temporarynamespaces").MaxRetries(0).DoRaw(ctx)
				if ctx.Err() == nil {
					h.requests.Add(1)
					h.count("request", err)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	config, err := n.Config("admin")
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	pods := kubernetes.NewForConfigOrDie(config).CoreV1().Pods(system)
	services := apiregistration.NewForConfigOrDie(config).ApiregistrationV1().APIServices()
	h.wg.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=broker"})
			if err != nil {
				continue
			}
			var issuers []string
			for _, p := range list.Items {
				if !ready(&p) {
					continue
				}
				s, err := services.Get(ctx, "v1alpha1.tenama.dev", metav1.GetOptions{})
				if err != nil {
					continue
				}
				leaf, err := handshake(ctx, p.Status.PodIP, s.Spec.CABundle)
				var invalid *tls.CertificateVerificationError
				switch {
				case err == nil:
					h.verified.Add(1)
					issuers = append(issuers, string(leaf.AuthorityKeyId))
				case errors.As(err, &invalid), strings.Contains(err.Error(), "remote error: tls"):
					h.count("handshake with "+p.Name, err)
				}
			}
			h.mu.Lock()
			h.issuers = issuers
			h.mu.Unlock()
		}
	})
	return h
}

// issuedBy reports whether both brokers now present certificates of this authority.
func (h *handshakes) issuedBy(authority *x509.Certificate) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := string(authority.SubjectKeyId)
	return slices.Equal(h.issuers, []string{key, key})
}

func (h *handshakes) count(what string, err error) {
	if err == nil {
		return
	}
	h.failed.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.errors) < 20 {
		h.errors = append(h.errors, fmt.Sprintf("%s %s: %v", time.Now().Format("15:04:05.0"), what, err))
	}
}

// stop ends the requests, and fails the test if one failed, or if there were too few.
func (h *handshakes) stop(t *testing.T, enough int64) {
	t.Helper()
	h.cancel()
	h.wg.Wait()
	t.Logf("%d requests, %d certificates verified, %d failures", h.requests.Load(), h.verified.Load(), h.failed.Load())
	if h.failed.Load() > 0 || h.requests.Load() < enough || h.verified.Load() == 0 {
		t.Errorf("want %d requests or more, without a failure:\n%s", enough, strings.Join(h.errors, "\n"))
	}
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	return false
}

// handshake connects to a broker, and verifies its certificate with a bundle.
func handshake(ctx context.Context, ip string, bundle []byte) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: broker + "." + system + ".svc"}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(ip, "10250"))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// startSecond starts a second kube-apiserver, which ends with the test, and returns its URL.
func startSecond(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(path("bin", "cluster-node"), "second", "--dir", path("cluster"), "--node", address)
	in, err := cmd.StdinPipe() // it ends when this is closed
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal("start a second kube-apiserver: ", err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) < 2 || fields[0] != "ready" {
		t.Fatalf("the second kube-apiserver is not ready: %q %v", line, err)
	}
	return fields[1]
}

// awaitRotation waits until an authority signs for all brokers and is published.
func awaitRotation(t *testing.T, h *handshakes, n *Node, authority func() (*x509.Certificate, error)) {
	t.Helper()
	config, err := n.Config("admin")
	if err != nil {
		t.Fatal(err)
	}
	services := apiregistration.NewForConfigOrDie(config).ApiregistrationV1().APIServices()
	if err := testenv.Eventually(10*time.Minute, func() error {
		a, err := authority()
		if err != nil {
			return err
		}
		s, err := services.Get(t.Context(), "v1alpha1.tenama.dev", metav1.GetOptions{})
		if err != nil {
			return err
		}
		published, err := cert.ParseCertsPEM(s.Spec.CABundle)
		if err != nil || !slices.ContainsFunc(published, a.Equal) {
			return errors.New("the new authority is not published")
		}
		if !h.issuedBy(a) {
			return errors.New("the new authority does not sign for all brokers")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
