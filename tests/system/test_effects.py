# SPDX-License-Identifier: MIT OR Apache-2.0
"""Promise 2: no effect happens twice and none is left out, when a process dies between them."""

import json
import os
import re
import signal
import sqlite3
import time
import urllib.parse

import pytest

import snek
from effect_steps import MEMBER, PATHS, comments, effect, host, hurry, lose, rename_issue

OTHER = 60002  # an installation more, of the same account


def test_every_comment_carries_a_marker_that_nobody_sees(fake, host):
    host.wait_log(msg="done", delivery=host.deliver("effects", effect("comment", "Hi **there**")))
    [text] = comments(fake)
    assert snek.visible({"body": text}) == {"body": "Hi **there**"}
    assert text.endswith(" -->")


def test_a_comment_as_long_as_github_takes_is_written_without_a_marker(fake, host):
    text = "é" * 65536
    host.wait_log(msg="done", delivery=host.deliver("effects", effect("comment", text)))
    assert comments(fake) == [text]


def test_two_equal_comments_of_one_run_are_two(fake, host):
    host.wait_log(msg="done", delivery=host.deliver("effects", effect("comment_twice")))
    assert len(comments(fake)) == 2


def test_a_retry_takes_the_path_of_the_attempt_before_it(fake, host):
    """It neither finds its own invitation and stops, nor its own mark in the store."""
    fake.fail(method="POST", path=PATHS["comment"], status=403, times=1)
    delivery = host.deliver("effects", effect("welcome"))
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert [r["method"] for r in fake.api_requests()] == ["GET", "PUT", "POST", "POST"]
    assert len(comments(fake)) == 1


def test_reads_before_a_rejected_effect_are_made_anew(fake, host):
    """Otherwise GitHub would reject it for ever."""
    rename_issue(fake, "old")
    fake.fail(method="POST", path=PATHS["comment"], status=409, times=1)
    delivery = host.deliver("effects", effect("quote_title"))
    host.wait_log(msg="retry", delivery=delivery)
    rename_issue(fake, "new")
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    [text] = comments(fake)
    assert snek.visible({"body": text}) == {"body": "new"}
    [anew] = host.log(msg="reads_anew", delivery=delivery)
    assert (anew["method"], anew["attempt"]) == ("GET", "2")
    assert anew["url"].endswith("/issues/12")


ISSUE = "/repos/sneks-united/terrarium/issues/12"


def cannot_read(fake):
    """The next attempt gets no title, comments without it, and fails after that."""
    fake.fail(method="GET", path=ISSUE, drop=True, times=-1)
    fake.fail(method="POST", path=PATHS["react"], status=403, times=1)


def test_a_read_that_was_replaced_does_not_come_back(fake, host):
    """The second reads something else and acts on it: the third takes the second's path."""
    fake.fail(method="POST", path=PATHS["comment"], status=403, times=1)
    delivery = host.deliver("effects", effect("quote_title_and_react"))
    host.wait_log(msg="retry", delivery=delivery, attempt=1)
    cannot_read(fake)
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="retry", delivery=delivery, attempt=2)
    fake.fail_no_more()
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="done", delivery=delivery)
    assert [snek.visible({"body": text})["body"] for text in comments(fake)] == ["no title"]


def test_a_read_that_failed_fails_again_where_it_led_to_an_effect(fake, host):
    cannot_read(fake)
    delivery = host.deliver("effects", effect("quote_title_and_react"))
    host.wait_log(msg="retry", delivery=delivery, attempt=1)
    fake.fail_no_more()
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="done", delivery=delivery)
    assert [snek.visible({"body": text})["body"] for text in comments(fake)] == ["no title"]


@pytest.mark.parametrize("first", [
    {"method": "POST", "path": PATHS["comment"], "status": 422},
    {"path": f"/app/installations/{snek.INSTALLATION}/access_tokens", "status": 400}])
def test_a_retry_does_not_repeat_an_effect_whose_first_request_failed(fake, host, first):
    fake.fail(times=1, **first)
    delivery = host.deliver("effects", effect("comment_again_and_retry"))
    host.wait_log(msg="done", delivery=delivery, attempt=2)
    assert len(comments(fake)) == 1


def deliveries(host, verb, delivery):
    host.verb("deliveries", verb, delivery)


