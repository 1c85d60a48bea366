// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilversion "k8s.io/apimachinery/pkg/util/version"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/internal/version"
	"tenama.dev/tenama/pkg/client"
)

// maxSkew is the clock skew from which displayed times mislead people.
const maxSkew = 30 * time.Second

// checkMachine checks the local machine.
func (o *doctorOptions) checkMachine() {
	o.ok("plugin", version.Get().Version+" "+version.Get().Platform)
	for _, h := range o.files().Health() {
		switch {
		case h.Unreadable != nil:
			o.fail("kubeconfig", h.Unreadable.Error(), "fix or remove this file; kubectl cannot read it either")
		case h.Destination && h.Unwritable != nil:
			o.fail("kubeconfig", fmt.Sprintf("%s cannot be written: %v", h.Path, h.Unwritable),
				"make it writable, or write a separate file: kubectl tenama create --kubeconfig-output FILE")
		case h.OpenToOthers && runtime.GOOS != "windows":
			o.warn("kubeconfig", h.Path+" is readable by other users and may contain credentials", "run: chmod 600 "+h.Path)
		case h.Destination:
			o.ok("kubeconfig", "contexts are written to "+describeFile(h.Path))
		}
		if h.Locked > 0 {
			age := h.Locked.Round(time.Second)
			o.fail("kubeconfig lock",
				fmt.Sprintf("%s.lock is %s old; programs that change the kubeconfig wait for it", h.Path, age),
				"if no program is changing the kubeconfig, remove the lock file")
		}
	}
	o.checkContexts()
	if path, err := exec.LookPath(completerName); err == nil {
		o.ok("completion", path)
	} else {
		o.warn("completion", "shell completion is not installed", "run: kubectl tenama completion install")
	}
}

// checkContexts checks the contexts that tenama added for namespaces that have expired.
func (o *doctorOptions) checkContexts() {
	m, err := o.files().Load()
	if err != nil { // checkMachine reports it
		return
	}
	var expired []string
	for _, e := range m.Entries() {
		if e.Expired() {
			expired = append(expired, e.Context)
		}
	}
	if len(expired) > 0 {
		o.warn("contexts", strings.Join(expired, ", ")+": past the last known expiry", "run: "+o.command("prune"))
	}
	if m.CurrentContext != "" && m.Contexts[m.CurrentContext] == nil {
		o.warn("contexts", fmt.Sprintf("the current context %q does not exist", m.CurrentContext),
			"choose one: kubectl config use-context NAME")
	}
}

// checkCluster checks the connection up to the broker; it returns nil if there is no usable cluster.
func (o *doctorOptions) checkCluster(ctx context.Context) *client.Client {
	c, err := o.client()
	if err != nil {
		o.failWith("cluster", err)
		return nil
	}
	v, err := c.ServerVersion(ctx)
	if err != nil {
		o.failWith("cluster", err)
		return nil
	}
	o.ok("cluster", o.server()+" "+v.GitVersion)
	if parsed, err := utilversion.ParseGeneric(v.GitVersion); err == nil {
		if parsed.LessThan(utilversion.MustParseGeneric("1.30")) {
			o.fail("Kubernetes version", v.GitVersion+": tenama requires Kubernetes 1.30 or later", "upgrade the cluster")
		}
		if parsed.LessThan(utilversion.MustParseGeneric("1.33")) {
			o.warn("deletion order", "network policies may be deleted before the pods that they restrict (CVE-2024-7598)",
				"ask an administrator to enable the feature gate OrderedNamespaceDeletion "+
					"(in patch releases of 1.30 to 1.32), or to upgrade to 1.33")
		} else {
			o.ok("deletion order", "pods are deleted before the network policies that restrict them")
		}
	}
	user, err := c.User(ctx)
	switch {
	case err != nil:
		o.failWith("identity", err)
		return nil
	case confinedTo(user) != "" && !mayCreate(ctx, c): // people may name accounts of their own like that
		o.warn("identity", "this is the credential of namespace "+confinedTo(user)+", and is valid there only",
			"to create, extend or list namespaces, use your own kubeconfig, not "+strings.Join(o.paths(), ", "))
		return nil
	case isSharedUserName(user):
		o.warn("identity", user+": several people may share this name, and can see and delete each other's namespaces",
			"use an identity of your own; administrators: see docs/security.md, users")
	default:
		o.ok("identity", user)
	}
	if skew := c.Skew(); skew.Abs() > maxSkew {
		direction := map[bool]string{true: "ahead of", false: "behind"}[skew > 0]
		o.warn("clock",
			fmt.Sprintf("the clock of the cluster is %s %s this machine", term.FormatDuration(skew.Abs()), direction),
			"set the clock of this machine; expiries follow the clock of the cluster")
	} else {
		o.ok("clock", "in sync with the cluster")
	}
	return c
}

// mayCreate reports whether the user is certainly allowed to create namespaces.
func mayCreate(ctx context.Context, c *client.Client) bool {
	ok, err := c.May(ctx, authorizationv1.ResourceAttributes{
		Verb: "create", Group: v1alpha1.GroupVersion.Group, Resource: v1alpha1.Resource.Resource,
	})
	return ok && err == nil
}

// confinedTo returns the namespace of the ServiceAccount that the plugin created for a credential;
// nothing for any other user.
func confinedTo(user string) string {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	if ns, account, _ := strings.Cut(rest, ":"); ok && strings.HasPrefix(account, "tenama-") {
		return ns
	}
	return ""
}

// isSharedUserName reports whether installers give the user name to every administrator.
func isSharedUserName(user string) bool {
	switch user {
	case "kubernetes-admin", "kube-admin", "admin", "cluster-admin", "clusterAdmin", "masterclient", "minikube-user",
		"minikube", "docker-for-desktop", "system:admin", "kubernetes-super-admin":
		return true
	}
	return false
}

