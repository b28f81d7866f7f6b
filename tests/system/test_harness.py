# SPDX-License-Identifier: MIT OR Apache-2.0
"""`snekomatic-test run`, itself tested: what is wrong fails, with a message that says so."""

import pathlib
import re
import subprocess
import xml.etree.ElementTree

import pytest

import snek
from player import play  # noqa: F401  (a fixture)

MEMBERSHIP = "/orgs/sneks-united/memberships/hatchling-hana"
WELCOME = "/repos/sneks-united/terrarium/issues/21/comments"
MERGE = f"""
[[step]]
name = "a merge"
deliver = "pull_request.closed.merged"
requests = ["GET {MEMBERSHIP} -> 404", "PUT {MEMBERSHIP}", "POST {WELCOME}"]
"""


def trouble(action, expectation, more=""):
    return f"""
[[step]]
name = "trouble"
deliver = "ping"
event = "trouble"
change = {{ action = "{action}", installation = {{ id = 60001 }} }}
{expectation}
{more}"""


def test_a_scenario_that_meets_its_expectations_is_ok_and_exits_0(play):
    outcome = play(MERGE)
    assert outcome.status == 0, outcome.text
    assert outcome.ok == ["it.toml: a merge", "it.toml: and nothing else"]
    assert outcome.text.rstrip().endswith("1..2")


def test_the_difference_is_on_standard_error_too(play):
    outcome = play(MERGE.replace(f', "POST {WELCOME}"', ""))
    assert "it.toml:" in outcome.errors and f"unexpected request: POST {WELCOME}" in outcome.errors


@pytest.mark.parametrize("wrong,said", [
    ('requests = ["GET %s -> 404", "PUT %s"]' % (MEMBERSHIP, MEMBERSHIP),
     f"unexpected request: POST {WELCOME} -> 201"),
    ('requests = ["GET %s -> 404", "PUT %s", "POST %s", "DELETE /orgs/x"]'
     % (MEMBERSHIP, MEMBERSHIP, WELCOME), "missing request: DELETE /orgs/x"),
    ('requests = ["PUT %s", "GET %s -> 404", "POST %s"]' % (MEMBERSHIP, MEMBERSHIP, WELCOME),
     "unexpected request: GET"),
    ('requests = ["GET %s", "PUT %s", "POST %s"]' % (MEMBERSHIP, MEMBERSHIP, WELCOME),
     "its status is 404"),
    ('any_order = true\nrequests = ["POST %s", { request = "PUT %s", body = { role = "admin" } }, '
     '"GET %s -> 404"]' % (WELCOME, MEMBERSHIP, MEMBERSHIP), 'its body is not {"role":"admin"}'),
    ('requests = ["GET %s -> 404", "PUT %s", { request = "POST %s", matches = { body = "^Bye" } }]'
     % (MEMBERSHIP, MEMBERSHIP, WELCOME), 'does not match "^Bye"'),
    ('requests = ["GET %s -> 404", { request = "PUT %s", has = { role = "admin" } }, "POST %s"]'
     % (MEMBERSHIP, MEMBERSHIP, WELCOME), 'role is "member", not "admin"'),
])
def test_requests_that_differ_fail_and_the_report_shows_the_difference(play, wrong, said):
    outcome = play(re.sub(r"requests = .*", lambda _: wrong, MERGE))
    assert outcome.status == 1
    assert outcome.not_ok == ["it.toml: a merge"]
    assert said in outcome.text


def test_any_order_takes_any_order(play):
    text = MERGE.replace(f'["GET {MEMBERSHIP} -> 404", "PUT {MEMBERSHIP}"',
                         f'["PUT {MEMBERSHIP}", "GET {MEMBERSHIP} -> 404"')
    assert play(text).status == 1
    assert play(text + "any_order = true\n").status == 0


