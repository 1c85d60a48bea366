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

// FieldOwner is the field selector for the namespaces of one owner.
const FieldOwner = "status.owner"

// maxOwners bounds the label selector for the owners of a user. For a user in more
// groups, all namespaces are read and filtered.
const maxOwners = 1000

// Fields accepts the field selectors of the resource. It is a field label conversion
// function of runtime.Scheme.
func Fields(label, value string) (string, string, error) {
	switch label {
	case "metadata.name", FieldOwner:
		return label, value, nil
	}
	return "", "", apierrors.NewBadRequest("field selector " + label + " is not supported: use metadata.name or " +
		FieldOwner)
}

// selector selects the objects of a list or watch.
type selector struct {
	labels labels.Selector
	fields fields.Selector
	all    bool     // the caller may see the namespaces of all owners
	owners []string // LabelOwner of the namespaces to return; empty for all
}

// selectorOf returns the selector of a request. Errors: Forbidden for a request
// without a user, ServerTimeout.
func (r *Registry) selectorOf(ctx context.Context, o *internalversion.ListOptions) (selector, error) {
	s := selector{labels: labels.Everything(), fields: fields.Everything(), owners: ownerHashes(userOf(ctx))}
	if o != nil && o.LabelSelector != nil {
		s.labels = o.LabelSelector
	}
	if o != nil && o.FieldSelector != nil {
		s.fields = o.FieldSelector
	}
	var err error
	if s.all, err = r.authorized(ctx, v1alpha1.VerbViewAll); s.all {
		s.owners = nil
	} else if len(s.owners) == 0 { // empty would select all
		return s, apierrors.NewForbidden(groupResource, "", errors.New("the request has no user"))
	}
	return s, err
}

// byOwnerOnly reports whether nothing but the owner is selected by.
func (s selector) byOwnerOnly() bool { return s.labels.Empty() && s.fields.Empty() }

func (s selector) matches(tn *v1alpha1.TemporaryNamespace) bool {
	if len(s.owners) > 0 && !slices.Contains(s.owners, ownerHash(tn)) {
		return false
	}
	return s.labels.Matches(labels.Set(tn.Labels)) &&
		s.fields.Matches(fields.Set{"metadata.name": tn.Name, FieldOwner: tn.Status.Owner})
}

// ownerHash returns LabelOwner of the Namespace of tn.
func ownerHash(tn *v1alpha1.TemporaryNamespace) string {
	if g := tn.Status.OwnerGroup; g != "" {
		return v1alpha1.GroupHash(g)
	}
	return v1alpha1.OwnerHash(tn.Status.Owner)
}

// upstreamOwners returns the owners by which kube-apiserver selects; none for all.
func (s selector) upstreamOwners() []string {
	if len(s.owners) > maxOwners {
		return nil
	}
	return s.owners
}

// upstream returns the options for a list of Namespaces that contains all selected
// ones. matches applies the conditions that kube-apiserver cannot select by.
func (s selector) upstream(o *internalversion.ListOptions) metav1.ListOptions {
	out := metav1.ListOptions{LabelSelector: v1alpha1.LabelManaged + "=true"}
	if owners := s.upstreamOwners(); len(owners) > 0 {
		out.LabelSelector += "," + v1alpha1.LabelOwner + " in (" + strings.Join(owners, ",") + ")"
	}
	if name, ok := s.fields.RequiresExactMatch("metadata.name"); ok {
		out.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
	}
	if o != nil {
		out.ResourceVersion, out.ResourceVersionMatch = o.ResourceVersion, o.ResourceVersionMatch
		out.Limit, out.Continue = o.Limit, o.Continue
		out.SendInitialEvents, out.AllowWatchBookmarks, out.TimeoutSeconds = o.SendInitialEvents, o.AllowWatchBookmarks,
			o.TimeoutSeconds
	}
	return out
}
