// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// A user who creates a namespace for a group without being a member must be able to
// repeat the request. The broker must wait only for the group's access, and must charge
// the namespace to the group.
func TestOwnerGroupOfOthers(t *testing.T) {
	ctx := t.Context()
	apply(t, shared.Cluster, budget("crew", "{groups: [{name: crew, hard: {requests.cpu: 8}}]}"))
	defer func() { _, _ = shared.Kubectl("admin", "delete", "namespacebudget", "crew") }()
	out, err := shared.Kubectl("admin", "create", "clusterrolebinding", "crew", "--clusterrole=tenama:user",
		"--group=crew")
	if err != nil {
		t.Fatal(out)
	}
	out, err = shared.Kubectl("admin", "create", "clusterrolebinding", "adder", "--clusterrole=tenama:admin",
		"--user=adder")
	if err != nil {
		t.Fatal(out)
	}
	defer func() { _, _ = shared.Kubectl("admin", "delete", "clusterrolebinding", "crew", "adder") }()
	who := func(name string, groups ...string) *client.Client {
		config, err := shared.ConfigFor(name, groups...)
		if err != nil {
			t.Fatal(err)
		}
		return as(t, config)
	}
	adder, member := who("adder", "platform"), who("cy", "crew")
	if out, err := shared.Kubectl("admin", "wait", "--for=jsonpath={.status.observedGeneration}=1", "--timeout=90s",
		"namespacebudget/crew"); err != nil {
		t.Fatal(out)
	}
	want := func(id string) *v1alpha1.TemporaryNamespace {
		tn := tns("", time.Hour)
		tn.GenerateName, tn.Spec.OwnerGroup = "tmp-crew-", "crew"
		tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: id}
		return tn
	}
	first, err := adder.Create(ctx, want("one"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// It waits for the access of the group, and not for the caller's, who never gets
	// access.
	late := `access of the owner was not observed in time","namespace":"` + first.Name
	if log, err := shared.broker.Output(); err != nil || strings.Contains(log, late) {
		t.Errorf("the request waited for an access that is never granted (%v)", err)
	}
	if again, err := adder.Create(ctx, want("one"), metav1.CreateOptions{}); err != nil || again.UID != first.UID {
		t.Errorf("the repeated request returned %v, %v", again, err)
	}
	ns := namespace(t, admin(), first.Name)
	if got := ns.Annotations[v1alpha1.AnnotationGroups]; got != `["crew"]` {
		t.Errorf("counted for the groups %q", got)
	}
	if _, err := member.Get(ctx, first.Name); err != nil {
		t.Errorf("a member: %v", err)
	}
	if out, err := kubectlAs(t, shared.Cluster, "cy", "crew", "-n", first.Name, "create", "configmap",
		"mine"); err != nil {
		t.Errorf("a member's access to the namespace: %s", out)
	}
	if _, err := adder.Create(ctx, want("two"), metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := adder.Create(ctx, want("three"), metav1.CreateOptions{}); err == nil ||
		!strings.Contains(err.Error(), `budget "crew" for group "crew" is full: 8 of 8`) {
		t.Errorf("got %v", err)
	}
	if err := member.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
}
