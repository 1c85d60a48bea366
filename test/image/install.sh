#!/bin/sh
# install.sh: installs the programs that the tests run, from Debian's or Ubuntu's
# packages, unless they are there.
set -eu
missing=
for program in skopeo:skopeo umoci:umoci docker-registry:docker-registry containerd:containerd ctr:containerd; do
  command -v "${program%:*}" >/dev/null || missing="$missing ${program#*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "make image-test needs programs that are not installed: run, as root, apt-get install$missing" >&2
  exit 1
fi
apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
