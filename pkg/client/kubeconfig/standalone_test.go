// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func credentialFile(token string) Standalone {
	return Standalone{
		Context: "tenama-tmp-a",
		Cluster: &clientcmdapi.Cluster{Server: "https://127.0.0.1:1", CertificateAuthorityData: []byte("ca")},
		User:    &clientcmdapi.AuthInfo{Token: token}, Namespace: "tmp-a", ExpiresAt: time.Now().Add(time.Hour),
	}
}

// TestStandaloneWrite verifies that a credential is readable only by its owner,
// regardless of the previous mode of the file, and does not replace a file that tenama
// did not write.
func TestStandaloneWrite(t *testing.T) {
	for name, c := range map[string]struct {
		before string
		want   error
	}{
		"nothing there": {"-", nil}, "an empty file": {"", nil}, "our own": {"own", nil},
		"text": {"hello\n", ErrForeign},
		"another user's kubeconfig": {"apiVersion: v1\nkind: Config\n" +
			"contexts:\n- context: {cluster: c, user: u}\n  name: x\ncurrent-context: x\n", ErrForeign},
		"white space": {"\n", ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if c.before == "own" {
				if err := credentialFile("old").Write(path); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, 0o644); err != nil { // the file has become readable by other users
					t.Fatal(err)
				}
			} else if c.before != "-" {
				if err := os.WriteFile(path, []byte(c.before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			err := credentialFile("new").Write(path)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil {
				if b, _ := os.ReadFile(path); string(b) != c.before {
					t.Errorf("it was changed to %q", b)
				}
				return
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			config, err := clientcmd.LoadFromFile(path)
			if err != nil || config.CurrentContext != "tenama-tmp-a" || config.AuthInfos["tenama-tmp-a"].Token != "new" ||
				config.Contexts["tenama-tmp-a"].Namespace != "tmp-a" {
				t.Errorf("got %+v, %v", config, err)
			}
			if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestStandaloneRefusesDevices verifies that devices, pipes and directories are
// rejected: a rename would replace them.
func TestStandaloneRefusesDevices(t *testing.T) {
	if err := credentialFile("x").Write(t.TempDir()); err == nil {
		t.Error("a directory is taken")
	}
	if _, err := os.Stat("/dev/null"); err == nil {
		if err := Replaceable("/dev/null"); err == nil {
			t.Error("/dev/null is taken")
		}
	}
}

// TestStandaloneIsForTheCaller verifies that another user who places a link, or an
// empty file, at the path of a credential does not get the credential.
func TestStandaloneIsForTheCaller(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "theirs"), link); err != nil {
		t.Fatal(err)
	}
	if err := credentialFile("x").Write(link); err == nil {
		t.Error("it is written through a link")
	}
	if os.Geteuid() != 0 {
		return // only root can create a file owned by another user
	}
	waiting := filepath.Join(dir, "waiting")
	if err := os.WriteFile(waiting, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(waiting, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := credentialFile("x").Write(waiting); err == nil {
		t.Error("it is written into a file of another user")
	}
}

// TestHealth verifies that Health reports every problem that would make the next write
// fail.
func TestHealth(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fine, open := write("fine", "", 0o600), write("open", "", 0o644)
	broken, fixed := write("broken", "{", 0o600), write("fixed", "", 0o400)
	lock := write("open.lock", "", 0o600)
	hour := time.Now().Add(-time.Hour)
	if err := os.Chtimes(lock, hour, hour); err != nil {
		t.Fatal(err)
	}
	t.Setenv(clientcmd.RecommendedConfigPathEnvVar,
		strings.Join([]string{fine, open, broken, fixed}, string(filepath.ListSeparator)))
	got := map[string]Health{}
	for _, h := range Find("").Health() {
		got[filepath.Base(h.Path)] = h
	}
	if h := got["fine"]; !h.Destination || h.Unreadable != nil || h.Unwritable != nil || h.OpenToOthers || h.Locked != 0 {
		t.Errorf("a file that is in order: %+v", h)
	}
	if h := got["open"]; !h.OpenToOthers || h.Locked < time.Hour || h.Destination {
		t.Errorf("an open, locked file: %+v", h)
	}
	if got["broken"].Unreadable == nil || got["fixed"].Unwritable == nil {
		t.Errorf("a broken and a read-only file: %+v, %+v", got["broken"], got["fixed"])
	}
}
