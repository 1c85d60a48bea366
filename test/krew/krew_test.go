// SPDX-License-Identifier: Apache-2.0

// Package krew tests the release that `make dist` made, with the real krew and the real
// kubectl, without access to the network.
package krew

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Without this test, krew's index could refuse the manifest, or the installation could
// fail on a platform: the validator installs each of them.
func TestManifestIsValid(t *testing.T) {
	r, u := made(t), newUser(t)
	out := u.run(t, "validate-krew-manifest", "-manifest", u.write(t, "tenama.yaml", r.serve(t)))
	if !strings.Contains(out, "spec.platforms installed fine") {
		t.Errorf("the validator installed nothing:\n%s", out)
	}
}

// Without this test, users could get the binary of another platform or version, or
// unexpected files in krew's directory.
func TestInstall(t *testing.T) {
	r := made(t)
	for _, p := range r.platforms {
		t.Run(p.String(), func(t *testing.T) {
			u := newUser(t, "KREW_OS="+p.os(), "KREW_ARCH="+p.arch())
			u.run(t, "kubectl", "krew", "install", "--manifest="+filepath.Join(r.dir, "krew.yaml"),
				"--archive="+filepath.Join(r.dir, p.file()))
			store := u.krew("store", "tenama", r.version)
			if diff := cmp.Diff([]string{"LICENSE", p.Bin}, files(t, store)); diff != "" {
				t.Errorf("installed (-want +got):\n%s", diff)
			}
			binary := filepath.Join(store, p.Bin)
			info, err := buildinfo.ReadFile(binary)
			if err != nil {
				t.Fatal(err)
			}
			settings := map[string]string{}
			for _, s := range info.Settings {
				settings[s.Key] = s.Value
			}
			if settings["GOOS"] != p.os() || settings["GOARCH"] != p.arch() || settings["CGO_ENABLED"] != "0" {
				t.Errorf("the binary is for %s/%s, cgo %s", settings["GOOS"], settings["GOARCH"], settings["CGO_ENABLED"])
			}
			b, err := os.ReadFile(binary)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(b), r.version) {
				t.Errorf("the binary does not contain the version %s", r.version)
			}
			if !p.isHost() {
				return
			}
			if got, want := u.run(t, "kubectl", "tenama", "version", "--client"),
				"Client Version: "+r.version+"\n"; got != want {
				t.Errorf("kubectl tenama version --client: got %q, want %q", got, want)
			}
			// Those who install with the plugin and those who use the file get the same.
			for file, args := range map[string][]string{
				"tenama.yaml": {"--export"}, "tenama-classes.yaml": {"--export=classes"},
			} {
				want, err := os.ReadFile(filepath.Join(r.dir, file))
				if err != nil {
					t.Fatal(err)
				}
				if got := u.run(t, "kubectl", append([]string{"tenama", "install"}, args...)...); got != string(want) {
					t.Errorf("kubectl tenama install %s does not print %s", args[0], file)
				}
				if file == "tenama.yaml" && !strings.Contains(string(want), "image: "+r.image+"\n") {
					t.Errorf("%s does not have the image %s", file, r.image)
				}
			}
		})
	}
}

// Without this test, users could be unable to upgrade, or to uninstall. The index is a
// git repository, like a custom index of krew.
func TestUpgrade(t *testing.T) {
	first := made(t)
	second := build(t, "v999.0.0", "1700000000", []string{"-only", "host"})
	u := newUser(t)
	commit := func(manifest string) {
		u.write(t, "index/plugins/tenama.yaml", manifest)
		u.run(t, "git", "-C", "index", "add", ".")
		u.run(t, "git", "-C", "index", "-c", "user.name=test", "-c", "user.email=test@example.test", "commit", "-q", "-m",
			"tenama")
	}
	runs := func(r release) {
		t.Helper()
		if got, want := u.run(t, "kubectl", "tenama", "version", "--client"), "Client Version: "+r.version+"\n"; got != want {
			t.Errorf("kubectl tenama version --client: got %q, want %q", got, want)
		}
	}
	u.run(t, "git", "init", "-q", "-b", "main", "index")
	commit(first.serve(t))
	u.run(t, "kubectl", "krew", "index", "add", "local", filepath.Join(u.dir, "index"))
	u.run(t, "kubectl", "krew", "install", "local/tenama")
	runs(first)

	commit(second.serve(t))
	u.run(t, "kubectl", "krew", "upgrade", "tenama")
	runs(second)
	if out := u.run(t, "kubectl", "krew", "list"); !strings.Contains(out, "tenama") {
		t.Errorf("krew list does not contain it: %s", out)
	}

	u.run(t, "kubectl", "krew", "uninstall", "tenama")
	if out, err := u.try("kubectl", "tenama", "version", "--client"); err == nil {
		t.Errorf("the plugin still runs: %s", out)
	}
	for _, dir := range []string{
		u.krew("bin"), u.krew("store"), u.krew("receipts"), filepath.Join(u.dir, "home"), filepath.Join(u.dir, "tmp"),
	} {
		if left := files(t, dir); len(left) != 0 {
			t.Errorf("remaining in %s: %v", dir, left)
		}
	}
}

// Without this test, krew could install a download that was tampered with or damaged.
func TestTamperedArchive(t *testing.T) {
	r, u := made(t), newUser(t)
	sha := r.host(t).SHA256
	wrong := strings.Replace(r.manifest, sha, strings.Repeat("0", len(sha)), 1)
	out, err := u.try("kubectl", "krew", "install", "--manifest="+u.write(t, "tenama.yaml", wrong),
		"--archive="+filepath.Join(r.dir, r.host(t).file()))
	if err == nil || !strings.Contains(out, "checksum") {
		t.Errorf("got %v, want a checksum error:\n%s", err, out)
	}
}
