#!/usr/bin/env bash
# What `make install` puts in place is enough to build a program with the merge library: the example in merge/README.md is built
# against it as its reader would, and run. Prints TAP; exit status 1 on a failure.
#
#   BUILD=build tests/lint/install.test.sh        BUILD was made with `make all`
# shellcheck disable=SC2046 # what pkg-config prints is several words
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lint/tap.sh

root=$work/root
lib=$root/opt/trivet/lib64
CC=${CC:-cc}

# Whatever flags the build at hand was made with: nothing is compiled anew.
installs() {
    env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory AS_BUILT=1 BUILD="$BUILD" DESTDIR="$root" PREFIX=/opt/trivet LIBDIR=/opt/trivet/lib64 install
}

in_place() {
    local missing=0
    for file in bin/trivet include/trivet_merge.h lib64/libtrivet-merge.a lib64/libtrivet-merge.so lib64/libtrivet-merge.so.0 \
        lib64/pkgconfig/trivet-merge.pc share/man/man1/trivet.1 share/man/man8/trivet-serve.8 share/man/man5/trivet.conf.5 share/man/man3/trivet_merge.3 \
        lib/systemd/system/trivet.service lib/sysusers.d/trivet.conf \
        share/bash-completion/completions/trivet share/doc/trivet/LICENSE share/doc/trivet-merge/README.md; do
        [ -r "$root/opt/trivet/$file" ] || { echo "missing: $file"; missing=1; }
    done
    [ -d "$root/etc/trivet" ] || { echo 'missing: /etc/trivet, for the settings'; missing=1; }
    return $missing
}

versioned() {
    local version
    version=$(pkg_config --modversion) && [ -n "$version" ] &&
        [ "$(readlink "$lib/libtrivet-merge.so")" = libtrivet-merge.so.0 ] &&
        [ "$(readlink "$lib/libtrivet-merge.so.0")" = "libtrivet-merge.so.$version" ] &&
        readelf -d "$lib/libtrivet-merge.so" | grep 'SONAME.*\[libtrivet-merge\.so\.0\]'
}

# pkg-config as one who installed there for good would use it; DESTDIR is its sysroot.
pkg_config() { # ARGUMENTS...
    PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$lib/pkgconfig pkg-config "$@" trivet-merge
}

# Each function of the header is there, and nothing else.
shows_its_header() {
    $CC -E -P merge/trivet_merge.h | grep -oE '\btrivet_merge[a-z_]*\(' | tr -d '(' | grep -v '_fn$' | sort -u >"$work/declared"
    nm -D --defined-only "$lib/libtrivet-merge.so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/shown"
    diff "$work/declared" "$work/shown"
}

awk '/^```/ { inside = ($0 == "```c"); next } inside' merge/README.md >"$work/example.c"
case_dir=fixtures/merge/presence
for folder in "$case_dir"/*/; do
    [ -e "$folder/ancestor.json" ] && [ ! -e "$folder/options.json" ] && break
done

builds() { # NAME WARNINGS-AND-FLAGS...
    local name=$1
    shift
    $CC -std=c11 -Wall -Wextra -Wpedantic -Werror "$work/example.c" "$@" -o "$work/$name"
}

# The same merge as the command's.
merges() { # NAME
    LD_LIBRARY_PATH=$lib "$work/$1" "$folder"/{ancestor,phone,computer}.json >"$work/$1.out" || return
    "$BUILD/trivet" merge --ancestor "$folder/ancestor.json" --phone "$folder/phone.json" --computer "$folder/computer.json" >"$work/wanted"
    node -e 'const [a, b] = process.argv.slice(1).map((f) => JSON.parse(fs.readFileSync(f)));
        require("node:assert").deepStrictEqual(a, b);' "$work/$1.out" "$work/wanted"
}

shared() {
    builds shared $(pkg_config --cflags --libs) && readelf -d "$work/shared" | grep 'NEEDED.*libtrivet-merge\.so\.0' && merges shared
}

static() {
    builds static -static $(pkg_config --static --cflags --libs) && ! readelf -d "$work/static" | grep NEEDED && merges static
}

refuses() {
    echo '{"lists":[[{"id":"a"}]]}' >"$work/bad.json"
    echo '{}' >"$work/empty.json"
    LD_LIBRARY_PATH=$lib "$work/shared" "$work/empty.json" "$work/bad.json" "$work/empty.json" 2>"$work/refused"
    [ $? -eq 1 ] && cat "$work/refused" && grep -q '^phone: lists\[0\]\[0\]' "$work/refused"
}

short() {
    local lines
    lines=$(wc -l <"$work/example.c")
    echo "$lines lines"
    [ "$lines" -ge 20 ] && [ "$lines" -le 40 ]
}

header_is_plain() {
    echo '#include <trivet_merge.h>' >"$work/h.c"
    $CC -std=c99 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -fsyntax-only $(pkg_config --cflags) "$work/h.c"
}

header_in_cpp() {
    c++ -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(pkg_config --cflags) "$work/h.c"
}

check 'make install' installs
check 'all is in place' in_place
check 'versions agree' versioned
check "the shared library shows what its header declares and nothing else" shows_its_header
check "README.md's example is short" short
check "it builds with the shared library, and merges as 'trivet merge' does" shared
check "it builds with the static library, and merges as 'trivet merge' does" static
check 'it refuses what is no state, and says where' refuses
check 'the header stands alone, in C99' header_is_plain
if command -v c++ >/dev/null; then check 'and in C++' header_in_cpp; else skip 'and in C++' 'no c++ here'; fi
finish
