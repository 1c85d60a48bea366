// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/attack"
	"tenama.dev/tenama/internal/install"
	"tenama.dev/tenama/pkg/client"
)

// checkContainment tries, as dry runs and in the name of the broker's ServiceAccount, what a
// stolen token of the broker could be used for. It shows what stops each attempt on this
// cluster, with the webhooks and policies that it has.
func (o *doctorOptions) checkContainment(ctx context.Context) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	found, err := install.Find(ctx, config)
	if err != nil {
		return explainForbidden(err)
	}
	if found == nil {
		return withHint(errors.New("tenama is not installed on this cluster"), "install it first: kubectl tenama install")
	}
	user := "system:serviceaccount:" + found.Namespace + ":" + found.ServiceAccount
	as := rest.CopyConfig(config)
	as.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{
		"system:serviceaccounts", "system:serviceaccounts:" + found.Namespace, "system:authenticated",
	}}
	c, err := o.client()
	if err != nil {
		return err
	}
	names, err := stageNames(ctx, c, found)
	if err != nil {
		return err
	}
	stage := attack.NewStage(map[attack.Role]*rest.Config{attack.Broker: as}, names...)
	tried, stopped := 0, map[string]int{}
	for _, row := range attack.Rows() {
		if row.Role != attack.Broker || row.As != "" || needsOther(row, names) { // one impersonation cannot hold another
			continue
		}
		got, detail := stage.Try(ctx, row)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if strings.Contains(detail, "cannot impersonate") {
			return withHint(fmt.Errorf("you are not allowed to act as %s", user),
				"this takes an administrator of the cluster (ClusterRole cluster-admin)")
		}
		if strings.HasSuffix(detail, "not found") { // an object that only tests have
			continue
		}
		tried++
		stopped[o.judge(row, got, detail)]++
	}
	o.ok("summary", fmt.Sprintf("%d attempts as %s: %s", tried, user, counts(stopped)))
	if !slices.Contains(names, "$managed") {
		o.warn("summary", "nothing is lent, so the attempts on a lent namespace were left out", "create one, and repeat")
	}
	return nil
}

// needsOther reports whether an attempt is about a namespace that only tests have.
func needsOther(row attack.Row, names []string) bool {
	for _, name := range regexp.MustCompile(`\$[a-z]+`).FindAllString(row.Path+row.Body, -1) {
		if !slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// judge compares what stopped an attempt with what has to. It returns what stopped it.
func (o *doctorOptions) judge(row attack.Row, got, detail string) string {
	switch {
	case row.Stop != attack.Nothing && got == attack.Nothing:
		o.fail("nothing", row.What+": nothing stops it; "+row.Stop+" has to",
			"apply the manifests of this release again: kubectl tenama install; see which roles are bound to the broker")
	case row.Stop == attack.Nothing && got != attack.Nothing:
		o.warn(got, row.What+": the broker needs this: "+detail, "see what in this cluster stops it")
	case got == attack.Nothing:
		got = "allowed"
		o.ok(got, row.What)
	case got == row.Stop:
		o.ok(got, row.What)
	default: // by a policy or a webhook of this cluster
		got = "other"
		o.ok(got, row.What+": "+detail)
	}
	return got
}

// stageNames returns what the names in the attempts stand for: the installation, an ordinary
// namespace, and a lent one if there is any.
func stageNames(ctx context.Context, c *client.Client, i *install.Installed) ([]string, error) {
	lent, err := c.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	names := []string{"$home", i.Namespace, "$sa", i.ServiceAccount, "$plain", i.Namespace, "tmp-", i.Prefix()}
	for i := range lent.Items { // the broker may take more from a namespace whose deletion hangs
		if tn := &lent.Items[i]; tn.DeletionTimestamp == nil && tn.Status.Phase == v1alpha1.PhaseReady {
			return append(names, "$managed", tn.Name), nil
		}
	}
	return names, nil
}

// counts returns such as "45 RBAC, 5 allowed".
func counts(n map[string]int) string {
	var parts []string
	for by, count := range n {
		parts = append(parts, fmt.Sprintf("%d %s", count, by))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
