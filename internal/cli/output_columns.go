// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/jsonpath"

	"tenama.dev/tenama/internal/cli/term"
)

// columns implements -o custom-columns=HEAD:PATH,..., as in kubectl get.
type columns struct {
	heads     []string
	paths     []*jsonpath.JSONPath
	noHeaders bool
}

func newColumns(spec string, noHeaders bool) (*columns, error) {
	if spec == "" {
		return nil, errors.New("custom-columns is empty: use for example " +
			"custom-columns=NAME:.metadata.name,UNTIL:.status.expirationTimestamp")
	}
	c := &columns{noHeaders: noHeaders}
	for part := range strings.SplitSeq(spec, ",") {
		head, path, ok := strings.Cut(part, ":")
		if !ok || head == "" {
			return nil, fmt.Errorf("custom-columns %q: use HEADER:PATH, such as NAME:.metadata.name", part)
		}
		p, err := parsePath(head, path)
		if err != nil {
			return nil, fmt.Errorf("custom-columns %q: %w", part, err)
		}
		c.heads, c.paths = append(c.heads, head), append(c.paths, p)
	}
	return c, nil
}

// PrintObj prints an object, or each item of a list.
func (c *columns) PrintObj(obj runtime.Object, w io.Writer) error {
	items := []runtime.Object{obj}
	if meta.IsListType(obj) {
		var err error
		if items, err = meta.ExtractList(obj); err != nil {
			return err
		}
	}
	t := &term.Table{}
	if !c.noHeaders {
		t.Head = c.heads
	}
	for _, item := range items {
		var row []term.Cell
		for _, p := range c.paths {
			text, err := lookUp(p, item)
			if err != nil {
				return err
			}
			if text == "" {
				text = "<none>"
			}
			row = append(row, term.Cell{Text: text})
		}
		t.Rows = append(t.Rows, row)
	}
	return t.Print(w, term.Renderer{})
}
