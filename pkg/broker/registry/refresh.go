// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/warning"

	"tenama.dev/tenama/api/v1alpha1"
)

// refresh gives a namespace the revision of its class that the caller asks for, which
// must be the present one. The caller must be allowed to use the class. Errors:
// Invalid, Forbidden, and those of lifecycle.Manager.Refresh.
func (r *Registry) refresh(ctx context.Context, ns *corev1.Namespace, revision string,
	dryRun bool) (*corev1.Namespace, error) {
	invalid := func(why string) error {
		return apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), ns.Name,
			field.ErrorList{field.Invalid(field.NewPath("spec", "classRevision"), revision, why)})
	}
	was := ns.Annotations[v1alpha1.AnnotationClassRevision]
	class, err := r.Classes.Class(ctx, ns.Labels[v1alpha1.LabelClass])
	var bad *field.Error
	switch {
	case errors.As(err, &bad):
		return nil, invalid(bad.ErrorBody())
	case err != nil:
		return nil, err
	case class.Status.Revision != revision:
		return nil, invalid(fmt.Sprintf("must be %q, the revision of the namespace, or %q, the current revision of class %q",
			was, class.Status.Revision, class.Name))
	}
	if err := r.checkUse(ctx, class.Name); err != nil {
		return nil, err
	}
	out, warnings, err := r.Lifecycle.Refresh(ctx, ns, class, dryRun)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		warning.AddWarning(ctx, "", w)
	}
	if !dryRun {
		r.Log.Info("Refreshed", "namespace", ns.Name, "uid", ns.UID, "user", userName(ctx), "class", class.Name, "revision",
			revision, "was", was, "auditID", auditID(ctx))
	}
	return out, nil
}
