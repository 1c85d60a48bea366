// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Without this test, the pod of the broker could get more privileges than it needs, or
// a token that an attacker can use for longer than an hour or without the pod.
func TestPodOfTheBroker(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(t), "deploy", "base", "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	if err := yaml.UnmarshalStrict(bytes.SplitN(b, []byte("\n---\n"), 2)[0], &d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	broker := pod.Containers[0]
	seccomp := pod.SecurityContext.SeccompProfile.Type
	yes := func(b *bool) bool { return b != nil && *b }
	no := func(b *bool) bool { return b != nil && !*b }
	for what, holds := range map[string]bool{
		"one container":                     len(pod.Containers) == 1 && len(pod.InitContainers) == 0,
		"no token except the projected one": no(pod.AutomountServiceAccountToken),
		"no namespace of the host":          !pod.HostNetwork && !pod.HostPID && !pod.HostIPC,
		"a user other than root":            yes(pod.SecurityContext.RunAsNonRoot),
		"no user that OpenShift refuses":    pod.SecurityContext.RunAsUser == nil && pod.SecurityContext.RunAsGroup == nil,
		"nodes that run Linux":              pod.NodeSelector[corev1.LabelOSStable] == "linux",
		"images that were loaded":           broker.ImagePullPolicy == corev1.PullIfNotPresent,
		"seccomp":                           seccomp == corev1.SeccompProfileTypeRuntimeDefault,
		"no further privileges": no(broker.SecurityContext.AllowPrivilegeEscalation) &&
			broker.SecurityContext.Privileged == nil,
		"no capabilities": len(broker.SecurityContext.Capabilities.Drop) == 1 &&
			broker.SecurityContext.Capabilities.Drop[0] == "ALL" && len(broker.SecurityContext.Capabilities.Add) == 0,
		"a read-only root file system":  yes(broker.SecurityContext.ReadOnlyRootFilesystem),
		"a memory limit":                !broker.Resources.Limits.Memory().IsZero(),
		"no volume of the host":         len(pod.Volumes) == 1 && pod.Volumes[0].Projected != nil,
		"more than one replica":         *d.Spec.Replicas > 1,
		"all replicas during an update": d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() == 0,
		"no --allow-uncontained":        !strings.Contains(strings.Join(broker.Args, " "), "uncontained"),
	} {
		if !holds {
			t.Errorf("the pod of the broker does not have: %s", what)
		}
	}
	for _, s := range pod.Volumes[0].Projected.Sources {
		if token := s.ServiceAccountToken; token != nil && *token.ExpirationSeconds > 3600 {
			t.Errorf("the token lives for %d s", *token.ExpirationSeconds)
		}
	}
}

// TestNoReplacedModules fails if the build would use sources other than those in
// go.sum.
func TestNoReplacedModules(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^replace`).Match(b) || strings.Contains(string(b), "k8s.io/kubernetes ") {
		t.Error("go.mod replaces a module, or depends on k8s.io/kubernetes")
	}
}

// TestThreatTable fails if a threat in docs/security.md names no test, or a test that
// does not exist.
func TestThreatTable(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(t), "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := tests(t)
	rows := 0
	for _, line := range strings.Split(string(b), "\n") {
		m := regexp.MustCompile(`^\| (\d+) \|.*\| ([^|]*) \|$`).FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if rows++; m[1] != fmt.Sprint(rows) {
			t.Errorf("row %s of the threat table comes as number %d", m[1], rows)
		}
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(m[2], -1)
		if len(named) == 0 {
			t.Errorf("threat %s names no test", m[1])
		}
		for _, n := range named {
			if !tests[n[1]] {
				t.Errorf("threat %s names %s, which does not exist", m[1], n[1])
			}
		}
	}
	if rows != 22 {
		t.Errorf("the threat table has %d rows, want 22", rows)
	}
}

// tests returns the names of all tests of the project.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	walk(t, func(_, file string, _ []string, isTest bool) {
		if !isTest {
			return
		}
		b, err := os.ReadFile(filepath.Join(root(t), file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(b), -1) {
			names[m[1]] = true
		}
	})
	return names
}

// Without this test, a binding could name a policy that does not exist, and kube-apiserver
// would enforce nothing without saying so.
func TestBindingsNamePolicies(t *testing.T) {
	for _, folder := range []string{"overlays/default", "overlays/static"} {
		policies, bindings := map[string]bool{}, map[string]string{}
		for _, doc := range render(t, folder) {
			var o struct {
				Kind     string
				Metadata struct{ Name string }
				Spec     struct{ PolicyName string }
			}
			if err := yaml.Unmarshal(doc, &o); err != nil {
				t.Fatal(err)
			}
			switch o.Kind {
			case "ValidatingAdmissionPolicy":
				policies[o.Metadata.Name] = true
			case "ValidatingAdmissionPolicyBinding":
				bindings[o.Metadata.Name] = o.Spec.PolicyName
			}
		}
		bound := map[string]bool{}
		for name, policy := range bindings {
			if bound[policy] = true; !policies[policy] {
				t.Errorf("%s: binding %q names policy %q, which is not there", folder, name, policy)
			}
		}
		for policy := range policies {
			if !bound[policy] {
				t.Errorf("%s: policy %q is bound by nothing", folder, policy)
			}
		}
	}
}
