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
	byJobAndMore = owners(`{apiVersion: batch/v1, kind: Job, name: theirs, uid: x, controller: true}, {apiVersion: v1, kind: ConfigMap, name: keep, uid: z}`)
)

func owners(refs string) string { return "ownerReferences: [" + refs + "]" }

// workload returns an object with a pod template, with additional fields in the
// template's metadata, in the template's spec, and in the object's spec.
func workload(apiVersion, kind, meta, spec, more string) string {
	template := fmt.Sprintf("template: {metadata: {labels: {app: x}%s}, spec: {restartPolicy: %s, containers: [{name: c, image: c}]%s}}",
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
		return fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: x}, spec: {schedule: '0 0 * * *', jobTemplate: {spec: {%s%s}}}}", apiVersion, kind, template, comma(more))
	}
	return fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: x}, spec: {%s%s%s}}", apiVersion, kind, selector, template, comma(more))
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
	{What: "have a Deployment make pods that cannot end", Method: post, Path: apps + "/deployments", Body: workload("apps/v1", "Deployment", stays, "", ""), Stop: GuardRails},
	{What: "have a ReplicaSet make pods that cannot end", Method: post, Path: apps + "/replicasets", Body: workload("apps/v1", "ReplicaSet", stays, "", ""), Stop: GuardRails},
	{What: "have a StatefulSet make pods that cannot end", Method: post, Path: apps + "/statefulsets", Body: workload("apps/v1", "StatefulSet", stays, "", ""), Stop: GuardRails},
	{What: "have a DaemonSet make pods that cannot end", Method: post, Path: apps + "/daemonsets", Body: workload("apps/v1", "DaemonSet", stays, "", ""), Stop: GuardRails},
	{What: "have a ReplicationController make pods that cannot end", Method: post, Path: managed + "/replicationcontrollers", Body: workload("v1", "ReplicationController", stays, "", ""), Stop: GuardRails},
	{What: "have a Job make pods that cannot end", Method: post, Path: batch + "/jobs", Body: workload("batch/v1", "Job", stays, "", ""), Stop: GuardRails},
	{What: "have a CronJob make pods that cannot end", Method: post, Path: batch + "/cronjobs", Body: workload("batch/v1", "CronJob", stays, "", ""), Stop: GuardRails},
	{What: "have a Deployment make pods with the finalizer of a Job's", Method: post, Path: apps + "/deployments", Body: workload("apps/v1", "Deployment", tracked, "", ""), Stop: GuardRails},
	{What: "have a Deployment make pods that cannot end, later", Method: patch, Path: apps + "/deployments/theirs", Body: "{spec: {template: {metadata: {" + stays + "}}}}", Stop: GuardRails},
	{What: "have a Deployment make pods that take an hour to end", Method: post, Path: apps + "/deployments", Body: workload("apps/v1", "Deployment", "", "terminationGracePeriodSeconds: 3600", ""), Stop: GuardRails},
	{What: "have a Deployment displace the pods of others", Method: post, Path: apps + "/deployments", Body: workload("apps/v1", "Deployment", "", "priorityClassName: system-node-critical", ""), Stop: GuardRails},

	// Through the finalizer that the Job controller puts on pods of Jobs and does not
	// always remove.
	{What: "imitate the pod of a Job", Method: post, Path: managed + "/pods", Body: pod(comma(tracked)+comma(byJob), ""), Stop: GuardRails},
	{What: "give a Job's pod to a config map", Method: patch, Path: jobPod, Body: metadata(byConfigMap), Stop: GuardRails},
	{What: "give a Job's pod to a Job of another kind", Method: patch, Path: jobPod, Body: metadata(byForeignJob), Stop: GuardRails},
	{What: "give a Job's pod to another Job", Method: patch, Path: jobPod, Body: metadata(byJob), Stop: GuardRails},
	{What: "give a Job's pod one more owner", Method: patch, Path: jobPod, Body: metadata(byJobAndMore), Stop: GuardRails},
	{What: "take a Job's pod from its Job", Method: patch, Path: jobPod, Body: metadata("ownerReferences: null"), Stop: GuardRails},
	{What: "put a finalizer of their own on a Job's pod", Method: patch, Path: jobPod, Body: metadata("finalizers: [batch.kubernetes.io/job-tracking, x.test/x]"), Stop: GuardRails},
	{What: "write a Job that another controller runs", Method: post, Path: batch + "/jobs", Body: workload("batch/v1", "Job", "", "", "managedBy: x.test/x"), Stop: GuardRails},
	{What: "write a CronJob of Jobs that another controller runs", Method: post, Path: batch + "/cronjobs", Body: workload("batch/v1", "CronJob", "", "", "managedBy: x.test/x"), Stop: GuardRails},

	// Through an owner that no longer exists: the garbage collector deletes the guard
	// rail.
	{What: "have the default network policy collected", Method: patch, Path: policies + "/tenama", Body: metadata(byConfigMap), Stop: GuardRails},

	// Ordinary use.
	{What: "write a Deployment", Method: post, Path: apps + "/deployments", Body: workload("apps/v1", "Deployment", "", "", ""), Stop: Nothing},
	{What: "write a StatefulSet", Method: post, Path: apps + "/statefulsets", Body: workload("apps/v1", "StatefulSet", "", "", ""), Stop: Nothing},
	{What: "write a DaemonSet", Method: post, Path: apps + "/daemonsets", Body: workload("apps/v1", "DaemonSet", "", "", ""), Stop: Nothing},
	{What: "write a ReplicationController", Method: post, Path: managed + "/replicationcontrollers", Body: workload("v1", "ReplicationController", "", "", ""), Stop: Nothing},
	{What: "write a Job", Method: post, Path: batch + "/jobs", Body: workload("batch/v1", "Job", "", "", ""), Stop: Nothing},
	{What: "write a Job that names the Job controller of Kubernetes", Method: post, Path: batch + "/jobs", Body: workload("batch/v1", "Job", "", "", "managedBy: kubernetes.io/job-controller"), Stop: Nothing},
	{What: "write a CronJob", Method: post, Path: batch + "/cronjobs", Body: workload("batch/v1", "CronJob", "", "", ""), Stop: Nothing},
	{What: "change the image of a Deployment", Method: patch, Path: apps + "/deployments/theirs", Body: "{spec: {template: {spec: {containers: [{name: c, image: d}]}}}}", Stop: Nothing},
	{What: "scale a Deployment", Method: patch, Path: apps + "/deployments/theirs", Body: "{spec: {replicas: 0}}", Stop: Nothing},
	{What: "label a Job's pod", Method: patch, Path: jobPod, Body: labels("a: b"), Stop: Nothing},
	{What: "take the finalizer off a Job's pod", Method: patch, Path: jobPod, Body: metadata("finalizers: []"), Stop: Nothing},
	{What: "give a pod an owner", Method: patch, Path: managed + "/pods/theirs", Body: metadata(byConfigMap), Stop: Nothing},
}

