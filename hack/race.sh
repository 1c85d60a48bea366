#!/usr/bin/env bash
# race.sh: runs the unit tests with the race detector, and tests on a control plane with a
# broker and a plugin that have it. It fails if a test does, or if a race is reported.
set -eu
cd "$(dirname "$0")/.."
if ! command -v "${CC:-gcc}" > /dev/null; then
  echo "race.sh: install a C compiler, which the race detector needs (Debian: gcc libc6-dev)" >&2
  exit 1
fi
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
export GORACE="log_path=$reports/race"
with=(env CGO_ENABLED=1 GOFLAGS="-trimpath -buildvcs=false")
"${with[@]}" go build -race -o bin/race/tenama-broker ./cmd/broker
"${with[@]}" go build -race -o bin/race/kubectl-tenama ./cmd/kubectl-tenama
status=0
"${with[@]}" hack/alone.sh go test -race -count=1 ./internal/... ./pkg/... || status=1
# Many requests at once, the lifecycle, budgets, watches, and the start and end of brokers.
tests='^(TestCreate|TestExpiry|TestExtend|TestDrain|TestConcurrentCallers|TestBudgetIsExact|TestWatch|TestPausedExpiry|TestHold|TestCertificateFiles)'
TENAMA_BIN=$PWD/bin/race hack/alone.sh go test -count=1 -timeout 40m -parallel 4 -run "$tests" ./test/e2e || status=1
if compgen -G "$reports/race.*" > /dev/null; then
  cat "$reports"/race.*
  echo "race.sh: races were found" >&2
  exit 1
fi
exit $status
