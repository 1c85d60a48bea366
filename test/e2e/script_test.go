// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"tenama.dev/tenama/test/testenv"
)

// The scripts run commands as a user at a terminal would: the plugin as a binary, under
// kubectl, with the user's own kubeconfig and home.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/script", testenv.Bin("kubectl-tenama"))
}

// runScripts runs the scripts of a directory with a binary of the plugin.
func runScripts(t *testing.T, dir, plugin string) {
	testscript.Run(t, testscript.Params{
		Dir:           dir,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			for _, user := range []string{"admin", "bob", "dora"} {
				b, err := os.ReadFile(shared.Kubeconfig(user))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(e.WorkDir, user), b, 0o600); err != nil {
					return err
				}
			}
			// Each script has its own user, with the name of the script.
			user := strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")
			config, err := clientcmd.LoadFromFile(shared.Kubeconfig("admin"))
			if err != nil {
				return err
			}
			cert, key, err := shared.Certificate("client", user, "devs")
			if err != nil {
				return err
			}
			config.AuthInfos = map[string]*clientcmdapi.AuthInfo{user: {ClientCertificateData: cert, ClientKeyData: key}}
			config.Contexts["test"].AuthInfo = user
			e.Setenv("PATH", filepath.Dir(plugin)+":"+testenv.Bin("")+":"+os.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TMPDIR", e.WorkDir)
			e.Setenv("TZ", "UTC")
			e.Setenv("KUBECONFIG", filepath.Join(e.WorkDir, "config"))
			e.Setenv("SERVER", shared.Server)
			e.Setenv("DOLLAR", "$")
			e.Setenv("TITLE", "Fix a\u00a0b \U0001F469\u200d\U0001F680!\nsecond\tline\n") // as merge requests have them
			e.Setenv("PLUGIN", plugin)
			e.Setenv("ID", strconv.FormatInt(time.Now().UnixNano()%1e9, 36)) // avoids the names of other scripts
			return clientcmd.WriteToFile(*config, filepath.Join(e.WorkDir, "config"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "until": until, "setenv": setenv, "same": same, "subst": subst, "status": statusError,
		},
	})
}

// exits CODE COMMAND...: runs a command that must end with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// until PATTERN COMMAND...: repeats a command until either of its outputs matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...)
		if pattern.MatchString(ts.ReadFile("stdout")) || pattern.MatchString(ts.ReadFile("stderr")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%q does not appear", args[0])
		}
	}
}

// setenv NAME: sets a variable to the output of the last command.
func setenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: setenv NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// same FILE FILE: checks that the files have the same content.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same FILE FILE")
	}
	equal := ts.ReadFile(args[0]) == ts.ReadFile(args[1])
	if equal == neg {
		ts.Fatalf("%s and %s: same is %t:\n%s", args[0], args[1], equal, ts.ReadFile(args[0]))
	}
}

// subst FILE: replaces $NAME in a file with the variable.
func subst(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: subst FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// statusError is status PATTERN: it checks that stderr of the last command is one JSON document, a Status whose
// message matches.
func statusError(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: status PATTERN")
	}
	var s metav1.Status
	if err := json.Unmarshal([]byte(ts.ReadFile("stderr")), &s); err != nil {
		ts.Fatalf("stderr is not one JSON document: %v", err)
	}
	if s.Kind != "Status" || !regexp.MustCompile(args[0]).MatchString(s.Message) {
		ts.Fatalf("got %s %q, want a Status with %q", s.Kind, s.Message, args[0])
	}
}
