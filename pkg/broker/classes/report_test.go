// SPDX-License-Identifier: Apache-2.0

package classes

import (
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

// Replicas that judge a class differently must not overwrite each other's status all the
// time, and a status must not stay outdated when its reporter is gone.
func TestAwaitReporter(t *testing.T) {
	type status = policyv1alpha1.NamespaceClassStatus
	for name, c := range map[string]struct {
		status status
		want   time.Duration
	}{
		"a new class":                   {status{}, 0},
		"its own status":                {status{Reporter: "a", ObservedGeneration: 2}, 0},
		"its own, of before a change":   {status{Reporter: "a", ObservedGeneration: 1}, 0},
		"another's, of before a change": {status{Reporter: "b", ObservedGeneration: 1}, 3 * time.Second},
		"another's opinion":             {status{Reporter: "b", ObservedGeneration: 2}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Store{replica: "a", outdated: map[types.UID]time.Time{}}
				for waited := time.Duration(0); ; {
					left := s.awaitReporter("u", 2, c.status)
					if left > 0 {
						waited += left
						time.Sleep(left)
						continue
					}
					if waited != c.want {
						t.Errorf("waited %s, want %s", waited, c.want)
					}
					return
				}
			})
		})
	}
}
