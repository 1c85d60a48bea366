// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// kubectl explain must know every field, with a description.
func TestExplain(t *testing.T) {
	for resource, path := range map[string]string{
		"temporarynamespaces": "/openapi/v3/apis/tenama.dev/v1alpha1",
		"namespaceclasses":    "/openapi/v3/apis/policy.tenama.dev/v1alpha1",
	} {
		var raw []byte
		if err := testenv.Eventually(60*time.Second, func() (err error) { // a new API appears late
			raw, err = shared.Client("alice").Discovery().RESTClient().Get().AbsPath(path).DoRaw(t.Context())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Components struct{ Schemas map[string]schema }
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		fields := []string{""}
		for name, s := range doc.Components.Schemas {
			if strings.HasSuffix(name, ".TemporaryNamespace") || strings.HasSuffix(name, ".NamespaceClass") {
				fields = append(fields, s.fields("")...)
			}
		}
		if len(fields) < 15 {
			t.Errorf("%s: only the fields %v", resource, fields)
		}
		for _, f := range fields {
			out, err := shared.Kubectl("alice", "explain", resource+f)
			_, description, found := strings.Cut(out, "DESCRIPTION:")
			if err != nil || !found || strings.HasPrefix(strings.TrimSpace(description), "<empty>") {
				t.Errorf("explain %s%s: %v\n%s", resource, f, err, out)
			}
		}
	}
}

type schema struct {
	Properties map[string]schema
	Items      *schema
}

func (s schema) fields(path string) []string {
	var out []string
	if s.Items != nil {
		out = append(out, s.Items.fields(path)...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		out = append(out, path+"."+name)
		out = append(out, s.Properties[name].fields(path+"."+name)...)
	}
	return out
}

// Discovery and OpenAPI must match those of a custom resource with the same schema:
// clients build their requests from them.
func TestDiscoveryMatchesCustomResource(t *testing.T) {
	twin(t, shared.Cluster)
	defer func() {
		_, _ = shared.Kubectl("admin", "delete", "crd/temporarynamespaces."+twinGroup, "clusterrole/twins",
			"clusterrolebinding/twins")
	}()
	rc := shared.Client("alice").Discovery().RESTClient()
	read := func(path, accept string) string {
		t.Helper()
		var out string
		if err := testenv.Eventually(60*time.Second, func() error { // a new definition takes a while
			raw, err := rc.Get().AbsPath(path).SetHeader("Accept", accept).DoRaw(t.Context())
			out = string(raw)
			return err
		}); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return out
	}
	var lists [2]metav1.APIResourceList
	var docs [2]struct{ Paths map[string]any }
	for i, group := range []string{twinGroup, "tenama.dev"} {
		same := strings.NewReplacer(group, "GROUP", "test.example.twin", "REVERSED", "dev.tenama", "REVERSED",
			"twinExampleTest", "Group", "tenamaDev", "Group", "TwinExampleTest", "Group", "TenamaDev", "Group", `"twins"`,
			`"tns"`)
		text := same.Replace(read("/apis/"+group+"/v1alpha1", "application/json"))
		if err := json.Unmarshal([]byte(text), &lists[i]); err != nil {
			t.Fatal(err)
		}
		lists[i].APIResources = slices.DeleteFunc(lists[i].APIResources,
			func(r metav1.APIResource) bool { return strings.HasSuffix(r.Name, "/status") })
		for j := range lists[i].APIResources {
			r := &lists[i].APIResources[j]
			slices.Sort(r.Verbs)
			r.StorageVersionHash, r.Categories = "", nil // nothing is stored; the twin has no category
		}
		if err := json.Unmarshal([]byte(same.Replace(read("/openapi/v3/apis/"+group+"/v1alpha1", "application/json"))),
			&docs[i]); err != nil {
			t.Fatal(err)
		}
		for path := range docs[i].Paths {
			if strings.HasSuffix(path, "/status") {
				delete(docs[i].Paths, path)
			}
		}
	}
	if diff := cmp.Diff(lists[0], lists[1]); diff != "" {
		t.Errorf("discovery (-custom resource, +ours):\n%s", diff)
	}
	if diff := cmp.Diff(docs[0], docs[1]); diff != "" {
		t.Errorf("OpenAPI (-custom resource, +ours):\n%s", diff)
	}
}

// The broker must answer discovery and OpenAPI without a reachable cluster, without
// rights and without filled caches, and must answer "not modified" to clients that have
// the current version.
func TestDiscoveryWithoutCluster(t *testing.T) {
	t.Parallel()
	c, port, proxy, kubeconfig := proxied(t)
	proxy.Break(func(r *http.Request) *testenv.Fault { // caches never fill, reviews fail
		if strings.HasPrefix(r.URL.Path, "/api/v1/namespaces") && !strings.Contains(r.URL.Path, "configmaps") &&
			!strings.Contains(r.URL.Path, "secrets") || strings.Contains(r.URL.Path, "subjectaccessreviews") {
			return &testenv.Fault{Code: 500, Body: status(500, "InternalError")}
		}
		return nil
	})
	b, err := c.LaunchBroker(t.Context(), port, "broker-0", "--kubeconfig="+kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Kill()
	cert, key, err := c.Certificate("front-proxy", "front-proxy-client")
	if err != nil {
		t.Fatal(err)
	}
	front := direct(t, cert, key)
	get := func(path string, header map[string]string) (int, http.Header, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.96.0.10:%d%s", port, path),
			nil)
		if err != nil {
			return 0, nil, err
		}
		r.Header = http.Header{"X-Remote-User": {"any-user"}, "X-Remote-Group": {"system:authenticated"}}
		for k, v := range header {
			r.Header.Set(k, v)
		}
		resp, err := front.Do(r)
		if err != nil {
			return 0, nil, err
		}
		resp.Body.Close()
		return resp.StatusCode, resp.Header, nil
	}
	for _, path := range []string{
		"/apis", "/apis/tenama.dev", "/apis/tenama.dev/v1alpha1", "/openapi/v2", "/openapi/v3",
		"/openapi/v3/apis/tenama.dev/v1alpha1",
	} {
		var header http.Header
		if err := testenv.Eventually(60*time.Second, func() error { // until it listens
			code, h, err := get(path, nil)
			if err == nil && code != http.StatusOK {
				t.Fatalf("%s: %d", path, code)
			}
			header = h
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if etag := header.Get("Etag"); strings.HasPrefix(path, "/openapi") {
			if code, _, err := get(path, map[string]string{"If-None-Match": etag}); err != nil ||
				code != http.StatusNotModified {
				t.Errorf("%s, again: %d, %v", path, code, err)
			}
		}
	}
	if code, _, err := get(collection, nil); err != nil || code != http.StatusServiceUnavailable {
		t.Errorf("the resource while the broker starts: %d, %v", code, err)
	}
}
