# Tab completion of trivet for bash. What there is to complete is asked of the program itself: commands and
# options are read from its --help, ids from its answers, so that nothing here can be out of date.

# The options of a command, as its --help has them: "--slot N|LABEL" and the like, one a line. Its usage lines are
# read as well: they may say more of a value ("--use computer|phone|both").
_trivet_options() { # COMMAND...
    trivet "$@" --help 2>/dev/null | sed -nE '1,/^$/{s/[][]/\n/g; p; d}; /^Options:/,$s/^    (--?[a-z][^ ]*( [^ ]+)?).*/\1/p' |
        sed -nE 's/(^|.* )(--?[a-z][^ ]*( [^ ]+)?) *$/\2/p' | sort -u
}

# The commands that a --help lists: indented words with a description behind them.
_trivet_commands() { # COMMAND...
    trivet "$@" --help 2>/dev/null | sed -nE '/^Options:/q; s/^    ([a-z]+)  +.*/\1/p'
}

# Words that may follow a command in place of an argument: "usage: trivet devices revoke DEVICE".
_trivet_verbs() { # COMMAND
    trivet "$1" --help 2>/dev/null | sed -nE "/^\$/q; s/^(usage:|      ) trivet $1 ([a-z]+)( .*)?\$/\2/p"
}

# What a word such as "FILE", "ID" or "computer|phone" in a --help stands for, as candidates for $cur.
# $data and $locked are as typed so far, and `trivet $list` is what shows the items.
_trivet_values() { # WORD
    case $1 in
    FILE | FILE\|* | F) compgen -f -- "$cur" ;;
    DIR | FOLDER | FOLDER...) compgen -d -- "$cur" ;;
    DEVICE) compgen -W "$(trivet devices "${data[@]}" 2>/dev/null | sed -nE 's/^([0-9a-f]{8})  .*/\1/p')" -- "$cur" ;;
    ID | ITEM)
        compgen -W "$(trivet "${list[@]}" "${locked[@]}" 2>/dev/null | sed -nE 's/^ *\[.\] ([^ ]+)  .*/\1/p')" -- "$cur"
        ;;
    JOT | JOT...) compgen -W "$(trivet jots "${data[@]}" 2>/dev/null | sed -nE 's/^ *([0-9]+)  .*/\1/p')" -- "$cur" ;;
    STATE) compgen -W "now $(trivet history "${data[@]}" 2>/dev/null | sed -nE 's/^ *([0-9]+)  .*/\1/p')" -- "$cur" ;;
    *[!a-z0-9\|_-]*) ;;
    *\|*) compgen -W "${1//|/ }" -- "$cur" ;;
    esac
}

_trivet() {
    local cur=${COMP_WORDS[COMP_CWORD]} word option value found='' i
    local -a command=() data=() locked=() list=() before=()
    COMPREPLY=()

    # "--slot=2" comes as three words.
    [[ $cur == = ]] && cur=
    # The command so far, and what of its options matters for ids.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --data | --state) data=("$word" "${COMP_WORDS[i + 1]}") ;;
        --locked) locked=(--locked) ;;
        -*) ;;
        *) [[ ${COMP_WORDS[i - 1]} == -* || ${COMP_WORDS[i - 1]} == = ]] || before+=("$word") ;;
        esac
    done
    if [[ ${before[0]-} == phone ]]; then
        list=(phone "${data[@]}" list)
        command=("${before[@]:0:2}")
    else
        list=(list "${data[@]}")
        command=("${before[@]:0:1}")
    fi
    if [[ ${#before[@]} -gt 1 ]] && _trivet_verbs "${before[0]}" | grep -qxF -e "${before[1]}"; then
        command=("${before[@]:0:2}")
    fi

    # No command yet.
    if [[ ${#command[@]} -eq 0 || (${command[*]} == phone && $cur != -*) ]]; then
        [[ $cur == -* ]] && word=--help || word=$(_trivet_commands "${command[@]}")
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
        return
    fi

    # The value of an option.
    word=${COMP_WORDS[COMP_CWORD - 1]}
    [[ $word == = ]] && word=${COMP_WORDS[COMP_CWORD - 2]}
    if [[ $word == -* ]]; then
        while read -r option value; do
            [[ $option == "$word" && -n $value ]] || continue
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(_trivet_values "$value")
            found=1
        done < <(_trivet_options "${command[@]}")
        [[ -n $found ]] && return
    fi

    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_trivet_options "${command[@]}" | sed 's/ .*//' | sort -u)" -- "$cur")
        return
    fi

    # An argument: the first in the usage line that is no option's.
    value=$(trivet "${command[@]}" --help 2>/dev/null | sed -nE "1{s/^usage: trivet ${command[*]}//
        s/\[-[^]]*\]//g; s/ --?[a-z0-9-]+ [^ ]+//g; s/[][]//g; s/^ *([^ ]+).*/\1/p}")
    mapfile -t COMPREPLY < <(
        # Options come behind a verb.
        [[ ${#command[@]} -eq 1 && ${COMP_WORDS[COMP_CWORD - 1]} == "${command[0]}" ]] && compgen -W "$(_trivet_verbs "${command[0]}")" -- "$cur"
        _trivet_values "${value%...}"
    )
}

# Names of files are quoted as bash does it.
complete -o filenames -o bashdefault -F _trivet trivet
