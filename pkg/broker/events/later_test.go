// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// The Event about a creation comes once the namespace has lived for a while, and not at all
// if it is gone by then.
func TestLater(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*cluster)
		want   int
	}{
		"it lives":        {func(*cluster) {}, 1},
		"it is gone":      {func(c *cluster) { c.ns = nil }, 0},
		"it is recreated": {func(c *cluster) { c.ns = lent(time.Hour); c.ns.UID = "another" }, 0},
		"it is being deleted": {func(c *cluster) {
			now := metav1.NewTime(time.Now())
			c.ns.DeletionTimestamp = &now
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				client := fake.NewClientset()
				c := &cluster{ns: lent(time.Hour)}
				l := NewLater(recorder(client), c, func() error { return nil })
				go l.Run(ctx)
				l.Record(c.ns, 5*time.Second, Event{Name: "tenama-created", Reason: "Created", Type: corev1.EventTypeNormal})
				time.Sleep(4 * time.Second)
				if n := count(t, client); n != 0 {
					t.Errorf("%d Events before the delay is over", n)
				}
				row.change(c)
				time.Sleep(2 * time.Second)
				if n := count(t, client); n != row.want {
					t.Errorf("%d Events, want %d", n, row.want)
				}
				stop()
				synctest.Wait()
			})
		})
	}
}

// A burst of creations must neither wait for its Events nor be slowed down by them.
func TestLaterIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		client := fake.NewClientset()
		c := &cluster{any: true}
		l := NewLater(recorder(client), c, func() error { return nil })
		for i := range 2 * maxLater { // half of them are dropped
			l.Record(named(fmt.Sprint("tmp-", i/maxEach)), 0, Event{Reason: "Created", Name: ""})
		}
		go l.Run(ctx)
		time.Sleep(10 * time.Second)
		// The generated names of the fake are empty, so each Event but the first one exists.
		if n := len(client.Actions()); n > 11*perSecond {
			t.Errorf("%d requests in 10 s", n)
		}
		time.Sleep(time.Hour)
		if n := len(client.Actions()); n != maxLater {
			t.Errorf("%d requests in all", n)
		}
		stop()
		synctest.Wait()
	})
}

// A tenant who extends a namespace all the time must not crowd out the Events of others.
func TestLaterIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		client := fake.NewClientset()
		c := &cluster{any: true}
		l := NewLater(recorder(client), c, func() error { return nil })
		for i := range 10 * maxLater {
			l.Record(named("tmp-loop"), 0, Event{Name: fmt.Sprint("tenama-extended-", i), Reason: "Extended"})
		}
		l.Record(named("tmp-other"), 0, Event{Name: "tenama-created", Reason: "Created"})
		go l.Run(ctx)
		time.Sleep(10 * time.Second)
		if n := count(t, client); n != maxEach+1 {
			t.Errorf("%d Events, want %d of the one and 1 of the other", n, maxEach)
		}
		if len(l.each) != 0 {
			t.Errorf("it remembers %d namespaces of which no Event waits", len(l.each))
		}
		stop()
		synctest.Wait()
	})
}

// A namespace in which the broker has lost its rights must not hold up the others.
func TestRecordGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		r := recorder(client)
		r.Retry = func(ctx context.Context, _ func() error) error { <-ctx.Done(); return ctx.Err() }
		begun := time.Now()
		if err := r.Record(t.Context(), lent(time.Hour), Event{Reason: "Created"}); err == nil {
			t.Error("it succeeds")
		}
		if took := time.Since(begun); took > recordTimeout {
			t.Errorf("it took %s", took)
		}
	})
}

// Reasons and names of users come from outside, and kube-apiserver refuses longer messages.
func TestShorten(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("é", 2000), strings.Repeat("x", maxMessage+1)} {
		got := shorten(s)
		if len(got) > maxMessage || !strings.HasPrefix(s, strings.TrimSuffix(got, "…")) {
			t.Errorf("%d bytes became %d", len(s), len(got))
		}
	}
}
