// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// firstPods measures the time until the first Pod of a new namespace runs, on a node, which
// needs Linux and root. The tests of the node know how to start it: a benchmark there
// writes the times to a file.
func firstPods(ctx context.Context, r *run) error {
	dir, err := os.MkdirTemp("", "tenama-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "times.json")
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-run=^$", "-bench=^BenchmarkFirstPod$",
		"-benchtime="+strconv.Itoa(r.pods)+"x", "-timeout=30m", "./test/node")
	cmd.Dir = testenv.Root()
	cmd.Env = append(os.Environ(), "TENAMA_BENCH_TIMES="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the times of the node, which needs root: %w", err)
	}
	var times struct{ Kubectl, Tenama, Create []time.Duration }
	if err := json.Unmarshal(b, &times); err != nil {
		return err
	}
	r.add(timings("pods", fmt.Sprintf("Until the first Pod of a new namespace runs, %d each, in turns",
		len(times.Kubectl)),
		timing{"kubectl create namespace, kubectl apply", times.Kubectl, times.Kubectl},
		timing{"kubectl tenama create, kubectl apply", times.Tenama, times.Kubectl},
		timing{"of that, kubectl tenama create", times.Create, times.Kubectl}))
	return nil
}
