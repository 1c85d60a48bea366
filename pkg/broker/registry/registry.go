// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
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
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// Classes finds a class by name; the empty name is the default class. The revision
// in its status is that of its spec. Its errors are field errors of spec.className,
// ready for the caller.
type Classes interface {
	Class(ctx context.Context, name string) (*policyv1alpha1.NamespaceClass, error)
	// Outdated tells, in a word, whether a revision is the present one of a class.
	Outdated(name, revision string) string
}

// Admission decides what fits into the budgets.
type Admission interface {
	Order
	// Hold reserves what ns, which is to be made, will take; release gives it back.
	Hold(ctx context.Context, ns *corev1.Namespace) (release func(), err error)
	// HoldMore is Hold for a namespace that is there and is to take more.
	HoldMore(ns *corev1.Namespace) (release func(), err error)
	// Wait is Hold in a line, in which id keeps a place between requests.
	Wait(ctx context.Context, ns *corev1.Namespace, id string) (release func(), err error)
	// Again puts whoever had waited and lost a race back into their place; the error
	// tells it.
	Again(ns *corev1.Namespace, id string) error
	// Admitted tells whether ns, which Order has been told of, may be finished.
	Admitted(ns *corev1.Namespace) error
	// Groups are those of the given groups that some budget names.
	Groups(of []string) []string
}

// Registry serves TemporaryNamespaces. All exported fields are required.
type Registry struct {
	Client     kubernetes.Interface
	Dynamic    dynamic.Interface          // for objects of Kinds
	Kinds      policyv1alpha1.ObjectKinds // that classes may contain beside the guard rails
	Cache      *Cache
	Classes    Classes
	Admission  Admission
	Authorizer authorizer.Authorizer
	Log        *slog.Logger
	Prefixes   []string // one of them begins every name; the first is that of classes that say nothing
	Replica    string   // this process, among the replicas of the broker
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
	odd  sync.Map     // by name
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

// Get returns one TemporaryNamespace as kube-apiserver has it now, or no older
// than the resourceVersion of o. Errors: NotFound, also where it belongs to
// somebody else; BadRequest and Timeout for a resourceVersion that cannot be, or
// not yet.
func (r *Registry) Get(ctx context.Context, name string, o *metav1.GetOptions) (runtime.Object, error) {
	var version string
	if o != nil {
		version = o.ResourceVersion
	}
	ns, err := r.read(ctx, name, v1alpha1.VerbViewAll, version)
	if err != nil {
		return nil, err
	}
	tn := view(ns)
	warn(ctx, ns, tn)
	return tn, nil
}

// Delete begins the end of a TemporaryNamespace; the namespace is gone some seconds later, and until then it can be
// seen Terminating, whatever the propagation policy. Errors: NotFound; Conflict
// if a precondition does not hold; BadRequest for the policy Orphan, which
// nothing could honour.
func (r *Registry) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, o *metav1.DeleteOptions) (runtime.Object, bool, error) {
	ns, err := r.read(ctx, name, v1alpha1.VerbAdminister, "")
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
		//lint:ignore SA1019 old clients still send it
		if old := o.OrphanDependents; old != nil && *old || o.PropagationPolicy != nil && *o.PropagationPolicy == metav1.DeletePropagationOrphan {
			return nil, false, apierrors.NewBadRequest(fmt.Sprintf("cannot delete %q and orphan what depends on it: the namespace takes along all that is in it; use propagationPolicy Background or Foreground", name))
		}
		dryRun = o.DryRun
		if p := o.Preconditions; p != nil {
			if p.UID != nil && *p.UID != tn.UID {
				return nil, false, apierrors.NewConflict(groupResource, name, errUID)
			}
			if pre.ResourceVersion = p.ResourceVersion; pre.ResourceVersion != nil && *pre.ResourceVersion != ns.ResourceVersion {
				return nil, false, apierrors.NewConflict(groupResource, name, errChanged)
			}
		}
	}
	if ns.DeletionTimestamp != nil { // as for any object with finalizers: asking again changes nothing
		return tn, false, nil
	}
	out := &corev1.Namespace{}
	if err := r.Client.CoreV1().RESTClient().Delete().Resource("namespaces").Name(name).Body(&metav1.DeleteOptions{Preconditions: pre, DryRun: dryRun}).Do(ctx).Into(out); err != nil {
		return nil, false, r.translate(ctx, err, name)
	}
	if len(dryRun) == 0 {
		r.Log.Info("Deleted on request", "namespace", name, "uid", ns.UID, "user", userName(ctx), "owner", tn.Status.Owner, "auditID", auditID(ctx))
	}
	return view(out), false, nil
}

// read returns the live Namespace behind a TemporaryNamespace that the caller
// may touch: as its owner, or because RBAC grants the verb on all of them.
func (r *Registry) read(ctx context.Context, name, verb, version string) (*corev1.Namespace, error) {
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	ns := &corev1.Namespace{}
	if err := r.once(r.Client.CoreV1().RESTClient().Get()).Name(name).VersionedParams(&metav1.GetOptions{ResourceVersion: version}, metav1.ParameterCodec).Do(ctx).Into(ns); err != nil {
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
