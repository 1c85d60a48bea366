// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"tenama.dev/tenama/deploy"
)

// addManifests adds the manifests that install the image: for kubectl, those that the plugin
// of the release prints with --export; and the Helm chart.
func addManifests(r release, image string, files map[string][]byte) error {
	objects, err := deploy.Objects(deploy.Options{Image: image, Version: r.version})
	if err != nil {
		return err
	}
	if files["tenama.yaml"], err = deploy.YAML(objects, deploy.Header(r.version)...); err != nil {
		return err
	}
	if objects, err = deploy.Classes(); err != nil {
		return err
	}
	if files["tenama-classes.yaml"], err = deploy.YAML(objects, deploy.ClassesHeader()...); err != nil {
		return err
	}
	name, chart, err := packChart(r, image, filepath.Join("deploy", "chart"))
	if err != nil {
		return fmt.Errorf("pack the chart: %w", err)
	}
	files[name] = chart
	return nil
}

// packChart packs the chart as `helm package` does, with the version and the image of the
// release. Helm requires a version without "v".
func packChart(r release, image, dir string) (name string, _ []byte, err error) {
	version := strings.TrimPrefix(r.version, "v")
	repository, digest, _ := strings.Cut(image, "@")
	replacements := map[string]*strings.Replacer{
		"Chart.yaml": strings.NewReplacer("version: 0.0.0\n", "version: "+version+"\n",
			"appVersion: unreleased\n", "appVersion: "+r.version+"\n"),
		"values.yaml": strings.NewReplacer("  repository: tenama-broker\n  tag: dev\n",
			"  repository: "+repository+"\n  tag: \"\"\n", "  digest: \"\"\n", "  digest: "+digest+"\n"),
	}
	var entries []entry
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if replace := replacements[rel]; replace != nil {
			changed := replace.Replace(string(b))
			if changed == string(b) || unreleased.MatchString(changed) {
				return fmt.Errorf("%s has no version or image to replace", path)
			}
			b = []byte(changed)
		}
		entries = append(entries, entry{"tenama/" + filepath.ToSlash(rel), 0o644, b})
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	b, err := tarred(entries, r.time)
	return "tenama-" + version + ".tgz", b, err
}

// unreleased matches what a release replaces.
var unreleased = regexp.MustCompile(`(?m)^version: 0\.0\.0$|unreleased|tag: dev$|digest: ""$`)
