// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/handlers"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/registry"
)

const (
	maxBodyBytes = 64 << 10 // a TemporaryNamespace has some hundred bytes
	maxWatch     = 30 * time.Minute
)

// slash matches an optional slash at the end of a path, as kube-apiserver does.
const slash = "{slash:/?}"

var (
	pathRoot    = "/apis"
	pathGroup   = "/apis/" + v1alpha1.GroupVersion.Group
	pathVersion = "/apis/" + v1alpha1.GroupVersion.String()
	pathAll     = pathVersion + "/" + v1alpha1.Resource.Resource + slash
	pathOne     = pathVersion + "/" + v1alpha1.Resource.Resource + "/{name}" + slash
)

// openPaths need no authorization: their content is the same for all users.
var openPaths = []string{pathRoot, pathRoot + "/", pathGroup, pathGroup + "/", pathVersion, pathVersion + "/",
	pathOpenAPIV2, pathOpenAPIV3, pathOpenAPIGroup}

// routes returns a handler with all paths of the broker; there are no others. none admits
// every object: what a cluster's admission would check is no object of kube-apiserver.
func routes(tns *registry.Registry, authz authorizer.Authorizer, none admission.Interface) (http.Handler, error) {
	scope, err := requestScope(tns, authz)
	if err != nil {
		return nil, err
	}
	patches := []string{string(types.JSONPatchType), string(types.MergePatchType), string(types.ApplyYAMLPatchType)}
	root, group, version := discoveryHandlers()

	// SkipClean: mux would redirect a path that it can clean, and kube-apiserver
	// rejects redirects.
	r := mux.NewRouter().SkipClean(true)
	r.NotFoundHandler = http.HandlerFunc(notFound)
	r.MethodNotAllowedHandler = http.HandlerFunc(methodNotAllowed)
	read := []string{http.MethodGet, http.MethodHead}
	r.Handle(pathRoot, root).Methods(read...)
	r.Handle(pathGroup+slash, group).Methods(read...)
	r.Handle(pathVersion+slash, version).Methods(read...)
	r.Handle(pathOpenAPIV2, static("application/json", openAPIV2)).Methods(read...)
	r.Handle(pathOpenAPIV3, static("application/json", openAPIIndex())).Methods(read...)
	r.Handle(pathOpenAPIGroup, static("application/json", openAPIV3)).Methods(read...)
	r.Handle(pathAll, newLists(handlers.ListResource(tns, tns, scope, false, maxWatch), tns)).Methods(read...)
	r.HandleFunc(pathOne, handlers.GetResource(tns, scope)).Methods(read...)
	for _, write := range []struct {
		method, path string
		handler      func() http.HandlerFunc
	}{
		{http.MethodPost, pathAll, func() http.HandlerFunc { return handlers.CreateResource(tns, scope, none) }},
		{http.MethodDelete, pathAll, func() http.HandlerFunc { return handlers.DeleteCollection(tns, true, scope, none) }},
		{http.MethodPut, pathOne, func() http.HandlerFunc { return handlers.UpdateResource(tns, scope, none) }},
		{http.MethodPatch, pathOne, func() http.HandlerFunc { return handlers.PatchResource(tns, scope, none, patches) }},
		{http.MethodDelete, pathOne, func() http.HandlerFunc { return handlers.DeleteResource(tns, true, scope, none) }},
	} {
		// A handler for each request: those of k8s.io/apiserver wrap their admission once more
		// in each request, in a variable that all requests share. That is a race, and each
		// write would take longer than the one before.
		r.HandleFunc(write.path, func(w http.ResponseWriter, req *http.Request) { write.handler()(w, req) }).
			Methods(write.method)
	}
	return r, nil
}

// requestScope returns the description of the resource that the handlers need.
func requestScope(tns *registry.Registry, authz authorizer.Authorizer) (*handlers.RequestScope, error) {
	converter, err := typeConverter()
	if err != nil {
		return nil, err
	}
	gv := v1alpha1.GroupVersion
	readOnly := fieldpath.NewExcludeSetFilter(fieldpath.NewSet(fieldpath.MakePathOrDie("status")))
	fields, err := managedfields.NewDefaultFieldManager(converter, scheme, scheme, scheme, v1alpha1.Kind, gv, "",
		map[fieldpath.APIVersion]fieldpath.Filter{fieldpath.APIVersion(gv.String()): readOnly})
	if err != nil {
		return nil, err
	}
	return &handlers.RequestScope{
		Namer:      handlers.ContextBasedNaming{Namer: meta.NewAccessor(), ClusterScoped: true},
		Serializer: codecs, ParameterCodec: parameterCodec,
		Creater: scheme, Convertor: scheme, Defaulter: scheme, Typer: scheme, UnsafeConvertor: scheme,
		Authorizer: authz, EquivalentResourceMapper: runtime.NewEquivalentResourceRegistry(),
		TableConvertor: tns, FieldManager: fields,
		Resource: v1alpha1.Resource, Kind: v1alpha1.Kind, HubGroupVersion: gv, MetaGroupVersion: metav1.SchemeGroupVersion,
		MaxRequestBodyBytes: maxBodyBytes,
	}, nil
}

func notFound(w http.ResponseWriter, r *http.Request) {
	err := apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, v1alpha1.Resource.GroupResource(), "",
		"", 0, true)
	responsewriters.ErrorNegotiated(err, codecs, v1alpha1.GroupVersion, w, r)
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	responsewriters.ErrorNegotiated(apierrors.NewMethodNotSupported(v1alpha1.Resource.GroupResource(), r.Method), codecs,
		v1alpha1.GroupVersion, w, r)
}
