# SPDX-License-Identifier: MIT OR Apache-2.0
"""The console's pages over HTTP; test_console_browser.py looks at them in a browser."""

import contextlib
import datetime
import html
import http.client
import json
import re
import sqlite3
import time
import urllib.parse

import pytest

import snek
from console_client import READER, Console, start_console, text_of, words_of


HOUR_MS = 3_600_000
COMMENTS = "/repos/sneks-united/terrarium/issues/12/comments"


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def about(number, action="fail", **more):
    """A payload about an issue."""
    return trouble(action, repository={"id": 7, "full_name": "Sneks/Pit"}, issue={"number": number},
                   sender={"login": "Ada", "id": 5}, **more)


@pytest.fixture
def bot(start_bot):
    return start_console(start_bot, plugins=["trouble", "ping"], config={"dispatch": {"max_attempts": 1}})


@pytest.fixture
def console(bot):
    console = Console(bot.url)
    console.login(person="Ada")
    return console


def dead(bot, payload):
    guid = bot.deliver("trouble", payload)
    bot.wait_log(msg="dead", delivery=guid)
    return guid


# ---- search ----

def test_one_box_finds_by_guid_item_person_plugin_and_reason(bot, console):
    guid = dead(bot, about(12))
    other = dead(bot, trouble("fail"))
    assert console.get(f"/deliveries?q={guid}").location == f"/console/deliveries/{guid}"
    for query in ("sneks/pit%2312", "Sneks/Pit", "https://github.com/sneks/pit/issues/12", "ada", "@Ada"):
        found = console.json(f"/deliveries?q={query}")["runs"]
        assert [run["delivery"] for run in found] == [guid], query
    for query in ("trouble", "plugin:trouble", "asked%20to", "asked", "state:dead", "event:trouble"):
        found = console.json(f"/deliveries?q={query}")["runs"]
        assert {run["delivery"] for run in found} == {guid, other}, query
    assert console.json("/deliveries?q=sneks/pit%2313")["runs"] == []
    assert "in their reason or label, in any state" in text_of(console.get("/deliveries?q=asked"))


def test_filters_in_the_url_narrow_the_list(bot, console):
    guid = dead(bot, about(12))
    fine = bot.deliver("trouble", trouble("fine"))
    bot.wait_log(msg="done", delivery=fine)
    for query, expected in (("state=dead", [guid]), ("state=done", [fine]), ("repository=sneks/pit%2312", [guid]),
                            ("sender=ADA&event=trouble", [guid]), ("since=1h", [fine, guid]),
                            ("since=2099-01-01", []), ("reason=to+fail", [guid])):
        assert [run["delivery"] for run in console.json(f"/deliveries?{query}")["runs"]] == expected, query
    for query in ("since=tomorrow", "repository=x/", "before=x", "before=1", "before=1.1x", "before=-1.1",
                  "state=nonsense", "q=state:nonsense"):
        assert console.get(f"/deliveries?{query}").status == 400, query
    page = console.get("/deliveries?state=nonsense&plugin=kept&sender=me")
    assert "queued, blocked" in page.text and 'value="kept"' in page.text and 'value="me"' in page.text
    assert console.get("/items/a/b/1?before=x").status == console.get("/actions?before=x").status == 400


def test_a_reason_is_found_in_every_state_that_pages_show(narrow):
    bot, console = narrow
    skipped = bot.deliver("issue_comment", snek.payload("issue_comment.created", {"comment.body": "Hi"}))
    bot.wait_log(msg="skipped", delivery=skipped)
    for query in ("reason=permission", "q=permission", "q=reason:permission", "state=parked&reason=permission"):
        assert [run["delivery"] for run in console.json(f"/deliveries?{query}")["runs"]] == [bot.guid], query
    for query in ("q=nothing+matched", "reason=nothing", "state=skipped", "q=skipped"):
        assert [run["delivery"] for run in console.json(f"/deliveries?{query}")["runs"]] == [skipped], query
    assert "Shown: a reason with permission" in words_of(console.get("/deliveries?reason=permission"))


@pytest.mark.parametrize("query,banner", [
    ("q=viper-vik", "These deliveries come from the person viper-vik"), ("q=%40viper-vik", "Shown: person viper-vik"),
    ("sender=%40viper-vik", "Shown: person viper-vik"), ("event=issue_comment.created", "event issue_comment, action created"),
    ("q=issue_comment.created", "Shown: event issue_comment, action created"), ("q=issue_comment", "Shown: event issue_comment"),
    ("q=terrarium", "as the owner or the name of their repository"), ("repository=terrarium", "repository or owner terrarium"),
    ("q=sneks-united", "as the owner or the name of their repository"),
    (f"q={snek.INSTALLATION}", "as their installation"), ("q=GUID", "at the start of their GUID"),
    (f"installation={snek.INSTALLATION}", f"installation {snek.INSTALLATION}")])
