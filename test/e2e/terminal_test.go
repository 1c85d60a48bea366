// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Color must appear only on terminals that want it, and words must say the same.
func TestColorOnATerminal(t *testing.T) {
	t.Parallel()
	borrow(t, person(t, "tess"), unique("color"), time.Hour)
	home := terminalUser(t, "tess")
	for name, c := range map[string]struct {
		env  []string
		args []string
		want bool
	}{
		"a terminal":               {nil, nil, true},
		"NO_COLOR":                 {[]string{"NO_COLOR=1"}, nil, false},
		"NO_COLOR, empty":          {[]string{"NO_COLOR="}, nil, false},
		"a dumb terminal":          {[]string{"TERM=dumb"}, nil, false},
		"CLICOLOR=0":               {[]string{"CLICOLOR=0"}, nil, false},
		"--color never":            {nil, []string{"--color", "never"}, false},
		"--color always, NO_COLOR": {[]string{"NO_COLOR=1"}, []string{"--color", "always"}, true},
		"NO_COLOR and FORCE":       {[]string{"NO_COLOR=1", "CLICOLOR_FORCE=1"}, nil, false},
	} {
		code, out := open(t, home, 120, c.env, append([]string{"list"}, c.args...)...).exit()
		if code != 0 || strings.Contains(out, "\x1b[32m") != c.want || !c.want && strings.Contains(out, "\x1b") {
			t.Errorf("%s: code %d, color wanted: %t\n%q", name, code, c.want, out)
		}
		if plain := regexp.MustCompile("\x1b\\[[0-9;]*m").
			ReplaceAllString(out, ""); !regexp.MustCompile(`tmp-color-\d+ +default +Ready +(59|60)m +tess`).MatchString(plain) {
			t.Errorf("%s: the text differs:\n%s", name, plain)
		}
	}
}

// A narrow terminal must get fewer columns rather than broken lines, and be told which are
// missing; essential ones stay. A long name must not take the columns of all others away, and
// what was asked for by -o wide must be there.
func TestNarrowTerminal(t *testing.T) {
	t.Parallel()
	borrow(t, person(t, "nora"), unique("narrow"), time.Hour)
	long := borrow(t, person(t, "nora"), unique("narrow-"+strings.Repeat("x", 40)), time.Hour)
	home := terminalUser(t, "nora")
	list := func(cols uint16, args ...string) (table []string, notes string) {
		_, out := open(t, home, cols, []string{"NO_COLOR=1"}, append([]string{"list"}, args...)...).exit()
		for line := range strings.SplitSeq(strings.TrimSpace(strings.ReplaceAll(out, "\r", "")), "\n") {
			if strings.HasPrefix(line, "Not shown") {
				notes += line
			} else {
				table = append(table, line)
			}
		}
		return table, notes
	}
	for _, cols := range []uint16{120, 80, 60, 50, 30} {
		table, notes := list(cols)
		if len(table) != 3 {
			t.Errorf("%d columns: got %d lines: %q", cols, len(table), table)
		}
		for _, line := range table {
			if cols >= 50 && len(line) > int(cols) && !strings.Contains(line, long.Name) {
				t.Errorf("%d columns: a line has %d:\n%s", cols, len(line), line)
			}
		}
		head := table[0]
		for _, want := range []string{"NAME", "STATUS", "EXPIRES"} {
			if !strings.Contains(head, want) {
				t.Errorf("%d columns: essential columns are missing: %s", cols, head)
			}
		}
		for _, optional := range []string{"CLASS", "OWNER", "AGE"} {
			if shown := strings.Contains(head, optional); shown == strings.Contains(notes, optional) || cols >= 80 && !shown {
				t.Errorf("%d columns: %s is shown: %t; said: %q", cols, optional, shown, notes)
			}
		}
		wide, notes := list(cols, "-o", "wide")
		for _, want := range []string{"OWNER", "AT-MOST-UNTIL", "REVISION", "REASON"} {
			if !strings.Contains(wide[0], want) || notes != "" {
				t.Errorf("%d columns, wide: %s is missing: %s (%s)", cols, want, wide[0], notes)
			}
		}
	}
}

