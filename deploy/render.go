// SPDX-License-Identifier: Apache-2.0

package deploy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

// Options are the choices of an installation. The zero value is that of overlays/default.
// The installed Deployment has those with a name in JSON as an annotation, so that an
// update keeps them.
type Options struct {
	Namespace   string   `json:"-"`                     // of the broker; empty: DefaultNamespace
	Image       string   `json:"-"`                     // NAME:TAG or NAME@DIGEST; empty: that of overlays/default
	Version     string   `json:"-"`                     // value of the label app.kubernetes.io/version; empty: no label
	Registry    string   `json:"registry,omitempty"`    // HOST/PATH that replaces the one in Image
	Prefixes    []string `json:"prefixes,omitempty"`    // of temporary namespaces; empty: DefaultPrefix
	Replicas    int      `json:"replicas,omitempty"`    // of the broker; 0: that of base
	HostNetwork bool     `json:"hostNetwork,omitempty"` // components/host-network
	OpenEgress  bool     `json:"openEgress,omitempty"`  // components/open-egress
	EgressPorts []int    `json:"egressPorts,omitempty"` // TCP ports of kube-apiserver besides those in base
	PullSecrets []string `json:"pullSecrets,omitempty"` // Secrets in Namespace, with which nodes pull the image
	Components  []string `json:"components,omitempty"`  // further directories of components/
}

// AnnotationOptions is the annotation of the broker's Deployment with the options.
const AnnotationOptions = "tenama.dev/install-options"

// Patterns of options. They are compiled when they are used: every start of the plugin would
// pay for it.
const (
	prefixPattern   = `^[a-z0-9]([-a-z0-9]{0,20})-$` // as --prefix of the broker
	registryPattern = `^[a-z0-9]+([._:/-]+[a-z0-9]+)*$`
	// imagePattern is the grammar of an image reference, without its limits of length
	// (github.com/distribution/reference).
	imagePattern = `^[a-z0-9]+([._:/-]+[a-z0-9]+)*?(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`
)

// Validate returns an error that names the first invalid option.
func (o *Options) Validate() error {
	if e := validation.IsDNS1123Label(cmp.Or(o.Namespace, DefaultNamespace)); len(e) > 0 {
		return fmt.Errorf("namespace %q: %s", o.Namespace, e[0])
	}
	for _, p := range o.Prefixes {
		if !regexp.MustCompile(prefixPattern).MatchString(p) {
			return fmt.Errorf("prefix %q: use lower-case letters, digits and dashes, ending in a dash, such as tmp-", p)
		}
		if strings.HasPrefix(cmp.Or(o.Namespace, DefaultNamespace), p) {
			return fmt.Errorf("prefix %q: namespace %q of the broker begins with it", p, cmp.Or(o.Namespace, DefaultNamespace))
		}
	}
	if o.Image != "" && !regexp.MustCompile(imagePattern).MatchString(o.Image) {
		return fmt.Errorf("image %q: use NAME:TAG or NAME@sha256:DIGEST", o.Image)
	}
	if o.Registry != "" && !regexp.MustCompile(registryPattern).MatchString(o.Registry) {
		return fmt.Errorf("registry %q: use HOST or HOST/PATH, such as registry.example.com/mirror", o.Registry)
	}
	if o.Replicas < 0 {
		return fmt.Errorf("replicas %d: use 1 or more", o.Replicas)
	}
	for _, p := range o.EgressPorts {
		if p < 1 || p > 65535 {
			return fmt.Errorf("egress port %d: use 1 to 65535", p)
		}
	}
	for _, s := range o.PullSecrets {
		if e := validation.IsDNS1123Subdomain(s); len(e) > 0 {
			return fmt.Errorf("image pull secret %q: %s", s, e[0])
		}
	}
	return nil
}

// Objects returns the manifests of an installation in the order in which they have to be
// applied: namespace and definitions, what restricts the broker, its rights, the broker.
func Objects(o Options) ([]*unstructured.Unstructured, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	changed, err := o.changed()
	if err != nil {
		return nil, err
	}
	m, err := build("overlay", changed)
	if err != nil {
		return nil, err
	}
	out, err := objectsOf(m)
	if err != nil {
		return nil, err
	}
	if err := o.annotate(out); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(rank(a.GetKind()), rank(b.GetKind())), cmp.Compare(a.GetKind(), b.GetKind()),
			cmp.Compare(a.GetName(), b.GetName()))
	})
	return out, nil
}

// annotate records the options in the Deployment of the broker.
func (o *Options) annotate(objects []*unstructured.Unstructured) error {
	b, err := json.Marshal(o)
	if err != nil || string(b) == "{}" {
		return err
	}
	for _, d := range objects {
		if d.GetKind() == "Deployment" && d.GetName() == imageName {
			d.SetAnnotations(map[string]string{AnnotationOptions: string(b)})
		}
	}
	return nil
}

// order lists kinds in the order of their application. Kinds that are not listed come
// after RBAC, before the Deployments.
var order = []string{
	"Namespace", "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	"ResourceQuota", "NetworkPolicy", "ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding",
}

func rank(kind string) int {
	if i := slices.Index(order, kind); i >= 0 {
		return i
	}
	if kind == "Deployment" {
		return len(order) + 1
	}
	return len(order)
}

// YAML returns the objects as documents of one file, after comments for its reader.
func YAML(objects []*unstructured.Unstructured, comments ...string) ([]byte, error) {
	var b bytes.Buffer
	for _, c := range comments {
		fmt.Fprintln(&b, strings.TrimSpace("# "+c))
	}
	for i, o := range objects {
		doc, err := yaml.Marshal(o.Object)
		if err != nil {
			return nil, err
		}
		if i > 0 || len(comments) > 0 {
			b.WriteString("---\n")
		}
		b.Write(doc)
	}
	return b.Bytes(), nil
}