def test_each_search_says_what_it_found(narrow, query, banner):
    bot, console = narrow
    query = query.replace("GUID", bot.guid[:8])
    assert [run["delivery"] for run in console.json(f"/deliveries?{query}")["runs"]] == [bot.guid]
    assert banner in words_of(console.get(f"/deliveries?{query}"))


@pytest.mark.parametrize("query,sentence", [
    ("q=nobody-here", "No plugin, person, event, installation, repository, owner or start of a GUID (four characters or"
     " more) is “nobody-here”"), ("state=dead&plugin=ping", "looked for state dead, plugin ping. All of these must match"),
    ("event=issue_comment.deleted", "looked for event issue_comment, action deleted"), ("q=two+words", "has it, in any state")])
def test_a_search_that_finds_nothing_says_what_it_looked_for(narrow, query, sentence):
    _, console = narrow
    page = words_of(console.get(f"/deliveries?{query}"))
    assert "Nothing was found." in page and sentence in page and "comes from" not in page
    assert console.json(f"/deliveries?{query}")["looked_back_to"] is None


def test_a_number_with_the_name_of_a_repository_finds_its_items(bot, console):
    guid = dead(bot, about(12))
    other = dead(bot, trouble("fail", repository={"id": 8, "full_name": "Other/pit"}, issue={"number": 12}))
    dead(bot, about(13))
    dead(bot, trouble("fail", repository={"id": 9, "full_name": "Other/cave"}, issue={"number": 12}))
    for query in ("q=pit%2312", "repository=PIT%2312", "q=repository:pit%2312", "state=dead&repository=pit%2312",
                  "q=trouble&repository=pit%2312"):
        assert {run["delivery"] for run in console.json(f"/deliveries?{query}")["runs"]} == {guid, other}, query
    page = console.get("/deliveries?q=pit%2312")
    assert "Shown: repository or owner pit#12. The timeline of Other/pit#12 or Sneks/Pit#12 has" in words_of(page)
    assert 'href="/console/items/Other/pit/12"' in page.text
    assert "The timeline of Sneks/Pit#12 has" in words_of(console.get("/deliveries?q=sneks%2312"))
    assert [console.json(f"/deliveries?q={query}")["runs"] for query in ("pit%2314", "cave%2313")] == [[], []]
    assert [run["delivery"] for run in console.json("/deliveries?q=sneks/pit%2312&repository=pit")["runs"]] == [guid]
    assert console.get("/deliveries?repository=pit%23x").status == 400


def test_a_long_list_goes_on_with_older_deliveries(bot, console):
    guids = [bot.deliver("ping", {"zen": str(number)}) for number in range(130)]
    first = console.json("/deliveries")
    second = console.json(f"/deliveries?before={first['before']}")
    seen = [run["delivery"] for run in first["runs"] + second["runs"]]
    assert seen == guids[::-1] and 100 <= len(first["runs"]) < 130
    assert 'rel="next"' in console.get("/deliveries").text


# ---- one delivery ----

def test_a_delivery_shows_its_runs_steps_and_exact_payload(bot, console):
    payload = about(12, big=12345678901234567890, small=1.10, deep={"list": [None, True, "x"]})
    guid = dead(bot, payload)
    page = console.get(f"/deliveries/{guid}")
    text = text_of(page)
    for part in (guid, "Sneks/Pit#12", "Ada", "asked to fail", "received, and committed", "12345678901234567890", "1.1",
                 f"snekomatic send trouble payload.json", f"delivery={guid}"):
        assert part in text, part
    assert "<details><summary><b>deep</b>" in page.text
    raw = console.get(f"/deliveries/{guid}/payload.json")
    assert json.loads(raw.text) == payload and "attachment" in raw.headers["Content-Disposition"]
    shown = console.json(f"/deliveries/{guid}")
    assert shown["runs"][0]["state"] == "dead" and shown["runs"][0]["reason"] == "asked to fail"
    assert console.get("/deliveries/nonsense").status == 404


def test_the_steps_of_a_dead_run_name_its_reason_once(bot, console):
    page = text_of(console.get(f"/deliveries/{dead(bot, trouble('fail'))}"))
    runs = page[:page.index("Log lines")]
    steps = runs[runs.index("received, and committed"):]
    assert runs.count("asked to fail") == 1 and re.search(r"attempt 1 ended:\s+dead", steps)
    assert not re.search(r"ms\s+ended", steps)


