// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"tenama.dev/tenama/test/testenv"
)

// installed starts a control plane with tenama's manifests, and returns the port for the broker.
// stop ends it and removes its files.
func installed(ctx context.Context) (c *testenv.Cluster, port int, stop func(), err error) {
	dir, err := os.MkdirTemp("", "tenama-prove-")
	if err != nil {
		return nil, 0, nil, err
	}
	if c, err = testenv.StartCluster(ctx, filepath.Join(dir, "cluster")); err != nil {
		os.RemoveAll(dir)
		return nil, 0, nil, err
	}
	stop = func() { c.Stop(); os.RemoveAll(dir) }
	if port, err = c.Install(ctx); err != nil {
		stop()
		return nil, 0, nil, err
	}
	return c, port, stop, nil
}

// inDir calls f with a new directory, which stays if f fails.
func inDir(f func(dir string) error) error {
	dir, err := os.MkdirTemp("", "tenama-prove-")
	if err != nil {
		return err
	}
	if err := f(filepath.Join(dir, "cluster")); err != nil {
		fmt.Println("logs of the brokers and the control plane: " + dir)
		return err
	}
	return os.RemoveAll(dir)
}