// delete must ask only if no name is given, and must treat Ctrl-C as a refusal.
func TestPrompt(t *testing.T) {
	t.Parallel()
	paula, home := person(t, "paula"), terminalUser(t, "paula")
	there := func(name string) bool {
		tn, err := paula.Get(t.Context(), name)
		return err == nil && tn.DeletionTimestamp == nil
	}
	first, second := borrow(t, paula, unique("prompt"), time.Hour), borrow(t, paula, unique("prompt"), time.Hour)

	s := open(t, home, 200, nil, "delete", "--all")
	s.until(`Delete 2 namespaces and everything in them: .*\? \[y/N\] $`)
	s.send("\x03")
	if code, out := s.exit(); code != 130 || !strings.Contains(out, "interrupted") || !there(first.Name) ||
		!there(second.Name) {
		t.Errorf("Ctrl-C: exit code %d, both exist: %t, %t\n%s", code, there(first.Name), there(second.Name), out)
	}
	s = open(t, home, 200, nil, "delete", "--all")
	s.until(`\[y/N\] $`)
	s.send("\r")
	if code, _ := s.exit(); code != 1 || !there(first.Name) {
		t.Errorf("Enter: exit code %d, it exists: %t", code, there(first.Name))
	}
	s = open(t, home, 200, nil, "delete", first.Name, "--wait=false") // with a name: not asked
	if code, out := s.exit(); code != 0 || strings.Contains(out, "[y/N]") {
		t.Errorf("with a name: exit code %d:\n%s", code, out)
	}
	s = open(t, home, 200, nil, "delete", "--all")
	s.until(`Delete namespace ` + second.Name + ` and everything in it\? \[y/N\] $`)
	s.send("y\r")
	s.until(`waiting until namespace ` + second.Name + ` is gone`) // in a progress line
	if code, out := s.exit(); code != 0 || !strings.HasSuffix(out, "namespace \""+second.Name+"\" deleted\r\n") ||
		!strings.Contains(out, "\r\x1b[K") {
		t.Errorf("yes: exit code %d:\n%q", code, out)
	}
}

