// SPDX-License-Identifier: Apache-2.0

package krew

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// release is the content of a dist/ directory.
type release struct {
	dir       string
	manifest  string
	version   string
	image     string // the name of the image and its digest
	platforms []platform
}

type platform struct {
	Selector struct {
		MatchLabels struct{ OS, Arch string } `yaml:"matchLabels"`
	}
	URI    string
	SHA256 string
	Bin    string
}

func (p platform) os() string     { return p.Selector.MatchLabels.OS }
func (p platform) arch() string   { return p.Selector.MatchLabels.Arch }
func (p platform) String() string { return p.os() + "-" + p.arch() }
func (p platform) file() string   { return path.Base(p.URI) }
func (p platform) isHost() bool   { return p.os() == runtime.GOOS && p.arch() == runtime.GOARCH }

// made reads the release that make has put into dist/.
func made(t *testing.T) release {
	t.Helper()
	return read(t, filepath.Join(root(t), "dist"))
}

func read(t *testing.T, dir string) release {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "krew.yaml"))
	if err != nil {
		t.Fatalf("%v: run make krew", err)
	}
	var m struct {
		Spec struct {
			Version   string
			Platforms []platform
		}
	}
	if err := yaml.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Spec.Platforms) == 0 {
		t.Fatalf("%s/krew.yaml has no platforms", dir)
	}
	image, err := os.ReadFile(filepath.Join(dir, "image.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return release{
		dir: dir, manifest: string(b), version: m.Spec.Version, platforms: m.Spec.Platforms,
		image: strings.TrimSpace(string(image)),
	}
}

func (r release) host(t *testing.T) platform {
	t.Helper()
	for _, p := range r.platforms {
		if p.isHost() {
			return p
		}
	}
	t.Fatalf("%s has nothing for %s/%s", r.dir, runtime.GOOS, runtime.GOARCH)
	return platform{}
}

// serve serves dist/ on this machine only, and returns the manifest with the URLs of
// the archives there; everything else is as it will be published.
func (r release) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.FileServer(http.Dir(r.dir)))
	t.Cleanup(s.Close)
	m := r.manifest
	for _, p := range r.platforms {
		m = strings.Replace(m, p.URI, s.URL+"/"+p.file(), 1)
	}
	return m
}

// build makes another release in a separate directory that has the sources and no git.
// args are further arguments of hack/dist.
func build(t *testing.T, version, epoch string, args []string, env ...string) release {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "elsewhere")
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root(t)
	files, err := list.Output()
	if err != nil {
		t.Fatalf("list the sources: %v", err)
	}
	for _, f := range strings.Split(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join(root(t), f))
		if os.IsNotExist(err) { // deleted, and not committed yet
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(f)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tool := filepath.Join(t.TempDir(), "dist")
	compile := exec.Command("go", "build", "-o", tool, "./hack/dist")
	compile.Dir = root(t)
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("build hack/dist: %v\n%s", err, out)
	}
	cmd := exec.Command("sh", "-c", `umask 077; exec "$0" "$@"`, tool, "-version", version)
	cmd.Args = append(cmd.Args, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+epoch)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", version, err, out)
	}
	return read(t, filepath.Join(dir, "dist"))
}

func sum(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
