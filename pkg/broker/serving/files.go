// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// files follows the certificate in a directory with the files of a Secret of cert-manager:
// tls.crt, tls.key, and ca.crt, which verifies tls.crt.
type files struct{ dir, host string }

func (f *files) interval() time.Duration { return 10 * time.Second }

func (f *files) renew(ctx context.Context, now time.Time, old *tls.Certificate) (*tls.Certificate, []byte, error) {
	leaf, bundle, err := f.read(now)
	if err != nil { // the kubelet may have replaced the files in between
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
		leaf, bundle, err = f.read(now)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the serving certificate: %w", err)
	}
	if old != nil && slices.EqualFunc(old.Certificate, leaf.Certificate, bytes.Equal) {
		leaf = old
	}
	return leaf, bundle, nil
}

// read reads the files, and returns an error unless kube-apiserver would accept them.
func (f *files) read(now time.Time) (*tls.Certificate, []byte, error) {
	leaf, err := tls.LoadX509KeyPair(filepath.Join(f.dir, "tls.crt"), filepath.Join(f.dir, "tls.key"))
	if err != nil {
		return nil, nil, err
	}
	authority := filepath.Join(f.dir, "ca.crt")
	bundle, err := os.ReadFile(authority)
	if err != nil {
		return nil, nil, err
	}
	if err := verify(bundle, &leaf, f.host, now); err != nil {
		return nil, nil, fmt.Errorf("verify tls.crt with %s: %w", authority, err)
	}
	return &leaf, bundle, nil
}
