// SPDX-License-Identifier: Apache-2.0

// Package containment proves, again and again, that the admission policies of
// deploy/policies hold the broker.
//
// Policies can be forgotten, removed, edited, or be of another release, and
// nobody would notice: the broker would only be more powerful than it promises
// to be. So it attacks, by dry-run, what it must not touch, and expects to be
// denied, by the right policy of the right set. It has no right to read
// policies, and needs none. Nor does it believe in a proof for ever.
package containment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
)

// Set is the policy set that this broker needs; deploy/policies/broker.yaml
// names it in its first message.
const Set = "policy set 3"

const (
	// stale is how many intervals a proof holds while no attempt is conclusive.
	stale = 3
	// attempt bounds one round.
	attempt = 30 * time.Second
)

// Results of a proof, for Count.
const (
	Held         = "held"
	Broken       = "broken"
	Inconclusive = "inconclusive"
)

var errUnproven = errors.New("not proven yet")

// Prover proves the containment of the broker. All fields but Count are required.
type Prover struct {
	Client         kubernetes.Interface
	Prefix         string // of temporary namespaces
	Namespace      string // of the broker
	ServiceAccount string // of the broker
	// Managed names some namespaces that the broker made, to prove there what holds
	// tenants.
	Managed func() []string
	// Like returns new copies of the labels and annotations of some class.
	Like     func() (labels, annotations map[string]string)
	Interval time.Duration // between proofs that hold
	Count    func(result string)
	Log      *slog.Logger

	state    atomic.Pointer[state]
	proven   atomic.Bool // what holds tenants, too
	reported time.Time   // the last failure, in the log
	wake     chan struct{}
}

type state struct {
	err    error // nil: contained
	proven time.Time
}

// New returns p, ready for use.
func New(p *Prover) *Prover {
	p.wake = make(chan struct{}, 1)
	p.state.Store(&state{err: errUnproven})
	return p
}

// Proof is nil while the broker is known to be contained. Otherwise it says in
// one line what is not.
func (p *Prover) Proof() error { return p.state.Load().err }

// NamespaceSeen reports that a managed namespace exists. The first call triggers the
// probes of the policy about tenants, which need a namespace.
func (p *Prover) NamespaceSeen() {
	if !p.proven.Load() {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// Run proves until ctx is done: every Interval, and every few seconds while it
// fails. Call Try before.
func (p *Prover) Run(ctx context.Context) {
	pause := 100 * time.Millisecond
	for {
		wait := p.Interval
		if p.Proof() != nil {
			wait, pause = min(pause, p.Interval), min(2*pause, 5*time.Second)
		} else {
			pause = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-p.wake:
			select { // not for every event of a burst
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		p.Try(ctx)
	}
}

// Try proves once.
func (p *Prover) Try(ctx context.Context) {
	was := p.Proof()
	result, err := p.once(ctx)
	if ctx.Err() != nil {
		return
	}
	if p.Count != nil {
		p.Count(result)
	}
	now := p.Proof()
	switch {
	case now == nil && was != nil:
		p.Log.Info("Contained: the policies hold the broker", "set", Set)
	case now != nil && was == nil, err != nil && time.Since(p.reported) > time.Minute:
		p.reported = time.Now()
		p.Log.Error("Containment is not proven", "result", result, "err", err)
	}
}

// once tries all attacks and keeps what came of it.
func (p *Prover) once(ctx context.Context) (result string, err error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	err = p.prove(ctx)
	now, result := p.state.Load().after(err, time.Now(), p.Interval)
	p.state.Store(now)
	return result, err
}

// after is what is known once an attempt has ended with err. What is not
// conclusive (kube-apiserver does not answer) changes nothing for a while: a
// hiccup is no breach, and no proof.
func (s *state) after(err error, at time.Time, interval time.Duration) (*state, string) {
	var b *breach
	switch {
	case err == nil:
		return &state{proven: at}, Held
	case errors.As(err, &b):
		return &state{err: err, proven: s.proven}, Broken
	case s.proven.IsZero():
		return &state{err: fmt.Errorf("%w: %w", errUnproven, err)}, Inconclusive
	case s.err == nil && at.Sub(s.proven) > stale*interval:
		return &state{err: fmt.Errorf("not proven since %s: %w", s.proven.UTC().Format(time.RFC3339), err), proven: s.proven}, Inconclusive
	}
	return s, Inconclusive
}
