// SPDX-License-Identifier: Apache-2.0

package worlds

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var mainBranch = []string{"CI_COMMIT_BRANCH=main", "CI_DEFAULT_BRANCH=main"}

// Customers have what their tiers promise from the first pipeline on; pipelines repeat;
// a customer that no pipeline renews ends, and no other does.
func TestGitLabCustomers(t *testing.T) {
	t.Parallel()
	g := newGitLab(t, "customers", 43, nil)
	g.claims["ref_protected"] = "true"
	checkout := g.checkout(t, g.project)
	lookup := func(name, what string) string { return admin(t, "get", "ns", name, "-o", "jsonpath={"+what+"}") }

	out := g.run(t, checkout, mainBranch)
	for _, want := range []string{"PASS  onboard:acme", "PASS  onboard:globex", "configmap/settings created"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output has no %q:\n%s", want, out)
		}
	}
	for _, row := range []struct{ namespace, field, want string }{
		{"cust-acme", `.metadata.labels.example\.com/tier`, "freemium"},
		{"cust-acme", `.metadata.labels.user\.tenama\.dev/customer`, "acme"},
		{"cust-acme", `.metadata.labels.example\.com/region`, "us"},
		{"cust-acme", `.metadata.annotations.example\.com/made-for`, "gitlab:project:43:protected"},
		{"cust-globex", `.metadata.labels.example\.com/tier`, "enterprise"},
		{"cust-globex", `.metadata.labels.example\.com/region`, "eu"},
		{"cust-globex", `.metadata.annotations.user\.tenama\.dev/contract`, "C-1234"},
	} {
		if got := lookup(row.namespace, row.field); got != row.want {
			t.Errorf("%s has %s %q, want %q", row.namespace, row.field, got, row.want)
		}
	}
	got := admin(t, "get", "tns", "-l", "user.tenama.dev/customer=acme", "-o", "name")
	if got != "temporarynamespace.tenama.dev/cust-acme\n" {
		t.Errorf("the customer is found as %q", got)
	}
	end := func(name string) time.Time {
		t.Helper()
		s := admin(t, "get", "tns", name, "-o", "jsonpath={.status.expirationTimestamp}")
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatalf("%s ends %q: %v", name, s, err)
		}
		return at
	}
	if d := time.Until(end("cust-acme")); d < 13*24*time.Hour || d > 15*24*time.Hour {
		t.Errorf("acme, which is on trial, ends in %s", d)
	}
	if s := admin(t, "get", "tns", "cust-globex", "-o", "jsonpath={.status.expirationTimestamp}"); s != "" {
		t.Errorf("globex, which pays, ends at %s", s)
	}

	first := lookup("cust-acme", ".metadata.uid")
	if out := g.run(t, checkout, mainBranch); !strings.Contains(out, "configmap/settings unchanged") ||
		lookup("cust-acme", ".metadata.uid") != first {
		t.Errorf("the second pipeline changes something:\n%s", out)
	}

	t.Run("inactive", func(t *testing.T) {
		other := g.checkout(t, g.project)
		edit(t, filepath.Join(other, ".gitlab-ci.yml"), "customer: acme", "customer: initech", "ttl: 2w", "ttl: 3m")
		g.run(t, other, mainBranch, "onboard:initech")
		before := end("cust-initech")
		g.run(t, other, mainBranch, "onboard:initech") // the schedule
		if after := end("cust-initech"); !after.After(before) {
			t.Errorf("a pipeline does not renew the customer: %s, then %s", before, after)
		}
		gone(t, "cust-initech") // the customer is on no list any more
		if got := lookup("cust-acme", ".status.phase"); got != "Active" {
			t.Errorf("acme is %s", got)
		}
	})

	t.Run("another tier", func(t *testing.T) {
		other := g.checkout(t, g.project)
		edit(t, filepath.Join(other, ".gitlab-ci.yml"), "tier: freemium", "tier: pro")
		out, err := g.command(t, other, mainBranch, "onboard:acme").CombinedOutput()
		if err == nil || !strings.Contains(string(out), `already exists, but has class "freemium", not "pro"`) {
			t.Errorf("%v\n%s", err, out)
		}
	})

	t.Run("another branch", func(t *testing.T) {
		branch := *g
		branch.claims = maps.Clone(g.claims)
		branch.claims["ref_protected"] = "false"
		if out, err := branch.command(t, checkout, mainBranch, "onboard:acme").CombinedOutput(); err == nil {
			t.Errorf("a job of another branch changes a customer:\n%s", out)
		}
		branch.run(t, checkout, mainBranch, "offboard:globex")
		if got := lookup("cust-globex", ".status.phase"); got != "Active" {
			t.Errorf("a job of another branch deletes a customer: %s", got)
		}
	})

	t.Run("offboarding", func(t *testing.T) {
		for range 2 {
			g.run(t, checkout, mainBranch, "offboard:globex")
			gone(t, "cust-globex")
		}
		if got := lookup("cust-acme", ".status.phase"); got != "Active" {
			t.Errorf("acme is %s", got)
		}
	})
}

// edit replaces texts in a file, each of which must be there.
func edit(t *testing.T, path string, oldnew ...string) {
	t.Helper()
	s := read(t, path)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(s, oldnew[i]) {
			t.Fatalf("%s does not contain %q", path, oldnew[i])
		}
	}
	if err := os.WriteFile(path, []byte(strings.NewReplacer(oldnew...).Replace(s)), 0o600); err != nil {
		t.Fatal(err)
	}
}
