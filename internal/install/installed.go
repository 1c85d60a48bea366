// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/deploy"
)

// Installed is an installation that a cluster has.
type Installed struct {
	Namespace      string
	ServiceAccount string // of the broker
	Version        string // label of the broker's Deployment; empty if it has none
	Owner          string // Helm, Flux or Argo CD, as Owner returns it
	Options        deploy.Options
}

// Prefix returns the first prefix of temporary namespaces.
func (i *Installed) Prefix() string { return prefixesOf(&i.Options)[0] }

// Find returns the installations of a cluster: the broker's Deployments.
func Find(ctx context.Context, config *rest.Config) ([]Installed, error) {
	c, err := New(config, "")
	if err != nil {
		return nil, err
	}
	list, err := c.client.Resource(deployments).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=tenama,app.kubernetes.io/component=broker",
	})
	if err != nil {
		return nil, fmt.Errorf("look for an installation: %w", err)
	}
	var out []Installed
	for i := range list.Items {
		d := &list.Items[i]
		found := Installed{
			Namespace: d.GetNamespace(), Version: d.GetLabels()["app.kubernetes.io/version"], Owner: Owner(d),
			Options: deploy.Options{Prefixes: prefixes(d)},
		}
		found.ServiceAccount, _, _ = unstructured.NestedString(d.Object, "spec", "template", "spec", "serviceAccountName")
		if raw := d.GetAnnotations()[deploy.AnnotationOptions]; raw != "" {
			if err := json.Unmarshal([]byte(raw), &found.Options); err != nil {
				return nil, fmt.Errorf("read annotation %s of deployment %q: %w", deploy.AnnotationOptions, d.GetName(), err)
			}
		}
		found.Options.Namespace = found.Namespace
		out = append(out, found)
	}
	return out, nil
}

// prefixes returns the prefixes of a broker that was installed without the plugin.
func prefixes(d *unstructured.Unstructured) []string {
	for _, c := range maps(d.Object, "spec", "template", "spec", "containers") {
		for _, arg := range strings.Split(join(c["args"]), ",--") {
			if p, ok := strings.CutPrefix(strings.TrimPrefix(arg, "--"), "prefix="); ok && p != deploy.DefaultPrefix {
				return strings.Split(p, ",")
			}
		}
	}
	return nil
}

// IsDowngrade reports whether version is older than the installed one. It reports false if
// one of them is no release.
func (i *Installed) IsDowngrade(version string) bool {
	installed, err := utilversion.ParseSemantic(i.Version)
	if err != nil {
		return false
	}
	ours, err := utilversion.ParseSemantic(version)
	return err == nil && ours.LessThan(installed)
}
