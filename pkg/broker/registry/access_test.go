// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes/fake"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/nscache"
)

type noHandler struct{}

func (noHandler) OnList([]*corev1.Namespace) {}
func (noHandler) OnUpdate(*corev1.Namespace) {}
func (noHandler) OnDelete(*corev1.Namespace) {}

// allows returns an authorizer that grants the given verbs.
func allows(verbs ...string) authorizer.Authorizer {
	return authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision,
		string, error) {
		if slices.Contains(verbs, a.GetVerb()) {
			return authorizer.DecisionAllow, "", nil
		}
		return authorizer.DecisionNoOpinion, "", nil
	})
}

// A wrong answer would show or delete the namespace of another user. A system group,
// of which every user is a member, must not make all users owners.
func TestOwners(t *testing.T) {
	byUser := sampleNamespace("tmp-a", nil)
	byGroup := sampleNamespace("tmp-b", func(ns *corev1.Namespace) {
		ns.Annotations[v1alpha1.AnnotationOwnerGroup] = "devs"
	})
	unowned := sampleNamespace("tmp-c", func(ns *corev1.Namespace) { delete(ns.Annotations, v1alpha1.AnnotationOwner) })
	for name, c := range map[string]struct {
		user   user.Info
		owns   []string
		hashes int
	}{
		"the owner": {&user.DefaultInfo{Name: "alice", Groups: []string{"system:authenticated"}},
			[]string{"tmp-a"}, 1},
		"a member of the group": {&user.DefaultInfo{Name: "bob", Groups: []string{"devs", "ops"}}, []string{"tmp-b"}, 3},
		"the creator, as a member": {&user.DefaultInfo{Name: "alice", Groups: []string{"devs"}},
			[]string{"tmp-a", "tmp-b"}, 2},
		"another user":              {&user.DefaultInfo{Name: "mallory", Groups: []string{"", "system:masters"}}, nil, 1},
		"a user named as the group": {&user.DefaultInfo{Name: "devs"}, nil, 1},
		"without a name":            {&user.DefaultInfo{Groups: []string{"devs"}}, nil, 0},
		"no user":                   {nil, nil, 0},
	} {
		var owns []string
		for _, ns := range []*corev1.Namespace{byUser, byGroup, unowned} {
			if isOwner(c.user, ns) {
				owns = append(owns, ns.Name)
			}
		}
		if !slices.Equal(owns, c.owns) {
			t.Errorf("%s owns %q, want %q", name, owns, c.owns)
		}
		hashes := ownerHashes(c.user)
		if len(hashes) != c.hashes {
			t.Errorf("%s has %d hashes, want %d", name, len(hashes), c.hashes)
		}
		for _, ns := range []*corev1.Namespace{byUser, byGroup} { // a list selects by the hashes
			if hash := ownerHash(fromNamespace(ns)); slices.Contains(owns, ns.Name) != slices.Contains(hashes, hash) {
				t.Errorf("%s: the hashes do not select what the user owns: %s", name, ns.Name)
			}
		}
	}
}

