// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"tenama.dev/tenama/internal/attack"
	"tenama.dev/tenama/test/stage"
	"tenama.dev/tenama/test/testenv"
)

// contained attacks with the broker's own token, and as a tenant, and prints each
// request and the mechanism that stopped it. It then removes each policy in turn and
// shows that the broker changes nothing without it. It fails if a request gets through
// that should not, or is stopped although it should not be.
func contained(ctx context.Context) (err error) {
	c, port, stop, err := installed(ctx)
	if err != nil {
		return err
	}
	defer stop()
	broker, err := c.StartBroker(ctx, port, "broker-0", "--containment-interval=500ms", "--inspect-interval=1h")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Stop()) }()
	attacks, err := stage.New(ctx, c)
	if err != nil {
		return err
	}
	p := &proof{ctx: ctx, stage: attacks, cluster: c, stopped: map[string]int{}}

	p.say("With the broker's stolen token: RBAC stops it, or a policy where the broker needs the right")
	p.attack(attack.Broker)

	p.say("With the same token, bound to cluster-admin: only policies can stop it")
	p.kubectl("create", "clusterrolebinding", "generous", "--clusterrole=cluster-admin",
		"--serviceaccount=tenama-system:tenama-broker")
	p.refuses("it has the right to")
	attacks.WithToken()
	p.attack(attack.BrokerAsAdmin)
	p.kubectl("delete", "clusterrolebinding", "generous")
	p.recovers()

	p.say("As a tenant, with edit and with admin in the namespace")
	p.attack(attack.TenantEdit)
	p.attack(attack.TenantAdmin)

	p.say("As an operator of the cluster's namespaces; and as a cluster-admin, who can override policies")
	p.attack(attack.Operator)
	p.attack(attack.ClusterAdmin)

	p.say("As Kubernetes' own controllers, which must not be obstructed")
	p.attack(attack.Controllers)

	for _, policy := range []string{attack.Containment, attack.Keys, attack.GuardRails} {
		p.say("Without the policy " + policy)
		p.kubectl("delete", "validatingadmissionpolicybinding", policy)
		p.refuses(policy)
		p.kubectl("apply", "--server-side", "-k", filepath.Join(c.Deploy, "base", "policies"))
		p.recovers()
	}
	return p.sum()
}

// proof counts the results.
type proof struct {
	ctx     context.Context
	stage   *attack.Stage
	cluster *testenv.Cluster
	stopped map[string]int
	wrong   []string
}

func (p *proof) say(what string) { fmt.Printf("\n# %s\n", what) }

// attack tries all rows of a role and prints them.
func (p *proof) attack(role attack.Role) {
	fmt.Printf("\n  %-22s %-56s %s\n", "STOPPED BY", strings.ToUpper(string(role))+" TRIES TO", "")
	for _, r := range attack.Rows() {
		if r.Role != role {
			continue
		}
		stop, detail := p.stage.Try(p.ctx, r)
		shown, remark := stop, ""
		if stop == attack.Nothing {
			shown = "- (allowed)"
		}
		if stop != r.Stop {
			remark = "WRONG: expected " + r.Stop
			p.wrong = append(p.wrong, fmt.Sprintf("%s: %s: stopped by %s, expected %s: %s", role, r.What, stop, r.Stop, detail))
		}
		p.stopped[stop]++
		fmt.Printf("  %-22s %-56s %s\n", shown, r.What, remark)
	}
}

func (p *proof) kubectl(args ...string) {
	fmt.Printf("admin$ kubectl %s\n", strings.ReplaceAll(strings.Join(args, " "), testenv.Root()+"/", ""))
	if out, err := p.cluster.Kubectl("admin", args...); err != nil {
		p.wrong = append(p.wrong, out)
	}
}

// borrow requests a namespace, as alice.
func (p *proof) borrow() (string, error) {
	return p.cluster.KubectlIn("alice",
		"{apiVersion: tenama.dev/v1alpha1, kind: TemporaryNamespace, metadata: {generateName: tmp-}}", "create",
		"--dry-run=server", "-f", "-")
}

// refuses waits until the broker changes nothing and gives the reason why.
func (p *proof) refuses(why string) {
	begun := time.Now()
	out := ""
	err := testenv.Eventually(20*time.Second, func() (err error) {
		if out, err = p.borrow(); err == nil || !strings.Contains(out, "not contained") || !strings.Contains(out, why) {
			return fmt.Errorf("the broker did not refuse because of %q: %s", why, out)
		}
		return nil
	})
	p.after(begun, "alice$ kubectl create -f temporarynamespace.yaml", out, err)
	if out, err := p.cluster.Kubectl("alice", "get", "tns", "--no-headers"); err != nil {
		p.wrong = append(p.wrong, "reads fail: "+out)
	} else {
		fmt.Printf("alice$ kubectl get tns\n%s", out)
	}
}

// recovers waits until the broker creates namespaces again.
func (p *proof) recovers() {
	begun := time.Now()
	out := ""
	err := testenv.Eventually(20*time.Second, func() (err error) {
		if out, err = p.borrow(); err != nil {
			return fmt.Errorf("the broker did not recover: %s", out)
		}
		return nil
	})
	p.after(begun, "alice$ kubectl create -f temporarynamespace.yaml", out, err)
}

func (p *proof) after(begun time.Time, line, out string, err error) {
	fmt.Printf("%s   # %.1f s later\n%s", line, time.Since(begun).Seconds(), out)
	if err != nil {
		p.wrong = append(p.wrong, err.Error())
	}
}

// sum prints the results, and returns an error if any of them was wrong.
func (p *proof) sum() error {
	var by []string
	total := 0
	for stop, n := range p.stopped {
		total += n
		if stop == attack.Nothing {
			stop = "allowed as intended"
		}
		by = append(by, fmt.Sprintf("%s %d", stop, n))
	}
	sort.Strings(by)
	fmt.Printf("\n# %d attacks and controls: %s\n", total, strings.Join(by, ", "))
	if len(p.wrong) > 0 {
		return fmt.Errorf("%d results are wrong:\n%s", len(p.wrong), strings.Join(p.wrong, "\n"))
	}
	fmt.Println("# All results are as expected")
	return nil
}
