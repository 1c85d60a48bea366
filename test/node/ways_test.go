// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// way is one of the ways to install and to remove tenama.
type way struct {
	name            string
	install, remove func(t *testing.T, n *Node, admin *User)
}

// exported returns what `kubectl tenama install --export` prints.
func exported(admin *User, args ...string) string {
	return admin.Kubectl(append([]string{"tenama", "install", "--image=" + brokerImage}, args...)...)
}

// firstUse does what install does after the manifests, for the other ways.
func firstUse(admin *User) {
	admin.Kubectl("wait", "--for=condition=Established", "--timeout=1m", "crd/namespaceclasses.policy.tenama.dev")
	if out, err := admin.tryIn(exported(admin, "--export=classes"), "create", "-f", "-"); err != nil {
		admin.t.Fatal(err, out)
	}
	admin.Kubectl("create", "clusterrolebinding", "tenama-users", "--clusterrole=tenama:user", "--group=devs")
	admin.Rollout(system, broker)
	admin.Rollout(system, "tenama-guard")
	admin.Kubectl("wait", "--for=condition=Available", "--timeout=2m", "apiservice/v1alpha1.tenama.dev")
}

func (u *User) helm(args ...string) string {
	u.t.Helper()
	out, err := u.tryHelm(args...)
	if err != nil {
		u.t.Fatalf("helm %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func (u *User) tryHelm(args ...string) (string, error) {
	cmd := exec.Command(testenv.Bin("tools/helm"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(u.home, "config"), "HOME="+u.home)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var ways = []way{
	{"the plugin", func(t *testing.T, n *Node, admin *User) {
		out := admin.Kubectl("tenama", "install", "--image="+brokerImage, "--yes", "--users-group=devs")
		t.Log(out)
		again := admin.Kubectl("tenama", "install", "--image="+brokerImage, "--yes")
		if !strings.Contains(again, "is up to date") {
			t.Errorf("a repetition changes something: %s", again)
		}
	}, func(t *testing.T, n *Node, admin *User) {
		t.Log(admin.Kubectl("tenama", "uninstall", "--yes", "--delete-lent"))
	}},
	{"the plugin, in the network of the node", func(t *testing.T, n *Node, admin *User) {
		t.Log(admin.Kubectl("tenama", "install", "--image="+brokerImage, "--yes", "--users-group=devs", "--host-network"))
		if host := admin.Kubectl("get", "pods", "-n", system, "-l", "app.kubernetes.io/component=broker", "-o",
			"jsonpath={.items[*].spec.hostNetwork}"); !strings.Contains(host, "true") {
			t.Errorf("hostNetwork: %q", host)
		}
	}, func(t *testing.T, n *Node, admin *User) {
		admin.Kubectl("tenama", "uninstall", "--yes", "--delete-lent")
	}},
	{"Helm", func(t *testing.T, n *Node, admin *User) {
		name, tag, _ := strings.Cut(brokerImage, ":")
		admin.helm("install", "tenama", filepath.Join(testenv.Root(), "deploy", "chart"), "--namespace="+system,
			"--create-namespace", "--wait", "--timeout=5m", "--set=image.repository="+name, "--set=image.tag="+tag)
		firstUse(admin)
		t.Log(admin.helm("test", "tenama", "--namespace="+system))
	}, func(t *testing.T, n *Node, admin *User) {
		if out, err := admin.tryHelm("uninstall", "tenama", "--namespace="+system, "--wait", "--timeout=3m"); err == nil {
			t.Fatalf("helm removed tenama while a namespace was lent: %s", out)
		}
		if log := admin.Kubectl("logs", "-n", system, "job/tenama-stop"); !strings.Contains(log, "namespaces are lent") {
			t.Errorf("the hook does not say why it failed: %s", log)
		}
		admin.Kubectl("get", "temporarynamespaces") // the API is still served
		admin.Kubectl("delete", "temporarynamespaces", "--all", "--timeout=5m")
		t.Log(admin.helm("uninstall", "tenama", "--namespace="+system, "--wait", "--timeout=5m"))
		admin.Kubectl("delete", "crd", "-l", "app.kubernetes.io/name=tenama") // the chart keeps them
		admin.Kubectl("delete", "namespace", system, "--timeout=2m")
		admin.Kubectl("delete", "clusterrolebinding", "tenama-users")
	}},
	{"kubectl", func(t *testing.T, n *Node, admin *User) {
		admin.Apply(exported(admin, "--export"))
		firstUse(admin)
	}, func(t *testing.T, n *Node, admin *User) {
		admin.Kubectl("delete", "temporarynamespaces", "--all", "--timeout=5m")
		// All at once, while the brokers run.
		if out, err := admin.tryIn(exported(admin, "--export"), "delete", "--timeout=5m", "-f", "-"); err != nil {
			t.Error(err, out)
		}
		admin.Kubectl("delete", "clusterrolebinding", "tenama-users")
	}},
}

// Whichever way an administrator takes, tenama works afterwards, nothing is left after its
// removal, and what others do in the cluster goes on meanwhile: an API whose server is gone
// would block the deletion of every namespace.
func TestWays(t *testing.T) {
	n, admin := install(t)
	ways[0].remove(t, n, admin)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			admin := n.User(t, "admin")
			w.install(t, n, admin)
			alice := n.User(t, "alice")
			alice.Kubectl("tenama", "create", "way", "--ttl", "1h")
			alice.Apply(Server("web"))
			alice.Rollout("tmp-way", "web")
			w.remove(t, n, admin)
			nothingLeft(t, admin)
			admin.Kubectl("create", "namespace", "others")
			admin.Kubectl("delete", "namespace", "others", "--timeout=1m")
		})
	}
	installed.done = false
}

// nothingLeft fails if a removal left an object.
func nothingLeft(t *testing.T, admin *User) {
	t.Helper()
	if err := testenv.Eventually(time.Minute, func() error {
		out, err := admin.Try("get", "namespaces,crd,clusterroles,clusterrolebindings,validatingadmissionpolicies,"+
			"validatingadmissionpolicybindings,flowschemas,prioritylevelconfigurations,apiservices", "-o", "name")
		if err != nil {
			return err
		}
		inSystem, err := admin.Try("get", "rolebindings", "-n", "kube-system", "-o", "name")
		if err != nil {
			return err
		}
		for line := range strings.Lines(out + inSystem) {
			if strings.Contains(line, "tenama") || strings.Contains(line, "/tmp-") {
				return fmt.Errorf("left behind: %s", line)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// An image that the nodes cannot get must be said in one line with what would work, and not
// only after the timeout.
func TestImageThatCannotBePulled(t *testing.T) {
	n := Start(t)
	admin := n.User(t, "admin")
	out, err := admin.Try("tenama", "install", "--image=registry.invalid/tenama-broker:v1", "--yes", "--timeout=5m")
	if err == nil || !strings.Contains(out, "Image") || !strings.Contains(out, "--registry for a mirror") {
		t.Errorf("%v: %s", err, out)
	}
	t.Log(out)
	admin.Kubectl("tenama", "uninstall", "--yes")
	nothingLeft(t, admin)
}
