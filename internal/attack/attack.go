// SPDX-License-Identifier: Apache-2.0

// Package attack lists attacks as data: the requests of an attacker who has the
// broker's token, rights over namespaces, or a temporary namespace of their own; and
// the mechanism that has to stop each request. All requests are dry runs, so that a
// stage can be attacked repeatedly, also with a policy removed.
package attack

import (
	"context"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/internal/denial"
)

// Role is the role of the attacker.
type Role string

// The roles.
const (
	// BrokerAsAdmin has the broker's name and all rights: only policies can stop it.
	BrokerAsAdmin Role = "broker as cluster-admin"
	// Broker has the broker's token.
	Broker Role = "broker"
	// Operator may do everything with namespaces, and nothing else.
	Operator Role = "namespace operator"
	// TenantEdit and TenantAdmin are bound to the roles edit and admin in a temporary
	// namespace.
	TenantEdit  Role = "tenant with edit"
	TenantAdmin Role = "tenant with admin"
	// Controllers are Kubernetes' own controllers, which tenama must not obstruct.
	Controllers Role = "Kubernetes' controllers"
	// ClusterAdmin shows that an administrator can override the policies.
	ClusterAdmin Role = "cluster-admin"
)

// The mechanisms that stop an attack; any other value is the name of a policy.
const (
	Nothing     = "nothing"
	RBAC        = "RBAC"
	PodSecurity = "pod security"
	Keys        = "tenama-namespaces"
	Containment = "tenama-broker"
	GuardRails  = "tenama-guardrails"
	Holds       = "tenama-holds"
)

// Row is one attack: a request, and the mechanism that has to stop it. $names in Path,
// Body and As are replaced with those of the stage.
type Row struct {
	Role   Role
	What   string
	Method string
	Path   string
	Body   string // YAML
	As     string // user to impersonate
	Stop   string
	Oldest string // what stops it on the oldest supported Kubernetes, if that differs
}

// Rows returns all attacks.
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
	add(BrokerAsAdmin, brokerAsAdminRevoke)
	add(BrokerAsAdmin, brokerAsAdminHold)
	add(Broker, broker)
	add(Broker, brokerRevoke)
	add(Broker, brokerHold)
	add(Operator, operator)
	add(Operator, operatorHold)
	add(ClusterAdmin, clusterAdmin)
	add(ClusterAdmin, clusterAdminHold)
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

// Stage is a cluster to attack, with its namespaces and identities.
type Stage struct {
	names   *strings.Replacer
	clients map[Role]requester
}

// requester sends one request.
type requester func(ctx context.Context, method, path, as, contentType string, body []byte) error

// Try makes the request of a row and returns the mechanism that stopped it. Detail is
// the error from kube-apiserver.
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
	if policy := denial.By(err); policy != "" {
		return policy
	}
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(text, "violates PodSecurity"):
		return PodSecurity
	case apierrors.IsForbidden(err):
		return RBAC
	case apierrors.IsAlreadyExists(err): // all checks let it pass
		return Nothing
	}
	return "error: " + text
}
