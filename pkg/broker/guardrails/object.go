// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"tenama.dev/tenama/api/v1alpha1"
)

// OwnLabels returns the labels that every object of the broker has.
func OwnLabels() map[string]string {
	return map[string]string{v1alpha1.LabelManaged: "true", v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}
}

func withOwnLabels(labels map[string]string) map[string]string {
	out := OwnLabels()
	for k, v := range labels {
		if _, own := out[k]; !own {
			out[k] = v
		}
	}
	return out
}

// Identity names an object in messages: its kind and name.
func Identity(obj runtime.Object) string {
	return fmt.Sprintf("%s %q", obj.GetObjectKind().GroupVersionKind().Kind, nameOf(obj))
}

// metaOf is the metadata of an object of a class, which always has some.
func metaOf(obj runtime.Object) metav1.Object {
	m, err := meta.Accessor(obj)
	if err != nil {
		panic(fmt.Sprintf("%T has no metadata: %v", obj, err))
	}
	return m
}

func nameOf(obj runtime.Object) string { return metaOf(obj).GetName() }
