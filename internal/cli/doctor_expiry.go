// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// normalLag is by how much a namespace may be overdue that the broker deletes as usual.
const normalLag = 30 * time.Second

// checkExpiry checks that what has expired is deleted, as far as the user may see it.
func (o *doctorOptions) checkExpiry(ctx context.Context, c *client.Client) {
	reason, paused, err := c.ExpiryPaused(ctx)
	if err == nil && paused { // only administrators may read it
		o.warn("expiry", "an administrator paused all expiries: "+cmp.Or(reason, "no reason is given"),
			"when that is over, run: kubectl annotate clusterrole "+v1alpha1.ClusterRoleBroker+" "+
				v1alpha1.AnnotationPauseExpiry+"-")
	}
	all, err := c.MayViewAll(ctx)
	if err != nil || !all {
		return
	}
	list, err := c.List(ctx, metav1.ListOptions{})
	if err != nil {
		return // the check of the user's namespaces reports it
	}
	overdue, held, oldest := 0, 0, c.Now()
	for i := range list.Items {
		tn := &list.Items[i]
		at := tn.Status.ExpirationTimestamp
		switch {
		case onHold(tn) != "":
			held++
		case at == nil || tn.DeletionTimestamp != nil || c.Now().Sub(at.Time) < normalLag:
		default:
			overdue++
			if at.Time.Before(oldest) {
				oldest = at.Time
			}
		}
	}
	if held > 0 {
		o.ok("holds", fmt.Sprintf("%d on hold; to see them, run: kubectl tenama list -A", held))
	}
	switch {
	case overdue == 0 && !paused:
		o.ok("expiry", "what has expired is deleted")
	case overdue > 0:
		advice := "see the log of the broker: after an outage it waits for some minutes and, if too many are overdue, " +
			"for the annotation " + v1alpha1.AnnotationConfirmExpiry + " (docs/operations.md)"
		if paused {
			advice = ""
		}
		o.warn("expiry", fmt.Sprintf("%d overdue, the oldest expired %s ago", overdue,
			term.FormatDuration(c.Now().Sub(oldest))), advice)
	}
}
