// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/deploy"
)

// config is the configuration of the first tenama. Resources are named as in a container:
// cpu, memory, storage.
type config struct {
	LogLevel, LogFormat, CleanupInterval string
	Kubernetes                           struct{ ClusterEndpoint string }
	Namespace                            struct {
		Prefix, Suffix, Duration string
		Resources                resources
	}
	GlobalLimits struct {
		Enabled   bool
		Resources resources
	}
	BasicAuth []struct{ Username, Password string }
}

type resources struct{ Requests, Limits map[string]string }

// parse reads a configuration. Errors name the key of a wrong value.
func parse(text []byte) (*config, error) {
	c := &config{}
	if err := yaml.UnmarshalStrict(text, c); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	_, err := c.lifetime()
	errs := []error{
		err,
		check("namespace.resources.requests", c.Namespace.Resources.Requests, "cpu", "memory", "storage"),
		check("namespace.resources.limits", c.Namespace.Resources.Limits, "cpu", "memory"),
		check("globalLimits.resources.requests", c.GlobalLimits.Resources.Requests, "cpu", "memory", "storage"),
	}
	for i, u := range c.BasicAuth {
		if u.Username == "" {
			errs = append(errs, fmt.Errorf("basicAuth[%d].username is empty", i))
		}
	}
	return c, errors.Join(errs...)
}

func check(path string, of map[string]string, known ...string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("%s.%s: use %s", path, name, strings.Join(known, ", ")))
		}
		if q, err := resource.ParseQuantity(of[name]); err != nil || q.Sign() < 0 {
			errs = append(errs, fmt.Errorf("%s.%s %q: use a quantity, such as 500m or 1Gi", path, name, of[name]))
		}
	}
	return errors.Join(errs...)
}

// longest is the longest lifetime of a class.
const longest = 100 * 365 * 24 * time.Hour

// lifetime returns namespace.duration, or 0 without it.
func (c *config) lifetime() (time.Duration, error) {
	if c.Namespace.Duration == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(c.Namespace.Duration)
	if err != nil || d < time.Second || d > longest {
		return 0, fmt.Errorf("namespace.duration %q: use a duration from 1s to %.0fh, such as 168h", c.Namespace.Duration,
			longest.Hours())
	}
	return d, nil
}

// validPrefix is what a class accepts as its prefix.
var validPrefix = regexp.MustCompile(`^[a-z0-9][-a-z0-9]{0,20}-$`)

// prefix returns the prefix of the names of namespaces, and why it is not the configured one.
func (c *config) prefix() (prefix, why string) {
	was := c.Namespace.Prefix
	if was == "" {
		return deploy.DefaultPrefix, ""
	}
	prefix = strings.TrimSuffix(was, "-") + "-"
	switch {
	case !validPrefix.MatchString(prefix):
		return deploy.DefaultPrefix, "a prefix has lower-case letters, digits and dashes, 22 at most"
	case strings.HasPrefix(deploy.DefaultNamespace, prefix):
		return deploy.DefaultPrefix, "the broker's own namespace, " + deploy.DefaultNamespace + ", begins with it"
	}
	return prefix, ""
}

// notes says what of a configuration is different here, or has no equivalent, and why.
func (c *config) notes() (notes []string) {
	if prefix, why := c.prefix(); why != "" {
		notes = append(notes, fmt.Sprintf("namespace.prefix %q is not used, but %s: %s", c.Namespace.Prefix, prefix, why))
	} else if prefix != deploy.DefaultPrefix {
		notes = append(notes, "the broker has to know the prefix: install it with --prefix "+deploy.DefaultPrefix+","+prefix)
	}
	if c.Namespace.Suffix != "" {
		notes = append(notes, "namespace.suffix is not needed: users name their namespaces, or let them be named")
	}
	if c.Namespace.Duration != "" {
		notes = append(notes, "namespace.duration had no effect there; here it is the lifetime for requests that name none")
	}
	if c.GlobalLimits.Enabled {
		for _, name := range slices.Sorted(maps.Keys(c.GlobalLimits.Resources.Requests)) {
			if c.Namespace.Resources.Requests[name] == "" {
				notes = append(notes, fmt.Sprintf("globalLimits.resources.requests.%s counts the quota of the first class, "+
					"because namespace.resources.requests.%s is not set", name, name))
			}
		}
		if len(c.GlobalLimits.Resources.Limits) > 0 {
			notes = append(notes, "globalLimits.resources.limits is dropped: it had no effect there")
		}
	}
	if len(c.BasicAuth) > 0 {
		notes = append(notes, "passwords are dropped: users log in to kube-apiserver, and need the same names there")
	}
	if c.Kubernetes.ClusterEndpoint != "" {
		notes = append(notes, "kubernetes.clusterEndpoint is not needed: users have the address in their kubeconfig")
	}
	if c.CleanupInterval != "" {
		notes = append(notes, "cleanupInterval is not needed: a namespace ends at its time")
	}
	return notes
}
