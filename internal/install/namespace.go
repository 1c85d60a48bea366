// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"tenama.dev/tenama/deploy"
)

// isHome reports whether the namespace is that of an installation: it has the label, or the
// binding of the broker's rights names it. labelled is true if the namespace itself is of the
// installation, too.
func (c *Cluster) isHome(ctx context.Context) (ours, labelled bool, _ error) {
	ns, err := c.get(ctx, c.client.Resource(namespaces), c.namespace)
	if err != nil {
		return false, false, fmt.Errorf("get namespace %q: %w", c.namespace, err)
	}
	if ns != nil && ns.GetLabels()[nameLabel] == "tenama" {
		return true, true, nil
	}
	b, err := c.get(ctx, c.client.Resource(roleBindings), brokerRole)
	if err != nil {
		return false, false, fmt.Errorf("get ClusterRoleBinding %q: %w", brokerRole, err)
	}
	if b == nil {
		return false, false, nil
	}
	in, _ := accountOf(b)
	return in == c.namespace, false, nil
}

// contents are the kinds that say whose a namespace is. Others (events, leases, accounts)
// come with them, or with every namespace.
var contents = []schema.GroupVersionResource{
	pods, configMaps, deployments, daemonSets,
	resource("", "v1", "services"), resource("", "v1", "secrets"), resource("", "v1", "persistentvolumeclaims"),
	resource("apps", "v1", "statefulsets"), resource("batch", "v1", "jobs"), resource("batch", "v1", "cronjobs"),
}

// Others returns what the namespace of the broker contains that is not of the installation,
// such as "deployments/web". Its deletion would take that along.
func (c *Cluster) Others(ctx context.Context, o *deploy.Options) ([]string, error) {
	var out []string
	for _, r := range contents {
		list, err := c.client.Resource(r).Namespace(c.namespace).List(ctx, metav1.ListOptions{
			LabelSelector: nameLabel + "!=tenama",
		})
		if err != nil {
			return nil, fmt.Errorf("list the %s of namespace %q: %w", r.Resource, c.namespace, err)
		}
		for i := range list.Items {
			name := list.Items[i].GetName()
			if !comesWithNamespace(&list.Items[i]) && !slices.Contains(o.PullSecrets, name) &&
				(r.Resource != "secrets" || name != forwarderSecret) {
				out = append(out, r.Resource+"/"+name)
			}
		}
	}
	return out, nil
}

// comesWithNamespace reports whether controllers of the cluster create an object in every
// namespace.
func comesWithNamespace(o *unstructured.Unstructured) bool {
	kind, _, _ := unstructured.NestedString(o.Object, "type") // of a Secret
	return slices.Contains([]string{"kube-root-ca.crt", "openshift-service-ca.crt"}, o.GetName()) ||
		slices.Contains([]string{"kubernetes.io/service-account-token", "kubernetes.io/dockercfg"}, kind)
}

// checkHome checks that the namespace of the broker is not one of others: the installation
// changes its pod security.
func (c *Cluster) checkHome(ctx context.Context, o *deploy.Options) (*Problem, error) {
	if ours, _, err := c.isHome(ctx); err != nil || ours {
		return nil, err
	}
	others, err := c.Others(ctx, o)
	others = slices.DeleteFunc(others, func(name string) bool { // made in advance, for the pods of the broker
		return strings.HasPrefix(name, "secrets/") || strings.HasPrefix(name, "configmaps/")
	})
	if err != nil || len(others) == 0 {
		return nil, err
	}
	return &Problem{Check: "namespace",
		Message: fmt.Sprintf("namespace %q is in use by others: it has %s", c.namespace, some(others)),
		Advice:  "choose another one with --namespace: the broker needs one of its own"}, nil
}
