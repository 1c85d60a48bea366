// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tenama.dev/tenama/api/v1alpha1"
)

func TestDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "1w": 168 * time.Hour, "1d12h": 36 * time.Hour,
		"1w1d1h1m1s": 193*time.Hour + time.Minute + time.Second, "8s": 8 * time.Second, "0h5m": 5 * time.Minute,
		"": 0, "0": 0, "0s": 0, "90": 0, "-1h": 0, "1h-1m": 0, "1 d": 0, "1.5h": 0, "1y": 0, "1M": 0, "2h1d": 0,
		"h": 0, "1ms": 0,
		"9223372036854775807s": 0, "999999999999w": 0, "15250w2000d": 0, "٣h": 0,
	} {
		var v durationValue
		err := v.Set(s)
		if (err == nil) != (want > 0) || v.d != want {
			t.Errorf("%q: got %s, %v, want %s", s, v.d, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "90m") {
			t.Errorf("%q: %q does not say what would work", s, err)
		}
	}
}

func FuzzDuration(f *testing.F) {
	f.Add("1w2d3h4m5s")
	f.Fuzz(func(t *testing.T, s string) {
		var v durationValue
		if v.Set(s) == nil && v.d <= 0 {
			t.Errorf("%q became %s", s, v.d)
		}
	})
}

func TestParseTime(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	now := time.Date(2026, 11, 20, 17, 0, 0, 0, zone)
	for s, want := range map[string]string{
		"18:30": "2026-11-20T18:30:00+01:00", "16:30": "2026-11-21T16:30:00+01:00", "17:00": "2026-11-21T17:00:00+01:00",
		"2026-12-01T08:00": "2026-12-01T08:00:00+01:00", "2026-12-01T08:00:00Z": "2026-12-01T08:00:00Z", "tomorrow": "",
		"25:00": "", "": "", "2026-12-01T08:00+05:30": "2026-12-01T08:00:00+05:30",
		"2026-12-01T08:00Z": "2026-12-01T08:00:00Z", "2026-12-01 08:00": "2026-12-01T08:00:00+01:00",
	} {
		got, err := parseTime(s, now)
		if want == "" && err == nil || want != "" && (err != nil || got.Format(time.RFC3339) != want) {
			t.Errorf("%q: got %s, %v, want %s", s, got.Format(time.RFC3339), err, want)
		}
	}
}

func TestExplain(t *testing.T) {
	gr := v1alpha1.Resource.GroupResource()
	missing := apierrors.NewGenericServerResponse(404, "get", gr, "", "404 page not found", 0, true)
	for name, c := range map[string]struct {
		err  error
		line string
		code int
	}{
		"not there": {apierrors.NewNotFound(gr, "tmp-a"),
			`Error from server (NotFound): temporarynamespaces.tenama.dev "tmp-a" not found`, 1},
		"not installed": {missing, "error: tenama is not installed on this cluster, or its broker is stopped", 1},
		"down": {apierrors.NewGenericServerResponse(503, "get", gr, "", "service unavailable", 0, true),
			"error: the tenama broker of this cluster does not respond", 1},
		"not contained": {apierrors.NewServiceUnavailable("the broker changes nothing while it is not contained: why"),
			"error: the broker changes nothing while it is not contained: why", 1},
		"logged out": {apierrors.NewUnauthorized("x"), "error: you must be logged in to the server (Unauthorized)", 4},
		"forbidden": {apierrors.NewForbidden(gr, "", errors.New("no")),
			"Error from server (Forbidden): temporarynamespaces.tenama.dev is forbidden: no", 4},
		"invalid": {apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), "tmp-a",
			field.ErrorList{field.Invalid(field.NewPath("spec", "ttlSeconds"), 0, "must be more")}),
			"Error from server (Invalid): spec.ttlSeconds: Invalid value: 0: must be more", 1},
		"timed out": {context.DeadlineExceeded, "error: timed out", 124},
		"timed out, advised": {withHint(&url.Error{Op: "Post", URL: "https://h", Err: context.DeadlineExceeded}, "look"),
			"error: timed out", 124},
		"a broken connection": {&url.Error{Op: "Get", URL: "https://h", Err: &net.OpError{Op: "write", Err: syscall.EPIPE}},
			"error: cannot reach the cluster at h: broken pipe", 1},
		"a proxy that is down": {&url.Error{Op: "Get", URL: "https://h",
			Err: &net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED}},
			"error: cannot reach the cluster at h: connect to the proxy: connection refused", 1},
		"a closed pipe": {fmt.Errorf("print: %w", &fs.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}), "", 141},
		"own code":      {&failure{errors.New("no file"), exitKubeconfig, "use"}, "error: no file", 3},
		"other":         {errors.New("no\nluck"), "error: no luck", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			f := newFactory(genericiooptions.IOStreams{ErrOut: &out})
			code := f.reportError(t.Context(), c.err)
			line, _, _ := strings.Cut(out.String(), "\n")
			if line != c.line || code != c.code {
				t.Errorf("got %q, %d, want %q, %d", line, code, c.line, c.code)
			}
			if n := strings.Count(out.String(), "\n"); n > 2 {
				t.Errorf("%d lines: %s", n, out.String())
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if code := newFactory(genericiooptions.IOStreams{ErrOut: &out}).reportError(ctx, ctx.Err()); code != 130 {
		t.Errorf("interrupted: exit code %d", code)
	}
}

func TestOtherPrefix(t *testing.T) {
	errs := v1alpha1.ValidateName("tmp-a", "team-", field.NewPath("metadata", "name"))
	err := apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), "tmp-a", errs)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes,
		metav1.StatusCause{Type: v1alpha1.CauseNamePrefix, Field: "team-"})
	if got := requiredPrefix(err); got != "team-" {
		t.Errorf("got %q from %v", got, err)
	}
	if got := requiredPrefix(apierrors.NewNotFound(v1alpha1.Resource.GroupResource(), "x")); got != "" {
		t.Errorf("got %q", got)
	}
}

