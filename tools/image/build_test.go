// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Without this test, the pods could run as root or not start, or the labels could be
// those of another release.
func TestConfig(t *testing.T) {
	img := built(t)
	index, err := img.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(about, index.Annotations); diff != "" {
		t.Errorf("annotations of the index (-want +got):\n%s", diff)
	}
	var platforms []string
	for _, desc := range index.Manifests {
		platforms = append(platforms, desc.Platform.String())
		if desc.ArtifactType != "" {
			t.Errorf("%s is an artifact of the type %s", desc.Platform, desc.ArtifactType)
		}
		child, err := img.index.Image(desc.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := child.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		want := v1.Config{
			User: "65532:65532", Entrypoint: []string{"/tenama-broker"}, WorkingDir: "/", Labels: about,
		}
		if diff := cmp.Diff(want, config.Config); diff != "" {
			t.Errorf("%s (-want +got):\n%s", desc.Platform, diff)
		}
		if config.OS+"/"+config.Architecture != desc.Platform.String() || config.Created.Unix() != 1700000000 {
			t.Errorf("%s has the configuration of %s/%s, %s", desc.Platform, config.OS, config.Architecture, config.Created)
		}
		manifest, err := child.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(about, manifest.Annotations); diff != "" {
			t.Errorf("annotations of %s (-want +got):\n%s", desc.Platform, diff)
		}
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
}

// Without this test, the image could contain more than the broker, or reveal the user
// and the time of the build.
func TestLayer(t *testing.T) {
	img := built(t)
	for _, p := range img.platforms {
		layers, err := p.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%s: %d layers, %v", p.arch, len(layers), err)
		}
		r, err := layers[0].Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var files []string
		for archive := tar.NewReader(r); ; {
			h, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			files = append(files, fmt.Sprintf("%s %s %d:%d%s%s %d", h.Name, h.FileInfo().Mode(), h.Uid, h.Gid, h.Uname, h.Gname,
				h.ModTime.Unix()))
			b, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			if want, err := os.ReadFile(binaries(t)[p.arch]); err != nil || string(b) != string(want) {
				t.Errorf("%s: the file is not the binary, %v", p.arch, err)
			}
		}
		if diff := cmp.Diff([]string{"tenama-broker -rwxr-xr-x 0:0 1700000000"}, files); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.arch, diff)
		}
	}
}

// Without this test, nothing that a release says about the image by its digest could be
// verified by a second build.
func TestDigest(t *testing.T) {
	b := binaries(t)
	amd64, arm64, other := "linux/amd64="+b["amd64"], "linux/arm64="+b["arm64"], "linux/amd64="+b["other"]
	first := digestOf(t, "1700000000", amd64, arm64)
	again := filepath.Join(t.TempDir(), "copied")
	if err := os.Link(b["amd64"], again); err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string]v1.Hash{
		"built again":           digestOf(t, "1700000000", amd64, arm64),
		"in another order":      digestOf(t, "1700000000", arm64, amd64),
		"from another file":     digestOf(t, "1700000000", "linux/amd64="+again, arm64),
		"with an SBOM attached": digestOf(t, "1700000000", "-sbom", document(t), amd64, arm64),
		"with another name":     digestOf(t, "1700000000", "-repository", "registry.example.test/a/b", amd64, arm64),
	} {
		if got != first {
			t.Errorf("%s: %s, want %s", what, got, first)
		}
	}
	for what, got := range map[string]v1.Hash{
		"another time":     digestOf(t, "1700000001", amd64, arm64),
		"another version":  digestOf(t, "1700000000", "-version", "v2.0.0", amd64, arm64),
		"another binary":   digestOf(t, "1700000000", other, arm64),
		"one platform":     digestOf(t, "1700000000", amd64),
		"the other binary": digestOf(t, "1700000000", arm64),
	} {
		if got == first {
			t.Errorf("%s: has the same digest", what)
		}
	}
}

// Without this test, a release could have an image that does not start.
func TestInvalid(t *testing.T) {
	b := binaries(t)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		epoch, want string
		args        []string
	}{
		{"", "SOURCE_DATE_EPOCH", []string{"linux/amd64=" + b["amd64"]}},
		{"now", "SOURCE_DATE_EPOCH", []string{"linux/amd64=" + b["amd64"]}},
		{"1", "at least one binary", nil},
		{"1", "it is for amd64, not for arm64", []string{"linux/arm64=" + b["amd64"]}},
		{"1", "two binaries are for linux/amd64", []string{"linux/amd64=" + b["amd64"], "linux/amd64=" + b["other"]}},
		{"1", "not of the form", []string{b["amd64"]}},
		{"1", "not of the form", []string{"windows/amd64=" + b["amd64"]}},
		{"1", "read it as a program for Linux", []string{"linux/amd64=" + text}},
		{"1", "no such file", []string{"linux/amd64=" + text + "2"}},
		{"1", "parse -repository", []string{"-repository", "UPPER", "linux/amd64=" + b["amd64"]}},
		{"1", "has a tag or a digest", []string{"-repository", "a:b", "linux/amd64=" + b["amd64"]}},
		{"1", "make a tag of -version", []string{"-version", "a b", "linux/amd64=" + b["amd64"]}},
		{"1", "it is not JSON", []string{"-sbom", text, "linux/amd64=" + b["amd64"]}},
	} {
		t.Setenv("SOURCE_DATE_EPOCH", tt.epoch)
		if _, err := run(t.Context(), append([]string{"build"}, tt.args...)); err == nil ||
			!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: got %v, want %q", tt.args, err, tt.want)
		}
	}
}
