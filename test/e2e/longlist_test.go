// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"tenama.dev/tenama/api/v1alpha1"
)

// A list of more than a megabyte is sent in pages. In each form that clients ask for it must
// be the whole list, in order, with a resourceVersion to watch from.
func TestLongList(t *testing.T) {
	t.Parallel()
	config, err := shared.ConfigFor("lister", "devs")
	if err != nil {
		t.Fatal(err)
	}
	lister := as(t, config)
	const n = 80 // of 17 KiB
	want := make([]string, n)
	var g errgroup.Group
	g.SetLimit(8)
	for i := range n {
		tn := tns(fmt.Sprintf("tmp-long-%02d", i), time.Hour)
		tn.Annotations = map[string]string{"user.tenama.dev/a": strings.Repeat("x", 7<<10), "a": strings.Repeat("x", 512)}
		want[i] = tn.Name
		g.Go(func() error { _, err := lister.Create(t.Context(), tn, metav1.CreateOptions{}); return err })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for version, o := range map[string]metav1.ListOptions{"the present": {}, "any": {ResourceVersion: "0"}} {
		list, err := lister.List(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, tn := range list.Items {
			got = append(got, tn.Name)
			if len(tn.ManagedFields) == 0 || len(tn.Annotations["user.tenama.dev/a"]) != 7<<10 {
				t.Errorf("%s is not whole", tn.Name)
			}
		}
		if d := cmp.Diff(want, got); d != "" || list.Continue != "" || list.RemainingItemCount != nil {
			t.Errorf("%s version: %s %+v", version, d, list.ListMeta)
		}
		w, err := lister.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err != nil {
			t.Errorf("a watch from version %q: %v", list.ResourceVersion, err)
			continue
		}
		w.Stop()
	}
	partial, err := metadata.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := partial.Resource(v1alpha1.Resource).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(meta.Items) != n || meta.Items[0].Annotations["a"] == "" {
		t.Errorf("metadata alone, which is asked for as protobuf first: %d objects, %v", len(meta.Items), err)
	}
	raw := kubernetes.NewForConfigOrDie(config).RESTClient().Get().AbsPath(
		"/apis/tenama.dev/v1alpha1/temporarynamespaces")
	table := &metav1.Table{}
	err = raw.SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Into(table)
	if err != nil || len(table.Rows) != n || len(table.ColumnDefinitions) == 0 || table.Rows[n-1].Cells[0] != want[n-1] {
		t.Errorf("as a table: %d rows, %v", len(table.Rows), err)
	}
	_, err = raw.SetHeader("Accept", runtime.ContentTypeYAML).DoRaw(t.Context())
	if reason(err) != metav1.StatusReasonNotAcceptable {
		t.Errorf("as YAML: %v", err)
	}
}