def test_an_effect_that_a_later_attempt_replayed_has_a_badge(start_bot, fake):
    bot = start_console(start_bot, plugins=["effects"], config={"dispatch": {"max_attempts": 1}})
    console = Console(bot.url)
    console.login()
    fake.fail(method="POST", path=COMMENTS, status=422, times=100)
    guid = bot.deliver("effects", trouble("delete_and_comment", member="viper-vik", text="Bye"))
    bot.wait_log(msg="dead", delivery=guid)
    page = console.get(f"/deliveries/{guid}")
    assert "replayed" not in page.text and not any(one["replayed"] for one in console.json(f"/deliveries/{guid}")["requests"])
    fake.fail_no_more()
    console.submit(f"/deliveries/{guid}", page.form("/retry"))
    bot.wait_log(msg="done", delivery=guid)
    requests = console.json(f"/deliveries/{guid}")["requests"]
    assert {(one["method"], one["status"]): one["replayed"] for one in requests} == {
        ("DELETE", 204): True, ("POST", 201): False}
    assert console.get(f"/deliveries/{guid}").text.count('">replayed<') == 1


def test_a_run_without_a_match_leads_to_the_reason(start_bot):
    bot = start_console(start_bot, plugins=["ping"])
    console = Console(bot.url)
    console.login()
    guid = bot.deliver("issue_comment", snek.payload("issue_comment.created", {"comment.body": "Hi"}))
    bot.wait_log(msg="skipped", delivery=guid)
    link = f'nothing matched: <a href="/console/deliveries/{guid}/why">why?</a>'
    for path in ("/deliveries", f"/deliveries/{guid}", "/items/sneks-united/terrarium/12"):
        assert link in console.get(path).text, path
    assert "not #12 alone" in text_of(console.get("/deliveries?q=%2312")).replace("  ", " ")


def test_slow_clients_hold_a_bounded_number_of_large_pages(bot, console):
    """At most 96 MiB: five clients ask for 24 MiB each and read nothing."""
    guid = dead(bot, trouble("fail", long="x" * (24 << 20)))
    clients = []
    for _ in range(5):
        client = http.client.HTTPConnection("127.0.0.1", bot.port, timeout=snek.PATIENCE_S)
        client.request("GET", f"/console/deliveries/{guid}/payload.json", headers={"Authorization": f"Bearer {READER}"})
        clients.append((client, client.getresponse()))
    assert [response.status for _, response in clients] == [200, 200, 200, 503, 503]
    assert console.get("/plugins").status == 200
    for client, _ in clients:
        client.close()
    snek.wait_until(lambda: console.get(f"/deliveries/{guid}/payload.json").status == 200, "the pages to end")


def test_a_guid_of_any_characters_has_working_links(bot, console):
    """GitHub's are plain. A header may have others, and the links must lead to that delivery."""
    guid = 'a/b?c#d%41&e="f\'g+h'
    bot.deliver("trouble", about(12), delivery=guid)
    bot.wait_log(msg="dead", delivery=guid)
    path = "/console/deliveries/" + urllib.parse.quote(guid, safe="")
    for place in ("/deliveries", "/failures", "/items/Sneks/Pit/12", path.removeprefix("/console") + "/why"):
        assert f'<a href="{path}"' in console.get(place).text, place
    page = console.get(path.removeprefix("/console"))
    assert page.status == 200 and guid in text_of(page)
    for rest in ("/why", "/payload.json"):
        assert f'<a href="{path}{rest}"' in page.text
        assert console.get(path.removeprefix("/console") + rest).status == 200
    assert console.get(f"/deliveries?guid={urllib.parse.quote(guid)}").status == 200
    assert "One run is due now." in console.submit("/deliveries", page.form("/retry")).text


def test_the_copied_command_has_no_event_that_a_shell_reads(bot, console):
    guid = bot.deliver("x$(reboot)", about(12))
    snek.wait_until(lambda: console.get(f"/deliveries/{guid}").status == 200, "the delivery")
    page = text_of(console.get(f"/deliveries/{guid}"))
    assert "payload.json" not in page and "snekomatic send x" not in page


HOSTILE = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</pre></details><b>", "\u202eevil\u2066",
           "&lt;script&gt;", "\u0000\u001b[31m", "javascript:alert(1)"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_of_a_payload_is_shown_as_text(bot, console, text):
    guid = dead(bot, trouble("fail", text=text, **{f"key{text}": 1}))
    page = console.get(f"/deliveries/{guid}").text
    tags = set(re.findall(r"<([a-z0-9]+)", page)) - {"rect"}
    assert "img" not in tags and page.count("<script") == 1 and "\u202e" not in page and "\x1b" not in page
    if text.startswith("<script"):
        assert "&lt;script&gt;alert(1)" in page


def test_a_payload_of_25_mb_is_bounded(bot, console):
    payload = trouble("fail", long="x" * 1_000_000, many=[{"n": number} for number in range(1_500_000)])
    guid = dead(bot, payload)
    page = console.get(f"/deliveries/{guid}")
    assert page.status == 200 and 1_000_000 < len(page.text) < 6_000_000
    assert "x" * 1_000_000 in page.text and "larger than what is shown here" in page.text
    assert len(console.get(f"/deliveries/{guid}/payload.json").text) > 15_000_000


