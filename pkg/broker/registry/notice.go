// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/warning"

	"tenama.dev/tenama/api/v1alpha1"
)

// mostWarnings bounds what a list warns of: a header is no place for a report.
const mostWarnings = 3

// warn tells owners that what they look at is about to end, by a Warning header,
// which kubectl prints. Nobody else can do anything about it, and controllers only
// log it. It returns whether it did.
func warn(ctx context.Context, ns *corev1.Namespace, tn *v1alpha1.TemporaryNamespace) bool {
	if now := time.Now(); v1alpha1.ExpiresSoon(tn, now) && owns(ctx, ns) {
		warning.AddWarning(ctx, "", v1alpha1.ExpiryWarning(tn, now))
		return true
	}
	return false
}