@pytest.mark.parametrize("wrong,said", [
    ('result = "skipped"', "result of invite: skipped was expected, and it is done"),
    ('result = "none"', "result of invite: none was expected, and it is done"),
    ('result = { ping = "done" }', "result of ping: done was expected, but it had no run"),
    ('reason = "rain"', 'reason of invite: "" does not match "rain"'),
    ('log = "msg=never"', 'no line of this step matches "msg=never"'),
    ('state.organizations = [{ login = "sneks-united", members = [{ login = "hatchling-hana", '
     'state = "active" }] }]', 'state is "pending", not "active"'),
    ('state.repositories = [{ full_name = "sneks-united/terrarium", comments = [{ body = "x" }] }]',
     'nothing there is {"body":"x"}'),
    ('fail = { request = "DELETE /orgs/*", status = 500 }', "no request came that was to fail"),
    (f'fail = {{ request = "POST {WELCOME}", status = 500, times = 3 }}',
     f"fail: of 3 requests that were to fail only 1 came: POST {WELCOME}"),
])
def test_other_expectations_that_are_not_met_fail(play, wrong, said):
    outcome = play(MERGE + wrong + "\n")
    assert outcome.status == 1
    if said.startswith("state"):
        assert re.search(r"state\.", outcome.text)
        said = said[6:]
    assert said in outcome.text, outcome.text


def test_a_delivery_without_a_subscriber_fails_unless_the_result_is_none(play):
    step = '\n[[step]]\ndeliver = "pull_request.opened"\n'
    assert "no plugin subscribes" in play(step).text
    assert play(step + 'result = "none"\n').status == 0


def test_a_failure_shows_the_log_of_the_delivery_and_the_command_that_repeats_it(play):
    outcome = play(MERGE + 'result = "skipped"\n')
    assert re.search(r"^#   .*msg=started delivery=\S+ plugin=invite", outcome.text, re.M)
    repeat = re.search(r"^# to repeat it: (.*)$", outcome.text, re.M).group(1)
    again = subprocess.run(repeat, shell=True, capture_output=True, text=True)
    assert again.returncode == 1
    assert "skipped was expected" in again.stdout
    kept = re.search(r"^# kept: (.*)$", again.stdout, re.M).group(1)
    folder = pathlib.Path(kept)
    assert (folder / "host.log").is_file() and (folder / "snekomatic.toml").is_file()
    subprocess.run(["rm", "-r", str(folder.parent)], check=True)


def test_a_failure_shows_requests_with_their_queries(play):
    outcome = play("""
[[step]]
deliver = "ping"
event = "client"
result = "skipped"
requests = ["GET */issues"]
change = { action = "ask", installation = { id = 60001 }, steps = [
    { request = "GET /repos/sneks-united/terrarium/issues?state=open" }] }
""", plugin="client")
    assert re.search(r"^# the requests of it:\n#   GET /repos/\S+/issues\?state=open -> 200$",
                     outcome.text, re.M), outcome.text


def test_a_crash_fails_and_says_which_signal(play):
    outcome = play(trouble("segfault", 'result = "done"'), plugin="trouble")
    assert outcome.status == 1
    assert re.search(r"result of trouble: done was expected, and it is retry: .*signal 11|"
                     r"status 1", outcome.text), outcome.text


def test_a_hang_fails_and_says_so(play):
    outcome = play(trouble("loop", 'result = "done"'), "--timeout", "6", plugin="trouble")
    assert outcome.status == 1
    assert "deadline_ms" in outcome.text, outcome.text


def test_a_run_that_outlasts_the_step_fails_and_says_so(play):
    plugin = '[[plugin]]\npath = "trouble"\ndeadline_ms = 60000\n'
    outcome = play(plugin + trouble("loop", ""), "--timeout", "3", plugin=None)
    assert outcome.status == 1
    assert "0 of 1 runs ended within 3 s" in outcome.text, outcome.text


def test_a_plugin_that_does_not_load_fails_with_its_sentence(play):
    outcome = play(MERGE, plugin="nonesuch")
    assert outcome.not_ok == ["it.toml: the host starts"]
    assert "nonesuch" in outcome.text


def test_a_host_that_does_not_start_is_explained_on_standard_error(play):
    plugin = '[[plugin]]\npath = "invite.so"\n[plugin.config]\nmesage = "x"\n'
    outcome = play(plugin + MERGE, plugin=None)
    assert outcome.status == 1
    assert "it.toml:" in outcome.errors and "plugin.config.mesage is unknown" in outcome.errors
    assert 'matches "rain"' in play('rejected = "rain"\n' + plugin, plugin=None).errors
    assert "it.toml:" in play("[[step]]\nnothing = 1\n").errors


