// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
)

// TestAnswersThatLie verifies that a server other than the broker that serves the API
// cannot inject unrequested names into kubeconfigs, terminals or commands.
func TestAnswersThatLie(t *testing.T) {
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		name, _ := json.Marshal(answer)
		fmt.Fprintf(w, `{"apiVersion":"tenama.dev/v1alpha1","kind":"TemporaryNamespace","metadata":{"name":%s}}`, name)
	}))
	defer server.Close()
	c, err := New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	create := func(name, generate string) error {
		tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: name, GenerateName: generate}}
		_, err := c.Create(t.Context(), tn, metav1.CreateOptions{})
		return err
	}
	for what, try := range map[string]struct {
		do     func() error
		answer string
		want   string
	}{
		"create: another name": {func() error { return create("tmp-a", "") }, "kube-system",
			`requested namespace "tmp-a", but the server returned "kube-system"`},
		"create: outside of what was asked": {func() error { return create("", "tmp-") }, "kube-system", `the prefix "tmp-"`},
		"create: a path": {func() error { return create("", "tmp-") }, "tmp-../../x",
			"not a valid name of a namespace"},
		"create: a terminal's escape": {func() error { return create("", "tmp-") }, "tmp-\u001b]0;x\a",
			"not a valid name of a namespace"},
		"create: YAML": {func() error { return create("", "tmp-") }, "tmp-a\nusers: []",
			"not a valid name of a namespace"},
		"create: nothing": {func() error { return create("", "tmp-") }, "",
			"not a valid name of a namespace"},
		"get: another name": {func() error { _, err := c.Get(t.Context(), "tmp-a"); return err }, "default",
			`returned "default"`},
		"create: the truth": {func() error { return create("tmp-a", "") }, "tmp-a", ""},
	} {
		t.Run(what, func(t *testing.T) {
			answer = try.answer
			err := try.do()
			if try.want == "" && err != nil || try.want != "" && (err == nil || !strings.Contains(err.Error(), try.want)) {
				t.Errorf("got %v, want %q", err, try.want)
			}
		})
	}
}
