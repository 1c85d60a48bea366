#!/bin/sh
# packages.sh [--check]: prepares a machine for the tests with other people's programs. It
# installs the Debian packages that lack if it can, with --check it does not, and fails with one
# line that says why the tests cannot run.
set -eu
lacking=
for p in nodejs:node npm:npm rsync:rsync webhook:webhook python3-aiosmtpd:aiosmtpd jq:jq; do
  command -v "${p#*:}" >/dev/null || lacking="$lacking ${p%:*}"
done
if [ -n "$lacking" ] && [ "${1:-}" != --check ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # several words
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $lacking; } >/dev/null 2>&1 || true
  lacking=
  for p in nodejs:node npm:npm rsync:rsync webhook:webhook python3-aiosmtpd:aiosmtpd jq:jq; do
    command -v "${p#*:}" >/dev/null || lacking="$lacking ${p%:*}"
  done
fi
if [ -n "$lacking" ]; then
  echo "make worlds: skipped: it needs the Debian packages$lacking" >&2
  exit 1
fi
