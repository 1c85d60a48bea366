// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"tenama.dev/tenama/internal/attack"
	"tenama.dev/tenama/test/testenv"
)

// damage returns the faults of what the broker reads, of clocks, and of users' machines.
func damage() []fault {
	return []fault{
		{name: "the Secret of the certificate is emptied", short: true, cause: changeSecret(
			func(map[string][]byte) map[string][]byte { return nil })},
		{name: "it is replaced by garbage", cause: changeSecret(func(was map[string][]byte) map[string][]byte {
			out := map[string][]byte{}
			for k := range was {
				out[k] = []byte("garbage")
			}
			return out
		})},
		{name: "it is restored from a backup", cause: restoreSecret},
		{name: "annotations of a namespace are broken by hand", cause: breakAnnotations},
		{name: "the policies are those of another release", cause: otherPolicies},
		{name: "the clock of a broker is 5 minutes ahead", skewed: "./cmd/broker", cause: skewedBroker("5m")},
		{name: "the clock of a broker is 5 minutes behind", skewed: "./cmd/broker", cause: skewedBroker("-5m")},
		{name: "the clock of a user's machine is a day ahead", skewed: "./cmd/kubectl-tenama", cause: skewedPlugin},
		{name: "the disk of a user's machine is full", cause: fullDisk},
		{name: "the cluster is restored from a backup", rewinds: true, cause: restoreCluster},
	}
}

// changeSecret replaces the data of the Secret with the certificate.
func changeSecret(change func(map[string][]byte) map[string][]byte) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		_, err := s.updateSecret(ctx, change)
		pause(ctx, 20*time.Second)
		return err
	}
}

// updateSecret changes the Secret with the certificate, and returns the data of before.
func (s *scene) updateSecret(ctx context.Context, change func(map[string][]byte) map[string][]byte) (
	was map[string][]byte, _ error) {
	secrets := s.c.Client("admin").CoreV1().Secrets(s.c.Home)
	return was, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		secret, err := secrets.Get(ctx, "tenama-serving-cert", metav1.GetOptions{})
		if err != nil {
			return err
		}
		was = secret.Data
		secret.Data = change(was)
		_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
		return err
	})
}

// restoreSecret replaces the certificate by a new one, and this by the one of before.
func restoreSecret(ctx context.Context, s *scene) error {
	was, err := s.updateSecret(ctx, func(map[string][]byte) map[string][]byte { return nil })
	if err != nil {
		return err
	}
	pause(ctx, 15*time.Second)
	_, err = s.updateSecret(ctx, func(map[string][]byte) map[string][]byte { return was })
	pause(ctx, 15*time.Second)
	return err
}

// breakAnnotations writes annotations that the broker cannot read, as an administrator
// with the verb override could by mistake, and puts the old ones back.
func breakAnnotations(ctx context.Context, s *scene) error {
	namespaces := s.c.Client("admin").CoreV1().Namespaces()
	was := map[string]map[string]string{}
	for name, broken := range map[string]string{
		"tmp-kept-0": `{"tenama.dev/ttl-seconds":"soon"}`, "tmp-kept-1": `{"tenama.dev/ttl-seconds":"-1"}`,
		"tmp-kept-2": `{"tenama.dev/ttl-seconds":null,"tenama.dev/max-ttl-seconds":null}`,
		"tmp-kept-3": `{"tenama.dev/extend-until":"-0001-01-01T00:00:00Z"}`,
		"tmp-kept-4": `{"tenama.dev/object":"{"}`, "tmp-kept-5": `{"tenama.dev/reserved":"[]"}`,
		"tmp-kept-6": `{"tenama.dev/lifetime":"Forever"}`, "tmp-kept-7": `{"tenama.dev/owner":""}`,
	} {
		ns, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		was[name] = ns.Annotations
		if err := s.annotate(ctx, name, `{"metadata":{"annotations":`+broken+`}}`); err != nil {
			return err
		}
	}
	pause(ctx, 20*time.Second)
	for name, annotations := range was {
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			ns, err := namespaces.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			ns.Annotations = annotations
			_, err = namespaces.Update(ctx, ns, metav1.UpdateOptions{})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// otherPolicies lets the policy serve a set that these brokers do not look for.
func otherPolicies(ctx context.Context, s *scene) error {
	policies := s.c.Client("admin").AdmissionregistrationV1().ValidatingAdmissionPolicies()
	put := func(change func(*admissionv1.ValidatingAdmissionPolicy)) error {
		return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			p, err := policies.Get(ctx, attack.Containment, metav1.GetOptions{})
			if err != nil {
				return err
			}
			change(p)
			_, err = policies.Update(ctx, p, metav1.UpdateOptions{})
			return err
		})
	}
	var was string
	variable := func(p *admissionv1.ValidatingAdmissionPolicy) *string {
		for i := range p.Spec.Variables {
			if p.Spec.Variables[i].Name == "sets" {
				return &p.Spec.Variables[i].Expression
			}
		}
		return new(string)
	}
	err := put(func(p *admissionv1.ValidatingAdmissionPolicy) {
		was = *variable(p)
		*variable(p) = "'policy set 1'"
	})
	if err != nil || was == "" {
		return errors.Join(err, errors.New("the policy has changed"))
	}
	pause(ctx, 30*time.Second)
	return put(func(p *admissionv1.ValidatingAdmissionPolicy) { *variable(p) = was })
}

