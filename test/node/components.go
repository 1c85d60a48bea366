// SPDX-License-Identifier: Apache-2.0

package node

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"strings"

	"tenama.dev/tenama/test/testenv"
)

//go:embed config
var configs embed.FS

// links makes kubectl and the programs of the node known by their names.
func links() error {
	var errs []error
	for name, built := range map[string]string{
		"kubectl": "cluster-node", "cluster-node": "cluster-node", "probe": "probe", "kubectl-tenama": "kubectl-tenama",
	} {
		errs = append(errs, os.Symlink(testenv.Bin(built), path("bin", name)))
	}
	errs = append(errs, os.Setenv("PATH", path("bin")+":"+os.Getenv("PATH")))
	return errors.Join(errs...)
}

func writeConfigs() error {
	var errs []error
	for from, to := range map[string]string{
		"containerd.toml": "containerd.toml", "kubelet.yaml": "kubelet.yaml", "coredns.yaml": "coredns.yaml",
		"bridge.conflist": "cni/bridge.conflist",
	} {
		b, err := configs.ReadFile("config/" + from)
		text := strings.ReplaceAll(string(b), "$CGROUP", "/"+os.Getenv(cgroupVariable))
		errs = append(errs, err, os.WriteFile(path(to), []byte(text), 0o600))
	}
	return errors.Join(errs...)
}

func (n *Node) startControlPlane() error {
	_, err := startProcess("control-plane", path("bin", "cluster-node"),
		"up", "--dir", path("cluster"), "--node", address, "--port", apiserver)
	if err != nil {
		return err
	}
	return until("start the control plane", func() error {
		if !strings.Contains(tail("control-plane", 1), "ready ") {
			return errors.New(tail("control-plane", 5))
		}
		return nil
	})
}

func (n *Node) startContainerd() error {
	if _, err := startProcess("containerd", "containerd", "--config", path("containerd.toml")); err != nil {
		return err
	}
	if err := until("start containerd", func() error { return run("ctr", "version") }); err != nil {
		return err
	}
	probe := testenv.Bin("probe")
	for i, image := range []image{
		{name: "tenama.test/pause:1", binary: probe, entrypoint: []string{"/probe", "pause"}, user: "65532:65532"},
		{name: Probe, binary: probe, entrypoint: []string{"/probe"}, user: "65532:65532"},
		{name: "tenama.test/coredns:1", binary: testenv.Bin("tools/coredns"), entrypoint: []string{"/coredns"}},
	} {
		file := path("images", fmt.Sprint(i))
		if err := errors.Join(image.write(file), n.Load(file), os.Remove(file)); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) startKubelet() error {
	bin := path("bin", "cluster-node")
	_, err := startProcess("kubelet", bin, "kubelet", "--config="+path("kubelet.yaml"),
		"--kubeconfig="+path("cluster", "kubelet.kubeconfig"), "--hostname-override="+hostname, "--node-ip="+address,
		"--root-dir="+path("kubelet"), "--cert-dir="+path("kubelet", "pki"))
	if err != nil {
		return err
	}
	_, err = startProcess("kube-scheduler", bin, "kube-scheduler",
		"--kubeconfig="+path("cluster", "kube-scheduler.kubeconfig"), "--leader-elect=false", "--secure-port=0")
	if err != nil {
		return err
	}
	// The limits of connections are settings of the whole machine: 0 leaves them alone.
	_, err = startProcess("kube-proxy", bin, "kube-proxy", "--proxy-mode=nftables",
		"--kubeconfig="+path("cluster", "kube-proxy.kubeconfig"), "--hostname-override="+hostname,
		"--cluster-cidr="+podRange, "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0",
		"--conntrack-tcp-timeout-close-wait=0")
	return err
}

// startPolicies starts the firewall of kube-router once the node exists, which it reads
// only when it starts, and waits until its chains do.
func (n *Node) startPolicies() error {
	if err := until("wait for the node", func() error { return n.admin("get", "node", hostname) }); err != nil {
		return err
	}
	_, err := startProcess("kube-router", testenv.Bin("tools/kube-router"), "--run-firewall=true", "--run-router=false",
		"--run-service-proxy=false", "--run-loadbalancer=false", "--enable-cni=false",
		"--kubeconfig="+n.kubeconfig("admin"), "--hostname-override="+hostname, "--service-cluster-ip-range="+services)
	if err != nil {
		return err
	}
	return until("wait for kube-router", func() error { return run("iptables", "-S", "KUBE-ROUTER-FORWARD") })
}

func (n *Node) startDNS() error {
	if err := n.admin("apply", "-f", path("coredns.yaml")); err != nil {
		return err
	}
	return n.await("-n", "kube-system", "deployment/coredns", "Available")
}
