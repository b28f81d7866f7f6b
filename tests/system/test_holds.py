# SPDX-License-Identifier: MIT OR Apache-2.0
"""`snekomatic plugins pause|resume|release`: runs wait, on every host of the store, and nothing is
lost."""

import contextlib
import json
import signal
import sqlite3
import subprocess

import pytest

import snek

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


def trouble(action="fine", number=None, repository="acme/zoo", installation=snek.INSTALLATION):
    owner, name = repository.split("/")
    payload = {"action": action, "installation": {"id": installation},
               "repository": {"id": 77, "full_name": repository, "name": name,
                              "owner": {"login": owner}}}
    return {**payload, "issue": {"number": number}} if number else payload


def plugins(host, *words):
    return host.verb("plugins", *words).stdout


def actions(host):
    """What persons did, the newest first; only of an SQLite store."""
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db", timeout=10)) as store:
        return store.execute("SELECT what, target FROM actions ORDER BY id DESC").fetchall()


def states(host):
    shown = host.verb("deliveries", "list", "--json").stdout
    return {entry["delivery"]: (entry["state"], entry["reason"]) for entry in json.loads(shown)}


def status_of(host, plugin="trouble"):
    found = host.request("GET", "/readyz").json["plugins"]
    return next(entry for entry in found if entry["name"] == plugin)


def wait_held(host, delivery):
    snek.wait_until(lambda: states(host)[delivery][0] == "held", lambda: str(states(host)))


@pytest.fixture
def host(start_bot, either_store):
    return start_bot(plugins=["trouble"], config={**either_store, "dispatch": {"delay_ms": 0}})


def test_a_paused_plugin_gets_no_runs_and_all_of_them_after_resume(host):
    assert "trouble is paused" in plugins(host, "pause", "trouble")
    host.wait_log(msg="hold_began", plugin="trouble", cause="paused")
    deliveries = [host.deliver("trouble", trouble()) for _ in range(40)]
    hold = status_of(host)["holds"][0]
    assert (hold["cause"], hold["scope"], hold["until_ms"]) == ("paused", "plugin", 0)
    assert 'snekomatic_holds{cause="paused"} 1' in host.request("GET", "/metrics").body.decode()
    # A host that starts now obeys at once.
    snek.wait_until_gone(host.kill("host", signal.SIGKILL))
    host.wait_log(msg="host_restarted")
    host.wait_ready()
    assert not host.log(msg="done")
    assert {states(host)[delivery] for delivery in deliveries} == {
        ("held", "paused: paused by an operator")}
    metrics = host.request("GET", "/metrics").body.decode()
    snek.wait_until(lambda: 'snekomatic_runs{state="held"} 40' in
                    host.request("GET", "/metrics").body.decode(), lambda: metrics)
    metrics = host.request("GET", "/metrics").body.decode()
    assert 'snekomatic_runs{state="queued"} 0' in metrics and "snekomatic_queue_age_seconds 0.000" in metrics
    listed = plugins(host)
    assert "hold trouble: paused since " in listed and "paused by an operator" in listed
    assert "trouble goes on" in plugins(host, "resume", "trouble")
    for delivery in deliveries:
        host.wait_log(msg="done", delivery=delivery)
    assert len(host.log(msg="done")) == 40
    assert "trouble was not paused" in plugins(host, "resume", "trouble")
    for action in "resume", "release":
        rejected = host.verb("plugins", action, "truble", status=64).stderr
        assert "did you mean trouble?" in rejected
    if (host.folder / "snekomatic.db").exists():
        assert actions(host) == [("resume", "trouble"), ("pause", "trouble")]


def test_the_runs_of_a_paused_plugin_are_held_for_every_verb(host):
    plugins(host, "pause", "trouble")
    host.wait_log(msg="hold_began", plugin="trouble", cause="paused")
    first, second = (host.deliver("trouble", trouble()) for _ in range(2))
    shown = host.verb("deliveries", "show", first).stdout
    assert "state       held" in shown and "paused by an operator" in shown
    # A run that was leased just before is sent back, and says so.
    why = host.verb("deliveries", "show", first, "--why").stdout
    assert "its run is held" in why and "paused: paused by an operator" in why
    retried = host.verb("deliveries", "retry", first).stdout
    assert "1 run due now" in retried and "so it begins when the hold ends" in retried
    assert states(host)[first][0] == "held"
    assert json.loads(host.verb("deliveries", "list", "--state", "queued", "--json").stdout) == []
    preview = json.loads(host.verb("deliveries", "discard", "--state", "held", "--json").stdout)
    assert preview["runs"] == 2
    host.verb("deliveries", "discard", "--yes", preview["preview"])
    assert states(host)[first][0] == states(host)[second][0] == "dead"


def test_resume_shows_the_pauses_that_are_left(host):
    plugins(host, "pause", "trouble")
    plugins(host, "pause", "trouble", "--installation", 4711)
    plugins(host, "pause", "another", "--force")
    shown = plugins(host, "resume", "trouble")
    assert "hold trouble at installation 4711: paused since" in shown
    assert "another" not in shown


def test_a_pause_of_a_name_that_no_plugin_has_is_rejected_with_the_nearest_name(host):
    done = host.verb("plugins", "pause", "truoble", status=64)
    assert "no configured plugin has the name 'truoble'" in done.stderr
    assert "did you mean trouble?" in done.stderr and "--force" in done.stderr
    assert "did you mean" not in host.verb("plugins", "pause", "elsewhere", status=64).stderr
    assert "hold " not in plugins(host)
    assert "elsewhere is paused" in plugins(host, "pause", "elsewhere", "--force")
    assert "hold elsewhere: paused since" in plugins(host)


