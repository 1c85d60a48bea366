// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// A user in more groups than one selector can name must see exactly the namespaces of all
// of them, in the order of their names, with and without a limit.
func TestManyGroups(t *testing.T) {
	t.Parallel()
	groups := []string{"devs", "system:authenticated"}
	for i := range 1200 {
		groups = append(groups, fmt.Sprintf("many-%d", i))
	}
	config := shared.Config("admin")
	config.Impersonate = rest.ImpersonationConfig{UserName: "joiner", Groups: groups}
	joiner := as(t, config)
	stranger := user(t, "alice")
	borrow(t, stranger, unique("not-theirs"), time.Hour)
	var want []string
	for _, group := range []string{"many-1150", "", "many-3", "many-1000"} {
		tn := tns(unique("of-many"), time.Hour)
		tn.Spec.OwnerGroup = group
		made, err := joiner.Create(t.Context(), tn, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, made.Name)
	}
	slices.Sort(want)
	for name, o := range map[string]metav1.ListOptions{
		"all": {}, "as kubectl": {Limit: 500}, "any version": {ResourceVersion: "0"}, "a small limit": {Limit: 2},
	} {
		var got []string
		for page := 0; ; page++ {
			list, err := joiner.List(t.Context(), o)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, tn := range list.Items {
				got = append(got, tn.Name)
			}
			if o.Limit > 2 && list.Continue != "" {
				t.Errorf("%s: there is another page after %d objects", name, len(list.Items))
			}
			if o.Continue = list.Continue; o.Continue == "" || page > 1000 {
				break
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	shown := map[string]bool{}
	if err := testenv.Eventually(time.Minute, func() error { // a watch may end at any time; clients open another
		w, err := joiner.Watch(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		defer w.Stop()
		for e := range w.ResultChan() {
			tn, ok := e.Object.(*v1alpha1.TemporaryNamespace)
			if !ok || !slices.Contains(want, tn.Name) {
				t.Errorf("the watch shows %v", e)
			} else if shown[tn.Name] = true; len(shown) == len(want) {
				return nil
			}
		}
		return errOf("the watch shows less than the list")
	}); err != nil {
		t.Error(err)
	}
}
