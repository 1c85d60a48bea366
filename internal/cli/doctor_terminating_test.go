// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// TestReportTerminating verifies that doctor names what blocks a deletion, and calls it
// failed only after the time that a deletion normally takes: a pipeline that runs doctor
// right after delete must not break.
func TestReportTerminating(t *testing.T) {
	forbidden := apierrors.NewForbidden(corev1.Resource("pods"), "", errors.New("no"))
	deleted := metav1.Now()
	pod := func(name, node string, finalizers ...string) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: finalizers, DeletionTimestamp: &deleted},
			Spec: corev1.PodSpec{NodeName: node}}
	}
	for name, c := range map[string]struct {
		since      time.Duration
		conditions map[string]string
		pods       []corev1.Pod
		err        error
		result     string
		message    string
		advice     string
	}{
		"just begun": {12 * time.Second, nil, nil, nil, okResult, "being deleted for 12s; check again in a minute", ""},
		"slow": {2 * time.Minute, map[string]string{
			contentRemains: "Some resources are remaining: pods. has 2 resource instances",
		}, nil, nil, failResult, "being deleted for 2m; remaining: pods. has 2 resource instances (for 2m)",
			"pods end within"},
		"slow, no reason": {2 * time.Minute, nil, nil, nil, warnResult, "being deleted for 2m; the cluster reports no reason",
			"check that kube-controller-manager"},
		"finalizers, early": {12 * time.Second, map[string]string{
			finalizersRemain: "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
		}, nil, nil, warnResult, "blocked by finalizers: example.com/hold (1 objects)", "check that the controllers run"},
		"finalizers": {2 * time.Minute, map[string]string{
			finalizersRemain: "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
		}, nil, nil, failResult, "blocked by finalizers: example.com/hold (1 objects) (for 2m)",
			"check that the controllers run"},
		"an API without a server": {12 * time.Second, map[string]string{
			discoveryFailure: "unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale",
		}, nil, nil, failResult, "an API of the cluster does not respond", "kubectl get apiservice v1beta1.metrics.k8s.io;"},
		"a webhook": {12 * time.Second, map[string]string{contentFailure: `failed calling webhook "x.example.com": refused`},
			nil, nil, failResult, "an object in the namespace cannot be deleted: ", `webhook "x.example.com" rejects`},
		"a pod with a finalizer": {2 * time.Minute, nil, []corev1.Pod{pod("a", "n"), pod("b", "", "x.test/x")}, nil,
			failResult,
			"pods remain: b (finalizer x.test/x), a (node n) (for 2m)", "check that the controllers run"},
		"a pod on a node": {2 * time.Minute, map[string]string{contentRemains: "x: pods. has 1 resource instances"},
			[]corev1.Pod{pod("a", "n1")}, nil, failResult, "pods remain: a (node n1) (for 2m)", "kubectl get node n1"},
		"many pods": {2 * time.Minute, nil, []corev1.Pod{pod("a", ""), pod("b", ""), pod("c", ""), pod("d", ""), pod("e", ""),
			pod("f", ""), pod("g", "")}, nil, failResult, "pods remain: a, b, c, d, e, and 2 more (for 2m)", "grace period"},
		"the access was revoked": {20 * time.Minute, map[string]string{v1alpha1.ConditionAccessRevoked: ""}, nil, forbidden,
			failResult, "being deleted for 20m; it was taking too long, so all access was revoked",
			"ask an administrator to run: kubectl tenama doctor tmp-a"},
		"the access was revoked, an administrator asks": {20 * time.Minute,
			map[string]string{v1alpha1.ConditionAccessRevoked: ""}, []corev1.Pod{pod("b", "", "x.test/x")}, nil, failResult,
			"pods remain: b (finalizer x.test/x)", "check that the controllers run"},
		"pods may not be listed": {2 * time.Minute, nil, nil, forbidden, warnResult, "being deleted for 2m; you may not list",
			"ask an administrator to run: kubectl tenama doctor tmp-a"},
		"the request for pods fails": {2 * time.Minute, nil, nil, errors.New("no answer"), warnResult,
			"being deleted for 2m; its pods cannot be listed: no answer", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFactory(genericiooptions.NewTestIOStreamsDiscard())
				o := &doctorOptions{factory: f}
				tn := temporary("tmp-a", v1alpha1.TemporaryNamespaceSpec{}, v1alpha1.TemporaryNamespaceStatus{})
				tn.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(-c.since)}
				for kind, message := range c.conditions {
					tn.Status.Conditions = append(tn.Status.Conditions, metav1.Condition{Type: kind, Message: message,
						Status: metav1.ConditionTrue})
				}
				o.reportTerminating(tn, time.Now(), func() ([]corev1.Pod, error) { return c.pods, c.err })
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
