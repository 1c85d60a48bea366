// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Change is what an installation does with one object.
type Change struct {
	Object *unstructured.Unstructured // as it is rendered
	Live   *unstructured.Unstructured // nil if it does not exist
	Result *unstructured.Unstructured // after a dry run; Object if its namespace does not exist yet

	same  bool // another manager set the same values
	force bool // this program set the fields itself, by another kind of request, or the user wants it
}

// Creates reports whether the object does not exist yet.
func (c *Change) Creates() bool { return c.Live == nil }

// Updates reports whether the object exists and would be changed.
func (c *Change) Updates() bool {
	return c.Live != nil && !reflect.DeepEqual(plain(c.Live), plain(c.Result))
}

// plain returns the fields of an object that an installation decides.
func plain(o *unstructured.Unstructured) map[string]any {
	o = o.DeepCopy()
	for _, f := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(o.Object, "metadata", f)
	}
	unstructured.RemoveNestedField(o.Object, "status")
	return o.Object
}

// ConflictError says that an object, or some fields of it, belong to other field managers.
type ConflictError struct {
	Object   string
	Fields   []string // empty: the whole object
	Managers []string
}

func (e *ConflictError) Error() string {
	if len(e.Fields) == 0 {
		return fmt.Sprintf("%s is managed by %s", e.Object, strings.Join(e.Managers, " and "))
	}
	return fmt.Sprintf("%s: %s is managed by %s", e.Object, some(e.Fields), strings.Join(e.Managers, " and "))
}

// Plan compares the objects with those of the cluster, by a dry run of each. It writes
// nothing. It returns a *ConflictError if the installation would take fields from another
// manager, unless force is true; and errors of kube-apiserver, such as Forbidden if the user
// lacks a right. What Helm or GitOps manage is not forced: they would set it again.
func (c *Cluster) Plan(ctx context.Context, objects []*unstructured.Unstructured, force bool) ([]Change, error) {
	home, err := c.get(ctx, c.client.Resource(namespaces), c.namespace)
	if err != nil {
		return nil, fmt.Errorf("get namespace %q: %w", c.namespace, err)
	}
	if home != nil && home.GetDeletionTimestamp() != nil {
		return nil, fmt.Errorf("namespace %q is being deleted: wait until it is gone", c.namespace)
	}
	var out []Change
	for _, o := range objects {
		ch := Change{Object: o, Result: o}
		r := c.resourceOf(o)
		if ch.Live, err = c.get(ctx, r, o.GetName()); err != nil {
			return nil, fmt.Errorf("get %s: %w", label(o), err)
		}
		// Helm keeps definitions, with its marks, when it uninstalls the chart.
		if ch.Live != nil && Owner(ch.Live) != "" && o.GetKind() != "CustomResourceDefinition" {
			return nil, &ConflictError{Object: label(o), Managers: []string{Owner(ch.Live)}}
		}
		if o.GetNamespace() == "" || home != nil {
			err = c.try(ctx, &ch, force)
		} else {
			err = c.mayCreate(ctx, o)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, ch)
	}
	return out, nil
}

// try applies an object by dry run. kube-apiserver reports a conflict also where another
// manager set the same value without the fields that have defaults, in lists and structs that
// are managed as a whole. Such a conflict is none: the values stay as they are.
func (c *Cluster) try(ctx context.Context, ch *Change, force bool) error {
	dryRun := metav1.ApplyOptions{FieldManager: Manager, DryRun: []string{metav1.DryRunAll}}
	result, err := c.apply(ctx, ch.Object, dryRun)
	var conflict *ConflictError
	if errors.As(err, &conflict) && ch.Live != nil {
		dryRun.Force = true
		forced, ferr := c.apply(ctx, ch.Object, dryRun)
		switch {
		case ferr != nil: // the conflict says more
		case reflect.DeepEqual(plain(ch.Live), plain(forced)):
			ch.same, result, err = true, forced, nil
		case force, slices.Equal(conflict.Managers, []string{Manager}): // such as the removal, which scales to 0
			ch.force, result, err = true, forced, nil
		}
	}
	ch.Result = result
	return err
}

// apply applies an object.
func (c *Cluster) apply(
	ctx context.Context, o *unstructured.Unstructured, options metav1.ApplyOptions,
) (*unstructured.Unstructured, error) {
	result, err := c.resourceOf(o).Apply(ctx, o.GetName(), o, options)
	if apierrors.IsConflict(err) {
		if conflict := conflictIn(err); conflict != nil {
			conflict.Object = label(o)
			return nil, conflict
		}
	}
	if err != nil {
		return nil, fmt.Errorf("apply %s: %w", label(o), err)
	}
	return result, nil
}

// conflictIn returns the fields and the managers of a conflict of server-side apply, or nil.
// kube-apiserver has the managers in the messages of the causes only, in quotes
// (k8s.io/apimachinery/pkg/util/managedfields/internal, NewConflictError).
func conflictIn(err error) *ConflictError {
	s, ok := err.(apierrors.APIStatus)
	if !ok || s.Status().Details == nil {
		return nil
	}
	var out ConflictError
	for _, cause := range s.Status().Details.Causes {
		parts := strings.Split(cause.Message, `"`)
		if cause.Type != metav1.CauseTypeFieldManagerConflict || len(parts) < 2 {
			continue
		}
		out.Fields = append(out.Fields, cause.Field)
		if !slices.Contains(out.Managers, parts[1]) {
			out.Managers = append(out.Managers, parts[1])
		}
	}
	if len(out.Managers) == 0 {
		return nil
	}
	return &out
}

// mayCreate returns an error if the user must not create an object in a namespace that does
// not exist yet, for which no dry run is possible.
func (c *Cluster) mayCreate(ctx context.Context, o *unstructured.Unstructured) error {
	plural, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	attributes := map[string]any{
		"verb": "create", "group": plural.Group, "resource": plural.Resource, "namespace": o.GetNamespace(),
	}
	review := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": attributes},
	}}
	result, err := c.client.Resource(reviews).Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("check the right to create %s: %w", label(o), err)
	}
	if ok, _, _ := unstructured.NestedBool(result.Object, "status", "allowed"); !ok {
		return fmt.Errorf("you are not allowed to create %s in namespace %q", label(o), o.GetNamespace())
	}
	return nil
}

// Apply applies the changes in their order. It returns the first error; what was applied
// before stays, and a repetition goes on from there.
func (c *Cluster) Apply(ctx context.Context, changes []Change) error {
	for i := range changes {
		if changes[i].same || !changes[i].Creates() && !changes[i].Updates() {
			continue
		}
		options := metav1.ApplyOptions{FieldManager: Manager, Force: changes[i].force}
		if _, err := c.apply(ctx, changes[i].Object, options); err != nil {
			return err
		}
	}
	return nil
}
