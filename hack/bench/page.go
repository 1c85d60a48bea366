// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

var emptyLines = regexp.MustCompile(`\n{3,}`)

//go:embed page.md
var pageText string

// writePage writes the page that describes the results. Its sentences take their figures
// from the tables, and it fails if one of them is missing.
func (r *report) writePage(file string) error {
	t, err := template.New("page.md").Funcs(template.FuncMap{
		"table": r.markdown,
		"value": r.value,
		"has":   func(id string) bool { _, err := r.find(id); return err == nil },
	}).Parse(pageText)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, r); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	// Parts that were not measured leave empty lines.
	page := emptyLines.ReplaceAll(bytes.TrimSpace(out.Bytes()), []byte("\n\n"))
	return os.WriteFile(file, append(page, '\n'), 0o644)
}

func (r *report) find(id string) (*table, error) {
	for i := range r.Tables {
		if r.Tables[i].ID == id {
			return &r.Tables[i], nil
		}
	}
	return nil, fmt.Errorf("there are no results of %q", id)
}

// value returns the figure in a row and a column of a table.
func (r *report) value(id, row, column string) (string, error) {
	t, err := r.find(id)
	if err != nil {
		return "", err
	}
	for _, have := range t.Rows {
		if i := slices.Index(t.Columns, column); have.Name == row && i >= 0 && i < len(have.Values) {
			return number(have.Values[i]), nil
		}
	}
	return "", fmt.Errorf("table %q has no %q of %q", id, column, row)
}

// markdown returns a table with its title and notes, and a reference to its plot.
func (r *report) markdown(id string) (string, error) {
	t, err := r.find(id)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	day := ""
	if t.Date != r.Date {
		day = " (measured on " + t.Date + ")"
	}
	fmt.Fprintf(&b, "%s%s:\n\n| |", t.Title, day)
	for _, c := range t.Columns {
		fmt.Fprintf(&b, " %s |", c)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(t.Columns)) + "\n")
	for _, row := range t.Rows {
		fmt.Fprintf(&b, "| %s |", row.Name)
		for i := range t.Columns {
			cell := ""
			if i < len(row.Values) {
				cell = number(row.Values[i])
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	for _, n := range t.Notes {
		fmt.Fprintf(&b, "\n%s\n", n)
	}
	return strings.TrimRight(b.String(), "\n"), nil
}
