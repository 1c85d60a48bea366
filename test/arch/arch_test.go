// SPDX-License-Identifier: Apache-2.0

// Package arch holds the structure of the project as data, and checks it.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "tenama.dev/tenama/"

// layers lists, for every package, the other packages of the project that it may
// import. A new package fails the test until it is added here.
var layers = map[string][]string{
	"api/v1alpha1":          {},
	"api/policy/v1alpha1":   {"api/v1alpha1"},
	"pkg/client":            {"api/v1alpha1", "api/policy/v1alpha1"},
	"pkg/client/kubeconfig": {},
	"internal/version":      {},
	"deploy":                {},
	"internal/install":      {"api/v1alpha1", "deploy", "internal/drain"},
	"internal/drain":        {},
	"internal/cli": {
		"api/v1alpha1", "api/policy/v1alpha1", "deploy", "internal/attack", "internal/cli/term", "internal/install",
		"internal/version",
		"pkg/client", "pkg/client/kubeconfig",
	},
	"internal/cli/term":       {},
	"cmd/kubectl-tenama":      {"internal/cli"},
	"pkg/broker/admission":    {"api/v1alpha1", "api/policy/v1alpha1"},
	"pkg/broker/auth":         {},
	"pkg/broker/budgets":      {"api/policy/v1alpha1", "pkg/broker/policystore"},
	"pkg/broker/classes":      {"api/policy/v1alpha1", "internal/denial", "pkg/broker/policystore"},
	"pkg/broker/containment":  {"api/v1alpha1", "internal/denial"},
	"internal/denial":         {},
	"pkg/broker/policystore":  {},
	"pkg/broker/registration": {"api/v1alpha1"},
	"pkg/broker/nscache":      {"api/v1alpha1"},
	"pkg/broker/guardrails":   {"api/v1alpha1", "api/policy/v1alpha1", "internal/denial"},
	"pkg/broker/events":       {"api/v1alpha1"},
	"pkg/broker/lifecycle": {
		"api/v1alpha1", "api/policy/v1alpha1", "pkg/broker/events", "pkg/broker/guardrails", "pkg/broker/nscache",
	},
	"pkg/broker/registry": {
		"api/v1alpha1", "api/policy/v1alpha1", "internal/denial", "pkg/broker/events", "pkg/broker/guardrails",
		"pkg/broker/lifecycle", "pkg/broker/nscache",
	},
	"pkg/broker/serving": {},
	"pkg/broker": {
		"api/v1alpha1", "api/policy/v1alpha1", "internal/drain", "internal/version", "pkg/broker/admission",
		"pkg/broker/auth",
		"pkg/broker/budgets",
		"pkg/broker/classes", "pkg/broker/containment",
		"pkg/broker/events", "pkg/broker/guardrails", "pkg/broker/lifecycle", "pkg/broker/nscache",
		"pkg/broker/registration", "pkg/broker/registry", "pkg/broker/serving",
	},
	"pkg/forwarder":         {"api/v1alpha1", "pkg/client"},
	"cmd/broker":            {"internal/version", "pkg/broker", "pkg/forwarder"},
	"hack/reference":        {"internal/cli", "pkg/broker"},
	"hack/chart":            {"deploy"},
	"hack/dist":             {"deploy"},
	"hack/migrate":          {"deploy"},
	"hack/times":            {},
	"test/arch":             {"internal/attack"},
	"test/stage":            {"internal/attack", "test/testenv"},
	"internal/attack":       {"internal/denial"},
	"test/testenv":          {},
	"test/testenv/terminal": {},
	"hack/bench":            {"api/v1alpha1", "api/policy/v1alpha1", "pkg/client", "test/testenv"},
	"test/conformance":      {},
	"hack/demo":             {"test/testenv"},
	"test/image":            {},
	"test/krew":             {},
	"test/node":             {"test/testenv"},
	"test/node/probe":       {},
	"test/wine":             {"test/testenv"},
	"test/monitoring":       {"api/v1alpha1", "pkg/client", "test/testenv"},
	"hack/dashboard":        {},
	"test/worlds":           {"pkg/forwarder", "test/testenv"},
	"hack/screenshots":      {"test/testenv", "test/testenv/terminal"},
	"hack/prove":            {"api/v1alpha1", "pkg/client", "internal/attack", "test/stage", "test/testenv"},
	"test/e2e": {
		"api/v1alpha1", "deploy", "pkg/client", "pkg/client/kubeconfig", "internal/attack", "test/stage", "test/testenv",
		"test/testenv/terminal", "test/conformance",
	},
}

