// SPDX-License-Identifier: Apache-2.0

package containment

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func forbiddenBy(why string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "x", errors.New(why))
}

// ending returns the error of kube-apiserver for a create in a terminating namespace.
func ending() error {
	err := apierrors.NewForbidden(schema.GroupResource{Resource: "resourcequotas"}, "x",
		errors.New("unable to create new content in namespace tmp-other because it is being terminated"))
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	return err
}

// A wrong judgement of a probe would make the broker believe that it is contained,
// or cause a needless outage.
func TestJudge(t *testing.T) {
	a := probe{action: "do harm", policy: policyBroker, namesSet: true}
	p := &Prover{Namespace: "tenama-system", ServiceAccount: "tenama-broker"}
	for name, c := range map[string]struct {
		err    error
		held   bool
		breach bool
		want   string // substring of the error; empty: no error
	}{
		"it succeeded": {nil, false, true,
			`it could do harm: ValidatingAdmissionPolicy "tenama-broker" is missing`},
		"denied by the policy": {
			forbiddenBy("ValidatingAdmissionPolicy 'tenama-broker' with binding 'tenama-broker' denied request: " + Set +
				": no"), true, false, ""},
		"denied by the policy's file": {
			forbiddenBy("ValidatingAdmissionPolicy 'tenama-broker.static.k8s.io' with binding 'x' denied request: " + Set +
				": no"), true, false, ""},
		"denied by one of another set": {
			forbiddenBy(
				"ValidatingAdmissionPolicy 'tenama-broker' with binding 'tenama-broker' denied request: policy set 0: no"), false,
			true, "is not of " + Set},
		"denied by one of several sets": {
			forbiddenBy("ValidatingAdmissionPolicy 'tenama-broker' with binding 'x' denied request: policy set 0, " + Set +
				", policy set 99: no"), true, false, ""},
		"denied by one of a set with a longer number": {
			forbiddenBy("ValidatingAdmissionPolicy 'tenama-broker' with binding 'x' denied request: " + Set + "0: no"), false,
			true, "is not of " + Set},
		"denied by one that mentions the set elsewhere": {
			forbiddenBy("ValidatingAdmissionPolicy 'tenama-broker' with binding 'x' denied request: no: " + Set + ": no"), false,
			true, "is not of " + Set},
		"denied by another of ours": {
			forbiddenBy("ValidatingAdmissionPolicy 'tenama-namespaces' with binding 'x' denied request: no"), false, true,
			`"tenama-broker" is missing`},
		"denied by a foreign policy": {
			forbiddenBy("ValidatingAdmissionPolicy 'no-x' with binding 'x' denied request: no"), false, false, "proves nothing"},
		"denied by a foreign webhook": {forbiddenBy(`admission webhook "x.test" denied the request: no`), false,
			false, "proves nothing"},
		"denied by RBAC": {forbiddenBy(`User "system:serviceaccount:tenama-system:tenama-broker" cannot create resource ` +
			`"namespaces" in API group "" at the cluster scope`), false, false, ""},
		"denied by a policy with a name like ours": {
			forbiddenBy("ValidatingAdmissionPolicy 'tenama-broker2' with binding 'x' denied request: " +
				Set), false, false, "proves nothing"},
		"denied by a policy without a reason": {apierrors.NewInvalid(schema.GroupKind{}, "x", nil), false, false,
			"attempt to"},
		"a webhook that says cannot": {forbiddenBy(
			`admission webhook "x.test" denied the request: you cannot create resource x`), false, false, "proves nothing"},
		"its place is gone": {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "tmp-other"), false,
			false, ""},
		"its place is ending": {ending(), false, false, ""},
		"no answer": {apierrors.NewServerTimeout(schema.GroupResource{}, "create", 1), false, false,
			"attempt to"},
		"something else is wrong": {apierrors.NewBadRequest("x"), false, false, "attempt to"},
	} {
		t.Run(name, func(t *testing.T) {
			held, err := p.judge(a, c.err)
			var b *breach
			if held != c.held || errors.As(err, &b) != c.breach || (err == nil) != (c.want == "") ||
				err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got held %t, %v, want held %t, breach %t, %q", held, err, c.held, c.breach, c.want)
			}
		})
	}
}

// An inconclusive round is no breach, but a proof expires.
func TestProofsAge(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hiccup, hole := errors.New("no answer"), &breach{"it could"}
	s := &state{err: errUnproven}
	for i, step := range []struct {
		at        time.Duration
		err       error
		contained bool
		result    string
		say       string
	}{
		{0, hiccup, false, Inconclusive, "not proven yet: no answer"},
		{time.Second, nil, true, Held, ""},
		{2 * time.Minute, hiccup, true, Inconclusive, ""},
		{6 * time.Minute, hiccup, true, Inconclusive, ""},
		{7 * time.Minute, hiccup, false, Inconclusive, "not proven since 2026-01-01T00:00:01Z: no answer"},
		{8 * time.Minute, hiccup, false, Inconclusive, "not proven since"},
		{9 * time.Minute, nil, true, Held, ""},
		{10 * time.Minute, hole, false, Broken, "it could"},
		{11 * time.Minute, hiccup, false, Inconclusive, "it could"},
		{12 * time.Minute, nil, true, Held, ""},
	} {
		var result string
		s, result = s.after(step.err, begun.Add(step.at), 2*time.Minute)
		if result != step.result || (s.err == nil) != step.contained ||
			s.err != nil && !strings.Contains(s.err.Error(), step.say) {
			t.Errorf("step %d: got %s, %v, want %s, contained %t, %q", i, result, s.err, step.result, step.contained, step.say)
		}
	}
}
