#!/usr/bin/env bash
# What Tab offers: src/cli/completion.bash, asked as bash asks it, with the real program behind it. Prints TAP; exit status 1 on a
# failure.
#
#   TRIVET=build/trivet tests/lint/completion.test.sh
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lint/tap.sh

mkdir -p "$work/bin" "$work/empty" "$work/data" "$work/phone/lists"
ln -s "$(realpath "${TRIVET:-build/trivet}")" "$work/bin/trivet"
PATH=$work/bin:$PATH
. src/cli/completion.bash

# What is offered after a line, sorted, on one line. The last word is the one that is being typed; words are as bash splits them.
offered() { # WORD...
    COMP_WORDS=(trivet "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _trivet
    printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
}

offers() { # EXPECTED WORD...
    local expected=$1 got
    shift
    got=$(offered "$@")
    [ "$got" = "$expected" ] || { printf 'trivet %s<Tab>\n  offers   %s\n  expected %s\n' "$*" "$got" "$expected"; return 1; }
}

# The program's own list, whatever is in it.
all_commands() {
    local listed
    listed=$(trivet --help | sed -nE 's/^    ([a-z]+)  +.*/\1/p' | sort | paste -sd ' ')
    [ "$(wc -w <<<"$listed")" -ge 19 ] && offers "$listed" ''
}

every_option() {
    local command option
    for command in $(offered ''); do
        [ "$command" = phone ] && continue
        for option in $(trivet "$command" --help | sed -nE '/^Options:/,$s/^    (--[a-z0-9-]+).*/\1/p'); do
            offers "$option" "$command" "$option" || return
        done
    done
}

item() { # LIST-OPTION...
    trivet list --data "$work/data" "$@" | sed -nE 's/^ *\[.\] ([^ ]+)  .*/\1/p'
}

trivet add --data "$work/data" milk >/dev/null 2>&1
trivet add --data "$work/data" --locked safe >/dev/null
device=$(trivet pair --data "$work/data" --json --name tablet | sed -E 's/.*"device":"([^"]+)".*/\1/')
trivet phone --state "$work/phone" init --pairing '{"ip":"127.0.0.1","port":9,"secret":"00000000-0000-4000-8000-000000000000"}' >/dev/null
trivet phone --state "$work/phone" add bread >/dev/null
bread=$(trivet phone --state "$work/phone" list | sed -nE 's/^ *\[.\] ([^ ]+)  .*/\1/p')

check 'all commands' all_commands
check 'the start of one' offers 'done' don
check 'its --help, where no command stands' offers '--help' --h
check 'each option of each command' every_option
check 'the values of an option' offers 'both computer phone' merge --large ''
check 'the start of a value' offers 'computer' merge --large c
check 'a value behind =' offers 'phone' resolve --use = p
check 'a verb' offers 'revoke' devices revo
check 'an item' offers "$(item)" 'done' --data "$work/data" ''
check 'a locked one' offers "$(item --locked)" rm --data "$work/data" --locked ''
check 'an item as the value of an option' offers "$(item)" mv --data "$work/data" "$(item)" --before ''
check 'each verb' offers 'rename revoke' devices ''
check 'no verb where none is taken' offers '' devices --data "$work/data" ''
check 'a device to rename' offers "$device" devices rename --data "$work/data" "${device:0:1}"
check 'a device to sync with' offers "$device" sync --data "$work/data" "${device:0:3}"
check 'a state' offers '1 2 now' restore --data "$work/data" ''
check 'a second state' offers '2' diff --data "$work/data" 1 2
check 'an item of a state' offers "$(item)" restore --data "$work/data" 1 --item ''
check 'a backup' offers "$work/phone/phone.json" backup --restore "$work/phone/phone.j"
check 'a file to write one to' offers "$work/phone/phone.json" backup "$work/phone/phone.j"
check 'a device' offers "$device" devices revoke --data "$work/data" ''
check 'a device as the value of an option' offers "$device" pair --data "$work/data" --replace "${device:0:2}"
check "a phone's commands" offers 'edit export' phone --state "$work/phone" e
check "a phone's item" offers "$bread" phone --state "$work/phone" 'done' ''
check "a phone's options" offers '--slot' phone add --sl
check 'a folder' offers "$work/phone/lists" serve --data "$work/phone/l"
check 'a file' offers "$work/phone/phone.json" merge --phone "$work/phone/phone.j"
check 'nothing where a text is to stand' offers '' add ''
check 'no folder is made by asking' test ! -e "$work/empty/trivet.db"
finish
