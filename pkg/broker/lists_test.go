// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"tenama.dev/tenama/pkg/broker/registry"
)

// paged serves a list of n items, in pages of 7 if a limit is given, as kind says. Page
// number broken fails.
func paged(n, broken int, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		from, _ := strconv.Atoi(q.Get("continue"))
		to := n
		if q.Get("limit") != "" {
			to = min(n, from+7)
		}
		if broken > 0 && from >= 7*broken {
			http.Error(w, `{"kind":"Status"}`, http.StatusGone)
			return
		}
		items := []map[string]int{}
		for i := from; i < to; i++ {
			items = append(items, map[string]int{"n": i})
		}
		meta := metav1.ListMeta{ResourceVersion: "42"}
		if to < n {
			left := int64(n - to)
			meta.Continue, meta.RemainingItemCount = strconv.Itoa(to), &left
		}
		head := listHead{metav1.TypeMeta{Kind: kind, APIVersion: "v1"}, meta, nil}
		var list any = struct {
			listHead
			Items []map[string]int `json:"items"`
		}{head, items}
		if kind == "Table" {
			head.ColumnDefinitions = json.RawMessage(`["Name"]`)
			list = struct {
				listHead
				Rows []map[string]int `json:"rows"`
			}{head, items}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	}
}

// serve returns a server for a list of size bytes, which asks as user.
func serve(t *testing.T, h http.Handler, size int, name string) *httptest.Server {
	l := &lists{Handler: h, bytes: func(context.Context) (int, error) { return size, nil },
		shares: slots{max: listBytes, maxPerUser: listBytesPerUser},
		long:   slots{max: maxLongLists, maxPerUser: maxLongPerUser}, log: slog.New(slog.DiscardHandler)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := request.WithRequestInfo(r.Context(), &request.RequestInfo{Verb: "list", IsResourceRequest: true})
		l.ServeHTTP(w, r.WithContext(request.WithUser(ctx, &user.DefaultInfo{Name: name})))
	}))
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, url, accept string) (int, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// The time that a list has waited for others counts: kube-apiserver gives up a minute after its
// arrival, and the client would get the beginning of a list.
func TestListDeadline(t *testing.T) {
	arrived := time.Now().Add(-50 * time.Second)
	var ends time.Time
	l := &lists{bytes: func(context.Context) (int, error) { return 1, nil }, Handler: http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) { ends, _ = r.Context().Deadline() }),
		shares: slots{max: listBytes, maxPerUser: listBytesPerUser}}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	l.ServeHTTP(httptest.NewRecorder(), r.WithContext(request.WithReceivedTimestamp(r.Context(), arrived)))
	if want := arrived.Add(listDeadline); !ends.Equal(want) {
		t.Errorf("the list ends at %s, want %s", ends, want)
	}
}

// A long list is sent in pages, and clients must not notice.
func TestLongLists(t *testing.T) {
	for _, kind := range []string{"TemporaryNamespaceList", "PartialObjectMetadataList", "Table"} {
		for _, n := range []int{0, 1, 7, 8, 50} {
			h := paged(n, 0, kind)
			var want, got any
			for size, into := range map[int]*any{1: &want, 100 * registry.PageBytes: &got} {
				code, body, err := get(t, serve(t, h, size, "alice").URL, "application/json")
				if err != nil || code != http.StatusOK || json.Unmarshal([]byte(body), into) != nil {
					t.Fatalf("%s of %d: %d, %v, %s", kind, n, code, err, body)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s of %d, in one piece and in pages:\n%s", kind, n, d)
			}
		}
	}
}

// The handlers encode a list without items as null.
func TestReadPage(t *testing.T) {
	const head = `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"7","continue":"c"},`
	for body, want := range map[string]string{
		head + `"columnDefinitions":[{"name":"]}"}],"rows":[{"a":"]}"},{}]}` + "\n": `{"a":"]}"},{}`,
		head + `"columnDefinitions":[],"rows":null}`:                                "",
		head + `"items": [ ] }`:                                                     "",
		head + `"rows":[1],"kind":"Table"}`:                                         "error",
		head + `"rows":{}}`:                                                         "error",
		head + `"rows":[1`:                                                          "error",
		head + `"other":1,"rows":[]}`:                                               "error",
		`{"kind":"Status","apiVersion":"v1","metadata":{}}`:                         "error",
		`[]`: "error", ``: "error",
	} {
		p, err := readPage([]byte(body))
		if (err != nil) != (want == "error") ||
			err == nil && (string(p.items) != want || p.Kind != "Table" || p.Continue != "c") {
			t.Errorf("%s: got %+v, %v", body, p, err)
		}
	}
}

// A client must not take a part of a list for the whole: to a controller, what is missing is
// gone.
func TestLongListThatBreaks(t *testing.T) {
	server := serve(t, paged(50, 3, "List"), 100*registry.PageBytes, "alice")
	if code, body, err := get(t, server.URL, ""); err == nil {
		t.Errorf("a list whose fourth page failed: %d, %q", code, body)
	}
	server = serve(t, paged(50, 0, "List"), 100*registry.PageBytes, "alice")
	if code, body, err := get(t, server.URL+"?limit=7", ""); err != nil || !strings.Contains(body, `"continue":"7"`) {
		t.Errorf("with a limit: %d, %v, %q", code, err, body)
	}
	broken := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no page", http.StatusGatewayTimeout)
	}), 100*registry.PageBytes, "alice")
	if code, body, err := get(t, broken.URL, ""); err != nil || code != http.StatusGatewayTimeout || body != "no page\n" {
		t.Errorf("the first page failed: %d, %v, %q", code, err, body)
	}
}

