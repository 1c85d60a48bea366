// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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

// skewVariable is by how many seconds the clock of a broker built by buildSkewed is off.
const skewVariable = "TENAMA_TEST_SKEW"

// buildSkewed builds a broker with a clock that is off by skewVariable, and returns its path:
// Go's package time is replaced by one that adds it to the time of day.
func buildSkewed(t *testing.T) string {
	t.Helper()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir, std := t.TempDir(), filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	source, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const now = "	sec, nsec, mono := runtimeNow()\n"
	if !strings.Contains(string(source), now) {
		t.Fatal("time.Now of this version of Go is not known")
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for name, text := range map[string]string{
		"time.go": strings.Replace(string(source), now, now+"	sec += skew\n", 1),
		"skew.go": fmt.Sprintf("package time\n\nimport \"syscall\"\n\nvar skew = func() int64 {\n"+
			"	s, _ := syscall.Getenv(%q)\n	d, _ := ParseDuration(s)\n	return int64(d / Second)\n}()\n", skewVariable),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay["Replace"][filepath.Join(std, name)] = path
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "broker")
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "./cmd/broker")
	build.Dir = testenv.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// The clock of a node may be minutes off. Users must not notice which replica answers, and
// no namespace may be deleted before its expiry, or kept much longer.
func TestSkewedReplica(t *testing.T) {
	t.Parallel()
	skewed := buildSkewed(t)
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
			t.Cleanup(func() { _ = os.Unsetenv(skewVariable) })
			if err := os.Setenv(skewVariable, skew); err != nil { // no other broker heeds it
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
