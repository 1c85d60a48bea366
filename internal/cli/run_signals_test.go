// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// TestForwarder verifies that a command gets each signal once, however often timeout(1) or a CI
// runner sends it, and is killed if it ignores several: programs take a second SIGTERM for
// "at once", and skip their clean-up.
func TestForwarder(t *testing.T) {
	type sent struct {
		s  os.Signal
		at time.Duration
	}
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		signals []sent
		want    []os.Signal
	}{
		"one":                         {[]sent{{syscall.SIGTERM, 0}}, []os.Signal{syscall.SIGTERM}},
		"the same, to its group, too": {[]sent{{syscall.SIGTERM, 0}, {syscall.SIGTERM, ms}}, []os.Signal{syscall.SIGTERM}},
		"many at once": {[]sent{{syscall.SIGTERM, 0}, {syscall.SIGTERM, 100 * ms}, {syscall.SIGTERM, 900 * ms},
			{syscall.SIGTERM, 1800 * ms}}, []os.Signal{syscall.SIGTERM}},
		"two kinds": {[]sent{{syscall.SIGHUP, 0}, {syscall.SIGTERM, ms}}, []os.Signal{syscall.SIGHUP, syscall.SIGTERM}},
		"again":     {[]sent{{syscall.SIGINT, 0}, {syscall.SIGINT, 1500 * ms}}, []os.Signal{syscall.SIGINT, syscall.SIGINT}},
		"ignored": {[]sent{{syscall.SIGINT, 0}, {syscall.SIGINT, 1500 * ms}, {syscall.SIGINT, 3000 * ms}},
			[]os.Signal{syscall.SIGINT, syscall.SIGINT, os.Kill}},
		"long after": {[]sent{{syscall.SIGINT, 0}, {syscall.SIGINT, 11000 * ms}, {syscall.SIGINT, 22000 * ms}},
			[]os.Signal{syscall.SIGINT, syscall.SIGINT, syscall.SIGINT}},
	} {
		var out bytes.Buffer
		var got []os.Signal
		f := &forwarder{out: &out, send: func(s os.Signal) { got = append(got, s) }}
		for _, s := range c.signals {
			f.forward(s.s, time.Unix(0, 0).Add(s.at))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		if said := strings.Count(out.String(), "\n"); said != max(len(c.want)-1, 0) && name != "long after" {
			t.Errorf("%s: said %q", name, out.String())
		}
	}
}

// TestFinishRunEnds verifies that run returns the exit code of its command although a credential
// plugin waits for a login that never comes, and says what becomes of the namespace.
func TestFinishRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		f := newFactory(genericiooptions.IOStreams{ErrOut: &out})
		stuck := make(chan struct{})
		h := &leaseHolder{
			runOptions: &runOptions{createRequest: &createRequest{factory: f}}, c: &client.Client{},
			tn:   temporary("tmp-a", v1alpha1.TemporaryNamespaceSpec{}, v1alpha1.TemporaryNamespaceStatus{}),
			done: stuck, gone: true,
		}
		before := time.Now()
		if lost := h.finishRun(t.Context(), false); lost || time.Since(before) > 20*time.Second {
			t.Errorf("got %t after %v", lost, time.Since(before))
		}
		want := `Warning: the login did not finish, so namespace "tmp-a" was left; it expires in 12m or less.` + "\n"
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
		close(stuck)
	})
}
