// SPDX-License-Identifier: Apache-2.0

package image

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Without this test, kubelet could look in a registry for an image whose archive was
// imported into its node. It asks containerd for the name by digest that the manifests
// of the release have.
func TestImport(t *testing.T) {
	r := made(t)
	want := map[string]string{r.name + ":" + r.version: r.digest, r.name + "@" + r.digest: r.digest}
	for what, flags := range map[string][]string{
		"ctr images import":       {},
		"kind load image-archive": {"--all-platforms", "--digests"},
	} {
		t.Run(what, func(t *testing.T) {
			ctr := newContainerd(t)
			args := append([]string{"images", "import", "--snapshotter=native"}, flags...)
			cmd := exec.Command(ctr[0], append(ctr[1:len(ctr):len(ctr)], append(args, "-")...)...)
			f, err := os.Open(r.tar)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			cmd.Stdin = f
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
			got := map[string]string{}
			list := run(t, ctr[0], append(ctr[1:len(ctr):len(ctr)], "images", "list")...)
			for _, line := range strings.Split(strings.TrimSpace(list), "\n")[1:] {
				columns := strings.Fields(line)
				// Before the name of an image without a registry there is that of the default
				// registry. --digests adds names that begin with import-.
				if _, rest, ok := strings.Cut(columns[0], r.name); ok {
					got[r.name+rest] = columns[2]
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
		})
	}
}
