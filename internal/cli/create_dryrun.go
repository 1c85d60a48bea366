// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// preview prints the properties of the namespace that would be created.
func (o *createOptions) preview(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) error {
	t := &facts{}
	t.add("Class", tn.Spec.ClassName)
	t.add("Parameters", pairs(tn.Spec.Parameters))
	t.add("Owner", ownerOf(tn))
	t.add("Lifetime", lifeOf(tn, c.Now()))
	t.add("Reserves", takes(tn.Status.Reserved))
	if class, err := c.Class(ctx, tn.Spec.ClassName); err == nil {
		t.add("Role", class.Spec.OwnerRole)
		t.add("Pod security", string(class.Spec.PodSecurity))
		t.add("Objects", strings.Join(objects(class), ", "))
	}
	t.print(o.Out)
	fmt.Fprintln(o.ErrOut, "The namespace fits into the budgets now. Nothing was reserved.")
	return nil
}

// fitting returns a hint with classes that have room now, for when the requested class
// does not fit.
func (o *borrow) fitting(ctx context.Context) string {
	c, err := o.client()
	if err != nil {
		return ""
	}
	classes, err := c.Classes(ctx)
	if err != nil {
		return ""
	}
	var fit []string
	for i := range classes.Items {
		class := &classes.Items[i]
		if class.Name == o.class || len(fit) == 3 || o.class == "" && isDefault(class) {
			continue
		}
		if ok, err := c.MayUse(ctx, class.Name); err != nil || !ok {
			continue
		}
		_, err := c.Create(ctx, &v1alpha1.TemporaryNamespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
			ObjectMeta: metav1.ObjectMeta{GenerateName: class.Status.Prefix},
			Spec:       v1alpha1.TemporaryNamespaceSpec{ClassName: class.Name, Parameters: class.Spec.Defaults()},
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			fit = append(fit, class.Name)
		}
	}
	if len(fit) == 0 {
		return ""
	}
	slices.Sort(fit)
	return fmt.Sprintf("there is capacity for class %s: kubectl tenama create --class %s", strings.Join(fit, ", "), fit[0])
}
