// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// The proof must count a namespace that was admitted although there was no room, and must
// not count one that waited until there was.
func TestAccount(t *testing.T) {
	added := func(uid string) moment { return moment{uid: types.UID(uid), cores: 4, kind: watch.Added} }
	ready := func(uid string) moment {
		return moment{uid: types.UID(uid), cores: 4, kind: watch.Modified, ready: true}
	}
	gone := func(uid string) moment {
		return moment{uid: types.UID(uid), cores: 4, kind: watch.Deleted, ready: true}
	}
	var full []moment // 24 of 25
	for _, uid := range []string{"a", "b", "c", "d", "e", "f"} {
		full = append(full, added(uid), ready(uid))
	}
	for name, c := range map[string]struct {
		then []moment
		most int
		let  int
	}{
		"rejected":                          {[]moment{added("x"), gone("x")}, 24, 6},
		"admitted after another one's end":  {[]moment{gone("a"), added("x"), ready("x")}, 24, 7},
		"waited for another one's end":      {[]moment{added("x"), gone("a"), ready("x")}, 24, 7},
		"admitted without room":             {[]moment{added("x"), ready("x")}, 28, 7},
		"admitted without room, then freed": {[]moment{added("x"), ready("x"), gone("a")}, 28, 7},
		"waited, and another one came first": {[]moment{added("x"), gone("a"), added("y"), ready("y"), ready("x")},
			28, 8},
	} {
		o := &order{events: append(full[:len(full):len(full)], c.then...), ready: map[types.UID]bool{}}
		for _, e := range o.events {
			if e.ready && e.kind == watch.Modified {
				o.ready[e.uid] = true
			}
		}
		if most, let, _, _, _, _ := o.account(); most != c.most || let != c.let {
			t.Errorf("%s: %d cores, %d admitted, want %d and %d", name, most, let, c.most, c.let)
		}
	}
}
