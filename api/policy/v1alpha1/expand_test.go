// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TestExpand verifies that references are replaced in values only, once, and that
// unknown references are rejected with the reason.
func TestExpand(t *testing.T) {
	values := Given("tmp-a", "alice", map[string]string{"cpu": "4", "evil": "$(owner)", "owner": "mallory"})
	account := func(annotation string) string {
		return `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"annotations":{"a":"` + annotation + `"},"name":"ci"}}`
	}
	for name, c := range map[string]struct{ in, want, err string }{
		"nothing":            {in: account("x"), want: account("x")},
		"parameter":          {in: account("$(cpu)"), want: account("4")},
		"among text":         {in: account("a$(cpu)b$(namespace)c"), want: account("a4btmp-ac")},
		"owner is the owner": {in: account("$(owner)"), want: account("alice")},
		"once":               {in: account("$(evil)"), want: account("$(owner)")},
		"escaped":            {in: account("$$(cpu) $(cpu)"), want: account("$(cpu) 4")},
		"dollar":             {in: account("$5 $$"), want: account("$5 $$")},
		"unknown":            {in: account("$(mem)"), err: "$(mem): the class has no parameter of that name"},
		"empty":              {in: account("$()"), err: "$(): the class has no parameter"},
		"open":               {in: account("$(cpu"), err: "without a closing parenthesis"},
		"in the kind": {in: `{"apiVersion":"v1","kind":"$(cpu)","metadata":{"name":"x"}}`,
			err: "parameters are not allowed here"},
		"in the group": {in: `{"apiVersion":"$(cpu)","kind":"X","metadata":{"name":"x"}}`,
			err: "parameters are not allowed here"},
		"in the name": {in: `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"$(cpu)"}}`,
			err: "parameters are not allowed here"},
		"in a key": {
			in:  `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"x","labels":{"$(cpu)":"x"}}}`,
			err: "parameters are not allowed here"},
		"large numbers survive": {in: `{"a":9007199254740993,"b":"$(cpu)"}`, want: `{"a":9007199254740993,"b":"4"}`},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := spec(c.in).Expand(values)
			switch {
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("got %v, want %q", err, c.err)
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err == "" && string(out[0].Raw) != c.want:
				t.Errorf("got %s, want %s", out[0].Raw, c.want)
			}
		})
	}
}

// TestCheckTriesEveryValue verifies that an error which occurs with one value of a
// parameter only is found before a user chooses that value.
func TestCheckTriesEveryValue(t *testing.T) {
	quota := func(cpu string) string {
		return `{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"requests.cpu":"` +
			cpu + `"}}}`
	}
	two := "2"
	for name, c := range map[string]struct {
		change func(*NamespaceClassSpec)
		err    string
	}{
		"as it should": {func(*NamespaceClassSpec) {}, ""},
		"one value is none": {func(s *NamespaceClassSpec) {
			s.Parameters[0].Values = []string{"2", "many"}
		}, "quantities must match"},
		"the parameter is gone": {func(s *NamespaceClassSpec) { s.Parameters = nil }, "$(cpu): the class has no parameter"},
		"an owner as a label": {func(s *NamespaceClassSpec) {
			s.NamespaceLabels = map[string]LabelValue{"example.com/owner": "$(owner)"}
		}, "example.com/owner"},
		"an owner as an annotation": {func(s *NamespaceClassSpec) {
			s.NamespaceAnnotations = map[string]AnnotationValue{"example.com/owner": "$(owner)"}
		}, ""},
		"a parameter as a label": {func(s *NamespaceClassSpec) {
			s.NamespaceLabels = map[string]LabelValue{"example.com/cpu": "n$(cpu)"}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(quota("$(cpu)"))
			s.Parameters = []Parameter{{Name: "cpu", Values: []string{"1", "2", "4"}, Default: &two}}
			c.change(s)
			if err := s.Check(nil); (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	two := "2"
	s := &NamespaceClassSpec{Parameters: []Parameter{{Name: "cpu", Values: []string{"1", "2"}, Default: &two},
		{Name: "region", Values: []string{"eu", "us"}}}}
	path := field.NewPath("spec", "parameters")
	for name, c := range map[string]struct {
		chosen, want map[string]string
		refused      []string // rejected fields
	}{
		"all":          {map[string]string{"cpu": "1", "region": "eu"}, map[string]string{"cpu": "1", "region": "eu"}, nil},
		"the default":  {map[string]string{"region": "us"}, map[string]string{"cpu": "2", "region": "us"}, nil},
		"none is none": {nil, nil, []string{"spec.parameters[region]"}},
		"beyond":       {map[string]string{"cpu": "64", "region": "eu"}, nil, []string{"spec.parameters[cpu]"}},
		"unknown":      {map[string]string{"gpu": "1", "region": "eu"}, nil, []string{"spec.parameters[gpu]"}},
		"everything": {map[string]string{"gpu": "1", "cpu": "0"}, nil,
			[]string{"spec.parameters[cpu]", "spec.parameters[gpu]", "spec.parameters[region]"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, errs := s.Choose(c.chosen, path)
			var refused []string
			for _, e := range errs {
				refused = append(refused, e.Field)
			}
			if d := cmp.Diff(c.refused, refused); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.want, got); c.refused == nil && d != "" {
				t.Error(d)
			}
		})
	}
}

// FuzzExpand verifies that expansion terminates and leaves strings without references
// unchanged.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"$(a)", "$$(a)", "$(a", "$((a))", "a$$$(a)$", "$(b)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := expand(s, Values{"a": "$(a)"})
		if err == nil && !strings.Contains(s, "$(") && got != s {
			t.Errorf("%q became %q", s, got)
		}
	})
}
