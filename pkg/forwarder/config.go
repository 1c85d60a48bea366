// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

const (
	// maxEndpoints bounds the endpoints: each one has a watch, and a part of the ConfigMap.
	maxEndpoints = 8
	// keyPrefix is the prefix of the keys of Standard Webhooks.
	keyPrefix = "whsec_"
	// minKey and maxKey bound a key, in bytes, as Standard Webhooks do.
	minKey, maxKey = 24, 64
)

// Config is the configuration of the forwarder: the file config.yaml of its Secret.
type Config struct {
	// Source identifies the cluster in messages: a URI reference, such as
	// https://kubernetes.example.com. The default is DefaultSource.
	Source string `json:"source,omitempty"`
	// Endpoints are the webhooks, each with a name of its own.
	Endpoints []Endpoint `json:"endpoints"`
}

// DefaultSource is the default of Config.Source.
const DefaultSource = "/apis/tenama.dev/v1alpha1/temporarynamespaces"

// Endpoint is a webhook.
type Endpoint struct {
	// Name identifies the endpoint in the position, in logs and in metrics: a DNS label. An
	// endpoint with a new name begins with the namespaces that exist then.
	Name string `json:"name"`
	// URL is the address, https. With AllowPrivateAddresses it can be http.
	URL string `json:"url"`
	// Keys sign the messages: one or, while the key is rotated, two. Each is whsec_ and the
	// base64 of 24 to 64 bytes.
	Keys []string `json:"keys"`
	// BearerToken is sent as the header Authorization, for receivers that cannot verify a
	// signature.
	BearerToken string `json:"bearerToken,omitempty"`
	// Types are the types of messages to send: created, modified, deleted and expiring. The
	// default is all.
	Types []string `json:"types,omitempty"`
	// ClassNames are the classes whose namespaces are reported. The default is all.
	ClassNames []string `json:"classNames,omitempty"`
	// Notices are the times before an expiry at which a message of type expiring is sent.
	// The default is 1h, 15m and 5m.
	Notices []metav1.Duration `json:"notices,omitempty"`
	// CABundle are the certificates, as PEM, that the endpoint's is verified with, in place of
	// those of the system.
	CABundle string `json:"caBundle,omitempty"`
	// AllowPrivateAddresses allows addresses of the cluster, of private networks and of the
	// node.
	AllowPrivateAddresses bool `json:"allowPrivateAddresses,omitempty"`
}

// ParseConfig reads and validates a configuration. Its error lists everything that is wrong.
func ParseConfig(b []byte) (*Config, error) {
	c := &Config{}
	if err := yaml.UnmarshalStrict(b, c); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if c.Source == "" {
		c.Source = DefaultSource
	}
	var errs []error
	if _, err := url.Parse(c.Source); err != nil {
		errs = append(errs, fmt.Errorf("source %q: must be a URI reference", c.Source))
	}
	if n := len(c.Endpoints); n == 0 || n > maxEndpoints {
		errs = append(errs, fmt.Errorf("endpoints: there must be 1 to %d", maxEndpoints))
	}
	names := map[string]bool{}
	for i := range c.Endpoints {
		e := &c.Endpoints[i]
		for _, err := range e.validate() {
			errs = append(errs, fmt.Errorf("endpoints[%d] %q: %w", i, e.Name, err))
		}
		if names[e.Name] {
			errs = append(errs, fmt.Errorf("endpoints[%d] %q: the name is used twice", i, e.Name))
		}
		names[e.Name] = true
	}
	return c, errors.Join(errs...)
}

// validate returns what is wrong with an endpoint, and completes it. No error contains a key
// or a token, nor the URL, which can be secret.
func (e *Endpoint) validate() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if msgs := validation.IsDNS1123Label(e.Name); len(msgs) > 0 {
		bad("name: %s", msgs[0])
	}
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "":
		bad("url: must be an absolute URL without a fragment")
	case u.User != nil:
		bad("url: must not contain a password; use bearerToken")
	case u.Scheme != "https" && !(u.Scheme == "http" && e.AllowPrivateAddresses):
		bad("url: must begin with https://, or with allowPrivateAddresses http://")
	}
	if n := len(e.Keys); n < 1 || n > 2 {
		bad("keys: there must be one, or two while it is rotated")
	}
	for i, k := range e.Keys {
		if _, err := decodeKey(k); err != nil {
			bad("keys[%d]: %w", i, err)
		}
	}
	if strings.ContainsAny(e.BearerToken, " \r\n\t") {
		bad("bearerToken: must not contain white space")
	}
	if e.Types == nil {
		e.Types = allTypes
	}
	for _, t := range e.Types {
		if !slices.Contains(allTypes, t) {
			bad("types: %q is none of %s", t, strings.Join(allTypes, ", "))
		}
	}
	if e.Notices == nil {
		e.Notices = []metav1.Duration{{Duration: time.Hour}, {Duration: 15 * time.Minute}, {Duration: 5 * time.Minute}}
	}
	for _, n := range e.Notices {
		if n.Duration < time.Second {
			bad("notices: %s must be a second or more", n.Duration)
		}
	}
	if e.CABundle != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(e.CABundle)) {
		bad("caBundle: there is no certificate in it")
	}
	return errs
}

// decodeKey returns the bytes of a key.
func decodeKey(k string) ([]byte, error) {
	coded, ok := strings.CutPrefix(k, keyPrefix)
	if !ok {
		return nil, fmt.Errorf("must begin with %s", keyPrefix)
	}
	b, err := base64.StdEncoding.DecodeString(coded)
	if err != nil || len(b) < minKey || len(b) > maxKey {
		return nil, fmt.Errorf("must be the base64 of %d to %d bytes", minKey, maxKey)
	}
	return b, nil
}

// notices returns the notices of the endpoint.
func (e *Endpoint) notices() []time.Duration {
	out := make([]time.Duration, len(e.Notices))
	for i, n := range e.Notices {
		out[i] = n.Duration
	}
	return out
}
