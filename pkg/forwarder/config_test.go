// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A wrong configuration is refused as a whole, with everything that is wrong, and without the
// keys, which would end up in a log.
func TestParseConfig(t *testing.T) {
	valid := "endpoints:\n- {name: chat, url: https://example.com/hook, keys: [" + newKey + "]}\n"
	keys := func(k string) string { return strings.ReplaceAll(valid, newKey, k) }
	more := func(fields string) string { return strings.ReplaceAll(valid, "]}", "], "+fields+"}") }
	at := func(url string) string { return strings.ReplaceAll(valid, "https://example.com/hook", url) }
	for name, row := range map[string]struct{ yaml, want string }{
		"valid":             {valid, ""},
		"two keys":          {keys(newKey + ", " + oldKey), ""},
		"empty":             {"", "endpoints: there must be 1 to 8"},
		"unknown field":     {"endpoints: []\nretries: 3\n", `unknown field "retries"`},
		"not YAML":          {"{", "read the configuration"},
		"the name twice":    {valid + strings.TrimPrefix(valid, "endpoints:\n"), "the name is used twice"},
		"no TLS":            {at("http://example.com"), "must begin with https://"},
		"another scheme":    {at("ftp://example.com/x"), "must begin with https://"},
		"no host":           {at("https:///hook"), "must be an absolute URL"},
		"a password":        {at("https://u:secret@example.com"), "must not contain a password"},
		"no keys":           {"endpoints: [{name: a, url: https://example.com}]", "there must be one, or two"},
		"a short key":       {keys("whsec_c2VjcmV0"), "keys[0]: must be the base64"},
		"another key":       {keys("secret"), "keys[0]: must begin with whsec_"},
		"a name":            {strings.ReplaceAll(valid, "chat", "Chat_1"), "name: "},
		"an unknown type":   {more("types: [made]"), `types: "made" is none of created, modified`},
		"a notice":          {more("notices: [0s]"), "notices: 0s must be a second or more"},
		"a notice in words": {more("notices: [soon]"), "read the configuration"},
		"a certificate":     {more("caBundle: x"), "caBundle: there is no certificate"},
		"a token":           {more("bearerToken: a b"), "bearerToken: must not contain white space"},
	} {
		c, err := ParseConfig([]byte(row.yaml))
		switch {
		case row.want == "" && err != nil, row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		case err == nil && (len(c.Endpoints[0].Types) != 4 || c.Endpoints[0].notices()[2] != 5*time.Minute):
			t.Errorf("%s: defaults: %+v", name, c.Endpoints[0])
		case err != nil && (strings.Contains(err.Error(), newKey) || strings.Contains(err.Error(), "c2VjcmV0") ||
			strings.Contains(err.Error(), "secret@")):
			t.Errorf("%s: the error reveals a secret: %v", name, err)
		}
	}
}

// A message must not reach what only the inside of the cluster can reach.
func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.215.14": true, "2606:2800:21f:cb07:6820:80da:af6b:8b2c": true,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "0.0.0.0": false, "::": false, "10.96.0.1": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false, "fe80::1": false,
		"fd00::1": false, "100.64.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "ff02::1": false,
		"255.255.255.255": false, "240.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false,
		"64:ff9b::a00:1": false, "2002:a00:1::": false, "192.0.0.1": false, "fec0::1": false, "0.1.2.3": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: public is %t", address, got)
		}
	}
}

// The address counts that a name has, and it is checked for each connection.
func TestPrivateAddress(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, strings.Replace(r.URL, "127.0.0.1", "localhost", 1), nil, nil)
	s.sender.client.Transport = &http.Transport{DialContext: dialer(false).DialContext} // as without allowPrivateAddresses
	m, err := newMessage(DefaultSource, created, "", s.clock, describe(namespace("a", nil)))
	if err != nil {
		t.Fatal(err)
	}
	err = s.sender.send(t.Context(), m, DefaultSource, s.clock)
	if err == nil || !strings.Contains(err.Error(), errPrivate.Error()) || r.requests() != 0 {
		t.Fatalf("err %v, %d requests", err, r.requests())
	}
	if strings.Contains(err.Error(), "localhost") {
		t.Errorf("the error reveals the URL: %v", err)
	}
}
