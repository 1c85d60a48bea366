// SPDX-License-Identifier: Apache-2.0

//go:build node

package main

import (
	"context"
	"crypto/x509/pkix"
	"flag"

	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func init() {
	tools["kubelet"] = func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) }
	tools["kube-proxy"] = func() int { return cli.Run(proxy.NewProxyCommand()) }
	tools["kube-scheduler"] = func() int { return cli.Run(scheduler.NewSchedulerCommand()) }
	nodeFlag = func(fs *flag.FlagSet, o *options) {
		fs.Func("node", "serve at this address, for a node named node1", func(addr string) error {
			o.profile = withNode(addr)
			return nil
		})
	}
}

// withNode is the profile of a control plane whose pods run on a node named node1. The
// ranges of addresses are those of kubeadm's and flannel's documentation.
func withNode(addr string) profile {
	const services = "10.96.0.0/16"
	return profile{
		address: addr, services: services,
		users: map[string]pkix.Name{
			"kubelet":        subject("system:node:node1", "", "system:nodes"),
			"kube-proxy":     subject("system:kube-proxy", ""),
			"kube-scheduler": subject("system:kube-scheduler", ""),
		},
		apiserver: []string{
			"--allow-privileged=true", "--enable-admission-plugins=NodeRestriction",
			// The name of the node is not in DNS.
			"--kubelet-preferred-address-types=InternalIP",
			// kube-apiserver dials aggregated API servers at the addresses of their pods, as in
			// clusters where it runs outside the nodes.
			"--enable-aggregator-routing=true",
		},
		manager: []string{
			"--controllers=*", "--service-cluster-ip-range=" + services,
			"--allocate-node-cidrs=true", "--cluster-cidr=10.244.0.0/16",
		},
	}
}
