// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/test/testenv"
)

const (
	atOnce  = 64               // requests
	patient = 40 * time.Second // a request is tried again for so long after 429
)

// pressure makes requests that need much memory.
type pressure struct {
	cluster  *testenv.Cluster
	broker   *testenv.Broker
	all      int // namespaces
	limit    resource.Quantity
	wrong    []string
	refusals sync.Map // the last one, by kind
}

// kind is a kind of request that many make at once.
type kind struct {
	what   string
	user   func(i int) (name string, groups []string)
	accept string
	query  string
	method string
	want   int           // objects in a complete answer; -1 if it is not read to the end
	slow   time.Duration // the client waits for so long before it reads
	n      int           // how many at once; 64 by default
}

const (
	jsonOnly = "application/json"
	asTable  = "application/json;as=Table;v=v1;g=meta.k8s.io"
	asMeta   = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io," +
		"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
)

func (p *pressure) kinds() []kind {
	hoarder := func(int) (string, []string) { return "hoarder", []string{"devs"} }
	members := func(groups int) func(int) (string, []string) {
		return func(i int) (string, []string) {
			all := []string{"devs"}
			for g := range groups {
				all = append(all, fmt.Sprintf("group-%d", g))
			}
			return fmt.Sprintf("member-%d", i), all
		}
	}
	viewer := func(i int) (string, []string) { return fmt.Sprintf("viewer-%d", i), []string{"viewers"} }
	collector := func(i int) (string, []string) {
		return "system:serviceaccount:kube-system:generic-garbage-collector", []string{"viewers"}
	}
	return []kind{
		{what: "lists of 303 by their owner", user: hoarder, accept: jsonOnly, want: min(p.all-1, 303)},
		{what: "lists by people in 120 groups, who own nothing", user: members(120), accept: jsonOnly},
		{what: "lists by people in 1,200 groups, who own nothing", user: members(1200), accept: jsonOnly},
		{what: "lists of all", user: viewer, accept: jsonOnly, want: p.all},
		{what: "lists of all by the garbage collector", user: collector, accept: asMeta, want: p.all, n: 2},
		{what: "tables of all, a page", user: viewer, accept: asTable, query: "limit=500", want: -1},
		{what: "lists of all as YAML", user: viewer, accept: "application/yaml", want: -1},
		{what: "lists of all by clients that read slowly", user: viewer, accept: jsonOnly, want: -1, slow: 10 * time.Second},
		{what: "watches of all from the beginning", user: viewer, accept: jsonOnly, want: -1, slow: 10 * time.Second,
			query: "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&" +
				"timeoutSeconds=20"},
		{what: "resumed watches by label", user: viewer, accept: jsonOnly, want: -1,
			query: "watch=1&labelSelector=a%3Db&timeoutSeconds=20&resourceVersion="},
		{what: "deletions of all, as dry runs", user: func(i int) (string, []string) {
			return fmt.Sprintf("admin-%d", i), []string{"system:masters"}
		}, accept: jsonOnly, method: http.MethodDelete, query: "dryRun=All&limit=500", want: -1, n: 16},
	}
}

// run makes all kinds of requests, one kind after the other.
func (p *pressure) run(ctx context.Context) error {
	if out, err := p.cluster.Kubectl("admin", "create", "clusterrole", "viewers", "--verb=get,list,watch,viewall",
		"--resource=temporarynamespaces.tenama.dev"); err != nil {
		return fmt.Errorf("%s", out)
	}
	if out, err := p.cluster.Kubectl("admin", "create", "clusterrolebinding", "viewers", "--clusterrole=viewers",
		"--group=viewers"); err != nil {
		return fmt.Errorf("%s", out)
	}
	version, err := p.cluster.Kubectl("admin", "get", "--raw", collection+"?limit=1")
	if err != nil {
		return fmt.Errorf("%s", version)
	}
	_, version, _ = strings.Cut(version, `"resourceVersion":"`)
	version, _, _ = strings.Cut(version, `"`)
	if err := p.watch(ctx); err != nil {
		return err
	}
	for _, k := range p.kinds() {
		if strings.HasSuffix(k.query, "resourceVersion=") {
			k.query += version
		}
		p.resetPeak()
		var complete, refused, broken atomic.Int64
		var wg sync.WaitGroup
		begun := time.Now()
		for i := range cmp.Or(k.n, atOnce) {
			client, err := p.client(k.user(i))
			if err != nil {
				return err
			}
			wg.Go(func() {
				got, err := p.ask(ctx, client, k)
				switch {
				case err != nil:
					broken.Add(1)
				case got < 0:
					refused.Add(1)
				case k.want >= 0 && got != k.want:
					p.fail("%s: %d of %d objects", k.what, got, k.want)
				default:
					complete.Add(1)
				}
			})
		}
		wg.Wait()
		p.note(k.what, fmt.Sprintf("%2d answered, %2d refused, %2d broken off, %4.1f s", complete.Load(), refused.Load(),
			broken.Load(), time.Since(begun).Seconds()))
		if why, ok := p.refusals.Load(k.what); ok {
			fmt.Printf("    refused, for example: %s\n", why)
		}
		if k.want >= 0 && k.want < p.all && complete.Load() == 0 { // a list of all takes long on a slow machine
			p.fail("%s: none was answered", k.what)
		}
		if strings.HasSuffix(k.what, "collector") && refused.Load() > 0 {
			p.fail("%s: %d were refused", k.what, refused.Load())
		}
		select {
		case <-p.broker.Done():
			p.fail("%s: the broker ended", k.what)
			return nil
		default:
		}
	}
	return nil
}

