// SPDX-License-Identifier: Apache-2.0

// Command kube-router is the part of kube-router that enforces NetworkPolicies. With its
// routing and its proxy, which the tests do not use, it takes three times as long to build.
package main

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/spf13/pflag"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	config := options.NewKubeRouterConfig()
	config.AddFlags(pflag.CommandLine)
	pflag.Parse()
	if err := run(config); err != nil {
		fmt.Fprintln(os.Stderr, "kube-router:", err)
		os.Exit(1)
	}
}

// run is the part of kube-router's pkg/cmd that starts the firewall.
func run(config *options.KubeRouterConfig) error {
	rest, err := clientcmd.BuildConfigFromFlags("", config.Kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods().Informer(), factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	never := make(chan struct{})
	factory.Start(never)
	factory.WaitForCacheSync(never)

	iptables, ipsets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return err
	}
	c, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, new(sync.Mutex), iptables,
		ipsets)
	if err != nil {
		return err
	}
	_, podErr := pods.AddEventHandler(c.PodEventHandler)
	_, namespaceErr := namespaces.AddEventHandler(c.NamespaceEventHandler)
	_, policyErr := policies.AddEventHandler(c.NetworkPolicyEventHandler)
	if err := errors.Join(podErr, namespaceErr, policyErr); err != nil {
		return err
	}
	beats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range beats { // the controller waits until each of them is received
		}
	}()
	var wg sync.WaitGroup
	wg.Add(1)
	c.Run(beats, never, &wg)
	return nil
}
