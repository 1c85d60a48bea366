// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/conformance"
	"tenama.dev/tenama/test/testenv"
)

// While the broker's watch is cut off, etcd compacts old versions and kube-apiserver
// restarts: the broker must list again and must not miss a change. Clients that send
// old versions must get the same answers as from any other API: 410, and a token to
// continue.
func TestCompactionWhileTheWatchLags(t *testing.T) {
	t.Parallel() // with its own control plane, and much waiting
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "c")
	const often = "--etcd-compaction-interval=1s"
	c, port := ownIn(t, dir, often)
	proxy, err := c.StartProxy()
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	kubeconfig, err := proxy.Kubeconfig(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, c, port, "broker-0", "--kubeconfig="+kubeconfig)
	twin(t, c)
	ours, theirs := side(t, c, "tenama.dev"), side(t, c, twinGroup)
	both := func(e conformance.Exchange, want int) {
		t.Helper()
		var answers []conformance.Answer
		for _, s := range []*conformance.Side{theirs, ours} {
			err := testenv.Eventually(60*time.Second, func() error {
				a, err := s.Do(ctx, e)
				if err == nil && a.Code != want {
					return fmt.Errorf("%s: %+v, want %d", e.Name, a, want)
				}
				if len(answers) < 2 && err == nil {
					answers = append(answers, a)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		e.Differs = ""
		answers[0].Object = strings.ReplaceAll(answers[0].Object, " remainingItemCount", "")
		if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
			t.Errorf("%s: the response differs from that of a custom resource (-custom resource, +tenama):\n%s", e.Name, diff)
		}
	}
	create := func(name string) {
		t.Helper()
		both(conformance.Exchange{
			Name: "create " + name, Method: "POST", Path: "?fieldManager=conform",
			Body: `{"apiVersion":"$GROUP/v1alpha1","kind":"TemporaryNamespace","metadata":{"name":"` + name +
				`"},"spec":{"className":"default","ttlSeconds":3600}}`,
		}, 201)
	}
	for _, name := range []string{conformance.Main, "tmp-conform-b", "tmp-conform-c"} {
		create(name)
	}
	both(conformance.Exchange{Name: "get", Path: "/" + conformance.Main}, 200)
	both(conformance.Exchange{Name: "a page", Path: "?limit=1"}, 200)
	alice := as(t, c.Config("alice"))
	short, err := alice.Create(ctx, tns("tmp-short", 30*time.Second), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}

	// From here on the broker receives no events.
	proxy.Break(func(r *http.Request) *testenv.Fault {
		if r.URL.Path == "/api/v1/namespaces" && r.Method == http.MethodGet {
			return &testenv.Fault{}
		}
		return nil
	})
	c.Stop()
	c = again(t, dir, often)
	kube := c.Client("admin")
	if err := kube.CoreV1().Namespaces().Delete(ctx, "tmp-conform-c", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range 8 { // versions for etcd to compact
		if _, err := kube.CoreV1().ConfigMaps("default").
			Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("v%d", i)}},
				metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	c.Stop() // empties the caches of kube-apiserver again
	c = again(t, dir, often)
	kube = c.Client("admin")
	proxy.Break(nil)
	if err := c.WaitServed(ctx, b); err != nil {
		t.Fatal(err)
	}
	theirs.Client, ours.Client = side(t, c, twinGroup).Client, side(t, c, "tenama.dev").Client
	both(conformance.Exchange{Name: "exactly an old version", Path: "?resourceVersion=$RV&resourceVersionMatch=Exact"},
		410)
	both(conformance.Exchange{Name: "go on with an old token", Path: "?limit=1&continue=$CONTINUE"}, 410)
	// The watch sends the event ERROR, 410.
	both(conformance.Exchange{Name: "watch from an old version", Path: "?watch=1&timeoutSeconds=2&resourceVersion=$RV"},
		200)

	// The broker has not missed a change: deleted namespaces are gone or terminating
	// (how fast depends on the namespace controller, which backs off while an API does
	// not answer), expired ones get deleted, and it can create new ones.
	if err := testenv.Eventually(60*time.Second, func() error {
		list, err := alice.List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err == nil && (alive(list, "tmp-conform-c") || !alive(list, "tmp-conform-b")) {
			err = fmt.Errorf("the broker lists %d namespaces, which differ from the cluster's", len(list.Items))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if _, err := alice.Create(ctx, tns("tmp-after", time.Hour), metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	if err := testenv.Eventually(time.Until(short.Status.ExpirationTimestamp.Time)+90*time.Second,
		func() error { return going(ctx, kube, short.Name) }); err != nil {
		t.Error(errors.Join(err, errors.New("a deletion that was due while the watch lagged did not happen")))
	}
	if err := b.Stop(); err != nil {
		t.Error(err)
	}
}

// alive reports whether list contains name, and name is not terminating.
func alive(list *v1alpha1.TemporaryNamespaceList, name string) bool {
	for _, item := range list.Items {
		if item.Name == name {
			return item.DeletionTimestamp == nil
		}
	}
	return false
}

// going returns nil if name was deleted or is terminating, and an error otherwise.
func going(ctx context.Context, kube kubernetes.Interface, name string) error {
	ns, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && ns.DeletionTimestamp != nil {
		return nil
	}
	return fmt.Errorf("%s still exists: %v", name, err)
}
