// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// scene is a cluster with two kube-apiservers, two brokers, the guard, and namespaces that
// are lent. Each broker reaches one of the kube-apiservers through a proxy, in which faults
// are caused.
type scene struct {
	c        *testenv.Cluster
	dir      string
	port     int // of the Service
	second   string
	stopTwo  func()
	egress   *testenv.Egress // of the second kube-apiserver
	proxies  []*testenv.Proxy
	struck   atomic.Int64 // calls of the brokers that a fault struck
	replicas *testenv.Replicas
	guard    *exec.Cmd
	alice    *client.Client
	users    *users
	others   *others
	kept     map[string]*v1alpha1.TemporaryNamespace // by name; lent for a day before the first fault
	due      map[string]time.Time                    // expiries, by name; lent to end during a fault
	seen     seen
	round    int
}

func newScene(ctx context.Context, dir string) (s *scene, err error) {
	s = &scene{dir: dir, kept: map[string]*v1alpha1.TemporaryNamespace{}}
	defer func() {
		if err != nil {
			s.end()
		}
	}()
	if s.c, err = testenv.StartCluster(ctx, dir, "--etcd-compaction-interval=5s"); err != nil {
		return s, err
	}
	if s.egress, err = testenv.StartEgress(dir); err != nil {
		return s, err
	}
	if s.second, s.stopTwo, err = s.c.StartSecond(ctx, s.egress.Flag); err != nil {
		return s, err
	}
	if s.port, err = s.c.Install(ctx); err != nil {
		return s, err
	}
	var servers []string
	for _, url := range []string{s.c.Server, s.second} {
		proxy, err := s.c.StartProxyTo(url)
		if err != nil {
			return s, err
		}
		s.proxies = append(s.proxies, proxy)
		kubeconfig, err := proxy.Kubeconfig(ctx, s.c)
		if err != nil {
			return s, err
		}
		servers = append(servers, kubeconfig)
	}
	s.replicas, err = s.c.StartReplicas(ctx, s.port, 2, func(i int) []string {
		return []string{"--kubeconfig=" + servers[i], "--inspect-interval=2s", "--containment-interval=5s",
			"--overdue-grace=10s", fmt.Sprintf("--metrics-address=127.0.0.1:%d", s.metricsPort(i))}
	})
	if err != nil {
		return s, err
	}
	if err := s.startGuard(ctx); err != nil {
		return s, err
	}
	if s.alice, err = client.New(s.c.Config("alice")); err != nil {
		return s, err
	}
	if s.users, err = newUsers(s.c, s.second, 4); err != nil {
		return s, err
	}
	s.others = newOthers(s.c)
	for i := range 10 {
		name := fmt.Sprintf("tmp-kept-%d", i)
		if s.kept[name], err = s.alice.Create(ctx, lend(name, time.Hour), metav1.CreateOptions{}); err != nil {
			return s, err
		}
	}
	return s, nil
}

// metricsPort returns the port of the metrics of a broker, on the loopback address; the
// Service has another one.
func (s *scene) metricsPort(i int) int { return s.port + 10 + i }

// lend returns a TemporaryNamespace to create.
func lend(name string, ttl time.Duration) *v1alpha1.TemporaryNamespace {
	seconds := int64(ttl / time.Second)
	return &v1alpha1.TemporaryNamespace{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{v1alpha1.AnnotationRequestID: "id-" + name}},
		Spec:       v1alpha1.TemporaryNamespaceSpec{TTLSeconds: &seconds},
	}
}

// lendDue lends namespaces that expire during the next fault.
func (s *scene) lendDue(ctx context.Context) error {
	s.due = map[string]time.Time{}
	s.round++
	for i := range 5 {
		tn, err := s.alice.Create(ctx, lend(fmt.Sprintf("tmp-due-%d-%d", s.round, i), time.Duration(10+3*i)*time.Second),
			metav1.CreateOptions{})
		if err != nil {
			return err
		}
		s.due[tn.Name] = tn.Status.ExpirationTimestamp.Time
	}
	return nil
}

// startGuard runs the guard with its own identity.
func (s *scene) startGuard(ctx context.Context) error {
	kubeconfig, err := s.c.ServiceAccountKubeconfig(ctx, "tenama-system", "tenama-guard")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "guard.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.guard = exec.Command(testenv.Bin("tenama-broker"), "--guard", "--kubeconfig="+kubeconfig)
	s.guard.Stdout, s.guard.Stderr = io.Writer(log), io.Writer(log)
	s.guard.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return s.guard.Start()
}

func (s *scene) killGuard() {
	if s.guard != nil {
		_ = s.guard.Process.Kill()
		_ = s.guard.Wait()
		s.guard = nil
	}
}

// restart stops the control plane, changes its files, and starts it again at the same
// addresses. It loses nothing else.
func (s *scene) restart(ctx context.Context, change func() error) (err error) {
	s.stopTwo()
	s.c.Stop()
	s.stopTwo = nil
	if change != nil {
		if err := change(); err != nil {
			return err
		}
	}
	if s.c, err = testenv.StartCluster(ctx, s.dir, "--etcd-compaction-interval=5s"); err != nil {
		return err
	}
	_, s.stopTwo, err = s.c.StartSecond(ctx, s.egress.Flag)
	return err
}

// admin patches an object as an administrator.
func (s *scene) annotate(ctx context.Context, ns, patch string) error {
	_, err := s.c.Client("admin").CoreV1().Namespaces().Patch(ctx, ns, types.MergePatchType, []byte(patch),
		metav1.PatchOptions{})
	return err
}

func (s *scene) end() {
	s.killGuard()
	if s.replicas != nil {
		s.replicas.Stop()
	}
	for _, p := range s.proxies {
		p.Close()
	}
	if s.stopTwo != nil {
		s.stopTwo()
	}
	if s.egress != nil {
		s.egress.Close()
	}
	if s.c != nil {
		s.c.Stop()
	}
}
