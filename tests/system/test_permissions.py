# SPDX-License-Identifier: MIT OR Apache-2.0
"""The permissions of an installation, through the real binaries: parked runs, `snekomatic token`, keys that
are changed, requests as the app."""

import json
import re
import subprocess

import pytest

import snek


def merged():
    return snek.payload("pull_request.closed.merged")


def grant(fake, **permissions):
    state = fake.state
    state["installations"][0]["permissions"] = permissions
    fake.put_state(state)


def snekomatic(bot, *words, status=0):
    result = subprocess.run([str(snek.program("snekomatic")), *map(str, words)],
                            env=snek.clean_environment(**bot.env), cwd=bot.folder,
                            capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == status, result
    return result.stdout if status == 0 else result.stderr


def accepted(action="new_permissions_accepted"):
    return {"action": action, "installation": {"id": snek.INSTALLATION},
            "sender": {"login": "python-petra"}}


def test_a_permission_that_is_not_granted_parks_the_run_until_it_is(fake, start_bot):
    granted = fake.state["installations"][0]["permissions"]
    grant(fake, issues="write", pull_requests="write")
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged())
    reason = host.wait_log(msg="parked", delivery=delivery)["reason"]
    assert (f"installation {snek.INSTALLATION} does not grant plugin invite the permission 'members: "
            "write'. Add it to the App's settings at GitHub (Permissions & events)") in reason
    assert "pull_requests" not in reason  # The plugin declares it too, and it is granted.
    runs = json.loads(snekomatic(host, "deliveries", "list", "--state", "parked", "--json"))
    assert [run["delivery"] for run in runs] == [delivery]
    host.stop()
    host.start()  # and a restart does not lose it
    grant(fake, **granted)
    host.deliver("installation", accepted())
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    assert [r["method"] for r in fake.api_requests()] == ["GET", "PUT", "POST"]


def test_a_grant_that_comes_while_the_run_runs_keeps_it_from_being_parked(fake, start_bot):
    path = f"/app/installations/{snek.INSTALLATION}/access_tokens"
    fake.fail(method="POST", path=path, status=422, delay_ms=60000, body={
        "message": "The permissions requested are not granted to this installation."})
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged())
    fake.wait_arrived(method="POST", path=path)
    host.deliver("installation", accepted())  # while the rejection is on its way
    fake.release()
    host.wait_log(msg="requeued", delivery=delivery)
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"


def shown_parked(bot):
    """Runs that are parked, by /metrics and by /readyz."""
    text = bot.request("GET", "/metrics").body.decode()
    found = re.search(r'^snekomatic_runs\{state="parked"\} (\d+)$', text, re.M)
    queue = bot.request("GET", "/readyz").json.get("queue", {})
    return (int(found[1]) if found else None, queue.get("parked"))


def suspend(fake, suspended):
    state = fake.state
    state["installations"][0]["suspended"] = suspended
    fake.put_state(state)


def test_a_suspended_installation_parks_its_runs_until_it_is_unsuspended(fake, start_bot):
    suspend(fake, True)
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged())
    line = host.wait_log(msg="parked", delivery=delivery)
    assert f"installation {snek.INSTALLATION} is suspended" in line["reason"]
    snek.wait_until(lambda: shown_parked(host) == (1, 1), lambda: shown_parked(host))
    suspend(fake, False)
    host.deliver("installation", accepted("unsuspend"))
    # GitHub is asked again 20 s after it said so.
    assert host.wait_log(msg="done", delivery=delivery, timeout=60)["attempt"] == "1"


def test_parked_runs_end_when_the_app_is_uninstalled(fake, start_bot):
    suspend(fake, True)
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged())
    host.wait_log(msg="parked", delivery=delivery)
    host.deliver("installation", accepted("deleted"))
    runs = json.loads(snekomatic(host, "deliveries", "list", "--state", "dead", "--json"))
    assert [(run["delivery"], run["label"]) for run in runs] == [(delivery, "uninstalled")]


def test_a_parked_run_may_be_retried_by_hand(fake, start_bot):
    granted = fake.state["installations"][0]["permissions"]
    grant(fake, issues="write")
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged())
    host.wait_log(msg="parked", delivery=delivery)
    grant(fake, **granted)
    snekomatic(host, "deliveries", "retry", delivery)
    host.wait_log(msg="done", delivery=delivery)


