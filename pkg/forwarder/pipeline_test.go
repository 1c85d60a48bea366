// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// Receivers learn of each change once, and of nothing that is none.
func TestMessages(t *testing.T) {
	extend := func(tn *v1alpha1.TemporaryNamespace) {
		end := metav1.NewTime(tn.CreationTimestamp.Add(3 * time.Hour))
		tn.Spec.ExtendUntil, tn.Status.ExpirationTimestamp, tn.Status.Extensions = &end, &end, 1
	}
	for name, row := range map[string]struct {
		change func(*Endpoint)
		events []*v1alpha1.TemporaryNamespace
		want   []string
	}{
		"created": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil)}, []string{"created a"}},
		"not before it is complete": {nil, []*v1alpha1.TemporaryNamespace{
			namespace("a", func(tn *v1alpha1.TemporaryNamespace) { tn.Status.Phase = v1alpha1.PhasePending }),
		}, nil},
		"once": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil), namespace("a", nil)}, []string{"created a"}},
		"extended": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil), namespace("a", extend)},
			[]string{"created a", "modified a"}},
		"a label": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil),
			namespace("a", func(tn *v1alpha1.TemporaryNamespace) { tn.Labels = map[string]string{"tier": "pro"} })},
			[]string{"created a", "modified a"}},
		"the renewal of a lease": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", lease(60)), namespace("a", lease(90))},
			[]string{"created a"}},
		"being deleted": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil),
			namespace("a", func(tn *v1alpha1.TemporaryNamespace) {
				now := metav1.NewTime(tn.CreationTimestamp.Add(time.Hour))
				tn.DeletionTimestamp, tn.Status.Phase = &now, v1alpha1.PhaseTerminating
			})}, []string{"created a", "modified a"}},
		"recreated": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil),
			namespace("a", func(tn *v1alpha1.TemporaryNamespace) { tn.UID = "another" })},
			[]string{"created a", "deleted a", "created a"}},
		"of another class": {func(e *Endpoint) { e.ClassNames = []string{"gold"} },
			[]*v1alpha1.TemporaryNamespace{namespace("a", nil)}, nil},
		"of another type": {func(e *Endpoint) { e.Types = []string{modified} },
			[]*v1alpha1.TemporaryNamespace{namespace("a", nil), namespace("a", extend)}, []string{"modified a"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			s := newScene(t, r.URL, nil, row.change)
			for _, tn := range row.events {
				if err := s.seen(t.Context(), tn); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(row.want, r.types()); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// lease makes a namespace one that a process keeps.
func lease(renewed int) func(*v1alpha1.TemporaryNamespace) {
	return func(tn *v1alpha1.TemporaryNamespace) {
		seconds := int64(60)
		at := metav1.NewTime(tn.CreationTimestamp.Add(time.Duration(renewed) * time.Second))
		end := metav1.NewTime(at.Add(time.Minute))
		tn.Spec.LeaseDurationSeconds, tn.Spec.RenewTime, tn.Status.ExpirationTimestamp = &seconds, &at, &end
	}
}

// After a restart, receivers get what happened meanwhile, with what was known of the
// namespaces that are gone, and nothing twice.
func TestRestart(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, nil)
	for _, name := range []string{"a", "b"} {
		if err := s.seen(t.Context(), namespace(name, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.save(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	again := newScene(t, r.URL, s.kube, nil)
	all := []v1alpha1.TemporaryNamespace{*namespace("c", nil), *namespace("b", nil)}
	if err := again.relist(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	want := []string{"created a", "created b", "deleted a", "created c"}
	if diff := cmp.Diff(want, r.types()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if d := r.got[2].CustomData; d.Owner != "alice" || d.ClassName != "default" || d.UID != "uid-a" ||
		d.ExpirationTimestamp == nil || !d.ExpirationTimestamp.Equal(namespace("a", nil).Status.ExpirationTimestamp.Time) {
		t.Errorf("the message about a namespace that is gone: %+v", d)
	}
}

// An endpoint that is added to a full cluster must not get a message for each namespace, but
// for each change since: also for those that a watch missed, after which all are listed again.
func TestNewEndpoint(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, nil)
	if err := s.relist(t.Context(), []v1alpha1.TemporaryNamespace{*namespace("a", nil)}); err != nil {
		t.Fatal(err)
	}
	if got := r.types(); got != nil {
		t.Errorf("at the start: %v", got)
	}
	err := s.relist(t.Context(), []v1alpha1.TemporaryNamespace{*namespace("b", nil)})
	if diff := cmp.Diff([]string{"deleted a", "created b"}, r.types()); err != nil || diff != "" {
		t.Errorf("err %v, messages (-want +got):\n%s", err, diff)
	}
}

// A namespace that is changed all the time must not hold up the messages about others; what it
// is in the end is told, also after a restart.
func TestModifiedAllTheTime(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, nil)
	label := func(n int) *v1alpha1.TemporaryNamespace {
		return namespace("a", func(tn *v1alpha1.TemporaryNamespace) {
			tn.Labels = map[string]string{"n": strconv.Itoa(n)}
		})
	}
	for n := range 100 {
		s.clock = s.clock.Add(100 * time.Millisecond)
		if err := s.seen(t.Context(), label(n)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.types()); n > 3 { // created, modified, and at most one more in 10 s
		t.Errorf("%d messages about 100 changes in ten seconds", n)
	}
	s.finish()
	again := newScene(t, r.URL, s.kube, nil)
	again.clock = s.clock.Add(modifiedInterval)
	read := func(string) (*v1alpha1.TemporaryNamespace, error) { return label(99), nil }
	for range 2 {
		if err := again.putOff(t.Context(), read); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.got[len(r.got)-1].CustomData.Labels["n"]; got != "99" || len(r.types()) > 4 {
		t.Errorf("the last message is about change %s, of %d messages", got, len(r.types()))
	}
}

// A forwarder that ends before it could list must not take all namespaces for new ones when it
// starts again.
func TestEndBeforeFirstList(t *testing.T) {
	s := newScene(t, "http://127.0.0.1:1", nil, nil)
	s.finish()
	again := newScene(t, "http://127.0.0.1:1", s.kube, nil)
	if !again.fresh {
		t.Error("a position was saved that knows of nothing")
	}
}

// Notice is given once, in time, and after an outage only the latest one.
func TestExpiring(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, func(e *Endpoint) { e.Types = []string{expiring} })
	tn := namespace("a", nil)
	read := func(string) (*v1alpha1.TemporaryNamespace, error) { return tn, nil }
	if err := s.seen(t.Context(), tn); err != nil {
		t.Fatal(err)
	}
	start := s.clock
	for _, row := range []struct {
		after time.Duration
		want  int
	}{{30 * time.Minute, 0}, {time.Hour, 1}, {61 * time.Minute, 1}, {118 * time.Minute, 2}, {125 * time.Minute, 2}} {
		s.clock = start.Add(row.after)
		if err := s.notices(t.Context(), read); err != nil {
			t.Fatal(err)
		}
		if n := len(r.types()); n != row.want {
			t.Errorf("after %s: %d notices, want %d", row.after, n, row.want)
		}
	}
	if e := r.got[1]; !strings.HasSuffix(e.Context.ID, "-300") || e.CustomData.ExpirationTimestamp == nil {
		t.Errorf("after an outage, the notice of five minutes is due: %+v", e)
	}
}

// The notices of an expiry that was moved are void: the user who moved it knows. Here, the one
// of an hour before the new expiry would be due at once.
func TestExpiringMoved(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, func(e *Endpoint) { e.Types = []string{expiring} })
	moved := namespace("a", func(tn *v1alpha1.TemporaryNamespace) {
		end := metav1.NewTime(tn.CreationTimestamp.Add(150 * time.Minute))
		tn.Status.ExpirationTimestamp = &end
	})
	start := s.clock
	for _, row := range []struct {
		after time.Duration
		tn    *v1alpha1.TemporaryNamespace
		want  int
	}{{0, namespace("a", nil), 0}, {time.Hour, namespace("a", nil), 1}, {100 * time.Minute, moved, 1},
		{135 * time.Minute, moved, 2}} {
		s.clock = start.Add(row.after)
		if err := s.seen(t.Context(), row.tn); err != nil {
			t.Fatal(err)
		}
		read := func(string) (*v1alpha1.TemporaryNamespace, error) { return row.tn, nil }
		if err := s.notices(t.Context(), read); err != nil {
			t.Fatal(err)
		}
		if n := len(r.types()); n != row.want {
			t.Errorf("after %s: %d notices, want %d", row.after, n, row.want)
		}
	}
}