def test_a_deep_payload_is_bounded(bot, console):
    guid = dead(bot, trouble("fail", deep=json.loads("[" * 400 + "]" * 400)))
    page = console.get(f"/deliveries/{guid}").text
    assert "deeper…" in page and page.count("<details") == page.count("</details>") < 60


# ---- what to do ----

def test_a_skipped_run_is_run_again_by_a_person(start_bot, fake):
    bot = start_console(start_bot, plugins=["welcome", "ping"])
    console = Console(bot.url)
    console.login(person="Ada")
    payload = snek.payload("issue_comment.created", {"comment.body": "Hi"})
    guid = bot.deliver("issue_comment", payload)
    bot.wait_log(msg="skipped", delivery=guid)
    page = console.get(f"/deliveries/{guid}")
    assert "The plugin had nothing to do with it." in words_of(page) and ">done<" not in page.text
    assert console.json(f"/deliveries/{guid}")["can_be_retried"] == ["ping"]
    mark = bot.mark()
    done = console.submit(f"/deliveries/{guid}", page.form("/retry"))
    assert "One run is due now." in done.text
    bot.wait_log(msg="skipped", delivery=guid, after=mark)
    action = console.json("/actions")["actions"][0]
    assert (action["what"], action["target"], action["result"]) == ("retry", guid, "1 changed")
    reader = Console(bot.url)
    reader.login(READER)
    assert ">Run again<span" in page.text and ">Run again<span" not in reader.get(f"/deliveries/{guid}").text


def test_all_skipped_runs_of_a_filter_are_run_again_after_a_preview(start_bot):
    bot = start_console(start_bot, plugins=["ping"])
    console = Console(bot.url)
    console.login(person="Ada")
    guids = []
    for text in ("Hi", "Ho"):
        guids.append(bot.deliver("issue_comment", snek.payload("issue_comment.created", {"comment.body": text})))
        bot.wait_log(msg="skipped", delivery=guids[-1])
    assert not [form for form in console.get("/deliveries").forms if form["action"].endswith("/preview")]
    form = console.get("/deliveries?state=skipped&plugin=ping").form("/preview")
    preview = console.submit("/deliveries", form)
    assert "2 runs would be retried" in preview.text and "Found by: state skipped, plugin ping" in words_of(preview)
    assert all(guid in preview.text for guid in guids)
    mark = bot.mark()
    assert "2 runs are due now" in console.submit("/failures", preview.form("/apply")).text
    for guid in guids:
        bot.wait_log(msg="skipped", delivery=guid, after=mark)
    assert console.json("/actions")["actions"][0]["what"] == "retry many"


def test_a_run_that_crashed_says_to_fix_the_plugin_and_shows_the_crash(bot, console):
    guid = bot.deliver("trouble", trouble("exit"))
    bot.wait_log(msg="worker_died", delivery=guid)
    snek.wait_until(lambda: "Fix the plugin first." in console.get(f"/deliveries/{guid}").text, "the advice")
    page = console.get(f"/deliveries/{guid}")
    assert '<a href="#worker-died">' in page.text
    assert re.search(r'<span id="worker-died"[^>]*>time=[^<]* msg=worker_died', page.text)
    assert page.text.count('id="worker-died"') == 1 and "Its worker died while it ran this delivery" in words_of(page)
    assert '<button class="quiet">Retry now' in page.text
    assert "Fix the plugin before you retry." in words_of(console.get("/failures"))
    words = words_of(console.get("/plugins"))
    assert re.search(r"died \d+ times? since the host's start", words) and " of at most 32 runs at once" in words
    assert re.search(r"1 dead · All its runs", words)


def test_a_parked_run_leads_to_the_permission_and_to_one_button(narrow):
    bot, console = narrow
    page = console.get(f"/deliveries/{bot.guid}")
    assert words_of(page)[:words_of(page).index("Log lines")].count("does not grant plugin ping the permission") == 1
    assert "the permission 'issues: write'. Add it to the App's settings" in words_of(page)
    assert "let an owner accept it where the App is installed" in words_of(console.get("/deliveries"))
    assert "It waits for a permission." in words_of(page) and 'href="/console/plugins/ping#permissions"' in page.text
    assert f'href="/console/installations#i{snek.INSTALLATION}"' in page.text
    snek.wait_until(lambda: console.json("/installations")["github_known"], "GitHub's view of the App")
    [installation] = console.json("/installations")["installations"]
    assert (installation["installation"], installation["account"]) == (str(snek.INSTALLATION), "sneks-united")
    page = console.get("/installations")
    assert f'id="i{snek.INSTALLATION}"' in page.text and "/settings/apps/" in page.text
    assert "After the owner has accepted, GitHub tells the host, and the runs go on by themselves." in words_of(page)
    assert '<button class="quiet">Run the 1 parked run now' in page.text and "End its waits" not in page.text
    assert "Compare the permissions of ping" in words_of(page)
    page = console.submit("/installations", page.form("/release"))
    assert "One wait has ended." in page.text


