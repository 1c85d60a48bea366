// SPDX-License-Identifier: Apache-2.0

package attack

// With the rights of a cluster-admin, only policies protect the namespaces of others
// from the broker.
var brokerAsAdminNamespaces = []Row{
	{
		What: "create a valid namespace", Method: post, Path: namespaces, Body: ns("tmp-new", goodLabels, owned+timed),
		Stop: Nothing,
	},
	{
		What: "create a namespace without the prefix", Method: post, Path: namespaces,
		Body: ns("foo", goodLabels, owned+timed), Stop: Containment,
	},
	{
		What: "create a namespace without the managed label", Method: post, Path: namespaces,
		Body: ns("tmp-new", "pod-security.kubernetes.io/enforce: baseline", owned+timed), Stop: Containment,
	},
	{
		What: "create a namespace that allows privileged pods", Method: post, Path: namespaces,
		Body: ns("tmp-new", `tenama.dev/managed: "true", pod-security.kubernetes.io/enforce: privileged`,
			"tenama.dev/owner: alice, tenama.dev/pod-security: privileged"+timed), Stop: Containment,
	},
	{
		What: "create a namespace that records other pod security", Method: post, Path: namespaces,
		Body: ns("tmp-new", `tenama.dev/managed: "true", pod-security.kubernetes.io/enforce: restricted`, owned+timed),
		Stop: Containment,
	},
	{
		What: "create a namespace without pod security", Method: post, Path: namespaces,
		Body: ns("tmp-new", `tenama.dev/managed: "true"`, "tenama.dev/owner: alice"+timed), Stop: Containment,
	},
	{
		What: "create a namespace without an owner", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels, "tenama.dev/pod-security: baseline"+timed), Stop: Containment,
	},
	{
		What: "create a namespace with a TTL above its maximum", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels, owned+`, tenama.dev/ttl-seconds: "601", tenama.dev/max-ttl-seconds: "600"`),
		Stop: Containment,
	},
	{
		What: "create a namespace without a TTL", Method: post, Path: namespaces, Body: ns("tmp-new", goodLabels, owned),
		Stop: Containment,
	},
	{
		What: "create a namespace with a TTL that is not a number", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels, owned+`, tenama.dev/ttl-seconds: soon, tenama.dev/max-ttl-seconds: "600"`),
		Stop: Containment,
	},
	{
		What: "create a namespace with a negative TTL", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels, owned+`, tenama.dev/ttl-seconds: "-1", tenama.dev/max-ttl-seconds: "600"`),
		Stop: Containment,
	},
	{
		What: "create a namespace with a huge maximum TTL", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels,
			owned+`, tenama.dev/ttl-seconds: "60", tenama.dev/max-ttl-seconds: "9000000000000000000"`), Stop: Containment,
	},
	{
		What: "create a namespace that does not expire", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels, owned+`, tenama.dev/lifetime: Unbounded`), Stop: Nothing,
	},
	{
		What: "create a namespace that does not expire, with a TTL", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels, owned+timed+`, tenama.dev/lifetime: Unbounded`), Stop: Containment,
	},
	{
		What: "create a namespace with an unknown lifetime", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels, owned+timed+`, tenama.dev/lifetime: Eternal`), Stop: Containment,
	},
	{
		What: "create a namespace that is already extended", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels, owned+timed+", tenama.dev/extend-until: never"), Stop: Containment,
	},
	{
		What: "create a namespace that it owns", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels,
			"tenama.dev/owner: 'system:serviceaccount:$home:$sa', tenama.dev/pod-security: baseline"+timed), Stop: Containment,
	},
	{
		What: "create a namespace for an account that it could become", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels,
			"tenama.dev/owner: 'system:serviceaccount:tmp-a:default', tenama.dev/pod-security: baseline"+timed),
		Stop: Containment,
	},
	{
		What: "create a namespace with an old version of pod security", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels+", pod-security.kubernetes.io/enforce-version: v1.0", owned+timed), Stop: Containment,
	},
	{
		What: "create a namespace with a node selector", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels, owned+timed+", scheduler.alpha.kubernetes.io/node-selector: a=b"), Stop: Containment,
	},
	{
		What: "create a namespace with a warn label of pod security", Method: post, Path: namespaces,
		Body: ns("tmp-new", goodLabels+", pod-security.kubernetes.io/warn: restricted", owned+timed), Stop: Nothing,
	},
	{
		What: "create a namespace with a finalizer in its metadata", Method: post, Path: namespaces,
		Body: "{apiVersion: v1, kind: Namespace, metadata: {name: tmp-new, finalizers: [x.test/x], labels: {" + goodLabels +
			"}, annotations: {" + owned + timed + "}}}", Stop: Containment,
	},
	{
		What: "create a namespace with a finalizer in its spec", Method: post, Path: namespaces,
		Body: "{apiVersion: v1, kind: Namespace, metadata: {name: tmp-new, labels: {" + goodLabels + "}, annotations: {" +
			owned + timed + "}}, spec: {finalizers: [kubernetes, x.test/x]}}", Stop: Containment,
	},

	{
		What: "patch an ordinary namespace without a change", Method: patch, Path: namespaces + "/$plain", Body: "{}",
		Stop: Containment,
	},
	{
		What: "adopt default", Method: patch, Path: namespaces + "/default", Body: labels(`tenama.dev/managed: "true"`),
		Stop: Containment,
	},
	{
		What: "adopt an ordinary namespace", Method: patch, Path: namespaces + "/$plain",
		Body: labels(`tenama.dev/managed: "true"`), Stop: Containment,
	},
	{
		What: "adopt an unmanaged namespace with the prefix", Method: patch, Path: namespaces + "/$manual",
		Body: labels(`tenama.dev/managed: "true"`), Stop: Containment,
	},
	{
		What: "relabel kube-system", Method: patch, Path: namespaces + "/kube-system", Body: labels("a: b"),
		Stop: Containment,
	},
	{
		What: "add a finalizer to an ordinary namespace", Method: patch, Path: namespaces + "/$plain",
		Body: "{metadata: {finalizers: [x.test/x]}}", Stop: Containment,
	},
	{What: "delete a system namespace", Method: del, Path: namespaces + "/kube-node-lease", Stop: Containment},
	{What: "delete an ordinary namespace", Method: del, Path: namespaces + "/$plain", Stop: Containment},
	{What: "delete an unmanaged namespace with the prefix", Method: del, Path: namespaces + "/$manual", Stop: Containment},
	{What: "delete its own namespace", Method: del, Path: namespaces + "/$home", Stop: Containment},
	{What: "delete a temporary namespace", Method: del, Path: managed, Stop: Nothing},

	{
		What: "extend within the maximum", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/extend-until: "$soon"`), Stop: Nothing,
	},
	{
		What: "extend beyond the maximum", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/extend-until: "$late"`), Stop: Containment,
	},
	{
		What: "extend with an invalid time", Method: patch, Path: managed,
		Body: annotations("tenama.dev/extend-until: never"), Stop: Containment,
	},
	{
		What: "raise the TTL within the maximum", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/ttl-seconds: "30000"`), Stop: Nothing,
	},
	{
		What: "raise the TTL beyond the maximum", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/ttl-seconds: "99999999"`), Stop: Containment,
	},
	{
		What: "set a negative TTL", Method: patch, Path: managed, Body: annotations(`tenama.dev/ttl-seconds: "-1"`),
		Stop: Containment,
	},
	{
		What: "add a finalizer to a temporary namespace", Method: patch, Path: managed,
		Body: "{metadata: {finalizers: [x.test/x]}}", Stop: Containment,
	},
	{
		What: "add an owner reference to a temporary namespace", Method: patch, Path: managed,
		Body: "{metadata: {ownerReferences: [{apiVersion: v1, kind: Node, name: x, uid: x}]}}", Stop: Containment,
	},
	{
		What: "lower pod security through user keys", Method: patch, Path: namespaces + "/$lax",
		Body: labels("pod-security.kubernetes.io/enforce: privileged"), Stop: Containment,
	},
	{
		What: "remove the managed label through user keys", Method: patch, Path: namespaces + "/$lax",
		Body: labels("tenama.dev/managed: null"), Stop: Containment,
	},
	{
		What: "change the owner through user keys", Method: patch, Path: namespaces + "/$lax",
		Body: annotations("tenama.dev/owner: mallory"), Stop: Containment,
	},
	{
		What: "raise the maximum TTL through user keys", Method: patch, Path: namespaces + "/$lax",
		Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: Containment,
	},
	{
		What: "change the lifetime to Unbounded", Method: patch, Path: managed,
		Body: annotations("tenama.dev/lifetime: Unbounded"), Stop: Containment,
	},
	{
		What: "change its parameters", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/parameters: '{"cpu":"64"}'`), Stop: Containment,
	},
	{
		What: "change the groups whose budgets count it", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/groups: '["ops"]'`), Stop: Containment,
	},
	{
		What: "allow more extensions", Method: patch, Path: managed, Body: annotations(`tenama.dev/max-extensions: "9"`),
		Stop: Containment,
	},
	{
		What: "record a refresh and an extension", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/class-revision: "0123456789", tenama.dev/reserved: "{}", tenama.dev/extensions: "1"`),
		Stop: Nothing,
	},
	{
		What: "mark as refused", Method: patch, Path: managed, Body: annotations(`tenama.dev/refused: "true"`), Stop: Nothing,
	},
	{
		What: "raise the maximum TTL", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/max-ttl-seconds: "99999999"`), Stop: Containment,
	},
	{
		What: "change the owner", Method: patch, Path: managed, Body: annotations("tenama.dev/owner: mallory"),
		Stop: Containment,
	},
	{
		What: "add an owner group", Method: patch, Path: managed, Body: annotations("tenama.dev/owner-group: evil"),
		Stop: Containment,
	},
	{
		What: "change the owner's role", Method: patch, Path: managed,
		Body: annotations("tenama.dev/owner-role: cluster-admin"), Stop: Containment,
	},
	{
		What: "change the request ID", Method: patch, Path: managed, Body: annotations("tenama.dev/request-id: other"),
		Stop: Containment,
	},
	{
		What: "change the recorded pod security", Method: patch, Path: managed,
		Body: annotations("tenama.dev/pod-security: privileged"), Stop: Containment,
	},
	{
		What: "change who may write network policies", Method: patch, Path: managed,
		Body: annotations("tenama.dev/network-policy-access: ReadWrite"), Stop: Containment,
	},
	{
		What: "change which labels users may set", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/user-keys: "istio.io/*"`), Stop: Containment,
	},
	{
		What: "remove the record of the owner", Method: patch, Path: managed, Body: annotations("tenama.dev/owner: null"),
		Stop: Containment,
	},
	{
		What: "add an annotation of a service mesh", Method: patch, Path: managed,
		Body: annotations("linkerd.io/inject: enabled"), Stop: Containment,
	},
	{
		What: "set an allowed user annotation", Method: patch, Path: managed, Body: annotations("user.tenama.dev/team: a"),
		Stop: Nothing,
	},
	{
		What: "mark as ready", Method: patch, Path: managed,
		Body: annotations(`tenama.dev/ready: "true", tenama.dev/reason: demo`), Stop: Nothing,
	},
	{
		What: "remove the managed label", Method: patch, Path: managed, Body: labels("tenama.dev/managed: null"),
		Stop: Containment,
	},
	{What: "change its class", Method: patch, Path: managed, Body: labels("tenama.dev/class: big"), Stop: Containment},
	{
		What: "add a label of a service mesh", Method: patch, Path: managed, Body: labels("istio-injection: enabled"),
		Stop: Containment,
	},
	{
		What: "set an allowed user label", Method: patch, Path: managed, Body: labels("user.tenama.dev/team: a"),
		Stop: Nothing,
	},
	{
		What: "lower pod security", Method: patch, Path: managed,
		Body: labels("pod-security.kubernetes.io/enforce: privileged"), Stop: Containment,
	},
	{
		What: "remove pod security", Method: patch, Path: managed, Body: labels("pod-security.kubernetes.io/enforce: null"),
		Stop: Containment,
	},
	{
		What: "pin pod security to an old version", Method: patch, Path: managed,
		Body: labels("pod-security.kubernetes.io/enforce-version: v1.0"), Stop: Containment,
	},
	{
		What: "restore pod security to the recorded level", Method: patch, Path: namespaces + "/$weakened",
		Body: labels("pod-security.kubernetes.io/enforce: baseline"), Stop: Nothing,
	},
	{
		What: "restore pod security to another level", Method: patch, Path: namespaces + "/$weakened",
		Body: labels("pod-security.kubernetes.io/enforce: restricted"), Stop: Containment,
	},
	{What: "write to /status", Method: patch, Path: managed + "/status", Body: labels("a: b"), Stop: Containment},
	{
		What: "write to /finalize", Method: put, Path: managed + "/finalize", Body: ns("$managed", goodLabels, owned+timed),
		Stop: Containment,
	},
}
