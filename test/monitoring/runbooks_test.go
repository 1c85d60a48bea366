// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// runbook is a section of docs/runbooks.md, tried.
type runbook struct {
	alert string
	cause func(*site) // makes the alert true; nil if it is
	name  string      // for NAME in the commands of the section
	shows []string    // what the commands print
	mend  func(*site) // what the section says beyond its commands
	stays bool        // the alert looks back an hour
}

// hurry replaces the times of alerts that this test does not wait for.
var hurry = strings.NewReplacer("> 900", "> 5", "> 300", "> 65")

// Who is woken by an alert must find the cause by the commands of its runbook, and mend it by
// what the runbook says: each alert is made true on a real control plane, each command of its
// section is run, and the alert must end.
func TestRunbooks(t *testing.T) {
	s := newSite(t, "--inspect-interval=2s", "--containment-interval=2s", "--revoke-access-after=5s",
		"--cert-lifetime=1h")
	s.kubectl("", "delete", "role", "tenama:broker", "-n", "tenama-system") // certificates cannot be renewed
	webhooks := newWebhooks(t)
	p := startPrometheus(t, s.metrics[0], s.metrics[1], s.startForwarder(webhooks), startStateMetrics(t, s.Cluster))
	exprs := map[string]string{}
	for _, g := range rules(t, t.TempDir()).Spec.Groups {
		for _, r := range g.Rules {
			exprs[r.Alert] = hurry.Replace(r.Expr)
		}
	}
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "runbooks.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^## `).Split(string(b), -1)[1:]
	tried := map[string]runbook{}
	for _, r := range runbooks(webhooks, p) {
		tried[r.alert] = r
	}
	if len(sections) != len(exprs) || len(tried) != len(exprs) {
		t.Fatalf("%d alerts, %d runbooks, %d of them tried", len(exprs), len(sections), len(tried))
	}
	for _, r := range runbooks(webhooks, p) {
		t.Run(r.alert, func(t *testing.T) {
			s := *s
			s.T = t
			i := 0
			for i < len(sections) && !strings.HasPrefix(sections[i], r.alert+"\n") {
				i++
			}
			if i == len(sections) {
				t.Fatal("it has no section")
			}
			s.try(p, r, exprs[r.alert], sections[i])
		})
	}
}

var command = regexp.MustCompile("`(kubectl [^`]+)`")

// try does what a section says.
func (s *site) try(p prometheus, r runbook, expr, section string) {
	s.Helper()
	if r.cause != nil {
		if found, err := p.query(expr); err != nil || len(found) > 0 {
			s.Errorf("before the cause: %v %v", found, err)
		}
		r.cause(s)
	}
	if err := testenv.Eventually(120*time.Second, func() error { return p.shows(expr) }); err != nil {
		s.Fatalf("the alert does not fire: %v", err)
	}
	if err := testenv.Eventually(120*time.Second, func() error { return s.look(r, section) }); err != nil {
		s.Error(err)
	}
	if r.mend != nil {
		r.mend(s)
	}
	if r.stays {
		return
	}
	if err := testenv.Eventually(120*time.Second, func() error {
		if found, err := p.query(expr); err != nil || len(found) > 0 {
			return fmt.Errorf("%v %v", found, err)
		}
		return nil
	}); err != nil {
		s.Errorf("afterwards: %v", err)
	}
}

// look runs the commands of a section, and returns an error if they fail or do not show what they
// should.
func (s *site) look(r runbook, section string) error {
	var out strings.Builder
	for _, m := range command.FindAllStringSubmatch(section, -1) {
		line := strings.ReplaceAll(m[1], "\n", " ")
		line = strings.ReplaceAll(strings.ReplaceAll(line, " NAME", " "+r.name), `"NAME"`, `"`+r.name+`"`)
		got, err := s.shell(line)
		if err != nil && !strings.Contains(line, "tenama doctor") { // which fails if it finds something
			return fmt.Errorf("%s: %w: %s", line, err, got)
		}
		fmt.Fprintf(&out, "$ %s\n%s\n", line, got)
	}
	for _, want := range r.shows {
		if !strings.Contains(out.String(), want) {
			return fmt.Errorf("the commands do not show %q:\n%s", want, out.String())
		}
	}
	return nil
}

