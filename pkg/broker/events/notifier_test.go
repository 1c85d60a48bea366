// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"tenama.dev/tenama/api/v1alpha1"
)

// cluster has one namespace, tmp-a, at most; with any, it has each one that is asked for.
type cluster struct {
	ns  *corev1.Namespace
	any bool
}

func (c *cluster) Get(name string) *corev1.Namespace {
	if c.any {
		return named(name)
	}
	if c.ns == nil || c.ns.Name != name {
		return nil
	}
	return c.ns
}

// lent returns a namespace that was created now.
func lent(ttl time.Duration, more ...string) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "tmp-a", UID: "uid-a", CreationTimestamp: metav1.NewTime(time.Now()),
		Labels: map[string]string{v1alpha1.LabelManaged: "true", v1alpha1.LabelClass: "default"},
		Annotations: map[string]string{v1alpha1.AnnotationReady: "true",
			v1alpha1.AnnotationTTL:        strconv.Itoa(int(ttl / time.Second)),
			v1alpha1.AnnotationMaximumTTL: "360000"},
	}}
	for i := 0; i < len(more); i += 2 {
		ns.Annotations[more[i]] = more[i+1]
	}
	return ns
}

func named(name string) *corev1.Namespace {
	ns := lent(time.Hour)
	ns.Name, ns.UID = name, types.UID("uid-"+name)
	return ns
}

func recorder(client *fake.Clientset) *Recorder {
	return &Recorder{Client: client, Replica: "broker-0", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Retry: func(_ context.Context, do func() error) error { return do() }}
}

func notifier(c *cluster, client *fake.Clientset) *Notifier {
	return &Notifier{Recorder: recorder(client), Namespaces: c, Contained: func() error { return nil },
		Notices: func(string) []time.Duration { return []time.Duration{time.Hour, 15 * time.Minute, 5 * time.Minute} },
		Warning: func(_ *corev1.Namespace, now time.Time) string { return now.Format("15:04:05") }}
}

