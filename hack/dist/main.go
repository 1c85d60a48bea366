// SPDX-License-Identifier: Apache-2.0

// Command dist makes a release of the plugin in dist/: an archive for each platform in
// plugins/krew.yaml, a list of the modules in them (SPDX), the manifest for krew, and
// checksums. The same sources and the same Go version give the same bytes, regardless
// of place and time of the build.
//
//	dist [-version v1.2.3] [-url https://…] [-only os/arch]    in the root of the project
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
	"runtime"
	"slices"
	"strings"
	"syscall"
)

const out = "dist"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	version := flag.String("version", "",
		"the version, such as v1.2.3 (default: the commit's tag, or one derived from the commit)")
	url := flag.String("url", "", "where the archives will be found (default: as in plugins/krew.yaml)")
	only := flag.String("only", "", "one platform alone, such as linux/amd64, or host")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "dist: takes no arguments")
		os.Exit(2)
	}
	if err := run(ctx, *version, *url, *only); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, version, url, only string) error {
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
	if only == "host" {
		only = runtime.GOOS + "/" + runtime.GOARCH
	}
	if only != "" {
		m.platforms = slices.DeleteFunc(m.platforms, func(p platform) bool { return p.String() != only })
		if len(m.platforms) == 0 {
			return fmt.Errorf("plugins/krew.yaml names no platform %q", only)
		}
	}
	license, err := os.ReadFile("LICENSE")
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "tenama-dist-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	files := map[string][]byte{}
	s := newSBOM(r)
	for i := range m.platforms {
		p := &m.platforms[i]
		path := filepath.Join(tmp, p.bin)
		if err := build(ctx, *p, r.version, path); err != nil {
			return err
		}
		b, err := archive(p.file, r.time, path, license)
		if err != nil {
			return fmt.Errorf("pack %s: %w", p.file, err)
		}
		files[p.file], p.sha256 = b, fmt.Sprintf("%x", sha256.Sum256(b))
		if err := s.add(*p, path); err != nil {
			return fmt.Errorf("list the modules of %s: %w", p.file, err)
		}
		fmt.Printf("%s  %4.1f MB\n", filepath.Join(out, p.file), float64(len(b))/1e6)
	}
	files["tenama.yaml"] = []byte(m.render())
	if files["kubectl-tenama_"+r.version+".spdx.json"], err = s.marshal(); err != nil {
		return err
	}
	return write(files)
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
