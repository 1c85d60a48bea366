// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "time"

// NextNotice returns when the first notice after a time is due, and how long before the expiry
// that is; zero if there is none. A notice for which the whole lifetime, from created to at,
// is too short is none.
func NextNotice(created, at, after time.Time, notices []time.Duration) (due time.Time, before time.Duration) {
	if at.IsZero() {
		return time.Time{}, 0
	}
	for _, n := range notices {
		t := at.Add(-n)
		if t.After(after) && t.After(created) && (due.IsZero() || t.Before(due)) {
			due, before = t, n
		}
	}
	return due, before
}
