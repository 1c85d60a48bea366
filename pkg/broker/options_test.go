// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"strings"
	"testing"
)

// A prefix with which the broker's own namespace begins would make the broker's home a namespace
// that it may lend, change and delete.
func TestPrefixes(t *testing.T) {
	for prefixes, want := range map[string]string{
		"tmp-":            "",
		"tmp-,cust-":      "",
		"tenama-systems-": "",
		"tenama-":         `--prefix="tenama-": namespace "tenama-system" of the broker begins with it`,
		"tmp-,tenama-":    `--prefix="tenama-"`,
		"Tmp-":            "must be lower-case letters",
		"tmp":             "ending in a dash",
		"":                "at least one prefix",
	} {
		o := NewOptions()
		o.Prefixes = nil
		if prefixes != "" {
			o.Prefixes = strings.Split(prefixes, ",")
		}
		err := o.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", prefixes, err, want)
		}
	}
}
