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

// Files are the kubeconfig files of a user, in order of precedence.
type Files struct {
	explicit string   // from --kubeconfig; if set, the only file
	list     []string // from KUBECONFIG, or ~/.kube/config
}

// Find returns the files that kubectl would use: the explicit one if it is set, else
// those in KUBECONFIG, else ~/.kube/config.
func Find(explicit string) *Files {
	if explicit != "" {
		return &Files{explicit: explicit, list: []string{explicit}}
	}
	f := &Files{}
	if env := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); env != "" {
		seen := map[string]bool{}
		for _, p := range filepath.SplitList(env) {
			if p != "" && !seen[p] { // an empty element does not mean the working directory
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

// Destination returns the file for new entries, by the rule of `kubectl config`: the
// explicit file; else the first one that exists; else the last one.
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

// load reads one file. A missing or empty file results in an empty configuration.
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

// parsed caches the results of the last calls of parse: a change parses the same
// content several times for verification, and a file can have thousands of entries.
var parsed struct {
	sync.Mutex
	of     [2][sha256.Size]byte
	config [2]*clientcmdapi.Config
	next   int
}

// parse parses a kubeconfig. The result is a copy that the caller can modify.
func parse(b []byte) (*clientcmdapi.Config, error) {
	parsed.Lock()
	defer parsed.Unlock()
	sum := sha256.Sum256(b)
	for i, of := range parsed.of {
		if of == sum && parsed.config[i] != nil {
			return parsed.config[i].DeepCopy(), nil
		}
	}
	c, err := parseUncached(b)
	if err != nil {
		return nil, err
	}
	parsed.of[parsed.next], parsed.config[parsed.next] = sum, c
	parsed.next = 1 - parsed.next
	return c.DeepCopy(), nil
}

func parseUncached(b []byte) (*clientcmdapi.Config, error) {
	c, err := clientcmd.Load(b)
	if err == nil {
		err = oneDocument(b)
	}
	if err != nil {
		return nil, err
	}
	// As in clientcmd.LoadFromFile, an entry without content must not be nil.
	for k, v := range c.Contexts {
		if v == nil {
			c.Contexts[k] = clientcmdapi.NewContext()
		}
	}
	return c, nil
}

// Merged is the merged configuration as kubectl sees it: the first file that sets a key
// takes precedence.
type Merged struct {
	Contexts       map[string]*clientcmdapi.Context
	CurrentContext string
	file           map[string]string          // by context: the file that takes precedence
	in             map[string]map[string]bool // by file and context: every occurrence
	current        map[string]string          // by file: its current-context
}

// Load reads and merges all files.
func (f *Files) Load() (*Merged, error) {
	m := &Merged{
		Contexts: map[string]*clientcmdapi.Context{},
		file:     map[string]string{}, in: map[string]map[string]bool{}, current: map[string]string{},
	}
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
