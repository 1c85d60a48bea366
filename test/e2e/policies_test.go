// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"tenama.dev/tenama/internal/attack"
	"tenama.dev/tenama/test/stage"
	"tenama.dev/tenama/test/testenv"
)

// Every attack must be stopped by the intended mechanism, and ordinary use must not be.
func TestAttacks(t *testing.T) {
	t.Parallel() // with its own control plane
	c, port := own(t)
	start(t, c, port, "broker-0", "--inspect-interval=1h")
	stage := newStage(t, c)
	rows, stopped := attack.Rows(), map[string]int{}
	for _, r := range rows {
		want := r.Stop
		if os.Getenv("KUBERNETES") == "oldest" && r.Oldest != "" {
			want = r.Oldest
		}
		if stop, detail := stage.Try(t.Context(), r); stop != want {
			t.Errorf("%s: %s: stopped by %s, want %s: %s", r.Role, r.What, stop, want, detail)
		}
		stopped[want]++
	}
	t.Logf("%d attacks and controls: %v", len(rows), stopped)
	if len(rows) < 400 {
		t.Errorf("only %d rows", len(rows))
	}
}

// Every rule of a policy must be necessary: without it, an attack must succeed.
func TestEveryRuleStopsAnAttack(t *testing.T) {
	c, port := own(t)
	start(t, c, port, "broker-0", "--inspect-interval=1h")
	stage := newStage(t, c)
	rows := attack.Rows()
	k := kubernetesFor(t, c.Config("admin"))
	for _, name := range []string{attack.Containment, attack.Keys, attack.Holds, attack.GuardRails} {
		policy := getPolicy(t, k, name)
		for i, v := range policy.Spec.Validations {
			t.Run(fmt.Sprintf("without validation %d of %s", i, name), func(t *testing.T) {
				less := policy.DeepCopy()
				less.Spec.Validations = append(less.Spec.Validations[:i:i], less.Spec.Validations[i+1:]...)
				putPolicy(t, k, less)
				// The removal has taken effect once an attack succeeds.
				red, what := time.Now().Add(time.Minute), ""
				for what == "" && time.Now().Before(red) {
					what = through(t, stage, rows, name)
				}
				if what == "" {
					t.Errorf("all attacks are still stopped without %q: the rule stops none, or no row tries it", v.Expression)
				}
				t.Logf("succeeds: %s", what)
				putPolicy(t, k, policy)
				err := testenv.Eventually(60*time.Second, func() error {
					if what := through(t, stage, rows, name); what != "" {
						return errOf(what)
					}
					return nil
				})
				if err != nil {
					t.Fatalf("with the rule restored, this attack still succeeds: %v", err)
				}
			})
		}
	}
}

func newStage(t *testing.T, c *testenv.Cluster) *attack.Stage {
	t.Helper()
	stage, err := stage.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return stage
}

// through returns the first attack that a policy should stop and does not.
func through(t *testing.T, stage *attack.Stage, rows []attack.Row, policy string) string {
	t.Helper()
	for _, r := range rows {
		if r.Stop != policy || r.Role == attack.Broker || r.Role == attack.TenantEdit {
			continue // the same rules, tried in other roles
		}
		if stop, _ := stage.Try(t.Context(), r); stop != policy {
			return string(r.Role) + ": " + r.What
		}
	}
	return ""
}

func getPolicy(t *testing.T, k kubernetes.Interface, name string) *admissionv1.ValidatingAdmissionPolicy {
	t.Helper()
	p, err := k.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// putPolicy writes the spec of a policy, regardless of concurrent changes.
func putPolicy(t *testing.T, k kubernetes.Interface, p *admissionv1.ValidatingAdmissionPolicy) {
	t.Helper()
	p = p.DeepCopy()
	// A controller of Kubernetes writes the status of a policy after each change.
	if err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		p.ResourceVersion = getPolicy(t, k, p.Name).ResourceVersion
		_, err := k.AdmissionregistrationV1().ValidatingAdmissionPolicies().Update(t.Context(), p, metav1.UpdateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
