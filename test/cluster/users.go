// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// certificateUsers authenticate with a client certificate; each has a kubeconfig
// DIR/NAME.kubeconfig, as do the components.
var certificateUsers = map[string]pkix.Name{
	"admin":              subject("admin", "", "system:masters"),
	"alice":              subject("alice", "uid-alice", "devs"),
	"bob":                subject("bob", "uid-bob", "devs"),
	"carol":              subject("carol", "uid-carol", "ops"),
	"controller-manager": subject("system:kube-controller-manager", ""),
}

// tokenUsers authenticate with a static bearer token. The map is from name to groups.
var tokenUsers = map[string]string{
	"dora": "devs",
	"erik": "ops",
}

// writeIdentities fills dir with certificates, keys, tokens and kubeconfigs. It does
// nothing if dir has them already for the same server.
func writeIdentities(dir, server string, hosts []string, further map[string]pkix.Name) error {
	pki := filepath.Join(dir, "pki")
	done := filepath.Join(pki, "server")
	switch b, err := os.ReadFile(done); {
	case err == nil && string(b) == server:
		return nil
	case err == nil:
		return fmt.Errorf("%s belongs to a control plane at %s: use the same port, or another directory", dir, b)
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(pki, 0o700); err != nil {
		return err
	}
	var errs []error
	put := func(name string, data []byte, err error) {
		if err == nil {
			err = os.WriteFile(filepath.Join(pki, name), data, 0o600)
		}
		errs = append(errs, err)
	}
	ca := map[string]*authority{}
	for _, name := range []string{"serving", "client", "front-proxy"} {
		a, err := newAuthority("tenama-test-" + name + "-ca")
		if err != nil {
			return err
		}
		key, err := encodeKey(a.key)
		put(name+"-ca.crt", a.pem, nil)
		put(name+"-ca.key", key, err)
		ca[name] = a
	}
	pair := func(name string, a *authority, subject pkix.Name, usage x509.ExtKeyUsage, hosts ...string) {
		cert, key, err := a.issue(subject, usage, hosts...)
		put(name+".crt", cert, err)
		put(name+".key", key, err)
	}
	pair("apiserver", ca["serving"], pkix.Name{CommonName: "kube-apiserver"}, x509.ExtKeyUsageServerAuth, hosts...)
	pair("front-proxy-client", ca["front-proxy"], pkix.Name{CommonName: "front-proxy-client"}, x509.ExtKeyUsageClientAuth)
	pair("kubelet-client", ca["client"], subject("kube-apiserver-kubelet-client", "", "system:masters"),
		x509.ExtKeyUsageClientAuth)

	sa, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := encodeKey(sa)
	put("sa.key", key, err)
	pub, err := x509.MarshalPKIXPublicKey(sa.Public())
	put("sa.pub", encode("PUBLIC KEY", pub), err)

	users := maps.Clone(certificateUsers)
	maps.Copy(users, further)
	for name, subject := range users {
		cert, key, err := ca["client"].issue(subject, x509.ExtKeyUsageClientAuth)
		if err != nil {
			return err
		}
		errs = append(errs,
			writeKubeconfig(dir, name, server, ca["serving"].pem, &clientcmdapi.AuthInfo{
				ClientCertificateData: cert, ClientKeyData: key,
			}))
	}
	var tokens strings.Builder
	for name, groups := range tokenUsers {
		token := rand.Text()
		fmt.Fprintf(&tokens, "%s,%s,uid-%s,%q\n", token, name, name, groups)
		errs = append(errs, writeKubeconfig(dir, name, server, ca["serving"].pem, &clientcmdapi.AuthInfo{Token: token}))
	}
	put("tokens.csv", []byte(tokens.String()), nil)
	put("server", []byte(server), nil)
	return errors.Join(errs...)
}

func writeKubeconfig(dir, user, server string, ca []byte, auth *clientcmdapi.AuthInfo) error {
	c := clientcmdapi.NewConfig()
	c.Clusters["test"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	c.AuthInfos[user] = auth
	c.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: user}
	c.CurrentContext = "test"
	return clientcmd.WriteToFile(*c, filepath.Join(dir, user+".kubeconfig"))
}
