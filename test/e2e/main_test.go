// SPDX-License-Identifier: Apache-2.0

// Package e2e tests tenama on a real control plane: the broker runs as a process with
// the rights of its ServiceAccount, the plugin as a binary under kubectl.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// shared is the control plane of all tests that leave no changes behind.
var shared struct {
	*testenv.Cluster
	port   int
	broker *testenv.Broker
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tenama-e2e-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	begun := time.Now()
	if shared.Cluster, err = testenv.StartCluster(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.Stop()
	fmt.Printf("control plane ready after %.1f s\n", time.Since(begun).Seconds())
	if shared.port, err = shared.Install(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if shared.broker, err = shared.StartBroker(ctx, shared.port, "broker-0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if code != 0 {
		b, _ := os.ReadFile(shared.broker.Log)
		fmt.Printf("the broker's log, its errors:\n%s\n", tail(errorsOf(string(b)), 60))
		fmt.Printf("the broker's log, its end:\n%s\n", tail(string(b), 40))
	}
	if err := shared.broker.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the broker did not stop cleanly:", err)
		return 1
	}
	return code
}

// errorsOf returns the lines of a broker's log that are errors.
func errorsOf(log string) string {
	var out strings.Builder
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"level":"ERROR"`) {
			out.WriteString(line)
		}
	}
	return out.String()
}

func tail(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// own starts a control plane for one test, with tenama installed and no broker running.
func own(t *testing.T) (*testenv.Cluster, int) {
	t.Helper()
	return ownIn(t, filepath.Join(t.TempDir(), "c"))
}

// ownIn is like own, with its data in dir, for tests that restart the control plane.
func ownIn(t *testing.T, dir string, flags ...string) (*testenv.Cluster, int) {
	t.Helper()
	c := again(t, dir, flags...)
	port, err := c.Install(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c, port
}

// again starts a control plane with the data, if any, that another one left in dir.
func again(t *testing.T, dir string, flags ...string) *testenv.Cluster {
	t.Helper()
	c, err := testenv.StartCluster(t.Context(), dir, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

// proxied is like own, and also returns a proxy and a broker kubeconfig that leads
// through it.
func proxied(t *testing.T) (c *testenv.Cluster, port int, proxy *testenv.Proxy, kubeconfig string) {
	t.Helper()
	c, port = own(t)
	proxy, err := c.StartProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	if kubeconfig, err = proxy.Kubeconfig(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c, port, proxy, kubeconfig
}

func start(t *testing.T, c *testenv.Cluster, port int, pod string, flags ...string) *testenv.Broker {
	t.Helper()
	b, err := c.StartBroker(t.Context(), port, pod, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Kill) // unless it has ended before
	return b
}

func as(t *testing.T, config *rest.Config) *client.Client {
	t.Helper()
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func user(t *testing.T, name string) *client.Client {
	t.Helper()
	return as(t, shared.Config(name))
}

func admin() *kubernetes.Clientset { return shared.Client("admin") }

var counter atomic.Int64

// unique returns a name that no other test uses.
func unique(what string) string { return fmt.Sprintf("tmp-%s-%d", what, counter.Add(1)) }

// tns returns a TemporaryNamespace to create.
func tns(name string, ttl time.Duration) *v1alpha1.TemporaryNamespace {
	seconds := int64(ttl / time.Second)
	return &v1alpha1.TemporaryNamespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.TemporaryNamespaceSpec{TTLSeconds: &seconds},
	}
}

// borrow creates a namespace and deletes it when the test ends.
func borrow(t *testing.T, c *client.Client, name string, ttl time.Duration) *v1alpha1.TemporaryNamespace {
	t.Helper()
	tn, err := c.Create(t.Context(), tns(name, ttl), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Delete(context.Background(), name, metav1.DeleteOptions{}) })
	return tn
}

func namespace(t *testing.T, c kubernetes.Interface, name string) *corev1.Namespace {
	t.Helper()
	ns, err := c.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// complete returns an error that names a missing part of a namespace; nil if complete.
func complete(ctx context.Context, c kubernetes.Interface, name, owner string) error {
	quota, err := c.CoreV1().ResourceQuotas(name).Get(ctx, "tenama", metav1.GetOptions{})
	if err != nil {
		return err
	}
	for k := range quota.Spec.Hard { // a key that was dropped stays in the status until the controller computes it again
		if _, ok := quota.Status.Hard[k]; !ok {
			return fmt.Errorf("the quota of %s is not in force for %s", name, k)
		}
	}
	if _, err := c.CoreV1().LimitRanges(name).Get(ctx, "tenama", metav1.GetOptions{}); err != nil {
		return err
	}
	if _, err := c.NetworkingV1().NetworkPolicies(name).Get(ctx, "tenama", metav1.GetOptions{}); err != nil {
		return err
	}
	binding, err := c.RbacV1().RoleBindings(name).Get(ctx, "tenama:owner", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(binding.Subjects) != 1 || binding.Subjects[0].Name != owner || binding.RoleRef.Name != "admin" {
		return fmt.Errorf("the binding of %s is %v to %s", name, binding.RoleRef, binding.Subjects)
	}
	if _, err := c.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{}); err != nil {
		return err
	}
	return nil
}

// reason returns the API reason of an error, or "" for none.
func reason(err error) metav1.StatusReason { return apierrors.ReasonForError(err) }
