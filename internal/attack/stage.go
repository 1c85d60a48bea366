// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"context"
	"net/http"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// NewStage returns the stage of a cluster: how each role connects, and pairs of a $name and
// what it stands for.
func NewStage(configs map[Role]*rest.Config, names ...string) *Stage {
	s := &Stage{names: strings.NewReplacer(names...), clients: map[Role]requester{}}
	for role, config := range configs {
		s.clients[role] = request(config)
	}
	return s
}

// request returns a requester that sends writes as dry runs.
func request(config *rest.Config) requester {
	config = rest.CopyConfig(config)
	config.WarningHandler = rest.NoWarnings{}
	client := kubernetes.NewForConfigOrDie(config).Discovery().RESTClient()
	return func(ctx context.Context, method, path, as, contentType string, body []byte) error {
		path, query, _ := strings.Cut(path, "?")
		r := client.Verb(method).AbsPath(path).MaxRetries(0)
		if key, value, ok := strings.Cut(query, "="); ok {
			r = r.Param(key, value)
		}
		if as != "" {
			r = r.SetHeader("Impersonate-User", as)
		}
		if method != http.MethodGet {
			r = r.Param("dryRun", "All").SetHeader("Content-Type", contentType)
		}
		if body != nil {
			r = r.Body(body)
		}
		return r.Do(ctx).Error()
	}
}

// WithToken makes BrokerAsAdmin attack with the broker's own token in place of its
// name. The caller must have bound that token to cluster-admin.
func (s *Stage) WithToken() { s.clients[BrokerAsAdmin] = s.clients[Broker] }

// GoodLabels are labels of a namespace with which the policies let the broker create it.
const GoodLabels = goodLabels

// Namespace returns a namespace like those that the broker creates, as YAML.
func Namespace(name, labels, annotations string) string { return ns(name, labels, annotations) }
