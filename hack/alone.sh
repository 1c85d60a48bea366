#!/usr/bin/env bash
# alone.sh COMMAND...: runs a command with its own temporary directory (TMPDIR). However
# the command ends, also by Ctrl-C, neither the processes that it started nor the
# directory remain when this script returns.
set -um # -m: the command gets its own process group, with the usual signals
tmp=$(mktemp -d "${TMPDIR:-/tmp}/tenama.XXXXXXXX") || exit 1
TMPDIR=$tmp "$@" &
pid=$!
for signal in INT TERM HUP; do
  trap 'kill -'$signal' -'$pid' 2>/dev/null' "$signal"
done
status=0
while kill -0 "$pid" 2>/dev/null; do
  wait "$pid" # a signal ends the wait early
  status=$?
done

# Processes of the command have the directory in their environment. They end with their
# parents, which can take a moment: kube-apiserver finishes its work first.
left() {
  [ -d /proc/self ] && grep -lzxF "TMPDIR=$tmp" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3 | grep -vxF $$
}
for ((i = 0; i < 100; i++)); do
  pids=$(left) || break
  sleep 0.2
done
if pids=$(left); then
  echo "alone.sh: killing processes that ${1##*/} left running:" $pids >&2
  kill -KILL $pids 2>/dev/null
  [ "$status" -ne 0 ] || status=1
  sleep 0.5
fi
rm -rf "$tmp"
exit "$status"
