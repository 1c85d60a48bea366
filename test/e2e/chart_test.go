// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/deploy"
	"tenama.dev/tenama/test/testenv"
)

// helmTemplate renders the chart with values, and returns its objects by kind, namespace and
// name, without those of hooks.
func helmTemplate(t *testing.T, values string) map[string]any {
	t.Helper()
	cmd := exec.Command(testenv.Bin("tools/helm"), "template", "lender", filepath.Join(testenv.Root(), "deploy", "chart"),
		"--namespace=lending", "--values=-")
	cmd.Stdin = strings.NewReader(values)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm template: %s", errs.String())
	}
	objects := map[string]any{}
	for doc := range strings.SplitSeq("\n"+string(out), "\n---\n") {
		b, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		o := &unstructured.Unstructured{}
		if string(b) == "null" {
			continue
		}
		if err := o.UnmarshalJSON(b); err != nil {
			t.Fatal(err)
		}
		if o.GetAnnotations()["helm.sh/hook"] == "" {
			objects[key(o)] = fieldsOf(o)
		}
	}
	return objects
}

func key(o *unstructured.Unstructured) string {
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}

// fieldsOf returns the fields of an object without what only one of the ways to install sets.
func fieldsOf(o *unstructured.Unstructured) map[string]any {
	for _, path := range [][]string{
		{"labels", "app.kubernetes.io/instance"}, {"labels", "app.kubernetes.io/managed-by"}, {"labels", "helm.sh/chart"},
		{"labels", "app.kubernetes.io/version"}, {"annotations", "helm.sh/resource-policy"},
		{"annotations", deploy.AnnotationOptions},
	} {
		unstructured.RemoveNestedField(o.Object, append([]string{"metadata"}, path...)...)
	}
	if len(o.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
	}
	return o.Object
}

// The chart must install what the plugin installs: for the defaults, and for each value.
func TestChart(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("ab", 32)
	for name, row := range map[string]struct {
		values  string
		options deploy.Options
	}{
		"the defaults": {"{}", deploy.Options{}},
		"prefixes":     {"prefixes: [lent-, cust-]", deploy.Options{Prefixes: []string{"lent-", "cust-"}}},
		"image by digest": {"image: {repository: r.example/a, digest: '" + digest + "'}",
			deploy.Options{Image: "r.example/a@" + digest}},
		"image by tag": {"image: {repository: 'r.example:5000/a', tag: v1}",
			deploy.Options{Image: "r.example:5000/a:v1"}},
		"image pull secrets": {"imagePullSecrets: [a, b]", deploy.Options{PullSecrets: []string{"a", "b"}}},
		"one broker":         {"replicas: 1", deploy.Options{Replicas: 1}},
		"three brokers":      {"replicas: 3", deploy.Options{Replicas: 3}},
		"host network":       {"hostNetwork: true", deploy.Options{HostNetwork: true}},
		"open egress":        {"openEgress: true", deploy.Options{OpenEgress: true}},
		"egress ports":       {"egressPorts: [7443, 7444]", deploy.Options{EgressPorts: []int{7443, 7444}}},
		"prometheus":         {"prometheus: {enabled: true}", deploy.Options{Components: []string{"prometheus"}}},
		"cert-manager":       {"certManager: {enabled: true}", deploy.Options{Components: []string{"cert-manager"}}},
		"forwarder":          {"forwarder: {enabled: true}", deploy.Options{Components: []string{"forwarder"}}},
		"prometheus, grafana": {"{prometheus: {enabled: true}, grafana: {enabled: true}}",
			deploy.Options{Components: []string{"prometheus", "grafana"}}},
		"several": {"{hostNetwork: true, openEgress: true, egressPorts: [7443], replicas: 1, imagePullSecrets: [a]}",
			deploy.Options{HostNetwork: true, OpenEgress: true, EgressPorts: []int{7443}, Replicas: 1,
				PullSecrets: []string{"a"}}},
		"host network, cert-manager": {"{hostNetwork: true, certManager: {enabled: true}}",
			deploy.Options{HostNetwork: true, Components: []string{"cert-manager"}}},
		"prometheus, cert-manager": {"{prometheus: {enabled: true}, certManager: {enabled: true}}",
			deploy.Options{Components: []string{"prometheus", "cert-manager"}}},
		"host network, cert-manager, one broker": {
			"{hostNetwork: true, certManager: {enabled: true}, replicas: 1, imagePullSecrets: [a]}",
			deploy.Options{HostNetwork: true, Components: []string{"cert-manager"}, Replicas: 1, PullSecrets: []string{"a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			row.options.Namespace = "lending"
			objects, err := deploy.Objects(row.options)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{}
			for _, o := range objects {
				if o.GetKind() != "Namespace" { // Helm makes it
					want[key(o)] = fieldsOf(o)
				}
			}
			if diff := cmp.Diff(want, helmTemplate(t, row.values)); diff != "" {
				t.Errorf("the chart differs from deploy/ (-deploy +chart):\n%s", diff)
			}
		})
	}
	for _, values := range []string{
		"replicas: 0", "prefixes: []", "prefixes: [tmp]", "unknown: 1", "image: {digest: abc}", "egressPorts: [0]",
	} {
		cmd := exec.Command(testenv.Bin("tools/helm"), "template", filepath.Join(testenv.Root(), "deploy", "chart"),
			"--values=-")
		cmd.Stdin = strings.NewReader(values)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "schema") {
			t.Errorf("%s is accepted: %v", values, err)
		}
	}
	out, err := exec.Command(testenv.Bin("tools/helm"), "lint", "--strict",
		filepath.Join(testenv.Root(), "deploy", "chart")).CombinedOutput()
	if err != nil {
		t.Errorf("helm lint: %s", out)
	}
}
