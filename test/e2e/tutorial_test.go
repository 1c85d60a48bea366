// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"tenama.dev/tenama/test/testenv"
)

// The tutorial must be correct: each of its commands is run in order, and must print
// exactly the output shown below it.
func TestTutorial(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps, err := tutorial(string(page))
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) < 15 {
		t.Fatalf("the tutorial has %d commands", len(steps))
	}
	t.Cleanup(func() { // if it failed before its end
		for _, name := range []string{"tmp-shop-42", "tmp-shop-e2e"} {
			_ = shared.Client("admin").CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
		}
	})
	homes := map[string]string{"": tutorialHome(t, "ada"), "bob": tutorialHome(t, "bob")}
	for _, s := range steps {
		home, known := homes[s.user]
		if !known {
			t.Fatalf("line %d: there is no user %q", s.line, s.user)
		}
		got := typed(t, home, s.command)
		if err := compare(s.shown, got); err != nil {
			t.Fatalf("docs/tutorial.md, line %d: %s: %v", s.line, s.command, err)
		}
	}
}

// step is a command of the tutorial, with its user and the output that is shown.
type step struct {
	line          int
	user, command string
	shown         []string
}

var prompt = regexp.MustCompile(`^([a-z]*)\$ (.+)$`)

// tutorial returns the commands in the console blocks of a page.
func tutorial(page string) ([]step, error) {
	var steps []step
	inside, fresh := false, false
	for i, line := range strings.Split(page, "\n") {
		m := prompt.FindStringSubmatch(line)
		switch {
		case !inside && strings.HasPrefix(line, "```console"):
			inside, fresh = true, true
		case !inside:
		case strings.HasPrefix(line, "```"):
			inside = false
		case m != nil:
			steps, fresh = append(steps, step{line: i + 1, user: m[1], command: m[2]}), false
		case fresh:
			return nil, fmt.Errorf("line %d: output before any command", i+1)
		default:
			last := &steps[len(steps)-1]
			last.shown = append(last.shown, line)
		}
	}
	return steps, nil
}

// tutorialHome returns a home directory of a user in the group devs, with a kubeconfig
// whose context has the name that the tutorial uses.
func tutorialHome(t *testing.T, user string) string { return homeOn(t, shared.Cluster, user) }

func homeOn(t *testing.T, c *testenv.Cluster, user string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(c.Kubeconfig("admin"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := c.Certificate("client", user, "devs")
	if err != nil {
		t.Fatal(err)
	}
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{user: {ClientCertificateData: cert, ClientKeyData: key}}
	dev := config.Contexts["test"]
	dev.AuthInfo = user
	config.Contexts, config.CurrentContext = map[string]*clientcmdapi.Context{"dev": dev}, "dev"
	home := t.TempDir()
	if err := clientcmd.WriteToFile(*config, filepath.Join(home, ".kube", "config")); err != nil {
		t.Fatal(err)
	}
	return home
}

// typed returns the combined output of a command, with ~ for the home directory.
func typed(t *testing.T, home, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "PATH=" + testenv.Bin("") + ":" + os.Getenv("PATH"), "TZ=UTC", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil || err != nil && cmd.ProcessState == nil { // a command may fail, if the page shows so
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return strings.ReplaceAll(string(out), home, "~")
}

// varies lists the parts of the output that may differ from the tutorial.
var varies = []string{
	`\.\.\.`,                             // anything
	`(?:\d{4}-\d\d-\d\d )?\d\d:\d\d UTC`, // a time, with the day if it is not today
	`\b\d+[ms]\b`,                        // minutes and seconds: ages and remaining times; hours and days are exact
	` {2,}`,                              // between columns
}

var varying = regexp.MustCompile("(" + strings.Join(varies, ")|(") + ")")

// compare returns an error if the output differs from the output that is shown.
func compare(shown []string, got string) error {
	var want strings.Builder
	want.WriteString("^")
	for _, line := range shown {
		if line == "..." {
			want.WriteString(`(?:.*\n)*`)
			continue
		}
		want.WriteString(pattern(line) + `\n`)
	}
	want.WriteString("$")
	if !regexp.MustCompile(want.String()).MatchString(got) {
		return fmt.Errorf("the command printed\n%s\nand the page shows\n%s", got, strings.Join(shown, "\n"))
	}
	return nil
}

// pattern returns a regular expression for a line that is shown.
func pattern(line string) string {
	var b strings.Builder
	end := 0
	for _, m := range varying.FindAllStringSubmatchIndex(line, -1) {
		b.WriteString(regexp.QuoteMeta(line[end:m[0]]))
		for i, v := range varies {
			if m[2*i+2] >= 0 {
				if i == 0 {
					v = ".*"
				}
				b.WriteString(v)
			}
		}
		end = m[1]
	}
	return b.String() + regexp.QuoteMeta(line[end:])
}

func TestTutorialComparison(t *testing.T) {
	for _, c := range []struct {
		shown, got string
		same       bool
	}{
		{"", "", true},
		{"a", "a\n", true},
		{"a", "", false},
		{"a", "a\nb\n", false},
		{"a\nb", "a\n", false},
		{"a.b", "axb\n", false},
		{"a\n...", "a\nb\nc\n", true},
		{"a\n...\nc", "a\nc\n", true},
		{"a\n...\nc", "a\nb\n", false},
		{"a ... (18:30 UTC).", "a 3h59m (2026-12-05 02:05 UTC).\n", true},
		{"in 2h (18:30 UTC)", "in 3h (18:30 UTC)\n", false},
		{"until 2026-12-04 16:30 UTC.", "until 2027-01-01 00:00 UTC.\n", true},
		{"until 2026-12-04 16:30 UTC.", "until tomorrow.\n", false},
		{"*   x   Ready   119m      ada", "*   x   Ready   59m       ada\n", true},
		{"*   x   Ready   119m      ada", "*   x   Pending   59m       ada\n", false},
		{"*   x", "* x\n", false},
	} {
		var shown []string
		if c.shown != "" {
			shown = strings.Split(c.shown, "\n")
		}
		if err := compare(shown, c.got); (err == nil) != c.same {
			t.Errorf("%q and %q: got %v", c.shown, c.got, err)
		}
	}
	if _, err := tutorial("```console\nx\n```\n"); err == nil {
		t.Error("output without a command is accepted")
	}
}
