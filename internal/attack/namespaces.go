// SPDX-License-Identifier: Apache-2.0

package attack

const (
	get, post, put, patch, del = "GET", "POST", "PUT", "PATCH", "DELETE"

	namespaces = "/api/v1/namespaces"
	managed    = "/api/v1/namespaces/$managed"
)

// ns returns a namespace like those that the broker creates, with the given metadata.
func ns(name, labels, annotations string) string {
	return "{apiVersion: v1, kind: Namespace, metadata: {name: " + name + ", labels: {" + labels + "}, annotations: {" +
		annotations + "}}}"
}

const (
	goodLabels = `tenama.dev/managed: "true", pod-security.kubernetes.io/enforce: baseline`
	owned      = `tenama.dev/owner: alice, tenama.dev/owner-role: admin, tenama.dev/pod-security: baseline`
	timed      = `, tenama.dev/ttl-seconds: "60", tenama.dev/max-ttl-seconds: "600"`
)

func labels(kv string) string      { return "{metadata: {labels: {" + kv + "}}}" }
func annotations(kv string) string { return "{metadata: {annotations: {" + kv + "}}}" }
