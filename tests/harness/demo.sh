#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# `./dev run`: shows the way of one delivery on this machine, step by step. It starts a fake GitHub and
# a host with an SQLite store, and merges one pull request. Then both stay up until Ctrl-C.
#   demo.sh BUILD_DIR [--once]      --once: stop after the demonstration (for tests)
set -euo pipefail

build=$(realpath "$1")
once=${2:-}
here=$(dirname "$(realpath "$0")")
snekomatic=$build/host/snekomatic
work=$(mktemp -d)
host_pid='' fake_pid=''

say() { printf '\033[1m%s\033[0m\n' "$*"; }

finish() {
    local status=$1 # of the demonstration; 0 also when Ctrl-C ends it
    trap - EXIT INT TERM
    if [ -n "$host_pid" ]; then
        local host_status=0
        kill -TERM "$host_pid" 2>/dev/null || true
        wait "$host_pid" || host_status=$?
        [ "$host_status" -eq 0 ] || say "The host ended with status $host_status."
        [ "$status" -ne 0 ] || status=$host_status
    fi
    [ -z "$fake_pid" ] || kill -TERM "$fake_pid" 2>/dev/null || true
    wait || true
    rm -rf "$work"
    echo
    if [ "$status" -eq 0 ]; then say 'Host and fake GitHub have ended.'; else say "The demonstration failed (status $status), see above."; fi
    exit "$status"
}

# Waits until the log FILE has its `msg=listening` line, whose port it prints; PID must live.
port_of() { # FILE PID
    for _ in $(seq 100); do
        port=$(sed -n 's/.*msg=listening .*port=\([0-9]*\).*/\1/p' "$1" | head -n 1)
        [ -z "$port" ] || { echo "$port"; return; }
        kill -0 "$2" 2>/dev/null || break
        sleep 0.1
    done
    echo 'A program did not start. If the port is taken, try another: PORT=8001 ./dev run. Its log:' >&2
    cat "$1" >&2
    return 1
}

# field NAME LINE: the value of a logfmt field, without its quotes.
field() {
    if [[ $2 =~ \ $1=\"(([^\"\\]|\\.)*)\" ]] || [[ $2 =~ \ $1=([^ ]*) ]]; then
        printf '%s' "${BASH_REMATCH[1]}"
    fi
}

# Turns a line of the host's log into a line of the demonstration.
show() {
    local line=$1 msg word reason
    msg=$(field msg "$line")
    case $msg in
    worker_started)
        set -- loaded "plugin $(field plugin "$line"), in a process of its own" ;;
    stored)
        set -- stored "delivery $(field delivery "$line") ($(field event "$line"), $(field action "$line")) is on disk; the host responds 202" ;;
    started)
        set -- routed "to plugin $(field plugin "$line"), attempt $(field attempt "$line")" ;;
    request)
        case "$(field method "$line") $(field url "$line")" in
        PUT\ */memberships/*) word=invited ;;
        POST\ */comments | POST\ */replies) word=commented ;;
        POST\ */reactions) word=reacted ;;
        *) word=requested ;;
        esac
        if [ "$(field status "$line")" = 0 ]; then
            set -- failed "$(field method "$line") $(field url "$line"): $(field reason "$line")"
        else
            set -- "$word" "$(field method "$line") $(field url "$line"): GitHub responds $(field status "$line")"
        fi ;;
    plugin)
        set -- logged "$(field plugin "$line"): $(field text "$line")" ;;
    done | skipped | rejected | retry | dead)
        reason=$(field reason "$line")
        set -- "$msg" "plugin $(field plugin "$line"), after $(field ms "$line") ms${reason:+: $reason}" ;;
    *) return ;;
    esac
    printf '  %-10s %s\n' "$1" "$2"
    [ "$1" != commented ] || python3 "$here/demo_state.py" "$fake_url" --comment | sed 's/^/             | /'
    case $1 in # the screen shows the end of a run
    done | skipped | rejected | retry | dead) : >"$work/ended" ;;
    esac
}

