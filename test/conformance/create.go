// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"strings"
)

const (
	merge     = "application/merge-patch+json"
	jsonPatch = "application/json-patch+json"
	strategic = "application/strategic-merge-patch+json"
	apply     = "application/apply-patch+yaml"

	otherKind = "As for built-in types: a body of another kind is a bad request (400); for a custom resource it is " +
		"invalid (422)."
	wrongType = "As for built-in types: the body cannot be decoded (400); for a custom resource its schema rejects " +
		"the body (422)."
	asClient = "The client's error is reported as such (400), not as an internal error (500)."
	noMethod = "A method that is not supported is reported as such (405)."
	otherUID = "A patch that names another UID is a conflict (409), as a PUT is."
	asJSON   = "The error itself is encoded as JSON."
	twoSteps = "A namespace is created in two steps, Pending and Ready: a watcher sees ADDED and MODIFIED."
	oneKind  = "details.kind of a conflict is the resource, also for deletions."
	noStatus = "There is no such subresource: only the broker writes the status."
	noCount  = "remainingItemCount is omitted, as in any list with a selector: the list is filtered to the user's " +
		"own namespaces."

	head    = `{"apiVersion":"$GROUP/v1alpha1","kind":"TemporaryNamespace","metadata":{`
	spec    = `},"spec":{"className":"default","ttlSeconds":3600}}`
	more    = `},"spec":{"className":"default","ttlSeconds":7200}}`
	itself  = `"name":"` + Main + `"`
	another = `"name":"tmp-conform-b"`
)

// doubling returns a JSON patch that doubles an object with each operation.
func doubling(n int) string {
	ops := make([]string, n)
	for i := range ops {
		ops[i] = fmt.Sprintf(`{"op":"copy","from":"/spec","path":"/spec/x%d"}`, i)
	}
	return "[" + strings.Join(ops, ",") + "]"
}

