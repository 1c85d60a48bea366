// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// screenshot is a screenshot of a terminal.
type screenshot struct {
	name, title string
	want        []string // patterns that lines must match, in this order
	user        string
	cols        int                                                 // of the terminal; 0 for defaultWidth
	lines       []string                                            // commands to run, or else
	capture     func(context.Context, *environment) ([]byte, error) // a function that captures the output
}

// screenshots lists all screenshots, in the order in which they are captured.
var screenshots = []screenshot{
	{
		name: "life", title: "Borrow a namespace, list it, extend it, delete it", user: "alice",
		lines: []string{
			"kubectl tenama create mr-42 --ttl 2h --reason 'review of !42'",
			"kubectl create deployment web --image=nginx",
			"kubectl tenama list",
			"kubectl tenama extend --by 1h",
			"kubectl tenama delete --yes",
		},
		want: []string{
			`^namespace/tmp-mr-42 created$`, `added to ~/\.kube/config and made current\.$`, `^Expires in 2h \(`,
			`^deployment.apps/web created$`, `^\* +tmp-mr-42 +default +Ready +119m +alice`, `^namespace/tmp-mr-42 extended$`,
			`^Expires in 3h \(.*; extendable until `, `^Context "tenama-tmp-mr-42" removed; current context is "dev" again\.$`,
			`^namespace "tmp-mr-42" deleted$`,
		},
	},
	{
		name: "run", title: "Borrow a namespace for as long as a command runs", user: "alice",
		lines: []string{
			"kubectl tenama run -n e2e -- sh -c '\n  kubectl create deployment web --image=nginx\n  kubectl get " +
				"deployments\n  kubectl auth can-i list secrets -n kube-system'",
			"kubectl tenama list",
			"kubectl config current-context",
		},
		want: []string{
			`^namespace/tmp-e2e created; it is deleted when the command ends\.$`, `^deployment.apps/web created$`, `^web +0/1`,
			`^no$`,
			`^ +tmp-e2e +default +Terminating`, `^dev$`,
		},
	},
	{
		// At this width, long lines break between words.
		name: "refused", title: "A full budget, and two invalid TTLs: the messages and hints", user: "bob", cols: 111,
		lines: []string{
			"kubectl tenama create soak --class large",
			"kubectl tenama create soak --ttl 2hours",
			"kubectl tenama create soak --ttl 3w",
		},
		want: []string{
			`^error: budget "large" is full: 16 of 16 requests\.cpu taken`,
			`^hint: there is capacity for class default: kubectl tenama create --class default$`,
			`^error: invalid argument "2hours" for "--ttl" flag: use a duration such as`,
			`^Error from server \(Invalid\): .*must be at most 604800`,
		},
	},
	{
		name: "doctor", title: "Find problems and their remedies", user: "dora",
		lines: []string{"kubectl tenama doctor"},
		want: []string{
			`^ok +plugin `, `^ok +kubeconfig +contexts are written to ~/\.kube/config$`, `^warning +completion `,
			`^ +-> run: kubectl tenama completion install$`,
			`^ok +cluster +https://cluster\.example\.test v1\.`, `^ok +containment `,
			`^ok +create +would work now, with class default$`, `^ok +your namespaces +6, none stuck$`,
		},
	},
	{
		name: "watch", title: "Six namespaces and their remaining time in kubectl tenama list --watch", user: "dora",
		capture: captureWatch,
		want: []string{
			`^\$ kubectl tenama list --watch$`, `NAME +CLASS +STATUS +LEFT +EXPIRES +OWNER +AGE$`,
			`^\* +tmp-demo +default +Ready +█{10} +7h5\dm`,
			`tmp-hotfix +default +Expiring +█{1,3}░{7,9} +\d+s`, `tmp-load-test +large +Ready +█{6,7}░{3,4} `,
			`tmp-mr-117 +default +Ready +█{4,5}░{5,6} `,
			`tmp-nightly +default +Leased +<6d23h`, `tmp-spike +default +Terminating `,
		},
	},
}

// watched creates the namespaces of the screenshot "watch". It is captured when little time
// is left for the first; the TTLs of the others are chosen for how they then look.
const watched = `
kubectl tenama create hotfix --ttl 2m
kubectl tenama create mr-117 --ttl 3m
kubectl tenama create load-test --ttl 5m --class large
kubectl tenama create spike --ttl 1d
kubectl tenama create demo --ttl 8h`

// policy contains the objects of the platform administrators.
const policy = `
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceClass
metadata: {name: large}
spec:
  description: For load tests
  lifetime: {defaultTTLSeconds: 28800, maximumTTLSeconds: 604800}
  objects:
  - {apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {requests.cpu: "8", pods: "100"}}}
---
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceBudget
metadata: {name: large}
spec: {classNames: [large], total: {requests.cpu: 16}}
`

// captureWatch captures the screenshot of the live view.
func captureWatch(ctx context.Context, st *environment) ([]byte, error) {
	t := st.terminals["dora"]
	t.prompt("kubectl tenama list --watch")
	s, err := t.start("kubectl tenama list --watch")
	if err != nil {
		return nil, err
	}
	defer s.interrupt()
	if _, err := s.until(ctx, 3*time.Minute, shows("tmp-hotfix +default +Expiring")); err != nil {
		return nil, err
	}
	if err := t.quietly("kubectl tenama delete spike --wait=false"); err != nil {
		return nil, err
	}
	last, err := s.until(ctx, 5*time.Second, shows("tmp-spike +default +Terminating"))
	return append(t.sent, last...), err
}

// shows returns a function that returns an error unless lines of a screen match
// patterns in order.
func shows(patterns ...string) func(*screen) error {
	return func(s *screen) error { return match(strings.Join(s.rows(), "\n"), patterns...) }
}

func match(text string, patterns ...string) error {
	rest := text
	for _, p := range patterns {
		at := regexp.MustCompile("(?m)" + p).FindStringIndex(rest)
		if at == nil {
			return fmt.Errorf("no line matches %q (or not in that order):\n%s", p, text)
		}
		rest = rest[at[1]:]
	}
	return nil
}

// machineSpecific matches text that no screenshot may contain.
var machineSpecific = regexp.MustCompile(`(?m)(^|[^\w~.])/(tmp|var|home|root|work|usr|opt|Users|private)\b|` +
	`127\.\d+\.\d+\.\d+|localhost|\.(internal|local)\b`)

// check returns an error if text must not be shown, or lacks required content.
func (p screenshot) check(text string) error {
	if found := machineSpecific.FindString(text); found != "" {
		return fmt.Errorf("%q identifies this machine:\n%s", found, text)
	}
	return match(text, p.want...)
}
