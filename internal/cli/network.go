// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"

	"k8s.io/client-go/rest"
)

// pageError is a response of a proxy or of a login page: kube-apiserver sends no HTML, except
// with a redirection.
type pageError struct{ status string }

func (e *pageError) Error() string {
	return "the response is a web page (" + e.status + "), not of the Kubernetes API"
}

// pageFilter is a RoundTripper that turns web pages into errors.
type pageFilter struct{ http.RoundTripper }

func (t pageFilter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err != nil || resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return resp, err
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/html" {
		return resp, nil
	}
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection can be used again
	resp.Body.Close()
	return nil, &pageError{resp.Status}
}

// rejectPages makes requests fail that a proxy or a login page answers.
func rejectPages(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return pageFilter{next} })
}

// explainNetwork describes why the cluster cannot be reached, and what may help.
func explainNetwork(err *url.Error) (line, hint string) {
	var page *pageError
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	cause := err.Err
	switch {
	case errors.As(err, &page):
		hint = "a proxy or a login page answers for this address: look at it in a browser, or log in again, as for kubectl"
	case errors.As(err, &dial) && dial.Op == "proxyconnect":
		cause = fmt.Errorf("connect to the proxy: %w", dial.Err)
		hint = "the proxy is that of --proxy-url, of proxy-url in the kubeconfig, or of HTTPS_PROXY; NO_PROXY lists hosts " +
			"without one"
	case errors.As(err, &dial):
		cause = dial.Err
	case errors.As(err, &certificate):
		hint = "the kubeconfig has the certificate authority of another cluster, or a proxy presents a certificate of its own"
	}
	return fmt.Sprintf("error: cannot reach the cluster at %s: %v", host(err.URL), cause), hint
}
