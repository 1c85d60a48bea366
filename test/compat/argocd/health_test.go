// SPDX-License-Identifier: Apache-2.0

package argocd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/argoproj/gitops-engine/pkg/health"
	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/test/testenv"
)

// script is the health check of examples/argocd, run as Argo CD runs it: in Lua, with the object
// as obj.
type script string

func readScript(t *testing.T) script {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "examples", "argocd", "argocd-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var m corev1.ConfigMap
	if err := yaml.UnmarshalStrict(b, &m); err != nil {
		t.Fatal(err)
	}
	return script(m.Data["resource.customizations.health.tenama.dev_TemporaryNamespace"])
}

// GetResourceHealth returns nil for objects of other kinds.
func (s script) GetResourceHealth(o *unstructured.Unstructured) (*health.HealthStatus, error) {
	if o.GetKind() != "TemporaryNamespace" {
		return nil, nil
	}
	l := lua.NewState()
	defer l.Close()
	l.SetGlobal("obj", toLua(l, o.Object))
	if err := l.DoString(string(s)); err != nil {
		return nil, err
	}
	result, ok := l.Get(-1).(*lua.LTable)
	if !ok {
		return nil, errors.New("the script returns no table")
	}
	return &health.HealthStatus{Status: health.HealthStatusCode(result.RawGetString("status").String()),
		Message: result.RawGetString("message").String()}, nil
}

// toLua converts what an Unstructured contains.
func toLua(l *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case map[string]any:
		t := l.NewTable()
		for key, value := range v {
			t.RawSetString(key, toLua(l, value))
		}
		return t
	case []any:
		t := l.NewTable()
		for _, value := range v {
			t.Append(toLua(l, value))
		}
		return t
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case nil:
		return lua.LNil
	}
	return lua.LString(fmt.Sprint(v))
}

// A sync that does not wait for the namespace fails, and one that waits for ever is worse.
func TestHealth(t *testing.T) {
	s := readScript(t)
	ready := func(status, reason string) map[string]any {
		return map[string]any{"conditions": []any{
			map[string]any{"type": "OnHold", "status": "False"},
			map[string]any{"type": "Ready", "status": status, "reason": reason, "message": "because"},
		}}
	}
	for name, row := range map[string]struct {
		status map[string]any
		want   health.HealthStatusCode
	}{
		"without a status": {nil, health.HealthStatusProgressing},
		"no conditions":    {map[string]any{"phase": "Pending"}, health.HealthStatusProgressing},
		"being created":    {ready("False", "Provisioning"), health.HealthStatusProgressing},
		"ready":            {ready("True", "Provisioned"), health.HealthStatusHealthy},
		"no access":        {ready("False", "OwnerAccessMissing"), health.HealthStatusDegraded},
		"terminating":      {ready("False", "Terminating"), health.HealthStatusProgressing},
	} {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "tenama.dev/v1alpha1",
			"kind": "TemporaryNamespace", "metadata": map[string]any{"name": "tmp-a"}}}
		if row.status != nil {
			o.Object["status"] = row.status
		}
		h, err := health.GetResourceHealth(o, s)
		if err != nil || h == nil || h.Status != row.want {
			t.Errorf("%s: %+v, %v, want %s", name, h, err, row.want)
		}
	}
}
