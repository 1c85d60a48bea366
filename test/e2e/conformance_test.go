// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/test/conformance"
	"tenama.dev/tenama/test/testenv"
)

const twinGroup = "twin.example.test"

// twin defines a custom resource with the same schema, and lets alice use it.
func twin(t *testing.T, c *testenv.Cluster) {
	t.Helper()
	crd, err := os.ReadFile("testdata/twin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("tenama.dev", twinGroup, "    storage: true",
		"    storage: true\n    subresources: {status: {}}", "shortNames:\n    - tns",
		"shortNames:\n    - twins").Replace(string(crd))
	if out, err := c.KubectlIn("admin", text, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	// While the status of the CRD is null, kubectl wait fails.
	if err := testenv.Eventually(90*time.Second, func() error {
		out, err := c.Kubectl("admin", "wait", "--for=condition=Established", "--timeout=30s",
			"crd/temporarynamespaces."+twinGroup)
		if err != nil {
			return errOf(out)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{
			"create", "clusterrole", "twins", "--verb=*", "--resource=temporarynamespaces." + twinGroup,
			"--resource=temporarynamespaces." + twinGroup + "/status", "--resource=temporarynamespaces.tenama.dev/status",
		},
		{"create", "clusterrolebinding", "twins", "--clusterrole=twins", "--user=alice"},
	} {
		if out, err := c.Kubectl("admin", args...); err != nil && !strings.Contains(out, "already exists") {
			t.Fatal(out)
		}
	}
}

func side(t *testing.T, c *testenv.Cluster, group string) *conformance.Side {
	t.Helper()
	client, err := rest.HTTPClientFor(c.Config("alice"))
	if err != nil {
		t.Fatal(err)
	}
	return &conformance.Side{
		Group: group, Collection: c.Server + "/apis/" + group + "/v1alpha1/temporarynamespaces", Client: client,
	}
}

// watchTimeout ends the watches of package conformance.
const watchTimeout = "timeoutSeconds=2"

// exchange sends the same request to both sides.
func exchange(t *testing.T, theirs, ours *conformance.Side, e conformance.Exchange) (want, got conformance.Answer) {
	t.Helper()
	want, err := theirs.Do(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if got, err = ours.Do(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return want, got
}

// To clients, the API must look like a custom resource: the same requests must get the
// same answers, except for the differences listed in docs/conformance.md.
func TestConformance(t *testing.T) {
	t.Parallel() // with its own control plane, and much waiting
	ctx := t.Context()
	c, port := own(t)
	start(t, c, port, "broker-0")
	twin(t, c)
	ours, theirs := side(t, c, "tenama.dev"), side(t, c, twinGroup)
	if err := testenv.Eventually(60*time.Second, func() error {
		a, err := theirs.Do(ctx, conformance.Exchange{Name: "wait"})
		if err == nil && a.Code != 200 {
			err = fmt.Errorf("%+v", a)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(docs), "## Differences")
	list, _, _ = strings.Cut(list, "## Reading")
	told := strings.Join(strings.Fields(list), " ")
	used := map[string]bool{}
	for _, group := range []struct {
		name string
		rows []conformance.Exchange
	}{
		{"creates", conformance.Creates}, {"reads", conformance.Reads}, {"updates", conformance.Updates},
		{"deletes", conformance.Deletes},
	} {
		for _, e := range group.rows {
			if e.Hold {
				name, _, _ := strings.Cut(strings.TrimPrefix(e.Path, "/"), "?")
				if err := theirs.Hold(ctx, name, true); err != nil {
					t.Fatal(err)
				}
			}
			want, got := exchange(t, theirs, ours, e)
			expected := want
			if e.Rewrite != nil {
				e.Rewrite(&expected)
			}
			if strings.Contains(e.Path, watchTimeout) && !cmp.Equal(expected.Events, got.Events) {
				// A slow machine may not send all events in that time.
				e.Path = strings.Replace(e.Path, watchTimeout, "timeoutSeconds=60", 1)
				want, got = exchange(t, theirs, ours, e)
			}
			diff := cmp.Diff(want, got)
			used[e.Differs] = true
			if e.Rewrite != nil {
				e.Rewrite(&want)
			}
			switch answer := fmt.Sprint(got.Code, " ", got.Status); {
			case e.Differs != "" && (e.Is == "") == (e.Rewrite == nil):
				t.Errorf("%s: %s: the row does not describe how the responses differ", group.name, e.Name)
			case e.Is != "" && !strings.HasPrefix(answer, e.Is):
				t.Errorf("%s: %s: the response is %q, want %q", group.name, e.Name, answer, e.Is)
			case e.Rewrite != nil && !cmp.Equal(want, got):
				t.Errorf("%s: %s: unexpected response (-want, +got):\n%s", group.name, e.Name, cmp.Diff(want, got))
			case diff != "" && e.Differs == "":
				t.Errorf("%s: %s: the response differs from that of a custom resource (-custom resource, +tenama):\n%s", group.name,
					e.Name, diff)
			case diff == "" && e.Differs != "":
				t.Errorf("%s: %s: the responses are the same, but the row describes a difference", group.name, e.Name)
			case e.Differs != "" && !strings.Contains(told, e.Differs):
				t.Errorf("%s: %s: docs/conformance.md does not contain: %s", group.name, e.Name, e.Differs)
			}
		}
	}
	delete(used, "")
	if bullets := strings.Count(list, "\n- "); bullets != len(used) {
		t.Errorf("docs/conformance.md lists %d differences, the test has %d", bullets, len(used))
	}
	for _, name := range []string{conformance.Main, "tmp-conform-b"} {
		if err := theirs.Hold(ctx, name, false); err != nil {
			t.Error(err)
		}
	}
}
