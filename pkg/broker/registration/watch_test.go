// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"testing"
	"time"

	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// A broker that serves but cannot be reached must not fight the guard: the deletion of
// namespaces would stay blocked between two deletions of the APIService.
func TestPatience(t *testing.T) {
	state := func(available apiregistrationv1.ConditionStatus) *apiregistrationv1.APIService {
		return &apiregistrationv1.APIService{Status: apiregistrationv1.APIServiceStatus{
			Conditions: []apiregistrationv1.APIServiceCondition{{Type: apiregistrationv1.Available, Status: available}}}}
	}
	fresh, works, fails := &apiregistrationv1.APIService{}, state(apiregistrationv1.ConditionTrue),
		state(apiregistrationv1.ConditionFalse)
	now := time.Now()
	var p backoff
	for i, step := range []struct {
		pass time.Duration
		is   *apiregistrationv1.APIService // nil: it does not exist
		want time.Duration
	}{
		{0, nil, 0}, // at the start: create it
		{0, fresh, 0},
		{0, works, 0},
		{0, nil, 0}, // a user deleted it although it worked: recreate it
		{0, fails, 0},
		{15 * time.Second, nil, 5 * time.Second},
		{3 * time.Second, nil, 2 * time.Second},
		{2 * time.Second, nil, 0},
		{0, fresh, 0},
		{0, fails, 0},
		{15 * time.Second, nil, 10 * time.Second},
		{10 * time.Second, fails, 0},
		{0, nil, 20 * time.Second},
		{20 * time.Second, works, 0},
		{10 * time.Second, fails, 0},
		{0, nil, 40 * time.Second}, // it worked for a moment only
		{40 * time.Second, works, 0},
		{time.Minute, fails, 0},
		{0, nil, 5 * time.Second}, // it had worked: start from the shortest pause
	} {
		now = now.Add(step.pass)
		if got := p.delay(step.is, now); got != step.want {
			t.Errorf("step %d: wait %s, want %s", i, got, step.want)
		}
	}
}
