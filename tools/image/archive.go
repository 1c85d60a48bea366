// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
)

const (
	// refName is the name of an image within an OCI layout; skopeo, umoci and oras use it
	// as the tag.
	refName = "org.opencontainers.image.ref.name"
	// imageName is the complete name of an image; containerd prefers it.
	imageName = "io.containerd.image.name"
)

// writeArchive writes the archive for nodes and container engines. To containerd, the
// index has two names: by tag and by digest. The second lets a node find an image that a
// manifest names by digest, as the manifests of a release do, without asking a registry.
func (i *image) writeArchive(path string) error {
	desc, err := partial.Descriptor(i.index)
	if err != nil {
		return err
	}
	byDigest, err := reference.WithDigest(reference.TrimNamed(i.name), digest.Digest(desc.Digest.String()))
	if err != nil {
		return err
	}
	second := *desc
	desc.Annotations = map[string]string{imageName: i.name.String(), refName: i.name.Tag()}
	second.Annotations = map[string]string{imageName: byDigest.String()}
	files, err := i.layout([]v1.Descriptor{*desc, second}, nil)
	if err != nil {
		return err
	}
	if files["manifest.json"], err = i.dockerManifest(); err != nil {
		return err
	}
	return i.write(path, files)
}

// writeOCI writes the archive for registries.
func (i *image) writeOCI(path string) error {
	desc, err := partial.Descriptor(i.index)
	if err != nil {
		return err
	}
	desc.Annotations = map[string]string{imageName: i.name.String(), refName: i.name.Tag()}
	descs := []v1.Descriptor{*desc}
	for _, r := range i.referrers {
		desc, err := partial.Descriptor(r)
		if err != nil {
			return err
		}
		descs = append(descs, *desc)
	}
	files, err := i.layout(descs, i.referrers)
	if err != nil {
		return err
	}
	return i.write(path, files)
}

// layout returns the files of an OCI image layout whose entry points are descs.
func (i *image) layout(descs []v1.Descriptor, referrers []v1.Image) (map[string][]byte, error) {
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: descs})
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`), "index.json": index}
	manifest, err := i.index.RawManifest()
	if err != nil {
		return nil, err
	}
	if err := addBlob(files, manifest); err != nil {
		return nil, err
	}
	images := slices.Clone(referrers)
	for _, p := range i.platforms {
		images = append(images, p)
	}
	for _, img := range images {
		if err := addImage(files, img); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func addImage(files map[string][]byte, img v1.Image) error {
	manifest, err := img.RawManifest()
	if err != nil {
		return err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	blobs := [][]byte{manifest, config}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := r.Close(); err != nil {
			return err
		}
		blobs = append(blobs, b)
	}
	for _, b := range blobs {
		if err := addBlob(files, b); err != nil {
			return err
		}
	}
	return nil
}

func addBlob(files map[string][]byte, b []byte) error {
	sum, _, err := v1.SHA256(bytes.NewReader(b))
	files[blobPath(sum)] = b
	return err
}

func blobPath(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// dockerManifest returns manifest.json, which docker load, podman load and skopeo's
// docker-archive read. It cannot describe an index, so each platform has a tag of its own,
// such as v1.2.3-arm64, unless there is only one.
func (i *image) dockerManifest() ([]byte, error) {
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	var entries []entry
	for _, p := range i.platforms {
		name := reference.FamiliarString(i.name)
		if len(i.platforms) > 1 {
			name += "-" + p.arch
		}
		m, err := p.Manifest()
		if err != nil {
			return nil, err
		}
		e := entry{Config: blobPath(m.Config.Digest), RepoTags: []string{name}}
		for _, l := range m.Layers {
			e.Layers = append(e.Layers, blobPath(l.Digest))
		}
		entries = append(entries, e)
	}
	return json.Marshal(entries)
}

// write writes files as an archive, under another name until it is complete.
func (i *image) write(path string, files map[string][]byte) error {
	about, err := i.index.IndexManifest()
	if err != nil {
		return err
	}
	created, err := time.Parse(time.RFC3339, about.Annotations[createdKey])
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := addFile(w, name, 0o644, created, files[name]); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", buf.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
