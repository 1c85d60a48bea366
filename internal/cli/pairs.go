// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"tenama.dev/tenama/api/v1alpha1"
)

// pairsValue is a flag that is given once for each pair KEY=VALUE. The value is taken as
// given, with its commas and quotes.
type pairsValue map[string]string

func (v *pairsValue) String() string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(*v)) {
		out = append(out, k+"="+(*v)[k])
	}
	return strings.Join(out, " ")
}

func (v *pairsValue) Type() string { return "KEY=VALUE" }

func (v *pairsValue) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return fmt.Errorf("use KEY=VALUE")
	}
	if *v == nil {
		*v = pairsValue{}
	}
	(*v)[key] = value
	return nil
}

// validateLabels rejects labels that Kubernetes does not accept, and names the key.
func validateLabels(labels map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if len(validation.IsQualifiedName(k)) > 0 {
			return fmt.Errorf("--label %q: the key %q must consist of letters, digits, '-', '_' and '.', "+
				"at most 63 characters, with an optional domain and '/' before it", k+"="+labels[k], k)
		}
		if len(validation.IsValidLabelValue(labels[k])) > 0 {
			return withHint(fmt.Errorf("--label %q: the value of %q must consist of letters, digits, '-', '_' and '.', "+
				"at most 63 characters, with a letter or digit at both ends", k+"="+labels[k], k),
				"use one --label for each label, and --annotation for other values")
		}
	}
	return nil
}

// oneLine returns text as one line that the broker accepts as a reason: titles of merge
// requests have no-break spaces, composed emoji and line breaks. It reports whether it cut it.
func oneLine(text string) (line string, wasCut bool) {
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
	line = strings.Join(strings.Fields(line), " ")
	r := []rune(line)
	if len(r) <= v1alpha1.MaxReason {
		return line, false
	}
	return strings.TrimSpace(string(r[:v1alpha1.MaxReason-1])) + "…", true
}

// cleanReason returns the reason to send, and says if it had to be cut.
func (f *factory) cleanReason(reason string) string {
	line, wasCut := oneLine(reason)
	if wasCut {
		fmt.Fprintf(f.ErrOut, "Note: --reason was cut to %d characters.\n", v1alpha1.MaxReason)
	}
	return line
}
