// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
)

const collection = "/apis/tenama.dev/v1alpha1/temporarynamespaces"

// direct returns a client for the broker's port that bypasses kube-apiserver.
func direct(t *testing.T, certPEM, keyPEM []byte) *http.Client {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true} // the test is about the broker, not its certificate
	if certPEM != nil {
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	tr := &http.Transport{TLSClientConfig: config}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

func send(t *testing.T, c *http.Client, method, url string, header map[string]string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// Only the front proxy's certificate may give an identity; headers alone, and any other
// certificate or token, must not.
func TestSpoofedHeadersDirectly(t *testing.T) {
	url := fmt.Sprintf("https://127.96.0.10:%d", shared.port)
	root := map[string]string{"X-Remote-User": "admin", "X-Remote-Group": "system:masters"}
	issue := func(authority, user string, groups ...string) *http.Client {
		cert, key, err := shared.Certificate(authority, user, groups...)
		if err != nil {
			t.Fatal(err)
		}
		return direct(t, cert, key)
	}
	token := map[string]string{"Authorization": "Bearer " + shared.Config("dora").BearerToken}
	for name, c := range map[string]struct {
		client *http.Client
		header map[string]string
		want   int
	}{
		"no certificate":                     {direct(t, nil, nil), root, 401},
		"a user's certificate":               {issue("client", "admin", "system:masters"), root, 401},
		"another name of the front-proxy CA": {issue("front-proxy", "mallory"), root, 401},
		"a serving certificate":              {issue("serving", "front-proxy-client"), root, 401},
		"a bearer token":                     {direct(t, nil, nil), token, 401},
		"the front proxy without a user":     {issue("front-proxy", "front-proxy-client"), nil, 401},
		"the front proxy for an unknown user": {
			issue("front-proxy", "front-proxy-client"), map[string]string{"X-Remote-User": "stranger"}, 403,
		},
		"the front proxy (control)": {issue("front-proxy", "front-proxy-client"), root, 200},
		"X-Remote-Uid without a user": {
			issue("front-proxy", "front-proxy-client"), map[string]string{"X-Remote-Uid": "uid-alice"}, 401,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{collection, collection + "/tmp-x"} {
				code, body := send(t, c.client, http.MethodGet, url+path, c.header)
				if c.want == 200 && path != collection {
					continue
				}
				if code != c.want || !strings.Contains(body, `"kind":"Status"`) && c.want != 200 {
					t.Errorf("%s: got %d %s, want %d and a Status", path, code, body, c.want)
				}
			}
		})
	}
	// Paths that do not exist must also require authentication, and must not redirect.
	for _, path := range []string{
		"/", "/healthz", "/metrics", "/debug/pprof/", "/apis//tenama.dev", "/apis/tenama.dev/../../x", collection + "//",
		collection + "/a/b",
	} {
		if code, body := send(t, direct(t, nil, nil), http.MethodGet, url+path, root); code != 401 {
			t.Errorf("%s without a certificate: got %d %s, want 401", path, code, body)
		}
		code, body := send(t, issue("front-proxy", "front-proxy-client"), http.MethodGet, url+path, root)
		if code != 404 || !strings.Contains(body, `"kind":"Status"`) {
			t.Errorf("%s: got %d %s, want 404 and a Status", path, code, body)
		}
	}
	code, _ := send(t, issue("front-proxy", "front-proxy-client"), http.MethodDelete, url+"/openapi/v3", root)
	if code != 405 {
		t.Errorf("DELETE of a document: got %d, want 405", code)
	}
}

// kube-apiserver must remove identity headers that a client sends.
func TestSpoofedHeadersThroughTheAPIServer(t *testing.T) {
	tn := borrow(t, user(t, "alice"), unique("spoof"), time.Hour)
	config := shared.Config("bob")
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	code, body := send(t, client, http.MethodGet, config.Host+collection+"/"+tn.Name, map[string]string{
		"X-Remote-User": "alice", "X-Remote-Group": "system:masters", "X-Remote-Uid": "uid-alice", "X-Remote-Extra-A": "b",
	})
	if code != http.StatusNotFound {
		t.Errorf("bob with alice's headers: got %d %s, want 404", code, body)
	}
}

// The broker must see every user under their own name, whatever characters it contains.
func TestUserIdentity(t *testing.T) {
	ctx := t.Context()
	grant := func(kind, name, namespace string) {
		t.Helper()
		s := rbacv1.Subject{Kind: kind, Name: name, Namespace: namespace}
		if namespace == "" {
			s.APIGroup = rbacv1.GroupName
		}
		_, err := admin().RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}, Subjects: []rbacv1.Subject{s},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "tenama:user"},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	certificate := func(name string) *rest.Config {
		config, err := shared.ConfigFor(name, "devs")
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	impersonate := func(name string, groups ...string) *rest.Config {
		config := shared.Config("admin")
		config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: groups}
		return config
	}
	if _, err := admin().CoreV1().ServiceAccounts("default").
		Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "pipeline"}},
			metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	path, err := shared.ServiceAccountKubeconfig(ctx, "default", "pipeline")
	if err != nil {
		t.Fatal(err)
	}
	grant("ServiceAccount", "pipeline", "default")
	for name, c := range map[string]struct {
		config *rest.Config
		owner  string
	}{
		"certificate":     {shared.Config("alice"), "alice"},
		"token":           {shared.Config("dora"), "dora"},
		"service account": {loadConfig(t, path), "system:serviceaccount:default:pipeline"},
		"impersonated":    {impersonate("dave", "devs"), "dave"},
		"space":           {certificate("Ann Example"), "Ann Example"},
		"colon":           {certificate("oidc:ann"), "oidc:ann"},
		"comma and quote": {certificate(`ann, "the" o'user`), `ann, "the" o'user`},
		"unicode":         {certificate("Jörg Ünïcode 日本"), "Jörg Ünïcode 日本"},
		"mail":            {certificate("ann+x@example.test"), "ann+x@example.test"},
		"url":             {certificate("https://accounts.example.test#1234%20"), "https://accounts.example.test#1234%20"},
		"very long":       {certificate(strings.Repeat("x", 300)), strings.Repeat("x", 300)},
	} {
		t.Run(name, func(t *testing.T) {
			client := as(t, c.config)
			if got, err := client.User(ctx); err != nil || got != c.owner {
				t.Fatalf("the user name in the cluster is %q (%v), want %q", got, err, c.owner)
			}
			tn := borrow(t, client, unique("self"), time.Hour)
			if tn.Status.Owner != c.owner {
				t.Errorf("the owner is %q, want %q", tn.Status.Owner, c.owner)
			}
			list, err := client.List(ctx, metav1.ListOptions{})
			if err != nil || !has(list, tn.Name) {
				t.Errorf("the owner's list does not contain it (%v)", err)
			}
			kube := kubernetesFor(t, c.config)
			if _, err := kube.CoreV1().ConfigMaps(tn.Name).
				Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{}); err != nil {
				t.Errorf("the owner has no access: %v", err)
			}
		})
	}
}

