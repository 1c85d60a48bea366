// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// relist lists again after a watch has ended, until that succeeds; the result is nil when ctx
// is done. Meanwhile the view says that it is not up to date.
func (v *watchView) relist(
	ctx context.Context, c *client.Client, opts metav1.ListOptions,
) (*v1alpha1.TemporaryNamespaceList, error) {
	type answer struct {
		list *v1alpha1.TemporaryNamespaceList
		err  error
	}
	answers := make(chan answer, 1)
	pause := time.Second
	for {
		go func(pause time.Duration) {
			time.Sleep(pause)
			ctx, cancel := context.WithTimeout(ctx, relistTimeout)
			defer cancel()
			list, err := c.List(ctx, metav1.ListOptions{LabelSelector: opts.LabelSelector, FieldSelector: opts.FieldSelector})
			answers <- answer{list, err}
		}(pause)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil, nil
			case <-v.tick.C:
				if err := v.stale(c.Now()); err != nil {
					return nil, err
				}
			case a := <-answers:
				if a.err == nil {
					return a.list, v.current()
				}
				if ctx.Err() == nil && isPermanent(a.err) {
					return nil, a.err
				}
				waiting = false
			}
		}
	}
}

// relistTimeout bounds one attempt to list again.
const relistTimeout = 10 * time.Second

// staleAfter is how long the view may be without a connection before it says so: kube-apiserver
// ends each watch after some minutes, which is no loss.
const staleAfter = 2 * time.Second

// stale says that the view is not up to date: in its last line, or once on stderr.
func (v *watchView) stale(now time.Time) error {
	if v.lostAt.IsZero() {
		v.lostAt = now
	}
	if now.Sub(v.lostAt) < staleAfter {
		return v.tickLive()
	}
	if !v.saidLost {
		v.saidLost = true
		if v.live == nil {
			fmt.Fprintf(v.o.ErrOut, "Connection lost at %s; reconnecting ...\n", term.FormatTime(v.lostAt, now))
		} else {
			v.live.note = fmt.Sprintf("Connection lost at %s; reconnecting ...", term.FormatTime(v.lostAt, now))
		}
	}
	return v.tickLive()
}

// current says that the view is up to date again.
func (v *watchView) current() error {
	if v.saidLost && v.live == nil {
		fmt.Fprintln(v.o.ErrOut, "Connected again.")
	}
	if v.live != nil {
		v.live.note = ""
	}
	v.lostAt, v.saidLost = time.Time{}, false
	return nil
}

// tickLive redraws a live view, for the remaining times.
func (v *watchView) tickLive() error {
	if v.live == nil {
		return nil
	}
	return v.show(nil)
}
