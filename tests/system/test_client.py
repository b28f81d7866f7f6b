# SPDX-License-Identifier: MIT OR Apache-2.0
"""The GitHub client through the real binaries: what plugins ask, against a fake that is as strict as
GitHub and fails as GitHub does. Responses that are lost after the effect are in test_in_doubt.py, waits
for limits that end in test_ratelimits.py, permissions that are not granted in test_permissions.py."""

import socket
import time

import pytest

import snek

OTHER = 60002  # an installation more, of the same account
MEMBER = "/orgs/sneks-united/memberships/viper-vik"
INVITED = "/orgs/sneks-united/memberships/hatchling-hana"
REPO = "/repos/sneks-united/terrarium"
CROWD = "sneks-united/crowd"
MINT = "/app/installations/.*/access_tokens"


@pytest.fixture
def host(start_bot):
    return start_bot(plugins=["client"])


@pytest.fixture
def crowd(fake):
    """A repository with 250 issues."""
    fake.patch_state({"repositories": [{"full_name": CROWD, "issues": [
        {"number": n, "title": f"issue {n}"} for n in range(1, 251)]}]})


@pytest.fixture
def elsewhere():
    """A server that must not be asked anything: its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/x"
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def payload(*steps, installation=snek.INSTALLATION):
    return {"action": "ask", "installation": {"id": installation}, "steps": list(steps)}


def ask(host, *steps, **how):
    """The plugin makes these requests; the delivery."""
    return host.deliver("client", payload(*steps, **how))


def get(path, **how):
    return {"request": f"GET {path}", **how}


def graphql(document, connection=None, show=None, **variables):
    step = {"graphql": document, "connection": connection, "show": show,
            "variables": [{"name": name, "json": json} for name, json in variables.items()]}
    return {key: value for key, value in step.items() if value}


def said(host, delivery, count):
    """The plugin's log line of each step: "CODE STATUS TEXT"."""
    for step in range(count):
        snek.wait_until(lambda: len(host.log(msg="plugin", delivery=delivery)) > step,
                        host.process.output)
    return [line["text"].split(" ", 1)[1] for line in host.log(msg="plugin", delivery=delivery)]


def done(host, *steps, **how):
    """The log lines of the steps of a run that must be done at its first attempt."""
    delivery = ask(host, *steps, **how)
    assert host.wait_log(msg=("done", "retry", "requeued"), delivery=delivery)["msg"] == "done"
    assert host.log(msg="done", delivery=delivery)[0]["attempt"] == "1"
    return said(host, delivery, len(steps))


def failed(host, step):
    """The log line of a step that must fail, and the run's reason."""
    delivery = ask(host, step)
    line = host.wait_log(msg=("done", "retry", "requeued"), delivery=delivery)
    assert line["msg"] == "retry", line
    return said(host, delivery, 1)[0], line["reason"]


def hurry(host, delivery, *steps):
    """The same GUID again makes a run that waits for its retry due now."""
    host.wait_log(msg="retry", delivery=delivery)
    assert host.post("client", payload(*steps), delivery=delivery).status == 200


def responses(fake, path, method=None):
    return [entry["status"] for entry in fake.requests(path=path, method=method)]


def queries(fake, path):
    return [entry["query"] for entry in fake.requests(path=path)]


# -- what has not changed


def conditions(fake, path):
    """(was it conditional, its status) of each request."""
    return [("if-none-match" in entry["headers"], entry["status"])
            for entry in fake.requests(path=path)]


def test_a_read_that_another_run_made_is_conditional_and_costs_nothing(fake, host):
    assert done(host, get(MEMBER, show="state")) == ["0 200 active"]
    assert done(host, get(MEMBER, show="state")) == ["0 200 active"]
    assert conditions(fake, MEMBER) == [(False, 200), (True, 304)]
    other = "/orgs/sneks-united/memberships/python-petra"
    assert done(host, get(other, header="x-ratelimit-used")) == ["0 200 2"]


