// SPDX-License-Identifier: Apache-2.0

package worlds

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/pkg/forwarder"
	"tenama.dev/tenama/test/testenv"
)

const (
	oldKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newKey = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// output is what a program prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// program starts a program that ends with the test.
func program(t *testing.T, dir string, env []string, name string, args ...string) *output {
	t.Helper()
	out := &output{}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), out, out
	cmd.WaitDelay = 5 * time.Second // for what its children hold open
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", name, out)
		}
	})
	return out
}

// verifier starts test/worlds/notices/receiver.js with a key and returns its URL.
func verifier(t *testing.T, key string) (string, *output) {
	t.Helper()
	out := program(t, testenv.Bin("tools/notices"), []string{"KEY=" + key,
		"NODE_PATH=" + testenv.Bin("tools/notices/node_modules")}, "node",
		filepath.Join(testenv.Root(), "test", "worlds", "notices", "receiver.js"))
	var at struct{ Port int }
	if err := testenv.Eventually(60*time.Second, func() error {
		line, _, _ := strings.Cut(out.String(), "\n")
		return json.Unmarshal([]byte(line), &at)
	}); err != nil {
		t.Fatal(err, out)
	}
	return fmt.Sprintf("http://127.0.0.1:%d/", at.Port), out
}

// sink records the requests that scripts make.
type sink struct {
	*httptest.Server
	requests output
}

func newSink(t *testing.T) *sink {
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(&s.requests, "%s %s %s %s\n", r.Method, r.URL.Path, r.Header.Get("PRIVATE-TOKEN"),
			strings.Join(strings.Fields(string(b)), " "))
	}))
	t.Cleanup(s.Close)
	return s
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// contains waits until a program or sink has printed each of some texts.
func contains(t *testing.T, what string, out *output, want ...string) {
	t.Helper()
	for _, w := range want {
		if err := testenv.Eventually(90*time.Second, func() error {
			if !strings.Contains(out.String(), w) {
				return fmt.Errorf("%s: no %q in:\n%s", what, w, out)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// The messages of the forwarder are understood by the libraries of CloudEvents and of Standard
// Webhooks, with either key while it is rotated, and not with another one; and the scripts of
// examples/notices, run by webhook, post to a chat, mail, register a service and open an issue.
func TestNotices(t *testing.T) {
	ctx := t.Context()
	for _, p := range [][]string{{"node", "--version"}, {"webhook", "-version"}, {"aiosmtpd", "--version"}} {
		out, err := exec.Command(p[0], p[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", p, err, out)
		}
		fmt.Printf("%s %s", p[0], out)
	}
	before, withOld := verifier(t, oldKey)
	after, withNew := verifier(t, newKey)
	other, withOther := verifier(t, "whsec_"+strings.Repeat("QUJD", 8))

	chat, consul, gitlab := newSink(t), newSink(t), newSink(t)
	smtp := freePort(t)
	mail := program(t, t.TempDir(), []string{"PYTHONUNBUFFERED=1"}, "aiosmtpd", "-n", "-l", smtp, "-c",
		"aiosmtpd.handlers.Debugging", "stdout")
	host, port, _ := net.SplitHostPort(freePort(t))
	hooks := program(t, filepath.Join(testenv.Root(), "examples", "notices"), []string{
		"TOKEN=a-token", "CHAT_URL=" + chat.URL, "CONSUL_URL=" + consul.URL, "GITLAB_URL=" + gitlab.URL, "PROJECT=7",
		"GITLAB_TOKEN=glpat", "SMTP_URL=smtp://" + smtp, "MAIL_FROM=tenama@example.com"},
		"webhook", "-template", "-hooks", "hooks.yaml", "-ip", host, "-port", port, "-verbose")
	contains(t, "webhook", hooks, "serving hooks on")

	var c forwarder.Config
	add := func(name, url string, keys ...string) {
		c.Endpoints = append(c.Endpoints, forwarder.Endpoint{Name: name, URL: url, Keys: keys, BearerToken: "a-token",
			AllowPrivateAddresses: true})
	}
	add("old", before, newKey, oldKey)
	add("new", after, newKey, oldKey)
	add("other", other, newKey, oldKey)
	for _, id := range []string{"chat", "mail", "discovery", "ticket"} {
		add(id, "http://"+net.JoinHostPort(host, port)+"/hooks/"+id, newKey)
	}
	b, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	const private = "allowPrivateAddresses: true"
	config := strings.ReplaceAll(string(b), private, private+"\n  notices: [59m50s]")
	f, err := shared.InstallForwarder(ctx, config, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		f.Stop()
		if t.Failed() {
			t.Log(f.Output())
		}
	}()
	if err := testenv.Eventually(60*time.Second, func() error { // each endpoint has begun
		out, err := shared.Kubectl("admin", "get", "configmap", "tenama-forwarder", "-n", "tenama-system", "-o",
			"jsonpath={.binaryData}")
		if err != nil || strings.Count(out, ":") != len(c.Endpoints) {
			return fmt.Errorf("%s %v", out, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	owner := []string{"--as=ann@example.com", "--as-group=devs", "--as-group=system:authenticated"}
	const name = "tmp-notices"
	if out, err := shared.KubectlIn("admin", "apiVersion: tenama.dev/v1alpha1\nkind: TemporaryNamespace\n"+
		"metadata: {name: "+name+", labels: {tier: pro}}\nspec: {ttlSeconds: 3600}\n",
		append(owner, "create", "-f", "-")...); err != nil {
		t.Fatal(out)
	}
	contains(t, "the receiver with the old key", withOld, `"type":"dev.cdevents.environment.created.0.3.0"`,
		`"type":"dev.cdeventsx.tenama-environment.expiring.0.1.0"`, `"subject":"`+name+`"`, `"labels":{"tier":"pro"}`)
	contains(t, "the receiver with the new key", withNew, "environment.created", "environment.expiring")
	contains(t, "chat", &chat.requests, name+" was created for ann@example.com, until 20",
		"to keep it: kubectl tenama extend "+name)
	contains(t, "mail", mail, "To: ann@example.com", "Subject: Namespace "+name+" expires at 20")
	contains(t, "consul", &consul.requests, `PUT /v1/catalog/register  { "Node": "kubernetes"`,
		`"Address": "web.`+name+`.svc"`)
	contains(t, "gitlab", &gitlab.requests, "POST /api/v4/projects/7/issues glpat title=Namespace+"+name)
	if out, err := shared.Kubectl("admin", append(owner, "delete", "tns", name, "--wait=false")...); err != nil {
		t.Fatal(out)
	}
	contains(t, "the receiver with the new key", withNew, "environment.deleted")
	contains(t, "chat", &chat.requests, name+" of ann@example.com is gone")
	contains(t, "consul", &consul.requests,
		`PUT /v1/catalog/deregister  { "Node": "kubernetes", "ServiceID": "`+name+`" }`)
	contains(t, "the receiver with another key", withOther, `"refused":"WebhookVerificationError`)
	for what, out := range map[string]*output{"old": withOld, "new": withNew} {
		for s := bufio.NewScanner(strings.NewReader(out.String())); s.Scan(); {
			if strings.Contains(s.Text(), "refused") {
				t.Errorf("the receiver with the %s key: %s", what, s.Text())
			}
		}
	}
	if strings.Contains(withOther.String(), `"event"`) {
		t.Error("a receiver with another key accepts a message")
	}
}
