// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const insecureUsage = "use plain HTTP if the registry does not serve HTTPS; not needed for one on this machine"

// push pushes an index, and then what refers to it. A registry without support for
// referrers (before distribution 3) gets an index of them under the tag sha256-DIGEST, as
// the distribution specification 1.1 describes.
func push(ctx context.Context, index v1.ImageIndex, referrers []v1.Image, to string, insecure bool) (v1.Hash, error) {
	var opts []name.Option
	if insecure {
		opts = append(opts, name.Insecure)
	}
	tag, err := name.NewTag(to, append(opts, name.StrictValidation)...)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("parse the name to push to: %w", err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.WriteIndex(tag, index, options...); err != nil {
		return v1.Hash{}, fmt.Errorf("push %s: %w", tag, err)
	}
	for _, r := range referrers {
		digest, err := r.Digest()
		if err != nil {
			return v1.Hash{}, err
		}
		if err := remote.Write(tag.Context().Digest(digest.String()), r, options...); err != nil {
			return v1.Hash{}, fmt.Errorf("push the SBOM of %s: %w", tag, err)
		}
	}
	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	// What others get for the tag has to be what was built.
	desc, err := remote.Head(tag, options...)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("read %s back: %w", tag, err)
	}
	if desc.Digest != digest {
		return v1.Hash{}, fmt.Errorf("%s has the digest %s after the push of %s", tag, desc.Digest, digest)
	}
	return digest, nil
}

// pushArchive pushes the bytes of an archive for registries, so that what is published
// is what was tested.
func pushArchive(ctx context.Context, path, to string, insecure bool) (v1.Hash, error) {
	dir, err := os.MkdirTemp("", "tenama-image-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer os.RemoveAll(dir)
	if err := unpack(path, dir); err != nil {
		return v1.Hash{}, fmt.Errorf("read %s: %w", path, err)
	}
	all, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("read %s: %w", path, err)
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("read %s: %w", path, err)
	}
	var index v1.ImageIndex
	var referrers []v1.Image
	for _, desc := range manifest.Manifests {
		switch {
		case desc.MediaType.IsIndex() && (index == nil || desc.Annotations[refName] != ""):
			index, err = all.ImageIndex(desc.Digest)
		case desc.MediaType.IsImage():
			var r v1.Image
			r, err = all.Image(desc.Digest)
			referrers = append(referrers, r)
		}
		if err != nil {
			return v1.Hash{}, fmt.Errorf("read %s: %w", path, err)
		}
	}
	if index == nil {
		return v1.Hash{}, fmt.Errorf("read %s: there is no image index in it", path)
	}
	return push(ctx, index, referrers, to, insecure)
}

// inLayout matches the files of an OCI image layout.
var inLayout = regexp.MustCompile(`^(oci-layout|index\.json|blobs/sha256/[0-9a-f]{64})$`)

// unpack unpacks the OCI image layout in an archive.
func unpack(path, dir string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o700); err != nil {
		return err
	}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || !inLayout.MatchString(h.Name) {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(h.Name)), b, 0o600); err != nil {
			return err
		}
	}
}
