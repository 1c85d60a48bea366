// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// Without this test, a node could look for an image in a registry although its archive
// was imported: containerd compares complete names.
func TestArchiveNames(t *testing.T) {
	img := built(t)
	want, err := img.index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := img.writeArchive(path); err != nil {
		t.Fatal(err)
	}
	index, _ := opened(t, path)
	var names, refs []string
	for _, desc := range index.Manifests {
		if desc.Digest != want {
			t.Errorf("%s is in the archive for nodes, besides %s", desc.Digest, want)
		}
		names = append(names, desc.Annotations[imageName])
		refs = append(refs, desc.Annotations[refName])
	}
	all := img.name.Name()
	if diff := cmp.Diff([]string{all + ":v1.2.3", all + "@" + want.String()}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v1.2.3", ""}, refs); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

// Without this test, docker load could load nothing, or the image for another processor.
func TestDockerLoad(t *testing.T) {
	img := built(t)
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := img.writeArchive(path); err != nil {
		t.Fatal(err)
	}
	for _, p := range img.platforms {
		tag, err := name.NewTag("tenama-broker:v1.2.3-" + p.arch)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := tarball.ImageFromPath(path, &tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(loaded); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
		got, err := loaded.RawConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if want, err := p.RawConfigFile(); err != nil || string(got) != string(want) {
			t.Errorf("%s: got %s, want %s, %v", tag, got, want, err)
		}
	}
	img.platforms = img.platforms[:1]
	b, err := img.dockerManifest()
	if err != nil || !strings.Contains(string(b), `["tenama-broker:v1.2.3"]`) {
		t.Errorf("with one platform: %s, %v", b, err)
	}
}

// Without this test, two builds of a release could differ in the archives.
func TestSameArchives(t *testing.T) {
	dir := t.TempDir()
	var archives [2][2]string
	for i := range archives {
		img := built(t)
		for j, write := range []func(string) error{img.writeArchive, img.writeOCI} {
			path := filepath.Join(dir, fmt.Sprint(i, j))
			if err := write(path); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			archives[i][j] = string(b)
		}
	}
	if archives[0] != archives[1] {
		t.Error("the archives differ")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 4 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

// opened reads the OCI layout in an archive.
func opened(t *testing.T, path string) (*v1.IndexManifest, v1.ImageIndex) {
	t.Helper()
	dir := t.TempDir()
	if err := unpack(path, dir); err != nil {
		t.Fatal(err)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return m, index
}