// Without owners a list of Namespaces selects all: a request whose user is missing must
// be rejected, and only the verb may lift the selection.
func TestSelectorOf(t *testing.T) {
	alice := &user.DefaultInfo{Name: "alice"}
	broken := authorizer.AuthorizerFunc(func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
		return authorizer.DecisionNoOpinion, "", errors.New("no answer")
	})
	for name, c := range map[string]struct {
		user  user.Info
		authz authorizer.Authorizer
		all   bool
		fails func(error) bool
	}{
		"a user":           {alice, allows(), false, nil},
		"an auditor":       {alice, allows(v1alpha1.VerbViewAll), true, nil},
		"an administrator": {alice, allows(v1alpha1.VerbAdminister), true, nil},
		"no user":          {nil, allows(v1alpha1.VerbViewAll), false, apierrors.IsForbidden},
		"no answer":        {alice, broken, false, apierrors.IsServerTimeout},
	} {
		ctx := t.Context()
		if c.user != nil {
			ctx = request.WithUser(ctx, c.user)
		}
		r := &Registry{Authorizer: c.authz, Log: slog.New(slog.DiscardHandler)}
		s, err := r.selectorOf(ctx, nil)
		if c.fails != nil {
			if !c.fails(err) {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		if err != nil || s.all != c.all || (len(s.owners) == 0) != c.all {
			t.Errorf("%s: got %+v, %v, want all %t", name, s, err, c.all)
		}
	}
}

// The selector for kube-apiserver may be wider than that of the client, because matches
// filters again. If it were narrower, a user would miss namespaces.
func TestUpstream(t *testing.T) {
	many := make([]string, maxOwners+1)
	for i := range many {
		many[i] = "h"
	}
	name := fields.OneTermEqualSelector("metadata.name", "tmp-a")
	for title, c := range map[string]struct {
		s             selector
		labels, field string
	}{
		"of all": {selector{fields: fields.Everything(), all: true}, "tenama.dev/managed=true", ""},
		"of two owners": {selector{fields: fields.Everything(), owners: []string{"a", "b"}},
			"tenama.dev/managed=true,tenama.dev/owner-hash in (a,b)", ""},
		"of too many owners": {selector{fields: fields.Everything(), owners: many}, "tenama.dev/managed=true", ""},
		"by name":            {selector{fields: name, all: true}, "tenama.dev/managed=true", "metadata.name=tmp-a"},
		"by owner": {selector{fields: fields.OneTermEqualSelector(FieldOwner, "alice"), all: true},
			"tenama.dev/managed=true", ""},
		"by another name": {selector{fields: fields.OneTermNotEqualSelector("metadata.name", "tmp-a"), all: true},
			"tenama.dev/managed=true", ""},
	} {
		if got := c.s.upstream(nil); got.LabelSelector != c.labels || got.FieldSelector != c.field {
			t.Errorf("%s: got %q, %q, want %q, %q", title, got.LabelSelector, got.FieldSelector, c.labels, c.field)
		}
	}
}

// Labels of the Namespace are not those of the TemporaryNamespace, so matches must
// select by the latter; and by the owner again, because hashes may collide.
func TestMatches(t *testing.T) {
	tn := fromNamespace(sampleNamespace("tmp-a", func(ns *corev1.Namespace) {
		ns.Annotations[v1alpha1.AnnotationObject] = `{"labels":{"team":"a"}}`
	}))
	team := func(v string) labels.Selector { return labels.SelectorFromSet(labels.Set{"team": v}) }
	class := labels.SelectorFromSet(labels.Set{v1alpha1.LabelClass: "default"})
	alice, bob := []string{v1alpha1.OwnerHash("alice")}, []string{v1alpha1.OwnerHash("bob")}
	for name, c := range map[string]struct {
		s    selector
		want bool
	}{
		"everything":               {selector{labels: labels.Everything(), fields: fields.Everything()}, true},
		"its owner":                {selector{labels: labels.Everything(), fields: fields.Everything(), owners: alice}, true},
		"another owner":            {selector{labels: labels.Everything(), fields: fields.Everything(), owners: bob}, false},
		"its label":                {selector{labels: team("a"), fields: fields.Everything()}, true},
		"another value":            {selector{labels: team("b"), fields: fields.Everything()}, false},
		"a label of the Namespace": {selector{labels: class, fields: fields.Everything()}, false},
		"the name of its owner": {selector{labels: labels.Everything(),
			fields: fields.OneTermEqualSelector(FieldOwner, "alice")}, true},
		"the name of another": {selector{labels: labels.Everything(),
			fields: fields.OneTermEqualSelector(FieldOwner, "bob")}, false},
	} {
		if got := c.s.matches(tn); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}

// A repeated request must get the name of its first try, or it would create a second
// namespace; another request must not, or it would fail.
func TestGenerateName(t *testing.T) {
	kept := sampleNamespace("tmp-kept", func(ns *corev1.Namespace) {
		ns.Annotations[v1alpha1.AnnotationRequestID] = "kept"
	})
	r := &Registry{Cache: nscache.New(fake.NewClientset(kept), noHandler{})}
	if err := r.Cache.Start(t.Context(), func(*corev1.Namespace) {}); err != nil {
		t.Fatal(err)
	}
	alice, bob := &user.DefaultInfo{Name: "alice"}, &user.DefaultInfo{Name: "bob"}
	named := func(base, id, group string) *v1alpha1.TemporaryNamespace {
		tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{GenerateName: base}}
		if tn.Spec.OwnerGroup = group; id != "" {
			tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: id}
		}
		return tn
	}
	first := r.generateName(named("tmp-ci-", "1", ""), alice)
	if !strings.HasPrefix(first, "tmp-ci-") || len(first) > maxName {
		t.Errorf("got %q", first)
	}
	if again := r.generateName(named("tmp-ci-", "1", ""), alice); again != first {
		t.Errorf("repeated: %q, then %q", first, again)
	}
	for name, other := range map[string]string{
		"another request": r.generateName(named("tmp-ci-", "2", ""), alice),
		"another user":    r.generateName(named("tmp-ci-", "1", ""), bob),
	} {
		if other == first {
			t.Errorf("%s: %q again", name, other)
		}
	}
	if a, b := r.generateName(named("tmp-", "", ""), alice), r.generateName(named("tmp-", "", ""), alice); a == b {
		t.Errorf("without a request id: %q twice", a)
	}
	if got := r.generateName(named("tmp-", "kept", ""), alice); got != "tmp-kept" {
		t.Errorf("a request that created its namespace gets %q", got)
	}
	if got := r.generateName(named("tmp-", "kept", "devs"), alice); got == "tmp-kept" {
		t.Error("a request for a group gets a namespace of the user")
	}
	long := r.generateName(named("tmp-"+strings.Repeat("x", 70), "1", ""), alice)
	if len(long) > maxName || !strings.Contains(long[maxName-maxWords:], "-") {
		t.Errorf("a long prefix: got %q", long)
	}
}
