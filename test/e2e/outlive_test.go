// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

const (
	jobOf = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {%stemplate: {metadata: {labels: {app: " +
		"x}%s}, spec: {restartPolicy: Never, containers: [{name: c, image: c}]}}}\n"
	replicasOf = "apiVersion: apps/v1\nkind: %s\nmetadata: {name: w}\nspec: {selector: {matchLabels: {app: x}}, " +
		"template: {metadata: {labels: {app: x}%s}, spec: {containers: [{name: c, image: c}]}}}\n"
	finalizers = ", finalizers: [x.test/x]"
)

// A tenant who tries to keep a pod, and with it the namespace and their access, beyond
// the end must be refused or must fail: the access must end. The controllers that copy
// templates and adopt pods are the real ones.
func TestTenantCannotOutliveExpiry(t *testing.T) {
	t.Parallel()
	kube := admin()
	for name, try := range map[string]func(kubectl func(stdin string, args ...string) string, pod func() string){
		"plain": func(kubectl func(string, ...string) string, pod func() string) {
			kubectl(fmt.Sprintf(jobOf, "", ""), "create", "-f", "-")
			pod()
			kubectl(fmt.Sprintf(replicasOf, "Deployment", ""), "create", "-f", "-")
		},
		"template": func(kubectl func(string, ...string) string, _ func() string) {
			for _, kind := range []string{"Deployment", "ReplicaSet", "DaemonSet"} {
				kubectl(fmt.Sprintf(replicasOf, kind, finalizers), "create", "-f", "-")
			}
			kubectl(fmt.Sprintf(jobOf, "", finalizers), "create", "-f", "-")
			time.Sleep(time.Second) // for the controllers to create pods, if they can
		},
		"owner": func(kubectl func(string, ...string) string, pod func() string) {
			kubectl(fmt.Sprintf(jobOf, "", ""), "create", "-f", "-")
			kubectl("", "create", "configmap", "keep")
			uid := kubectl("", "get", "configmap", "keep", "-o", "jsonpath={.metadata.uid}")
			kubectl("", "patch", "pod", pod(), "--type=merge", "-p",
				`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"keep","uid":"`+uid+
					`","controller":true}]}}`)
		},
		"managed": func(kubectl func(string, ...string) string, pod func() string) {
			kubectl(fmt.Sprintf(jobOf, "", ""), "create", "-f", "-")
			kubectl(strings.Replace(fmt.Sprintf(jobOf, "managedBy: x.test/x, ", ""), "name: j", "name: other", 1), "create",
				"-f", "-")
			uid := kubectl("", "get", "job", "other", "-o", "jsonpath={.metadata.uid}")
			kubectl("", "patch", "pod", pod(), "--type=merge", "-p",
				`{"metadata":{"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"other","uid":"`+uid+
					`","controller":true}]}}`)
		},
		"adopted": func(kubectl func(string, ...string) string, pod func() string) {
			kubectl(fmt.Sprintf(jobOf, "", ""), "create", "-f", "-")
			pod()
			kubectl(fmt.Sprintf(replicasOf, "ReplicaSet", ""), "create", "-f", "-")
			// The ReplicaSet controller and the Job controller race for the pod.
			kubectl("", "delete", "job", "j", "--cascade=orphan")
			time.Sleep(2 * time.Second)
		},
		"replaced": func(kubectl func(string, ...string) string, pod func() string) {
			kubectl(fmt.Sprintf(jobOf, "podReplacementPolicy: Failed, ", ""), "create", "-f", "-")
			pod()
		},
		"dependent": func(kubectl func(string, ...string) string, pod func() string) {
			kubectl(fmt.Sprintf(jobOf, "", ""), "create", "-f", "-")
			uid := kubectl("", "get", "pod", pod(), "-o", "jsonpath={.metadata.uid}")
			kubectl(`{apiVersion: v1, kind: ConfigMap, metadata: {name: keep, finalizers: [x.test/x], ownerReferences: `+
				`[{apiVersion: v1, kind: Pod, name: `+pod()+`, uid: `+uid+`, blockOwnerDeletion: true}]}}`, "create", "-f", "-")
			kubectl("", "delete", "job", "j", "--cascade=foreground", "--wait=false")
			time.Sleep(2 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			tn := borrow(t, user(t, "alice"), unique("outlive-"+name), 30*time.Minute)
			kubectl := func(stdin string, args ...string) string {
				t.Helper()
				out, err := shared.KubectlIn("alice", stdin, append([]string{"-n", tn.Name}, args...)...)
				if err != nil {
					t.Logf("kubectl %s: %s", strings.Join(args, " "), out)
				}
				return strings.TrimSpace(out)
			}
			pod := func() (name string) {
				t.Helper()
				if err := testenv.Eventually(time.Minute, func() error {
					if name = kubectl("", "get", "pods", "-l", "batch.kubernetes.io/job-name=j", "-o", "name"); name == "" {
						return errOf("the Job has no pod")
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				return strings.TrimPrefix(name, "pod/")
			}
			try(kubectl, pod)
			if err := kube.CoreV1().Namespaces().Delete(ctx, tn.Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			err := testenv.Eventually(2*time.Minute, func() error {
				// Finalizers of other kinds may delay the end of the namespace, but not
				// of the access.
				if _, err := kube.RbacV1().RoleBindings(tn.Name).
					Get(ctx, "tenama:owner", metav1.GetOptions{}); apierrors.IsNotFound(err) {
					return nil
				}
				out, _ := shared.Kubectl("admin", "-n", tn.Name, "get", "pods", "-o",
					"jsonpath={range .items[*]}{.metadata.name} {.metadata.finalizers} {.metadata.ownerReferences}{end}")
				return errOf("the tenant still has access; pods: " + out)
			})
			if err != nil {
				t.Error(err)
			}
			if cm, err := kube.CoreV1().ConfigMaps(tn.Name).Get(ctx, "keep", metav1.GetOptions{}); err == nil &&
				len(cm.Finalizers) > 0 {
				cm.Finalizers = nil // let the namespace go
				_, _ = kube.CoreV1().ConfigMaps(tn.Name).Update(ctx, cm, metav1.UpdateOptions{})
			}
		})
	}
}