follow() {
    tail -n +1 -s 0.1 -F --pid="$host_pid" "$work/host.log" 2>/dev/null | while IFS= read -r line; do show "$line"; done
}

trap 'finish $?' EXIT
trap 'finish 0' INT TERM

(umask 077 && openssl genrsa -out "$work/app.pem" 2048 2>/dev/null &&
    openssl rand -hex 20 >"$work/secret")
cp "$here/../payloads/github.json" "$work/state.json"
"$build/tests/harness/snekomatic-test" fake-github --listen 127.0.0.1:0 --app-id 1234 \
    --app-slug sneks-bot --app-key "$work/app.pem" --state "$work/state.json" \
    >"$work/fake.log" 2>&1 &
fake_pid=$!
fake_url=http://127.0.0.1:$(port_of "$work/fake.log" "$fake_pid")

# The host sends requests to the fake only, so the URLs in the payloads must have its address.
mkdir "$work/payloads"
for payload in "$here"/../payloads/*.json; do
    sed "s|https://api\\.github\\.com|$fake_url|g" "$payload" >"$work/payloads/$(basename "$payload")"
done

# Copies of the plugins: the host rejects a plugin if others can write to it or to a folder above it,
# which is so in a clone that was made with umask 002.
mkdir "$work/plugins"
install -m 755 "$build"/plugins/*.so "$work/plugins"

cat >"$work/snekomatic.toml" <<TOML
[server]
listen = "127.0.0.1:${PORT:-8000}"
[github]
app_id = 1234
private_key_file = "app.pem"
webhook_secret_file = "secret"
api_url = "$fake_url"
recover_interval_minutes = 0
[store]
url = "sqlite:snekomatic.db"
[plugins]
directory = "plugins"
[[plugin]]
path = "invite"
[[plugin]]
path = "ping"
TOML

# The caller's environment must not change the configuration.
clean=(env -i PATH="$PATH")
"${clean[@]}" "$snekomatic" serve -c "$work/snekomatic.toml" >"$work/host.log" 2>&1 &
host_pid=$!
say 'A fake GitHub and a host start, on this machine only.'
follow &
host_port=$(port_of "$work/host.log" "$host_pid")

say 'Somebody merges a pull request; GitHub posts its webhook.'
"${clean[@]}" "$snekomatic" send -c "$work/snekomatic.toml" \
    --url "http://127.0.0.1:$host_port/webhook/github" pull_request "$work/payloads/pull_request.closed.merged.json" \
    >"$work/send.log" 2>&1 || { say 'The host rejected it:'; cat "$work/send.log"; exit 1; }
for _ in $(seq 300); do
    [ ! -e "$work/ended" ] || break
    sleep 0.1
done
grep -q ' msg=done ' "$work/host.log" || { say 'The run did not succeed. The log of the host:'; cat "$work/host.log"; exit 1; }

say 'The fake GitHub has this now:'
python3 "$here/demo_state.py" "$fake_url" | sed 's/^/  /'

cat <<TEXT

The host listens at http://127.0.0.1:$host_port. Its log is $work/host.log.

Send it another webhook, a comment with the command /ping:
  env -i $snekomatic send -c $work/snekomatic.toml --url http://127.0.0.1:$host_port/webhook/github issue_comment $work/payloads/issue_comment.created.json
See what the fake GitHub has:
  python3 $here/demo_state.py $fake_url
More payloads are in $work/payloads. Those in tests/payloads have
GitHub's URLs, which this host rejects.

To go on with a GitHub App of your own, end this demo (it uses the same port), start a bot in an empty
folder, and open the link in its log:
  mkdir my-bot && cd my-bot && $snekomatic serve
It creates the App with the permissions and events that the plugins need. It needs no public address:
leave "I have no public address" as it is. docs/setup.md has the details.

Ctrl-C ends the host and the fake.
TEXT
[ "$once" = --once ] || wait "$host_pid" || true
