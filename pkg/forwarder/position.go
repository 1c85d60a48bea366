// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// maxPosition bounds a position that is read, in bytes: what is compressed can be anything.
const maxPosition = 64 << 20

// position is what an endpoint was told so far.
type position struct {
	// ResourceVersion is that of the last event that was handled; empty before the first.
	ResourceVersion string `json:"resourceVersion,omitempty"`
	// Known are the namespaces that the endpoint was told of, by name.
	Known map[string]record `json:"known"`
	// Gone is a hash of the URL that answered 410.
	Gone string `json:"gone,omitempty"`
}

func (p *position) encode() ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(p); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func decodePosition(b []byte) (*position, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	p := &position{}
	if err := json.NewDecoder(io.LimitReader(z, maxPosition)).Decode(p); err != nil {
		return nil, err
	}
	if p.Known == nil {
		p.Known = map[string]record{}
	}
	return p, nil
}

// store keeps the positions of all endpoints in one ConfigMap, each in a key with the name of
// the endpoint. The ConfigMap exists: the forwarder has no right to create one.
type store struct {
	client          kubernetes.Interface
	namespace, name string
	mu              sync.Mutex // so that endpoints do not conflict with one another
}

// load returns the position of an endpoint; one without namespaces if it has none. Errors: those
// of kube-apiserver, and that the position cannot be read.
func (s *store) load(ctx context.Context, endpoint string) (*position, error) {
	m, err := s.client.CoreV1().ConfigMaps(s.namespace).Get(ctx, s.name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the position: %w", err)
	}
	b, ok := m.BinaryData[endpoint]
	if !ok {
		return nil, nil
	}
	p, err := decodePosition(b)
	if err != nil {
		return nil, fmt.Errorf("read the position of %q in ConfigMap %q (to begin again, remove the key): %w", endpoint,
			s.name, err)
	}
	return p, nil
}

// save writes the position of an endpoint.
func (s *store) save(ctx context.Context, endpoint string, p *position) error {
	b, err := p.encode()
	if err != nil {
		return fmt.Errorf("encode the position: %w", err)
	}
	return s.change(ctx, func(data map[string][]byte) { data[endpoint] = b })
}

// keep removes the positions of all endpoints but the given ones.
func (s *store) keep(ctx context.Context, endpoints map[string]bool) error {
	return s.change(ctx, func(data map[string][]byte) {
		maps.DeleteFunc(data, func(name string, _ []byte) bool { return !endpoints[name] })
	})
}

func (s *store) change(ctx context.Context, change func(map[string][]byte)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		m, err := s.client.CoreV1().ConfigMaps(s.namespace).Get(ctx, s.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		next := &corev1.ConfigMap{ObjectMeta: m.ObjectMeta, BinaryData: maps.Clone(m.BinaryData)}
		if next.BinaryData == nil {
			next.BinaryData = map[string][]byte{}
		}
		change(next.BinaryData)
		_, err = s.client.CoreV1().ConfigMaps(s.namespace).Update(ctx, next, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("write the position: %w", err)
	}
	return nil
}
