#!/bin/sh
# packages.sh [--check]: prepares a machine for the tests on a node. It installs the Debian
# packages that lack if it can, with --check it does not, and fails with one line that says
# why the tests cannot run.
set -eu
skip() {
  echo "make node: skipped: the tests on a node need $*" >&2
  exit 1
}
[ "$(uname -s)" = Linux ] || skip "Linux"
[ "$(id -u)" = 0 ] || skip "root"
PATH=$PATH:/usr/sbin:/sbin

# A file that each package installs, and the package.
missing() {
  while read -r file package; do
    [ -x "$file" ] || command -v "$file" >/dev/null || printf '%s ' "$package"
  done <<EOF
containerd containerd
runc runc
/usr/lib/cni/bridge containernetworking-plugins
ip iproute2
iptables iptables
ipset ipset
nft nftables
conntrack conntrack
modprobe kmod
EOF
}
lacking=$(missing)
if [ -n "$lacking" ] && [ "${1:-}" != --check ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # several words
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $lacking; } >/dev/null 2>&1 || true
  lacking=$(missing)
fi
[ -z "$lacking" ] || skip "the Debian packages ${lacking% } (make node installs them)"
