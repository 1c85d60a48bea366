// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tenama.dev/tenama/api/v1alpha1"
)

// TestRelist verifies that a watch that has lost its cluster says so, once, and says when it is
// back: a list that stands still looks like one in which nothing happens.
func TestRelist(t *testing.T) {
	for name, c := range map[string]struct {
		failures int // of the attempts to list again
		err      error
		want     string
		ends     bool // with an error
	}{
		"the server ends the watch": {want: ""},
		"a hiccup":                  {failures: 1, err: apierrors.NewServiceUnavailable("x"), want: ""},
		"lost for a while": {failures: 8, err: apierrors.NewServiceUnavailable("x"),
			want: "Connection lost at 01:00:01 CET; reconnecting ...\nConnected again.\n"},
		"logged out": {failures: 8, err: apierrors.NewUnauthorized("x"), want: "", ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				local := time.Local
				time.Local = time.FixedZone("CET", 3600) // the fake time begins at midnight, UTC
				defer func() { time.Local = local }()
				tries := 0
				cluster := fakeClient(t, func(*http.Request) any {
					if tries++; tries <= c.failures {
						return c.err
					}
					return &v1alpha1.TemporaryNamespaceList{TypeMeta: metav1.TypeMeta{
						APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind + "List"}}
				})
				var out, errOut bytes.Buffer
				f := newFactory(genericiooptions.IOStreams{Out: &out, ErrOut: &errOut})
				o := &listOptions{factory: f, output: &outputFlag{kind: outputList}}
				v := o.newWatchView(cluster)
				defer v.close()
				list, err := v.relist(t.Context(), cluster, metav1.ListOptions{})
				if (err != nil) != c.ends || (list == nil) != c.ends {
					t.Errorf("got %v, %v", list, err)
				}
				if errOut.String() != c.want || out.Len() > 0 {
					t.Errorf("said %q, printed %q, want %q", errOut.String(), out.String(), c.want)
				}
			})
		})
	}
}
