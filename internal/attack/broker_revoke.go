// SPDX-License-Identifier: Apache-2.0

package attack

// The broker may delete RoleBindings and ServiceAccounts where the deletion of a
// namespace hangs: in a namespace that it created and that is being deleted. The rows
// below try to delete them, and other objects, anywhere else.

const (
	ending      = "/api/v1/namespaces/$ending"
	endingRBAC  = rbac + "/namespaces/$ending"
	notItsOwn   = "?fieldSelector=metadata.name!=tenama:broker"
	leaving     = "/api/v1/namespaces/$leaving"
	leavingRBAC = rbac + "/namespaces/$leaving"
)

var brokerAsAdminRevoke = []Row{
	{
		What: "delete the bindings of a namespace that is being deleted", Method: del,
		Path: endingRBAC + "/rolebindings" + notItsOwn, Stop: Nothing,
	},
	{
		What: "delete the accounts of a namespace that is being deleted", Method: del, Path: ending + "/serviceaccounts",
		Stop: Nothing,
	},
	{
		What: "delete a binding in a namespace that is being deleted", Method: del,
		Path: endingRBAC + "/rolebindings/theirs", Stop: Nothing,
	},
	{
		What: "delete an account in a namespace that is being deleted", Method: del,
		Path: ending + "/serviceaccounts/theirs", Stop: Nothing,
	},
	{
		What: "delete all bindings of a namespace that is being deleted, with its own", Method: del,
		Path: endingRBAC + "/rolebindings", Stop: Containment,
	},
	{
		What: "delete its own binding in a namespace that is being deleted", Method: del,
		Path: endingRBAC + "/rolebindings/tenama:broker", Stop: Containment,
	},
	{
		What: "remove a finalizer from a binding in a namespace that is being deleted", Method: patch,
		Path: endingRBAC + "/rolebindings/theirs", Body: metadata("finalizers: null"), Stop: Containment,
	},
	{
		What: "change who a binding in a namespace that is being deleted names", Method: patch,
		Path: endingRBAC + "/rolebindings/theirs", Body: "{subjects: [" + theUser("mallory") + "]}", Stop: Containment,
	},
	{
		What: "delete a quota in a namespace that is being deleted", Method: del, Path: ending + "/resourcequotas/theirs",
		Stop: Containment,
	},
	{
		What: "delete a config map in a namespace that is being deleted", Method: del, Path: ending + "/configmaps/theirs",
		Stop: Containment,
	},
	{
		What: "delete the bindings of a living namespace", Method: del, Path: bindings + notItsOwn, Stop: Containment,
	},
	{
		What: "delete a tenant's binding in a living namespace", Method: del, Path: bindings + "/theirs",
		Stop: Containment,
	},
	{
		What: "delete the owner's binding in a living namespace", Method: del, Path: bindings + "/tenama:owner",
		Stop: Containment,
	},
	{
		What: "delete the accounts of a living namespace", Method: del, Path: managed + "/serviceaccounts",
		Stop: Containment,
	},
	{
		What: "delete an account in a living namespace", Method: del, Path: managed + "/serviceaccounts/theirs",
		Stop: Containment,
	},
	{
		What: "delete the bindings of an ordinary namespace that is being deleted", Method: del,
		Path: leavingRBAC + "/rolebindings", Stop: Containment,
	},
	{
		What: "delete a binding in an ordinary namespace that is being deleted", Method: del,
		Path: leavingRBAC + "/rolebindings/theirs", Stop: Containment,
	},
	{
		What: "delete an account in an ordinary namespace that is being deleted", Method: del,
		Path: leaving + "/serviceaccounts/theirs", Stop: Containment,
	},
	{
		What: "delete the bindings of its own namespace", Method: del, Path: rbac + "/namespaces/$home/rolebindings",
		Stop: Containment,
	},
	{
		What: "delete the accounts of kube-system", Method: del, Path: "/api/v1/namespaces/kube-system/serviceaccounts",
		Stop: Containment,
	},
	{
		What: "say that the access to a namespace was revoked", Method: patch, Path: managed,
		Body: metadata(`annotations: {tenama.dev/access-revoked: "2026-01-01T00:00:00Z"}`), Stop: Nothing,
	},
}

// With its own token the broker may delete collections, and only inside its namespaces.
var brokerRevoke = []Row{
	{
		What: "delete the bindings of a living namespace", Method: del, Path: bindings + notItsOwn, Stop: Containment,
	},
	{
		What: "delete the accounts of a living namespace", Method: del, Path: managed + "/serviceaccounts",
		Stop: Containment,
	},
	{
		What: "delete the bindings of a namespace that is being deleted", Method: del,
		Path: endingRBAC + "/rolebindings" + notItsOwn, Stop: Nothing,
	},
	{
		What: "delete the accounts of a namespace that is being deleted", Method: del, Path: ending + "/serviceaccounts",
		Stop: Nothing,
	},
	{What: "delete a tenant's binding", Method: del, Path: bindings + "/theirs", Stop: RBAC},
	{What: "delete a tenant's account", Method: del, Path: managed + "/serviceaccounts/theirs", Stop: RBAC},
	{What: "list the bindings of a namespace", Method: get, Path: bindings, Stop: RBAC},
	{What: "list the accounts of a namespace", Method: get, Path: managed + "/serviceaccounts", Stop: RBAC},
	{What: "delete the pods of a namespace", Method: del, Path: managed + "/pods", Stop: RBAC},
	{What: "delete the secrets of a namespace", Method: del, Path: managed + "/secrets", Stop: RBAC},
	{
		What: "delete the bindings of an ordinary namespace that is being deleted", Method: del,
		Path: leavingRBAC + "/rolebindings", Stop: RBAC,
	},
	{
		What: "delete the bindings of an ordinary namespace", Method: del, Path: rbac + "/namespaces/$plain/rolebindings",
		Stop: RBAC,
	},
	{
		What: "delete the accounts of kube-system", Method: del, Path: "/api/v1/namespaces/kube-system/serviceaccounts",
		Stop: RBAC,
	},
}
