// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// small is a class with room for two namespaces.
const small = `
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceClass
metadata: {name: small}
spec:
  lifetime: {defaultTTLSeconds: 3600, maximumTTLSeconds: 86400}
---
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceBudget
metadata: {name: small}
spec: {classNames: [small], total: {count/temporarynamespaces: 2}}
`

// site is a control plane with two brokers.
type site struct {
	*testing.T
	*testenv.Cluster
	alice   *client.Client
	brokers [2]*testenv.Broker
	metrics [2]string // addresses
	port    int
	flags   []string

	forwarder *testenv.Forwarder
}

func newSite(t *testing.T, flags ...string) *site {
	t.Helper()
	c, err := testenv.StartCluster(t.Context(), filepath.Join(t.TempDir(), "c"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	s := &site{T: t, Cluster: c, metrics: [2]string{address(t), address(t)}, flags: flags}
	s.install()
	s.kubectl(small, "apply", "--server-side", "-f", "-")
	s.kubectl("", "create", "clusterrolebinding", "admins", "--clusterrole=cluster-admin", "--user=alice")
	s.start()
	config, err := testenv.LoadConfig(c.Kubeconfig("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if s.alice, err = client.New(config); err != nil {
		t.Fatal(err)
	}
	return s
}

// install applies deploy/.
func (s *site) install() {
	s.Helper()
	port, err := s.Install(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.port = port
}

// start runs both brokers.
func (s *site) start() {
	s.Helper()
	for i := range s.brokers {
		flags := append([]string{"--metrics-address=" + s.metrics[i]}, s.flags...)
		var err error
		if i == 0 {
			s.brokers[i], err = s.StartBroker(s.Context(), s.port, "broker-0", flags...)
		} else {
			flags = append(flags, fmt.Sprintf("--secure-port=%d", s.port-1))
			s.brokers[i], err = s.LaunchBroker(s.Context(), s.port, "broker-1", flags...)
		}
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(s.brokers[i].Kill)
	}
}

// kubectl runs a command as an administrator.
func (s *site) kubectl(stdin string, args ...string) string {
	s.Helper()
	out, err := s.KubectlIn("admin", stdin, args...)
	if err != nil {
		s.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
	}
	return out
}

// shell runs a line of documentation as an administrator. Brokers are processes here, so their
// log is read from files, and what kubectl tenama install applies for a release is applied from
// deploy/.
func (s *site) shell(line string) (string, error) {
	line = strings.NewReplacer("kubectl -n tenama-system logs -l app.kubernetes.io/component=broker --tail=-1",
		"cat "+s.brokers[0].Log+" "+s.brokers[1].Log,
		"kubectl -n tenama-system logs deployment/tenama-forwarder", "cat "+s.forwarder.Log,
		"kubectl tenama install", "kubectl apply --server-side -k "+filepath.Join(s.Deploy, "overlays", "local"),
	).Replace(line)
	cmd := exec.Command("bash", "-o", "pipefail", "-c", line)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig("admin"), "HOME="+s.Dir,
		"PATH="+testenv.Bin("")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// logged waits until a broker has logged a text.
func (s *site) logged(text string) {
	s.Helper()
	if err := testenv.Eventually(2*time.Minute, func() error {
		_, err := s.shell("cat " + s.brokers[0].Log + " " + s.brokers[1].Log + " | grep -F " + strconv.Quote(text))
		return err
	}); err != nil {
		s.Fatalf("no broker logs %q", text)
	}
}

// create creates a namespace for alice.
func (s *site) create(ctx context.Context, name, class string, ttl time.Duration) error {
	tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	seconds := int64(ttl / time.Second)
	tn.Spec.ClassName, tn.Spec.TTLSeconds = class, &seconds
	_, err := s.alice.Create(ctx, tn, metav1.CreateOptions{})
	return err
}

// must is create, which must succeed.
func (s *site) must(name, class string, ttl time.Duration) {
	s.Helper()
	if err := s.create(s.Context(), name, class, ttl); err != nil {
		s.Fatal(err)
	}
}
