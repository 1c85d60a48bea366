// SPDX-License-Identifier: Apache-2.0

package attack

// operator lists requests of a user who manages the namespaces of a cluster. Such a
// user may neither make temporary namespaces nor change the metadata that makes a
// namespace temporary.
var operator = []Row{
	{What: "make an ordinary namespace", Method: post, Path: namespaces, Body: ns("ordinary", "", ""), Stop: Nothing},
	{What: "label an ordinary namespace", Method: patch, Path: namespaces + "/$plain", Body: labels("team: a"), Stop: Nothing},
	{What: "squat on a name", Method: post, Path: namespaces, Body: ns("tmp-squat", "", ""), Stop: Keys},
	{What: "imitate a temporary namespace", Method: post, Path: namespaces, Body: ns("imitation", goodLabels, owned+timed), Stop: Keys},
	{What: "imitate one by annotations", Method: post, Path: namespaces, Body: ns("imitation", "", "tenama.dev/owner: bob"), Stop: Keys},
	{What: "turn a namespace into a temporary one", Method: patch, Path: namespaces + "/$plain", Body: labels(`tenama.dev/managed: "true"`), Stop: Keys},
	{What: "annotate a namespace with an owner", Method: patch, Path: namespaces + "/$plain", Body: annotations("tenama.dev/owner: bob"), Stop: Keys},
	{What: "become the owner", Method: patch, Path: managed, Body: annotations("tenama.dev/owner: bob"), Stop: Keys},
	{What: "lengthen the lifetime", Method: patch, Path: managed, Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: Keys},
	{What: "remove the lifetime", Method: patch, Path: managed, Body: annotations("tenama.dev/ttl-seconds: null"), Stop: Keys},
	{What: "lengthen it through /status", Method: patch, Path: managed + "/status", Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: Keys},
	{What: "lengthen it through /finalize", Method: put, Path: managed + "/finalize", Body: ns("$managed", goodLabels, owned+`, tenama.dev/ttl-seconds: "60", tenama.dev/max-ttl-seconds: "99999999"`), Stop: Keys},
	{What: "release it", Method: patch, Path: managed, Body: labels("tenama.dev/managed: null"), Stop: Keys},
	{What: "release it through /status", Method: patch, Path: managed + "/status", Body: labels("tenama.dev/managed: null"), Stop: Keys},
	{What: "change its class", Method: patch, Path: managed, Body: labels("tenama.dev/class: big"), Stop: Keys},
	{What: "let users set mesh labels", Method: patch, Path: managed, Body: annotations(`tenama.dev/user-keys: "istio.io/*"`), Stop: Keys},
	{What: "lift pod security", Method: patch, Path: managed, Body: labels("pod-security.kubernetes.io/enforce: privileged"), Stop: Keys},
	{What: "drop pod security", Method: patch, Path: managed, Body: labels("pod-security.kubernetes.io/enforce: null"), Stop: Keys},
	{What: "lift pod security through /status", Method: patch, Path: managed + "/status", Body: labels("pod-security.kubernetes.io/enforce: privileged"), Stop: Keys},
	{What: "label a temporary namespace for a team", Method: patch, Path: managed, Body: labels("team: a"), Stop: Nothing},
	{What: "delete a temporary namespace", Method: del, Path: managed, Stop: Nothing},
	{What: "set pod security of an ordinary namespace", Method: patch, Path: namespaces + "/$plain", Body: labels("pod-security.kubernetes.io/enforce: baseline"), Stop: Nothing},
}

// clusterAdmin shows that users with the verb override on managednamespaces.tenama.dev
// can override the policies in an emergency.
var clusterAdmin = []Row{
	{What: "lengthen the lifetime", Method: patch, Path: managed, Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: Nothing},
	{What: "make a namespace with the prefix", Method: post, Path: namespaces, Body: ns("tmp-mine", "", ""), Stop: Nothing},
	{What: "change the quota of a temporary namespace", Method: patch, Path: managed + "/resourcequotas/tenama", Body: "{spec: {hard: {pods: 500}}}", Stop: Nothing},
	{What: "remove the owner's access", Method: del, Path: bindings + "/tenama:owner", Stop: Nothing},
}

