// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/warning"

	"tenama.dev/tenama/api/v1alpha1"
)

// maxWarnings bounds the warnings of a list: a header is no place for a report.
const maxWarnings = 3

// warn adds a Warning header, which kubectl prints, to an answer that shows a
// namespace that is about to expire, and reports whether it did. Only owners are
// warned: others cannot extend it, and controllers would log it.
func warn(ctx context.Context, ns *corev1.Namespace, tn *v1alpha1.TemporaryNamespace, now time.Time) bool {
	if !v1alpha1.ExpiresSoon(tn, now) || !isOwner(userOf(ctx), ns) {
		return false
	}
	warning.AddWarning(ctx, v1alpha1.ExpiryWarningAgent(tn), v1alpha1.ExpiryWarning(tn, now))
	return true
}
