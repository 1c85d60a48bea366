// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/deploy"
)

// Problem is a reason why an installation would fail or surprise, and what to do about it.
type Problem struct {
	Check   string
	Message string
	Advice  string
	Warning bool // it does not prevent the installation
}

// Check looks for what prevents an installation with these options on a cluster with this
// version of kube-apiserver. It writes nothing. An error means that a check could not be
// made.
func (c *Cluster) Check(ctx context.Context, o *deploy.Options, version string) ([]Problem, error) {
	var out []Problem
	for _, check := range []func(context.Context, *deploy.Options) (*Problem, error){
		c.checkAggregation, c.checkHome, c.checkNames, c.checkLent, c.checkAPIService, c.checkNetwork(version),
	} {
		p, err := check(ctx, o)
		if err != nil {
			return nil, err
		}
		if p != nil {
			out = append(out, *p)
		}
	}
	return out, nil
}

// checkAggregation checks that kube-apiserver can authenticate itself to the broker.
func (c *Cluster) checkAggregation(ctx context.Context, _ *deploy.Options) (*Problem, error) {
	const name = "extension-apiserver-authentication"
	m, err := c.get(ctx, c.client.Resource(configMaps).Namespace("kube-system"), name)
	if err != nil {
		return nil, fmt.Errorf("get config map %q: %w", name, err)
	}
	if m != nil {
		if ca, _, _ := unstructured.NestedString(m.Object, "data", "requestheader-client-ca-file"); ca != "" {
			return nil, nil
		}
	}
	return &Problem{Check: "aggregation",
		Message: "kube-apiserver has no certificate for aggregated API servers (--requestheader-client-ca-file)",
		Advice:  "configure its aggregation layer: --requestheader-* and --proxy-client-* of kube-apiserver"}, nil
}

// checkNames looks for namespaces of others whose names have a prefix of the installation:
// policies will reserve it.
func (c *Cluster) checkNames(ctx context.Context, o *deploy.Options) (*Problem, error) {
	list, err := c.client.Resource(namespaces).List(ctx, metav1.ListOptions{
		LabelSelector: "!" + v1alpha1.LabelManaged, ResourceVersion: "0",
	})
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	var names []string
	for i := range list.Items {
		name := list.Items[i].GetName()
		if slices.ContainsFunc(prefixesOf(o), func(p string) bool { return strings.HasPrefix(name, p) }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return &Problem{Check: "prefix", Warning: true,
		Message: fmt.Sprintf("%s have the prefix of temporary namespaces, but are not tenama's: to create "+
			"such a namespace again would require the verb override", some(names)),
		Advice: "choose another prefix with --prefix"}, nil
}

// checkLent checks that no lent namespace would be left without policies and expiry.
func (c *Cluster) checkLent(ctx context.Context, o *deploy.Options) (*Problem, error) {
	lent, err := c.Lent(ctx)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, name := range namesOf(lent) {
		if !slices.ContainsFunc(prefixesOf(o), func(p string) bool { return strings.HasPrefix(name, p) }) {
			left = append(left, name)
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	return &Problem{Check: "lent namespaces",
		Message: fmt.Sprintf("%s have another prefix: they would neither expire nor be protected", some(left)),
		Advice:  "delete them first, or keep their prefix: --prefix NEW,OLD"}, nil
}

// APIServerPorts returns the ports of kube-apiserver that the NetworkPolicies of an
// installation with these options do not allow.
func (c *Cluster) APIServerPorts(ctx context.Context, o *deploy.Options) ([]int, error) {
	objects, err := deploy.Objects(*o)
	if err != nil {
		return nil, err
	}
	allowed := map[int64]bool{}
	for _, obj := range objects {
		if obj.GetKind() != "NetworkPolicy" || obj.GetName() != brokerName {
			continue
		}
		for _, rule := range maps(obj.Object, "spec", "egress") {
			ports := maps(rule, "ports")
			if len(ports) == 0 {
				return nil, nil // all of them
			}
			for _, p := range ports {
				allowed[number(p["port"])] = true
			}
		}
	}
	list, err := c.client.Resource(endpointSlices).Namespace("default").List(ctx, metav1.ListOptions{
		LabelSelector: "kubernetes.io/service-name=kubernetes",
	})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return nil, nil // the wait for the broker tells
	}
	if err != nil {
		return nil, fmt.Errorf("list the endpoints of kube-apiserver: %w", err)
	}
	var out []int
	for i := range list.Items {
		for _, p := range maps(list.Items[i].Object, "ports") {
			if n := number(p["port"]); n > 0 && !allowed[n] && !slices.Contains(out, int(n)) {
				out = append(out, int(n))
			}
		}
	}
	return out, nil
}

// checkAPIService checks that no other Service serves the API.
func (c *Cluster) checkAPIService(ctx context.Context, o *deploy.Options) (*Problem, error) {
	s, err := c.get(ctx, c.client.Resource(apiServices), apiService)
	if err != nil || s == nil {
		return nil, err
	}
	ns, _, _ := unstructured.NestedString(s.Object, "spec", "service", "namespace")
	if ns == c.namespace {
		return nil, nil
	}
	return &Problem{Check: "APIService",
		Message: fmt.Sprintf("%s belongs to an installation in namespace %q", apiService, ns),
		Advice:  fmt.Sprintf("update that one with --namespace %s, or uninstall it first", ns)}, nil
}

// checkNetwork recognizes control planes that cannot reach pods: on EKS, those of clusters
// with a network plugin other than the one of AWS, whose DaemonSet is aws-node.
func (c *Cluster) checkNetwork(version string) func(context.Context, *deploy.Options) (*Problem, error) {
	return func(ctx context.Context, o *deploy.Options) (*Problem, error) {
		if !strings.Contains(version, "-eks-") || o.HostNetwork {
			return nil, nil
		}
		d, err := c.get(ctx, c.client.Resource(daemonSets).Namespace("kube-system"), "aws-node")
		if err != nil || d != nil {
			return nil, err
		}
		return &Problem{Check: "network", Warning: true,
			Message: "EKS reaches pods only with the network plugin of AWS, which this cluster does not have",
			Advice:  "use --host-network, and allow the control plane to connect to port 10270 of the nodes"}, nil
	}
}

func prefixesOf(o *deploy.Options) []string {
	if len(o.Prefixes) == 0 {
		return []string{deploy.DefaultPrefix}
	}
	return o.Prefixes
}

// some returns at most three names.
func some(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

// number returns a number that was decoded from JSON or YAML.
func number(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case int:
		return int64(n)
	case float64:
		return int64(n)
	case json.Number:
		i, _ := n.Int64()
		return i
	}
	return 0
}
