// SPDX-License-Identifier: Apache-2.0

// Package worlds tests examples/ and integrations/ with the programs for which they are made,
// each in the version that its test prints. None of these programs is part of tenama.
package worlds

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tenama.dev/tenama/test/testenv"
)

// shared is a control plane with tenama, to which jobs of GitLab and GitHub log in by
// examples/pipelines/authentication.yaml.
var shared struct {
	*testenv.Cluster
	gitlab, github *testenv.Issuer
	ca             string // PEM
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "tenama-worlds-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if shared.gitlab, err = testenv.StartIssuer(); err != nil {
		return 1, err
	}
	defer shared.gitlab.Stop()
	if shared.github, err = testenv.StartIssuer(); err != nil {
		return 1, err
	}
	defer shared.github.Stop()
	file, err := testenv.Authentication(dir, map[string]*testenv.Issuer{"https://gitlab.example.test": shared.gitlab,
		"https://token.actions.githubusercontent.com": shared.github})
	if err != nil {
		return 1, err
	}
	ctx := context.Background()
	if shared.Cluster, err = testenv.StartCluster(ctx, filepath.Join(dir, "c"),
		"--authentication-config="+file); err != nil {
		return 1, err
	}
	defer shared.Stop()
	config, err := testenv.LoadConfig(shared.Kubeconfig("admin"))
	if err != nil {
		return 1, err
	}
	shared.ca = string(config.CAData)
	port, err := shared.Install(ctx)
	if err != nil {
		return 1, err
	}
	flags, err := shared.InstallWith(filepath.Join(dir, "installation"), "")
	if err != nil {
		return 1, err
	}
	broker, err := shared.StartBroker(ctx, port, "broker-0", flags...)
	if err != nil {
		return 1, err
	}
	defer broker.Kill() // unless it has ended
	for _, args := range [][]string{
		{"create", "clusterrolebinding", "tenama-jobs", "--clusterrole=tenama:user", "--group=gitlab:jobs",
			"--group=github:jobs"},
		{"apply", "-k", filepath.Join(testenv.Root(), "examples", "tiers")},
		{"wait", "--for=condition=Ready", "--timeout=2m", "namespaceclass", "--all"},
	} {
		if out, err := shared.Kubectl("admin", args...); err != nil {
			return 1, fmt.Errorf("kubectl %v: %s", args, out)
		}
	}
	// gitlab-ci-local leaves variables of the type File there, whatever TMPDIR says.
	const left = "/tmp/gitlab-ci-local-file-variables-*"
	before, _ := filepath.Glob(left)
	code := m.Run()
	after, _ := filepath.Glob(left)
	for _, dir := range after {
		if !slices.Contains(before, dir) {
			_ = os.RemoveAll(dir)
		}
	}
	if code != 0 {
		b, _ := os.ReadFile(broker.Log)
		fmt.Printf("the broker's log:\n%s\n", b[max(0, len(b)-8000):])
	}
	return code, broker.Stop()
}

// admin runs kubectl as an administrator.
func admin(t *testing.T, args ...string) string {
	t.Helper()
	out, err := shared.Kubectl("admin", args...)
	if err != nil {
		t.Fatalf("kubectl %v: %s", args, out)
	}
	return out
}
