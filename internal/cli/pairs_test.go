// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"tenama.dev/tenama/api/v1alpha1"
)

// TestOneLine verifies that titles as people write them become reasons that the broker accepts:
// a merge request's title must not stop its pipeline.
func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"review of !42":                      "review of !42",
		"a \u200d b \x07":                    "a b",
		"a\u00a0b\tc\r\nd\n":                 "a b c d",
		"by \U0001F469\u200d\U0001F680":      "by \U0001F469\U0001F680",
		"\u202eright to left\u200f":          "right to left",
		"bell\a, escape\x1b[2J, broken \xff": "bell, escape[2J, broken",
		" \n ":                               "",
		strings.Repeat("é", 300):             strings.Repeat("é", 255) + "…",
		strings.Repeat("x", 256):             strings.Repeat("x", 256),
	} {
		got, wasCut := oneLine(in)
		if got != want || wasCut != (len(in) > 512) {
			t.Errorf("%q: got %q, %t, want %q", in, got, wasCut, want)
		}
		tn := temporary("tmp-a", v1alpha1.TemporaryNamespaceSpec{Reason: got}, v1alpha1.TemporaryNamespaceStatus{})
		if errs := v1alpha1.Validate(tn, ""); len(errs) > 0 {
			t.Errorf("%q: the broker refuses it: %v", in, errs)
		}
	}
}

// TestPairs verifies that a pair is taken as given: a URL with commas must not become two
// annotations.
func TestPairs(t *testing.T) {
	var v pairsValue
	for _, s := range []string{"url=https://ci/x?a=1,b=2", `q="x", y`, "empty=", "url=again=1"} {
		if err := v.Set(s); err != nil {
			t.Error(err)
		}
	}
	if v["url"] != "again=1" || v["q"] != `"x", y` || v["empty"] != "" || len(v) != 3 {
		t.Errorf("got %q", v)
	}
	for _, s := range []string{"", "a", "=b"} {
		if err := v.Set(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func TestValidateLabels(t *testing.T) {
	for label, want := range map[string]string{
		"a=b": "", "example.com/a=": "", "a=b,c=d": `the value of "a"`, "a=-b": `the value of "a"`,
		"a b=c": `the key "a b"`, "a/b/c=d": `the key "a/b/c"`, "a=" + strings.Repeat("x", 64): `the value of "a"`,
	} {
		var v pairsValue
		if err := v.Set(label); err != nil {
			t.Fatal(err)
		}
		err := validateLabels(v)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", label, err, want)
		}
	}
}

// TestSlug verifies that a name made from text is always the same, is a name, and is another one
// for other text: two branches must not share a namespace.
func TestSlug(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{
		"mr-42", "tmp-mr-42", "feature/ABC-1_x", "feature/abc-1_x", "feature-abc-1-x", "mr/42", "ü", "--", "9",
		strings.Repeat("a", 40), strings.Repeat("a", 41), strings.Repeat("a", 63), strings.Repeat("a/", 40),
	} {
		name := slug(text)
		if other, is := seen[name]; is {
			t.Errorf("%q and %q are both %q", text, other, name)
		}
		seen[name] = text
		if errs := v1alpha1.ValidateName(v1alpha1.DefaultPrefix+name, "", nil); len(errs) > 0 || len(name) > maxSlug {
			t.Errorf("%q: %q is no name: %v", text, name, errs)
		}
		if slug(text) != name || slug(name) != name {
			t.Errorf("%q: %q changes", text, name)
		}
	}
	// These are in use in clusters: they must not change.
	for text, want := range map[string]string{"mr-42": "mr-42", "feature/ABC-1_x": "feature-abc-1-x-a65a92"} {
		if got := slug(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestTypedName(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "namespace/tmp-a": "tmp-a", "ns/tmp-a": "tmp-a", "tns/tmp-a": "tmp-a",
		"temporarynamespace.tenama.dev/tmp-a": "tmp-a", "temporarynamespaces.tenama.dev/tmp-a": "tmp-a",
		"pod/tmp-a": "pod/tmp-a", "feature/x": "feature/x", "": "",
	} {
		if got := typedName(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestShellQuote verifies that a command in an advice is the one that was meant, when it is
// copied into a shell.
func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{
		"ci.kubeconfig": "ci.kubeconfig", "https://h:6443/k8s?a=1": "'https://h:6443/k8s?a=1'", "": "''",
		"a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "a;b": "'a;b'",
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
