// SPDX-License-Identifier: Apache-2.0

package conformance

const (
	table    = "application/json;as=Table;v=v1;g=meta.k8s.io"
	metadata = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
	metas    = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
	protobuf = "application/vnd.kubernetes.protobuf"
	future   = "9999999999"
)

// Reads gets, lists and watches Main and two other objects, labelled tier=b.
var Reads = []Exchange{
	{Name: "get", Path: "/" + Main},
	{Name: "head", Method: "HEAD", Path: "/" + Main},
	{Name: "get, with a slash", Path: "/" + Main + "/"},
	{Name: "list, with a slash", Path: "/"},
	{Name: "get, absent", Path: "/tmp-conform-absent"},
	{Name: "get as table", Path: "/" + Main, Accept: table},
	{Name: "get as metadata", Path: "/" + Main, Accept: metadata},
	{Name: "get as YAML", Path: "/" + Main, Accept: "application/yaml"},
	{Name: "get as protobuf", Path: "/" + Main, Accept: protobuf, Differs: asJSON, Is: "406 Failure NotAcceptable"},
	{Name: "get as protobuf, else JSON", Path: "/" + Main, Accept: protobuf + ",application/json"},
	{Name: "get as an unknown kind", Path: "/" + Main, Accept: "application/json;as=Stool;v=v1;g=meta.k8s.io"},
	{Name: "get as HTML", Path: "/" + Main, Accept: "text/html"},
	{Name: "get, any resourceVersion", Path: "/" + Main + "?resourceVersion=0"},
	{Name: "get, at least this resourceVersion", Path: "/" + Main + "?resourceVersion=$RV"},
	{Name: "get, a future resourceVersion", Path: "/" + Main + "?resourceVersion=" + future},
	{
		Name: "get, an invalid resourceVersion", Path: "/" + Main + "?resourceVersion=soon", Differs: asClient,
		Is: "400 Failure BadRequest",
	},
	{Name: "get, pretty", Path: "/" + Main + "?pretty=true"},
	{Name: "get /status", Path: "/" + Main + "/status", Differs: noStatus, Is: "404 Failure NotFound"},
	{Name: "get /scale", Path: "/" + Main + "/scale"},

	{Name: "list", Path: ""},
	{Name: "list as table", Path: "", Accept: table},
	{Name: "list as metadata", Path: "", Accept: metas},
	{Name: "list as YAML", Path: "", Accept: "application/yaml"},
	{Name: "list as protobuf", Path: "", Accept: protobuf, Differs: asJSON, Is: "406 Failure NotAcceptable"},
	{Name: "list, any resourceVersion", Path: "?resourceVersion=0"},
	{Name: "list, any resourceVersion, by name", Path: "?resourceVersion=0&resourceVersionMatch=NotOlderThan"},
	{Name: "list, at least this", Path: "?resourceVersion=$RV&resourceVersionMatch=NotOlderThan"},
	{Name: "list, at least this, by default", Path: "?resourceVersion=$RV"},
	{Name: "list, exactly this", Path: "?resourceVersion=$RV&resourceVersionMatch=Exact"},
	{Name: "list, exactly any", Path: "?resourceVersion=0&resourceVersionMatch=Exact"},
	{Name: "list, a match without a version", Path: "?resourceVersionMatch=Exact"},
	{Name: "list, an unknown match", Path: "?resourceVersion=$RV&resourceVersionMatch=About"},
	{Name: "list, a future version", Path: "?resourceVersion=" + future + "&resourceVersionMatch=NotOlderThan"},
	{Name: "list, exactly a future version", Path: "?resourceVersion=" + future + "&resourceVersionMatch=Exact"},
	{Name: "list, an invalid resourceVersion", Path: "?resourceVersion=soon"},
	{Name: "list, a page", Path: "?limit=1", Differs: noCount, Rewrite: without(" remainingItemCount")},
	{
		Name: "list, the next page", Path: "?limit=1&continue=$CONTINUE", Differs: noCount,
		Rewrite: without(" remainingItemCount"),
	},
	{Name: "list, the last page", Path: "?limit=5&continue=$CONTINUE"},
	{Name: "list, a page of labelled ones", Path: "?limit=1&labelSelector=tier=b"},
	{Name: "list, a page and any resourceVersion", Path: "?limit=1&resourceVersion=0"},
	{Name: "list, an invalid token", Path: "?continue=garbage"},
	{Name: "list, a token and a resourceVersion", Path: "?continue=$CONTINUE&resourceVersion=$RV"},
	{Name: "list, a negative page", Path: "?limit=-1"},
	{Name: "list, an invalid limit", Path: "?limit=many"},
	{Name: "list by label", Path: "?labelSelector=tier%3Db"},
	{Name: "list by label, none", Path: "?labelSelector=tier%3Dz"},
	{Name: "list by labels", Path: "?labelSelector=tier+in+(a,b),!gone"},
	{Name: "list by an invalid selector", Path: "?labelSelector=tier%3D%3D%3D"},
	{Name: "list by name", Path: "?fieldSelector=metadata.name%3D" + Main},
	{Name: "list by other names", Path: "?fieldSelector=metadata.name!%3D" + Main},
	{Name: "list by an unknown field", Path: "?fieldSelector=spec.nothing%3Dx"},
	{Name: "list with initial events", Path: "?sendInitialEvents=true"},

	{Name: "watch from the start", Path: "?watch=1&timeoutSeconds=2&resourceVersion=0"},
	{Name: "watch from now, without a version", Path: "?watch=1&timeoutSeconds=2"},
	{
		Name: "watch from a version on", Path: "?watch=true&timeoutSeconds=2&resourceVersion=$RV", Differs: twoSteps,
		Rewrite: inTwoSteps,
	},
	{
		Name: "watch with initial events",
		Path: "?watch=1&timeoutSeconds=2&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" +
			"&allowWatchBookmarks=true",
	},
	{Name: "watch with initial events, incomplete options", Path: "?watch=1&timeoutSeconds=2&sendInitialEvents=true"},
	{
		Name: "watch with initial events, as tables",
		Path: "?watch=1&timeoutSeconds=2&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" +
			"&allowWatchBookmarks=true",
		Accept: table,
	},
	{Name: "watch as metadata", Path: "?watch=1&timeoutSeconds=2&resourceVersion=0", Accept: metadata},
	{Name: "watch by label", Path: "?watch=1&timeoutSeconds=2&resourceVersion=0&labelSelector=tier%3Db"},
	{Name: "watch by name", Path: "?watch=1&timeoutSeconds=2&resourceVersion=0&fieldSelector=metadata.name%3D" + Main},
	{Name: "watch one", Path: "/" + Main + "?watch=1&timeoutSeconds=2&resourceVersion=0"},
	{Name: "watch as YAML", Path: "?watch=1&timeoutSeconds=2", Accept: "application/yaml"},
	{Name: "watch as tables with an unknown option", Path: "?watch=1&timeoutSeconds=2&includeObject=bogus", Accept: table},
	{
		Name: "watch by label, from a version on",
		Path: "?watch=1&timeoutSeconds=2&resourceVersion=$RV&labelSelector=tier%3Db", Differs: twoSteps, Rewrite: inTwoSteps,
	},
	{Name: "list by two names", Path: "?fieldSelector=metadata.name%3Da%5C,x%3Dy"},
	{
		Name: "watch with initial events by label, from a version on",
		Path: "?watch=1&timeoutSeconds=2&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" +
			"&allowWatchBookmarks=true&resourceVersion=$RV&labelSelector=tier%3Db",
	},
	{
		Name: "watch, an invalid resourceVersion", Path: "?watch=1&timeoutSeconds=2&resourceVersion=soon", Differs: asClient,
		Is: "400 Failure BadRequest",
	},
	{Name: "watch, a future version", Path: "?watch=1&timeoutSeconds=2&resourceVersion=" + future},
	{Name: "watch, exactly", Path: "?watch=1&timeoutSeconds=2&resourceVersion=$RV&resourceVersionMatch=Exact"},
	{
		Name: "watch as protobuf", Path: "?watch=1&timeoutSeconds=2", Accept: protobuf, Differs: asJSON,
		Is: "406 Failure NotAcceptable",
	},
	{Name: "watch, by an invalid selector", Path: "?watch=1&timeoutSeconds=2&labelSelector=tier%3D%3D%3D"},
}
