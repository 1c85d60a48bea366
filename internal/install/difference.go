// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Line is one difference of a role, a binding or a policy, in words.
type Line struct {
	Sign byte // '+' or '-'
	Text string
}

// Differences returns what a change does to rights and to policies; nothing for objects of
// other kinds. Each rule of a role and each part of a policy is one line, so that a new
// right is not lost among lines that moved.
func (c *Change) Differences() []Line {
	var before []string
	if c.Live != nil {
		before = parts(c.Live)
	}
	after := parts(c.Result)
	var out []Line
	for _, p := range before {
		if !slices.Contains(after, p) {
			out = append(out, Line{'-', p})
		}
	}
	for _, p := range after {
		if !slices.Contains(before, p) {
			out = append(out, Line{'+', p})
		}
	}
	return out
}

func parts(o *unstructured.Unstructured) []string {
	var out []string
	switch o.GetKind() {
	case "ClusterRole", "Role":
		for _, rule := range maps(o.Object, "rules") {
			out = append(out, rightsOf(rule))
		}
	case "ClusterRoleBinding", "RoleBinding":
		role, _, _ := unstructured.NestedString(o.Object, "roleRef", "name")
		for _, s := range maps(o.Object, "subjects") {
			who := strings.TrimPrefix(fmt.Sprintf("%s/%v", text(s["namespace"]), s["name"]), "/")
			out = append(out, fmt.Sprintf("%s to %v %s", role, s["kind"], who))
		}
	case "ValidatingAdmissionPolicy":
		failure, _, _ := unstructured.NestedString(o.Object, "spec", "failurePolicy")
		out = append(out, "failurePolicy: "+failure)
		for _, f := range []string{"resourceRules", "excludeResourceRules"} {
			for _, r := range maps(o.Object, "spec", "matchConstraints", f) {
				out = append(out, fmt.Sprintf("%s: %s of %s in %s", f, join(r["operations"]), join(r["resources"]),
					join(r["apiGroups"])))
			}
		}
		for _, m := range maps(o.Object, "spec", "matchConditions") {
			out = append(out, fmt.Sprintf("only if %v: %v", m["name"], m["expression"]))
		}
		for _, v := range maps(o.Object, "spec", "variables") {
			out = append(out, fmt.Sprintf("variable %v = %v", v["name"], v["expression"]))
		}
		for _, v := range maps(o.Object, "spec", "validations") {
			out = append(out, fmt.Sprintf("%v, unless %v", text(v["message"])+text(v["messageExpression"]), v["expression"]))
		}
	case "ValidatingAdmissionPolicyBinding":
		policy, _, _ := unstructured.NestedString(o.Object, "spec", "policyName")
		actions, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "validationActions")
		selected, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "matchResources")
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s: %s %s", policy, strings.Join(actions, ","), text(selected))))
	}
	for i := range out {
		out[i] = strings.Join(strings.Fields(out[i]), " ") // expressions have several lines
	}
	return out
}

// rightsOf returns a rule of a role on one line.
func rightsOf(rule map[string]any) string {
	var groups []string
	for _, g := range strings.Split(join(rule["apiGroups"]), ",") {
		if g != "" {
			groups = append(groups, g)
		}
	}
	out := join(rule["verbs"]) + " " + join(rule["resources"]) + join(rule["nonResourceURLs"])
	if len(groups) > 0 {
		out += " (" + strings.Join(groups, ",") + ")"
	}
	if names := join(rule["resourceNames"]); names != "" {
		out += " named " + names
	}
	return out
}

// maps returns the maps in a list of an object.
func maps(o map[string]any, path ...string) []map[string]any {
	list, _, _ := unstructured.NestedSlice(o, path...)
	var out []map[string]any
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func join(v any) string {
	list, _ := v.([]any)
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprint(s))
	}
	return strings.Join(out, ",")
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
