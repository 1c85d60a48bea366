// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// auditEvent is what this test reads of an event in the audit log of kube-apiserver
// (audit.k8s.io/v1).
type auditEvent struct {
	AuditID   string `json:"auditID"`
	Verb      string `json:"verb"`
	UserAgent string `json:"userAgent"`
	User      struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
}

// An auditor asks who made a namespace, by which command, and what the broker did for it. One
// Audit-ID must find both, in the log of kube-apiserver.
func TestAudit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy, log := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n"+
		"rules: [{level: Metadata}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, port := ownIn(t, filepath.Join(dir, "c"), "--audit-policy-file="+policy, "--audit-log-path="+log,
		"--audit-log-mode=blocking")
	start(t, c, port, "broker-0")
	sh := newShell(t, c, "alice")
	for _, args := range [][]string{{"create", "audited", "--ttl", "1h"}, {"extend", "audited", "--ttl", "2h"}} {
		if out, errs, code := sh.run(args...); code != 0 {
			t.Fatalf("%v: %s%s", args, out, errs)
		}
	}
	broker := "system:serviceaccount:" + c.Home + ":" + c.Account
	for _, row := range []struct {
		verb, agent string
		made        []string // by the broker
	}{
		{"create", "create", []string{"create namespaces", "create resourcequotas", "create limitranges",
			"create networkpolicies", "create rolebindings", "update namespaces"}},
		{"patch", "extend", []string{"update namespaces"}},
	} {
		t.Run(row.verb, func(t *testing.T) {
			if err := testenv.Eventually(time.Minute, func() error {
				events, err := auditEvents(log)
				if err != nil {
					return err
				}
				i := slices.IndexFunc(events, func(e auditEvent) bool {
					return e.User.Username == "alice" && e.Verb == row.verb && e.ObjectRef.Resource == "temporarynamespaces"
				})
				if i < 0 {
					return fmt.Errorf("the request of alice is not in the log")
				}
				if agent := events[i].UserAgent; !strings.HasPrefix(agent, "kubectl-tenama/") ||
					!strings.HasSuffix(agent, " "+row.agent) {
					return fmt.Errorf("the User-Agent is %q; want that of kubectl-tenama, and the command", agent)
				}
				for _, want := range row.made {
					if !slices.ContainsFunc(events, func(e auditEvent) bool {
						return e.AuditID == events[i].AuditID && e.User.Username == broker &&
							e.Verb+" "+e.ObjectRef.Resource == want && e.ObjectRef.Subresource == ""
					}) {
						return fmt.Errorf("no event of the broker with this Audit-ID says %q", want)
					}
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	lines := found(t, log, "tmp-audited")
	for _, want := range []string{`"username":"alice"`, ` create"`, `"resource":"rolebindings"`} {
		if !strings.Contains(lines, want) {
			t.Errorf("the lines of docs/operations.md do not find %s:\n%s", want, lines)
		}
	}
	if strings.Contains(lines, ` extend"`) {
		t.Errorf("they also find another request:\n%s", lines)
	}
}

// found runs the lines of docs/operations.md that look for a namespace in the log.
func found(t *testing.T, log, namespace string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Who did what\n")
	_, lines, _ := strings.Cut(section, "```sh\n")
	lines, _, ok := strings.Cut(lines, "```\n")
	if !ok {
		t.Fatal("docs/operations.md has no lines that search the log")
	}
	cmd := exec.Command("sh", "-eu", "-c", strings.ReplaceAll(lines, "tmp-mr-42", namespace))
	cmd.Dir = filepath.Dir(log)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func auditEvents(file string) (events []auditEvent, _ error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(b) {
		var e auditEvent
		if json.Unmarshal(line, &e) == nil { // the last line may be incomplete
			events = append(events, e)
		}
	}
	return events, nil
}
