# SPDX-License-Identifier: MIT OR Apache-2.0
"""Commands through the real binaries: what is one and what is not. Where plugins/ping responds is in
its scenarios."""

import pytest

import snek

# A case makes at most two effects on the issue.
CASES_MAX = 9

PLACES = {  # where the text is
    "issues.opened": "issue",
    "pull_request.opened": "pull_request",
    "issue_comment.created": "comment",
    "pull_request_review.submitted": "review",
    "pull_request_review_comment.created": "comment",
}


def with_body(kind, text):
    return snek.payload(kind, {PLACES[kind] + ".body": text})


@pytest.fixture(scope="module")
def module_fake(key):
    fake = snek.FakeGitHub(key)
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def hosts(module_fake, tmp_path_factory):
    """Bots, one after the other. Each writes to the one issue of the payloads fewer than the 20 times after
    which the loop breaker makes a plugin wait."""
    bots = []

    def current():
        if not bots or bots[-1].cases == CASES_MAX:
            if bots:
                bots[-1].stop()
            bots.append(snek.Bot(module_fake, tmp_path_factory.mktemp("bot"), plugins=["ping"]))
            bots[-1].cases = 0
        bots[-1].cases += 1
        return bots[-1]

    yield current
    bots[-1].stop()


@pytest.fixture
def host(hosts):
    return hosts()


ACCEPTED = {
    "alone": "/ping", "with words": "/ping now please", "indented": "   /ping",
    "trailing space": "/ping  ", "after a line": "hello\n/ping", "between lines": "a\n/ping\nb",
    "CRLF": "hello\r\n/ping\r\nbye", "second paragraph": "hello\n\n/ping",
    "a mention": "/ping @user", "a number": "/ping #12", "an underscore": "/ping foo_bar",
    "a lone star": "/ping * x", "a lone backtick": "/ping ` x",
    "in details": "<details>\n\n/ping\n\n</details>", "tab": "/ping\tx",
    "a hard break": "hello  \n/ping", "a URL": "/ping https://example.com",
    "www": "/ping www.example.com", "an e-mail address": "/ping a@example.com",
    "below an image": '<img src="x">\n/ping', "below details": "<details>\nx\n</details>\n/ping",
    "above a signature": "/ping\n-- \nMona", "invisible characters": "\u200b/ping\u2060 \u200ex",
}

IGNORED = {
    "in a list": "- /ping", "in an ordered list": "1. /ping", "in a quote": "> /ping",
    "a lazy line": "> quoted\n/ping", "fenced": "```\n/ping\n```", "tildes": "~~~\n/ping\n~~~",
    "indented code": "    /ping", "a heading": "# /ping", "a setext heading": "/ping\n=====",
    "a table": "| /ping |\n| --- |\n| /ping |", "HTML": "<div>\n/ping\n</div>",
    "a comment": "<!--\n/ping\n-->", "emphasis": "/ping *x*", "strong": "**/ping**",
    "code": "`/ping`", "inline code": "/ping `x`", "a link": "/ping [x](y)",
    "struck": "/ping ~~x~~", "an escape": "/ping \\*",
    "a URL in brackets": "/ping <https://example.com>",
    "in HTML that quotes": "<blockquote>\n\n/ping\n\n</blockquote>",
    "inline HTML": "/ping <b>x</b>", "not first": "please /ping", "another case": "/Ping",
    "longer": "/pings", "a space after": "/ ping", "an image": "![/ping](x)", "empty": "",
    "unknown": "/unknown",
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(module_fake, host, case):
    module_fake.forget_requests()
    payload = with_body("issue_comment.created", ACCEPTED[case])
    host.wait_log(msg="done", delivery=host.deliver("issue_comment", payload))
    assert snek.visible(module_fake.api_requests()[0]["body"]) == {"body": "pong!"}


@pytest.mark.parametrize("case", IGNORED)
def test_ignored(module_fake, host, case):
    module_fake.forget_requests()
    payload = with_body("issue_comment.created", IGNORED[case])
    payload["issue"]["body"] = None  # has a command in the sample
    delivery = host.deliver("issue_comment", payload)
    # Without "/ping" in its bytes it does not even have a run.
    may_hold = "/ping" in IGNORED[case]
    assert host.wait_log(msg="stored", delivery=delivery)["runs"] == str(int(may_hold))
    if may_hold:
        host.wait_log(msg="skipped", delivery=delivery)
    assert module_fake.api_requests() == []


def test_the_plugin_responds_to_several_commands_in_order(module_fake, host):
    module_fake.forget_requests()
    payload = with_body("issue_comment.created", "/ping\n\ntext\n\n/ping again")
    host.wait_log(msg="done", delivery=host.deliver("issue_comment", payload))
    said = [r["body"] for r in module_fake.api_requests() if "body" in r["body"]]
    assert [snek.visible(body) for body in said] == [{"body": "pong!"}] * 2
    assert said[0] != said[1]  # each has a marker of its own


def test_a_null_body_is_an_empty_one(module_fake, host):
    module_fake.forget_requests()
    payload = with_body("issues.opened", None)
    payload["issue"]["title"] = "/ping"  # otherwise it has no run
    host.wait_log(msg="skipped", delivery=host.deliver("issues", payload))
    assert module_fake.api_requests() == []


def test_a_transferred_issue_carries_no_commands(module_fake, host):
    module_fake.forget_requests()
    payload = with_body("issues.opened", "/ping")
    payload["changes"] = {"old_issue": {"number": 7}}
    host.wait_log(msg="skipped", delivery=host.deliver("issues", payload))
    assert module_fake.api_requests() == []


@pytest.mark.parametrize("event,action", [
    ("issue_comment", "edited"), ("issue_comment", "deleted"), ("issues", "edited"),
    ("issues", "reopened"), ("pull_request", "edited"), ("pull_request_review", "edited"),
    ("pull_request_review", "dismissed"), ("pull_request_review_comment", "edited")])
def test_edits_and_deletions_are_not_looked_at(host, event, action):
    kind = next(kind for kind in PLACES if kind.split(".")[0] == event)
    payload = with_body(kind, "/ping")
    payload["action"] = action
    delivery = host.deliver(event, payload)
    assert host.wait_log(msg="stored", delivery=delivery)["runs"] == "0"


def test_the_bot_ignores_itself_but_responds_to_other_bots(module_fake, host):
    module_fake.forget_requests()
    payload = with_body("issue_comment.created", "/ping")
    payload["sender"] |= {"login": snek.APP_SLUG + "[bot]", "id": snek.BOT_ID}
    host.wait_log(msg="skipped", delivery=host.deliver("issue_comment", payload))
    [asked] = module_fake.api_requests()
    assert asked["path"] == f"/users/{snek.APP_SLUG}%5Bbot%5D"
    module_fake.forget_requests()
    payload["sender"] |= {"login": "other[bot]", "id": 4}
    host.wait_log(msg="done", delivery=host.deliver("issue_comment", payload))
    assert len(module_fake.api_requests()) == 2
