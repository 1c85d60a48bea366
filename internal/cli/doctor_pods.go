// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
)

// reportRemaining reports why a deletion takes long although no condition says so: since
// version 1.33 Kubernetes sets none while pods remain. pods and err are the answer to
// the user's own request for them.
func (o *doctorOptions) reportRemaining(
	tn *v1alpha1.TemporaryNamespace, since time.Duration, pods []corev1.Pod, err error,
) {
	took := fmt.Sprintf("being deleted for %s", term.FormatDuration(since))
	revoked := meta.IsStatusConditionTrue(tn.Status.Conditions, v1alpha1.ConditionAccessRevoked)
	switch {
	case len(pods) > 0:
		problem, advice := describePods(pods)
		o.reportBlocked(tn.Name, since, problem, advice)
	case apierrors.IsForbidden(err) && revoked:
		o.fail(tn.Name, took+"; it was taking too long, so all access was revoked; pods or other objects remain",
			"ask an administrator to run: kubectl tenama doctor "+tn.Name)
	case remaining(tn) != "":
		o.reportBlocked(tn.Name, since, took+"; remaining: "+remaining(tn),
			"pods end within their grace period; other objects wait for their controllers")
	case apierrors.IsForbidden(err):
		o.warn(tn.Name, took+"; you may not list its pods, and the cluster reports no other reason",
			"ask an administrator to run: kubectl tenama doctor "+tn.Name)
	case err != nil:
		o.warn(tn.Name, took+"; its pods cannot be listed: "+serverMessage(err), "")
	default:
		o.warn(tn.Name, took+"; the cluster reports no reason",
			"ask an administrator to check that kube-controller-manager is running")
	}
}

// maxPodsShown is how many pods a finding names.
const maxPodsShown = 5

// describePods returns what is known of the pods that a deletion waits for, and how to
// resolve it. Pods with finalizers come first: they do not end by themselves.
func describePods(pods []corev1.Pod) (problem, advice string) {
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Compare(len(b.Finalizers), len(a.Finalizers))
	})
	advice = "pods end within their grace period"
	var names []string
	for _, p := range pods {
		name := p.Name
		switch {
		case len(p.Finalizers) > 0:
			name += fmt.Sprintf(" (finalizer %s)", strings.Join(p.Finalizers, ", "))
		case p.Spec.NodeName != "":
			name += fmt.Sprintf(" (node %s)", p.Spec.NodeName)
		}
		names = append(names, name)
	}
	for _, p := range pods {
		if len(p.Finalizers) == 0 && p.DeletionTimestamp != nil && p.Spec.NodeName != "" {
			advice = fmt.Sprintf("%s; if one does not, check its node: kubectl get node %s", advice, p.Spec.NodeName)
			break
		}
	}
	if len(pods[0].Finalizers) > 0 {
		advice = "check that the controllers run that remove these finalizers; " +
			"removing a finalizer by hand leaves resources behind"
	}
	if more := len(names) - maxPodsShown; more > 0 {
		names = append(names[:maxPodsShown], fmt.Sprintf("and %d more", more))
	}
	return "pods remain: " + strings.Join(names, ", "), advice
}
