// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// currentNamespace returns the namespace of the current context, if it is a tenama context.
func (o *listOptions) currentNamespace() string {
	if m, err := o.files().Load(); err == nil {
		if e, ours := m.Current(); ours && e.Server == o.server() {
			return e.Namespace
		}
	}
	return ""
}

// table returns the human-readable list; bars adds a column with each namespace's
// remaining lifetime as a bar.
func (o *listOptions) table(items []v1alpha1.TemporaryNamespace, now time.Time, s style, bars bool) *table {
	wide := o.output.format == "wide"
	t := &table{}
	add := func(head string, keep bool, value func(*v1alpha1.TemporaryNamespace) cell) {
		if !o.noHeaders {
			t.head = append(t.head, head)
		}
		if len(t.rows) == 0 {
			t.rows = make([][]cell, len(items))
		}
		if !keep {
			t.drop = append(t.drop, o.columns)
		}
		o.columns++
		for i := range items {
			t.rows[i] = append(t.rows[i], value(&items[i]))
		}
	}
	o.columns = 0
	t.widths = []int{1} // reserve the star column even without a star
	add("", true, func(tn *v1alpha1.TemporaryNamespace) cell {
		if tn.Name == o.current {
			return cell{text: "*"}
		}
		return cell{}
	})
	add("NAME", true, func(tn *v1alpha1.TemporaryNamespace) cell { return cell{text: tn.Name} })
	add("CLASS", false, func(tn *v1alpha1.TemporaryNamespace) cell { return cell{text: tn.Spec.ClassName} })
	add("STATUS", true, func(tn *v1alpha1.TemporaryNamespace) cell { s, _, t := state(tn, now); return cell{s, t} })
	if bars {
		add("LEFT", false, func(tn *v1alpha1.TemporaryNamespace) cell {
			at := tn.Status.ExpirationTimestamp
			if at == nil || v1alpha1.Held(tn) || tn.DeletionTimestamp != nil {
				return cell{}
			}
			_, _, tone := state(tn, now)
			return cell{s.bar(float64(at.Sub(now)) / float64(at.Sub(tn.CreationTimestamp.Time))), tone}
		})
	}
	add("EXPIRES", true, func(tn *v1alpha1.TemporaryNamespace) cell { _, e, t := state(tn, now); return cell{e, t} })
	add("OWNER", false, func(tn *v1alpha1.TemporaryNamespace) cell {
		return cell{text: cmp.Or(tn.Status.OwnerGroup, tn.Status.Owner)}
	})
	add("AGE", false, func(tn *v1alpha1.TemporaryNamespace) cell {
		return cell{text: duration.HumanDuration(now.Sub(tn.CreationTimestamp.Time))}
	})
	if wide {
		add("EXPIRES-AT", false, func(tn *v1alpha1.TemporaryNamespace) cell {
			return cell{text: formatTimestamp(tn, tn.Status.ExpirationTimestamp)}
		})
		add("AT-MOST-UNTIL", false, func(tn *v1alpha1.TemporaryNamespace) cell { return cell{text: formatMaxExpiry(tn)} })
		add("REVISION", false, func(tn *v1alpha1.TemporaryNamespace) cell { return revisionCell(tn, o.revisions) })
		add("REASON", false, func(tn *v1alpha1.TemporaryNamespace) cell { return cell{text: tn.Spec.Reason} })
	}
	slices.Reverse(t.drop) // drop the last column first
	return t
}

// state returns the status and expiry of a namespace as text; the tone only repeats it.
func state(tn *v1alpha1.TemporaryNamespace, now time.Time) (status, expires string, t tone) {
	status = string(tn.Status.Phase)
	at := tn.Status.ExpirationTimestamp
	switch {
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		expires = "never"
	case at == nil:
		return status, "<unknown>", bad
	case !at.After(now):
		expires, t = "expired", bad
	default:
		expires = duration.HumanDuration(at.Sub(now).Round(time.Second))
	}
	switch {
	case tn.Status.Phase == v1alpha1.PhaseTerminating:
		expires, t = "-", dim
	case tn.Status.Phase == v1alpha1.PhasePending:
		t = warn
	case v1alpha1.Held(tn): // it ends with the command that holds it
		status, t = "Held", good
		if end := v1alpha1.DeadlineOf(tn); end.IsZero() {
			expires = "-"
		} else {
			expires = "<" + duration.HumanDuration(end.Sub(now).Round(time.Second))
		}
	case v1alpha1.ExpiresSoon(tn, now):
		status, t = "Expiring", bad
	default:
		t = good
	}
	return status, expires, t
}

func formatTimestamp(tn *v1alpha1.TemporaryNamespace, t *metav1.Time) string {
	switch {
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		return "never"
	case t == nil:
		return "<unknown>"
	}
	return t.UTC().Format(time.RFC3339)
}

// formatMaxExpiry returns the latest expiry that an extension can set, absolute or relative to now.
func formatMaxExpiry(tn *v1alpha1.TemporaryNamespace) string {
	if s := tn.Status.MaximumTTLSeconds; s != nil {
		return "now+" + formatDuration(time.Duration(*s)*time.Second)
	}
	return formatTimestamp(tn, tn.Status.MaximumExpirationTimestamp)
}

// revisions returns the current revisions of the classes by name; nil if they cannot be read.
func revisions(ctx context.Context, c *client.Client) map[string]string {
	classes, err := c.Classes(ctx)
	if err != nil {
		return nil
	}
	byClass := map[string]string{}
	for i := range classes.Items {
		byClass[classes.Items[i].Name] = classes.Items[i].Status.Revision
	}
	return byClass
}

// revisionCell returns a cell that compares a namespace with the current revision of its class.
func revisionCell(tn *v1alpha1.TemporaryNamespace, present map[string]string) cell {
	switch now, known := present[tn.Spec.ClassName]; {
	case present == nil:
		return cell{text: "<unknown>", tone: dim}
	case !known:
		return cell{text: "classless", tone: dim}
	case now != tn.Status.ClassRevision:
		return cell{text: "outdated", tone: warn}
	}
	return cell{text: "current"}
}
