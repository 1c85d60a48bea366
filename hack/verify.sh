#!/bin/sh
# verify.sh: fails if `make generate` or `go mod tidy` would change anything.
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$tmp"
mkdir -p "$tmp/bin"
ln -s "$PWD/bin/tools" "$tmp/bin/tools"
(cd "$tmp" && GO=true && make -s generate -o tools)
diff -r -x .git -x bin "$tmp/api" api && diff -r "$tmp/deploy" deploy && diff -r "$tmp/pkg/broker/openapi" pkg/broker/openapi || {
  echo "generated files are out of date: run make generate" >&2
  exit 1
}
go mod tidy -diff
(cd tools && go mod tidy -diff)
(cd test/cluster && go mod tidy -diff)
echo "generated files and go.mod are up to date"
