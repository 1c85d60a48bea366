// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
)

// lender is a user with one namespace.
type lender struct {
	client    *tenama.Client
	namespace string
}

// newLender returns a user who has been lent a namespace.
func (s *scene) newLender(ctx context.Context, name string) (*lender, error) {
	user, err := s.user(name)
	if err != nil {
		return nil, err
	}
	l := &lender{client: user, namespace: "tmp-" + name}
	_, err = user.Create(ctx, &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace}},
		metav1.CreateOptions{})
	return l, err
}

// user returns a client with a name of its own. It impersonates, because a certificate for
// each would mean a connection for each.
func (s *scene) user(name string) (*tenama.Client, error) {
	config := s.c.Config("admin")
	config.QPS = -1
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"devs", "system:authenticated"}}
	return tenama.New(config)
}

// burst lets n users each create one namespace at the same moment. They repeat what is refused
// with a time after which to repeat it, as clients of Kubernetes do.
func (s *scene) burst(ctx context.Context, n int) ([]time.Duration, int, error) {
	took := make([]time.Duration, n)
	errs := make(chan error, n)
	var repeats sync.Map
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		user, err := s.user(fmt.Sprintf("burst-%d-%d", n, i))
		if err != nil {
			return nil, 0, err
		}
		wg.Go(func() {
			<-begin
			begun := time.Now()
			name := fmt.Sprintf("tmp-burst-%d-%d", n, i)
			for {
				_, err := user.Create(ctx, &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{
					Name: name, Annotations: map[string]string{v1alpha1.AnnotationRequestID: "id-" + name},
				}}, metav1.CreateOptions{})
				after, repeat := apierrors.SuggestsClientDelay(err)
				switch {
				case err == nil:
					took[i] = time.Since(begun)
					return
				case !repeat || ctx.Err() != nil:
					errs <- fmt.Errorf("create %q: %w", name, err)
					return
				}
				repeats.Store(i, true)
				time.Sleep(time.Duration(after) * time.Second)
			}
		})
	}
	close(begin)
	wg.Wait()
	close(errs)
	repeated := 0
	repeats.Range(func(any, any) bool { repeated++; return true })
	return took, repeated, errors.Join(collect(errs)...)
}

func collect(errs <-chan error) (out []error) {
	for err := range errs {
		if len(out) < 3 {
			out = append(out, err)
		}
	}
	return out
}

// bursts measures 300 and 1,000 creations at once, beside the usable floor with as many callers.
func bursts(ctx context.Context, r *report, sizes []int) error {
	s, stop, err := newScene(ctx)
	if err != nil {
		return err
	}
	defer stop()
	fl, err := floorOf(ctx, s.c)
	if err != nil {
		return err
	}
	t := table{
		ID: "bursts", Title: "Creations at once, each by a user of its own",
		Columns: []string{"p50 ms", "p90 ms", "p99 ms", "max ms", "to the usable floor p50", "p99"},
		Notes:   []string{"The usable floor has as many callers, and no bounds."},
	}
	for _, n := range sizes {
		base := make([]time.Duration, n)
		errs := make(chan error, n)
		var wg sync.WaitGroup
		begun := time.Now()
		for i := range n {
			wg.Go(func() {
				if err := fl.usable(ctx, fmt.Sprintf("tmp-floor-%d-%d", n, i)); err != nil {
					errs <- err
				}
				base[i] = time.Since(begun)
			})
		}
		wg.Wait()
		close(errs)
		if err := errors.Join(collect(errs)...); err != nil {
			return err
		}
		took, repeated, err := s.burst(ctx, n)
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, record{fmt.Sprintf("%d creations", n),
			append(distribution(took), ratio(took, base, .5), ratio(took, base, .99))})
		t.Notes = append(t.Notes, fmt.Sprintf("Of %d, %d were told to repeat.", n, repeated))
	}
	r.add(t)
	return nil
}

// withoutPolicies calls f while nothing keeps an administrator from writing tenama's
// annotations.
func (s *scene) withoutPolicies(_ context.Context, f func() error) error {
	if out, err := s.c.Kubectl("admin", "delete", "validatingadmissionpolicybindings", "--all"); err != nil {
		return errors.New(out)
	}
	time.Sleep(2 * time.Second)
	err := f()
	out, applyErr := s.c.Kubectl("admin", "apply", "--server-side", "-k", filepath.Join(s.c.Deploy, "base", "policies"))
	if applyErr != nil {
		applyErr = errors.New(out)
	}
	return errors.Join(err, applyErr)
}
