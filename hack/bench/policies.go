// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/test/testenv"
)

// others measures the cost of the admission policies for other users: creates in a
// namespace that tenama does not manage. Requests alternate between two control planes,
// one with the policies and one without; halfway the two swap roles, so that
// differences between the processes cancel out.
func others(ctx context.Context, r *run) error {
	t := table{ID: "others", Title: "A create in an unrelated namespace, with the policies to without them, " +
		fmt.Sprintf("%d each, in turns on two control planes that swap halfway", r.others),
		Columns: []string{"p50 ms", "p50 ×", "p90 ×", "p99 ×", "mean ×"}}
	for _, narrow := range []bool{false, true} {
		rows, err := policies(ctx, r.others, narrow)
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, rows...)
	}
	r.add(t)
	return nil
}

func policies(ctx context.Context, n int, narrow bool) ([]record, error) {
	dir, err := os.MkdirTemp("", "tenama-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	which, set := "", ""
	if narrow {
		which, set = ", component narrow", filepath.Join(dir, "narrow")
		if err := narrowed(set); err != nil {
			return nil, err
		}
	}
	var planes [2]*testenv.Cluster
	for i := range planes {
		c, err := testenv.StartCluster(ctx, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return nil, err
		}
		defer c.Stop()
		if _, err := c.Install(ctx); err != nil {
			return nil, err
		}
		if set != "" {
			if out, err := c.Kubectl("admin", "apply", "--server-side", "--force-conflicts", "-k", set); err != nil {
				return nil, fmt.Errorf("narrow the policies: %s", out)
			}
		}
		planes[i] = c
	}
	kinds := []string{"config map", "service account"} // the policies check the second kind in temporary namespaces
	took := map[string]*[2][]time.Duration{kinds[0]: {}, kinds[1]: {}}
	for half := range 2 {
		with, without := planes[half], planes[1-half]
		if err := errors.Join(policiesAre(ctx, with, true), policiesAre(ctx, without, false)); err != nil {
			return nil, err
		}
		time.Sleep(5 * time.Second) // kube-apiserver compiles the policies, and the controllers check them
		clients := [2]kubernetes.Interface{without.Client("admin"), with.Client("admin")}
		for i := range n/2 + 50 {
			for _, kind := range kinds {
				first := rand.N(2)
				for _, on := range []int{first, 1 - first} {
					begun := time.Now()
					if err := create(ctx, clients[on], kind, fmt.Sprintf("bench-%d-%d", half, i)); err != nil {
						return nil, err
					}
					if i >= 50 { // the first requests meet cold caches
						took[kind][on] = append(took[kind][on], time.Since(begun))
					}
				}
			}
		}
	}
	var rows []record
	for _, kind := range kinds {
		with, without := took[kind][1], took[kind][0]
		rows = append(rows, record{Name: kind + which, Values: []float64{ms(at(without, .5)), ratio(with, without, .5),
			ratio(with, without, .9), ratio(with, without, .99), mean(with) / mean(without)}})
	}
	return rows, nil
}

// narrowed writes a kustomization of the policies with the component narrow.
func narrowed(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	deploy, err := filepath.Rel(dir, filepath.Join(testenv.Root(), "deploy")) // kustomize requires a relative path
	if err != nil {
		return err
	}
	text := fmt.Sprintf("resources: [%s/base/policies]\ncomponents: [%s/components/narrow]\n", deploy, deploy)
	return os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600)
}

func create(ctx context.Context, k kubernetes.Interface, kind, name string) (err error) {
	if kind == "config map" {
		_, err = k.CoreV1().ConfigMaps("default").
			Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"a": "b"}},
				metav1.CreateOptions{})
		return err
	}
	_, err = k.CoreV1().ServiceAccounts("default").
		Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}

// policiesAre switches the policies on or off through their bindings, and waits until
// the change has taken effect.
func policiesAre(ctx context.Context, c *testenv.Cluster, on bool) error {
	client := c.Client("admin").AdmissionregistrationV1()
	bindings := client.ValidatingAdmissionPolicyBindings()
	installed, err := client.ValidatingAdmissionPolicies().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, policy := range installed.Items { // all of them are tenama's
		err := bindings.Delete(ctx, policy.Name, metav1.DeleteOptions{})
		if on {
			_, err = bindings.Create(ctx, &admissionv1.ValidatingAdmissionPolicyBinding{
				ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
				Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
					PolicyName: policy.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit},
				},
			}, metav1.CreateOptions{})
		}
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("switch the policies: %w", err)
		}
	}
	broker := c.Config("admin")
	broker.Impersonate.UserName, broker.Impersonate.Groups = "system:serviceaccount:tenama-system:tenama-broker",
		[]string{"system:masters"}
	as := kubernetes.NewForConfigOrDie(broker)
	return testenv.Eventually(20*time.Second, func() error {
		_, err := as.CoreV1().ServiceAccounts("default").
			Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "probe"}},
				metav1.CreateOptions{DryRun: []string{"All"}})
		if denied := apierrors.IsForbidden(err); denied != on {
			return fmt.Errorf("the policies are not switched: %v", err)
		}
		return nil
	})
}
