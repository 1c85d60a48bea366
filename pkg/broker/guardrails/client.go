// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"context"
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// Agent is the user agent of the broker. In managedFields, kube-apiserver records the
// fields that the broker creates under that name, and those that it patches under
// v1alpha1.ManagedBy.
const Agent = v1alpha1.EventComponent

// Client writes the objects of classes. All fields are required.
type Client struct {
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface          // for objects of Kinds
	Kinds   policyv1alpha1.ObjectKinds // that classes may contain beside the guard rails
}

// typed says how the kinds are requested that every class has: with typed
// clients, which speak protobuf. All others are requested with the dynamic client.
func (c *Client) typed(obj runtime.Object) (_ rest.Interface, resource string) {
	switch obj.(type) {
	case *corev1.ResourceQuota:
		return c.Kube.CoreV1().RESTClient(), "resourcequotas"
	case *corev1.LimitRange:
		return c.Kube.CoreV1().RESTClient(), "limitranges"
	case *corev1.ServiceAccount:
		return c.Kube.CoreV1().RESTClient(), "serviceaccounts"
	case *networkingv1.NetworkPolicy:
		return c.Kube.NetworkingV1().RESTClient(), "networkpolicies"
	}
	return nil, ""
}

// other says how an object of Kinds is requested.
func (c *Client) other(ns string, obj runtime.Object) (dynamic.ResourceInterface, *unstructured.Unstructured, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, nil, fmt.Errorf("request %T: not an object of a class", obj)
	}
	kind, ok := c.Kinds.Find(u.GroupVersionKind())
	if !ok {
		return nil, nil, fmt.Errorf("request %s: not an object of a class", u.GroupVersionKind())
	}
	return c.Dynamic.Resource(kind.GroupVersion().WithResource(kind.Resource)).Namespace(ns), u, nil
}

func (c *Client) create(ctx context.Context, ns string, obj runtime.Object,
	o metav1.CreateOptions) (runtime.Object, error) {
	if client, resource := c.typed(obj); client != nil {
		return into(client.Post().Namespace(ns).Resource(resource).VersionedParams(&o,
			scheme.ParameterCodec).Body(obj).Do(ctx), obj)
	}
	other, u, err := c.other(ns, obj)
	if err != nil {
		return nil, err
	}
	return other.Create(ctx, u, o)
}

// Get returns the object in namespace ns that has the kind and name of obj.
func (c *Client) Get(ctx context.Context, ns string, obj runtime.Object, o metav1.GetOptions) (runtime.Object, error) {
	if client, resource := c.typed(obj); client != nil {
		return into(client.Get().Namespace(ns).Resource(resource).Name(nameOf(obj)).VersionedParams(&o,
			scheme.ParameterCodec).Do(ctx), obj)
	}
	other, u, err := c.other(ns, obj)
	if err != nil {
		return nil, err
	}
	return other.Get(ctx, u.GetName(), o)
}

func (c *Client) patch(ctx context.Context, ns string, obj runtime.Object, pt types.PatchType, patch []byte,
	o metav1.PatchOptions) (runtime.Object, error) {
	o.FieldManager = v1alpha1.ManagedBy
	if client, resource := c.typed(obj); client != nil {
		return into(client.Patch(pt).Namespace(ns).Resource(resource).Name(nameOf(obj)).VersionedParams(&o,
			scheme.ParameterCodec).Body(patch).Do(ctx), obj)
	}
	other, u, err := c.other(ns, obj)
	if err != nil {
		return nil, err
	}
	return other.Patch(ctx, u.GetName(), pt, patch, o)
}

// into decodes a result into a new object of the type of like.
func into(r rest.Result, like runtime.Object) (runtime.Object, error) {
	out := reflect.New(reflect.TypeOf(like).Elem()).Interface().(runtime.Object)
	return out, r.Into(out)
}
