// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// TestExitCode verifies that the exit code of run is that of its command, as in a shell:
// pipelines decide by it.
func TestExitCode(t *testing.T) {
	for script, want := range map[string]int{"true": 0, "exit 7": 7, "kill -KILL $$": 137, "kill -TERM $$": 143} {
		if got, err := exitCode(exec.Command("/bin/sh", "-c", script).Run()); got != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", script, got, err, want)
		}
	}
	lost := errors.New("wait: no child processes")
	if _, err := exitCode(lost); !errors.Is(err, lost) {
		t.Errorf("got error %v, want that of the system", err)
	}
}

// TestEnviron verifies that no variable leads the command to another cluster, or shows
// the namespace of an outer run, and that all others stay.
func TestEnviron(t *testing.T) {
	for _, name := range []string{"KUBECONFIG", "HELM_KUBECONTEXT", "KUBERNETES_SERVICE_HOST", "TENAMA_NAMESPACE"} {
		t.Setenv(name, "outer")
	}
	t.Setenv("MY_KUBECONFIG", "kept")
	f := newFactory(genericiooptions.NewTestIOStreamsDiscard())
	*f.flags.APIServer = "https://cluster.test"
	h := &leaseHolder{
		runOptions: &runOptions{createRequest: &createRequest{factory: f}},
		tn:         expiring(time.Date(2026, 11, 27, 18, 30, 0, 0, time.UTC)),
		file:       "/run/config",
	}
	env := h.environ()
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasSuffix(v, "=outer") }) {
		t.Errorf("a variable of another cluster is left: %q", env)
	}
	for _, want := range []string{
		"KUBECONFIG=/run/config", "TENAMA_RUN=tmp-a", "TENAMA_NAMESPACE=tmp-a", "TENAMA_CONTEXT=tenama-tmp-a",
		"TENAMA_SERVER=https://cluster.test", "TENAMA_EXPIRES_AT=2026-11-27T18:30:00Z", "MY_KUBECONFIG=kept",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing in %q", want, env)
		}
	}
}
