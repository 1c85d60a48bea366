// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// faults returns all faults, in the order in which they are caused.
func faults() []fault {
	out := []fault{
		{name: noFault, short: true, cause: func(ctx context.Context, _ *scene) error {
			pause(ctx, 15*time.Second)
			return nil
		}},
		{name: "one broker is killed (-9), and back after 5 s", short: true, cause: killOne},
		{name: "both brokers are killed (-9), and back after 5 s", short: true, cause: killBoth(5 * time.Second)},
		{name: "both brokers are killed (-9), and back after 40 s", cause: killBoth(40 * time.Second)},
		{name: "the same, without the guard", cause: func(ctx context.Context, s *scene) error {
			s.killGuard()
			if err := killBoth(40*time.Second)(ctx, s); err != nil {
				return err
			}
			return s.startGuard(ctx)
		}},
		{name: "one broker hangs for a minute (SIGSTOP)", cause: hang(0)},
		{name: "both brokers hang for a minute (SIGSTOP)", cause: hang(0, 1)},
		{name: "one of two kube-apiservers hangs for 30 s", cause: func(ctx context.Context, s *scene) error {
			if err := s.c.Signal("second/kube-apiserver", syscall.SIGSTOP); err != nil {
				return err
			}
			pause(ctx, 30*time.Second)
			return s.c.Signal("second/kube-apiserver", syscall.SIGCONT)
		}},
		{name: "one of two kube-apiservers reaches no broker for a minute", cause: func(ctx context.Context, s *scene) error {
			s.egress.Cut(true)
			pause(ctx, time.Minute)
			s.egress.Cut(false)
			return nil
		}},
		{name: "etcd needs a second for each write, for a minute", cause: func(ctx context.Context, s *scene) error {
			slow := filepath.Join(s.dir, "slow-writes")
			if err := os.WriteFile(slow, []byte("1s"), 0o600); err != nil {
				return err
			}
			pause(ctx, time.Minute)
			return os.Remove(slow)
		}},
		{name: "etcd and both kube-apiservers restart", short: true, cause: func(ctx context.Context, s *scene) error {
			return s.restart(ctx, nil)
		}},
		{name: "the watches of the brokers are cut every second, and etcd compacts", cause: during(30*time.Second,
			func(r *http.Request) *testenv.Fault {
				if r.URL.Query().Get("watch") == "" {
					return nil
				}
				return &testenv.Fault{Hang: time.Second}
			})},
	}
	for _, f := range []struct {
		name  string
		fault testenv.Fault
	}{
		{"conflicts (409)", testenv.Fault{Code: 409, Body: failure(409, "Conflict")}},
		{"429", testenv.Fault{Code: 429, Body: failure(429, "TooManyRequests"), Retry: true}},
		{"500", testenv.Fault{Code: 500, Body: failure(500, "InternalError")}},
		{"500, and were carried out", testenv.Fault{Code: 500, Body: failure(500, "InternalError"), Late: true}},
		{"timeouts (504) after 5 s", testenv.Fault{Code: 504, Body: failure(504, "Timeout"), Hang: 5 * time.Second}},
		{"broken connections", testenv.Fault{}},
		{"broken connections, and were carried out", testenv.Fault{Late: true}},
	} {
		out = append(out, fault{name: "a fifth of the brokers' calls are answered by " + f.name, cause: during(30*time.Second,
			func(r *http.Request) *testenv.Fault {
				if r.URL.Query().Get("watch") != "" || rand.IntN(5) > 0 {
					return nil
				}
				return &f.fault
			})})
	}
	return append(out, damage()...)
}

// failure returns a Status.
func failure(code int, reason string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected","reason":%q,"code":%d}`,
		reason, code)
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func killOne(ctx context.Context, s *scene) error {
	s.replicas.Kill(0)
	pause(ctx, 5*time.Second)
	return s.replicas.Start(ctx, 0)
}

func killBoth(away time.Duration) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		s.replicas.Kill(0)
		s.replicas.Kill(1)
		pause(ctx, away)
		if err := s.replicas.Start(ctx, 0); err != nil {
			return err
		}
		return s.replicas.Start(ctx, 1)
	}
}

// hang stops brokers for a minute.
func hang(which ...int) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		for _, i := range which {
			if err := syscall.Kill(s.replicas.Brokers[i].PID(), syscall.SIGSTOP); err != nil {
				return err
			}
		}
		pause(ctx, time.Minute)
		for _, i := range which {
			if err := syscall.Kill(s.replicas.Brokers[i].PID(), syscall.SIGCONT); err != nil {
				return err
			}
		}
		return nil
	}
}

// during lets the proxies between the brokers and kube-apiserver break requests for a while.
func during(d time.Duration, f func(*http.Request) *testenv.Fault) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		s.struck.Store(0)
		for _, p := range s.proxies {
			p.Break(func(r *http.Request) *testenv.Fault {
				fault := f(r)
				if fault != nil {
					s.struck.Add(1)
				}
				return fault
			})
		}
		pause(ctx, d)
		for _, p := range s.proxies {
			p.Break(nil)
		}
		fmt.Printf("  struck %d calls of the brokers\n", s.struck.Load())
		if s.struck.Load() == 0 {
			return errors.New("the fault struck no call")
		}
		return nil
	}
}
