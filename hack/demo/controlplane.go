// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// onControlPlane shows the main use on a control plane that it starts.
func onControlPlane(ctx context.Context, keep bool) (err error) {
	dir, err := os.MkdirTemp("", "tenama-demo-")
	if err != nil {
		return err
	}
	say("A real Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager)")
	begun := time.Now()
	cluster, err := testenv.StartCluster(ctx, filepath.Join(dir, "cluster"))
	if err != nil {
		os.RemoveAll(dir)
		return err
	}
	fmt.Printf("ready at %s after %.1f s\n", cluster.Server, time.Since(begun).Seconds())
	var broker *testenv.Broker
	defer func() {
		if keep && err == nil {
			say("The cluster runs until Ctrl-C. In another terminal, as alice:")
			fmt.Printf("export PATH=%s:$PATH KUBECONFIG=%s\nkubectl tenama create\n", testenv.Bin(""),
				filepath.Join(dir, "alice", "config"))
			<-ctx.Done()
		}
		if broker != nil {
			err = errors.Join(err, broker.Stop())
		}
		cluster.Stop()
		err = errors.Join(err, os.RemoveAll(dir))
	}()

	say("tenama, installed from deploy/; the broker runs here with the rights of its ServiceAccount only")
	port, err := cluster.Install(ctx)
	if err != nil {
		return err
	}
	if broker, err = cluster.StartBroker(ctx, port, "broker-0"); err != nil {
		return err
	}
	fmt.Println("kubectl apply -k deploy/overlays/local; kubectl apply -f deploy/classes/default.yaml: done")

	return steps(ctx, dir, cluster.Kubeconfig)
}
