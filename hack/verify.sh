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
changed=$({ diff -r -x .git -x bin "$tmp/api" api && diff -r "$tmp/deploy" deploy &&
  diff -r "$tmp/pkg/broker/openapi" pkg/broker/openapi &&
  diff "$tmp/test/e2e/testdata/twin.yaml" test/e2e/testdata/twin.yaml && diff "$tmp/docs/cli.md" docs/cli.md &&
  diff "$tmp/docs/metrics.md" docs/metrics.md; } 2>&1) || {
  echo "$changed" | cut -c1-200 >&2 # documents of OpenAPI are one line
  echo "generated files are out of date: run make generate" >&2
  exit 1
}
go mod tidy -diff
(cd tools && go mod tidy -diff)
(cd tools/act && go mod tidy -diff)
(cd tools/image && go mod tidy -diff)
(cd tools/krew && go mod tidy -diff)
(cd tools/oras && go mod tidy -diff)
(cd tools/helm && go mod tidy -diff)
(cd tools/gatekeeper && go mod tidy -diff)
(cd test/attest && go mod tidy -diff)
(cd tools/kube-router && go mod tidy -diff)
(cd tools/coredns && go mod tidy -diff)
(cd tools/plot && go mod tidy -diff)
(cd test/compat && go mod tidy -diff)
(cd test/compat/argocd && go mod tidy -diff)
(cd test/cluster && go mod tidy -diff && go mod tidy -diff -modfile=oldest.mod)
cp plugins/krew.yaml "$tmp/tenama.yaml" # krew requires that the file has the name of the plugin
bin/tools/validate-krew-manifest -manifest "$tmp/tenama.yaml" -skip-install 2>"$tmp/krew.log" || {
  cat "$tmp/krew.log" >&2
  echo "plugins/krew.yaml is not valid" >&2
  exit 1
}
echo "generated files, go.mod and plugins/krew.yaml are in order"
