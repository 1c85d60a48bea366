// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"tenama.dev/tenama/pkg/broker/serving"
)

// health serves the probes of the kubelet. It has no TLS and no authentication, so it
// listens on a separate port and reveals no user data.
//
// A broker that is not contained stays ready: it still answers reads and
// discovery, and a Service without a ready endpoint would block the deletion of
// every namespace of the cluster. /readyz reports the state, /readyz/contained
// fails, and requests for changes fail.
type health struct {
	serving          atomic.Bool // the API serves the resource
	stopping         atomic.Bool
	contained        func() error // returns nil while the broker is contained
	allowUncontained bool         // allow changes while the broker is not contained
	certificate      atomic.Pointer[serving.Certificate]
}

func (h *health) handler() http.Handler {
	answer := func(w http.ResponseWriter, ok bool, text string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprintln(w, text)
	}
	m := http.NewServeMux()
	m.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, true, "ok") })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		var expired error
		if c := h.certificate.Load(); c != nil {
			expired = c.Valid()
		}
		switch err := h.contained(); {
		case h.stopping.Load():
			answer(w, false, "stopping")
		case !h.serving.Load():
			answer(w, false, "starting")
		case expired != nil: // kube-apiserver would reject it; another replica may have a valid one
			answer(w, false, expired.Error())
		case err != nil && h.allowUncontained:
			answer(w, true, "ok, but not contained: "+err.Error())
		case err != nil:
			answer(w, true, "ok, but read-only: "+err.Error())
		default:
			answer(w, true, "ok")
		}
	})
	m.HandleFunc("GET /readyz/contained", func(w http.ResponseWriter, _ *http.Request) {
		if err := h.contained(); err != nil {
			answer(w, false, err.Error())
			return
		}
		answer(w, true, "ok")
	})
	return m
}
