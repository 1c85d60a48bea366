// SPDX-License-Identifier: Apache-2.0

// Command migrate prints what the configuration of the first tenama, a REST service with
// passwords (github.com/Payback159/tenama, config/config.yaml), is in this one: the first class
// and the first budget of deploy/classes with its numbers, and a ClusterRoleBinding for its
// users. docs/migration.md describes it.
package main

import (
	"fmt"
	"io"
	"os"

	"tenama.dev/tenama/deploy"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: migrate CONFIG.yaml > tenama.yaml")
		os.Exit(2)
	}
	b, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = migrate(b, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

// migrate writes the manifests for a configuration, and notes about what has no equivalent.
// Errors: the configuration cannot be read, or a value in it is wrong; nothing is written then.
func migrate(text []byte, out, notes io.Writer) error {
	c, err := parse(text)
	if err != nil {
		return err
	}
	objects, err := c.objects()
	if err != nil {
		return err
	}
	manifests, err := deploy.YAML(objects)
	if err != nil {
		return err
	}
	for _, note := range c.notes() {
		fmt.Fprintln(notes, "note: "+note)
	}
	_, err = out.Write(manifests)
	return err
}
