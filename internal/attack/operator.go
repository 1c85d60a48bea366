// SPDX-License-Identifier: Apache-2.0

package attack

// operator lists requests of a user who manages the namespaces of a cluster. Such a
// user may neither create temporary namespaces nor change the metadata that marks a
// namespace as temporary.
var operator = []Row{
	{What: "create an ordinary namespace", Method: post, Path: namespaces, Body: ns("ordinary", "", ""), Stop: Nothing},
	{
		What: "label an ordinary namespace", Method: patch, Path: namespaces + "/$plain", Body: labels("team: a"),
		Stop: Nothing,
	},
	{
		What: "create a namespace with the prefix", Method: post, Path: namespaces, Body: ns("tmp-squat", "", ""), Stop: Keys,
	},
	{
		What: "imitate a temporary namespace", Method: post, Path: namespaces, Body: ns("imitation", goodLabels, owned+timed),
		Stop: Keys,
	},
	{
		What: "imitate a temporary namespace by annotations", Method: post, Path: namespaces,
		Body: ns("imitation", "", "tenama.dev/owner: bob"), Stop: Keys,
	},
	{
		What: "mark an ordinary namespace as managed", Method: patch, Path: namespaces + "/$plain",
		Body: labels(`tenama.dev/managed: "true"`), Stop: Keys,
	},
	{
		What: "annotate a namespace with an owner", Method: patch, Path: namespaces + "/$plain",
		Body: annotations("tenama.dev/owner: bob"), Stop: Keys,
	},
	{What: "change the owner", Method: patch, Path: managed, Body: annotations("tenama.dev/owner: bob"), Stop: Keys},
	{
		What: "raise the maximum TTL", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: Keys,
	},
	{What: "remove the TTL", Method: patch, Path: managed, Body: annotations("tenama.dev/ttl-seconds: null"), Stop: Keys},
	{
		What: "raise the maximum TTL through /status", Method: patch, Path: managed + "/status",
		Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: Keys,
	},
	{
		What: "raise the maximum TTL through /finalize", Method: put, Path: managed + "/finalize",
		Body: ns("$managed", goodLabels, owned+`, tenama.dev/ttl-seconds: "60", tenama.dev/max-ttl-seconds: "99999999"`),
		Stop: Keys,
	},
	{What: "remove the managed label", Method: patch, Path: managed, Body: labels("tenama.dev/managed: null"), Stop: Keys},
	{
		What: "remove the managed label through /status", Method: patch, Path: managed + "/status",
		Body: labels("tenama.dev/managed: null"), Stop: Keys,
	},
	{What: "change its class", Method: patch, Path: managed, Body: labels("tenama.dev/class: big"), Stop: Keys},
	{
		What: "change which labels users may set", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/user-keys: "istio.io/*"`), Stop: Keys,
	},
	// What the controllers of OpenShift write into every namespace.
	{
		What: "set the levels of pod security that refuse nothing", Method: patch, Path: managed,
		Body: labels("pod-security.kubernetes.io/warn: restricted, pod-security.kubernetes.io/audit: restricted, " +
			"pod-security.kubernetes.io/warn-version: latest"), Stop: Nothing,
	},
	{
		What: "assign a range of users", Method: patch, Path: managed,
		Body: annotations(`openshift.io/sa.scc.mcs: "s0:c27,c4", openshift.io/sa.scc.uid-range: 1000720000/10000`),
		Stop: Nothing,
	},
	{
		What: "pin an older version of pod security", Method: patch, Path: managed,
		Body: labels("pod-security.kubernetes.io/enforce-version: v1.0"), Stop: Keys,
	},
	{
		What: "lower pod security", Method: patch, Path: managed,
		Body: labels("pod-security.kubernetes.io/enforce: privileged"), Stop: Keys,
	},
	{
		What: "remove pod security", Method: patch, Path: managed, Body: labels("pod-security.kubernetes.io/enforce: null"),
		Stop: Keys,
	},
	{
		What: "lower pod security through /status", Method: patch, Path: managed + "/status",
		Body: labels("pod-security.kubernetes.io/enforce: privileged"), Stop: Keys,
	},
	{What: "label a temporary namespace for a team", Method: patch, Path: managed, Body: labels("team: a"), Stop: Nothing},
	{What: "delete a temporary namespace", Method: del, Path: managed, Stop: Nothing},
	{
		What: "set pod security of an ordinary namespace", Method: patch, Path: namespaces + "/$plain",
		Body: labels("pod-security.kubernetes.io/enforce: baseline"), Stop: Nothing,
	},
}

// clusterAdmin shows that users with the verb override on managednamespaces.tenama.dev
// can override the policies in an emergency.
var clusterAdmin = []Row{
	{
		What: "raise the maximum TTL", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: Nothing,
	},
	{
		What: "create a namespace with the prefix", Method: post, Path: namespaces, Body: ns("tmp-mine", "", ""),
		Stop: Nothing,
	},
	{
		What: "change the quota of a temporary namespace", Method: patch, Path: managed + "/resourcequotas/tenama",
		Body: "{spec: {hard: {pods: 500}}}", Stop: Nothing,
	},
	{What: "remove the owner's access", Method: del, Path: bindings + "/tenama:owner", Stop: Nothing},
}

// controllers lists requests of Kubernetes' own controllers in a temporary namespace.
var controllers = []Row{
	{
		What: "remove the finalizer of foreground deletion", Method: patch, Path: managed + "/resourcequotas/tenama",
		Body: "{metadata: {finalizers: []}}", As: "system:serviceaccount:kube-system:generic-garbage-collector",
		Stop: Nothing,
	},
	{
		What: "delete an owned pod in the foreground", Method: del, Path: managed + "/pods/theirs",
		Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Foreground, dryRun: [All]}",
		As:   "system:serviceaccount:kube-system:generic-garbage-collector", Stop: GuardRails,
	},
	{
		What: "delete an owned pod in the background", Method: del, Path: managed + "/pods/theirs",
		Body: "{apiVersion: v1, kind: DeleteOptions, propagationPolicy: Background, dryRun: [All]}",
		As:   "system:serviceaccount:kube-system:generic-garbage-collector", Stop: Nothing,
	},
	{
		What: "delete the quota of a namespace that is being deleted", Method: del, Path: managed + "/resourcequotas/tenama",
		As: "system:serviceaccount:kube-system:namespace-controller", Stop: Nothing,
	},
}