def test_token_prints_what_github_takes(fake, start_bot):
    host = start_bot(plugins=["ping"])
    everything = snekomatic(host, "token", snek.INSTALLATION).strip()
    narrow = snekomatic(host, "token", snek.INSTALLATION, "--permissions", "issues=read",
                        "--repository", "sneks-united/terrarium").strip()
    known = {token["token"]: token for token in fake._control("GET", "tokens")["tokens"]}
    assert known[everything]["permissions"]["members"] == "write"
    assert {k: v for k, v in known[narrow]["permissions"].items() if k != "metadata"} == \
        {"issues": "read"}
    asked = [r["body"] for r in fake.requests() if r["path"].endswith("/access_tokens")]
    assert asked == [{}, {"permissions": {"issues": "read"}, "repositories": ["terrarium"]}]


def test_the_helps_git_command_hands_the_token_to_git_alone(fake, start_bot):
    host = start_bot(plugins=["ping"])
    found = re.search(r"^  git -c credential\.helper='(!.*?)' clone https://\S+$",
                      snekomatic(host, "token", "--help"), re.M | re.S)
    helper = found.group(1).replace("12345", str(snek.INSTALLATION))
    path = f"{snek.program('snekomatic').parent}:/usr/bin:/bin"
    result = subprocess.run(
        ["git", "-c", "credential.helper=", "-c", f"credential.helper={helper}", "credential", "fill"],
        input="protocol=https\nhost=github.com\n\n", capture_output=True, text=True, timeout=60,
        cwd=host.folder, check=True,
        env=snek.clean_environment(**host.env, PATH=path, HOME=host.folder, GIT_TERMINAL_PROMPT=0))
    filled = dict(line.split("=", 1) for line in result.stdout.splitlines())
    assert filled["username"] == "x-access-token"
    assert filled["password"] in {token["token"] for token in fake._control("GET", "tokens")["tokens"]}


@pytest.mark.parametrize("words,status,part", [
    (["1"], 77, "not installed"),
    ([snek.INSTALLATION, "-p", "administration=write"], 77, "does not grant"),
    ([snek.INSTALLATION, "-r", "sneks-united/nowhere"], 77, "nowhere"),
    ([], 64, "installation"),
    ([snek.INSTALLATION, "-p", "issues"], 64, "NAME=LEVEL"),
    ([snek.INSTALLATION, "-r", "terrarium"], 64, "OWNER/NAME"),
])
def test_token_says_why_there_is_none(fake, start_bot, words, status, part):
    host = start_bot(plugins=["ping"])
    assert part in snekomatic(host, "token", *words, status=status)


@pytest.mark.parametrize("installation", ["sneks-united", "12x", "-1", "1.5", "1" * 20, "1/../2"])
def test_token_takes_a_number_for_the_installation(fake, start_bot, installation):
    host = start_bot(plugins=["ping"])
    said = snekomatic(host, "token", "--", installation, status=64)
    assert "number in the URL of the installation's settings" in said and installation in said
    assert not [r for r in fake.requests() if "access_tokens" in r["path"]]


def test_token_names_the_permission_that_was_meant(fake, start_bot):
    host = start_bot(plugins=["ping"])
    result = subprocess.run(
        [str(snek.program("snekomatic")), "token", str(snek.INSTALLATION), "-p", "isues=read"],
        env=snek.clean_environment(**host.env), cwd=host.folder, capture_output=True, text=True,
        timeout=60, check=False)
    assert "does not know" in result.stderr and "issues" in result.stderr


def test_the_next_key_is_taken_when_github_rejects_the_first(fake, start_bot, tmp_path):
    old = snek.make_key(tmp_path / "old.pem")
    host = start_bot(plugins=["invite"], config={"github": {
        "private_key_file": str(old), "private_key_next_file": str(fake.key)}})
    host.wait_log(msg="done", delivery=host.deliver("pull_request", merged()))
    assert "private_key_file" in host.wait_log(msg="private_key_next")["reason"]
    assert snekomatic(host, "token", snek.INSTALLATION).strip() in fake.tokens()


# -- optional permissions --------------------------------------------------------------------------

def looked(fake, host):
    """What the plugin has said, once for each run: its answers are replayed in the retry."""
    delivery = host.deliver("optional", {"action": "look",
                                         "installation": {"id": snek.INSTALLATION}})
    host.wait_log(msg="done", delivery=delivery, attempt=2)
    assert not host.log(msg="diverged", delivery=delivery)
    return [snek.visible({"body": text})["body"] for text in fake.bot_comments(12)]


