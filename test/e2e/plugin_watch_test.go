// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// Watches and waits of kubectl must work on the API.
func TestWatch(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testenv.Bin("kubectl"), "get", "tns", "--watch", "--no-headers")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig("erik"))
	out := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	time.Sleep(time.Second)
	tn := borrow(t, user(t, "erik"), unique("seen"), time.Hour)
	other := borrow(t, user(t, "alice"), unique("unseen"), time.Hour)
	wait := exec.CommandContext(ctx, testenv.Bin("kubectl"), "wait", "--for=jsonpath={.spec.reason}=go", "tns/"+tn.Name,
		"--timeout=90s")
	wait.Env = cmd.Env
	waited := make(chan error, 1)
	go func() {
		b, err := wait.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, b)
		}
		waited <- err
	}()
	time.Sleep(500 * time.Millisecond)
	if _, err := shared.Kubectl("erik", "patch", "tns", tn.Name, "--type=merge", "-p",
		`{"spec":{"reason":"go"}}`); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("kubectl wait: %v", err)
	}
	if _, err := user(t, "erik").Delete(ctx, tn.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := testenv.Eventually(60*time.Second, func() error {
		for _, want := range []string{"Pending", "Ready", "Terminating"} {
			if !strings.Contains(out.String(), want) {
				return fmt.Errorf("the watch has not printed %s:\n%s", want, out.String())
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// From an unspecified version, as kubectl get NAME -w and curl request it; older
	// versions of kube-apiserver do not know initial events.
	for _, version := range []string{"", "0"} {
		w, err := user(t, "alice").
			Watch(ctx, metav1.ListOptions{ResourceVersion: version, FieldSelector: "metadata.name=" + other.Name})
		if err != nil {
			t.Fatalf("resourceVersion %q: %v", version, err)
		}
		select {
		case e := <-w.ResultChan():
			if tn, ok := e.Object.(*v1alpha1.TemporaryNamespace); !ok || e.Type != watch.Added || tn.Name != other.Name {
				t.Errorf("resourceVersion %q: got %s %v", version, e.Type, e.Object)
			}
		case <-time.After(time.Minute):
			t.Errorf("resourceVersion %q: no event", version)
		}
		w.Stop()
	}
	if strings.Contains(out.String(), other.Name) {
		t.Errorf("the watch shows another user's namespace:\n%s", out.String())
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
