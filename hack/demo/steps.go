// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"
)

// steps shows the main use as alice and bob, whose kubeconfigs it copies into dir.
func steps(ctx context.Context, dir string, kubeconfig func(user string) string) error {
	alice, err := newShell(ctx, kubeconfig("alice"), dir, "alice")
	if err != nil {
		return err
	}
	bob, err := newShell(ctx, kubeconfig("bob"), dir, "bob")
	if err != nil {
		return err
	}
	before, err := os.ReadFile(alice.kubeconfig)
	if err != nil {
		return err
	}
	alice.run("kubectl config current-context", `(\S+)`)
	context := alice.match(1)

	say("Alice may not create a namespace, but can borrow one")
	alice.fails("kubectl create namespace mine", "forbidden")
	alice.run("kubectl tenama create --ttl 2h", `namespace/(tmp-[a-z0-9-]+) created`, "Expires in 2h")
	name := alice.match(1)
	alice.run("kubectl config current-context", "tenama-"+name)
	alice.run("kubectl create configmap greeting --from-literal=hello=world", "configmap/greeting created")
	alice.run("kubectl get configmap greeting -o jsonpath={.data.hello}", "world")
	alice.run("kubectl get resourcequota,limitrange,networkpolicy -o name", "resourcequota/tenama", "limitrange/tenama",
		"networkpolicy.networking.k8s.io/tenama")
	alice.fails("kubectl create service loadbalancer costly --tcp=80", "exceeded quota")
	alice.run("kubectl tenama list", `\*\s+`+name+`\s+\S+\s+Ready\s+\d+m\s+\S*alice`)
	alice.run("kubectl tenama extend --by 1h --reason 'the review takes longer'", `namespace/`+name+` extended`,
		"Expires in 3h")
	alice.run("kubectl get tns "+name+" -o wide", "the review takes longer")

	say("Bob can neither see nor change it")
	bob.run("kubectl tenama list", "No namespaces found")
	bob.fails("kubectl tenama extend "+name, "not found")
	bob.fails("kubectl tenama delete "+name, "not found")
	bob.fails("kubectl get configmaps -n "+name, "forbidden")

	say("A namespace with a TTL of eight seconds expires with its content")
	alice.run("kubectl tenama create short --ttl 8s", "namespace/tmp-short created")
	alice.run("kubectl create configmap gone-soon", "created")
	alice.run("kubectl tenama list", `tmp-short\s+\S+\s+Ready`)
	alice.until(40*time.Second, "kubectl get tns tmp-short", "NotFound")
	alice.run("kubectl tenama delete short --ignore-not-found", "removed")

	say("Alice deletes her namespace; her kubeconfig is as before")
	alice.run("kubectl tenama delete "+name, `namespace "`+name+`" deleted`,
		`current context is "`+regexp.QuoteMeta(context)+`" again`)
	alice.run("kubectl tenama list", "No namespaces found")
	alice.run("kubectl config current-context", regexp.QuoteMeta(context))
	if alice.err == nil {
		after, err := os.ReadFile(alice.kubeconfig)
		if err != nil {
			return err
		}
		if string(before) != string(after) {
			return fmt.Errorf("the kubeconfig differs from before:\n%s", after)
		}
		fmt.Println("# the kubeconfig has the same bytes")
	}
	if err := errors.Join(alice.err, bob.err); err != nil {
		return err
	}
	say("All steps succeeded")
	return nil
}
