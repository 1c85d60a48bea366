// SPDX-License-Identifier: Apache-2.0

package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Ask prompts for yes or no on out and reads in, which need not be a terminal. A missing
// answer is an error that ends with hint, so nothing happens without consent.
func Ask(ctx context.Context, in io.Reader, out io.Writer, question, hint string) (bool, error) {
	fmt.Fprintf(out, "%s [y/N] ", Clean(question))
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // a read cannot be interrupted; the process exits soon enough
		line, err := bufio.NewReader(in).ReadString('\n')
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(out)
		return false, ctx.Err()
	case a := <-answers:
		if _, ok := isTerminal(in); !ok {
			fmt.Fprintln(out) // no terminal echoed a newline
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
