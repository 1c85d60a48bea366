// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// TestFind verifies which namespace a typed NAME means: a wrong one would be extended or
// deleted instead.
func TestFind(t *testing.T) {
	type classes map[string]bool // prefix, and whether its class is the default
	for what, c := range map[string]struct {
		classes classes
		exist   []string
		name    string
		want    string // a name, or an error
		tried   []string
	}{
		"short":           {classes{"tmp-": true}, []string{"tmp-a"}, "a", "tmp-a", nil},
		"full":            {classes{"tmp-": true}, []string{"tmp-a"}, "tmp-a", "tmp-a", nil},
		"another prefix":  {classes{"lab-": true}, []string{"lab-a"}, "a", "lab-a", nil},
		"no default":      {classes{"lab-": false}, []string{"lab-a"}, "a", "lab-a", nil},
		"full before any": {classes{"tmp-": true, "cust-": false}, []string{"cust-a", "tmp-cust-a"}, "cust-a", "cust-a", nil},
		"short though it looks full": {classes{"tmp-": true, "cust-": false}, []string{"tmp-cust-a"}, "cust-a", "tmp-cust-a",
			nil},
		"two": {classes{"tmp-": true, "cust-": false}, []string{"tmp-a", "cust-a"}, "a",
			`"a" could be tmp-a or cust-a: give the full name`, nil},
		"one, of another prefix": {classes{"tmp-": true, "cust-": false}, []string{"cust-a"}, "a", "cust-a", nil},
		"strict, not the default": {classes{"lab-": true, "cust-": false}, []string{"cust-a"}, "a", `"lab-a" not found`,
			[]string{"a", "lab-a"}},
		"missing":                   {classes{"tmp-": true}, nil, "a", `"tmp-a" not found`, []string{"a", "tmp-a"}},
		"missing, full":             {classes{"tmp-": true}, nil, "tmp-a", `"tmp-a" not found`, []string{"tmp-a"}},
		"not a name":                {classes{"tmp-": true}, nil, "a/b", `invalid name "a/b"`, nil},
		"empty":                     {classes{"tmp-": true}, []string{"tmp-"}, "", `invalid name ""`, nil},
		"no classes":                {nil, []string{"tmp-a"}, "a", `"a" not found`, []string{"a"}},
		"no classes, the full name": {nil, []string{"tmp-a"}, "tmp-a", "tmp-a", nil},
	} {
		client := fakeClient(t, func(r *http.Request) any {
			name := path.Base(r.URL.Path)
			switch {
			case name == "namespaceclasses" && c.classes == nil:
				return apierrors.NewForbidden(policyv1alpha1.Resource.GroupResource(), "", nil)
			case name == "namespaceclasses":
				list := &policyv1alpha1.NamespaceClassList{}
				for prefix, standard := range c.classes {
					class := policyv1alpha1.NamespaceClass{Status: policyv1alpha1.NamespaceClassStatus{Prefix: prefix}}
					if standard {
						class.Annotations = map[string]string{policyv1alpha1.AnnotationDefaultClass: "true"}
					}
					list.Items = append(list.Items, class)
				}
				return list
			case slices.Contains(c.exist, name):
				return temporary(name, v1alpha1.TemporaryNamespaceSpec{}, v1alpha1.TemporaryNamespaceStatus{})
			}
			return notFound(name)
		})
		tn, err := newFactory(genericiooptions.NewTestIOStreamsDiscard()).lookUpTyped(t.Context(), client, c.name,
			strings.Contains(what, "strict"))
		var missing *missingError
		if errors.As(err, &missing) {
			slices.Sort(missing.tried)
			if d := cmp.Diff(c.tried, slices.DeleteFunc(missing.tried, func(n string) bool { return n == "cust-a" })); d != "" {
				t.Errorf("%s: tried -want +got:\n%s", what, d)
			}
		} else if len(c.tried) > 0 {
			t.Errorf("%s: got %v, want a missing one", what, err)
		}
		if err == nil && tn.Name != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want %s", what, tn, err, c.want)
		}
	}
}

// TestCompletedName verifies that the Tab key continues what was typed, with or without
// the prefix; shells drop anything else.
func TestCompletedName(t *testing.T) {
	for _, c := range []struct{ name, typed, want string }{
		{"tmp-one", "", "tmp-one"}, {"tmp-one", "tmp-", "tmp-one"}, {"tmp-one", "o", "one"}, {"tmp-one", "x", ""},
		{"tmp-tmp", "t", "tmp-tmp"}, {"cust-a", "a", ""},
	} {
		got, ok := completedName(c.name, c.typed)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%q for %q: got %q, %v, want %q", c.typed, c.name, got, ok, c.want)
		}
	}
}

// TestSetName verifies that a given name gets the prefix once, and that a missing one is
// left to the server.
func TestSetName(t *testing.T) {
	for _, c := range []struct{ name, prefix, want, generate string }{
		{"mr-42", "", "tmp-mr-42", ""}, {"tmp-mr-42", "tmp-", "tmp-mr-42", ""}, {"a", "cust-", "cust-a", ""},
		{"", "", "", "tmp-"}, {"", "cust-", "", "cust-"},
	} {
		tn := &v1alpha1.TemporaryNamespace{}
		tn.Name, tn.GenerateName = "before", "before"
		(&createRequest{name: c.name, prefix: c.prefix}).setName(tn)
		if tn.Name != c.want || tn.GenerateName != c.generate {
			t.Errorf("%q: got %q and %q, want %q and %q", c.name, tn.Name, tn.GenerateName, c.want, c.generate)
		}
	}
}

// TestTargetName verifies that an empty or contradicting name is an error: with an unset
// variable, a script would otherwise act on the namespace of the current context.
func TestTargetName(t *testing.T) {
	for _, c := range []struct {
		args []string
		flag string
		want string
		err  string
	}{
		{nil, "", "", ""},
		{[]string{"a"}, "", "a", ""},
		{nil, "b", "b", ""},
		{[]string{"a"}, "a", "a", ""},
		{[]string{"a"}, "tmp-a", "", `NAME "a" and --namespace "tmp-a" differ: use only one of them`},
		{[]string{"a"}, "b", "", `NAME "a" and --namespace "b" differ: use only one of them`},
		{[]string{""}, "", "", "NAME is empty"},
		{[]string{""}, "b", "", "NAME is empty"},
	} {
		f := newFactory(genericiooptions.NewTestIOStreamsDiscard())
		*f.flags.Namespace = c.flag
		got, err := f.targetName(c.args)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q, -n %q: got %q, %v, want %q, %s", c.args, c.flag, got, err, c.want, c.err)
		}
	}
}
