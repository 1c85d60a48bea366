// SPDX-License-Identifier: Apache-2.0

package attack

import "fmt"

// A tenant keeps access after the expiry for as long as one of their pods stays: since
// Kubernetes 1.33 the namespace controller deletes RoleBindings, accounts and secrets
// only after the last pod (KEP-5080). The rows below try requests that keep a pod in
// place, and the corresponding requests of Kubernetes' own controllers.

const (
	apps    = "/apis/apps/v1/namespaces/$managed"
	batch   = "/apis/batch/v1/namespaces/$managed"
	jobPod  = managed + "/pods/$jobpod"
	stays   = "finalizers: [x.test/x]"
	tracked = "finalizers: [batch.kubernetes.io/job-tracking]"
)

// Owner references of a pod.
var (
	byJob        = owners(`{apiVersion: batch/v1, kind: Job, name: theirs, uid: x, controller: true}`)
	byForeignJob = owners(`{apiVersion: batch.example.test/v1, kind: Job, name: theirs, uid: x, controller: true}`)
	byConfigMap  = owners(`{apiVersion: v1, kind: ConfigMap, name: keep, uid: x, controller: true}`)
	byReplicaSet = owners(`{apiVersion: apps/v1, kind: ReplicaSet, name: theirs, uid: x, controller: true}`)
	byJobAndMore = owners(`{apiVersion: batch/v1, kind: Job, name: theirs, uid: x, controller: true}, {apiVersion: v1, ` +
		`kind: ConfigMap, name: keep, uid: z}`)
)

func owners(refs string) string { return "ownerReferences: [" + refs + "]" }

// workload returns an object with a pod template, with additional fields in the
// template's metadata, in the template's spec, and in the object's spec.
func workload(apiVersion, kind, meta, spec, more string) string {
	template := fmt.Sprintf("template: {metadata: {labels: {app: x}%s}, spec: {restartPolicy: %s, containers: [{name: "+
		"c, image: c}]%s}}",
		comma(meta), map[string]string{"Job": "Never", "CronJob": "Never"}[kind], comma(spec))
	selector := "selector: {matchLabels: {app: x}}, "
	switch kind {
	case "Job":
		selector = ""
	case "ReplicationController":
		selector = "selector: {app: x}, "
	case "StatefulSet":
		selector += "serviceName: x, "
	case "CronJob":
		return fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: x}, spec: {schedule: '0 0 * * *', jobTemplate: "+
			"{spec: {%s%s}}}}", apiVersion, kind, template, comma(more))
	}
	return fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: x}, spec: {%s%s%s}}", apiVersion, kind, selector,
		template, comma(more))
}

func comma(s string) string {
	if s == "" {
		return ""
	}
	return ", " + s
}

func metadata(s string) string { return "{metadata: {" + s + "}}" }

