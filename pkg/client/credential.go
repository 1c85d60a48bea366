// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
)

// MinTokenLifetime is the minimum lifetime of a token that kube-apiserver issues
// (TokenRequest in pkg/apis/authentication/validation of Kubernetes).
const MinTokenLifetime = 10 * time.Minute

// managedBy marks the objects that this library creates in a namespace with the
// permissions of its owner.
const managedBy = "kubectl-tenama"

// Credential is a credential that a program can use in one namespace and nowhere else.
type Credential struct {
	Namespace      string
	ServiceAccount string
	Token          string
	ExpiresAt      time.Time
}

// Credential returns a token of a ServiceAccount in tn that has the given ClusterRole
// there. The token is valid for the duration d or until tn expires, whichever comes
// first, but for at least MinTokenLifetime. ServiceAccount and RoleBinding are created if
// they do not exist, with the caller's own permissions: the broker is not involved, and
// a role that the caller does not hold is rejected. The ServiceAccount is deleted with
// the namespace, and the token becomes invalid with the ServiceAccount.
//
// The credential is tried at the address that the caller uses. Errors: *AddressError, if
// this address does not accept it, or uses another identity; then what was created for it is
// deleted. Reasons: Forbidden (the role has permissions that the caller lacks), NotFound.
func (c *Client) Credential(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, role string, d time.Duration,
) (*Credential, error) {
	name := accountName(role)
	account := &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   metav1.ObjectMeta{Name: name, Labels: map[string]string{labelManagedBy: managedBy}},
		AutomountServiceAccountToken: new(bool),
	}
	err := c.rest.Post().AbsPath(accounts(tn.Name)).Body(account).Do(ctx).Error()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	newAccount := err == nil
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: tn.Name, Name: name}
	newBinding, err := c.bind(ctx, tn.Name, name, role, subject, nil)
	if err != nil {
		return nil, err
	}
	life := int64(c.tokenLifetime(tn, d) / time.Second)
	request := &authenticationv1.TokenRequest{
		TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "TokenRequest"},
		Spec:     authenticationv1.TokenRequestSpec{ExpirationSeconds: &life},
	}
	out := &authenticationv1.TokenRequest{}
	if err := c.rest.Post().AbsPath(accounts(tn.Name), name, "token").Body(request).Do(ctx).Into(out); err != nil {
		return nil, err
	}
	cred := &Credential{
		Namespace: tn.Name, ServiceAccount: name,
		Token: out.Status.Token, ExpiresAt: out.Status.ExpirationTimestamp.Time,
	}
	err = c.waitUsable(ctx, cred)
	var address *AddressError
	if !errors.As(err, &address) {
		return cred, err
	}
	if newBinding { // best effort: the namespace owns both
		_ = c.rest.Delete().AbsPath(bindings(tn.Name), name).Do(ctx).Error()
	}
	if newAccount { // its tokens become invalid
		_ = c.rest.Delete().AbsPath(accounts(tn.Name), name).Do(ctx).Error()
	}
	return nil, err
}

func accounts(ns string) string { return "/api/v1/namespaces/" + ns + "/serviceaccounts" }

// tokenLifetime returns the lifetime of a token for tn.
func (c *Client) tokenLifetime(tn *v1alpha1.TemporaryNamespace, d time.Duration) time.Duration {
	if at := tn.Status.ExpirationTimestamp; at != nil && !v1alpha1.Leased(tn) {
		d = min(d, at.Sub(c.Now()))
	} else if end := v1alpha1.DeadlineOf(tn); !end.IsZero() { // the lease is renewed: only the other limits count
		d = min(d, end.Sub(c.Now()))
	}
	return max(d, MinTokenLifetime).Truncate(time.Second)
}

// AddressError means that a credential of a namespace is of no use at the address of the
// cluster: it belongs to a proxy that logs in by itself, so that a request with the
// credential is one of another user, or that does not accept tokens of ServiceAccounts.
type AddressError struct {
	Address string
	User    string // the user of requests with the credential; empty if it was not accepted
}

func (e *AddressError) Error() string {
	if e.User == "" {
		return fmt.Sprintf("the address %s does not accept tokens of ServiceAccounts", e.Address)
	}
	return fmt.Sprintf("the address %s uses the identity of %q for every request, so that no credential can be "+
		"confined to a namespace", e.Address, e.User)
}

// waitUsable waits until the credential can be used. The cluster has to take it for its
// ServiceAccount. Its authorizer, which watches RoleBindings, has to have seen the new
// binding; otherwise the first request would be forbidden. A role without permission to
// get pods cannot be tested in this way, and is not waited for beyond a short time.
// Errors: *AddressError.
func (c *Client) waitUsable(ctx context.Context, cred *Credential) error {
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken = cred.Token
	as, err := New(config)
	if err != nil {
		return err
	}
	account := "system:serviceaccount:" + cred.Namespace + ":" + cred.ServiceAccount
	for range 20 {
		var user string
		ok := false
		user, err = as.User(ctx)
		switch {
		case apierrors.IsUnauthorized(err): // or not yet known to each of several kube-apiservers
			err = &AddressError{Address: c.config.Host}
		case err != nil:
			return err
		case user != account:
			return &AddressError{c.config.Host, user}
		default:
			ok, err = as.May(ctx, authorizationv1.ResourceAttributes{Namespace: cred.Namespace, Verb: "get", Resource: "pods"})
			if ok || err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
	return err
}

// accountName returns the name of the ServiceAccount for a role.
func accountName(role string) string {
	if name := "tenama-" + role; len(validation.IsDNS1123Label(name)) == 0 {
		return name
	}
	return "tenama-" + shortHash(role)
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:5])
}

// labelManagedBy is the recommended label of Kubernetes for the tool that manages an
// object.
const labelManagedBy = "app.kubernetes.io/managed-by"

// bind binds a subject to a ClusterRole in a namespace, and reports whether it created
// the binding. An existing binding of that name with different content is an error.
func (c *Client) bind(
	ctx context.Context, ns, name, role string, s rbacv1.Subject, labels map[string]string,
) (bool, error) {
	want := &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelManagedBy: managedBy}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{s},
	}
	for k, v := range labels {
		want.Labels[k] = v
	}
	err := c.rest.Post().AbsPath(bindings(ns)).Body(want).Do(ctx).Error()
	if !apierrors.IsAlreadyExists(err) {
		return err == nil, err
	}
	have := &rbacv1.RoleBinding{}
	if err := c.rest.Get().AbsPath(bindings(ns), name).Do(ctx).Into(have); err != nil {
		return false, err
	}
	if have.RoleRef != want.RoleRef || len(have.Subjects) != 1 || have.Subjects[0] != s {
		return false, fmt.Errorf("rolebinding %q in namespace %q was modified: "+
			"delete it with kubectl -n %s delete rolebinding %s", name, ns, ns, name)
	}
	return false, nil
}

func bindings(ns string) string {
	return "/apis/rbac.authorization.k8s.io/v1/namespaces/" + ns + "/rolebindings"
}
