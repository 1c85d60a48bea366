// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
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

// span is a range of lines, the end not included.
type span struct{ from, to int }

// layout is where the lines of interest are.
type layout struct {
	lines    []string
	key      int             // line of the contexts key, if it is there
	contexts *span           // the sequence; nil if the key is absent or holds no block
	indent   string          // of its dashes
	items    map[string]span // by name
	bare     int             // line of a contexts key without entries, or -1
	current  int             // line of current-context, or -1
}

var (
	bareContexts = regexp.MustCompile(`^contexts:[ \t]*(null|~|\[[ \t]*\])?[ \t]*$`)
	oneLineValue = regexp.MustCompile(`^current-context:[ \t]*([^#&*!|>%@{}\[\],\n]*?)([ \t]+#.*)?$`)
)

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

// read finds the lines of a kubeconfig in ordinary block YAML.
func read(content []byte) (*layout, error) {
	if bytes.ContainsAny(content, "\r\t") {
		return nil, fmt.Errorf("tabs or carriage returns")
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode || doc.Content[0].Style&yaml.FlowStyle != 0 || doc.Content[0].Column != 1 {
		return nil, fmt.Errorf("not one block mapping")
	}
	l := &layout{lines: strings.SplitAfter(string(content), "\n"), items: map[string]span{}, bare: -1, current: -1}
	if n := len(l.lines); l.lines[n-1] == "" {
		l.lines = l.lines[:n-1]
	}
	top := doc.Content[0].Content
	for i := 0; i+1 < len(top); i += 2 {
		key, value := top[i], top[i+1]
		end := len(l.lines)
		if i+2 < len(top) {
			end = top[i+2].Line - 1
		}
		switch key.Value {
		case "current-context":
			if value.Line != key.Line {
				return nil, fmt.Errorf("current-context is not on one line")
			}
			l.current = key.Line - 1
		case "contexts":
			l.key = key.Line - 1
			if value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0 {
				if err := l.sequence(value, l.trim(key.Line, end)); err != nil {
					return nil, err
				}
			} else if bareContexts.MatchString(strings.TrimRight(l.lines[key.Line-1], "\n")) {
				l.bare = key.Line - 1
			} else {
				return nil, fmt.Errorf("contexts is not a block sequence")
			}
		}
	}
	return l, nil
}

// sequence finds the items of the contexts, the last of which ends before end.
func (l *layout) sequence(seq *yaml.Node, end int) error {
	l.contexts = &span{seq.Line - 1, end}
	l.indent = strings.Repeat(" ", seq.Column-1)
	for i, item := range seq.Content {
		if item.Kind != yaml.MappingNode || item.Style&yaml.FlowStyle != 0 {
			return fmt.Errorf("a context is not a block mapping")
		}
		to := end
		if i+1 < len(seq.Content) {
			to = l.trim(item.Line, seq.Content[i+1].Line-1)
		}
		if !strings.HasPrefix(l.lines[item.Line-1], l.indent+"- ") {
			return fmt.Errorf("a context does not begin with its dash")
		}
		for j := 0; j+1 < len(item.Content); j += 2 {
			if item.Content[j].Value == "name" {
				l.items[item.Content[j+1].Value] = span{item.Line - 1, to}
			}
		}
	}
	return nil
}

// trim moves end up over blank lines and comments, which belong to what follows.
func (l *layout) trim(from, end int) int {
	for end > from {
		if s := strings.TrimSpace(l.lines[end-1]); s != "" && !strings.HasPrefix(s, "#") {
			break
		}
		end--
	}
	return end
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
