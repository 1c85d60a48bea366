// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// runCheck prints what would prevent an installation, and what to do about it.
func (o *installOptions) runCheck(ctx context.Context) error {
	report := &doctorOptions{factory: o.factory}
	t, err := o.prepare(ctx)
	if err != nil {
		report.failWith("plan", err)
		return &exitStatus{exitError}
	}
	report.ok("cluster", fmt.Sprintf("%s %s, context %s", o.server(), t.version, o.contextName()))
	switch {
	case t.blocked() != nil: // nothing was planned
	case t.present == nil:
		report.ok("rights", "you have the rights to install tenama")
		report.ok("installation", "none; there would be one in namespace "+t.options.Namespace)
	default:
		report.ok("rights", "you have the rights to update tenama")
		state := map[bool]string{true: "install would update it", false: "up to date"}[t.changes()]
		report.ok("installation", fmt.Sprintf("%s in namespace %s: %s", cmp.Or(t.present.Version, "an unreleased build"),
			t.present.Namespace, state))
	}
	failed := false
	for _, p := range t.problems {
		if p.Warning {
			report.warn(p.Check, p.Message, p.Advice)
		} else {
			report.fail(p.Check, p.Message, p.Advice)
			failed = true
		}
	}
	if len(t.problems) == 0 {
		report.ok("environment", "aggregation, names and ports fit")
	}
	if t.present != nil {
		report.checkBroker(ctx, t.client)
	}
	for _, f := range report.findings {
		failed = failed || f.Result == failResult
	}
	if failed {
		return &exitStatus{exitError}
	}
	return nil
}

// hintOf returns the hint of an error of this program, or else the other one.
func hintOf(err error, hint string) string {
	var own *failure
	if errors.As(err, &own) && own.hint != "" {
		return own.hint
	}
	return hint
}
