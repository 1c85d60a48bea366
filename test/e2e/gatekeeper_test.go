// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// A policy engine that checks every write must not disturb the broker, and its rules
// must apply in temporary namespaces.
func TestExampleGatekeeper(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	gatekeeper(t, c)
	examples := filepath.Join(testenv.Root(), "examples", "policy-engine")
	apply := func(args ...string) func() error {
		return func() error {
			out, err := c.Kubectl("admin", append([]string{"apply"}, args...)...)
			if err != nil {
				return errOf(out)
			}
			return nil
		}
	}
	for _, step := range [][]string{{"-f", filepath.Join(examples, "templates.yaml")}, {"-k", examples}} {
		// Gatekeeper makes the kinds of the constraints
		if err := testenv.Eventually(60*time.Second, apply(step...)); err != nil {
			t.Fatal(err)
		}
	}
	start(t, c, port, "broker-0")
	alice := as(t, c.Config("alice"))
	if _, err := alice.Create(ctx, tns("tmp-held", time.Hour), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := func(image string) (string, error) {
		return c.KubectlIn("alice",
			"{apiVersion: v1, kind: Pod, metadata: {generateName: p-}, spec: {containers: [{name: c, image: "+image+"}]}}", "-n",
			"tmp-held", "create", "-f", "-")
	}
	err := testenv.Eventually(60*time.Second, func() error { // constraints take a moment
		if out, err := pod("evil.example.net/x"); err == nil ||
			!strings.Contains(out, "comes from no registry that is allowed") {
			return errOf("not rejected: " + out)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if out, err := pod("registry.example.com/app:1"); err != nil {
		t.Errorf("an allowed image: %s", out)
	}
	class := func(labels string) (string, error) {
		return c.KubectlIn("admin",
			"{apiVersion: policy.tenama.dev/v1alpha1, kind: NamespaceClass, metadata: {name: paid}, spec: {lifetime: "+
				"{type: Unbounded}"+labels+"}}", "apply", "-f", "-")
	}
	if out, err := class(""); err == nil || !strings.Contains(out, `class "paid" sets no label example.com/cost-center`) {
		t.Errorf("a class without a cost centre: %s", out)
	}
	if out, err := class(", namespaceLabels: {example.com/cost-center: lab}"); err != nil {
		t.Errorf("a class with a cost centre: %s", out)
	}
	if _, err := alice.Delete(ctx, "tmp-held", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// gatekeeper runs Gatekeeper as a process, and makes kube-apiserver consult it about
// every write but its own.
func gatekeeper(t *testing.T, c *testenv.Cluster) {
	t.Helper()
	ctx := t.Context()
	dir := t.TempDir()
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/gatekeeper/v3")
	list.Dir = filepath.Join(testenv.Root(), "tools", "gatekeeper")
	module, err := list.Output()
	if err != nil {
		t.Fatalf("find Gatekeeper: %v", err)
	}
	manifests, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(module)), "deploy", "gatekeeper.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	crds := "apiVersion: v1\nkind: Namespace\nmetadata: {name: gatekeeper-system, labels: " +
		"{admission.gatekeeper.sh/ignore: no-self-managing}}\n"
	for _, doc := range bytes.Split(manifests, []byte("\n---\n")) {
		if bytes.Contains(doc, []byte("kind: CustomResourceDefinition\n")) {
			crds += "---\n" + string(doc) + "\n"
		}
	}
	if out, err := c.KubectlIn("admin", crds, "apply", "--server-side", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	if out, err := c.Kubectl("admin", "wait", "--for=condition=Established", "crd", "--all"); err != nil {
		t.Fatal(out)
	}
	ca := serving(t, dir)
	at, health, prometheus := free(t), free(t), free(t)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testenv.Bin("tools/gatekeeper"), "--kubeconfig="+c.Kubeconfig("admin"), "--operation=webhook",
		"--operation=status",
		"--disable-cert-rotation", "--cert-dir="+dir, "--host=127.0.0.1", fmt.Sprintf("--port=%d", at),
		fmt.Sprintf("--health-addr=127.0.0.1:%d", health),
		fmt.Sprintf("--prometheus-port=%d", prometheus), "--debug-use-fake-pod", "--exempt-namespace=gatekeeper-system",
		"--logtostderr")
	cmd.Env = append(os.Environ(), "POD_NAMESPACE=gatekeeper-system", "POD_NAME=no-pod", "NAMESPACE=gatekeeper-system")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("Gatekeeper: %s", tail(string(b), 4000))
		}
	})
	if err := testenv.Eventually(60*time.Second, func() error {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", at))
		if err != nil {
			return err
		}
		return conn.Close()
	}); err != nil {
		t.Fatal(err)
	}
	webhook := fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: gatekeeper-validating-webhook-configuration}
webhooks:
- name: validation.gatekeeper.sh
  admissionReviewVersions: [v1]
  clientConfig: {url: "https://127.0.0.1:%d/v1/admit", caBundle: %s}
  failurePolicy: Fail
  sideEffects: None
  timeoutSeconds: 10
  namespaceSelector: {matchExpressions: [{key: admission.gatekeeper.sh/ignore, operator: DoesNotExist}]}
  rules: [{apiGroups: ["*"], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: ["*"]}]
`, at, base64.StdEncoding.EncodeToString(ca))
	if out, err := c.KubectlIn("admin", webhook, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}
}

// serving writes a self-signed certificate for 127.0.0.1 into dir, as tls.crt and
// tls.key, and returns the certificate.
func serving(t *testing.T, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, b := range map[string][]byte{
		"tls.crt": cert, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert
}
