// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clientcmdlatest "k8s.io/client-go/tools/clientcmd/api/latest"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	sigsyaml "sigs.k8s.io/yaml"
)

// change is a set of changes to one file.
type change struct {
	set     map[string]*clientcmdapi.Context // contexts to add or replace, by name
	remove  map[string]bool
	current *string // nil: unchanged; empty: remove current-context
}

func (c *change) empty() bool { return len(c.set) == 0 && len(c.remove) == 0 && c.current == nil }

// apply returns the content with the change applied. It edits only the affected lines.
// If the file is not ordinary block YAML, or the edited text does not parse to the
// expected result, apply rewrites the whole file, as kubectl does; comments and unknown
// fields are then lost. The second result reports whether an existing file was
// rewritten.
func (c *change) apply(content []byte, config *clientcmdapi.Config) (out []byte, rewritten bool, err error) {
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
		if out, err := c.edit(content); err == nil && c.parsesTo(out, want) && c.preservesOthers(content, out) {
			return out, false, nil
		}
	}
	out, err = clientcmd.Write(*want)
	if err != nil {
		return nil, false, fmt.Errorf("encode kubeconfig: %w", err)
	}
	return out, len(bytes.TrimSpace(content)) > 0, nil
}

// parsesTo reports whether kubectl would parse content to the configuration in want.
func (c *change) parsesTo(content []byte, want *clientcmdapi.Config) bool {
	got, err := parse(content)
	if err != nil {
		return false
	}
	a, aerr := canonical(got)
	b, berr := canonical(want)
	return aerr == nil && berr == nil && equality.Semantic.DeepEqual(a, b)
}

// canonical returns c in the form used for comparison: the JSON of extensions is
// normalized, because differences in white space are not significant.
func canonical(c *clientcmdapi.Config) (*clientcmdv1.Config, error) {
	out := &clientcmdv1.Config{}
	if err := clientcmdlatest.Scheme.Convert(c, out, nil); err != nil {
		return nil, err
	}
	all := []*[]clientcmdv1.NamedExtension{&out.Extensions, &out.Preferences.Extensions}
	for i := range out.Clusters {
		all = append(all, &out.Clusters[i].Cluster.Extensions)
	}
	for i := range out.AuthInfos {
		all = append(all, &out.AuthInfos[i].AuthInfo.Extensions)
	}
	for i := range out.Contexts {
		all = append(all, &out.Contexts[i].Context.Extensions)
	}
	for _, extensions := range all {
		for i := range *extensions {
			var v any
			e := &(*extensions)[i].Extension
			if err := json.Unmarshal(e.Raw, &v); err != nil {
				return nil, err
			}
			b, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			e.Raw = b
		}
	}
	return out, nil
}

// preservesOthers reports whether everything that the change does not affect is the same in
// before and after, including unknown fields.
func (c *change) preservesOthers(before, after []byte) bool {
	a, aerr := c.unaffected(before)
	b, berr := c.unaffected(after)
	return aerr == nil && berr == nil && equality.Semantic.DeepEqual(a, b)
}

// unaffected returns the content without the parts that the change affects.
func (c *change) unaffected(content []byte) (map[string]any, error) {
	m := map[string]any{}
	if err := sigsyaml.Unmarshal(content, &m); err != nil {
		return nil, err
	}
	if c.current != nil {
		delete(m, "current-context")
	}
	all, _ := m["contexts"].([]any)
	var others []any
	for _, item := range all {
		entry, _ := item.(map[string]any)
		name, _ := entry["name"].(string)
		if c.set[name] == nil && !c.remove[name] {
			others = append(others, item)
		}
	}
	delete(m, "contexts")
	if len(others) > 0 {
		m["contexts"] = others
	}
	return m, nil
}

// edit applies the change to the text and preserves its line endings. An error means
// only that the text is not ordinary block YAML.
func (c *change) edit(content []byte) ([]byte, error) {
	const bom = "\uFEFF"
	text, hasBOM := strings.CutPrefix(string(content), bom)
	crlf := strings.Contains(text, "\r\n")
	if crlf {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	out, err := c.editLines(text)
	if err != nil {
		return nil, err
	}
	if crlf {
		if bytes.Count(content, []byte("\n")) != bytes.Count(content, []byte("\r\n")) {
			return nil, fmt.Errorf("%w: mixed line endings", errUnusual)
		}
		out = strings.ReplaceAll(out, "\n", "\r\n")
	}
	if hasBOM {
		out = bom + out
	}
	return []byte(out), nil
}

func (c *change) editLines(text string) (string, error) {
	text, end := cutDocumentEnd(text)
	l, err := parseLayout(text)
	if err != nil {
		return "", err
	}
	out := slices.Clone(l.lines)
	insert := map[int]string{} // text to insert, by the line that follows it
	for _, name := range slices.Sorted(maps.Keys(c.set)) {
		item, err := render(name, c.set[name], l.indent)
		if err != nil {
			return "", err
		}
		switch at, known := l.items[name]; {
		case known:
			clearLines(out, at)
			insert[at.from] += item
		case l.contexts != nil:
			insert[l.contexts.to] += item
		case l.contextsLine >= 0: // the list is empty
			out[l.contextsLine] = emptyContexts.ReplaceAllString(strings.TrimRight(out[l.contextsLine], "\n"), "$1$2") + "\n"
			insert[l.contextsLine+1] += item
		default:
			if insert[len(out)] == "" {
				insert[len(out)] = "contexts:\n"
			}
			insert[len(out)] += item
		}
	}
	left := len(l.items) + len(c.set)
	for name := range c.remove {
		if at, known := l.items[name]; known {
			clearLines(out, at)
			left--
		}
	}
	if l.contexts != nil && left == 0 {
		if !l.empty {
			return "", fmt.Errorf("%w: the key of contexts", errUnusual)
		}
		out[l.contextsLine] = emptyContexts.ReplaceAllString(strings.TrimRight(out[l.contextsLine], "\n"), "$1 []$2") + "\n"
	}
	if c.current != nil {
		if err := setCurrent(l, out, insert, *c.current); err != nil {
			return "", err
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
	if end != "" && b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteString("\n")
	}
	return b.String() + end, nil
}

func setCurrent(l *layout, out []string, insert map[int]string, name string) error {
	switch {
	case name == "" && l.current != nil:
		out[l.current.Line-1] = ""
	case name != "" && l.current != nil:
		line, err := l.withCurrent(name)
		if err != nil {
			return err
		}
		out[l.current.Line-1] = line
	case name != "":
		value, err := scalar(name, 0)
		if err != nil {
			return err
		}
		insert[len(out)] += "current-context: " + value + "\n"
	}
	return nil
}

func clearLines(lines []string, s span) {
	for i := s.from; i < s.to; i++ {
		lines[i] = ""
	}
}

// render returns the YAML text of one entry of contexts.
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
