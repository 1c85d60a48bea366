// SPDX-License-Identifier: Apache-2.0

package conformance

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
