// SPDX-License-Identifier: Apache-2.0

package deploy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const imageName = "tenama-broker" // in base

type (
	fields = map[string]any
	list   = []any
)

// changed returns the files that apply the options: the settings, and a directory
// "overlay" above overlays/default.
func (o *Options) changed() (map[string][]byte, error) {
	prefixes := DefaultPrefix
	if len(o.Prefixes) > 0 {
		prefixes = strings.Join(o.Prefixes, ",")
	}
	settings, err := yaml.Marshal(fields{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": fields{
			"name":        "tenama-settings",
			"annotations": fields{"config.kubernetes.io/local-config": "true"},
		},
		"data": fields{
			"prefix": prefixes, "namespace": cmp.Or(o.Namespace, DefaultNamespace), "serviceAccount": imageName,
		},
	})
	if err != nil {
		return nil, err
	}
	overlay, err := yaml.Marshal(o.overlay())
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"components/settings/settings.yaml": settings,
		"overlay/kustomization.yaml":        overlay,
	}, nil
}

func (o *Options) overlay() fields {
	var components []string
	for _, c := range o.components() {
		components = append(components, "../components/"+c)
	}
	k := fields{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
		"resources": list{"../overlays/default"}, "components": components, "patches": o.patches(),
	}
	if o.Version != "" {
		k["labels"] = list{fields{"pairs": fields{"app.kubernetes.io/version": o.Version}}}
	}
	if o.Image != "" {
		k["images"] = list{o.image()}
	}
	if o.Replicas > 0 {
		k["replicas"] = list{fields{"name": imageName, "count": o.Replicas}}
	}
	return k
}

func (o *Options) components() []string {
	out := slices.Clone(o.Components)
	if o.HostNetwork {
		out = append(out, "host-network")
	}
	if o.OpenEgress {
		out = append(out, "open-egress")
	}
	return out
}

// image returns the entry of images: for Image.
func (o *Options) image() fields {
	name, digest, _ := strings.Cut(o.Image, "@")
	out := fields{"name": imageName}
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		out["newTag"], name = name[i+1:], name[:i]
	}
	if o.Registry != "" {
		name = o.Registry + "/" + name[strings.LastIndex(name, "/")+1:]
	}
	out["newName"] = name
	if digest != "" { // kustomize does not take a tag beside it
		out["digest"] = digest
		delete(out, "newTag")
	}
	return out
}

// patches returns the patches for options that have no component.
func (o *Options) patches() list {
	var out list
	patch := func(kind, name string, op fields) {
		text, _ := yaml.Marshal(list{op}) // strings and maps always encode
		out = append(out, fields{"target": fields{"kind": kind, "name": name}, "patch": string(text)})
	}
	if o.Replicas == 1 { // or no node could be drained
		patch("PodDisruptionBudget", imageName, fields{"op": "replace", "path": "/spec/minAvailable", "value": 0})
	}
	for _, port := range o.EgressPorts {
		if o.OpenEgress {
			break // every port is allowed
		}
		patch("NetworkPolicy", "tenama-(broker|guard)", fields{
			"op": "add", "path": "/spec/egress/0/ports/-", "value": fields{"port": port, "protocol": "TCP"},
		})
	}
	var secrets list
	for _, s := range o.PullSecrets {
		secrets = append(secrets, fields{"name": s})
	}
	if len(secrets) > 0 {
		patch("ServiceAccount", "tenama-(broker|guard)", fields{
			"op": "add", "path": "/imagePullSecrets", "value": secrets,
		})
	}
	return out
}

// ClassesHeader returns the first lines of the file tenama-classes.yaml.
func ClassesHeader() []string {
	return []string{
		"The first class and budget of a cluster, after tenama.yaml; they are yours from then on:",
		"  kubectl create -f tenama-classes.yaml",
	}
}

// Header returns the first lines of the file tenama.yaml: what it is, and what comes next.
func Header(version string) []string {
	return []string{
		fmt.Sprintf("tenama %s. Install or update it, as an administrator:", cmp.Or(version, "(unreleased)")),
		"  kubectl apply --server-side -f tenama.yaml",
		"Only for the first installation: a class and a budget, and who may use tenama:",
		"  kubectl create -f tenama-classes.yaml",
		"  kubectl create clusterrolebinding tenama-users --clusterrole=tenama:user --group=GROUP",
		"`kubectl tenama install` does all of this and checks the result.",
	}
}
