// SPDX-License-Identifier: Apache-2.0

package attack

const (
	rbac     = "/apis/rbac.authorization.k8s.io/v1"
	bindings = rbac + "/namespaces/$managed/rolebindings"
	mine     = `labels: {tenama.dev/managed: "true"}`
)

// binding returns a RoleBinding of a ClusterRole to subjects.
func binding(role, subjects string) string {
	return "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x, " + mine + "}, " +
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: \"" + role + "\"}, subjects: [" + subjects +
		"]}"
}

func theUser(name string) string {
	return "{kind: User, apiGroup: rbac.authorization.k8s.io, name: \"" + name + "\"}"
}

func theGroup(name string) string {
	return "{kind: Group, apiGroup: rbac.authorization.k8s.io, name: \"" + name + "\"}"
}

func account(ns, name string) string {
	return "{kind: ServiceAccount, namespace: " + ns + ", name: " + name + "}"
}

const manager = "tenama:namespace-manager"

func quota(meta string) string {
	return "{apiVersion: v1, kind: ResourceQuota, metadata: {name: x, " + meta + "}, spec: {hard: {pods: 5}}}"
}

// Inside namespaces the broker binds the recorded owner and adds guard rails;
// everything else is denied.
var brokerAsAdminInside = []Row{
	{
		What: "bind itself to its role", Method: post, Path: bindings, Body: binding(manager, account("$home", "$sa")),
		Stop: Nothing,
	},
	{
		What: "bind the owner to the recorded role", Method: post, Path: bindings, Body: binding("admin", theUser("alice")),
		Stop: Nothing,
	},
	{
		What: "bind the owner to another role", Method: post, Path: bindings, Body: binding("edit", theUser("alice")),
		Stop: Containment,
	},
	{
		What: "bind the owner to cluster-admin", Method: post, Path: bindings,
		Body: binding("cluster-admin", theUser("alice")), Stop: Containment,
	},
	{
		What: "bind the owner to the broker's role", Method: post, Path: bindings, Body: binding(manager, theUser("alice")),
		Stop: Containment,
	},
	{
		What: "bind the owner to a Role", Method: post, Path: bindings,
		Body: `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x, ` + mine +
			`}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: admin}, subjects: [` + theUser("alice") + `]}`,
		Stop: Containment,
	},
	{
		What: "bind another user", Method: post, Path: bindings, Body: binding("admin", theUser("mallory")),
		Stop: Containment,
	},
	{
		What: "bind another user together with the owner", Method: post, Path: bindings,
		Body: binding("admin", theUser("alice")+","+theUser("mallory")), Stop: Containment,
	},
	{
		What: "bind the owner twice", Method: post, Path: bindings,
		Body: binding("admin", theUser("alice")+","+theUser("alice")), Stop: Containment,
	},
	{
		What: "create a binding without subjects", Method: post, Path: bindings, Body: binding("admin", ""),
		Stop: Containment,
	},
	{What: "bind a group", Method: post, Path: bindings, Body: binding("admin", theGroup("devs")), Stop: Containment},
	{
		What: "bind all authenticated users", Method: post, Path: bindings,
		Body: binding("admin", theGroup("system:authenticated")), Stop: Containment,
	},
	{
		What: "bind an account of another namespace", Method: post, Path: bindings,
		Body: binding("admin", account("$plain", "ci")), Stop: Containment,
	},
	{
		What: "bind an account of the namespace", Method: post, Path: bindings,
		Body: binding("admin", account("$managed", "ci")), Stop: Containment,
	},
	{
		What: "bind another account to the broker's role", Method: post, Path: bindings,
		Body: binding(manager, account("$home", "default")), Stop: Containment,
	},
	{
		What: "bind the recorded owner group", Method: post, Path: rbac + "/namespaces/$grouped/rolebindings",
		Body: binding("edit", theGroup("payments")), Stop: Nothing,
	},
	{
		What: "bind another group than the recorded one", Method: post, Path: rbac + "/namespaces/$grouped/rolebindings",
		Body: binding("edit", theGroup("devs")), Stop: Containment,
	},
	{
		What: "bind an account that is the owner", Method: post, Path: rbac + "/namespaces/$piped/rolebindings",
		Body: binding("edit", account("$plain", "ci")), Stop: Nothing,
	},
	{
		What: "bind an owner that is a node", Method: post, Path: rbac + "/namespaces/$noded/rolebindings",
		Body: binding("edit", theUser("system:node:n1")), Stop: Containment,
	},
	{
		What: "bind an owner group of all authenticated users", Method: post, Path: rbac + "/namespaces/$noded/rolebindings",
		Body: binding("edit", theGroup("system:authenticated")), Stop: Containment,
	},
	{
		What: "bind itself as the owner", Method: post, Path: rbac + "/namespaces/$selfowned/rolebindings",
		Body: binding("admin", account("$home", "$sa")), Stop: Containment,
	},
	{
		What: "bind in kube-system", Method: post, Path: rbac + "/namespaces/kube-system/rolebindings",
		Body: binding("edit", theUser("alice")), Stop: Containment,
	},
	{
		What: "bind itself in kube-system", Method: post, Path: rbac + "/namespaces/kube-system/rolebindings",
		Body: binding(manager, account("$home", "$sa")), Stop: Containment,
	},
	{
		What: "bind itself in an unmanaged namespace with the prefix", Method: post,
		Path: rbac + "/namespaces/$manual/rolebindings", Body: binding(manager, account("$home", "$sa")), Stop: Containment,
	},
	{
		What: "bind itself in its own namespace", Method: post, Path: rbac + "/namespaces/$home/rolebindings",
		Body: binding(manager, account("$home", "$sa")), Stop: Containment,
	},
	{
		What: "create a binding without the managed label", Method: post, Path: bindings,
		Body: `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {apiGroup: ` +
			`rbac.authorization.k8s.io, kind: ClusterRole, name: admin}, subjects: [` + theUser("alice") + `]}`,
		Stop: Containment,
	},
	{
		What: "record the guard rails in its own binding", Method: patch, Path: bindings + "/tenama:broker",
		Body: annotations(`tenama.dev/guard-rails: "[]"`), Stop: Nothing,
	},
	{
		What: "label its own binding", Method: patch, Path: bindings + "/tenama:broker", Body: labels("a: b"),
		Stop: Containment,
	},
	{
		What: "add another annotation to its own binding", Method: patch, Path: bindings + "/tenama:broker",
		Body: annotations("a: b"), Stop: Containment,
	},
	{
		What: "change the subjects of its own binding", Method: patch, Path: bindings + "/tenama:broker",
		Body: "{subjects: [" + account("$plain", "ci") + "]}", Stop: Containment,
	},
	{
		What: "change the owner's binding", Method: patch, Path: bindings + "/tenama:owner",
		Body: "{metadata: {labels: {a: b}}}", Stop: Containment,
	},
	{What: "remove the owner's binding", Method: del, Path: bindings + "/tenama:owner", Stop: Containment},

	{What: "add a quota", Method: post, Path: managed + "/resourcequotas", Body: quota(mine), Stop: Nothing},
	{
		What: "add a quota without the managed label", Method: post, Path: managed + "/resourcequotas", Body: quota(""),
		Stop: Containment,
	},
	{
		What: "add a quota in default", Method: post, Path: namespaces + "/default/resourcequotas", Body: quota(mine),
		Stop: Containment,
	},
	{
		What: "restore its quota", Method: patch, Path: managed + "/resourcequotas/tenama",
		Body: "{spec: {hard: {pods: 50}}}", Stop: Nothing,
	},
	{
		What: "remove the managed label from its quota", Method: patch, Path: managed + "/resourcequotas/tenama",
		Body: labels("tenama.dev/managed: null"), Stop: Containment,
	},
	{
		What: "adopt a tenant's quota", Method: patch, Path: managed + "/resourcequotas/theirs",
		Body: labels(`tenama.dev/managed: "true"`), Stop: Containment,
	},
	{What: "delete its quota", Method: del, Path: managed + "/resourcequotas/tenama", Stop: Containment},
	{
		What: "fill the status of its quota", Method: patch, Path: managed + "/resourcequotas/tenama/status",
		Body: "{status: {used: {pods: 1}}}", Stop: Nothing,
	},
	{
		What: "fill the status of a quota in another namespace", Method: patch,
		Path: namespaces + "/$plain/resourcequotas/theirs/status", Body: "{status: {used: {pods: 1}}}", Stop: Containment,
	},
	{
		What: "adopt a tenant's quota through its status", Method: patch, Path: managed + "/resourcequotas/theirs/status",
		Body: labels(`tenama.dev/managed: "true"`), Stop: Containment,
	},
	{
		What: "remove the label of its quota through its status", Method: patch,
		Path: managed + "/resourcequotas/tenama/status", Body: labels("tenama.dev/managed: null"), Stop: Containment,
	},
	{
		What: "annotate its quota through its status", Method: patch, Path: managed + "/resourcequotas/tenama/status",
		Body: annotations("a: b"), Stop: Containment,
	},
	{
		What: "add a quota with a finalizer", Method: post, Path: managed + "/resourcequotas",
		Body: quota(mine + ", finalizers: [x.test/x]"), Stop: Containment,
	},
	{
		What: "remove another controller's finalizer", Method: patch, Path: managed + "/resourcequotas/tenama",
		Body: "{metadata: {finalizers: null}}", Stop: Containment,
	},
	{
		What: "add an owner reference to its quota", Method: patch, Path: managed + "/resourcequotas/tenama",
		Body: "{metadata: {ownerReferences: [{apiVersion: v1, kind: Node, name: x, uid: x}]}}", Stop: Containment,
	},
	{What: "delete a limit range", Method: del, Path: managed + "/limitranges/tenama", Stop: Containment},
	{
		What: "delete the network policy", Method: del,
		Path: "/apis/networking.k8s.io/v1/namespaces/$managed/networkpolicies/tenama", Stop: Containment,
	},
	{
		What: "adopt a tenant's account", Method: patch, Path: managed + "/serviceaccounts/theirs",
		Body: labels(`tenama.dev/managed: "true"`), Stop: Containment,
	},
	{
		What: "create the default account", Method: post, Path: managed + "/serviceaccounts",
		Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}", Stop: Nothing,
	},
	{
		What: "change the default account", Method: patch, Path: managed + "/serviceaccounts/default",
		Body: "{imagePullSecrets: [{name: x}]}", Stop: Containment,
	},
	{
		What: "create an account without the managed label", Method: post, Path: managed + "/serviceaccounts",
		Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}}", Stop: Containment,
	},
	{What: "create an event", Method: post, Path: managed + "/events", Body: event("$managed"), Stop: Nothing},
	{
		What: "create an event in default", Method: post, Path: namespaces + "/default/events", Body: event("default"),
		Stop: Containment,
	},
	{What: "delete the tenant's events", Method: del, Path: managed + "/events/theirs", Stop: Containment},
	{
		What: "mint a token", Method: post, Path: managed + "/serviceaccounts/default/token",
		Body: "{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {audiences: []}}", Stop: Containment,
	},
	{What: "run a pod", Method: post, Path: managed + "/pods", Body: pod("", ""), Stop: Containment},
	{
		What: "create a secret", Method: post, Path: managed + "/secrets",
		Body: "{apiVersion: v1, kind: Secret, metadata: {name: x}}", Stop: Containment,
	},
	{
		What: "create a config map", Method: post, Path: managed + "/configmaps",
		Body: "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}", Stop: Containment,
	},
	{
		What: "create a role", Method: post, Path: rbac + "/namespaces/$managed/roles",
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}}", Stop: Containment,
	},
}

func event(ns string) string {
	return "{apiVersion: v1, kind: Event, metadata: {name: x, namespace: " + ns +
		"}, involvedObject: {kind: Pod, namespace: " + ns + ", name: x}, reason: X, message: x, type: Normal}"
}

// pod returns a pod with additional fields in its metadata and its spec.
func pod(meta, spec string) string {
	return "{apiVersion: v1, kind: Pod, metadata: {name: x" + meta + "}, spec: {containers: [{name: c, image: c}]" + spec +
		"}}"
}
