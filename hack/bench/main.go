// SPDX-License-Identifier: Apache-2.0

// Command bench measures tenama on a control plane of its own: creations beside the least
// that any implementation has to do, beside kubectl and beside an earlier broker; commands
// of the plugin; the cost of the policies for others; many namespaces, many callers, and a
// user who misuses the API.
//
// What is compared is measured in turns in the same minutes. The ratios are the result:
// absolute times depend on the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// amounts says how much a run measures.
type amounts struct {
	creates  int           // of each kind, by one caller
	crowd    int           // of each kind, by 8 and by 32 callers
	previous int           // of each version
	others   int           // creates of each kind in an unrelated namespace
	budgets  int           // creates of each kind
	commands int           // runs of each command
	among    int           // namespaces, for commands and misuse
	misuse   time.Duration // of each kind
	scale    []int         // namespaces
	rest     time.Duration // of observing a broker at rest
	watches  int
	bursts   []int // creations at once
	pods     int   // first Pods of namespaces, on a node
}

var (
	full = amounts{creates: 1000, crowd: 320, previous: 500, others: 2000, budgets: 500, commands: 100, among: 3000,
		misuse: 20 * time.Second, scale: []int{100, 1000, 10_000}, rest: 2 * time.Minute, watches: 1000,
		bursts: []int{300, 1000}, pods: 20}
	small = amounts{creates: 150, crowd: 64, previous: 100, others: 400, budgets: 100, commands: 15, among: 500,
		misuse: 5 * time.Second, scale: []int{300}, rest: time.Minute, watches: 200, bursts: []int{50}, pods: 5}
)

// run is one run of this command.
type run struct {
	amounts
	*report
	previousBroker string
}

// part is something that a run measures.
type part struct {
	name    string
	small   bool // is part of a small run
	measure func(context.Context, *run) error
}

var parts = []part{
	{"create", true, creates},
	{"commands", true, commands},
	{"previous", true, previous},
	{"others", false, others},
	{"budgets", false, inBudgets},
	{"scale", false, scale},
	{"bursts", false, bursts},
	{"misuse", false, misuse},
	{"node", false, firstPods},
}

func main() {
	little := flag.Bool("small", false, "measure less, in about three minutes")
	only := flag.String("parts", "", "parts to measure, separated by commas, of: "+strings.Join(names(parts), ", "))
	before := flag.String("previous", "", "an earlier broker, to compare with; without it, that part is left out")
	file := flag.String("json", "", "file for the results")
	from := flag.String("from", "", "file with the results of earlier runs; parts that are measured now replace theirs")
	page := flag.String("page", "", "file for the page that describes the results")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := execute(ctx, *little, *only, *before, *file, *from, *page); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func execute(ctx context.Context, little bool, only, before, file, from, page string) error {
	chosen, err := choose(little, only, before, from != "")
	if err != nil {
		return err
	}
	if slices.Contains(names(chosen), "node") && os.Getuid() != 0 {
		return errors.New("part node needs root; name the other parts with -parts")
	}
	r := &run{full, &report{}, before}
	if little {
		r.amounts = small
	}
	if len(chosen) > 0 {
		r.report = newReport()
	}
	if from != "" {
		if err := r.read(from); err != nil {
			return err
		}
	}
	for _, p := range chosen {
		fmt.Fprintf(os.Stderr, "measuring: %s\n", p.name)
		if err := p.measure(ctx, r); err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
		if file == "" {
			continue
		}
		if err := r.write(file); err != nil { // what is measured is kept, whatever becomes of the rest
			return err
		}
	}
	if page != "" {
		return r.writePage(page)
	}
	return nil
}

// choose returns the parts to measure: those that only names; without it all, or none if
// the results of earlier runs are given.
func choose(little bool, only, before string, given bool) ([]part, error) {
	var chosen []part
	if only == "" {
		for _, p := range parts {
			if !given && (p.small || !little) && (p.name != "previous" || before != "") {
				chosen = append(chosen, p)
			}
		}
		return chosen, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		i := slices.Index(names(parts), name)
		switch {
		case i < 0:
			return nil, fmt.Errorf("there is no part %q; use %s", name, strings.Join(names(parts), ", "))
		case name == "previous" && before == "":
			return nil, errors.New("part previous needs -previous")
		}
		chosen = append(chosen, parts[i])
	}
	return chosen, nil
}

func names(parts []part) (out []string) {
	for _, p := range parts {
		out = append(out, p.name)
	}
	return out
}
