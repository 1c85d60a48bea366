// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// ask prompts for yes or no on stderr and reads stdin, terminal or not. A missing
// answer is an error, so nothing happens without consent.
func (f *factory) ask(ctx context.Context, question, hint string) (bool, error) {
	fmt.Fprintf(f.ErrOut, "%s [y/N] ", clean(question))
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // a read cannot be interrupted; the process exits soon enough
		line, err := bufio.NewReader(f.In).ReadString('\n')
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(f.ErrOut)
		return false, ctx.Err()
	case a := <-answers:
		if in, _ := f.In.(*os.File); in == nil || !term.IsTerminal(int(in.Fd())) {
			fmt.Fprintln(f.ErrOut) // no terminal echoed a newline
		}
		if a.err != nil && (!errors.Is(a.err, io.EOF) || a.line == "") {
			return false, fmt.Errorf("no answer on stdin: %s", hint)
		}
		switch strings.ToLower(strings.TrimSpace(a.line)) {
		case "y", "yes":
			return true, nil
		}
		return false, nil
	}
}

// progress reports a slow operation: on a terminal as a line that is updated and then
// erased, elsewhere once, if it takes more than a moment. Calling done ends it.
func (f *factory) progress(action string) (done func()) {
	s := f.style(f.ErrOut)
	live := s.live && os.Getenv("CI") == ""
	stop, stopped := make(chan struct{}), make(chan struct{})
	started := time.Now()
	go func() {
		defer close(stopped)
		frames, first, every := []string{"|", "/", "-", "\\"}, 2*time.Second, time.Hour
		if unicodeTerminal() {
			frames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
		}
		if live {
			first, every = 300*time.Millisecond, 100*time.Millisecond
		}
		next := time.NewTimer(first)
		defer next.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				if live && i > 0 {
					_, _ = io.WriteString(f.ErrOut, "\r\x1b[K")
				}
				return
			case <-next.C:
			}
			switch {
			case live:
				line := fmt.Sprintf("%s %s, %s", frames[i%len(frames)], action, formatDuration(time.Since(started)))
				fmt.Fprintf(f.ErrOut, "\r%s\x1b[K", s.apply(cut(line, s.width-1), dim))
			case i == 0:
				fmt.Fprintf(f.ErrOut, "%s ...\n", upper(action))
			}
			next.Reset(every)
		}
	}()
	return func() { close(stop); <-stopped }
}

// cut shortens s to at most the given number of terminal cells.
func cut(s string, width int) string {
	r := []rune(s)
	for len(r) > 0 && cells(string(r)) > width {
		r = r[:len(r)-1]
	}
	return string(r)
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
