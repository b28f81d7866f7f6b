#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# `./dev run`: the whole way of one delivery on this machine, told line by line: a fake GitHub, a
# host on the embedded store, one merged pull request. Then it stays up until Ctrl-C.
#   demo.sh BUILD_DIR [--once]      --once: stop after the story (for tests)
set -euo pipefail

build=$(realpath "$1")
once=${2:-}
here=$(dirname "$(realpath "$0")")
payload=$here/../payloads/pull_request.closed.merged.json
snekomatic=$build/host/snekomatic
work=$(mktemp -d)
host_pid='' fake_pid=''

say() { printf '\033[1m%s\033[0m\n' "$*"; }

finish() {
    local status=$1 # of the story; 0 also when Ctrl-C ends it
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
    if [ "$status" -eq 0 ]; then say 'All of it has ended.'; else say "It failed (status $status); see above."; fi
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
    echo 'It did not start (another port: PORT=8001 ./dev run):' >&2
    cat "$1" >&2
    return 1
}

# field NAME LINE: the value of a logfmt field, without its quotes.
field() {
    if [[ $2 =~ \ $1=\"(([^\"\\]|\\.)*)\" ]] || [[ $2 =~ \ $1=([^ ]*) ]]; then
        printf '%s' "${BASH_REMATCH[1]}"
    fi
}

# Turns a line of the host's log into a line of the story.
tell() {
    local line=$1 msg word reason
    msg=$(field msg "$line")
    case $msg in
    worker_started)
        set -- loaded "plugin $(field plugin "$line"), in a process of its own" ;;
    stored)
        set -- stored "delivery $(field delivery "$line") ($(field event "$line"), $(field action "$line")) is on the disk: 202" ;;
    started)
        set -- routed "to plugin $(field plugin "$line"), attempt $(field attempt "$line")" ;;
    request)
        case "$(field method "$line") $(field url "$line")" in
        PUT\ */memberships/*) word=invited ;;
        POST\ */comments) word=welcomed ;;
        *) word=asked ;;
        esac
        set -- "$word" "$(field method "$line") $(field url "$line"): GitHub answered $(field status "$line")" ;;
    plugin)
        set -- said "$(field plugin "$line"): $(field text "$line")" ;;
    done | skipped | rejected | retry | dead)
        reason=$(field reason "$line")
        set -- "$msg" "plugin $(field plugin "$line"), after $(field ms "$line") ms${reason:+: $reason}" ;;
    *) return ;;
    esac
    printf '  %-10s %s\n' "$1" "$2"
}

follow() {
    tail -n +1 -s 0.1 -F --pid="$host_pid" "$work/host.log" 2>/dev/null | while IFS= read -r line; do tell "$line"; done
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
fake_port=$(port_of "$work/fake.log" "$fake_pid")

# A copy of their own: a plugin is rejected when others may write to it or to a folder above it, as
# they may in a clone that was made with umask 002.
mkdir "$work/plugins"
install -m 755 "$build"/plugins/*.so "$work/plugins"

cat >"$work/snekomatic.toml" <<TOML
[server]
listen = "127.0.0.1:${PORT:-8000}"
[github]
app_id = 1234
private_key_file = "app.pem"
webhook_secret_file = "secret"
api_url = "http://127.0.0.1:$fake_port"
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

# Only what the configuration says counts here, whatever the caller's environment has.
clean=(env -i PATH="$PATH")
"${clean[@]}" "$snekomatic" serve -c "$work/snekomatic.toml" >"$work/host.log" 2>&1 &
host_pid=$!
say 'A fake GitHub and a host are starting, each on this machine only.'
follow &
host_port=$(port_of "$work/host.log" "$host_pid")

say 'A pull request is merged; GitHub posts its webhook.'
sed "s|https://api\\.github\\.com|http://127.0.0.1:$fake_port|g" "$payload" >"$work/payload.json"
"${clean[@]}" "$snekomatic" send -c "$work/snekomatic.toml" \
    --url "http://127.0.0.1:$host_port/webhook/github" pull_request "$work/payload.json" \
    >"$work/send.log" 2>&1 || { say 'The host did not take it:'; cat "$work/send.log"; exit 1; }
for _ in $(seq 150); do
    grep -q ' msg=\(done\|skipped\|rejected\|retry\|dead\) ' "$work/host.log" && break
    sleep 0.1
done
sleep 0.5
grep -q ' msg=done ' "$work/host.log" || { say 'It came to no good end:'; cat "$work/host.log"; exit 1; }

cat <<TEXT

The host is up at http://127.0.0.1:$host_port; its log is $work/host.log.
Send it more:    env -i $snekomatic send -c $work/snekomatic.toml --url http://127.0.0.1:$host_port/webhook/github pull_request $work/payload.json
                 (tests/payloads has others; their URLs must lead to the fake, as those of this one do)
See the fake:    curl http://127.0.0.1:$fake_port/_fake/state

To go on with a GitHub App of your own:
  1. On GitHub: Settings, Developer settings, GitHub Apps, New GitHub App. Webhook URL:
     https://YOUR-HOST/webhook/github, with a secret. Permissions: organization Members
     (read and write), Issues and Pull requests (read and write). Events: Pull request,
     Issues, Issue comment, Pull request review, Pull request review comment.
  2. Generate a private key there, and install the App on your organization.
  3. Copy config/snekomatic.toml, put the App's id, key and secret in, and run
     $snekomatic check -c snekomatic.toml
     $snekomatic serve -c snekomatic.toml

Ctrl-C ends all of it.
TEXT
[ "$once" = --once ] || wait "$host_pid" || true
