// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"

	"tenama.dev/tenama/api/v1alpha1"
)

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the namespace."},
	{Name: "Class", Type: "string", Description: "NamespaceClass of the namespace."},
	{Name: "Status", Type: "string", Description: "Pending, Ready or Terminating."},
	// A string: the type date is for the past, and shows the future as invalid.
	{Name: "Expires", Type: "string", Description: "Time until the namespace expires."},
	{Name: "Owner", Type: "string", Description: "User or group that has access."},
	{Name: "Age", Type: "string", Description: "Time since the namespace was created."},
	{Name: "Expires-At", Type: "string", Format: "date-time", Priority: 1,
		Description: "Time when the namespace is deleted."},
	{Name: "At-Most-Until", Type: "string", Format: "date-time", Priority: 1,
		Description: "Latest time that an extension can reach."},
	{Name: "Revision", Type: "string", Priority: 1,
		Description: "Whether the namespace has the current revision of its class: current or outdated."},
	{Name: "Reason", Type: "string", Priority: 1, Description: "Purpose of the namespace, as described by its owner."},
}

// ConvertToTable returns the table that kubectl get prints.
func (r *Registry) ConvertToTable(_ context.Context, obj, opts runtime.Object) (*metav1.Table, error) {
	t := &metav1.Table{}
	if o, ok := opts.(*metav1.TableOptions); !ok || !o.NoHeaders {
		t.ColumnDefinitions = columns
	}
	now := r.now()
	switch o := obj.(type) {
	case *v1alpha1.TemporaryNamespace:
		t.Rows = []metav1.TableRow{r.row(o, now)}
	case *v1alpha1.TemporaryNamespaceList:
		for i := range o.Items {
			t.Rows = append(t.Rows, r.row(&o.Items[i], now))
		}
	default:
		return nil, fmt.Errorf("no table for %T", obj)
	}
	if m, err := meta.ListAccessor(obj); err == nil {
		t.ResourceVersion, t.Continue, t.RemainingItemCount = m.GetResourceVersion(), m.GetContinue(),
			m.GetRemainingItemCount()
	} else if m, err := meta.CommonAccessor(obj); err == nil {
		t.ResourceVersion = m.GetResourceVersion()
	}
	return t, nil
}

func (r *Registry) row(tn *v1alpha1.TemporaryNamespace, now time.Time) metav1.TableRow {
	return metav1.TableRow{
		Cells: []any{
			tn.Name, tn.Spec.ClassName, string(tn.Status.Phase), left(tn, now), cmp.Or(tn.Status.OwnerGroup, tn.Status.Owner),
			duration.HumanDuration(now.Sub(tn.CreationTimestamp.Time)),
			at(tn, tn.Status.ExpirationTimestamp), most(tn), r.Classes.Outdated(tn.Spec.ClassName,
				tn.Status.ClassRevision), tn.Spec.Reason,
		},
		Object: runtime.RawExtension{Object: tn},
	}
}

const (
	never   = "never"
	unknown = "<unknown>"
)

func left(tn *v1alpha1.TemporaryNamespace, now time.Time) string {
	switch t := tn.Status.ExpirationTimestamp; {
	case meta.IsStatusConditionTrue(tn.Status.Conditions, v1alpha1.ConditionOnHold):
		return "on hold"
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		return never
	case t == nil:
		return unknown
	case t.After(now):
		return duration.HumanDuration(t.Sub(now))
	}
	return "expired"
}

func at(tn *v1alpha1.TemporaryNamespace, t *metav1.Time) string {
	switch {
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		return never
	case t == nil:
		return unknown
	}
	return t.UTC().Format(time.RFC3339)
}

// most is the latest time that an extension can reach, or how far from now.
func most(tn *v1alpha1.TemporaryNamespace) string {
	if s := tn.Status.MaximumTTLSeconds; s != nil {
		return "now+" + duration.HumanDuration(time.Duration(*s)*time.Second)
	}
	return at(tn, tn.Status.MaximumExpirationTimestamp)
}
