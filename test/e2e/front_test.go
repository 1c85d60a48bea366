// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// No credential of a user may reach the broker: kube-apiserver must forward only the
// identity, also of users who authenticate with a token.
func TestNoTokenReachesTheBroker(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	l, err := net.Listen("tcp", net.JoinHostPort("127.96.0.10", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string][]http.Header{} // by user
	server := &httptest.Server{Listener: l, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			user := r.Header.Get("X-Remote-User")
			seen[user] = append(seen[user], r.Header.Clone())
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).
				Encode(metav1.APIResourceList{
					TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: "tenama.dev/v1alpha1",
				})
		}),
	}, TLS: &tls.Config{ClientAuth: tls.RequestClientCert}}
	server.StartTLS()
	defer server.Close()
	if err := c.Endpoints(t.Context(), port, "stand-in"); err != nil {
		t.Fatal(err)
	}
	if out, err := c.KubectlIn("admin",
		"apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: v1alpha1.tenama.dev}\nspec: {group: "+
			"tenama.dev, version: v1alpha1, groupPriorityMinimum: 1000, versionPriority: 15, insecureSkipTLSVerify: true, "+
			"service: {namespace: tenama-system, name: tenama-broker, port: "+strconv.Itoa(port)+"}}\n", "apply", "-f",
		"-"); err != nil {
		t.Fatal(out)
	}
	tokens := map[string]string{"dora": bearer(t, c, "dora"), "erik": bearer(t, c, "erik")}
	for _, user := range []string{"alice", "dora", "erik"} { // a certificate, two tokens
		rc := c.Client(user).Discovery().RESTClient()
		if err := testenv.Eventually(60*time.Second, func() error {
			return rc.Get().AbsPath(collection).SetHeader("Cookie", "session=secret").Do(t.Context()).Error()
		}); err != nil {
			t.Fatalf("%s: %v", user, err)
		}
		mu.Lock()
		headers := seen[user]
		mu.Unlock()
		if len(headers) == 0 {
			t.Errorf("the broker received no request of %s, only of: %v", user, len(seen))
		}
		for _, h := range headers {
			if h.Get("Authorization") != "" {
				t.Errorf("%s: the broker received an Authorization header", user)
			}
			for k, v := range h {
				for _, token := range tokens {
					if strings.Contains(strings.Join(v, " "), token) {
						t.Errorf("%s: the broker received the token in %s", user, k)
					}
				}
			}
		}
	}
	if out, err := c.Kubectl("admin", "delete", "apiservice", "v1alpha1.tenama.dev"); err != nil {
		t.Error(out)
	}
}

// bearer returns the token in a user's kubeconfig.
func bearer(t *testing.T, c *testenv.Cluster, user string) string {
	t.Helper()
	if _, err := os.Stat(c.Kubeconfig(user)); err != nil {
		t.Fatal(err)
	}
	token := c.Config(user).BearerToken
	if token == "" {
		t.Fatalf("%s has no token", user)
	}
	return token
}

// Unusual paths and bodies must neither reach an object nor cause a redirect: the same
// parser must serve authorization and routing.
func TestUnusualPaths(t *testing.T) {
	alice, err := shared.ConfigFor("alice", "devs")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(alice.CertData, alice.KeyData)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true},
	}
	defer transport.CloseIdleConnections()
	plain := &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	others := borrow(t, user(t, "carol"), unique("odd"), time.Hour).Name
	for _, p := range []struct{ method, path, body string }{
		{"GET", "/apis/tenama.dev/v1alpha1//temporarynamespaces/" + others, ""},
		{"GET", "/apis/tenama.dev/v1alpha1/temporarynamespaces/../temporarynamespaces/" + others, ""},
		{"GET", "/apis/tenama.dev/v1alpha1/temporarynamespaces/%2e%2e/temporarynamespaces/" + others, ""},
		{"GET", "/apis/tenama.dev/v1alpha1/temporarynamespaces/x%2f..%2f" + others, ""},
		{"GET", "/apis/tenama.dev/v1alpha1/temporarynamespaces/" + others + "/", ""},
		{"GET", "/apis/tenama.dev/v1alpha1/temporarynamespaces/" + others + "/status", ""},
		{"GET", "/apis/tenama.dev/v1alpha1/TemporaryNamespaces/" + others, ""},
		{"GET", "/apis/tenama.dev/v1alpha1/namespaces/x/temporarynamespaces/" + others, ""},
		{"GET", "/apis/tenama.dev/v1/temporarynamespaces", ""}, {
			"DELETE", "/apis/tenama.dev/v1alpha1/temporarynamespaces/" + others, "",
		},
		{"POST", "/apis/tenama.dev/v1alpha1/temporarynamespaces/" + others, "{}"},
		{"TRACE", "/apis/tenama.dev/v1alpha1/temporarynamespaces", ""},
		{"POST", "/apis/tenama.dev/v1alpha1/temporarynamespaces", strings.Repeat("x", 1<<20)},
		{"POST", "/apis/tenama.dev/v1alpha1/temporarynamespaces", "{"},
		{
			"POST", "/apis/tenama.dev/v1alpha1/temporarynamespaces",
			`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}`,
		},
		{
			"PUT", "/apis/tenama.dev/v1alpha1/temporarynamespaces/" + others,
			`{"apiVersion":"tenama.dev/v1alpha1","kind":"TemporaryNamespace","metadata":{"name":"other"}}`,
		},
	} {
		r, err := http.NewRequestWithContext(t.Context(), p.method, shared.Server+p.path, strings.NewReader(p.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := plain.Do(r)
		if err != nil {
			t.Errorf("%s %s: %v", p.method, p.path, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("%s %s: %s, want a bad request", p.method, p.path, resp.Status)
		}
	}
	if complete(t.Context(), admin(), others, "carol") != nil {
		t.Error("carol's namespace was deleted or changed")
	}
}
