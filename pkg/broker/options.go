// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/guardrails"
)

// Options configure the broker; flags are the only configuration.
type Options struct {
	Kubeconfig     string
	BindAddress    string
	SecurePort     int
	HealthAddress  string
	MetricsAddress string
	CertDir        string
	CertLifetime   time.Duration

	Namespace      string
	ServiceAccount string
	Service        string
	ServicePort    int
	Pod            string

	Prefixes      []string
	ObjectKinds   []string
	ShutdownDelay time.Duration

	ContainmentInterval time.Duration
	AllowUncontained    bool
	InspectInterval     time.Duration
	RevokeAccessAfter   time.Duration
	OverdueGrace        time.Duration
	MaxOverdue          int
}

// NewOptions returns the defaults, which fit deploy/base.
func NewOptions() *Options {
	return &Options{
		SecurePort: 10250, HealthAddress: ":8081", MetricsAddress: "127.0.0.1:8082", CertLifetime: 7 * 24 * time.Hour,
		Namespace: "tenama-system", ServiceAccount: "tenama-broker", Service: "tenama-broker", ServicePort: 443,
		Pod: os.Getenv("POD_NAME"), Prefixes: []string{v1alpha1.DefaultPrefix}, ShutdownDelay: 15 * time.Second,
		ContainmentInterval: 2 * time.Minute, InspectInterval: 5 * time.Minute,
		RevokeAccessAfter: 11 * time.Minute, OverdueGrace: 5 * time.Minute, MaxOverdue: 50,
	}
}

// AddFlags adds the options to fs.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig,
		"kubeconfig with the identity of the broker; if empty, the ServiceAccount of the pod is used")
	fs.StringVar(&o.BindAddress, "bind-address", o.BindAddress,
		"address to serve the API on; if empty, all addresses, of IPv4 and of IPv6")
	fs.IntVar(&o.SecurePort, "secure-port", o.SecurePort, "port to serve the API on")
	fs.StringVar(&o.HealthAddress, "health-address", o.HealthAddress,
		"address to serve /livez and /readyz on, over plain HTTP; if empty, they are not served")
	fs.StringVar(&o.MetricsAddress, "metrics-address", o.MetricsAddress,
		"address to serve /metrics on, over plain HTTP and to all callers; if empty, they are not served")
	fs.StringVar(&o.CertDir, "cert-dir", o.CertDir,
		"directory with the serving certificate, as tls.crt, tls.key and ca.crt, which is read again when it changes; if "+
			"empty, the broker issues its own")
	fs.DurationVar(&o.CertLifetime, "cert-lifetime", o.CertLifetime,
		"how long a serving certificate that the broker issues is valid; it is renewed after two thirds of that, and its "+
			"authority after 69 times as long")
	fs.StringVar(&o.Namespace, "namespace", o.Namespace, "namespace of the broker")
	fs.StringVar(&o.ServiceAccount, "service-account", o.ServiceAccount, "ServiceAccount of the broker")
	fs.StringVar(&o.Service, "service", o.Service, "Service by which kube-apiserver reaches the broker")
	fs.IntVar(&o.ServicePort, "service-port", o.ServicePort, "port of that Service")
	fs.StringVar(&o.Pod, "pod-name", o.Pod, "name of this replica's pod (default: $POD_NAME, or else the host name)")
	fs.StringSliceVar(&o.Prefixes, "prefix", o.Prefixes, "comma-separated name prefixes of temporary namespaces; the "+
		"first is the default of classes without a prefix; must match the admission policies")
	fs.StringSliceVar(&o.ObjectKinds, "object-kinds", o.ObjectKinds, "comma-separated kinds that classes may contain "+
		"besides the guard rails, each as GROUP/VERSION/KIND/RESOURCE, such as /v1/ConfigMap/configmaps; must match RBAC "+
		"and the admission policies (deploy/components/kinds)")
	fs.DurationVar(&o.ShutdownDelay, "shutdown-delay", o.ShutdownDelay,
		"how long to keep serving after a termination signal")
	fs.DurationVar(&o.ContainmentInterval, "containment-interval", o.ContainmentInterval,
		"how often to prove, by dry-run requests, that the admission policies contain the broker")
	fs.BoolVar(&o.AllowUncontained, "allow-uncontained", o.AllowUncontained,
		"DANGEROUS: change namespaces even if the admission policies do not contain the broker")
	fs.DurationVar(&o.InspectInterval, "inspect-interval", o.InspectInterval,
		"how often to compare the guard rails of each namespace with their record (at most 10 namespaces per second)")
	fs.DurationVar(&o.RevokeAccessAfter, "revoke-access-after", o.RevokeAccessAfter,
		"how long the deletion of a namespace may take before all RoleBindings and ServiceAccounts in it are deleted; "+
			"the longest grace period of a pod is 10m")
	fs.DurationVar(&o.OverdueGrace, "overdue-grace", o.OverdueGrace,
		"how long the owner of a namespace that could not be deleted within 30s of its expiry can still extend it")
	fs.IntVar(&o.MaxOverdue, "max-overdue", o.MaxOverdue,
		"if more of these namespaces than this are overdue at once, none of them is deleted before an administrator "+
			"confirms it by annotation "+v1alpha1.AnnotationConfirmExpiry+" of ClusterRole "+v1alpha1.ClusterRoleBroker+
			"; 0 for no limit")
}

var prefixPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,20})-$`)

// Validate returns all errors of the options, joined.
func (o *Options) Validate() error {
	var errs []error
	bad := func(flag, value, want string) {
		errs = append(errs, fmt.Errorf("--%s=%q: must be %s", flag, value, want))
	}
	if o.BindAddress != "" && net.ParseIP(o.BindAddress) == nil {
		bad("bind-address", o.BindAddress, "an IP address")
	}
	for flag, addr := range map[string]string{"health-address": o.HealthAddress, "metrics-address": o.MetricsAddress} {
		if _, _, err := net.SplitHostPort(addr); addr != "" && err != nil {
			bad(flag, addr, "HOST:PORT or :PORT")
		}
	}
	if o.HealthAddress != "" && o.HealthAddress == o.MetricsAddress {
		bad("metrics-address", o.MetricsAddress, "another address than that of --health-address")
	}
	for flag, port := range map[string]int{"secure-port": o.SecurePort, "service-port": o.ServicePort} {
		if port < 1 || port > 65535 {
			bad(flag, strconv.Itoa(port), "a port from 1 to 65535")
		}
	}
	for flag, v := range map[string]string{"namespace": o.Namespace, "service-account": o.ServiceAccount,
		"service": o.Service} {
		if v == "" {
			bad(flag, v, "a name")
		}
	}
	for _, p := range o.Prefixes {
		if !prefixPattern.MatchString(p) {
			bad("prefix", p, "lower-case letters, digits and dashes, ending in a dash, such as tmp-")
		}
		if strings.HasPrefix(o.Namespace, p) { // the broker could lend, change and delete its own namespace
			errs = append(errs, fmt.Errorf("--prefix=%q: namespace %q of the broker begins with it", p, o.Namespace))
		}
	}
	if _, err := o.kinds(); err != nil {
		errs = append(errs, fmt.Errorf("--object-kinds: %w", err))
	}
	if len(o.Prefixes) == 0 {
		bad("prefix", "", "at least one prefix, such as tmp-")
	}
	for flag, d := range map[string]time.Duration{"containment-interval": o.ContainmentInterval,
		"inspect-interval": o.InspectInterval} {
		if d < 100*time.Millisecond || d > time.Hour {
			bad(flag, d.String(), "from 100ms to 1h")
		}
	}
	if o.CertLifetime < time.Minute || o.CertLifetime > 90*24*time.Hour {
		bad("cert-lifetime", o.CertLifetime.String(), "from 1m to 2160h")
	}
	if o.RevokeAccessAfter < time.Second || o.RevokeAccessAfter > 24*time.Hour {
		bad("revoke-access-after", o.RevokeAccessAfter.String(), "from 1s to 24h")
	}
	if o.OverdueGrace < time.Second || o.OverdueGrace > 24*time.Hour {
		bad("overdue-grace", o.OverdueGrace.String(), "from 1s to 24h")
	}
	if o.MaxOverdue < 0 {
		bad("max-overdue", strconv.Itoa(o.MaxOverdue), "zero or more")
	}
	if o.ShutdownDelay < 0 {
		bad("shutdown-delay", o.ShutdownDelay.String(), "zero or more")
	}
	return errors.Join(errs...)
}

// kinds reads ObjectKinds.
func (o *Options) kinds() (policyv1alpha1.ObjectKinds, error) {
	var out policyv1alpha1.ObjectKinds
	var errs []error
	for _, s := range o.ObjectKinds {
		if s == "" {
			continue
		}
		k, err := policyv1alpha1.ParseObjectKind(s)
		errs = append(errs, err)
		out = append(out, k)
	}
	return out, errors.Join(errs...)
}

// restConfig returns the client configuration for kube-apiserver, without client-go's
// own limit of 5 requests a second.
func (o *Options) restConfig() (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("load the identity of the broker: %w", err)
	}
	c.QPS = -1
	c.DisableCompression = true // it costs more than the network in a cluster
	c.UserAgent = guardrails.Agent
	return c, nil
}
