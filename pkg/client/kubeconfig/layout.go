// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// span is a range of lines, the end not included.
type span struct{ from, to int }

// layout is where the lines of interest are.
type layout struct {
	lines    []string        // each with its newline
	key      int             // line of the contexts key, or -1
	bare     bool            // that key has no entries, or an empty list
	contexts *span           // the entries
	indent   string          // of their dashes
	items    map[string]span // by name
	current  *yaml.Node      // the value of current-context
}

// errUnusual says that the text is not of the usual shape; the error tells how.
var errUnusual = errors.New("not ordinary block YAML")

var bareContexts = regexp.MustCompile(`^(["']?contexts["']?:)[ \t]*(?:null|~|\[[ \t]*\])?([ \t]+#.*|[ \t]*)$`)

// read finds the lines of a kubeconfig.
func read(text string) (*layout, error) {
	if strings.ContainsAny(text, "\r\u0085\u2028\u2029") { // line breaks to YAML, or part of one
		return nil, fmt.Errorf("%w: unusual line breaks", errUnusual)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode || doc.Content[0].Style&yaml.FlowStyle != 0 || doc.Content[0].Column != 1 {
		return nil, fmt.Errorf("%w: not one block mapping", errUnusual)
	}
	l := &layout{lines: strings.SplitAfter(text, "\n"), items: map[string]span{}, key: -1}
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
			if value.Line != key.Line || value.Kind != yaml.ScalarNode || value.Anchor != "" || value.Style&^(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 ||
				!strings.HasPrefix(l.lines[key.Line-1], "current-context:") {
				return nil, fmt.Errorf("%w: current-context", errUnusual)
			}
			l.current = value
		case "contexts":
			l.key = key.Line - 1
			l.bare = bareContexts.MatchString(strings.TrimRight(l.lines[l.key], "\n"))
			if value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0 {
				if err := l.sequence(value, end); err != nil {
					return nil, err
				}
			} else if !l.bare {
				return nil, fmt.Errorf("%w: contexts", errUnusual)
			}
		}
	}
	return l, nil
}

// sequence finds the entries of the contexts, the last of which ends before end.
func (l *layout) sequence(seq *yaml.Node, end int) error {
	l.indent = strings.Repeat(" ", seq.Column-1)
	for i, item := range seq.Content {
		at := item.Line - 1
		if item.Kind != yaml.MappingNode || at >= len(l.lines) || !strings.HasPrefix(l.lines[at], l.indent+"- ") {
			return fmt.Errorf("%w: a context", errUnusual)
		}
		to := end
		if i+1 < len(seq.Content) {
			to = seq.Content[i+1].Line - 1
		}
		to = l.trim(at+1, to)
		for j := 0; j+1 < len(item.Content); j += 2 {
			if item.Content[j].Value == "name" {
				if _, twice := l.items[item.Content[j+1].Value]; twice {
					return fmt.Errorf("%w: two contexts of one name", errUnusual)
				}
				l.items[item.Content[j+1].Value] = span{at, to}
			}
		}
		l.contexts = &span{seq.Line - 1, to}
	}
	return nil
}

// trim moves end up over blank lines and comments that stand no deeper than the
// dashes: they belong to what follows. Deeper ones belong to the entry.
func (l *layout) trim(from, end int) int {
	for end > from {
		line := strings.TrimRight(l.lines[end-1], " \t\n")
		body := strings.TrimLeft(line, " \t")
		if body != "" && (body[0] != '#' || len(line)-len(body) > len(l.indent)) {
			break
		}
		end--
	}
	return end
}

// withCurrent is the line of current-context with another value, in the same
// quotes and with the same comment.
func (l *layout) withCurrent(name string) (string, error) {
	line := strings.TrimRight(l.lines[l.current.Line-1], "\n")
	comment := ""
	if c := l.current.LineComment; c != "" {
		at := strings.LastIndex(line, c)
		if at < 0 {
			return "", fmt.Errorf("%w: current-context", errUnusual)
		}
		comment = line[len(strings.TrimRight(line[:at], " \t")):]
	}
	value, err := scalar(name, l.current.Style)
	return "current-context: " + value + comment + "\n", err
}

// scalar is a string as YAML on one line.
func scalar(s string, style yaml.Style) (string, error) {
	b, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: style})
	text := strings.TrimRight(string(b), "\n")
	if err == nil && strings.Contains(text, "\n") {
		err = fmt.Errorf("%w: a name of several lines", errUnusual)
	}
	return text, err
}
