// SPDX-License-Identifier: Apache-2.0

package classes

import (
	"context"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

// answer is a Trier with one answer.
type answer struct {
	accepted bool
	err      error
}

func (a answer) SampleNamespace() string { return "tmp-a" }

func (a answer) Try(context.Context, string, []runtime.Object) (bool, error) {
	return a.accepted, a.err
}

// Replicas must agree about a class that kube-apiserver rejects, also one that has not
// tried it itself, or was restarted; and a rejection must end when it is outdated.
func TestRejection(t *testing.T) {
	no, none := errors.New("no such port"), policyv1alpha1.NamespaceClassStatus{}
	status := func(reason string, generation int64) policyv1alpha1.NamespaceClassStatus {
		return policyv1alpha1.NamespaceClassStatus{Conditions: []metav1.Condition{{Type: policyv1alpha1.ConditionReady,
			Status: metav1.ConditionFalse, Reason: reason, Message: "of another replica", ObservedGeneration: generation}}}
	}
	rejected := policyv1alpha1.ReasonRejectedObject
	for name, c := range map[string]struct {
		tries  []answer
		status policyv1alpha1.NamespaceClassStatus
		want   string
	}{
		"not tried":                        {nil, none, ""},
		"rejected":                         {[]answer{{false, no}}, none, "no such port"},
		"accepted":                         {[]answer{{true, nil}}, none, ""},
		"accepted later":                   {[]answer{{false, no}, {true, nil}}, none, ""},
		"rejected, then no answer":         {[]answer{{false, no}, {false, nil}}, none, "no such port"},
		"another replica knows":            {nil, status(rejected, 2), "of another replica"},
		"another replica knows, no answer": {[]answer{{false, nil}}, status(rejected, 2), "of another replica"},
		"another replica is wrong":         {[]answer{{true, nil}}, status(rejected, 2), ""},
		"before the class was corrected":   {nil, status(rejected, 1), ""},
		"another reason":                   {nil, status(policyv1alpha1.ReasonRoleNotBindable, 2), ""},
	} {
		t.Run(name, func(t *testing.T) {
			class := &policyv1alpha1.NamespaceClass{ObjectMeta: metav1.ObjectMeta{UID: "u", Generation: 2}, Status: c.status}
			s := &Store{prefixes: []string{"tmp-"}, checked: map[types.UID]check{}}
			for _, a := range c.tries {
				s.trier = a
				if err := s.try(t.Context(), class, a.SampleNamespace()); !errors.Is(err, a.err) {
					t.Errorf("try: got %v, want %v", err, a.err)
				}
			}
			if got := s.rejection(class); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// An object may be invalid for one user only, whose name is no label for example. That
// must not disable the class for all others.
func TestRefuse(t *testing.T) {
	one, all := errors.New("of this request"), errors.New("of the defaults")
	for name, c := range map[string]struct {
		defaults answer
		want     string
		rejected string
	}{
		"the defaults are rejected, too": {answer{false, all}, "cannot be used: of the defaults", "of the defaults"},
		"the defaults are accepted":      {answer{true, nil}, "by this owner: of this request", ""},
		"no answer about the defaults":   {answer{false, nil}, "by this owner: of this request", ""},
	} {
		class := &policyv1alpha1.NamespaceClass{ObjectMeta: metav1.ObjectMeta{Name: "c", UID: "u", Generation: 1}}
		s := &Store{prefixes: []string{"tmp-"}, checked: map[types.UID]check{}, trier: c.defaults,
			wake: make(chan struct{}, 1)}
		if err := s.Refuse(t.Context(), class, "tmp-b", one); !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if got := s.rejection(class); got != c.rejected {
			t.Errorf("%s: the class is rejected with %q, want %q", name, got, c.rejected)
		}
	}
}
