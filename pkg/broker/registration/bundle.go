// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/retry"
)

// Announce adds the bundle to that of an existing APIService. A broker calls it before it is
// ready: as soon as its pod is an endpoint, kube-apiserver connects to it, and has to verify
// its certificate. It reports whether the APIService was changed.
func (r *Registration) Announce(ctx context.Context) (changed bool, err error) {
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		now, err := r.APIServices.Get(ctx, Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && !isOwn(now, r.Namespace, r.Service) {
			return nil
		}
		if err != nil {
			return err
		}
		bundle := r.others.merge(now.Spec.CABundle, r.CABundle(), time.Now(), r.Now())
		if bytes.Equal(bundle, now.Spec.CABundle) {
			return nil
		}
		now = now.DeepCopy()
		now.Spec.CABundle = bundle
		_, err = r.APIServices.Update(ctx, now, metav1.UpdateOptions{})
		changed = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("update APIService %q: %w", Name, err)
	}
	return changed, nil
}

// keepOthers is how long a certificate that this replica does not need stays in the bundle.
// Replicas learn of a new authority at different times: a Secret that is mounted as a
// volume reaches them up to two minutes apart. If one removed at once what it does not
// know, kube-apiserver could not verify the others. Who still needs a certificate that was
// removed puts it back.
const keepOthers = time.Hour

// others records since when this replica has seen the published certificates that it does
// not need. The zero value is ready to use.
type others struct {
	since   map[string]time.Time // by DER
	removed map[string]bool      // by DER
}

// merge returns the bundle to publish: own, and the certificates of published that others
// may need. One that was removed and put back stays until it expires. It returns published
// itself if that has the same certificates. now is the local time, which has a monotonic
// reading; server the time of kube-apiserver, by which certificates expire.
func (o *others) merge(published, own []byte, now, server time.Time) []byte {
	var merged bytes.Buffer
	add := func(der []byte) {
		_ = pem.Encode(&merged, &pem.Block{Type: cert.CertificateBlockType, Bytes: der}) // a Buffer returns no error
	}
	want, before, since := map[string]bool{}, map[string]bool{}, map[string]time.Time{}
	certs, _ := cert.ParseCertsPEM(own)
	for _, c := range certs {
		if !want[string(c.Raw)] {
			want[string(c.Raw)] = true
			add(c.Raw)
		}
	}
	certs, err := cert.ParseCertsPEM(published)
	for _, c := range certs {
		der := string(c.Raw)
		if before[der] {
			continue
		}
		before[der] = true
		if want[der] || server.After(c.NotAfter) {
			continue
		}
		if !o.removed[der] {
			first, seen := o.since[der]
			if !seen {
				first = now
			}
			if now.Sub(first) >= keepOthers {
				if o.removed == nil {
					o.removed = map[string]bool{}
				}
				o.removed[der] = true
				continue
			}
			since[der] = first
		}
		want[der] = true
		add(c.Raw)
	}
	o.since = since
	if err == nil && maps.Equal(before, want) {
		return published
	}
	return merged.Bytes()
}

// next returns when the next certificate of others is to be removed; zero if there is none.
func (o *others) next() (at time.Time) {
	for _, first := range o.since {
		if t := first.Add(keepOthers); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}
