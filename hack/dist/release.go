// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// release is the version and the time of a release.
type release struct {
	version string
	time    time.Time // of the commit; used for every date in dist/
}

// semver matches a semantic version with a leading v, as krew requires. Build metadata
// (+…) does not order versions, so krew would never upgrade to such a version.
var semver = regexp.MustCompile(`^v(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}` +
	`(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?$`)

func findRelease(ctx context.Context, version string) (release, error) {
	if version != "" && !semver.MatchString(version) {
		return release{}, fmt.Errorf("version %q is not a semantic version with a leading v, such as v1.2.3", version)
	}
	r := release{version: version}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		var err error
		if epoch, err = git(ctx, "log", "-1", "--format=%ct"); err != nil {
			return release{}, fmt.Errorf("find the time of the commit (or set SOURCE_DATE_EPOCH): %w", err)
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 {
		return release{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is not a number of seconds", epoch)
	}
	r.time = time.Unix(seconds, 0).UTC()
	if r.version == "" {
		if r.version, err = describe(ctx, r.time); err != nil {
			return release{}, fmt.Errorf("find the version (or give VERSION=v1.2.3): %w", err)
		}
	}
	return r, nil
}

// describe returns the commit's tag, or else a version in the form that Go itself gives
// to commits. Git's own form (v1.2.3-4-gabc) would sort before the v1.2.3 that it
// follows.
func describe(ctx context.Context, t time.Time) (string, error) {
	version, err := git(ctx, "describe", "--tags", "--exact-match", "--match=v[0-9]*")
	if err != nil || !semver.MatchString(version) {
		hash, err := git(ctx, "rev-parse", "--short=12", "HEAD")
		if err != nil {
			return "", err
		}
		version = "v0.0.0-" + t.Format("20060102150405") + "-" + hash
	}
	changed, err := git(ctx, "status", "--porcelain", "--untracked-files=no")
	switch {
	case err != nil:
		return "", err
	case changed == "":
		return version, nil
	case strings.Contains(version, "-"):
		return version + ".dirty", nil
	}
	return version + "-dirty", nil
}

func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		first, _, _ := bytes.Cut(exit.Stderr, []byte("\n"))
		return "", fmt.Errorf("git %s: %s", args[0], first)
	}
	return strings.TrimSpace(string(out)), err
}