// live calls n as its queue does, until there is nothing to do, and returns when the Events
// came, since the start.
func live(t *testing.T, n *Notifier, c *cluster, client *fake.Clientset, changes map[time.Duration]func()) []string {
	t.Helper()
	begun := time.Now()
	for range 24 * 60 { // a day
		if change := changes[time.Since(begun)]; change != nil {
			change()
			if c.ns != nil {
				n.Due(c.ns) // as for each event of the watch
			}
		}
		if c.ns != nil {
			if due := n.Due(c.ns); !due.IsZero() && !time.Now().Before(due) {
				if _, err := n.Reconcile(t.Context(), "tmp-a"); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Minute)
	}
	list, err := client.CoreV1().Events("tmp-a").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list.Items {
		at, err := time.Parse("15:04:05", e.Message)
		if err != nil {
			t.Fatalf("message %q", e.Message)
		}
		out = append(out, at.Format("15:04"))
	}
	slices.Sort(out)
	return out
}

// Owners learn in time, once, and only what is still true, that a namespace is about to
// expire. The clock of a synctest bubble begins at midnight.
func TestNotices(t *testing.T) {
	at := func(d time.Duration) string {
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Format(time.RFC3339)
	}
	annotate := func(c *cluster, key, value string) func() {
		return func() { c.ns.Annotations[key] = value }
	}
	for name, row := range map[string]struct {
		ttl     time.Duration
		more    []string
		changes func(*cluster) map[time.Duration]func()
		want    []string
	}{
		"two hours":        {2 * time.Hour, nil, nil, []string{"01:00", "01:45", "01:55"}},
		"a short life":     {20 * time.Minute, nil, nil, []string{"00:05", "00:15"}},
		"exactly a notice": {time.Hour, nil, nil, []string{"00:45", "00:55"}},
		"on hold":          {2 * time.Hour, []string{v1alpha1.AnnotationHold, "evidence"}, nil, nil},
		"does not expire":  {2 * time.Hour, []string{v1alpha1.AnnotationLifetime, "Unbounded"}, nil, nil},
		"not ready":        {2 * time.Hour, []string{v1alpha1.AnnotationReady, ""}, nil, nil},
		"unreadable":       {2 * time.Hour, []string{v1alpha1.AnnotationTTL, "soon"}, nil, nil},
		"a lease that a process renews": {2 * time.Hour, []string{v1alpha1.AnnotationLease, "60"}, nil,
			[]string{"01:00", "01:45", "01:55"}},
		"not used for long": {10 * time.Hour, []string{v1alpha1.AnnotationLease, "7200"}, nil,
			[]string{"01:00", "01:45", "01:55"}},
		"used before the end": {10 * time.Hour, []string{v1alpha1.AnnotationLease, "7200"},
			func(c *cluster) map[time.Duration]func() {
				return map[time.Duration]func(){110 * time.Minute: annotate(c, v1alpha1.AnnotationRenewed, at(110*time.Minute))}
			}, []string{"01:00", "01:45", "02:50", "03:35", "03:45"}},
		"extended by less than a notice": {2 * time.Hour, nil, func(c *cluster) map[time.Duration]func() {
			return map[time.Duration]func(){110 * time.Minute: annotate(c, v1alpha1.AnnotationExtendUntil, at(150*time.Minute))}
		}, []string{"01:00", "01:45", "02:15", "02:25"}},
		"extended, with less left than a notice that is not given": {2 * time.Hour, nil,
			func(c *cluster) map[time.Duration]func() {
				return map[time.Duration]func(){100 * time.Minute: annotate(c, v1alpha1.AnnotationExtendUntil, at(150*time.Minute))}
			}, []string{"01:00", "02:15", "02:25"}},
		"held, and released after two of three": {2 * time.Hour, nil, func(c *cluster) map[time.Duration]func() {
			return map[time.Duration]func(){
				30 * time.Minute:  annotate(c, v1alpha1.AnnotationHold, "evidence"),
				110 * time.Minute: func() { delete(c.ns.Annotations, v1alpha1.AnnotationHold) },
			}
		}, []string{"01:50", "01:55"}},
		"deleted": {2 * time.Hour, nil, func(c *cluster) map[time.Duration]func() {
			return map[time.Duration]func(){70 * time.Minute: func() {
				now := metav1.NewTime(time.Now())
				c.ns.DeletionTimestamp = &now
			}}
		}, []string{"01:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset()
				c := &cluster{ns: lent(row.ttl, row.more...)}
				var changes map[time.Duration]func()
				if row.changes != nil {
					changes = row.changes(c)
				}
				got := live(t, notifier(c, client), c, client, changes)
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("times of the Events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A second replica, and a broker that was restarted, must not repeat a notice; after an
// outage, the owner gets one, and not three at once.
func TestNoticesOfReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		c := &cluster{ns: lent(2 * time.Hour)}
		first, second := notifier(c, client), notifier(c, client)
		time.Sleep(time.Hour)
		for _, n := range []*Notifier{first, second, notifier(c, client), first} {
			if _, err := n.Reconcile(t.Context(), "tmp-a"); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, client); n != 1 {
			t.Errorf("at the first notice, %d Events", n)
		}
		time.Sleep(57 * time.Minute) // two notices later
		after, err := notifier(c, client).Reconcile(t.Context(), "tmp-a")
		if err != nil || !after.IsZero() {
			t.Errorf("after the last notice, the next one is due at %v, err %v", after, err)
		}
		if n := count(t, client); n != 2 {
			t.Errorf("after an outage, %d Events", n)
		}
	})
}

// Nothing is written while the broker is not contained, and nothing is lost by that.
func TestNoticeWaitsForContainment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		c := &cluster{ns: lent(2 * time.Hour)}
		n := notifier(c, client)
		n.Contained = func() error { return errors.New("not proven") }
		time.Sleep(time.Hour)
		again, err := n.Reconcile(t.Context(), "tmp-a")
		if err != nil || time.Until(again) != uncontainedRetry || count(t, client) != 0 {
			t.Fatalf("tried again at %v, err %v, %d Events", again, err, count(t, client))
		}
		n.Contained = func() error { return nil }
		if _, err := n.Reconcile(t.Context(), "tmp-a"); err != nil || count(t, client) != 1 {
			t.Errorf("%d Events, err %v", count(t, client), err)
		}
	})
}

// An Event that cannot be created now is created later.
func TestNoticeIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		fails := true
		client.PrependReactor("create", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
			return fails, nil, errors.New("etcd is slow")
		})
		c := &cluster{ns: lent(2 * time.Hour)}
		n := notifier(c, client)
		time.Sleep(time.Hour)
		if _, err := n.Reconcile(t.Context(), "tmp-a"); err == nil {
			t.Error("the queue does not learn that it failed")
		}
		fails = false
		if _, err := n.Reconcile(t.Context(), "tmp-a"); err != nil || count(t, client) != 1 {
			t.Errorf("the second time: %d Events, err %v", count(t, client), err)
		}
	})
}

// What the Notifier remembers must not grow with the namespaces that are gone.
func TestNotifierForgets(t *testing.T) {
	c := &cluster{ns: lent(2 * time.Hour)}
	n := notifier(c, fake.NewClientset())
	n.Due(c.ns)
	now := metav1.NewTime(time.Now())
	c.ns.DeletionTimestamp = &now
	if due := n.Due(c.ns); !due.IsZero() || len(n.seen) != 0 {
		t.Errorf("a namespace that is being deleted: due %v, %d remembered", due, len(n.seen))
	}
}

func count(t *testing.T, client *fake.Clientset) int {
	t.Helper()
	list, err := client.CoreV1().Events("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return len(list.Items)
}
