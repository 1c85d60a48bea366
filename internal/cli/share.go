// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"

	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// shareOptions holds the flags of one invocation of kubectl tenama share or unshare.
type shareOptions struct {
	*factory
	with     []string
	role     string
	all      bool
	subjects []rbacv1.Subject
}

func newShareCommand(f *factory) *cobra.Command {
	o := &shareOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "share [NAME] --with SUBJECT",
		Short: "Share a namespace with other users",
		Long: `Share a namespace with users, groups or service accounts.

SUBJECT is user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME. Each subject gets a
ClusterRole in the namespace, by a RoleBinding that is created with your own permissions;
you cannot grant more than you have. You remain the owner: other users can neither extend
nor delete the namespace. Sharing it again with another role replaces the first role.
Without NAME, the namespace of the current context is shared.

Other users switch to it with: kubectl tenama use NAME`,
		Example: `  kubectl tenama share --with user:bob
  kubectl tenama share mr-42 --with user:bob --with group:testers --role edit

  # Show the subjects that a namespace is shared with
  kubectl tenama describe mr-42`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.parse(); err != nil {
				return err
			}
			return o.share(cmd.Context(), args)
		},
	}
	cmd.Flags().StringArrayVar(&o.with, "with", nil,
		"subject to share with: user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME; can be repeated")
	completeFlag(cmd, "with", completeSubjects)
	cmd.Flags().StringVar(&o.role, "role", "view",
		"ClusterRole to grant, such as view or edit; at most your own permissions")
	completeFlag(cmd, "role", completeRoles)
	return cmd
}

func newUnshareCommand(f *factory) *cobra.Command {
	o := &shareOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "unshare [NAME] --with SUBJECT",
		Short: "Stop sharing a namespace",
		Long: `Stop sharing a namespace: revoke the access that "kubectl tenama share" granted.

Subjects with role edit or higher may have created tokens of service accounts in the
namespace, which remain valid. List the accounts with "kubectl get serviceaccounts", and
delete those that you do not need. Without NAME, the namespace of the current context is
used.`,
		Example: `  kubectl tenama unshare mr-42 --with user:bob

  # Revoke the access of all subjects
  kubectl tenama unshare mr-42 --all`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.all && len(o.with) > 0 {
				return errors.New("--all and --with cannot be used together")
			}
			if !o.all {
				if err := o.parse(); err != nil {
					return err
				}
			}
			return o.unshare(cmd.Context(), args)
		},
	}
	cmd.Flags().StringArrayVar(&o.with, "with", nil,
		"subject to stop sharing with: user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME; can be repeated")
	completeFlag(cmd, "with", completeSubjects)
	cmd.Flags().BoolVar(&o.all, "all", false, "stop sharing with all subjects")
	return cmd
}

// parse parses --with into subjects.
func (o *shareOptions) parse() error {
	if len(o.with) == 0 {
		return errors.New("--with is required: use user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME")
	}
	for _, s := range o.with {
		for _, next := range []string{",user:", ",group:", ",serviceaccount:"} {
			if strings.Contains(s, next) {
				return fmt.Errorf("--with %q: use one --with for each subject", s)
			}
		}
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
			return fmt.Errorf("--with %q: cannot share with system users and groups, which may include everyone", s)
		}
		o.subjects = append(o.subjects, subject)
	}
	return nil
}

func (o *shareOptions) share(ctx context.Context, args []string) error {
	if o.role == "" {
		return errors.New("--role is empty: use one such as view or edit")
	}
	c, tn, err := o.activeTarget(ctx, args)
	if err != nil {
		return err
	}
	me, err := c.User(ctx)
	if err != nil {
		return err
	}
	for _, s := range o.subjects { // check all before sharing with any
		if s.Kind == rbacv1.UserKind && (s.Name == me || s.Name == tn.Status.Owner) {
			return fmt.Errorf("--with %q: already owns the namespace", formatSubject(s))
		}
		if s.Kind == rbacv1.GroupKind && s.Name == tn.Status.OwnerGroup {
			return fmt.Errorf("--with %q: already owns the namespace", formatSubject(s))
		}
	}
	for _, s := range o.subjects {
		created, err := c.Share(ctx, tn.Name, s, o.role)
		if err != nil {
			return roleError(err, o.role, tn.Name)
		}
		word := "shared"
		if !created {
			word = "already shared"
		}
		fmt.Fprintf(o.Out, "namespace/%s %s with %s (%s)\n", tn.Name, word, formatSubject(s), o.role)
	}
	fmt.Fprintf(o.ErrOut, "Other users switch to it with: kubectl tenama use %s\n", tn.Name)
	return nil
}

func (o *shareOptions) unshare(ctx context.Context, args []string) error {
	c, tn, err := o.activeTarget(ctx, args)
	if err != nil {
		return err
	}
	shares, err := c.Shares(ctx, tn.Name)
	if err != nil {
		return err
	}
	tokensRemain := false // a removed role allowed more than view
	defer func() {
		if tokensRemain {
			fmt.Fprintf(o.ErrOut, "Tokens of service accounts in it remain valid; check: kubectl -n %s get serviceaccounts\n",
				tn.Name)
		}
	}()
	revoke := func(wanted func(client.Share) bool) (n int, err error) {
		for _, s := range shares {
			if wanted(s) {
				if err := c.Unshare(ctx, tn.Name, s); err != nil {
					return n, err
				}
				n++
				tokensRemain = tokensRemain || s.Role != "view"
				fmt.Fprintf(o.Out, "namespace/%s no longer shared with %s\n", tn.Name, formatSubject(s.Subject))
			}
		}
		return n, nil
	}
	if o.all {
		if n, err := revoke(func(client.Share) bool { return true }); err != nil || n > 0 {
			return err
		}
		fmt.Fprintln(o.ErrOut, "The namespace was not shared.")
		return nil
	}
	for _, subject := range o.subjects {
		n, err := revoke(func(s client.Share) bool { return s.Subject == subject })
		if err != nil {
			return err
		}
		if n == 0 {
			fmt.Fprintf(o.ErrOut, "The namespace was not shared with %s.\n", formatSubject(subject))
		}
	}
	return nil
}

// formatSubject formats a subject as --with takes it.
func formatSubject(s rbacv1.Subject) string {
	if s.Kind == rbacv1.ServiceAccountKind {
		return term.Clean("serviceaccount:" + s.Namespace + ":" + s.Name)
	}
	return term.Clean(strings.ToLower(s.Kind) + ":" + s.Name) // others can create such bindings
}
