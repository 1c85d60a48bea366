// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	system = "tenama-system"
	broker = "tenama-broker"
	// clusterIP is an address of this machine in the Service range of the control
	// plane: a process that listens on it is reachable through the Service.
	clusterIP = "127.96.0.10"
)

// Install applies deploy/overlays/local and the default class without its budget, which is too
// small for tests, creates a Service that leads to this machine, and
// allows the groups devs and ops to use tenama. It returns the port of the Service.
// From then on, each etcd write takes as long as the variable SLOW_WRITES says.
func (c *Cluster) Install(ctx context.Context) (int, error) {
	for i, args := range [][]string{
		{"apply", "--server-side", "-k", filepath.Join(c.Deploy, "overlays", "local")},
		{"wait", "--for=condition=Established", "--timeout=20s", "crd/namespaceclasses.policy.tenama.dev"},
		{"apply", "--server-side", "-f", filepath.Join(c.Deploy, "classes", "default.yaml")},
	} {
		if out, err := c.Kubectl("admin", args...); err != nil {
			return 0, fmt.Errorf("kubectl %s: %s", strings.Join(args, " "), out)
		}
		if i == 0 && os.Getenv("KUBERNETES") == "oldest" {
			time.Sleep(3 * time.Second) // 1.30 must not evaluate policies while it compiles them (docs/known-issues.md)
		}
	}
	if out, err := c.Kubectl("admin", "create", "clusterrolebinding", "tenama-users", "--clusterrole=tenama:user",
		"--group=devs", "--group=ops"); err != nil && !strings.Contains(out, "already exists") {
		return 0, errors.New(out)
	}
	client := c.Client("admin")
	if d := os.Getenv("SLOW_WRITES"); d != "" {
		if err := os.WriteFile(filepath.Join(c.Dir, "slow-writes"), []byte(d), 0o600); err != nil {
			return 0, err
		}
	}
	if s, err := client.CoreV1().Services(c.Home).Get(ctx, broker, metav1.GetOptions{}); err == nil {
		return int(s.Spec.Ports[0].Port), nil
	}
	l, err := net.Listen("tcp", clusterIP+":0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	_, err = client.CoreV1().Services(c.Home).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: broker},
		Spec:       corev1.ServiceSpec{ClusterIP: clusterIP, Ports: []corev1.ServicePort{{Name: "https", Port: int32(port)}}},
	}, metav1.CreateOptions{})
	return port, err
}

// Endpoints records which replicas of the broker are ready, as the endpoint controller
// would. The addresses are placeholders.
func (c *Cluster) Endpoints(ctx context.Context, port int, pods ...string) error {
	client := c.Client("admin").DiscoveryV1().EndpointSlices(c.Home)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: broker, Labels: map[string]string{discoveryv1.LabelServiceName: broker}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr("https"), Port: ptr(int32(port))}},
	}
	for i, pod := range pods {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{fmt.Sprintf("10.0.0.%d", i+1)}, Conditions: discoveryv1.EndpointConditions{Ready: ptr(true)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: c.Home, Name: pod},
		})
	}
	_, err := client.Create(ctx, slice, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = client.Update(ctx, slice, metav1.UpdateOptions{})
	}
	if err != nil || os.Getenv("KUBERNETES") != "oldest" {
		return err
	}
	// Older versions of kube-apiserver read Endpoints as well.
	manifest := fmt.Sprintf("apiVersion: v1\nkind: Endpoints\nmetadata: {name: %s}\nsubsets: [{addresses: [{ip: "+
		"10.0.0.1}], ports: [{name: https, port: %d}]}]\n", broker, port)
	if len(pods) == 0 {
		manifest = fmt.Sprintf("apiVersion: v1\nkind: Endpoints\nmetadata: {name: %s}\n", broker)
	}
	if out, err := c.KubectlIn("admin", manifest, "-n", c.Home, "apply", "--server-side", "--force-conflicts", "-f",
		"-"); err != nil {
		return errors.New(out)
	}
	return nil
}

func ptr[T any](v T) *T { return &v }

