// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
)

// maxSlug is the length of a name made from other text, without a prefix. It does not depend on
// the class, because only create knows it.
const maxSlug = 40

// slug returns a name made from any text, such as that of a branch: the text itself, if it is
// a short name already; else its letters and digits in lower case, with dashes for the rest,
// and six digits of a hash, so that other text has another name.
func slug(text string) string {
	if len(text) <= maxSlug && len(validation.IsDNS1123Label(text)) == 0 {
		return text
	}
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	sum := sha256.Sum256([]byte(text))
	suffix := hex.EncodeToString(sum[:3])
	base := b.String()
	if most := maxSlug - len(suffix) - 1; len(base) > most {
		base = base[:most]
	}
	if base = strings.Trim(base, "-"); base == "" {
		return suffix
	}
	return base + "-" + suffix
}

// addNameFrom adds --name-from to a command that takes NAME.
func (f *factory) addNameFrom(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.nameFrom, "name-from", "",
		"make NAME from any text, such as a branch: at most 40 letters, digits and dashes, "+
			"with a hash if the text is not such a name")
	completeFlag(cmd, "name-from", cobra.NoFileCompletions)
}

// slugHint is the advice for text that is not a name.
func slugHint(text string) string {
	return "to make a name from other text, use: --name-from " + shellQuote(text) + " (it gives " + slug(text) + ")"
}
