// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A ConfigMap holds 1 MiB: the positions of two endpoints must fit on a cluster with 10,000
// namespaces, and must be read as they were written.
func TestPositionSize(t *testing.T) {
	p := &position{ResourceVersion: "123456", Known: map[string]record{}}
	at := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for i := range 10_000 {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)}) // as random as a UID
		uid := fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
		p.Known[fmt.Sprintf("tmp-namespace-%x", sum[16:19])] = record{
			UID: uid, Owner: fmt.Sprintf("user-%d@example.com", i%300),
			Class: "default", Created: at.Add(time.Duration(i) * time.Second), Expires: at.Add(time.Duration(i) * time.Minute),
			Given: at, State: fmt.Sprintf("%x", sum[20:26]),
		}
	}
	b, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(b))
	// Base64 in the JSON of a request, but not in etcd, where the limit counts.
	if len(b) > 500<<10 {
		t.Errorf("a position with %d namespaces has %d bytes", len(p.Known), len(b))
	}
	back, err := decodePosition(b)
	if err != nil || cmp.Diff(p, back) != "" {
		t.Errorf("it is not read as it was written: %v", err)
	}
	for name, b := range map[string][]byte{"empty": nil, "cut": b[:100], "text": []byte("{}")} {
		if _, err := decodePosition(b); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
