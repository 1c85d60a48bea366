// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"tenama.dev/tenama/api/v1alpha1"
)

// retries is how often a request that can be repeated safely is repeated.
const retries = 5

// Create makes a temporary namespace and returns once its owner can use it. If
// tn carries the annotation tenama.dev/request-id, a lost connection or a
// broker that restarts is waited out: the repeated request finds what the first
// one made. Reasons: Invalid, AlreadyExists, Conflict, Forbidden, NotFound (no
// broker in the cluster), ServiceUnavailable.
func (c *Client) Create(ctx context.Context, tn *v1alpha1.TemporaryNamespace, o metav1.CreateOptions) (*v1alpha1.TemporaryNamespace, error) {
	if o.FieldManager == "" {
		o.FieldManager = FieldManager
	}
	for try := 1; ; try++ {
		out := &v1alpha1.TemporaryNamespace{}
		err := checked(out, tn.Name, c.rest.Post().Resource(v1alpha1.Resource.Resource).VersionedParams(&o, parameterCodec).MaxRetries(0).Body(tn).Do(ctx).Into(out))
		if err == nil && !strings.HasPrefix(out.Name, tn.GenerateName) {
			return nil, fmt.Errorf("the server was asked for a name that begins with %q and answered with %q", tn.GenerateName, out.Name)
		}
		if err == nil || tn.Annotations[v1alpha1.AnnotationRequestID] == "" || try == retries || !passing(err) {
			return out, err
		}
		pause := time.Duration(try) * 300 * time.Millisecond
		if s, ok := apierrors.SuggestsClientDelay(err); ok && s > 0 {
			pause = time.Duration(s) * time.Second
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// passing tells whether a request may have been cut off, or come too early. To wait
// in line is neither.
func passing(err error) bool {
	if said, _ := InLine(err); said != "" {
		return false
	}
	return utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err) ||
		apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsTimeout(err) ||
		apierrors.ReasonForError(err) == metav1.StatusReasonServiceUnavailable && cutOff(err)
}

// cutOff tells a proxy error in the middle of a request from an API that is
// known to be unavailable.
func cutOff(err error) bool {
	var s apierrors.APIStatus
	return errors.As(err, &s) && s.Status().Details != nil && len(s.Status().Details.Causes) > 0
}

// Update replaces a temporary namespace; the object must carry the
// resourceVersion that it was read with. Reasons: NotFound, Invalid, Conflict
// (changed meanwhile, expired, or being deleted).
func (c *Client) Update(ctx context.Context, tn *v1alpha1.TemporaryNamespace, o metav1.UpdateOptions) (*v1alpha1.TemporaryNamespace, error) {
	if o.FieldManager == "" {
		o.FieldManager = FieldManager
	}
	out := &v1alpha1.TemporaryNamespace{}
	return out, checked(out, tn.Name, c.rest.Put().Resource(v1alpha1.Resource.Resource).Name(tn.Name).VersionedParams(&o, parameterCodec).Body(tn).Do(ctx).Into(out))
}

// Patch changes a temporary namespace by a JSON patch, a merge patch, or
// server-side apply. Reasons: as Update; UnsupportedMediaType.
func (c *Client) Patch(ctx context.Context, name string, pt types.PatchType, data []byte, o metav1.PatchOptions) (*v1alpha1.TemporaryNamespace, error) {
	if o.FieldManager == "" {
		o.FieldManager = FieldManager
	}
	out := &v1alpha1.TemporaryNamespace{}
	return out, checked(out, name, c.rest.Patch(pt).Resource(v1alpha1.Resource.Resource).Name(name).VersionedParams(&o, parameterCodec).Body(data).Do(ctx).Into(out))
}

// Apply brings a temporary namespace to what tn says, by server-side apply, and
// makes it if it is not there; it may be repeated. What tn leaves out stays as
// others set it; of its metadata the name, UID, resourceVersion, labels,
// annotations, owners and finalizers are sent. Reasons: as Create and Update;
// Conflict also where another manager has set a field, unless o forces it.
func (c *Client) Apply(ctx context.Context, tn *v1alpha1.TemporaryNamespace, o metav1.ApplyOptions) (*v1alpha1.TemporaryNamespace, error) {
	apply := map[string]any{"spec": tn.Spec, "metadata": metav1.ObjectMeta{
		Name: tn.Name, UID: tn.UID, ResourceVersion: tn.ResourceVersion,
		Labels: tn.Labels, Annotations: tn.Annotations, OwnerReferences: tn.OwnerReferences, Finalizers: tn.Finalizers,
	}}
	apply["apiVersion"], apply["kind"] = v1alpha1.Kind.ToAPIVersionAndKind()
	data, err := json.Marshal(apply)
	if err != nil {
		return nil, fmt.Errorf("encode %q: %w", tn.Name, err)
	}
	return c.Patch(ctx, tn.Name, types.ApplyPatchType, data, o.ToPatchOptions())
}

// Delete begins the end of a temporary namespace and returns it, Terminating.
// Reasons: NotFound, Conflict (a precondition).
func (c *Client) Delete(ctx context.Context, name string, o metav1.DeleteOptions) (*v1alpha1.TemporaryNamespace, error) {
	out := &v1alpha1.TemporaryNamespace{}
	o.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DeleteOptions"}
	return out, c.rest.Delete().Resource(v1alpha1.Resource.Resource).Name(name).Body(&o).Do(ctx).Into(out)
}

// DeleteCollection begins the end of the caller's own that List returns for the
// same list options; of everybody's for those who may administer.
func (c *Client) DeleteCollection(ctx context.Context, o metav1.DeleteOptions, list metav1.ListOptions) error {
	o.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DeleteOptions"}
	return c.rest.Delete().Resource(v1alpha1.Resource.Resource).VersionedParams(&list, parameterCodec).Body(&o).Do(ctx).Error()
}
