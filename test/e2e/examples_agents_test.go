// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// agent is a script that tries what docs/agents.md says an agent cannot do. It prints a line for
// each attempt that succeeds, and for each refusal that has another reason than the expected one.
const agent = `
try() { # WHAT PATTERN COMMAND...: the command must fail with an output that matches
  what=$1 pattern=$2; shift 2
  if out=$("$@" 2>&1); then echo "SUCCEEDED $what: $out"
  elif ! printf %s "$out" | grep -q "$pattern"; then echo "OTHERWISE $what: $out"
  else echo "refused $what"; fi
}
apply() { printf '%s' "$1" | kubectl apply -f -; }
pod() { apply "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: $1}"; }
fine='securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]},
  seccompProfile: {type: RuntimeDefault}}'
network='{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open},
  spec: {podSelector: {}, egress: [{}]}}'
port='{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: NodePort, ports: [{port: 80}]}}'
much='resources: {requests: {cpu: 3}, limits: {cpu: 3}}'
try secrets-elsewhere forbidden kubectl get secrets -n kube-system
try namespaces forbidden kubectl get namespaces
try nodes forbidden kubectl get nodes
try a-namespace forbidden kubectl create namespace tmp-more
try borrow '[Ff]orbidden' kubectl tenama create --ttl 1h
try extend Forbidden kubectl tenama extend --ttl 3h
try the-object Forbidden kubectl patch tns "$TENAMA_NAMESPACE" --type=merge -p '{"spec":{"ttlSeconds":14400}}'
try the-namespace forbidden kubectl annotate namespace "$TENAMA_NAMESPACE" tenama.dev/ttl-seconds=99999999 --overwrite
try a-friend forbidden kubectl create rolebinding friend --clusterrole=view --user=mallory
try the-quota forbidden kubectl patch resourcequota agent --type=merge -p '{"spec":{"hard":{"pods":"900"}}}'
try the-network forbidden kubectl delete networkpolicy agent
try another-network forbidden apply "$network"
try privileged 'violates\|disallowed' pod '{containers: [{name: c, image: c, securityContext: {privileged: true}}]}'
try the-disk violates pod "{containers: [{name: c, image: c, $fine}], volumes: [{name: h, hostPath: {path: /}}]}"
try the-node violates pod "{hostNetwork: true, containers: [{name: c, image: c, $fine}]}"
try much 'exceeded quota' pod "{containers: [{name: c, image: c, $fine, $much}]}"
try a-port 'exceeded quota' apply "$port"
try the-broker forbidden kubectl get secrets -n tenama-system
try tokens-elsewhere forbidden kubectl create token default -n kube-system
pod "{containers: [{name: c, image: c, $fine}]}" >/dev/null && echo "may work"
[ "$(cat "$TENAMA_EXPIRES_FILE")" = "$TENAMA_EXPIRES_AT" ] && echo "knows its end"
cat "${KUBECONFIG%/*}/token" > "$HOME/stolen"
`

// An agent gets a namespace with work to do in it, and no further: not by its credential, not
// by pods, and not after its end.
func TestExampleAgents(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	start(t, c, port, "broker-0")
	for _, args := range [][]string{
		{"apply", "-k", filepath.Join(testenv.Root(), "examples", "agents")},
		{"wait", "--for=condition=Ready", "--timeout=2m", "namespaceclass/agent"},
	} {
		if out, err := c.Kubectl("admin", args...); err != nil {
			t.Fatal(out)
		}
	}
	sh := newShell(t, c, "alice")
	script := filepath.Join(filepath.Dir(sh.kubeconfig), "agent.sh")
	if err := os.WriteFile(script, []byte(agent), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := sh.run("run", "--class", "agent", "--ttl", "1h", "--", "sh", script)
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	refused := strings.Count(out, "refused ")
	for _, bad := range []string{"SUCCEEDED", "OTHERWISE"} {
		if strings.Contains(out, bad) {
			t.Errorf("the agent:\n%s", out)
		}
	}
	if !strings.Contains(out, "may work") || !strings.Contains(out, "knows its end") || refused != 19 {
		t.Errorf("%d refusals, want 19:\n%s", refused, out)
	}
	token, err := os.ReadFile(filepath.Join(filepath.Dir(sh.kubeconfig), "stolen"))
	if err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(2*time.Minute, func() error { // until the account is gone
		out, err := c.Kubectl("admin", "get", "serviceaccounts", "-A", "-o", "name", "--kubeconfig=/dev/null",
			"--server="+c.Server, "--insecure-skip-tls-verify", "--token="+string(token))
		if err == nil || !strings.Contains(out, "Unauthorized") && !strings.Contains(out, "must be logged in") {
			return errOf(out)
		}
		return nil
	}); err != nil {
		t.Errorf("a token that the agent kept: %v", err)
	}
}
