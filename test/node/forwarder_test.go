// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// Without this test, the forwarder could be right as a process, and not as the Pod of the
// component: with the Secret that the kubelet mounts, its user, its account and its network
// policy.
func TestForwarder(t *testing.T) {
	t.Parallel()
	n, admin := install(t)
	admin.Kubectl("create", "namespace", "hooks")
	admin.Apply(strings.NewReplacer("8080", "8443", "port: 80,", "port: 8443,").Replace(Server("hook")), "-n", "hooks")
	admin.Rollout("hooks", "hook")
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("endpoints:\n- {name: hook, url: \"http://hook.hooks.svc:8443/\", "+
		"keys: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw], allowPrivateAddresses: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	admin.Kubectl("create", "secret", "generic", "tenama-forwarder", "-n", "tenama-system", "--from-file="+config)
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "deploy", "components", "forwarder", "forwarder.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	admin.Apply(strings.ReplaceAll(string(b), "image: tenama-broker", "image: "+brokerImage))
	admin.Rollout("tenama-system", "tenama-forwarder")
	logged := func(want string) error {
		out := admin.Kubectl("logs", "-n", "tenama-system", "deployment/tenama-forwarder")
		if !strings.Contains(out, want) {
			return fmt.Errorf("the log of the forwarder has no %s:\n%s", want, out)
		}
		return nil
	}
	begun := func() error { // it knows what exists
		out := admin.Kubectl("get", "configmap", "tenama-forwarder", "-n", "tenama-system", "-o", "jsonpath={.binaryData}")
		if !strings.Contains(out, "hook") {
			return fmt.Errorf("the endpoint has no position: %s; %v", out, logged("-"))
		}
		return nil
	}
	if err := testenv.Eventually(2*time.Minute, begun); err != nil {
		t.Fatal(err)
	}
	alice := n.User(t, "alice")
	alice.Kubectl("tenama", "create", "told", "--ttl", "1h")
	for _, kind := range []string{"created", "deleted"} {
		if err := testenv.Eventually(2*time.Minute, func() error {
			return logged(`"msg":"Delivered","endpoint":"hook","namespace":"tmp-told","type":"` + kind + `"`)
		}); err != nil {
			t.Fatal(err)
		}
		if kind == "created" {
			alice.Kubectl("tenama", "delete", "told", "--wait=false")
		}
	}
	admin.Kubectl("delete", "namespace", "hooks", "--wait=false")
}
