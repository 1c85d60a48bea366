// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"slices"
	"time"

	"tenama.dev/tenama/api/v1alpha1"
)

// modifiedInterval is the least time between two messages of type modified about a
// namespace: a tenant who changes it all the time does not hold up the messages about others.
const modifiedInterval = 10 * time.Second

// pipeline sends the messages of one endpoint, one after the other. It belongs to one
// goroutine.
type pipeline struct {
	endpoint *Endpoint
	source   string
	sender   *sender
	store    *store
	now      func() time.Time // kube-apiserver's clock
	log      *slog.Logger

	position *position
	fresh    bool      // the first list was not handled yet
	changed  bool      // since the position was saved
	failing  time.Time // since when the endpoint accepts nothing; zero while it does
	saved    time.Time
	limit    func(time.Duration) <-chan time.Time // time.After, but in tests
}

// urlHash identifies the URL of an endpoint without revealing it.
func (p *pipeline) urlHash() string {
	sum := sha256.Sum256([]byte(p.endpoint.URL))
	return hex.EncodeToString(sum[:8])
}

// begin loads the position. Errors: those of the store.
func (p *pipeline) begin(ctx context.Context) error {
	at, err := p.store.load(ctx, p.endpoint.Name)
	if err != nil {
		return err
	}
	if p.position = at; at == nil {
		p.position, p.fresh = &position{Known: map[string]record{}}, true
		return nil
	}
	if p.position.Gone != "" && p.position.Gone != p.urlHash() { // another address
		p.position.Gone, p.changed = "", true
	}
	return nil
}

// relist handles all namespaces that exist, and those that are gone. The first time, what exists
// is known and is not reported: an endpoint that is added to a full cluster is not told of
// thousands of creations. Errors: errGone, and that ctx is done.
func (p *pipeline) relist(ctx context.Context, all []v1alpha1.TemporaryNamespace) error {
	exists := map[string]bool{}
	for i := range all {
		exists[string(all[i].UID)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(p.position.Known)) {
		if !exists[p.position.Known[name].UID] {
			if err := p.gone(ctx, name); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(all, func(a, b v1alpha1.TemporaryNamespace) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for i := range all {
		if p.fresh {
			if tn := &all[i]; p.concerns(tn) && tn.Status.Phase != v1alpha1.PhasePending {
				r := recordOf(tn)
				r.Given = p.now()
				p.position.Known[tn.Name] = r
			}
			continue
		}
		if err := p.seen(ctx, &all[i]); err != nil {
			return err
		}
	}
	p.fresh, p.changed = false, true
	return nil
}

// concerns reports whether the endpoint wants messages about tn.
func (p *pipeline) concerns(tn *v1alpha1.TemporaryNamespace) bool {
	return len(p.endpoint.ClassNames) == 0 || slices.Contains(p.endpoint.ClassNames, tn.Spec.ClassName)
}

// seen handles a namespace that is new or has changed. One that is not complete is not reported
// yet. Errors: errGone, and that ctx is done.
func (p *pipeline) seen(ctx context.Context, tn *v1alpha1.TemporaryNamespace) error {
	if !p.concerns(tn) {
		return nil
	}
	old, known := p.position.Known[tn.Name]
	if known && old.UID != string(tn.UID) {
		if err := p.gone(ctx, tn.Name); err != nil {
			return err
		}
		known = false
	}
	next := recordOf(tn)
	switch {
	case !known && (tn.Status.Phase == v1alpha1.PhasePending || tn.DeletionTimestamp != nil):
		return nil // it is not complete, or was never announced
	case !known:
		if err := p.deliver(ctx, created, "", tn.CreationTimestamp.Time, describe(tn)); err != nil {
			return err
		}
	case next.State != old.State:
		if wait := old.Told.Add(modifiedInterval); p.now().Before(wait) {
			next.State, next.Told, next.Later = old.State, old.Told, wait
		} else if err := p.deliver(ctx, modified, tn.ResourceVersion, p.now(), describe(tn)); err != nil {
			return err
		} else {
			next.Told = p.now()
		}
		fallthrough
	default:
		if next.State == old.State && next.Told.IsZero() {
			next.Told = old.Told
		}
		if next.Given = old.Given; !next.Expires.Equal(old.Expires) {
			next.Given = p.now() // the notices of the earlier expiry are void
		}
		if next == old {
			return nil
		}
	}
	p.position.Known[tn.Name], p.changed = next, true
	return nil
}

// gone handles a namespace that does not exist any more.
func (p *pipeline) gone(ctx context.Context, name string) error {
	r, known := p.position.Known[name]
	if !known {
		return nil
	}
	if err := p.deliver(ctx, deleted, "", p.now(), r.last(name)); err != nil {
		return err
	}
	delete(p.position.Known, name)
	p.changed = true
	return nil
}

// putOff sends the messages of type modified that were put off and are due, about what the
// namespaces are now. Errors: as those of notices.
func (p *pipeline) putOff(ctx context.Context, read func(name string) (*v1alpha1.TemporaryNamespace, error)) error {
	for _, name := range slices.Sorted(maps.Keys(p.position.Known)) {
		r := p.position.Known[name]
		if r.Later.IsZero() || p.now().Before(r.Later) {
			continue
		}
		tn, err := read(name)
		if err != nil {
			return err
		}
		r.Later = time.Time{}
		p.position.Known[name], p.changed = r, true
		if tn != nil && string(tn.UID) == r.UID { // otherwise an event of the watch says that it is gone
			if err := p.seen(ctx, tn); err != nil {
				return err
			}
		}
	}
	return nil
}

// due returns when the next notice of an expiry is due, and of which namespace; zero is never.
func (p *pipeline) due() (at time.Time, name string, before time.Duration) {
	notices := p.endpoint.notices()
	for n, r := range p.position.Known {
		t, b := v1alpha1.NextNotice(r.Created, r.Expires, r.Given, notices)
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at, name, before = t, n, b
		}
	}
	return at, name, before
}

// notices gives all notices that are due. After an outage, only the latest one of each
// namespace is given. read returns a namespace as it is now. Errors: errGone, those of read, and
// that ctx is done.
func (p *pipeline) notices(ctx context.Context, read func(name string) (*v1alpha1.TemporaryNamespace, error)) error {
	for {
		at, name, before := p.due()
		now := p.now()
		if at.IsZero() || now.Before(at) {
			return nil
		}
		r := p.position.Known[name]
		for {
			next, b := v1alpha1.NextNotice(r.Created, r.Expires, at, p.endpoint.notices())
			if next.IsZero() || now.Before(next) {
				break
			}
			at, before = next, b
		}
		if now.Before(r.Expires) {
			tn, err := read(name)
			if err != nil {
				return err
			}
			// It was moved, or ended: an event of the watch says so.
			if tn != nil && string(tn.UID) == r.UID && recordOf(tn).Expires.Equal(r.Expires) {
				if err := p.deliver(ctx, expiring, noticeID(r.Expires, before), at, describe(tn)); err != nil {
					return err
				}
			}
		}
		r.Given = now
		p.position.Known[name], p.changed = r, true
	}
}
