// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

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
	all    bool     // the caller may see everybody's
	mine   []string // only what the owners with these hashes own; empty for all
}

func (r *Registry) selection(ctx context.Context, o *internalversion.ListOptions) (selection, error) {
	s := selection{labels: labels.Everything(), fields: fields.Everything(), mine: hashes(userOf(ctx))}
	if o != nil && o.LabelSelector != nil {
		s.labels = o.LabelSelector
	}
	if o != nil && o.FieldSelector != nil {
		s.fields = o.FieldSelector
	}
	var err error
	if s.all, err = r.may(ctx, v1alpha1.VerbViewAll); s.all {
		s.mine = nil
	} else if len(s.mine) == 0 { // never everybody's by mistake
		return s, apierrors.NewForbidden(groupResource, "", errors.New("a request without a user sees nothing"))
	}
	return s, err
}

// trivial tells whether all that the owner rule lets through is selected.
func (s selection) trivial() bool { return s.labels.Empty() && s.fields.Empty() }

func (s selection) matches(tn *v1alpha1.TemporaryNamespace) bool {
	if len(s.mine) > 0 && !slices.Contains(s.mine, ownerHash(tn)) {
		return false
	}
	return s.labels.Matches(labels.Set(tn.Labels)) &&
		s.fields.Matches(fields.Set{"metadata.name": tn.Name, FieldOwner: tn.Status.Owner})
}

// ownerHash is LabelOwner on the Namespace of tn.
func ownerHash(tn *v1alpha1.TemporaryNamespace) string {
	if g := tn.Status.OwnerGroup; g != "" {
		return v1alpha1.GroupHash(g)
	}
	return v1alpha1.OwnerHash(tn.Status.Owner)
}

// upstream is the list of Namespaces that holds what is selected; what
// kube-apiserver cannot select by is left to matches.
func (s selection) upstream(o *internalversion.ListOptions) metav1.ListOptions {
	out := metav1.ListOptions{LabelSelector: v1alpha1.LabelManaged + "=true"}
	if len(s.mine) > 0 && len(s.mine) <= maxOwners {
		out.LabelSelector += "," + v1alpha1.LabelOwner + " in (" + strings.Join(s.mine, ",") + ")"
	}
	if name, ok := s.fields.RequiresExactMatch("metadata.name"); ok {
		out.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
	}
	if o != nil {
		out.ResourceVersion, out.ResourceVersionMatch = o.ResourceVersion, o.ResourceVersionMatch
		out.Limit, out.Continue = o.Limit, o.Continue
		out.SendInitialEvents, out.AllowWatchBookmarks, out.TimeoutSeconds = o.SendInitialEvents, o.AllowWatchBookmarks, o.TimeoutSeconds
	}
	return out
}
