// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// A wrong value must be named before anything is written; what is different here must be said.
// TestMigration applies the manifests of testdata/config.yaml.
func TestMigrate(t *testing.T) {
	for name, c := range map[string]struct{ config, want, notes, err string }{
		"nothing":              {"{}", "kind: NamespaceClass", "", ""},
		"a prefix with a dash": {"namespace: {prefix: ci-}", "prefix: ci-\n", "--prefix tmp-,ci-", ""},
		"the prefix of the broker's namespace": {"namespace: {prefix: tenama}", "kind: NamespaceClass",
			`namespace.prefix "tenama" is not used, but tmp-: the broker's own namespace, tenama-system, begins with it`, ""},
		"a prefix with capitals": {"namespace: {prefix: Team_A}", "kind: NamespaceClass", "lower-case letters", ""},
		"a prefix with a line break": {`namespace: {prefix: "a\n  ownerRole: x"}`, "kind: NamespaceClass",
			"lower-case letters", ""},
		"a short duration": {"namespace: {duration: 1h}", "defaultTTLSeconds: 3600\n    maximumTTLSeconds: 604800",
			"requests that", ""},
		"a long duration": {"namespace: {duration: 1000h}", "maximumTTLSeconds: 3600000", "requests that name none", ""},
		"a quota": {"namespace: {resources: {requests: {memory: 1Gi, cpu: 100m}}}",
			"        requests.cpu: 100m\n        requests.ephemeral-storage: 20Gi\n        requests.memory: 1Gi\n", "", ""},
		"a limit": {"namespace: {resources: {limits: {memory: 1Gi}}}", "        limits.memory: 1Gi\n", "", ""},
		"the limit of a container": {"namespace: {resources: {limits: {memory: 1Gi}}}",
			"max:\n          cpu: \"4\"\n          ephemeral-storage: 10Gi\n          memory: 1Gi\n", "", ""},
		"limits of all that are off": {"globalLimits: {enabled: false, resources: {requests: {cpu: '1'}}}",
			"kind: NamespaceClass", "", ""},
		"a limit of all": {"globalLimits: {enabled: true, resources: {requests: {cpu: '7'}}}", "    requests.cpu: \"7\"\n",
			"counts the quota of the first class", ""},
		"users": {`basicAuth: [{username: 'a: b', password: p}, {username: "c, d}\n- x"}]`, "name: 'a: b'",
			"passwords are dropped", ""},
		"what the first one has by default": {"cleanupInterval: 10m\nlogLevel: debug", "kind: NamespaceClass",
			"cleanupInterval", ""},

		"days":             {"namespace: {duration: 7d}", "", "", `namespace.duration "7d": use a duration`},
		"a thousand years": {"namespace: {duration: 8760000h}", "", "", "use a duration from 1s to"},
		"no quantity":      {"namespace: {resources: {requests: {cpu: much}}}", "", "", `cpu "much": use a quantity`},
		"another resource": {"namespace: {resources: {requests: {gpu: '1'}}}", "", "", "gpu: use cpu, memory, storage"},
		"storage as a limit": {"namespace: {resources: {limits: {storage: '1'}}}", "", "",
			"limits.storage: use cpu, memory"},
		"a misspelled key": {"namespaces: {}", "", "", `unknown field "namespaces"`},
		"no user":          {"basicAuth: [{password: p}]", "", "", "basicAuth[0].username is empty"},
		"no YAML":          {"{", "", "", "read the configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, notes bytes.Buffer
			err := migrate([]byte(c.config), &out, &notes)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || out.Len() > 0 {
					t.Errorf("error %v with output %q, want %q and none", err, out.String(), c.err)
				}
				return
			}
			if err != nil || !strings.Contains(out.String(), c.want) || !strings.Contains(notes.String(), c.notes) ||
				c.notes == "" && notes.Len() > 0 {
				t.Errorf("error %v, notes %q, and\n%s\nwant %q and %q", err, notes.String(), out.String(), c.notes, c.want)
			}
			if strings.Contains(out.String(), "password") {
				t.Error("the manifests contain a password")
			}
			for doc := range strings.SplitSeq(out.String(), "\n---\n") {
				var o map[string]any
				if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
					t.Errorf("not YAML: %v\n%s", err, doc)
				}
			}
		})
	}
}
