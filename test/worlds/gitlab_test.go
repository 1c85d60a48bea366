// SPDX-License-Identifier: Apache-2.0

package worlds

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/test/testenv"
)

// gitlab is a GitLab with the components and one project, for which gitlab-ci-local runs
// pipelines.
type gitlab struct {
	*forge
	project string
	home    string
	// claims are those of the ID tokens of the project's jobs.
	claims map[string]any
}

// newGitLab publishes integrations/gitlab as platform/tenama, and an example as acme/NAME. Its
// jobs have the CI/CD variables, which can be limited to an environment.
func newGitLab(t *testing.T, name string, id int, variables map[string]any) *gitlab {
	t.Helper()
	out, err := exec.Command(testenv.Bin("tools/gitlab-ci-local"), "--version").Output()
	if err != nil {
		t.Fatalf("gitlab-ci-local (make worlds builds it): %v", err)
	}
	fmt.Printf("gitlab-ci-local %s\n", bytes.TrimSpace(out))
	g := &gitlab{forge: startForge(t), project: "acme/" + name, home: t.TempDir(), claims: map[string]any{
		"aud": "https://kubernetes.example.test", "namespace_path": "acme", "project_path": "acme/" + name,
		"project_id": fmt.Sprint(id), "ref": "feature", "ref_type": "branch", "ref_protected": "false",
	}}
	g.publish(t, "platform/tenama", os.DirFS(filepath.Join(testenv.Root(), "integrations", "gitlab")), "1.0.0")
	g.publish(t, g.project, os.DirFS(filepath.Join(testenv.Root(), "examples", "gitlab", name)), "start")
	all := map[string]any{
		"K8S_SERVER": shared.Server,
		"K8S_CA":     map[string]any{"type": "file", "values": map[string]string{"*": shared.ca}},
	}
	maps.Copy(all, variables)
	b, err := yaml.Marshal(map[string]any{"global": all})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(g.home, ".gitlab-ci-local", "variables.yml")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, b, 0o600)); err != nil {
		t.Fatal(err)
	}
	return g
}

// command is gitlab-ci-local in a checkout, as a runner with the predefined variables.
func (g *gitlab) command(t *testing.T, checkout string, predefined []string, args ...string) *exec.Cmd {
	t.Helper()
	token, err := shared.gitlab.Token(g.claims)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"--force-shell-executor", "--no-color",
		"--variable", "TENAMA_ID_TOKEN=" + token, "--variable", "CI_PROJECT_ID=" + g.claims["project_id"].(string)}
	for _, v := range predefined {
		all = append(all, "--variable", v)
	}
	cmd := exec.CommandContext(t.Context(), testenv.Bin("tools/gitlab-ci-local"), append(all, args...)...)
	cmd.Dir = checkout
	cmd.Env = append(gitEnv(), "PATH="+testenv.Bin("")+":"+os.Getenv("PATH"), "HOME="+g.home, "TMPDIR="+g.home)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// run runs a pipeline, or the named jobs, which must succeed, and returns its output.
