// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// outages causes one fault after the other, while users lend, extend and delete namespaces,
// and others create and delete plain ones, install charts and delete Deployments. It prints
// what each fault cost them. It fails if a namespace was lost, leaked, deleted early or
// accessible without its guard rails, or if a fault does not pass when its cause has ended.
func outages(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("outage", flag.ContinueOnError)
	only := fs.String("run", "", "regular expression: run only these faults")
	short := fs.Bool("short", false, "run only the faults that are part of make test")
	page := fs.String("page", "", "file to write the table to, as Markdown, if nothing is wrong")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *page != "" && (*only != "" || *short) {
		return errors.New("-page requires all faults: leave -run and -short out")
	}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("--run: %w", err)
	}
	return inDir(func(dir string) error {
		return causeAll(ctx, dir, *page, func(f fault) bool { return chosen.MatchString(f.name) && (f.short || !*short) })
	})
}

// causeAll causes the chosen faults, one after the other, and writes the page, if it has a path.
func causeAll(ctx context.Context, dir, page string, chosen func(fault) bool) error {
	s, err := newScene(ctx, dir)
	if err != nil {
		return err
	}
	defer s.end()
	var rows []row
	var wrong []string
	for _, f := range faults() {
		if !chosen(f) {
			continue
		}
		r, err := s.suffer(ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		rows = append(rows, r)
		for _, w := range r.wrong {
			wrong = append(wrong, f.name+": "+w)
		}
	}
	printRows(rows)
	if len(rows) == 0 {
		return errors.New("no fault was chosen")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d checks failed:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
	fmt.Printf("\n# %d faults: nothing was lost, leaked, deleted early or left without guard rails\n", countFaults(rows))
	if page == "" {
		return nil
	}
	version, err := serverVersion(s.c)
	if err != nil {
		return err
	}
	return writePage(page, version, rows)
}

// noFault is the name of the row for comparison.
const noFault = "no fault, for comparison"

// fault is a disturbance.
type fault struct {
	name  string
	short bool // part of make test
	// rewinds says that the cluster forgets what was written last.
	rewinds bool
	// skewed is the package of a program that the fault needs with a wrong clock.
	skewed string
	// cause disturbs the cluster, and returns when the cause has ended.
	cause func(ctx context.Context, s *scene) error
}

// row is what a fault did.
type row struct {
	name          string
	took          time.Duration // from the beginning of the cause to its end
	calls, failed int64
	wait          time.Duration            // the longest that a user waited for an answer that was no error
	others        map[string]time.Duration // the longest that others waited, by what they did
	due           int                      // namespaces that expired meanwhile
	wrong         []string
}

// suffer causes a fault, and waits until it has passed.
func (s *scene) suffer(ctx context.Context, f fault) (row, error) {
	fmt.Printf("# %s\n", f.name)
	if err := s.buildSkewed(f); err != nil {
		return row{}, err
	}
	if err := s.lendDue(ctx); err != nil {
		return row{}, fmt.Errorf("before the fault: %w", err)
	}
	load, stop := context.WithCancel(ctx)
	defer stop()
	var busy sync.WaitGroup
	s.users.reset()
	s.others.reset()
	busy.Go(func() { s.users.run(load) })
	busy.Go(func() { s.others.run(load) })
	busy.Go(func() { s.look(load) })
	time.Sleep(5 * time.Second)
	r := row{name: f.name, due: len(s.due)}
	began := time.Now()
	err := f.cause(ctx, s)
	r.took = time.Since(began)
	if err != nil {
		stop()
		busy.Wait()
		return r, err
	}
	if err := s.users.recovered(); err != nil {
		r.wrong = append(r.wrong, err.Error())
	}
	stop()
	busy.Wait()
	r.calls, r.failed, r.wait = s.users.calls.Load(), s.users.failed.Load(), s.users.longest()
	r.others = s.others.longest()
	r.wrong = append(r.wrong, s.settle(ctx, f.rewinds)...)
	fmt.Printf("  %.0f s; %d of %d calls failed; waited up to %.1f s\n", r.took.Seconds(), r.failed, r.calls,
		r.wait.Seconds())
	for _, w := range r.wrong {
		fmt.Println("  WRONG: " + w)
	}
	for _, e := range s.users.examples() {
		fmt.Println("  a failure: " + e)
	}
	return r, nil
}

func printRows(rows []row) {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FAULT\tLASTS\tCALLS FAILED\tUSER WAITS\tNAMESPACE OF OTHERS\tHELM\tREPLICASET\tEXPIRED\tWRONG")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%.0f s\t%d of %d\t%.1f s\t%.1f s\t%.1f s\t%.1f s\t%d\t%d\n", r.name, r.took.Seconds(), r.failed,
			r.calls, r.wait.Seconds(), r.others["namespace"].Seconds(), r.others["helm"].Seconds(),
			r.others["replicaset"].Seconds(), r.due, len(r.wrong))
	}
	w.Flush()
}

// within calls f until it returns nil, for two minutes at most.
func within(f func() error) error { return testenv.Eventually(2*time.Minute, f) }
