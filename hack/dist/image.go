// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
)

// broker is the program in the image, and the beginning of the names of its files.
const broker = "tenama-broker"

var digestLine = regexp.MustCompile(`^(sha256:[0-9a-f]{64})\n$`)

// buildImage builds the broker for Linux on each architecture, adds the archives of its
// image, its SBOM and its digest to files, and returns its name with the digest.
func buildImage(
	ctx context.Context, r release, repository string, arches []string, tmp string, files map[string][]byte,
) (string, error) {
	base := broker + "_" + r.version
	args := []string{"build", "-repository", repository, "-version", r.version}
	for kind, flag := range map[string]string{".spdx.json": "-sbom", ".tar": "-output", ".oci.tar": "-oci"} {
		args = append(args, flag, filepath.Join(tmp, base+kind))
	}
	s := newSBOM(r, broker)
	for _, arch := range arches {
		path := filepath.Join(tmp, broker+"-"+arch)
		if err := build(ctx, "linux", arch, "./cmd/broker", path, map[string]string{"version": r.version}); err != nil {
			return "", err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		about := published{"Binary", "linux-" + arch, broker, "", fmt.Sprintf("%x", sha256.Sum256(b))}
		if err := s.add(about, path); err != nil {
			return "", fmt.Errorf("list the modules of %s for %s: %w", broker, arch, err)
		}
		args = append(args, "linux/"+arch+"="+path)
	}
	document, err := s.marshal()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(tmp, base+".spdx.json"), document, 0o600); err != nil {
		return "", err
	}
	digest, err := runImage(ctx, r, tmp, args)
	if err != nil {
		return "", fmt.Errorf("make the image: %w", err)
	}
	for _, kind := range []string{".spdx.json", ".tar", ".oci.tar"} {
		if files[base+kind], err = os.ReadFile(filepath.Join(tmp, base+kind)); err != nil {
			return "", err
		}
		fmt.Printf("%s  %4.1f MB\n", filepath.Join(out, base+kind), float64(len(files[base+kind]))/1e6)
	}
	image := repository + "@" + digest
	files["image.txt"] = []byte(image + "\n")
	return image, nil
}

// runImage compiles tools/image, a module of its own, for this machine, runs it, and
// returns the digest that it prints.
func runImage(ctx context.Context, r release, tmp string, args []string) (string, error) {
	tool := filepath.Join(tmp, "image")
	compile := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", tool, ".")
	compile.Dir, compile.Env = filepath.Join("tools", "image"), reproducible(runtime.GOOS, runtime.GOARCH)
	compile.Stdout, compile.Stderr = os.Stderr, os.Stderr
	if err := compile.Run(); err != nil {
		return "", fmt.Errorf("build tools/image: %w", err)
	}
	var digest bytes.Buffer
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.time.Unix()))
	cmd.Stdout, cmd.Stderr = &digest, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", err
	}
	found := digestLine.FindSubmatch(digest.Bytes())
	if found == nil {
		return "", fmt.Errorf("tools/image printed %q instead of a digest", digest.String())
	}
	return string(found[1]), nil
}
