// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// Without this test, scanners could find no SBOM of the image, or that of another one.
func TestPush(t *testing.T) {
	img := built(t)
	want, err := img.index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image.oci.tar")
	if err := img.writeOCI(path); err != nil {
		t.Fatal(err)
	}
	manifest, all := opened(t, path)
	if err := validate.Index(all); err != nil {
		t.Errorf("the archive: %v", err)
	}
	if len(manifest.Manifests) != 2 || manifest.Manifests[1].ArtifactType != spdx {
		t.Errorf("the archive has %+v", manifest.Manifests)
	}
	for what, referrers := range map[string]bool{"with referrers": true, "without referrers": false} {
		quiet := registry.Logger(log.New(io.Discard, "", 0))
		server := httptest.NewServer(registry.New(registry.WithReferrersSupport(referrers), quiet))
		defer server.Close()
		to := strings.TrimPrefix(server.URL, "http://") + "/a/tenama-broker:v1.2.3"
		got, err := run(t.Context(), []string{"push", path, to})
		if err != nil || got != want {
			t.Fatalf("%s: pushed %s, %v, want %s", what, got, err, want)
		}
		tag, err := name.ParseReference(to)
		if err != nil {
			t.Fatal(err)
		}
		desc, err := remote.Get(tag)
		if err != nil || desc.Digest != want {
			t.Fatalf("%s: the registry has %v, %v, want %s", what, desc, err, want)
		}
		pulled, err := desc.ImageIndex()
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(pulled); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		list, err := remote.Referrers(tag.Context().Digest(want.String()))
		if err != nil {
			t.Fatal(err)
		}
		if got := referrer(t, tag.Context(), list); got != `{"spdxVersion":"SPDX-2.3"}` {
			t.Errorf("%s: got %s", what, got)
		}
	}
}

// Without this test, make image PUSH=… could push something else than it builds.
func TestBuildAndPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	to := strings.TrimPrefix(server.URL, "http://") + "/tenama-broker:dev"
	amd64 := "linux/amd64=" + binaries(t)["amd64"]
	got := digestOf(t, "1", "-push", to, amd64)
	if want := digestOf(t, "1", amd64); got != want {
		t.Errorf("pushed %s, want %s", got, want)
	}
	tag, err := name.ParseReference(to)
	if err != nil {
		t.Fatal(err)
	}
	if desc, err := remote.Head(tag); err != nil || desc.Digest != got {
		t.Errorf("the registry has %v, %v, want %s", desc, err, got)
	}
}

// referrer returns the file of the only referrer in list, whose subject has to be the
// index.
func referrer(t *testing.T, repository name.Repository, list v1.ImageIndex) string {
	t.Helper()
	index, err := list.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 1 {
		t.Fatalf("%d referrers: %+v", len(index.Manifests), index.Manifests)
	}
	desc, err := remote.Get(repository.Digest(index.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(desc.Manifest, &manifest); err != nil {
		t.Fatal(err)
	}
	want, err := built(t).index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.Subject == nil || manifest.Subject.Digest != want || manifest.ArtifactType != spdx {
		t.Errorf("the referrer is %s, want the subject %s", desc.Manifest, want)
	}
	layer, err := remote.Layer(repository.Digest(manifest.Layers[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := layer.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Without this test, a push that failed could look like a release.
func TestPushFails(t *testing.T) {
	img := built(t)
	path := filepath.Join(t.TempDir(), "image.oci.tar")
	if err := img.writeOCI(path); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for _, tt := range []struct{ file, to, want string }{
		{path, host + "/a:v1", "push " + host + "/a:v1"},
		{path, host + "/a", "parse the name to push to"},
		{path + "2", host + "/a:v1", "no such file"},
		{"archive_test.go", host + "/a:v1", "read archive_test.go"},
	} {
		if got, err := run(t.Context(), []string{"push", tt.file, tt.to}); err == nil ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("push %s %s: got %s, %v, want %q", tt.file, tt.to, got, err, tt.want)
		}
	}
}
