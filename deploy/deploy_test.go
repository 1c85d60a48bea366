// SPDX-License-Identifier: Apache-2.0

package deploy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func render(t *testing.T, o Options) []*unstructured.Unstructured {
	t.Helper()
	out, err := Objects(o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// get decodes the object of a kind and a name.
func get[T any](t *testing.T, objects []*unstructured.Unstructured, kind, name string) *T {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == kind && o.GetName() == name {
			var out T
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, &out, true); err != nil {
				t.Fatal(err)
			}
			return &out
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return nil
}

// The plugin must install what `kubectl apply -k deploy/overlays/default` installs.
func TestDefaultIsTheOverlay(t *testing.T) {
	k := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	m, err := k.Run(filesys.MakeFsOnDisk(), filepath.Join("overlays", "default"))
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string]any{}, map[string]any{}
	for _, r := range m.Resources() {
		o := &unstructured.Unstructured{}
		if b, err := r.MarshalJSON(); err != nil || o.UnmarshalJSON(b) != nil {
			t.Fatal(err)
		}
		want[r.GetKind()+" "+r.GetNamespace()+"/"+r.GetName()] = o.Object
	}
	for _, o := range render(t, Options{}) {
		got[o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName()] = o.Object
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the rendered manifests differ from overlays/default (-overlay +rendered):\n%s", diff)
	}
}

// Every option must reach all objects that it concerns, and nothing may keep the default name.
func TestOptions(t *testing.T) {
	const image = "registry.example/team/tenama-broker"
	digest := "sha256:" + strings.Repeat("ab", 32)
	objects := render(t, Options{
		Namespace: "lending", Prefixes: []string{"lent-", "cust-"}, Image: image + ":v1@" + digest, Version: "v1.2.3",
		Replicas: 1, EgressPorts: []int{7443}, PullSecrets: []string{"registry"},
	})
	all, err := YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"tenama-system", "tmp-", "tenama-broker:dev"} {
		if strings.Contains(string(all), old) {
			t.Errorf("the manifests still contain %q", old)
		}
	}
	broker := get[appsv1.Deployment](t, objects, "Deployment", "tenama-broker")
	guard := get[appsv1.Deployment](t, objects, "Deployment", "tenama-guard")
	for _, d := range []*appsv1.Deployment{broker, guard} {
		if c := d.Spec.Template.Spec.Containers[0]; c.Image != image+"@"+digest {
			t.Errorf("%s: image %s", d.Name, c.Image)
		}
		if d.Labels["app.kubernetes.io/version"] != "v1.2.3" || d.Spec.Template.Labels["app.kubernetes.io/version"] != "" {
			t.Errorf("%s: labels %v, of the pods %v", d.Name, d.Labels, d.Spec.Template.Labels)
		}
	}
	if *broker.Spec.Replicas != 1 || *guard.Spec.Replicas != 2 {
		t.Errorf("replicas: %d brokers, %d guards", *broker.Spec.Replicas, *guard.Spec.Replicas)
	}
	pdb := get[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget", "tenama-broker")
	if pdb.Spec.MinAvailable.IntValue() != 0 {
		t.Error("with one replica, its node cannot be drained")
	}
	for _, name := range []string{"tenama-broker", "tenama-guard"} {
		p := get[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", name)
		if !slices.ContainsFunc(p.Spec.Egress[0].Ports, func(p networkingv1.NetworkPolicyPort) bool {
			return p.Port.IntValue() == 7443
		}) {
			t.Errorf("%s cannot reach port 7443", name)
		}
		if a := get[corev1.ServiceAccount](t, objects, "ServiceAccount", name); len(a.ImagePullSecrets) != 1 {
			t.Errorf("%s has image pull secrets %v", name, a.ImagePullSecrets)
		}
	}
}

func TestHostNetwork(t *testing.T) {
	objects := render(t, Options{Namespace: "lending", HostNetwork: true, OpenEgress: true, EgressPorts: []int{7443}})
	ns := get[corev1.Namespace](t, objects, "Namespace", "lending")
	if ns.Labels["pod-security.kubernetes.io/enforce"] != "privileged" {
		t.Error("pod security of the namespace refuses the host network")
	}
	pod := get[appsv1.Deployment](t, objects, "Deployment", "tenama-broker").Spec.Template.Spec
	args := strings.Join(pod.Containers[0].Args, " ")
	if !pod.HostNetwork || !strings.Contains(args, "--health-address=127.0.0.1:") ||
		!strings.Contains(args, "--metrics-address=127.0.0.1:") {
		t.Errorf("health and metrics are open on the nodes: %s", args)
	}
	for _, p := range pod.Containers[0].Ports {
		if p.ContainerPort == 10250 {
			t.Error("port 10250 of a node is that of the kubelet")
		}
	}
	egress := get[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", "tenama-guard").Spec.Egress
	if len(egress) != 1 || len(egress[0].Ports) > 0 {
		t.Errorf("egress of the guard: %v", egress)
	}
}

func TestInvalidOptions(t *testing.T) {
	for _, o := range []Options{
		{Namespace: "Lending"}, {Namespace: "a.b"}, {Prefixes: []string{"tmp"}}, {Prefixes: []string{"tmp-", ""}},
		{Prefixes: []string{"tenama-"}}, {Image: "a b"}, {Image: "Name:tag"}, {Image: "name@sha256:12"}, {Image: "name:"},
		{Replicas: -1}, {EgressPorts: []int{0}}, {PullSecrets: []string{"a_b"}},
	} {
		if _, err := Objects(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	for _, image := range []string{
		"a", "a/b:v1", "localhost:5000/a", "r.example:5000/x/y_z:v1.0-rc.1", "a@sha256:" + strings.Repeat("0", 64),
	} {
		if err := (&Options{Image: image}).Validate(); err != nil {
			t.Error(err)
		}
	}
}

// The policies must restrict the broker before it has rights, and it must have them before it
// starts.
func TestOrder(t *testing.T) {
	var kinds []string
	for _, o := range render(t, Options{}) {
		kinds = append(kinds, o.GetKind())
	}
	kinds = slices.Compact(kinds)
	for _, pair := range [][2]string{
		{"Namespace", "ServiceAccount"}, {"ValidatingAdmissionPolicyBinding", "ClusterRole"},
		{"ResourceQuota", "Deployment"}, {"RoleBinding", "Deployment"}, {"Secret", "Deployment"},
		{"FlowSchema", "Deployment"}, {"PriorityLevelConfiguration", "Deployment"},
	} {
		a, b := slices.Index(kinds, pair[0]), slices.Index(kinds, pair[1])
		if a < 0 || b < 0 || a > b {
			t.Errorf("%s is not before %s: %v", pair[0], pair[1], kinds)
		}
	}
}

// A tag that moves would let a registry replace what an administrator installed.
func TestNoMovingTag(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(":latest")) {
			t.Errorf("%s contains :latest", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	images := regexp.MustCompile(`(?m)image: (.*)$`)
	b, err := YAML(render(t, Options{Image: "a/b@sha256:" + strings.Repeat("0", 64)}))
	if err != nil {
		t.Fatal(err)
	}
	found := images.FindAllStringSubmatch(string(b), -1)
	for _, m := range found {
		if !strings.Contains(m[1], "@sha256:") {
			t.Errorf("image %s has no digest", m[1])
		}
	}
	if len(found) != 2 {
		t.Errorf("%d images, want those of the broker and the guard", len(found))
	}
}

// `kubectl apply -f` must take the file in one go: what needs a definition of the same file
// fails until kube-apiserver serves it.
func TestOneGo(t *testing.T) {
	for _, o := range render(t, Options{}) {
		if o.GroupVersionKind().Group == "policy.tenama.dev" {
			t.Errorf("%s %s needs a definition of the same file", o.GetKind(), o.GetName())
		}
	}
	classes, err := Classes()
	if err != nil || len(classes) != 2 || classes[0].GetKind() == classes[1].GetKind() {
		t.Errorf("classes: %v %v", classes, err)
	}
	header := fmt.Sprint(Header("v1.2.3"))
	for _, want := range []string{
		"v1.2.3", "kubectl apply --server-side -f tenama.yaml", "kubectl create -f tenama-classes.yaml",
	} {
		if !strings.Contains(header, want) {
			t.Errorf("the first lines do not say %q", want)
		}
	}
}
