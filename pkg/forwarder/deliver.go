// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// firstRetry and lastRetry bound the pause between two tries of a message.
	firstRetry, lastRetry = time.Second, 5 * time.Minute
	// maxRetryAfter bounds the pause that a receiver can ask for.
	maxRetryAfter = time.Hour
	// maxAge is how long an endpoint may accept nothing before messages of that age are dropped.
	maxAge = 24 * time.Hour
	// rejectedTries is how often a receiver may reject a message before it is dropped.
	rejectedTries = 3
	// saveInterval is the least time between two writes of a position. What was sent in the
	// meantime is sent again if the process is killed.
	saveInterval = 5 * time.Second
)

// deliver sends a message of a type that the endpoint wants, until it is accepted, or is not
// acceptable, or too old. Errors: errGone, and that ctx is done.
func (p *pipeline) deliver(ctx context.Context, kind, what string, at time.Time, d Data) error {
	if !slices.Contains(p.endpoint.Types, kind) {
		return nil
	}
	m, err := newMessage(p.source, kind, what, at, d)
	if err != nil {
		p.log.Error("A message cannot be encoded; it is dropped", "namespace", d.Namespace, "type", kind, "err", err)
		return nil
	}
	pause, rejected := firstRetry, 0
	for try := 1; ; try++ {
		err := p.sender.send(ctx, m, p.source, p.now())
		if errors.Is(err, errRejected) {
			rejected++
		}
		if err != nil && p.failing.IsZero() {
			p.failing = p.now()
		}
		var later *retryLater
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			p.works("delivered")
			p.log.Info("Delivered", "namespace", m.name, "type", kind, "id", m.id, "tries", try)
			return p.save(ctx, saveInterval)
		case errors.Is(err, errGone):
			p.position.Gone, p.changed = p.urlHash(), true
			waits.end(p.endpoint.Name)
			return err
		case rejected >= rejectedTries:
			p.works("rejected")
			p.log.Error("A message was not accepted; it is dropped", "namespace", m.name, "type", kind, "id", m.id, "err", err)
			return nil
		case p.now().Sub(m.at) > maxAge && p.now().Sub(p.failing) > maxAge:
			waits.end(p.endpoint.Name) // no message waits; the next one finds the endpoint as it is
			p.count("expired")
			p.log.Error("The endpoint accepted nothing for a day; the message is dropped", "namespace", m.name, "type", kind,
				"id", m.id, "err", err)
			return nil
		}
		wait := pause/2 + rand.N(pause)
		if errors.As(err, &later) && later.after > 0 {
			wait = min(max(later.after, wait), maxRetryAfter)
		}
		p.count("retried")
		waits.begin(p.endpoint.Name)
		p.log.Warn("Delivery failed; retrying", "namespace", m.name, "type", kind, "id", m.id, "tries", try,
			"waitSeconds", wait.Seconds(), "err", err)
		if err := p.save(ctx, saveInterval); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.limit(wait):
		}
		pause = min(2*pause, lastRetry)
	}
}

// save writes the position if it changed, and was not written within the interval. A failure is
// logged: what was delivered since is delivered again after a restart. Errors: that ctx is done.
func (p *pipeline) save(ctx context.Context, interval time.Duration) error {
	if !p.changed || time.Since(p.saved) < interval {
		return ctx.Err()
	}
	if err := p.store.save(ctx, p.endpoint.Name, p.position); err != nil {
		metricErrors.WithLabelValues(p.endpoint.Name).Inc()
		p.log.Warn("Saving the position failed", "err", err)
		return ctx.Err()
	}
	p.changed, p.saved = false, time.Now()
	return nil
}

// works counts a message to which the endpoint gave an answer that is final.
func (p *pipeline) works(result string) {
	p.failing = time.Time{}
	waits.end(p.endpoint.Name)
	p.count(result)
}

func (p *pipeline) count(result string) {
	metricMessages.WithLabelValues(p.endpoint.Name, result).Inc()
}
