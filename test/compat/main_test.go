// SPDX-License-Identifier: Apache-2.0

// Package compat tests the API with libraries that other tools use: Flux's apply,
// kstatus, controller-runtime.
package compat

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

var shared struct {
	*testenv.Cluster
	port   int
	broker *testenv.Broker
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	crlog.SetLogger(logr.Discard())
	dir, err := os.MkdirTemp("", "tenama-engines-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if shared.Cluster, err = testenv.StartCluster(ctx, dir); err == nil {
		defer shared.Stop()
		if shared.port, err = shared.Install(ctx); err == nil {
			shared.broker, err = shared.StartBroker(ctx, shared.port, "broker-0")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.broker.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the broker did not stop cleanly:", err)
		return 1
	}
	return code
}

// parse reads one manifest.
func parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func declared(t *testing.T, name string, ttl int) *unstructured.Unstructured {
	return parse(t, fmt.Sprintf(`
apiVersion: tenama.dev/v1alpha1
kind: TemporaryNamespace
metadata: {name: %s, labels: {team: a}, annotations: {note: declared}}
spec: {className: default, ttlSeconds: %d, reason: declared in Git}
`, name, ttl))
}

func class(t *testing.T, name string) *unstructured.Unstructured {
	return parse(t, fmt.Sprintf(`
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceClass
metadata: {name: %s}
spec:
  lifetime: {defaultTTLSeconds: 3600, maximumTTLSeconds: 86400}
  ownerRole: admin
  objects:
  - {apiVersion: v1, kind: ResourceQuota, metadata: {name: tenama}, spec: {hard: {pods: "5"}}}
`, name))
}

// controllers returns a client of controller-runtime for a user.
func controllers(t *testing.T, user string) client.Client {
	t.Helper()
	c, err := client.New(shared.Config(user), client.Options{Scheme: tenama.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func extend(t *testing.T, user, name string) {
	t.Helper()
	c, err := tenama.New(shared.Config(user))
	if err != nil {
		t.Fatal(err)
	}
	_, after, err := c.Extend(t.Context(), name, func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
		return now.Add(5 * time.Hour)
	}, "", noPatchOptions)
	if err != nil || after.Spec.ExtendUntil == nil {
		t.Fatalf("extend: %v, %v", after, err)
	}
}

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
