#!/bin/sh
# Builds two releases into a directory, for the test of an update: v0.0.1 from the commit
# before HEAD (from HEAD in a checkout without history), v0.0.2 from the files as they are.
#
#   test/node/releases.sh DIR
set -eu

dir=$1
before=$(git rev-parse --verify --quiet HEAD~1 || git rev-parse HEAD)
source=$(mktemp -d)
git archive "$before" | tar -x -C "$source"
export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$before")
for release in "v0.0.1 $source" "v0.0.2 $PWD"; do
	set -- $release
	make --no-print-directory -C "$2" BIN="$dir/$1" VERSION="$1" image "$dir/$1/kubectl-tenama" >/dev/null
done
