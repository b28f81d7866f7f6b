# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which requests a scenario counts, selects, holds back and shows."""

import pytest

from player import client_step, play  # noqa: F401  (a fixture)

REPO = "/repos/sneks-united/terrarium"
LOOKUP = f"GET {REPO}/collaborators/python-petra/permission"
ADMIN = """
[[step]]
comment = "/admin"
by = "python-petra"
requests = [%s{ request = "POST */comments", body.body = "/admin is allowed" }]
"""


@pytest.mark.parametrize("more", ["", f'"{LOOKUP}", '])
def test_a_role_that_the_host_looks_up_may_be_expected_and_need_not(play, more):
    outcome = play(ADMIN % more, plugin="roles")
    assert outcome.status == 0, outcome.text


def test_a_role_that_is_expected_and_does_not_come_is_missing(play):
    outcome = play(ADMIN % f'"{LOOKUP}", "{LOOKUP}", ', plugin="roles")
    assert f"missing request: {LOOKUP}" in outcome.text, outcome.text


def test_the_search_for_a_comment_in_doubt_need_not_be_expected(play):
    outcome = play(f"""
[[step]]
deliver = "issues.opened"
kill = "host"
kill_at = "POST {REPO}/issues/12/comments"
requests = ["GET {REPO}/issues", "POST {REPO}/issues/12/comments"]
""", plugin="welcome")
    assert outcome.status == 0, outcome.text


# The fake has no such endpoint, and the plugin has its permission.
LOCK = f"PUT {REPO}/issues/12/lock"


def test_kill_at_holds_a_scripted_response_back(play):
    outcome = play(f"""
[[response]]
request = "{LOCK}"
body = {{ names = ["heat"] }}
""" + client_step(LOCK, kill_at=f'"{LOCK}"', kill='"worker"',
                  result='"retry"', requests=f'["{LOCK}"]'), plugin="client")
    assert outcome.status == 0, outcome.text


def test_kill_at_is_for_the_query_that_its_pattern_has(play):
    requests = f'["{LOCK}?n=1", "{LOCK}?n=2"]'
    outcome = play(f"""
[[response]]
request = "{LOCK}"
""" + client_step(f"{LOCK}?n=1", f"{LOCK}?n=2", kill='"worker"',
                  kill_at=f'"{LOCK}?n=2"', result='"retry"', requests=requests),
                   plugin="client")
    assert outcome.status == 0, outcome.text


def test_a_response_and_a_request_are_selected_by_values_of_the_query(play):
    ask = f"GET {REPO}/topics"
    scripted = "".join(f"""
[[response]]
request = "{ask}"
query = {{ page = {page}, q = "a b" }}
body = {{ name = "{name}" }}
""" for page, name in ((1, "heat"), (2, "lamp")))
    urls = [f"{{ request = '{ask}?q=a%20b&page={page}', show = 'name' }}" for page in (2, 1)]
    expected = ('[{ request = "%s", query = { page = 2 } }, { request = "%s", query = { page = %d } }]')
    text = scripted + client_step(*urls, log='["1 0 200 heat", "0 0 200 lamp"]',
                                  requests=expected % (ask, ask, 1))
    outcome = play(text, plugin="client")
    assert outcome.status == 0, outcome.text
    assert play(text.replace(expected % (ask, ask, 1), expected % (ask, ask, 3)),
                plugin="client").status == 1


def test_a_failure_is_for_the_whole_path(play):
    """Not for what is below it."""
    outcome = play(client_step(f"GET {REPO}/issues/12/labels",
                               fail=f'{{ request = "GET {REPO}/issues/12", status = 403 }}',
                               requests=f'["GET {REPO}/issues/12/labels"]'), plugin="client")
    assert "no request came that was to fail" in outcome.text, outcome.text


def test_a_validation_error_is_shown_as_a_person_reads_it(play):
    wrong = "{ request = 'POST %s/issues/12/comments', body = '{\"text\":\"x\"}' }" % REPO
    outcome = play(client_step(wrong), plugin="client")
    assert outcome.status == 1
    assert (' -> 422 Validation Failed: IssueComment.text: invalid, "text" is not a permitted key. '
            '{"text":"x"}') in outcome.text, outcome.text
    assert '\\"' not in outcome.text.partition("# the log of it:")[0], outcome.text


def test_issues_are_filtered_by_several_labels(play):
    github = ("[[github.repositories]]\nfull_name = 'sneks-united/terrarium'\nissues = [\n"
              "{ number = 12, labels = ['heat', 'lamp'] }, { number = 22, labels = ['heat'] }]\n")

    lists = [f"{{ list = '{REPO}/issues?labels={names}', item = 'number' }}"
             for names in ("heat", "lamp,Heat", "heat%2Csand")]
    outcome = play(github + client_step(*lists, log='["0 0 200 2 from", "1 0 200 1 from 12", '
                                        '"2 0 200 0 from"]', requests=f'["GET {REPO}/issues", '
                                        f'"GET {REPO}/issues", "GET {REPO}/issues"]'),
                   plugin="client")
    assert outcome.status == 0, outcome.text


CHANGE = "github = { repositories = [{ full_name = 'sneks-united/terrarium', issues = [%s] }] }"


@pytest.mark.parametrize("after,statuses", [("false", [" -> 410"]), ("true", ["", " -> 410"])])
def test_github_changes_at_a_request(play, after, statuses):
    """Before the request, unless it says after. The plugin ends at the 410."""
    ask = f"GET {REPO}/issues/12"
    change = CHANGE % "{ number = 12, deleted = true }"
    requests = ", ".join(f'"{ask}{status}"' for status in statuses)
    outcome = play(client_step(ask, ask, requests=f"[{requests}]", result='"retry"',
                               fail=f'{{ request = "{ask}", {change}, after = {after} }}'),
                   plugin="client")
    assert outcome.status == 0, outcome.text


def test_a_change_at_a_request_that_makes_no_sense_is_an_error(play):
    ask = f"GET {REPO}/issues/12"
    change = CHANGE % "{ number = 12, loked = true }"
    outcome = play(client_step(ask, requests=f'["{ask}"]',
                               fail=f'{{ request = "{ask}", {change} }}'), plugin="client")
    assert outcome.status == 1 and "loked" in outcome.text, outcome.text
