// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// printDryRun prints the properties of the namespace that would be created.
func (o *createOptions) printDryRun(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) error {
	t := &term.Fields{}
	t.Add("Class", tn.Spec.ClassName)
	t.Add("Parameters", formatPairs(tn.Spec.Parameters))
	t.Add("Owner", ownerOf(tn))
	t.Add("Lifetime", formatLifetime(tn, c.Now()))
	t.Add("Reserves", formatReserved(tn.Status.Reserved))
	if class, err := c.Class(ctx, tn.Spec.ClassName); err == nil {
		t.Add("Role", class.Spec.OwnerRole)
		t.Add("Pod security", string(class.Spec.PodSecurity))
		t.Add("Objects", strings.Join(classObjects(class), ", "))
	}
	t.Print(o.Out)
	fmt.Fprintln(o.ErrOut, "The namespace fits into the budgets now. Nothing was reserved.")
	return nil
}

// suggestClasses returns a hint with classes that have room now, for when the requested class
// does not fit.
func (r *createRequest) suggestClasses(ctx context.Context) string {
	c, err := r.client()
	if err != nil {
		return ""
	}
	classes, err := c.Classes(ctx)
	if err != nil {
		return ""
	}
	var fitting []string
	for i := range classes.Items {
		class := &classes.Items[i]
		if class.Name == r.class || len(fitting) == 3 || r.class == "" && isDefault(class) {
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
			fitting = append(fitting, class.Name)
		}
	}
	if len(fitting) == 0 {
		return ""
	}
	slices.Sort(fitting)
	return fmt.Sprintf("there is capacity for class %s: kubectl tenama create --class %s",
		strings.Join(fitting, ", "), fitting[0])
}
