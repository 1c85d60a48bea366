// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// TestReportTerminating verifies that doctor names what blocks a deletion, and calls it
// failed only after the time that a deletion normally takes: a pipeline that runs doctor
// right after delete must not break.
func TestReportTerminating(t *testing.T) {
	for name, c := range map[string]struct {
		since      time.Duration
		conditions map[string]string
		result     string
		message    string
		advice     string
	}{
		"just begun": {12 * time.Second, nil, okResult, "being deleted for 12s; check again in a minute", ""},
		"slow": {2 * time.Minute, map[string]string{
			contentRemains: "Some resources are remaining: pods. has 2 resource instances",
		}, failResult, "being deleted for 2m; remaining: pods. has 2 resource instances (for 2m)", "pods end within"},
		"slow, no reason": {2 * time.Minute, nil, warnResult, "being deleted for 2m; the cluster reports no reason",
			"check that kube-controller-manager"},
		"finalizers, early": {12 * time.Second, map[string]string{
			finalizersRemain: "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
		}, warnResult, "blocked by finalizers: example.com/hold (1 objects)", "check that the controllers run"},
		"finalizers": {2 * time.Minute, map[string]string{
			finalizersRemain: "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
		}, failResult, "blocked by finalizers: example.com/hold (1 objects) (for 2m)", "check that the controllers run"},
		"an API without a server": {12 * time.Second, map[string]string{
			discoveryFailure: "unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale",
		}, failResult, "an API of the cluster does not respond", "kubectl get apiservice v1beta1.metrics.k8s.io;"},
		"a webhook": {12 * time.Second, map[string]string{contentFailure: `failed calling webhook "x.example.com": refused`},
			failResult, "an object in the namespace cannot be deleted: ", `webhook "x.example.com" rejects`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFactory(genericiooptions.NewTestIOStreamsDiscard())
				o := &doctorOptions{factory: f}
				tn := temporary("tmp-a", v1alpha1.TemporaryNamespaceSpec{}, v1alpha1.TemporaryNamespaceStatus{})
				tn.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(-c.since)}
				for kind, message := range c.conditions {
					tn.Status.Conditions = append(tn.Status.Conditions, metav1.Condition{Type: kind, Message: message})
				}
				o.reportTerminating(tn, &client.Client{})
				if len(o.findings) != 1 {
					t.Fatalf("got %+v, want one finding", o.findings)
				}
				got := o.findings[0]
				if got.Result != c.result || !strings.HasPrefix(got.Message, c.message) || !strings.Contains(got.Advice, c.advice) {
					t.Errorf("got %+v, want %s, %q, %q", got, c.result, c.message, c.advice)
				}
				blocked := c.conditions[finalizersRemain]+c.conditions[discoveryFailure]+c.conditions[contentFailure] != ""
				if want := !blocked && c.since < normalDeletionTime; o.isProgressing(tn, &client.Client{}) != want {
					t.Errorf("is progressing: %v, want %v", !want, want)
				}
			})
		})
	}
}
