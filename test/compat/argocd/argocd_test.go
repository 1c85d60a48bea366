// SPDX-License-Identifier: Apache-2.0

// Package argocd tests the API with the engine of Argo CD: its cluster cache, diff,
// health checks and sync. It is built with an older Kubernetes than the rest of the
// project, and so also tests an older client.
package argocd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/engine"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/test/testenv"
)

const mark = "argocd.argoproj.io/tracking-id"

const manifests = `
apiVersion: tenama.dev/v1alpha1
kind: TemporaryNamespace
metadata: {name: tmp-argo, labels: {team: a}, annotations: {argocd.argoproj.io/tracking-id: "app"}}
spec: {className: argo, ttlSeconds: 3600}
---
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceClass
metadata: {name: argo, annotations: {argocd.argoproj.io/tracking-id: "app"}}
spec:
  lifetime: {defaultTTLSeconds: 3600, maximumTTLSeconds: 86400}
  ownerRole: admin
  objects:
  - {apiVersion: v1, kind: ResourceQuota, metadata: {name: tenama}, spec: {hard: {pods: "5"}}}
`

func targets(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	return decode(t, manifests)
}

func decode(t *testing.T, documents string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for doc := range strings.SplitSeq(documents, "---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			t.Fatal(err)
		}
		out = append(out, u)
	}
	return out
}

