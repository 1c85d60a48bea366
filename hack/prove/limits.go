// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"tenama.dev/tenama/test/testenv"
)

const (
	limit    = 25 // cores
	replicas = 3
	cell     = `
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceClass
metadata: {name: cell}
spec:
  lifetime: {defaultTTLSeconds: 3600, maximumTTLSeconds: 3600}
  parameters: [{name: cpu, values: ["1", "2", "3", "4"]}]
  objects:
  - {apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {requests.cpu: $(cpu)}}}
---
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceBudget
metadata: {name: cells}
spec: {classNames: [cell], total: {requests.cpu: "25"}}
`
)

// limits lets many users compete for one budget, through several replicas and API
// servers, with one user who never pauses, while replicas are killed. It uses the order
// of events from the cluster itself, and fails if the budget was exceeded at any event,
// if a namespace was written although the budget was known to be full, or if the user
// who never pauses gets more than a fair share.
func limits(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("limits", flag.ContinueOnError)
	users := fs.Int("users", 200, "number of users that request namespaces")
	length := fs.Duration("for", 40*time.Second, "duration of each part")
	if err := fs.Parse(args); err != nil {
		return err
	}
	return inDir(func(dir string) error { return compete(ctx, dir, *users, *length) })
}

// compete lets users compete twice, without the queue and with it.
func compete(ctx context.Context, dir string, users int, length time.Duration) error {
	c, err := testenv.StartCluster(ctx, dir)
	if err != nil {
		return err
	}
	defer c.Stop()
	second, stop, err := c.StartSecond(ctx)
	if err != nil {
		return err
	}
	defer stop()
	port, err := c.Install(ctx)
	if err != nil {
		return err
	}
	if out, err := c.KubectlIn("admin", cell, "apply", "-f", "-"); err != nil {
		return errors.New(out)
	}
	other, err := c.BrokerKubeconfig(ctx, second)
	if err != nil {
		return err
	}
	r, err := c.StartReplicas(ctx, port, replicas, func(i int) []string {
		if i%2 == 0 {
			return nil
		}
		return []string{"--kubeconfig=" + other} // some replicas use the second API server
	})
	if err != nil {
		return err
	}
	defer r.Stop()
	time.Sleep(time.Second) // until all replicas know the budget
	fmt.Printf("%d users, and one who never pauses, request namespaces of 1 to 4 cores; the budget has %d.\n",
		users, limit)
	fmt.Printf("%d replicas, 2 kube-apiservers on one etcd; a replica is killed (-9) every 5 s and starts again a "+
		"second later.\n", replicas)
	var wrong []string
	for _, part := range []struct {
		what  string
		waits bool
	}{
		{"Without the queue: rejected users retry after 50 to 300 ms", false},
		{"With the queue: all users wait in it, except the one who never pauses", true},
	} {
		fmt.Printf("\n# %s\n", part.what)
		crowd, err := newCrowd(c, r, second, users, part.waits)
		if err != nil {
			return err
		}
		ledger, err := watchOrder(ctx, c)
		if err != nil {
			return err
		}
		killing, stopKilling := context.WithCancel(ctx)
		var killer sync.WaitGroup
		killer.Go(func() { kill(killing, r) })
		crowd.run(ctx, length, ledger)
		stopKilling()
		killer.Wait()
		ledger.stop()
		wrong = append(wrong, crowd.judge(ledger)...)
		if err := clean(c); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d checks failed:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
	fmt.Println("\n# The limit was never exceeded")
	return nil
}

// kill kills one replica after the other, and restarts it.
func kill(ctx context.Context, r *testenv.Replicas) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(4 * time.Second):
		}
		i := rand.IntN(replicas)
		r.Kill(i)
		time.Sleep(time.Second)
		if err := r.Start(context.WithoutCancel(ctx), i); err != nil {
			fmt.Println("restart a replica:", err)
			return
		}
	}
}

// clean deletes all namespaces, and waits until they are gone.
func clean(c *testenv.Cluster) error {
	if out, err := c.Kubectl("admin", "delete", "tns", "--all", "--wait=false"); err != nil {
		return errors.New(out)
	}
	return testenv.Eventually(60*time.Second, func() error {
		out, err := c.Kubectl("admin", "get", "namespaces", "-l", "tenama.dev/class=cell", "-o", "name")
		if err != nil || out != "" {
			return errors.New("still exist: " + out)
		}
		return nil
	})
}
