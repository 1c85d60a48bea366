// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// TestCandidates verifies which namespaces a NAME stands for: a wrong one would be
// extended or deleted instead.
func TestCandidates(t *testing.T) {
	for name, c := range map[string]struct {
		prefixes []string
		want     []string
	}{
		"mr-42":     {nil, []string{"tmp-mr-42"}},
		"tmp-mr-42": {[]string{"tmp-"}, []string{"tmp-mr-42"}},
		"foo":       {[]string{"tmp-", "cust-"}, []string{"tmp-foo", "cust-foo"}},
		"cust-foo":  {[]string{"tmp-", "cust-"}, []string{"tmp-cust-foo", "cust-foo"}},
		"tmp-a":     {[]string{"team-"}, []string{"tmp-a", "team-tmp-a"}},
	} {
		if diff := cmp.Diff(c.want, candidates(name, c.prefixes)); diff != "" {
			t.Errorf("%s with prefixes %v: -want +got:\n%s", name, c.prefixes, diff)
		}
	}
}

// TestFind verifies that a namespace of another prefix is found by its short name, and
// that the error of a missing one names the default prefix.
func TestFind(t *testing.T) {
	c := fakeClient(t, func(r *http.Request) any {
		switch name := path.Base(r.URL.Path); name {
		case "cust-foo":
			return temporary(name, v1alpha1.TemporaryNamespaceSpec{}, v1alpha1.TemporaryNamespaceStatus{})
		case "namespaceclasses":
			return &policyv1alpha1.NamespaceClassList{Items: []policyv1alpha1.NamespaceClass{
				{Status: policyv1alpha1.NamespaceClassStatus{Prefix: "cust-"}},
			}}
		default:
			return notFound(name)
		}
	})
	f := newFactory(genericiooptions.NewTestIOStreamsDiscard())
	for name, want := range map[string]string{"foo": "cust-foo", "cust-foo": "cust-foo"} {
		if tn, err := f.find(t.Context(), c, name); err != nil || tn.Name != want {
			t.Errorf("%s: got %v, %v, want %s", name, tn, err, want)
		}
	}
	want := `temporarynamespaces.tenama.dev "tmp-bar" not found`
	if _, err := f.find(t.Context(), c, "bar"); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	if _, err := f.find(t.Context(), c, "a/b"); err == nil {
		t.Error("a name that is a path was looked up")
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
		{"mr-42", "tmp-", "tmp-mr-42", ""}, {"tmp-mr-42", "tmp-", "tmp-mr-42", ""}, {"a", "cust-", "cust-a", ""},
		{"", "tmp-", "", "tmp-"},
	} {
		tn := &v1alpha1.TemporaryNamespace{}
		tn.Name, tn.GenerateName = "before", "before"
		(&createRequest{name: c.name}).setName(tn, c.prefix)
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
		{[]string{"a"}, "tmp-a", "tmp-a", ""},
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
