// SPDX-License-Identifier: Apache-2.0

// Command times runs targets of the Makefile and prints, as a Markdown table, the time
// of each target, and of each test that took a second or more. With COLD=1 each target
// runs twice, the first time with an empty build cache (downloaded modules are kept).
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// targets lists the targets of make test-all, in an order in which each builds
// everything that is new to it. A test that is run with -json reports the times of its
// parts.
var targets = []struct {
	name  string
	tests bool
}{
	{"vet", false}, {"staticcheck", false}, {"unit", true}, {"verify", false}, {"cluster", false}, {"demo", false},
	{"e2e", true},
	{"e2e-long", true}, {"krew", false}, {"image-test", false}, {"compat", true},
	{"cluster-oldest", false}, {"e2e-oldest", true},
	{"cluster-node", false}, {"node", true},
	{"prove-contained", false}, {"prove-limits", false}, {"prove-memory", false},
	{"prove-outage", false}, {"soak", false}, {"race", false},
}

// test is one test of a target.
type test struct {
	target, name string
	seconds      float64
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "times:", err)
		os.Exit(1)
	}
}

func run(only []string) error {
	rounds, env := []string{"warm"}, os.Environ()
	if os.Getenv("COLD") == "1" {
		dir, err := os.MkdirTemp("", "tenama-times-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		rounds = []string{"cold", "warm"}
		// Staticcheck has a cache, too.
		env = append(env, "GOCACHE="+filepath.Join(dir, "go"), "XDG_CACHE_HOME="+filepath.Join(dir, "xdg"))
		if out, err := exec.Command("make", "clean").CombinedOutput(); err != nil {
			return fmt.Errorf("make clean: %w: %s", err, out)
		}
	}
	took, tests, total := map[string][]string{}, []test{}, map[string]time.Duration{}
	for _, round := range rounds {
		tests = nil
		for _, t := range targets {
			if len(only) > 0 && !slices.Contains(only, t.name) {
				continue
			}
			begun := time.Now()
			out, err := makeTarget(env, t.name, t.tests)
			d := time.Since(begun)
			if err != nil {
				return fmt.Errorf("make %s after %s: %w\n%s", t.name, d.Round(time.Second), err, out)
			}
			fmt.Fprintf(os.Stderr, "%s %s: %s\n", t.name, round, d.Round(time.Second))
			took[t.name] = append(took[t.name], fmt.Sprintf("%.0f s", d.Seconds()))
			total[round] += d
			tests = append(tests, durations(t.name, out)...)
		}
	}
	fmt.Printf("| target | %s |\n|---|%s\n", strings.Join(rounds, " | "), strings.Repeat("---|", len(rounds)))
	for _, t := range targets {
		if row, ok := took[t.name]; ok {
			fmt.Printf("| %s | %s |\n", t.name, strings.Join(row, " | "))
		}
	}
	fmt.Printf("| in all |")
	for _, round := range rounds {
		fmt.Printf(" %.0f s |", total[round].Seconds())
	}
	fmt.Printf("\n\n| target | test | seconds |\n|---|---|---|\n")
	slices.SortFunc(tests, func(a, b test) int { return cmp.Compare(b.seconds, a.seconds) })
	for _, t := range tests {
		if t.seconds >= 1 {
			fmt.Printf("| %s | %s | %.0f |\n", t.target, t.name, t.seconds)
		}
	}
	return nil
}

// makeTarget runs a target and returns its output.
func makeTarget(env []string, name string, tests bool) ([]byte, error) {
	args := []string{name}
	if tests {
		args = append(args, "ARGS=-json")
	}
	cmd := exec.Command("make", args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, io.MultiWriter(os.Stderr, &out)
	err := cmd.Run()
	return out.Bytes(), err
}

// durations reads the events of go test -json.
func durations(target string, out []byte) []test {
	var all []test
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var e struct {
			Action, Test string
			Elapsed      float64
		}
		if json.Unmarshal(s.Bytes(), &e) == nil && e.Action == "pass" && e.Test != "" && !strings.Contains(e.Test, "/") {
			all = append(all, test{target, e.Test, e.Elapsed})
		}
	}
	return all
}
