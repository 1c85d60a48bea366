// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/test/testenv"
)

// In every state of the brokers the rest of the cluster must keep working: other
// namespaces must be deletable, new quotas must come into force, and discovery must
// work. When all brokers hang or are killed, the guard must ensure this.
func TestClusterStaysHealthy(t *testing.T) {
	t.Parallel() // with its own control plane, and much waiting
	ctx := t.Context()
	c, port := own(t)
	kube := c.Client("admin")
	guard(t, c)
	b := start(t, c, port, "broker-0")
	deletion(t, kube, "normal")

	well := func(state string) {
		t.Helper()
		begun := time.Now()
		deletion(t, kube, strings.ReplaceAll(state, " ", "-"))
		if err := quotaWorks(ctx, kube, strings.ReplaceAll(state, " ", "-")); err != nil {
			t.Errorf("%s: %v", state, err)
		}
		out, err := c.Kubectl("alice", "get", "configmaps", "-n", "default") // discovery of all other APIs
		if err != nil && !strings.Contains(out, "forbidden") {
			t.Errorf("%s: %s", state, out)
		}
		t.Logf("%s: %.1f s in all", state, time.Since(begun).Seconds())
	}
	well("up")

	// Slow: the broker runs for a tenth of the time.
	stop := make(chan struct{})
	end := sync.OnceFunc(func() { close(stop) })
	defer end()
	slow := make(chan struct{})
	go func() {
		defer close(slow)
		for {
			_ = syscall.Kill(b.PID(), syscall.SIGSTOP)
			time.Sleep(450 * time.Millisecond)
			_ = syscall.Kill(b.PID(), syscall.SIGCONT)
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	well("slow")
	end()
	<-slow

	// Restarting: kill -9, and a new broker at once.
	b.Kill()
	b = start(t, c, port, "broker-0")
	well("restarted")

	// Hanging: the broker accepts connections and does not answer. The guard acts.
	if err := syscall.Kill(b.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	gone := func() error {
		if registered(c) {
			return fmt.Errorf("the APIService still exists after %s", time.Since(begun))
		}
		return nil
	}
	if err := testenv.Eventually(3*time.Minute, gone); err != nil {
		t.Error(err)
	}
	if d := time.Since(begun); d < 14*time.Second {
		t.Errorf("the guard deleted the APIService after %s", d)
	}
	well("hanging")
	if err := syscall.Kill(b.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitServed(ctx, b); err != nil {
		t.Errorf("a broker that resumes does not restore the APIService: %v", err)
	}

	// All brokers are killed.
	b.Kill()
	begun = time.Now()
	during := make(chan error, 1)
	go func() {
		time.Sleep(8 * time.Second)
		took, blocked, err := endOf(ctx, kube, "during")
		t.Logf("a deletion during the outage took %.1f s; blocked: %t", took.Seconds(), blocked)
		during <- err
	}()
	if err := testenv.Eventually(3*time.Minute, gone); err != nil {
		t.Error(err)
	}
	if err := <-during; err != nil {
		t.Error(err)
	}
	well("killed")
	b = start(t, c, port, "broker-0")

	if err := b.Stop(); err != nil {
		t.Error(err)
	}
	well("drained")
}

// quotaWorks returns an error unless a new quota outside of tenama comes into force.
func quotaWorks(ctx context.Context, kube kubernetes.Interface, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "quota-" + name}}
	if _, err := kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return err
	}
	q := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "q"}, Spec: corev1.ResourceQuotaSpec{
			Hard: corev1.ResourceList{"count/secrets": resource.MustParse("1")},
		},
	}
	if _, err := kube.CoreV1().ResourceQuotas(ns.Name).Create(ctx, q, metav1.CreateOptions{}); err != nil {
		return err
	}
	counts := func(want int64) error {
		return testenv.Eventually(60*time.Second, func() error {
			now, err := kube.CoreV1().ResourceQuotas(ns.Name).Get(ctx, "q", metav1.GetOptions{})
			if used, ok := now.Status.Used["count/secrets"]; err != nil || !ok || used.Value() != want {
				return errors.Join(err, fmt.Errorf("a quota counts %s secrets, not %d", used.String(), want))
			}
			return nil
		})
	}
	secrets := kube.CoreV1().Secrets(ns.Name)
	steps := []func() error{
		func() error { return counts(0) },
		func() error {
			_, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
			return err
		},
		func() error { return counts(1) },
		func() error { return secrets.Delete(ctx, "a", metav1.DeleteOptions{}) },
		func() error { return counts(0) }, // by the controller, which watches the resources that discovery lists
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// guard runs the guard with its own identity until the test ends.
func guard(t *testing.T, c *testenv.Cluster) {
	t.Helper()
	kubeconfig, err := c.ServiceAccountKubeconfig(t.Context(), "tenama-system", "tenama-guard")
	if err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	cmd := exec.Command(filepath.Join(testenv.Bin("tenama-broker")), "--guard", "--kubeconfig="+kubeconfig)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the guard did not stop cleanly: %v", err)
		}
		if t.Failed() {
			t.Logf("the guard's log: %s", log.String())
		}
	})
}

// The guard must have exactly one right.
func TestRightsOfTheGuard(t *testing.T) {
	role, err := admin().RbacV1().ClusterRoles().Get(t.Context(), "tenama:guard", metav1.GetOptions{})
	if err != nil || len(role.Rules) != 1 || len(role.Rules[0].ResourceNames) != 1 {
		t.Errorf("got %v, %v", role, err)
	}
	for args, want := range map[string]string{
		"delete apiservices/v1alpha1.tenama.dev": "yes", "delete apiservices/v1.apps": "no", "create apiservices": "no",
		"update apiservices/v1alpha1.tenama.dev": "no",
		"get namespaces":                         "no", "get secrets": "no", "create temporarynamespaces": "no",
	} {
		out, _ := shared.Kubectl("admin",
			append([]string{"auth", "can-i", "--as=system:serviceaccount:tenama-system:tenama-guard"},
				strings.Fields(args)...)...)
		if got := strings.TrimSpace(out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}
