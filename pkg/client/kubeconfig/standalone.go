// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// credential is the name of the marker in a file that holds a credential of its own.
// It is another than that of a user's contexts: nothing ever edits such a file.
const credential = "tenama.dev/credential"

// mostBytes is more than a file of Standalone has.
const mostBytes = 1 << 20

// ErrForeign says that a file exists and is not one that Standalone made.
var ErrForeign = errors.New("it exists and was not written by tenama")

// Standalone is a kubeconfig that needs no other: one cluster, one credential, one
// namespace.
type Standalone struct {
	Context   string // the name of context, cluster and user
	Cluster   *clientcmdapi.Cluster
	User      *clientcmdapi.AuthInfo
	Namespace string
	ExpiresAt time.Time // of the credential; zero if that is not known
}

// Encode returns the file.
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
		Extensions: map[string]runtime.Object{credential: &runtime.Unknown{Raw: raw, ContentType: runtime.ContentTypeJSON}},
	}
	c.CurrentContext = s.Context
	return clientcmd.Write(*c)
}

// Write puts the file at path, in one step, for its owner's eyes alone (0600). It
// replaces what Write or nobody wrote (an empty file) and is the caller's, and returns
// ErrForeign for anything else: a credential is never merged into what somebody keeps,
// nor given to whoever put a file or a link there before.
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

// Replaceable returns nil if Write may write to path.
func Replaceable(path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("write kubeconfig %q: it is a link, and where a credential goes is not for others to say", path)
	}
	_, info, err := writable(path)
	switch {
	case err != nil || info == nil:
		return err
	case !Mine(info):
		return fmt.Errorf("write kubeconfig %q: it belongs to somebody else", path)
	case info.Size() == 0:
		return nil
	case info.Size() > mostBytes:
		return fmt.Errorf("write kubeconfig %q: %w", path, ErrForeign)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	c, err := parse(b)
	if err != nil || len(c.Contexts) != 1 || c.Contexts[c.CurrentContext] == nil || c.Contexts[c.CurrentContext].Extensions[credential] == nil {
		return fmt.Errorf("write kubeconfig %q: %w", path, ErrForeign)
	}
	return nil
}
