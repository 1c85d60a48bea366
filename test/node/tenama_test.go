// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/test/testenv"
)

const (
	system      = "tenama-system"
	broker      = "tenama-broker"
	brokerImage = "tenama-broker:dev" // as make image names it
)

var installed struct {
	sync.Mutex
	done bool
}

// install loads the image of the broker, and installs tenama as administrators do, unless it
// is installed. It returns the administrator.
func install(t testing.TB) (*Node, *User) {
	t.Helper()
	n := Start(t)
	admin := n.User(t, "admin")
	installed.Lock()
	defer installed.Unlock()
	if installed.done {
		return n, admin
	}
	if err := n.Load(testenv.Bin("tenama-broker.tar")); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	t.Log(admin.Kubectl("tenama", "install", "--image="+brokerImage, "--yes", "--users-group=devs"))
	installed.done = true
	t.Logf("a namespace can be created %.1f s after kubectl tenama install", time.Since(begun).Seconds())
	return n, admin
}

// Without this test, tenama could work beside a control plane, as in the other tests, but
// not as users install it: in pods, with the image, the probes, the network policy and the
// ServiceAccount of deploy/.
func TestTenama(t *testing.T) {
	n, _ := install(t)
	t.Run("work in a namespace", func(t *testing.T) {
		t.Parallel()
		work(t, n)
	})
	t.Run("a namespace with pods expires", func(t *testing.T) {
		t.Parallel()
		expire(t, n)
	})
}

// expire waits for the end of a namespace in which a Pod runs. How long that takes to
// start depends on the machine.
func expire(t *testing.T, n *Node) {
	bob := n.User(t, "bob")
	for minutes := 1; ; minutes *= 3 {
		namespace := fmt.Sprintf("tmp-brief-%d", minutes)
		bob.Kubectl("tenama", "create", namespace, "--ttl", fmt.Sprintf("%dm", minutes))
		_, applyErr := bob.tryIn(Server("web"), "apply", "-f", "-")
		_, rolloutErr := bob.Try("rollout", "status", "-n", namespace, "deployment/web", "--timeout=3m")
		client := clientOf(t, n, "admin")
		if err := testenv.Eventually(15*time.Minute, func() error {
			_, err := client.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("%s remains: %v", namespace, err)
		}); err != nil {
			t.Fatal(err)
		}
		if out, err := bob.Try("get", "temporarynamespaces", "-o", "name"); err != nil || strings.Contains(out, namespace) {
			t.Errorf("the broker still lists it: %s %v", out, err)
		}
		err := errors.Join(applyErr, rolloutErr)
		if err == nil {
			return
		}
		t.Logf("no Pod ran within %d minutes: %v", minutes, err)
		if minutes > 9 {
			t.Fatal("no Pod runs")
		}
	}
}

// work creates a namespace, deploys into it, and tries what the network policy of the
// default class allows and denies.
func work(t *testing.T, n *Node) {
	const namespace, other, client = "tmp-shop", "tmp-other", "deployment/client"
	alice, bob := n.User(t, "alice"), n.User(t, "bob")
	admin := n.User(t, "admin")
	begun := time.Now()
	first := make(chan time.Duration, 1)
	go func() {
		waitRunning(t.Context(), clientOf(t, n, "admin"), namespace)
		first <- time.Since(begun)
	}()
	t.Log(alice.Kubectl("tenama", "create", "shop", "--ttl", "1h"))
	created := time.Since(begun)
	alice.Apply(Server("web") + "---" + Server("client")) // create has switched the context
	t.Logf("created after %.1f s, a Pod runs after %.1f s", created.Seconds(), (<-first).Seconds())
	bob.Kubectl("tenama", "create", "other", "--ttl", "1h")
	bob.Apply(Server("web") + "---" + Server("client"))
	admin.Kubectl("create", "namespace", "neighbour")
	admin.Apply(Server("web")+"---"+Server("client"), "-n", "neighbour")
	for _, name := range []string{"web", "client"} {
		alice.Rollout(namespace, name)
		bob.Rollout(other, name)
		admin.Rollout("neighbour", name)
	}

	alice.Open(namespace, client, "web:80")
	alice.Open(namespace, client, "outside.test:80")
	alice.Open(namespace, client, "web.neighbour:80") // egress to ordinary namespaces is theirs to deny
	alice.Closed(namespace, client, Metadata)
	alice.Closed(namespace, client, "web.tmp-other:80")
	bob.Closed(other, client, "web.tmp-shop:80")
	admin.Closed("neighbour", client, "web.tmp-shop:80")
	admin.Open("neighbour", client, "web:80")
	admin.Open("neighbour", client, Metadata)

	admin.Kubectl("label", "namespace", "neighbour", "policy.tenama.dev/ingress-controller=true")
	admin.Open("neighbour", client, "web.tmp-shop:80")

	alice.Kubectl("tenama", "delete", "shop", "--yes")
	bob.Kubectl("tenama", "delete", "other", "--yes")
	admin.Kubectl("delete", "namespace", "neighbour")
}

func clientOf(t testing.TB, n *Node, user string) *kubernetes.Clientset {
	t.Helper()
	config, err := n.Config(user)
	if err != nil {
		t.Fatal(err)
	}
	return kubernetes.NewForConfigOrDie(config)
}

// waitRunning waits until a pod of a namespace runs.
func waitRunning(ctx context.Context, client kubernetes.Interface, namespace string) {
	for ctx.Err() == nil {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err == nil {
			for _, p := range pods.Items {
				if p.Status.Phase == corev1.PodRunning {
					return
				}
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}
