// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/internal/attack"
)

// TestLedgerOfRights compares a ledger with deploy/: every right of the broker and of
// the guard, and every exemption in their policies. A new right or exemption fails this
// test until testdata/rights.txt lists it, docs/security.md explains it, and an attack
// tries it.
func TestLedgerOfRights(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "rights.txt"))
	if err != nil {
		t.Fatal(err)
	}
	ledger := strings.Split(strings.TrimSpace(string(b)), "\n")
	installed := installedRights(t)
	if diff := cmp.Diff(ledger, installed); diff != "" {
		t.Errorf("the rights and exemptions in deploy/ differ from testdata/rights.txt (-ledger +deploy):\n%s", diff)
	}
	page, err := os.ReadFile(filepath.Join(root(t), "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	names := attacks(t)
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]+ \\| ([^|]+) \\|$").
		FindAllStringSubmatch(string(page), -1) {
		explained[m[1]] = true
		for name := range strings.SplitSeq(m[2], ";") {
			if name = strings.Trim(name, " `"); !names[name] {
				t.Errorf("docs/security.md: %q is tried by %q, which is neither an attack nor a test", m[1], name)
			}
		}
	}
	granted := map[string]bool{}
	for _, line := range installed {
		if right, _, _ := strings.Cut(line, " | "); !strings.HasSuffix(right, ":") { // not an exemption
			granted[right] = true
		}
	}
	for right := range granted {
		if !explained[right] {
			t.Errorf("docs/security.md has no row for %q", right)
		}
	}
	for right := range explained {
		if !granted[right] {
			t.Errorf("docs/security.md has a row for %q, which deploy/ does not grant", right)
		}
	}
}

// attacks returns the names of all attacks and of all tests.
func attacks(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, r := range attack.Rows() {
		names[r.What] = true
	}
	for name := range tests(t) {
		names[name] = true
	}
	return names
}

// installedRights returns the lines of the ledger: those of deploy/overlays/default, and those
// that components of deploy/components add.
func installedRights(t *testing.T) []string {
	t.Helper()
	lines := rights(t, "overlays/default")
	base := slices.Clone(lines)
	for _, component := range []string{"components/kinds", "components/forwarder"} {
		for _, line := range rights(t, "overlays/default", component) {
			if !slices.Contains(base, line) {
				lines = append(lines, "with deploy/"+component+": "+line)
			}
		}
	}
	return lines
}

// rights reads the manifests of a folder of deploy/ together with some components.
func rights(t *testing.T, folder string, components ...string) []string {
	t.Helper()
	var out []string
	roles := map[string][]rbacv1.PolicyRule{}
	type bound struct{ who, where, kind, role string }
	var bindings []bound
	for _, doc := range render(t, folder, components...) {
		var head metav1.TypeMeta
		decode(t, doc, &head)
		switch head.Kind {
		case "ClusterRole", "Role":
			var r rbacv1.Role
			decode(t, doc, &r)
			roles[head.Kind+" "+r.Namespace+"/"+r.Name] = r.Rules
		case "ClusterRoleBinding", "RoleBinding":
			var b rbacv1.RoleBinding
			decode(t, doc, &b)
			for _, s := range b.Subjects {
				who, ours := strings.CutPrefix(s.Name, "tenama-")
				if ours || s.Kind == rbacv1.GroupKind { // a group may contain the broker or the guard
					bindings = append(bindings, bound{who, b.Namespace, b.RoleRef.Kind, b.RoleRef.Name})
				}
			}
		case "ValidatingAdmissionPolicy":
			var p admissionv1.ValidatingAdmissionPolicy
			decode(t, doc, &p)
			out = append(out, exemptions(&p)...)
		case "ValidatingAdmissionPolicyBinding":
			var b admissionv1.ValidatingAdmissionPolicyBinding
			decode(t, doc, &b)
			out = append(out,
				strings.TrimSpace(fmt.Sprintf("policy %s: | bound with %v %s", b.Spec.PolicyName, b.Spec.ValidationActions,
					plain(b.Spec.MatchResources))))
		}
	}
	// The broker binds this role to itself in each namespace that it creates.
	bindings = append(bindings, bound{"broker", "tmp-*", "ClusterRole", "tenama:namespace-manager"})
	for _, b := range bindings {
		where, of := "the cluster", b.kind+" /"+b.role
		if b.where != "" {
			where = b.where
		}
		if b.kind == "Role" {
			of = b.kind + " " + b.where + "/" + b.role
		}
		rules, ours := roles[of]
		if !ours {
			out = append(out, fmt.Sprintf("%s in %s: Role %s of Kubernetes", b.who, where, b.role))
		}
		for _, r := range rules {
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					out = append(out,
						strings.TrimSuffix(fmt.Sprintf("%s in %s: %s %s %s", b.who, where,
							strings.Join(slices.Sorted(slices.Values(r.Verbs)), ","),
							strings.Trim(resource+"."+group, "."), strings.Join(r.ResourceNames, ",")), " "))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// identities matches the users and groups of Kubernetes that a policy names.
var identities = regexp.MustCompile(`["'](system:[^"']+)["']|(authorizer\.[^&|]*)|"(tenama-probe)"`)

// exemptions returns the lines of the ledger about a policy. Lines with a colon before
// their detail list the requests that the policy checks; the other lines list the users
// and requests that it exempts, and where.
func exemptions(p *admissionv1.ValidatingAdmissionPolicy) []string {
	var out []string
	add := func(what, detail string) {
		if line := "policy " + p.Name + what + " | " + detail; !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	match := p.Spec.MatchConstraints
	for _, r := range match.ResourceRules {
		add(":", fmt.Sprintf("%v of %v in %v, %s", r.Operations, r.Resources, r.APIGroups, plain(match.NamespaceSelector)))
	}
	add(":", "failure policy "+string(*p.Spec.FailurePolicy))
	if match.ExcludeResourceRules != nil || match.ObjectSelector != nil {
		add(" excludes", plain(match.ExcludeResourceRules)+plain(match.ObjectSelector))
	}
	for _, c := range p.Spec.MatchConditions {
		add(" condition "+c.Name, strings.Join(strings.Fields(c.Expression), " "))
	}
	names := func(expression, where string) {
		for _, m := range identities.FindAllStringSubmatch(expression, -1) {
			name := m[1] + m[2] + m[3]
			if strings.HasSuffix(name, ":") { // a prefix of a name
				name = " " + name
			} else {
				name = " names " + name
			}
			add(name, where)
		}
	}
	for _, v := range p.Spec.Variables {
		names(v.Expression, "variable "+v.Name)
	}
	for _, v := range p.Spec.Validations {
		names(v.Expression, v.Message)
	}
	return out
}

func plain(v any) string {
	b, _ := yaml.Marshal(v)
	s := strings.Join(strings.Fields(string(b)), " ")
	if s == "{}" || s == "null" {
		return ""
	}
	return s
}

// render returns the output of kustomize for a folder of deploy/ with some components.
func render(t *testing.T, folder string, components ...string) [][]byte {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rel := func(name string) string {
		path, err := filepath.Rel(dir, filepath.Join(root(t), "deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	k := "resources: [" + rel(folder) + "]\ncomponents:\n"
	for _, c := range components {
		k += "- " + rel(c) + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(k), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(b, []byte("\n---\n"))
}

func decode(t *testing.T, doc []byte, into any) {
	t.Helper()
	if err := yaml.Unmarshal(doc, into); err != nil {
		t.Fatal(err)
	}
}
