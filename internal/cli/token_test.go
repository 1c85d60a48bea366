// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// A user who is refused must learn from the token why; a token that says nothing must not be
// explained.
func TestRejectedToken(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC) // 1796126400
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln\n"
	}
	for name, c := range map[string]struct{ token, line, hint string }{
		"expired long ago": {jwt(`{"iss":"https://i","exp":1764590220,"aud":"a"}`), "it expired 365d ago", "log in again"},
		"a moment ago": {jwt(`{"iss":"https://i","exp":1796126340}`), "it expired 60s ago, at 2026-12-01T11:59:00Z",
			"log in again"},
		"of the future": {jwt(`{"iss":"https://i","nbf":1796126520,"exp":1796130000}`),
			"it is valid only from 2026-12-01T12:02:00Z", "compare the clock"},
		"of the next minute": {jwt(`{"iss":"https://i","nbf":1796126450,"sub":"s"}`),
			`it has issuer "https://i", subject "s"`, "--authentication-config"},
		"GitLab": {jwt(`{"iss":"https://i","aud":["a","b"],"project_path":"x/y","ref":"main","sub":"s"}`),
			`it has issuer "https://i", audience ["a","b"], project "x/y", ref "main"`, "--authentication-config"},
		"a ServiceAccount": {jwt(`{"iss":"https://i","aud":["a"],"sub":"system:serviceaccount:a:b"}`),
			`it is one of ServiceAccount "a/b"`, "may have been deleted"},
		"an audience with a space": {jwt(`{"iss":"https://i","aud":"a ","sub":"s"}`), `audience "a ", subject "s"`, "log"},
		"claims of other types": {jwt(`{"iss":"https://i","aud":7,"exp":"soon","ref":{"a":1},"sub":"s"}`),
			`audience 7, ref {"a":1}, subject "s"`, "log"},
		"a long claim": {jwt(`{"iss":"https://i","aud":"` + strings.Repeat("a", 1000) + `","sub":"s"}`),
			`aaa..., subject "s"`, "log"},
		"opaque":      {"0123456789abcdef", "", ""},
		"three parts": {"a.b.c", "", ""},
		"no object":   {jwt(`[]`), "", ""},
		"no issuer":   {jwt(`{"sub":"s"}`), "", ""},
		"no token":    {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			line, hint := rejectedToken(c.token, now)
			if c.line == "" && line+hint != "" || !strings.Contains(line, c.line) || !strings.Contains(hint, c.hint) {
				t.Errorf("got %q and %q, want %q and %q", line, hint, c.line, c.hint)
			}
			if strings.Contains(line+hint, "c2ln") {
				t.Errorf("the signature is printed: %s", line)
			}
		})
	}
}