// Broker is a running broker process.
type Broker struct {
	Pod  string
	Port int
	Log  string // path of a file

	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// StartBroker runs the broker under the identity of its ServiceAccount and returns once
// kube-apiserver serves its API.
func (c *Cluster) StartBroker(ctx context.Context, port int, pod string, flags ...string) (*Broker, error) {
	b, err := c.LaunchBroker(ctx, port, pod, flags...)
	if err != nil {
		return nil, err
	}
	if err := c.WaitServed(ctx, b); err != nil {
		b.Kill()
		return nil, err
	}
	return b, nil
}

// LaunchBroker is like StartBroker, but does not wait.
func (c *Cluster) LaunchBroker(ctx context.Context, port int, pod string, flags ...string) (*Broker, error) {
	kubeconfig, err := c.ServiceAccountKubeconfig(ctx, c.Home, c.Account)
	if err != nil {
		return nil, err
	}
	if err := c.Endpoints(ctx, port, pod); err != nil {
		return nil, err
	}
	b := &Broker{Pod: pod, Port: port, Log: filepath.Join(c.Dir, pod+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(b.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{
		"--kubeconfig=" + kubeconfig, "--bind-address=" + clusterIP, "--secure-port=" + strconv.Itoa(port),
		"--service-port=" + strconv.Itoa(port),
		"--health-address=", "--metrics-address=", "--pod-name=" + pod, "--shutdown-delay=1s", "--namespace=" + c.Home,
		"--service-account=" + c.Account,
		// On a slow machine a restart of the control plane alone makes a namespace overdue.
		"--overdue-grace=2s",
	}
	b.cmd = exec.Command(c.Broker, append(args, flags...)...)
	b.cmd.Stdout, b.cmd.Stderr = log, log
	if err := child(b.cmd); err != nil {
		return nil, err
	}
	go func() { b.err = b.cmd.Wait(); close(b.done) }()
	return b, nil
}

// WaitServed waits until kube-apiserver forwards requests to the broker and the broker
// has verified that the policies restrict it.
func (c *Cluster) WaitServed(ctx context.Context, b *Broker) error {
	rc := c.Client("admin").Discovery().RESTClient()
	return Eventually(60*time.Second, func() error {
		select {
		case <-b.done:
			out, _ := os.ReadFile(b.Log)
			return fmt.Errorf("the broker ended: %v: %s", b.err, out)
		default:
		}
		const all = "/apis/tenama.dev/v1alpha1/temporarynamespaces"
		if err := rc.Get().AbsPath(all).Do(ctx).Error(); err != nil {
			return err
		}
		body := []byte(`{"apiVersion":"tenama.dev/v1alpha1","kind":"TemporaryNamespace","metadata":{"generateName":"tmp-"}}`)
		err := rc.Post().AbsPath(all).Param("dryRun", "All").SetHeader("Content-Type", "application/json").Body(body).
			MaxRetries(0).Do(ctx).Error()
		if apierrors.IsServiceUnavailable(err) {
			return err
		}
		return nil
	})
}

// PID returns the process ID of the broker.
func (b *Broker) PID() int { return b.cmd.Process.Pid }

// Stop asks the broker to shut down, as the kubelet would, and waits for its end.
func (b *Broker) Stop() error {
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	<-b.done
	return b.err
}

// Kill ends the broker at once.
func (b *Broker) Kill() {
	_ = b.cmd.Process.Kill()
	<-b.done
}

// Done returns a channel that is closed once the broker has ended.
func (b *Broker) Done() <-chan struct{} { return b.done }

// ServiceAccountKubeconfig writes a kubeconfig with a token of a ServiceAccount and
// returns its path.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, ns, name string) (string, error) {
	t, err := c.Client("admin").CoreV1().ServiceAccounts(ns).CreateToken(ctx, name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr(int64(24 * 3600))},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.Dir, ns+"-"+name+".kubeconfig")
	return path, c.writeKubeconfig(path, name, &clientcmdapi.AuthInfo{Token: t.Status.Token})
}

// BrokerKubeconfig writes a kubeconfig with the broker's identity for another server and
// returns its path.
func (c *Cluster) BrokerKubeconfig(ctx context.Context, server string) (string, error) {
	path, err := c.ServiceAccountKubeconfig(ctx, c.Home, c.Account)
	if err != nil {
		return "", err
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return "", err
	}
	config.Clusters["test"].Server = server
	path += "." + server[strings.LastIndex(server, ":")+1:] // its port
	return path, clientcmd.WriteToFile(*config, path)
}

func (c *Cluster) writeKubeconfig(path, user string, auth *clientcmdapi.AuthInfo) error {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig("admin"))
	if err != nil {
		return err
	}
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{user: auth}
	config.Contexts["test"].AuthInfo = user
	// A broker that has just been started may be about to read it.
	if err := clientcmd.WriteToFile(*config, path+".new"); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Output returns the log of the broker.
func (b *Broker) Output() (string, error) {
	out, err := os.ReadFile(b.Log)
	return string(out), err
}
