// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"log/slog"
	"time"

	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"tenama.dev/tenama/pkg/broker/registration"
)

// guardAfter is how long the API may be unavailable before the guard deletes the
// APIService. A namespace deletion that fails in that time is retried up to a minute
// later; a healthy broker registers again within a second.
const guardAfter = 15 * time.Second

// Guard deletes the APIService of brokers that died without withdrawing it, until ctx
// is done. It runs as a separate process with its own identity.
func Guard(ctx context.Context, o *Options, log *slog.Logger) error {
	if err := o.Validate(); err != nil {
		return err
	}
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	client, err := aggregator.NewForConfig(config)
	if err != nil {
		return err
	}
	log.Info("Guarding", "apiservice", registration.Name, "after", guardAfter.String())
	guard := &registration.Guard{APIServices: client.ApiregistrationV1().APIServices(), Namespace: o.Namespace,
		Service: o.Service, After: guardAfter, Log: log}
	return guard.Run(ctx)
}
