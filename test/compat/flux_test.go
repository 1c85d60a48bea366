// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/pkg/ssa"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tenama.dev/tenama/test/testenv"
)

var noPatchOptions metav1.PatchOptions

func flux(t *testing.T, user string) *ssa.ResourceManager {
	t.Helper()
	c := controllers(t, user)
	return ssa.NewResourceManager(c, polling.NewStatusPoller(c, c.RESTMapper(), polling.Options{}),
		ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"})
}

// Repeated applies by Flux must not change an object, even if a user extended it in
// between; changes in Git must be applied, and pruned objects must be deleted.
func TestFlux(t *testing.T) {
	ctx := t.Context()
	for what, try := range map[string]struct {
		user    string
		objects func() []*unstructured.Unstructured
		change  func(*unstructured.Unstructured)
		between func()
	}{
		"a namespace": {
			"alice", func() []*unstructured.Unstructured {
				return []*unstructured.Unstructured{declared(t, "tmp-flux", 3600)}
			},
			func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{"team": "b"}) },
			func() { extend(t, "alice", "tmp-flux") },
		},
		"a class": {
			"admin", func() []*unstructured.Unstructured { return []*unstructured.Unstructured{class(t, "flux")} },
			func(u *unstructured.Unstructured) {
				_ = unstructured.SetNestedField(u.Object, int64(7200), "spec", "lifetime", "defaultTTLSeconds")
			},
			func() { time.Sleep(time.Second) }, // the broker writes its status
		},
	} {
		t.Run(what, func(t *testing.T) {
			m := flux(t, try.user)
			step := func(name string, want ssa.Action, change bool) {
				t.Helper()
				objects := try.objects()
				if change {
					try.change(objects[0])
				}
				m.SetOwnerLabels(objects, "apps", "flux-system")
				set, err := m.ApplyAllStaged(ctx, objects, ssa.DefaultApplyOptions())
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got := set.Entries[0].Action; got != want {
					t.Errorf("%s: %s, want %s", name, got, want)
				}
				if err := m.WaitForSet(set.ToObjMetadataSet(), ssa.WaitOptions{
					Interval: 100 * time.Millisecond, Timeout: 20 * time.Second,
				}); err != nil {
					t.Errorf("%s: not healthy: %v", name, err)
				}
			}
			step("first", ssa.CreatedAction, false)
			step("again", ssa.UnchangedAction, false)
			try.between()
			step("after a change by others", ssa.UnchangedAction, false)
			step("changed in Git", ssa.ConfiguredAction, true)
			step("again", ssa.UnchangedAction, true)
			objects := try.objects()
			try.change(objects[0])
			m.SetOwnerLabels(objects, "apps", "flux-system")
			if entry, _, _, err := m.Diff(ctx, objects[0], ssa.DefaultDiffOptions()); err != nil ||
				entry.Action != ssa.UnchangedAction {
				t.Errorf("diff: %v, %v", entry, err)
			}
			if _, err := m.DeleteAll(ctx, objects, ssa.DefaultDeleteOptions()); err != nil {
				t.Error(err)
			}
			if err := m.WaitForTermination(objects,
				ssa.WaitOptions{Interval: 100 * time.Millisecond, Timeout: 30 * time.Second}); err != nil {
				t.Error(err)
			}
			set, err := m.DeleteAll(ctx, objects, ssa.DefaultDeleteOptions())
			if err != nil {
				t.Errorf("pruning a deleted object: %v, %v", set, err)
			}
		})
	}
}

// A declared namespace that has expired must be made again: Conflict while the old one
// is being deleted, then a new namespace of the same name.
func TestFluxAfterExpiry(t *testing.T) {
	ctx, m, c := t.Context(), flux(t, "alice"), controllers(t, "alice")
	apply := func() error {
		_, err := m.ApplyAll(ctx, []*unstructured.Unstructured{declared(t, "tmp-flux-expires", 4)}, ssa.DefaultApplyOptions())
		return err
	}
	if err := apply(); err != nil {
		t.Fatal(err)
	}
	first := declared(t, "tmp-flux-expires", 4)
	if err := c.Get(ctx, client.ObjectKeyFromObject(first), first); err != nil {
		t.Fatal(err)
	}
	now := first.DeepCopy()
	err := testenv.Eventually(20*time.Second, func() error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(first), now); err != nil {
			return err
		}
		if now.GetDeletionTimestamp() == nil {
			return apierrors.NewConflict(v1resource, now.GetName(), nil)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	changed := declared(t, "tmp-flux-expires", 600)
	if _, err := m.Apply(ctx, changed, ssa.DefaultApplyOptions()); !contains(err, "being deleted") {
		t.Errorf("applied during the deletion: %v, want a conflict", err)
	}
	if err := testenv.Eventually(30*time.Second, apply); err != nil {
		t.Fatal(err)
	}
	err = testenv.Eventually(30*time.Second, func() error {
		if err := apply(); err != nil {
			return err
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(first), now); err != nil {
			return err
		}
		if now.GetUID() == first.GetUID() {
			return apierrors.NewConflict(v1resource, now.GetName(), nil)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
