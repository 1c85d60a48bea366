// SPDX-License-Identifier: Apache-2.0

// Command demo shows the main use on a real control plane: create a namespace, work in
// it, extend it, let another one expire, verify that other users have no access, and
// delete it. It stops at the first step that fails.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"tenama.dev/tenama/test/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo(ctx, os.Getenv("KEEP") == "1"); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context, keep bool) (err error) {
	dir, err := os.MkdirTemp("", "tenama-demo-")
	if err != nil {
		return err
	}
	say("A real Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager)")
	begun := time.Now()
	cluster, err := testenv.StartCluster(ctx, filepath.Join(dir, "cluster"))
	if err != nil {
		os.RemoveAll(dir)
		return err
	}
	fmt.Printf("ready at %s after %.1f s\n", cluster.Server, time.Since(begun).Seconds())
	var broker *testenv.Broker
	defer func() {
		if keep && err == nil {
			say("The cluster runs until Ctrl-C. In another terminal, as alice:")
			fmt.Printf("export PATH=%s:$PATH KUBECONFIG=%s\nkubectl tenama create\n", testenv.Bin(""),
				filepath.Join(dir, "alice", "config"))
			<-ctx.Done()
		}
		if broker != nil {
			err = errors.Join(err, broker.Stop())
		}
		cluster.Stop()
		err = errors.Join(err, os.RemoveAll(dir))
	}()

	say("tenama, installed from deploy/; the broker runs here with the rights of its ServiceAccount only")
	port, err := cluster.Install(ctx)
	if err != nil {
		return err
	}
	if broker, err = cluster.StartBroker(ctx, port, "broker-0"); err != nil {
		return err
	}
	fmt.Println("kubectl apply -k deploy/overlays/local; kubectl apply -f deploy/classes/default.yaml: done")

	alice, err := newShell(ctx, cluster, dir, "alice")
	if err != nil {
		return err
	}
	bob, err := newShell(ctx, cluster, dir, "bob")
	if err != nil {
		return err
	}
	before, err := os.ReadFile(alice.kubeconfig)
	if err != nil {
		return err
	}

	say("Alice may not create a namespace, but can borrow one")
	alice.fails("kubectl create namespace mine", "forbidden")
	alice.run("kubectl tenama create --ttl 2h", `namespace/(tmp-[a-z0-9-]+) created`, "Expires in 2h")
	name := alice.match(1)
	alice.run("kubectl config current-context", "tenama-"+name)
	alice.run("kubectl create configmap greeting --from-literal=hello=world", "configmap/greeting created")
	alice.run("kubectl get configmap greeting -o jsonpath={.data.hello}", "world")
	alice.run("kubectl get resourcequota,limitrange,networkpolicy -o name", "resourcequota/tenama", "limitrange/tenama",
		"networkpolicy.networking.k8s.io/tenama")
	alice.fails("kubectl create service loadbalancer costly --tcp=80", "exceeded quota")
	alice.run("kubectl tenama list", `\*\s+`+name+`\s+default\s+Ready\s+\d+m\s+alice`)
	alice.run("kubectl tenama extend --by 1h --reason 'the review takes longer'", `namespace/`+name+` extended`,
		"Expires in 3h")
	alice.run("kubectl get tns "+name+" -o wide", "the review takes longer")

	say("Bob can neither see nor change it")
	bob.run("kubectl tenama list", "No namespaces found")
	bob.fails("kubectl tenama extend "+name, "not found")
	bob.fails("kubectl tenama delete "+name, "not found")
	bob.fails("kubectl get configmaps -n "+name, "forbidden")

	say("A namespace with a TTL of eight seconds expires with its content")
	alice.run("kubectl tenama create short --ttl 8s", "namespace/tmp-short created")
	alice.run("kubectl create configmap gone-soon", "created")
	alice.run("kubectl tenama list", `tmp-short\s+default\s+Ready`)
	alice.until(40*time.Second, "kubectl get tns tmp-short", "NotFound")
	alice.run("kubectl tenama delete short --ignore-not-found", "removed")

	say("Alice deletes her namespace; her kubeconfig is as before")
	alice.run("kubectl tenama delete "+name, `namespace "`+name+`" deleted`, `current context is "test" again`)
	alice.run("kubectl tenama list", "No namespaces found")
	alice.run("kubectl config current-context", "test")
	if alice.err == nil {
		after, err := os.ReadFile(alice.kubeconfig)
		if err != nil {
			return err
		}
		if string(before) != string(after) {
			return fmt.Errorf("the kubeconfig differs from before:\n%s", after)
		}
		fmt.Println("# the kubeconfig has the same bytes")
	}
	if err := errors.Join(alice.err, bob.err); err != nil {
		return err
	}
	say("All steps succeeded")
	return nil
}

func say(what string) { fmt.Printf("\n# %s\n", what) }

// shell runs commands as one user. After the first failed expectation it runs no more.
type shell struct {
	ctx        context.Context
	user       string
	kubeconfig string
	env        []string
	out        string
	found      []string
	err        error
}

func newShell(ctx context.Context, c *testenv.Cluster, dir, user string) (*shell, error) {
	home := filepath.Join(dir, user)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(c.Kubeconfig(user))
	if err != nil {
		return nil, err
	}
	s := &shell{ctx: ctx, user: user, kubeconfig: filepath.Join(home, "config")}
	s.env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "HOME="+home, "PATH="+testenv.Bin("")+":"+os.Getenv("PATH"))
	return s, os.WriteFile(s.kubeconfig, b, 0o600)
}

func (s *shell) exec(line string) error {
	cmd := exec.CommandContext(s.ctx, "sh", "-c", line)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	s.out = string(out)
	return err
}

func (s *shell) show(line string) {
	fmt.Printf("%s$ %s\n%s", s.user, line, s.out)
	if s.out != "" && !strings.HasSuffix(s.out, "\n") {
		fmt.Println()
	}
}

// run runs a command that must succeed and print the wanted output.
func (s *shell) run(line string, want ...string) { s.step(line, true, want) }

// fails runs a command that must fail and print the wanted output.
func (s *shell) fails(line string, want ...string) { s.step(line, false, want) }

func (s *shell) step(line string, succeed bool, want []string) {
	if s.err != nil {
		return
	}
	err := s.exec(line)
	s.show(line)
	if (err == nil) != succeed {
		s.err = fmt.Errorf("%q: %v", line, map[bool]string{true: fmt.Sprint(err), false: "it should have failed"}[succeed])
		return
	}
	s.found = nil
	for _, w := range want {
		found := regexp.MustCompile(w).FindStringSubmatch(s.out)
		if found == nil {
			s.err = fmt.Errorf("%q did not print %q", line, w)
			return
		}
		if s.found == nil {
			s.found = found
		}
	}
}

// match returns group i of the first pattern's match in the output of the last command.
func (s *shell) match(i int) string {
	if s.err != nil || i >= len(s.found) {
		return ""
	}
	return s.found[i]
}

// until repeats a command, shown once, until it prints the wanted output.
func (s *shell) until(d time.Duration, line, want string) {
	if s.err != nil {
		return
	}
	begun := time.Now()
	s.err = testenv.Eventually(d, func() error {
		_ = s.exec(line)
		if regexp.MustCompile(want).MatchString(s.out) {
			return nil
		}
		return fmt.Errorf("%q did not print %q within %s", line, want, d)
	})
	s.show(line)
	if s.err == nil {
		fmt.Printf("# after %.0f s\n", time.Since(begun).Seconds())
	}
}
