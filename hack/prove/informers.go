// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	"tenama.dev/tenama/api/v1alpha1"
)

// recorder records the events that the handlers of an informer received.
type recorder struct {
	mu       sync.Mutex
	versions map[string]string // resourceVersion, by name
}

func record(informer cache.SharedIndexInformer) (*recorder, error) {
	r := &recorder{versions: map[string]string{}}
	note := func(o any, gone bool) {
		if tomb, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = tomb.Obj
		}
		m, err := meta.Accessor(o)
		if err != nil {
			return // a missing event shows
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.versions[m.GetName()] = m.GetResourceVersion(); gone {
			delete(r.versions, m.GetName())
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { note(o, false) }, UpdateFunc: func(_, o any) { note(o, false) },
		DeleteFunc: func(o any) { note(o, true) },
	})
	return r, err
}

// compare returns an error unless the events lead to the same state as a list.
func (r *recorder) compare(name string, list *v1alpha1.TemporaryNamespaceList) error {
	want := map[string]string{}
	for _, tn := range list.Items {
		want[tn.Name] = tn.ResourceVersion
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !maps.Equal(want, r.versions) {
		return fmt.Errorf("the %s has %d namespaces, which differ from the %d of a list", name, len(r.versions), len(want))
	}
	return nil
}

// metric returns a whole number from a text with a name and a value on each line.
func metric(text, name string) (int, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			var v float64
			_, err := fmt.Sscan(strings.TrimSpace(rest), &v)
			return int(v), err
		}
	}
	return 0, fmt.Errorf("find %q", name)
}
