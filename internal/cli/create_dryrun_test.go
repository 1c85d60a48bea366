// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// TestPrintDryRun verifies what a dry run shows: users choose class and parameters by it.
// If the class cannot be read, the rest is shown.
func TestPrintDryRun(t *testing.T) {
	ttl := int64(3600)
	tn := temporary("tmp-a",
		v1alpha1.TemporaryNamespaceSpec{
			ClassName: "large", TTLSeconds: &ttl, Parameters: map[string]string{"region": "eu", "cpu": "4"},
		},
		v1alpha1.TemporaryNamespaceStatus{Owner: "ann", OwnerGroup: "devs", Reserved: map[string]resource.Quantity{
			"requests.cpu": resource.MustParse("4"), "pods": resource.MustParse("10"),
			"services": resource.MustParse("3"), "count/temporarynamespaces": resource.MustParse("1"),
		}})
	class := &policyv1alpha1.NamespaceClass{Spec: policyv1alpha1.NamespaceClassSpec{
		OwnerRole: "edit", PodSecurity: "baseline",
		Objects: []runtime.RawExtension{{Raw: []byte(`{"kind":"ResourceQuota","metadata":{"name":"q"}}`)}},
	}}
	for name, c := range map[string]struct {
		answer any
		want   string
	}{
		"a class": {class, `Class:         large
Parameters:    cpu=4 region=eu
Owner:         group devs (created by ann)
Lifetime:      1h
Reserves:      requests.cpu 4, pods 10, 1 more
Role:          edit
Pod security:  baseline
Objects:       ResourceQuota/q
`},
		"a class that cannot be read": {notFound("large"), `Class:       large
Parameters:  cpu=4 region=eu
Owner:       group devs (created by ann)
Lifetime:    1h
Reserves:    requests.cpu 4, pods 10, 1 more
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			f := newFactory(genericiooptions.IOStreams{Out: &out, ErrOut: &errOut})
			o := &createOptions{createRequest: &createRequest{factory: f}}
			cluster := fakeClient(t, func(*http.Request) any { return c.answer })
			if err := o.printDryRun(t.Context(), cluster, tn); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if want := "The namespace fits into the budgets now. Nothing was reserved.\n"; errOut.String() != want {
				t.Errorf("got %q, want %q", errOut.String(), want)
			}
		})
	}
}
