// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Files are the kubeconfig files of a user, in the order in which they count.
type Files struct {
	explicit string   // from --kubeconfig; then it is the only one
	list     []string // from KUBECONFIG, or ~/.kube/config
}

// Find returns the files that kubectl would use: the explicit one if it is
// given, else those of KUBECONFIG, else ~/.kube/config.
func Find(explicit string) *Files {
	if explicit != "" {
		return &Files{explicit: explicit, list: []string{explicit}}
	}
	f := &Files{}
	if env := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); env != "" {
		seen := map[string]bool{}
		for _, p := range filepath.SplitList(env) {
			if p != "" && !seen[p] { // an empty element is not the working directory
				f.list = append(f.list, p)
				seen[p] = true
			}
		}
	}
	if len(f.list) == 0 {
		f.list = []string{clientcmd.RecommendedHomeFile}
	}
	return f
}

// Destination is the file that new entries go into, by the rule of `kubectl
// config`: the explicit one; else the first that exists; else the last.
func (f *Files) Destination() string {
	if f.explicit != "" {
		return f.explicit
	}
	for _, p := range f.list {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return f.list[len(f.list)-1]
}

// load reads one file. A file that is not there, or empty, is an empty
// configuration.
func load(path string) ([]byte, *clientcmdapi.Config, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, clientcmdapi.NewConfig(), nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	c, err := parse(b)
	if err != nil {
		return nil, nil, fmt.Errorf("parse kubeconfig %q: %w", path, err)
	}
	return b, c, nil
}

// parsed remembers what was read last: a change reads the same content again and again,
// to be sure of it, and a file may have thousands of entries.
var parsed struct {
	sync.Mutex
	of     [2][sha256.Size]byte
	config [2]*clientcmdapi.Config
	next   int
}

// parse reads a kubeconfig; the result is the caller's own.
func parse(b []byte) (*clientcmdapi.Config, error) {
	parsed.Lock()
	defer parsed.Unlock()
	sum := sha256.Sum256(b)
	for i, of := range parsed.of {
		if of == sum && parsed.config[i] != nil {
			return parsed.config[i].DeepCopy(), nil
		}
	}
	c, err := parseAnew(b)
	if err != nil {
		return nil, err
	}
	parsed.of[parsed.next], parsed.config[parsed.next] = sum, c
	parsed.next = 1 - parsed.next
	return c.DeepCopy(), nil
}

func parseAnew(b []byte) (*clientcmdapi.Config, error) {
	c, err := clientcmd.Load(b)
	if err == nil {
		err = oneDocument(b)
	}
	if err != nil {
		return nil, err
	}
	// As clientcmd.LoadFromFile: an entry without content is not nil.
	for k, v := range c.Contexts {
		if v == nil {
			c.Contexts[k] = clientcmdapi.NewContext()
		}
	}
	return c, nil
}

// Merged is what kubectl sees: the first file to set a key wins.
type Merged struct {
	Contexts       map[string]*clientcmdapi.Context
	CurrentContext string
	file           map[string]string          // of each context, the one that counts
	in             map[string]map[string]bool // file and context: all that there are
	current        map[string]string          // current-context of each file
}

// Load reads all files.
func (f *Files) Load() (*Merged, error) {
	m := &Merged{Contexts: map[string]*clientcmdapi.Context{}, file: map[string]string{}, in: map[string]map[string]bool{}, current: map[string]string{}}
	for _, p := range f.list {
		_, c, err := load(p)
		if err != nil {
			return nil, err
		}
		m.in[p], m.current[p] = map[string]bool{}, c.CurrentContext
		for name, context := range c.Contexts {
			m.in[p][name] = true
			if _, ok := m.Contexts[name]; !ok {
				m.Contexts[name], m.file[name] = context, p
			}
		}
		if m.CurrentContext == "" {
			m.CurrentContext = c.CurrentContext
		}
	}
	return m, nil
}