func (g *gitlab) run(t *testing.T, checkout string, predefined []string, args ...string) string {
	t.Helper()
	out, err := g.command(t, checkout, predefined, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("gitlab-ci-local %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func mergeRequest(iid string) []string {
	return []string{"CI_MERGE_REQUEST_IID=" + iid, "CI_PIPELINE_SOURCE=merge_request_event"}
}

// A merge request has a namespace of its own from its first pipeline until it is closed, and no
// artifact gives a credential away.
func TestGitLabReview(t *testing.T) {
	t.Parallel()
	g := newGitLab(t, "review", 42, nil)
	checkout := g.checkout(t, g.project)

	out := g.run(t, checkout, mergeRequest("7"))
	for _, want := range []string{"PASS  review", "PASS  e2e", "Testing in tmp-mr-42-7"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output has no %q:\n%s", want, out)
		}
	}
	got := admin(t, "get", "tns", "tmp-mr-42-7", "-o", "jsonpath={.status.owner} {.metadata.labels.gitlab/mr}")
	if got != "gitlab:project:42 7" {
		t.Errorf("owner and label are %q", got)
	}
	artifacts(t, checkout, 1)
	g.nothingLeft(t)
	first := admin(t, "get", "ns", "tmp-mr-42-7", "-o", "jsonpath={.metadata.uid}")

	if out := g.run(t, checkout, mergeRequest("7")); !strings.Contains(out, "PASS  e2e") {
		t.Errorf("the second pipeline:\n%s", out)
	}
	if again := admin(t, "get", "ns", "tmp-mr-42-7", "-o", "jsonpath={.metadata.uid}"); again != first {
		t.Error("the second pipeline did not keep the namespace")
	}

	t.Run("two merge requests at once", func(t *testing.T) {
		errs := make(chan error)
		for _, iid := range []string{"8", "9"} {
			cmd := g.command(t, g.checkout(t, g.project), mergeRequest(iid))
			go func() {
				out, err := cmd.CombinedOutput()
				if err == nil && !strings.Contains(string(out), "Testing in tmp-mr-42-"+iid) {
					err = errors.New("another namespace")
				}
				if err != nil {
					err = fmt.Errorf("merge request %s: %w\n%s", iid, err, out)
				}
				errs <- err
			}()
		}
		for range 2 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})

	t.Run("a job is cancelled", func(t *testing.T) {
		checkout := g.checkout(t, g.project)
		edit(t, filepath.Join(checkout, ".gitlab-ci.yml"), "kubectl apply -k overlays/review", "sleep 300")
		cmd := g.command(t, checkout, mergeRequest("10"), "review")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := testenv.Eventually(2*time.Minute, func() error {
			_, err := shared.Kubectl("admin", "get", "tns", "tmp-mr-42-10")
			return err
		}); err != nil {
			t.Fatal("the job creates no namespace")
		}
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		g.nothingLeft(t)
		if got := admin(t, "get", "tns", "tmp-mr-42-10", "-o", "jsonpath={.status.expirationTimestamp}"); got == "" {
			t.Error("what the cancelled job left has no end")
		}
		g.run(t, g.checkout(t, g.project), mergeRequest("10"))
		g.run(t, checkout, mergeRequest("10"), "review:stop")
		gone(t, "tmp-mr-42-10")
	})

	t.Run("a class with another prefix", func(t *testing.T) {
		checkout := g.checkout(t, g.project)
		edit(t, filepath.Join(checkout, ".gitlab-ci.yml"), "inputs:", "inputs:\n    class: freemium")
		if out := g.run(t, checkout, mergeRequest("11")); !strings.Contains(out, "Testing in cust-mr-42-11") {
			t.Errorf("the tests are not in the namespace:\n%s", out)
		}
		g.run(t, checkout, mergeRequest("11"), "review:stop")
		gone(t, "cust-mr-42-11")
	})

	t.Run("stop", func(t *testing.T) {
		if err := os.RemoveAll(filepath.Join(checkout, "overlays")); err != nil { // GIT_STRATEGY is none
			t.Fatal(err)
		}
		g.run(t, checkout, mergeRequest("7"), "review:stop")
		gone(t, "tmp-mr-42-7")
		g.run(t, checkout, mergeRequest("7"), "review:stop")
	})

	t.Run("another project", func(t *testing.T) {
		mallory := *g
		mallory.claims = maps.Clone(g.claims)
		mallory.claims["project_id"] = "666"
		// Its pipeline names the namespace of the first project.
		out, err := mallory.command(t, g.checkout(t, g.project), append(mergeRequest("8"), "CI_PROJECT_ID=42"),
			"review").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "belongs to another owner") {
			t.Errorf("%v\n%s", err, out)
		}
		mallory.run(t, checkout, append(mergeRequest("8"), "CI_PROJECT_ID=42"), "review:stop")
		if got := admin(t, "get", "ns", "tmp-mr-42-8", "-o", "jsonpath={.status.phase}"); got != "Active" {
			t.Errorf("another project's namespace is %s", got)
		}
	})
}

// nothingLeft fails the test if a job that has ended left files, which have its credentials.
func (g *gitlab) nothingLeft(t *testing.T) {
	t.Helper()
	if err := testenv.Eventually(time.Minute, func() error {
		if left, _ := filepath.Glob(filepath.Join(g.home, "tmp.*")); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	}); err != nil {
		t.Errorf("the jobs left %v", err)
	}
}

// gitlab-ci-local accepts what GitLab does not: inputs in the defaults of inputs, and in !reference
// (gitlab-org/gitlab#424481).
func TestGitLabTemplates(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(filepath.Join(testenv.Root(), "integrations", "gitlab", "templates", "*", "template.yml"))
	if len(files) != 3 {
		t.Errorf("the templates are %v", files)
	}
	for _, file := range files {
		inputs, jobs, found := strings.Cut(read(t, file), "\n---\n")
		if !found || strings.Contains(inputs, "$[[") || strings.Contains(jobs, "!reference") {
			t.Errorf("%s is not a template that GitLab accepts", file)
		}
	}
}

// artifacts fails the test if a file that GitLab would keep has a credential, or if there are
// not as many as expected.
func artifacts(t *testing.T, checkout string, want int) {
	t.Helper()
	secret := regexp.MustCompile(`eyJ[\w-]{20,}|PRIVATE KEY|(?i)token`)
	n := 0
	root := filepath.Join(checkout, ".gitlab-ci-local", "artifacts")
	if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		if found := secret.FindString(read(t, path)); found != "" {
			t.Errorf("the artifact %s contains %q", path, found)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != want {
		t.Errorf("%d artifacts, want %d", n, want)
	}
}

// gone waits until a namespace does not exist.
func gone(t *testing.T, name string) {
	t.Helper()
	if err := testenv.Eventually(5*time.Minute, func() error {
		if out, err := shared.Kubectl("admin", "get", "ns", name); err == nil {
			return errors.New(out)
		}
		return nil
	}); err != nil {
		t.Errorf("namespace %s still exists: %v", name, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
