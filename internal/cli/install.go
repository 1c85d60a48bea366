// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"tenama.dev/tenama/deploy"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/internal/install"
	"tenama.dev/tenama/internal/version"
)

// installOptions holds the flags of one invocation of kubectl tenama install.
type installOptions struct {
	*factory
	given      func(flag string) bool // reports whether the user set a flag
	wants      deploy.Options
	exports    string
	check      bool
	yes        bool
	force      bool
	classes    bool
	userGroups []string
	timeout    durationValue
}

func newInstallCommand(f *factory) *cobra.Command {
	o := &installOptions{factory: f, timeout: durationValue{5 * time.Minute}}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install or update tenama on a cluster",
		Long: `Install or update tenama on a cluster, as an administrator.

install applies the manifests of this plugin's release with your own rights. First it
shows the cluster and what changes, rights and policies in full, and asks. It never
overwrites what another tool manages, and never goes back to an older release. It
waits until a namespace can be created, and tells who may do so. At the first time it
creates a class and a budget. It can be repeated; flags that are not given keep their
values.

--check looks for problems without changing anything. --export prints the manifests
for a GitOps repository.`,
		Example: `  kubectl tenama install --users-group devs

  # Look for problems first
  kubectl tenama install --check

  # Pull the image from a mirror
  kubectl tenama install --registry registry.example.com/mirror

  # Print the manifests for a GitOps repository, then the first class and budget
  kubectl tenama install --export
  kubectl tenama install --export=classes`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.given = cmd.Flags().Changed
			o.skipPrune = true // it is about the cluster, not about the user's namespaces
			if err := o.validate(); err != nil {
				return err
			}
			switch {
			case o.exports != "":
				return o.export()
			case o.check:
				return o.runCheck(cmd.Context())
			}
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	fs.BoolVar(&o.check, "check", false, "only look for problems, with what to do about each")
	fs.StringVar(&o.exports, "export", "", `only print manifests: "all", or the first "classes"`)
	fs.Lookup("export").NoOptDefVal = "all"
	fs.StringVarP(&o.wants.Namespace, "namespace", "n", deploy.DefaultNamespace, "namespace of the broker")
	fs.StringSliceVar(&o.wants.Prefixes, "prefix", []string{deploy.DefaultPrefix},
		"prefixes of the names of temporary namespaces, separated by commas; the first is the default")
	fs.StringVar(&o.wants.Image, "image", "", "image of the broker (default: that of this release, by digest)")
	fs.StringVar(&o.wants.Registry, "registry", "", "registry, with a path, that has a copy of the image")
	fs.StringSliceVar(&o.wants.PullSecrets, "image-pull-secret", nil,
		"Secrets in the namespace of the broker with which nodes pull the image")
	fs.IntVar(&o.wants.Replicas, "replicas", 2, "number of brokers")
	fs.BoolVar(&o.wants.HostNetwork, "host-network", false,
		"run the broker in the network of its nodes, for control planes that cannot reach pods")
	fs.BoolVar(&o.wants.OpenEgress, "open-egress", false, "let the broker connect to all ports")
	fs.IntSliceVar(&o.wants.EgressPorts, "egress-port", nil,
		"further ports of kube-apiserver; those that the cluster announces are added anyway")
	fs.StringSliceVar(&o.userGroups, "users-group", nil, "groups that may use tenama, besides those that may already")
	fs.BoolVar(&o.classes, "default-class", true, "create a first class and budget if there is no class")
	fs.BoolVar(&o.force, "force-conflicts", false, "overwrite what others set in objects of tenama; the changes are shown")
	fs.Var(&o.timeout, "timeout", "maximum time to wait for each step")
	completeFlag(cmd, "export", fixedCompletions("all", "classes"))
	completeFlag(cmd, "timeout", completeDurations)
	for _, name := range []string{
		"namespace", "prefix", "image", "registry", "image-pull-secret", "replicas", "egress-port", "users-group",
	} {
		completeFlag(cmd, name, cobra.NoFileCompletions)
	}
	return cmd
}

func (o *installOptions) validate() error {
	switch {
	case o.exports != "" && o.exports != "all" && o.exports != "classes":
		return fmt.Errorf("--export %q: use all or classes", o.exports)
	case o.exports != "" && o.check:
		return errors.New("--export and --check cannot be used together")
	case o.wants.Replicas < 1:
		return fmt.Errorf("--replicas %d: use 1 or more", o.wants.Replicas)
	case o.given("image") && o.given("registry"):
		return errors.New("--image and --registry cannot be used together")
	}
	if err := o.wants.Validate(); err != nil {
		return err
	}
	if o.exports == "classes" || o.wants.Image != "" {
		return nil
	}
	if o.wants.Image = version.Image(); o.wants.Image == "" {
		return withHint(errors.New("this build of the plugin is not a release, and has no image of the broker"),
			"use --image NAME:TAG; `make image` builds one")
	}
	return nil
}