// Users of the system must not be given access; those that have it anyway may own.
func TestSystemUsers(t *testing.T) {
	config := shared.Config("admin")
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:kube-scheduler", Groups: []string{"devs"}}
	name := unique("sys")
	if _, err := as(t, config).
		Create(t.Context(), tns(name, time.Hour), metav1.CreateOptions{}); reason(err) != metav1.StatusReasonForbidden {
		t.Errorf("system:kube-scheduler: got %v, want Forbidden", err)
	}
	if ns, err := admin().CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) &&
		ns.DeletionTimestamp == nil {
		t.Errorf("its namespace still exists: %v", err)
	}
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:admin", Groups: []string{"system:masters"}}
	tn := borrow(t, as(t, config), unique("sys"), time.Hour)
	if tn.Status.Phase != v1alpha1.PhaseReady {
		t.Errorf("system:admin, which has all rights: got %+v", tn.Status)
	}
	for _, u := range []rest.ImpersonationConfig{
		{UserName: "system:anonymous", Groups: []string{"system:unauthenticated", "system:masters"}},
		{UserName: "system:node:n1", Groups: []string{"system:nodes", "devs"}},
		// A later account of that name would be the owner.
		{UserName: "system:serviceaccount:tmp-other:default", Groups: []string{"devs"}},
	} {
		config.Impersonate = u
		if _, err := as(t, config).
			Create(t.Context(), tns(unique("sys"), time.Hour),
				metav1.CreateOptions{}); reason(err) != metav1.StatusReasonForbidden {
			t.Errorf("%s: got %v, want Forbidden", u.UserName, err)
		}
	}
}

// Users without rights to tenama must get the usual error message of kube-apiserver.
func TestNoPermission(t *testing.T) {
	config, err := shared.ConfigFor("eve")
	if err != nil {
		t.Fatal(err)
	}
	_, err = as(t, config).Create(t.Context(), tns(unique("eve"), time.Hour), metav1.CreateOptions{})
	if reason(err) != metav1.StatusReasonForbidden ||
		!strings.Contains(err.Error(), `User "eve" cannot create resource "temporarynamespaces"`) {
		t.Errorf("got %v", err)
	}
}
