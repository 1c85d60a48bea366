// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
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
// does not read as it should, the whole is written anew, as kubectl does, and
// comments and unknown fields are lost.
func (c *change) apply(content []byte, config *clientcmdapi.Config) (out []byte, anew bool, err error) {
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
		if out, err := c.edit(content); err == nil && c.reads(out, want) && c.spares(content, out) {
			return out, false, nil
		}
	}
	out, err = clientcmd.Write(*want)
	if err != nil {
		return nil, false, fmt.Errorf("encode kubeconfig: %w", err)
	}
	return out, len(bytes.TrimSpace(content)) > 0, nil
}

// reads tells whether kubectl reads from content what is wanted.
func (c *change) reads(content []byte, want *clientcmdapi.Config) bool {
	got, err := parse(content)
	if err != nil {
		return false
	}
	a, aerr := canonical(got)
	b, berr := canonical(want)
	return aerr == nil && berr == nil && equality.Semantic.DeepEqual(a, b)
}

// canonical removes what does not count: an extension is the same whatever
// white space its JSON had.
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

// spares tells whether everything that is not concerned is in after as it was
// in before, unknown fields included.
func (c *change) spares(before, after []byte) bool {
	a, aerr := c.rest(before)
	b, berr := c.rest(after)
	return aerr == nil && berr == nil && equality.Semantic.DeepEqual(a, b)
}

// rest is the content without what is concerned.
func (c *change) rest(content []byte) (map[string]any, error) {
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

// edit makes the change in the text, whatever its line ends. Its errors only
// mean that the text is not of the usual shape.
func (c *change) edit(content []byte) ([]byte, error) {
	const bom = "\uFEFF"
	text, marked := strings.CutPrefix(string(content), bom)
	windows := strings.Contains(text, "\r\n")
	if windows {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	out, err := c.editLines(text)
	if err != nil {
		return nil, err
	}
	if windows {
		if bytes.Count(content, []byte("\n")) != bytes.Count(content, []byte("\r\n")) {
			return nil, fmt.Errorf("%w: mixed line ends", errUnusual)
		}
		out = strings.ReplaceAll(out, "\n", "\r\n")
	}
	if marked {
		out = bom + out
	}
	return []byte(out), nil
}

func (c *change) editLines(text string) (string, error) {
	l, err := read(text)
	if err != nil {
		return "", err
	}
	out := slices.Clone(l.lines)
	insert := map[int]string{} // before this line
	for _, name := range slices.Sorted(maps.Keys(c.set)) {
		item, err := render(name, c.set[name], l.indent)
		if err != nil {
			return "", err
		}
		switch at, known := l.items[name]; {
		case known:
			blank(out, at)
			insert[at.from] += item
		case l.contexts != nil:
			insert[l.contexts.to] += item
		case l.key >= 0: // it holds none yet
			out[l.key] = bareContexts.ReplaceAllString(strings.TrimRight(out[l.key], "\n"), "$1$2") + "\n"
			insert[l.key+1] += item
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
			blank(out, at)
			left--
		}
	}
	if l.contexts != nil && left == 0 {
		if !l.bare {
			return "", fmt.Errorf("%w: the key of contexts", errUnusual)
		}
		out[l.key] = bareContexts.ReplaceAllString(strings.TrimRight(out[l.key], "\n"), "$1 []$2") + "\n"
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
	return b.String(), nil
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

func blank(lines []string, s span) {
	for i := s.from; i < s.to; i++ {
		lines[i] = ""
	}
}

// render is one entry of the contexts as text.
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

// oneDocument refuses a file of several YAML documents: kubectl reads the first
// and would drop the others with the next write.
func oneDocument(content []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(content))
	for n := 0; ; n++ {
		var node yaml.Node
		err := d.Decode(&node)
		if errors.Is(err, io.EOF) || n == 0 && err != nil { // what is wrong with the first is told by clientcmd
			return nil
		}
		if err != nil || n > 0 {
			return errors.New("it has more than one YAML document")
		}
	}
}
