// SPDX-License-Identifier: Apache-2.0

// Package install installs, checks and removes tenama with the rights of an administrator.
// The rules it lives by:
//
//   - It applies what package deploy renders, by server-side apply, and never forces a
//     conflict: a field that another manager set stays, and the installation stops
//     before the first write.
//   - What Helm, Flux or Argo CD installed is theirs to update and to remove.
//   - Policies come before the rights that they restrict, and rights before the broker.
//     The removal goes the other way, after the brokers have ended: a broker that runs
//     registers its API again, and an API without a broker blocks the deletion of every
//     namespace.
//   - It prints nothing and asks nothing; package cli does.
package install

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Manager is the name of tenama's field manager, as kube-apiserver records it.
const Manager = "kubectl-tenama"

// Names of objects in every installation.
const (
	brokerName = "tenama-broker"
	guardName  = "tenama-guard"
	brokerRole = "tenama:broker" // ClusterRole and its binding
	apiService = "v1alpha1.tenama.dev"
	nameLabel  = "app.kubernetes.io/name" // tenama on every object
	usersName  = "tenama-users"           // ClusterRoleBinding of those who may use tenama
	// forwarderSecret is the configuration of the component forwarder (docs/notices.md).
	forwarderSecret = "tenama-forwarder"
)

var (
	namespaces     = resource("", "v1", "namespaces")
	pods           = resource("", "v1", "pods")
	configMaps     = resource("", "v1", "configmaps")
	deployments    = resource("apps", "v1", "deployments")
	daemonSets     = resource("apps", "v1", "daemonsets")
	endpointSlices = resource("discovery.k8s.io", "v1", "endpointslices")
	apiServices    = resource("apiregistration.k8s.io", "v1", "apiservices")
	definitions    = resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
	roleBindings   = resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings")
	reviews        = resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
	classes        = resource("policy.tenama.dev", "v1alpha1", "namespaceclasses")
)

func resource(group, version, plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
}

// Cluster is a cluster on which tenama is, or will be, installed.
type Cluster struct {
	client    dynamic.Interface
	namespace string // of the broker
}

// New returns a cluster, with the namespace of the broker.
func New(config *rest.Config, namespace string) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // each object takes a few requests
	c, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Cluster{client: c, namespace: namespace}, nil
}

// resourceOf returns the client for the resource of an object. The plural of each kind in
// deploy/ is regular, so no discovery is needed, which a broken aggregated API can delay.
func (c *Cluster) resourceOf(o *unstructured.Unstructured) dynamic.ResourceInterface {
	plural, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	if ns := o.GetNamespace(); ns != "" {
		return c.client.Resource(plural).Namespace(ns)
	}
	return c.client.Resource(plural)
}

// get returns an object, or nil if there is none.
func (c *Cluster) get(
	ctx context.Context, r dynamic.ResourceInterface, name string,
) (*unstructured.Unstructured, error) {
	o, err := r.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return o, err
}

// Image returns the image of the first container of a Deployment.
func Image(deployment *unstructured.Unstructured) string {
	for _, c := range maps(deployment.Object, "spec", "template", "spec", "containers") {
		return text(c["image"])
	}
	return ""
}

// label returns how messages name an object.
func label(o *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %q", o.GetKind(), o.GetName())
}
