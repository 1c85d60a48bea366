// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// sbom is a document of SPDX 2.3: what a release has of a program, and the modules that
// Go recorded in each binary. It makes no statements about licences of others, which have not been
// reviewed.
type sbom struct {
	SPDXVersion   string         `json:"spdxVersion"`
	DataLicense   string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      creation       `json:"creationInfo"`
	Packages      []spdxPackage  `json:"packages"`
	Relationships []relationship `json:"relationships"`

	program, version string
}

// published is a binary, or an archive of one, that a release has for a platform.
type published struct {
	kind, platform string // such as Archive, linux-amd64
	file, uri      string
	sha256         string
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	ID               string        `json:"SPDXID"`
	Name             string        `json:"name"`
	Version          string        `json:"versionInfo"`
	File             string        `json:"packageFileName,omitempty"`
	Supplier         string        `json:"supplier"`
	DownloadLocation string        `json:"downloadLocation"`
	FilesAnalyzed    bool          `json:"filesAnalyzed"`
	Checksums        []checksum    `json:"checksums,omitempty"`
	SourceInfo       string        `json:"sourceInfo,omitempty"`
	LicenseConcluded string        `json:"licenseConcluded"`
	LicenseDeclared  string        `json:"licenseDeclared"`
	Copyright        string        `json:"copyrightText"`
	References       []externalRef `json:"externalRefs"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type externalRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

const noAssertion = "NOASSERTION"

func newSBOM(r release, program string) *sbom {
	return &sbom{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: program + " " + r.version,
		Creation: creation{
			Created: r.time.Format("2006-01-02T15:04:05Z"), Creators: []string{
				"Organization: tenama", "Tool: tenama.dev/tenama/hack/dist",
			},
		},
		program: program, version: r.version,
	}
}

// add adds p and the modules in its binary.
func (s *sbom) add(p published, binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	self := newPackage(p.kind+"-"+p.platform, s.program, s.version, "tenama.dev/tenama")
	self.File, self.DownloadLocation, self.Supplier = p.file, cmp.Or(p.uri, noAssertion), "Organization: tenama"
	self.Checksums = []checksum{{"SHA256", p.sha256}}
	self.LicenseDeclared = "Apache-2.0"
	s.Packages = append(s.Packages, self)
	s.Relationships = append(s.Relationships, relationship{s.ID, "DESCRIBES", self.ID})

	std := strings.TrimPrefix(info.GoVersion, "go")
	for _, m := range append([]*debug.Module{{Path: "stdlib", Version: std}}, info.Deps...) {
		if m.Replace != nil {
			m = m.Replace
		}
		module := newPackage("Module-"+m.Path+"-"+m.Version, m.Path, m.Version, m.Path)
		if m.Sum != "" {
			module.SourceInfo = "go.sum " + m.Sum
		}
		if !slices.ContainsFunc(s.Packages, func(p spdxPackage) bool { return p.ID == module.ID }) {
			s.Packages = append(s.Packages, module)
		}
		s.Relationships = append(s.Relationships, relationship{self.ID, "DEPENDS_ON", module.ID})
	}
	return nil
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func newPackage(id, name, version, module string) spdxPackage {
	return spdxPackage{
		ID: "SPDXRef-" + notInID.ReplaceAllString(id, "-"), Name: name, Version: version, Supplier: noAssertion,
		DownloadLocation: noAssertion,
		LicenseConcluded: noAssertion, LicenseDeclared: noAssertion, Copyright: noAssertion,
		References: []externalRef{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + module + "@" + url.QueryEscape(version)}},
	}
}

// marshal returns the document. Its namespace has to be globally unique, so it is
// derived from the files that it describes.
func (s *sbom) marshal() ([]byte, error) {
	slices.SortFunc(s.Packages, func(a, b spdxPackage) int { return cmp.Compare(a.ID, b.ID) })
	all := sha256.New()
	for _, p := range s.Packages {
		fmt.Fprintln(all, p.ID, p.Checksums)
	}
	s.Namespace = fmt.Sprintf("https://tenama.dev/spdx/%s-%s-%x", s.program, s.version, all.Sum(nil)[:16])
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}
