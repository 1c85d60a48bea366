// SPDX-License-Identifier: Apache-2.0

// Package broker serves API group tenama.dev behind kube-apiserver: the paths,
// the handlers, and how the parts are put together, started and stopped.
//
// The rules it lives by:
//
//   - routes.go is the only list of paths. Everything else is a metav1.Status.
//   - Authentication wraps the router. Middleware of the router would run on
//     matched routes alone, and an unknown path must not be an open one.
//   - The meaning of a request (verb, name) is read once, by RequestInfo, so that
//     routing and authorization cannot disagree.
//   - Discovery and OpenAPI are static: they answer from the first moment, to
//     everybody, and never with 404, which kube-apiserver would remember.
//   - The packages below this one do not know one another; they meet here.
package broker
