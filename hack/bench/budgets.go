// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// inBudgets measures the cost of ten budgets for a create: it compares two identical
// classes, of which only one counts in the budgets.
func inBudgets(ctx context.Context, r *run) error {
	cluster, _, stop, err := stage(ctx, r)
	if err != nil {
		return err
	}
	defer stop()
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "deploy", "classes", "default.yaml"))
	if err != nil {
		return err
	}
	var manifest strings.Builder
	for _, class := range []string{"free", "counted"} {
		manifest.WriteString(strings.Replace(strings.Replace(string(b), "name: default", "name: "+class, 1),
			`is-default-class: "true"`, `is-default-class: "false"`, 1) + "---\n")
	}
	for i := range 10 {
		fmt.Fprintf(&manifest,
			"apiVersion: policy.tenama.dev/v1alpha1\nkind: NamespaceBudget\nmetadata: {name: b%d}\nspec: {classNames: "+
				"[counted], total: {requests.cpu: 1M, count/temporarynamespaces: 1M}, perUser: {requests.memory: 1P}, groups: "+
				"[{name: devs, hard: {pods: 1M}}]}\n---\n", i)
	}
	if out, err := cluster.KubectlIn("admin", manifest.String(), "apply", "-f", "-"); err != nil {
		return errors.New(out)
	}
	time.Sleep(time.Second) // until the broker has received them
	alice, err := tenama.New(cluster.Config("alice"))
	if err != nil {
		return err
	}
	const warmUp = 20
	took := map[string][]time.Duration{}
	for i := range r.budgets + warmUp {
		if err := turns(2, func(w int) error {
			class := []string{"free", "counted"}[w]
			d, err := timed(func() error {
				_, err := alice.Create(ctx, newNamespace(fmt.Sprintf("tmp-%s-%d", class, i), class), metav1.CreateOptions{})
				return err
			})
			if err != nil {
				return fmt.Errorf("class %s: %w", class, err)
			}
			if i >= warmUp {
				took[class] = append(took[class], d)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	r.add(timings("budgets", fmt.Sprintf("Creations that count in budgets, %d each, in turns", r.budgets),
		timing{"in no budget", took["free"], took["free"]}, timing{"in ten budgets", took["counted"], took["free"]}))
	return nil
}
