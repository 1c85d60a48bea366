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

// Ask prompts for yes or no on out and reads in. If in is no terminal, it is the script that
// calls the program, or a pipe that nothing is written to: nothing is read then, and the
// error ends with hint. A missing answer is such an error, too.
func Ask(ctx context.Context, in io.Reader, out io.Writer, question, hint string) (bool, error) {
	if _, ok := isTerminal(in); !ok {
		return false, fmt.Errorf("stdin is not a terminal, so nothing can be asked: %s", hint)
	}
	return ask(ctx, in, out, question, hint)
}

func ask(ctx context.Context, in io.Reader, out io.Writer, question, hint string) (bool, error) {
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
