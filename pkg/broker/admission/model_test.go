// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

func amounts(kv ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(kv); i += 2 {
		out[corev1.ResourceName(kv[i])] = resource.MustParse(kv[i+1])
	}
	return out
}

func budgetOf(name string, spec policyv1alpha1.NamespaceBudgetSpec) *policyv1alpha1.NamespaceBudget {
	return &policyv1alpha1.NamespaceBudget{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

// wanted returns a namespace that is to be created.
func wanted(name, owner, class string, reserved corev1.ResourceList, groups ...string) *corev1.Namespace {
	r, _ := json.Marshal(reserved)
	g, _ := json.Marshal(groups)
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{v1alpha1.LabelClass: class},
		Annotations: map[string]string{
			v1alpha1.AnnotationOwner: owner, v1alpha1.AnnotationReserved: string(r), v1alpha1.AnnotationGroups: string(g),
			v1alpha1.AnnotationTTL: "3600", v1alpha1.AnnotationMaximumTTL: "3600",
		},
	}}
}

// made returns the namespace as kube-apiserver creates it.
func made(ns *corev1.Namespace, uid string) *corev1.Namespace {
	ns = ns.DeepCopy()
	ns.UID, ns.CreationTimestamp = types.UID(uid), metav1.Now()
	return ns
}

// cluster models etcd: one order of events.
type cluster struct {
	log   []event
	alive map[string]*corev1.Namespace
	uids  int
}

type event struct {
	gone bool
	ns   *corev1.Namespace
}

func (c *cluster) put(ns *corev1.Namespace) {
	c.alive[ns.Name] = ns
	c.log = append(c.log, event{false, ns})
}

func (c *cluster) remove(name string) {
	if ns := c.alive[name]; ns != nil {
		delete(c.alive, name)
		c.log = append(c.log, event{true, ns})
	}
}

// node is a replica of the broker, with a watch that lags.
type node struct {
	*Tracker
	at    int // index of the next event in the log
	under map[string]*creation
}

type creation struct {
	ns      *corev1.Namespace
	release func()
}

// see delivers the next event, sometimes twice.
func (n *node) see(c *cluster, r *rand.Rand) {
	if n.at == len(c.log) {
		return
	}
	e := c.log[n.at]
	n.at++
	for range 1 + r.IntN(2) {
		if e.gone {
			n.OnDelete(e.ns)
		} else {
			n.OnUpdate(e.ns)
		}
	}
}

