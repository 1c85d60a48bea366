// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tenama.dev/tenama/test/testenv"
)

// release is what test/node/releases.sh builds.
type release string

const (
	older release = "v0.0.1" // of the commit before
	newer release = "v0.0.2"
)

func (r release) file(name string) string { return testenv.Bin("releases/" + string(r) + "/" + name) }

// plugin runs the plugin of a release, for an installation with the broker of that release.
func (u *User) plugin(r release, args ...string) (string, error) {
	cmd := exec.Command(r.file("kubectl-tenama"), append(args, "--image="+broker+":"+string(r))...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(u.home, "config"), "HOME="+u.home)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (u *User) mustPlugin(r release, args ...string) string {
	u.t.Helper()
	out, err := u.plugin(r, args...)
	if err != nil {
		u.t.Fatalf("the plugin %s: %s: %v: %s", r, args, err, out)
	}
	return out
}

// runs fails unless both replicas of the broker run a release.
func runs(t *testing.T, admin *User, r release) {
	t.Helper()
	admin.Rollout(system, broker)
	image := admin.Kubectl("get", "deployment", broker, "-n", system, "-o", "jsonpath={..image}")
	if image != broker+":"+string(r) {
		t.Errorf("the image of the brokers is %q, want %s", image, r)
	}
}

// Without this test, an update or a rollback could interrupt the pipelines that use tenama,
// or lose what is lent, and an old plugin on some machine could go back by accident.
func TestUpgrade(t *testing.T) {
	n, admin := install(t)
	ways[0].remove(t, n, admin)
	installed.done = false
	for _, r := range []release{older, newer} {
		if err := n.Load(r.file("tenama-broker.tar")); err != nil {
			t.Fatal(err)
		}
	}
	admin.mustPlugin(older, "install", "--yes", "--users-group=devs")
	runs(t, admin, older)
	alice := n.User(t, "alice")
	alice.Kubectl("tenama", "create", "kept", "--ttl", "1h")
	alice.Apply(Server("web"))
	alice.Rollout("tmp-kept", "web")
	kept := admin.Kubectl("get", "namespace", "tmp-kept", "-o", "jsonpath={.metadata.uid}")

	// under does something while users work, and looks at what was lent before.
	under := func(name string, do func(*testing.T, *User)) {
		t.Run(name, func(t *testing.T) {
			load := startTraffic(t, n)
			do(t, n.User(t, "admin"))
			load.stop(t)
			if load.failures > 0 {
				t.Errorf("%d calls failed", load.failures)
			}
			alice := n.User(t, "alice")
			alice.Kubectl("tenama", "extend", "tmp-kept", "--ttl", "1h")
			if out := alice.Kubectl("tenama", "list", "-o", "name"); !strings.Contains(out, "tmp-kept") {
				t.Errorf("what was lent before is not listed: %s", out)
			}
			uid := admin.Kubectl("get", "namespace", "tmp-kept", "-o", "jsonpath={.metadata.uid}")
			pods := admin.Kubectl("get", "pods", "-n", "tmp-kept", "-o", "jsonpath={.items[*].status.phase}")
			if uid != kept || pods != "Running" {
				t.Errorf("what was lent before is another one (%s, was %s), or its pods do not run (%q)", uid, kept, pods)
			}
		})
	}
	under("update", func(t *testing.T, admin *User) {
		t.Log(admin.mustPlugin(newer, "install", "--yes"))
		runs(t, admin, newer)
	})
	if out, err := admin.plugin(older, "install", "--yes"); err == nil || !strings.Contains(out, "v0.0.1 is older") {
		t.Errorf("the older plugin: %v: %s", err, out)
	}
	runs(t, admin, newer)
	under("rollback", func(t *testing.T, admin *User) {
		t.Log(rollback(t, admin, admin.mustPlugin(older, "install", "--export")))
		runs(t, admin, older)
	})
	under("update again", func(t *testing.T, admin *User) {
		admin.mustPlugin(newer, "install", "--yes")
		runs(t, admin, newer)
	})
	ways[0].remove(t, n, admin)
	nothingLeft(t, admin)
}

// rollback runs the commands of docs/upgrade.md with the manifests of a release.
func rollback(t *testing.T, admin *User, manifests string) string {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "upgrade.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "## Roll back")
	_, section, _ = strings.Cut(section, "```sh\n")
	commands, _, ok := strings.Cut(section, "```")
	if !ok {
		t.Fatal("docs/upgrade.md has no commands for a rollback")
	}
	if err := os.WriteFile(filepath.Join(admin.home, "tenama.yaml"), []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-euxc", commands)
	cmd.Dir = admin.home
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(admin.home, "config"), "HOME="+admin.home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
