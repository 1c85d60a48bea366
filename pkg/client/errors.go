// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// IsGone reports whether err means that a temporary namespace does not exist (or
// belongs to another owner). A path that the server does not know, because no broker is
// registered at the moment, is NotFound as well, but says nothing about the namespace.
func IsGone(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	d := status.Status().Details
	return d != nil && d.Group == v1alpha1.GroupVersion.Group && d.Name != "" && len(d.Causes) == 0
}

// IsNotServed reports whether err means that the cluster does not serve the API: tenama
// is not installed, or its broker has been stopped.
func IsNotServed(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) || IsGone(err) {
		return false
	}
	d := status.Status().Details
	return d == nil || d.Group == v1alpha1.GroupVersion.Group || d.Kind == "" || len(d.Causes) > 0
}

// IsOverBudget returns the name of the exhausted budget that err reports, or "" for any
// other error. wait is false if waiting does not help because an administrator has to
// act.
func IsOverBudget(err error) (budget string, wait bool) {
	if status := cause(err, v1alpha1.CauseBudgetExceeded); status != nil {
		return status.Details.Causes[0].Field, true
	}
	if status := cause(err, v1alpha1.CauseBudgetImpossible); status != nil {
		return status.Details.Causes[0].Field, false
	}
	return "", false
}

// OwnNamespaces returns the names of namespaces of the caller that take up the budget
// that err reports as exhausted, and that are not being deleted.
func OwnNamespaces(err error) []string {
	var names []string
	if status := cause(err, v1alpha1.CauseBudgetExceeded); status != nil {
		for _, c := range status.Details.Causes {
			if c.Type == v1alpha1.CauseOwnNamespace {
				names = append(names, c.Field)
			}
		}
	}
	return names
}

func cause(err error, causeType metav1.CauseType) *metav1.Status {
	var api apierrors.APIStatus
	if !errors.As(err, &api) {
		return nil
	}
	s := api.Status()
	if s.Details == nil || len(s.Details.Causes) == 0 || s.Details.Causes[0].Type != causeType {
		return nil
	}
	return &s
}
