// SPDX-License-Identifier: Apache-2.0

// Package attest tests that the attestations of a release can be verified without access
// to the network, by sigstore-go: the library in gh attestation verify. It is a module of
// its own, because of the library's dependencies. cosign has the same library, and five
// times the dependencies.
//
// The release workflow signs with a certificate that is issued for the workflow; the test
// signs with a key instead, in the same format.
package attest

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Without this test, the image that users pull could be another one than the one that
// was built and attested. The user in it knows the tag and the public key.
func TestImage(t *testing.T) {
	image, digest, ok := strings.Cut(strings.TrimSpace(read(t, "image.txt")), "@")
	if !ok {
		t.Fatalf("image.txt has no digest: %s", image)
	}
	archives, err := filepath.Glob(filepath.Join(dist(t), "tenama-broker_*.oci.tar"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("archives: %v, %v: run make image-test", archives, err)
	}
	tag, err := name.NewTag(newRegistry(t) + "/tenama-broker:v1")
	if err != nil {
		t.Fatal(err)
	}
	push := exec.Command(filepath.Join(dist(t), "..", "bin", "tools", "image"), "push", archives[0], tag.String())
	if out, err := push.CombinedOutput(); err != nil || string(out) != digest+"\n" {
		t.Fatalf("push: %v, %s, want %s", err, out, digest)
	}
	key := newKey(t)
	attach(t, tag.Context().Digest(digest), key.attest(t, subject{image, digest}))

	pulled, err := remote.Head(tag)
	if err != nil {
		t.Fatal(err)
	}
	bundles := attached(t, tag.Context().Digest(pulled.Digest.String()))
	if len(bundles) != 1 {
		t.Fatalf("%d attestations for %s", len(bundles), pulled.Digest)
	}
	if err := verified(key, bundles[0], pulled.Digest.Hex); err != nil {
		t.Errorf("verify %s: %v", pulled.Digest, err)
	}
	if err := verified(key, bundles[0], strings.Repeat("0", 64)); err == nil {
		t.Error("the attestation passes for another image")
	}
	if err := verified(newKey(t), bundles[0], pulled.Digest.Hex); err == nil {
		t.Error("the attestation passes with another key")
	}
	forged := newKey(t).attest(t, subject{image, digest})
	if err := verified(key, forged, pulled.Digest.Hex); err == nil {
		t.Error("an attestation by another key passes")
	}
}

// Without this test, a file of a release could have no attestation. The workflow attests
// all files in dist/.
func TestFiles(t *testing.T) {
	var subjects []subject
	for line := range strings.SplitSeq(strings.TrimSpace(read(t, "checksums.txt")), "\n") {
		sum, file, _ := strings.Cut(line, "  ")
		subjects = append(subjects, subject{file, "sha256:" + sum})
	}
	key := newKey(t)
	bundle := key.attest(t, subjects...)
	for _, s := range subjects {
		sum := sha256.Sum256([]byte(read(t, s.name)))
		if err := verified(key, bundle, hex.EncodeToString(sum[:])); err != nil {
			t.Errorf("verify %s: %v", s.name, err)
		}
		sum[0]++
		if err := verified(key, bundle, hex.EncodeToString(sum[:])); err == nil {
			t.Errorf("the attestation passes for another file than %s", s.name)
		}
	}
}

// read returns the content of a file of the release.
func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dist(t), file))
	if err != nil {
		t.Fatalf("%v: run make image-test", err)
	}
	return string(b)
}

func dist(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../dist")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
