// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"tenama.dev/tenama/api/v1alpha1"
)

// FieldOwner is the field selector for one owner's namespaces.
const FieldOwner = "status.owner"

// Fields accepts the field selectors of the resource; it is a field label
// conversion function of runtime.Scheme.
func Fields(label, value string) (string, string, error) {
	switch label {
	case "metadata.name", FieldOwner:
		return label, value, nil
	}
	return "", "", apierrors.NewBadRequest("field selector " + label + " is not supported: use metadata.name or " + FieldOwner)
}

// selection is what a list or watch asks for.
type selection struct {
	labels labels.Selector
	fields fields.Selector
	owner  string // only this owner's; empty for all
}

func (r *Registry) selection(ctx context.Context, o *internalversion.ListOptions) (selection, error) {
	s := selection{labels: labels.Everything(), fields: fields.Everything(), owner: userName(ctx)}
	if o != nil && o.LabelSelector != nil {
		s.labels = o.LabelSelector
	}
	if o != nil && o.FieldSelector != nil {
		s.fields = o.FieldSelector
	}
	all, err := r.may(ctx, v1alpha1.VerbViewAll)
	if all {
		s.owner, _ = s.fields.RequiresExactMatch(FieldOwner)
	}
	return s, err
}

// trivial tells whether all that the owner rule lets through is selected.
func (s selection) trivial() bool { return s.labels.Empty() && s.fields.Empty() }

func (s selection) matches(tn *v1alpha1.TemporaryNamespace) bool {
	if s.owner != "" && tn.Status.Owner != s.owner {
		return false
	}
	return s.labels.Matches(labels.Set(tn.Labels)) &&
		s.fields.Matches(fields.Set{"metadata.name": tn.Name, FieldOwner: tn.Status.Owner})
}

// List returns the caller's TemporaryNamespaces, or everybody's for those who
// may view all, ordered by name.
func (r *Registry) List(ctx context.Context, o *internalversion.ListOptions) (runtime.Object, error) {
	s, err := r.selection(ctx, o)
	if err != nil {
		return nil, err
	}
	found, version := r.Cache.list(s.owner)
	slices.SortFunc(found, func(a, b *corev1.Namespace) int { return cmp.Compare(a.Name, b.Name) })
	out := &v1alpha1.TemporaryNamespaceList{Items: make([]v1alpha1.TemporaryNamespace, 0, len(found))}
	out.ResourceVersion = version
	for _, ns := range found {
		if tn := view(ns); s.matches(tn) {
			out.Items = append(out.Items, *tn)
		}
	}
	return out, nil
}

// DeleteCollection begins the end of every TemporaryNamespace that List returns
// for the same options and that the caller may delete. It stops at the first
// error; what was deleted until then stays so.
func (r *Registry) DeleteCollection(ctx context.Context, validate rest.ValidateObjectFunc, o *metav1.DeleteOptions, list *internalversion.ListOptions) (runtime.Object, error) {
	obj, err := r.List(ctx, list)
	if err != nil {
		return nil, err
	}
	out := obj.(*v1alpha1.TemporaryNamespaceList)
	for _, tn := range out.Items {
		if _, _, err := r.Delete(ctx, tn.Name, validate, o.DeepCopy()); err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
	}
	return out, nil
}
