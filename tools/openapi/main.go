// SPDX-License-Identifier: Apache-2.0

// Command openapi writes the OpenAPI documents that the broker serves.
//
// It reads a CustomResourceDefinition of TemporaryNamespace, made from the Go
// types, and asks the library of kube-apiserver what it would publish for that
// custom resource. So clients find the very operations, parameters and
// metadata schemas that they know from any custom resource.
//
//	openapi CRD.yaml DIR    writes DIR/v2.json and DIR/v3.json
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: openapi CRD.yaml DIR")
	}
	in, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(in, crd); err != nil {
		return err
	}
	version := crd.Spec.Versions[0].Name
	v2, err := builder.BuildOpenAPIV2(crd, version, builder.Options{
		V2: true, StripValueValidation: true, StripNullable: true, AllowNonStructural: false,
	})
	if err != nil {
		return err
	}
	v3, err := builder.BuildOpenAPIV3(crd, version, builder.Options{V2: false})
	if err != nil {
		return err
	}
	for name, doc := range map[string]any{"v2.json": v2, "v3.json": v3} {
		out, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(args[1], name), append(out, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}