// Color is for terminals; a pipe, NO_COLOR and a dumb terminal get none.
func TestNoColorInAPipe(t *testing.T) {
	var out bytes.Buffer
	tn := v1alpha1.TemporaryNamespace{
		ObjectMeta: metav1.ObjectMeta{Name: "tmp-a"},
		Status:     v1alpha1.TemporaryNamespaceStatus{Phase: v1alpha1.PhaseReady, Owner: "ann\x1b[2J"},
	}
	soon := metav1.NewTime(time.Now().Add(5 * time.Minute))
	tn.Status.ExpirationTimestamp = &soon
	tn.CreationTimestamp = metav1.NewTime(soon.Add(-2 * time.Hour))
	f := newFactory(genericiooptions.IOStreams{Out: &out})
	o := &listOptions{factory: f, output: &outputFlag{kind: outputList}, current: "tmp-a"}
	print := func() {
		_ = o.table([]v1alpha1.TemporaryNamespace{tn}, time.Now(), false).Print(&out, o.renderer(&out))
	}
	print()
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("escape codes: %q", out.String())
	}
	if !strings.Contains(out.String(), "Expiring") || !strings.HasPrefix(strings.Split(out.String(), "\n")[1], "*") {
		t.Errorf("got\n%s", out.String())
	}
	t.Setenv("CLICOLOR_FORCE", "1")
	out.Reset()
	print()
	if !strings.Contains(out.String(), "\x1b[") || strings.Contains(out.String(), "\x1b[2J") {
		t.Errorf("forced color: %q", out.String())
	}
	t.Setenv("NO_COLOR", "")
	out.Reset()
	print()
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("NO_COLOR: %q", out.String())
	}
}

// Every command has a description, an example and documented flags.
func TestEveryCommandIsDocumented(t *testing.T) {
	root := newRootCommand(newFactory(genericiooptions.NewTestIOStreamsDiscard()), "kubectl-tenama")
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s: Short, Long and Example are needed", c.CommandPath())
		}
		if !strings.HasPrefix(c.CommandPath(), "kubectl tenama") {
			t.Errorf("%q is not how users call it", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no description", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			if sub.Name() != "help" {
				walk(sub)
			}
		}
	}
	walk(root)
}

// TestUnusableName verifies that a user whose name cannot be passed on to the broker is told so:
// kube-apiserver answers as if the broker did not respond, while others get answers.
func TestUnusableName(t *testing.T) {
	unavailable := apierrors.NewGenericServerResponse(503, "get", v1alpha1.Resource.GroupResource(), "",
		"error trying to reach service", 0, true)
	for name, c := range map[string]struct {
		user string
		err  error
		want string
	}{
		"a control character":         {"ann\nsmith", unavailable, `cannot pass your user name "ann\nsmith" on`},
		"the broker does not respond": {"ann", unavailable, "does not respond"},
		"the broker says why":         {"ann\nsmith", apierrors.NewServiceUnavailable("starting"), "error: starting"},
	} {
		var out bytes.Buffer
		f := newFactory(genericiooptions.IOStreams{ErrOut: &out})
		f.firstClient = fakeClient(t, func(*http.Request) any {
			return &authenticationv1.SelfSubjectReview{
				TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"},
				Status:   authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Username: c.user}},
			}
		})
		if code := f.reportError(t.Context(), c.err); code != 1 || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: got %d, %q, want %q", name, code, out.String(), c.want)
		}
	}
}
