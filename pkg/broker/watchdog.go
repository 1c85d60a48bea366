// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"log/slog"
	"time"

	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"tenama.dev/tenama/pkg/broker/registration"
)

// guardAfter is how long the API may be unavailable. Namespaces whose deletion
// meets that wait for up to a minute afterwards; a broker that is well is back in
// a second.
const guardAfter = 15 * time.Second

// Guard removes the APIService of brokers that have died without a word, until
// ctx is done. It runs as a process and an identity of its own.
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
	guard := &registration.Guard{APIServices: client.ApiregistrationV1().APIServices(), Namespace: o.Namespace, Service: o.Service, After: guardAfter, Log: log}
	return guard.Run(ctx)
}
