// SPDX-License-Identifier: Apache-2.0

package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
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
	line, err := readLine(ctx, in, out, hint)
	if err != nil {
		return false, err
	}
	return line == "y" || line == "yes", nil
}

// readLine reads a line in lower case and without white space at its ends.
func readLine(ctx context.Context, in io.Reader, out io.Writer, hint string) (string, error) {
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
		return "", ctx.Err()
	case a := <-answers:
		if a.err != nil && (!errors.Is(a.err, io.EOF) || a.line == "") {
			return "", fmt.Errorf("no answer on stdin: %s", hint)
		}
		return strings.ToLower(strings.TrimSpace(a.line)), nil
	}
}

// CanChoose reports whether Choose can ask: in and out are a terminal.
func CanChoose(in io.Reader, out io.Writer) bool {
	_, reads := isTerminal(in)
	_, writes := isTerminal(out)
	return reads && writes
}

// Choose prints a numbered list and asks for one of the options, by its number or its text. An
// empty or unknown answer is an error that ends with hint.
func Choose(
	ctx context.Context, in io.Reader, out io.Writer, title string, options []string, hint string,
) (string, error) {
	fmt.Fprintln(out, Clean(title))
	for i, o := range options {
		fmt.Fprintf(out, "%3d) %s\n", i+1, Clean(o))
	}
	fmt.Fprintf(out, "Number: ")
	line, err := readLine(ctx, in, out, hint)
	if err != nil {
		return "", err
	}
	for i, o := range options {
		if line == strconv.Itoa(i+1) || line == o {
			return o, nil
		}
	}
	return "", fmt.Errorf("%q is not one of them: %s", line, hint)
}
