// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
)

// authority is a CA.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certify(t, name, key, nil)
}

// certify returns a CA with a key, signed by another one, or by itself.
func certify(t *testing.T, name string, key *ecdsa.PrivateKey, by *authority) *authority {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	if by == nil {
		by = &authority{cert: c, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func configMap(users, proxy, names string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: configNamespace, Name: configName},
		Data: map[string]string{
			"client-ca-file": users, "requestheader-client-ca-file": proxy, "requestheader-allowed-names": names,
			"requestheader-username-headers": `["X-Remote-User"]`, "requestheader-group-headers": `["X-Remote-Group"]`,
			"requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`,
		}}
}

// If the front proxy's CA also signs user certificates, and its names are not listed,
// every user could claim any identity: the broker must not start.
func TestSharedCA(t *testing.T) {
	userCA, proxyCA := newAuthority(t, "users"), newAuthority(t, "proxy")
	users, proxy := userCA.pem, proxyCA.pem
	for name, c := range map[string]struct {
		users, proxy, names string
		refused             bool
	}{
		"apart":                             {users, proxy, `[]`, false},
		"apart, names listed":               {users, proxy, `["front-proxy-client"]`, false},
		"shared, names listed":              {users, users, `["front-proxy-client"]`, false},
		"shared, no names":                  {users, users, `[]`, true},
		"shared, key absent":                {users, users, ``, true},
		"one of several is shared":          {users, proxy + users, `[]`, true},
		"unreadable names":                  {users, proxy, `x`, true},
		"shared, renewed with the same key": {users, certify(t, "users 2", userCA.key, nil).pem, `[]`, true},
		"shared, the CA of users is signed by that of the front proxy": {certify(t, "users 3", newAuthority(t, "x").key,
			proxyCA).pem, proxy, `[]`, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewFrontProxy(t.Context(), fake.NewClientset(configMap(c.users, c.proxy, c.names)))
			if (err != nil) != c.refused {
				t.Errorf("got %v", err)
			}
			if c.refused && strings.HasPrefix(name, "shared") &&
				!strings.Contains(err.Error(), "--requestheader-allowed-names") {
				t.Errorf("%v names no remedy", err)
			}
		})
	}
	if _, err := NewFrontProxy(t.Context(), fake.NewClientset()); err == nil {
		t.Error("it starts without the ConfigMap")
	}
}

// A cluster whose front proxy is not configured must say which flags are missing.
func TestFrontProxyNotConfigured(t *testing.T) {
	for _, key := range []string{"requestheader-client-ca-file", "requestheader-username-headers"} {
		cm := configMap(newAuthority(t, "users").pem, newAuthority(t, "proxy").pem, "[]")
		delete(cm.Data, key)
		_, err := NewFrontProxy(t.Context(), fake.NewClientset(cm))
		if err == nil || !strings.Contains(err.Error(), "--"+key) || errors.Is(err, ErrSharedCA) {
			t.Errorf("without %s: got %v, want the flag", key, err)
		}
	}
}

// A CA that becomes shared while the broker runs must end its service at once: every
// user's own certificate would let them claim any identity.
func TestCABecomesShared(t *testing.T) {
	users, proxy := newAuthority(t, "users").pem, newAuthority(t, "proxy").pem
	client := fake.NewClientset(configMap(users, proxy, "[]"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f, err := NewFrontProxy(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	go f.config.run(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), f.config.informer.HasSynced) {
		t.Fatal("the ConfigMap is not known")
	}
	cms := client.CoreV1().ConfigMaps(configNamespace)
	if _, err := cms.Update(ctx, configMap(users, proxy, `["front-proxy"]`), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cms.Update(ctx, configMap(users, users, `["front-proxy"]`), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	anyone := f.config.guard(authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return &authenticator.Response{}, true, nil
	}))
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	if _, ok, _ := anyone.AuthenticateRequest(request); !ok {
		t.Error("no request is authenticated, although the names of the front proxy are listed")
	}
	if _, err := cms.Update(ctx, configMap(users, users, "[]"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-f.Shared:
		if !errors.Is(err, ErrSharedCA) {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing noticed that the CA is shared")
	}
	if _, ok, _ := anyone.AuthenticateRequest(request); ok {
		t.Error("a request was authenticated")
	}
}
