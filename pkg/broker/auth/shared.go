// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/cert"
)

// configWatch checks each version of the ConfigMap in which kube-apiserver publishes the
// CA of the front proxy.
type configWatch struct {
	informer cache.SharedIndexInformer
	refused  atomic.Bool // an unsafe version was seen
	shared   chan error
}

// newConfigWatch checks the present version of the ConfigMap. Errors: ErrSharedCA, and
// those of kube-apiserver.
func newConfigWatch(ctx context.Context, client kubernetes.Interface) (*configWatch, error) {
	cm, err := client.CoreV1().ConfigMaps(configNamespace).Get(ctx, configName, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap \"%s/%s\": %w", configNamespace, configName, err)
	}
	for _, key := range []string{"requestheader-client-ca-file", "requestheader-username-headers"} {
		if cm.Data[key] == "" {
			return nil, fmt.Errorf("ConfigMap \"%s/%s\" has no key %q: set --%s and the other --requestheader flags of "+
				"kube-apiserver, which enable its aggregation layer", configNamespace, configName, key, key)
		}
	}
	if err := checkSeparateCA(cm); err != nil {
		return nil, err
	}
	w := &configWatch{shared: make(chan error, 1)}
	name := fields.OneTermEqualSelector("metadata.name", configName).String()
	one := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = name
			return client.CoreV1().ConfigMaps(configNamespace).List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = name
			return client.CoreV1().ConfigMaps(configNamespace).Watch(ctx, o)
		},
	}
	w.informer = cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(one, client),
		&corev1.ConfigMap{}, 0, cache.Indexers{})
	_, err = w.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    w.check,
		UpdateFunc: func(_, now any) { w.check(now) },
	})
	return w, err
}

// run follows the ConfigMap until ctx is done.
func (w *configWatch) run(ctx context.Context) { w.informer.RunWithContext(ctx) }

func (w *configWatch) check(o any) {
	if err := checkSeparateCA(o.(*corev1.ConfigMap)); err != nil && !w.refused.Swap(true) {
		w.shared <- err
	}
}

// guard returns an authenticator that authenticates no request from the moment that an
// unsafe version of the ConfigMap was seen.
func (w *configWatch) guard(next authenticator.Request) authenticator.Request {
	return authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
		if w.refused.Load() {
			return nil, false, nil
		}
		return next.AuthenticateRequest(r)
	})
}

// checkSeparateCA rejects a front-proxy CA that also verifies user certificates, unless
// the names of the front proxy are listed: with an empty list every certificate of the
// CA authenticates as the front proxy, so every user could claim any identity. A CA is
// its key: a renewed certificate has the same, and a CA of users that the front-proxy CA
// has signed is verified by it, too.
func checkSeparateCA(cm *corev1.ConfigMap) error {
	var names []string
	if s := cm.Data["requestheader-allowed-names"]; s != "" {
		if err := json.Unmarshal([]byte(s), &names); err != nil {
			return fmt.Errorf("read requestheader-allowed-names: %w", err)
		}
	}
	if len(names) > 0 || cm.Data["client-ca-file"] == "" {
		return nil
	}
	users, err := cert.ParseCertsPEM([]byte(cm.Data["client-ca-file"]))
	if err != nil {
		return fmt.Errorf("read client-ca-file: %w", err)
	}
	proxies, err := cert.ParseCertsPEM([]byte(cm.Data["requestheader-client-ca-file"]))
	if err != nil {
		return fmt.Errorf("read requestheader-client-ca-file: %w", err)
	}
	if shareCA(users, proxies) {
		return fmt.Errorf("%w: the front-proxy CA is also the CA of user certificates, and --requestheader-allowed-names "+
			"of kube-apiserver is empty, so any user could claim any identity: set that flag, or give the front proxy its "+
			"own CA", ErrSharedCA)
	}
	return nil
}

func shareCA(users, proxies []*x509.Certificate) bool {
	for _, u := range users {
		for _, p := range proxies {
			if bytes.Equal(u.RawSubjectPublicKeyInfo, p.RawSubjectPublicKeyInfo) || u.CheckSignatureFrom(p) == nil {
				return true
			}
		}
	}
	return false
}
