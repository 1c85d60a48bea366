// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// An administrator must see on their own cluster what stops a broker that was taken over, and
// that something does not if a right too many was granted.
func TestDoctorContainment(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	start(t, c, port, "broker-0")
	i := &installer{c, t}
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
	i.becomes("failed   nothing              read a tenant's pods")
	i.kubectl("delete", "clusterrolebinding", "generous")
	i.kubectl("delete", "validatingadmissionpolicybinding", "tenama-broker")
	i.becomes("failed   nothing              delete an ordinary namespace")
}

// becomes waits until doctor finds something: kube-apiserver takes a moment until changed
// bindings are in force.
func (i *installer) becomes(want string) {
	i.t.Helper()
	if err := testenv.Eventually(time.Minute, func() error {
		if out, code := i.run("admin", "doctor", "--containment"); code != 1 || !strings.Contains(out, want) {
			return fmt.Errorf("exit code %d, and the output does not contain %q: %s", code, want, out)
		}
		return nil
	}); err != nil {
		i.t.Fatal(err)
	}
}
