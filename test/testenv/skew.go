// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// SkewVariable is by how much the clock of a program built by BuildSkewed is off, such as 5m.
const SkewVariable = "TENAMA_TEST_SKEW"

// BuildSkewed builds a program into dir with a clock that is off by SkewVariable, and
// returns its path: Go's package time is replaced by one that adds it to the time of day.
func BuildSkewed(dir, pkg string) (string, error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	std := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	source, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		return "", err
	}
	const now = "	sec, nsec, mono := runtimeNow()\n"
	if !strings.Contains(string(source), now) {
		return "", errors.New("time.Now of this version of Go is not known")
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for name, text := range map[string]string{
		"time.go": strings.Replace(string(source), now, now+"	sec += skew\n", 1),
		"skew.go": fmt.Sprintf("package time\n\nimport \"syscall\"\n\nvar skew = func() int64 {\n"+
			"	s, _ := syscall.Getenv(%q)\n	d, _ := ParseDuration(s)\n	return int64(d / Second)\n}()\n", SkewVariable),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay["Replace"][filepath.Join(std, name)] = path
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o600); err != nil {
		return "", err
	}
	program := filepath.Join(dir, filepath.Base(pkg))
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, pkg)
	build.Dir = Root()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return program, nil
}
