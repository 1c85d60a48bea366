// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// SecretName is the name of the authority's Secret; deploy/base creates it empty.
const SecretName = "tenama-serving-cert"

// secret signs leaves by the authority in a Secret.
type secret struct {
	secrets  corev1client.SecretInterface
	host     string
	lifetime time.Duration // of a leaf
}

// interval must be far shorter than the time from the publication of an authority to its
// first signature.
func (s *secret) interval() time.Duration { return s.lifetime / 168 }

func (s *secret) renew(ctx context.Context, now time.Time, old *tls.Certificate) (*tls.Certificate, []byte, error) {
	a, err := s.authorities(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	if old != nil && now.Before(renewal(old.Leaf)) && !now.Before(old.Leaf.NotBefore) && a.signed(old.Leaf) {
		return old, a.bundle(), nil
	}
	leaf, err := a.current.sign(s.host, now, s.lifetime)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the serving certificate: %w", err)
	}
	return leaf, a.bundle(), nil
}

// authorities reads the Secret and updates it if a rotation is due. If several replicas
// do so at once, the resourceVersion lets one succeed, and the others read again.
func (s *secret) authorities(ctx context.Context, now time.Time) (*authorities, error) {
	for range 10 {
		o, err := s.secrets.Get(ctx, SecretName, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("read Secret %q: %w", SecretName, err)
		}
		a := parse(o.Data)
		changed, err := a.advance(s.host, now, s.lifetime)
		if err != nil {
			return nil, fmt.Errorf("create a serving authority: %w", err)
		}
		if !changed {
			return a, nil
		}
		o = o.DeepCopy()
		o.Data = a.data()
		_, err = s.secrets.Update(ctx, o, metav1.UpdateOptions{})
		if err == nil {
			return a, nil
		}
		if !apierrors.IsConflict(err) {
			return nil, fmt.Errorf("update Secret %q: %w", SecretName, err)
		}
	}
	return nil, errors.New("update Secret \"" + SecretName + "\": too many conflicts")
}
