// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// A budget must restrict the users it is for. A refusal must name the limit that is
// reached, the caller's own share of it, and the time when there will be room; users
// who may not see the namespaces of others must not learn their names from it.
func TestBudgetRefusals(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	start(t, c, port, "broker-0")
	apply(t, c, metered+"---\n"+budget("each", "{classNames: [metered], perUser: {count/temporarynamespaces: 2}}")+"---\n"+
		budget("ops", "{groups: [{name: ops, hard: {requests.cpu: 4}}]}")+"---\n"+
		budget("all", "{classNames: [metered], total: {requests.cpu: 9}}"))
	alice, bob, carol := as(t, c.Config("alice")), as(t, c.Config("bob")), as(t, c.Config("carol"))
	make := func(who *client.Client, name, cpu string) error {
		_, err := who.Create(ctx, of("metered", map[string]string{"cpu": cpu}, name), metav1.CreateOptions{})
		return err
	}
	// The broker may not have received the class yet.
	if err := testenv.Eventually(60*time.Second, func() error { return make(alice, "tmp-a1", "1") }); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		who       *client.Client
		name, cpu string
		want      string // in the refusal; empty: it is admitted
	}{
		{alice, "tmp-a2", "1", ""},
		{
			alice, "tmp-a3", "1",
			`budget "each" for each user is full: 2 of 2 count/temporarynamespaces taken; yours: tmp-a1 (until 20`,
		},
		{carol, "tmp-c1", "4", ""},
		{
			carol, "tmp-c2", "1",
			`budget "ops" for group "ops" is full: 4 of 4 requests.cpu taken, and class "metered" takes 1; yours: ` +
				`tmp-c1 (until 20`,
		},
		{bob, "tmp-b1", "4", `budget "all" is full: 6 of 9 requests.cpu taken, and class "metered" takes 4; room at 20`},
		{bob, "tmp-b2", "2", ""},
	} {
		err := make(step.who, step.name, step.cpu)
		if (err == nil) != (step.want == "") || err != nil && !strings.Contains(err.Error(), step.want) {
			t.Errorf("step %d: %s: %v, want %q", i, step.name, err, step.want)
		}
		if err != nil {
			for _, prefix := range []string{"tmp-a", "tmp-b", "tmp-c"} {
				if !strings.HasPrefix(step.name, prefix) && strings.Contains(err.Error(), prefix) {
					t.Errorf("the message for %s contains %s: %v", step.name, prefix, err)
				}
			}
		}
	}
	for _, name := range []string{"tmp-a3", "tmp-b1", "tmp-c2"} { // refused before any write
		if _, err := c.Client("admin").CoreV1().Namespaces().
			Get(ctx, name, metav1.GetOptions{}); reason(err) != metav1.StatusReasonNotFound {
			t.Errorf("%s was created: %v", name, err)
		}
	}
	// A dry run is refused in the same way.
	_, err := bob.Create(ctx, of("metered", map[string]string{"cpu": "4"}, "tmp-b3"),
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if name, wait := client.IsOverBudget(err); name != "each" && name != "all" || !wait {
		t.Errorf("a dry run: %v", err)
	}
	// A namespace stays charged to a group even if its owner leaves that group.
	ns := namespace(t, c.Client("admin"), "tmp-c1")
	if d := cmp.Diff(`["ops"]`, ns.Annotations[v1alpha1.AnnotationGroups]); d != "" {
		t.Error(d)
	}
	// After a change of classes and budgets, the namespaces of a deleted class still
	// count.
	if out, err := c.Kubectl("admin", "delete", "namespaceclass", "metered"); err != nil {
		t.Fatal(out)
	}
	apply(t, c, strings.Replace(metered, "name: metered", "name: other", 1)+"---\n"+
		budget("all", "{total: {requests.cpu: 9}}"))
	err = testenv.Eventually(60*time.Second, func() error {
		_, err := bob.Create(ctx, of("other", map[string]string{"cpu": "2"}, "tmp-b4"), metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), `budget "all" is full: 8 of 9`) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// If a limit is lowered below the current use, existing namespaces stay.
	apply(t, c, budget("all", "{total: {requests.cpu: 1}}"))
	err = testenv.Eventually(60*time.Second, func() error {
		if err := other(ctx, bob, "tmp-b5", "1"); err == nil || !strings.Contains(err.Error(), "8 of 1") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if tn, err := alice.Get(ctx, "tmp-a1"); err != nil || tn.Status.Phase != v1alpha1.PhaseReady {
		t.Errorf("tmp-a1: %v, %v", tn, err)
	}
	out, err := c.Kubectl("admin", "get", "namespacebudgets")
	if err != nil || !strings.Contains(out, "NAME   NAMESPACES   FULL   NEAREST") {
		t.Errorf("%v: %s", err, out)
	}
}

func other(ctx context.Context, who *client.Client, name, cpu string) error {
	_, err := who.Create(ctx, of("other", map[string]string{"cpu": cpu}, name), metav1.CreateOptions{})
	return err
}

// A budget that cannot work must be refused if CEL can detect the problem. Problems
// that only the broker can detect must be in the budget's condition, and in one line of
// the refusal of a create that is subject to the budget.
func TestInvalidBudgets(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"nothing":        {"{}", "at least one of total, perUser and groups is required"},
		"an unknown key": {"{total: {cores: 4}}", `Kubernetes has no quota "cores": use requests.cpu`},
		"namespaces": {
			"{total: {namespaces: 4}}", `Kubernetes has no quota "namespaces": use count/temporarynamespaces`,
		},
		"count/namespaces": {"{perUser: {count/namespaces: 4}}", "use count/temporarynamespaces"},
		"negative":         {"{total: {pods: -1}}", "negative"},
		"overflowing":      {"{total: {requests.memory: 9999999999999E}}", "more than 1E"},
		"no quantity":      {"{total: {pods: many}}", "spec.total"},
		"user above total": {"{total: {pods: 1}, perUser: {pods: 2}}", "above that of spec.total"},
		"group above total": {
			"{total: {requests.cpu: 1}, groups: [{name: g, hard: {requests.cpu: 1001m}}]}", "above that of spec.total",
		},
		"a group twice":  {"{groups: [{name: g, hard: {pods: 1}}, {name: g, hard: {pods: 2}}]}", "Duplicate value"},
		"an empty limit": {"{total: {}}", "limits nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := shared.KubectlIn("admin", budget("bad", c.spec), "apply", "-f", "-"); err == nil ||
				!strings.Contains(out, c.want) {
				t.Errorf("got %s, want a rejection with %q", out, c.want)
			}
		})
	}
	apply(t, shared.Cluster, strings.Replace(metered, "name: metered", "name: doubtful", 1))
	defer func() { _, _ = shared.Kubectl("admin", "delete", "namespaceclass,namespacebudget", "doubtful") }()
	for name, c := range map[string]struct{ spec, message string }{
		"more than is allowed": {
			"{classNames: [doubtful], total: {pods: 5}}",
			`a namespace of class "doubtful" takes 10 of pods, but budget "doubtful" allows only 5: none can ever be created`,
		},
		"without a quota": {
			"{classNames: [doubtful], perUser: {requests.memory: 5}}",
			`class "doubtful" has no quota on requests.memory, which budget "doubtful" for each user limits`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			apply(t, shared.Cluster, budget("doubtful", c.spec))
			err := testenv.Eventually(60*time.Second, func() error {
				out, _ := shared.Kubectl("admin", "get", "namespacebudget", "doubtful", "-o",
					`jsonpath={.status.conditions[?(@.type=="Ready")].reason}: {.status.conditions[?(@.type=="Ready")].message}`)
				if !strings.HasPrefix(out, "ClassesDoNotFit: ") || !strings.Contains(out, c.message) {
					return errOf(out)
				}
				return nil
			})
			if err != nil {
				t.Errorf("the condition: %v", err)
			}
			_, err = user(t, "alice").Create(t.Context(), of("doubtful", nil, unique("doubt")), metav1.CreateOptions{})
			if name, wait := client.IsOverBudget(err); name != "doubtful" || wait || !strings.Contains(err.Error(), c.message) {
				t.Errorf("create: %v", err)
			}
		})
		if out, err := shared.Kubectl("admin", "delete", "namespacebudget", "doubtful"); err != nil {
			t.Fatal(out)
		}
	}
}
