// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// lender is a control plane with a broker that tests of the expiry stop and start.
type lender struct {
	t       *testing.T
	c       *testenv.Cluster
	alice   *client.Client
	port    int
	metrics string
	broker  *testenv.Broker
}

// What is overdue by more than half a minute gets a grace.
const lenderGrace, late = 15 * time.Second, 32 * time.Second

func newLender(t *testing.T) *lender {
	c, port := own(t)
	l := &lender{t: t, c: c, port: port, metrics: fmt.Sprintf("127.0.0.1:%d", free(t)), alice: as(t, c.Config("alice"))}
	l.start()
	return l
}

func (l *lender) start() {
	l.t.Helper()
	l.broker = start(l.t, l.c, l.port, "broker-0", "--overdue-grace="+lenderGrace.String(), "--max-overdue=2",
		"--metrics-address="+l.metrics)
}

// lend lends namespaces and returns when the last of them has expired.
func (l *lender) lend(ttl time.Duration, names ...string) (expiry time.Time) {
	l.t.Helper()
	for _, name := range names {
		tn, err := l.alice.Create(l.t.Context(), tns(name, ttl), metav1.CreateOptions{})
		if err != nil {
			l.t.Fatal(err)
		}
		expiry = tn.Status.ExpirationTimestamp.Time
	}
	return expiry
}

// sleepUntil sleeps until a time of kube-apiserver's clock.
func (l *lender) sleepUntil(at time.Time) { time.Sleep(at.Sub(l.alice.Now())) }

// lives fails the test if one of the namespaces is not there or is being deleted.
func (l *lender) lives(why string, names ...string) {
	l.t.Helper()
	for _, name := range names {
		if ns := namespace(l.t, l.c.Client("admin"), name); ns.DeletionTimestamp != nil {
			l.t.Errorf("%s: %s was deleted at %s", why, name, ns.DeletionTimestamp)
		}
	}
}

func (l *lender) gone(why string, names ...string) {
	l.t.Helper()
	for _, name := range names {
		err := testenv.Eventually(3*time.Minute, func() error {
			if _, err := l.alice.Get(l.t.Context(), name); !client.IsGone(err) {
				return fmt.Errorf("%s: %s is still there (%v)", why, name, err)
			}
			return nil
		})
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

// instruct annotates the broker's ClusterRole, as docs/install.md says.
func (l *lender) instruct(annotation string) {
	l.t.Helper()
	out, err := l.c.Kubectl("admin", "annotate", "--overwrite", "clusterrole", "tenama:broker", annotation)
	if err != nil {
		l.t.Fatal(out)
	}
}

// metric returns the value of one of the broker's metrics.
func (l *lender) metric(name string) string {
	l.t.Helper()
	resp, err := http.Get("http://" + l.metrics + "/metrics")
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "absent"
}

// After an outage, owners would be too late if everything that expired meanwhile were
// deleted in the first second.
func TestGraceAfterOutage(t *testing.T) {
	t.Parallel()
	l := newLender(t)
	expiry := l.lend(10*time.Second, "tmp-late-1", "tmp-late-2")
	l.broker.Kill()
	l.sleepUntil(expiry.Add(late))
	began := l.alice.Now()
	l.start()
	if n := l.metric("tenama_expiries_overdue"); n != "2" {
		t.Errorf("%s namespaces are shown as overdue, want 2", n)
	}
	until := func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time { return now.Add(time.Hour) }
	_, after, err := l.alice.Extend(t.Context(), "tmp-late-1", until, "", metav1.PatchOptions{})
	if err != nil || time.Until(after.Status.ExpirationTimestamp.Time) < 50*time.Minute {
		t.Fatalf("an extension after the outage: %v", err)
	}
	l.gone("its grace is over", "tmp-late-2")
	if took := l.alice.Now().Sub(began); took < lenderGrace {
		t.Errorf("tmp-late-2 was gone %s after the outage; the grace is %s", took, lenderGrace)
	}
	l.lives("it was extended", "tmp-late-1")
}

// An administrator can stop all expiries at once; people can go on working. When it is over,
// what should have been deleted is not, if that is more than a set number, before an
// administrator confirms it.
func TestPausedExpiry(t *testing.T) {
	t.Parallel()
	l := newLender(t)
	l.instruct("tenama.dev/pause-expiry=drill")
	names := []string{"tmp-paused-1", "tmp-paused-2", "tmp-paused-3"}
	expiry := l.lend(5*time.Second, names...)
	l.lend(time.Hour, "tmp-mine")
	l.sleepUntil(expiry.Add(5 * time.Second))
	l.lives("the expiries are paused", names...)
	if paused := l.metric("tenama_expiry_paused"); paused != "1" {
		t.Errorf("tenama_expiry_paused is %s", paused)
	}
	if made := l.metric(`tenama_creations_total{result="created"}`); made != "4" {
		t.Errorf("%s creations were counted, want 4", made)
	}
	if registered := l.metric("tenama_registered"); registered != "1" {
		t.Errorf("tenama_registered is %s", registered)
	}
	past := func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time { return now.Add(-time.Second) }
	_, after, err := l.alice.Extend(t.Context(), names[0], past, "", metav1.PatchOptions{})
	if err == nil {
		t.Errorf("an extension that keeps nothing is no error: %v", after)
	}
	if out, _ := l.c.Kubectl("admin", "tenama", "doctor"); !strings.Contains(out, "paused all expiries: drill") {
		t.Errorf("doctor does not show the pause: %s", out)
	}
	if _, err := l.alice.Delete(t.Context(), "tmp-mine", metav1.DeleteOptions{}); err != nil {
		t.Errorf("delete while the expiries are paused: %v", err)
	}
	l.gone("its owner deleted it", "tmp-mine")
	l.sleepUntil(expiry.Add(late))
	l.instruct("tenama.dev/pause-expiry-")
	const waits = "an administrator has to confirm"
	err = testenv.Eventually(3*time.Minute, func() error {
		if out, _ := l.broker.Output(); !strings.Contains(out, "tenama.dev/confirm-expiry-before") {
			return fmt.Errorf("the log does not say that %s", waits)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.lives(waits, names...)
	if out, _ := l.c.Kubectl("admin", "tenama", "doctor"); !strings.Contains(out, "3 overdue, the oldest expired") {
		t.Errorf("doctor does not show what waits: %s", out)
	}
	l.instruct("tenama.dev/confirm-expiry-before=" + l.alice.Now().UTC().Format(time.RFC3339))
	l.gone("it was confirmed", names...)
}
