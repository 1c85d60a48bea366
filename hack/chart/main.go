// SPDX-License-Identifier: Apache-2.0

// Command chart writes the templates of the Helm chart from the manifests in deploy/, so that
// both install the same. It renders the manifests once with placeholders, and once more for
// each value that turns something on; lines that differ become a condition.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/deploy"
)

const templates = "deploy/chart/templates"

// placeholders are values that occur nowhere else, and what the templates have in their place.
var placeholders = []string{
	"zz-namespace", "{{ .Release.Namespace }}",
	"zz-prefix-", `{{ join "," .Values.prefixes }}`,
	"zz-image:zz", `{{ include "tenama.image" . }}`,
	"zz-release", "{{ .Release.Name }}",
	"zz-service", "{{ .Release.Service }}",
	"zz-chart", "{{ .Chart.Name }}-{{ .Chart.Version | replace \"+\" \"_\" }}",
	"zz-version", "{{ .Chart.AppVersion | quote }}",
	"zz-braces", `{{ "{{" }}`, // what is for another program
	"replicas: 77\n", "replicas: {{ .Values.replicas }}\n",
}

// conditions are the values that change lines, with the options that render them; in the order
// in which an overlay applies them.
var conditions = []struct {
	value  string
	change func(*deploy.Options)
}{
	{".Values.prometheus.enabled", func(o *deploy.Options) { o.Components = []string{"prometheus"} }},
	{".Values.grafana.enabled", func(o *deploy.Options) { o.Components = []string{"grafana"} }},
	{".Values.certManager.enabled", func(o *deploy.Options) { o.Components = []string{"cert-manager"} }},
	{".Values.forwarder.enabled", func(o *deploy.Options) { o.Components = []string{"forwarder"} }},
	{".Values.hostNetwork", func(o *deploy.Options) { o.HostNetwork = true }},
	{".Values.openEgress", func(o *deploy.Options) { o.OpenEgress = true }},
	{"eq (int .Values.replicas) 1", func(o *deploy.Options) { o.Replicas = 1 }},
	{"not (empty .Values.imagePullSecrets)", func(o *deploy.Options) { o.PullSecrets = []string{"zz-secret"} }},
	{"not (or .Values.openEgress (empty .Values.egressPorts))", func(o *deploy.Options) { o.EgressPorts = []int{65500} }},
}

// lists are lines that stand for an element of a list.
var lists = []string{
	"- name: zz-secret\n", "{{- range .Values.imagePullSecrets }}\n- name: {{ . }}\n{{- end }}\n",
	"    - port: 65500\n      protocol: TCP\n",
	"{{- range .Values.egressPorts }}\n    - port: {{ . }}\n      protocol: TCP\n{{- end }}\n",
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run() error {
	plain := deploy.Options{
		Namespace: "zz-namespace", Prefixes: []string{"zz-prefix-"}, Image: "zz-image:zz", Version: "zz-version",
		Replicas: 77,
	}
	base, order, err := documents(plain)
	if err != nil {
		return err
	}
	hunks := map[string][]hunk{}
	for _, c := range conditions {
		changed := plain
		c.change(&changed)
		docs, keys, err := documents(changed)
		if err != nil {
			return err
		}
		for _, key := range keys {
			before, known := base[key]
			if !known {
				order = append(order, key)
				base[key] = fmt.Sprintf("{{- if %s }}\n%s{{- end }}\n", c.value, docs[key])
				continue
			}
			// The number of replicas is a value of its own.
			after := strings.ReplaceAll(docs[key], "replicas: 1\n", "replicas: 77\n")
			hunks[key] = append(hunks[key], differences(before, after, c.value)...)
		}
	}
	files := map[string]string{}
	for _, key := range order {
		doc, err := merge(base[key], hunks[key])
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if strings.Contains(doc, "kind: CustomResourceDefinition\n") {
			doc = definition(doc)
		}
		doc = strings.NewReplacer(append(lists, placeholders...)...).Replace(doc)
		if strings.Contains(doc, "zz-") || strings.Contains(doc, "65500") {
			return fmt.Errorf("%s: a placeholder is left", key)
		}
		files[fileOf(key)] += "---\n" + doc
	}
	for name, text := range files {
		text = "{{- /* Written by `make generate` from deploy/. */}}\n" + text
		if err := os.WriteFile(filepath.Join(templates, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// documents renders the manifests, by kind, namespace and name, and returns their order.
func documents(o deploy.Options) (docs map[string]string, order []string, err error) {
	objects, err := deploy.Objects(o)
	if err != nil {
		return nil, nil, err
	}
	docs = map[string]string{}
	for _, obj := range objects {
		if obj.GetKind() == "Namespace" { // Helm makes it
			continue
		}
		unstructured.RemoveNestedField(obj.Object, "metadata", "annotations", deploy.AnnotationOptions)
		if len(obj.GetAnnotations()) == 0 {
			unstructured.RemoveNestedField(obj.Object, "metadata", "annotations")
		}
		labels := obj.GetLabels()
		labels["app.kubernetes.io/instance"] = "zz-release"
		labels["app.kubernetes.io/managed-by"] = "zz-service"
		labels["helm.sh/chart"] = "zz-chart"
		obj.SetLabels(labels)
		b, err := yaml.Marshal(obj.Object)
		if err != nil {
			return nil, nil, err
		}
		key := obj.GetKind() + " " + obj.GetNamespace() + "/" + obj.GetName()
		docs[key] = strings.ReplaceAll(string(b), "{{", "zz-braces")
		order = append(order, key)
	}
	return docs, order, nil
}

// definition adds what Helm needs for a CustomResourceDefinition: it deletes all classes and
// budgets with it, unless told to keep it.
func definition(doc string) string {
	keep := "  annotations:\n{{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n{{- end }}\n"
	return "{{- if .Values.crds.enabled }}\n" + strings.Replace(doc, "  annotations:\n", keep, 1) + "{{- end }}\n"
}

// fileOf returns the template that holds an object.
func fileOf(key string) string {
	kind, name, _ := strings.Cut(key, " ")
	switch {
	case kind == "CustomResourceDefinition":
		return "crds.yaml"
	case strings.HasPrefix(kind, "ValidatingAdmissionPolicy"):
		return "policies.yaml"
	case strings.Contains(kind, "Role"), kind == "ServiceAccount":
		return "rbac.yaml"
	case strings.HasSuffix(name, "tenama-guard"):
		return "guard.yaml"
	case strings.Contains(name, "tenama-dashboard"), kind == "PrometheusRule", kind == "PodMonitor":
		return "monitoring.yaml"
	case strings.Contains(name, "tenama-forwarder"):
		return "forwarder.yaml"
	case kind == "FlowSchema", kind == "PriorityLevelConfiguration":
		return "flowcontrol.yaml"
	}
	return "broker.yaml"
}
