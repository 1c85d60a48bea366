// SPDX-License-Identifier: Apache-2.0

package wine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// TestDailyUse verifies that the plugin for Windows does what people do each day, that a second
// run leaves the credentials of the first alone, and that no credential is left behind.
func TestDailyUse(t *testing.T) {
	ctx := t.Context()
	c, err := testenv.StartCluster(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop() })
	port, err := c.Install(ctx)
	if err != nil {
		t.Fatal(err)
	}
	broker, err := c.StartBroker(ctx, port, "broker-0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Stop() })
	m := newMachine(t, c, "alice")
	file := windowsPath(filepath.Join(t.TempDir(), "ci.kubeconfig"))
	m.want(0, "namespace/tmp-win created", "create", "win", "--ttl", "1h")
	m.want(0, "tmp-win", "list")
	m.want(0, `Switched to context "test".`, "use", "-")
	m.want(0, `Switched to context "tenama-tmp-win".`, "use", "win")
	m.want(0, "Kubeconfig "+file+" written.", "kubeconfig", "win", "--file", file)
	m.want(0, "in tmp-", "run", "--", "cmd", "/c", "echo in %TENAMA_NAMESPACE%")
	m.want(7, "created", "run", "--", "cmd", "/c", "exit 7")
	if left := m.runDirs(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	// A run that was killed left its directory; the next one removes it, but not that of a run
	// that is still going on.
	dead := filepath.Join(m.temp, "tenama-run-dead")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".tenama-run.lock", "token"} {
		if err := os.WriteFile(filepath.Join(dead, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	enough := filepath.Join(t.TempDir(), "enough")
	loop := "(for /l %i in (1,1,600) do @if not exist " + windowsPath(enough) + " ping -n 2 127.0.0.1 >nul) & " +
		"if exist %KUBECONFIG% echo THERE"
	first := make(chan string, 1)
	go func() { out, _ := m.run("run", "-n", "first", "--", "cmd", "/c", loop); first <- out }()
	if err := testenv.Eventually(2*time.Minute, func() error {
		if n := len(m.runDirs()); n != 3 { // its config, its token and its lock; those of the dead one are gone
			return fmt.Errorf("%d files", n)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	m.want(0, "created", "run", "--", "cmd", "/c", "exit 0")
	if n := len(m.runDirs()); n != 3 {
		t.Errorf("a second run left %d files of the first one, want 3", n)
	}
	if err := os.WriteFile(enough, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := <-first; !strings.Contains(out, "THERE") {
		t.Errorf("the kubeconfig of the first run is gone:\n%s", out)
	}
	if left := m.runDirs(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	// Several commands change the kubeconfig at once.
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			m.want(0, "created", "create", fmt.Sprintf("par-%d", i), "--ttl", "1h", "--switch-context=false")
		})
	}
	wg.Wait()
	m.want(0, "deleted", "delete", "win", "--wait=false")
	out, _ := m.run("delete", "--all", "--yes", "--wait=false")
	if n := strings.Count(out, `Context "tenama-tmp-par-`); n != 6 {
		t.Errorf("%d contexts were removed, want 6:\n%s", n, out)
	}
}
