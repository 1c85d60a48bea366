// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// requestTimeout bounds one request, as Standard Webhooks suggest.
const requestTimeout = 20 * time.Second

// Causes of failed requests.
var (
	// errGone means that the receiver wants no more messages (410).
	errGone = errors.New("the endpoint is gone (410)")
	// errRejected means that the receiver does not accept this message, and would not accept
	// it later.
	errRejected = errors.New("the endpoint does not accept the message")
)

// retryLater is the error of a request that may be repeated after a time that the receiver set.
type retryLater struct {
	error
	after time.Duration // 0 if it set none
}

// sender sends messages to one endpoint.
type sender struct {
	url    string
	token  string
	keys   [][]byte
	client *http.Client
}

// newSender returns a sender for an endpoint that was validated.
func newSender(e *Endpoint) (*sender, error) {
	s := &sender{url: e.URL, token: e.BearerToken}
	for _, k := range e.Keys {
		key, err := decodeKey(k)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, key)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if e.CABundle != "" {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM([]byte(e.CABundle))
	}
	s.client = &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{ // without Proxy: the addresses would be the proxy's
			DialContext: dialer(e.AllowPrivateAddresses).DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true,
			MaxIdleConns: 2, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// send sends a message once. Errors: errGone, errRejected, *retryLater.
func (s *sender) send(ctx context.Context, m *message, source string, now time.Time) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(m.body))
	if err != nil {
		return &retryLater{error: errors.New("the URL is invalid")}
	}
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "tenama-forwarder")
	h.Set("ce-specversion", "1.0")
	h.Set("ce-id", m.id)
	h.Set("ce-source", source)
	h.Set("ce-type", eventTypes[m.kind])
	h.Set("ce-subject", m.name)
	h.Set("ce-time", m.at.UTC().Format(time.RFC3339))
	h.Set("webhook-id", m.id)
	h.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	h.Set("webhook-signature", s.sign(m, now))
	if s.token != "" {
		h.Set("Authorization", "Bearer "+s.token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text has the URL, which can be secret
			err = u.Err
		}
		return &retryLater{error: err}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return judge(resp, now)
}

// judge returns what the answer of a receiver means.
func judge(resp *http.Response, now time.Time) error {
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusGone:
		return errGone
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge,
		code == http.StatusUnsupportedMediaType, code == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w (%d)", errRejected, code)
	case code >= 300 && code < 400:
		return &retryLater{error: fmt.Errorf("the endpoint redirects (%d), which is not followed", code)}
	default:
		return &retryLater{fmt.Errorf("the endpoint answers %d", code), retryAfter(resp.Header.Get("Retry-After"), now)}
	}
}

// retryAfter reads the header of that name: seconds, or a date (RFC 9110 section 10.2.3).
func retryAfter(v string, now time.Time) time.Duration {
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// sign returns the signatures of a message, one for each key (Standard Webhooks, "Signature
// scheme": symmetric, v1).
func (s *sender) sign(m *message, now time.Time) string {
	var out []string
	for _, key := range s.keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.", m.id, now.Unix())
		mac.Write(m.body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(out, " ")
}