def test_an_intent_of_a_run_that_was_discarded_and_retried_is_rejected(fake, start_bot):
    """The new handling has the same run and attempt, but another token."""
    host = start_bot(plugins=["trouble"])
    url = snek.payload("issues.opened")["issue"]["comments_url"]
    fake.fail(method="GET", path=ISSUE, delay_ms=60000)
    delivery = host.deliver("trouble", {"action": "comment", "first": ISSUE, "url": url,
                                        "installation": {"id": snek.INSTALLATION}})
    fake.wait_arrived(method="GET", path=ISSUE)
    deliveries(host, "discard", delivery)
    deliveries(host, "retry", delivery)
    fake.release()
    host.wait_log(msg="completion_stale", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    path = urllib.parse.urlsplit(url).path
    assert len(fake.requests(method="POST", path=path)) == 1


def test_a_response_that_could_not_be_recorded_is_recorded_later(fake, host):
    """The store is locked from before GitHub's response until after the inbox has given up."""
    fake.fail(method="POST", path=PATHS["react"], after=True, delay_ms=60000, times=1)
    delivery = host.deliver("effects", effect("react_and_retry"))
    fake.wait_arrived(method="POST", path=PATHS["react"])  # so the intent is committed
    lock = sqlite3.connect(host.folder / "snekomatic.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    fake.release()
    host.wait_log(msg="response_not_recorded", delivery=delivery)
    lock.execute("ROLLBACK")
    host.wait_log(msg="done", delivery=delivery, attempt=2)
    assert host.log(msg="in_doubt_again") == []
    assert len(fake.requests(method="POST", path=PATHS["react"])) == 1


def in_progress(fake):
    return [r for r in fake.requests(path=ISSUE) if r["status"] is None]


@pytest.mark.own_pace("the host gives up a request after 30 s")
def test_a_plugin_has_at_most_64_requests_in_flight(fake, start_bot):
    """Further requests wait in its worker, also when an earlier worker made the first ones. The limit
    holds for all installations together."""
    host = start_bot(plugins=[{"name": "effects", "concurrency": 100}, "trouble"])
    fake.patch_state({"installations": [{**fake.state["installations"][0], "id": OTHER}]})
    fake.fail(method="GET", path=ISSUE, delay_ms=60000, times=-1)
    host.verb("plugins", "pause", "effects")
    for n in range(100):
        host.deliver("effects", {**effect("read_title"),
                                 "installation": {"id": [snek.INSTALLATION, OTHER][n % 2]}})
    host.verb("plugins", "resume", "effects")
    snek.wait_until(lambda: len(in_progress(fake)) == 64, "64 requests")
    mark = host.mark()
    host.kill("worker", signal.SIGKILL)
    host.wait_log(msg="started", after=mark)
    # A run of another plugin takes a longer way than a request.
    host.wait_log(msg="done", delivery=host.deliver("trouble", effect("fine")))
    assert len(in_progress(fake)) == 64
    fake.fail_no_more()
    fake.release()


def test_large_bodies_of_one_plugin_do_not_fill_the_hosts_memory(fake, start_bot):
    """32 runs send 3 MiB each to a slow GitHub, and their worker is killed again and again."""
    host = start_bot(plugins=["trouble"], config={"github": {"notify_interval_ms": 0,
                                                             "write_interval_ms": 0}})
    fake.fail(method="POST", path=PATHS["react"], delay_ms=6000, times=-1)
    before = host.memory_kib("VmRSS")
    for _ in range(32):
        host.deliver("trouble", {"action": "large", "installation": {"id": snek.INSTALLATION}})
    for _ in range(4):
        time.sleep(1)
        host.kill("worker", signal.SIGKILL)
    fake.wait_arrived(2, method="POST", path=PATHS["react"])
    grown_kib = host.memory_kib("VmHWM") - before
    # A sanitizer keeps freed memory for a while.
    assert grown_kib < 48 << 10 or os.environ.get("SNEK_SANITIZED")


@pytest.mark.skipif(bool(os.environ.get("SNEK_SANITIZED")),
                    reason="a sanitizer keeps freed memory for a while")
def test_long_urls_of_one_plugin_do_not_fill_the_hosts_memory(start_bot):
    """8 runs make 1000 requests each whose URLs have 8 kB; all are rejected."""
    host = start_bot(plugins=["trouble"])
    before = host.memory_kib("VmRSS")
    long_urls = {"action": "long_urls", "installation": {"id": snek.INSTALLATION}}
    for delivery in [host.deliver("trouble", long_urls) for _ in range(8)]:
        host.wait_log(msg="done", delivery=delivery)
    assert host.memory_kib("VmHWM") - before < 32 << 10


@pytest.mark.own_pace("it discards the run within the 4.5 s that a request may wait for its pace")
def test_after_a_run_was_discarded_nothing_of_it_is_sent(fake, start_bot):
    host = start_bot(plugins=["effects"], config={
        "github": {"notify_interval_ms": 4500, "write_interval_ms": 1000}})
    delivery = host.deliver("effects", effect("comment_twice"))
    fake.wait_requests(method="POST", path=PATHS["comment"])
    deliveries(host, "discard", delivery)
    host.wait_log(msg="completion_stale", delivery=delivery)
    assert len(comments(fake)) == 1


def test_a_request_that_was_surely_not_sent_is_not_in_doubt(fake, host):
    fake.fail(path=f"/app/installations/{snek.INSTALLATION}/access_tokens", status=400, times=1)
    delivery = host.deliver("effects", effect("react"))
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert host.log(msg="in_doubt_again") == []


def test_a_retry_that_diverges_is_logged_and_makes_its_requests(fake, host):
    delivery = host.deliver("effects", effect("other_way"))
    host.wait_log(msg="diverged", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert [snek.visible({"body": text})["body"] for text in comments(fake)] == [
        "attempt 1", "attempt 2"]


# -- named effects ---------------------------------------------------------------------------------

@pytest.mark.parametrize("who", ["host", "worker"])
def test_a_named_effect_that_stands_is_not_made_again_though_its_body_differs(
        fake, start_bot, either_store, who):
    host = start_bot(plugins=["effects"], config=either_store)
    fake.fail(method="POST", path=PATHS["react"], delay_ms=60000, times=1)
    delivery = host.deliver("effects", effect("named"))
    fake.wait_arrived(method="POST", path=PATHS["react"])
    host.kill(who, signal.SIGKILL, plugin="effects" if who == "worker" else None)
    fake.release()
    if who == "worker":
        hurry(host, delivery)
    assert host.wait_log(msg="replayed", delivery=delivery)["once"] == "welcome"
    host.wait_log(msg="done", delivery=delivery)
    assert [snek.visible({"body": text})["body"] for text in comments(fake)] == ["attempt 1"]
    assert not host.log(msg="diverged", delivery=delivery)


def test_a_named_effect_that_github_rejected_is_made_with_the_new_body(fake, host):
    fake.fail(method="POST", path=PATHS["comment"], status=403, times=1)
    delivery = host.deliver("effects", effect("named"))
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert [snek.visible({"body": text})["body"] for text in comments(fake)] == ["attempt 2"]


def test_a_second_request_of_a_name_gets_the_response_of_the_first(fake, host):
    delivery = host.deliver("effects", effect("named_twice"))
    host.wait_log(msg="done", delivery=delivery)
    assert host.log(delivery=delivery, text="the same id")
    assert len(comments(fake)) == 1


def test_a_redelivery_of_a_finished_one_makes_its_effects_anew(fake, host):
    delivery = host.deliver("effects", effect("comment"))
    host.wait_log(msg="done", delivery=delivery)
    before = host.mark()
    host.deliver("effects", effect("comment"), delivery=delivery)
    host.wait_log(msg="done", delivery=delivery, after=before)
    assert len(comments(fake)) == 2


def test_a_redelivery_of_a_dead_one_goes_on_where_it_was(fake, start_bot):
    host = start_bot(plugins=["effects"], config={"dispatch": {"max_attempts": 1}})
    fake.fail(method="POST", path=PATHS["comment"], status=403, times=1)
    delivery = host.deliver("effects", effect("welcome"))
    host.wait_log(msg="dead", delivery=delivery)
    before = host.mark()
    host.deliver("effects", effect("welcome"), delivery=delivery)
    host.wait_log(msg="done", delivery=delivery, after=before)
    assert [r["method"] for r in fake.api_requests()] == ["GET", "PUT", "POST", "POST"]


def show(host, *words):
    return host.verb("deliveries", "show", *words).stdout


def shown(host, delivery):
    """(method, path, state, status) of its run's effects, as programs see them."""
    [run] = json.loads(show(host, delivery, "--json"))["runs"]
    return [(one["method"], urllib.parse.urlsplit(one["url"]).path, one["state"], one["status"])
            for one in run["effects"]]


def journal(host):
    with sqlite3.connect(host.folder / "snekomatic.db", timeout=10) as db:
        return db.execute("SELECT kind, state, method, length(body) FROM journal"
                          " ORDER BY run, number").fetchall()


def test_a_run_that_was_discarded_during_the_search_does_not_record_what_it_found(fake, host):
    lose(fake, "POST", PATHS["comment"])
    delivery = host.deliver("effects", effect("comment"))
    host.wait_log(msg="retry", delivery=delivery, attempt=1)
    fake.fail(method="GET", path=PATHS["comment"], delay_ms=60000, times=1)
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="in_doubt_again", delivery=delivery)
    fake.wait_arrived(method="GET", path=PATHS["comment"])
    deliveries(host, "discard", delivery)
    fake.release()
    host.wait_log(msg="comment_found", delivery=delivery)
    host.wait_log(msg="completion_stale", delivery=delivery)
    before = host.mark()
    deliveries(host, "retry", delivery)
    host.wait_log(msg="comment_found", delivery=delivery, after=before)
    host.wait_log(msg="done", delivery=delivery, after=before)
    assert len(comments(fake)) == 1


def test_effects_are_shown_with_those_in_doubt(fake, host):
    lose(fake, "POST", PATHS["comment"])
    delivery = host.deliver("effects", effect("welcome"))
    host.wait_log(msg="retry", delivery=delivery)
    assert shown(host, delivery) == [("PUT", PATHS["PUT"], "completed", 200),
                                     ("POST", PATHS["comment"], "in doubt", 0)]
    text = show(host, delivery)
    assert re.search(r"  PUT +completed +200  /", text)
    assert re.search(r"  POST +in doubt  +/", text), "a status that nobody got"
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="done", delivery=delivery)
    assert shown(host, delivery) == [("PUT", PATHS["PUT"], "completed", 200),
                                     ("POST", PATHS["comment"], "completed", 201)]


def test_a_finished_run_keeps_its_effects_only(host):
    host.wait_log(msg="done", delivery=host.deliver("effects", effect("welcome")))
    assert journal(host) == [("effect", "completed", "PUT", 0), ("effect", "completed", "POST", 0)]


def test_a_stored_method_cannot_control_the_terminal(host):
    delivery = host.deliver("effects", effect("welcome"))
    host.wait_log(msg="done", delivery=delivery)
    with sqlite3.connect(host.folder / "snekomatic.db", timeout=10) as db:
        db.execute("UPDATE journal SET method = 'P\x1b[31m\x07UT' WHERE method = 'PUT'")
    text = show(host, delivery)
    assert "\x1b" not in text and "\x07" not in text and "effect" in text


def test_a_dry_run_changes_nothing_and_shows_everything(fake, start_bot):
    host = start_bot(plugins=[{"name": "effects", "dry_run": True}])
    for _ in range(2):  # and remembers nothing, so that the real run later is not skipped
        before = host.mark()
        delivery = host.deliver("effects", effect("welcome"))
        host.wait_log(msg="done", delivery=delivery, after=before)
        shown = [(line["method"], urllib.parse.urlsplit(line["url"]).path)
                 for line in host.log(msg="dry_run", after=before)]
        assert shown == [("PUT", PATHS["PUT"]), ("POST", PATHS["comment"])]
    assert fake.effects() == []
    assert fake.member(MEMBER) is None and comments(fake) == []


# -- killed at every labelled point ---------------------------------------------------------------

POINTS = ["before_intent", "after_intent", "after_send", "after_reply", "after_answer",
          "before_completion"]
TIMES = int(os.environ.get("SNEK_KILLS", "2"))
LOOK_S = 30  # a host that dies before a response is stored leaves a comment that is looked for then


@pytest.mark.skipif(os.environ.get("SNEK_FAULT_POINTS") != "1",
                    reason="the labelled points are in the build with -Dfault_points=true only")
@pytest.mark.parametrize("who", ["host", "worker", "both"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_labelled_point_nothing_is_twice_and_nothing_missing(
        fake, start_bot, tmp_path, point, who):
    order = tmp_path / "fault"
    state = fake.state
    state["settings"] = {"auto_create": ["users"]}
    fake.put_state(state)
    host = start_bot(plugins=["effects"], env={"SNEK_FAULT_FILE": order})
    for n in range(TIMES):
        member = f"member-{n}"
        order.write_text(f"{point} {who}\n")
        delivery = host.deliver("effects", effect("welcome", f"Welcome, {member}!", member))
        deadline = time.monotonic() + snek.PATIENCE_S + LOOK_S
        while not host.log(msg="done", delivery=delivery):
            assert time.monotonic() < deadline, host.process.output()
            if host.log(msg="retry", delivery=delivery) and not order.exists():
                try:  # a worker's crash costs an attempt, and a wait that we cut short
                    host.post("effects", effect("hurry"), delivery=delivery)
                except OSError:
                    pass
            time.sleep(0.05)
        assert not order.exists(), "the point was not passed"
        assert fake.member(member)["state"] == "pending"
    written = [snek.visible({"body": text})["body"] for text in comments(fake)]
    assert written == [f"Welcome, member-{n}!" for n in range(TIMES)]
    assert fake.unexpected() == []
