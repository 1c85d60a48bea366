// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// maxTokenLifetime is the lifetime of a credential without --duration, unless its namespace
// ends earlier. Callers that renew credentials need none longer.
const maxTokenLifetime = 30 * 24 * time.Hour

// credentialOptions describes a credential for one namespace.
type credentialOptions struct {
	*factory
	file     string // "-" is stdout
	role     string
	duration time.Duration // zero means as long as the namespace
}

func (o *credentialOptions) addRole(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.role, "role", "edit",
		"ClusterRole of the credential in the namespace, such as view, edit or admin; at most your own permissions")
	completeFlag(cmd, "role", completeRoles)
}

func (o *credentialOptions) validate() error {
	if o.role == "" {
		return errors.New("--role is empty: use one such as view, edit or admin")
	}
	if o.file == "" || o.file == "-" {
		return nil
	}
	return o.replaceable()
}

func (o *credentialOptions) replaceable() error {
	err := kubeconfig.Replaceable(o.file)
	if errors.Is(err, kubeconfig.ErrForeign) {
		return withHint(err, "choose another file; existing kubeconfigs are not overwritten")
	}
	return err
}

// request requests a credential with the user's own permissions.
func (o *credentialOptions) request(
	ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace,
) (*client.Credential, error) {
	d := o.duration
	if d == 0 {
		d = maxTokenLifetime
	}
	cred, err := c.Credential(ctx, tn, o.role, d)
	if err != nil {
		err = roleError(err, o.role, tn.Name)
	}
	return cred, err
}

// roleError explains why a role cannot be granted: it exceeds the permissions of the
// user, or it does not exist.
func roleError(err error, role, ns string) error {
	var address *client.AddressError
	switch {
	case errors.As(err, &address):
		return withHint(err, "use the address of kube-apiserver itself, with --server or another context; "+
			"or, with your own permissions: kubectl tenama run --as-me")
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "attempting to grant"):
		return &failure{fmt.Errorf("cannot grant role %q in namespace %q: it exceeds your own permissions", role, ns),
			exitDenied, "use a role with fewer permissions, such as --role view"}
	case apierrors.IsForbidden(err) && kindOf(err) == "rolebindings":
		return &failure{fmt.Errorf("cannot grant role %q in namespace %q: your own role there may not create RoleBindings",
			role, ns), exitDenied, "your role comes from the class (ownerRole); admin may"}
	case apierrors.IsNotFound(err) && !client.IsGone(err) && !client.IsNotServed(err):
		return fmt.Errorf("ClusterRole %q not found: use one such as view, edit or admin", role)
	}
	return err
}

// kindOf returns the resource that an error of the API is about, such as rolebindings.
func kindOf(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return ""
	}
	return status.Status().Details.Kind
}

// write writes a standalone kubeconfig with a new credential to the requested file or stdout.
func (o *credentialOptions) write(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) error {
	cred, err := o.request(ctx, c, tn)
	if err != nil {
		return err
	}
	s, err := o.standalone(cred)
	if err != nil {
		return err
	}
	if o.file == "-" {
		b, err := s.Encode()
		if err == nil {
			_, err = o.Out.Write(b)
		}
		return err
	}
	if err := s.Write(o.file); err != nil {
		return err
	}
	fmt.Fprintf(o.ErrOut,
		"Kubeconfig %s written. Its credential has role %s in namespace %s only, and is valid until %s.\n",
		o.file, o.role, cred.Namespace, term.FormatTime(cred.ExpiresAt, c.Now()))
	return nil
}

func (o *credentialOptions) standalone(cred *client.Credential) (kubeconfig.Standalone, error) {
	cluster, err := o.cluster()
	return kubeconfig.Standalone{
		Context: kubeconfig.ContextName(cred.Namespace), Cluster: cluster, Namespace: cred.Namespace,
		User: &clientcmdapi.AuthInfo{Token: cred.Token}, ExpiresAt: cred.ExpiresAt,
	}, err
}

// cluster returns the cluster entry in use with its certificate authority embedded. The
// address is the user's own; the broker cannot influence it.
func (f *factory) cluster() (*clientcmdapi.Cluster, error) {
	config, err := f.config()
	if err != nil {
		return nil, err
	}
	out := &clientcmdapi.Cluster{
		Server: config.Host, TLSServerName: config.ServerName, InsecureSkipTLSVerify: config.Insecure,
		CertificateAuthorityData: config.CAData, DisableCompression: config.DisableCompression,
	}
	if len(out.CertificateAuthorityData) == 0 && config.CAFile != "" {
		if out.CertificateAuthorityData, err = os.ReadFile(config.CAFile); err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
	}
	if out.InsecureSkipTLSVerify { // the two exclude each other
		out.CertificateAuthorityData = nil
	}
	raw, err := f.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	name := *f.flags.ClusterName
	if name == "" {
		base := raw.CurrentContext
		if c := *f.flags.Context; c != "" {
			base = c
		}
		if c := raw.Contexts[base]; c != nil {
			name = c.Cluster
		}
	}
	if c := raw.Clusters[name]; c != nil {
		out.ProxyURL = c.ProxyURL
	}
	if *f.flags.ProxyURL != "" {
		out.ProxyURL = *f.flags.ProxyURL
	}
	return out, nil
}

// printVariables prints a credential in dotenv format, for pipelines that use kubectl config
// set-cluster and set-credentials.
func (o *credentialOptions) printVariables(cred *client.Credential) error {
	cluster, err := o.cluster()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.Out,
		"TENAMA_NAMESPACE=%s\nTENAMA_SERVER=%s\nTENAMA_CA_DATA=%s\nTENAMA_TOKEN=%s\nTENAMA_TOKEN_EXPIRES_AT=%s\n",
		cred.Namespace, cluster.Server, base64.StdEncoding.EncodeToString(cluster.CertificateAuthorityData), cred.Token,
		cred.ExpiresAt.UTC().Format(time.RFC3339))
	return err
}
