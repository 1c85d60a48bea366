// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"runtime"

	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

// clients holds the clients of the broker. All of them share one connection, and
// their responses update the clock.
type clients struct {
	kube       kubernetes.Interface
	dynamic    dynamic.Interface
	policies   rest.Interface // of group policy.tenama.dev
	aggregator aggregator.Interface
	clock      *serverClock
}

func newClients(o *Options) (*clients, error) {
	config, err := o.restConfig()
	if err != nil {
		return nil, err
	}
	c := &clients{clock: newServerClock()}
	transport, err := rest.TransportFor(config) // the one that all clients share
	if err != nil {
		return nil, fmt.Errorf("connect to kube-apiserver: %w", err)
	}
	defer runtime.KeepAlive(transport) // client-go forgets a transport that is not in use
	if err := withReceiveWindow(transport); err != nil {
		return nil, err
	}
	config.Wrap(c.clock.Wrap)
	config.Wrap(withAuditID)
	if c.kube, err = kubernetes.NewForConfig(protobuf(config)); err != nil {
		return nil, err
	}
	if c.aggregator, err = aggregator.NewForConfig(config); err != nil {
		return nil, err
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	c.policies, err = policyClient(config)
	return c, err
}

func protobuf(c *rest.Config) *rest.Config {
	c = rest.CopyConfig(c)
	c.ContentType = apiruntime.ContentTypeProtobuf
	c.AcceptContentTypes = apiruntime.ContentTypeProtobuf + "," + apiruntime.ContentTypeJSON
	return c
}

func policyClient(c *rest.Config) (rest.Interface, error) {
	s := apiruntime.NewScheme()
	if err := policyv1alpha1.AddToScheme(s); err != nil {
		return nil, err
	}
	c = rest.CopyConfig(c)
	c.APIPath = "/apis"
	c.GroupVersion = &policyv1alpha1.GroupVersion
	c.NegotiatedSerializer = serializer.NewCodecFactory(s).WithoutConversion()
	c.ContentType, c.AcceptContentTypes = apiruntime.ContentTypeJSON, apiruntime.ContentTypeJSON
	return rest.RESTClientFor(c)
}
