// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"
	"sync/atomic"
)

// health answers the kubelet. It has no TLS and no authentication, so it lies
// on a port of its own and says nothing but yes or no.
type health struct {
	serving  atomic.Bool // the API answers
	stopping atomic.Bool
}

func (h *health) handler() http.Handler {
	answer := func(w http.ResponseWriter, ok bool, why string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(why + "\n"))
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	}
	m := http.NewServeMux()
	m.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, true, "") })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case h.stopping.Load():
			answer(w, false, "stopping")
		default:
			answer(w, h.serving.Load(), "starting")
		}
	})
	return m
}
