// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/install"
	"tenama.dev/tenama/pkg/client"
)

// waitAll waits until the broker runs and kube-apiserver reaches it.
func (o *installOptions) waitAll(ctx context.Context, t *installTarget) error {
	for _, step := range []struct {
		action string
		wait   func(context.Context) error
	}{
		{"waiting for the definitions", t.cluster.WaitDefinitions},
		{"waiting for the pods", t.cluster.WaitDeployments},
		{"waiting for the API", t.cluster.WaitAPI},
	} {
		done := o.progress(step.action)
		limited, cancel := context.WithTimeout(ctx, o.timeout.d)
		err := step.wait(limited)
		cancel()
		done()
		if err != nil {
			return o.explainWait(ctx, t, err)
		}
	}
	return nil
}

// explainWait adds what helps to an error of a wait. The installation stays: a repetition goes
// on from there.
func (o *installOptions) explainWait(ctx context.Context, t *installTarget, err error) error {
	var pod *install.PodError
	var wait *install.WaitError
	switch {
	case errors.As(err, &pod):
		return withHint(err, podAdvice(t, pod))
	case errors.As(err, &wait) && wait.Pod != nil:
		return &failure{err: err, code: exitTimeout, hint: podAdvice(t, wait.Pod)}
	case errors.As(err, &wait):
		advice := ""
		name := v1alpha1.GroupVersion.Version + "." + v1alpha1.GroupVersion.Group
		if cond, cerr := t.client.APIServiceAvailable(ctx, name); cerr == nil && cond.Message != "" {
			advice = apiServiceAdvice(cond, t.version)
		}
		return &failure{err: err, code: exitTimeout, hint: advice}
	}
	return err
}

func podAdvice(t *installTarget, pod *install.PodError) string {
	if pod.IsImage() {
		return "make the image available to the nodes: --registry for a mirror, --image-pull-secret for a " +
			"private registry, --image for an image that was loaded into the nodes"
	}
	return fmt.Sprintf("see: kubectl -n %s describe pod %s", t.options.Namespace, pod.Pod)
}

// tryCreate proves by a dry run that a namespace can be created. The first answers after an
// installation may be that the policies or the class are not in force yet.
func (o *installOptions) tryCreate(ctx context.Context) error {
	defer o.progress("waiting until a namespace can be created")()
	ctx, cancel := context.WithTimeout(ctx, o.timeout.d)
	defer cancel()
	c, err := o.client()
	if err != nil {
		return err
	}
	for {
		tried, err := o.tryOnce(ctx, c)
		if err == nil {
			if !tried {
				fmt.Fprintln(o.ErrOut, "There is no class yet, so no namespace can be created: create one (docs/classes.md)")
			}
			return nil
		}
		select {
		case <-ctx.Done():
			message, hint := problem(err)
			return withHint(fmt.Errorf("a namespace cannot be created yet: %s", message), hint)
		case <-time.After(time.Second):
		}
	}
}

// tryOnce returns nil if the broker decides about a creation, or if there is no class to try,
// which tried reports.
func (o *installOptions) tryOnce(ctx context.Context, c *client.Client) (tried bool, _ error) {
	classes, err := c.Classes(ctx)
	if err != nil || len(classes.Items) == 0 {
		return false, err
	}
	class := &classes.Items[0]
	for i := range classes.Items {
		if isDefault(&classes.Items[i]) {
			class = &classes.Items[i]
		}
	}
	ready := meta.FindStatusCondition(class.Status.Conditions, policyv1alpha1.ConditionReady)
	if ready == nil {
		return true, fmt.Errorf("the broker has not looked at class %q", class.Name)
	}
	if ready.Status == metav1.ConditionFalse {
		return true, fmt.Errorf("class %q cannot be used: %s", class.Name, ready.Message)
	}
	probe := &createRequest{factory: o.factory, dryRun: true, class: class.Name}
	_, err = probe.create(ctx, c, probe.object())
	budget, _ := client.IsOverBudget(err)
	if budget != "" || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return true, nil // a full budget, a right or a parameter that the administrator lacks
	}
	return true, err
}
