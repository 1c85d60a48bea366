// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/internal/version"
)

// versionOptions holds the flags of one invocation of kubectl tenama version.
type versionOptions struct {
	*factory
	clientOnly bool
	output     string
}

func newVersionCommand(f *factory) *cobra.Command {
	o := &versionOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the versions of the plugin and the broker",
		Long:  "Show the versions of the plugin, of the broker in the cluster, and of the API that it serves.",
		Example: `  kubectl tenama version
  kubectl tenama version --client`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch o.output {
			case "", "json", "yaml":
				return o.run(cmd.Context())
			}
			return fmt.Errorf("unknown output format %q: use json or yaml", o.output)
		},
	}
	cmd.Flags().BoolVar(&o.clientOnly, "client", false,
		"show only the version of the plugin, without contacting the cluster")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "")
	setFormats(cmd, "json", "yaml")
	return cmd
}

func (o *versionOptions) run(ctx context.Context) error {
	out := struct {
		Client version.Info `json:"clientVersion"`
		Broker string       `json:"brokerVersion,omitempty"`
		Server string       `json:"serverAPI,omitempty"`
	}{Client: version.Get()}
	var err error
	if !o.clientOnly {
		if c, cerr := o.factory.client(); cerr != nil {
			err = cerr
		} else if err = c.Served(ctx); err == nil {
			out.Server, out.Broker = v1alpha1.GroupVersion.String(), term.Clean(c.BrokerVersion())
		}
	}
	switch o.output {
	case "json":
		b, _ := json.MarshalIndent(out, "", "  ") // a struct of strings always encodes
		fmt.Fprintln(o.Out, string(b))
	case "yaml":
		b, _ := yaml.Marshal(out)
		fmt.Fprint(o.Out, string(b))
	default:
		fmt.Fprintf(o.Out, "Client Version: %s\n", out.Client.Version)
		if out.Broker != "" {
			fmt.Fprintf(o.Out, "Broker Version: %s\n", out.Broker)
		}
		if out.Server != "" {
			fmt.Fprintf(o.Out, "Server API: %s\n", out.Server)
		}
	}
	return err
}
