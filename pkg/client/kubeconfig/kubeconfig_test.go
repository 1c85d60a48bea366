// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const ordinary = `# my clusters
apiVersion: v1
kind: Config
clusters:
- name: prod   # the real one
  cluster:
    server: https://prod.example.test
    x-note: "kept"
contexts:
# where I work
- name: prod
  context: {cluster: prod, user: ann}
- context:
    cluster: prod
    user: ann
    namespace: blue
  name: blue

# who I am
current-context: prod # careful
users:
- name: ann
  user:
    token: abc
preferences: {}
`

func entry(ns string) Entry {
	return Entry{
		Context: ContextName(ns), Cluster: "prod", User: "ann", Namespace: ns,
		UID: "uid-" + ns, Server: "https://prod.example.test", ExpiresAt: time.Now().Add(time.Hour),
	}
}

func use(t *testing.T, content string) (*Files, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	return Find(path), path
}

func read1(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func all(Entry) bool { return true }

// TestAddAndRemoveLeaveTheFileAsItWas verifies that adding and removing a context
// restores the file exactly, including comments and unknown fields.
func TestAddAndRemoveLeaveTheFileAsItWas(t *testing.T) {
	block := strings.Replace(ordinary,
		"- name: prod\n  context: {cluster: prod, user: ann}\n",
		"- name: prod\n  context:\n    cluster: prod\n    user: ann\n", 1)
	for name, content := range map[string]string{
		"comments, flow entry": ordinary,
		"block entries":        block,
		"contexts last": "apiVersion: v1\nkind: Config\ncurrent-context: prod\nusers: []\ncontexts:\n" +
			"- name: prod\n  context:\n" +
			"    cluster: prod\n    user: ann\n",
		"no newline at the end": "apiVersion: v1\nkind: Config\ncurrent-context: prod\ncontexts:\n- name: prod\n" +
			"  context:\n    cluster: prod\n" +
			"    user: ann",
		"indented sequence": "apiVersion: v1\nkind: Config\ncontexts:\n  - context:\n      cluster: prod\n" +
			"      user: ann\n    name: prod\n" +
			"current-context: prod\nusers:\n  - name: ann\n    user: {token: a}\n",
		"quoted current-context": "contexts:\n- name: prod\n  context:\n    cluster: prod\ncurrent-context: \"prod\"\n",
		"windows lines":          strings.ReplaceAll(ordinary, "\n", "\r\n"),
		"names with signs":       strings.ReplaceAll(ordinary, "prod", "kubernetes-admin@kubernetes"),
		"tabs in comments":       strings.ReplaceAll(ordinary, "# my clusters", "# my\tclusters"),
		"byte order mark":        "\uFEFF" + ordinary,
		"quoted, two spaces": strings.ReplaceAll(ordinary,
			"current-context: prod # careful", "current-context: 'prod'  # careful"),
		"a comment on the key": strings.ReplaceAll(ordinary, "contexts:\n", "contexts: # mine\n"),
		"empty, commented":     "apiVersion: v1\ncontexts: [] # none yet\n# careful\n",
		"comment in the last": "contexts:\n- name: prod\n  context:\n    cluster: prod\n    # namespace: blue\n" +
			"current-context: prod\n",
		"block scalar with hash": "contexts:\n- name: prod\n  context:\n    cluster: prod\n  x-note: |\n    one\n" +
			"    # two\n" +
			"current-context: prod\n",
		"a document end":     ordinary + "---\n",
		"an end, comments":   ordinary + "# careful\n--- \n# nothing follows\n\n",
		"dots":               ordinary + "...\n",
		"contexts, then end": "current-context: prod\ncontexts:\n- name: prod\n  context:\n    cluster: prod\n---\n",
		"a start and an end": "---\n" + ordinary + "---\n---\n",
		"only a start":       "---\n" + ordinary,
		"no current-context": "apiVersion: v1\nkind: Config\ncontexts:\n- name: prod\n  context:\n" +
			"    cluster: prod\n    user: ann\n",
	} {
		t.Run(name, func(t *testing.T) {
			files, path := use(t, content)
			r, err := files.Add(t.Context(), entry("tmp-a"), true)
			if err != nil {
				t.Fatal(err)
			}
			if r.Current != "tenama-tmp-a" || r.File != path {
				t.Errorf("got %+v, want tenama-tmp-a current in %s", r, path)
			}
			with := read1(t, path)
			if r.Rewritten || strings.Contains(content, "# careful") != strings.Contains(with, "# careful") {
				t.Errorf("a comment was lost or appeared:\n%s", with)
			}
			gone, r, err := files.Remove(t.Context(), all)
			if err != nil || len(gone) != 1 {
				t.Fatalf("removed %v, %v", gone, err)
			}
			want := content
			if !strings.HasSuffix(want, "\n") {
				want += "\n"
			}
			if diff := cmp.Diff(want, read1(t, path)); diff != "" {
				t.Errorf("the file changed (-was +is):\n%s", diff)
			}
			if i, _ := os.Stat(path); i.Mode().Perm() != 0o640 {
				t.Errorf("mode is %v, was 0640", i.Mode())
			}
			_ = r
		})
	}
}

// TestUnusualFiles verifies that kubectl can read the result for files of any layout.
func TestUnusualFiles(t *testing.T) {
	for name, content := range map[string]string{
		"empty":            "",
		"missing contexts": "apiVersion: v1\nkind: Config\n",
		"null contexts":    "apiVersion: v1\nkind: Config\ncontexts: null\ncurrent-context: \"\"\n",
		"empty contexts":   "apiVersion: v1\ncontexts: []\n",
		"json": `{"apiVersion":"v1","kind":"Config",` +
			`"contexts":[{"name":"prod","context":{"cluster":"prod","user":"ann"}}],"current-context":"prod"}`,
		"flow contexts":   "apiVersion: v1\ncontexts: [{name: prod, context: {cluster: prod}}]\ncurrent-context: prod\n",
		"line separators": strings.ReplaceAll(ordinary, "\"kept\"", "\"kept\u2028\""),
		"quoted keys":     strings.ReplaceAll(ordinary, "current-context:", "\"current-context\":"),
		"end mark":        ordinary + "...\n",
		"anchors": "apiVersion: v1\ncontexts:\n- &a\n  name: prod\n  context: {cluster: prod}\n" +
			"current-context: prod\n",
		"literal block": "apiVersion: v1\ncontexts:\n- name: prod\n  context:\n    cluster: prod\n" +
			"    extensions:\n    - name: x\n" +
			"      extension:\n        text: |\n          # not a comment\n\n          contexts:\n          - name: no\n" +
			"current-context: prod\n",
	} {
		t.Run(name, func(t *testing.T) {
			files, path := use(t, content)
			before, err := parse([]byte(content))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := files.Add(t.Context(), entry("tmp-a"), true); err != nil {
				t.Fatal(err)
			}
			c, err := clientcmd.LoadFromFile(path)
			if err != nil {
				t.Fatalf("kubectl cannot read it: %v\n%s", err, read1(t, path))
			}
			if c.CurrentContext != "tenama-tmp-a" || c.Contexts["tenama-tmp-a"].Namespace != "tmp-a" ||
				len(c.Contexts) != len(before.Contexts)+1 {
				t.Errorf("got\n%s", read1(t, path))
			}
			if _, _, err := files.Remove(t.Context(), all); err != nil {
				t.Fatal(err)
			}
			after, err := parse([]byte(read1(t, path)))
			if err != nil {
				t.Fatal(err)
			}
			want, _ := canonical(before)
			got, _ := canonical(after)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the content changed (-was +is):\n%s", diff)
			}
		})
	}
}

// TestForeignEntriesStay verifies that entries not created by tenama are never
// replaced, even if their name matches.
func TestForeignEntriesStay(t *testing.T) {
	files, path := use(t, strings.Replace(ordinary, "name: blue", "name: tenama-tmp-a", 1))
	before := read1(t, path)
	if _, err := files.Add(t.Context(), entry("tmp-a"), true); !errors.Is(err, ErrTaken) {
		t.Errorf("got %v, want ErrTaken", err)
	}
	if gone, _, err := files.Remove(t.Context(), all); err != nil || len(gone) > 0 {
		t.Errorf("removed %v, %v", gone, err)
	}
	if read1(t, path) != before {
		t.Error("the file changed")
	}
	files, _ = use(t, ordinary)
	if _, err := files.Add(t.Context(), entry("tmp-a"), true); err != nil {
		t.Fatal(err)
	}
	other := entry("tmp-a")
	other.Server, other.UID = "https://other.example.test", "another"
	if _, err := files.Add(t.Context(), other, true); !errors.Is(err, ErrTaken) {
		t.Errorf("the namespace of another cluster: got %v, want ErrTaken", err)
	}
}

// TestNoChangeNoWrite verifies that adding an existing entry does not write the file.
func TestNoChangeNoWrite(t *testing.T) {
	files, _ := use(t, ordinary)
	if _, err := files.Add(t.Context(), entry("tmp-a"), true); err != nil {
		t.Fatal(err)
	}
	r, err := files.Add(t.Context(), entry("tmp-a"), true)
	if err != nil || r.File != "" {
		t.Errorf("wrote %q again (%v)", r.File, err)
	}
}

func FuzzApply(f *testing.F) {
	f.Add(ordinary, "tmp-a")
	f.Add("contexts:\n- name: x\n  context: {}\n", "x")
	f.Fuzz(func(t *testing.T, content, ns string) {
		config, err := parse([]byte(content))
		if err != nil {
			return
		}
		e := entry(ns)
		context, err := e.context()
		if err != nil {
			return
		}
		name := e.Context
		c := &change{set: map[string]*clientcmdapi.Context{name: context}, current: &name}
		out, _, err := c.apply([]byte(content), config)
		if err != nil {
			return // clientcmd cannot write it either
		}
		got, err := parse(out)
		if err != nil {
			t.Fatalf("wrote what cannot be read: %v\n%q", err, out)
		}
		if len(got.Contexts) < len(config.Contexts) {
			t.Fatalf("lost contexts: %q", out)
		}
	})
}
