// SPDX-License-Identifier: Apache-2.0

// Command bench measures, in one run on one control plane, the cost of creating a
// temporary namespace, relative to the minimum that any implementation has to do. It
// prints ratios, because absolute times depend on the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

func main() {
	n := flag.Int("n", 1000, "samples of each kind, one caller, interleaved")
	burst := flag.Int("burst", 320, "creates of each kind with 8 and with 32 callers; 0 for none")
	others := flag.Int("policies", 2000,
		"creates of each kind in an unrelated namespace, with the policies and without; 0 for none")
	among := flag.Int("among", 5000, "namespaces among which to list one's own and to watch; 0 for none")
	counted := flag.Int("budgets", 1000, "creates of each kind, in ten budgets and in none; 0 for none")
	whole := flag.Int("plugin", 100, "runs of each command of the plugin, among 10,000 namespaces; 0 for none")
	file := flag.String("json", "", "file for the results of -scale and -bursts, as JSON")
	var sizes, at counts
	flag.Var(&sizes, "scale", "numbers of namespaces, separated by commas, among which to measure the broker; without "+
		"the other measurements")
	flag.Var(&at, "bursts", "numbers of creations at once, separated by commas; without the other measurements")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := error(nil)
	if len(sizes)+len(at) > 0 {
		*n, *others, *among, *counted, *whole = 0, 0, 0, 0, 0
		err = measured(ctx, sizes, at, *file)
	}
	if *n > 0 {
		err = run(ctx, *n, *burst)
	}
	if err == nil && *others > 0 {
		err = errors.Join(policies(ctx, *others, false), policies(ctx, *others, true))
	}
	if err == nil && *counted > 0 {
		err = budgets(ctx, *counted)
	}
	if err == nil && *whole > 0 {
		err = plugin(ctx, *whole, 10_000)
	}
	if err == nil && *among > 0 {
		err = reads(ctx, *among)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// counts is a flag with numbers, separated by commas.
type counts []int

func (c *counts) String() string { return strings.Trim(fmt.Sprint([]int(*c)), "[]") }

func (c *counts) Set(s string) error {
	for f := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			return errors.New("use numbers above 0, separated by commas")
		}
		*c = append(*c, n)
	}
	return nil
}

// measured measures the broker among many namespaces, and under many creations at once, and
// writes the results to a file.
func measured(ctx context.Context, sizes, at []int, file string) error {
	r := newReport()
	if len(sizes) > 0 {
		if err := scale(ctx, r, sizes); err != nil {
			return err
		}
	}
	if len(at) > 0 {
		if err := bursts(ctx, r, at); err != nil {
			return err
		}
	}
	if file == "" {
		return nil
	}
	return r.write(file)
}

// way is one way to create a namespace.
type way struct {
	name string
	make func(ctx context.Context, name string) error
}

func run(ctx context.Context, n, burst int) error {
	cluster, _, broker, stop, err := stage(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := sizes(broker); err != nil {
		return err
	}

	fl, err := floorOf(ctx, cluster)
	if err != nil {
		return err
	}
	alice, err := tenama.New(cluster.Config("alice"))
	if err != nil {
		return err
	}
	ttl := int64(7200)
	ways := []way{
		{"naive floor", fl.naive},
		{"usable floor", fl.usable},
		{"tenama", func(ctx context.Context, name string) error {
			_, err := alice.Create(ctx, &v1alpha1.TemporaryNamespace{
				TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
				ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.TemporaryNamespaceSpec{TTLSeconds: &ttl},
			}, metav1.CreateOptions{})
			return err
		}},
	}
	if err := latency(ctx, ways, n); err != nil {
		return err
	}
	for _, callers := range []int{8, 32} {
		if burst > 0 {
			if err := throughput(ctx, ways[1:], burst, callers); err != nil {
				return err
			}
		}
	}
	return nil
}

// floorOf returns the floor for the default class.
func floorOf(ctx context.Context, c *testenv.Cluster) (*floor, error) {
	class := &policyv1alpha1.NamespaceClass{}
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "deploy", "classes", "default.yaml"))
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(b, class); err != nil {
		return nil, err
	}
	config := c.Config("admin")
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeProtobuf,
		runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	return newFloor(ctx, kubernetes.NewForConfigOrDie(config), class), nil
}

