// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilversion "k8s.io/apimachinery/pkg/util/version"

	"tenama.dev/tenama/deploy"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/internal/install"
	"tenama.dev/tenama/internal/version"
	"tenama.dev/tenama/pkg/client"
)

// oldestKubernetes is the oldest version with the admission policies that tenama needs.
const oldestKubernetes = "1.30"

// installTarget is a cluster with what an installation would do to it.
type installTarget struct {
	cluster  *install.Cluster
	client   *client.Client
	version  string // of kube-apiserver
	present  *install.Installed
	options  deploy.Options
	problems []install.Problem
	plan     []install.Change
}

func (t *installTarget) changes() bool {
	return slices.ContainsFunc(t.plan, func(c install.Change) bool { return c.Creates() || c.Updates() })
}

// blocked returns the first problem that prevents the installation, or nil.
func (t *installTarget) blocked() *install.Problem {
	for i := range t.problems {
		if !t.problems[i].Warning {
			return &t.problems[i]
		}
	}
	return nil
}

func (t *installTarget) verb() string {
	if t.present != nil {
		return "Update"
	}
	return "Install"
}

func (t *installTarget) done() string {
	if t.present != nil {
		return "was updated"
	}
	return "was installed"
}

// prepare reads the cluster and plans the installation, unless a problem prevents it. It changes
// nothing.
func (o *installOptions) prepare(ctx context.Context) (*installTarget, error) {
	defer o.progress("reading the cluster")()
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	t := &installTarget{}
	if t.client, err = o.client(); err != nil {
		return nil, err
	}
	v, err := t.client.ServerVersion(ctx)
	if err != nil {
		return nil, err
	}
	t.version = v.GitVersion
	if parsed, err := utilversion.ParseGeneric(t.version); err == nil &&
		parsed.LessThan(utilversion.MustParseGeneric(oldestKubernetes)) {
		return nil, fmt.Errorf("the cluster has Kubernetes %s; tenama requires %s or later", t.version, oldestKubernetes)
	}
	if t.present, err = install.Find(ctx, config); err != nil {
		return nil, o.explainPlan(err)
	}
	if err := o.checkPresent(t.present); err != nil {
		return nil, err
	}
	t.options = o.options(t.present)
	if t.cluster, err = install.New(config, t.options.Namespace); err != nil {
		return nil, err
	}
	missing, err := t.cluster.APIServerPorts(ctx, &t.options)
	if err != nil {
		return nil, err
	}
	t.options.EgressPorts = append(t.options.EgressPorts, missing...)
	if t.problems, err = t.cluster.Check(ctx, &t.options, t.version); err != nil {
		return nil, o.explainPlan(err)
	}
	if t.blocked() != nil {
		return t, nil
	}
	objects, err := deploy.Objects(t.options)
	if err != nil {
		return nil, err
	}
	if t.plan, err = t.cluster.Plan(ctx, objects, o.force); err != nil {
		return nil, o.explainPlan(err)
	}
	return t, nil
}

// checkPresent returns an error if the present installation is not to be updated.
func (o *installOptions) checkPresent(present *install.Installed) error {
	if present == nil {
		return nil
	}
	if o.given("namespace") && present.Namespace != o.wants.Namespace {
		return withHint(fmt.Errorf("tenama is installed in namespace %q already, and a cluster has room for one",
			present.Namespace), "update that one, or uninstall it first: kubectl tenama uninstall -n "+present.Namespace)
	}
	if present.Owner != "" {
		return withHint(fmt.Errorf("tenama was installed by %s", present.Owner),
			"update it there; `kubectl tenama install --export` prints the manifests of this release")
	}
	if present.IsDowngrade(version.Get().Version) {
		return withHint(fmt.Errorf("tenama %s is installed: %s is older", present.Version, version.Get().Version),
			"update the plugin: kubectl krew upgrade tenama; docs/upgrade.md describes how to go back")
	}
	return nil
}

// explainPlan adds advice to an error of an installation.
func (o *installOptions) explainPlan(err error) error {
	var conflict *install.ConflictError
	switch {
	case errors.As(err, &conflict) && len(conflict.Fields) > 0:
		return withHint(err, "install overwrites nothing that others set: change it with the tool that did, or overwrite "+
			"it: kubectl tenama install --force-conflicts")
	case errors.As(err, &conflict):
		return withHint(err, "update tenama there")
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "not currently held"):
		return withHint(errors.New("you cannot grant the broker rights that you do not have yourself"),
			"this takes an administrator of the cluster (ClusterRole cluster-admin)")
	}
	return explainForbidden(err)
}

// explainForbidden adds advice to an error if the user lacks a right.
func explainForbidden(err error) error {
	if apierrors.IsForbidden(err) {
		return withHint(err, "this takes an administrator of the cluster (ClusterRole cluster-admin)")
	}
	return err
}

// show prints the cluster and what would change.
func (o *installOptions) show(t *installTarget) {
	w, r := o.ErrOut, o.renderer(o.ErrOut)
	var f term.Fields
	f.Add("Context", o.contextName())
	f.Add("Server", fmt.Sprintf("%s (Kubernetes %s)", o.server(), t.version))
	f.Add("Namespace", t.options.Namespace)
	f.Add("Image", imageOf(t.plan))
	f.Print(w)
	created, updated := map[string]int{}, 0
	for i := range t.plan {
		c := &t.plan[i]
		switch {
		case c.Creates():
			created[c.Object.GetKind()]++
		case c.Updates():
			updated++
		}
	}
	if len(created) > 0 {
		fmt.Fprintln(w, "Creates "+countKinds(created))
	}
	if updated > 0 {
		fmt.Fprintln(w, "Changes "+countOf(updated, "object"))
	}
	for i := range t.plan {
		c := &t.plan[i]
		if !c.Creates() && !c.Updates() {
			continue
		}
		lines := c.Differences()
		policy := c.Object.GetKind() == "ValidatingAdmissionPolicy"
		switch {
		case len(lines) == 0, c.Creates() && c.Object.GetKind() == "ValidatingAdmissionPolicyBinding":
			continue
		case policy && c.Creates():
			fmt.Fprintf(w, "%s: restricts, in %d rules\n", c.Object.GetKind()+" "+c.Object.GetName(), len(lines))
			continue
		}
		name := c.Object.GetKind() + " " + c.Object.GetName()
		if in := c.Object.GetNamespace(); in != "" {
			name += " in " + in
		}
		fmt.Fprintln(w, name)
		for _, l := range lines {
			style := map[byte]term.Style{'+': term.Good, '-': term.Bad}[l.Sign]
			fmt.Fprintln(w, r.Render(r.Fit(fmt.Sprintf("  %c %s", l.Sign, term.Clean(l.Text))), style))
		}
	}
}

func imageOf(plan []install.Change) string {
	for _, c := range plan {
		if c.Object.GetKind() == "Deployment" {
			return install.Image(c.Object)
		}
	}
	return ""
}

// countKinds returns such as "2 Deployments, 1 Namespace".
func countKinds(n map[string]int) string {
	var parts []string
	for kind, count := range n {
		switch {
		case count == 1:
		case strings.HasSuffix(kind, "y"):
			kind = strings.TrimSuffix(kind, "y") + "ies"
		default:
			kind += "s"
		}
		parts = append(parts, fmt.Sprintf("%d %s", count, kind))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// contextName returns the name of the context in use, if there is one.
func (f *factory) contextName() string {
	raw, err := f.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return ""
	}
	return cmp.Or(*f.flags.Context, raw.CurrentContext)
}
