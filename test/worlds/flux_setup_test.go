// SPDX-License-Identifier: Apache-2.0

package worlds

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// flux is a control plane with tenama and Flux's source-controller and kustomize-controller.
type flux struct {
	*testenv.Cluster
	forge *forge
	logs  []string
}

// fluxRights are those that "flux install" gives the controllers.
const fluxRights = `
apiVersion: v1
kind: Namespace
metadata: {name: flux-system}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: source-controller, namespace: flux-system}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: kustomize-controller, namespace: flux-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: crd-controller-flux-system}
rules:
- {apiGroups: [source.toolkit.fluxcd.io, kustomize.toolkit.fluxcd.io], resources: ["*"], verbs: ["*"]}
- {apiGroups: [""], resources: [namespaces, secrets, configmaps, serviceaccounts], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [events], verbs: [create, patch]}
- {apiGroups: [""], resources: [configmaps], verbs: [create, update, patch, delete]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, update, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: crd-controller-flux-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: crd-controller-flux-system}
subjects:
- {kind: ServiceAccount, name: source-controller, namespace: flux-system}
- {kind: ServiceAccount, name: kustomize-controller, namespace: flux-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: cluster-reconciler-flux-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: kustomize-controller, namespace: flux-system}]
`

func startFlux(t *testing.T) *flux {
	t.Helper()
	dir := t.TempDir()
	c, err := testenv.StartCluster(t.Context(), filepath.Join(dir, "c"), "--allow-privileged=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	port, err := c.Install(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var crds strings.Builder
	files, _ := filepath.Glob(filepath.Join(testenv.Bin("tools/flux-crds"), "*.yaml"))
	if len(files) == 0 {
		t.Fatal("there are no definitions of Flux (make worlds builds it)")
	}
	for _, f := range files {
		crds.WriteString("---\n" + read(t, f))
	}
	flags, err := c.InstallWith(filepath.Join(dir, "installation"), crds.String())
	if err != nil {
		t.Fatal(err)
	}
	broker, err := c.StartBroker(t.Context(), port, "broker-0", append(flags, "--inspect-interval=500ms")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Kill)
	f := &flux{Cluster: c, forge: startForge(t)}
	if out, err := c.KubectlIn("admin", fluxRights, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	storage := l.Addr().String()
	l.Close()
	artifacts := t.TempDir()
	f.controller(t, dir, "source-controller", "--storage-path="+artifacts, "--storage-addr="+storage,
		"--storage-adv-addr="+storage)
	// The flags with which Flux is locked down for several tenants.
	f.controller(t, dir, "kustomize-controller", "--no-cross-namespace-refs=true", "--no-remote-bases=true",
		"--default-service-account=default")
	return f
}

// controller starts one of Flux's controllers, with the rights of its ServiceAccount.
func (f *flux) controller(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	kubeconfig, err := f.ServiceAccountKubeconfig(t.Context(), "flux-system", name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name+".log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	f.logs = append(f.logs, path)
	cmd := exec.Command(testenv.Bin("tools/"+name), append(args, "--watch-all-namespaces=true", "--events-addr=",
		"--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0", "--enable-leader-election=false")...)
	cmd.Env = append(gitEnv(), "KUBECONFIG="+kubeconfig, "RUNTIME_NAMESPACE=flux-system", "HOME="+dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (make worlds builds it)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			b := read(t, path)
			t.Logf("%s:\n%s", name, b[max(0, len(b)-6000):])
		}
	})
}

// kubectl runs kubectl as an administrator.
func (f *flux) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := f.Kubectl("admin", args...)
	if err != nil {
		t.Fatalf("kubectl %v: %s", args, out)
	}
	return out
}

// reconcile requests what "flux reconcile kustomization NAME --with-source" does.
func (f *flux) reconcile(t *testing.T, namespace, source, kustomization string) {
	t.Helper()
	at := "reconcile.fluxcd.io/requestedAt=" + fmt.Sprint(time.Now().UnixNano())
	for _, object := range []string{"gitrepository/" + source, "kustomization/" + kustomization} {
		f.kubectl(t, "annotate", "--overwrite", "-n", namespace, object, at)
	}
}

// until waits for up to two minutes until kubectl prints something.
func (f *flux) until(t *testing.T, want string, args ...string) {
	t.Helper()
	if err := testenv.Eventually(2*time.Minute, func() error {
		out, err := f.Kubectl("admin", args...)
		if !strings.Contains(out, want) {
			return fmt.Errorf("%s%v", out, err)
		}
		return nil
	}); err != nil {
		state, _ := f.Kubectl("admin", "get", "gitrepositories,kustomizations,tns", "-A")
		t.Fatalf("kubectl %v does not print %q: %v\n%s", args, want, err, state)
	}
}

// commitOf returns the latest commit of a project.
func (f *flux) commitOf(t *testing.T, project string) string {
	t.Helper()
	out, err := git(filepath.Join(f.forge.dir, filepath.FromSlash(project)+".git"), "rev-parse", "main")
	if err != nil {
		t.Fatalf("%s", out)
	}
	return strings.TrimSpace(string(out))
}
