// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// What GitLab (docs.gitlab.com/ci/secrets/id_token_authentication) and GitHub
// (docs.github.com, OpenID Connect reference) put into the tokens of jobs.
var (
	gitlabJob = map[string]any{
		"aud": "https://kubernetes.example.test", "sub": "project_path:acme/app:ref_type:branch:ref:feature",
		"namespace_id": "7", "namespace_path": "acme", "project_id": "42", "project_path": "acme/app",
		"user_id": "17", "user_login": "alice", "user_email": "alice@example.test", "pipeline_id": "1001",
		"pipeline_source": "merge_request_event", "job_id": "2002", "ref": "feature", "ref_type": "branch",
		"ref_path": "refs/heads/feature", "ref_protected": "false", "runner_environment": "self-hosted", "jti": "j",
	}
	githubJob = map[string]any{
		"aud": "https://kubernetes.example.test", "sub": "repo:acme@1234567/app@987:ref:refs/heads/main",
		"repository": "acme/app", "repository_id": "987", "repository_owner": "acme", "repository_owner_id": "1234567",
		"ref": "refs/heads/main", "ref_type": "branch", "ref_protected": "true", "event_name": "push", "run_id": "3003",
		"run_attempt": "1", "actor": "alice", "actor_id": "17", "workflow": "ci", "runner_environment": "github-hosted",
		"job_workflow_ref": "acme/app/.github/workflows/ci.yaml@refs/heads/main", "jti": "j",
	}
)

func with(claims, other map[string]any) map[string]any {
	out := maps.Clone(claims)
	maps.Copy(out, other)
	return out
}

