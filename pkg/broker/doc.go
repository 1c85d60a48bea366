// SPDX-License-Identifier: Apache-2.0

// Package broker serves API group tenama.dev behind kube-apiserver: the paths,
// the handlers, and how the parts are put together, started and stopped.
//
// The rules it lives by:
//
//   - routes.go is the only list of paths. Any other path returns a metav1.Status.
//   - Authentication wraps the router. Middleware of the router would run only for
//     matched routes, and an unknown path must not skip authentication.
//   - RequestInfo parses the verb and name of a request once, so that routing and
//     authorization cannot disagree.
//   - Discovery and OpenAPI are static: they answer from the start, to all users,
//     and never with 404, which kube-apiserver would cache.
//   - registry imports lifecycle; both import guardrails and nscache. denial imports
//     none. The other packages below this one do not import one another; build.go
//     connects them.
package broker