def test_a_changed_response_replaces_the_cached_one(fake, host):
    done(host, get(MEMBER))
    fake.patch_state({"organizations": [{"login": "sneks-united", "members": [
        {"login": "viper-vik", "role": "admin"}]}]})
    for _ in range(2):
        assert done(host, get(MEMBER, show="role")) == ["0 200 admin"]
    assert conditions(fake, MEMBER) == [(False, 200), (True, 200), (True, 304)]


def test_installations_share_nothing_that_was_kept(fake, host):
    fake.patch_state({"installations": [{**fake.state["installations"][0], "id": OTHER}]})
    for installation in (snek.INSTALLATION, OTHER, OTHER):
        assert done(host, get(MEMBER, show="state"), installation=installation) == ["0 200 active"]
    assert conditions(fake, MEMBER) == [(False, 200), (False, 200), (True, 304)]


def test_cached_responses_go_with_their_token(fake, host):
    done(host, get(MEMBER))
    fake.expire_tokens()
    fake.patch_state({"organizations": [{"login": "sneks-united", "members": [
        {"login": "viper-vik", "role": "admin"}]}]})
    assert done(host, get(MEMBER, show="role")) == ["0 200 admin"]
    asked = conditions(fake, MEMBER)
    assert asked[0] == (False, 200) and asked[-1] == (False, 200)
    assert {status for _, status in asked[1:-1]} == {401}  # it was young, and given some time


# -- lists


def test_a_list_is_read_over_its_links_to_its_end(fake, host, crowd):
    assert done(host, {"list": f"/repos/{CROWD}/issues", "item": "title"}) == [
        "0 200 250 from issue 250 to issue 1"]
    assert queries(fake, f"/repos/{CROWD}/issues") == [
        "per_page=100", "per_page=100&page=2", "per_page=100&page=3"]


@pytest.mark.parametrize("query,most,pages", [("", 100, 1), ("", 101, 2), ("?per_page=10", 10, 1)])
def test_only_the_pages_that_the_plugin_looks_at_are_requested(
        fake, host, crowd, query, most, pages):
    step = {"list": f"/repos/{CROWD}/issues{query}", "item": "title", "most": most}
    assert done(host, step) == [f"1 200 {most} from issue 250 to issue {251 - most}"]
    assert len(fake.requests(path=f"/repos/{CROWD}/issues")) == pages


def test_a_list_that_an_object_wraps_is_read_alike(fake, host, crowd):
    step = {"list": f"/search/issues?q=is:issue+repo:{CROWD}&per_page=90", "item": "title"}
    assert done(host, step, {"list": "/installation/repositories?per_page=1", "item": "full_name"}) \
        == ["0 200 250 from issue 250 to issue 1", f"0 200 2 from sneks-united/terrarium to {CROWD}"]
    assert [query.partition("per_page")[2] for query in queries(fake, "/search/issues")] == [
        "=90", "=90&page=2", "=90&page=3"]
    assert len(fake.requests(path="/installation/repositories")) == 2


def test_a_list_does_not_go_on_at_another_server(fake, host, elsewhere):
    fake.fail(path=f"{REPO}/issues", status=200, body=[{"title": "here"}],
              headers={"Link": f'<{elsewhere}>; rel="next"'})
    what, reason = failed(host, {"list": f"{REPO}/issues", "item": "title"})
    assert what == "-11 0 1 from here to here"
    assert elsewhere in reason and "its host or port differs" in reason


# -- GraphQL


def script(fake, *entries):
    fake.patch_state({"graphql": list(entries)})


QUERY = "query($owner: String!, $n: Int) { repository(owner: $owner) { id } }"
MUTATION = "mutation($id: ID!) { closeIssue(input: {issueId: $id}) { issue { state } } }"
CLOSED = {"contains": "closeIssue", "data": {"closeIssue": {"issue": {"state": "CLOSED"}}}}
STATE = "data.closeIssue.issue.state"


def test_a_query_and_its_variables_arrive_as_they_were_given(fake, host):
    script(fake, {"contains": "repository", "data": {"repository": {"id": "R_1"}}})
    step = graphql(QUERY, show="data.repository.id", owner='"sn\\u00e9k \\"s\\""', n="3",
                   more='{"a": [1.5, null, true]}')
    assert done(host, step) == ["0 200 R_1"]
    [entry] = fake.requests(path="/graphql")
    assert entry["body"] == {"query": QUERY, "variables": {
        "owner": 'snék "s"', "n": 3, "more": {"a": [1.5, None, True]}}}