// runbooks returns the causes, in an order in which none makes another alert true before its
// turn.
func runbooks(w *webhooks, p prometheus) []runbook {
	return []runbook{
		// It is true from the beginning, by --cert-lifetime.
		{alert: "TenamaCertificateExpires", shows: []string{"Renewing the serving certificate failed"},
			mend: (*site).install, stays: true},
		{alert: "TenamaDriftLoop", cause: driftLoop, name: "tmp-drift-1", shows: []string{"GuardRailRestored",
			"resourcequota/tenama"}, stays: true},
		{alert: "TenamaDriftRefused", cause: driftRefused, shows: []string{"GuardRailDiffers", "frozen"},
			mend: func(s *site) {
				s.kubectl("", "delete", "validatingadmissionpolicybinding", "frozen")
			}, stays: true},
		{alert: "TenamaBudgetNearlyFull", cause: func(s *site) {
			s.must("tmp-small-1", "small", time.Hour)
			s.must("tmp-small-2", "small", time.Hour)
		}, shows: []string{"small", "tmp-small-1", "alice"}, mend: func(s *site) {
			s.room("10")
		}},
		{alert: "TenamaRefusals", cause: func(s *site) {
			s.room("2")
			for range 30 {
				_ = s.create(s.Context(), "tmp-small-3", "small", time.Hour)
			}
		}, shows: []string{`"user":"alice"`, `"class":"small"`}, stays: true},
		{alert: "TenamaBudgetFull", shows: []string{"tmp-small-3"}, mend: func(s *site) {
			s.kubectl("", "delete", "tns", "tmp-small-1", "tmp-small-2")
		}},
		{alert: "TenamaExpiryOverdue", cause: func(s *site) {
			s.kubectl("", "annotate", "clusterrole", "tenama:broker", "tenama.dev/pause-expiry=the registry moves")
			s.must("tmp-overdue", "default", 2*time.Second)
		}, shows: []string{"An administrator paused all expiries", "the registry moves"}, mend: func(s *site) {
			s.kubectl("", "tenama", "extend", "tmp-overdue", "--ttl=1h")
		}},
		{alert: "TenamaExpiryPaused", shows: []string{"annotated"}, mend: func(s *site) {
			s.must("tmp-last", "default", 2*time.Second)
		}},
		{alert: "TenamaDeletionHangs", cause: func(s *site) {
			s.must("tmp-hangs", "default", time.Hour)
			s.kubectl("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, namespace: tmp-hangs, "+
				"finalizers: [example.com/gone]}\n", "create", "-f", "-")
			s.kubectl("", "delete", "tns", "tmp-hangs", "--wait=false")
		}, name: "tmp-hangs", shows: []string{"Terminating", "example.com/gone"}, mend: func(s *site) {
			s.kubectl("", "patch", "configmap", "held", "-n", "tmp-hangs", "--type=merge", "-p",
				`{"metadata":{"finalizers":null}}`)
		}},
		{alert: "TenamaQuotaNearlyFull", cause: func(s *site) {
			s.must("tmp-quota", "default", time.Hour)
			s.configMaps("tmp-quota", 0, 85)
		}, name: "tmp-quota", shows: []string{"configmaps"}, stays: true},
		{alert: "TenamaQuotaFull", cause: func(s *site) { s.configMaps("tmp-quota", 85, 97) }, mend: func(s *site) {
			s.kubectl("", "delete", "configmaps", "--all", "-n", "tmp-quota")
		}},
		{alert: "TenamaForwarderWaits", cause: func(s *site) {
			w.answer("chat", http.StatusInternalServerError)
			s.must("tmp-waits", "default", time.Hour)
		}, shows: []string{`"endpoint":"chat"`, "the endpoint answers 500"}, mend: func(*site) {
			w.answer("chat", http.StatusNoContent)
		}},
		{alert: "TenamaForwarderDrops", cause: func(s *site) {
			w.answer("chat", http.StatusBadRequest)
			s.must("tmp-dropped", "default", time.Hour)
		}, shows: []string{`"endpoint":"chat"`, `"namespace":"tmp-dropped"`, "it is dropped"}, mend: func(*site) {
			w.answer("chat", http.StatusNoContent)
		}, stays: true},
		{alert: "TenamaForwarderErrors", cause: func(s *site) {
			s.kubectl("", "delete", "role", "tenama:forwarder", "-n", "tenama-system")
		}, shows: []string{`"endpoint":"chat"`, "Saving the position failed"}, mend: (*site).applyForwarder, stays: true},
		{alert: "TenamaForwarderGone", cause: func(s *site) {
			w.answer("mail", http.StatusInternalServerError) // it waits before it is gone
			s.must("tmp-fails", "default", time.Hour)
			if err := testenv.Eventually(60*time.Second, func() error {
				return p.shows(`tenama_forwarder_waiting_seconds{endpoint="mail"} > 0`)
			}); err != nil {
				s.Fatal(err)
			}
			w.answer("mail", http.StatusGone)
			s.must("tmp-gone", "default", time.Hour)
		}, shows: []string{`"endpoint":"mail"`}, mend: func(s *site) {
			if found, err := p.query(`tenama_forwarder_waiting_seconds{endpoint="mail"} > 0`); err != nil || len(found) > 0 {
				s.Errorf("messages still wait for an endpoint that is gone: %v %v", found, err)
			}
			if err := s.forwarder.Write(w.config("chat")); err != nil {
				s.Fatal(err)
			}
		}},
		// Its Deployment has no pods here: there is no node.
		{alert: "TenamaForwarderDown", cause: func(s *site) {
			s.kubectl("", "apply", "--server-side", "-f", s.forwarderFile())
		}, shows: []string{"tenama-forwarder"}, mend: func(s *site) {
			s.kubectl("", "delete", "deployment", "tenama-forwarder", "-n", "tenama-system")
		}},
		{alert: "TenamaNotContained", cause: func(s *site) {
			s.kubectl("", "delete", "validatingadmissionpolicybinding", "tenama-broker")
			for end, failed := time.Now().Add(2*time.Minute), 0; failed < 15; {
				if time.Now().After(end) {
					s.Fatal("creations do not fail")
				}
				err := s.create(s.Context(), fmt.Sprintf("tmp-fails-%d", failed), "default", time.Hour)
				if apierrors.HasStatusCause(err, v1alpha1.CauseNotContained) {
					failed++
				}
			}
		}, shows: []string{"tenama-broker", "is missing, not bound, or edited"}},
		// Those that were not contained.
		{alert: "TenamaCreationsFail", shows: []string{"Containment is not proven"}, stays: true},
		{alert: "TenamaNotRegistered", cause: func(s *site) {
			s.kubectl("", "patch", "apiservice", "v1alpha1.tenama.dev", "--type=merge", "-p",
				`{"spec":{"service":{"name":"another","namespace":"default"}}}`)
			s.logged("another installation owns the APIService")
		}, shows: []string{"name: another", "another installation owns"}},
		{alert: "TenamaWatchStale", cause: func(s *site) {
			if err := s.Signal("kube-apiserver", syscall.SIGSTOP); err != nil {
				s.Fatal(err)
			}
			s.Cleanup(func() { _ = s.Signal("kube-apiserver", syscall.SIGCONT) })
		}, mend: func(s *site) {
			if err := s.Signal("kube-apiserver", syscall.SIGCONT); err != nil {
				s.Fatal(err)
			}
		}},
		{alert: "TenamaDown", cause: func(s *site) {
			for _, b := range s.brokers {
				b.Kill()
			}
		}, mend: (*site).start},
	}
}
