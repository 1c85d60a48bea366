// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	spdx = "application/spdx+json" // registered with IANA
	// emptyJSON is the media type of {}, the configuration of a manifest that has none.
	emptyJSON = "application/vnd.oci.empty.v1+json"
)

// attach adds an SPDX document as a referrer of the index: a manifest whose subject is
// the index. Registries list it at /v2/NAME/referrers/DIGEST, and oras discover finds it
// there and in an OCI layout. See "Guidelines for Artifact Usage" in the image
// specification 1.1.
func (i *image) attach(path string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !json.Valid(document) {
		return errors.New("it is not JSON")
	}
	subject, err := partial.Descriptor(i.index)
	if err != nil {
		return err
	}
	about, err := i.index.IndexManifest()
	if err != nil {
		return err
	}
	layer := static.NewLayer(document, spdx)
	file, err := partial.Descriptor(layer)
	if err != nil {
		return err
	}
	file.Annotations = map[string]string{titleKey: program + ".spdx.json"}
	config := static.NewLayer([]byte("{}"), emptyJSON)
	none, err := partial.Descriptor(config)
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: spdx,
		Config: *none, Layers: []v1.Descriptor{*file},
		Annotations: map[string]string{createdKey: about.Annotations[createdKey]},
		Subject:     &v1.Descriptor{MediaType: subject.MediaType, Size: subject.Size, Digest: subject.Digest},
	})
	if err != nil {
		return err
	}
	referrer, err := partial.CompressedToImage(&artifact{manifest, layer})
	if err != nil {
		return err
	}
	i.referrers = append(i.referrers, referrer)
	return nil
}

// artifact is a manifest of something other than an image, with one file.
type artifact struct {
	manifest []byte
	file     v1.Layer
}

func (a *artifact) RawManifest() ([]byte, error)                           { return a.manifest, nil }
func (a *artifact) RawConfigFile() ([]byte, error)                         { return []byte("{}"), nil }
func (a *artifact) MediaType() (types.MediaType, error)                    { return types.OCIManifestSchema1, nil }
func (a *artifact) ArtifactType() (string, error)                          { return spdx, nil }
func (a *artifact) LayerByDigest(v1.Hash) (partial.CompressedLayer, error) { return a.file, nil }
