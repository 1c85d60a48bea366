// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/registry"
)

var (
	scheme         = newScheme()
	codecs         = negotiated{serializer.NewCodecFactory(scheme)}
	parameterCodec = runtime.NewParameterCodec(scheme)
)

// negotiated removes protobuf: the types do not support it, and a client that accepts
// JSON as its second choice receives JSON.
type negotiated struct{ runtime.NegotiatedSerializer }

func (n negotiated) SupportedMediaTypes() []runtime.SerializerInfo {
	return slices.DeleteFunc(slices.Clone(n.NegotiatedSerializer.SupportedMediaTypes()),
		func(i runtime.SerializerInfo) bool {
			return i.MediaType == runtime.ContentTypeProtobuf
		})
}

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(s))
	utilruntime.Must(s.AddFieldLabelConversionFunc(v1alpha1.Kind, registry.Fields))
	// Types that every API server serves in addition to its own.
	v1 := schema.GroupVersion{Version: "v1"}
	metav1.AddToGroupVersion(s, v1)
	s.AddUnversionedTypes(v1, &metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{}, &metav1.APIGroup{},
		&metav1.APIResourceList{})
	return s
}
