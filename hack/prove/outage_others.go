// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/test/testenv"
)

// others use the cluster without tenama: they create and delete plain namespaces, install
// charts, and delete Deployments, whose ReplicaSets the garbage collector removes. An API
// without a server disturbs all three.
type others struct {
	c      *testenv.Cluster
	serial int
	mu     sync.Mutex
	waits  map[string]time.Duration
	begun  map[string]time.Time // of what goes on
}

func newOthers(c *testenv.Cluster) *others { return &others{c: c} }

func (o *others) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waits, o.begun = map[string]time.Duration{}, map[string]time.Time{}
}

// longest returns how long each kind of work took at most; what is not done yet counts.
func (o *others) longest() map[string]time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[string]time.Duration{}
	for what, d := range o.waits {
		out[what] = d
	}
	for what, at := range o.begun {
		out[what] = max(out[what], time.Since(at))
	}
	return out
}

func (o *others) run(ctx context.Context) {
	kube := o.c.Client("admin")
	var wg sync.WaitGroup
	for what, work := range map[string]func(context.Context, *kubernetes.Clientset, string) error{
		"namespace": namespaceOf, "replicaset": replicaSetOf, "helm": o.chart,
	} {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				o.mu.Lock()
				o.serial++
				name := fmt.Sprintf("plain-%s-%d", what, o.serial)
				began := time.Now()
				o.begun[what] = began
				o.mu.Unlock()
				for ctx.Err() == nil { // with the same name, until it is done
					if err := work(ctx, kube, name); err == nil {
						break
					}
					time.Sleep(200 * time.Millisecond)
				}
				o.mu.Lock()
				if ctx.Err() == nil {
					o.waits[what] = max(o.waits[what], time.Since(began))
					delete(o.begun, what)
				}
				o.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// namespaceOf creates a namespace, deletes it and waits until it is gone. It can be
// repeated.
func namespaceOf(ctx context.Context, kube *kubernetes.Clientset, name string) error {
	all := kube.CoreV1().Namespaces()
	_, err := all.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	if err := all.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return untilGone(ctx, func() error { _, err := all.Get(ctx, name, metav1.GetOptions{}); return err })
}

// replicaSetOf creates a Deployment, deletes it and waits until its ReplicaSet is gone.
func replicaSetOf(ctx context.Context, kube *kubernetes.Clientset, name string) error {
	labels := map[string]string{"app": name}
	_, err := kube.AppsV1().Deployments("default").Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "c"}}},
		}},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	sets := func() (int, error) {
		list, err := kube.AppsV1().ReplicaSets("default").List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil {
			return 0, err
		}
		return len(list.Items), nil
	}
	for {
		n, err := sets()
		if err != nil {
			return err
		}
		if n > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	background := metav1.DeletePropagationBackground
	err = kube.AppsV1().Deployments("default").Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	for {
		n, err := sets()
		if err != nil || n == 0 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// chart installs a chart with Helm, and uninstalls it.
func (o *others) chart(ctx context.Context, _ *kubernetes.Clientset, name string) error {
	helm := func(args ...string) error {
		cmd := exec.CommandContext(ctx, filepath.Join(testenv.Root(), "bin", "tools", "helm"), args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+o.c.Kubeconfig("admin"), "HOME="+o.c.Dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("helm %v: %s", args, out)
		}
		return nil
	}
	app := filepath.Join(testenv.Root(), "test", "e2e", "testdata", "chart")
	if err := helm("upgrade", "--install", name, app, "-n", "default"); err != nil {
		return err
	}
	return helm("uninstall", name, "-n", "default", "--ignore-not-found")
}

// untilGone calls get until it answers NotFound.
func untilGone(ctx context.Context, get func() error) error {
	for ctx.Err() == nil {
		if err := get(); apierrors.IsNotFound(err) {
			return nil
		} else if err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ctx.Err()
}
