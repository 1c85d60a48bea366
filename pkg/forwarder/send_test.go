// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// While a key is rotated, receivers that know either one must accept the message: it is signed
// with both, and the signature covers the id, the time and the body (Standard Webhooks).
func TestSignatures(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, func(e *Endpoint) { e.Keys = []string{newKey, oldKey} })
	if err := s.seen(t.Context(), namespace("a", nil)); err != nil {
		t.Fatal(err)
	}
	h := r.headers[0]
	got := strings.Fields(h.Get("webhook-signature"))
	if len(got) != 2 {
		t.Fatalf("signatures %q", got)
	}
	for i, key := range []string{strings.Repeat("n", 32), strings.Repeat("o", 32)} {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "."))
		mac.Write(r.bodies[0])
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); got[i] != want {
			t.Errorf("signature %d is %q, want %q", i, got[i], want)
		}
	}
}
