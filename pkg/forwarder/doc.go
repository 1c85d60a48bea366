// SPDX-License-Identifier: Apache-2.0

// Package forwarder sends what happens to temporary namespaces to webhooks: a component of its
// own, because the broker, which has the rights, sends nothing out of the cluster.
//
// The rules it lives by:
//
//   - It is a client of the API as any other: it watches temporarynamespaces, keeps its
//     position in one ConfigMap, and has no other right. The addresses and keys of its
//     endpoints are a file, which the kubelet mounts from a Secret.
//   - A message is sent at least once, also across restarts, with the same id each time. The
//     messages about one namespace are sent in their order.
//   - An endpoint that fails holds up only itself.
//   - A message goes where the configuration says, and nowhere else: no redirects, no proxies,
//     and no private addresses unless the endpoint allows them.
//
// Messages are CDEvents 0.5 in CloudEvents 1.0 (HTTP binding, binary mode), signed as
// Standard Webhooks 1.0.
package forwarder