def test_an_optional_permission_that_is_not_granted_parks_nothing_and_the_plugin_knows(
        fake, start_bot):
    grant(fake, issues="write", checks="read", metadata="read")
    host = start_bot(plugins=["optional"])
    login = snek.APP_SLUG + "[bot]"
    assert looked(fake, host) == [f"issues 1, checks 0, 0, I am {login}"]
    paths = [(r["method"], r["path"].rsplit("/", 1)[-1]) for r in fake.requests()
             if r["path"].startswith("/app/installations/")]
    assert paths == [("POST", "access_tokens"), ("GET", str(snek.INSTALLATION)),
                     ("POST", "access_tokens")]


def installation_requests(fake):
    """(method, status, permissions of the token) of the requests about the installation."""
    return [(r["method"], r["status"], (r["body"] or {}).get("permissions"))
            for r in fake.requests() if r["path"].startswith("/app/installations/")]


def say_days(host):
    delivery = host.deliver("issue_comment", snek.payload("issue_comment.created",
                                                          {"comment.body": "/days"}))
    assert host.wait_log(msg="skipped", delivery=delivery)["reason"] == "30 days"


def test_another_plugin_uses_what_the_first_one_found_out_about_the_installation(fake, start_bot):
    grant(fake, issues="write", contents="read", pull_requests="read", metadata="read")
    host = start_bot(plugins=["optional", "schema-optional"])
    looked(fake, host)
    before = len(installation_requests(fake))
    say_days(host)
    assert installation_requests(fake)[before:] == [
        ("POST", 201, {"contents": "read", "issues": "write", "pull_requests": "read"})]


def test_what_was_found_out_is_read_again_when_it_is_not_so_any_more(fake, start_bot):
    grant(fake, issues="write", contents="read", pull_requests="read", metadata="read")
    host = start_bot(plugins=["optional", "schema-optional"])
    looked(fake, host)
    grant(fake, issues="write", contents="read", metadata="read")
    before = len(installation_requests(fake))
    say_days(host)
    assert installation_requests(fake)[before:] == [
        ("POST", 422, {"contents": "read", "issues": "write", "pull_requests": "read"}),
        ("GET", 200, None),
        ("POST", 201, {"contents": "read", "issues": "write"})]


def test_an_optional_permission_that_is_granted_costs_no_other_request(fake, start_bot):
    grant(fake, issues="write", checks="write", metadata="read")
    host = start_bot(plugins=["optional"])
    [text] = looked(fake, host)
    assert text.startswith("issues 1, checks 1, 1, ")
    assert len([r for r in fake.requests() if r["path"].endswith("/access_tokens")]) == 1


def test_the_operator_may_withhold_an_optional_permission(fake, start_bot):
    grant(fake, issues="write", checks="write", metadata="read")
    host = start_bot(plugins=[{"name": "optional", "permissions": ["issues:write"]}])
    [text] = looked(fake, host)
    assert text.startswith("issues 1, checks 0, 0, ")
    shown = snekomatic(host, "plugins")
    assert "checks" not in shown


def test_a_required_permission_that_is_not_granted_still_parks(fake, start_bot):
    grant(fake, checks="write", metadata="read")
    host = start_bot(plugins=["optional"])
    delivery = host.deliver("optional", {"action": "look",
                                         "installation": {"id": snek.INSTALLATION}})
    assert "the permission 'issues: write'. Add it" in host.wait_log(msg="parked", delivery=delivery)["reason"]


def test_a_failure_to_read_what_is_granted_is_retried(fake, start_bot):
    grant(fake, issues="write", metadata="read")
    fake.fail(method="GET", path=f"/app/installations/{snek.INSTALLATION}", status=404, times=1)
    host = start_bot(plugins=["optional"])
    delivery = host.deliver("optional", {"action": "look",
                                         "installation": {"id": snek.INSTALLATION}})
    host.wait_log(msg="retry", delivery=delivery)
    assert not host.log(msg="parked")


def test_a_plugin_asks_only_for_permissions_that_it_declares(start_bot):
    host = start_bot(plugins=["optional"])
    delivery = host.deliver("optional", {"action": "stray",
                                         "installation": {"id": snek.INSTALLATION}})
    reason = host.wait_log(msg="retry", delivery=delivery)["reason"]
    assert reason.startswith("the plugin does not declare the permission members")


def test_plugins_shows_what_is_optional(start_bot):
    shown = snekomatic(start_bot(plugins=["optional"]), "plugins")
    assert "checks: write (optional)" in shown
    assert "Checks: Read and write (optional)" in shown
