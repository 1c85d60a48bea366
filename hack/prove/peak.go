// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"tenama.dev/tenama/test/testenv"
)

// podMemory returns the limit of the broker's pod, and GOMEMLIMIT in it.
func podMemory() (limit resource.Quantity, goLimit string, _ error) {
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "deploy", "base", "deployment.yaml"))
	if err != nil {
		return limit, "", err
	}
	l := regexp.MustCompile(`limits: \{memory: (\w+)\}`).FindSubmatch(b)
	g := regexp.MustCompile(`name: GOMEMLIMIT, value: (\w+)`).FindSubmatch(b)
	if l == nil || g == nil {
		return limit, "", errors.New("find the limit of memory and GOMEMLIMIT in deploy/base/deployment.yaml")
	}
	limit, err = resource.ParseQuantity(string(l[1]))
	return limit, string(g[1]), err
}

// note prints the peak of the broker's memory since resetPeak, and fails above the limit.
func (p *pressure) note(what, how string) {
	peak := p.peak()
	fmt.Printf("%-50s peak %5.0f MiB   %s\n", what, float64(peak)/(1<<20), how)
	if peak > p.limit.Value() {
		p.fail("%s: the broker needed %d MiB", what, peak>>20)
	}
}

// resetPeak makes the kernel forget the peak of the broker's resident memory (proc(5)).
func (p *pressure) resetPeak() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.broker.PID()), []byte("5"), 0)
}

// peak returns the largest resident memory of the broker, in bytes.
func (p *pressure) peak() int64 {
	s, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.broker.PID()))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(s)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kib int64
			_, _ = fmt.Sscanf(rest, "%d", &kib)
			return kib << 10
		}
	}
	return 0
}
