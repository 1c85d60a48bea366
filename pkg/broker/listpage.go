// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// listPage is a page of a list in any of the forms that a client can ask for:
// TemporaryNamespaceList, PartialObjectMetadataList or Table.
type listPage struct {
	listHead
	key   string // of the items
	items []byte // separated by commas
}

// readPage reads an encoded page. In all forms the items come last, and so need not be
// decoded.
func readPage(body []byte) (*listPage, error) {
	p := &listPage{}
	body = bytes.TrimSpace(body)
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var into any
		switch key {
		case "kind":
			into = &p.Kind
		case "apiVersion":
			into = &p.APIVersion
		case "metadata":
			into = &p.ListMeta
		case "columnDefinitions":
			into = &p.ColumnDefinitions
		case "items", "rows":
			items, isLast := bytes.CutSuffix(bytes.TrimLeft(body[d.InputOffset():], ": \n"), []byte("}"))
			if items = bytes.TrimSpace(items); string(items) == "null" {
				items = []byte("[]")
			}
			items, begins := bytes.CutPrefix(items, []byte("["))
			items, ends := bytes.CutSuffix(items, []byte("]"))
			if !isLast || !begins || !ends {
				return nil, fmt.Errorf("read a page: %s is not the last field, or no array", key)
			}
			p.key, p.items = key.(string), bytes.TrimSpace(items)
			return p, nil
		default:
			return nil, fmt.Errorf("read a page: unknown field %v", key)
		}
		if err := d.Decode(into); err != nil {
			return nil, err
		}
	}
}

// listHead is a list without its items.
type listHead struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ListMeta   `json:"metadata"`
	ColumnDefinitions json.RawMessage `json:"columnDefinitions,omitempty"`
}

// listWriter writes pages as one list.
type listWriter struct {
	w               http.ResponseWriter
	begun, notEmpty bool
}

func (l *listWriter) write(p *listPage) error {
	if !l.begun {
		head := p.listHead
		head.ListMeta = metav1.ListMeta{ResourceVersion: p.ResourceVersion}
		b, err := json.Marshal(head)
		if err != nil {
			return err
		}
		l.w.Header().Set("Content-Type", runtime.ContentTypeJSON)
		if _, err := fmt.Fprintf(l.w, "%s,%q:[", bytes.TrimSuffix(b, []byte("}")), p.key); err != nil {
			return err
		}
		l.begun = true
	}
	if len(p.items) == 0 {
		return nil
	}
	if l.notEmpty {
		if _, err := l.w.Write([]byte(",")); err != nil {
			return err
		}
	}
	l.notEmpty = true
	_, err := l.w.Write(p.items)
	return err
}

func (l *listWriter) close() error {
	_, err := l.w.Write([]byte("]}\n"))
	return err
}

// answer is the answer of a handler, in memory.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answer) WriteHeader(code int)        { a.code = code }

func (a *answer) copyTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body.Bytes()) // as the handlers, which cannot report it either
}
