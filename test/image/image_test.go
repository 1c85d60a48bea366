// SPDX-License-Identifier: Apache-2.0

// Package image tests the image in the release that `make dist` made, with programs that
// users load, copy and run it with: skopeo, oras, umoci, a registry and containerd.
package image

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// spdx is the media type of the SBOM.
const spdx = "application/spdx+json"

// release is what dist/ has of the image.
type release struct {
	version string
	tar     string // for nodes and container engines
	oci     string // for registries
	sbom    string
	name    string // without tag and digest
	digest  string
	arches  []string
}

// made reads the release that make has put into dist/.
func made(t *testing.T) release {
	t.Helper()
	dist := filepath.Join(root(t), "dist")
	b, err := os.ReadFile(filepath.Join(dist, "image.txt"))
	if err != nil {
		t.Fatalf("%v: run make image-test", err)
	}
	m := regexp.MustCompile(`^(\S+)@(sha256:[0-9a-f]{64})\n$`).FindStringSubmatch(string(b))
	if m == nil {
		t.Fatalf("image.txt has %q", b)
	}
	found, err := filepath.Glob(filepath.Join(dist, "tenama-broker_*.oci.tar"))
	if err != nil || len(found) != 1 {
		t.Fatalf("archives for registries: %v, %v", found, err)
	}
	base := strings.TrimSuffix(found[0], ".oci.tar")
	r := release{
		version: strings.TrimPrefix(filepath.Base(base), "tenama-broker_"), name: m[1], digest: m[2],
		tar: base + ".tar", oci: found[0], sbom: base + ".spdx.json",
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if strings.Contains(run(t, "skopeo", "inspect", "--raw", "oci-archive:"+r.oci+":"+r.version), `"`+arch+`"`) {
			r.arches = append(r.arches, arch)
		}
	}
	if len(r.arches) == 0 {
		t.Fatalf("%s is for no architecture", r.oci)
	}
	return r
}

// Without this test, the programs that administrators copy images with could refuse the
// archives, or change the digest, by which the release's manifests name the image.
func TestCopy(t *testing.T) {
	r, registry := made(t), newRegistry(t)
	for from, to := range map[string]string{
		"oci-archive:" + r.oci + ":" + r.version: registry + "/from-oci:" + r.version,
		"oci-archive:" + r.tar + ":" + r.version: registry + "/from-tar:" + r.version,
	} {
		run(t, "skopeo", "--insecure-policy", "copy", "-q", "--all", "--dest-tls-verify=false", from, "docker://"+to)
		if got := digestIn(t, to); got != r.digest {
			t.Errorf("copied from %s: the digest is %s, want %s", from, got, r.digest)
		}
	}
	for _, arch := range r.arches {
		from := "docker-archive:" + r.tar + ":" + r.dockerName(arch)
		got := run(t, "skopeo", "inspect", "--format", "{{.Os}}/{{.Architecture}} {{len .Layers}}", from)
		if want := "linux/" + arch + " 1\n"; got != want {
			t.Errorf("%s: got %q, want %q", from, got, want)
		}
	}
}

// Without this test, a release could push another image than the one it tested, or no
// SBOM. The registry is older than referrers, as many are.
func TestPush(t *testing.T) {
	r, registry := made(t), newRegistry(t)
	to := registry + "/tenama-broker:" + r.version
	if got := run(t, tool(t, "image"), "push", r.oci, to); got != r.digest+"\n" {
		t.Errorf("pushed %q, want %s", got, r.digest)
	}
	if got := digestIn(t, to); got != r.digest {
		t.Errorf("the registry has %s, want %s", got, r.digest)
	}
	list := registry + "/tenama-broker:" + strings.Replace(r.digest, ":", "-", 1)
	var referrers struct {
		Manifests []struct{ Digest, ArtifactType string }
	}
	raw(t, list, &referrers)
	if len(referrers.Manifests) != 1 || referrers.Manifests[0].ArtifactType != spdx {
		t.Fatalf("referrers: %+v", referrers)
	}
	at := registry + "/tenama-broker@" + referrers.Manifests[0].Digest
	var manifest struct {
		Subject struct{ Digest string }
		Layers  []struct{ Digest string }
	}
	raw(t, at, &manifest)
	if manifest.Subject.Digest != r.digest || len(manifest.Layers) != 1 {
		t.Fatalf("the SBOM is of %q: %+v", manifest.Subject.Digest, manifest)
	}
	if got, want := manifest.Layers[0].Digest, "sha256:"+sum(t, r.sbom); got != want {
		t.Errorf("the attached SBOM is %s, that in dist/ %s", got, want)
	}
}

