// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// oneDocument rejects a file with several YAML documents: kubectl reads the first one
// and would drop the others with the next write. Empty documents do not count.
func oneDocument(content []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(content))
	for n := 0; ; n++ {
		var node yaml.Node
		err := d.Decode(&node)
		if errors.Is(err, io.EOF) || n == 0 && err != nil { // clientcmd reports errors in the first document
			return nil
		}
		empty := len(node.Content) == 1 && node.Content[0].Tag == "!!null" && node.Content[0].Value == ""
		if err != nil || n > 0 && !empty {
			return errors.New("more than one YAML document")
		}
	}
}

// cutDocumentEnd cuts off what ends the only document of a file: a line "---" or "...", which
// only comments follow.
func cutDocumentEnd(text string) (document, end string) {
	lines := strings.SplitAfter(text, "\n")
	from := len(lines)
	for i := len(lines) - 1; i > 0; i-- {
		line := strings.TrimSpace(lines[i])
		if marker := strings.TrimRight(lines[i], " \t\n"); marker == "---" || marker == "..." {
			from = i
		} else if line != "" && line[0] != '#' {
			break
		}
	}
	return strings.Join(lines[:from], ""), strings.Join(lines[from:], "")
}
