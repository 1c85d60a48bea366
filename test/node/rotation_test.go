// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"tenama.dev/tenama/test/testenv"
)

const (
	servingSecret = "tenama-serving-cert"
	// briefLifetime is that of a certificate in the test, so that an authority is replaced
	// within two minutes of its publication instead of nine days.
	briefLifetime = 70 * time.Second
)

// Once in sixteen months the brokers replace their certificate authority. Without this test,
// pipelines could fail on that day, or the deletion of every namespace could hang.
func TestRotation(t *testing.T) {
	n, admin := install(t)
	secrets := clientOf(t, n, "admin").CoreV1().Secrets(system)
	// The authority is older than two thirds of its life.
	aged, err := testenv.NewAuthority(broker+"."+system+".svc", time.Now().Add(-5000*time.Second), 104*briefLifetime)
	if err != nil {
		t.Fatal(err)
	}
	s, err := secrets.Get(t.Context(), servingSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Data = map[string][]byte{"ca.crt": aged.CertPEM, "ca.key": aged.KeyPEM}
	if _, err := secrets.Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	h, load := startHandshakes(t, n), startTraffic(t, n)
	const deployment = "deployment/" + broker
	admin.Kubectl("patch", deployment, "-n", system, "--type=json", "-p", fmt.Sprintf(
		`[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--cert-lifetime=%s"}]`, briefLifetime))
	admin.Rollout(system, broker)
	awaitRotation(t, h, n, func() (*x509.Certificate, error) {
		s, err := secrets.Get(t.Context(), servingSecret, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		now, err := cert.ParseCertsPEM(s.Data["ca.crt"])
		switch {
		case err != nil:
			return nil, err
		case now[0].Equal(aged.Certificate):
			return nil, errors.New("the old authority still signs")
		case len(s.Data["old.crt"]) > 0:
			return nil, errors.New("leaves of the old authority may still be in use")
		}
		return now[0], nil
	})
	admin.Kubectl("rollout", "undo", "-n", system, deployment)
	admin.Rollout(system, broker)
	if err := testenv.Eventually(10*time.Minute, func() error {
		if h.requests.Load() < 10_000 {
			return errors.New("not enough requests")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	load.stop(t)
	if load.failures > 0 {
		t.Errorf("%d calls failed", load.failures)
	}
	h.stop(t, 10_000)
}

// With cert-manager, the authority and the certificate change at once, and reach the pods up
// to two minutes later. Without this test, requests could fail in between, as they do with
// its injector.
func TestCertManager(t *testing.T) {
	n, admin := install(t)
	startCertManager(t, n, admin)
	h, load := startHandshakes(t, n), startTraffic(t, n)
	// As docs/install.md says.
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "deploy"), os.DirFS(filepath.Join(testenv.Root(), "deploy"))); err != nil {
		t.Fatal(err)
	}
	name, tag, _ := strings.Cut(brokerImage, ":")
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(`
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deploy/overlays/default]
components: [deploy/components/cert-manager]
images:
- {name: tenama-broker, newName: `+name+`, newTag: `+tag+`}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	admin.Kubectl("apply", "--server-side", "--force-conflicts", "-k", dir)
	secrets := clientOf(t, n, "admin").CoreV1().Secrets(system)
	issued := func() (*x509.Certificate, error) {
		s, err := secrets.Get(t.Context(), "tenama-broker-certificate", metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		all, err := cert.ParseCertsPEM(s.Data["ca.crt"])
		if err != nil {
			return nil, err
		}
		return all[0], nil
	}
	// The kubelet looks for the Secret of a pod that waits for it every two minutes.
	admin.Kubectl("rollout", "status", "-n", system, "deployment/"+broker, "--timeout=8m")
	awaitRotation(t, h, n, issued)
	first, err := issued()
	if err != nil {
		t.Fatal(err)
	}
	// As cmctl renew does it; first the authority, then what it signs.
	for _, name := range []string{"tenama-authority", "tenama-broker"} {
		before := admin.Kubectl("get", "certificate", "-n", system, name, "-o", "jsonpath={.status.revision}")
		admin.Kubectl("patch", "certificate", "-n", system, name, "--subresource=status", "--type=merge", "-p",
			`{"status": {"conditions": [{"type": "Issuing", "status": "True", "reason": "ManuallyTriggered"}]}}`)
		if err := testenv.Eventually(3*time.Minute, func() error {
			if admin.Kubectl("get", "certificate", "-n", system, name, "-o", "jsonpath={.status.revision}") == before {
				return errors.New(name + " is not renewed")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	awaitRotation(t, h, n, func() (*x509.Certificate, error) {
		now, err := issued()
		if err == nil && bytes.Equal(now.Raw, first.Raw) {
			err = errors.New("the old authority still signs")
		}
		return now, err
	})
	// Back to certificates of the broker.
	admin.Apply(exported(admin, "--export"), "--force-conflicts")
	admin.Kubectl("delete", "certificates,issuers", "-n", system, "--all")
	admin.Rollout(system, broker)
	load.stop(t)
	if load.failures > 0 {
		t.Errorf("%d calls failed", load.failures)
	}
	h.stop(t, 1000)
}

// startCertManager starts cert-manager, which ends with the node.
func startCertManager(t *testing.T, n *Node, admin *User) {
	t.Helper()
	admin.Kubectl("apply", "--server-side", "-f", testenv.Bin("tools/cert-manager-crds"))
	admin.Kubectl("wait", "--for=condition=Established", "--timeout=1m", "crd/certificates.cert-manager.io",
		"crd/issuers.cert-manager.io", "crd/certificaterequests.cert-manager.io")
	if _, err := startProcess("cert-manager", testenv.Bin("tools/cert-manager"),
		"--kubeconfig="+n.kubeconfig("admin")); err != nil {
		t.Fatal(err)
	}
}
