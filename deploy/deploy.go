// SPDX-License-Identifier: Apache-2.0

// Package deploy holds the manifests of tenama and renders them for an installation: for
// the plugin that installs them, for the file tenama.yaml of a release, and for the Helm
// chart. All of them get what kustomize makes of this directory; none has manifests of its
// own.
package deploy

import (
	"embed"
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

//go:embed base components overlays/default classes
var files embed.FS

// DefaultNamespace and DefaultPrefix are the names in components/settings.
const (
	DefaultNamespace = "tenama-system"
	DefaultPrefix    = "tmp-"
)

// Classes returns the first class and the first budget of a cluster.
func Classes() ([]*unstructured.Unstructured, error) {
	m, err := build("classes", nil)
	if err != nil {
		return nil, err
	}
	return objectsOf(m)
}

// objectsOf returns the output of kustomize as objects.
func objectsOf(m resmap.ResMap) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, r := range m.Resources() {
		b, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(b); err != nil { // whole numbers as int64, as in answers of kube-apiserver
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// build runs kustomize on a directory of this one, after some files were replaced or added.
func build(dir string, changed map[string][]byte) (resmap.ResMap, error) {
	fsys := filesys.MakeFsInMemory()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		return fsys.WriteFile("/"+path, b)
	})
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	for path, b := range changed {
		if err := fsys.WriteFile("/"+path, b); err != nil {
			return nil, err
		}
	}
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fsys, "/"+dir)
	if err != nil {
		return nil, fmt.Errorf("render the manifests: %w", err)
	}
	return m, nil
}
