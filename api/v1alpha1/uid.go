// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"
)

// uidSpace is the UUID namespace of derived UIDs (RFC 9562, version 5).
var uidSpace = uuid.MustParse("9d0f5e3c-5a0c-5b7e-9a39-3f1d7a1c6f10")

// UIDOf returns the UID of a TemporaryNamespace, derived from the UID of its Namespace.
// The two must differ: two objects with the same UID break the garbage collector
// (kubernetes/kubernetes#116632).
func UIDOf(ns types.UID) types.UID {
	if ns == "" {
		return ""
	}
	return types.UID(uuid.NewSHA1(uidSpace, []byte(ns)).String())
}