// options returns the options of the installation: those given, else those of the present
// installation, else the defaults.
func (o *installOptions) options(present *install.Installed) deploy.Options {
	var out deploy.Options
	if present != nil {
		out = present.Options
	}
	out.Image = o.wants.Image
	if v := version.Get().Version; len(validation.IsValidLabelValue(v)) == 0 { // not that of a build with changes
		out.Version = v
	}
	for flag, set := range map[string]func(){
		"namespace":         func() { out.Namespace = o.wants.Namespace },
		"prefix":            func() { out.Prefixes = o.wants.Prefixes },
		"registry":          func() { out.Registry = o.wants.Registry },
		"image-pull-secret": func() { out.PullSecrets = o.wants.PullSecrets },
		"replicas":          func() { out.Replicas = o.wants.Replicas },
		"host-network":      func() { out.HostNetwork = o.wants.HostNetwork },
		"open-egress":       func() { out.OpenEgress = o.wants.OpenEgress },
		"egress-port":       func() { out.EgressPorts = o.wants.EgressPorts },
	} {
		if o.given(flag) {
			set()
		}
	}
	if o.given("image") {
		out.Registry = ""
	}
	out.Namespace = cmp.Or(out.Namespace, deploy.DefaultNamespace)
	return out
}

// export prints manifests.
func (o *installOptions) export() error {
	options := o.options(nil)
	objects, err := deploy.Objects(options)
	header := deploy.Header(options.Version)
	if o.exports == "classes" {
		objects, err = deploy.Classes()
		header = deploy.ClassesHeader()
	}
	if err != nil {
		return err
	}
	b, err := deploy.YAML(objects, header...)
	if err == nil {
		_, err = o.Out.Write(b)
	}
	return err
}

// run installs or updates tenama.
func (o *installOptions) run(ctx context.Context) error {
	target, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	if p := target.blocked(); p != nil {
		return withHint(fmt.Errorf("%s: %s", p.Check, p.Message), p.Advice)
	}
	for _, p := range target.problems {
		fmt.Fprintf(o.ErrOut, "Warning: %s\n  %s\n", p.Message, p.Advice)
	}
	o.show(target)
	if target.changes() && !o.yes {
		ok, err := term.Ask(ctx, o.In, o.ErrOut, target.verb()+" tenama?", "use --yes to install without confirmation")
		if err != nil {
			return err
		}
		if !ok {
			return errors.New("nothing was changed")
		}
	}
	if err := target.cluster.Apply(ctx, target.plan); err != nil {
		return o.explainPlan(err)
	}
	if err := o.waitAll(ctx, target); err != nil {
		return err
	}
	return o.conclude(ctx, target)
}

// conclude grants access, creates the first class, and proves that tenama works.
func (o *installOptions) conclude(ctx context.Context, t *installTarget) error {
	if len(o.userGroups) > 0 {
		if err := t.cluster.BindUsers(ctx, o.userGroups); err != nil {
			return o.explainPlan(err)
		}
	}
	if o.classes { // also after a first installation that was interrupted
		created, err := t.cluster.CreateClasses(ctx)
		if err != nil {
			return err
		}
		if created {
			fmt.Fprintln(o.ErrOut, "Created class default and budget default; an update does not change them")
		}
	}
	if err := o.tryCreate(ctx); err != nil {
		return err
	}
	what := map[bool]string{true: "is up to date", false: t.done()}[!t.changes()]
	fmt.Fprintf(o.Out, "tenama %s %s in namespace %s\n", cmp.Or(t.options.Version, t.options.Image), what,
		t.options.Namespace)
	users, err := t.cluster.Users(ctx)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		fmt.Fprintln(o.ErrOut, "Only administrators of the cluster may use it yet. To allow a group: "+
			o.commandAs("install --users-group GROUP"))
	} else {
		fmt.Fprintln(o.ErrOut, "These may use it: "+strings.Join(users, ", "))
	}
	fmt.Fprintln(o.ErrOut, "Try it: "+o.command("create --ttl 2h"))
	return nil
}
