// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"tenama.dev/tenama/api/v1alpha1"
)

// Administrators find the user whose program does not stop asking; but that program must not
// crowd everything else out of the log, and who waits for capacity is not refused.
func TestRefusalsInTheLog(t *testing.T) {
	because := func(causes ...metav1.CauseType) error {
		err := apierrors.NewForbidden(groupResource, "tmp-a", nil)
		for _, c := range causes {
			err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: c})
		}
		return err
	}
	for name, row := range map[string]struct {
		err  error
		want int // lines about 1000 requests in ten seconds
	}{
		"full":              {because(v1alpha1.CauseBudgetExceeded), 10},
		"impossible":        {because(v1alpha1.CauseBudgetImpossible), 10},
		"waits":             {because(v1alpha1.CauseBudgetExceeded, v1alpha1.CauseInLine), 0},
		"created":           {nil, 0},
		"of another reason": {because(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				r := &Registry{Log: slog.New(slog.NewTextHandler(&log, nil))}
				ctx := request.WithUser(t.Context(), &user.DefaultInfo{Name: "alice"})
				for range 1000 {
					r.logRefusal(ctx, &v1alpha1.TemporaryNamespace{}, row.err)
					time.Sleep(10 * time.Millisecond)
				}
				if n := strings.Count(log.String(), "user=alice"); n != row.want {
					t.Errorf("%d lines, want %d", n, row.want)
				}
			})
		})
	}
}
