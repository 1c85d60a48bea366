// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// errPrivate is the error of a connection to an address that an endpoint must not have.
var errPrivate = errors.New("the address is private; to allow it, set allowPrivateAddresses")

// reserved are the networks that are not private by the definition of net/netip, and not of the
// internet either (IANA special-purpose address registries).
var reserved = func() (out []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
		"2001:db8::/32", "2002::/16", "3fff::/20", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

// dialer returns a dialer that connects, unless private addresses are allowed, to addresses of
// the internet only. It decides about the address that a name was resolved to, so that no
// name server can change it afterwards.
func dialer(private bool) *net.Dialer {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !private {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !public(at.Addr()) {
				return errPrivate
			}
			return nil
		}
	}
	return d
}

// public reports whether a is an address of the internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a.WithZone("")) {
			return false
		}
	}
	return true
}
