// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// The broker is updated before the plugins of its users are: the plugin of the commit
// before must work with this broker, for what people do every day.
func TestPreviousPlugin(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/previous", previous(t, "kubectl-tenama"))
}

// The policies are updated before the brokers are, and a broker may not come up: the
// broker of the commit before must work with the new rights and policies, not become
// read-only.
func TestPreviousBroker(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	c.Broker = previous(t, "broker")
	start(t, c, port, "broker-0")
	alice := as(t, c.Config("alice"))
	if _, err := alice.Create(ctx, tns("tmp-before", time.Hour), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := complete(ctx, c.Client("admin"), "tmp-before", "alice"); err != nil {
		t.Error(err)
	}
	later := func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time { return now.Add(90 * time.Minute) }
	if _, _, err := alice.Extend(ctx, "tmp-before", later, "", metav1.PatchOptions{}); err != nil {
		t.Error(err)
	}
	// It may expire while it is created.
	if _, err := alice.Create(ctx, tns("tmp-expires", 5*time.Second), metav1.CreateOptions{}); err != nil &&
		!apierrors.IsConflict(err) {
		t.Fatal(err)
	}
	if err := testenv.Eventually(time.Minute, func() error {
		_, err := c.Client("admin").CoreV1().Namespaces().Get(ctx, "tmp-expires", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("it has not expired: %v", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// previous builds a program of the commit before HEAD, with the flags of the others, and
// returns its path. A checkout without history has none; there HEAD is built.
func previous(t *testing.T, program string) string {
	t.Helper()
	revision := "HEAD~1"
	parse := exec.CommandContext(t.Context(), "git", "-C", testenv.Root(), "rev-parse", "--verify", "--quiet", revision)
	if err := parse.Run(); err != nil {
		t.Log("the checkout has no commit before HEAD")
		revision = "HEAD"
	}
	source, bin := t.TempDir(), t.TempDir()
	archive := exec.CommandContext(t.Context(), "git", "-C", testenv.Root(), "archive", revision,
		"--", "go.mod", "go.sum", "api", "cmd", "deploy", "internal", "pkg")
	var complaint bytes.Buffer
	archive.Stderr = &complaint
	files, err := archive.Output()
	if err != nil {
		t.Fatalf("git archive %s: %v: %s", revision, err, complaint.String())
	}
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", source)
	unpack.Stdin = bytes.NewReader(files)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("unpack: %v: %s", err, out)
	}
	path := filepath.Join(bin, program)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/"+program)
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s of %s: %v: %s", program, revision, err, strings.TrimSpace(string(out)))
	}
	return path
}
