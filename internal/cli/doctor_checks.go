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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilversion "k8s.io/apimachinery/pkg/util/version"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/version"
	"tenama.dev/tenama/pkg/client"
)

// skewed is the clock skew from which displayed times mislead people.
const skewed = 30 * time.Second

// here checks the local machine.
func (o *doctorOptions) here() {
	o.ok("plugin", version.Get().Version+" "+version.Get().Platform)
	for _, h := range o.files().Health() {
		switch {
		case h.Unreadable != nil:
			o.bad("kubeconfig", h.Unreadable.Error(), "mend or remove that file; until then no command of kubectl works either")
		case h.Destination && h.Unwritable != nil:
			o.bad("kubeconfig", fmt.Sprintf("%s cannot be written: %v", h.Path, h.Unwritable), "make it writable, or leave it alone: kubectl tenama create --kubeconfig-output FILE")
		case h.OpenToOthers && runtime.GOOS != "windows":
			o.warn("kubeconfig", h.Path+" can be read by others, and may hold credentials", "chmod 600 "+h.Path)
		case h.Destination:
			o.ok("kubeconfig", where(h.Path)+" is where contexts go")
		}
		if h.Locked > 0 {
			o.bad("kubeconfig lock", fmt.Sprintf("%s.lock has been there for %s: every writer waits for it", h.Path, h.Locked.Round(time.Second)),
				"if no kubectl is writing at the moment, remove that file")
		}
	}
	if path, err := exec.LookPath(completer); err == nil {
		o.ok("completion", path)
	} else {
		o.warn("completion", "the Tab key does not complete kubectl tenama", "kubectl tenama completion install")
	}
}

// cluster checks the connection up to the broker; it returns nil if there is no usable cluster.
func (o *doctorOptions) cluster(ctx context.Context) *client.Client {
	c, err := o.client()
	if err != nil {
		o.bad("cluster", err.Error(), "")
		return nil
	}
	v, err := c.ServerVersion(ctx)
	if err != nil {
		o.bad("cluster", explained(err), "")
		return nil
	}
	o.ok("cluster", o.server()+" "+v.GitVersion)
	if parsed, err := utilversion.ParseGeneric(v.GitVersion); err == nil {
		if parsed.LessThan(utilversion.MustParseGeneric("1.30")) {
			o.bad("Kubernetes version", v.GitVersion+": admission policies, which contain the broker, are there from 1.30 on", "upgrade the cluster")
		}
		if parsed.LessThan(utilversion.MustParseGeneric("1.33")) {
			o.warn("deletion order", "network policies may go before the pods they hold (CVE-2024-7598)",
				"an administrator turns the feature gate OrderedNamespaceDeletion on, which patches of 1.30 to 1.32 have, or upgrades to 1.33")
		} else {
			o.ok("deletion order", "pods go before the network policies that hold them")
		}
	}
	user, err := c.User(ctx)
	switch {
	case err != nil:
		o.bad("who you are", explained(err), "log in again as you do for kubectl")
		return nil
	case sharedName(user):
		o.warn("who you are", user+": many people may go by that name, and see and delete one another's namespaces", "use an identity of your own, or ask your administrator about docs/security.md, users")
	default:
		o.ok("who you are", user)
	}
	if skew := c.Skew(); skew.Abs() > skewed {
		o.warn("clock", fmt.Sprintf("the cluster's is %s off from yours (%s)", human(skew.Abs()), map[bool]string{true: "ahead", false: "behind"}[skew > 0]), "set the clock of this machine; expiries go by the cluster's")
	} else {
		o.ok("clock", "as the cluster's")
	}
	return c
}

// sharedName reports whether installers give the user name to every administrator.
func sharedName(user string) bool {
	switch user {
	case "kubernetes-admin", "kube-admin", "admin", "cluster-admin", "clusterAdmin", "masterclient", "minikube-user", "minikube", "docker-for-desktop", "system:admin", "kubernetes-super-admin":
		return true
	}
	return false
}

// broker checks that the broker is available, contained by its policies, and usable by the user.
func (o *doctorOptions) broker(ctx context.Context, c *client.Client) {
	o.registered(ctx, c)
	if err := c.Served(ctx); err != nil {
		line, hint, _ := explain(err)
		o.bad("broker", line, hint)
		return
	}
	o.ok("broker", v1alpha1.GroupVersion.String()+" answers")
	var lacking []string
	for _, verb := range []string{"create", "get", "list", "watch", "patch", "delete"} {
		ok, err := c.May(ctx, authorizationv1.ResourceAttributes{Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: v1alpha1.Resource.Resource})
		if err == nil && !ok {
			lacking = append(lacking, verb)
		}
	}
	if len(lacking) > 0 {
		o.bad("your rights", "you may not "+strings.Join(lacking, ", ")+" temporary namespaces",
			"an administrator lets you with: kubectl create clusterrolebinding NAME --clusterrole=tenama:user --user=YOU")
		return
	}
	o.ok("your rights", "you may borrow, extend and give back")
	o.dryRun(ctx, c)
}

