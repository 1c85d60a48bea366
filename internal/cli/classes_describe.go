// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
)

// describe prints all details of one class.
func (o *classesOptions) describe(c *policyv1alpha1.NamespaceClass, use string) {
	t := &term.Fields{}
	t.Add("Name", c.Name)
	t.Add("Description", c.Spec.Description)
	if isDefault(c) {
		t.Add("Default", "yes")
	}
	t.Add("Usable", use)
	ready := meta.FindStatusCondition(c.Status.Conditions, policyv1alpha1.ConditionReady)
	if ready != nil && ready.Status == metav1.ConditionFalse {
		t.Add("Broken", ready.Message)
	}
	ttl, maximum := lifetimeOf(&c.Spec.Lifetime)
	switch c.Spec.Lifetime.Type {
	case v1alpha1.LifetimeUnbounded:
		t.Add("Lifetime", "until deleted")
	case v1alpha1.LifetimeRenewable:
		t.Add("Lifetime", ttl+"; extendable to "+strings.TrimPrefix(maximum, "now+")+" from now")
	default:
		t.Add("Lifetime", ttl+"; at most "+maximum+" with extensions")
	}
	if s := c.Spec.Lifetime.IdleTTLSeconds; s != nil {
		t.Add("Idle", "kept for "+term.FormatDuration(time.Duration(*s)*time.Second)+" after each use")
	}
	if n := c.Spec.Lifetime.MaximumExtensions; n != nil {
		t.Add("Extensions", fmt.Sprintf("at most %d", *n))
	}
	t.Add("Name prefix", c.Status.Prefix)
	t.Add("Role", c.Spec.OwnerRole)
	t.Add("Pod security", string(c.Spec.PodSecurity))
	t.Add("Objects", strings.Join(classObjects(c), ", "))
	t.Add("Revision", c.Status.Revision)
	t.Print(o.Out)
	if len(c.Spec.Parameters) > 0 {
		fmt.Fprintln(o.Out)
		p := &term.Table{Head: []string{"PARAMETER", "VALUES", "DEFAULT", "DESCRIPTION"}}
		for _, one := range c.Spec.Parameters {
			byDefault := "(required)"
			if one.Default != nil {
				byDefault = *one.Default
			}
			values := strings.Join(one.Values, ",")
			row := []term.Cell{{Text: one.Name}, {Text: values}, {Text: byDefault}, {Text: one.Description}}
			p.Rows = append(p.Rows, row)
		}
		_ = p.Print(o.Out, o.renderer(o.Out))
	}
	if len(c.Status.Reserved) > 0 {
		fmt.Fprintln(o.Out)
		_ = amountsTable("RESERVES", c.Status.Reserved).Print(o.Out, o.renderer(o.Out))
	}
}

func amountsTable(head string, l corev1.ResourceList) *term.Table {
	t := &term.Table{Head: []string{"RESOURCE", head}}
	for _, k := range sortedNames(l) {
		q := l[k]
		t.Rows = append(t.Rows, []term.Cell{{Text: string(k)}, {Text: q.String()}})
	}
	return t
}

func sortedNames(l map[corev1.ResourceName]resource.Quantity) []corev1.ResourceName {
	out := make([]corev1.ResourceName, 0, len(l))
	for k := range l {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// isDefault reports whether c is the default class.
func isDefault(c *policyv1alpha1.NamespaceClass) bool {
	return c.Annotations[policyv1alpha1.AnnotationDefaultClass] == "true"
}

// classObjects returns the objects that a class creates in each namespace.
func classObjects(c *policyv1alpha1.NamespaceClass) []string {
	var out []string
	raw, err := c.Spec.Expand(policyv1alpha1.Given("NAMESPACE", "OWNER", c.Spec.Defaults()))
	if err != nil {
		return nil
	}
	for _, r := range raw {
		var obj metav1.PartialObjectMetadata
		if json.Unmarshal(r.Raw, &obj) == nil {
			out = append(out, obj.Kind+"/"+obj.Name)
		}
	}
	return out
}