def test_a_rejected_plugin_may_be_what_is_expected(play):
    plugin = '[[plugin]]\npath = "invite"\n[plugin.config]\nmesage = "x"\n'
    assert play('rejected = "mesage.*message"\n' + plugin, plugin=None).status == 0
    assert 'matches "rain"' in play('rejected = "rain"\n' + plugin, plugin=None).text
    outcome = play('rejected = "mesage"\n')
    assert outcome.status == 1
    assert "the host started" in outcome.text


def test_an_expected_crash_is_retried_when_time_is_advanced(play):
    text = trouble("segfault", 'result = "retry"\nreason = "signal 11|status"')
    text += '\n[[step]]\nadvance = "10 s"\nresult = "retry"\nreason = "."\n'
    outcome = play(text, plugin="trouble")
    assert outcome.status == 0, outcome.text


def test_too_short_an_advance_says_when_the_run_is_due(play):
    text = trouble("fail", 'result = "retry"') + '\n[[step]]\nadvance = "1 s"\n'
    outcome = play(text, plugin="trouble")
    assert re.search(r"the first run is due [1-9]\d* ms later: let the step advance so much more",
                     outcome.text), outcome.text
    outcome = play('[[step]]\nadvance = "1 s"\n')
    assert "no run waits, and no timer or schedule is due by then" in outcome.text


def test_a_scenario_ages_an_issue_and_rejects_what_is_no_time(play):
    aged = """
[[step]]
github = { repositories = [{ full_name = "sneks-united/terrarium", issues = [
    { number = 12, created_at = "-9 d", updated_at = "%s" }] }] }
"""
    assert play(aged % "-8 d").status == 0
    outcome = play(aged % "8 days")
    assert outcome.status == 1
    assert re.search(r'updated_at: .*8 days.* is no time; write', outcome.text), outcome.text


def test_a_failure_is_for_the_query_that_its_pattern_has(play):
    outcome = play("""
[[step]]
deliver = "ping"
event = "client"
result = "retry"
fail = { request = "GET */issues?*state=closed*", status = 404, body = { message = "No" } }
requests = ["GET */issues?state=open", "GET */issues?state=closed -> 404"]
change = { action = "ask", installation = { id = 60001 }, steps = [
    { request = "GET /repos/sneks-united/terrarium/issues?state=open" },
    { request = "GET /repos/sneks-united/terrarium/issues?state=closed" }] }
""", plugin="client")
    assert outcome.status == 0, outcome.text


def test_the_host_is_killed_and_restarted_and_nothing_is_lost(play):
    outcome = play(MERGE + """
[[step]]
kill = "host"
[[step]]
kill = "worker"
[[step]]
restart = true
[[step]]
redeliver = "a merge"
result = "skipped"
""")
    assert outcome.status == 0, outcome.text


def test_a_host_that_is_killed_at_a_comment_finds_it_after_the_requests_timeout(play):
    outcome = play(f"""
[[step]]
deliver = "pull_request.closed.merged"
kill = "host"
kill_at = "POST /repos/*"
requests = ["GET {MEMBERSHIP} -> 404", "PUT {MEMBERSHIP}", "POST {WELCOME}", "GET {WELCOME}"]
""")
    assert outcome.status == 0, outcome.text


def test_kill_at_lets_the_effect_happen_and_its_response_be_lost(play):
    outcome = play(f"""
[[step]]
deliver = "pull_request.closed.merged"
kill_at = "PUT /orgs/*"
kill = "worker"
result = "retry"
reason = "signal 9"
requests = ["GET {MEMBERSHIP} -> 404", "PUT {MEMBERSHIP}"]
state.organizations = [{{ login = "sneks-united", members = [{{ login = "hatchling-hana" }}] }}]
""")
    assert outcome.status == 0, outcome.text


