// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// fieldPrinter prints name: value lines as kubectl describe does; empty values are left out.
type fieldPrinter struct{ rows [][2]string }

func (f *fieldPrinter) add(name, value string) {
	if value != "" {
		f.rows = append(f.rows, [2]string{name + ":", value})
	}
}

func (f *fieldPrinter) print(w io.Writer) {
	width := 0
	for _, r := range f.rows {
		width = max(width, len(r[0]))
	}
	for _, r := range f.rows {
		_, _ = fmt.Fprintf(w, "%-*s  %s\n", width, r[0], clean(r[1]))
	}
}

// formatPairs formats a map as sorted NAME=VALUE pairs.
func formatPairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, " ")
}

// formatReserved formats the amounts that a namespace takes of the budgets: the costly resources
// first, the others as a count, without the namespace itself.
func formatReserved(reserved map[string]resource.Quantity) string {
	var out []string
	first := []string{"requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "requests.storage", "pods"}
	for _, k := range first {
		if q, ok := reserved[k]; ok {
			out = append(out, k+" "+q.String())
		}
	}
	if rest := len(reserved) - len(out) - 1; rest > 0 {
		out = append(out, fmt.Sprintf("%d more", rest))
	}
	return strings.Join(out, ", ")
}

func ownerOf(tn *v1alpha1.TemporaryNamespace) string {
	if g := tn.Status.OwnerGroup; g != "" {
		return fmt.Sprintf("group %s (created by %s)", g, tn.Status.Owner)
	}
	return tn.Status.Owner
}

// formatLifetime formats how long a namespace lives and how far it can be extended.
func formatLifetime(tn *v1alpha1.TemporaryNamespace, now time.Time) string {
	at := tn.Status.ExpirationTimestamp
	switch {
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		return "until deleted"
	case at == nil && tn.Spec.TTLSeconds != nil:
		return formatDuration(time.Duration(*tn.Spec.TTLSeconds) * time.Second)
	case at == nil:
		return "<unknown>"
	}
	out := "until " + formatTime(at.Time, now)
	if s := tn.Status.MaximumTTLSeconds; s != nil {
		out += fmt.Sprintf("; extendable to %s from now", formatDuration(time.Duration(*s)*time.Second))
	} else if t := tn.Status.MaximumExpirationTimestamp; t != nil {
		out += "; extendable until " + formatTime(t.Time, now)
	}
	if n := tn.Status.MaximumExtensions; n != nil {
		out += fmt.Sprintf("; extended %d of %d times", tn.Status.Extensions, *n)
	}
	return out
}

func isDefault(c *policyv1alpha1.NamespaceClass) bool {
	return c.Annotations[policyv1alpha1.AnnotationDefaultClass] == "true"
}

// classObjects returns the objects that a class creates in each namespace.
func classObjects(c *policyv1alpha1.NamespaceClass) []string {
	var out []string
	raw, err := c.Spec.Expand(policyv1alpha1.Given("NAMESPACE", "OWNER", c.Spec.Defaults()))
	if err != nil {
		return nil
	}
	for _, r := range raw {
		var obj metav1.PartialObjectMetadata
		if json.Unmarshal(r.Raw, &obj) == nil {
			out = append(out, obj.Kind+"/"+obj.Name)
		}
	}
	return out
}

// usageRatio returns used divided by hard; 0 if hard is 0.
func usageRatio(used, hard resource.Quantity) float64 {
	if hard.IsZero() {
		return 0
	}
	return used.AsApproximateFloat64() / hard.AsApproximateFloat64()
}
