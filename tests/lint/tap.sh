# shellcheck shell=bash
# TAP for the scripts here, and a folder that ends with them.
#
#   . tests/lint/tap.sh; check 'what holds' command...; skip 'what' 'why'; finish
#
# $work is the folder, $BUILD what `make` built into.

work=$(mktemp -d "${TMPDIR:-/tmp}/trivet-lint.XXXXXX")
trap 'rm -rf "$work"' EXIT
BUILD=${BUILD:-build}
number=0 failures=0

check() { # NAME COMMAND...
    local name=$1
    shift
    number=$((number + 1))
    if "$@" >"$work/out" 2>&1; then
        echo "ok $number - $name"
    else
        failures=$((failures + 1))
        echo "not ok $number - $name"
        sed 's/^/# /' "$work/out"
    fi
}

skip() { # NAME WHY
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

finish() {
    echo "1..$number"
    [ "$failures" -eq 0 ]
}