// The example must make of a job the user and the groups that its comments promise, of a person
// another one, and refuse what they say it refuses. A job that is refused has to learn why from
// its own log: kube-apiserver tells only its administrator.
func TestExampleAuthentication(t *testing.T) {
	t.Parallel()
	gitlab, github := issuer(t), issuer(t)
	dir := t.TempDir()
	file, err := testenv.Authentication(dir, map[string]*testenv.Issuer{"https://gitlab.example.test": gitlab,
		"https://token.actions.githubusercontent.com": github})
	if err != nil {
		t.Fatal(err)
	}
	c, port := ownIn(t, filepath.Join(dir, "c"), "--authentication-config="+file)
	start(t, c, port, "broker-0")
	if out, err := c.Kubectl("admin", "create", "clusterrolebinding", "jobs", "--clusterrole=tenama:user",
		"--group=gitlab:jobs", "--group=github:jobs", "--group=gitlab:group:acme/platform"); err != nil {
		t.Fatal(out)
	}
	ca := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(ca, loadConfig(t, c.Kubeconfig("admin")).CAData, 0o600); err != nil {
		t.Fatal(err)
	}
	person := map[string]any{"aud": "0a1b2c-application-of-people", "sub": "17",
		"groups_direct": []string{"acme/platform"}}
	login := []string{"--server=" + c.Server, "--certificate-authority=" + ca}
	whoami := func(token string) (string, error) {
		out, err := c.Kubectl("admin", append(login, "auth", "whoami", "--kubeconfig=/dev/null", "--token="+token, "-o",
			"jsonpath={.status.userInfo.username} {.status.userInfo.groups}")...)
		out = strings.NewReplacer(`"system:authenticated"`, "", `"`, "", ",", " ").Replace(out)
		return strings.Replace(out, " ]", "]", 1), err
	}
	// kube-apiserver fetches the keys of the issuers when it has started; until then it accepts
	// no token, which would look like a refusal.
	for i, claims := range map[*testenv.Issuer]map[string]any{gitlab: gitlabJob, github: githubJob} {
		if err := testenv.Eventually(time.Minute, func() error {
			out, err := whoami(signed(t, i, claims))
			if err != nil {
				return fmt.Errorf("%s", out)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		issuer *testenv.Issuer
		claims map[string]any
		user   string // with its groups
		line   string // of the plugin, if it is refused
	}{
		"a merge request": {gitlab, gitlabJob, "gitlab:project:42 [gitlab:jobs]", ""},
		"a protected branch": {gitlab, with(gitlabJob, map[string]any{"ref_protected": "true", "ref": "main"}),
			"gitlab:project:42 [gitlab:jobs gitlab:project:42:protected]", ""},
		"a project in a subgroup": {gitlab, with(gitlabJob, map[string]any{"namespace_path": "acme/team",
			"project_id": "43"}), "gitlab:project:43 [gitlab:jobs]", ""},
		"a person":   {gitlab, person, "gitlab:user:17 [gitlab:group:acme/platform]", ""},
		"a workflow": {github, githubJob, "github:repository:987 [github:jobs github:repository:987:protected]", ""},
		"several audiences": {gitlab, with(gitlabJob, map[string]any{"aud": []string{"https://kubernetes.example.test",
			"https://vault.example.test"}}), "gitlab:project:42 [gitlab:jobs]", ""},
		"claims of other types": {gitlab, with(gitlabJob, map[string]any{"project_id": 42, "ref_protected": true}),
			"gitlab:project:42 [gitlab:jobs gitlab:project:42:protected]", ""},

		"a fork": {gitlab, with(gitlabJob, map[string]any{"namespace_path": "mallory", "project_path": "mallory/app",
			"project_id": "666"}), "", `audience "https://kubernetes.example.test", project "mallory/app", ref "feature"`},
		"a group whose name begins alike": {gitlab, with(gitlabJob, map[string]any{"namespace_path": "acme-evil",
			"project_path": "acme-evil/app"}), "", `project "acme-evil/app"`},
		"an expired token": {gitlab, with(gitlabJob, map[string]any{"exp": time.Now().Add(-3 * time.Minute).Unix()}), "",
			"it expired "},
		"another audience": {gitlab, with(gitlabJob, map[string]any{"aud": "https://vault.example.test"}), "",
			`audience "https://vault.example.test", project "acme/app"`},
		"a job as a person": {gitlab, with(gitlabJob, map[string]any{"aud": "0a1b2c-application-of-people"}), "",
			`audience "0a1b2c-application-of-people", project "acme/app"`},
		"a person as a job": {gitlab, with(person, map[string]any{"aud": "https://kubernetes.example.test"}), "",
			`audience "https://kubernetes.example.test", subject "17"`},
		"a person of another group": {gitlab, with(person, map[string]any{"groups_direct": []string{"acme-evil"}}), "",
			`audience "0a1b2c-application-of-people", subject "17"`},
		"a person without groups": {gitlab, with(person, map[string]any{"groups_direct": nil}), "", `subject "17"`},
		"a fork on GitHub": {github, with(githubJob, map[string]any{"repository": "mallory/app",
			"repository_owner_id": "666"}), "", `repository "mallory/app", ref "refs/heads/main", event "push"`},
		"pull_request_target": {github, with(githubJob, map[string]any{"event_name": "pull_request_target"}), "",
			`event "pull_request_target"`},
		"a workflow that outsiders start": {github, with(githubJob, map[string]any{"event_name": "workflow_run"}), "",
			`event "workflow_run"`},
		"another issuer": {issuer(t), gitlabJob, "", `it has issuer "https://127.0.0.1:`},
	} {
		t.Run(name, func(t *testing.T) {
			token := signed(t, row.issuer, row.claims)
			path := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
			sh := newShell(t, c, "alice")
			if row.line != "" {
				out, errs, code := sh.run(append(login, "list", "--token-file="+path)...)
				if code != 4 || out != "" || !strings.Contains(errs, "(Unauthorized): ") || !strings.Contains(errs, row.line) {
					t.Errorf("exit code %d, want 4 and %q:\n%s%s", code, row.line, out, errs)
				}
				return
			}
			if got, err := whoami(token); err != nil || got != row.user {
				t.Errorf("the user is %q, want %q: %v", got, row.user, err)
			}
			out, errs, code := sh.run(append(login, "create", unique("job"), "--ttl=1h", "--token-file="+path, "-o", "name")...)
			if code != 0 {
				t.Errorf("exit code %d: %s%s", code, out, errs)
			}
		})
	}
	path := filepath.Join(dir, "expired")
	token := signed(t, gitlab, with(gitlabJob, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}))
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, _ := newShell(t, c, "alice").run(append(login, "list", "-o", "json", "--token-file="+path)...)
	if !strings.Contains(errs, `"message": "the server does not accept the token (Unauthorized): it expired `) {
		t.Errorf("a program does not learn why: %s", errs)
	}
}

func signed(t *testing.T, i *testenv.Issuer, claims map[string]any) string {
	t.Helper()
	token, err := i.Token(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func issuer(t *testing.T) *testenv.Issuer {
	t.Helper()
	i, err := testenv.StartIssuer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Stop)
	return i
}
