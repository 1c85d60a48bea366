// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Values maps the names in $(NAME) references to their values: the parameters by name,
// namespace and owner.
type Values map[string]string

// Names that are in Values in addition to the parameters.
const (
	valueNamespace = "namespace"
	valueOwner     = "owner"
)

// Given returns the values for one namespace.
func Given(namespace, owner string, parameters map[string]string) Values {
	v := Values{valueNamespace: namespace, valueOwner: owner}
	for name, value := range parameters {
		if name != valueNamespace && name != valueOwner {
			v[name] = value
		}
	}
	return v
}

// Choose returns the parameters chosen by a user, completed with the defaults of the
// class. The errors refer to path, for example spec.parameters.
func (s *NamespaceClassSpec) Choose(chosen map[string]string, path *field.Path) (map[string]string, field.ErrorList) {
	var errs field.ErrorList
	out := map[string]string{}
	var known []string
	for i := range s.Parameters {
		p := &s.Parameters[i]
		known = append(known, p.Name)
		value, ok := chosen[p.Name]
		switch {
		case !ok && p.Default == nil:
			errs = append(errs, field.Required(path.Key(p.Name), "choose one of "+strings.Join(p.Values, ", ")))
			continue
		case !ok:
			value = *p.Default
		case !slices.Contains(p.Values, value):
			errs = append(errs, field.NotSupported(path.Key(p.Name), value, p.Values))
		}
		out[p.Name] = value
	}
	for name := range chosen {
		if slices.Contains(known, name) {
			continue
		}
		detail := "the class has no parameters"
		if len(known) > 0 {
			detail = "parameters of the class: " + strings.Join(known, ", ")
		}
		errs = append(errs, field.Invalid(path.Key(name), chosen[name], detail))
	}
	slices.SortFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) })
	if len(out) == 0 {
		out = nil
	}
	return out, errs
}

// Expand returns the objects of the class with all references replaced by the values.
// The error describes every entry with an unknown reference, or with a reference where
// substitution is not allowed: in keys, apiVersion, kind and metadata.name, which
// identify the object.
func (s *NamespaceClassSpec) Expand(values Values) ([]runtime.RawExtension, error) {
	var errs []error
	var out []runtime.RawExtension
	for i, raw := range s.Objects {
		expanded, err := expandObject(raw.Raw, values)
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.objects[%d]: %w", i, err))
			continue
		}
		out = append(out, runtime.RawExtension{Raw: expanded})
	}
	return out, errors.Join(errs...)
}

// Labels returns the labels of a namespace of the class, expanded with the values.
func (s *NamespaceClassSpec) Labels(values Values) (map[string]string, error) {
	out := map[string]string{}
	var errs []error
	for k, v := range s.NamespaceLabels {
		path := field.NewPath("spec", "namespaceLabels")
		value, err := expand(string(v), values)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path.Key(k), err))
			continue
		}
		out[k] = value
		if bad := metav1validation.ValidateLabels(map[string]string{k: value}, path.Key(k)); len(bad) > 0 {
			errs = append(errs, bad.ToAggregate())
		}
	}
	return out, errors.Join(errs...)
}

// Annotations returns the annotations of a namespace of the class, expanded with the
// values.
func (s *NamespaceClassSpec) Annotations(values Values) (map[string]string, error) {
	out := map[string]string{}
	var errs []error
	for k, v := range s.NamespaceAnnotations {
		value, err := expand(string(v), values)
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.namespaceAnnotations[%s]: %w", k, err))
		}
		out[k] = value
	}
	return out, errors.Join(errs...)
}

// Check reports everything in the class that is invalid for at least one choice of
// parameters.
func (s *NamespaceClassSpec) Check(kinds ObjectKinds) error {
	errs := []error{s.ValidateKeys()}
	for _, values := range s.samples() {
		_, bad := s.GuardRails(values, kinds)
		_, labels := s.Labels(values)
		_, annotations := s.Annotations(values)
		if err := errors.Join(bad, labels, annotations); err != nil {
			return errors.Join(append(errs, err)...) // the other samples most likely fail in the same way
		}
	}
	return errors.Join(errs...)
}

// Defaults returns the parameters of a user who chooses none. A parameter without a
// default gets its first value.
func (s *NamespaceClassSpec) Defaults() map[string]string {
	out := map[string]string{}
	for _, p := range s.Parameters {
		if p.Default != nil {
			out[p.Name] = *p.Default
		} else if len(p.Values) > 0 {
			out[p.Name] = p.Values[0]
		}
	}
	return out
}

// samples returns choices of parameters in which every value of every parameter occurs
// once. Their owner has a name that is not a valid label value, as with many identity
// providers.
func (s *NamespaceClassSpec) samples() []Values {
	const owner = "https://id.example.com#Ann O'Neil <ann@example.com>"
	const namespace = "tmp-a23456789-123456789-123456789-123456789-123456789-123456789" // the maximum length
	out := []Values{Given(namespace, owner, s.Defaults())}
	for _, p := range s.Parameters {
		for _, v := range p.Values {
			chosen := s.Defaults()
			chosen[p.Name] = v
			out = append(out, Given(namespace, owner, chosen))
		}
	}
	return out
}

func expandObject(raw []byte, values Values) ([]byte, error) {
	if !bytes.Contains(raw, []byte("$")) {
		return raw, nil
	}
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	fixed := map[string]any{"apiVersion": tree["apiVersion"], "kind": tree["kind"]}
	if m, ok := tree["metadata"].(map[string]any); ok {
		fixed["metadata.name"] = m["name"]
	}
	for where, v := range fixed {
		if s, ok := v.(string); ok && strings.Contains(s, "$(") {
			return nil, fmt.Errorf("%s %q: parameters are not allowed here", where, s)
		}
	}
	expanded, err := expandTree(tree, values)
	if err != nil {
		return nil, err
	}
	return json.Marshal(expanded)
}

func expandTree(v any, values Values) (any, error) {
	switch v := v.(type) {
	case string:
		return expand(v, values)
	case []any:
		for i := range v {
			var err error
			if v[i], err = expandTree(v[i], values); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if strings.Contains(k, "$(") {
				return nil, fmt.Errorf("key %q: parameters are not allowed here", k)
			}
			var err error
			if v[k], err = expandTree(v[k], values); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// expand replaces each $(NAME) by its value, once: references in a value are not
// expanded. $$ before a parenthesis is a literal dollar sign, as in the arguments of a
// container (k8s.io/kubernetes third_party/forked/golang/expansion).
func expand(s string, values Values) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(s, "$(")
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "$(")
			s = s[i+2:]
			continue
		}
		name, rest, ok := strings.Cut(s[i+2:], ")")
		if !ok {
			return "", fmt.Errorf("%q: $( without a closing parenthesis", s)
		}
		value, known := values[name]
		if !known {
			return "", fmt.Errorf("$(%s): the class has no parameter of that name", name)
		}
		b.WriteString(s[:i] + value)
		s = rest
	}
}
