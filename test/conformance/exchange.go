// SPDX-License-Identifier: Apache-2.0

// Package conformance compares the API of the broker with a custom resource of the same
// schema that kube-apiserver serves, the twin: the same user sends the same requests in
// the same order to both.
package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Exchange is one request and, if the answers are supposed to differ, the reason and
// the difference: either the broker's answer begins with Is, or Rewrite turns the
// twin's answer into the broker's.
//
// In Path and Body, $GROUP is the API group; $RV, $UID and $CONTINUE come from that
// side's last answer about the object Main, or about a list; $STALE is the previous
// resourceVersion.
type Exchange struct {
	Name    string
	Method  string // GET if empty
	Path    string // below the collection
	Accept  string
	Content string // of the body; application/json if empty
	Body    string
	Hold    bool   // the twin gets a finalizer first, so that its deletion also takes time
	Differs string // reason
	Is      string // code and status
	Rewrite func(*Answer)
}

func without(text string) func(*Answer) {
	return func(a *Answer) { a.Object = strings.ReplaceAll(a.Object, text, "") }
}

func replaced(old, by string) func(*Answer) {
	return func(a *Answer) { a.Status = strings.ReplaceAll(a.Status, old, by) }
}

// inTwoSteps rewrites events so that each creation has two events, as with the broker.
func inTwoSteps(a *Answer) {
	var events []string
	for _, e := range a.Events {
		if events = append(events, e); strings.HasPrefix(e, "ADDED") {
			events = append(events, strings.Replace(e, "ADDED", "MODIFIED", 1))
		}
	}
	a.Events = events
}

// Side is one of the two APIs.
type Side struct {
	Group      string
	Collection string // URL
	Client     *http.Client

	vars map[string]string
}

// Answer contains the parts of an answer that clients can depend on. These are
// compared.
type Answer struct {
	Code     int
	Type     string // content type
	Kind     string
	Warnings []string
	Status   string   // reason, subject, causes and pause of an error
	Object   string   // metadata and spec, without values that are unique to each object
	Items    []string // of a list
	Events   []string // of a watch
}

// Do sends e and returns the answer.
func (s *Side) Do(ctx context.Context, e Exchange) (Answer, error) {
	if s.vars == nil {
		s.vars = map[string]string{}
	}
	s.vars["$GROUP"] = s.Group
	fill := func(text string) string {
		for _, k := range slices.Backward(slices.Sorted(maps.Keys(s.vars))) { // $UID before $U
			text = strings.ReplaceAll(text, k, s.vars[k])
		}
		return text
	}
	method := e.Method
	if method == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, method, s.Collection+fill(e.Path), strings.NewReader(fill(e.Body)))
	if err != nil {
		return Answer{}, err
	}
	if e.Accept != "" {
		r.Header.Set("Accept", e.Accept)
	}
	if e.Body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if e.Content != "" {
		r.Header.Set("Content-Type", e.Content)
	}
	resp, err := s.Client.Do(r)
	if err != nil && ctx.Err() == nil && strings.Contains(err.Error(), "INTERNAL_ERROR") {
		return Answer{Kind: "the connection was broken off"}, nil
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", e.Name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", e.Name, err)
	}
	a := Answer{Code: resp.StatusCode, Type: resp.Header.Get("Content-Type"), Warnings: resp.Header.Values("Warning")}
	if strings.Contains(e.Path, "watch=") && a.Code == http.StatusOK {
		lines := bufio.NewScanner(bytes.NewReader(body))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if e := s.event(lines.Bytes()); e != progress {
				a.Events = append(a.Events, e)
			}
		}
		return a, lines.Err()
	}
	s.read(&a, body)
	return a, nil
}

// Main is the name of the object that $RV and $UID refer to.
const Main = "tmp-conform-main"

// holder is the field manager that Hold uses.
const holder = "hold"

// Hold gives an object a finalizer, or removes it.
func (s *Side) Hold(ctx context.Context, name string, hold bool) error {
	finalizers := "null"
	if hold {
		finalizers = `["conformance.example.test/hold"]`
	}
	a, err := s.Do(ctx, Exchange{
		Name: "hold", Method: http.MethodPatch, Path: "/" + name + "?fieldManager=" + holder,
		Content: "application/merge-patch+json",
		Body:    `{"metadata":{"finalizers":` + finalizers + `}}`,
	})
	if err == nil && a.Code != http.StatusOK {
		err = fmt.Errorf("hold %q: %+v", name, a)
	}
	return err
}

