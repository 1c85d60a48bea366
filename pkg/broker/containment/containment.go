// SPDX-License-Identifier: Apache-2.0

// Package containment proves repeatedly that the admission policies of deploy/base/policies
// contain the broker.
//
// Policies can be forgotten, removed, edited, or belong to another release, and
// nothing would fail: the broker would only be more powerful than documented. So it
// probes them with dry-run requests that must be denied, and expects the denial by
// the right policy of the right set. It has no right to read policies, and needs
// none. A proof expires.
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

// Set names the policy set that this broker requires. deploy/base/policies/broker.yaml
// lists the sets that it serves, so that policies can be updated before the brokers: a
// broker looks for its own set among them. Sets:
//
//   - 3: the rules of the first releases.
//   - 4: the broker may end the access to a namespace whose deletion hangs.
//   - 5: the broker may record the history of extensions.
const Set = "policy set 5"

const (
	// maxStaleRounds is how many intervals a proof stays valid while all rounds are
	// inconclusive.
	maxStaleRounds = 3
	// roundTimeout bounds the duration of one round of probes.
	roundTimeout = 30 * time.Second
)

// Results of a round of probes, for Count.
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
	// SampleNames returns the names of some managed namespaces, in which to probe the
	// policy about tenants.
	SampleNames func() []string
	// TemplateMetadata returns new copies of the labels and annotations of a class.
	TemplateMetadata func() (labels, annotations map[string]string)
	Interval         time.Duration // between rounds that succeed
	Count            func(result string)
	Log              *slog.Logger

	state         atomic.Pointer[state]
	tenantsProven atomic.Bool // the policy about tenants is proven, too
	reported      time.Time   // when the last failure was logged
	trigger       chan struct{}
}

type state struct {
	err    error // nil: contained
	proven time.Time
}

// New initializes and returns p.
func New(p *Prover) *Prover {
	p.trigger = make(chan struct{}, 1)
	p.state.Store(&state{err: errUnproven})
	return p
}

// Proof returns nil while the broker is proven to be contained. Otherwise it returns
// the reason in one line.
func (p *Prover) Proof() error { return p.state.Load().err }

// NamespaceSeen reports that a managed namespace exists. The first call triggers the
// probes of the policy about tenants, which need a namespace.
func (p *Prover) NamespaceSeen() {
	if !p.tenantsProven.Load() {
		select {
		case p.trigger <- struct{}{}:
		default:
		}
	}
}

// Run probes until ctx is done: every Interval, and every few seconds while the proof
// fails. Call Try first.
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
		case <-p.trigger:
			select { // not for every event of a burst
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		p.Try(ctx)
	}
}

// Try runs one round of probes, and records and logs its result.
func (p *Prover) Try(ctx context.Context) {
	was := p.Proof()
	result, err := p.round(ctx)
	if ctx.Err() != nil {
		return
	}
	if p.Count != nil {
		p.Count(result)
	}
	now := p.Proof()
	switch {
	case now == nil && was != nil:
		p.Log.Info("Containment is proven", "set", Set)
	case now != nil && was == nil, err != nil && time.Since(p.reported) > time.Minute:
		p.reported = time.Now()
		p.Log.Error("Containment is not proven", "result", result, "err", err)
	}
}

// round runs all probes, and stores the resulting state.
func (p *Prover) round(ctx context.Context) (result string, err error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	err = p.prove(ctx)
	now, result := p.state.Load().after(err, time.Now(), p.Interval)
	p.state.Store(now)
	return result, err
}

// after returns the state that follows s once a round has ended with err. An
// inconclusive round, such as one that kube-apiserver does not answer, is neither a
// breach nor a proof: it changes nothing until the proof is stale.
func (s *state) after(err error, at time.Time, interval time.Duration) (*state, string) {
	var b *breach
	switch {
	case err == nil:
		return &state{proven: at}, Held
	case errors.As(err, &b):
		return &state{err: err, proven: s.proven}, Broken
	case s.proven.IsZero():
		return &state{err: fmt.Errorf("%w: %w", errUnproven, err)}, Inconclusive
	case s.err == nil && at.Sub(s.proven) > maxStaleRounds*interval:
		return &state{err: fmt.Errorf("not proven since %s: %w", s.proven.UTC().Format(time.RFC3339), err),
			proven: s.proven}, Inconclusive
	}
	return s, Inconclusive
}
