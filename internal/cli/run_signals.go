// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	// killWindow is how close together three signals must arrive to kill the command.
	killWindow = 10 * time.Second
	// repeatWindow is how close together two signals of a kind are one: timeout(1), systemd and
	// CI runners signal the plugin, and then its whole process group.
	repeatWindow = time.Second
)

// forwarder forwards the signals that the plugin receives to the command, each once. The
// command is in a process group of its own, so that what is sent to the group of the plugin
// does not reach it twice. In the foreground of a terminal they share a group: the command
// has to read that terminal, and gets the signals of the terminal from it.
type forwarder struct {
	out    io.Writer
	shared bool // they share a process group
	send   func(os.Signal)

	last  map[os.Signal]time.Time
	times []time.Time // of the signals that were forwarded
}

func (f *forwarder) forward(s os.Signal, now time.Time) {
	if f.shared && ((s == os.Interrupt || s == syscall.SIGQUIT) && foreground() || s == syscall.SIGHUP && !hasTerminal()) {
		return // the terminal sent it to the command, too: by Ctrl-C, by Ctrl-\, or when it was closed
	}
	if f.last == nil {
		f.last = map[os.Signal]time.Time{}
	}
	previous, is := f.last[s]
	if f.last[s] = now; is && now.Sub(previous) < repeatWindow {
		return
	}
	f.times = append(slices.DeleteFunc(f.times, func(t time.Time) bool { return now.Sub(t) > killWindow }), now)
	switch len(f.times) {
	case 1:
		f.send(s)
	case 2:
		fmt.Fprintln(f.out, "The next signal kills the command.")
		f.send(s)
	default: // it ignored two signals
		fmt.Fprintln(f.out, "The command did not exit; killing it.")
		f.send(os.Kill)
	}
}