def test_a_plugin_that_does_not_load_any_more_is_paused_by_its_runs_in_the_store(start_bot, tmp_path):
    path = tmp_path / "trouble.so"
    path.write_bytes(snek.program("trouble.so").read_bytes())
    path.chmod(0o644)
    host = start_bot(plugins=[{"path": str(path)}])
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    path.write_bytes(b"no shared object")
    assert "trouble is paused" in plugins(host, "pause", "trouble")
    host.wait_log(msg="hold_began", plugin="trouble", cause="paused")


def test_the_log_says_why_a_fresh_run_waits(host):
    plugins(host, "pause", "trouble", "--installation", 4711)
    host.wait_log(msg="hold_began", scope="installation")
    delivery = host.deliver("trouble", trouble(installation=4711))
    assert host.wait_log(msg="requeued", delivery=delivery)["reason"] == "a hold covers it"


SCOPES = {
    "installation": (4711, {"installation": 4711}),
    "repository": ("ACME/Farm", {"repository": "acme/farm"}),
    "item": ("acme/zoo#12", {"number": 12}),
}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_pause_of_a_part_holds_only_that_part(host, scope):
    value, inside = SCOPES[scope]
    plugins(host, "pause", "trouble", f"--{scope}", value)
    host.wait_log(msg="hold_began", scope=scope)
    held = host.deliver("trouble", trouble(**inside))
    free = host.deliver("trouble", trouble(number=13))
    host.wait_log(msg="done", delivery=free)
    wait_held(host, held)
    assert states(host)[held] == ("held", "paused: paused by an operator")
    # Everybody may read /readyz, and the repository may be private.
    assert status_of(host)["holds"][0]["scope"] == scope
    assert "acme" not in host.request("GET", "/readyz").body.decode().lower()
    assert not host.log(msg="done", delivery=held)
    plugins(host, "resume", "trouble", f"--{scope}", value)
    line = host.wait_log(msg="done", delivery=held)
    assert line["attempt"] == "1"


def test_every_host_of_a_store_obeys(start_bot, store):
    config = {"store": {"url": store}, "dispatch": {"delay_ms": 0}}
    hosts = [start_bot(f"host{i}", plugins=["trouble"], config=config) for i in range(2)]
    plugins(hosts[0], "pause", "trouble")
    for host in hosts:
        host.wait_log(msg="hold_began", plugin="trouble")
    deliveries = [host.deliver("trouble", trouble()) for host in hosts for _ in range(10)]
    plugins(hosts[1], "pause", "trouble", "--installation", 1)
    for host in hosts:
        host.wait_log(msg="hold_began", scope="installation")
        assert not host.log(msg="done")
    plugins(hosts[1], "resume", "trouble")
    snek.wait_until(lambda: {line["delivery"] for host in hosts for line in host.log(msg="done")}
                    == set(deliveries), "all are done")


def test_a_quarantine_outlives_the_host_and_ends_by_release(start_bot, either_store):
    host = start_bot(plugins=["trouble"], config={
        **either_store, "dispatch": {"delay_ms": 0, "max_attempts": 1}})
    for _ in range(5):
        host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("exit")))
    host.wait_log(msg="plugin_quarantined", plugin="trouble")
    host.wait_log(msg="hold_began", cause="quarantined")
    snek.wait_until_gone(host.kill("host", signal.SIGKILL))
    host.wait_log(msg="host_restarted")
    host.wait_ready()
    fine = host.deliver("trouble", trouble())
    assert status_of(host)["holds"][0]["cause"] == "quarantined"
    assert "trouble is released" in plugins(host, "release", "trouble")
    host.wait_log(msg="done", delivery=fine)


@pytest.mark.parametrize("words", [["pause"], ["pause", "a", "b"], ["pause", "a", "--item", "a/b"],
                                   ["release", "a", "--repository", "a"],
                                   ["resume", "a", "--installation", "x"],
                                   ["pause", "a", "--installation", "1", "--repository", "a/b"]])
def test_wrong_usage_is_64(words):
    done = subprocess.run([snek.program("snekomatic"), "plugins", *words],
                          env=snek.clean_environment(), capture_output=True, check=False)
    assert done.returncode == 64


def test_many_holds_leave_the_host_ready(start_bot, tmp_path):
    place = tmp_path / "store.db"
    host = start_bot(plugins=["trouble"], config={"store": {"url": f"sqlite:{place}"}})
    with contextlib.closing(sqlite3.connect(place, timeout=snek.PATIENCE_S)) as store, store:
        store.executemany(
            "INSERT INTO holds (plugin, scope, value, cause, reason, since_ms, until_ms)"
            " VALUES ('trouble', 'item', ?, 'loop', ?, 0, 0)",
            [(f"acme/zoo#{number}", "it made 20 effects there " * 10) for number in range(600)])
    snek.wait_until(lambda: "holds" in status_of(host), lambda: "no holds")
    response = host.request("GET", "/readyz")
    assert response.status == 200
    status = status_of(host)
    assert len(status["holds"]) + status["more_holds"] == 600


def test_a_name_that_no_plugin_may_have_is_rejected_even_with_force(host):
    rejected = host.verb("plugins", "pause", "bad name", "--force", status=64).stderr
    assert "no plugin may have the name 'bad name'" in rejected
    assert "hold " not in plugins(host)


def test_an_option_without_its_action_names_the_action(host):
    for option, action in (("--force", "pause, resume or release"), ("--json", "timers")):
        assert f"{option} belongs to the action {action}" in host.verb("plugins", option, status=64).stderr
