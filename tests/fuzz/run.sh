#!/usr/bin/env bash
# Runs each fuzz target for a while.
#
#   tests/fuzz/run.sh SECONDS build-fuzz/fuzz/fuzz_state...
#
# A target starts from the files in tests/fuzz/corpus/TARGET, where there are some; what it finds besides is not kept.
# An input that breaks one is left in build-fuzz/fuzz/TARGET-crash-* and the exit status is 1.
set -eu
seconds=$1
shift
cd "$(dirname "$0")/../.."

for target in "$@"; do
    [ -x "$target" ] || { echo "no fuzz target: $target" >&2; exit 1; }
    name=${target##*/}
    found=$(mktemp -d "${TMPDIR:-/tmp}/trivet-fuzz.XXXXXX")
    corpus=("$found")
    [ ! -d "tests/fuzz/corpus/$name" ] || corpus+=("tests/fuzz/corpus/$name")
    if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$target-" "${corpus[@]}" \
        >"$found.log" 2>&1; then
        echo "ok     $name: $(sed -n 's/^Done \([0-9]*\) runs in .*/\1 inputs/p' "$found.log")"
        rm -rf "$found" "$found.log"
    else
        tail -n 40 "$found.log"
        echo "FAILED $name"
        rm -rf "$found" "$found.log"
        exit 1
    fi
done
