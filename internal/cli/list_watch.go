// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// watchList prints a list and then its changes until ctx is done, which is not an error.
func (o *listOptions) watchList(
	ctx context.Context, c *client.Client, list *v1alpha1.TemporaryNamespaceList, opts metav1.ListOptions,
) error {
	v := o.newWatchView(c)
	defer v.close()
	if err := v.replaceAll(list.Items); err != nil {
		return err
	}
	for ctx.Err() == nil {
		opts.ResourceVersion = list.ResourceVersion
		if w, err := c.Watch(ctx, opts); err == nil {
			err = v.events(ctx, w)
			w.Stop()
			if err != nil {
				return err
			}
		}
		relisted, err := v.relist(ctx, c, opts)
		if err != nil || relisted == nil {
			return err
		}
		list = relisted
		if err := v.replaceAll(list.Items); err != nil {
			return err
		}
	}
	return nil
}

// watchView is the output of watchList: on a terminal the whole list, updated in place;
// elsewhere a line for each change.
type watchView struct {
	o     *listOptions
	known map[string]v1alpha1.TemporaryNamespace
	live  *liveTable
	rows  func([]v1alpha1.TemporaryNamespace) error
	tick  *time.Ticker

	lostAt   time.Time // when the connection was lost; zero if it was not
	saidLost bool
}

func (o *listOptions) newWatchView(c *client.Client) *watchView {
	v := &watchView{o: o, known: map[string]v1alpha1.TemporaryNamespace{}, tick: time.NewTicker(time.Second)}
	if r := o.renderer(o.Out); r.Live && o.output.human() {
		v.live = &liveTable{options: o, c: c, renderer: r}
		_, _ = io.WriteString(o.Out, "\x1b[?25l")
	} else {
		v.rows = o.rowByRow(c, r)
	}
	return v
}

func (v *watchView) close() {
	v.tick.Stop()
	if v.live != nil {
		_, _ = io.WriteString(v.o.Out, "\x1b[?25h")
	}
}

// replaceAll replaces the known namespaces with a full list, at the start and after a gap. It
// shows new and changed namespaces, and those that disappeared a last time.
func (v *watchView) replaceAll(items []v1alpha1.TemporaryNamespace) error {
	previous := v.known
	v.known = map[string]v1alpha1.TemporaryNamespace{}
	var changed []v1alpha1.TemporaryNamespace
	for _, tn := range items {
		v.known[tn.Name] = tn
		if old, there := previous[tn.Name]; !there || old.ResourceVersion != tn.ResourceVersion {
			changed = append(changed, tn)
		}
		delete(previous, tn.Name)
	}
	for _, tn := range previous {
		changed = append(changed, tn)
	}
	return v.show(changed)
}

func (v *watchView) show(changed []v1alpha1.TemporaryNamespace) error {
	if v.live != nil {
		return v.live.draw(v.o.sorted(v.known))
	}
	return v.rows(changed)
}

// events shows the events of a watch until it ends.
func (v *watchView) events(ctx context.Context, w watch.Interface) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-v.tick.C:
			if err := v.tickLive(); err != nil {
				return err
			}
		case e, ok := <-w.ResultChan():
			if !ok || e.Type == watch.Error {
				return nil
			}
			tn, is := e.Object.(*v1alpha1.TemporaryNamespace)
			if !is || e.Type == watch.Bookmark {
				continue
			}
			v.known[tn.Name] = *tn
			if e.Type == watch.Deleted {
				delete(v.known, tn.Name)
			}
			if err := v.show([]v1alpha1.TemporaryNamespace{*tn}); err != nil {
				return err
			}
		}
	}
}

func (o *listOptions) sorted(known map[string]v1alpha1.TemporaryNamespace) []v1alpha1.TemporaryNamespace {
	out := make([]v1alpha1.TemporaryNamespace, 0, len(known))
	for _, tn := range known {
		out = append(out, tn)
	}
	_ = o.order.sort(out) // it did not fail on the first list
	return out
}

// rowByRow returns a function that prints namespaces, with headings on the first call only.
func (o *listOptions) rowByRow(c *client.Client, r term.Renderer) func([]v1alpha1.TemporaryNamespace) error {
	switch {
	case o.output.format == "name":
		return o.names
	case !o.output.human():
		p, err := o.output.printer(o.noHeaders)
		return func(changed []v1alpha1.TemporaryNamespace) error {
			for i := range changed {
				if err == nil {
					err = p.PrintObj(&changed[i], o.Out)
				}
				if columns, is := p.(*columns); is {
					columns.noHeaders = true
				}
			}
			return err
		}
	}
	var widths []int
	return func(changed []v1alpha1.TemporaryNamespace) error {
		if len(changed) == 0 {
			return nil
		}
		t := o.table(changed, c.Now(), false)
		if widths != nil {
			t.Widths = widths
		}
		err := t.Print(o.Out, r)
		widths, o.noHeaders = t.Widths, true
		return err
	}
}

// liveTable is a list that is updated in place on a terminal.
type liveTable struct {
	options  *listOptions
	c        *client.Client
	renderer term.Renderer
	drawn    int    // lines drawn last
	note     string // last line
}

func (v *liveTable) draw(items []v1alpha1.TemporaryNamespace) error {
	o := v.options
	r := v.renderer.Resized(o.Out) // the terminal may have been resized
	lines := []string{r.Render("No namespaces found.", term.Dim)}
	if len(items) > 0 {
		lines = o.table(items, v.c.Now(), true).Lines(r)
	}
	if maxLines := term.Height(o.Out) - 3; maxLines > 0 && len(lines) > maxLines {
		lines = append(lines[:maxLines-1], r.Render(fmt.Sprintf("and %d more", len(lines)-maxLines+1), term.Dim))
	}
	if v.note != "" {
		lines = append(lines, r.Render(v.note, term.Bad))
	}
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", v.drawn)
	}
	b.WriteString("\x1b[J")
	for _, line := range lines {
		b.WriteString(r.Fit(line) + "\r\n")
	}
	v.drawn = len(lines)
	_, err := io.WriteString(o.Out, b.String())
	return err
}

// isPermanent reports whether retrying is pointless.
func isPermanent(err error) bool { return apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) }
