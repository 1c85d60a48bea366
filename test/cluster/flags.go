// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509/pkix"
	"fmt"
	"path/filepath"
)

// profile is what differs between a control plane without nodes and one with a node.
type profile struct {
	address   string               // where kube-apiserver listens
	services  string               // range of the cluster IPs
	users     map[string]pkix.Name // certificate users besides those that all control planes have
	apiserver []string             // further flags of kube-apiserver
	manager   []string             // further flags of kube-controller-manager
}

// noNodes is the profile of a control plane on which no pod ever runs. Its cluster IPs
// are part of 127.0.0.0/8, so that the cluster IP of a Service is an address of this
// machine: a process that listens on it is reachable through the Service without
// kube-proxy, and an aggregated API server can run locally.
var noNodes = profile{
	address: "127.0.0.1", services: "127.96.0.0/16",
	// Otherwise kube-apiserver needs a non-loopback address.
	apiserver: []string{"--endpoint-reconciler-type=none"},
	manager:   []string{"--controllers=" + controllers},
}

// controllers lists the controllers that the life of a namespace needs, the one that
// checks the types of admission policies, and those that create pods. There are no nodes,
// so the pods stay pending.
const controllers = "namespace-controller,serviceaccount-controller,serviceaccount-token-controller," +
	"root-ca-certificate-publisher-controller,resourcequota-controller,clusterrole-aggregation-controller," +
	"garbage-collector-controller,validatingadmissionpolicy-status-controller," +
	"job-controller,cronjob-controller,deployment-controller,replicaset-controller,statefulset-controller," +
	"daemonset-controller,replicationcontroller-controller,pod-garbage-collector-controller"

func apiserverFlags(dir, etcd string, p profile, port int) []string {
	pki := filepath.Join(dir, "pki")
	return append([]string{
		"--etcd-servers=" + etcd,
		"--bind-address=" + p.address, fmt.Sprintf("--secure-port=%d", port),
		"--advertise-address=" + p.address, // otherwise kube-apiserver needs a default route
		"--service-cluster-ip-range=" + p.services,
		"--tls-cert-file=" + pki + "/apiserver.crt", "--tls-private-key-file=" + pki + "/apiserver.key",
		"--client-ca-file=" + pki + "/client-ca.crt", "--token-auth-file=" + pki + "/tokens.csv",
		"--anonymous-auth=false", "--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + pki + "/sa.key", "--service-account-key-file=" + pki + "/sa.pub",
		"--requestheader-client-ca-file=" + pki + "/front-proxy-ca.crt",
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki + "/front-proxy-client.crt",
		"--proxy-client-key-file=" + pki + "/front-proxy-client.key",
		"--kubelet-client-certificate=" + pki + "/kubelet-client.crt",
		"--kubelet-client-key=" + pki + "/kubelet-client.key",
		"--profiling=false",
	}, p.apiserver...)
}

func controllerManagerFlags(dir string, p profile) []string {
	pki := filepath.Join(dir, "pki")
	return append([]string{
		"--kubeconfig=" + filepath.Join(dir, "controller-manager.kubeconfig"),
		"--secure-port=0", "--leader-elect=false",
		"--service-account-private-key-file=" + pki + "/sa.key", "--root-ca-file=" + pki + "/serving-ca.crt",
		"--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-namespace-syncs=10",
		"--use-service-account-credentials=true", "--profiling=false",
		// The default is a directory of the machine, which the controller creates.
		"--flex-volume-plugin-dir=" + filepath.Join(dir, "volumeplugins"),
	}, p.manager...)
}
