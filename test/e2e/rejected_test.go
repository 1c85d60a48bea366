// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// A class whose objects kube-apiserver does not accept must not be Ready, and a creation
// must say which object and field is wrong, not answer with an internal error; nothing may
// remain of it. Without any temporary namespace only a creation shows it; otherwise a dry
// run does, before.
func TestRejectedObjects(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	first := start(t, c, port, "broker-0")
	alice := as(t, c.Config("alice"))
	objects := map[string]struct{ object, field string }{
		"default-over-max": {"{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [{type: Container, " +
			"default: {memory: 2Gi}, max: {memory: 1Gi}}]}}", "spec.limits[0].default[memory]"},
		"limit-type": {"{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [{type: Containers, " +
			"max: {memory: 1Gi}}]}}", "spec.limits[0].type"},
		"cidr": {"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}, " +
			"egress: [{to: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}}", "spec.egress[0].to[0].ipBlock.cidr"},
		"port": {"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}, " +
			"ingress: [{ports: [{port: 99999}]}]}}", "spec.ingress[0].ports[0].port"},
		"protocol": {"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}, " +
			"ingress: [{ports: [{port: 80, protocol: HTTP}]}]}}", "spec.ingress[0].ports[0].protocol"},
		"half-a-pod": {"{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {requests.memory: 4096m, " +
			"pods: 1.5}}}", "spec.hard[pods]"},
	}
	apply := func(name, object string) {
		t.Helper()
		class := fmt.Sprintf("{apiVersion: policy.tenama.dev/v1alpha1, kind: NamespaceClass, metadata: {name: %s}, spec: "+
			"{lifetime: {defaultTTLSeconds: 600, maximumTTLSeconds: 600}, objects: [%s]}}", name, object)
		if out, err := c.KubectlIn("admin", class, "apply", "-f", "-"); err != nil {
			t.Fatal(out)
		}
	}
	condition := func(name, reason, message string) error {
		return testenv.Eventually(time.Minute, func() error {
			out, err := c.Kubectl("admin", "get", "namespaceclass", name, "-o",
				"jsonpath={.metadata.generation} {.status.observedGeneration} {.status.conditions[0].reason}: "+
					"{.status.conditions[0].message}")
			var now, observed int
			_, _ = fmt.Sscan(out, &now, &observed)
			if err != nil || now != observed || !strings.Contains(out, " "+reason+": ") || !strings.Contains(out, message) {
				return errOf(out)
			}
			return nil
		})
	}
	create := func(name, class string, dryRun ...string) error {
		tn := tns(name, 10*time.Minute)
		tn.Spec.ClassName = class
		_, err := alice.Create(ctx, tn, metav1.CreateOptions{DryRun: dryRun})
		return err
	}
	for name, o := range objects {
		apply(name, o.object)
		if err := condition(name, "Usable", ""); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, o := range objects {
		err := create("tmp-"+name, name)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.className") ||
			!strings.Contains(err.Error(), o.field) {
			t.Errorf("%s: got %v, want Invalid with %s", name, err, o.field)
		}
		if err := condition(name, "RejectedObject", o.field); err != nil {
			t.Errorf("%s: the class: %v", name, err)
		}
		if err := create("tmp-"+name+"-dry", name, metav1.DryRunAll); !apierrors.IsInvalid(err) ||
			!strings.Contains(err.Error(), o.field) {
			t.Errorf("%s, dry run: got %v", name, err)
		}
		if err := testenv.Eventually(time.Minute, func() error {
			_, err := c.Client("admin").CoreV1().Namespaces().Get(ctx, "tmp-"+name, metav1.GetOptions{})
			if !apierrors.IsNotFound(err) {
				return fmt.Errorf("it remains: %v", err)
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	// With a namespace, a class is tried before a user does. Quotas that are full there
	// decide nothing.
	if err := create("tmp-sample", "default"); err != nil {
		t.Fatal(err)
	}
	for name, o := range objects {
		apply("late-"+name, o.object)
		if err := condition("late-"+name, "RejectedObject", o.field); err != nil {
			t.Errorf("late-%s: %v", name, err)
		}
	}
	apply("fine", "{apiVersion: v1, kind: ServiceAccount, metadata: {name: ci}}")
	if err := condition("fine", "Usable", ""); err != nil {
		t.Error(err)
	}

	// What is invalid for one owner only does not disable the class for others.
	apply("by-owner", "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: "+
		"{matchLabels: {owner: $(owner)}}}}")
	if err := condition("by-owner", "Usable", ""); err != nil {
		t.Error(err)
	}
	odd, err := c.ConfigFor("mal@lory", "devs")
	if err != nil {
		t.Fatal(err)
	}
	tn := tns("tmp-odd", time.Minute)
	tn.Spec.ClassName = "by-owner"
	if _, err := as(t, odd).Create(ctx, tn, metav1.CreateOptions{}); !apierrors.IsInvalid(err) ||
		!strings.Contains(err.Error(), "or by this owner") {
		t.Errorf("an owner whose name is no label: %v", err)
	}
	if err := create("tmp-even", "by-owner"); err != nil {
		t.Error(err)
	}

	// A replica that has tried nothing knows the rejections from the status.
	if out, err := c.Kubectl("alice", "delete", "tns", "--all"); err != nil {
		t.Fatal(out)
	}
	if err := first.Stop(); err != nil {
		t.Error(err)
	}
	start(t, c, port, "broker-1")
	if err := create("tmp-again", "port"); !apierrors.IsInvalid(err) ||
		!strings.Contains(err.Error(), "spec.ingress[0].ports[0].port") {
		t.Errorf("after a restart: %v", err)
	}
	if ns, err := c.Client("admin").CoreV1().Namespaces().Get(ctx, "tmp-again", metav1.GetOptions{}); err == nil {
		t.Errorf("namespace %s was created to find out", ns.Name)
	}

	// An administrator corrects the class.
	apply("cidr", strings.Replace(objects["cidr"].object, "/33", "/32", 1))
	if err := condition("cidr", "Usable", ""); err != nil {
		t.Error(err)
	}
	if err := create("tmp-corrected", "cidr"); err != nil {
		t.Error(err)
	}
}
