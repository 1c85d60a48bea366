// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/kubernetes"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// Classes finds a class by name; the empty name is the default class. Its
// errors are field errors of spec.className, ready for the caller.
type Classes interface {
	Class(ctx context.Context, name string) (*policyv1alpha1.NamespaceClass, error)
}

// Registry serves TemporaryNamespaces. All exported fields are required.
type Registry struct {
	Client     kubernetes.Interface
	Cache      *Cache
	Classes    Classes
	Authorizer authorizer.Authorizer
	Log        *slog.Logger
	Prefix     string // of every name
	Replica    string // this process, among the replicas of the broker
	Self       Subject
	ServerTime func() time.Time // kube-apiserver's clock, within two seconds; zero if it is not known
	// Contained is nil while the policies are known to hold the broker; until
	// then nothing is expired, finished or put back.
	Contained func() error
	// Drifted is called for each guard rail that was found not to be as it was
	// made: its kind, one of Missing and Changed, and one of Restored, Refused
	// and Released.
	Drifted func(kind, was, became string)

	work atomic.Int64 // creates under way; they go on although their caller may be gone
}

// Subject is the ServiceAccount that the broker runs as.
type Subject struct{ Namespace, Name string }

var (
	_ rest.Getter            = &Registry{}
	_ rest.Lister            = &Registry{}
	_ rest.Watcher           = &Registry{}
	_ rest.Creater           = &Registry{}
	_ rest.Patcher           = &Registry{}
	_ rest.GracefulDeleter   = &Registry{}
	_ rest.CollectionDeleter = &Registry{}
	_ rest.Scoper            = &Registry{}
	_ rest.TableConvertor    = &Registry{}
)

// New returns an empty TemporaryNamespace, for decoding.
func (r *Registry) New() runtime.Object { return &v1alpha1.TemporaryNamespace{} }

// NewList returns an empty TemporaryNamespaceList, for decoding.
func (r *Registry) NewList() runtime.Object { return &v1alpha1.TemporaryNamespaceList{} }

// NamespaceScoped is false.
func (r *Registry) NamespaceScoped() bool { return false }

// GetSingularName is the singular name of the resource.
func (r *Registry) GetSingularName() string { return v1alpha1.Singular }

// Destroy does nothing: whoever made the parts stops them.
func (r *Registry) Destroy() {}

// Drain waits until no namespace is being made any more, or ctx is done.
func (r *Registry) Drain(ctx context.Context) {
	for r.work.Load() > 0 && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
}

// Get returns one TemporaryNamespace as kube-apiserver has it now. Errors:
// NotFound, also where it belongs to somebody else.
func (r *Registry) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	ns, err := r.read(ctx, name, v1alpha1.VerbViewAll)
	if err != nil {
		return nil, err
	}
	return view(ns), nil
}

// Delete begins the end of a TemporaryNamespace. It answers with the object as
// it was; the namespace is gone some seconds later. Errors: NotFound; Conflict
// if a precondition does not hold.
func (r *Registry) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, o *metav1.DeleteOptions) (runtime.Object, bool, error) {
	ns, err := r.read(ctx, name, v1alpha1.VerbAdminister)
	if err != nil {
		return nil, false, err
	}
	tn := view(ns)
	if validate != nil {
		if err := validate(ctx, tn); err != nil {
			return nil, false, err
		}
	}
	pre := &metav1.Preconditions{UID: &ns.UID}
	var dryRun []string
	if o != nil {
		dryRun = o.DryRun
		if p := o.Preconditions; p != nil {
			if p.UID != nil && *p.UID != tn.UID {
				return nil, false, apierrors.NewConflict(groupResource, name, errUID)
			}
			pre.ResourceVersion = p.ResourceVersion
		}
	}
	if ns.DeletionTimestamp != nil { // as for any object with finalizers: asking again changes nothing
		return tn, false, nil
	}
	if err := r.Client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{Preconditions: pre, DryRun: dryRun}); err != nil {
		return nil, false, r.translate(ctx, err, name)
	}
	if len(dryRun) == 0 {
		r.Log.Info("Deleted on request", "namespace", name, "uid", ns.UID, "user", userName(ctx), "owner", tn.Status.Owner, "auditID", auditID(ctx))
	}
	return tn, false, nil
}

// read returns the live Namespace behind a TemporaryNamespace that the caller
// may touch: as its owner, or because RBAC grants the verb on all of them.
func (r *Registry) read(ctx context.Context, name, verb string) (*corev1.Namespace, error) {
	ns, err := r.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, r.translate(ctx, err, name)
	}
	if !managed(ns) {
		return nil, notFound(name)
	}
	if owns(ctx, ns) {
		return ns, nil
	}
	ok, err := r.may(ctx, verb)
	if err != nil {
		return nil, err
	}
	if ok {
		return ns, nil
	}
	if verb != v1alpha1.VerbViewAll { // who can see it must not be told that it is not there
		if ok, err := r.may(ctx, v1alpha1.VerbViewAll); err == nil && ok {
			return nil, apierrors.NewForbidden(groupResource, name, errNotOwner)
		}
	}
	return nil, notFound(name)
}

func owns(ctx context.Context, ns *corev1.Namespace) bool {
	name := userName(ctx)
	return name != "" && ns.Annotations[v1alpha1.AnnotationOwner] == name
}

// may tells whether RBAC grants the caller a verb on all temporary namespaces.
// To administer them is to view them all, too.
func (r *Registry) may(ctx context.Context, verb string) (bool, error) {
	u, ok := request.UserFrom(ctx)
	if !ok {
		return false, nil
	}
	verbs := []string{verb}
	if verb == v1alpha1.VerbViewAll {
		verbs = append(verbs, v1alpha1.VerbAdminister)
	}
	for _, v := range verbs {
		d, _, err := r.Authorizer.Authorize(ctx, authorizer.AttributesRecord{
			User: u, Verb: v, APIGroup: groupResource.Group, APIVersion: v1alpha1.GroupVersion.Version, Resource: groupResource.Resource, ResourceRequest: true,
		})
		if err != nil {
			r.Log.Warn("Access review failed", "user", u.GetName(), "verb", v, "err", err, "auditID", auditID(ctx))
			return false, apierrors.NewServerTimeout(groupResource, "authorize", 1)
		}
		if d == authorizer.DecisionAllow {
			return true, nil
		}
	}
	return false, nil
}

func userName(ctx context.Context) string {
	if u, ok := request.UserFrom(ctx); ok {
		return u.GetName()
	}
	return ""
}

func userOf(ctx context.Context) user.Info {
	u, _ := request.UserFrom(ctx)
	return u
}

// detach returns a context that outlives the caller, for at most d: what has
// begun to be made is finished although nobody waits for the answer.
func detach(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}
