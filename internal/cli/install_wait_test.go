// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"tenama.dev/tenama/internal/install"
)

// An installation that ends at its timeout because nodes cannot pull the image must say what
// helps with that, and end with the code of a timeout.
func TestExplainWait(t *testing.T) {
	pod := &install.PodError{Pod: "broker-1", Reason: "ImagePullBackOff"}
	target := &installTarget{}
	target.options.Namespace = "lending"
	for name, c := range map[string]struct {
		err  error
		code int
		hint string
	}{
		"an image, at once":        {pod, exitError, "--registry for a mirror"},
		"an image, at the timeout": {&install.WaitError{For: "pods", Pod: pod}, exitTimeout, "--registry for a mirror"},
		"another pod, at the timeout": {
			&install.WaitError{For: "pods", Pod: &install.PodError{Pod: "broker-1", Reason: "Pending"}},
			exitTimeout, "kubectl -n lending describe pod broker-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, code := explain(c.err)
			err := (&installOptions{}).explainWait(t.Context(), target, c.err)
			if own, ok := err.(*failure); ok && own.code != exitError {
				code = own.code
			}
			if hint := hintOf(err, ""); code != c.code || !strings.Contains(hint, c.hint) {
				t.Errorf("got code %d, hint %q", code, hint)
			}
		})
	}
}
