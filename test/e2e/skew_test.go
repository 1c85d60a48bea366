// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// The clock of a node may be minutes off. Users must not notice which replica answers, and
// no namespace may be deleted before its expiry, or kept much longer.
func TestSkewedReplica(t *testing.T) {
	t.Parallel()
	skewed, err := testenv.BuildSkewed(t.TempDir(), "./cmd/broker")
	if err != nil {
		t.Fatal(err)
	}
	c, port := own(t)
	r, err := c.StartReplicas(t.Context(), port, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	right := c.Broker
	cert, key, err := c.Certificate("front-proxy", "front-proxy-client")
	if err != nil {
		t.Fatal(err)
	}
	for _, skew := range []string{"5m", "-5m"} {
		restart := func(i int, program, skew string) {
			t.Helper()
			const proven, serving = `"msg":"Containment is proven`, `"msg":"Serving"`
			before, err := r.Brokers[i].Output()
			if err != nil {
				t.Fatal(err)
			}
			r.Kill(i)
			c.Broker = program
			t.Cleanup(func() { _ = os.Unsetenv(testenv.SkewVariable) })
			if err := os.Setenv(testenv.SkewVariable, skew); err != nil { // no other broker heeds it
				t.Fatal(err)
			}
			if err := r.Start(t.Context(), i); err != nil {
				t.Fatal(err)
			}
			if err := testenv.Eventually(2*time.Minute, func() error {
				return errors.Join(logged(r.Brokers[i], proven, 1+strings.Count(before, proven)),
					logged(r.Brokers[i], serving, 1+strings.Count(before, serving)))
			}); err != nil {
				t.Fatal(err)
			}
		}
		restart(1, skewed, skew)
		var by []*client.Client
		var configs []*rest.Config
		for i := range r.Brokers {
			config := r.Direct(i, cert, key, "alice", "devs", "system:authenticated")
			configs, by = append(configs, config), append(by, as(t, config))
		}
		balanced := as(t, c.Config("alice"))
		for range 20 { // kube-apiserver trusts the certificates of both
			if _, err := balanced.List(t.Context(), metav1.ListOptions{}); err != nil {
				t.Errorf("clock %s: %v", skew, err)
			}
		}
		for i := range by {
			sameTime(t, fmt.Sprintf("made by replica %d, clock %s", i, skew), i, by, configs)
		}
		// Both replicas want to delete it; then the one with the wrong clock alone.
		expires(t, by[0], c.Client("admin"), unique("skewed"))
		r.Kill(0)
		expires(t, by[1], c.Client("admin"), unique("skewed"))
		restart(0, right, "0s")
	}
}

// sameTime creates a namespace by one replica, and compares what all show and accept.
func sameTime(t *testing.T, what string, maker int, by []*client.Client, configs []*rest.Config) {
	t.Helper()
	tn := tns(unique("skewed"), 2*time.Hour)
	lease := int64(600)
	tn.Spec.LeaseDurationSeconds = &lease
	made, err := by[maker].Create(t.Context(), tn, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for i := range by {
		got, err := by[i].Get(t.Context(), made.Name)
		if err != nil || !got.Status.ExpirationTimestamp.Equal(made.Status.ExpirationTimestamp) {
			t.Errorf("%s: replica %d shows %v (%v), not %s", what, i, got, err, made.Status.ExpirationTimestamp)
		}
	}
	for i := range by {
		hc, err := rest.HTTPClientFor(configs[i])
		if err != nil {
			t.Fatal(err)
		}
		resp, err := hc.Get(configs[i].Host + "/apis/tenama.dev/v1alpha1/temporarynamespaces")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		date, err := http.ParseTime(resp.Header.Get("Date"))
		if off := time.Since(date); err != nil || off < -5*time.Second || off > time.Minute {
			t.Errorf("%s: replica %d says that it is %s (%v)", what, i, resp.Header.Get("Date"), err)
		}
		renew := func(at time.Time) error {
			_, err := by[i].Patch(t.Context(), made.Name, types.MergePatchType, fmt.Appendf(nil, `{"spec":{"renewTime":%q}}`,
				at.UTC().Format(time.RFC3339)), metav1.PatchOptions{})
			return err
		}
		if err := renew(time.Now()); err != nil {
			t.Errorf("%s: replica %d does not renew: %v", what, i, err)
		}
		if err := renew(time.Now().Add(3 * time.Minute)); !apierrors.IsInvalid(err) {
			t.Errorf("%s: replica %d renews in the future: %v", what, i, err)
		}
		if _, _, err := by[i].Extend(t.Context(), made.Name, func(tn *v1alpha1.TemporaryNamespace, _ time.Time) time.Time {
			return v1alpha1.DeadlineOf(tn).Add(time.Minute)
		}, "", metav1.PatchOptions{}); err != nil {
			t.Errorf("%s: replica %d does not extend: %v", what, i, err)
		}
	}
}

// expires creates a namespace, and fails unless it is deleted at its expiry.
func expires(t *testing.T, c *client.Client, admin kubernetes.Interface, name string) {
	t.Helper()
	tn, err := c.Create(t.Context(), tns(name, 30*time.Second), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(3*time.Minute, func() error {
		ns, err := admin.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil && ns.DeletionTimestamp == nil {
			return fmt.Errorf("%s is not deleted, and should be at %s", name, tn.Status.ExpirationTimestamp)
		}
		if err == nil && ns.DeletionTimestamp.Before(tn.Status.ExpirationTimestamp) {
			t.Errorf("%s is deleted at %s, before its expiry %s", name, ns.DeletionTimestamp, tn.Status.ExpirationTimestamp)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
