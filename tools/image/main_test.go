// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// about are the annotations and labels of an image that built returns.
var about = map[string]string{
	"org.opencontainers.image.title":       "tenama-broker",
	"org.opencontainers.image.description": "The broker of tenama, which lends temporary Kubernetes namespaces",
	"org.opencontainers.image.version":     "v1.2.3",
	"org.opencontainers.image.source":      "https://tenama.dev",
	"org.opencontainers.image.licenses":    "Apache-2.0",
	"org.opencontainers.image.created":     "2023-11-14T22:13:20Z",
}

// built returns an image with both platforms and an SBOM.
func built(t *testing.T) *image {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	created, err := epoch()
	if err != nil {
		t.Fatal(err)
	}
	b := binaries(t)
	args := []string{"linux/amd64=" + b["amd64"], "linux/arm64=" + b["arm64"]}
	img, err := build("tenama-broker", "v1.2.3", created, args)
	if err != nil {
		t.Fatal(err)
	}
	if err := img.attach(document(t)); err != nil {
		t.Fatal(err)
	}
	return img
}

func digestOf(t *testing.T, epoch string, args ...string) v1.Hash {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", epoch)
	h, err := run(t.Context(), append([]string{"build", "-version", "v1.2.3"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// document returns the path of a small SPDX document.
func document(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sbom.json")
	if err := os.WriteFile(path, []byte(`{"spdxVersion":"SPDX-2.3"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// compiled are the programs that binaries returns.
var compiled map[string]string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "tenama-image-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if compiled, err = compile(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// binaries returns the paths of small static programs: for amd64, for arm64, and another
// one for amd64.
func binaries(t *testing.T) map[string]string {
	t.Helper()
	return compiled
}

func compile(ctx context.Context, dir string) (map[string]string, error) {
	out := map[string]string{}
	for name, arch := range map[string]string{"amd64": "amd64", "arm64": "arm64", "other": "amd64"} {
		source := filepath.Join(dir, name+".go")
		text := "package main\n\nfunc main() { println(\"" + name + "\") }\n"
		if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
			return nil, err
		}
		out[name] = filepath.Join(dir, name)
		cmd := exec.CommandContext(ctx, "go", "build", "-o", out[name], source)
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
		if b, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("compile a program for %s: %w: %s", arch, err, b)
		}
	}
	return out, nil
}