// Without this test, the SBOM could stay behind when an administrator mirrors the image
// into a registry that no release is pushed to.
func TestMirror(t *testing.T) {
	r, registry := made(t), newRegistry(t)
	from, to := r.oci+":"+r.version, registry+"/mirror:"+r.version
	for what, flags := range map[string][]string{
		"in the archive":  {"--oci-layout", from},
		"in the registry": {"--plain-http", to},
	} {
		if what == "in the registry" {
			run(t, tool(t, "oras"), "cp", "--recursive", "--from-oci-layout", from, "--to-plain-http", to)
		}
		out := run(t, tool(t, "oras"), append([]string{"discover", "--format=json"}, flags...)...)
		var found struct {
			Digest    string
			Referrers []struct{ Digest, ArtifactType string }
		}
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if found.Digest != r.digest || len(found.Referrers) != 1 || found.Referrers[0].ArtifactType != spdx {
			t.Errorf("%s: %s", what, out)
		}
	}
}

// Without this test, the pods could fail to start: nothing else in the release runs the
// broker from its image.
func TestUnpack(t *testing.T) {
	r := made(t)
	for _, arch := range r.arches {
		dir := t.TempDir()
		layout := "oci:" + filepath.Join(dir, "layout") + ":" + r.version
		run(t, "skopeo", "--insecure-policy", "copy", "-q", "--override-arch", arch,
			"oci-archive:"+r.oci+":"+r.version, layout)
		run(t, "umoci", "unpack", "--rootless", "--image", strings.TrimPrefix(layout, "oci:"), filepath.Join(dir, "bundle"))
		files, err := filepath.Glob(filepath.Join(dir, "bundle", "rootfs", "*"))
		if err != nil || len(files) != 1 || filepath.Base(files[0]) != "tenama-broker" {
			t.Fatalf("%s: the image has %v, %v", arch, files, err)
		}
		info, err := os.Stat(files[0])
		if err != nil || info.Mode() != 0o755 {
			t.Fatalf("%s: the mode is %v, %v", arch, info.Mode(), err)
		}
		config := read(t, filepath.Join(dir, "bundle", "config.json"))
		for _, want := range []string{`"uid": 65532`, `"gid": 65532`, `"/tenama-broker"`} {
			if !strings.Contains(config, want) {
				t.Errorf("%s: the runtime's configuration has no %s:\n%s", arch, want, config)
			}
		}
		if sum := sum(t, files[0]); !strings.Contains(read(t, r.sbom), sum) {
			t.Errorf("%s: the SBOM does not describe the binary %s", arch, sum)
		}
		if arch != runtime.GOARCH {
			continue
		}
		// As in the image, there is no other file: no shared library, no /etc.
		args := append(asRoot(), "chroot", "--userspec=65532:65532", filepath.Join(dir, "bundle", "rootfs"), "/tenama-broker",
			"--version")
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if got := run(t, args[0], args[1:]...); got != r.version+"\n" {
			t.Errorf("tenama-broker --version: got %q, want %s", got, r.version)
		}
	}
}

// Without this test, an archive could contain the time and the user of the build, which
// a second build would not give.
func TestArchiveHeaders(t *testing.T) {
	r := made(t)
	for _, path := range []string{r.tar, r.oci} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		headers := map[string]bool{}
		for a := tar.NewReader(f); ; {
			h, err := a.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			headers[fmt.Sprintf("%s %d:%d:%s%s %s", h.FileInfo().Mode(), h.Uid, h.Gid, h.Uname, h.Gname, h.ModTime.UTC())] = true
		}
		created := strings.TrimSpace(run(t, "skopeo", "inspect", "--override-arch", r.arches[0], "--format", "{{.Created}}",
			"oci-archive:"+r.oci+":"+r.version))
		if diff := cmp.Diff(map[string]bool{"-rw-r--r-- 0:0: " + created: true}, headers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filepath.Base(path), diff)
		}
	}
}

// dockerName returns the name of the image for an architecture in manifest.json.
func (r release) dockerName(arch string) string {
	if len(r.arches) == 1 {
		return r.name + ":" + r.version
	}
	return r.name + ":" + r.version + "-" + arch
}

// run runs a program and returns what it prints on stdout.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.String())
	}
	return string(out)
}
