// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

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
	case errors.As(err, &pod) && pod.IsImage():
		return withHint(err, "make the image available to the nodes: --registry for a mirror, --image-pull-secret for a "+
			"private registry, --image for an image that was loaded into the nodes")
	case errors.As(err, &pod):
		return withHint(err, fmt.Sprintf("see: kubectl -n %s describe pod %s", t.options.Namespace, pod.Pod))
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
		probe := &createRequest{factory: o.factory, dryRun: true}
		_, err := probe.create(ctx, c, probe.object())
		if budget, _ := client.IsOverBudget(err); err == nil || budget != "" {
			return nil
		}
		if apierrors.IsForbidden(err) { // an administrator of the cluster who may not use classes
			return nil
		}
		select {
		case <-ctx.Done():
			line, hint, _ := explain(err)
			return withHint(fmt.Errorf("a namespace cannot be created yet: %s", line), hint)
		case <-time.After(time.Second):
		}
	}
}
