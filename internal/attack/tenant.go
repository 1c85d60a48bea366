// SPDX-License-Identifier: Apache-2.0

package attack

const (
	policies = "/apis/networking.k8s.io/v1/namespaces/$managed/networkpolicies"
	openAll  = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open}, spec: {podSelector: " +
		"{}, ingress: [{}], egress: [{}], policyTypes: [Ingress, Egress]}}"
)

// tenant lists requests that are the same for tenants with edit and with admin.
var tenant = []Row{
	{
		What: "raise the maximum TTL", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: RBAC,
	},
	{What: "label the namespace", Method: patch, Path: managed, Body: labels("istio-injection: enabled"), Stop: RBAC},
	{
		What: "lower pod security", Method: patch, Path: managed,
		Body: labels("pod-security.kubernetes.io/enforce: privileged"), Stop: RBAC,
	},
	{What: "delete the namespace directly", Method: del, Path: managed, Stop: RBAC},
	{What: "create a namespace", Method: post, Path: namespaces, Body: ns("tmp-other", "", ""), Stop: RBAC},
	{What: "list all namespaces", Method: get, Path: namespaces, Stop: RBAC},
	{What: "read another tenant's namespace", Method: get, Path: namespaces + "/$grouped", Stop: RBAC},
	{What: "read another tenant's secrets", Method: get, Path: namespaces + "/$grouped/secrets", Stop: RBAC},
	{What: "delete the quota", Method: del, Path: managed + "/resourcequotas/tenama", Stop: RBAC},
	{
		What: "change the quota", Method: patch, Path: managed + "/resourcequotas/tenama",
		Body: "{spec: {hard: {pods: 500}}}", Stop: RBAC,
	},
	{
		What: "change the status of the quota", Method: patch, Path: managed + "/resourcequotas/tenama/status",
		Body: "{status: {used: {pods: 0}}}", Stop: RBAC,
	},
	{What: "delete the limit range", Method: del, Path: managed + "/limitranges/tenama", Stop: RBAC},
	{
		What: "add a limit range", Method: post, Path: managed + "/limitranges",
		Body: "{apiVersion: v1, kind: LimitRange, metadata: {name: x}, spec: {limits: [{type: Container, " +
			"default: {cpu: 64}}]}}", Stop: RBAC,
	},
	{
		What: "create a network policy that allows everything", Method: post, Path: policies, Body: openAll, Stop: GuardRails,
	},
	{
		What: "change the default network policy", Method: patch, Path: policies + "/tenama", Body: "{spec: {ingress: [{}]}}",
		Stop: GuardRails,
	},
	{What: "delete the default network policy", Method: del, Path: policies + "/tenama", Stop: GuardRails},
	{What: "delete all network policies", Method: del, Path: policies, Stop: GuardRails},
	{
		What: "create a network policy where the class allows it", Method: post,
		Path: "/apis/networking.k8s.io/v1/namespaces/$open/networkpolicies", Body: openAll, Stop: Nothing,
	},
	{
		What: "delete the default network policy there", Method: del,
		Path: "/apis/networking.k8s.io/v1/namespaces/$open/networkpolicies/tenama", Stop: GuardRails,
	},
	{
		What: "change the default network policy there", Method: patch,
		Path: "/apis/networking.k8s.io/v1/namespaces/$open/networkpolicies/tenama", Body: "{spec: {ingress: [{}]}}",
		Stop: GuardRails,
	},
	{
		What: "create a network policy of another kind", Method: post,
		Path: "/apis/net.example.test/v1/namespaces/$managed/networkpolicies",
		Body: "{apiVersion: net.example.test/v1, kind: NetworkPolicy, metadata: {name: open}}", Stop: GuardRails,
	},
	{
		What: "create an account with the managed label", Method: post, Path: managed + "/serviceaccounts",
		Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: x, " + mine + "}}", Stop: GuardRails,
	},
	{
		What: "add the managed label to an account", Method: patch, Path: managed + "/serviceaccounts/theirs",
		Body: labels(`tenama.dev/managed: "true"`), Stop: GuardRails,
	},
	{
		What: "run a pod with the capability SYS_ADMIN", Method: post, Path: managed + "/pods",
		Body: "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: c, image: c, securityContext: " +
			"{capabilities: {add: [SYS_ADMIN]}}}]}}", Stop: PodSecurity,
	},
	{
		What: "run a pod in the host's network", Method: post, Path: managed + "/pods", Body: pod("", ", hostNetwork: true"),
		Stop: PodSecurity,
	},
	{
		What: "run a pod that mounts the host's disk", Method: post, Path: managed + "/pods",
		Body: pod("", ", volumes: [{name: v, hostPath: {path: /}}]"), Stop: PodSecurity,
	},
	{
		What: "run a pod with an hour of grace period", Method: post, Path: managed + "/pods",
		Body: pod("", ", terminationGracePeriodSeconds: 3600"), Stop: GuardRails,
	},
	{
		What: "run a pod with a finalizer", Method: post, Path: managed + "/pods", Body: pod(", finalizers: [x.test/x]", ""),
		Stop: GuardRails,
	},
	{
		What: "create an account with a finalizer", Method: post, Path: managed + "/serviceaccounts",
		Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: x, finalizers: [x.test/x]}}", Stop: GuardRails,
	},
	{
		What: "delete a pod with a year of grace period", Method: del, Path: managed + "/pods/theirs",
		Body: "{apiVersion: v1, kind: DeleteOptions, gracePeriodSeconds: 31536000, dryRun: [All]}", Stop: GuardRails,
	},
	{
		What: "delete all pods with a year of grace period", Method: del, Path: managed + "/pods",
		Body: "{apiVersion: v1, kind: DeleteOptions, gracePeriodSeconds: 31536000, dryRun: [All]}", Stop: GuardRails,
	},
	{
		What: "evict a pod with a year of grace period", Method: post, Path: managed + "/pods/theirs/eviction",
		Body: "{apiVersion: policy/v1, kind: Eviction, metadata: {name: theirs}, deleteOptions: {gracePeriodSeconds: " +
			"31536000, dryRun: [All]}}", Stop: GuardRails,
	},
	{
		What: "delete a pod in the foreground", Method: del, Path: managed + "/pods/theirs",
		Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Foreground, dryRun: [All]}", Stop: GuardRails,
	},
	{
		What: "delete all pods in the foreground", Method: del, Path: managed + "/pods",
		Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Foreground, dryRun: [All]}", Stop: GuardRails,
	},
	{
		What: "delete a pod and orphan its dependents", Method: del, Path: managed + "/pods/theirs",
		Body: "{apiVersion: v1, kind: DeleteOptions, orphanDependents: true, dryRun: [All]}", Stop: GuardRails,
	},
	{
		What: "evict a pod in the foreground", Method: post, Path: managed + "/pods/theirs/eviction",
		Body: "{apiVersion: policy/v1, kind: Eviction, metadata: {name: theirs}, deleteOptions: {propagationPolicy: " +
			"Foreground, dryRun: [All]}}", Stop: GuardRails,
	},
	{
		What: "delete a pod in the background", Method: del, Path: managed + "/pods/theirs",
		Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Background, dryRun: [All]}", Stop: Nothing,
	},
	{
		What: "add a finalizer to the network policy", Method: patch, Path: policies + "/tenama",
		Body: "{metadata: {finalizers: [x.test/x]}}", Stop: Nothing,
	},
	{
		What: "delete a pod with a minute of grace period", Method: del, Path: managed + "/pods/theirs",
		Body: "{apiVersion: v1, kind: DeleteOptions, gracePeriodSeconds: 60, dryRun: [All]}", Stop: Nothing,
	},
	{What: "delete a pod", Method: del, Path: managed + "/pods/theirs", Stop: Nothing},
	{
		What: "evict a pod", Method: post, Path: managed + "/pods/theirs/eviction",
		Body: "{apiVersion: policy/v1, kind: Eviction, metadata: {name: theirs}, deleteOptions: {dryRun: [All]}}",
		Stop: Nothing,
	},
	{
		What: "create a Service with an external IP", Method: post, Path: managed + "/services",
		Body: "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {externalIPs: [192.0.2.1], ports: [{port: 80}]}}",
		Stop: GuardRails,
	},
	{
		What: "create a Service", Method: post, Path: managed + "/services",
		Body: "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{port: 80}]}}", Stop: Nothing,
	},
	{
		What: "run a pod with a system priority class", Method: post, Path: managed + "/pods",
		Body: pod("", ", priorityClassName: system-node-critical"), Stop: GuardRails,
	},
	{What: "run a pod", Method: post, Path: managed + "/pods", Body: pod("", ""), Stop: Nothing},
	{
		What: "create an account", Method: post, Path: managed + "/serviceaccounts",
		Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}}", Stop: Nothing,
	},
	{
		What: "mint a token of an account", Method: post, Path: managed + "/serviceaccounts/theirs/token",
		Body: "{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {audiences: []}}", Stop: Nothing,
	},
	{
		What: "change the broker's role", Method: patch, Path: rbac + "/clusterroles/tenama:namespace-manager",
		Body: "{rules: []}", Stop: RBAC,
	},
}

