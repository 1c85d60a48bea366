// SPDX-License-Identifier: Apache-2.0

// Package client is the Go library for temporary namespaces: the cluster operations of
// the plugin, without its flags and output. Any other Kubernetes client works as well;
// with controller-runtime or client-go's dynamic client, use the types of
// tenama.dev/tenama/api/v1alpha1 and [Scheme].
//
// Errors of kube-apiserver and of the broker behind it are returned unchanged, so that
// the functions of k8s.io/apimachinery/pkg/api/errors can distinguish them.
package client

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// FieldManager is the field manager of this library in managed fields.
const FieldManager = "kubectl-tenama"

// Scheme contains the types of this library.
var Scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(s))
	utilruntime.Must(policyv1alpha1.AddToScheme(s))
	utilruntime.Must(authenticationv1.AddToScheme(s))
	utilruntime.Must(authorizationv1.AddToScheme(s))
	utilruntime.Must(corev1.AddToScheme(s))
	utilruntime.Must(networkingv1.AddToScheme(s))
	utilruntime.Must(rbacv1.AddToScheme(s))
	metav1.AddToGroupVersion(s, schema.GroupVersion{Version: "v1"})
	return s
}()

var parameterCodec = runtime.NewParameterCodec(Scheme)

// Client accesses one cluster as one user.
type Client struct {
	rest   *rest.RESTClient
	config *rest.Config
	skew   atomic.Int64 // server's clock minus the local clock, in nanoseconds
	broker atomic.Value // version of the broker, a string
}

// New returns a client for config. It does not apply client-go's default limit of 5
// requests per second.
func New(config *rest.Config) (*Client, error) {
	c := &Client{config: rest.CopyConfig(config)}
	config = rest.CopyConfig(config)
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(Scheme).WithoutConversion()
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return headerReader{next, c} })
	var err error
	c.rest, err = rest.RESTClientFor(config)
	return c, err
}

// headerReader is a RoundTripper that learns the server's time, and the version of the broker,
// from their responses.
type headerReader struct {
	http.RoundTripper
	c *Client
}

func (t headerReader) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		if v := resp.Header.Get(v1alpha1.HeaderVersion); v != "" {
			t.c.broker.Store(v)
		}
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			// The header has whole seconds; a difference of less than two seconds is
			// ignored.
			d := time.Until(at.Add(500 * time.Millisecond))
			if d.Abs() < 2*time.Second {
				d = 0
			}
			t.c.skew.Store(int64(d))
		}
	}
	return resp, err
}

// Skew returns the server's clock minus the local clock, as of the last response; a
// difference of less than two seconds is returned as zero.
func (c *Client) Skew() time.Duration { return time.Duration(c.skew.Load()) }

// Now returns the current time according to the server's clock.
func (c *Client) Now() time.Time { return time.Now().Add(c.Skew()) }

// Get returns one temporary namespace. Reasons: NotFound, also if the namespace belongs
// to another owner.
func (c *Client) Get(ctx context.Context, name string) (*v1alpha1.TemporaryNamespace, error) {
	out := &v1alpha1.TemporaryNamespace{}
	err := repeat(ctx, isInterrupted, func() error {
		return c.rest.Get().Resource(v1alpha1.Resource.Resource).Name(name).Do(ctx).Into(out)
	})
	return out, verifyName(out, name, err)
}

// verifyName rejects a response whose name is not a valid name of a namespace, or differs
// from the requested name: the name is written to files, commands and terminals, and
// determines the namespace of the user's next command.
func verifyName(tn *v1alpha1.TemporaryNamespace, requested string, err error) error {
	switch {
	case err != nil:
		return err
	case len(validation.IsDNS1123Label(tn.Name)) > 0:
		return fmt.Errorf("the server returned %q, which is not a valid name of a namespace", tn.Name)
	case requested != "" && tn.Name != requested:
		return fmt.Errorf("requested namespace %q, but the server returned %q", requested, tn.Name)
	}
	return nil
}

// List returns the temporary namespaces that the caller is allowed to see: its own, or
// those of all owners. The field selector status.owner=NAME restricts the result.
func (c *Client) List(ctx context.Context, o metav1.ListOptions) (*v1alpha1.TemporaryNamespaceList, error) {
	out := &v1alpha1.TemporaryNamespaceList{}
	err := repeat(ctx, isInterrupted, func() error {
		return c.rest.Get().Resource(v1alpha1.Resource.Resource).VersionedParams(&o, parameterCodec).Do(ctx).Into(out)
	})
	for i := range out.Items {
		err = verifyName(&out.Items[i], "", err)
	}
	return out, err
}

// Watch watches for changes to the temporary namespaces that List returns.
func (c *Client) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	return c.rest.Get().Resource(v1alpha1.Resource.Resource).VersionedParams(&o, parameterCodec).Watch(ctx)
}

// BrokerVersion returns the version of the broker, as of its last response; empty if there was
// none.
func (c *Client) BrokerVersion() string {
	v, _ := c.broker.Load().(string)
	return v
}

// Served returns nil if the cluster serves the API. Reasons: NotFound (no broker
// in the cluster), ServiceUnavailable.
func (c *Client) Served(ctx context.Context) error {
	return c.rest.Get().AbsPath("/apis", v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version).Do(ctx).Error()
}
