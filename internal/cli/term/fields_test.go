// SPDX-License-Identifier: Apache-2.0

package term

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFields verifies that values line up, that a field without a value is left out, and
// that text of other users cannot add lines that look like fields.
func TestFields(t *testing.T) {
	var f Fields
	f.Add("Name", "tmp-a")
	f.Add("Reason", "")
	f.Add("Guard rails", "one\nOwner: eve")
	var out bytes.Buffer
	f.Print(&out)
	if diff := cmp.Diff("Name:         tmp-a\nGuard rails:  one Owner: eve\n", out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
