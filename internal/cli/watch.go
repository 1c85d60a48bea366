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
	"tenama.dev/tenama/pkg/client"
)

// follow shows a list and then what changes, until ctx is done, which is how it ends.
func (o *listOptions) follow(ctx context.Context, c *client.Client, list *v1alpha1.TemporaryNamespaceList, opts metav1.ListOptions) error {
	s := o.style(o.Out)
	live := s.live && o.output.human()
	view := &liveView{options: o, c: c, style: s}
	show := func(changed []v1alpha1.TemporaryNamespace) error { return nil }
	if !live {
		show = o.rowByRow(c, s)
		if err := show(list.Items); err != nil {
			return err
		}
	} else {
		_, _ = io.WriteString(o.Out, "\x1b[?25l")
		defer func() { _, _ = io.WriteString(o.Out, "\x1b[?25h") }()
		view.draw(list.Items)
	}
	known := map[string]v1alpha1.TemporaryNamespace{}
	for _, tn := range list.Items {
		known[tn.Name] = tn
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		opts.ResourceVersion = list.ResourceVersion
		w, err := c.Watch(ctx, opts)
		if err == nil {
			err = o.events(ctx, w, tick.C, known, live, view, show)
			w.Stop()
			if err != nil {
				return err
			}
		}
		select { // the watch ended: begin anew from a list, without haste
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		again, err := c.List(ctx, metav1.ListOptions{LabelSelector: opts.LabelSelector, FieldSelector: opts.FieldSelector})
		if err != nil {
			if ctx.Err() == nil && final(err) {
				return err
			}
			continue
		}
		list = again
		known = map[string]v1alpha1.TemporaryNamespace{}
		for _, tn := range list.Items {
			known[tn.Name] = tn
		}
		if live {
			view.draw(o.inOrder(known))
		}
	}
	return nil
}

// events shows what a watch brings, until it ends.
func (o *listOptions) events(ctx context.Context, w watch.Interface, tick <-chan time.Time, known map[string]v1alpha1.TemporaryNamespace, live bool, view *liveView, show func([]v1alpha1.TemporaryNamespace) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
			if live {
				view.draw(o.inOrder(known))
			}
		case e, ok := <-w.ResultChan():
			if !ok || e.Type == watch.Error {
				return nil
			}
			tn, is := e.Object.(*v1alpha1.TemporaryNamespace)
			if !is || e.Type == watch.Bookmark {
				continue
			}
			known[tn.Name] = *tn
			if e.Type == watch.Deleted {
				delete(known, tn.Name)
			}
			if live {
				view.draw(o.inOrder(known))
			} else if err := show([]v1alpha1.TemporaryNamespace{*tn}); err != nil {
				return err
			}
		}
	}
}

func (o *listOptions) inOrder(known map[string]v1alpha1.TemporaryNamespace) []v1alpha1.TemporaryNamespace {
	out := make([]v1alpha1.TemporaryNamespace, 0, len(known))
	for _, tn := range known {
		out = append(out, tn)
	}
	_ = o.order.sort(out) // it did so before
	return out
}

// rowByRow prints each namespace that it is given, under the headings of the first.
func (o *listOptions) rowByRow(c *client.Client, s style) func([]v1alpha1.TemporaryNamespace) error {
	if !o.output.human() && o.output.format != "name" {
		return func(changed []v1alpha1.TemporaryNamespace) error {
			p, err := o.output.printer(o.noHeaders)
			for i := range changed {
				if err == nil {
					err = p.PrintObj(&changed[i], o.Out)
				}
			}
			o.noHeaders = true
			return err
		}
	}
	var widths []int
	return func(changed []v1alpha1.TemporaryNamespace) (err error) {
		if o.output.format == "name" {
			for i := range changed {
				fmt.Fprintf(o.Out, "namespace/%s\n", changed[i].Name)
			}
			return nil
		}
		if len(changed) == 0 {
			return nil
		}
		t := o.table(changed, c.Now(), s, false)
		if widths != nil {
			t.widths = widths
		}
		t.print(o.Out, s)
		widths, o.noHeaders = t.widths, true
		return nil
	}
}

// liveView is a list that stays in place on a terminal.
type liveView struct {
	options *listOptions
	c       *client.Client
	style   style
	drawn   int // lines
}

func (v *liveView) draw(items []v1alpha1.TemporaryNamespace) {
	o := v.options
	v.style.width = width(o.Out) // it may have been resized
	lines := []string{v.style.apply("No namespaces found.", dim)}
	if len(items) > 0 {
		lines = o.table(items, v.c.Now(), v.style, true).lines(v.style)
	}
	if most := height(o.Out) - 2; most > 0 && len(lines) > most {
		lines = append(lines[:most-1], v.style.apply(fmt.Sprintf("and %d more", len(lines)-most+1), dim))
	}
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", v.drawn)
	}
	b.WriteString("\x1b[J")
	for _, line := range lines {
		b.WriteString(v.style.fit(line) + "\r\n")
	}
	v.drawn = len(lines)
	_, _ = io.WriteString(o.Out, b.String())
}

// final tells whether to ask again is in vain.
func final(err error) bool { return apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) }
