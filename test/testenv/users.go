// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Certificate issues a client certificate signed by an authority of the cluster:
// "client" (its users), "front-proxy" or "serving".
func (c *Cluster) Certificate(authority, user string, groups ...string) (certPEM, keyPEM []byte, err error) {
	ca, err := tls.LoadX509KeyPair(filepath.Join(c.Dir, "pki", authority+"-ca.crt"),
		filepath.Join(c.Dir, "pki", authority+"-ca.key"))
	if err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: user, Organization: groups},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), err
}

// ConfigFor returns the client configuration of a user with a new certificate.
func (c *Cluster) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	cert, key, err := c.Certificate("client", user, groups...)
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(c.Config("admin"))
	config.QPS = -1
	config.CertData, config.KeyData = cert, key
	return config, nil
}

// Impersonate changes a kubeconfig with one user so that it acts as another one.
func Impersonate(path, user string, groups ...string) error {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return err
	}
	for _, auth := range config.AuthInfos {
		auth.Impersonate, auth.ImpersonateGroups = user, groups
	}
	return clientcmd.WriteToFile(*config, path)
}
