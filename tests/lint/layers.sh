#!/usr/bin/env bash
# Fails where an #include breaks the layers. Dependencies point one way:
#
#   src/cli -> src/serve, src/relay, src/phone -> src/net, src/store, src/state -> merge, proto
#
#   tests/lint/layers.sh [ROOT]    prints `file:line: why` for each breach; exit status 1 where there was one
set -eu
cd "${1:-$(dirname "$0")/../..}"

# What a room may see besides itself and src/log.h. A room that is not listed may not exist.
may_see() {
    case $1 in
    merge | proto) ;;
    src/net) echo proto ;;
    src/store | src/state) echo merge ;;
    src/phone) echo src/net src/state merge proto ;;
    src/relay) echo src/net src/store proto ;;
    src/serve) echo src/web src/net src/store src/state merge proto ;;
    src/web) ;;
    src/cli) echo src/relay src/serve src/phone src/web src/net src/store src/state merge proto ;;
    src) echo src/cli ;; # main.c
    *) return 1 ;;
    esac
}

# Which room a header is of; nothing for a system header.
room_of() { # FILE HEADER-WITH-ITS-QUOTES
    local header=${2:1:-1}
    case $2 in
    '<trivet_merge.h>') echo merge ;;
    '<trivet_proto.h>') echo proto ;;
    \<*) ;;
    *..*) echo 'no .. in an include' ;;
    */*) echo "src/${header%/*}" ;;
    *) # beside the file, or in src; -Imerge and -Iproto must not let anyone into the libraries' own headers
        if [ -e "${1%/*}/$header" ]; then echo "${1%/*}"; elif [ -e "src/$header" ]; then echo src; else echo unknown; fi ;;
    esac
}

# The merge library stands on libc alone (merge/trivet_merge.h).
LIBC=' assert.h ctype.h errno.h float.h inttypes.h limits.h math.h stdalign.h stdarg.h stdbool.h stddef.h stdint.h stdio.h
 stdlib.h string.h '

breaches=0
breach() { # FILE LINE WHY
    echo "$1:$2: $3"
    breaches=$((breaches + 1))
}

while IFS=: read -r file line text; do
    room=${file%/*}
    header=$(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*\(<[^>]*>\|"[^"]*"\).*/\1/p' <<<"$text")
    [ -n "$header" ] || { breach "$file" "$line" 'an include that is no plain header'; continue; }
    if ! seen=$(may_see "$room"); then
        breach "$file" "$line" "no layer is named $room; tests/lint/layers.sh lists them"
        continue
    fi
    target=$(room_of "$file" "$header")
    if [ -z "$target" ]; then
        [ "$room" != merge ] || [[ $LIBC == *" ${header:1:-1} "* ]] || breach "$file" "$line" "merge may not include $header: libc only"
    elif [ "$target" != "$room" ] && [[ " $seen " != *" $target "* ]] && ! [[ $header == '"log.h"' && $room == src/* ]]; then
        breach "$file" "$line" "$room may not include $header ($target)"
    fi
done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' -r --include='*.[ch]' merge proto src)

[ "$breaches" -eq 0 ]
