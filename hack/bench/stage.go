// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

const collection = "/apis/tenama.dev/v1alpha1/temporarynamespaces"

// stage starts a control plane with tenama on it; stop ends both.
func stage(ctx context.Context, r *run) (c *testenv.Cluster, b *testenv.Broker, stop func(), _ error) {
	dir, err := os.MkdirTemp("", "tenama-bench-")
	if err != nil {
		return nil, nil, nil, err
	}
	if c, err = testenv.StartCluster(ctx, dir); err != nil {
		return nil, nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	port, err := c.Install(ctx)
	if err == nil {
		b, err = c.StartBroker(ctx, port, "broker-0")
	}
	stop = func() {
		if b != nil {
			_ = b.Stop()
		}
		c.Stop()
		_ = os.RemoveAll(dir)
	}
	if err == nil {
		r.Kubernetes, err = version(c)
	}
	if err != nil {
		stop()
	}
	return c, b, stop, err
}

func version(c *testenv.Cluster) (string, error) {
	v, err := c.Client("admin").Discovery().ServerVersion()
	if err != nil {
		return "", err
	}
	return v.GitVersion, nil
}

// direct returns a client that connects to the broker as kube-apiserver does for a user.
func direct(c *testenv.Cluster, b *testenv.Broker, user string) (*tenama.Client, error) {
	cert, key, err := c.Certificate("front-proxy", "front-proxy-client")
	if err != nil {
		return nil, err
	}
	config := testenv.Direct(b.Port, cert, key, user, "devs", "system:authenticated")
	config.QPS = -1
	return tenama.New(config)
}

// userOf returns a client of a user with a name of its own. It impersonates, because a
// certificate for each would mean a connection for each.
func userOf(c *testenv.Cluster, name string) (*tenama.Client, error) {
	config := c.Config("admin")
	config.QPS = -1
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"devs", "system:authenticated"}}
	return tenama.New(config)
}

// newNamespace returns a request for a namespace of a class, by default of the default class.
func newNamespace(name, class string) *v1alpha1.TemporaryNamespace {
	return &v1alpha1.TemporaryNamespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.TemporaryNamespaceSpec{ClassName: class},
	}
}

// resident returns the resident memory of the broker, in MiB.
func resident(b *testenv.Broker) float64 {
	var kb float64
	_, _ = fmt.Sscanf(field(fmt.Sprintf("/proc/%d/status", b.PID()), "VmRSS"), "%f", &kb)
	return kb / 1024
}

// withoutPolicies calls f while nothing keeps an administrator from writing tenama's
// annotations.
func withoutPolicies(ctx context.Context, c *testenv.Cluster, b *testenv.Broker, f func() error) error {
	if out, err := c.Kubectl("admin", "delete", "validatingadmissionpolicybindings", "--all"); err != nil {
		return errors.New(strings.TrimSpace(out))
	}
	time.Sleep(2 * time.Second) // until kube-apiserver has seen that
	err := f()
	out, applyErr := c.Kubectl("admin", "apply", "--server-side", "-k", filepath.Join(c.Deploy, "base", "policies"))
	if applyErr != nil {
		applyErr = errors.New(strings.TrimSpace(out))
	}
	if err := errors.Join(err, applyErr); err != nil {
		return err
	}
	return c.WaitServed(ctx, b) // until the broker has noticed
}
