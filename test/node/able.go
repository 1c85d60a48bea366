// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"syscall"
)

// errForbidden marks an error of a program that tells no error of the system.
var errForbidden = errors.New("the kernel refuses it")

// forbidden reports whether the machine does not allow an operation, or its kernel does not
// have it: a container without privileges, a sandbox.
func forbidden(err error) bool {
	for _, e := range []error{errForbidden, fs.ErrPermission, syscall.EROFS, syscall.ENOSYS, syscall.ENODEV} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// skipOr returns the exit code for an error before the tests: 0, after a line that says why, if
// the machine forbids what they need.
func skipOr(err error) int {
	if forbidden(err) {
		fmt.Println("skipped: the tests on a node need a machine that allows it:", err)
		return 0
	}
	fmt.Println("node:", err)
	return 1
}

// filters tries what the network of a node needs of the kernel, in the namespaces of the tests.
func filters() error {
	for _, command := range []string{
		"ip link add tried type bridge", "ipset create tried hash:ip", "iptables -t nat -N tried",
		"iptables -t filter -A INPUT -m set --match-set tried src -m comment --comment tried -j ACCEPT",
	} {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %v: %s", command, errForbidden, err, strings.TrimSpace(string(out)))
		}
	}
	for _, command := range []string{
		"iptables -t filter -F INPUT", "iptables -t nat -X tried", "ipset destroy tried", "ip link delete tried",
	} {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", command, err, out)
		}
	}
	return nil
}
