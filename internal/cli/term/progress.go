// SPDX-License-Identifier: Apache-2.0

package term

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Progress reports a slow operation on w: on a terminal as a line that is updated and
// then erased, elsewhere once, if it takes more than two seconds. Calling done ends it.
func (r Renderer) Progress(w io.Writer, action string) (done func()) {
	live := r.Live && os.Getenv("CI") == ""
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
					_, _ = io.WriteString(w, "\r\x1b[K")
				}
				return
			case <-next.C:
			}
			switch {
			case live:
				line := fmt.Sprintf("%s %s, %s", frames[i%len(frames)], action, FormatDuration(time.Since(started)))
				fmt.Fprintf(w, "\r%s\x1b[K", r.Render(cut(line, r.Width-1), Dim))
			case i == 0:
				fmt.Fprintf(w, "%s ...\n", capitalize(action))
			}
			next.Reset(every)
		}
	}()
	return func() { close(stop); <-stopped }
}
