// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// Behind a proxy that wants a login, or with the certificate authority of another cluster, the
// user must read what is in between, not that something cannot be parsed.
func TestInBetween(t *testing.T) {
	page := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/login":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Write([]byte("<html>Sign in"))
		case strings.HasPrefix(r.URL.Path, "/redirect"):
			http.Redirect(w, r, "/login", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
		}
	}
	plain, encrypted := httptest.NewServer(http.HandlerFunc(page)), httptest.NewTLSServer(http.HandlerFunc(page))
	t.Cleanup(plain.Close)
	t.Cleanup(encrypted.Close)
	for name, c := range map[string]struct{ host, line, hint string }{
		"a login page": {plain.URL + "/redirect", "the response is a web page (200 OK), not of the Kubernetes API",
			"a proxy or a login page"},
		"a proxy": {plain.URL, "the response is a web page (403 Forbidden), not of the Kubernetes API",
			"a proxy or a login page"},
		"another certificate": {encrypted.URL, "x509: certificate signed by unknown authority",
			"certificate authority of another cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			config := &rest.Config{Host: c.host}
			rejectPages(config)
			cl, err := client.New(config)
			if err != nil {
				t.Fatal(err)
			}
			_, versionErr := cl.ServerVersion(t.Context())
			_, classesErr := cl.Classes(t.Context())
			for _, err := range []error{versionErr, classesErr} {
				if err == nil {
					t.Fatal("no error")
				}
				line, hint, code := explain(err)
				if !strings.HasPrefix(line, "error: cannot reach the cluster at 127.0.0.1:") || !strings.Contains(line, c.line) ||
					!strings.Contains(hint, c.hint) || code != exitError {
					t.Errorf("got %q, %q, %d", line, hint, code)
				}
			}
		})
	}
}

// A flag of client-go that chooses the cluster or the identity must be repeated in advice, and a
// context must not be written as if it had not been given: a new release of client-go may have
// another one.
func TestLoginFlags(t *testing.T) {
	f := newFactory(genericiooptions.IOStreams{})
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.flags.AddFlags(flags)
	others := []string{"namespace", "request-timeout", "cache-dir", "disable-compression"}
	flags.VisitAll(func(fl *pflag.Flag) {
		if slices.Contains(loginFlags, fl.Name) == slices.Contains(others, fl.Name) {
			t.Errorf("--%s: does it choose the cluster or the identity? Then loginFlags needs it", fl.Name)
		}
	})
	for _, name := range loginFlags {
		f.login = map[string][]string{name: {"x"}}
		_, err := f.entry(&v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: "tmp-a"}}, "")
		if told := err != nil && strings.HasSuffix(err.Error(), " for --"+name); told == slices.Contains(entryFlags, name) {
			t.Errorf("--%s: a context with it: %v", name, err)
		}
	}
}
