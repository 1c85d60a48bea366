// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tenama.dev/tenama/test/testenv"
)

// docs/agents.md says that the Pods of an agent reach one another, names, and what the class
// lists; only packets show that.
func TestAgents(t *testing.T) {
	t.Parallel()
	n, admin := install(t)
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "examples", "agents", "class.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// Not every machine can run Pods with a seccomp profile, which restricted requires.
	class := strings.Replace(string(b), "podSecurity: restricted", "podSecurity: baseline", 1)
	mirror := strings.NewReplacer("192.0.2.10", host(Outside), "port: 443", "port: 80", "{name: agent}", "{name: mirror}").
		Replace(class)
	admin.Apply(class + "---\n" + mirror)
	admin.Kubectl("wait", "--for=condition=Ready", "--timeout=2m", "namespaceclass/agent", "namespaceclass/mirror")
	alice := n.User(t, "alice")
	for _, name := range []string{"agent", "mirror"} {
		alice.Kubectl("tenama", "create", name, "--class", name, "--ttl", "1h")
		alice.Apply(Server("web") + "---" + Server("client")) // create has switched the context
	}
	admin.Kubectl("create", "namespace", "bystander")
	admin.Apply(Server("web")+"---"+Server("client"), "-n", "bystander")
	for _, name := range []string{"web", "client"} {
		alice.Rollout("tmp-agent", name)
		alice.Rollout("tmp-mirror", name)
		admin.Rollout("bystander", name)
	}
	const client = "deployment/client"
	for _, namespace := range []string{"tmp-agent", "tmp-mirror"} {
		alice.Open(namespace, client, "web:80")
		alice.Closed(namespace, client, Metadata)
		alice.Closed(namespace, client, "web.bystander:80")
		alice.Closed(namespace, client, "kubernetes.default.svc:443")
		admin.Closed("bystander", client, "web."+namespace+":80")
	}
	alice.Closed("tmp-agent", client, "outside.test:80")
	alice.Open("tmp-mirror", client, "outside.test:80")
	alice.Kubectl("tenama", "delete", "agent", "mirror", "--yes", "--wait=false")
	admin.Kubectl("delete", "namespace", "bystander", "--wait=false")
}
