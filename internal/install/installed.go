// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

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

// Find returns the installation of a cluster, or nil if there is none. Its record is the
// ClusterRoleBinding of the broker, which only administrators can write: a Deployment that
// looks like a broker could lead an administrator into the namespace of another user.
func Find(ctx context.Context, config *rest.Config) (*Installed, error) {
	c, err := New(config, "")
	if err != nil {
		return nil, err
	}
	b, err := c.get(ctx, c.client.Resource(roleBindings), brokerRole)
	if err != nil {
		return nil, fmt.Errorf("look for an installation: %w", err)
	}
	if b == nil {
		return nil, nil
	}
	out := &Installed{Owner: Owner(b)}
	if out.Namespace, out.ServiceAccount = accountOf(b); out.Namespace == "" {
		return nil, fmt.Errorf("ClusterRoleBinding %q has no ServiceAccount", brokerRole)
	}
	out.Options.Namespace = out.Namespace
	d, err := c.get(ctx, c.client.Resource(deployments).Namespace(out.Namespace), brokerName)
	if err != nil {
		return nil, fmt.Errorf("get deployment %q: %w", brokerName, err)
	}
	if d == nil { // an installation or a removal was interrupted
		return out, nil
	}
	out.Version, out.Options.Prefixes = d.GetLabels()["app.kubernetes.io/version"], prefixes(d)
	if owner := Owner(d); owner != "" {
		out.Owner = owner
	}
	if raw := d.GetAnnotations()[deploy.AnnotationOptions]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &out.Options); err != nil {
			return nil, fmt.Errorf("read annotation %s of deployment %q: %w", deploy.AnnotationOptions, brokerName, err)
		}
	}
	return out, nil
}

// accountOf returns the ServiceAccount that a binding names.
func accountOf(binding *unstructured.Unstructured) (namespace, name string) {
	for _, s := range maps(binding.Object, "subjects") {
		if s["kind"] == "ServiceAccount" {
			namespace, name = text(s["namespace"]), text(s["name"])
		}
	}
	return namespace, name
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
