// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
)

// Guard deletes the APIService if no broker has answered behind it for a while:
// brokers that were killed cannot withdraw it themselves. A broker that serves again
// recreates it. All fields are required.
type Guard struct {
	APIServices apiregistrationclient.APIServiceInterface
	Namespace   string // of the Service
	Service     string
	After       time.Duration // how long it may be unavailable, in one piece or in several
	Log         *slog.Logger
}

// Run guards until ctx is done. It measures with its own clock, from the moment that
// it sees the condition, so that clock skew cannot make it act early. It returns an
// error if it cannot list the APIServices within a minute, so that the failure shows.
func (g *Guard) Run(ctx context.Context) error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		_, err := g.APIServices.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + Name})
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("list APIServices: %w", err)
		}
	}
	changes, latest := watchAPIService(ctx, g.APIServices)
	act := time.NewTimer(0)
	defer act.Stop()
	var stuck string // resourceVersion of an APIService that finalizers hold, and that was logged
	var down outage
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
		case <-act.C:
		}
		now := latest()
		if now != nil && now.DeletionTimestamp != nil && len(now.Finalizers) > 0 {
			if stuck != now.ResourceVersion {
				stuck = now.ResourceVersion
				g.Log.Error("The APIService is being deleted and has finalizers; until it is gone, no namespace of the cluster "+
					"can be deleted: remove them", "apiservice", Name, "finalizers", now.Finalizers)
			}
			continue
		}
		if now == nil || !isOwn(now, g.Namespace, g.Service) {
			down = outage{}
			continue
		}
		lasted := down.observe(isUnavailable(now), time.Now())
		if !down.down {
			continue
		}
		if left := g.After - lasted; left > 0 {
			act.Reset(left)
			continue
		}
		err := g.APIServices.Delete(ctx, Name,
			metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &now.UID, ResourceVersion: &now.ResourceVersion}})
		switch {
		case err == nil:
			g.Log.Warn("Deleted the APIService: no broker answered, which blocks the deletion of namespaces", "apiservice", Name,
				"unavailable", lasted.Round(time.Second).String())
		case !apierrors.IsNotFound(err):
			g.Log.Error("Deleting the APIService failed; retrying", "err", fmt.Errorf("delete APIService %q: %w", Name, err))
			act.Reset(time.Second)
		}
	}
}
