// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

func three() []v1alpha1.TemporaryNamespace {
	born := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	out := make([]v1alpha1.TemporaryNamespace, 3)
	for i, name := range []string{"tmp-c", "tmp-a", "tmp-b"} {
		ttl := []int64{900, 10000, 2000}[i]
		out[i].Name, out[i].Spec.TTLSeconds = name, &ttl
		out[i].CreationTimestamp = metav1.NewTime(born.Add(time.Duration(i) * time.Minute))
		if i != 1 { // it never expires
			out[i].Status.ExpirationTimestamp = &metav1.Time{Time: born.Add(time.Duration(3-i) * time.Hour)}
		}
	}
	return out
}

// The sort order decides which namespace a reader deletes or extends first.
func TestOrder(t *testing.T) {
	for by, want := range map[string]string{
		"name": "a b c", "age": "c a b", "expires": "b c a", ".spec.ttlSeconds": "c b a", "{.metadata.name}": "a b c",
		"metadata.name": "a b c", ".no.such": "a b c",
	} {
		o, err := newSortOrder(by)
		if err != nil {
			t.Errorf("%s: %v", by, err)
			continue
		}
		items := three()
		if err := o.sort(items); err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range items {
			got = append(got, strings.TrimPrefix(items[i].Name, "tmp-"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", by, got, want)
		}
	}
	for _, by := range []string{"", "nothing", "{.a", ".a[", "{}"} {
		if _, err := newSortOrder(by); err == nil {
			t.Errorf("%q is taken", by)
		}
	}
}

func TestColumns(t *testing.T) {
	list := &v1alpha1.TemporaryNamespaceList{Items: three()}
	c, err := newColumns("N:.metadata.name,TTL:{.spec.ttlSeconds},NONE:.status.nothing", false)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.PrintObj(list, &out); err != nil {
		t.Fatal(err)
	}
	const want = "N       TTL     NONE\ntmp-c   900     <none>\ntmp-a   10000   <none>\ntmp-b   2000    <none>\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	for _, spec := range []string{"", "N", ":.a", "N:", "N:.a,", "N:{.a"} {
		if _, err := newColumns(spec, false); err == nil {
			t.Errorf("%q is taken", spec)
		}
	}
}
