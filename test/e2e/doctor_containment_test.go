// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/deploy"
)

// An administrator must see on their own cluster what stops a broker that was taken over, and
// that something does not if a right too many was granted.
func TestDoctorContainment(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	start(t, c, port, "broker-0")
	i := &installer{c, t}
	i.expect(1, []string{"doctor", "--containment"}, "expected one installation of tenama, found 0")
	// The broker runs beside the control plane: its Deployment is here for its names only.
	objects, err := deploy.Objects(deploy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.GetKind() == "Deployment" {
			b, err := yaml.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := c.KubectlIn("admin", string(b), "create", "-f", "-"); err != nil {
				t.Fatal(out)
			}
		}
	}
	i.expect(0, []string{"doctor", "--containment"}, "nothing is lent")
	borrow(t, as(t, c.Config("alice")), "tmp-theirs", time.Hour)
	out := i.expect(0, []string{"doctor", "--containment"}, "RBAC                 read a tenant's secrets",
		"tenama-broker        delete an ordinary namespace", "as system:serviceaccount:tenama-system:tenama-broker")
	if strings.Contains(out, "warning") || strings.Contains(out, "nothing is lent") {
		t.Error(out)
	}
	if out, code := i.run("alice", "doctor", "--containment"); code != 4 {
		t.Errorf("a user without rights: exit code %d: %s", code, out)
	}
	i.kubectl("create", "clusterrolebinding", "generous", "--clusterrole=view",
		"--serviceaccount=tenama-system:tenama-broker")
	i.expect(1, []string{"doctor", "--containment"}, "failed   nothing              read a tenant's pods")
	i.kubectl("delete", "clusterrolebinding", "generous")
	i.kubectl("delete", "validatingadmissionpolicybinding", "tenama-broker")
	i.expect(1, []string{"doctor", "--containment"}, "failed   nothing              delete an ordinary namespace")
}
