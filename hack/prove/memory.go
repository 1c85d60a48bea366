// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// memory fills a cluster with namespaces that are as large as the API allows, and makes 64
// requests at once of each kind that reads many of them. It fails if the broker needs more
// memory than deploy/ gives it, ends, or answers with a part of a list.
func memory(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("memory", flag.ContinueOnError)
	n := fs.Int("namespaces", 10_000, "number of namespaces")
	program := fs.String("broker", "", "path of another broker to measure")
	if err := fs.Parse(args); err != nil {
		return err
	}
	limit, goLimit, err := podMemory()
	if err != nil {
		return err
	}
	if err := os.Setenv("GOMEMLIMIT", goLimit); err != nil {
		return err
	}
	c, port, stop, err := installed(ctx)
	if err != nil {
		return err
	}
	defer stop()
	b, err := c.StartBroker(ctx, port, "broker")
	if err != nil {
		return err
	}
	model, err := largest(ctx, c)
	if err != nil {
		return err
	}
	b.Kill()
	fmt.Printf("%d namespaces of %d KiB each, 303 of them of one user. The pod has %s, GOMEMLIMIT is %s.\n", *n,
		model.Size()>>10, limit.String(), goLimit)
	if err := fill(ctx, c, model, *n); err != nil {
		return err
	}
	if *program != "" {
		c.Broker = *program
	}
	// the namespaces have no guard rails, and restoring them is not what is measured
	if b, err = c.StartBroker(ctx, port, "broker", "--inspect-interval=1h"); err != nil {
		return err
	}
	defer b.Kill()
	p := &pressure{cluster: c, broker: b, all: *n + 1, limit: limit}
	p.note("start", "")
	if err := p.run(ctx); err != nil {
		return err
	}
	if len(p.wrong) > 0 {
		return fmt.Errorf("%d checks failed:\n%s", len(p.wrong), strings.Join(p.wrong, "\n"))
	}
	fmt.Println("\n# The broker never needed more memory than its pod has, and no list was cut short")
	return nil
}

// largest creates a namespace that is as large as the API allows, and returns it.
func largest(ctx context.Context, c *testenv.Cluster) (*corev1.Namespace, error) {
	config, err := c.ConfigFor("alice", "devs")
	if err != nil {
		return nil, err
	}
	alice, err := tenama.New(config)
	if err != nil {
		return nil, err
	}
	for size := 64 << 10; size > 0; size -= 256 {
		tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: "tmp-model", Annotations: map[string]string{
			"user.tenama.dev/a": strings.Repeat("x", size)}}}
		_, err := alice.Create(ctx, tn, metav1.CreateOptions{})
		if apierrors.IsRequestEntityTooLargeError(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		break
	}
	ns, err := c.Client("admin").CoreV1().Namespaces().Get(ctx, "tmp-model", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	// as many managed fields as are allowed
	object := ns.Annotations[v1alpha1.AnnotationObject]
	i := strings.LastIndex(object, `"managedFields":[`) + len(`"managedFields":[`)
	var more strings.Builder
	for n := 0; len(object)+more.Len() < 16<<10-200; n++ {
		fmt.Fprintf(&more, `{"manager":"m%d","operation":"Update","apiVersion":"tenama.dev/v1alpha1",`+
			`"fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:reason":{}}}},`, n)
	}
	ns.Annotations[v1alpha1.AnnotationObject] = object[:i] + more.String() + object[i:]
	return ns, nil
}

// fill creates namespaces like model, in the state in which the broker would leave them. The
// policies forbid that, so they are removed meanwhile. The first 303 belong to one user.
func fill(ctx context.Context, c *testenv.Cluster, model *corev1.Namespace, n int) error {
	if out, err := c.Kubectl("admin", "delete", "validatingadmissionpolicybindings", "--all"); err != nil {
		return errors.New(out)
	}
	// the controllers would write three objects into each namespace
	if err := c.Signal("kube-controller-manager", syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	admin := c.Client("admin")
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, 16)
	for range cap(failed) {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				owner := "hoarder"
				if i > 303 {
					owner = fmt.Sprintf("owner-%d", i%500)
				}
				ns := &corev1.Namespace{ObjectMeta: *model.ObjectMeta.DeepCopy()}
				ns.Name, ns.UID, ns.ResourceVersion, ns.ManagedFields = fmt.Sprintf("tmp-o%05d", i), "", "", nil
				delete(ns.Labels, corev1.LabelMetadataName)
				ns.Labels[v1alpha1.LabelOwner], ns.Annotations[v1alpha1.AnnotationOwner] = v1alpha1.OwnerHash(owner), owner
				if _, err := admin.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
	}
	policies := filepath.Join(c.Deploy, "base", "policies")
	if out, err := c.Kubectl("admin", "apply", "--server-side", "-k", policies); err != nil {
		return errors.New(out)
	}
	return nil
}