def test_a_delivery_has_the_item_in_its_title_and_links(bot, console):
    guid = dead(bot, about(12, **{"comment": {"html_url": "https://github.com/sneks/pit/issues/12#c"}}))
    page = console.get(f"/deliveries/{guid}")
    assert "Delivery: trouble.fail, Sneks/Pit#12" in page.text
    for link in ("/console/deliveries?sender=Ada", "https://github.com/sneks/pit/issues/12#c",
                 f"/console/installations#i{snek.INSTALLATION}", "/console/items/Sneks/Pit/12"):
        assert f'href="{link}"' in page.text, link
    other = dead(bot, about(13, **{"comment": {"html_url": "javascript:alert(1)"}}))
    assert 'href="javascript' not in console.get(f"/deliveries/{other}").text


def test_the_steps_have_the_reason_of_each_attempt(start_bot):
    bot = start_console(start_bot, plugins=["trouble"], config={
        "dispatch": {"max_attempts": 2, "first_retry_ms": 100}})
    console = Console(bot.url)
    console.login()
    page = words_of(console.get(f"/deliveries/{dead(bot, trouble('fail'))}"))
    runs = page[page.index("Runs"):page.index("Log lines")]
    assert re.search(r"attempt 1 ended: to be retried asked to fail .*attempt 2 ended: dead", runs)


# ---- changes ----

def test_a_dead_run_is_retried_and_a_person_is_named(bot, console):
    guid = dead(bot, trouble("fail"))
    mark = bot.mark()
    page = console.submit(f"/deliveries/{guid}", console.get(f"/deliveries/{guid}").form("/retry"))
    assert "One run is due now." in page.text
    bot.wait_log(msg="dead", delivery=guid, after=mark)
    [action, *_] = console.json("/actions")["actions"]
    assert action["who"] == "console admin Ada 127.0.0.1"
    assert (action["what"], action["target"], action["result"]) == ("retry", guid, "1 changed")
    assert guid in console.get("/actions").text


def test_a_reader_gets_no_advice_to_press_a_button_that_is_not_there(bot, console):
    guid = dead(bot, trouble("fail"))
    reader = Console(bot.url)
    reader.login(READER)
    assert "press “Retry now”" in words_of(console.get(f"/deliveries/{guid}"))
    words = words_of(reader.get(f"/deliveries/{guid}"))
    assert "Retry now" not in words and "a person with the admin's token can retry it" in words


def test_a_reader_sees_everything_and_changes_nothing(bot, console):
    guid = dead(bot, trouble("fail"))
    reader = Console(bot.url)
    reader.login(READER)
    for path in ("", "/deliveries", f"/deliveries/{guid}", "/failures", "/actions"):
        page = reader.get(path)
        assert page.status == 200 and [form["action"] for form in page.forms if form["method"] == "post"] == [
            "/console/logout"]
    form = reader.token()
    for path in (f"/deliveries/{guid}/retry", f"/deliveries/{guid}/discard", "/failures/preview", "/failures/apply"):
        assert reader.post(path, {"form": form, "state": "dead", "what": "retry", "preview": "1"}).status == 403
    assert console.json(f"/deliveries/{guid}")["runs"][0]["state"] == "dead"


def test_a_group_of_failures_shows_the_reason_of_its_last_run_once(narrow):
    bot, console = narrow
    bot.wait_log(msg="parked", delivery=bot.deliver("issue_comment", snek.payload("issue_comment.created")))
    [group] = console.json("/failures")["groups"]
    reason = f"installation {snek.INSTALLATION} does not grant"
    assert "installation #" in group["reason"] and reason in group["last_reason"]
    page = words_of(console.get("/failures"))
    assert page.count("does not grant") == page.count(reason) == 1
    assert "In the reasons of the others, numbers and ids may differ." in page


def test_failures_are_grouped_and_all_of_a_group_is_retried(bot, console):
    guids = [dead(bot, trouble("fail")) for _ in range(3)]
    [group] = console.json("/failures")["groups"]
    assert (group["plugin"], group["reason"], group["runs"], group["last_delivery"]) == (
        "trouble", "asked to fail", 3, guids[-1])
    preview = console.submit("/failures", console.get("/failures").form("/preview"))
    assert "3 runs would be retried" in preview.text
    mark = bot.mark()
    done = console.submit("/failures", preview.form("/apply"))
    assert "3 runs are due now" in done.text
    for guid in guids:
        bot.wait_log(msg="dead", delivery=guid, after=mark)
    again = console.submit("/failures", preview.form("/apply"))
    assert again.status == 404 and "carried out already" in again.text
    assert [action["what"] for action in console.json("/actions")["actions"]] == ["retry many"] * 2


