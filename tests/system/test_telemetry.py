# SPDX-License-Identifier: MIT OR Apache-2.0
"""The host's own reports: /metrics, the details of /readyz, and reports to Sentry."""

import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

import sentry
import snek

ROOT = pathlib.Path(__file__).resolve().parents[2]

SECRET_TEXT = "nobody else's business"


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def metrics(host):
    """The metrics as {"name{labels}": value}, without the comments."""
    response = host.request("GET", "/metrics")
    assert response.status == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = response.body.decode().splitlines()
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def wait_metric(host, name, value):
    def found():
        values = metrics(host)
        return values if values.get(name) == value else None

    return snek.wait_until(found, lambda: (name, metrics(host)), pause_s=0.1)


@pytest.fixture
def lived(fake, start_bot):
    """A host that has counted some of everything."""
    host = start_bot(plugins=["trouble", "invite"], config={"dispatch": {"max_attempts": 1}})
    merged = snek.payload("pull_request.closed.merged")
    delivery = host.deliver("pull_request", merged)
    host.wait_log(msg="done", delivery=delivery)
    host.deliver("pull_request", merged, delivery=delivery)
    host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("fail")))
    assert host.post("push", merged, secret="wrong").status == 401
    assert host.post("no_such_event", trouble("x"), secret="wrong").status == 401
    return host


def test_deliveries_runs_and_requests_are_counted(fake, lived):
    found = wait_metric(lived, 'snekomatic_runs{state="dead"}', 1)
    assert found['snekomatic_deliveries_total{event="pull_request",outcome="stored"}'] == 1
    assert found['snekomatic_deliveries_total{event="pull_request",outcome="redelivered"}'] == 1
    assert found['snekomatic_deliveries_total{event="trouble",outcome="stored"}'] == 1
    assert found['snekomatic_rejected_requests_total{status="401"}'] == 2
    assert "no_such_event" not in str(found)  # whose signature was wrong
    assert found["snekomatic_acknowledgement_seconds_count"] == 3
    assert 0 < found["snekomatic_acknowledgement_seconds_sum"] < 3 * snek.PATIENCE_S
    assert found['snekomatic_run_seconds_count{plugin="trouble",outcome="dead"}'] == 1
    assert found['snekomatic_run_seconds_count{plugin="invite",outcome="done"}'] >= 1
    assert found['snekomatic_queue_wait_seconds_count{plugin="trouble"}'] == 1
    assert found['snekomatic_worker_state{plugin="invite",state="running"}'] == 1
    sent = len(fake.requests(method="PUT", status=200))
    assert found['snekomatic_github_requests_total{class="write",status="200"}'] == sent >= 1
    limit = f'{{installation="{snek.INSTALLATION}",resource="core"}}'
    assert 0 < found[f"snekomatic_github_rate_limit_remaining{limit}"] \
        < found[f"snekomatic_github_rate_limit{limit}"]
    assert found["snekomatic_queue_age_seconds"] < snek.PATIENCE_S
    assert found["process_open_fds"] > 10 and found["process_resident_memory_bytes"] > 1e6
    assert abs(found["process_start_time_seconds"] - time.time()) < 600


def test_a_worker_that_dies_is_counted(start_bot):
    host = start_bot(plugins=["trouble"])
    host.deliver("trouble", trouble("exit"))
    host.wait_log(msg="worker_died")
    found = wait_metric(host, 'snekomatic_worker_state{plugin="trouble",state="running"}', 1)
    assert found['snekomatic_worker_deaths_total{plugin="trouble"}'] == 1


def test_readyz_shows_the_queue_and_github(lived):
    wait_metric(lived, 'snekomatic_runs{state="dead"}', 1)
    ready = lived.request("GET", "/readyz").json
    assert ready["ready"] is True
    assert ready["queue"]["dead"] == 1 and ready["queue"]["age_ms"] >= 0
    assert 200 <= ready["github"]["last_status"] < 300 and ready["github"]["ago_ms"] >= 0


@pytest.mark.skipif(not (os.environ.get("SNEK_PROMTOOL") or shutil.which("promtool")),
                    reason="promtool is not here; ./dev test fetches it")
def test_promtool_accepts_the_metrics(lived):
    text = lived.request("GET", "/metrics").body
    promtool = os.environ.get("SNEK_PROMTOOL") or "promtool"
    result = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
    assert result.returncode == 0 and not result.stderr, result.stderr.decode()


def test_the_guide_explains_every_metric_and_no_other(lived, start_bot):
    pulling = start_bot("pulling", plugins=["trouble"], config={"github": {"receive": "pull"}})
    wait_metric(pulling, "snekomatic_pull_waiting", 0)
    text = "".join(host.request("GET", "/metrics").body.decode() for host in (lived, pulling))
    shown = set(re.findall(r"^# TYPE (snekomatic_\w+) ", text, re.M))
    guide = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`snekomatic_.*?) \|", guide, re.M)
    explained = set()
    for row in rows:
        [first, *others] = re.findall(r"`([\w…]+)", row)
        explained |= {first, *(name.replace("…", first) for name in others
                               if name.startswith(("…", "snekomatic_")))}
    assert explained == shown


# -- Sentry --------------------------------------------------------------------------------------


@pytest.fixture
def reports():
    fake = sentry.FakeSentry()
    yield fake
    fake.stop()
    assert not fake.faults