@pytest.mark.parametrize("text,said", [
    ("[[step]]\ndelivr = 1\n", "it.toml:3: a step has no key delivr; did you mean deliver?"),
    ("[[step]]\nname = 1\n", "it.toml:3: name is a whole number; a text is wanted"),
    ("[[step]]\nname = 'x'\n", "it.toml:2: a step does one of"),
    ("[[step]]\ndeliver = 'ping'\nrestart = true\n", "a step does one thing"),
    ("[[step]]\ndeliver = 'ping'\nkill = 'worker'\n", "needs kill_at"),
    ("[[step]]\ndeliver = 'ping'\nresult = 'fine'\n", "it.toml:4: result is done, skipped"),
    ("[[step]]\ndeliver = 'ping'\nrequests = ['GET']\n", "is no request"),
    ("[[step]]\ndeliver = 'ping'\nlog = '('\n", "it.toml:4: \"(\":"),
    ("[[step]]\nadvance = 'soon'\n", "is no time"),
    ("[[github.graphql]]\ncontain = 'x'\n",
     "it.toml:3: one of github.graphql has no key contain; did you mean contains?"),
    ("github = { user = [] }\n", "it.toml:2: github has no key user; did you mean users?"),
    ("[[github.repositories]]\nfull_name = 'a/b'\nissues = [\n{ number = 1, titel = 'x' }]\n",
     "it.toml:5: an issue has no key titel; did you mean title?"),
    ("[[github.organizations]]\nlogin = \"x\"\nmembers = [{ person = \"y\" }]\n",
     "it.toml:4: a member has no key person; it has login, id, role, state, public, _remove"),
    ("[[step]]\ngithub = { graphql = [{ data = 'x' }] }\n",
     "it.toml:3: data is a string; a table is wanted"),
    ("[[step]\n", "it.toml:2:"),
    ("", "nothing happens"),
])
def test_a_scenario_that_is_wrong_is_rejected_with_its_line(play, text, said):
    outcome = play(text)
    assert outcome.status == 1
    assert said in outcome.text, outcome.text


@pytest.mark.parametrize("step,said", [
    ("deliver = 'issues.closed'", "there is no bundled payload issues.closed"),
    ("deliver = 'pull_request.synchronize'", "with needs pull, the number of a pull request"),
    ("deliver = 'mine.json'", "mine.json"),
    ("deliver = 'ping'\nchange = { 'a.b' = 1 }", "there is no a"),
    ("comment = 'x'\nby = 'nobody-here'", "GitHub has no user nobody-here"),
    ("comment = 'x'\non = 99", "has no issue or pull request 99"),
])
def test_a_step_that_cannot_be_done_says_why(play, step, said):
    assert said in play(f"[[step]]\n{step}\n").text


def test_an_endpoint_that_the_fake_lacks_is_reported_and_can_be_scripted(play):
    step = trouble("get", 'requests = ["GET /repos/*/topics"]').replace(
        "installation =", 'url = "/repos/sneks-united/terrarium/topics", installation =')
    outcome = play(step, plugin="trouble")
    assert outcome.status == 1
    assert "the fake GitHub has no such endpoint: see [[response]]" in outcome.text, outcome.text
    response = '[[response]]\nrequest = "GET /repos/*/topics"\nbody = { names = ["heat"] }\n'
    outcome = play(response + step, plugin="trouble")
    assert outcome.status == 0, outcome.text


def test_a_comment_step_creates_the_comment_at_github(play):
    outcome = play("""
[[step]]
comment = "/ping"
by = "hatchling-hana"
on = 22
requests = ["POST /repos/sneks-united/terrarium/issues/22/comments",
            "POST /repos/sneks-united/terrarium/issues/comments/*/reactions"]
state.repositories = [{ full_name = "sneks-united/terrarium", comments = [
    { issue = 22, user = "hatchling-hana", body = "/ping", reactions = [{ content = "heart" }] }] }]
""", plugin="ping")
    assert outcome.status == 0, outcome.text


def test_an_interrupted_scenario_leaves_nothing_behind(tmp_path):
    scenario, folder = tmp_path / "it.toml", tmp_path / "tmp"
    folder.mkdir()
    scenario.write_text('plugin = "trouble"\n' + trouble("loop", ""), encoding="utf-8")
    process = subprocess.Popen(
        [snek.program("snekomatic-test"), "run", "--plugins", snek.program("trouble.so").parent,
         scenario], env=snek.clean_environment(TMPDIR=folder), stdout=subprocess.PIPE, text=True)
    snek.wait_until(lambda: any("msg=started" in log.read_text()
                                for log in folder.rglob("host.log")), "the run's start")
    process.terminate()
    output = process.communicate(timeout=60)[0]
    assert "interrupted" in output
    assert process.returncode == 1
    assert list(folder.iterdir()) == []


