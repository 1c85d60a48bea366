// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"tenama.dev/tenama/test/testenv"
)

const pageHead = `# Faults

<!-- This page is made by make prove-outage ARGS=-page=docs/faults.md. -->

What users and others notice while something fails. ` + "`make prove-outage`" + ` (as root, half an hour) causes each
fault on a control plane with two brokers and the guard, while users create, extend and delete temporary
namespaces, and others create and delete plain ones, install charts with Helm and delete Deployments. It fails
if a namespace was lost, leaked, deleted early or accessible without its guard rails, or if a fault does not
pass when its cause has ended. Four of the faults are part of ` + "`make test`" + `.

Run on %s, on %d cores, with Kubernetes %s: **%d faults, nothing was lost, leaked, deleted early or left
without guard rails**. Compare the rows with the first, which is without a fault: the times depend on the
machine, on which everything ran.

| fault | lasts s | calls of users that failed | a user waits s | a namespace of others s | helm s | ReplicaSet s |` +
	` expired |
|---|---:|---:|---:|---:|---:|---:|---:|
`

const pageTail = `
*Calls* are those of users of temporary namespaces, which repeat what can be repeated, as the plugin does. *A
user waits* is the longest time until an answer that was no error. For others, it is the longest time in which
a plain namespace was created and gone again, a chart was installed and uninstalled, and a Deployment was
created, deleted and its ReplicaSet gone. *Expired* are namespaces that were due meanwhile: all were deleted,
none early. What an administrator does about an outage: [Operation](operations.md#after-an-outage).
`

// countFaults returns how many rows are of a fault.
func countFaults(rows []row) (n int) {
	for _, r := range rows {
		if r.name != noFault {
			n++
		}
	}
	return n
}

// writePage writes docs/faults.md.
func writePage(path, version string, rows []row) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, pageHead, time.Now().Format(time.DateOnly), runtime.NumCPU(), version, countFaults(rows))
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %.0f | %d of %d | %.1f | %.1f | %.1f | %.1f | %d |\n", strings.ReplaceAll(r.name, "|", "\\|"),
			r.took.Seconds(), r.failed, r.calls, r.wait.Seconds(), r.others["namespace"].Seconds(),
			r.others["helm"].Seconds(), r.others["replicaset"].Seconds(), r.due)
	}
	b.WriteString(pageTail)
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// serverVersion returns the version of kube-apiserver.
func serverVersion(c *testenv.Cluster) (string, error) {
	v, err := c.Client("admin").Discovery().ServerVersion()
	if err != nil {
		return "", err
	}
	return v.GitVersion, nil
}
