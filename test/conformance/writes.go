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

// Updates changes Main.
var Updates = []Exchange{
	{Name: "get before", Path: "/" + Main},
	{Name: "put without a resourceVersion", Method: "PUT", Path: "/" + Main, Body: head + itself + spec},
	{
		Name: "put", Method: "PUT", Path: "/" + Main + "?fieldManager=conform",
		Body: head + itself + `,"resourceVersion":"$RV","labels":{"tier":"a","put":"1"}` + spec,
	},
	{
		Name: "put the same", Method: "PUT", Path: "/" + Main + "?fieldManager=conform",
		Body: head + itself + `,"resourceVersion":"$RV","labels":{"tier":"a","put":"1"}` + spec,
	},
	{Name: "put an old one", Method: "PUT", Path: "/" + Main, Body: head + itself + `,"resourceVersion":"$STALE"` + spec},
	{
		Name: "put another one", Method: "PUT", Path: "/" + Main,
		Body: head + itself + `,"resourceVersion":"$RV","uid":"00000000-0000-0000-0000-000000000000"` + spec,
	},
	{
		Name: "put at another name", Method: "PUT", Path: "/" + Main,
		Body: head + another + `,"resourceVersion":"$RV"` + spec,
	},
	{Name: "put without a name", Method: "PUT", Path: "/" + Main, Body: head + `"resourceVersion":"$RV"` + spec},
	{
		Name: "put, absent", Method: "PUT", Path: "/tmp-conform-absent",
		Body: head + `"name":"tmp-conform-absent","resourceVersion":"1"` + spec,
	},
	{
		Name: "put a spec", Method: "PUT", Path: "/" + Main + "?fieldManager=conform",
		Body: head + itself + `,"resourceVersion":"$RV"` + more,
	},
	{
		Name: "put a status", Method: "PUT", Path: "/" + Main + "?fieldManager=conform",
		Body: head + itself +
			`,"resourceVersion":"$RV"},"status":{"owner":"root"},"spec":{"className":"default","ttlSeconds":7200}}`,
	},
	{
		Name: "put fields that the server sets", Method: "PUT", Path: "/" + Main + "?fieldManager=conform",
		Body: head + itself + `,"resourceVersion":"$RV","generation":99,"creationTimestamp":"2020-01-01T00:00:00Z"` + more,
	},
	{
		Name: "put, dry run", Method: "PUT", Path: "/" + Main + "?dryRun=All&fieldManager=conform",
		Body: head + itself + `,"resourceVersion":"$RV","labels":{"dry":"1"}` + more,
	},
	{Name: "get after", Path: "/" + Main},

	{
		Name: "merge a label", Method: "PATCH", Path: "/" + Main + "?fieldManager=conform", Content: merge,
		Body: `{"metadata":{"labels":{"merged":"1"}}}`,
	},
	{
		Name: "merge it again", Method: "PATCH", Path: "/" + Main + "?fieldManager=conform", Content: merge,
		Body: `{"metadata":{"labels":{"merged":"1"}}}`,
	},
	{
		Name: "merge a removal", Method: "PATCH", Path: "/" + Main + "?fieldManager=conform", Content: merge,
		Body: `{"metadata":{"labels":{"merged":null}}}`,
	},
	{
		Name: "merge with this version", Method: "PATCH", Path: "/" + Main + "?fieldManager=conform", Content: merge,
		Body: `{"metadata":{"resourceVersion":"$RV","annotations":{"a":"b"}}}`,
	},
	{
		Name: "merge with an old version", Method: "PATCH", Path: "/" + Main, Content: merge,
		Body: `{"metadata":{"resourceVersion":"$STALE","annotations":{"a":"c"}}}`,
	},
	{
		Name: "merge without a version", Method: "PATCH", Path: "/" + Main, Content: merge,
		Body: `{"metadata":{"resourceVersion":null,"annotations":{"a":"c"}}}`,
	},
	{
		Name: "merge another UID", Method: "PATCH", Path: "/" + Main, Content: merge,
		Body: `{"metadata":{"uid":"00000000-0000-0000-0000-000000000000"}}`, Differs: otherUID, Is: "409 Failure Conflict",
	},
	{
		Name: "merge another name", Method: "PATCH", Path: "/" + Main, Content: merge,
		Body: `{"metadata":{"name":"tmp-conform-z"}}`,
	},
	{
		Name: "merge an unknown field, strictly", Method: "PATCH", Path: "/" + Main + "?fieldValidation=Strict",
		Content: merge, Body: `{"spec":{"bogus":1}}`,
	},
	{
		Name: "merge an unknown field, warned", Method: "PATCH",
		Path: "/" + Main + "?fieldValidation=Warn&fieldManager=conform", Content: merge, Body: `{"spec":{"bogus":1}}`,
	},
	{
		Name: "merge an invalid type", Method: "PATCH", Path: "/" + Main, Content: merge,
		Body: `{"spec":{"ttlSeconds":"long"}}`,
		Differs: "As for built-in types: a patch that changes the type of a field is rejected as a whole (422); for a " +
			"custom resource the error names the field.", Is: "422 Failure Invalid",
	},
	{Name: "merge a truncated patch", Method: "PATCH", Path: "/" + Main, Content: merge, Body: `{"metadata":`},
	{
		Name: "merge a deletion", Method: "PATCH", Path: "/" + Main, Content: merge,
		Body: `{"metadata":{"deletionTimestamp":"2020-01-01T00:00:00Z"}}`,
	},
	{
		Name: "JSON patch that doubles", Method: "PATCH", Path: "/" + Main + "?dryRun=All", Content: jsonPatch,
		Body: doubling(20),
	},
	{Name: "merge nothing", Method: "PATCH", Path: "/" + Main, Content: merge, Body: `{}`},
	{
		Name: "merge, absent", Method: "PATCH", Path: "/tmp-conform-absent", Content: merge,
		Body: `{"metadata":{"labels":{"a":"b"}}}`,
	},
	{
		Name: "JSON patch", Method: "PATCH", Path: "/" + Main + "?fieldManager=conform", Content: jsonPatch,
		Body: `[{"op":"test","path":"/metadata/name","value":"` + Main +
			`"},{"op":"add","path":"/metadata/labels","value":{"tier":"a"}}]`,
	},
	{
		Name: "JSON patch whose test fails", Method: "PATCH", Path: "/" + Main, Content: jsonPatch,
		Body: `[{"op":"test","path":"/metadata/name","value":"x"}]`,
	},
	{
		Name: "JSON patch of an absent field", Method: "PATCH", Path: "/" + Main, Content: jsonPatch,
		Body: `[{"op":"remove","path":"/spec/nothing"}]`,
	},
	{Name: "JSON patch, invalid", Method: "PATCH", Path: "/" + Main, Content: jsonPatch, Body: `{"op":"remove"}`},
	{
		Name: "strategic merge patch", Method: "PATCH", Path: "/" + Main, Content: strategic,
		Body: `{"metadata":{"labels":{"a":"b"}}}`,
	},
	{Name: "patch of an unknown type", Method: "PATCH", Path: "/" + Main, Content: "application/json", Body: `{}`},
	{
		Name: "patch the collection", Method: "PATCH", Content: merge, Body: `{}`, Differs: noMethod,
		Is: "405 Failure MethodNotAllowed",
	},
	{Name: "put the collection", Method: "PUT", Body: `{}`, Differs: noMethod, Is: "405 Failure MethodNotAllowed"},

	{
		Name: "apply without a manager", Method: "PATCH", Path: "/" + Main, Content: apply,
		Body: head + itself + `,"labels":{"applied":"1"}}}`,
	},
	{
		Name: "apply", Method: "PATCH", Path: "/" + Main + "?fieldManager=one", Content: apply,
		Body: head + itself + `,"labels":{"applied":"1"}}}`,
	},
	{
		Name: "apply the same", Method: "PATCH", Path: "/" + Main + "?fieldManager=one", Content: apply,
		Body: head + itself + `,"labels":{"applied":"1"}}}`,
	},
	{
		Name: "apply a field of another manager", Method: "PATCH", Path: "/" + Main + "?fieldManager=two", Content: apply,
		Body: head + itself + `,"labels":{"applied":"2"}}}`,
	},
	{
		Name: "apply it by force", Method: "PATCH", Path: "/" + Main + "?fieldManager=two&force=true", Content: apply,
		Body: head + itself + `,"labels":{"applied":"2"}}}`,
	},
	{
		Name: "apply less", Method: "PATCH", Path: "/" + Main + "?fieldManager=two", Content: apply,
		Body: head + itself + `}}`,
	},
	{
		Name: "apply an unknown field", Method: "PATCH", Path: "/" + Main + "?fieldManager=one", Content: apply,
		Body: head + itself + `},"spec":{"bogus":1}}`,
	},
	{
		Name: "apply without a kind", Method: "PATCH", Path: "/" + Main + "?fieldManager=one", Content: apply,
		Body: `{"metadata":{` + itself + `}}`,
	},
	{
		Name: "apply at another name", Method: "PATCH", Path: "/" + Main + "?fieldManager=one", Content: apply,
		Body: head + another + `}}`,
	},
	{
		Name: "apply managed fields", Method: "PATCH", Path: "/" + Main + "?fieldManager=one", Content: apply,
		Body: head + itself + `,"managedFields":[{"manager":"x"}]}}`,
	},
	{
		Name: "apply dry, to create", Method: "PATCH", Path: "/tmp-conform-x?fieldManager=one&dryRun=All", Content: apply,
		Body: head + `"name":"tmp-conform-x"` + spec,
	},
	{
		Name: "apply, absent, with a resourceVersion", Method: "PATCH",
		Path: "/tmp-conform-x?fieldManager=one&dryRun=All", Content: apply,
		Body: head + `"name":"tmp-conform-x","resourceVersion":"7"` + spec,
	},
	{
		Name: "apply, absent, with a UID", Method: "PATCH", Path: "/tmp-conform-x?fieldManager=one&dryRun=All",
		Content: apply, Body: head + `"name":"tmp-conform-x","uid":"u"` + spec, Differs: otherUID, Is: "409 Failure Conflict",
	},
	{
		Name: "apply a status", Method: "PATCH", Path: "/" + Main + "?fieldManager=one", Content: apply,
		Body: head + itself + `},"status":{"owner":"root"}}`,
	},
	{Name: "get after apply", Path: "/" + Main},
}

