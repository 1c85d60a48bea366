// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// credentialExtension is the name of the marker extension in a file that holds its own
// credential. It differs from the marker of the contexts in a user's kubeconfig,
// because such a file is never edited.
const credentialExtension = "tenama.dev/credential"

// maxStandaloneSize is an upper limit for the size of a file written by Standalone.
const maxStandaloneSize = 1 << 20

// maxCredentialSize is the room that a file with a credential is tried to have.
const maxCredentialSize = 16 << 10

// ErrForeign means that a file exists and was not written by Standalone.
var ErrForeign = errors.New("the file exists and was not written by tenama")

// Standalone is a self-contained kubeconfig: one cluster, one credential, one
// namespace.
type Standalone struct {
	Context   string // name of the context, the cluster and the user
	Cluster   *clientcmdapi.Cluster
	User      *clientcmdapi.AuthInfo
	Namespace string
	ExpiresAt time.Time // expiry of the credential; zero if unknown
}

// Encode returns the content of the file.
func (s Standalone) Encode() ([]byte, error) {
	raw, err := json.Marshal(struct {
		ExpiresAt time.Time `json:"expiresAt,omitzero"`
	}{s.ExpiresAt.UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	c := clientcmdapi.NewConfig()
	c.Clusters[s.Context], c.AuthInfos[s.Context] = s.Cluster, s.User
	c.Contexts[s.Context] = &clientcmdapi.Context{
		Cluster: s.Context, AuthInfo: s.Context, Namespace: s.Namespace,
		Extensions: map[string]runtime.Object{
			credentialExtension: &runtime.Unknown{Raw: raw, ContentType: runtime.ContentTypeJSON},
		},
	}
	c.CurrentContext = s.Context
	return clientcmd.Write(*c)
}

// Write atomically writes the file at path, readable only by its owner (0600). It
// replaces an existing file only if the caller owns it and it is empty or was written
// by Write; it returns ErrForeign for the content of any other file. A credential is
// thus never merged into a user's own file, and never disclosed through a file or link
// that another user placed at path.
func (s Standalone) Write(path string) error {
	if err := Replaceable(path); err != nil {
		return err
	}
	b, err := s.Encode()
	if err != nil {
		return fmt.Errorf("encode kubeconfig: %w", err)
	}
	return writeAs(path, b, 0o600)
}

// Replaceable returns nil if Write is allowed to write to path.
func Replaceable(path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("write kubeconfig %q: it is a symbolic link", path)
	}
	target, info, err := writable(path)
	if err == nil {
		err = writableDir(filepath.Dir(target), target, maxCredentialSize)
	}
	switch {
	case err != nil:
		return fmt.Errorf("write kubeconfig: %w", err)
	case info == nil:
		return nil
	case !OwnedByCaller(info):
		return fmt.Errorf("write kubeconfig %q: it belongs to another user", path)
	case info.Size() == 0:
		return nil
	case info.Size() > maxStandaloneSize:
		return fmt.Errorf("write kubeconfig %q: %w", path, ErrForeign)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	c, err := parse(b)
	if err != nil || len(c.Contexts) != 1 || c.Contexts[c.CurrentContext] == nil ||
		c.Contexts[c.CurrentContext].Extensions[credentialExtension] == nil {
		return fmt.Errorf("write kubeconfig %q: %w", path, ErrForeign)
	}
	return nil
}