var tenantExpiry = []Row{
	// Through a pod template: controllers copy its finalizers into the pods.
	{
		What: "create a Deployment of pods with a finalizer", Method: post, Path: apps + "/deployments",
		Body: workload("apps/v1", "Deployment", stays, "", ""), Stop: GuardRails,
	},
	{
		What: "create a ReplicaSet of pods with a finalizer", Method: post, Path: apps + "/replicasets",
		Body: workload("apps/v1", "ReplicaSet", stays, "", ""), Stop: GuardRails,
	},
	{
		What: "create a StatefulSet of pods with a finalizer", Method: post, Path: apps + "/statefulsets",
		Body: workload("apps/v1", "StatefulSet", stays, "", ""), Stop: GuardRails,
	},
	{
		What: "create a DaemonSet of pods with a finalizer", Method: post, Path: apps + "/daemonsets",
		Body: workload("apps/v1", "DaemonSet", stays, "", ""), Stop: GuardRails,
	},
	{
		What: "create a ReplicationController of pods with a finalizer", Method: post,
		Path: managed + "/replicationcontrollers", Body: workload("v1", "ReplicationController", stays, "", ""),
		Stop: GuardRails,
	},
	{
		What: "create a Job of pods with a finalizer", Method: post, Path: batch + "/jobs",
		Body: workload("batch/v1", "Job", stays, "", ""), Stop: GuardRails,
	},
	{
		What: "create a CronJob of pods with a finalizer", Method: post, Path: batch + "/cronjobs",
		Body: workload("batch/v1", "CronJob", stays, "", ""), Stop: GuardRails,
	},
	{
		What: "create a Deployment of pods with the Job finalizer", Method: post, Path: apps + "/deployments",
		Body: workload("apps/v1", "Deployment", tracked, "", ""), Stop: GuardRails,
	},
	{
		What: "add a finalizer to the pods of a Deployment", Method: patch, Path: apps + "/deployments/theirs",
		Body: "{spec: {template: {metadata: {" + stays + "}}}}", Stop: GuardRails,
	},
	{
		What: "create a Deployment of pods with an hour of grace period", Method: post, Path: apps + "/deployments",
		Body: workload("apps/v1", "Deployment", "", "terminationGracePeriodSeconds: 3600", ""), Stop: GuardRails,
	},
	{
		What: "create a Deployment with a system priority class", Method: post, Path: apps + "/deployments",
		Body: workload("apps/v1", "Deployment", "", "priorityClassName: system-node-critical", ""), Stop: GuardRails,
	},

	// Through the finalizer that the Job controller puts on pods of Jobs and does not
	// always remove.
	{
		What: "create a pod with the Job finalizer", Method: post, Path: managed + "/pods",
		Body: pod(comma(tracked)+comma(byJob), ""), Stop: GuardRails,
	},
	{
		What: "change the owner of a Job's pod to a config map", Method: patch, Path: jobPod, Body: metadata(byConfigMap),
		Stop: GuardRails,
	},
	{
		What: "change the owner of a Job's pod to another kind of Job", Method: patch, Path: jobPod,
		Body: metadata(byForeignJob), Stop: GuardRails,
	},
	{
		What: "change the owner of a Job's pod to another Job", Method: patch, Path: jobPod, Body: metadata(byJob),
		Stop: GuardRails,
	},
	{What: "add an owner to a Job's pod", Method: patch, Path: jobPod, Body: metadata(byJobAndMore), Stop: GuardRails},
	{
		What: "remove the owner of a Job's pod", Method: patch, Path: jobPod, Body: metadata("ownerReferences: null"),
		Stop: GuardRails,
	},
	{
		What: "add another finalizer to a Job's pod", Method: patch, Path: jobPod,
		Body: metadata("finalizers: [batch.kubernetes.io/job-tracking, x.test/x]"), Stop: GuardRails,
	},
	{
		What: "create a Job that is managed by another controller", Method: post, Path: batch + "/jobs",
		Body: workload("batch/v1", "Job", "", "", "managedBy: x.test/x"), Stop: GuardRails,
		Oldest: Nothing, // 1.30 drops the field (KEP-4368)
	},
	{
		What: "create a CronJob of Jobs managed by another controller", Method: post, Path: batch + "/cronjobs",
		Body: workload("batch/v1", "CronJob", "", "", "managedBy: x.test/x"), Stop: GuardRails,
	},

	// Through an owner that no longer exists: the garbage collector deletes the guard
	// rail.
	{
		What: "add an owner reference to the default network policy", Method: patch, Path: policies + "/tenama",
		Body: metadata(byConfigMap), Stop: GuardRails,
	},

	// Ordinary use.
	{
		What: "create a Deployment", Method: post, Path: apps + "/deployments",
		Body: workload("apps/v1", "Deployment", "", "", ""), Stop: Nothing,
	},
	{
		What: "create a StatefulSet", Method: post, Path: apps + "/statefulsets",
		Body: workload("apps/v1", "StatefulSet", "", "", ""), Stop: Nothing,
	},
	{
		What: "create a DaemonSet", Method: post, Path: apps + "/daemonsets",
		Body: workload("apps/v1", "DaemonSet", "", "", ""), Stop: Nothing,
	},
	{
		What: "create a ReplicationController", Method: post, Path: managed + "/replicationcontrollers",
		Body: workload("v1", "ReplicationController", "", "", ""), Stop: Nothing,
	},
	{
		What: "create a Job", Method: post, Path: batch + "/jobs", Body: workload("batch/v1", "Job", "", "", ""),
		Stop: Nothing,
	},
	{
		What: "create a Job that is managed by the Job controller", Method: post, Path: batch + "/jobs",
		Body: workload("batch/v1", "Job", "", "", "managedBy: kubernetes.io/job-controller"), Stop: Nothing,
	},
	{
		What: "create a CronJob", Method: post, Path: batch + "/cronjobs", Body: workload("batch/v1", "CronJob", "", "", ""),
		Stop: Nothing,
	},
	{
		What: "change the image of a Deployment", Method: patch, Path: apps + "/deployments/theirs",
		Body: "{spec: {template: {spec: {containers: [{name: c, image: d}]}}}}", Stop: Nothing,
	},
	{
		What: "scale a Deployment", Method: patch, Path: apps + "/deployments/theirs", Body: "{spec: {replicas: 0}}",
		Stop: Nothing,
	},
	{What: "label a Job's pod", Method: patch, Path: jobPod, Body: labels("a: b"), Stop: Nothing},
	{
		What: "remove the finalizer of a Job's pod", Method: patch, Path: jobPod, Body: metadata("finalizers: []"),
		Stop: Nothing,
	},
	{
		What: "add an owner to a pod", Method: patch, Path: managed + "/pods/theirs", Body: metadata(byConfigMap),
		Stop: Nothing,
	},
}

// controller returns the user name of a Kubernetes controller on clusters where each
// controller has a ServiceAccount; on other clusters all share one identity.
func controller(name string) string { return "system:serviceaccount:kube-system:" + name }

const sharedIdentity = "system:kube-controller-manager"

