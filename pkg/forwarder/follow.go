// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// pageSize is how many namespaces one list returns.
const pageSize = 500

// errRelist means that the watch cannot be resumed: too much has happened since.
var errRelist = errors.New("the watch cannot be resumed")

// run sends the messages of an endpoint until ctx is done or the endpoint is gone.
func (p *pipeline) run(ctx context.Context, c *client.Client) {
	defer p.finish()
	zero(p.endpoint.Name)
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, time.Minute) {
		err := p.begin(ctx)
		if err == nil {
			break
		}
		metricErrors.WithLabelValues(p.endpoint.Name).Inc()
		p.log.Error("The endpoint cannot begin; retrying", "err", err)
		p.sleep(ctx, pause)
	}
	if ctx.Err() != nil {
		return
	}
	if p.position.Gone != "" {
		metricGone.WithLabelValues(p.endpoint.Name).Set(1)
		p.log.Error("The endpoint answered 410 before; it gets no messages until its URL is changed")
		return
	}
	for ctx.Err() == nil {
		begun := time.Now()
		err := p.follow(ctx, c)
		switch {
		case errors.Is(err, errGone):
			metricGone.WithLabelValues(p.endpoint.Name).Set(1)
			p.log.Error("The endpoint answered 410; it gets no messages until its URL is changed")
			return
		case errors.Is(err, errRelist):
			p.position.ResourceVersion, p.changed = "", true
		case err != nil && ctx.Err() == nil:
			metricErrors.WithLabelValues(p.endpoint.Name).Inc()
			p.log.Warn("Following the namespaces failed; retrying", "err", err)
		}
		if time.Since(begun) < time.Second {
			p.sleep(ctx, time.Second)
		}
	}
}

// finish saves the position at the end of run, whose context is done.
func (p *pipeline) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if p.position != nil {
		_ = p.save(ctx, 0)
	}
}

func (p *pipeline) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-p.limit(d):
	}
}

// follow resumes the watch where the position says, or lists first. Errors: errGone, errRelist,
// those of the API, and that ctx is done.
func (p *pipeline) follow(ctx context.Context, c *client.Client) error {
	if p.position.ResourceVersion == "" {
		all, version, err := list(ctx, c)
		if err != nil {
			return err
		}
		if err := p.relist(ctx, all); err != nil {
			return err
		}
		p.position.ResourceVersion, p.changed = version, true
		if err := p.save(ctx, 0); err != nil {
			return err
		}
	}
	w, err := watchtools.NewRetryWatcherWithContext(ctx, p.position.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, o)
		},
	})
	if err != nil {
		return fmt.Errorf("watch the namespaces: %w", err)
	}
	defer w.Stop()
	read := func(name string) (*v1alpha1.TemporaryNamespace, error) {
		tn, err := c.Get(ctx, name)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return tn, err
	}
	for {
		if err := p.notices(ctx, read); err != nil {
			return err
		}
		if err := p.putOff(ctx, read); err != nil {
			return err
		}
		wait := saveInterval
		if at, _, _ := p.due(); !at.IsZero() {
			wait = min(wait, max(at.Sub(p.now()), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.limit(wait):
			if err := p.save(ctx, saveInterval); err != nil {
				return err
			}
		case e, ok := <-w.ResultChan():
			if !ok && ctx.Err() != nil {
				return ctx.Err()
			}
			if !ok {
				return errRelist // it ended because of an error that it does not repeat
			}
			if err := p.handle(ctx, e); err != nil {
				return err
			}
		}
	}
}

// handle handles an event of the watch.
func (p *pipeline) handle(ctx context.Context, e watch.Event) error {
	tn, ok := e.Object.(*v1alpha1.TemporaryNamespace)
	if !ok {
		if err := apierrors.FromObject(e.Object); apierrors.IsGone(err) || apierrors.IsResourceExpired(err) {
			return errRelist
		}
		return fmt.Errorf("watch the namespaces: %w", apierrors.FromObject(e.Object))
	}
	var err error
	switch e.Type {
	case watch.Deleted:
		if r, known := p.position.Known[tn.Name]; known && r.UID == string(tn.UID) {
			err = p.gone(ctx, tn.Name)
		}
	case watch.Added, watch.Modified:
		err = p.seen(ctx, tn)
	}
	if err != nil {
		return err
	}
	p.position.ResourceVersion, p.changed = tn.ResourceVersion, true
	return p.save(ctx, saveInterval)
}

// list returns all namespaces, and the version from which a watch goes on.
func list(ctx context.Context, c *client.Client) (all []v1alpha1.TemporaryNamespace, version string, _ error) {
	o := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.List(ctx, o)
		if err != nil {
			return nil, "", fmt.Errorf("list the namespaces: %w", err)
		}
		all, version = append(all, page.Items...), page.ResourceVersion
		if o.Continue = page.Continue; o.Continue == "" {
			return all, version, nil
		}
	}
}
