// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// Create creates a temporary namespace and returns once its owner can use it. If tn has
// the annotation tenama.dev/request-id, Create retries after a lost connection or
// during a restart of the broker: the retry returns the namespace that the first
// request created. Reasons: Invalid, AlreadyExists, Conflict, Forbidden, NotFound (no
// broker in the cluster), ServiceUnavailable.
func (c *Client) Create(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, o metav1.CreateOptions,
) (*v1alpha1.TemporaryNamespace, error) {
	if o.FieldManager == "" {
		o.FieldManager = FieldManager
	}
	var out *v1alpha1.TemporaryNamespace
	again := isTransient
	if tn.Annotations[v1alpha1.AnnotationRequestID] == "" {
		again = func(error) bool { return false }
	}
	err := repeat(ctx, again, func() error {
		out = &v1alpha1.TemporaryNamespace{}
		err := c.rest.Post().Resource(v1alpha1.Resource.Resource).VersionedParams(&o, parameterCodec).
			MaxRetries(0).Body(tn).Do(ctx).Into(out)
		err = verifyName(out, tn.Name, err)
		if err == nil && !strings.HasPrefix(out.Name, tn.GenerateName) {
			return fmt.Errorf("requested a name with the prefix %q, but the server returned %q", tn.GenerateName, out.Name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Update replaces a temporary namespace; the object must have the resourceVersion with
// which it was read. Reasons: NotFound, Invalid, Conflict (changed in the meantime, or
// being deleted).
func (c *Client) Update(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, o metav1.UpdateOptions,
) (*v1alpha1.TemporaryNamespace, error) {
	if o.FieldManager == "" {
		o.FieldManager = FieldManager
	}
	out := &v1alpha1.TemporaryNamespace{}
	err := c.rest.Put().Resource(v1alpha1.Resource.Resource).Name(tn.Name).
		VersionedParams(&o, parameterCodec).Body(tn).Do(ctx).Into(out)
	return out, verifyName(out, tn.Name, err)
}

// Patch changes a temporary namespace by a JSON patch, a merge patch, or server-side
// apply. Reasons: those of Update; UnsupportedMediaType.
func (c *Client) Patch(
	ctx context.Context, name string, pt types.PatchType, data []byte, o metav1.PatchOptions,
) (*v1alpha1.TemporaryNamespace, error) {
	if o.FieldManager == "" {
		o.FieldManager = FieldManager
	}
	out := &v1alpha1.TemporaryNamespace{}
	err := c.rest.Patch(pt).Resource(v1alpha1.Resource.Resource).Name(name).
		VersionedParams(&o, parameterCodec).Body(data).Do(ctx).Into(out)
	return out, verifyName(out, name, err)
}

// mergePatch is Patch with a merge patch, for one that gives the same result however often it
// is applied: an interrupted request is repeated.
func (c *Client) mergePatch(
	ctx context.Context, name string, data []byte, o metav1.PatchOptions,
) (out *v1alpha1.TemporaryNamespace, _ error) {
	err := repeat(ctx, isInterrupted, func() (err error) {
		out, err = c.Patch(ctx, name, types.MergePatchType, data, o)
		return err
	})
	return out, err
}

// Apply applies tn by server-side apply, and creates the temporary namespace if it does
// not exist; it can be repeated. Fields that tn omits keep the values set by other
// managers. Of the metadata, only name, UID, resourceVersion, labels, annotations,
// owner references and finalizers are sent. Reasons: those of Create and Update;
// Conflict also if another manager owns a field, unless o forces the change.
func (c *Client) Apply(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, o metav1.ApplyOptions,
) (*v1alpha1.TemporaryNamespace, error) {
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

// Delete starts the deletion of a temporary namespace and returns it in phase
// Terminating. With the precondition of a UID, Delete retries an interrupted request;
// NotFound can then mean that the first one deleted it. Reasons: NotFound, Conflict (a
// precondition or, with the cause OnHold, an administrator keeps the namespace).
func (c *Client) Delete(
	ctx context.Context, name string, o metav1.DeleteOptions,
) (*v1alpha1.TemporaryNamespace, error) {
	out := &v1alpha1.TemporaryNamespace{}
	o.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DeleteOptions"}
	again := isInterrupted
	if o.Preconditions == nil || o.Preconditions.UID == nil { // it could delete a new one of that name
		again = func(error) bool { return false }
	}
	return out, repeat(ctx, again, func() error {
		return c.rest.Delete().Resource(v1alpha1.Resource.Resource).Name(name).Body(&o).Do(ctx).Into(out)
	})
}

// DeleteCollection starts the deletion of the temporary namespaces that List returns
// for the same list options and that the caller owns; with the verb administer, also of
// those of other owners.
func (c *Client) DeleteCollection(ctx context.Context, o metav1.DeleteOptions, list metav1.ListOptions) error {
	o.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DeleteOptions"}
	return c.rest.Delete().Resource(v1alpha1.Resource.Resource).VersionedParams(&list, parameterCodec).
		Body(&o).Do(ctx).Error()
}
