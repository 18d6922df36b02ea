#!/usr/bin/env bash
# The merge library needs memory and string functions and nothing else: no stdio, no locale, no errno, no state of its own, and no
# operating system. Prints TAP; exit status 1 on a failure. (tests/lint/layers.sh looks at what it includes.)
#
#   BUILD=build tests/lint/strict.test.sh        BUILD was made with `make all`
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lint/tap.sh

CC=${CC:-cc}
ALLOWED='malloc calloc realloc free memcpy memmove memset memcmp memchr strlen'
# What the compiler makes calls of by itself: stack guard, _FORTIFY_SOURCE, addresses that are found while loading.
COMPILER='__stack_chk_fail __memcpy_chk __memmove_chk __memset_chk _GLOBAL_OFFSET_TABLE_'

# What objects or an archive need from outside.
needed() { # FILE...
    nm -g --defined-only "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u >"$work/defined"
    nm -u "$@" | awk 'NF == 2 { print $2 }' | sort -u | comm -23 - "$work/defined"
}

needs_little() { # FILE...
    needed "$@" >"$work/needed"
    tr ' ' '\n' <<<"$ALLOWED $COMPILER" | sort >"$work/allowed"
    ! comm -23 "$work/needed" "$work/allowed" | grep .
}

# An archive that prints, or asks for a locale, must be seen.
needs_much() {
    for call in 'printf("%d", argc)' '(localeconv() != 0)' '(errno + argc)' '(int)strtod("1", 0)'; do
        printf '#include <errno.h>\n#include <locale.h>\n#include <stdio.h>\n#include <stdlib.h>\nint f(int argc); int f(int argc) { return argc + %s; }\n' \
            "$call" >"$work/bad.c"
        $CC -c -o "$work/bad.o" "$work/bad.c" && ! needs_little "$work/bad.o" || return 1
    done
}

# Nothing that a call could leave behind for the next.
keeps_nothing() {
    ! size -A "$BUILD/libtrivet-merge.a" | awk '$1 ~ /^\.(data|bss|tdata|tbss)$/ && $2 > 0' | grep .
}

# No header of a C library is in reach but the two here.
freestanding() {
    for source in merge/*.c; do
        $CC -std=c11 -ffreestanding -nostdinc -isystem "$($CC -print-file-name=include)" -isystem tests/lint/freestanding -Imerge \
            -Wall -Wextra -Werror -fsyntax-only "$source" || return 1
    done
}

# Whether clang here can make WebAssembly at all; else why not.
no_wasm() {
    command -v clang >/dev/null || { echo 'no clang here'; return; }
    command -v wasm-ld >/dev/null || ls "$(dirname "$(readlink -f "$(command -v clang)")")"/wasm-ld* >/dev/null 2>&1 ||
        { echo 'no wasm-ld here (package lld)'; return; }
    echo 'int f(void); int f(void) { return 1; }' >"$work/f.c"
    clang --target=wasm32 -nostdlib -Wl,--no-entry -o "$work/f.wasm" "$work/f.c" >/dev/null 2>&1 || echo 'this clang cannot make wasm32'
}

wasm() {
    env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory BUILD="$BUILD" WERROR=1 wasm
}

check 'it needs nothing but memory and strings' needs_little "$BUILD/libtrivet-merge.a"
check 'what needs more is seen' needs_much
check 'it keeps no state of its own' keeps_nothing
check 'it compiles without the headers of a C library' freestanding
why=$(no_wasm)
if [ -z "$why" ]; then
    check 'it compiles for wasm32' wasm
    check 'and merges there as here' node tests/lint/wasm.mjs "$BUILD/wasm/trivet_merge.wasm" fixtures/merge
else
    skip 'it compiles for wasm32' "$why"
    skip 'and merges there as here' "$why"
fi
finish
