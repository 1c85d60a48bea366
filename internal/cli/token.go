// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/rest"
)

// claims is what a JSON Web Token says (RFC 7519). Nothing of it is verified here, and each
// claim may have any type: a wrong one can be why the token is rejected.
type claims map[string]json.RawMessage

// maxClaim bounds what is printed of a claim.
const maxClaim = 120

// parseToken returns the claims of a token, or nil if it is not a JSON Web Token.
func parseToken(token string) claims {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var c claims
	if json.Unmarshal(b, &c) != nil {
		return nil
	}
	return c
}

// text returns a claim as it is printed, or "" if it is absent or empty.
func (c claims) text(name string) string {
	text := string(c[name])
	if text == "" || text == `""` || text == "null" || text == "[]" {
		return ""
	}
	if len(text) > maxClaim {
		text = strings.ToValidUTF8(text[:maxClaim], "") + "..."
	}
	return text
}

// time returns a claim that is a time, in seconds since 1970.
func (c claims) time(name string) (time.Time, bool) {
	var seconds float64
	if json.Unmarshal(c[name], &seconds) != nil || seconds <= 0 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// shown are the claims that are printed, with the words for them: what issuers and the rules of
// kube-apiserver distinguish the jobs of GitLab and GitHub by.
var shown = []struct{ claim, word string }{
	{"iss", "issuer"}, {"aud", "audience"}, {"project_path", "project"}, {"repository", "repository"}, {"ref", "ref"},
	{"event_name", "event"},
}

// rejectedToken says what is known about a token that the server does not accept, or returns
// "". kube-apiserver gives no reason to users; what their own token says, they may know. now is
// the time of the server.
func rejectedToken(token string, now time.Time) (line, hint string) {
	c := parseToken(token)
	if c == nil || c.text("iss") == "" {
		return "", ""
	}
	const refused = "error: the server does not accept the token (Unauthorized): "
	const leeway = time.Minute // of kube-apiserver, for the beginning
	if expiry, ok := c.time("exp"); ok && now.After(expiry) {
		return refused + fmt.Sprintf("it expired %s ago, at %s", duration.HumanDuration(now.Sub(expiry)),
			expiry.UTC().Format(time.RFC3339)), "log in again, or get a new token; the token of a job is valid for minutes"
	}
	if begin, ok := c.time("nbf"); ok && now.Add(leeway).Before(begin) {
		return refused + "it is valid only from " + begin.UTC().Format(time.RFC3339),
			"compare the clock of the issuer with that of the cluster"
	}
	var subject string
	_ = json.Unmarshal(c["sub"], &subject)
	if account, ok := strings.CutPrefix(subject, "system:serviceaccount:"); ok {
		return refused + fmt.Sprintf("it is one of ServiceAccount %q", strings.Replace(account, ":", "/", 1)),
			"the account, its namespace, or the Secret of the token may have been deleted: get a new token"
	}
	var said []string
	for _, s := range shown {
		if text := c.text(s.claim); text != "" {
			said = append(said, s.word+" "+text)
		}
	}
	if c.text("project_path")+c.text("repository") == "" {
		said = append(said, "subject "+c.text("sub"))
	}
	return refused + "it has " + strings.Join(said, ", "), "an administrator finds the reason in the log of " +
		"kube-apiserver, and compares this with the issuers, audiences and rules in its --authentication-config"
}

// tokenOf returns the token that a configuration sends, or "". A file that is not a regular one
// cannot be read twice.
func tokenOf(config *rest.Config) string {
	if config.BearerTokenFile == "" {
		return config.BearerToken
	}
	if i, err := os.Stat(config.BearerTokenFile); err != nil || !i.Mode().IsRegular() {
		return ""
	}
	b, err := os.ReadFile(config.BearerTokenFile)
	if err != nil {
		return ""
	}
	return string(b)
}

// rejectedLogin explains why the server does not accept the login in use, if that is a token
// which says so; otherwise it returns "".
func (f *factory) rejectedLogin() (line, hint string) {
	config, err := f.config()
	if err != nil {
		return "", ""
	}
	now := time.Now()
	if f.firstClient != nil {
		now = f.firstClient.Now()
	}
	return rejectedToken(tokenOf(config), now)
}
