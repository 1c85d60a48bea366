// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/warning"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/version"
	"tenama.dev/tenama/pkg/broker/auth"
)

const requestDeadline = 30 * time.Second

// filter returns a handler that passes every request through the filters, outermost
// first, to the router.
func filter(router http.Handler, proxy *auth.FrontProxy, authz authorizer.Authorizer, state *health,
	now func() time.Time, log *slog.Logger) http.Handler {
	info := &request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"),
		GrouplessAPIPrefixes: sets.NewString("api")}
	h := router
	for _, f := range slices.Backward([]func(http.Handler) http.Handler{
		func(h http.Handler) http.Handler { return withHeaders(h, now) },
		filters.WithAuditInit,
		func(h http.Handler) http.Handler { return withPanicRecovery(h, log) },
		filters.WithRequestReceivedTimestamp,
		func(h http.Handler) http.Handler { return filters.WithRequestInfo(h, info) },
		filters.WithLatencyTrackers,
		filters.WithCacheControl,
		func(h http.Handler) http.Handler {
			return filters.WithRequestDeadline(h, nil, nil, setsOwnDeadline, codecs, requestDeadline)
		},
		filters.WithWarningRecorder,
		func(h http.Handler) http.Handler {
			return filters.WithAuthentication(h, proxy.Authenticator, filters.Unauthorized(codecs), nil, proxy.Headers)
		},
		withInFlightLimit,
		func(h http.Handler) http.Handler { return withAuthorization(h, authz, log) },
		func(h http.Handler) http.Handler { return untilServing(h, state) },
		func(h http.Handler) http.Handler { return whileContained(h, state) },
		withDepthLimit,
	}) {
		h = f(h)
	}
	return h
}

func longRunning(_ *http.Request, info *request.RequestInfo) bool { return info.Verb == "watch" }

// setsOwnDeadline reports whether the handler of a request bounds its duration.
func setsOwnDeadline(r *http.Request, info *request.RequestInfo) bool {
	return longRunning(r, info) || info.Verb == "list"
}

// withHeaders sets the Date header to the time of kube-apiserver, which forwards the header
// to clients: they compare it with the expiry. It also sets the version of the broker.
func withHeaders(next http.Handler, now func() time.Time) http.Handler {
	version := version.Get().Version
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
		w.Header().Set(v1alpha1.HeaderVersion, version)
		next.ServeHTTP(w, r)
	})
}

// withAuthorization repeats the authorization that kube-apiserver did before it proxied
// the request. It differs from filters.WithAuthorization if the authorizer fails: then
// its error names the missing rights of the broker.
func withAuthorization(next http.Handler, authz authorizer.Authorizer, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attributes, err := filters.GetAuthorizerAttributes(r.Context())
		if err != nil {
			responsewriters.InternalError(w, r, err)
			return
		}
		decision, reason, err := authz.Authorize(r.Context(), attributes)
		if err != nil && decision != authorizer.DecisionAllow && r.Context().Err() == nil {
			user, _ := requester(r)
			log.Warn("Access review failed", "user", user, "verb", attributes.GetVerb(), "err", err,
				"auditID", string(audit.GetAuditIDTruncated(r.Context())))
		}
		switch {
		case decision == authorizer.DecisionAllow:
			next.ServeHTTP(w, r)
		case apierrors.IsForbidden(err):
			refusal := apierrors.NewServiceUnavailable("the broker lacks the rights of ClusterRole \"tenama:broker\": check " +
				"that deploy/ is installed completely, and that there is no other installation (" + err.Error() + ")")
			refuse(w, r, refusal)
		case err != nil:
			refuse(w, r, apierrors.NewServiceUnavailable("the access review failed; try again"))
		default:
			responsewriters.Forbidden(attributes, w, r, reason, codecs)
		}
	})
}

// untilServing answers resource requests with 503 until the caches are filled.
func untilServing(next http.Handler, state *health) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if info, ok := request.RequestInfoFrom(r.Context()); ok && info.IsResourceRequest && !state.serving.Load() {
			refuse(w, r, apierrors.NewServiceUnavailable("the broker is starting; try again"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// whileContained passes only reads while the policies do not contain the broker. With
// --allow-uncontained it passes all requests, with a warning.
func whileContained(next http.Handler, state *health) http.Handler {
	reads := sets.NewString("get", "list", "watch")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, ok := request.RequestInfoFrom(r.Context())
		if !ok || !info.IsResourceRequest || reads.Has(info.Verb) {
			next.ServeHTTP(w, r)
			return
		}
		switch err := state.contained(); {
		case err == nil:
		case state.allowUncontained:
			warning.AddWarning(r.Context(), "", "the broker is not contained, and runs with --allow-uncontained: "+err.Error())
		default:
			// No Retry-After: clients would retry, but an administrator must act first.
			refusal := apierrors.NewServiceUnavailable("the broker changes nothing while it is not contained: " + err.Error() +
				" (for administrators: docs/security.md, \"When the broker is not contained\")")
			refusal.ErrStatus.Details = &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: v1alpha1.CauseNotContained,
				Message: err.Error()}}}
			refuse(w, r, refusal)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers with an error instead of passing the request on. The metrics count creations
// that end here, too.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	info, ok := request.RequestInfoFrom(r.Context())
	if ok && info.IsResourceRequest && info.Verb == "create" && !r.URL.Query().Has("dryRun") {
		recordCreation(err, 0)
	}
	responsewriters.ErrorNegotiated(err, codecs, v1alpha1.GroupVersion, w, r)
}

// withPanicRecovery turns a panic into an InternalError, and logs it with its stack.
func withPanicRecovery(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // it is compared by identity in net/http, too
				panic(p)
			}
			log.Error("Handler panicked", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p), "stack",
				string(debug.Stack()))
			responsewriters.ErrorNegotiated(apierrors.NewInternalError(fmt.Errorf("internal error; see the log of the broker")),
				codecs, v1alpha1.GroupVersion, w, r)
		}()
		next.ServeHTTP(w, r)
	})
}