// dryRun sends a dry-run create, with which the broker checks policies, class and
// budgets without writing.
func (o *doctorOptions) dryRun(ctx context.Context, c *client.Client) {
	probe := &borrow{factory: o.factory, dryRun: true}
	made, err := probe.create(ctx, c, probe.wanted())
	budget, _ := client.IsOverBudget(err)
	switch {
	case err == nil:
		o.ok("containment", "the broker knows itself held by its policies")
		o.ok("create", "would work now, with class "+made.Spec.ClassName)
	case apierrors.HasStatusCause(err, v1alpha1.CauseNotContained):
		o.bad("containment", err.Error(), "an administrator puts the policies back: kubectl apply -k deploy/policies")
	case budget != "":
		o.ok("containment", "the broker knows itself held by its policies")
		o.warn("create", err.Error(), "kubectl tenama create --wait-for-capacity 30m")
	default:
		line, hint, _ := explain(err)
		o.bad("create", line, hint)
	}
	classes, err := c.Classes(ctx)
	if err != nil {
		o.warn("classes", explained(err), "")
		return
	}
	var names []string
	byDefault := false
	for i := range classes.Items {
		names = append(names, classes.Items[i].Name)
		byDefault = byDefault || isDefault(&classes.Items[i])
	}
	switch {
	case len(names) == 0:
		o.bad("classes", "there are none, so nothing can be borrowed", "an administrator makes some: kubectl apply -k deploy/classes")
	case !byDefault:
		o.warn("classes", strings.Join(names, ", ")+"; none is the default", "choose one with --class; an administrator sets the annotation "+policyv1alpha1.AnnotationDefaultClass)
	default:
		o.ok("classes", strings.Join(names, ", "))
	}
}

// registered checks the APIService, if the user may read it.
func (o *doctorOptions) registered(ctx context.Context, c *client.Client) {
	name := v1alpha1.GroupVersion.Version + "." + v1alpha1.GroupVersion.Group
	cond, err := c.APIServiceAvailable(ctx, name)
	switch {
	case apierrors.IsForbidden(err):
		return // only administrators may read it; the next checks suffice
	case apierrors.IsNotFound(err):
		o.bad("APIService", name+" is not registered: the broker is not installed, or not running",
			"an administrator installs it with kubectl apply -k deploy/base, or finds out why it does not run: kubectl -n tenama-system get pods")
	case err != nil:
		o.bad("APIService", explained(err), "")
	case cond.Status == metav1.ConditionTrue:
		o.ok("APIService", name+" is available")
	default:
		o.bad("APIService", fmt.Sprintf("%s: %s: %s", name, cond.Reason, cond.Message), meaning(cond, o.gitVersion(ctx, c)))
	}
}

func (o *doctorOptions) gitVersion(ctx context.Context, c *client.Client) string {
	v, err := c.ServerVersion(ctx)
	if err != nil {
		return ""
	}
	return v.GitVersion
}

// meaning returns advice for an unavailable APIService on this kind of cluster.
func meaning(cond metav1.Condition, gitVersion string) string {
	switch cond.Reason {
	case "ServiceNotFound", "MissingEndpoints", "EndpointsInaccessible":
		return "no broker is ready: kubectl -n tenama-system get pods"
	}
	timeout := strings.Contains(cond.Message, "deadline exceeded") || strings.Contains(cond.Message, "timeout") || strings.Contains(cond.Message, "no route")
	switch {
	case !timeout:
		return "the broker's log says more: kubectl -n tenama-system logs deployment/tenama-broker"
	case strings.Contains(gitVersion, "-eks-"):
		return "on EKS the control plane must reach the broker: let its security group to the nodes' port 10250"
	case strings.Contains(gitVersion, "-gke."):
		return "on private GKE clusters the control plane must reach the broker: add a firewall rule to the nodes' port 10250"
	}
	return "kube-apiserver cannot reach the broker's port 10250: a network policy, a firewall, or a pod network that the control plane is not part of; then let the broker use the host's network"
}