def test_without_a_scenario_or_with_a_wrong_option_the_status_is_64():
    program = str(snek.program("snekomatic-test"))
    assert subprocess.run([program, "run"], capture_output=True).returncode == 64
    assert subprocess.run([program, "run", "--nope"], capture_output=True).returncode == 64
    assert subprocess.run([program, "run", "--help"], capture_output=True).returncode == 0


def test_the_results_are_written_as_junit(play, tmp_path):
    good = """
[[step]]
name = "nothing & <all>"
deliver = "ping"
result = "none"
"""
    bad = """
[[step]]
name = "a comment"
deliver = "ping"
result = "none"
requests = ["POST /x"]
"""
    file = tmp_path / "results.xml"
    assert play(good, "--junit", file).status == 0
    [suite] = xml.etree.ElementTree.parse(file).getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("it.toml", "2", "0")
    assert [case.get("name") for case in suite] == ["nothing & <all>", "and nothing else"]
    assert all(float(case.get("time")) >= 0 and len(case) == 0 for case in suite)
    assert play(bad, "--junit", file, name="bad.toml").status == 1
    [suite] = xml.etree.ElementTree.parse(file).getroot()
    assert (suite.get("name"), suite.get("failures")) == ("bad.toml", "1")
    [[failure]] = suite
    assert "POST /x" in failure.text and failure.get("message") in failure.text
    outcome = play(good, "--junit", tmp_path / "none" / "results.xml")
    assert outcome.status == 73 and "--junit: cannot write" in outcome.errors


RECORDED = """# a comment

[[step]]
name = "a merge" # with a comment
deliver = "pull_request.closed.merged"

# The label comes next.
[[step]]
deliver = "issues.opened"
[step.change]
"issue.body" = '''
[no header]
'''

[[step]]
name = "it has one"
deliver = "ping"
result = "none"
"""


def test_the_first_expectations_are_recorded(play, tmp_path):
    assert play(RECORDED).status == 1
    outcome = play(RECORDED, "--record")
    assert outcome.status == 0 and "recorded the expectations of 2 steps in" in outcome.text, outcome.text
    recorded = (tmp_path / "it.toml").read_text(encoding="utf-8")
    head = 'plugin = "invite"\n'
    assert recorded.startswith(head) and recorded == head + RECORDED.replace(
        'deliver = "pull_request.closed.merged"\n', f"""deliver = "pull_request.closed.merged"
requests = [
    "GET {MEMBERSHIP} -> 404",
    "PUT {MEMBERSHIP}",
    "POST {WELCOME}",
]
""").replace('deliver = "issues.opened"\n', 'deliver = "issues.opened"\nresult = "none"\n')
    assert play(recorded.removeprefix(head)).status == 0
    assert play(recorded.removeprefix(head), "--record").status == 0
    assert (tmp_path / "it.toml").read_text(encoding="utf-8") == recorded


def test_a_recorded_search_for_a_comment_in_doubt_is_the_same_in_the_next_run(play, tmp_path):
    text = """
[[step]]
deliver = "issue_comment.created"
fail = { request = "POST */comments", drop = true, after = true }

[[step]]
advance = "1 min"
"""
    outcome = play(text, "--record", plugin="ping")
    assert outcome.status == 0 and "recorded the expectations of 2 steps in" in outcome.text, outcome.text
    recorded = (tmp_path / "it.toml").read_text(encoding="utf-8")
    assert "/comments -> dropped" in recorded and "since=" not in recorded, recorded


def test_steps_in_one_line_are_not_recorded(play, tmp_path):
    text = """step = [{ deliver = "pull_request.closed.merged" }]\n"""
    outcome = play(text, "--record")
    assert outcome.status == 1 and "its steps are not all [[step]] tables" in outcome.text
    assert (tmp_path / "it.toml").read_text(encoding="utf-8").endswith(text)
    assert [file.name for file in tmp_path.iterdir()] == ["it.toml"]