// skewed returns the path of a program with a wrong clock, which buildSkewed builds.
func (s *scene) skewed(pkg string) string { return filepath.Join(s.dir, filepath.Base(pkg)) }

// buildSkewed builds the program that a fault needs, if it needs one. That takes minutes the
// first time, and is done before the fault, so that it does not count.
func (s *scene) buildSkewed(f fault) error {
	if f.skewed == "" {
		return nil
	}
	if _, err := os.Stat(s.skewed(f.skewed)); err == nil {
		return nil
	}
	_, err := testenv.BuildSkewed(s.dir, f.skewed)
	return err
}

// skewedBroker replaces a broker by one with a wrong clock for a while.
func skewedBroker(by string) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		right := s.c.Broker
		swap := func(program, skew string) error {
			s.replicas.Kill(1)
			s.replicas.Use(program)
			if err := os.Setenv(testenv.SkewVariable, skew); err != nil {
				return err
			}
			return s.replicas.Start(ctx, 1)
		}
		if err := swap(s.skewed("./cmd/broker"), by); err != nil {
			return err
		}
		pause(ctx, 30*time.Second)
		return swap(right, "")
	}
}

// skewedPlugin lends and deletes a namespace from a machine with a wrong clock.
func skewedPlugin(ctx context.Context, s *scene) error {
	for _, args := range []string{"create day-off --ttl 1h", "extend day-off --ttl 90m", "list", "delete day-off"} {
		out, err := s.plugin(ctx, s.skewed("./cmd/kubectl-tenama"), s.c.Kubeconfig("bob"), args, testenv.SkewVariable+"=24h")
		if err != nil {
			return fmt.Errorf("%s: %s", args, out)
		}
		if strings.HasPrefix(args, "extend") && !strings.Contains(out, "Expires in 1h") {
			return fmt.Errorf("%s: %s", args, out)
		}
	}
	return nil
}

// fullDisk lends a namespace while the file system of the kubeconfig is full: the plugin
// must say so, and leave the kubeconfig as it is.
func fullDisk(ctx context.Context, s *scene) error {
	dir := filepath.Join(s.dir, "full")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount a small file system: %s", out)
	}
	defer func() { _ = exec.Command("umount", dir).Run() }()
	before, err := os.ReadFile(s.c.Kubeconfig("bob"))
	if err != nil {
		return err
	}
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, before, 0o600); err != nil {
		return err
	}
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		return err
	}
	for err == nil { // until no byte fits
		_, err = filler.Write(make([]byte, 512))
	}
	filler.Close()
	text, err := s.plugin(ctx, testenv.Bin("kubectl-tenama"), config, "create full-disk --ttl 1h")
	if err == nil || !strings.Contains(text, "no space left on device") {
		return fmt.Errorf("create with a full disk: %v: %s", err, text)
	}
	after, err := os.ReadFile(config)
	if err != nil || string(after) != string(before) {
		return fmt.Errorf("the kubeconfig was changed: %v", err)
	}
	text, err = s.plugin(ctx, testenv.Bin("kubectl-tenama"), s.c.Kubeconfig("bob"), "delete full-disk --ignore-not-found")
	if err != nil {
		return errors.New(text)
	}
	return nil
}

// plugin runs the plugin as bob.
func (s *scene) plugin(ctx context.Context, program, kubeconfig, args string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, strings.Fields(args)...)
	cmd.Env = append(append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+s.dir), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// restoreCluster restores the cluster from a backup of etcd: what was lent since is not
// there any more, and what ended since is there again.
func restoreCluster(ctx context.Context, s *scene) error {
	etcd, backup := filepath.Join(s.dir, "etcd"), filepath.Join(s.dir, "backup")
	err := s.restart(ctx, func() error { return os.CopyFS(backup, os.DirFS(etcd)) })
	if err != nil {
		return err
	}
	pause(ctx, 20*time.Second)
	return s.restart(ctx, func() error { return errors.Join(os.RemoveAll(etcd), os.Rename(backup, etcd)) })
}