def test_the_timeline_of_an_item_has_its_deliveries_and_effects(bot, console):
    first, second = dead(bot, about(12)), dead(bot, about(12))
    dead(bot, about(13))
    page = console.get("/items/sneks/pit/12")
    assert page.text.index(second) < page.text.index(first)
    assert [run["delivery"] for run in console.json("/items/sneks/pit/12")["runs"]] == [second, first]
    assert console.get("/items/nonsense").status == 404
    assert console.get("/items/sneks/pit/999").status == console.get("/items/sneks/pit/999.json").status == 404


def test_a_path_without_a_page_is_reported(console):
    assert console.get("/nothing").status == 404
    assert console.post("/deliveries", {"form": console.token()}).status == 405


# ---- plugins, help, the rest ----

def test_a_plugin_is_paused_and_goes_on(bot, console):
    page = console.get("/plugins")
    for part in ("trouble", "performs the action of its payload", "issues: write", "Sandbox", "256 MiB"):
        assert part in text_of(page), part
    for scope, value in (("item", ""), ("repository", "a/b"), ("plugin", "zzz"), ("", "zzz"), ("zzz", "")):
        rejected = console.post("/plugins/trouble/pause", {"form": console.token(), "scope": scope, "value": value})
        assert rejected.status == 400 and console.json("/plugins")["holds"] == [], (scope, value)
    page = console.submit("/plugins", page.form("/trouble/pause"))
    assert "The plugin is paused." in page.text and "paused in the console" in page.text
    assert 'Look at: <a href="/console/plugins">1 pause</a>.' in console.get().text
    guid = bot.deliver("trouble", trouble("fine"))
    assert console.json(f"/deliveries/{guid}")["runs"][0]["state"] == "held"
    [hold] = console.json("/plugins")["holds"]
    assert (hold["plugin"], hold["scope"], hold["cause"]) == ("trouble", "plugin", "paused")
    page = console.submit("/plugins", console.get("/plugins").form("/trouble/resume"))
    assert "The pause has ended." in page.text
    bot.wait_log(msg="done", delivery=guid)
    assert [action["what"] for action in console.json("/actions")["actions"]] == ["resume", "pause"]


def test_a_quarantined_plugin_is_released(start_bot):
    bot = start_console(start_bot, plugins=["trouble"], config={"dispatch": {"max_attempts": 1}})
    console = Console(bot.url)
    console.login()
    for _ in range(5):
        bot.deliver("trouble", trouble("exit"))
    bot.wait_log(msg="plugin_quarantined")
    snek.wait_until(lambda: console.json("/plugins")["holds"], "the quarantine")
    assert "1 quarantined plugin" in console.get().text
    page = console.submit("/plugins", console.get("/plugins").form("/trouble/release"))
    assert "The plugin is released." in page.text
    snek.wait_until(lambda: not console.json("/plugins")["holds"], "the release")


@pytest.mark.parametrize("path", ["/plugins/nobody/pause", "/plugins/trouble/nothing", "/plugins/trouble",
                                  "/installations/1/nothing", "/installations/x/release", "/deliveries/x/nothing"])
def test_an_action_that_does_not_exist_is_rejected(console, path):
    assert console.post(path, {"form": console.token()}).status == 404


def test_the_waits_of_an_installation_are_ended(console):
    assert "No installation waits" in console.get("/installations").text
    page = console.post(f"/installations/{snek.INSTALLATION}/release", {"form": console.token()})
    assert page.location == "/console/installations?what=installation&value=0"
    assert console.json("/installations")["waiting"] == []


@pytest.fixture
def narrow(start_bot, fake):
    """A bot whose installation grants less than its plugin declares, with a run that is parked."""
    state = fake.state
    state["app"]["permissions"] = {"metadata": "read", "issues": "write", "pull_requests": "write"}
    state["app"]["events"] = ["issues"]
    state["installations"][0]["permissions"] = {"metadata": "read", "pull_requests": "write"}
    fake.put_state(state)
    bot = start_console(start_bot, plugins=["ping"])
    bot.guid = bot.deliver("issue_comment", snek.payload("issue_comment.created"))
    bot.wait_log(msg="parked", delivery=bot.guid)
    console = Console(bot.url)
    console.login()
    return bot, console


def test_a_plugin_page_compares_what_it_declares_with_what_is_granted_and_subscribed(narrow):
    _, console = narrow
    snek.wait_until(lambda: console.json("/plugins/ping")["github_known"], "GitHub's view of the App")
    shown = console.json("/plugins/ping")
    issues, pulls = [next(one for one in shown["permissions"] if one["name"] == name)
                     for name in ("issues", "pull_requests")]
    assert (issues["app"], issues["granted"]) == ("write", {str(snek.INSTALLATION): ""})
    assert pulls["granted"] == {str(snek.INSTALLATION): "write"}
    assert shown["events"]["issues"] and not shown["events"]["issue_comment"]
    page = console.get("/plugins/ping")
    address = rf"http[^\"]+/organizations/sneks-united/settings/installations/{snek.INSTALLATION}"
    assert re.search(rf'1 of 1 does not grant it: <a href="{address}" rel="noreferrer">sneks-united</a> \(No access\)',
                     page.text)
    assert re.search(r"Issues Read and write requested Read and write 1 of 1", words_of(page)), words_of(page)
    assert re.search(r"issue_comment\s+not subscribed\s+GitHub sends none", text_of(page))
    assert '<a href="/console/plugins/ping">' in console.get("/plugins").text
    assert console.get("/plugins/nobody").status == 404 and page.form("/pause")


