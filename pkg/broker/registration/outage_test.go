// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"testing"
	"time"
)

// An APIService that is available every few seconds, because one of several kube-apiservers
// reaches the broker, blocks deletions at the others: the times add up. A restart of the
// broker now and then must not.
func TestOutage(t *testing.T) {
	type step struct {
		pass time.Duration
		down bool
		want time.Duration
	}
	for name, steps := range map[string][]step{
		"down all the time":  {{0, true, 0}, {15 * time.Second, true, 15 * time.Second}},
		"available at first": {{0, false, 0}, {time.Hour, true, 0}, {3 * time.Second, true, 3 * time.Second}},
		"up and down": {
			{0, true, 0},
			{4 * time.Second, false, 4 * time.Second},
			{3 * time.Second, true, 4 * time.Second},
			{4 * time.Second, false, 8 * time.Second},
			{30 * time.Second, true, 8 * time.Second},
			{7 * time.Second, true, 15 * time.Second},
		},
		"a restart each hour": {
			{0, true, 0},
			{10 * time.Second, false, 10 * time.Second},
			{time.Hour, true, 0},
			{10 * time.Second, true, 10 * time.Second},
		},
		"seen while it works": {
			{0, true, 0},
			{10 * time.Second, false, 10 * time.Second},
			{time.Minute, false, 0},
			{time.Second, true, 0},
		},
	} {
		var o outage
		now := time.Now()
		for i, s := range steps {
			now = now.Add(s.pass)
			if got := o.observe(s.down, now); got != s.want {
				t.Errorf("%s: step %d: %s, want %s", name, i, got, s.want)
			}
		}
	}
}