@pytest.mark.parametrize("kind,code", [("NOT_FOUND", -3), ("FORBIDDEN", -4), (None, -5)])
def test_an_error_in_a_200_is_an_error_with_githubs_words(fake, host, kind, code):
    problem = {"message": "Could not resolve to a Repository with the name 'x'.", "type": kind}
    script(fake, {"data": {"repository": None}, "errors": [
        {key: value for key, value in problem.items() if value}, {"message": "And so on"}]})
    what, reason = failed(host, graphql(QUERY, show="errors[1].message", owner='"x"'))
    assert what == f"{code} 200 And so on"
    assert problem["message"] in reason and "And so on" in reason


def test_a_connection_is_read_over_its_cursors(fake, host):
    def page(number, **info):
        return {"data": {"repository": {"issues": {
            "nodes": [{"title": f"issue {number}"}, {"title": f"issue {number + 1}"}],
            "pageInfo": info}}}}

    script(fake, {"variables": {"after": "c4"}, **page(5, hasNextPage=False, endCursor="c6")},
           {"variables": {"after": "c2"}, **page(3, hasNextPage=True, endCursor="c4")},
           {"variables": {"after": None}, **page(1, hasNextPage=True, endCursor="c2")})
    step = {**graphql(QUERY, connection="data.repository.issues", owner='"x"'), "item": "title"}
    assert done(host, step) == ["0 200 6 from issue 1 to issue 6"]
    assert [entry["body"]["variables"] for entry in fake.requests(path="/graphql")] == [
        {"owner": "x", "after": cursor} for cursor in (None, "c2", "c4")]
    assert done(host, {**step, "most": 2}) == ["1 200 2 from issue 1 to issue 2"]
    assert len(fake.requests(path="/graphql")) == 4


@pytest.mark.parametrize("window_s,how", [(2, "waits for it"), (10, "comes back")])
def test_a_mutation_that_meets_the_rate_limit_is_made_once_when_it_is_over(
        fake, host, window_s, how):
    script(fake, {**CLOSED, "times": 1})
    fake.settings(graphql_rate_limit=0, rate_window_s=window_s)  # who asks hears of it
    delivery = ask(host, graphql(MUTATION, show=STATE, id='"I_1"'))
    line = host.wait_log(msg="rate_limited")
    assert (line["resource"], line["limit"]) == ("graphql", "primary")
    fake.settings(graphql_rate_limit=5)
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    assert bool(host.log(msg="requeued", delivery=delivery)) == (how == "comes back")
    assert said(host, delivery, 1)[-1] == "0 200 CLOSED"
    assert len(fake.requests(path="/graphql")) >= 2 and fake.state["graphql"] == []


def test_a_mutation_of_which_a_part_was_done_is_not_made_again(fake, host):
    script(fake, {"data": {"first": {"id": "I_1"}, "second": None},
                  "errors": [{"message": "Not this one", "path": ["second"]}]})
    step = graphql("mutation { first: close(id: 1) second: close(id: 2) }", show="data.first.id")
    delivery = ask(host, step)
    hurry(host, delivery, step)
    assert "Not this one" in host.wait_log(msg="retry", delivery=delivery, attempt=2)["reason"]
    assert said(host, delivery, 2) == ["-5 200 I_1"] * 2
    assert len(fake.requests(path="/graphql")) == 1


def test_a_mutation_in_which_github_itself_failed_is_in_doubt(fake, host):
    script(fake, {"errors": [{"message": "Something went wrong while executing your query."}]})
    step = graphql(MUTATION, id='"I_1"')
    delivery = ask(host, step)
    hurry(host, delivery, step)
    line = host.wait_log(msg="retry", delivery=delivery, attempt=2)
    assert "may have sent this request already" in line["reason"]
    assert len(fake.requests(path="/graphql")) == 1


# -- limits


