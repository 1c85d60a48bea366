// SPDX-License-Identifier: Apache-2.0

package attack

// broker lists requests with a stolen broker token. Such a token grants these rights
// and no more. Policies restrict neither reads nor changes to policies: RBAC has to.
var broker = []Row{
	{What: "read a secret in kube-system", Method: get, Path: namespaces + "/kube-system/secrets", Stop: RBAC},
	{What: "read all secrets", Method: get, Path: "/api/v1/secrets", Stop: RBAC},
	{What: "read a tenant's secrets", Method: get, Path: managed + "/secrets", Stop: RBAC},
	{What: "read its certificate", Method: get, Path: namespaces + "/$home/secrets/tenama-serving-cert", Stop: Nothing},
	{What: "read another secret in its namespace", Method: get, Path: namespaces + "/$home/secrets/other", Stop: RBAC},
	{What: "read a tenant's config maps", Method: get, Path: managed + "/configmaps", Stop: RBAC},
	{What: "read a tenant's pods", Method: get, Path: managed + "/pods", Stop: RBAC},
	{What: "read the log of a tenant's pod", Method: get, Path: managed + "/pods/x/log", Stop: RBAC},
	{What: "execute a command in a tenant's pod", Method: post, Path: managed + "/pods/x/exec", Stop: RBAC},
	{What: "run a pod in a tenant's namespace", Method: post, Path: managed + "/pods", Body: pod("", ""), Stop: RBAC},
	{
		What: "run a pod in kube-system", Method: post, Path: namespaces + "/kube-system/pods", Body: pod("", ""), Stop: RBAC,
	},
	{
		What: "mint a token in kube-system", Method: post, Path: namespaces + "/kube-system/serviceaccounts/default/token",
		Body: "{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {audiences: []}}", Stop: RBAC,
	},
	{
		What: "mint a tenant's token", Method: post, Path: managed + "/serviceaccounts/default/token",
		Body: "{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {audiences: []}}", Stop: RBAC,
	},
	{
		What: "impersonate another user", Method: post, Path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
		Body: "{apiVersion: authentication.k8s.io/v1, kind: SelfSubjectReview}", As: "alice", Stop: RBAC,
	},
	{
		What: "impersonate an account of a temporary namespace", Method: post,
		Path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
		Body: "{apiVersion: authentication.k8s.io/v1, kind: SelfSubjectReview}", As: "system:serviceaccount:$managed:theirs",
		Stop: RBAC,
	},
	{What: "read the nodes", Method: get, Path: "/api/v1/nodes", Stop: RBAC},
	{
		What: "reach a Service through the proxy", Method: get, Path: namespaces + "/$plain/services/x:80/proxy/", Stop: RBAC,
	},
	{
		What: "review tokens", Method: post, Path: "/apis/authentication.k8s.io/v1/tokenreviews",
		Body: "{apiVersion: authentication.k8s.io/v1, kind: TokenReview, spec: {token: x}}", Stop: RBAC,
	},
	{
		What: "remove its own policy", Method: del, Path: admission + "/validatingadmissionpolicybindings/tenama-broker",
		Stop: RBAC,
	},
	{
		What: "change its own policy", Method: patch, Path: admission + "/validatingadmissionpolicies/tenama-broker",
		Body: "{spec: {failurePolicy: Ignore}}", Stop: RBAC,
	},
	{What: "read its own policy", Method: get, Path: admission + "/validatingadmissionpolicies/tenama-broker", Stop: RBAC},
	{
		What: "create a webhook", Method: post, Path: admission + "/mutatingwebhookconfigurations",
		Body: "{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: x}}",
		Stop: RBAC,
	},
	{
		What: "widen its own role", Method: patch, Path: rbac + "/clusterroles/tenama:broker", Body: "{rules: []}",
		Stop: RBAC,
	},
	{
		What: "create a role", Method: post, Path: rbac + "/clusterroles",
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}}", Stop: RBAC,
	},
	{
		What: "grant rights in the whole cluster", Method: post, Path: rbac + "/clusterrolebindings",
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: x}, roleRef: " +
			"{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [" + theUser("mallory") + "]}",
		Stop: RBAC,
	},
	{What: "patch a namespace", Method: patch, Path: managed, Body: labels("a: b"), Stop: RBAC},
	{
		What: "write a namespace's status", Method: put, Path: managed + "/status",
		Body: ns("$managed", goodLabels, owned+timed), Stop: RBAC,
	},
	{What: "delete all namespaces", Method: del, Path: namespaces, Stop: RBAC},
	{
		What: "change the registration of another API", Method: put, Path: apiservices + "/v1.apps",
		Body: "{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1.apps}}", Stop: RBAC,
	},
	{
		What: "raise a budget", Method: patch, Path: budgets + "/stage",
		Body: "{spec: {total: {count/temporarynamespaces: 99}}}", Stop: RBAC,
	},
	{What: "change a class", Method: patch, Path: classes + "/default", Body: "{spec: {description: x}}", Stop: RBAC},
	{
		What: "bind cluster-admin to the owner", Method: post, Path: bindings,
		Body: binding("cluster-admin", theUser("alice")), Stop: RBAC,
	},
	{What: "remove the owner's binding", Method: del, Path: bindings + "/tenama:owner", Stop: RBAC},
	{What: "read a tenant's bindings", Method: get, Path: bindings, Stop: RBAC},
	{What: "delete its quota", Method: del, Path: managed + "/resourcequotas/tenama", Stop: RBAC},
	{
		What: "adopt a tenant's quota through its status", Method: put, Path: managed + "/resourcequotas/theirs/status",
		Body: "{apiVersion: v1, kind: ResourceQuota, metadata: {name: theirs, " + mine + "}}", Stop: Containment,
	},
	{
		What: "create a namespace that it owns", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels,
			"tenama.dev/owner: 'system:serviceaccount:$home:$sa', tenama.dev/pod-security: baseline"+timed), Stop: Containment,
	},
	{
		What: "add a quota in default", Method: post, Path: namespaces + "/default/resourcequotas", Body: quota(mine),
		Stop: RBAC,
	},
	{
		What: "create an event in default", Method: post, Path: namespaces + "/default/events", Body: event("default"),
		Stop: RBAC,
	},

	// RBAC has to allow these; policies restrict them to the broker's namespaces.
	{
		What: "create a namespace without the prefix", Method: post, Path: namespaces,
		Body: ns("foo", goodLabels, owned+timed), Stop: Containment,
	},
	{
		What: "adopt default", Method: put, Path: namespaces + "/default", Body: ns("default", goodLabels, owned+timed),
		Stop: Containment,
	},
	{
		What: "change the owner", Method: put, Path: managed,
		Body: ns("$managed", goodLabels, "tenama.dev/owner: mallory"+timed), Stop: Containment,
	},
	{What: "delete a system namespace", Method: del, Path: namespaces + "/kube-node-lease", Stop: Containment},
	{What: "delete an ordinary namespace", Method: del, Path: namespaces + "/$plain", Stop: Containment},
	{
		What: "bind another user in kube-system", Method: post, Path: rbac + "/namespaces/kube-system/rolebindings",
		Body: binding("edit", theUser("mallory")), Stop: Containment,
	},
	{
		What: "bind itself in kube-system", Method: post, Path: rbac + "/namespaces/kube-system/rolebindings",
		Body: binding("edit", account("$home", "$sa")), Stop: Containment,
	},
	{
		What: "bind itself in a temporary namespace", Method: post, Path: bindings,
		Body: binding("admin", account("$home", "$sa")), Stop: Containment,
	},
	{
		What: "bind another user in a temporary namespace", Method: post, Path: bindings,
		Body: binding("admin", theUser("mallory")), Stop: Containment,
	},
	{
		What: "register another API", Method: post, Path: apiservices,
		Body: "{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1.x.test}, spec: {group: " +
			"x.test, version: v1, groupPriorityMinimum: 1, versionPriority: 1, caBundle: YQ==, service: {namespace: $home, " +
			"name: tenama-broker}}}", Stop: Containment,
	},

	// These remain possible.
	{
		What: "create a temporary namespace", Method: post, Path: namespaces, Body: ns("tmp-new", goodLabels, owned+timed),
		Stop: Nothing,
	},
	{What: "delete a temporary namespace", Method: del, Path: managed, Stop: Nothing},
	{
		What: "add a quota in a temporary namespace", Method: post, Path: managed + "/resourcequotas", Body: quota(mine),
		Stop: Nothing,
	},
	{What: "read the names of all namespaces", Method: get, Path: namespaces, Stop: Nothing},
}