// Deletes deletes all three objects.
var Deletes = []Exchange{
	{Name: "delete, absent", Method: "DELETE", Path: "/tmp-conform-absent"},
	{
		Name: "delete another one", Method: "DELETE", Path: "/" + Main,
		Body: `{"preconditions":{"uid":"00000000-0000-0000-0000-000000000000"}}`, Differs: oneKind,
		Rewrite: replaced("kind=TemporaryNamespace", "kind=temporarynamespaces"),
	},
	{
		Name: "delete an old version", Method: "DELETE", Path: "/" + Main, Body: `{"preconditions":{"resourceVersion":"1"}}`,
		Differs: oneKind, Rewrite: replaced("kind=TemporaryNamespace", "kind=temporarynamespaces"),
	},
	{Name: "delete, dry run", Method: "DELETE", Hold: true, Path: "/" + Main + "?dryRun=All"},
	{Name: "delete, an invalid dry run", Method: "DELETE", Path: "/" + Main + "?dryRun=Some"},
	{Name: "delete with an invalid policy", Method: "DELETE", Path: "/" + Main + "?propagationPolicy=Sideways"},
	{
		Name: "delete with two policies", Method: "DELETE", Path: "/" + Main,
		Body: `{"propagationPolicy":"Background","orphanDependents":true}`,
	},
	{
		Name: "delete and orphan", Method: "DELETE", Path: "/" + Main + "?propagationPolicy=Orphan&dryRun=All",
		Differs: "Orphan is rejected: the contents of a namespace are always deleted with it, and no finalizer could " +
			"delay the deletion until dependents in other places are orphaned.", Is: "400 Failure BadRequest",
	},
	{
		Name: "delete with options of another kind", Method: "DELETE", Path: "/" + Main,
		Body: `{"apiVersion":"v1","kind":"Secret"}`,
	},
	{Name: "delete with truncated options", Method: "DELETE", Path: "/" + Main, Body: `{"preconditions":`},
	{Name: "delete a collection, none", Method: "DELETE", Path: "?labelSelector=tier%3Dz"},
	{Name: "delete a collection, dry run", Method: "DELETE", Path: "?labelSelector=tier%3Db&dryRun=All"},
	{Name: "list after the dry run", Path: "?labelSelector=tier"},
	{
		Name: "delete", Method: "DELETE", Hold: true, Path: "/" + Main,
		Body: `{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"$UID","resourceVersion":"$RV"},` +
			`"propagationPolicy":"Background"}`,
	},
	{Name: "delete it again", Method: "DELETE", Path: "/" + Main},
	{
		Name: "delete an old version during the deletion", Method: "DELETE", Path: "/" + Main,
		Body: `{"preconditions":{"resourceVersion":"1"}}`, Differs: oneKind,
		Rewrite: replaced("kind=TemporaryNamespace", "kind=temporarynamespaces"),
	},
	{Name: "get during the deletion", Path: "/" + Main},
	{
		Name: "label during the deletion", Method: "PATCH", Path: "/" + Main + "?dryRun=All", Content: merge,
		Body:    `{"metadata":{"labels":{"late":"1"}}}`,
		Differs: "A namespace that is being deleted cannot be changed (409): an extension would have no effect.",
		Is:      `409 Failure Conflict "tmp-conform-main" kind=temporarynamespaces group=$GROUP causes=[] retry=true`,
	},
	{
		Name: "create during the deletion", Method: "POST", Body: head + itself + spec,
		Differs: "Conflict, with the time to wait, instead of AlreadyExists: the name becomes free within seconds.",
		Is:      `409 Failure Conflict "tmp-conform-main" kind=temporarynamespaces group=$GROUP causes=[] retry=true`,
	},
	{
		Name: "delete in the foreground", Method: "DELETE", Hold: true,
		Path: "/tmp-conform-b?propagationPolicy=Foreground",
	},
	{Name: "delete the rest", Method: "DELETE", Path: "?labelSelector=tier"},
}
