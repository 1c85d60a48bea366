// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"tenama.dev/tenama/test/testenv"
)

func loadConfig(t *testing.T, path string) *rest.Config {
	t.Helper()
	c, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	c.QPS = -1
	return c
}

func kubernetesFor(t *testing.T, c *rest.Config) *kubernetes.Clientset {
	t.Helper()
	k, err := kubernetes.NewForConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A stolen broker token must not let an attacker change objects that the broker did not
// create.
func TestBrokerTokenIsContained(t *testing.T) {
	ctx := t.Context()
	path, err := shared.ServiceAccountKubeconfig(ctx, "tenama-system", "tenama-broker")
	if err != nil {
		t.Fatal(err)
	}
	k := kubernetesFor(t, loadConfig(t, path))
	tn := borrow(t, user(t, "alice"), unique("held"), time.Hour)
	binding := func(ns, role string, subject rbacv1.Subject) error {
		_, err := k.RbacV1().RoleBindings(ns).Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "x-", Labels: map[string]string{"tenama.dev/managed": "true"}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{subject},
		}, metav1.CreateOptions{})
		return err
	}
	mallory := rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: "mallory"}
	alice := rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: "alice"}
	self := rbacv1.Subject{Kind: "ServiceAccount", Namespace: "tenama-system", Name: "tenama-broker"}
	const policy, rbac = "ValidatingAdmissionPolicy", "cannot"
	for name, c := range map[string]struct {
		try  func() error
		stop string // text in the error; empty: it is allowed
	}{
		"bind another user in kube-system": {
			func() error { return binding("kube-system", "admin", mallory) }, policy,
		},
		"bind itself in kube-system": {
			func() error { return binding("kube-system", "tenama:namespace-manager", self) }, policy,
		},
		"bind another user in default":               {func() error { return binding("default", "view", mallory) }, policy},
		"bind another user in a temporary namespace": {func() error { return binding(tn.Name, "admin", mallory) }, policy},
		"bind a group in a temporary namespace": {func() error {
			return binding(tn.Name, "admin", rbacv1.Subject{
				Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:authenticated",
			})
		}, policy},
		"bind cluster-admin": {
			func() error { return binding(tn.Name, "cluster-admin", alice) },
			"attempting to grant RBAC permissions not currently held",
		},
		"bind the owner (control)": {func() error { return binding(tn.Name, "admin", alice) }, ""},
		"read secrets in kube-system": {
			func() error { _, err := k.CoreV1().Secrets("kube-system").List(ctx, metav1.ListOptions{}); return err }, rbac,
		},
		"read the tenant's secrets": {
			func() error { _, err := k.CoreV1().Secrets(tn.Name).List(ctx, metav1.ListOptions{}); return err }, rbac,
		},
		"delete an ordinary namespace": {func() error {
			return k.CoreV1().Namespaces().Delete(ctx, "tenama-system", metav1.DeleteOptions{DryRun: []string{"All"}})
		}, policy},
		"create a namespace without the prefix": {func() error { return createNamespace(t, k, "evil", nil) }, policy},
		"create an unmanaged namespace":         {func() error { return createNamespace(t, k, "tmp-evil", nil) }, policy},
		"adopt default": {func() error {
			ns := namespace(t, admin(), "default")
			ns.Labels["tenama.dev/managed"] = "true"
			_, err := k.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{DryRun: []string{"All"}})
			return err
		}, policy},
		"change the owner": {func() error {
			ns := namespace(t, admin(), tn.Name)
			ns.Annotations["tenama.dev/owner"] = "mallory"
			_, err := k.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{})
			return err
		}, policy},
		"lower pod security": {func() error {
			ns := namespace(t, admin(), tn.Name)
			ns.Labels["pod-security.kubernetes.io/enforce"] = "privileged"
			_, err := k.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{})
			return err
		}, policy},
		"run a pod": {func() error {
			_, err := k.CoreV1().Pods(tn.Name).
				Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
			return err
		}, rbac},
		"remove its policy": {func() error {
			return k.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().
				Delete(ctx, "tenama-broker", metav1.DeleteOptions{DryRun: []string{"All"}})
		}, rbac},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.try()
			switch {
			case c.stop == "" && err != nil:
				t.Errorf("denied: %v", err)
			case c.stop != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), c.stop)):
				t.Errorf("got %v, want it denied by %q", err, c.stop)
			}
		})
	}
}