// watch opens nearly as many watches as the broker allows, which stay open and show nothing.
func (p *pressure) watch(ctx context.Context) error {
	const users, each = 19, 100 // those of the kinds need some, too
	var wg sync.WaitGroup
	var open atomic.Int64
	failed := make(chan error, users)
	for i := range users {
		client, err := p.client(fmt.Sprintf("watcher-%d", i), []string{"devs"})
		if err != nil {
			return err
		}
		client.Timeout = 0
		wg.Go(func() {
			for range each {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.cluster.Config("admin").Host+collection+
					"?watch=1&timeoutSeconds=3600", nil)
				if err != nil {
					failed <- err
					return
				}
				resp, err := client.Do(r) // its end is that of the control plane
				if err != nil || resp.StatusCode != http.StatusOK {
					failed <- fmt.Errorf("watch: %v, %v", resp, err)
					return
				}
				open.Add(1)
			}
		})
	}
	wg.Wait()
	p.note(fmt.Sprintf("%d idle watches, which stay open", open.Load()), "")
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

var failing sync.Mutex

func (p *pressure) fail(format string, args ...any) {
	failing.Lock()
	defer failing.Unlock()
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

// client returns a client that connects to kube-apiserver as a user, with a connection of its
// own.
func (p *pressure) client(name string, groups []string) (*http.Client, error) {
	config := p.cluster.Config("admin")
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: append(groups, "system:authenticated")}
	config.Timeout = time.Minute
	return rest.HTTPClientFor(config)
}

// ask makes a request until it is not refused, and returns the number of objects in the
// answer; -1 if it was refused to the end.
func (p *pressure) ask(ctx context.Context, client *http.Client, k kind) (int, error) {
	method := k.method
	if method == "" {
		method = http.MethodGet
	}
	for begun := time.Now(); ; {
		r, err := http.NewRequestWithContext(ctx, method, p.cluster.Config("admin").Host+collection+"?"+k.query, nil)
		if err != nil {
			return 0, err
		}
		r.Header.Set("Accept", k.accept)
		resp, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		if resp.StatusCode == http.StatusTooManyRequests {
			resp.Body.Close()
			if time.Since(begun) > patient {
				return -1, nil
			}
			time.Sleep(time.Second)
			continue
		}
		time.Sleep(k.slow)
		if resp.StatusCode >= 300 {
			var status metav1.Status
			why, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
			_ = yaml.Unmarshal(why, &status)
			p.refusals.Store(k.what, fmt.Sprintf("%d %s", resp.StatusCode, status.Message))
		}
		n, err := count(resp.Body)
		resp.Body.Close()
		if resp.StatusCode >= 300 {
			return -1, nil
		}
		return n, err
	}
}

// count returns the number of objects in a list, without holding it.
func count(r io.Reader) (int, error) {
	mark := []byte(`"uid":"`)
	n, buf, keep := 0, make([]byte, 1<<16), 0
	for {
		m, err := r.Read(buf[keep:])
		b := buf[:keep+m]
		n += bytes.Count(b, mark)
		keep = min(len(b), len(mark)-1)
		if i := bytes.LastIndex(b, mark); i >= 0 {
			keep = min(keep, len(b)-i-len(mark))
		}
		copy(buf, b[len(b)-keep:])
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
