// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"
)

// timesVariable names the file for the times that BenchmarkFirstPod measured.
const timesVariable = "TENAMA_BENCH_TIMES"

const pod = `
apiVersion: v1
kind: Pod
metadata: {name: first}
spec: {containers: [{name: probe, image: ` + Probe + `, args: [serve, ":8080"]}]}
`

// BenchmarkFirstPod compares what users wait for: a Pod that runs in a namespace that an
// administrator has made, and in a lent one.
func BenchmarkFirstPod(b *testing.B) {
	n, admin := install(b)
	alice, client := n.User(b, "alice"), clientOf(b, n, "admin")
	var times struct{ Kubectl, Tenama, Create []time.Duration }
	run := func(u *User, namespace string) {
		u.Apply(pod, "-n", namespace)
		waitRunning(b.Context(), client, namespace)
	}
	for i := 0; b.Loop(); i++ {
		namespace := fmt.Sprintf("bare-%d", i)
		begun := time.Now()
		admin.Kubectl("create", "namespace", namespace)
		run(admin, namespace)
		times.Kubectl = append(times.Kubectl, time.Since(begun))
		admin.Kubectl("delete", "namespace", namespace)

		namespace = fmt.Sprintf("tmp-first-%d", i)
		begun = time.Now()
		alice.Kubectl("tenama", "create", namespace, "--ttl", "1h")
		times.Create = append(times.Create, time.Since(begun))
		run(alice, namespace)
		times.Tenama = append(times.Tenama, time.Since(begun))
		admin.Kubectl("delete", "namespace", namespace)
	}
	if file := os.Getenv(timesVariable); file != "" {
		text, err := json.Marshal(times)
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
