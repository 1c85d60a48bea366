// SPDX-License-Identifier: Apache-2.0

package attack

const (
	apiservices = "/apis/apiregistration.k8s.io/v1/apiservices"
	admission   = "/apis/admissionregistration.k8s.io/v1"
	budgets     = "/apis/policy.tenama.dev/v1alpha1/namespacebudgets"
	classes     = "/apis/policy.tenama.dev/v1alpha1/namespaceclasses"
)

// itsOwner is the owner that the registration of the broker must have.
var itsOwner = owners("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, name: tenama:broker, uid: x}")

// Outside of namespaces the broker may write its certificate, its registration and the
// status of classes and budgets.
var brokerAsAdminElsewhere = []Row{
	{
		What: "grant rights in the whole cluster", Method: post, Path: rbac + "/clusterrolebindings",
		Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: x}, roleRef: " +
			"{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [" + theUser("mallory") + "]}",
		Stop: Containment,
	},
	{
		What: "widen its own role", Method: patch, Path: rbac + "/clusterroles/tenama:broker", Body: "{rules: []}",
		Stop: Containment,
	},
	{
		What: "mint a token in kube-system", Method: post, Path: namespaces + "/kube-system/serviceaccounts/default/token",
		Body: "{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {audiences: []}}", Stop: Containment,
	},
	{
		What: "renew its certificate", Method: patch, Path: namespaces + "/$home/secrets/tenama-serving-cert",
		Body: "{metadata: {labels: {a: b}}}", Stop: Nothing,
	},
	{
		What: "delete its certificate", Method: del, Path: namespaces + "/$home/secrets/tenama-serving-cert",
		Stop: Containment,
	},
	{
		What: "create another secret in its namespace", Method: post, Path: namespaces + "/$home/secrets",
		Body: "{apiVersion: v1, kind: Secret, metadata: {name: x}}", Stop: Containment,
	},
	{
		What: "create a secret of that name in another namespace", Method: post, Path: namespaces + "/$plain/secrets",
		Body: "{apiVersion: v1, kind: Secret, metadata: {name: tenama-serving-cert}}", Stop: Containment,
	},
	{
		What: "change the CA that API servers trust", Method: patch,
		Path: namespaces + "/kube-system/configmaps/extension-apiserver-authentication", Body: "{data: {a: b}}",
		Stop: Containment,
	},
	{
		What: "create a webhook", Method: post, Path: admission + "/mutatingwebhookconfigurations",
		Body: "{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: x}}",
		Stop: Containment,
	},
	{
		What: "define a resource", Method: post, Path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
		Body: "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: as.x.test}, spec: " +
			"{group: x.test, scope: Cluster, names: {plural: as, kind: A}, versions: [{name: v1, served: true, storage: " +
			"true, schema: {openAPIV3Schema: {type: object}}}]}}", Stop: Containment,
	},
	// Kubernetes exempts policies and reviews from policies; RBAC stops these for the
	// broker (broker.go).
	{
		What: "review tokens (RBAC has to stop it)", Method: post, Path: "/apis/authentication.k8s.io/v1/tokenreviews",
		Body: "{apiVersion: authentication.k8s.io/v1, kind: TokenReview, spec: {token: x}}", Stop: Nothing,
	},
	{
		What: "remove its own policy (RBAC has to stop it)", Method: del,
		Path: admission + "/validatingadmissionpolicybindings/tenama-broker", Stop: Nothing,
	},
	{
		What: "update the registration of its own API", Method: patch, Path: apiservices + "/v1alpha1.tenama.dev",
		Body: "{spec: {versionPriority: 14}}", Stop: Nothing,
	},
	{
		What: "register its API at another Service", Method: patch, Path: apiservices + "/v1alpha1.tenama.dev",
		Body: "{spec: {service: {name: other}}}", Stop: Containment,
	},
	{
		What: "register its API in another namespace", Method: patch, Path: apiservices + "/v1alpha1.tenama.dev",
		Body: "{spec: {service: {namespace: $plain}}}", Stop: Containment,
	},
	{
		What: "register before all other APIs", Method: patch, Path: apiservices + "/v1alpha1.tenama.dev",
		Body: "{spec: {groupPriorityMinimum: 20000}}", Stop: Containment,
	},
	{
		What: "register without verification", Method: patch, Path: apiservices + "/v1alpha1.tenama.dev",
		Body: "{spec: {caBundle: null, insecureSkipTLSVerify: true}}", Stop: Containment,
	},
	{
		What: "change the registration of another API", Method: patch, Path: apiservices + "/v1.apps",
		Body: "{spec: {versionPriority: 16}}", Stop: Containment,
	},
	{
		What: "register another API at its Service", Method: post, Path: apiservices,
		Body: "{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1.x.test, " + itsOwner + "}, " +
			"spec: {group: x.test, version: v1, groupPriorityMinimum: 1, versionPriority: 1, insecureSkipTLSVerify: false, " +
			"caBundle: YQ==, " +
			"service: {namespace: $home, name: tenama-broker}}}", Stop: Containment,
	},
	{
		What: "put a finalizer on its registration", Method: patch, Path: apiservices + "/v1alpha1.tenama.dev",
		Body: metadata("finalizers: [x.test/stay]"), Stop: Containment,
	},
	{
		What: "give its registration another owner", Method: patch, Path: apiservices + "/v1alpha1.tenama.dev",
		Body: metadata(owners("{apiVersion: v1, kind: Namespace, name: default, uid: x}")), Stop: Containment,
	},
	{
		What: "let its registration block the deletion of its ClusterRole", Method: patch,
		Path: apiservices + "/v1alpha1.tenama.dev",
		Body: metadata(owners("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, name: tenama:broker, uid: x, " +
			"blockOwnerDeletion: true}")), Stop: Containment,
	},
	{
		What: "let its registration survive the uninstallation", Method: patch, Path: apiservices + "/v1alpha1.tenama.dev",
		Body: metadata("ownerReferences: null"), Stop: Containment,
	},
	{
		What: "put a finalizer on its certificate", Method: patch, Path: namespaces + "/$home/secrets/tenama-serving-cert",
		Body: metadata("finalizers: [x.test/stay]"), Stop: Containment,
	},
	{
		What: "give its certificate an owner", Method: patch, Path: namespaces + "/$home/secrets/tenama-serving-cert",
		Body: metadata(owners("{apiVersion: v1, kind: Namespace, name: default, uid: x}")), Stop: Containment,
	},
	{What: "remove another API", Method: del, Path: apiservices + "/v1.apps", Stop: Containment},
	{
		What: "reach a Service through the proxy", Method: get, Path: namespaces + "/$plain/services/x:80/proxy/",
		Stop: Containment,
	},
	{
		What: "create an access review for another user", Method: post,
		Path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
		Body: "{apiVersion: authorization.k8s.io/v1, kind: SubjectAccessReview, spec: {user: alice, resourceAttributes: " +
			"{verb: get, resource: pods, namespace: $managed}}}", Stop: Nothing,
	},
	{
		What: "create an access review for itself", Method: post,
		Path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
		Body: "{apiVersion: authorization.k8s.io/v1, kind: SelfSubjectAccessReview, spec: {resourceAttributes: {verb: " +
			"get, resource: pods}}}", Stop: Nothing,
	},
	{
		What: "set the status of a class", Method: patch, Path: classes + "/default/status",
		Body: "{status: {observedGeneration: 7}}", Stop: Nothing,
	},
	{
		What: "set the status of a budget", Method: patch, Path: budgets + "/stage/status", Body: "{status: {namespaces: 7}}",
		Stop: Nothing,
	},
	{
		What: "raise a budget", Method: patch, Path: budgets + "/stage",
		Body: "{spec: {total: {count/temporarynamespaces: 99}}}", Stop: Containment,
	},
	{What: "remove a budget", Method: del, Path: budgets + "/stage", Stop: Containment},
	{
		What: "change a class", Method: patch, Path: classes + "/default", Body: "{spec: {description: x}}",
		Stop: Containment,
	},
}
