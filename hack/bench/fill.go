// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// ownOf is how many namespaces the user has whose lists are measured, and filler is the
// name of number i of the namespaces of others.
const ownOf = 10

func filler(i int) string { return fmt.Sprintf("tmp-o%d", i) }

// ownerOf is the owner of number i of them.
func ownerOf(i int) string { return fmt.Sprintf("owner-%d", i%500) }

// lendTo creates ownOf namespaces for a user, tmp-own-0 and so on.
func lendTo(ctx context.Context, c *testenv.Cluster, user string) error {
	client, err := userOf(c, user)
	if err != nil {
		return err
	}
	for i := range ownOf {
		if err := creator(client)(ctx, fmt.Sprintf("tmp-own-%d", i)); err != nil {
			return err
		}
	}
	return nil
}

// fill creates the namespaces number first+1 to last of 500 other owners, in the state in
// which the broker leaves them if their class has no objects. It copies tmp-own-0.
func fill(ctx context.Context, c *testenv.Cluster, b *testenv.Broker, first, last int) error {
	admin := c.Client("admin")
	like, err := admin.CoreV1().Namespaces().Get(ctx, "tmp-own-0", metav1.GetOptions{})
	if err != nil {
		return err
	}
	delete(like.Labels, corev1.LabelMetadataName)
	// Their owners are not bound, and an inspection would record that.
	like.Annotations[v1alpha1.AnnotationOwnerAccess] = v1alpha1.OwnerAccessMissing
	bind, err := admin.RbacV1().RoleBindings(like.Name).Get(ctx, v1alpha1.RoleBindingBroker, metav1.GetOptions{})
	if err != nil {
		return err
	}
	bind.ObjectMeta = metav1.ObjectMeta{Name: bind.Name, Labels: bind.Labels,
		Annotations: map[string]string{v1alpha1.AnnotationGuardRails: "[]"}}
	if err := withoutPolicies(ctx, c, b, func() error {
		_, err := crowd(ctx, 16, last-first, func(i int) error {
			owner := ownerOf(first + i)
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name: filler(first + i), Labels: maps.Clone(like.Labels), Annotations: maps.Clone(like.Annotations),
			}}
			ns.Labels[v1alpha1.LabelOwner], ns.Annotations[v1alpha1.AnnotationOwner] = v1alpha1.OwnerHash(owner), owner
			if _, err := admin.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
				return err
			}
			_, err := admin.RbacV1().RoleBindings(ns.Name).Create(ctx, bind, metav1.CreateOptions{})
			return err
		})
		return err
	}); err != nil {
		return err
	}
	// The controllers create an account and a certificate in each namespace: wait for them.
	return testenv.Eventually(10*time.Minute, func() error {
		_, err := admin.CoreV1().ServiceAccounts(filler(last)).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}
