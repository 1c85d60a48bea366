// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func authority(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// If the front proxy's CA also signs user certificates, and its names are not listed,
// every user could claim any identity: the broker must not start.
func TestSharedCA(t *testing.T) {
	users, proxy := authority(t, "users"), authority(t, "proxy")
	for name, c := range map[string]struct {
		users, proxy, names string
		refused             bool
	}{
		"apart":                    {users, proxy, `[]`, false},
		"apart, names listed":      {users, proxy, `["front-proxy-client"]`, false},
		"shared, names listed":     {users, users, `["front-proxy-client"]`, false},
		"shared, no names":         {users, users, `[]`, true},
		"shared, key absent":       {users, users, ``, true},
		"one of several is shared": {users, proxy + users, `[]`, true},
		"unreadable names":         {users, proxy, `x`, true},
	} {
		t.Run(name, func(t *testing.T) {
			cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: configNamespace, Name: configName},
				Data: map[string]string{
					"client-ca-file": c.users, "requestheader-client-ca-file": c.proxy, "requestheader-allowed-names": c.names,
					"requestheader-username-headers": `["X-Remote-User"]`, "requestheader-group-headers": `["X-Remote-Group"]`,
					"requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`,
				}}
			_, err := NewFrontProxy(t.Context(), fake.NewClientset(cm))
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