def test_installations_show_quotas_and_where_the_owner_accepts(narrow):
    _, console = narrow
    snek.wait_until(lambda: console.json("/plugins/ping")["github_known"], "GitHub's view of the App")
    page = console.get("/installations")
    assert f'settings/installations/{snek.INSTALLATION}" rel="noreferrer">on its page at GitHub' in page.text
    assert "1 parked run of ping" in text_of(page) and 'href="/console/plugins/ping#permissions"' in page.text
    quotas = console.json("/installations")["quotas"]
    assert quotas and all(0 < one["remaining"] <= one["limit"] and one["reset"] > one["reported"] for one in quotas)
    assert f"{quotas[0]['remaining']} of {quotas[0]['limit']} are left" in text_of(page)


def test_a_plugin_shows_the_memory_and_the_use_of_its_worker(start_bot):
    bot = start_console(start_bot, plugins=["trouble"], config={"server": {"listen": "127.0.0.1:0", "drain_ms": 0}})
    console = Console(bot.url)
    console.login()
    guid = bot.deliver("trouble", trouble("wait", ms=60_000, seconds=60))
    bot.wait_log(msg="started", delivery=guid)
    [worker] = [one["worker"] for one in console.json("/plugins")["plugins"] if one["name"] == "trouble"]
    assert worker["runs"] == 1 and 1 << 20 < worker["memory_bytes"] < 1 << 30 and worker["deaths"] == 0
    assert re.search(r"\d+ of at most 256 MiB of memory\s+1 of at most 32 runs at once", text_of(console.get("/plugins")))
    metrics = snek.request("GET", f"{bot.url}/metrics").body.decode()
    assert 'snekomatic_worker_runs{plugin="trouble"} 1' in metrics
    assert re.search(r'snekomatic_worker_resident_memory_bytes\{plugin="trouble"\} [1-9]', metrics)


def test_a_delivery_has_its_log_lines_and_headers_and_says_since_when(bot, console):
    guid = dead(bot, trouble("fail"))
    other = dead(bot, trouble("fail"))
    log = console.json(f"/deliveries/{guid}")["log"]
    assert [line for line in log if "msg=dead" in line] and all(guid in line and other not in line for line in log)
    text = text_of(console.get(f"/deliveries/{guid}"))
    assert "msg=dead" in text and f"X-GitHub-Event: trouble\nX-GitHub-Delivery: {guid}" in text
    bot.stop()
    bot.start()
    again = Console(bot.url)
    again.login()
    text = text_of(again.get(f"/deliveries/{guid}"))
    assert "msg=dead" not in text and "This host remembers its lines since" in text and f"delivery={guid}" in text


def test_recovery_and_the_overview_have_their_numbers(bot, console):
    dead(bot, trouble("fail"))
    recovery = console.json("/recovery")
    assert recovery["missing"] == 0 and "Last pass" in console.get("/recovery").text
    off = "Recovery is off" in words_of(console.get("/recovery"))
    assert off == (recovery["state"] == "off") == ("github.recover_interval_minutes" in console.get("/recovery").text)
    assert [run["reason"] for run in console.json("/overview")["recent"]] == ["asked to fail"]
    snek.wait_until(lambda: "Look at: 1 dead run." in words_of(console.get()), "the count")
    for span, buckets in (("hour", 60), ("day", 96), ("week", 168)):
        series = console.json(f"/overview?span={span}")["series"]["buckets"]
        assert len(series) == buckets and series[-1]["dead"] + series[-2]["dead"] == 1
    assert 'role="img" aria-label="1 delivery and 1 dead run in' in console.get().text


def change_store(bot, statement, values=()):
    """The bot is stopped meanwhile."""
    bot.stop()
    with contextlib.closing(sqlite3.connect(bot.folder / "snekomatic.db")) as store, store:
        store.executemany(statement, values or [()])
    bot.start()
    console = Console(bot.url)
    console.login()
    return console


def test_the_overview_shows_the_age_of_the_oldest_waiting_run(start_bot):
    bot = start_console(start_bot, plugins=["timed"])
    console = Console(bot.url)
    console.login()
    assert console.json("/overview")["oldest_waiting"] is None and "no run waits" in text_of(console.get())
    for number in (1, 2):
        guid = bot.deliver("timed", about(number, "wait", ms=HOUR_MS))
        bot.wait_log(msg="waiting", delivery=guid)
    console = change_store(bot, "UPDATE deliveries SET received_ms = received_ms - (3 - id) * ?", [(HOUR_MS,)])
    shown = console.json("/overview")
    assert shown["runs"]["waiting"] == 2
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(shown["oldest_waiting"][:-1] + "+00:00")
    assert datetime.timedelta(hours=2) <= age < datetime.timedelta(hours=3)
    assert re.search(r"waiting run, since its delivery came \S+ \S+ UTC 2(\.\d)? h ago", words_of(console.get()))


