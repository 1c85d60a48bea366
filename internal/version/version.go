// SPDX-License-Identifier: Apache-2.0

// Package version identifies the build.
package version

import (
	"runtime"
	"runtime/debug"
)

// version is set by the release build; other builds use the version that the Go tool recorded.
var version string

// image is set by the release build of the plugin.
var image string

// Info describes a build.
type Info struct {
	Version   string `json:"version"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// Get describes this build.
func Get() Info {
	v := version
	if v == "" {
		v = "(devel)"
		if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
			v = b.Main.Version
		}
	}
	return Info{Version: v, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// Image returns the image of the broker of the same release by its digest, such as
// registry.example.com/tenama-broker@sha256:…, or "" if this is not a release.
func Image() string { return image }
