// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"net/http"
	"sync"
	"time"

	"tenama.dev/tenama/pkg/broker/registration"
)

// register keeps the APIService registered until the returned function is called,
// which waits for writes in progress.
func (s *server) register(work context.Context, reg *registration.Registration) (stop func()) {
	ctx, cancel := context.WithCancel(work)
	var running sync.WaitGroup
	running.Go(func() { reg.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

// drain withdraws the registration, ends requests and waits for creations in
// progress. It returns failure, the error that ended the serving, if there was one.
func (s *server) drain(work context.Context, reg *registration.Registration, api *http.Server, endRequests func(),
	failure error) error {
	ctx, cancel := context.WithTimeout(work, s.options.ShutdownDelay+30*time.Second)
	defer cancel()
	withdraw := func() {
		if err := reg.Withdraw(ctx); err != nil {
			s.log.Error("Deleting the APIService failed: no namespace of the cluster can be deleted until a broker serves "+
				"again or the APIService is deleted", "err", err)
		}
	}
	withdraw()
	if failure != nil {
		return failure
	}
	select { // kube-apiserver may still send requests to this replica
	case <-time.After(s.options.ShutdownDelay):
	case <-ctx.Done():
	}
	withdraw()                               // again: replicas that stop together first see each other as ready
	time.AfterFunc(time.Second, endRequests) // ends watches; other requests have a second to complete
	_ = api.Shutdown(ctx)
	s.lifecycle.Drain(ctx)
	s.log.Info("Stopped")
	return nil
}
