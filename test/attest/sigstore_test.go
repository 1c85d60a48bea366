// SPDX-License-Identifier: Apache-2.0

package attest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

const (
	bundleType  = "application/vnd.dev.sigstore.bundle.v0.3+json"
	payloadType = "application/vnd.in-toto+json"
)

// subject is something that an attestation is about.
type subject struct{ name, digest string }

// key signs attestations.
type key struct{ private *ecdsa.PrivateKey }

func newKey(t *testing.T) key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key{k}
}

// attest returns a signed statement in the format of in-toto, in an envelope of DSSE, in
// a bundle of Sigstore: what actions/attest-build-provenance makes.
func (k key) attest(t *testing.T, subjects ...subject) []byte {
	t.Helper()
	var about []map[string]any
	for _, s := range subjects {
		about = append(about, map[string]any{
			"name": s.name, "digest": map[string]string{"sha256": strings.TrimPrefix(s.digest, "sha256:")},
		})
	}
	payload := encode(t, map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "subject": about,
		"predicateType": "https://slsa.dev/provenance/v1", "predicate": map[string]any{},
	})
	// https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
	sum := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload))
	sig, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, map[string]any{
		"mediaType":            bundleType,
		"verificationMaterial": map[string]any{"publicKey": map[string]string{"hint": "test"}},
		"dsseEnvelope": map[string]any{
			"payload": payload, "payloadType": payloadType, "signatures": []map[string]any{{"sig": sig}},
		},
	})
}

// verified verifies that k signed a statement about something with a digest.
func verified(k key, attestation []byte, digest string) error {
	public, err := signature.LoadVerifier(k.private.Public(), crypto.SHA256)
	if err != nil {
		return err
	}
	trusted := root.NewTrustedPublicKeyMaterialFromMapping(map[string]*root.ExpiringKey{
		"test": root.NewExpiringKey(public, time.Time{}, time.Time{}),
	})
	verifier, err := verify.NewVerifier(trusted, verify.WithNoObserverTimestamps())
	if err != nil {
		return err
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(attestation); err != nil {
		return err
	}
	sum, err := hex.DecodeString(digest)
	if err != nil {
		return err
	}
	_, err = verifier.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest("sha256", sum), verify.WithKey()))
	return err
}

// newRegistry starts a registry, and returns its address.
func newRegistry(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// attach pushes an attestation as a referrer of an image, as the input push-to-registry
// of actions/attest-build-provenance does.
func attach(t *testing.T, to name.Digest, attestation []byte) {
	t.Helper()
	desc, err := remote.Head(to)
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		static.NewLayer(attestation, bundleType))
	if err != nil {
		t.Fatal(err)
	}
	img = mutate.Subject(mutate.ConfigMediaType(img, bundleType), *desc).(v1.Image)
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(to.Context().Digest(digest.String()), img); err != nil {
		t.Fatal(err)
	}
}

// attached returns the attestations that refer to an image.
func attached(t *testing.T, to name.Digest) [][]byte {
	t.Helper()
	list, err := remote.Referrers(to)
	if err != nil {
		t.Fatal(err)
	}
	index, err := list.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, desc := range index.Manifests {
		img, err := remote.Image(to.Context().Digest(desc.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		if kind, err := partial.ArtifactType(img); err != nil || kind != bundleType {
			continue // the SBOM
		}
		layers, err := img.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%s: %d layers, %v", desc.Digest, len(layers), err)
		}
		r, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