// stage starts a control plane with tenama on it; stop ends both.
func stage(ctx context.Context) (c *testenv.Cluster, port int, b *testenv.Broker, stop func(), _ error) {
	dir, err := os.MkdirTemp("", "tenama-bench-")
	if err != nil {
		return nil, 0, nil, nil, err
	}
	if c, err = testenv.StartCluster(ctx, dir); err != nil {
		return nil, 0, nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	if port, err = c.Install(ctx); err == nil {
		b, err = c.StartBroker(ctx, port, "broker-0")
	}
	stop = func() {
		if b != nil {
			_ = b.Stop()
		}
		c.Stop()
		_ = os.RemoveAll(dir)
	}
	if err != nil {
		stop()
	}
	return c, port, b, stop, err
}

// latency creates namespaces sequentially, alternating between the ways.
func latency(ctx context.Context, ways []way, n int) error {
	took := make([][]time.Duration, len(ways))
	for i := range n + 20 {
		for w := range ways {
			begun := time.Now()
			if err := ways[w].make(ctx, fmt.Sprintf("tmp-l%d-%d", w, i)); err != nil {
				return fmt.Errorf("%s: %w", ways[w].name, err)
			}
			if i >= 20 { // a warm-up first
				took[w] = append(took[w], time.Since(begun))
			}
		}
	}
	fmt.Printf("\nOne caller, %d each, interleaved\n%-14s %8s %8s %8s   %s\n", n, "", "p50 ms", "p90 ms", "p99 ms",
		"to the usable floor at p50, p90, p99")
	base := took[1]
	for w := range ways {
		fmt.Printf("%-14s %8.1f %8.1f %8.1f   %.2f  %.2f  %.2f\n", ways[w].name, ms(at(took[w], .5)), ms(at(took[w], .9)),
			ms(at(took[w], .99)),
			ratio(took[w], base, .5), ratio(took[w], base, .9), ratio(took[w], base, .99))
	}
	return nil
}

// throughput creates namespaces with several callers at once.
func throughput(ctx context.Context, ways []way, n, callers int) error {
	fmt.Printf("\n%d callers, %d creates each\n", callers, n)
	var base float64
	for w := range ways {
		var next, failed atomic.Int64
		var wg sync.WaitGroup
		begun := time.Now()
		for range callers {
			wg.Go(func() {
				for i := next.Add(1); i <= int64(n); i = next.Add(1) {
					if err := ways[w].make(ctx, fmt.Sprintf("tmp-t%d-%d-%d", callers, w, i)); err != nil && failed.Add(1) == 1 {
						fmt.Fprintln(os.Stderr, ways[w].name+":", err)
					}
				}
			})
		}
		wg.Wait()
		rate := float64(n) / time.Since(begun).Seconds()
		if w == 0 {
			base = rate
		}
		fmt.Printf("%-14s %6.1f a second, %.2f x the usable floor, %d failed\n", ways[w].name, rate, rate/base, failed.Load())
		if failed.Load() > 0 {
			return fmt.Errorf("%d of %d creates failed with %d callers", failed.Load(), n, callers)
		}
	}
	return nil
}

// sizes prints the sizes of the binaries, the memory of the idle broker, and the start
// time of the plugin.
func sizes(broker *testenv.Broker) error {
	for _, name := range []string{"kubectl-tenama", "tenama-broker"} {
		i, err := os.Stat(testenv.Bin(name))
		if err != nil {
			return err
		}
		fmt.Printf("%-28s %6.1f MB\n", name, float64(i.Size())/1e6)
	}
	time.Sleep(2 * time.Second)
	fmt.Printf("%-28s %6.1f MiB\n", "broker, idle, resident", resident(broker))
	var took []time.Duration
	for range 30 {
		begun := time.Now()
		if out, err := exec.Command(testenv.Bin("kubectl-tenama"), "version", "--client").CombinedOutput(); err != nil {
			return fmt.Errorf("plugin: %s", out)
		}
		took = append(took, time.Since(begun))
	}
	fmt.Printf("%-28s %6.1f ms (p50 of 30)\n", "plugin: version --client", ms(at(took, .5)))
	return nil
}

func at(d []time.Duration, q float64) time.Duration {
	s := slices.Clone(d)
	slices.Sort(s)
	return s[int(float64(len(s)-1)*q)]
}

func ratio(a, b []time.Duration, q float64) float64 { return float64(at(a, q)) / float64(at(b, q)) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
