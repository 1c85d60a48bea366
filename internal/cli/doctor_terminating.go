// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// patience is how long the deletion of a namespace may normally take.
const patience = 60 * time.Second

// Conditions with which the Kubernetes namespace controller reports why a namespace is
// not gone (k8s.io/api/core/v1, NamespaceConditionType); the broker passes them on.
const (
	discoveryFailure   = "NamespaceDeletionDiscoveryFailure"
	versionFailure     = "NamespaceDeletionGroupVersionParsingFailure"
	contentFailure     = "NamespaceDeletionContentFailure"
	contentRemains     = "NamespaceContentRemaining"
	finalizersRemain   = "NamespaceFinalizersRemaining"
	waitsForController = "it waits for their controllers, which remove the finalizers when they are done"
)

var (
	webhookName = regexp.MustCompile(`webhook "([^"]+)"`)
	finalizer   = regexp.MustCompile(`\b(\S+) in (\d+) resource instances`)
	unavailable = regexp.MustCompile(`([a-z0-9.-]+/v[0-9][a-z0-9]*): `)
)

// stuck reports what blocks the deletion of a namespace and how to resolve it. It never
// advises force: removing a finalizer by hand leaves behind the resources that it was
// to clean up.
func (o *doctorOptions) stuck(tn *v1alpha1.TemporaryNamespace, c *client.Client) {
	since := c.Now().Sub(tn.DeletionTimestamp.Time)
	found := false
	for _, cond := range tn.Status.Conditions {
		message := strings.TrimSpace(cond.Message)
		switch cond.Type {
		case discoveryFailure, versionFailure:
			found = true
			what := "an API of the cluster does not answer, so nobody can tell what is left in the namespace: " + message
			advice := "an administrator sees which with: kubectl get apiservices; its server must run again, or the APIService go"
			if m := unavailable.FindStringSubmatch(message); m != nil {
				group, version, _ := strings.Cut(m[1], "/")
				advice = fmt.Sprintf("an administrator sees why with: kubectl get apiservice %s.%s; its server must run again, or the APIService go", version, group)
			}
			o.bad(tn.Name, what, advice)
		case contentFailure:
			found = true
			advice := "an administrator finds the reason in the log of kube-controller-manager"
			if m := webhookName.FindStringSubmatch(message); m != nil {
				advice = fmt.Sprintf("webhook %q refuses or does not answer; an administrator finds it with: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml", m[1])
			}
			o.bad(tn.Name, "something in it cannot be deleted: "+message, advice)
		case finalizersRemain:
			found = true
			var names []string
			for _, m := range finalizer.FindAllStringSubmatch(message, -1) {
				names = append(names, fmt.Sprintf("%s (%s objects)", m[1], m[2]))
			}
			what := "finalizers hold it: " + strings.Join(names, ", ")
			if len(names) == 0 {
				what = message
			}
			if left := remaining(tn); left != "" {
				what += "; left in it: " + left
			}
			advice := waitsForController + ": see to it that these run. To remove a finalizer by hand leaves behind what it was there for"
			o.judge(tn.Name, since, what, advice)
		}
	}
	switch {
	case found:
	case since < patience:
		o.ok(tn.Name, fmt.Sprintf("it is being deleted, for %s now: too early to tell; if it is still there in a minute, ask again", human(since)))
	case remaining(tn) != "":
		o.judge(tn.Name, since, fmt.Sprintf("it is being deleted, for %s now; left in it: %s", human(since), remaining(tn)), "pods have their grace period to end in; what is left after that needs its controller")
	default:
		o.warn(tn.Name, fmt.Sprintf("it is being deleted, for %s now, and nothing says why", human(since)), "an administrator looks at kube-controller-manager: does it run?")
	}
}

// goes reports whether the deletion of a namespace is within patience and no condition
// blocks it.
func (o *doctorOptions) goes(tn *v1alpha1.TemporaryNamespace, c *client.Client) bool {
	for _, cond := range tn.Status.Conditions {
		switch cond.Type {
		case discoveryFailure, versionFailure, contentFailure, finalizersRemain:
			return false
		}
	}
	return c.Now().Sub(tn.DeletionTimestamp.Time) < patience
}

// judge reports a slow deletion as a warning, and a stuck one as a failure.
func (o *doctorOptions) judge(name string, since time.Duration, what, advice string) {
	if since < patience {
		o.warn(name, what, advice)
		return
	}
	o.bad(name, fmt.Sprintf("%s (for %s now)", what, human(since)), advice)
}

// remaining returns the remaining contents of a namespace, as its controller reports them.
func remaining(tn *v1alpha1.TemporaryNamespace) string {
	for _, cond := range tn.Status.Conditions {
		if cond.Type == contentRemains {
			_, what, ok := strings.Cut(cond.Message, ": ")
			if !ok {
				return cond.Message
			}
			return what
		}
	}
	return ""
}
