// SPDX-License-Identifier: Apache-2.0

package krew

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var cold = flag.Bool("cold", false, "compile everything again for the second build, which takes minutes")

// Without this test, a release could not be verified against the sources that it names.
// Only the host's platform and those of the image, whose digest the plugin has in it, are
// built, because the steps are the same for all platforms. Without -cold, Go takes
// compiled packages from its cache; linking, packing and all steps that depend on the
// environment are repeated.
func TestSameBytes(t *testing.T) {
	r := made(t)
	p := r.host(t)
	env := []string{"TZ=Pacific/Apia", "LC_ALL=C", "GOFLAGS=-buildvcs=true", "GOAMD64=v3", "GOARM64=v9.0", "CGO_ENABLED=1"}
	if *cold {
		env = append(env, "GOCACHE="+t.TempDir())
	}
	epoch := contents(t, filepath.Join(r.dir, p.file()))[0].time.Unix()
	only := []string{"host"}
	for _, p := range r.platforms {
		only = append(only, "linux/"+p.arch())
	}
	image, _, _ := strings.Cut(r.image, "@")
	again := build(t, r.version, fmt.Sprint(epoch), []string{"-only", strings.Join(only, ","), "-image", image}, env...)
	base := "tenama-broker_" + r.version
	for _, f := range []string{p.file(), base + ".tar", base + ".oci.tar", base + ".spdx.json", "image.txt"} {
		if got, want := sum(t, filepath.Join(again.dir, f)), sum(t, filepath.Join(r.dir, f)); got != want {
			t.Errorf("%s, built in %s and in %s: sha256 %s and %s", f, r.dir, again.dir, want, got)
		}
	}
}

// Without this test, archives could reveal the user and the time of the build, or lack
// the licence, without which krew's index refuses them.
func TestArchives(t *testing.T) {
	r := made(t)
	license, err := os.ReadFile(filepath.Join(root(t), "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	var first time.Time
	for _, p := range r.platforms {
		entries := contents(t, filepath.Join(r.dir, p.file()))
		var got []string
		for _, e := range entries {
			got = append(got, e.mode+" "+e.owner+" "+e.name)
			if first.IsZero() {
				first = e.time
			}
			if !e.time.Equal(first) {
				t.Errorf("%s: %s has the time %s, not %s", p, e.name, e.time, first)
			}
		}
		if diff := cmp.Diff([]string{"-rw-r--r-- 0:0: LICENSE", "-rwxr-xr-x 0:0: " + p.Bin}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p, diff)
		} else if !bytes.Equal(entries[0].data, license) {
			t.Errorf("%s: LICENSE differs", p)
		}
	}
}

// Without this test, `sha256sum -c checksums.txt`, which the docs recommend, could fail
// or leave a file unchecked.
func TestChecksums(t *testing.T) {
	r := made(t)
	want := ""
	for _, f := range files(t, r.dir) {
		if f != "checksums.txt" {
			want += sum(t, filepath.Join(r.dir, f)) + "  " + f + "\n"
		}
	}
	got, err := os.ReadFile(filepath.Join(r.dir, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("checksums.txt (-want +got):\n%s", diff)
	}
}

// Without this test, a search for a vulnerable module in the SBOM could miss the
// module.
func TestSBOM(t *testing.T) {
	r := made(t)
	b, err := os.ReadFile(filepath.Join(r.dir, "kubectl-tenama_"+r.version+".spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Packages []struct {
			SPDXID, Name, VersionInfo, PackageFileName string
			Checksums                                  []struct{ ChecksumValue string }
		}
		Relationships []struct{ SpdxElementID, RelationshipType, RelatedSpdxElement string }
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	names, archives, sums := map[string]string{}, map[string]string{}, map[string]string{}
	for _, p := range doc.Packages {
		if names[p.SPDXID] != "" {
			t.Errorf("two packages are %s", p.SPDXID)
		}
		names[p.SPDXID] = p.Name + " " + p.VersionInfo
		if p.PackageFileName != "" {
			archives[p.PackageFileName] = p.SPDXID
			sums[p.PackageFileName] = p.Checksums[0].ChecksumValue
		}
	}
	for _, p := range r.platforms {
		if sums[p.file()] != p.SHA256 {
			t.Errorf("%s: the SBOM has sha256 %s, the manifest %s", p, sums[p.file()], p.SHA256)
		}
		has := map[string]bool{}
		for _, rel := range doc.Relationships {
			if rel.SpdxElementID == archives[p.file()] && rel.RelationshipType == "DEPENDS_ON" {
				has[names[rel.RelatedSpdxElement]] = true
			}
		}
		info, err := buildinfo.Read(bytes.NewReader(contents(t, filepath.Join(r.dir, p.file()))[1].data))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{"stdlib " + strings.TrimPrefix(info.GoVersion, "go"): true}
		for _, m := range info.Deps {
			want[m.Path+" "+m.Version] = true
		}
		if diff := cmp.Diff(want, has); diff != "" {
			t.Errorf("%s (-binary +SBOM):\n%s", p, diff)
		}
	}
}

type entry struct {
	name, mode, owner string
	time              time.Time
	data              []byte
}

func contents(t *testing.T, file string) []entry {
	t.Helper()
	var out []entry
	add := func(name string, mode os.FileMode, owner string, mtime time.Time, r io.Reader, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, entry{name, mode.String(), owner, mtime, b})
	}
	if strings.HasSuffix(file, ".zip") {
		z, err := zip.OpenReader(file)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, f := range z.File {
			r, err := f.Open()
			add(f.Name, f.Mode(), "0:0:", f.Modified, r, err)
		}
		return out
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if !gz.ModTime.IsZero() || gz.Name != "" {
		t.Errorf("%s: the gzip header contains a name or a time", file)
	}
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		add(h.Name, h.FileInfo().Mode(), fmt.Sprintf("%d:%d:%s%s", h.Uid, h.Gid, h.Uname, h.Gname), h.ModTime, r, nil)
	}
}
