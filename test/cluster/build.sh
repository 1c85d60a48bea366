#!/bin/sh
# build.sh OUT [MODFILE [TAG]]: builds the control plane for tests and the demo into OUT,
# if OUT is absent or was built from other sources; either of the newest Kubernetes that
# tenama supports (go.mod), or of the oldest (oldest.mod). With the tag node it also
# contains what runs on a node. The first build compiles Kubernetes; these flags make it
# fast, and must be the same everywhere, or all of it is compiled again. With INLINE=1 it
# has Go's own flags, as the Kubernetes that people run.
set -eu
out=$(realpath -m "$1")
mod=${2:-go.mod}
tag=${3:-}
cd "$(dirname "$0")"
hash=$(cat "$mod" "${mod%.mod}.sum" *.go build.sh | git hash-object --stdin)
[ "$("$out" sources 2>/dev/null || true)" != "$hash" ] || exit 0

version=$(awk '$1 == "k8s.io/kubernetes" && !done { print $2; done = 1 }' "$mod")
minor=$(echo "$version" | cut -d. -f2)
ld="-s -w -X main.sources=$hash"
for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  ld="$ld -X $p.gitVersion=$version -X $p.gitMajor=1 -X $p.gitMinor=$minor -X $p.gitTreeState=clean"
done
export CGO_ENABLED=0
gc="all=-l -dwarf=false"
if [ -n "${INLINE:-}" ]; then
  gc=
  export GOFLAGS=-trimpath
fi
echo "Building Kubernetes $version and etcd from Go modules into $out" >&2
echo "The first time this downloads 200 MB and takes 3.5 to 6 minutes on two cores." >&2
go mod download -modfile="$mod"
status=$(mktemp)
trap 'rm -f "$status"' EXIT
{ go build -v -modfile="$mod" -tags "$tag" -trimpath -ldflags "$ld" -gcflags "$gc" -o "$out.new" . 2>&1 || echo "$?" >"$status"; } | {
  n=0
  began=$(date +%s)
  while IFS= read -r line; do
    case $line in
    *' '* | '#'* | *'.go:'*) echo "$line" >&2 ;; # a message, not a package
    *)
      n=$((n + 1))
      [ $((n % 250)) -ne 0 ] || echo "  compiled $n packages of about 2700 ($(($(date +%s) - began)) s)" >&2
      ;;
    esac
  done
}
[ ! -s "$status" ] || exit "$(cat "$status")"
mv "$out.new" "$out"
