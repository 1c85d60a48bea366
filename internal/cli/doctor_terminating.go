// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// normalDeletionTime is how long the deletion of a namespace may normally take.
const normalDeletionTime = 60 * time.Second

// Conditions with which the Kubernetes namespace controller reports why a namespace is
// not gone (k8s.io/api/core/v1, NamespaceConditionType); the broker passes them on.
const (
	discoveryFailure = "NamespaceDeletionDiscoveryFailure"
	versionFailure   = "NamespaceDeletionGroupVersionParsingFailure"
	contentFailure   = "NamespaceDeletionContentFailure"
	contentRemains   = "NamespaceContentRemaining"
	finalizersRemain = "NamespaceFinalizersRemaining"
)

var (
	webhookName = regexp.MustCompile(`webhook "([^"]+)"`)
	finalizer   = regexp.MustCompile(`\b(\S+) in (\d+) resource instances`)
	unavailable = regexp.MustCompile(`([a-z0-9.-]+/v[0-9][a-z0-9]*): `)
)

// reportTerminating reports what blocks the deletion of a namespace and how to resolve it. It never
// advises force: removing a finalizer by hand leaves behind the resources that it was
// to clean up. pods requests the pods of the namespace, with the user's permissions.
func (o *doctorOptions) reportTerminating(
	tn *v1alpha1.TemporaryNamespace, now time.Time, pods func() ([]corev1.Pod, error),
) {
	since := now.Sub(tn.DeletionTimestamp.Time)
	found := false
	for _, cond := range tn.Status.Conditions {
		message := strings.TrimSpace(cond.Message)
		switch cond.Type {
		case discoveryFailure, versionFailure:
			found = true
			problem := "an API of the cluster does not respond, so the remaining content of the namespace is unknown: " + message
			advice := "ask an administrator to check: kubectl get apiservices; " +
				"the server of the API must run, or its APIService must be removed"
			if m := unavailable.FindStringSubmatch(message); m != nil {
				group, version, _ := strings.Cut(m[1], "/")
				advice = fmt.Sprintf("ask an administrator to check: kubectl get apiservice %s.%s; "+
					"the server of the API must run, or the APIService must be removed", version, group)
			}
			o.fail(tn.Name, problem, advice)
		case contentFailure:
			found = true
			advice := "ask an administrator to check the log of kube-controller-manager"
			if m := webhookName.FindStringSubmatch(message); m != nil {
				advice = fmt.Sprintf("webhook %q rejects the deletion or does not respond; ask an administrator to check: "+
					"kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml", m[1])
			}
			o.fail(tn.Name, "an object in the namespace cannot be deleted: "+message, advice)
		case finalizersRemain:
			found = true
			var names []string
			for _, m := range finalizer.FindAllStringSubmatch(message, -1) {
				names = append(names, fmt.Sprintf("%s (%s objects)", m[1], m[2]))
			}
			problem := "blocked by finalizers: " + strings.Join(names, ", ")
			if len(names) == 0 {
				problem = message
			}
			if left := remaining(tn); left != "" {
				problem += "; remaining: " + left
			}
			advice := "check that the controllers run that remove these finalizers; " +
				"removing a finalizer by hand leaves resources behind"
			o.reportBlocked(tn.Name, since, problem, advice)
		}
	}
	switch {
	case found:
	case since < normalDeletionTime:
		o.ok(tn.Name,
			fmt.Sprintf("being deleted for %s; check again in a minute if it still exists", term.FormatDuration(since)))
	default:
		left, err := pods()
		o.reportRemaining(tn, since, left, err)
	}
}

// isProgressing reports whether the deletion of a namespace takes no longer than normal and no
// condition blocks it.
func (o *doctorOptions) isProgressing(tn *v1alpha1.TemporaryNamespace, c *client.Client) bool {
	for _, cond := range tn.Status.Conditions {
		switch cond.Type {
		case discoveryFailure, versionFailure, contentFailure, finalizersRemain:
			return false
		}
	}
	return c.Now().Sub(tn.DeletionTimestamp.Time) < normalDeletionTime
}

// reportBlocked reports a slow deletion as a warning, and a stuck one as a failure.
func (o *doctorOptions) reportBlocked(name string, since time.Duration, problem, advice string) {
	if since < normalDeletionTime {
		o.warn(name, problem, advice)
		return
	}
	o.fail(name, fmt.Sprintf("%s (for %s)", problem, term.FormatDuration(since)), advice)
}

// remaining returns the remaining contents of a namespace, as its controller reports them.
func remaining(tn *v1alpha1.TemporaryNamespace) string {
	for _, cond := range tn.Status.Conditions {
		if cond.Type == contentRemains {
			_, content, ok := strings.Cut(cond.Message, ": ")
			if !ok {
				return cond.Message
			}
			return content
		}
	}
	return ""
}
