// SPDX-License-Identifier: Apache-2.0

// Package drain ends the brokers of an installation before their rights are removed, for the
// plugin and for the Helm chart. It imports nothing of the project, so that the broker's
// binary does not contain the installer.
package drain

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

const (
	broker     = "tenama-broker"
	podLabels  = "app.kubernetes.io/name=tenama,app.kubernetes.io/component=broker"
	apiService = "v1alpha1.tenama.dev"
	interval   = 500 * time.Millisecond
)

var (
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	pods        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
)

// Brokers scales the brokers in a namespace to 0 and waits until they and their API are gone.
// It deletes the API of brokers that did not do so themselves: an API without a broker blocks
// the deletion of every namespace, and a broker that runs registers it again. manager is the
// field manager of the change. waits, if not nil, is called with what it is waiting for.
//
// The caller needs the verbs patch on deployments/scale, list on pods, and get and delete on
// the APIService.
func Brokers(ctx context.Context, client dynamic.Interface, namespace, manager string, waits func(string)) error {
	_, err := client.Resource(deployments).Namespace(namespace).Patch(ctx, broker, types.MergePatchType,
		[]byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{FieldManager: manager}, "scale")
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("scale deployment %q to 0: %w", broker, err)
	}
	for {
		left, err := remaining(ctx, client, namespace)
		if err != nil || left == "" {
			return err
		}
		if waits != nil {
			waits(left)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval):
		}
	}
}

// remaining returns what is left of the brokers; once they have ended, it deletes their API.
func remaining(ctx context.Context, client dynamic.Interface, namespace string) (string, error) {
	list, err := client.Resource(pods).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: podLabels})
	if err != nil {
		return "", fmt.Errorf("list the pods of the broker: %w", err)
	}
	if len(list.Items) > 0 {
		return fmt.Sprintf("pod %q of the broker has not ended", list.Items[0].GetName()), nil
	}
	s, err := client.Resource(apiServices).Get(ctx, apiService, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get APIService %q: %w", apiService, err)
	}
	if ns, _, _ := unstructured.NestedString(s.Object, "spec", "service", "namespace"); ns != namespace {
		return "", nil // of another installation
	}
	err = client.Resource(apiServices).Delete(ctx, apiService, metav1.DeleteOptions{
		Preconditions: metav1.NewUIDPreconditions(string(s.GetUID())),
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return "", fmt.Errorf("delete APIService %q: %w", apiService, err)
	}
	return "APIService " + apiService + " is not deleted yet", nil
}
