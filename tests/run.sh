#!/usr/bin/env bash
# Runs test programs, two at a time, and counts the single tests of all of them.
#
#   tests/run.sh build/tests/test_json tests/scenario/*.test.mjs 'build/trivet merge --check fixtures/merge'
#
# An argument is a node test file (*.mjs), a cmocka program, or a command line whose output is TAP. Each gets one line; one that
# failed also shows all that it said. A program that crashed, ran out of time or held no test counts as one more failure.
# The last line is `N passed, N failed`, with `, N skipped` where any was; the exit status is 1 on a failure and where
# nothing was run.
#
#   JOBS=2             how many at a time
#   TEST_TIMEOUT=300   seconds that one program may take
set -u

JOBS=${JOBS:-2}
TEST_TIMEOUT=${TEST_TIMEOUT:-300}
work=$(mktemp -d "${TMPDIR:-/tmp}/trivet-run.XXXXXX")
trap 'rm -rf "$work"' EXIT

# cmocka speaks TAP then, as all the others do.
export CMOCKA_MESSAGE_OUTPUT=TAP

run_one() { # INDEX COMMAND
    local out=$work/$1 command=$2 started status
    started=$(date +%s%N)
    case $command in
    *.mjs) timeout -k 5 "$TEST_TIMEOUT" node --test-reporter=tap "$command" >"$out.out" 2>&1 </dev/null ;;
    *) timeout -k 5 "$TEST_TIMEOUT" bash -c "exec $command" >"$out.out" 2>&1 </dev/null ;;
    esac
    status=$?
    echo "$status $((($(date +%s%N) - started) / 1000000))" >"$out.end"
}

# Reads one program's output: sets passed, failed, skipped.
count() { # OUTPUT COMMAND
    if [[ $2 == *.mjs ]]; then
        # Node sums up by itself; its tests may nest, so that lines do not count.
        passed=$(sed -n 's/^# pass \([0-9]*\)$/\1/p' "$1" | tail -n 1)
        failed=$(awk '/^# (fail|cancelled) [0-9]+$/ { n += $3 } END { print n + 0 }' "$1")
        skipped=$(awk '/^# (skipped|todo) [0-9]+$/ { n += $3 } END { print n + 0 }' "$1")
    else
        # cmocka calls a skipped test `not ok`.
        skipped=$(grep -ciE '^(not )?ok .*# *skip' "$1")
        passed=$(grep -iE '^ok( |$)' "$1" | grep -cviE '# *skip')
        failed=$(grep -iE '^not ok( |$)' "$1" | grep -cviE '# *skip')
    fi
    passed=${passed:-0}
}

report() { # INDEX COMMAND
    local out=$work/$1.out status ms passed failed skipped note=''
    read -r status ms <"$work/$1.end"
    count "$out" "$2"
    if [ "$status" -ge 124 ] && [ "$status" -le 137 ] && [ "$ms" -ge $((TEST_TIMEOUT * 1000)) ]; then
        note="ran out of time after $TEST_TIMEOUT s"
    elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        note="ended with status $status"
    elif [ $((passed + failed + skipped)) -eq 0 ]; then
        note='held no test'
    fi
    [ -n "$note" ] && failed=$((failed + 1))
    printf '%-6s %s: %d passed, %d failed' "$([ "$failed" -eq 0 ] && echo ok || echo FAILED)" "$2" "$passed" "$failed"
    [ "$skipped" -gt 0 ] && printf ', %d skipped' "$skipped"
    printf ' (%d.%d s)%s\n' $((ms / 1000)) $((ms % 1000 / 100)) "${note:+: $note}"
    [ "$failed" -eq 0 ] || sed 's/^/    /' "$out"
    # A skipped test says why.
    [ "$failed" -gt 0 ] || [ "$skipped" -eq 0 ] || grep -hiE '^ *(not )?ok .*# *skip' "$out" | sed 's/^ */    /'
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    total_skipped=$((total_skipped + skipped))
}

total_passed=0 total_failed=0 total_skipped=0
commands=("$@") next=0 shown=0 running=0
while [ "$shown" -lt "${#commands[@]}" ]; do
    while [ "$running" -lt "$JOBS" ] && [ "$next" -lt "${#commands[@]}" ]; do
        run_one "$next" "${commands[next]}" 2>/dev/null & # bash itself would report a crash a second time
        next=$((next + 1)) running=$((running + 1))
    done
    wait -n
    running=$((running - 1))
    # In the order given, each as soon as it and all before it are done.
    while [ "$shown" -lt "${#commands[@]}" ] && [ -e "$work/$shown.end" ]; do
        report "$shown" "${commands[shown]}"
        shown=$((shown + 1))
    done
done

printf '%d passed, %d failed' "$total_passed" "$total_failed"
[ "$total_skipped" -eq 0 ] || printf ', %d skipped' "$total_skipped"
printf '\n'
[ "$total_failed" -eq 0 ] && [ $((total_passed + total_failed)) -gt 0 ]