def test_searches_wait_for_their_own_limit_and_others_go_on(fake, host):
    fake.settings(search_rate_limit=1)
    step = {"list": "/search/issues?q=is:issue", "item": "number"}
    assert done(host, step) == ["0 200 1 from 12 to 12"]
    line = host.wait_log(msg="rate_limited")
    assert (line["resource"], line["limit"]) == ("search", "primary")
    assert 5000 < int(line["wait_ms"]) <= 62000
    delivery = ask(host, step)
    host.wait_log(msg="requeued", delivery=delivery)
    assert done(host, get(MEMBER, show="state")) == ["0 200 active"]
    assert responses(fake, "/search/issues") == [200]


@pytest.mark.parametrize("status,headers,limit,least,most", [
    (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": 120}, "primary", 115, 122),
    (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": 120}, "primary", 115, 122),
    (403, {"retry-after": "70"}, "secondary", 70, 70),
    (429, {"retry-after": "70"}, "secondary", 70, 70),
    (403, {}, "secondary", 60, 60),
    (429, {}, "secondary", 60, 60),
])
def test_a_limit_that_github_names_sends_the_run_back_for_as_long(
        fake, host, status, headers, limit, least, most):
    if "x-ratelimit-reset" in headers:
        headers = {**headers, "x-ratelimit-reset": str(int(time.time()) + 120)}
    fake.fail(method="PUT", status=status, headers=headers,
              body={"message": "You have exceeded a secondary rate limit."})
    delivery = ask(host, {"request": f"PUT {INVITED}", "body": {"role": "member"}})
    line = host.wait_log(msg="rate_limited", installation=snek.INSTALLATION)
    assert line["limit"] == limit
    assert least * 1000 <= int(line["wait_ms"]) <= most * 1000
    assert "rate limit" in host.wait_log(msg="requeued", delivery=delivery)["reason"]
    assert responses(fake, INVITED) == [status]


# -- renamed repositories, and other redirects


def test_a_renamed_repository_is_followed_and_nothing_is_done_twice(fake, host):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium",
                                        "former_names": ["sneks-united/vivarium"]}]})
    former, now = "/repos/sneks-united/vivarium/issues", "/repositories/80201/issues"
    assert done(host, get(f"{former}/12", show="title"),
                {"request": f"POST {former}/12/labels", "body": {"labels": ["heat"]}},
                {"request": f"PATCH {former}/12", "body": {"title": "Darker"}, "show": "title"},
                {"list": f"{former}?state=all&per_page=2", "item": "title"}) == [
        "0 200 The heat lamp stays bright at night", "0 200 ", "0 200 Darker",
        "0 200 3 from Add a second hiding place to Darker"]
    assert [(entry["method"], entry["path"], entry["status"]) for entry in fake.api_requests()] == [
        ("GET", f"{former}/12", 301), ("GET", f"{now}/12", 200),
        ("POST", f"{former}/12/labels", 307), ("POST", f"{now}/12/labels", 200),
        ("PATCH", f"{former}/12", 307), ("PATCH", f"{now}/12", 200),
        ("GET", former, 301), ("GET", now, 200), ("GET", now, 200)]


@pytest.mark.parametrize("method,status", [("GET", 301), ("GET", 302), ("GET", 307), ("PUT", 307)])
def test_a_redirect_to_another_server_is_not_followed_and_the_token_stays(
        fake, host, elsewhere, method, status):
    fake.fail(method=method, path=MEMBER, status=status, headers={"Location": elsewhere})
    what, reason = failed(host, {"request": f"{method} {MEMBER}", "header": "location"})
    assert what.startswith(f"-11 {status} {elsewhere}")
    assert "redirect that is not followed" in reason and "its host or port differs" in reason
    assert responses(fake, MEMBER) == [status]


# -- tokens, and clocks that differ


def test_a_token_that_expires_in_mid_run_is_renewed_and_the_run_goes_on(fake, host):
    fake.fail(method="GET", path=MEMBER, after=True, delay_ms=60000)
    delivery = ask(host, get(MEMBER, show="state"),
                   {"request": f"PUT {INVITED}", "body": {"role": "member"}, "show": "state"},
                   {"request": f"POST {REPO}/issues/12/comments", "body": {"body": "Hello"}})
    snek.wait_until(lambda: fake.requests(path=MEMBER), "the request")
    fake.expire_tokens()
    fake.release()
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    assert said(host, delivery, 3) == ["0 200 active", "0 200 pending", "0 201 "]
    *rejected, succeeded = responses(fake, INVITED, "PUT")
    assert set(rejected) == {401} and succeeded == 200
    assert len(fake.bot_comments(12)) == 1
    assert len(fake.requests(path=MINT)) == 2


