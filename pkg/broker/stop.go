// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"tenama.dev/tenama/pkg/broker/registration"
)

// deployment is the name of the broker's Deployment, whose pods have these labels.
const (
	deployment = "tenama-broker"
	podLabels  = "app.kubernetes.io/name=tenama,app.kubernetes.io/component=broker"
)

// Stop scales the brokers to 0 and waits until they and their API are gone. The Helm chart
// runs it, with rights of its own, before it deletes their rights: an API without a broker
// blocks the deletion of every namespace, and a broker that runs registers it again.
func Stop(ctx context.Context, o *Options, log *slog.Logger) error {
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	registered, err := aggregator.NewForConfig(config)
	if err != nil {
		return err
	}
	_, err = kube.AppsV1().Deployments(o.Namespace).Patch(ctx, deployment, types.MergePatchType,
		[]byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{}, "scale")
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("scale deployment %q to 0: %w", deployment, err)
	}
	for left := -1; left != 0; {
		pods, err := kube.CoreV1().Pods(o.Namespace).List(ctx, metav1.ListOptions{LabelSelector: podLabels})
		if err != nil {
			return fmt.Errorf("list the pods of the broker: %w", err)
		}
		if left != len(pods.Items) {
			log.Info("Waiting until the brokers have ended", "pods", len(pods.Items))
		}
		if left = len(pods.Items); left > 0 && !sleep(ctx, time.Second) {
			return ctx.Err()
		}
	}
	services := registered.ApiregistrationV1().APIServices()
	for {
		s, err := services.Get(ctx, registration.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			log.Info("The brokers have ended, and their API is gone")
			return nil
		case err != nil:
			return fmt.Errorf("get APIService %q: %w", registration.Name, err)
		case s.Spec.Service == nil || s.Spec.Service.Namespace != o.Namespace:
			return nil // of another installation
		}
		options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(s.UID))}
		err = services.Delete(ctx, registration.Name, options)
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete APIService %q: %w", registration.Name, err)
		}
		if !sleep(ctx, time.Second) {
			return ctx.Err()
		}
	}
}

// TryCreate creates a namespace by dry run, with the rights of its ServiceAccount, and
// repeats that for two minutes. The Helm chart runs it as its test.
func TryCreate(ctx context.Context, o *Options, log *slog.Logger) error {
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	body := []byte(`{"apiVersion":"tenama.dev/v1alpha1","kind":"TemporaryNamespace","metadata":{"generateName":"` +
		o.Prefixes[0] + `"}}`)
	for end := time.Now().Add(2 * time.Minute); ; {
		err := kube.RESTClient().Post().AbsPath("/apis/tenama.dev/v1alpha1/temporarynamespaces").Param("dryRun", "All").
			SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
		if err == nil {
			log.Info("A namespace can be created")
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("create a namespace by dry run: %w", err)
		}
		log.Info("A namespace cannot be created yet", "err", err)
		if !sleep(ctx, 3*time.Second) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// sleep waits; it reports false if ctx is done before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
