// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
)

// controllers lists the controllers that the life of a namespace needs, the one that
// checks the types of admission policies, and those that create pods. There are no nodes,
// so the pods stay pending.
const controllers = "namespace-controller,serviceaccount-controller,serviceaccount-token-controller," +
	"root-ca-certificate-publisher-controller,resourcequota-controller,clusterrole-aggregation-controller," +
	"garbage-collector-controller,validatingadmissionpolicy-status-controller," +
	"job-controller,cronjob-controller,deployment-controller,replicaset-controller,statefulset-controller," +
	"daemonset-controller,replicationcontroller-controller,pod-garbage-collector-controller"

// serviceRange is part of 127.0.0.0/8, so that the cluster IP of a Service is an
// address of this machine: a process that listens on it is reachable through the
// Service without kube-proxy, and an aggregated API server can run locally.
const serviceRange = "127.96.0.0/16"

func apiserverFlags(dir, etcd, addr string, port int) []string {
	pki := filepath.Join(dir, "pki")
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=" + addr, fmt.Sprintf("--secure-port=%d", port),
		// Without these two flags, kube-apiserver needs a default route and a
		// non-loopback address.
		"--advertise-address=" + addr, "--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=" + serviceRange,
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
		"--profiling=false",
	}
}

func controllerManagerFlags(dir string) []string {
	pki := filepath.Join(dir, "pki")
	return []string{
		"--kubeconfig=" + filepath.Join(dir, "controller-manager.kubeconfig"),
		"--controllers=" + controllers, "--secure-port=0", "--leader-elect=false",
		"--service-account-private-key-file=" + pki + "/sa.key", "--root-ca-file=" + pki + "/serving-ca.crt",
		"--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-namespace-syncs=10",
		"--use-service-account-credentials=true", "--profiling=false",
	}
}
