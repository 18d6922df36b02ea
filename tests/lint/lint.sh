#!/usr/bin/env bash
# How the tree must read, besides what the compilers check. Prints TAP; exit status 1 on a failure.
#
#   tests/lint/lint.sh
set -u
cd "$(dirname "$0")/../.." || exit

. tests/lint/tap.sh

# Files of the tree, whether or not git is here; never what was built.
files() { # FIND-EXPRESSION...
    find . -path ./.git -prune -o -path './build*' -prune -o -type f \( "$@" \) -print | sort
}

formatted() {
    files -name '*.[ch]' | xargs -r clang-format --dry-run -Werror
}

manual() {
    # A page may name others that are not installed on this machine, and needs no operating system's name.
    files -path './man/*' -name '*.[1-8]' | xargs -r mandoc -Tlint -Wwarning
}

shell() {
    {
        files -name '*.sh' -o -name '*.bash'
        echo .ci/run
    } | xargs shellcheck -x
}

# Breaks the layers in a copy of the tree: the check must see it, or it is worth nothing.
layers_can_fail() {
    local broken=$1 include=$2 tree=$work/tree
    rm -rf "$tree"
    mkdir -p "$tree"
    cp -r merge proto src "$tree"
    echo "$include" >>"$tree/$broken"
    ! tests/lint/layers.sh "$tree" && tests/lint/layers.sh "$tree" | grep -q "^$broken:"
}

# The top level holds what README.md's "Layout" lists and nothing more.
top_level() {
    local unknown
    unknown=$(find . -mindepth 1 -maxdepth 1 ! -name '.git*' ! -name 'build*' ! -name .ci ! -name .clang-format ! -name LICENSE \
        ! -name Makefile ! -name README.md ! -name fixtures ! -name man ! -name merge ! -name proto ! -name src ! -name tests)
    [ -z "$unknown" ] || { echo "$unknown"; return 1; }
}

licence() {
    grep -qx 'MIT License' LICENSE && grep -q '^Copyright (c) ' LICENSE && grep -q 'WITHOUT WARRANTY OF ANY KIND' LICENSE
}

# Nothing is left for later.
finished() {
    ! { files -name '*.[ch]' -o -name '*.mjs' -o -name '*.md' | xargs -r grep -nHE '\b(TO''DO|FIX''ME|XXX)\b'; }
}

check 'sources are formatted (make format)' formatted
check 'includes keep to the layers' tests/lint/layers.sh
check 'a library that looks into the program is seen' layers_can_fail merge/trivet_merge.h '#include "net/websocket.h"'
check 'a lower layer that looks upwards is seen' layers_can_fail src/net/client.h '#include "serve/serve.h"'
check 'what is for every room may look into none' layers_can_fail src/log.h '#include "cli/commands.h"'
check 'a merge that prints is seen' layers_can_fail merge/merge.c '#include <stdio.h>'
check "another's private header is seen" layers_can_fail src/cli/commands.h '#include "arena.h"'
check 'manual pages are sound' manual
check 'shell scripts are sound' shell
check 'the top level is as README.md has it' top_level
check 'the licence is there' licence
check 'nothing is left for later' finished
finish