// Only JSON can be put together; a client that allows it among others gets it.
func TestLongListAccepts(t *testing.T) {
	const as = "as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
	for accept, want := range map[string]string{
		"":                 "*/*",
		"application/json": "application/json",
		"application/vnd.kubernetes.protobuf;" + as + ",application/json;" + as: "application/json;" + as,
		"application/yaml, */*":               "*/*",
		"application/yaml":                    "",
		"application/vnd.kubernetes.protobuf": "",
	} {
		var asked string
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.Header.Get("Accept")
			if enc := r.Header.Get("Accept-Encoding"); enc != "" {
				t.Errorf("a page is asked for with Accept-Encoding %q", enc)
			}
			paged(20, 0, "List")(w, r)
		})
		code, body, err := get(t, serve(t, h, 100*registry.PageBytes, "alice").URL, accept)
		if wantCode := map[bool]int{true: http.StatusNotAcceptable, false: http.StatusOK}[want == ""]; err != nil ||
			code != wantCode || asked != want {
			t.Errorf("%q: %d, %v, %s; asked for %q, want %q", accept, code, err, body, asked, want)
		}
	}
}

// Lists that would need too much memory together are refused, but never to the garbage
// collector.
func TestListsShareMemory(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("hold") {
			begun <- struct{}{}
			<-release
		}
		paged(1, 0, "List")(w, r)
	})
	l := &lists{Handler: h, bytes: func(ctx context.Context) (int, error) {
		u, _ := request.UserFrom(ctx)
		return len(u.GetGroups()) * registry.PageBytes / 2, nil
	}, shares: slots{max: listBytes, maxPerUser: listBytesPerUser},
		long: slots{max: maxLongLists, maxPerUser: maxLongPerUser}, log: slog.New(slog.DiscardHandler)}
	ask := func(name string, halves int, query string) int {
		r := httptest.NewRequest(http.MethodGet, "/?"+query, nil)
		ctx := request.WithRequestInfo(r.Context(), &request.RequestInfo{Verb: "list", IsResourceRequest: true})
		code, _ := status(l, r.WithContext(request.WithUser(ctx, &user.DefaultInfo{Name: name,
			Groups: make([]string, halves)})))
		return code
	}
	hold := func(name string, n int) {
		for range n {
			go ask(name, 2, "hold")
			<-begun
		}
	}
	hold("alice", listBytesPerUser/registry.PageBytes)
	if code := ask("alice", 0, ""); code != http.StatusTooManyRequests {
		t.Errorf("alice, beyond her share: %d", code)
	}
	if code := ask("bob", 10, ""); code != http.StatusOK {
		t.Errorf("bob, meanwhile: %d", code)
	}
	go ask("bob", 10, "hold") // a long one
	<-begun
	if code := ask("bob", 10, ""); code != http.StatusTooManyRequests {
		t.Errorf("a second long list of bob: %d", code)
	}
	if code := ask("bob", 1, ""); code != http.StatusOK {
		t.Errorf("a short list of bob, meanwhile: %d", code)
	}
	go ask("carol", 10, "hold")
	<-begun
	if code := ask("dave", 10, ""); code != http.StatusTooManyRequests {
		t.Errorf("a third long list: %d", code)
	}
	if code := ask("dave", 1, ""); code != http.StatusOK {
		t.Errorf("a short list, meanwhile: %d", code)
	}
	for i := range (listBytes-listBytesPerUser)/registry.PageBytes - 2 {
		hold(fmt.Sprintf("user-%d", i), 1)
	}
	if code := ask("bob", 0, ""); code != http.StatusTooManyRequests {
		t.Errorf("bob, when all is in use: %d", code)
	}
	for name := range controllers {
		if code := ask(name, 10, ""); code != http.StatusOK {
			t.Errorf("%s: %d", name, code)
		}
	}
	close(release)
}
