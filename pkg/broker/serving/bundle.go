// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"k8s.io/client-go/util/cert"
)

// join returns the certificates of bundles, each once. It decodes and encodes them: a file
// that another program wrote need not end in a line break.
func join(bundles ...[]byte) []byte {
	var out bytes.Buffer
	seen := map[string]bool{}
	for _, b := range bundles {
		certs, _ := cert.ParseCertsPEM(b) // the source has parsed it
		for _, c := range certs {
			if !seen[string(c.Raw)] {
				seen[string(c.Raw)] = true
				_ = pem.Encode(&out, &pem.Block{Type: cert.CertificateBlockType, Bytes: c.Raw}) // a Buffer returns no error
			}
		}
	}
	return out.Bytes()
}

// contains reports whether all certificates of part are in bundle.
func contains(bundle, part []byte) bool {
	return len(join(bundle, part)) == len(join(bundle))
}

// verify returns nil if the certificates of a bundle verify a leaf, as kube-apiserver does
// it. host may be empty.
func verify(bundle []byte, leaf *tls.Certificate, host string, now time.Time) error {
	roots, err := cert.ParseCertsPEM(bundle)
	if err != nil {
		return err
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: host, CurrentTime: now}
	for _, r := range roots {
		o.Roots.AddCert(r)
	}
	for _, der := range leaf.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("parse an intermediate certificate: %w", err)
		}
		o.Intermediates.AddCert(c)
	}
	_, err = leaf.Leaf.Verify(o)
	return err
}