def test_a_fresh_token_that_is_not_known_everywhere_yet_is_waited_for(fake, host):
    fake.fail(method="PUT", path=INVITED, status=401, body={"message": "Bad credentials"}, times=2)
    assert done(host, {"request": f"PUT {INVITED}", "body": {"role": "member"}}) == ["0 200 "]
    assert responses(fake, INVITED) == [401, 401, 200]
    first, second, third = [entry["time_ms"] for entry in fake.requests(path=INVITED)]
    assert second - first >= 450 and third - second >= 950
    assert len(fake.requests(path=MINT)) == 1


@pytest.mark.parametrize("skew_s,lifetime_s,mints", [(600, 50, 2), (-600, 630, 1)])
def test_a_clock_that_is_ten_minutes_off_is_corrected_by_the_first_response(
        fake, start_bot, skew_s, lifetime_s, mints):
    """The JWT is taken once GitHub's Date is known, and tokens are renewed by GitHub's clock: those
    of the first case have less than a minute left, though by ours it is ten."""
    fake.settings(clock_skew_s=skew_s, token_lifetime_s=lifetime_s)
    host = start_bot(plugins=["client"])
    for _ in range(2):
        assert done(host, get(MEMBER, show="state")) == ["0 200 active"]
    # The host may compare its clock first, which shows GitHub's Date too.
    assert responses(fake, "/app.*")[0] == 401
    minted = responses(fake, MINT)
    assert minted[1 if minted[0] == 401 else 0:] == [201] * mints
    assert responses(fake, MEMBER)[0] == 200 and 401 not in responses(fake, MEMBER)


# -- what passes by itself


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_get_is_repeated_when_github_fails(fake, host, status):
    fake.fail(path=MEMBER, status=status, body="<html>Unicorn!</html>", times=2)
    assert done(host, get(MEMBER, show="state")) == ["0 200 active"]
    assert responses(fake, MEMBER) == [status, status, 200]


def test_a_failure_that_does_not_pass_is_the_runs(fake, host):
    fake.fail(path=MEMBER, status=502, body="<html>Unicorn!</html>", times=-1)
    what, reason = failed(host, get(MEMBER))
    assert what == "-7 502 " and f"GET {MEMBER} answered 502" in reason
    assert len(responses(fake, MEMBER)) > 2


def test_a_404_for_an_object_of_the_webhook_is_retried(fake, host):
    issue = f"{fake.url}{REPO}/issues/12"  # it stands in the payload
    fake.fail(path=f"{REPO}/issues/12", status=404, body={"message": "Not Found"}, times=3)
    assert failed(host, get(f"{REPO}/issues/12?not=named"))[0] == "-3 404 "
    assert len(responses(fake, f"{REPO}/issues/12")) == 1
    assert failed(host, get(issue))[0] == "-3 404 "
    assert len(responses(fake, f"{REPO}/issues/12")) == 3
    fake.fail(path=f"{REPO}/issues/12", status=404, body={"message": "Not Found"})
    assert done(host, get(issue, show="title")) == ["0 200 The heat lamp stays bright at night"]
    assert responses(fake, f"{REPO}/issues/12")[3:] == [404, 200]


# -- errors by their names


ERRORS = [
    ({"request": f"POST {REPO}/pulls/22/comments/46001/replies", "body": {"body": "x"}}, -4, 403,
     "Resource not accessible by integration (it needs pull_requests=write)"),
    ({"request": f"POST {REPO}/issues/12/comments", "body": {"body": " \n"}}, -5, 422,
     "answered 422: Validation Failed (Body cannot be blank)"),
    ({"request": f"POST {REPO}/issues/12/labels", "body": {"labels": []}}, -5, 422,
     "answered 422: Validation Failed (labels is a list of names of 1 to 50 characters)"),
    ({"request": f"PUT {INVITED}", "body": {"role": "king"}}, -5, 422,
     "role must be one of: admin, member"),
    (get("/search/issues"), -5, 422, "Validation Failed (q: missing)"),
    (get("/search/issues?q=lamp"), -5, 422, "Query must include 'is:issue' or 'is:pull-request'"),
    (get("/orgs/sneks-united/memberships/nobody?x"), -3, 404, "answered 404: Not Found"),
    (get("http://127.0.0.1:1/x"), -11, 0, "its host or port differs"),
    (graphql("{ viewer { login }"), -5, 200, "Unexpected end of document"),
]


