// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/registry"
)

// listDeadline bounds a list, from its arrival. kube-apiserver gives up after a minute.
const listDeadline = 55 * time.Second

// lists bounds the memory that lists take. Each one occupies a share of listBytes, by the
// size of what it reads, and at most that of a page: a longer list is sent page by page
// while it is read, so its length does not matter.
type lists struct {
	http.Handler // answers lists and watches, in one piece
	bytes        func(context.Context) (int, error)
	shares, long slots
	log          *slog.Logger
}

func newLists(handler http.Handler, tns *registry.Registry) *lists {
	return &lists{Handler: handler, bytes: tns.ListBytes, shares: slots{max: listBytes, maxPerUser: listBytesPerUser},
		long: slots{max: maxLongLists, maxPerUser: maxLongPerUser}, log: tns.Log}
}

// ServeHTTP implements http.Handler.
func (l *lists) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if info, ok := request.RequestInfoFrom(r.Context()); ok && longRunning(r, info) {
		l.Handler.ServeHTTP(w, r)
		return
	}
	arrived, ok := request.ReceivedTimestampFrom(r.Context())
	if !ok {
		arrived = time.Now()
	}
	ctx, cancel := context.WithDeadline(r.Context(), arrived.Add(listDeadline))
	defer cancel()
	r = r.WithContext(ctx)
	size, err := l.bytes(ctx)
	if err != nil {
		responsewriters.ErrorNegotiated(err, codecs, v1alpha1.GroupVersion, w, r)
		return
	}
	long := size > registry.PageBytes && unlimited(r.URL.Query()) && r.Method == http.MethodGet
	if user, exempt := requester(r); !exempt {
		release, why := l.acquire(user, size, long)
		if why != "" {
			responsewriters.ErrorNegotiated(apierrors.NewTooManyRequests(why, 1), codecs, v1alpha1.GroupVersion, w, r)
			return
		}
		defer release()
	}
	if !long {
		l.Handler.ServeHTTP(w, r)
		return
	}
	if err := l.stream(w, r); err != nil { // the client must not take what it has for the whole
		level := slog.LevelWarn
		if errors.Is(ctx.Err(), context.Canceled) { // the client has gone
			level = slog.LevelDebug
		}
		l.log.Log(ctx, level, "A list broke off", "err", err)
		panic(http.ErrAbortHandler)
	}
}

// acquire occupies what a list needs, or returns why that is not possible.
func (l *lists) acquire(user string, size int, long bool) (release func(), why string) {
	share := min(max(size, leastListBytes), registry.PageBytes)
	if why := l.shares.acquire(user, share); why != "" || !long {
		return func() { l.shares.release(user, share) }, why
	}
	if why := l.long.acquire(user, 1); why != "" {
		l.shares.release(user, share)
		return nil, why
	}
	return func() { l.long.release(user, 1); l.shares.release(user, share) }, ""
}

// stream answers a list without a limit by pages, one after the other. It returns an error
// if the answer has begun and cannot be completed. Only JSON can be sent so.
func (l *lists) stream(w http.ResponseWriter, r *http.Request) error {
	accept := acceptJSON(r.Header.Values("Accept"))
	if accept == "" {
		refusal := apierrors.NewGenericServerResponse(http.StatusNotAcceptable, r.Method,
			v1alpha1.Resource.GroupResource(), "", "", 0, false)
		refusal.ErrStatus.Message = "so long a list can only be sent as application/json, or with a limit"
		responsewriters.ErrorNegotiated(refusal, codecs, v1alpha1.GroupVersion, w, r)
		return nil
	}
	query := pageQuery(r.URL.Query())
	out := listWriter{w: w}
	for {
		page, answer := l.page(r, query.Encode(), accept)
		switch {
		case page == nil && !out.begun:
			answer.copyTo(w)
			return nil
		case page == nil:
			return fmt.Errorf("read a page: %d %.200s", answer.code, answer.body.Bytes())
		}
		if err := out.write(page); err != nil {
			return err
		}
		if page.Continue == "" {
			return out.close()
		}
		query.Set("continue", page.Continue)
		query.Del("resourceVersion")
		query.Del("resourceVersionMatch")
	}
}

// unlimited reports whether a list has no limit that counts.
func unlimited(q url.Values) bool {
	limit := q.Get("limit")
	return limit == "" || limit == "0" || q.Get("resourceVersion") == "0" && q.Get("resourceVersionMatch") != "Exact"
}

// pageQuery returns the query for the first page of a list without a limit.
func pageQuery(q url.Values) url.Values {
	o := registry.Pageable(metav1.ListOptions{Continue: q.Get("continue"), ResourceVersion: q.Get("resourceVersion"),
		ResourceVersionMatch: metav1.ResourceVersionMatch(q.Get("resourceVersionMatch"))})
	q.Set("limit", fmt.Sprint(registry.MaxPage))
	for key, value := range map[string]string{"continue": o.Continue, "resourceVersion": o.ResourceVersion,
		"resourceVersionMatch": string(o.ResourceVersionMatch)} {
		if q.Del(key); value != "" {
			q.Set(key, value)
		}
	}
	return q
}

// page asks the handler for one page. It returns nil, and the answer of the handler, if that
// is no page.
func (l *lists) page(r *http.Request, query, accept string) (*listPage, *answer) {
	r = r.Clone(r.Context())
	r.URL.RawQuery = query
	r.Header.Set("Accept", accept)
	r.Header.Del("Accept-Encoding")
	a := &answer{header: http.Header{}, code: http.StatusOK}
	l.Handler.ServeHTTP(a, r)
	if a.code != http.StatusOK {
		return nil, a
	}
	page, err := readPage(a.body.Bytes())
	if err != nil {
		return nil, a
	}
	return page, a
}

// acceptJSON returns the clauses of an Accept header that allow JSON; empty if none does.
// The metadata client prefers protobuf.
func acceptJSON(header []string) string {
	var kept []string
	clauses := strings.Split(strings.Join(header, ","), ",")
	for _, clause := range clauses {
		switch mediaType, _, _ := strings.Cut(clause, ";"); strings.TrimSpace(mediaType) {
		case runtime.ContentTypeJSON, "application/*", "*/*", "":
			kept = append(kept, cmp.Or(strings.TrimSpace(clause), "*/*"))
		}
	}
	return strings.Join(kept, ",")
}