func createNamespace(t *testing.T, k kubernetes.Interface, name string, labels map[string]string) error {
	_, err := k.CoreV1().Namespaces().
		Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}},
			metav1.CreateOptions{DryRun: []string{"All"}})
	return err
}

// The API server must accept all manifests in deploy/, and the policies must type-check
// without a warning.
func TestDeployIsValid(t *testing.T) {
	for _, dir := range []string{"base", "overlays/default", "overlays/local", "base/policies", "classes"} {
		out, err := shared.Kubectl("admin", "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k",
			filepath.Join(testenv.Root(), "deploy", filepath.FromSlash(dir)))
		// The Service of the tests has a different address, which cannot be changed.
		if err != nil && !strings.Contains(out, "Service \"tenama-broker\" is invalid") || strings.Contains(out, "Warning") {
			t.Errorf("deploy/%s: %s", dir, out)
		}
		if dir == "base" && !strings.Contains(out, "deployment.apps/tenama-broker serverside-applied") {
			t.Errorf("deploy/base has no Deployment: %s", out)
		}
	}
	err := testenv.Eventually(60*time.Second, func() error {
		out, err := shared.Kubectl("admin", "get", "validatingadmissionpolicies", "-o",
			`jsonpath={range .items[*]}{.metadata.name} `+
				`{.metadata.generation}/{.status.observedGeneration}{.status.typeChecking.expressionWarnings}{"\n"}{end}`)
		if err != nil {
			return errOf(out)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if len(lines) != 6 {
			return errOf("want six policies: " + out)
		}
		for _, l := range lines {
			if !strings.HasSuffix(l, " 1/1") {
				return errOf(l)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A tenant is admin of the namespace, and still must not be able to lift its guard
// rails.
func TestTenantCannotLiftGuardRails(t *testing.T) {
	tn := borrow(t, user(t, "alice"), unique("rails"), time.Hour)
	for _, args := range [][]string{
		{"delete", "resourcequota", "tenama"}, {"delete", "limitrange", "tenama"}, {"delete", "networkpolicy", "tenama"},
		{"delete", "rolebinding", "tenama:broker"},
		{"annotate", "namespace", tn.Name, "--overwrite", "tenama.dev/ttl-seconds=99999999"},
		{"label", "namespace", tn.Name, "--overwrite", "pod-security.kubernetes.io/enforce=privileged"},
		{"delete", "namespace", tn.Name},
	} {
		out, err := shared.Kubectl("alice", append([]string{"-n", tn.Name}, args...)...)
		if err == nil || !strings.Contains(strings.ToLower(out), "forbidden") {
			t.Errorf("kubectl %s: %s", strings.Join(args, " "), out)
		}
	}
	out, err := shared.KubectlIn("alice",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: open}\nspec: {podSelector: {}, ingress: "+
			"[{}], policyTypes: [Ingress]}\n", "-n", tn.Name, "apply", "-f", "-")
	if err == nil {
		t.Errorf("a network policy that allows everything: %s", out)
	}
	// The end of a namespace waits for these: with them a tenant could keep access.
	for what, manifest := range map[string]string{
		"a pod that takes years to end": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " +
			"{terminationGracePeriodSeconds: 3000000000, containers: [{name: c, image: c}]}\n",
		"a pod with a finalizer": "apiVersion: v1\nkind: Pod\nmetadata: {name: p, finalizers: [a.example.test/x]}\nspec: " +
			"{containers: [{name: c, image: c}]}\n",
		"a role with a finalizer": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, finalizers: " +
			"[a.example.test/x]}\n",
	} {
		if out, err := shared.KubectlIn("alice", manifest, "-n", tn.Name, "create", "-f", "-"); err == nil ||
			!strings.Contains(out, "ValidatingAdmissionPolicy") {
			t.Errorf("%s: %s", what, out)
		}
	}
	if out, err := shared.Kubectl("alice", "create", "namespace", "tmp-squat"); err == nil {
		t.Errorf("a namespace with the prefix: %s", out)
	}
}

const (
	unknownKeys = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {cores: 4, ram: 4Gi, " +
		"pods: 5}}}"
	foreignUnits = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {requests.cpu: 2 cores, " +
		"requests.memory: 4GB, pods: 5}}}"
)