// controllersExpiry lists requests that a tenant can cause Kubernetes' controllers to
// make, by copying or adopting objects; and requests that these controllers must be
// able to make.
var controllersExpiry = []Row{
	{
		What: "create a pod of a Job", Method: post, Path: managed + "/pods", Body: pod(comma(tracked)+comma(byJob), ""),
		As: controller("job-controller"), Stop: Nothing,
	},
	{
		What: "create a pod of a Job, with the shared identity", Method: post, Path: managed + "/pods",
		Body: pod(comma(tracked)+comma(byJob), ""), As: sharedIdentity, Stop: Nothing,
	},
	{
		What: "create a pod of a ReplicaSet", Method: post, Path: managed + "/pods", Body: pod(comma(byReplicaSet), ""),
		As: controller("replicaset-controller"), Stop: Nothing,
	},
	{
		What: "copy a finalizer from a Job's template", Method: post, Path: managed + "/pods",
		Body: pod(", finalizers: [batch.kubernetes.io/job-tracking, x.test/x]"+comma(byJob), ""),
		As:   controller("job-controller"), Stop: GuardRails,
	},
	{
		What: "copy a finalizer from a ReplicaSet's template", Method: post, Path: managed + "/pods",
		Body: pod(comma(stays)+comma(byReplicaSet), ""), As: controller("replicaset-controller"), Stop: GuardRails,
	},
	{
		What: "copy a finalizer from a StatefulSet's template", Method: post, Path: managed + "/pods",
		Body: pod(comma(stays), ""), As: controller("statefulset-controller"), Stop: GuardRails,
	},
	{
		What: "copy a finalizer from a DaemonSet's template", Method: post, Path: managed + "/pods",
		Body: pod(comma(stays), ""), As: controller("daemon-set-controller"), Stop: GuardRails,
	},
	{
		What: "copy a finalizer from a ReplicationController's template", Method: post, Path: managed + "/pods",
		Body: pod(comma(stays), ""), As: controller("replication-controller"), Stop: GuardRails,
	},
	{
		What: "copy the Job finalizer into a ReplicaSet's pod", Method: post, Path: managed + "/pods",
		Body: pod(comma(tracked)+comma(byReplicaSet), ""), As: controller("replicaset-controller"), Stop: GuardRails,
	},
	{
		What: "copy the Job finalizer, with the shared identity", Method: post, Path: managed + "/pods",
		Body: pod(comma(tracked)+comma(byReplicaSet), ""), As: sharedIdentity, Stop: GuardRails,
	},
	{
		What: "copy the Job finalizer into a pod of another kind of Job", Method: post, Path: managed + "/pods",
		Body: pod(comma(tracked)+comma(byForeignJob), ""), As: controller("job-controller"), Stop: GuardRails,
	},
	{
		What: "adopt a pod for a Job", Method: patch, Path: managed + "/pods/theirs", Body: metadata(tracked + comma(byJob)),
		As: controller("job-controller"), Stop: Nothing,
	},
	{
		What: "adopt a pod for a ReplicaSet", Method: patch, Path: managed + "/pods/theirs", Body: metadata(byReplicaSet),
		As: controller("replicaset-controller"), Stop: Nothing,
	},
	{
		What: "adopt a Job's pod for a ReplicaSet", Method: patch, Path: jobPod, Body: metadata(byReplicaSet),
		As: controller("replicaset-controller"), Stop: GuardRails,
	},
	{
		What: "adopt a Job's pod, with the shared identity", Method: patch, Path: jobPod, Body: metadata(byReplicaSet),
		As: sharedIdentity, Stop: GuardRails,
	},
	{
		What: "remove a deleted Job as the owner of its pod", Method: patch, Path: jobPod,
		Body: metadata("ownerReferences: null"), As: controller("generic-garbage-collector"), Stop: Nothing,
	},
	{
		What: "create a Job of a CronJob", Method: post, Path: batch + "/jobs", Body: workload("batch/v1", "Job", "", "", ""),
		As: controller("cronjob-controller"), Stop: Nothing,
	},
	{
		What: "create a CronJob's Job managed by another controller", Method: post, Path: batch + "/jobs",
		Body: workload("batch/v1", "Job", "", "", "managedBy: x.test/x"), As: controller("cronjob-controller"),
		Stop: GuardRails, Oldest: Nothing,
	},
	{
		What: "mark a pod as failed", Method: patch, Path: managed + "/pods/theirs/status", Body: "{status: {phase: Failed}}",
		As: controller("pod-garbage-collector"), Stop: Nothing,
	},
	{
		What: "add a finalizer to a pod through its status", Method: patch, Path: managed + "/pods/theirs/status",
		Body: metadata(stays), As: controller("pod-garbage-collector"), Stop: GuardRails,
	},
	{
		What: "create an account with a finalizer", Method: post, Path: managed + "/serviceaccounts",
		Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: x, " + stays + "}}",
		As:   controller("service-account-controller"), Stop: GuardRails,
	},
}
