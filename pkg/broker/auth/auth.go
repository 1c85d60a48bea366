// SPDX-License-Identifier: Apache-2.0

// Package auth authenticates and authorizes the requests to the broker.
//
//   - Only kube-apiserver may call: a request is authenticated by the front-proxy
//     client certificate and by nothing else. There is no anonymous access, no
//     token, no client CA. A request without that certificate has no identity.
//   - kube-apiserver has authorized the request already. The broker authorizes it
//     again, by a SubjectAccessReview, because a request that reaches the port does
//     not prove that.
//   - Discovery and OpenAPI need no authorization: they are the same for all users,
//     and must answer while kube-apiserver is too busy for a review.
package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
)

// The ConfigMap in which kube-apiserver publishes how it authenticates itself,
// as the front proxy, to aggregated API servers.
const (
	configNamespace = "kube-system"
	configName      = "extension-apiserver-authentication"
)

// ErrSharedCA reports that the front proxy cannot be distinguished from users. The broker
// then authenticates no request.
var ErrSharedCA = errors.New("the front proxy cannot be distinguished from users")

// FrontProxy authenticates requests that kube-apiserver forwards.
type FrontProxy struct {
	// Authenticator returns the user of a request.
	Authenticator authenticator.Request
	// Headers names the headers that carry the identity; they must be removed from a
	// request once it is authenticated.
	Headers *authenticatorfactory.RequestHeaderConfig
	// CA verifies the front proxy's certificate; it follows the ConfigMap.
	CA *dynamiccertificates.ConfigMapCAController
	// Shared receives once if the CA becomes shared with users while Run is running.
	Shared <-chan error

	headers *headerrequest.RequestHeaderAuthRequestController
	config  *configWatch
}

// NewFrontProxy reads the ConfigMap and returns an authenticator that follows it once
// Run is called. It fails if the ConfigMap cannot be read, or if it would let any
// holder of a client certificate claim any identity.
func NewFrontProxy(ctx context.Context, client kubernetes.Interface) (*FrontProxy, error) {
	watch, err := newConfigWatch(ctx, client)
	if err != nil {
		return nil, err
	}
	ca, err := dynamiccertificates.NewDynamicCAFromConfigMapController("front-proxy", configNamespace, configName,
		"requestheader-client-ca-file", client)
	if err != nil {
		return nil, err
	}
	headers := headerrequest.NewRequestHeaderAuthRequestController(configName, configNamespace, client,
		"requestheader-username-headers", "requestheader-uid-headers", "requestheader-group-headers",
		"requestheader-extra-headers-prefix", "requestheader-allowed-names")
	if err := errors.Join(ca.RunOnce(ctx), headers.RunOnce(ctx)); err != nil {
		return nil, fmt.Errorf("read ConfigMap \"%s/%s\": %w", configNamespace, configName, err)
	}
	config := &authenticatorfactory.RequestHeaderConfig{
		CAContentProvider:   ca,
		UsernameHeaders:     headerrequest.StringSliceProviderFunc(headers.UsernameHeaders),
		UIDHeaders:          headerrequest.StringSliceProviderFunc(headers.UIDHeaders),
		GroupHeaders:        headerrequest.StringSliceProviderFunc(headers.GroupHeaders),
		ExtraHeaderPrefixes: headerrequest.StringSliceProviderFunc(headers.ExtraHeaderPrefixes),
		AllowedClientNames:  headerrequest.StringSliceProviderFunc(headers.AllowedClientNames),
	}
	// The nil fields disable anonymous, token and client-CA authentication.
	a, _, err := authenticatorfactory.DelegatingAuthenticatorConfig{RequestHeaderConfig: config}.New()
	if err != nil {
		return nil, err
	}
	return &FrontProxy{Authenticator: watch.guard(a), Headers: config, CA: ca, Shared: watch.shared, headers: headers,
		config: watch}, nil
}

// Run follows the ConfigMap until ctx is done.
func (f *FrontProxy) Run(ctx context.Context) {
	go f.headers.Run(ctx, 1)
	go f.config.run(ctx)
	f.CA.Run(ctx, 1)
}

// Wait returns once the front proxy's CA is known: until then every request would be
// unauthenticated. Run must be running.
func (f *FrontProxy) Wait(ctx context.Context) error {
	for f.CA.CurrentCABundleContent() == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// NewAuthorizer returns an authorizer that asks kube-apiserver, caches the answer for
// ten seconds, and lets all users read the given paths.
func NewAuthorizer(client kubernetes.Interface, open ...string) (authorizer.Authorizer, error) {
	review, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: client.AuthorizationV1(),
		AllowCacheTTL:             10 * time.Second,
		DenyCacheTTL:              10 * time.Second,
		WebhookRetryBackoff:       &wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 4},
	}.New()
	if err != nil {
		return nil, err
	}
	paths := map[string]bool{}
	for _, p := range open {
		paths[p] = true
	}
	return authorizer.AuthorizerFunc(func(ctx context.Context, a authorizer.Attributes) (authorizer.Decision,
		string, error) {
		if !a.IsResourceRequest() && (a.GetVerb() == "get" || a.GetVerb() == "head") && paths[a.GetPath()] {
			return authorizer.DecisionAllow, "", nil
		}
		return review.Authorize(ctx, a)
	}), nil
}
