// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clientcmdlatest "k8s.io/client-go/tools/clientcmd/api/latest"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	sigsyaml "sigs.k8s.io/yaml"
)

// change is what is to be different in one file.
type change struct {
	set     map[string]*clientcmdapi.Context // made or replaced
	remove  map[string]bool
	current *string // nil: as it is; empty: removed
}

func (c *change) empty() bool { return len(c.set) == 0 && len(c.remove) == 0 && c.current == nil }

// apply returns the content with the change made. It edits the lines that are
// concerned and no others; if the file is not of the usual shape, or the result
// does not read as it should, the whole is written anew, as kubectl does.
func (c *change) apply(content []byte, config *clientcmdapi.Config) ([]byte, error) {
	want := config.DeepCopy()
	for name, context := range c.set {
		want.Contexts[name] = context
	}
	for name := range c.remove {
		delete(want.Contexts, name)
	}
	if c.current != nil {
		want.CurrentContext = *c.current
	}
	if len(bytes.TrimSpace(content)) > 0 {
		if out, err := c.edit(content); err == nil && reads(out, want) {
			return out, nil
		}
	}
	out, err := clientcmd.Write(*want)
	if err != nil {
		return nil, fmt.Errorf("encode kubeconfig: %w", err)
	}
	return out, nil
}

// reads tells whether content parses to what is wanted.
func reads(content []byte, want *clientcmdapi.Config) bool {
	got, err := parse(content)
	if err != nil {
		return false
	}
	return equality.Semantic.DeepEqual(canonical(got), canonical(want))
}

// canonical removes what does not count: an extension is the same whatever
// white space its JSON had.
func canonical(c *clientcmdapi.Config) *clientcmdv1.Config {
	out := &clientcmdv1.Config{}
	if b, err := clientcmd.Write(*c); err == nil {
		_ = sigsyaml.Unmarshal(b, out)
	}
	return out
}

// edit makes the change in the text. Its errors only mean that the text is not
// of the usual shape.
func (c *change) edit(content []byte) ([]byte, error) {
	l, err := read(content)
	if err != nil {
		return nil, err
	}
	out := append([]string(nil), l.lines...)
	insert := map[int]string{} // before this line
	names := make([]string, 0, len(c.set))
	for name := range c.set {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		text, err := render(name, c.set[name], l.indent)
		if err != nil {
			return nil, err
		}
		switch at, known := l.items[name]; {
		case known:
			blank(out, at)
			insert[at.from] += text
		case l.contexts != nil:
			insert[l.contexts.to] += text
		case l.bare >= 0:
			out[l.bare] = "contexts:\n"
			insert[l.bare+1] += text
		default:
			if insert[len(out)] == "" {
				insert[len(out)] = "contexts:\n"
			}
			insert[len(out)] += text
		}
	}
	for name := range c.remove {
		if at, known := l.items[name]; known {
			blank(out, at)
		}
	}
	if l.contexts != nil && len(c.set) == 0 && len(l.items) == removed(l.items, c.remove) { // none is left
		if !bareContexts.MatchString(strings.TrimRight(out[l.key], "\n")) {
			return nil, fmt.Errorf("the key of contexts is not alone on its line")
		}
		out[l.key] = "contexts: []\n"
	}
	if c.current != nil {
		switch {
		case *c.current == "" && l.current >= 0:
			out[l.current] = ""
		case *c.current != "":
			value, err := sigsyaml.Marshal(*c.current)
			if err != nil {
				return nil, err
			}
			text := "current-context: " + strings.TrimSpace(string(value))
			if l.current >= 0 {
				m := oneLineValue.FindStringSubmatch(strings.TrimRight(out[l.current], "\n"))
				if m == nil {
					return nil, fmt.Errorf("current-context is not a plain value")
				}
				out[l.current] = text + m[2] + "\n"
			} else {
				insert[len(out)] += text + "\n"
			}
		}
	}
	var b strings.Builder
	for i, line := range append(out, "") {
		if text := insert[i]; text != "" {
			if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
				b.WriteString("\n")
			}
			b.WriteString(text)
		}
		b.WriteString(line)
	}
	return []byte(b.String()), nil
}

func removed(items map[string]span, remove map[string]bool) (n int) {
	for name := range items {
		if remove[name] {
			n++
		}
	}
	return n
}

func blank(lines []string, s span) {
	for i := s.from; i < s.to; i++ {
		lines[i] = ""
	}
}

// render is one item of the contexts as text.
func render(name string, context *clientcmdapi.Context, indent string) (string, error) {
	one := clientcmdapi.NewConfig()
	one.Contexts[name] = context
	v1 := &clientcmdv1.Config{}
	if err := clientcmdlatest.Scheme.Convert(one, v1, nil); err != nil {
		return "", err
	}
	b, err := sigsyaml.Marshal(v1.Contexts)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		out.WriteString(indent + line)
	}
	return out.String(), nil
}
