// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// span is a half-open range of lines: to is not included.
type span struct{ from, to int }

// layout holds the positions of the relevant lines of a kubeconfig.
type layout struct {
	lines        []string        // each including its newline
	contextsLine int             // line index of the contexts key, or -1
	empty        bool            // the key has no value, or an empty list
	contexts     *span           // the lines of all entries
	indent       string          // indentation of the dashes of the entries
	items        map[string]span // lines of each entry, by name
	current      *yaml.Node      // the value of current-context
}

// errUnusual means that the text is not ordinary block YAML; the wrapping error gives
// the reason.
var errUnusual = errors.New("not ordinary block YAML")

var emptyContexts = regexp.MustCompile(`^(["']?contexts["']?:)[ \t]*(?:null|~|\[[ \t]*\])?([ \t]+#.*|[ \t]*)$`)

// parseLayout returns the layout of a kubeconfig.
func parseLayout(text string) (*layout, error) {
	if strings.ContainsAny(text, "\r\u0085\u2028\u2029") { // line breaks in YAML, or parts of one
		return nil, fmt.Errorf("%w: unusual line breaks", errUnusual)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode || doc.Content[0].Style&yaml.FlowStyle != 0 ||
		doc.Content[0].Column != 1 {
		return nil, fmt.Errorf("%w: not one block mapping", errUnusual)
	}
	l := &layout{lines: strings.SplitAfter(text, "\n"), items: map[string]span{}, contextsLine: -1}
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
			if value.Line != key.Line || value.Kind != yaml.ScalarNode || value.Anchor != "" ||
				value.Style&^(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 ||
				!strings.HasPrefix(l.lines[key.Line-1], "current-context:") {
				return nil, fmt.Errorf("%w: current-context", errUnusual)
			}
			l.current = value
		case "contexts":
			l.contextsLine = key.Line - 1
			l.empty = emptyContexts.MatchString(strings.TrimRight(l.lines[l.contextsLine], "\n"))
			if value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0 {
				if err := l.recordEntries(value, end); err != nil {
					return nil, err
				}
			} else if !l.empty {
				return nil, fmt.Errorf("%w: contexts", errUnusual)
			}
		}
	}
	return l, nil
}

// recordEntries records the lines of the entries of contexts; the last entry ends before
// end.
func (l *layout) recordEntries(seq *yaml.Node, end int) error {
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
		to = l.trimTrailing(at+1, to)
		for j := 0; j+1 < len(item.Content); j += 2 {
			if item.Content[j].Value == "name" {
				if _, twice := l.items[item.Content[j+1].Value]; twice {
					return fmt.Errorf("%w: duplicate context", errUnusual)
				}
				l.items[item.Content[j+1].Value] = span{at, to}
			}
		}
		l.contexts = &span{seq.Line - 1, to}
	}
	return nil
}

// trimTrailing moves end up past blank lines and comments that are indented no deeper than the
// dashes: these belong to the following entry. Comments that are indented deeper belong
// to the current entry.
func (l *layout) trimTrailing(from, end int) int {
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

// withCurrent returns the line of current-context with another value, and with the same
// quotes and comment.
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

// scalar returns a string as a YAML scalar on one line.
func scalar(s string, style yaml.Style) (string, error) {
	b, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: style})
	text := strings.TrimRight(string(b), "\n")
	if err == nil && strings.Contains(text, "\n") {
		err = fmt.Errorf("%w: a name with line breaks", errUnusual)
	}
	return text, err
}
