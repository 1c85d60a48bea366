// SPDX-License-Identifier: Apache-2.0

package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// interval is how often Wait functions look.
const interval = 500 * time.Millisecond

// poll calls f until it reports that it is done, or fails. Once ctx is done, it returns an
// error with what f was waiting for.
func poll(ctx context.Context, f func() (waitsFor string, err error)) error {
	last := "kube-apiserver did not answer"
	for {
		waits, err := f()
		if err != nil && ctx.Err() == nil || err == nil && waits == "" {
			return err
		}
		last = cmp.Or(waits, last) // f may have been interrupted by ctx
		select {
		case <-ctx.Done():
			if ctx.Err() != context.DeadlineExceeded {
				return ctx.Err()
			}
			return &WaitError{For: last}
		case <-time.After(interval):
		}
	}
}

// WaitError says what did not happen in time, and which pod does not start, if it knows one.
type WaitError struct {
	For string
	Pod *PodError
}

func (e *WaitError) Error() string { return "timed out: " + e.For }

// WaitDefinitions waits until kube-apiserver serves classes and budgets.
func (c *Cluster) WaitDefinitions(ctx context.Context) error {
	return poll(ctx, func() (string, error) {
		for _, name := range []string{"namespaceclasses.policy.tenama.dev", "namespacebudgets.policy.tenama.dev"} {
			d, err := c.get(ctx, c.client.Resource(definitions), name)
			if err != nil {
				return "", err
			}
			if d == nil || condition(d, "Established")["status"] != "True" {
				return "definition " + name + " is not established", nil
			}
		}
		return "", nil
	})
}

// WaitDeployments waits until the Deployments run the pods that they describe. It returns a
// *PodError as soon as it is sure that a pod cannot start.
func (c *Cluster) WaitDeployments(ctx context.Context) error {
	failing := map[string]time.Time{}
	var pod *PodError
	err := poll(ctx, func() (string, error) {
		for _, name := range []string{brokerName, guardName} {
			d, err := c.get(ctx, c.client.Resource(deployments).Namespace(c.namespace), name)
			if err != nil {
				return "", err
			}
			if d == nil {
				return "", fmt.Errorf("deployment %q does not exist", name)
			}
			if waits := rollout(d); waits != "" {
				if failure := condition(d, "ReplicaFailure"); failure["status"] == "True" {
					waits = fmt.Sprintf("%s: %v", waits, failure["message"])
				}
				found, err := c.podFailure(ctx, failing)
				if err != nil {
					return "", err
				}
				if pod = found; pod != nil {
					if pod.lasting() {
						return "", pod
					}
					waits += ": " + pod.Error()
				}
				return waits, nil
			}
		}
		return "", nil
	})
	if wait := (*WaitError)(nil); errors.As(err, &wait) {
		wait.Pod = pod
	}
	return err
}

// rollout returns what a Deployment still waits for.
func rollout(d *unstructured.Unstructured) string {
	at := func(path ...string) int64 {
		v, _, _ := unstructured.NestedFieldNoCopy(d.Object, path...)
		return number(v)
	}
	want := at("spec", "replicas")
	host, _, _ := unstructured.NestedBool(d.Object, "spec", "template", "spec", "hostNetwork")
	enough := want
	if host { // there may be fewer nodes than replicas
		enough = min(1, want)
	}
	switch {
	case at("status", "observedGeneration") < d.GetGeneration():
		return fmt.Sprintf("deployment %q has not been looked at by kube-controller-manager", d.GetName())
	case at("status", "updatedReplicas") < enough, at("status", "availableReplicas") < enough:
		return fmt.Sprintf("%d of %d pods of deployment %q are ready", at("status", "availableReplicas"), want, d.GetName())
	case at("status", "replicas") > at("status", "updatedReplicas"):
		return fmt.Sprintf("deployment %q has not stopped all pods of the previous version", d.GetName())
	}
	return ""
}

// WaitAPI waits until kube-apiserver reaches the broker.
func (c *Cluster) WaitAPI(ctx context.Context) error {
	return poll(ctx, func() (string, error) {
		s, err := c.get(ctx, c.client.Resource(apiServices), apiService)
		switch {
		case err != nil:
			return "", err
		case s == nil:
			return fmt.Sprintf("no broker has registered its API; see: kubectl -n %s logs deployment/%s", c.namespace,
				brokerName), nil
		}
		available := condition(s, "Available")
		if available["status"] == "True" {
			return "", nil
		}
		return fmt.Sprintf("APIService %s is not available: %v", apiService, text(available["message"])), nil
	})
}

// condition returns the condition of a type.
func condition(o *unstructured.Unstructured, kind string) map[string]any {
	for _, c := range maps(o.Object, "status", "conditions") {
		if c["type"] == kind {
			return c
		}
	}
	return map[string]any{}
}

// PodError is why a pod of the installation does not start.
type PodError struct {
	Pod, Reason, Message string
	since                time.Time
}

func (e *PodError) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("pod %s: %s: %s", e.Pod, e.Reason, e.Message), ": ")
}

// IsImage reports whether a node cannot get the image.
func (e *PodError) IsImage() bool {
	return strings.Contains(e.Reason, "Image")
}

// lasting reports whether repetition is unlikely to help: a registry may fail for a moment.
func (e *PodError) lasting() bool {
	return e.Reason == "InvalidImageName" || e.Reason == "ErrImageNeverPull" || time.Since(e.since) > time.Minute
}

// podFailure returns the failure of a pod, if one has any. failing holds since when.
func (c *Cluster) podFailure(ctx context.Context, failing map[string]time.Time) (*PodError, error) {
	list, err := c.client.Resource(pods).Namespace(c.namespace).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=tenama",
	})
	if err != nil {
		return nil, fmt.Errorf("list the pods of namespace %q: %w", c.namespace, err)
	}
	for i := range list.Items {
		pod := &list.Items[i]
		for _, s := range maps(pod.Object, "status", "containerStatuses") {
			waiting, _, _ := unstructured.NestedStringMap(s, "state", "waiting")
			reason := waiting["reason"]
			if reason == "" || reason == "ContainerCreating" || reason == "PodInitializing" {
				continue
			}
			message := waiting["message"]
			if last, _, _ := unstructured.NestedString(s, "lastState", "terminated", "message"); last != "" {
				message = last
			}
			if failing[pod.GetName()].IsZero() {
				failing[pod.GetName()] = time.Now()
			}
			return &PodError{pod.GetName(), reason, message, failing[pod.GetName()]}, nil
		}
		if s := condition(pod, "PodScheduled"); s["status"] == "False" {
			return &PodError{pod.GetName(), text(s["reason"]), text(s["message"]), time.Now()}, nil
		}
	}
	return nil, nil
}
