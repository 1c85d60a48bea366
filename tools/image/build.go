// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	program = "tenama-broker"
	user    = "65532:65532" // neither root nor a user of the node

	titleKey   = "org.opencontainers.image.title"
	createdKey = "org.opencontainers.image.created"
)

// image is an image index with what refers to it.
type image struct {
	name      reference.NamedTagged
	index     v1.ImageIndex
	platforms []platformImage
	referrers []v1.Image
}

// platformImage is the image for one architecture.
type platformImage struct {
	arch string
	v1.Image
}

// ArtifactType returns "", because it is an image. The library would write the media
// type of its configuration into the index.
func (platformImage) ArtifactType() (string, error) { return "", nil }

// build makes the image from arguments such as linux/amd64=bin/tenama-broker. Their
// order has no effect.
func build(repository, version string, created time.Time, args []string) (*image, error) {
	named, err := reference.ParseNormalizedNamed(repository)
	if err != nil {
		return nil, fmt.Errorf("parse -repository: %w", err)
	}
	if !reference.IsNameOnly(named) {
		return nil, fmt.Errorf("parse -repository: %s has a tag or a digest", repository)
	}
	name, err := reference.WithTag(named, version)
	if err != nil {
		return nil, fmt.Errorf("make a tag of -version: %w", err)
	}
	if len(args) == 0 {
		return nil, errors.New("name at least one binary, such as linux/amd64=bin/tenama-broker")
	}
	out := &image{name: name}
	about := annotations(version, created)
	var adds []mutate.IndexAddendum
	for _, arg := range slices.Sorted(slices.Values(args)) {
		platform, path, _ := strings.Cut(arg, "=")
		arch, linux := strings.CutPrefix(platform, "linux/")
		switch {
		case !linux || path == "":
			return nil, fmt.Errorf("%q is not of the form linux/ARCH=BINARY", arg)
		case len(out.platforms) > 0 && out.platforms[len(out.platforms)-1].arch == arch:
			return nil, fmt.Errorf("two binaries are for %s", platform)
		}
		img, err := buildPlatform(arch, path, created, about)
		if err != nil {
			return nil, fmt.Errorf("make the image of %s: %w", path, err)
		}
		out.platforms = append(out.platforms, platformImage{arch, img})
		adds = append(adds, mutate.IndexAddendum{
			Add:        platformImage{arch, img},
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), adds...)
	out.index = mutate.Annotations(index, about).(v1.ImageIndex)
	return out, nil
}

// annotations returns the annotations that the image specification defines, which are
// the labels as well. There is no revision: a release can be built from an archive of
// the sources, and gives the same digest. The provenance attestation names the commit.
func annotations(version string, created time.Time) map[string]string {
	return map[string]string{
		titleKey:                               program,
		"org.opencontainers.image.description": "The broker of tenama, which lends temporary Kubernetes namespaces",
		"org.opencontainers.image.version":     version,
		"org.opencontainers.image.source":      "https://tenama.dev",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		createdKey:                             created.Format(time.RFC3339),
	}
}

// buildPlatform makes the image for one architecture.
func buildPlatform(arch, path string, created time.Time, about map[string]string) (v1.Image, error) {
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := checkBinary(binary, arch); err != nil {
		return nil, err
	}
	files, err := packed(binary, created)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	img := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: arch, Created: v1.Time{Time: created}, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{User: user, Entrypoint: []string{"/" + program}, WorkingDir: "/", Labels: about},
	})
	if err != nil {
		return nil, err
	}
	img, err = mutate.Append(img, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "tenama.dev/tenama/tools/image"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(img, about).(v1.Image), nil
}

// packed returns an uncompressed archive with the binary alone.
func packed(binary []byte, created time.Time) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := addFile(w, program, 0o755, created, binary); err != nil {
		return nil, err
	}
	err := w.Close()
	return buf.Bytes(), err
}

// addFile adds a file to an archive, owned by root, so that the program cannot replace
// itself.
func addFile(w *tar.Writer, name string, mode int64, created time.Time, data []byte) error {
	err := w.WriteHeader(&tar.Header{
		Name: name, Mode: mode, Size: int64(len(data)), ModTime: created, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR,
	})
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// checkBinary fails if the image could not start: there is no dynamic linker in it.
func checkBinary(binary []byte, arch string) error {
	file, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return fmt.Errorf("read it as a program for Linux: %w", err)
	}
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return errors.New("it is not a static binary")
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return fmt.Errorf("read its build information: %w", err)
	}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" && s.Value != arch {
			return fmt.Errorf("it is for %s, not for %s", s.Value, arch)
		}
	}
	return nil
}