def reporting(start_bot, reports, **options):
    """A host with one attempt a run, unless `config` says otherwise, so that no second one interferes."""
    options.setdefault("plugins", ["trouble"])
    options.setdefault("config", {"dispatch": {"max_attempts": 1}})
    env = {"SENTRY_DSN": reports.dsn, "SENTRY_ENVIRONMENT": "tests", **options.pop("env", {})}
    return start_bot(env=env, **options)


def test_a_failed_attempt_is_reported_without_its_input(start_bot, reports):
    host = reporting(start_bot, reports, config={})
    delivery = host.deliver("trouble", trouble("fail", text=SECRET_TEXT))
    event = reports.wait("retry: asked to fail")
    assert event["level"] == "warning" and event["environment"] == "tests"
    assert re.fullmatch(r"snekomatic@\d+\.\d+\.\d+", event["release"])
    assert event["tags"] == {"plugin": "trouble", "event": "trouble", "action": "fail",
                             "installation": str(snek.INSTALLATION), "attempt": "1"}
    assert event["extra"]["delivery"] == delivery
    assert not [name for name in event if name in ("request", "user", "breadcrumbs", "contexts")]
    host.stop()
    told = "".join(text for _, text, _ in reports.envelopes)
    for secret in (SECRET_TEXT, snek.WEBHOOK_SECRET, sentry.KEY, str(host.folder)):
        assert secret not in told
    assert sentry.KEY not in host.process.output()


def test_a_dead_run_and_a_dead_worker_are_reported(start_bot, reports):
    host = reporting(start_bot, reports)
    host.deliver("trouble", trouble("segfault"))
    dead, died = reports.wait("dead: the worker"), reports.wait("worker_died")
    assert dead["level"] == died["level"] == "error"
    assert dead["tags"]["action"] == "segfault"
    assert "signal 11" in died["message"]["formatted"] or "exited" in died["message"]["formatted"]
    assert died["tags"] == {"plugin": "trouble"}
    assert died["extra"]["version"] == "1"
    if "signal 11" in died["message"]["formatted"]:
        assert died["extra"]["signal"] == "SIGSEGV"


def test_plugin_logs_and_successes_are_not_reported(start_bot, reports):
    host = reporting(start_bot, reports)
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble("fine")))
    host.wait_log(msg="rejected", delivery=host.deliver("trouble", trouble("reject")))
    assert host.post("trouble", trouble("fine"), secret="wrong").status == 401
    host.stop()  # sends what still waits
    assert reports.events == []


def test_waiting_reports_are_sent_before_the_end(start_bot, reports):
    host = reporting(start_bot, reports)
    for _ in range(5):
        host.deliver("trouble", trouble("fail"))
    snek.wait_until(lambda: len(host.log(msg="dead")) == 5, host.process.output)
    host.stop()
    assert len(reports.events) == 5


LIMITS = {
    "Retry-After": (429, {"Retry-After": "60"}),
    "a limit for errors": (200, {"X-Sentry-Rate-Limits": "60:error;default:organization"}),
    "429 alone": (429, {}),
}


@pytest.mark.parametrize("what", LIMITS)
def test_sentrys_rate_limits_are_obeyed(start_bot, reports, what):
    reports.responses.append(LIMITS[what])
    host = reporting(start_bot, reports)
    host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("fail")))
    outcome = "failed" if LIMITS[what][0] == 429 else "sent"
    wait_metric(host, f'snekomatic_sentry_events_total{{outcome="{outcome}"}}', 1)
    host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("fail")))
    wait_metric(host, 'snekomatic_sentry_events_total{outcome="held"}', 1)
    host.stop()
    assert len(reports.events) == 1


def test_a_limit_of_another_category_delays_nothing(start_bot, reports):
    reports.responses.append((200, {"X-Sentry-Rate-Limits": "60:transaction:key"}))
    host = reporting(start_bot, reports)
    for count in (1, 2):
        host.deliver("trouble", trouble("fail"))
        wait_metric(host, 'snekomatic_sentry_events_total{outcome="sent"}', count)


def test_a_sentry_that_does_not_respond_holds_up_nothing(start_bot, reports):
    reports.responses += [(None, {})] * 100
    host = reporting(start_bot, reports, plugins=["trouble"])
    host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("fail")))
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble("fine")))
    began = time.monotonic()
    host.stop()
    assert time.monotonic() - began < 2 + snek.PATIENCE_S / 2


def test_an_unreachable_sentry_is_logged_once_and_counted(start_bot, reports):
    reports.server.server_close()
    host = reporting(start_bot, reports)
    host.deliver("trouble", trouble("fail"))
    assert "no response" in host.wait_log(msg="sentry_rejected")["reason"]
    assert metrics(host)['snekomatic_sentry_events_total{outcome="failed"}'] == 1


def test_the_worker_sees_nothing_of_it(start_bot, reports):
    # The sandbox would hide the list of mappings that the search needs.
    host = reporting(start_bot, reports, plugins=[{"name": "trouble", "sandbox": "off"}])
    half = len(sentry.KEY) // 2
    payload = trouble("memory", needle_first=sentry.KEY[:half], needle_second=sentry.KEY[half:])
    if not os.environ.get("SNEK_SANITIZED"):  # which forbids to read all memory
        line = host.wait_log(msg="skipped", delivery=host.deliver("trouble", payload))
        assert " found=0 environment=0" in line["reason"]
    for ring in ("supervisor", "host", "worker"):
        for pid in host.pids(ring):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    assert sentry.KEY.encode() not in file.read()
            except PermissionError:
                assert os.geteuid() != 0
