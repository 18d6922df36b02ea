#!/usr/bin/env bash
# Fails where an #include breaks the layers. Dependencies point one way:
#
#   src/cli -> src/serve, src/relay, src/phone -> src/net, src/jot, src/store, src/state, src/fixture -> merge, proto
#
#   tests/lint/layers.sh [ROOT]    prints `file:line: why` for each breach; exit status 1 where there was one
set -eu
cd "${1:-$(dirname "$0")/../..}"

# What stands in src itself (log.h) is for every room in src, and looks into none of them; main.c starts src/cli.

# Sets `seen`: what a room may see besides that and itself. A room that is not listed may not exist.
may_see() { # ROOM
    case $1 in
    merge | proto | src/web | src/mdns) seen='' ;;
    src/net) seen=proto ;;
    src/store | src/state | src/fixture) seen=merge ;;
    src/jot) seen='src/store proto' ;;
    src/phone) seen='src/net src/state merge proto' ;;
    src/relay) seen='src/net src/store proto' ;;
    src/serve) seen='src/web src/net src/jot src/store src/state src/fixture merge proto' ;;
    src/cli) seen='src/relay src/serve src/phone src/web src/net src/jot src/store src/state src/fixture merge proto' ;;
    src) seen=$([ "$file" != src/main.c ] || echo src/cli) ;;
    *) return 1 ;;
    esac
}

# Sets `target`: which room a header is of; nothing for a system header.
room_of() { # FILE HEADER-WITH-ITS-QUOTES
    local header=${2:1:-1}
    case $2 in
    '<trivet_merge.h>') target=merge ;;
    '<trivet_proto.h>') target=proto ;;
    \<*) target='' ;;
    *..*) target='no .. in an include' ;;
    */*) target=src/${header%/*} ;;
    *) # beside the file, or in src; -Imerge and -Iproto must not let anyone into the libraries' own headers
        if [ -e "${1%/*}/$header" ]; then target=${1%/*}; elif [ -e "src/$header" ]; then target=src; else target=unknown; fi ;;
    esac
}

# The merge library stands on memory and string functions alone (merge/trivet_merge.h): no stdio.h, locale.h or errno.h, and nothing
# that reads a locale.
LIBC=' float.h limits.h stdalign.h stdarg.h stdbool.h stddef.h stdint.h stdlib.h string.h '

plain='^[[:space:]]*#[[:space:]]*include[[:space:]]*(<[^>]*>|"[^"]*")'
breaches=0
breach() { # FILE LINE WHY
    echo "$1:$2: $3"
    breaches=$((breaches + 1))
}

while IFS=: read -r file line text; do
    room=${file%/*}
    [[ $text =~ $plain ]] || { breach "$file" "$line" 'an include that is no plain header'; continue; }
    header=${BASH_REMATCH[1]}
    if ! may_see "$room"; then
        breach "$file" "$line" "no layer is named $room; tests/lint/layers.sh lists them"
        continue
    fi
    room_of "$file" "$header"
    if [ -z "$target" ]; then
        [ "$room" != merge ] || [[ $LIBC == *" ${header:1:-1} "* ]] || breach "$file" "$line" "merge may not include $header: only memory and strings"
    elif [ "$target" != "$room" ] && [[ " $seen " != *" $target "* ]] && ! [[ $target == src && $room == src/* ]]; then
        breach "$file" "$line" "$room may not include $header ($target)"
    fi
done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' -r --include='*.[ch]' merge proto src)

[ "$breaches" -eq 0 ]
