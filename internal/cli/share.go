// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// shareOptions holds the flags of one invocation of kubectl tenama share or unshare.
type shareOptions struct {
	*factory
	name     string
	with     []string
	role     string
	all      bool
	subjects []rbacv1.Subject
}

func newShareCommand(f *factory) *cobra.Command {
	o := &shareOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "share [NAME] --with SUBJECT[,SUBJECT...]",
		Short: "Let others into a namespace",
		Long: `Let others into a namespace.

SUBJECT is user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME, as the cluster knows
them. They get a ClusterRole in the namespace, by a RoleBinding that is made with your
own rights: no more than you have yourself. It stays yours; they can neither extend nor
delete it. To share again with another role replaces the first. Without NAME it is the
namespace of the current context.

They switch to it with: kubectl tenama use NAME`,
		Example: `  kubectl tenama share --with user:bob
  kubectl tenama share mr-42 --with user:bob,group:testers --role edit

  # With whom is it shared?
  kubectl tenama describe mr-42`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.name, err = f.one(args); err != nil {
				return err
			}
			if err := o.parse(); err != nil {
				return err
			}
			return o.share(cmd.Context())
		},
	}
	cmd.Flags().StringSliceVar(&o.with, "with", nil, "whom, as user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME")
	cmd.Flags().StringVar(&o.role, "role", "view", "ClusterRole that they get, such as view or edit; no more than you have yourself")
	return cmd
}

func newUnshareCommand(f *factory) *cobra.Command {
	o := &shareOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "unshare [NAME] --with SUBJECT[,SUBJECT...]",
		Short: "Keep others out of a namespace again",
		Long: `Keep others out of a namespace again.

It takes back what "kubectl tenama share" gave. Whoever had edit or more may have made a
token of an account in the namespace meanwhile, which lives on: see its accounts with
"kubectl get serviceaccounts", and delete those that you do not need. Without NAME it is the namespace of the
current context.`,
		Example: `  kubectl tenama unshare mr-42 --with user:bob
  kubectl tenama unshare mr-42 --all`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.name, err = f.one(args); err != nil {
				return err
			}
			if o.all && len(o.with) > 0 {
				return errors.New("--all and --with: give one of them")
			}
			if !o.all {
				if err := o.parse(); err != nil {
					return err
				}
			}
			return o.unshare(cmd.Context())
		},
	}
	cmd.Flags().StringSliceVar(&o.with, "with", nil, "whom, as user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME")
	cmd.Flags().BoolVar(&o.all, "all", false, "everybody")
	return cmd
}

// parse parses --with into subjects.
func (o *shareOptions) parse() error {
	if len(o.with) == 0 {
		return errors.New("--with says whom: use user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME")
	}
	for _, s := range o.with {
		kind, name, _ := strings.Cut(s, ":")
		subject := rbacv1.Subject{APIGroup: rbacv1.GroupName, Name: name}
		switch kind {
		case "user":
			subject.Kind = rbacv1.UserKind
		case "group":
			subject.Kind = rbacv1.GroupKind
		case "serviceaccount":
			subject = rbacv1.Subject{Kind: rbacv1.ServiceAccountKind}
			subject.Namespace, subject.Name, _ = strings.Cut(name, ":")
		}
		if subject.Kind == "" || subject.Name == "" || subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == "" {
			return fmt.Errorf("--with %q: use user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME", s)
		}
		if kind != "serviceaccount" && strings.HasPrefix(name, "system:") {
			return fmt.Errorf("--with %q: a namespace is not shared with users and groups of the system: they are many, or everybody", s)
		}
		o.subjects = append(o.subjects, subject)
	}
	return nil
}

func (o *shareOptions) share(ctx context.Context) error {
	if o.role == "" {
		return errors.New("--role is empty: use one such as view or edit")
	}
	c, tn, err := o.target(ctx)
	if err != nil {
		return err
	}
	me, err := c.User(ctx)
	if err != nil {
		return err
	}
	for _, s := range o.subjects { // check all before sharing with any
		if s.Kind == rbacv1.UserKind && (s.Name == me || s.Name == tn.Status.Owner) {
			return fmt.Errorf("--with %q: it is theirs already", said(s))
		}
		if s.Kind == rbacv1.GroupKind && s.Name == tn.Status.OwnerGroup {
			return fmt.Errorf("--with %q: it is theirs already", said(s))
		}
	}
	for _, s := range o.subjects {
		made, err := c.Share(ctx, tn.Name, s, o.role)
		if err != nil {
			return refusedRole(err, o.role, tn.Name)
		}
		word := "shared"
		if !made {
			word = "already shared"
		}
		fmt.Fprintf(o.Out, "namespace/%s %s with %s (%s)\n", tn.Name, word, said(s), o.role)
	}
	fmt.Fprintf(o.ErrOut, "They switch to it with: kubectl tenama use %s\n", tn.Name)
	return nil
}

func (o *shareOptions) unshare(ctx context.Context) error {
	c, tn, err := o.target(ctx)
	if err != nil {
		return err
	}
	shares, err := c.Shares(ctx, tn.Name)
	if err != nil {
		return err
	}
	more := false // a removed role allowed more than view
	defer func() {
		if more {
			fmt.Fprintf(o.ErrOut, "Tokens that they made of accounts in it live on: kubectl -n %s get serviceaccounts\n", tn.Name)
		}
	}()
	back := func(wanted func(client.Share) bool) (n int, err error) {
		for _, s := range shares {
			if wanted(s) {
				if err := c.Unshare(ctx, tn.Name, s); err != nil {
					return n, err
				}
				n++
				more = more || s.Role != "view"
				fmt.Fprintf(o.Out, "namespace/%s not shared with %s any more\n", tn.Name, said(s.Subject))
			}
		}
		return n, nil
	}
	if o.all {
		if n, err := back(func(client.Share) bool { return true }); err != nil || n > 0 {
			return err
		}
		fmt.Fprintln(o.ErrOut, "It was shared with nobody.")
		return nil
	}
	for _, subject := range o.subjects {
		n, err := back(func(s client.Share) bool { return s.Subject == subject })
		if err != nil {
			return err
		}
		if n == 0 {
			fmt.Fprintf(o.ErrOut, "It was not shared with %s.\n", said(subject))
		}
	}
	return nil
}

func (o *shareOptions) target(ctx context.Context) (*client.Client, *v1alpha1.TemporaryNamespace, error) {
	c, err := o.client()
	if err != nil {
		return nil, nil, err
	}
	tn, err := o.find(ctx, c, o.name)
	if err == nil && tn.DeletionTimestamp != nil {
		err = fmt.Errorf("namespace %q is being deleted", tn.Name)
	}
	return c, tn, err
}

// said formats a subject as --with takes it.
func said(s rbacv1.Subject) string {
	if s.Kind == rbacv1.ServiceAccountKind {
		return clean("serviceaccount:" + s.Namespace + ":" + s.Name)
	}
	return clean(strings.ToLower(s.Kind) + ":" + s.Name) // others can create such bindings
}