// list delivers all namespaces without their order, as after a lost watch.
func (n *node) list(c *cluster, r *rand.Rand) {
	var all []*corev1.Namespace
	for _, ns := range c.alive {
		all = append(all, ns)
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	n.OnList(all)
	n.at = len(c.log)
}

// Replicas see events late, twice or through a list. The admitted namespaces never
// exceed the limit, rejected ones reserve nothing, and once all events are delivered
// the limit can be reached exactly.
func FuzzOrder(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint64(7), 3)
	}
	f.Fuzz(func(t *testing.T, seed, limit uint64, replicas int) {
		if limit = limit%50 + 1; replicas < 1 || replicas > 5 {
			replicas = 3
		}
		r := rand.New(rand.NewPCG(seed, 1))
		c := &cluster{alive: map[string]*corev1.Namespace{}}
		budgets := []*policyv1alpha1.NamespaceBudget{
			budgetOf("total", policyv1alpha1.NamespaceBudgetSpec{Total: amounts("requests.cpu", fmt.Sprint(limit))}),
			budgetOf("each", policyv1alpha1.NamespaceBudgetSpec{PerUser: amounts("count/temporarynamespaces", "4")}),
		}
		var nodes []*node
		for range replicas {
			n := &node{Tracker: New(), under: map[string]*creation{}}
			n.SetBudgets(budgets)
			nodes = append(nodes, n)
		}
		admitted := map[string]bool{}
		check := func(when string) {
			t.Helper()
			sum, each := uint64(0), map[string]int{}
			for name := range admitted {
				u := usageOf(c.alive[name])
				q := u.reserved["requests.cpu"]
				sum += uint64(q.Value())
				each[u.owner]++
			}
			if sum > limit {
				t.Fatalf("%s: %d are admitted, the limit is %d", when, sum, limit)
			}
			for owner, n := range each {
				if n > 4 {
					t.Fatalf("%s: %s has %d", when, owner, n)
				}
			}
		}
		decide := func(n *node, name string, x *creation) {
			if n.usages[name] == nil { // its event has not been delivered
				return
			}
			delete(n.under, name)
			defer x.release()
			err := n.Admitted(x.ns)
			if err == nil {
				admitted[name] = true
				check("admitted " + name)
				return
			}
			refused := x.ns.DeepCopy()
			refused.Annotations[v1alpha1.AnnotationRefused] = "true"
			c.put(refused)
		}
		for step := range 400 {
			n := nodes[r.IntN(len(nodes))]
			switch r.IntN(10) {
			case 0, 1, 2: // a user requests a namespace
				name, owner := fmt.Sprintf("tmp-%d", step), fmt.Sprintf("user-%d", r.IntN(4))
				ns := wanted(name, owner, "default", amounts("requests.cpu", fmt.Sprint(1+r.IntN(4))))
				release, err := n.reserve(usageOf(ns), usageOf(ns).reserved) // without the grace period: time does not pass here
				if err != nil {
					if !apierrors.IsForbidden(err) {
						t.Fatal(err)
					}
					continue
				}
				if r.IntN(20) == 0 { // kube-apiserver rejects it
					release()
					continue
				}
				c.uids++
				x := &creation{made(ns, fmt.Sprint(c.uids)), release}
				c.put(x.ns)
				n.under[name] = x
			case 3: // an admitted or rejected namespace is deleted
				for name, ns := range c.alive {
					if admitted[name] || ns.Annotations[v1alpha1.AnnotationRefused] != "" {
						delete(admitted, name)
						c.remove(name)
						break
					}
				}
			case 4: // the watch is lost
				if r.IntN(5) == 0 {
					n.list(c, r)
				}
			case 5: // a replica is replaced; its open creations are decided from a list
				if r.IntN(20) == 0 {
					orphans := n.under
					fresh := &node{Tracker: New(), under: map[string]*creation{}}
					fresh.SetBudgets(budgets)
					fresh.list(c, r)
					*n = *fresh
					for name, x := range orphans {
						if c.alive[name] != nil {
							decide(n, name, &creation{x.ns, func() {}})
						}
					}
				}
			default:
				n.see(c, r)
			}
			for name, x := range n.under {
				decide(n, name, x)
			}
		}
		// Deliver all events and decide all creations.
		for quiet := false; !quiet; {
			quiet = true
			for _, n := range nodes {
				for n.at < len(c.log) {
					n.see(c, r)
					quiet = false
				}
				for name, x := range n.under {
					decide(n, name, x)
					quiet = false
				}
			}
		}
		free := limit
		for name := range admitted {
			q := usageOf(c.alive[name]).reserved["requests.cpu"]
			free -= uint64(q.Value())
		}
		for _, n := range nodes {
			if len(n.reservations) > 0 {
				t.Fatalf("creations that have ended still hold something: %v", n.reservations)
			}
			if _, err := n.reserve(usageOf(wanted("tmp-more", "new", "default", amounts("requests.cpu", fmt.Sprint(free+1)))),
				amounts("requests.cpu", fmt.Sprint(free+1))); err == nil {
				t.Fatal("more than the limit is let in")
			}
			if free == 0 {
				continue
			}
			release, err := n.reserve(usageOf(wanted("tmp-last", "new", "default", amounts("requests.cpu", fmt.Sprint(free)))),
				amounts("requests.cpu", fmt.Sprint(free), "count/temporarynamespaces", "1"))
			if err != nil {
				t.Fatalf("what is free is not given: %v", err)
			}
			release()
		}
	})
}
