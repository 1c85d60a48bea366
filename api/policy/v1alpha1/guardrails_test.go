// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
)

func spec(objects ...string) *NamespaceClassSpec {
	s := &NamespaceClassSpec{}
	for _, o := range objects {
		s.Objects = append(s.Objects, runtime.RawExtension{Raw: []byte(o)})
	}
	return s
}

// TestGuardRails verifies that the error for an invalid object names the object and the
// mistake.
func TestGuardRails(t *testing.T) {
	const account = `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"ci"}}`
	for name, c := range map[string]struct {
		spec *NamespaceClassSpec
		want string // substring of the error; empty: no error
	}{
		"none":       {spec(), ""},
		"an account": {spec(account), ""},
		"twice":      {spec(account, account), `spec.objects[1]: duplicate ServiceAccount "ci"`},
		"a secret": {spec(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"}}`),
			`kind "Secret" of "v1" is not one of ResourceQuota, LimitRange, ServiceAccount (v1), NetworkPolicy ` +
				`(networking.k8s.io/v1); --object-kinds of the broker adds others (deploy/components/kinds)`},
		"not an object": {spec(`[]`), "spec.objects[0]"},
		"no kind":       {spec(`{}`), "spec.objects[0]"},
		"a bad name":    {spec(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"C I"}}`), "metadata.name"},
		"a namespace": {spec(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"ci","namespace":"x"}}`),
			"metadata.namespace must be empty"},
		"the default one": {spec(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}`),
			"created by Kubernetes"},
		"server's fields": {
			spec(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"ci","resourceVersion":"1"}}`),
			"name, labels and annotations only"},
		"finalizers": {
			spec(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"ci","finalizers":["a/b"]}}`),
			"name, labels and annotations only"},
		"bad labels": {spec(
			`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"ci","labels":{"a b":"c"}}}`), "metadata.labels"},
		"a class": {spec(
			`{"apiVersion":"policy.tenama.dev/v1alpha1","kind":"NamespaceClass","metadata":{"name":"c"}}`), "is not one of"},
		"an unknown field": {spec(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"ci"},"tokens":1}`),
			`unknown field "tokens"`},
		"an unknown quota": {
			spec(`{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"cores":"1"}}}`),
			`no quota "cores"; use "requests.cpu"`},
		"cores, negative": {
			spec(`{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"requests.cpu":"-1"}}}`),
			"-1 is negative"},
		"too many": {
			spec(`{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"requests.cpu":"2E"}}}`),
			"more than 1E"},
		"namespaces": {
			spec(`{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"namespaces":"1"}}}`),
			"bounded by a NamespaceBudget"},
		"object counts": {
			spec(
				`{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"count/jobs.batch":"1",` +
					`"requests.example.test/gpu":"1","gold.storageclass.storage.k8s.io/requests.storage":"1Gi"}}}`), ""},
		"both are named": {spec(`{}`, `{"apiVersion":"v1","kind":"Secret"}`), "spec.objects[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			objs, err := c.spec.GuardRails(Given("tmp-a", "alice", nil), nil)
			switch {
			case c.want == "" && (err != nil || len(objs) != len(c.spec.Objects)):
				t.Errorf("got %d objects, %v", len(objs), err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func specOf(t *testing.T, manifest string) *NamespaceClassSpec {
	t.Helper()
	out := &NamespaceClassSpec{}
	if err := json.Unmarshal([]byte(manifest), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRevision(t *testing.T) {
	a, b := spec(), spec()
	if a.Revision() != b.Revision() || len(a.Revision()) != 10 {
		t.Errorf("the same content has %q and %q", a.Revision(), b.Revision())
	}
	if b.Description = "for people"; a.Revision() != b.Revision() {
		t.Error("another description makes all namespaces look outdated")
	}
	b.Lifetime.DefaultTTLSeconds, b.Parameters = 1, []Parameter{{Name: "cpu", Values: []string{"1"}}}
	if a.Revision() != b.Revision() {
		t.Error("what reaches no namespace that lives makes all look outdated")
	}
	b.OwnerRole = "edit"
	if a.Revision() == b.Revision() {
		t.Error("another content has the same revision")
	}
	// A release that computes another revision would make all namespaces look outdated. So
	// a new field is optional, and omitted if it is not set.
	whole := specOf(t, `{"description":"d","lifetime":{"defaultTTLSeconds":60,"maximumTTLSeconds":60},
		"ownerRole":"admin","podSecurity":"baseline","namespaceLabels":{"a":"b"},"userKeys":["user.tenama.dev/*"],
		"objects":[{"kind":"ResourceQuota","apiVersion":"v1","metadata":{"name":"q"},"spec":{"hard":{"pods":"5"}}}]}`)
	if got := whole.Revision(); got != "303a361a31" {
		t.Errorf("the revision of a class has changed to %s", got)
	}
	reordered := specOf(t, `{"objects":[{"apiVersion":"v1","kind":"ResourceQuota",
		"spec":{"hard":{"pods":"5"}},"metadata":{"name":"q"}}],"userKeys":["user.tenama.dev/*"],"podSecurity":"baseline",
		"namespaceLabels":{"a":"b"},"ownerRole":"admin"}`)
	if reordered.Revision() != whole.Revision() {
		t.Error("the order of fields changes the revision")
	}
}
