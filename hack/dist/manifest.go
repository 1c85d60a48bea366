// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// manifest is the content of plugins/krew.yaml, the template of a release's manifest
// and the only list of the platforms and the names of their archives.
type manifest struct {
	head      string
	platforms []platform
}

type platform struct {
	os, arch  string
	uri, file string
	bin       string
	sha256    string
}

func (p platform) String() string { return p.os + "/" + p.arch }

// The text is kept as written, so it is matched with patterns instead of parsed: krew's
// own validator reads the result.
var (
	versionLine = regexp.MustCompile(`(?m)^  version: (v\S+)$`)
	platformsAt = regexp.MustCompile(`(?m)^  platforms:\n`)
	stanza      = regexp.MustCompile(`^  - selector: \{matchLabels: \{os: (\w+), arch: (\w+)\}\}\n    uri: ` +
		`(https://\S+)\n    sha256: "0{64}"\n    bin: (\S+)\n`)
)

// parseManifest reads source for a version whose archives will be available in the
// directory url; if url is empty, at the URLs in source.
func parseManifest(source, version, url string) (*manifest, error) {
	placeholder := versionLine.FindStringSubmatch(source)
	at := platformsAt.FindStringIndex(source)
	if placeholder == nil || at == nil {
		return nil, errors.New("no version, or no platforms")
	}
	head, rest := source[:at[1]], source[at[1]:]
	for strings.HasPrefix(head, "#") { // the notes about the template, which readers of a release do not need
		_, head, _ = strings.Cut(head, "\n")
	}
	m := &manifest{head: versionLine.ReplaceAllLiteralString(head, "  version: "+version)}
	for rest != "" {
		found := stanza.FindStringSubmatch(rest)
		if found == nil {
			line, _, _ := strings.Cut(rest, "\n")
			return nil, errors.New("a platform is not selector, uri, sha256 of zeros, bin: " + strings.TrimSpace(line))
		}
		rest = rest[len(found[0]):]
		p := platform{os: found[1], arch: found[2], uri: strings.ReplaceAll(found[3], placeholder[1], version), bin: found[4]}
		p.file = path.Base(p.uri)
		if url != "" {
			p.uri = strings.TrimSuffix(url, "/") + "/" + p.file
		}
		m.platforms = append(m.platforms, p)
	}
	return m, nil
}

// restrict leaves the platforms in only, a list such as linux/amd64,host, or all if only
// is empty.
func (m *manifest) restrict(only string) error {
	if only == "" {
		return nil
	}
	var left []platform
	for name := range strings.SplitSeq(only, ",") {
		if name == "host" {
			name = runtime.GOOS + "/" + runtime.GOARCH
		}
		i := slices.IndexFunc(m.platforms, func(p platform) bool { return p.String() == name })
		if i < 0 {
			return fmt.Errorf("plugins/krew.yaml names no platform %q", name)
		}
		if !slices.Contains(left, m.platforms[i]) {
			left = append(left, m.platforms[i])
		}
	}
	m.platforms = left
	return nil
}

// arches returns the architectures of the platforms. The image is for Linux on each.
func (m *manifest) arches() []string {
	var out []string
	for _, p := range m.platforms {
		out = append(out, p.arch)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (m *manifest) render() string {
	var b strings.Builder
	b.WriteString(m.head)
	for _, p := range m.platforms {
		b.WriteString("  - selector: {matchLabels: {os: " + p.os + ", arch: " + p.arch + "}}\n" +
			"    uri: " + p.uri + "\n    sha256: \"" + p.sha256 + "\"\n    bin: " + p.bin + "\n")
	}
	return b.String()
}