// Repeated syncs of Argo CD must not change an object, which must be healthy and show
// no difference, also after an extension; objects that are removed from Git must be
// pruned.
func TestArgoCD(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c, err := testenv.StartCluster(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	port, err := c.Install(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.StartBroker(ctx, port, "broker-0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Stop() }()
	_ = os.Unsetenv("KUBECONFIG")

	known := cache.NewClusterCache(c.Config("admin"), cache.SetLogr(logr.Discard()),
		cache.SetPopulateResourceInfoHandler(func(u *unstructured.Unstructured, _ bool) (any, bool) {
			return u.GetAnnotations()[mark], u.GetAnnotations()[mark] != ""
		}))
	argo := engine.NewEngine(c.Config("admin"), known, engine.WithLogr(logr.Discard()))
	stop, err := argo.Run()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ours := func(r *cache.Resource) bool { return r.Info == "app" }
	apply := func(when string, objects []*unstructured.Unstructured, want string, o ...sync.SyncOpt) {
		t.Helper()
		results, err := argo.Sync(ctx, objects, ours, "main", "default",
			append(o, sync.WithPrune(true), sync.WithLogr(logr.Discard()))...)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		for _, r := range results {
			if !strings.HasSuffix(r.Message, want) ||
				r.Status != common.ResultCodeSynced && r.Status != common.ResultCodePruned {
				t.Errorf("%s: %s is %q (%s), want %q", when, r.ResourceKey, r.Message, r.Status, want)
			}
		}
		if len(results) != 2 {
			t.Errorf("%s: %d results: %v", when, len(results), results)
		}
	}
	api := dynamic.NewForConfigOrDie(c.Config("admin"))
	tns := api.Resource(schema.GroupVersionResource{
		Group: "tenama.dev", Version: "v1alpha1", Resource: "temporarynamespaces",
	})
	check := readScript(t)
	same := func(when string) {
		t.Helper()
		for _, want := range targets(t) {
			live, err := api.Resource(schema.GroupVersionResource{
				Group: want.GroupVersionKind().Group, Version: "v1alpha1",
				Resource: strings.ToLower(want.GetKind()) + plural(want.GetKind()),
			}).Get(ctx, want.GetName(), metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			d, err := diff.Diff(want, live, diff.WithLogr(logr.Discard()))
			if err != nil || d.Modified {
				t.Errorf("%s: %s differs: %v\n%s\n%s", when, want.GetName(), err, d.NormalizedLive, d.PredictedLive)
			}
			h, err := health.GetResourceHealth(live, check)
			if err != nil || h == nil != (want.GetKind() == "NamespaceClass") ||
				h != nil && h.Status != health.HealthStatusHealthy {
				t.Errorf("%s: %s is %v, %v", when, want.GetName(), h, err)
			}
		}
	}
	// A class first: the engine applies all objects of one sync at once.
	if results, err := argo.Sync(ctx, targets(t)[1:], ours, "main", "default", sync.WithLogr(logr.Discard())); err != nil {
		t.Fatal(results, err)
	}
	if results, err := argo.Sync(ctx, targets(t), ours, "main", "default", sync.WithLogr(logr.Discard())); err != nil {
		t.Fatal(results, err)
	}
	same("first")
	syncShop(ctx, t, argo, c)
	apply("again", targets(t), "unchanged")
	until := time.Now().Add(5 * time.Hour).UTC().Format(time.RFC3339)
	if _, err := tns.Patch(ctx, "tmp-argo", types.MergePatchType, []byte(`{"spec":{"extendUntil":"`+until+`"}}`),
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	same("after an extension")
	apply("after an extension", targets(t), "unchanged")
	now, err := tns.Get(ctx, "tmp-argo", metav1.GetOptions{})
	if got, _, _ := unstructured.NestedString(now.Object, "spec", "extendUntil"); err != nil || got != until {
		t.Errorf("the extension was reverted: %q, %v", got, err)
	}
	// Argo CD's other ways to apply.
	apply("server-side", targets(t), "serverside-applied", sync.WithServerSideApply(true),
		sync.WithServerSideApplyManager("argocd-controller"))
	apply("server-side again", targets(t), "serverside-applied", sync.WithServerSideApply(true),
		sync.WithServerSideApplyManager("argocd-controller"))
	after, err := tns.Get(ctx, "tmp-argo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	apply("server-side once more", targets(t), "serverside-applied", sync.WithServerSideApply(true),
		sync.WithServerSideApplyManager("argocd-controller"))
	if last, err := tns.Get(ctx, "tmp-argo", metav1.GetOptions{}); err != nil ||
		last.GetResourceVersion() != after.GetResourceVersion() {
		t.Errorf("a repeated sync wrote the object again: %v", err)
	}
	apply("out of Git", nil, "pruned")
	if err := testenv.Eventually(30*time.Second, func() error {
		_, err := tns.Get(ctx, "tmp-argo", metav1.GetOptions{})
		if err == nil {
			return os.ErrExist
		}
		return nil
	}); err != nil {
		t.Error("an object that was removed from Git still exists")
	}
}

// A sync must wait for the namespace of an earlier wave before it applies what is in it.
func syncShop(ctx context.Context, t *testing.T, argo engine.GitOpsEngine, c *testenv.Cluster) {
	t.Helper()
	ours := func(r *cache.Resource) bool { return r.Info == "shop" }
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "examples", "argocd", "shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	shop := decode(t, string(b))
	for _, o := range shop {
		a := o.GetAnnotations()
		if a == nil {
			a = map[string]string{}
		}
		a[mark] = "shop"
		o.SetAnnotations(a)
	}
	// The engine does not see what it has created itself in a sync. Argo CD's controller begins the
	// sync again to see it.
	var results []common.ResourceSyncResult
	for range 12 {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		results, err = argo.Sync(once, shop, ours, "main", "default", sync.WithLogr(logr.Discard()),
			sync.WithHealthOverride(readScript(t)))
		cancel()
		if err == nil {
			break
		}
		if out, missing := c.Kubectl("admin", "get", "configmap", "settings", "-n", "tmp-shop"); missing == nil {
			t.Fatalf("the ConfigMap was applied before the namespace was healthy: %s", out)
		}
	}
	if err != nil || len(results) != 2 {
		t.Fatalf("%v: %v", err, results)
	}
	for _, r := range results {
		if r.Status != common.ResultCodeSynced {
			t.Errorf("%s is %q (%s)", r.ResourceKey, r.Message, r.Status)
		}
	}
	if out, err := c.Kubectl("admin", "get", "configmap", "settings", "-n", "tmp-shop"); err != nil {
		t.Error(out)
	}
}

func plural(kind string) string {
	if strings.HasSuffix(kind, "s") {
		return "es"
	}
	return "s"
}