// controller returns the user name of a Kubernetes controller on clusters where each
// controller has a ServiceAccount; on other clusters all share one identity.
func controller(name string) string { return "system:serviceaccount:kube-system:" + name }

const sharedIdentity = "system:kube-controller-manager"

// controllersExpiry lists requests that a tenant can cause Kubernetes' controllers to
// make, by copying or adopting objects; and requests that these controllers must be
// able to make.
var controllersExpiry = []Row{
	{What: "run a pod of a Job", Method: post, Path: managed + "/pods", Body: pod(comma(tracked)+comma(byJob), ""), As: controller("job-controller"), Stop: Nothing},
	{What: "run a pod of a Job, without an account of its own", Method: post, Path: managed + "/pods", Body: pod(comma(tracked)+comma(byJob), ""), As: sharedIdentity, Stop: Nothing},
	{What: "run a pod of a ReplicaSet", Method: post, Path: managed + "/pods", Body: pod(comma(byReplicaSet), ""), As: controller("replicaset-controller"), Stop: Nothing},
	{What: "copy a finalizer of a Job's template", Method: post, Path: managed + "/pods", Body: pod(", finalizers: [batch.kubernetes.io/job-tracking, x.test/x]"+comma(byJob), ""), As: controller("job-controller"), Stop: GuardRails},
	{What: "copy a finalizer of a ReplicaSet's template", Method: post, Path: managed + "/pods", Body: pod(comma(stays)+comma(byReplicaSet), ""), As: controller("replicaset-controller"), Stop: GuardRails},
	{What: "copy a finalizer of a StatefulSet's template", Method: post, Path: managed + "/pods", Body: pod(comma(stays), ""), As: controller("statefulset-controller"), Stop: GuardRails},
	{What: "copy a finalizer of a DaemonSet's template", Method: post, Path: managed + "/pods", Body: pod(comma(stays), ""), As: controller("daemon-set-controller"), Stop: GuardRails},
	{What: "copy a finalizer of a ReplicationController's template", Method: post, Path: managed + "/pods", Body: pod(comma(stays), ""), As: controller("replication-controller"), Stop: GuardRails},
	{What: "copy the finalizer of Jobs into a ReplicaSet's pod", Method: post, Path: managed + "/pods", Body: pod(comma(tracked)+comma(byReplicaSet), ""), As: controller("replicaset-controller"), Stop: GuardRails},
	{What: "copy the finalizer of Jobs into a ReplicaSet's pod, without an account of its own", Method: post, Path: managed + "/pods", Body: pod(comma(tracked)+comma(byReplicaSet), ""), As: sharedIdentity, Stop: GuardRails},
	{What: "run a pod with the finalizer of Jobs for a Job of another kind", Method: post, Path: managed + "/pods", Body: pod(comma(tracked)+comma(byForeignJob), ""), As: controller("job-controller"), Stop: GuardRails},
	{What: "adopt a pod for a Job", Method: patch, Path: managed + "/pods/theirs", Body: metadata(tracked + comma(byJob)), As: controller("job-controller"), Stop: Nothing},
	{What: "adopt a pod for a ReplicaSet", Method: patch, Path: managed + "/pods/theirs", Body: metadata(byReplicaSet), As: controller("replicaset-controller"), Stop: Nothing},
	{What: "adopt a Job's pod for a ReplicaSet", Method: patch, Path: jobPod, Body: metadata(byReplicaSet), As: controller("replicaset-controller"), Stop: GuardRails},
	{What: "adopt a Job's pod for a ReplicaSet, without an account of its own", Method: patch, Path: jobPod, Body: metadata(byReplicaSet), As: sharedIdentity, Stop: GuardRails},
	{What: "leave a Job's pod to nobody, as the Job was deleted without it", Method: patch, Path: jobPod, Body: metadata("ownerReferences: null"), As: controller("generic-garbage-collector"), Stop: Nothing},
	{What: "run a Job of a CronJob", Method: post, Path: batch + "/jobs", Body: workload("batch/v1", "Job", "", "", ""), As: controller("cronjob-controller"), Stop: Nothing},
	{What: "run a Job that another controller runs, by a CronJob", Method: post, Path: batch + "/jobs", Body: workload("batch/v1", "Job", "", "", "managedBy: x.test/x"), As: controller("cronjob-controller"), Stop: GuardRails},
	{What: "mark a pod as failed", Method: patch, Path: managed + "/pods/theirs/status", Body: "{status: {phase: Failed}}", As: controller("pod-garbage-collector"), Stop: Nothing},
	{What: "put a finalizer on a pod by way of its status", Method: patch, Path: managed + "/pods/theirs/status", Body: metadata(stays), As: controller("pod-garbage-collector"), Stop: GuardRails},
	{What: "make an account that cannot end", Method: post, Path: managed + "/serviceaccounts", Body: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: x, " + stays + "}}", As: controller("service-account-controller"), Stop: GuardRails},
}
