// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