// checkBroker checks that the broker is available, contained by its policies, and usable by the user.
func (o *doctorOptions) checkBroker(ctx context.Context, c *client.Client) {
	o.checkAPIService(ctx, c)
	if err := c.Served(ctx); err != nil {
		o.failWith("broker", err)
		return
	}
	o.ok("broker", v1alpha1.GroupVersion.String()+" responds")
	var missing []string
	for _, verb := range []string{"create", "get", "list", "watch", "patch", "delete"} {
		ok, err := c.May(ctx, authorizationv1.ResourceAttributes{
			Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: v1alpha1.Resource.Resource,
		})
		if err == nil && !ok {
			missing = append(missing, verb)
		}
	}
	if len(missing) > 0 {
		o.fail("permissions", "you are not allowed to "+strings.Join(missing, ", ")+" temporary namespaces",
			"ask an administrator to run: kubectl create clusterrolebinding NAME --clusterrole=tenama:user --user=YOU")
		return
	}
	o.ok("permissions", "you are allowed to create, extend and delete temporary namespaces")
	o.checkCreate(ctx, c)
}

// checkCreate sends a dry-run create, with which the broker checks policies, class and
// budgets without writing.
func (o *doctorOptions) checkCreate(ctx context.Context, c *client.Client) {
	probe := &createRequest{factory: o.factory, dryRun: true}
	created, err := probe.create(ctx, c, probe.object())
	budget, _ := client.IsOverBudget(err)
	switch {
	case err == nil:
		o.ok("containment", "the broker has verified its admission policies")
		o.ok("create", "would work now, with class "+created.Spec.ClassName)
	case apierrors.HasStatusCause(err, v1alpha1.CauseNotContained):
		o.fail("containment", err.Error(), "ask an administrator to run: kubectl tenama install")
	case budget != "":
		o.ok("containment", "the broker has verified its admission policies")
		o.warn("create", err.Error(), "wait for capacity: kubectl tenama create --wait-for-capacity 30m")
	default:
		o.failWith("create", err)
	}
	classes, err := c.Classes(ctx)
	if err != nil {
		message, hint := problem(err)
		o.warn("classes", message, hint)
		return
	}
	var names []string
	hasDefault := false
	for i := range classes.Items {
		name := classes.Items[i].Name
		if ready := meta.FindStatusCondition(classes.Items[i].Status.Conditions,
			policyv1alpha1.ConditionReady); ready != nil && ready.Status == metav1.ConditionFalse {
			o.warn("class "+name, "it cannot be used: "+ready.Message, "ask an administrator to correct the class")
			continue
		}
		names = append(names, name)
		hasDefault = hasDefault || isDefault(&classes.Items[i])
	}
	switch {
	case len(classes.Items) > 0 && len(names) == 0:
		o.fail("classes", "no class can be used, so no namespace can be created", "ask an administrator to correct one")
	case len(names) == 0:
		o.fail("classes", "no classes found, so no namespace can be created",
			"ask an administrator to run: kubectl tenama install --export=classes | kubectl create -f -")
	case !hasDefault:
		o.warn("classes", strings.Join(names, ", ")+"; none is the default",
			"choose one with --class, or ask an administrator to set the annotation "+policyv1alpha1.AnnotationDefaultClass)
	default:
		o.ok("classes", strings.Join(names, ", "))
	}
}

// checkAPIService checks the APIService, if the user may read it.
func (o *doctorOptions) checkAPIService(ctx context.Context, c *client.Client) {
	name := v1alpha1.GroupVersion.Version + "." + v1alpha1.GroupVersion.Group
	cond, err := c.APIServiceAvailable(ctx, name)
	switch {
	case apierrors.IsForbidden(err):
		return // only administrators may read it; the next checks suffice
	case apierrors.IsNotFound(err):
		o.fail("APIService", name+" is not registered: the broker is not installed, or not running",
			"ask an administrator to install it with kubectl tenama install, "+
				"or to check: kubectl -n tenama-system get pods")
	case err != nil:
		o.failWith("APIService", err)
	case cond.Status == metav1.ConditionTrue:
		o.ok("APIService", name+" is available")
	default:
		o.fail("APIService", fmt.Sprintf("%s: %s: %s", name, cond.Reason, cond.Message),
			apiServiceAdvice(cond, o.gitVersion(ctx, c)))
	}
}

func (o *doctorOptions) gitVersion(ctx context.Context, c *client.Client) string {
	v, err := c.ServerVersion(ctx)
	if err != nil {
		return ""
	}
	return v.GitVersion
}

// apiServiceAdvice returns advice for an unavailable APIService on this kind of cluster.
func apiServiceAdvice(cond metav1.Condition, gitVersion string) string {
	switch cond.Reason {
	case "ServiceNotFound", "MissingEndpoints", "EndpointsInaccessible":
		return "no pod of the broker is ready; check: kubectl -n tenama-system get pods"
	}
	timeout := strings.Contains(cond.Message, "deadline exceeded") || strings.Contains(cond.Message, "timeout") ||
		strings.Contains(cond.Message, "no route")
	switch {
	case !timeout:
		return "see the log of the broker: kubectl -n tenama-system logs deployment/tenama-broker"
	case strings.Contains(gitVersion, "-eks-"):
		return "on EKS, allow the security group of the control plane to connect to port 10250 of the nodes"
	case strings.Contains(gitVersion, "-gke."):
		return "on private GKE clusters, add a firewall rule that allows the control plane " +
			"to connect to port 10250 of the nodes"
	}
	return "kube-apiserver cannot reach port 10250 of the broker: check network policies and firewalls; " +
		"if the control plane is not part of the pod network, run: kubectl tenama install --host-network"
}
