// SPDX-License-Identifier: Apache-2.0

// Command dist makes a release in dist/: the image of the broker, the plugin for each
// platform in plugins/krew.yaml, a list of the modules in each (SPDX), the manifest for
// krew, and checksums. The same sources and the same Go version give the same bytes,
// regardless of place and time of the build. The plugin has the digest of the image in
// it, because it installs that image.
//
//	dist [-version v1.2.3] [-url https://…] [-image name] [-only os/arch,…]    in the root of the project
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	out    = "dist"
	plugin = "kubectl-tenama"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	version := flag.String("version", "",
		"the version, such as v1.2.3 (default: the commit's tag, or one derived from the commit)")
	url := flag.String("url", "", "where the archives will be found (default: as in plugins/krew.yaml)")
	image := flag.String("image", broker, "the name of the image, without tag and digest")
	only := flag.String("only", "", "some platforms, such as linux/amd64,linux/arm64, or host (default: all)")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "dist: takes no arguments")
		os.Exit(2)
	}
	if err := run(ctx, *version, *url, *image, *only); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, version, url, image, only string) error {
	r, err := findRelease(ctx, version)
	if err != nil {
		return err
	}
	source, err := os.ReadFile("plugins/krew.yaml")
	if err != nil {
		return err
	}
	m, err := parseManifest(string(source), r.version, url)
	if err != nil {
		return fmt.Errorf("read plugins/krew.yaml: %w", err)
	}
	if err := m.restrict(only); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "tenama-dist-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	files := map[string][]byte{}
	if image, err = buildImage(ctx, r, image, m.arches(), tmp, files); err != nil {
		return err
	}
	if err := buildPlugin(ctx, r, image, m, tmp, files); err != nil {
		return err
	}
	files["krew.yaml"] = []byte(m.render())
	if err := addManifests(r, image, files); err != nil {
		return err
	}
	return write(files)
}

// buildPlugin builds the plugin for each platform of m, and adds the archives and the
// SBOM to files, and the checksums to m.
func buildPlugin(
	ctx context.Context, r release, image string, m *manifest, tmp string, files map[string][]byte,
) error {
	license, err := os.ReadFile("LICENSE")
	if err != nil {
		return err
	}
	variables := map[string]string{"version": r.version, "image": image}
	s := newSBOM(r, plugin)
	for i := range m.platforms {
		p := &m.platforms[i]
		path := filepath.Join(tmp, p.bin)
		if err := build(ctx, p.os, p.arch, "./cmd/kubectl-tenama", path, variables); err != nil {
			return err
		}
		b, err := archive(p.file, r.time, path, license)
		if err != nil {
			return fmt.Errorf("pack %s: %w", p.file, err)
		}
		files[p.file], p.sha256 = b, fmt.Sprintf("%x", sha256.Sum256(b))
		if err := s.add(published{"Archive", p.os + "-" + p.arch, p.file, p.uri, p.sha256}, path); err != nil {
			return fmt.Errorf("list the modules of %s: %w", p.file, err)
		}
		fmt.Printf("%s  %4.1f MB\n", filepath.Join(out, p.file), float64(len(b))/1e6)
	}
	files[plugin+"_"+r.version+".spdx.json"], err = s.marshal()
	return err
}

// write replaces dist/. It is called only once all files are ready.
func write(files map[string][]byte) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(files[name]), name)
		if err := os.WriteFile(filepath.Join(out, name), files[name], 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, "checksums.txt"), []byte(sums.String()), 0o644)
}
