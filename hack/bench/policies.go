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

// policies measures the cost of the admission policies for other users: creates in a
// namespace that tenama does not manage. Requests alternate between two control planes,
// one with the policies and one without; halfway the two swap roles, so that
// differences between the processes cancel out.
func policies(ctx context.Context, n int, narrow bool) error {
	dir, err := os.MkdirTemp("", "tenama-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	which, set := "the policies", ""
	if narrow {
		which, set = "the narrow policies", filepath.Join(dir, "narrow")
		if err := os.Mkdir(set, 0o700); err != nil {
			return err
		}
		deploy, err := filepath.Rel(set, filepath.Join(testenv.Root(), "deploy")) // kustomize requires a relative path
		if err != nil {
			return err
		}
		text := fmt.Sprintf("resources: [%s/base/policies]\ncomponents: [%s/components/narrow]\n", deploy, deploy)
		if err := os.WriteFile(filepath.Join(set, "kustomization.yaml"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	var planes [2]*testenv.Cluster
	for i := range planes {
		c, err := testenv.StartCluster(ctx, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return err
		}
		defer c.Stop()
		if _, err := c.Install(ctx); err != nil {
			return err
		}
		if set != "" {
			if out, err := c.Kubectl("admin", "apply", "--server-side", "--force-conflicts", "-k", set); err != nil {
				return fmt.Errorf("narrow the policies: %s", out)
			}
		}
		planes[i] = c
	}
	kinds := []string{"config map", "service account"} // the policies check the second kind in temporary namespaces
	took := map[string]*[2][]time.Duration{kinds[0]: {}, kinds[1]: {}}
	for half := range 2 {
		with, without := planes[half], planes[1-half]
		if err := errors.Join(policiesAre(ctx, with, true), policiesAre(ctx, without, false)); err != nil {
			return err
		}
		time.Sleep(5 * time.Second) // kube-apiserver compiles the policies, and the controllers check them
		clients := [2]kubernetes.Interface{without.Client("admin"), with.Client("admin")}
		for i := range n/2 + 50 {
			for _, kind := range kinds {
				first := rand.N(2)
				for _, on := range []int{first, 1 - first} {
					begun := time.Now()
					if err := create(ctx, clients[on], kind, fmt.Sprintf("bench-%d-%d", half, i)); err != nil {
						return err
					}
					if i >= 50 { // the first requests meet cold caches
						took[kind][on] = append(took[kind][on], time.Since(begun))
					}
				}
			}
		}
	}
	fmt.Printf("\nA create in an unrelated namespace, with %s to without, n=%d each, in turns on two control planes "+
		"that swap halfway:\n", which, len(took[kinds[0]][0]))
	for _, kind := range kinds {
		with, without := took[kind][1], took[kind][0]
		fmt.Printf("  %-16s p50 %.3f   p90 %.3f   p99 %.3f   mean %.3f   (p50 without: %.2f ms)\n", kind,
			ratio(with, without, 0.5), ratio(with, without, 0.9), ratio(with, without, 0.99), mean(with)/mean(without),
			ms(at(without, .5)))
	}
	return nil
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

func mean(d []time.Duration) float64 {
	sum := time.Duration(0)
	for _, v := range d {
		sum += v
	}
	return float64(sum) / float64(len(d))
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