// Creates creates Main and two other objects.
var Creates = []Exchange{
	{
		Name: "create", Method: "POST", Path: "?fieldManager=conform",
		Body: head + itself + `,"labels":{"tier":"a"},"annotations":{"note":"x"}` + spec,
	},
	{Name: "create again", Method: "POST", Body: head + itself + spec},
	{
		Name: "create from YAML", Method: "POST", Path: "?fieldManager=conform", Content: "application/yaml",
		Body: "apiVersion: $GROUP/v1alpha1\nkind: TemporaryNamespace\nmetadata: {" + another +
			", labels: {tier: b}}\nspec: {className: default, ttlSeconds: 3600}\n",
	},
	{
		Name: "create with an unknown field, strictly", Method: "POST", Path: "?fieldValidation=Strict",
		Body: head + `"name":"tmp-conform-x"},"spec":{"bogus":1,"ttlSeconds":60}}`,
	},
	{
		Name: "create with a field twice, strictly", Method: "POST", Path: "?fieldValidation=Strict",
		Body: head + `"name":"tmp-conform-x"},"spec":{"ttlSeconds":60,"ttlSeconds":61}}`,
	},
	{
		Name: "create with an unknown field, warned", Method: "POST", Path: "?fieldValidation=Warn&dryRun=All",
		Body: head + `"name":"tmp-conform-x"},"spec":{"className":"default","ttlSeconds":3600,"bogus":1}}`,
	},
	{
		Name: "create with an unknown field", Method: "POST", Path: "?fieldValidation=Ignore&fieldManager=conform",
		Body: head +
			`"name":"tmp-conform-c","labels":{"tier":"b"}},"spec":{"className":"default","ttlSeconds":3600,"bogus":1}}`,
	},
	{
		Name: "create, an unknown validation", Method: "POST", Path: "?fieldValidation=Somewhat",
		Body: head + `"name":"tmp-conform-x"` + spec,
	},
	{
		Name: "create another kind", Method: "POST",
		Body: `{"apiVersion":"$GROUP/v1alpha1","kind":"Secret","metadata":{"name":"tmp-conform-x"}}`, Differs: otherKind,
		Is: "400 Failure BadRequest",
	},
	{
		Name: "create another version", Method: "POST",
		Body: `{"apiVersion":"$GROUP/v9","kind":"TemporaryNamespace","metadata":{"name":"tmp-conform-x"}}`,
	},
	{Name: "create nothing", Method: "POST", Content: "application/json"},
	{Name: "create from a truncated object", Method: "POST", Body: `{"apiVersion":`},
	{
		Name: "create a list", Method: "POST",
		Body: `{"apiVersion":"$GROUP/v1alpha1","kind":"TemporaryNamespaceList","items":[]}`, Differs: otherKind,
		Is: "400 Failure BadRequest",
	},
	{
		Name: "create from protobuf", Method: "POST", Content: protobuf, Body: "k8s\x00",
		Differs: "kube-apiserver aborts the connection; the broker responds with 415.",
		Is:      "415 Failure UnsupportedMediaType",
	},
	{Name: "create from CBOR", Method: "POST", Content: "application/cbor", Body: "\xd9\xd9\xf7\xa0"},
	{Name: "create from text", Method: "POST", Content: "text/plain", Body: "hello"},
	{Name: "create without a name", Method: "POST", Body: head + spec},
	{Name: "create with an invalid name", Method: "POST", Body: head + `"name":"tmp-Conform_X"` + spec},
	{
		Name: "create with an invalid type", Method: "POST",
		Body: head + `"name":"tmp-conform-x"},"spec":{"ttlSeconds":"long"}}`, Differs: wrongType,
		Is: "400 Failure BadRequest",
	},
	{
		Name: "create with an invalid label", Method: "POST",
		Body: head + `"name":"tmp-conform-x","labels":{"a b":"c"}` + spec,
	},
	{
		Name: "create with an invalid annotation", Method: "POST",
		Body: head + `"name":"tmp-conform-x","annotations":{"a b":"c"}` + spec,
	},
	{
		Name: "create with an owner", Method: "POST", Path: "?dryRun=All",
		Body: head + `"name":"tmp-conform-x","ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"n","uid":"u"}]` +
			spec,
	},
	{
		Name: "create with an incomplete owner", Method: "POST",
		Body: head + `"name":"tmp-conform-x","ownerReferences":[{"apiVersion":"v1","kind":"Node"}]` + spec,
	},
	{
		Name: "create with a finalizer", Method: "POST", Path: "?dryRun=All",
		Body: head + `"name":"tmp-conform-x","finalizers":["a.example.test/b"]` + spec,
		Differs: "Finalizers are rejected: the object is a view of its Namespace, and disappears with it. A finalizer " +
			"would let it outlive the expiry.",
		Is: `422 Failure Invalid "tmp-conform-x" kind=TemporaryNamespace group=$GROUP causes=[FieldValueForbidden ` +
			`metadata.finalizers]`,
	},
	{Name: "create in a namespace", Method: "POST", Body: head + `"name":"tmp-conform-x","namespace":"default"` + spec},
	{
		Name: "create with a resourceVersion", Method: "POST",
		Body: head + `"name":"tmp-conform-x","resourceVersion":"1"` + spec, Differs: asClient, Is: "400 Failure BadRequest",
	},
	{
		Name: "create with fields that the server sets", Method: "POST", Path: "?dryRun=All",
		Body: head +
			`"name":"tmp-conform-x","uid":"u","generation":7,"creationTimestamp":"2020-01-01T00:00:00Z",` +
			`"deletionTimestamp":"2020-01-01T00:00:00Z"` + spec,
	},
	{
		Name: "create with a generated name", Method: "POST", Path: "?dryRun=All",
		Body: head + `"generateName":"tmp-conform-"` + spec,
	},
	{
		Name: "create with an invalid generated name", Method: "POST",
		Body: head + `"name":"tmp-conform-x","generateName":"tmp-Conform_"` + spec,
	},
	{
		Name: "create with a status", Method: "POST", Path: "?dryRun=All",
		Body: head +
			`"name":"tmp-conform-x"},"status":{"phase":"Ready","owner":"root"},` +
			`"spec":{"className":"default","ttlSeconds":3600}}`,
	},
	{Name: "create, dry run", Method: "POST", Path: "?dryRun=All", Body: head + `"name":"tmp-conform-x"` + spec},
	{Name: "get after the dry run", Path: "/tmp-conform-x"},
	{
		Name: "create, an invalid dry run", Method: "POST", Path: "?dryRun=Some",
		Body: head + `"name":"tmp-conform-x"` + spec,
	},
	{
		Name: "create by an invalid manager", Method: "POST", Path: "?fieldManager=%00",
		Body: head + `"name":"tmp-conform-x"` + spec,
	},
	{
		Name: "create at a name", Method: "POST", Path: "/" + Main, Body: head + itself + spec, Differs: noMethod,
		Is: "405 Failure MethodNotAllowed",
	},
	{
		Name: "create at /status", Method: "POST", Path: "/" + Main + "/status", Body: head + itself + spec,
		Differs: noStatus, Is: "404 Failure NotFound",
	},
	{
		Name: "create, returned as a table", Method: "POST", Path: "?dryRun=All", Accept: table,
		Body: head + `"name":"tmp-conform-x"` + spec,
	},
	{
		Name: "create, returned as metadata", Method: "POST", Path: "?dryRun=All", Accept: metadata,
		Body: head + `"name":"tmp-conform-x"` + spec,
	},
}
