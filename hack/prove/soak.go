// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// soak causes faults at random for a long time, under the load of outages and more: users
// who compete for a budget, an intruder, informers of users. It fails if a check of outages
// fails, if the budget was exceeded, if the intruder got in, if an informer misses an event,
// if a broker needs more memory than its pod has, or if its goroutines multiply. It prints how
// both grow.
func soak(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("soak", flag.ContinueOnError)
	length := fs.Duration("for", 10*time.Minute, "how long to cause faults; the last one is finished")
	seed := fs.Uint64("seed", 0, "order of the faults; 0 for a random one")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	fmt.Printf("# soak for %s, with --seed=%d\n", *length, *seed)
	return inDir(func(dir string) error { return soakFor(ctx, dir, *length, *seed) })
}

// soakFor causes faults for a while.
func soakFor(ctx context.Context, dir string, length time.Duration, seed uint64) error {
	s, err := newScene(ctx, dir)
	if err != nil {
		return err
	}
	defer s.end()
	m, err := newMixed(ctx, s)
	if err != nil {
		return err
	}
	load, stop := context.WithCancel(ctx)
	defer stop()
	var busy sync.WaitGroup
	busy.Go(func() { m.run(load) })
	pause(ctx, 20*time.Second) // caches and pools are filled
	usage := newUsage(s)
	usage.sample()

	order := rand.New(rand.NewPCG(seed, 0))
	var wrong []string
	count := 0
	for end := time.Now().Add(length); time.Now().Before(end); {
		f := choose(order)
		r, err := s.suffer(ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		count++
		for _, w := range append(r.wrong, m.check(ctx)...) {
			wrong = append(wrong, f.name+": "+w)
		}
		usage.sample()
		fmt.Printf("  %s left; %s\n", max(0, time.Until(end)).Round(time.Second), usage.last())
	}
	stop()
	busy.Wait()
	fmt.Printf("\n%d faults; %s\n%s\n", count, m, usage.slopes())
	wrong = append(append(wrong, usage.wrong()...), m.idle()...)
	if len(wrong) > 0 {
		return fmt.Errorf("%d checks failed:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
	fmt.Println("# Nothing was lost, leaked, deleted early or open to others, and the budget was never exceeded")
	return nil
}

// choose returns a fault. The cluster is not restored from a backup: informers cannot know.
func choose(order *rand.Rand) fault {
	all := faults()
	for {
		if f := all[order.IntN(len(all))]; !f.rewinds {
			return f
		}
	}
}

// usage records the memory and the goroutines of the brokers, in the order of their age.
type usage struct {
	s       *scene
	samples map[int][]sample // by process
}

type sample struct {
	at         time.Time
	mib        float64
	goroutines int
}

func newUsage(s *scene) *usage { return &usage{s: s, samples: map[int][]sample{}} }

// sample reads both from each broker that answers.
func (u *usage) sample() {
	for i, b := range u.s.replicas.Brokers {
		var now sample
		err := testenv.Eventually(time.Minute, func() (err error) {
			now, err = u.s.measure(i)
			return err
		})
		if err == nil {
			u.samples[b.PID()] = append(u.samples[b.PID()], now)
		}
	}
}

// last describes the last samples.
func (u *usage) last() string {
	var out []string
	for i, b := range u.s.replicas.Brokers {
		if all := u.samples[b.PID()]; len(all) > 0 {
			n := all[len(all)-1]
			out = append(out, fmt.Sprintf("broker-%d: %.0f MiB, %d goroutines", i, n.mib, n.goroutines))
		}
	}
	return strings.Join(out, "; ")
}

// slopes describes how the broker that lived longest needs more with time.
func (u *usage) slopes() string {
	all := u.oldest()
	if len(all) == 0 {
		return ""
	}
	var mib, goroutines, hours []float64
	for _, s := range all {
		hours = append(hours, s.at.Sub(all[0].at).Hours())
		mib, goroutines = append(mib, s.mib), append(goroutines, float64(s.goroutines))
	}
	lived := all[len(all)-1].at.Sub(all[0].at)
	out := fmt.Sprintf("the broker that lived longest, %s and %d samples: %.0f to %.0f MiB, %.0f to %.0f goroutines",
		lived.Round(time.Second), len(all), slices.Min(mib), slices.Max(mib), slices.Min(goroutines), slices.Max(goroutines))
	if lived < 10*time.Minute {
		return out + "; too short for a slope"
	}
	return out + fmt.Sprintf("; %+.1f MiB and %+.0f goroutines an hour", slope(hours, mib), slope(hours, goroutines))
}

func (u *usage) oldest() (out []sample) {
	for _, all := range u.samples {
		if len(out) == 0 || all[len(all)-1].at.Sub(all[0].at) > out[len(out)-1].at.Sub(out[0].at) {
			out = all
		}
	}
	return out
}

// slope returns the slope of the line that fits best.
func slope(x, y []float64) float64 {
	n := float64(len(x))
	var sx, sy, sxx, sxy float64
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

// wrong returns what a broker needs too much of. The bounds are those of its pod, and far
// above what the load needs.
func (u *usage) wrong() (out []string) {
	limit, _, err := podMemory()
	if err != nil {
		return []string{err.Error()}
	}
	for _, all := range u.samples {
		first, last := all[0], all[len(all)-1]
		if last.mib*(1<<20) > float64(limit.Value()) {
			out = append(out, fmt.Sprintf("a broker needs %.0f MiB", last.mib))
		}
		if last.goroutines > 2*first.goroutines+100 {
			out = append(out, fmt.Sprintf("the goroutines of a broker grew from %d to %d", first.goroutines, last.goroutines))
		}
	}
	if len(u.samples) == 0 {
		out = append(out, "no broker could be measured")
	}
	return out
}