var tenantEdit = []Row{
	{What: "bind another user", Method: post, Path: bindings, Body: mate(theUser("frank")), Stop: RBAC},
	{What: "remove the broker's binding", Method: del, Path: bindings + "/tenama:broker", Stop: RBAC},
}

func mate(subject string) string {
	return "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {apiGroup: " +
		"rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [" + subject + "]}"
}

var tenantAdmin = []Row{
	{What: "bind another user", Method: post, Path: bindings, Body: mate(theUser("frank")), Stop: Nothing},
	{What: "bind a group", Method: post, Path: bindings, Body: mate(theGroup("devs")), Stop: Nothing},
	{
		What: "bind an account of another namespace", Method: post, Path: bindings, Body: mate(account("$plain", "ci")),
		Stop: Nothing,
	},
	{
		What: "bind all accounts of the namespace", Method: post, Path: bindings,
		Body: mate(theGroup("system:serviceaccounts:$managed")), Stop: Nothing,
	},
	{
		What: "bind all authenticated users", Method: post, Path: bindings, Body: mate(theGroup("system:authenticated")),
		Stop: GuardRails,
	},
	{
		What: "bind all unauthenticated users", Method: post, Path: bindings, Body: mate(theGroup("system:unauthenticated")),
		Stop: GuardRails,
	},
	{
		What: "bind all accounts of the cluster", Method: post, Path: bindings,
		Body: mate(theGroup("system:serviceaccounts")), Stop: GuardRails,
	},
	{
		What: "bind all accounts of another namespace", Method: post, Path: bindings,
		Body: mate(theGroup("system:serviceaccounts:kube-system")), Stop: GuardRails,
	},
	{
		What: "add all authenticated users to a binding", Method: patch, Path: bindings + "/theirs",
		Body: "{subjects: [" + theGroup("system:authenticated") + "]}", Stop: GuardRails,
	},
	{
		What: "bind the anonymous user", Method: post, Path: bindings, Body: mate(theUser("system:anonymous")),
		Stop: GuardRails,
	},
	{What: "bind a node", Method: post, Path: bindings, Body: mate(theUser("system:node:n1")), Stop: GuardRails},
	{
		What: "bind an account by its user name", Method: post, Path: bindings,
		Body: mate(theUser("system:serviceaccount:$plain:ci")), Stop: Nothing,
	},
	{What: "remove the broker's binding", Method: del, Path: bindings + "/tenama:broker", Stop: GuardRails},
	{
		What: "change the record of guard rails", Method: patch, Path: bindings + "/tenama:broker",
		Body: annotations("tenama.dev/guard-rails: '[]'"), Stop: RBAC,
	},
	{What: "remove the owner's binding", Method: del, Path: bindings + "/tenama:owner", Stop: GuardRails},
	{What: "remove another binding", Method: del, Path: bindings + "/theirs", Stop: Nothing},
	{
		What: "create a binding with the managed label", Method: post, Path: bindings,
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x, " + mine +
			"}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [" + theUser("frank") +
			"]}", Stop: GuardRails,
	},
	{
		What: "bind cluster-admin", Method: post, Path: bindings,
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {apiGroup: " +
			"rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [" + theUser("alice") + "]}",
		Stop: RBAC,
	},
	{
		What: "create a role that may change quotas", Method: post, Path: rbac + "/namespaces/$managed/roles",
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}, rules: [{apiGroups: [''], " +
			"resources: [resourcequotas], verbs: ['*']}]}", Stop: RBAC,
	},
	{
		What: "create a role", Method: post, Path: rbac + "/namespaces/$managed/roles",
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}, rules: [{apiGroups: [''], " +
			"resources: [pods], verbs: [get]}]}", Stop: Nothing,
	},
	{
		What: "create a role with a finalizer", Method: post, Path: rbac + "/namespaces/$managed/roles",
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x, finalizers: [x.test/x]}}",
		Stop: GuardRails,
	},
	{
		What: "delete a binding in the foreground", Method: del, Path: bindings + "/theirs",
		Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Foreground, dryRun: [All]}", Stop: GuardRails,
	},
	{
		What: "create a binding with a finalizer", Method: post, Path: bindings,
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x, finalizers: [x.test/x]}, " +
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [" + theUser("frank") +
			"]}", Stop: GuardRails,
	},
}