func (s *Side) read(a *Answer, body []byte) {
	var o map[string]any
	if err := yaml.Unmarshal(body, &o); err != nil || o == nil {
		a.Kind = strings.TrimSpace(string(body[:min(len(body), 40)])) // text
		return
	}
	a.Kind, _ = o["kind"].(string)
	switch {
	case a.Kind == "Status":
		a.Status = s.status(o)
	case strings.HasSuffix(a.Kind, "List"):
		s.note(o, true)
		items, _ := o["items"].([]any)
		for _, i := range items {
			item, _ := i.(map[string]any)
			a.Items = append(a.Items, s.object(item))
		}
		list, _ := o["metadata"].(map[string]any)
		a.Object = fmt.Sprint("list of ", keys(list))
	case a.Kind == "Table":
		rows, _ := o["rows"].([]any)
		for _, r := range rows {
			row, _ := r.(map[string]any)
			object, _ := row["object"].(map[string]any)
			a.Items = append(a.Items, fmt.Sprint(object["kind"], " ", s.object(object)))
		}
	default:
		s.note(o, false)
		a.Object = s.object(o)
	}
}

// progress is a bookmark that ends nothing. Servers send such ones when they like to (KEP-956).
const progress = "BOOKMARK"

func (s *Side) event(line []byte) string {
	var e struct {
		Type   string
		Object map[string]any
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return "unreadable: " + string(line)
	}
	meta, _ := e.Object["metadata"].(map[string]any)
	switch {
	case e.Type == "ERROR":
		return e.Type + " " + s.status(e.Object)
	case e.Type == "BOOKMARK" && meta["annotations"] == nil:
		return progress
	case e.Type == "BOOKMARK":
		return fmt.Sprint(e.Type, " ", e.Object["kind"], " ", meta["annotations"])
	case e.Object["kind"] == "Table":
		rows, _ := e.Object["rows"].([]any)
		return fmt.Sprint(e.Type, " Table of ", len(rows))
	}
	return fmt.Sprint(e.Type, " ", e.Object["kind"], " ", meta["name"])
}

// note stores the values that later requests need.
func (s *Side) note(o map[string]any, list bool) {
	meta, _ := o["metadata"].(map[string]any)
	text := func(key string) string { v, _ := meta[key].(string); return v }
	if list {
		s.vars["$CONTINUE"] = text("continue")
		return
	}
	if text("name") != Main {
		return
	}
	if rv := text("resourceVersion"); rv != s.vars["$RV"] {
		s.vars["$STALE"], s.vars["$RV"] = s.vars["$RV"], rv
	}
	s.vars["$UID"] = text("uid")
}

func (s *Side) status(o map[string]any) string {
	d, _ := o["details"].(map[string]any)
	group, _ := d["group"].(string)
	group = strings.ReplaceAll(group, s.Group, "$GROUP")
	var causes []string
	list, _ := d["causes"].([]any)
	for _, c := range list {
		cause, _ := c.(map[string]any)
		causes = append(causes, fmt.Sprint(cause["reason"], " ", cause["field"]))
	}
	slices.Sort(causes)
	causes = slices.Compact(causes) // kube-apiserver names some twice
	_, pause := d["retryAfterSeconds"]
	return fmt.Sprintf("%v %v %q kind=%v group=%s causes=%v retry=%t", o["status"], o["reason"], d["name"], d["kind"],
		group, causes, pause)
}

// object returns the parts of an object that must be the same on both sides.
func (s *Side) object(o map[string]any) string {
	meta, _ := o["metadata"].(map[string]any)
	delete(meta, "finalizers") // set by Hold
	out := map[string]any{
		"metadata": keys(meta), "labels": meta["labels"], "annotations": meta["annotations"],
		"generation": meta["generation"], "spec": o["spec"],
	}
	if name, _ := meta["name"].(string); meta["generateName"] == nil {
		out["name"] = name
	}
	var managers []string
	fields, _ := meta["managedFields"].([]any)
	for _, f := range fields {
		field, _ := f.(map[string]any)
		if field["manager"] == holder {
			continue
		}
		owned, _ := json.Marshal(field["fieldsV1"])
		// No manager owns the existence of the spec itself, as in built-in types.
		owned = bytes.Replace(owned, []byte(`"f:spec":{".":{},`), []byte(`"f:spec":{`), 1)
		managers = append(managers,
			fmt.Sprintf("%v %v %v %s", field["manager"], field["operation"], field["subresource"], owned))
	}
	slices.Sort(managers)
	out["managedFields"] = managers
	b, _ := json.Marshal(out)
	return strings.ReplaceAll(strings.ReplaceAll(string(b), `\"`, "'"), s.Group, "$GROUP")
}

// keys returns the sorted keys of m, without those whose value is empty.
func keys(m map[string]any) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] != "" {
			out = append(out, k)
		}
	}
	return out
}
