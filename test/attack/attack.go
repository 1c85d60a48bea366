// SPDX-License-Identifier: Apache-2.0

// Package attack holds, as data, what somebody tries who has the broker's
// token, rights over namespaces, or a temporary namespace of their own; and
// what has to stop it. Everything is tried by dry-run, so a stage can be
// attacked again and again, also with a policy less.
package attack

import (
	"context"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"
)

// Role is who attacks.
type Role string

// The roles.
const (
	// BrokerAsAdmin has the broker's name and all rights: what stops it is policy alone.
	BrokerAsAdmin Role = "broker as cluster-admin"
	// Broker has the broker's token.
	Broker Role = "broker"
	// Operator may do everything with namespaces, and nothing else.
	Operator Role = "namespace operator"
	// TenantEdit and TenantAdmin are bound to these roles in a temporary namespace.
	TenantEdit  Role = "tenant with edit"
	TenantAdmin Role = "tenant with admin"
	// Controllers are Kubernetes' own, which must not be held up.
	Controllers Role = "Kubernetes' controllers"
	// ClusterAdmin shows that there is a way out.
	ClusterAdmin Role = "cluster-admin"
)

// What stops an attack; any other is the name of a policy.
const (
	Nothing     = "nothing"
	RBAC        = "RBAC"
	PodSecurity = "pod security"
	Keys        = "tenama-namespaces"
	Containment = "tenama-broker"
	GuardRails  = "tenama-guardrails"
)

// Row is one attack: a request, and what has to stop it. $names in path and
// body are those of the stage.
type Row struct {
	Role   Role
	What   string
	Method string
	Path   string
	Body   string // YAML
	As     string // whom to impersonate
	Stop   string
}

// Rows are all attacks.
func Rows() []Row {
	var out []Row
	add := func(role Role, rows []Row) {
		for _, r := range rows {
			r.Role = role
			out = append(out, r)
		}
	}
	add(BrokerAsAdmin, brokerAsAdminNamespaces)
	add(BrokerAsAdmin, brokerAsAdminInside)
	add(BrokerAsAdmin, brokerAsAdminElsewhere)
	add(Broker, broker)
	add(Operator, operator)
	add(ClusterAdmin, clusterAdmin)
	add(Controllers, controllers)
	add(Controllers, controllersExpiry)
	add(TenantEdit, tenant)
	add(TenantEdit, tenantExpiry)
	add(TenantEdit, tenantEdit)
	add(TenantAdmin, tenant)
	add(TenantAdmin, tenantExpiry)
	add(TenantAdmin, tenantAdmin)
	return out
}

// Stage is where attacks take place: a cluster, its namespaces and identities.
type Stage struct {
	names   *strings.Replacer
	clients map[Role]requester
}

// requester sends one request.
type requester func(ctx context.Context, method, path, as, contentType string, body []byte) error

// Try makes the request of a row and tells what stopped it. Detail is what
// kube-apiserver said.
func (s *Stage) Try(ctx context.Context, r Row) (stop, detail string) {
	body, err := yaml.YAMLToJSON([]byte(s.names.Replace(r.Body)))
	if err != nil {
		return "bad row", err.Error()
	}
	if strings.TrimSpace(r.Body) == "" {
		body = nil
	}
	contentType := "application/json"
	if r.Method == http.MethodPatch {
		contentType = "application/merge-patch+json"
	}
	err = s.clients[r.Role](ctx, r.Method, s.names.Replace(r.Path), s.names.Replace(r.As), contentType, body)
	if err == nil {
		return Nothing, ""
	}
	return stopped(err), err.Error()
}

func stopped(err error) string {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "ValidatingAdmissionPolicy '"); ok {
		name, _, _ := strings.Cut(after, "'")
		return strings.TrimSuffix(name, ".static.k8s.io")
	}
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(text, "violates PodSecurity"):
		return PodSecurity
	case apierrors.IsForbidden(err):
		return RBAC
	case apierrors.IsAlreadyExists(err): // it got past everything
		return Nothing
	}
	return "error: " + text
}