// fences lists the only packages that may import certain external packages.
var fences = map[string][]string{
	"github.com/spf13/cobra":            {"internal/cli"},
	"github.com/spf13/pflag":            {"internal/cli", "pkg/broker", "cmd/broker"},
	"github.com/charmbracelet/lipgloss": {"internal/cli/term"},
	"k8s.io/cli-runtime/":               {"internal/cli", "internal/cli/term", "cmd/kubectl-tenama"},
	"github.com/creack/pty":             {"test/testenv/terminal"},
	"github.com/gorilla/mux":            {"pkg/broker"},
	"k8s.io/apiserver/":                 {"pkg/broker", "pkg/broker/auth", "pkg/broker/lifecycle", "pkg/broker/registry"},
	"k8s.io/client-go/kubernetes": {
		"pkg/broker", "pkg/broker/auth", "pkg/broker/classes", "pkg/broker/containment", "pkg/broker/events",
		"pkg/broker/guardrails",
		"pkg/broker/lifecycle", "pkg/broker/nscache", "pkg/broker/registration", "pkg/broker/registry", "pkg/broker/serving",
		"pkg/forwarder", "internal/attack", "test/stage", "test/testenv", "hack/bench", "test/e2e", "hack/prove",
	},
	"k8s.io/kubernetes":               {},
	"github.com/rogpeppe/go-internal": {"test/e2e"},
	"k8s.io/client-go/tools/clientcmd": {
		"pkg/client/kubeconfig", "pkg/broker", "pkg/forwarder", "internal/cli", "test/testenv", "test/e2e",
	},
	"k8s.io/kube-aggregator/":            {"pkg/broker", "pkg/broker/registration"},
	"k8s.io/client-go/plugin/pkg/client": {"internal/cli"},
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	walk(t, func(dir, file string, imports []string, isTest bool) {
		allowed, known := layers[dir]
		if !known {
			t.Errorf("%s: package %s is not listed in layers", file, dir)
			return
		}
		seen[dir] = true
		for _, path := range imports {
			if rest, ours := strings.CutPrefix(path, module); ours {
				if rest != dir && !slices.Contains(allowed, rest) {
					t.Errorf("%s imports %s, which %s may not", file, rest, dir)
				}
				continue
			}
			for fence, who := range fences {
				if strings.HasPrefix(path, fence) && !slices.Contains(who, dir) && !isTest {
					t.Errorf("%s imports %s, which only %v may import", file, path, who)
				}
			}
		}
	})
	for dir := range layers {
		if !seen[dir] {
			t.Errorf("layers lists %s, which does not exist", dir)
		}
	}
}

// spine is the path of a request through the broker. Each package may import the
// packages after it.
var spine = []string{
	"pkg/broker/registry", "pkg/broker/lifecycle", "pkg/broker/events", "pkg/broker/guardrails", "pkg/broker/nscache",
}

// common lists the packages that several packages of the broker may import, because they
// import nothing of the project.
var common = []string{"internal/denial", "pkg/broker/policystore"}

// TestLayerRules fails if layers allows more than intended: packages of the
// broker must not import one another, except along the spine and for packages that import
// nothing of the project; the client and the broker must share only the API.
func TestLayerRules(t *testing.T) {
	for dir, imports := range layers {
		for _, i := range imports {
			above, below := slices.Index(spine, dir), slices.Index(spine, i)
			switch {
			case above >= 0 && below > above && dir != "pkg/broker/guardrails":
			case slices.Contains(common, i) && len(layers[i]) == 0:
			case dir == "api/policy/v1alpha1" && i == "api/v1alpha1":
			case strings.HasPrefix(dir, "pkg/broker/") && strings.HasPrefix(i, "pkg/"):
				t.Errorf("%s is a leaf of the broker and may import %s", dir, i)
			case strings.HasPrefix(dir, "api/"):
				t.Errorf("%s may import %s: the API imports nothing else of the project", dir, i)
			case strings.HasPrefix(dir, "pkg/client") && strings.HasPrefix(i, "pkg/broker"),
				strings.HasPrefix(dir, "pkg/broker") && strings.HasPrefix(i, "pkg/client"):
				t.Errorf("%s may import %s: the two sides share the API alone", dir, i)
			}
		}
	}
}

// TestPackageComments fails if a package has no comment, or a file no licence line.
func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	packages := map[string]bool{}
	root := root(t)
	walk(t, func(dir, file string, _ []string, isTest bool) {
		b, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(b), "// SPDX-License-Identifier: Apache-2.0\n") &&
			!strings.Contains(file, "zz_generated") {
			t.Errorf("%s does not begin with its SPDX line", file)
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, b, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		packages[dir] = true
		documented[dir] = documented[dir] || f.Doc != nil
	})
	for dir := range packages {
		if !documented[dir] {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

func walk(t *testing.T, f func(dir, file string, imports []string, isTest bool)) {
	t.Helper()
	root := root(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if strings.HasPrefix(d.Name(), ".") && rel != "." || rel == "bin" || d.Name() == "testdata" ||
				err == nil && rel != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, i := range file.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, p)
		}
		f(filepath.ToSlash(filepath.Dir(rel)), filepath.ToSlash(rel), imports, strings.HasSuffix(path, "_test.go"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
