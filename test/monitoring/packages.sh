#!/bin/sh
# packages.sh: installs Prometheus (Debian) if it lacks and that is possible, and fails with one
# line if the tests cannot run.
set -eu
if ! command -v promtool >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus; } >/dev/null 2>&1 || true
fi
if ! command -v promtool >/dev/null || ! command -v prometheus >/dev/null; then
  echo "make monitoring: skipped: it needs the Debian package prometheus" >&2
  exit 1
fi
