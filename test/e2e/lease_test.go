// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// leased creates a namespace that lives for as long as its lease is renewed.
func leased(t *testing.T, c *client.Client, lease int64, ttl time.Duration) string {
	t.Helper()
	tn := tns(unique("leased"), ttl)
	tn.Spec.LeaseDurationSeconds = &lease
	if ttl == 0 {
		tn.Spec.TTLSeconds = nil
	}
	made, err := c.Create(t.Context(), tn, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Name
}

// A killed command must not leave its namespace behind until the TTL ends. A running
// command must neither lose its namespace nor use up the extensions that users have.
func TestLease(t *testing.T) {
	t.Parallel()
	alice := user(t, "alice")
	left, held := leased(t, alice, 10, 0), leased(t, alice, 60, 0)
	created, err := alice.Get(t.Context(), held)
	if err != nil {
		t.Fatal(err)
	}
	if most := created.Status.MaximumExpirationTimestamp; most == nil ||
		most.Sub(created.CreationTimestamp.Time) != time.Duration(*created.Spec.TTLSeconds)*time.Second {
		t.Errorf("with a lease, the default TTL must be the maximum of the class: %+v", created)
	}
	for range 17 { // beyond the first minute
		time.Sleep(4 * time.Second)
		after, err := alice.Renew(t.Context(), created, alice.Now())
		if err != nil {
			t.Fatalf("the holder of the lease lost the namespace: %v", err)
		}
		if after.Status.Extensions != 0 || after.Spec.ExtendUntil != nil {
			t.Errorf("a renewal counts as an extension: %+v", after)
		}
	}
	if _, err := alice.Get(t.Context(), left); err == nil {
		if ns := namespace(t, admin(), left); ns.DeletionTimestamp == nil {
			t.Error("68 s after its creation a namespace with a lease of 10 s still exists")
		}
	}
	if now, err := alice.Get(t.Context(), held); err != nil || now.DeletionTimestamp != nil {
		t.Errorf("a namespace with a renewed lease was deleted: %v", err)
	}
}

// A lease must not prolong a namespace beyond the rest of its lifetime.
func TestLeaseEndsWithLifetime(t *testing.T) {
	t.Parallel()
	alice := user(t, "alice")
	name := leased(t, alice, 60, time.Hour)
	patch := func(spec string) error {
		_, err := alice.Patch(t.Context(), name, types.MergePatchType, []byte(`{"spec":`+spec+`}`), metav1.PatchOptions{})
		return err
	}
	if err := patch(`{"leaseDurationSeconds":360000}`); err != nil { // a lease of 100 hours
		t.Fatal(err)
	}
	tn, err := alice.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if got := tn.Status.ExpirationTimestamp.Sub(tn.CreationTimestamp.Time); got != time.Hour {
		t.Errorf("with a TTL of an hour and a lease of 100 hours it expires after %s", got)
	}
	for spec, want := range map[string]metav1.StatusReason{
		`{"renewTime":"2080-01-01T00:00:00Z"}`: metav1.StatusReasonInvalid, // ahead of the clock
		`{"renewTime":"2020-01-01T00:00:00Z"}`: metav1.StatusReasonInvalid, // before its creation
		`{"leaseDurationSeconds":10}`:          metav1.StatusReasonInvalid, // the expiry would be earlier
		`{"leaseDurationSeconds":null}`:        "",                         // an omitted field stays
	} {
		if err := patch(spec); reason(err) != want {
			t.Errorf("%s: got %v, want %q", spec, err, want)
		}
	}
}

// Extending a namespace that a command holds must not end the lease: renewals must
// still count, and after a kill the lease must remain, rather than the extension.
func TestExtendDuringLease(t *testing.T) {
	t.Parallel()
	alice := user(t, "alice")
	name := leased(t, alice, 60, 10*time.Minute)
	extend := func(d time.Duration) *v1alpha1.TemporaryNamespace {
		t.Helper()
		_, after, err := alice.Extend(t.Context(), name, func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
			return now.Add(d)
		}, "", metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return after
	}
	held := func(tn *v1alpha1.TemporaryNamespace) {
		t.Helper()
		if left := tn.Status.ExpirationTimestamp.Sub(alice.Now()); left > 62*time.Second || !v1alpha1.Leased(tn) {
			t.Errorf("after the lease ended, it has %s left: %+v", left, tn.Spec)
		}
	}
	tn := extend(5 * time.Minute) // its lifetime is that long anyway
	held(tn)
	if tn.Spec.ExtendUntil != nil || tn.Status.Extensions != 0 {
		t.Errorf("an extension without effect was counted: %+v", tn)
	}
	tn = extend(time.Hour)
	held(tn)
	if end := v1alpha1.DeadlineOf(tn).Sub(alice.Now()); end < 59*time.Minute || tn.Status.Extensions != 1 {
		t.Errorf("the lease may last %s, extended %d times", end, tn.Status.Extensions)
	}
	tn, err := alice.Renew(t.Context(), tn, alice.Now())
	if err != nil {
		t.Fatalf("the holder cannot renew the lease: %v", err)
	}
	held(tn)
	// After its lease ends, it remains, and can be extended like any other.
	if tn, err = alice.ReleaseLease(t.Context(), tn, alice.Now().Add(30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if left := tn.Status.ExpirationTimestamp.Sub(alice.Now()); left < 29*time.Minute || left > 31*time.Minute ||
		v1alpha1.Leased(tn) {
		t.Errorf("kept for half an hour, it has %s left", left)
	}
	if left := extend(2 * time.Hour).Status.ExpirationTimestamp.Sub(alice.Now()); left < 119*time.Minute {
		t.Errorf("kept, and extended by two hours, it has %s left", left)
	}
}

// Users of a namespace that is about to end must see a warning in any client.
func TestExpiryWarning(t *testing.T) {
	t.Parallel()
	config, err := shared.ConfigFor("ursula", "devs")
	if err != nil {
		t.Fatal(err)
	}
	received := &warnings{}
	config.WarningHandler = received
	ursula, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	tn := borrow(t, ursula, unique("soon"), 2*time.Minute)
	if len(received.texts) > 0 {
		t.Errorf("the response to create has warnings: %q", received.texts)
	}
	time.Sleep(time.Until(tn.Status.ExpirationTimestamp.Add(-25 * time.Second))) // in the last quarter
	if _, err := ursula.Get(t.Context(), tn.Name); err != nil {
		t.Fatal(err)
	}
	if len(received.texts) != 1 || !strings.Contains(received.texts[0], "at most: kubectl tenama extend "+tn.Name) {
		t.Errorf("got the warnings %q", received.texts)
	}
	received.texts = nil
	if _, err := ursula.List(t.Context(), metav1.ListOptions{}); err != nil || len(received.texts) != 1 {
		t.Errorf("a list: got the warnings %q (%v)", received.texts, err)
	}
	// No warnings for controllers and administrators, who are not going to act on them.
	others := &warnings{}
	c := rest.CopyConfig(shared.Config("admin"))
	c.WarningHandler = others
	viewer, err := client.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := viewer.Get(t.Context(), tn.Name); err != nil || len(others.texts) > 0 {
		t.Errorf("an administrator: got the warnings %q (%v)", others.texts, err)
	}
}

type warnings struct{ texts []string }

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { w.texts = append(w.texts, text) }
