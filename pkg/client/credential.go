// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
// first, but for at least MinTokenLife. ServiceAccount and RoleBinding are created if
// they do not exist, with the caller's own permissions: the broker is not involved, and
// a role that the caller does not hold is rejected. The ServiceAccount is deleted with
// the namespace, and the token becomes invalid with the ServiceAccount. Reasons:
// Forbidden (the role has permissions that the caller lacks), NotFound.
func (c *Client) Credential(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, role string, d time.Duration,
) (*Credential, error) {
	name := accountName(role)
	account := &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   metav1.ObjectMeta{Name: name, Labels: map[string]string{labelManagedBy: managedBy}},
		AutomountServiceAccountToken: new(bool),
	}
	err := c.rest.Post().AbsPath("/api/v1/namespaces", tn.Name, "serviceaccounts").Body(account).Do(ctx).Error()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: tn.Name, Name: name}
	if _, err := c.bind(ctx, tn.Name, name, role, subject, nil); err != nil {
		return nil, err
	}
	life := int64(c.tokenLifetime(tn, d) / time.Second)
	request := &authenticationv1.TokenRequest{
		TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "TokenRequest"},
		Spec:     authenticationv1.TokenRequestSpec{ExpirationSeconds: &life},
	}
	out := &authenticationv1.TokenRequest{}
	err = c.rest.Post().AbsPath("/api/v1/namespaces", tn.Name, "serviceaccounts", name, "token").
		Body(request).Do(ctx).Into(out)
	if err != nil {
		return nil, err
	}
	cred := &Credential{
		Namespace: tn.Name, ServiceAccount: name,
		Token: out.Status.Token, ExpiresAt: out.Status.ExpirationTimestamp.Time,
	}
	return cred, c.waitUsable(ctx, cred)
}

// tokenLifetime returns the lifetime of a token for tn.
func (c *Client) tokenLifetime(tn *v1alpha1.TemporaryNamespace, d time.Duration) time.Duration {
	if at := tn.Status.ExpirationTimestamp; at != nil && !v1alpha1.Held(tn) {
		d = min(d, at.Sub(c.Now()))
	} else if end := v1alpha1.DeadlineOf(tn); !end.IsZero() { // the lease is renewed: only the other limits count
		d = min(d, end.Sub(c.Now()))
	}
	return max(d, MinTokenLifetime).Truncate(time.Second)
}

// waitUsable waits until kube-apiserver's authorizer, which watches RoleBindings, has seen
// the new binding; otherwise the first request would be forbidden. A role without
// permission to get pods cannot be tested in this way, and is not waited for beyond a
// shortHash time.
func (c *Client) waitUsable(ctx context.Context, cred *Credential) error {
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken = cred.Token
	as, err := New(config)
	if err != nil {
		return err
	}
	for range 20 {
		ok, err := as.May(ctx, authorizationv1.ResourceAttributes{Namespace: cred.Namespace, Verb: "get", Resource: "pods"})
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
	return nil
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
