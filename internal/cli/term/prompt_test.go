// SPDX-License-Identifier: Apache-2.0

package term

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAsk verifies that nothing but a clear yes counts as consent: otherwise a script
// with an empty stdin, or a stray key, deletes namespaces.
func TestAsk(t *testing.T) {
	for in, want := range map[string]bool{
		"y\n": true, "yes\n": true, " YES \r\n": true, "y": true,
		"n\n": false, "\n": false, "yesterday\n": false, "no\ny\n": false,
	} {
		var out bytes.Buffer
		got, err := ask(t.Context(), strings.NewReader(in), &out, "Delete\x1b[2J it?", "use --yes")
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, err, want)
		}
		if want := "Delete\uFFFD[2J it? [y/N] "; out.String() != want {
			t.Errorf("%q: prompted %q, want %q", in, out.String(), want)
		}
	}
	_, err := ask(t.Context(), strings.NewReader(""), io.Discard, "Delete?", "use --yes")
	if err == nil || !strings.HasSuffix(err.Error(), ": use --yes") {
		t.Errorf("no answer: got error %v, want the hint", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never, _ := io.Pipe()
	if yes, err := ask(ctx, never, io.Discard, "Delete?", ""); err == nil || yes {
		t.Errorf("interrupted: got %v, %v, want an error", yes, err)
	}
}

// TestProgress verifies that a pipeline's log gets one line for a slow operation, none
// for a quick one, and no escape sequences.
func TestProgress(t *testing.T) {
	for took, want := range map[time.Duration]string{
		time.Second: "", time.Minute: "Waiting until it is gone ...\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			done := Renderer{}.Progress(&out, "waiting until it is gone")
			time.Sleep(took)
			done()
			if out.String() != want {
				t.Errorf("after %s: got %q, want %q", took, out.String(), want)
			}
		})
	}
}

// TestChoose verifies that only a number of the list, or one of its names, is a choice.
func TestChoose(t *testing.T) {
	options := []string{"tmp-a", "tmp-b"}
	for in, want := range map[string]string{
		"1\n": "tmp-a", " 2 \r\n": "tmp-b", "tmp-b\n": "tmp-b",
		"0\n": "", "3\n": "", "\n": "", "": "", "-1\n": "", "tmp\n": "",
	} {
		var out bytes.Buffer
		got, err := Choose(t.Context(), strings.NewReader(in), &out, "Which?", options, "give its NAME")
		if got != want || (err != nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), ": give its NAME") {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
		if want := "Which?\n  1) tmp-a\n  2) tmp-b\nNumber: "; out.String() != want {
			t.Errorf("prompted %q, want %q", out.String(), want)
		}
	}
}