// controllers lists requests of Kubernetes' own controllers in a temporary namespace.
var controllers = []Row{
	{What: "collect what waits for its dependents", Method: patch, Path: managed + "/resourcequotas/tenama", Body: "{metadata: {finalizers: []}}", As: "system:serviceaccount:kube-system:generic-garbage-collector", Stop: Nothing},
	{What: "have a pod wait for what cannot end, by an owner of it", Method: del, Path: managed + "/pods/theirs", Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Foreground, dryRun: [All]}", As: "system:serviceaccount:kube-system:generic-garbage-collector", Stop: GuardRails},
	{What: "collect a pod", Method: del, Path: managed + "/pods/theirs", Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Background, dryRun: [All]}", As: "system:serviceaccount:kube-system:generic-garbage-collector", Stop: Nothing},
	{What: "empty a namespace", Method: del, Path: managed + "/resourcequotas/tenama", As: "system:serviceaccount:kube-system:namespace-controller", Stop: Nothing},
}

const (
	policies = "/apis/networking.k8s.io/v1/namespaces/$managed/networkpolicies"
	openAll  = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open}, spec: {podSelector: {}, ingress: [{}], egress: [{}], policyTypes: [Ingress, Egress]}}"
)

// tenant lists requests that are the same for tenants with edit and with admin.
var tenant = []Row{
	{What: "lengthen the lifetime by hand", Method: patch, Path: managed, Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: RBAC},
	{What: "label the namespace", Method: patch, Path: managed, Body: labels("istio-injection: enabled"), Stop: RBAC},
	{What: "lift pod security", Method: patch, Path: managed, Body: labels("pod-security.kubernetes.io/enforce: privileged"), Stop: RBAC},
	{What: "delete the namespace directly", Method: del, Path: managed, Stop: RBAC},
	{What: "make a namespace", Method: post, Path: namespaces, Body: ns("tmp-other", "", ""), Stop: RBAC},
	{What: "see others' namespaces", Method: get, Path: namespaces, Stop: RBAC},
	{What: "read another tenant's namespace", Method: get, Path: namespaces + "/$grouped", Stop: RBAC},
	{What: "read another tenant's secrets", Method: get, Path: namespaces + "/$grouped/secrets", Stop: RBAC},
	{What: "drop the quota", Method: del, Path: managed + "/resourcequotas/tenama", Stop: RBAC},
	{What: "edit the quota", Method: patch, Path: managed + "/resourcequotas/tenama", Body: "{spec: {hard: {pods: 500}}}", Stop: RBAC},
	{What: "edit what the quota counts", Method: patch, Path: managed + "/resourcequotas/tenama/status", Body: "{status: {used: {pods: 0}}}", Stop: RBAC},
	{What: "drop the limit range", Method: del, Path: managed + "/limitranges/tenama", Stop: RBAC},
	{What: "add a limit range", Method: post, Path: managed + "/limitranges", Body: "{apiVersion: v1, kind: LimitRange, metadata: {name: x}, spec: {limits: [{type: Container, default: {cpu: 64}}]}}", Stop: RBAC},
	{What: "open the network", Method: post, Path: policies, Body: openAll, Stop: GuardRails},
	{What: "edit the default network policy", Method: patch, Path: policies + "/tenama", Body: "{spec: {ingress: [{}]}}", Stop: GuardRails},
	{What: "drop the default network policy", Method: del, Path: policies + "/tenama", Stop: GuardRails},
	{What: "drop all network policies", Method: del, Path: policies, Stop: GuardRails},
	{What: "open the network where the class lets it", Method: post, Path: "/apis/networking.k8s.io/v1/namespaces/$open/networkpolicies", Body: openAll, Stop: Nothing},
	{What: "drop the class's policy also there", Method: del, Path: "/apis/networking.k8s.io/v1/namespaces/$open/networkpolicies/tenama", Stop: GuardRails},
	{What: "edit the class's policy also there", Method: patch, Path: "/apis/networking.k8s.io/v1/namespaces/$open/networkpolicies/tenama", Body: "{spec: {ingress: [{}]}}", Stop: GuardRails},
	{What: "open the network by another kind", Method: post, Path: "/apis/net.example.test/v1/namespaces/$managed/networkpolicies", Body: "{apiVersion: net.example.test/v1, kind: NetworkPolicy, metadata: {name: open}}", Stop: GuardRails},
	{What: "imitate what the broker makes", Method: post, Path: managed + "/serviceaccounts", Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: x, " + mine + "}}", Stop: GuardRails},
	{What: "mark an object of one's own", Method: patch, Path: managed + "/serviceaccounts/theirs", Body: labels(`tenama.dev/managed: "true"`), Stop: GuardRails},
	{What: "run a pod with power over the host", Method: post, Path: managed + "/pods", Body: "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: c, image: c, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}}", Stop: PodSecurity},
	{What: "run a pod in the host's network", Method: post, Path: managed + "/pods", Body: pod("", ", hostNetwork: true"), Stop: PodSecurity},
	{What: "mount the host's disk", Method: post, Path: managed + "/pods", Body: pod("", ", volumes: [{name: v, hostPath: {path: /}}]"), Stop: PodSecurity},
	{What: "run a pod that takes an hour to end", Method: post, Path: managed + "/pods", Body: pod("", ", terminationGracePeriodSeconds: 3600"), Stop: GuardRails},
	{What: "run a pod that cannot end", Method: post, Path: managed + "/pods", Body: pod(", finalizers: [x.test/x]", ""), Stop: GuardRails},
	{What: "make an account that cannot end", Method: post, Path: managed + "/serviceaccounts", Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: x, finalizers: [x.test/x]}}", Stop: GuardRails},
	{What: "have a pod linger for a year", Method: del, Path: managed + "/pods/theirs", Body: "{apiVersion: v1, kind: DeleteOptions, gracePeriodSeconds: 31536000, dryRun: [All]}", Stop: GuardRails},
	{What: "have all pods linger for a year", Method: del, Path: managed + "/pods", Body: "{apiVersion: v1, kind: DeleteOptions, gracePeriodSeconds: 31536000, dryRun: [All]}", Stop: GuardRails},
	{What: "evict a pod over a year", Method: post, Path: managed + "/pods/theirs/eviction", Body: "{apiVersion: policy/v1, kind: Eviction, metadata: {name: theirs}, deleteOptions: {gracePeriodSeconds: 31536000, dryRun: [All]}}", Stop: GuardRails},
	{What: "have a pod wait for what cannot end", Method: del, Path: managed + "/pods/theirs", Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Foreground, dryRun: [All]}", Stop: GuardRails},
	{What: "have all pods wait for what cannot end", Method: del, Path: managed + "/pods", Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Foreground, dryRun: [All]}", Stop: GuardRails},
	{What: "have a pod wait for its orphans", Method: del, Path: managed + "/pods/theirs", Body: "{apiVersion: v1, kind: DeleteOptions, orphanDependents: true, dryRun: [All]}", Stop: GuardRails},
	{What: "evict a pod that waits for what cannot end", Method: post, Path: managed + "/pods/theirs/eviction", Body: "{apiVersion: policy/v1, kind: Eviction, metadata: {name: theirs}, deleteOptions: {propagationPolicy: Foreground, dryRun: [All]}}", Stop: GuardRails},
	{What: "delete a pod in the background", Method: del, Path: managed + "/pods/theirs", Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Background, dryRun: [All]}", Stop: Nothing},
	{What: "put a finalizer on the network policy, as its controllers do", Method: patch, Path: policies + "/tenama", Body: "{metadata: {finalizers: [x.test/x]}}", Stop: Nothing},
	{What: "delete a pod within a minute", Method: del, Path: managed + "/pods/theirs", Body: "{apiVersion: v1, kind: DeleteOptions, gracePeriodSeconds: 60, dryRun: [All]}", Stop: Nothing},
	{What: "delete a pod", Method: del, Path: managed + "/pods/theirs", Stop: Nothing},
	{What: "evict a pod", Method: post, Path: managed + "/pods/theirs/eviction", Body: "{apiVersion: policy/v1, kind: Eviction, metadata: {name: theirs}, deleteOptions: {dryRun: [All]}}", Stop: Nothing},
	{What: "take the traffic of an address", Method: post, Path: managed + "/services", Body: "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {externalIPs: [192.0.2.1], ports: [{port: 80}]}}", Stop: GuardRails},
	{What: "make a service", Method: post, Path: managed + "/services", Body: "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{port: 80}]}}", Stop: Nothing},
	{What: "displace the pods of others", Method: post, Path: managed + "/pods", Body: pod("", ", priorityClassName: system-node-critical"), Stop: GuardRails},
	{What: "run a pod", Method: post, Path: managed + "/pods", Body: pod("", ""), Stop: Nothing},
	{What: "make an account", Method: post, Path: managed + "/serviceaccounts", Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}}", Stop: Nothing},
	{What: "mint a token of an account", Method: post, Path: managed + "/serviceaccounts/theirs/token", Body: "{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {audiences: []}}", Stop: Nothing},
	{What: "change the broker's role", Method: patch, Path: rbac + "/clusterroles/tenama:namespace-manager", Body: "{rules: []}", Stop: RBAC},
}

