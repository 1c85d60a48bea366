// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// Without this test, an update of tenama, or work on a node, could fail the pipelines that
// use tenama at that moment, or block the deletion of every namespace in the cluster: an
// APIService without a server does that.
func TestDisruptions(t *testing.T) {
	n, _ := install(t)
	const deployment = "deployment/" + broker
	for _, c := range []struct {
		name string
		do   func(t *testing.T, admin *User)
	}{
		{"rolling update", func(t *testing.T, admin *User) {
			admin.Kubectl("rollout", "restart", "-n", system, deployment)
			admin.Rollout(system, broker)
		}},
		{"one replica, then two", func(t *testing.T, admin *User) {
			for _, replicas := range []string{"1", "2"} {
				admin.Kubectl("scale", "-n", system, deployment, "--replicas="+replicas)
				admin.Rollout(system, broker)
				pods := brokers(admin)
				if err := testenv.Eventually(3*time.Minute, func() error {
					if pods = brokers(admin); fmt.Sprint(len(pods)) != replicas {
						return fmt.Errorf("%d pods: %s", len(pods), pods)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		}},
		{"eviction of each pod", func(t *testing.T, admin *User) {
			for _, pod := range brokers(admin) {
				evict(t, admin, pod)
			}
			admin.Rollout(system, broker)
		}},
		{"an image that cannot be pulled", func(t *testing.T, admin *User) {
			admin.Kubectl("set", "image", "-n", system, deployment, "broker=tenama.test/absent:1")
			if err := testenv.Eventually(3*time.Minute, func() error {
				out := admin.Kubectl("get", "pods", "-n", system, "-l", "app.kubernetes.io/component=broker")
				if !strings.Contains(out, "ErrImagePull") && !strings.Contains(out, "ImagePullBackOff") {
					return fmt.Errorf("no pod fails to pull: %s", out)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			time.Sleep(20 * time.Second) // under traffic
			admin.Kubectl("rollout", "undo", "-n", system, deployment)
			admin.Rollout(system, broker)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			load := startTraffic(t, n)
			c.do(t, n.User(t, "admin"))
			load.stop(t)
			if load.failures > 0 {
				t.Errorf("%d calls failed", load.failures)
			}
		})
	}
}

// Without this test, brokers that the kernel kills could block the deletion of every
// namespace for longer than it takes to start them again. Calls that reach a broker before
// kube-proxy and kube-apiserver know that it is dead may fail.
func TestKilledBrokers(t *testing.T) {
	n, _ := install(t)
	for _, killed := range []int{1, 2} {
		t.Run(fmt.Sprint(killed), func(t *testing.T) {
			admin := n.User(t, "admin")
			load := startTraffic(t, n)
			pids := brokerProcesses()
			if len(pids) != 2 {
				t.Fatalf("%d processes of brokers: %v", len(pids), pids)
			}
			time.Sleep(3 * time.Second) // calls are under way
			for _, pid := range pids[:killed] {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			if err := testenv.Eventually(3*time.Minute, func() error {
				now := brokerProcesses()
				if len(now) != 2 || slices.Contains(now, pids[0]) {
					return fmt.Errorf("processes: %v", now)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			admin.Rollout(system, broker)
			admin.Kubectl("wait", "--for=condition=Available", "--timeout=2m", "apiservice/v1alpha1.tenama.dev")
			load.stop(t)
			if _, err := n.User(t, "alice").Try("tenama", "list"); err != nil {
				t.Error(err)
			}
		})
	}
}

// brokerProcesses returns the processes of brokers, which only an argument tells from those
// of the guard.
func brokerProcesses() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		b, _ := os.ReadFile(file)
		if slices.Contains(strings.Split(string(b), "\x00"), "--shutdown-delay=15s") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// brokers returns the pods of the broker that do not terminate.
func brokers(admin *User) []string {
	return strings.Fields(admin.Kubectl("get", "pods", "-n", system, "-l", "app.kubernetes.io/component=broker", "-o",
		`go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`))
}

// evict evicts a pod as kubectl drain does: again, for as long as the disruption budget
// forbids it.
func evict(t *testing.T, admin *User, pod string) {
	t.Helper()
	eviction := fmt.Sprintf(`{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": %q, "namespace": %q}}`,
		pod, system)
	if err := testenv.Eventually(3*time.Minute, func() error {
		_, err := admin.tryIn(eviction, "create", "--raw", "/api/v1/namespaces/"+system+"/pods/"+pod+"/eviction", "-f", "-")
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
