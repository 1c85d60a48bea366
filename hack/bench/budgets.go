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

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// budgets measures the cost of ten budgets for a create: it compares two identical
// classes, of which only one counts in the budgets.
func budgets(ctx context.Context, n int) error {
	cluster, _, _, stop, err := stage(ctx)
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
	took := map[string][]time.Duration{}
	for i := range n + 20 {
		for _, class := range []string{"free", "counted"} {
			begun := time.Now()
			_, err := alice.Create(ctx, &v1alpha1.TemporaryNamespace{
				TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("tmp-%s-%d", class, i)},
				Spec:       v1alpha1.TemporaryNamespaceSpec{ClassName: class},
			}, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("class %s: %w", class, err)
			}
			if i >= 20 { // a warm-up first
				took[class] = append(took[class], time.Since(begun))
			}
		}
	}
	fmt.Printf("\nA create that counts in ten budgets, to one that counts in none, %d each, interleaved: %.2f at p50, "+
		"%.2f at p90, %.2f at p99\n", n,
		ratio(took["counted"], took["free"], .5), ratio(took["counted"], took["free"], .9),
		ratio(took["counted"], took["free"], .99))
	return nil
}
