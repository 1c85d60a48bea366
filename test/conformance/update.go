// SPDX-License-Identifier: Apache-2.0

package conformance

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
