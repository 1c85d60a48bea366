// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

const webhookKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// hook is a webhook that records what it accepts.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	code int      // of its answers
	seen []string // "TYPE NAME" of the messages, in their order, each id once
	ids  map[string]int
}

func newHook(t *testing.T) *hook {
	h := &hook{code: http.StatusNoContent, ids: map[string]int{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	var e struct {
		Subject struct{ ID string }
	}
	if h.code == http.StatusNoContent && json.Unmarshal(b, &e) == nil {
		id := r.Header.Get("webhook-id")
		if h.ids[id]++; h.ids[id] == 1 {
			h.seen = append(h.seen, strings.Split(r.Header.Get("ce-type"), ".")[3]+" "+e.Subject.ID)
		}
	}
	w.WriteHeader(h.code)
}

func (h *hook) answer(code int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.code = code
}

// of returns the types of the messages about a namespace.
func (h *hook) of(name string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, s := range h.seen {
		if kind, n, _ := strings.Cut(s, " "); n == name {
			out = append(out, kind)
		}
	}
	return out
}

// until waits until the messages about a namespace are as wanted; compact repeats of modified
// count once.
func (h *hook) until(t *testing.T, name string, want ...string) {
	t.Helper()
	if err := testenv.Eventually(60*time.Second, func() error {
		if got := slices.Compact(h.of(name)); !slices.Equal(got, want) {
			return fmt.Errorf("%s: messages %v, want %v", name, got, want)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// Whatever happens to the forwarder, to the receiver and to the configuration, each receiver
// gets the story of each namespace, whole and in its order.
func TestForwarder(t *testing.T) {
	t.Parallel() // with its own control plane
	ctx := t.Context()
	c, port := own(t)
	start(t, c, port, "broker-0")
	alice := as(t, c.Config("alice"))
	first, second := newHook(t), newHook(t)
	endpoint := func(name string, h *hook, more string) string {
		return fmt.Sprintf("- {name: %s, url: %q, keys: [%s], allowPrivateAddresses: true%s}\n", name, h.URL, webhookKey,
			more)
	}
	both := "endpoints:\n" + endpoint("first", first, ", notices: [59m50s]") + endpoint("second", second,
		", types: [created, deleted]")
	createFor := func(name string, ttl time.Duration) {
		t.Helper()
		if err := testenv.Eventually(60*time.Second, func() error {
			_, err := alice.Create(ctx, tns(name, ttl), metav1.CreateOptions{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	create := func(name string) { t.Helper(); createFor(name, time.Hour) }
	remove := func(name string) {
		t.Helper()
		if _, err := alice.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	createFor("tmp-before", 3*time.Hour)
	f, err := c.InstallForwarder(ctx, both, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		f.Kill()
		if t.Failed() {
			t.Log(f.Output())
		}
	}()
	if err := testenv.Eventually(60*time.Second, func() error { // its position, of which both know nothing yet
		out, err := c.Kubectl("admin", "get", "configmap", "tenama-forwarder", "-n", "tenama-system", "-o",
			"jsonpath={.binaryData}")
		if err != nil || !strings.Contains(out, "first") || !strings.Contains(out, "second") {
			return fmt.Errorf("%s %v", out, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	create("tmp-story")
	first.until(t, "tmp-story", "created", "expiring")
	if _, _, err := alice.Extend(ctx, "tmp-story", func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
		return now.Add(2 * time.Hour)
	}, "", metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	first.until(t, "tmp-story", "created", "expiring", "modified")
	remove("tmp-story")
	first.until(t, "tmp-story", "created", "expiring", "modified", "deleted")
	second.until(t, "tmp-story", "created", "deleted")
	if got := first.of("tmp-before"); got != nil {
		t.Errorf("a new endpoint is told of what existed before: %v", got)
	}

	// A receiver that is down holds up neither the other one nor what comes later.
	first.answer(http.StatusServiceUnavailable)
	create("tmp-down")
	second.until(t, "tmp-down", "created")
	f.Kill() // while it retries
	remove("tmp-before")
	create("tmp-between")
	remove("tmp-between") // a whole life while no forwarder runs
	if err := alice.WaitGone(ctx, "tmp-between", ""); err != nil {
		t.Fatal(err)
	}
	first.answer(http.StatusNoContent)
	if err := f.Start(); err != nil {
		t.Fatal(err)
	}
	first.until(t, "tmp-down", "created", "expiring")
	first.until(t, "tmp-before", "modified", "deleted")
	first.until(t, "tmp-between", "created", "modified", "deleted")
	second.until(t, "tmp-before", "deleted")
	second.until(t, "tmp-down", "created")

	// An endpoint that is gone stays so; a wrong configuration changes nothing.
	second.answer(http.StatusGone)
	create("tmp-gone")
	if err := testenv.Eventually(60*time.Second, func() error {
		if !strings.Contains(f.Output(), "The endpoint answered 410") {
			return fmt.Errorf("the endpoint goes on: %s", f.Output())
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := f.Write(strings.ReplaceAll(both, "http://", "gopher://")); err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(60*time.Second, func() error {
		if !strings.Contains(f.Output(), "The new configuration is invalid") {
			return fmt.Errorf("a wrong configuration is not reported: %s", f.Output())
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	create("tmp-after")
	first.until(t, "tmp-after", "created", "expiring")
	if strings.Contains(f.Output(), "whsec_") || strings.Contains(f.Output(), first.URL) {
		t.Error("the log reveals a key or a URL")
	}

	// Another endpoint, without a restart.
	third := newHook(t)
	if err := f.Write("endpoints:\n" + endpoint("third", third, "")); err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(60*time.Second, func() error {
		out, err := c.Kubectl("admin", "get", "configmap", "tenama-forwarder", "-n", "tenama-system", "-o",
			"jsonpath={.binaryData}")
		if err != nil || !strings.Contains(out, "third") || strings.Contains(out, "first") {
			return fmt.Errorf("%s %v", out, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	remove("tmp-after")
	third.until(t, "tmp-after", "modified", "deleted")
}

// The forwarder sees which namespaces exist, and can do nothing else: neither change them, nor
// look inside, nor read the Secret with its own keys.
func TestForwarderRights(t *testing.T) {
	t.Parallel() // with its own control plane
	c, port := own(t)
	start(t, c, port, "broker-0")
	if _, err := c.InstallForwarder(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	const account = "--as=system:serviceaccount:tenama-system:tenama-forwarder"
	may := func(what ...string) bool {
		_, err := c.Kubectl("admin", append([]string{"auth", "can-i", "-q", account}, what...)...)
		return err == nil
	}
	out, err := c.Kubectl("admin", "auth", "can-i", account, "--list", "--no-headers")
	if err != nil {
		t.Fatal(out)
	}
	for line := range strings.Lines(out) {
		resource, _, _ := strings.Cut(line, " ")
		switch {
		case resource == "", strings.HasPrefix(resource, "self"), resource == "temporarynamespaces.tenama.dev",
			resource == "clustertrustbundles.certificates.k8s.io": // as every ServiceAccount
		default:
			t.Errorf("the forwarder may, cluster-wide: %s", line)
		}
	}
	for _, what := range [][]string{
		{"get", "secrets", "-n", "tenama-system"}, {"get", "secrets/tenama-forwarder", "-n", "tenama-system"},
		{"create", "temporarynamespaces.tenama.dev"}, {"delete", "temporarynamespaces.tenama.dev"},
		{"patch", "temporarynamespaces.tenama.dev"}, {"administer", "temporarynamespaces.tenama.dev"},
		{"get", "namespaces"}, {"get", "pods", "-n", "tenama-system"}, {"create", "configmaps", "-n", "tenama-system"},
		{"get", "configmaps/tenama-settings", "-n", "tenama-system"}, {"list", "configmaps", "-n", "tenama-system"},
		{"delete", "configmaps/tenama-forwarder", "-n", "tenama-system"}, {"create", "events", "-n", "tenama-system"},
	} {
		if may(what...) {
			t.Errorf("the forwarder may %v", what)
		}
	}
	for _, what := range [][]string{{"watch", "temporarynamespaces.tenama.dev"},
		{"update", "configmaps/tenama-forwarder", "-n", "tenama-system"}} {
		if !may(what...) {
			t.Errorf("the forwarder may not %v", what)
		}
	}
}