def test_a_plugin_has_a_chart_of_its_runs_by_hour(start_bot):
    bot = start_console(start_bot, plugins=["trouble", "ping"])
    hour = int(time.time()) // 3600 - 5
    console = change_store(bot, "INSERT INTO series VALUES (?, ?, 'trouble', ?, 0, 0, 0)",
                           [(HOUR_MS, hour * HOUR_MS, 6), (HOUR_MS, (hour + 2) * HOUR_MS, 3)])
    for shown in (console.json("/plugins/trouble"),
                  next(one for one in console.json("/plugins")["plugins"] if one["name"] == "trouble")):
        hours = shown["runs_by_hour"]
        assert len(hours) == 24 and [count for count in hours if count] == [6, 3]
        assert hours.index(3) - hours.index(6) == 2
    assert console.json("/plugins/ping")["runs_by_hour"] == [0] * 24
    for path in ("/plugins", "/plugins/trouble"):
        page = console.get(path).text
        assert 'role="img" aria-label="9 runs in 24 hours, at most 6 in one hour"' in page
        assert re.findall(r'<rect x="\d+" y="\d+" width="4" height="(\d+)"/>', page[page.index('class="spark"'):])[:24] == [
            str(count * 28 // 6 + 1) for count in hours]


def test_the_actions_lead_to_their_deliveries(bot, console):
    guid = "a/b?c#d%41&e='f+g"
    bot.deliver("trouble", about(12), delivery=guid)
    bot.wait_log(msg="dead", delivery=guid)
    console.submit("/deliveries", console.get("/deliveries/" + urllib.parse.quote(guid, safe="")).form("/retry"))
    console.submit("/plugins", console.get("/plugins").form("/trouble/pause"))
    assert [(one["what"], one["delivery"]) for one in console.json("/actions")["actions"]] == [
        ("pause", None), ("retry", guid)]
    page = console.get("/actions")
    [link] = re.findall(r'<a href="/console(/deliveries/[^"]+)">([^<]+)</a>', page.text)
    assert html.unescape(link[1]) == guid and guid in text_of(console.get(link[0]))


def test_strangers_see_the_commands_only_if_they_may(start_bot):
    hidden = start_console(start_bot, plugins=["roles"], folder="hidden")
    assert Console(hidden.url).get("/help").status == 303
    public = start_console(start_bot, plugins=["roles"], folder="public", console={"public_help": True})
    page = Console(public.url).get("/help", {"X-Forwarded-For": "203.0.113.9"})
    assert page.status == 200 and "<code>/" in page.text and "Plugins" not in page.text and not page.forms
    assert Console(public.url).get("/plugins").status == 303
    assert Console(public.url).json("/help")["commands"]


def test_the_help_names_plugins_without_commands(start_bot):
    bot = start_console(start_bot, plugins=["welcome", "ping"], console={"public_help": True})
    page = words_of(Console(bot.url).get("/help"))
    assert re.search(r"welcome .* It has no commands. It acts by itself on .*pull_request\.closed", page), page
    assert {one["plugin"] for one in Console(bot.url).json("/help")["plugins"]} == {"welcome", "ping"}


def test_why_names_the_filter_that_failed_and_plugins_without_a_run(start_bot):
    bot = start_console(start_bot, plugins=["welcome", "ping"])
    console = Console(bot.url)
    console.login(person="Ada")
    guid = bot.deliver("pull_request", snek.payload("pull_request.closed.merged", {
        "pull_request.merged": False, "pull_request.author_association": "NONE"}))
    bot.wait_log(msg="skipped", delivery=guid)
    assert f"/console/deliveries/{guid}/why" in console.get(f"/deliveries/{guid}").text
    page = text_of(console.get(f"/deliveries/{guid}/why"))
    assert "its filter pull_request.merged = true does not match: the payload has false" in page
    assert "It has no run of this delivery." in page and "subscribes to no event" in page
    shown = console.json(f"/deliveries/{guid}/why")
    assert shown == json.loads(bot.verb("deliveries", "show", guid, "--why", "--json").stdout)
    welcome, ping = shown["plugins"]
    assert (welcome["host"], ping["host"]) == ("routed", "event")
    assert {item["name"]: item["saw"] for item in welcome["handlers"]}["pull_request.closed"] == "false"
    assert console.get("/deliveries/nothing/why").status == 404
    # No handler was called.
    assert not [entry for entry in bot.fake.api_requests() if entry["method"] == "POST"]
