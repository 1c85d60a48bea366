// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// webhooks are receivers of the forwarder, each with the answer that a test sets.
type webhooks struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]int
}

func newWebhooks(t *testing.T) *webhooks {
	w := &webhooks{answers: map[string]int{}}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *webhooks) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	code := w.answers[strings.Trim(r.URL.Path, "/")]
	if code == 0 {
		code = http.StatusNoContent
	}
	rw.WriteHeader(code)
}

// answer sets what a webhook answers from now on.
func (w *webhooks) answer(name string, code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[name] = code
}

// config returns a configuration with webhooks of these names, for creations only.
func (w *webhooks) config(names ...string) string {
	out := "endpoints:\n"
	for _, name := range names {
		out += "- {name: " + name + ", url: " + w.URL + "/" + name + ", types: [created], allowPrivateAddresses: true, " +
			"keys: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}\n"
	}
	return out
}

// startForwarder runs the forwarder, and returns the address of its metrics.
func (s *site) startForwarder(w *webhooks) string {
	s.Helper()
	metrics := address(s.T)
	var err error
	if s.forwarder, err = s.InstallForwarder(s.Context(), w.config("chat", "mail"), metrics); err == nil {
		err = s.forwarder.Start()
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(s.forwarder.Kill)
	return metrics
}

// forwarderFile is the path of the objects of the forwarder.
func (s *site) forwarderFile() string {
	return filepath.Join(s.Deploy, "components", "forwarder", "forwarder.yaml")
}

// applyForwarder applies the component again, but for its Deployment.
func (s *site) applyForwarder() {
	s.Helper()
	s.kubectl("", "apply", "--server-side", "-f", s.forwarderFile())
	s.kubectl("", "delete", "deployment", "tenama-forwarder", "-n", "tenama-system")
}