def test_every_error_has_its_code_and_names_the_fix(host):
    for step, code, status, reason in ERRORS:
        what, why = failed(host, step)
        assert what == f"{code} {status} ", step
        assert reason in why, step


# -- what is an effect, and where it may be ------------------------------------------------------


@pytest.mark.parametrize("request_line,body", [
    ("POST /graphql", '{"query":"mut\\u0061tion { a }"}'),
    ("POST /graphql", '{"query":"{ a }","query":"mutation { a }"}'),
    ("POST /graphql", '{"query":"# a\\rmutation { a }"}'),
    ("POST /graphql", '{"query":"{ a }\\u0000 mutation { a }"}'),
    ("POST /graphql", '[{"query":"{ a }"}]'),
    ("POST /graphql?x", '{"query":"{ a }"}'),
    (f"POST {REPO}/issues/12/graphql", '{"query":"{ a }"}'),
    (f"DELETE {REPO}/labels/graphql", '{"query":"{ a }"}'),
    (f"PATCH {REPO}/issues/12?/graphql", '{"query":"{ a }"}'),
])
def test_every_request_that_may_change_something_is_an_effect(fake, start_bot, request_line, body):
    host = start_bot(plugins=[{"name": "client", "dry_run": True}])
    delivery = ask(host, {"request": request_line, "body": body})
    host.wait_log(msg="done", delivery=delivery)
    assert len(host.log(msg="dry_run", delivery=delivery)) == 1
    assert fake.api_requests() == []


def test_a_query_is_none_and_a_dry_mutation_has_empty_data(fake, start_bot):
    host = start_bot(plugins=[{"name": "client", "dry_run": True}])
    fake.patch_state({"graphql": [{"contains": "viewer", "data": {"viewer": {"login": "x"}}}]})
    asked = [graphql("{ viewer { login } } # no change", show="data.viewer.login"),
             graphql("mutation { a { b } }", show="data")]
    assert done(host, *asked) == ["0 200 x", "0 200 "]
    assert len(fake.api_requests()) == 1


@pytest.mark.parametrize("url", ["/%72epos/sneks-united/other", "/r%65pos/sneks-united/other",
                                 "/repos%2fsneks-united%2fother", "/repos%2Fsneks-united/other"])
def test_percent_encoding_leads_to_no_other_repository(fake, start_bot, url):
    host = start_bot(plugins=[{"name": "client", "repositories": ["sneks-united/terr*"]}])
    delivery = host.deliver("client", {**payload(get(url, go_on=True)),
                                       "repository": {"full_name": "sneks-united/terrarium"}})
    assert said(host, delivery, 1)[0].split()[0] == "-11"
    assert not fake.api_requests()


def test_a_plugin_stays_in_the_repositories_that_the_configuration_lists(fake, start_bot):
    host = start_bot(plugins=[{"name": "client", "repositories": ["sneks-united/terr*"]}])
    delivery = host.deliver("client", {**payload(
        get(f"{REPO}/issues/12"), get("/repos/sneks-united/other", go_on=True),
        get(f"{fake.url}/repos/sneks-united/other/issues", go_on=True),
        get("/repos/sneks-united/%6Fther", go_on=True), get("/orgs/sneks-united/members/x", go_on=True)),
        "repository": {"full_name": "sneks-united/terrarium"}})
    responses = [one.split()[0] for one in said(host, delivery, 5)]
    assert responses[1:4] == ["-4"] * 3 and responses[0] == "0" and responses[4] != "-4"
    assert not [r for r in fake.api_requests() if "ther" in r["path"]]
