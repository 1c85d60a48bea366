// SPDX-License-Identifier: Apache-2.0

package install

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Owner returns the tool that installed an object, if that is one which would undo the
// changes of another: Helm, Flux or Argo CD. Otherwise it returns "".
func Owner(o *unstructured.Unstructured) string {
	labels, notes := o.GetLabels(), o.GetAnnotations()
	switch {
	case labels["kustomize.toolkit.fluxcd.io/name"] != "":
		return fmt.Sprintf("Flux (Kustomization %s/%s)", labels["kustomize.toolkit.fluxcd.io/namespace"],
			labels["kustomize.toolkit.fluxcd.io/name"])
	case labels["helm.toolkit.fluxcd.io/name"] != "":
		return fmt.Sprintf("Flux (HelmRelease %s/%s)", labels["helm.toolkit.fluxcd.io/namespace"],
			labels["helm.toolkit.fluxcd.io/name"])
	case notes["argocd.argoproj.io/tracking-id"] != "", labels["argocd.argoproj.io/instance"] != "":
		app, _, _ := strings.Cut(notes["argocd.argoproj.io/tracking-id"], ":")
		return fmt.Sprintf("Argo CD (Application %s)", cmp.Or(labels["argocd.argoproj.io/instance"], app))
	case notes["meta.helm.sh/release-name"] != "", labels["app.kubernetes.io/managed-by"] == "Helm":
		return fmt.Sprintf("Helm (release %s/%s)", notes["meta.helm.sh/release-namespace"],
			notes["meta.helm.sh/release-name"])
	}
	for _, f := range o.GetManagedFields() { // Argo CD tracks by a label that others set, too
		if strings.HasPrefix(f.Manager, "argocd") {
			return "Argo CD"
		}
	}
	return ""
}
