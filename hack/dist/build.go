// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
)

// reproducible makes the environment of go build. Everything that would make the bytes
// depend on the machine is set here: variables that affect Go's compilation have their
// defaults.
func reproducible(system, arch string) []string {
	return append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0",
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off")
}

// build compiles a program. The directory is trimmed, and the state of the checkout is
// not stamped. variables are those of internal/version, with their values.
func build(ctx context.Context, system, arch, pkg, path string, variables map[string]string) error {
	ldflags := "-s -w"
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		ldflags += " -X tenama.dev/tenama/internal/version." + name + "=" + variables[name]
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", path, pkg)
	cmd.Env = reproducible(system, arch)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s for %s/%s: %w", pkg, system, arch, err)
	}
	return nil
}