var tenantEdit = []Row{
	{What: "let a mate in", Method: post, Path: bindings, Body: mate(theUser("frank")), Stop: RBAC},
	{What: "remove the broker's binding", Method: del, Path: bindings + "/tenama:broker", Stop: RBAC},
}

func mate(subject string) string {
	return "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [" + subject + "]}"
}

var tenantAdmin = []Row{
	{What: "let a mate in", Method: post, Path: bindings, Body: mate(theUser("frank")), Stop: Nothing},
	{What: "let a team in", Method: post, Path: bindings, Body: mate(theGroup("devs")), Stop: Nothing},
	{What: "let an account of another namespace in", Method: post, Path: bindings, Body: mate(account("$plain", "ci")), Stop: Nothing},
	{What: "let all accounts of the namespace in", Method: post, Path: bindings, Body: mate(theGroup("system:serviceaccounts:$managed")), Stop: Nothing},
	{What: "let everybody in", Method: post, Path: bindings, Body: mate(theGroup("system:authenticated")), Stop: GuardRails},
	{What: "let the world in", Method: post, Path: bindings, Body: mate(theGroup("system:unauthenticated")), Stop: GuardRails},
	{What: "let all accounts of the cluster in", Method: post, Path: bindings, Body: mate(theGroup("system:serviceaccounts")), Stop: GuardRails},
	{What: "let all accounts of another namespace in", Method: post, Path: bindings, Body: mate(theGroup("system:serviceaccounts:kube-system")), Stop: GuardRails},
	{What: "let everybody in, later", Method: patch, Path: bindings + "/theirs", Body: "{subjects: [" + theGroup("system:authenticated") + "]}", Stop: GuardRails},
	{What: "let the anonymous in", Method: post, Path: bindings, Body: mate(theUser("system:anonymous")), Stop: GuardRails},
	{What: "let a node in", Method: post, Path: bindings, Body: mate(theUser("system:node:n1")), Stop: GuardRails},
	{What: "let an account in by its user name", Method: post, Path: bindings, Body: mate(theUser("system:serviceaccount:$plain:ci")), Stop: Nothing},
	{What: "remove the broker's binding", Method: del, Path: bindings + "/tenama:broker", Stop: GuardRails},
	{What: "edit the broker's record", Method: patch, Path: bindings + "/tenama:broker", Body: annotations("tenama.dev/guard-rails: '[]'"), Stop: RBAC},
	{What: "remove the owner's binding", Method: del, Path: bindings + "/tenama:owner", Stop: GuardRails},
	{What: "remove one's own binding", Method: del, Path: bindings + "/theirs", Stop: Nothing},
	{What: "imitate the broker's binding", Method: post, Path: bindings, Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x, " + mine + "}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [" + theUser("frank") + "]}", Stop: GuardRails},
	{What: "bind cluster-admin", Method: post, Path: bindings, Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [" + theUser("alice") + "]}", Stop: RBAC},
	{What: "write a role that may edit quotas", Method: post, Path: rbac + "/namespaces/$managed/roles", Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}, rules: [{apiGroups: [''], resources: [resourcequotas], verbs: ['*']}]}", Stop: RBAC},
	{What: "write a role", Method: post, Path: rbac + "/namespaces/$managed/roles", Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}, rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}", Stop: Nothing},
	{What: "write a role that cannot end", Method: post, Path: rbac + "/namespaces/$managed/roles", Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x, finalizers: [x.test/x]}}", Stop: GuardRails},
	{What: "have a binding wait for what cannot end", Method: del, Path: bindings + "/theirs", Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Foreground, dryRun: [All]}", Stop: GuardRails},
	{What: "write a binding that cannot end", Method: post, Path: bindings, Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x, finalizers: [x.test/x]}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [" + theUser("frank") + "]}", Stop: GuardRails},
}
