// SPDX-License-Identifier: Apache-2.0

// Package stage prepares a control plane for the attacks of package attack: namespaces of
// several owners and classes, and objects of others in them.
package stage

import (
	"context"
	"fmt"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/internal/attack"
	"tenama.dev/tenama/test/testenv"
)

// The identity of the broker, and its namespace.
const (
	home     = "tenama-system"
	sa       = "tenama-broker"
	username = "system:serviceaccount:" + home + ":" + sa
)

// New prepares a stage on a cluster with a running broker. A cluster can have only one
// stage.
func New(ctx context.Context, c *testenv.Cluster) (*attack.Stage, error) {
	if out, err := c.KubectlIn("admin", props, "apply", "-f", "-"); err != nil {
		return nil, fmt.Errorf("set the stage: %s", out)
	}
	admin := c.Config("admin")
	as := func(user string, groups ...string) *rest.Config {
		config := rest.CopyConfig(admin)
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
		return config
	}
	token, err := c.ServiceAccountKubeconfig(ctx, home, sa)
	if err != nil {
		return nil, err
	}
	broker, err := testenv.LoadConfig(token)
	if err != nil {
		return nil, err
	}
	configs := map[attack.Role]*rest.Config{
		attack.BrokerAsAdmin: as(username, "system:masters"), attack.Broker: broker, attack.Operator: as("operator"),
		attack.TenantEdit: as("edith"), attack.TenantAdmin: as("alice", "devs"), attack.ClusterAdmin: admin,
		attack.Controllers: admin,
	}
	soon, late := time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		time.Now().Add(1000*time.Hour).UTC().Format(time.RFC3339)
	self, err := kubernetes.NewForConfigOrDie(admin).AuthenticationV1().SelfSubjectReviews().Create(ctx,
		&authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	names := []string{"$managed", "tmp-stage", "$open", "tmp-stage-open", "$plain", "plain", "$manual", "tmp-manual",
		"$grouped", "tmp-stage-grouped",
		"$piped", "tmp-stage-piped", "$lax", "tmp-stage-lax", "$selfowned", "tmp-stage-selfowned", "$noded",
		"tmp-stage-noded", "$weakened", "tmp-stage-weakened", "$ending", "tmp-stage-ending", "$leaving", "leaving",
		"$held", "tmp-stage-held", "$operator", "operator", "$broker", username, "$admin", self.Status.UserInfo.Username,
		"$home", home, "$sa", sa, "$soon", soon, "$late", late}

	for name, class := range map[string]string{
		"tmp-stage": "default", "tmp-stage-open": "open", "tmp-stage-ending": "default", "tmp-stage-held": "default",
	} {
		tn := fmt.Sprintf("apiVersion: tenama.dev/v1alpha1\nkind: TemporaryNamespace\nmetadata: {name: %s}\nspec: "+
			"{className: %s}\n", name, class)
		err := testenv.Eventually(10*time.Second, func() error { // the broker may not have seen the class yet
			out, err := c.KubectlIn("alice", tn, "apply", "-f", "-")
			if err != nil {
				return fmt.Errorf("borrow %s: %s", name, out)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if out, err := c.KubectlIn("admin", strings.ReplaceAll(inside, "$ns", name), "-n", name, "apply", "-f",
			"-"); err != nil {
			return nil, fmt.Errorf("fill %s: %s", name, out)
		}
	}
	err = end(c, "tmp-stage-ending", "rolebinding/tenama:broker", "resourcequota/theirs", "configmap/theirs")
	if err != nil {
		return nil, err
	}
	if out, err := c.Kubectl("admin", "annotate", "namespace", "tmp-stage-held", "tenama.dev/hold=incident",
		"tenama.dev/held-by="+self.Status.UserInfo.Username); err != nil {
		return nil, fmt.Errorf("set a hold: %s", out)
	}
	if err := end(c, "leaving"); err != nil {
		return nil, err
	}
	pod, err := podOf(ctx, kubernetes.NewForConfigOrDie(admin), "tmp-stage", "theirs")
	if err != nil {
		return nil, err
	}
	// Namespaces that only a different broker would create.
	const ready = `, tenama.dev/ready: "true", tenama.dev/pod-security: baseline, tenama.dev/owner-role: edit, ` +
		`tenama.dev/ttl-seconds: "3600", tenama.dev/max-ttl-seconds: "3600"`
	for name, owner := range map[string]string{
		"tmp-stage-grouped": "tenama.dev/owner: carol, tenama.dev/owner-group: payments",
		"tmp-stage-piped":   "tenama.dev/owner: system:serviceaccount:plain:ci",
		"tmp-stage-lax": "tenama.dev/owner: carol, tenama.dev/user-keys: " +
			"'pod-security.kubernetes.io/*,tenama.dev/*,x.tenama.dev/*,team'",
		"tmp-stage-selfowned": "tenama.dev/owner: " + username,
		"tmp-stage-noded":     "tenama.dev/owner: system:node:n1, tenama.dev/owner-group: system:authenticated",
		"tmp-stage-weakened":  "tenama.dev/owner: carol",
	} {
		// The broker could not create some of them.
		out, err := c.KubectlIn("admin", attack.Namespace(name, attack.GoodLabels, owner+ready), "create", "-f", "-")
		if err != nil && !strings.Contains(out, "already exists") {
			return nil, fmt.Errorf("create %s: %s", name, out)
		}
	}
	if out, err := c.Kubectl("admin", "-n", "tmp-stage", "patch", "resourcequota", "tenama", "--type=merge", "-p",
		`{"metadata":{"finalizers":["x.test/theirs"]}}`); err != nil {
		return nil, fmt.Errorf("put a finalizer: %s", out)
	}
	if out, err := c.Kubectl("admin", "label", "--overwrite", "namespace", "tmp-stage-weakened",
		"pod-security.kubernetes.io/enforce=privileged"); err != nil {
		return nil, fmt.Errorf("weaken: %s", out)
	}
	return attack.NewStage(configs, append(names, "$jobpod", pod)...), nil
}

// end deletes a namespace. Its deletion hangs, because some of its objects have
// finalizers: a binding, an account and further ones.
func end(c *testenv.Cluster, ns string, objects ...string) error {
	for _, object := range append(objects, "rolebinding/theirs", "serviceaccount/theirs") {
		if out, err := c.Kubectl("admin", "-n", ns, "patch", object, "--type=merge", "-p",
			`{"metadata":{"finalizers":["x.test/theirs"]}}`); err != nil {
			return fmt.Errorf("put a finalizer on %s in %s: %s", object, ns, out)
		}
	}
	if out, err := c.Kubectl("admin", "delete", "namespace", ns, "--wait=false"); err != nil {
		return fmt.Errorf("delete %s: %s", ns, out)
	}
	return nil
}

// podOf returns the name of the pod that the Job controller created for a Job.
func podOf(ctx context.Context, kube kubernetes.Interface, ns, job string) (name string, err error) {
	err = testenv.Eventually(time.Minute, func() error {
		pods, err := kube.CoreV1().Pods(ns).
			List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + job})
		if err != nil {
			return err
		}
		if len(pods.Items) == 0 {
			return fmt.Errorf("no pod of Job %q in namespace %q", job, ns)
		}
		name = pods.Items[0].Name
		return nil
	})
	return name, err
}
