# SPDX-License-Identifier: MIT OR Apache-2.0
# Completes snekomatic and snekomatic-test in bash. The programs' --help lists verbs, actions and
# options.
_snekomatic() {
    local program=$1 word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb choices usage
    verb=${COMP_WORDS[1]}
    if ((COMP_CWORD == 1)); then
        choices=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
    elif ((COMP_CWORD == 2)) && [[ $word != -* ]]; then
        choices=$("$program" "$verb" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
    elif [[ $word == -* ]]; then
        choices=$("$program" "$verb" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u)
    fi
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
    # Files only where the usage has one.
    usage=$("$program" "$verb" --help 2>/dev/null | sed '/^$/q; s/-c FILE//g; s/--[a-z-]* [A-Z]*//g')
    if [[ $before == -c || $before == --* || ($word != -* && $usage =~ FILE|SCENARIO|FOLDER) ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -o filenames -F _snekomatic snekomatic snekomatic-test
