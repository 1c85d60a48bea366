// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// While a command runs, it has the terminal: a credential plugin of the user must not ask there,
// and one that waits for a login must not keep run from returning.
func TestLoginDuringRun(t *testing.T) {
	t.Parallel()
	home := terminalUser(t, "leah")
	path := filepath.Join(home, "config")
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	user := config.AuthInfos["leah"]
	credential, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]string{
			"clientCertificateData": string(user.ClientCertificateData), "clientKeyData": string(user.ClientKeyData),
			"expirationTimestamp": "EXPIRY",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Once the command runs, the plugin waits until the end of the test.
	plugin := `#!/bin/sh
cd '` + home + `'
echo "$KUBERNETES_EXEC_INFO" >> asked
if [ -e started ]; then
	touch waiting
	i=0; while [ ! -e over ] && [ $i -lt 3000 ]; do sleep 0.1; i=$((i + 1)); done
	exit 1
fi
sed "s/EXPIRY/$(date -u -d "@$(($(date +%s) + 10))" +%Y-%m-%dT%H:%M:%SZ)/" credential
`
	for name, text := range map[string]string{"credential": string(credential), "plugin": plugin} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.WriteFile(filepath.Join(home, "over"), nil, 0o600); time.Sleep(time.Second) })
	config.AuthInfos["leah"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: filepath.Join(home, "plugin"),
		InteractiveMode: clientcmdapi.IfAvailableExecInteractiveMode,
	}}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	s := open(t, home, 100, nil, "run", "--", "sh", "-c",
		"touch started; i=0; until [ -e waiting ] || [ $i -gt 1200 ]; do sleep 0.1; i=$((i + 1)); done; exit 4")
	s.until(`created; it is deleted when the command ends`)
	s.until(`Warning: the login did not finish, so namespace "tmp-[a-z-]+" was left; it expires in 12m or less\.`)
	if code, out := s.exit(); code != 4 {
		t.Errorf("exit code %d, want that of the command:\n%s", code, out)
	}
	b, err := os.ReadFile(filepath.Join(home, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	calls := strings.Split(strings.TrimSpace(string(b)), "\n")
	first, last := calls[0], calls[len(calls)-1]
	if !strings.Contains(first, `"interactive":true`) || !strings.Contains(last, `"interactive":false`) {
		t.Errorf("the plugin was called with\n%s\nand last with\n%s", first, last)
	}
}
