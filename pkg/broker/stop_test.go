// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"log/slog"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

// Helm must not remove the brokers while something is lent, also not what was lent in the
// seconds in which they ended: it would never expire. That moment needs a fake.
func TestStop(t *testing.T) {
	for name, c := range map[string]struct {
		before, during bool // something is lent
		want           string
		ends           bool
	}{
		"nothing is lent": {ends: true},
		"before":          {before: true, want: "namespaces are lent (1"},
		"during":          {during: true, want: "while the brokers ended", ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "Namespace",
				"metadata": map[string]any{"name": "tmp-a", "labels": map[string]any{"tenama.dev/managed": "true"}},
			}}
			var objects []runtime.Object
			if c.before {
				objects = append(objects, namespace)
			}
			client := fake.NewSimpleDynamicClient(kubescheme.Scheme, objects...)
			ended := false
			client.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
				ended = true
				var err error
				if c.during {
					err = client.Tracker().Add(namespace)
				}
				return true, &unstructured.Unstructured{}, err
			})
			err := stop(t.Context(), client, "home", slog.New(slog.DiscardHandler))
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) || ended != c.ends {
				t.Errorf("got %v, want %q; the brokers were ended: %v", err, c.want, ended)
			}
		})
	}
}