// Where several namespaces could be meant, a person at a terminal is asked for one.
func TestChoice(t *testing.T) {
	t.Parallel()
	rosa, home := person(t, "rosa"), terminalUser(t, "rosa")
	borrow(t, rosa, unique("choice"), time.Hour)
	second := borrow(t, rosa, unique("choice"), time.Hour)
	s := open(t, home, 100, nil, "use")
	s.until(`Your namespaces:\r\n  1\) tmp-choice-\d+\r\n  2\) tmp-choice-\d+\r\nNumber: $`)
	s.send("7\r")
	if code, out := s.exit(); code != 1 || !strings.Contains(out, `"7" is not one of them: give a NAME`) {
		t.Errorf("a number that is not in the list: exit code %d:\n%s", code, out)
	}
	s = open(t, home, 100, nil, "use")
	s.until(`Number: $`)
	s.send(second.Name + "\r")
	if code, out := s.exit(); code != 0 || !strings.Contains(out, `Switched to context "tenama-`+second.Name+`".`) {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// The shell of run shows the namespace in its prompt, and a line says when it is gone: otherwise
// the two shells look the same.
func TestShellPrompt(t *testing.T) {
	t.Parallel()
	home := terminalUser(t, "petra")
	if err := os.WriteFile(filepath.Join(home, ".bashrc"), []byte("PS1='mine> '\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, home, 100, []string{"SHELL=/bin/bash"}, "run", "-n", unique("shell"))
	s.until(`\(tmp-shell-\d+\) mine> $`)
	s.send("exit 3\r")
	if code, out := s.exit(); code != 3 || !strings.Contains(out, " deleted.") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// The live view must stay in place, show changes, and restore the terminal at its end.
func TestLiveView(t *testing.T) {
	t.Parallel()
	wanda, home := person(t, "wanda"), terminalUser(t, "wanda")
	tn := borrow(t, wanda, unique("live"), time.Hour)
	s := open(t, home, 100, nil, "list", "--watch")
	s.until(`\x1b\[\?25l`)
	s.until(tn.Name + ` .*default.*█+░*`)
	later := borrow(t, wanda, unique("later"), time.Hour)
	s.until(later.Name)
	s.until(`\x1b\[\d+A\r\x1b\[J`) // it moves up and redraws
	if _, err := wanda.Delete(t.Context(), later.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.until(later.Name + `.*Terminating`)
	s.send("\x03")
	code, out := s.exit()
	if code != 0 || !strings.Contains(out[strings.LastIndex(out, "\x1b[J"):], "\x1b[?25h") {
		t.Errorf("Ctrl-C: exit code %d, the cursor: %q", code, out[max(0, len(out)-80):])
	}
	s = open(t, home, 100, []string{"LANG=C"}, "list", "--watch") // only characters that every terminal has
	s.until(`#+\.*`)
	s.send("\x03")
	if _, out := s.exit(); strings.ContainsRune(out, '█') {
		t.Error("a terminal without Unicode got Unicode characters")
	}
	s = open(t, home, 100, []string{"TERM=dumb"}, "list", "--watch") // a terminal without cursor control: rows
	s.until(tn.Name)
	s.send("\x03")
	if _, out := s.exit(); strings.Contains(out, "\x1b") {
		t.Errorf("a dumb terminal got %q", out)
	}
}

// A shell in a namespace must behave as usual: its terminal, signals and exit code.
func TestShell(t *testing.T) {
	t.Parallel()
	sheila, home := person(t, "sheila"), terminalUser(t, "sheila")
	s := open(t, home, 100, []string{"SHELL=/bin/sh", "PS1=> "}, "run", "-n", "shell-in")
	s.until(`> $`)
	s.send("tty > /dev/null && echo a terminal in $TENAMA_NAMESPACE\r")
	s.until(`\na terminal in tmp-shell-in`)
	tn, err := sheila.Get(t.Context(), "tmp-shell-in")
	if err != nil || tn.Spec.LeaseDurationSeconds == nil ||
		time.Until(tn.Status.ExpirationTimestamp.Time) > 12*time.Minute+time.Second {
		t.Errorf("after a kill, it would exist for more than 12 minutes: %+v, %v", tn, err)
	}
	s.send("sh -c 'echo a$((1))sleep; exec sleep 600'\r") // the process that prints is the one to end
	s.until(`a1sleep`)
	s.send("\x03") // ends the sleep, but neither the shell nor its namespace
	s.send("echo still $((40 + 2))\r")
	s.until(`still 42`)
	s.send("exit 5\r")
	if code, out := s.exit(); code != 5 {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if tn, err := sheila.Get(t.Context(), "tmp-shell-in"); err == nil && tn.DeletionTimestamp == nil {
		t.Error("the namespace still exists after the shell")
	}

	// Ctrl-C reaches a command once: the terminal sends it, and the plugin does not
	// repeat it.
	script := filepath.Join(home, "count")
	if err := os.WriteFile(script,
		[]byte("n=0\ntrap 'n=$((n+1))' INT\necho ready\nfor i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.1; "+
			"done\nexit $((10 + n))\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, home, 100, nil, "run", "--", "sh", script)
	s.until("ready")
	s.send("\x03")
	if code, out := s.exit(); code != 11 {
		t.Errorf("Ctrl-C once: the command received %d:\n%s", code-10, out)
	}
}

// A killed plugin must leave a namespace for at most 12 minutes, and an unchanged
// kubeconfig.
func TestKilledRun(t *testing.T) {
	t.Parallel()
	kim, home := person(t, "kim"), terminalUser(t, "kim")
	before, err := os.ReadFile(filepath.Join(home, "config"))
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, home, 100, nil, "run", "-n", "killed", "--", "sh", "-c", "echo ready; sleep 3")
	s.until("ready")
	if err := s.session.Kill(); err != nil {
		t.Fatal(err)
	}
	s.exit()
	tn, err := kim.Get(t.Context(), "tmp-killed")
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(tn.Status.ExpirationTimestamp.Time); left > 12*time.Minute+time.Second {
		t.Errorf("it would exist for %s", left)
	}
	// The next run removes the files that it left here.
	open(t, home, 100, nil, "run", "--", "true").exit()
	if left, err := filepath.Glob(filepath.Join(home, "tenama-run-*")); err != nil || len(left) > 0 {
		t.Errorf("a token file still exists: %v (%v)", left, err)
	}
	if after, err := os.ReadFile(filepath.Join(home, "config")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the kubeconfig has changed (%v)", err)
	}
}
