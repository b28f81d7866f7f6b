# SPDX-License-Identifier: MIT OR Apache-2.0
"""The fake GitHub: conditional requests, searches, GraphQL, renamed repositories, and the limits
that each kind of request has."""

import time
import urllib.parse

import pytest

import snek
from fake_client import ALL, ORG, REPO, Client, mint, with_permissions

OTHER = 60002  # an installation more, of the same account
MEMBER = f"{ORG}/memberships/viper-vik"


@pytest.fixture
def other(fake, app):
    """With a token of another installation that reaches the same."""
    first = fake.state["installations"][0]
    fake.patch_state({"installations": [{**first, "id": OTHER}]})
    return Client(fake, f"Bearer {mint(app, installation=OTHER).json['token']}")


def used(response):
    return int(response.headers["x-ratelimit-used"]), response.headers["x-ratelimit-resource"]


# -- ETags


def test_an_unchanged_resource_is_a_304_without_a_body_and_costs_nothing(fake, client):
    first = client("GET", MEMBER)
    assert used(first) == (1, "core")
    again = client("GET", MEMBER, If_None_Match=first.headers["etag"])
    assert (again.status, again.body, used(again)) == (304, b"", (1, "core"))
    assert again.headers["etag"] == first.headers["etag"]
    strong = first.headers["etag"].removeprefix("W/")
    assert strong != first.headers["etag"]
    for given in ("*", strong, f'"x", {first.headers["etag"]}'):
        assert client("GET", MEMBER, If_None_Match=given).status == 304
    assert [entry["status"] for entry in fake.requests(path=MEMBER)] == [200] + [304] * 4


def test_a_changed_resource_comes_whole_with_another_tag(fake, client):
    first = client("GET", MEMBER)
    fake.patch_state({"organizations": [{"login": "sneks-united", "members": [
        {"login": "viper-vik", "role": "admin"}]}]})
    again = client("GET", MEMBER, If_None_Match=first.headers["etag"])
    assert (again.status, again.json["role"], used(again)) == (200, "admin", (2, "core"))
    assert again.headers["etag"] != first.headers["etag"]


def test_a_tag_is_one_tokens_own(fake, app, client, other):
    tag = client("GET", MEMBER).headers["etag"]
    for another in (other, with_permissions(fake, app, **ALL)):  # the same installation's next, too
        response = another("GET", MEMBER, If_None_Match=tag)
        assert response.status == 200 and response.headers["etag"] != tag
    assert client("GET", MEMBER, If_None_Match=tag).status == 304


def test_only_what_was_read_has_a_tag(client, app):
    for response in (client("PUT", MEMBER, {"role": "member"}), client("GET", f"{ORG}/members/viper-vik"),
                   client("GET", f"{ORG}/memberships/nobody"), app("GET", "/app")):
        assert "etag" not in response.headers
    assert client("PUT", MEMBER, {"role": "member"}, If_None_Match="*").status == 200


def test_a_head_is_a_get_without_the_body(client):
    got, head = client("GET", MEMBER), client("HEAD", MEMBER)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]
    assert head.headers["content-length"] == got.headers["content-length"]
    assert client("HEAD", MEMBER, If_None_Match=got.headers["etag"]).status == 304


# -- searches


@pytest.fixture
def library(fake):
    """More to look for: a second repository of ours, and one of somebody else's."""
    fake.patch_state({"repositories": [
        {"full_name": "sneks-united/terrarium", "issues": [
            {"number": 12, "labels": ["good first issue", "Heat"], "body": "It blinds the snake."},
            {"number": 21, "merged_at": "2025-02-01T00:00:00Z"}]},
        {"full_name": "sneks-united/attic", "issues": [
            {"number": 1, "title": "Lamps everywhere", "user": "viper-vik", "labels": ["heat"],
             "created_at": "2025-03-01T00:00:00Z"}]},
        {"full_name": "lizard-lounge/rock", "issues": [{"number": 1, "title": "A lamp"}]}]})


def search(client, q, **more):
    return client("GET", "/search/issues?" + urllib.parse.urlencode({"q": q, **more}))


def found(response):
    assert response.status == 200, response
    assert response.json["incomplete_results"] is False
    assert response.json["total_count"] == len(response.json["items"])
    return [(item["repository_url"].rsplit("/", 1)[1], item["number"])
            for item in response.json["items"]]


@pytest.mark.parametrize("q,numbers", [
    ("is:issue", [("attic", 1), ("terrarium", 12)]),
    ("is:pr", [("terrarium", 22), ("terrarium", 21)]),
    ("type:pr is:closed", [("terrarium", 21)]),
    ("is:pull-request is:merged", [("terrarium", 21)]),
    ("is:pr -is:merged", [("terrarium", 22)]),
    ("is:issue state:open repo:sneks-united/terrarium", [("terrarium", 12)]),
    ("is:issue repo:sneks-united/terrarium repo:sneks-united/attic",
     [("attic", 1), ("terrarium", 12)]),
    ("is:issue org:sneks-united -repo:sneks-united/attic", [("terrarium", 12)]),
    ("is:issue user:Sneks-United author:Viper-Vik", [("attic", 1)]),
    ("is:issue label:heat", [("attic", 1), ("terrarium", 12)]),
    ('is:issue label:"good first issue"', [("terrarium", 12)]),
    ("is:issue -label:heat", []),
    ("lamp is:issue", [("terrarium", 12)]),  # whole words: not "Lamps"
    ('"heat lamp" is:issue', [("terrarium", 12)]),
    ("blinds is:issue", [("terrarium", 12)]),  # of the body
    ("nothing is:issue", []),
    ("is:issue" + " x" * 124, []),
    ("is:issue " + "\N{SNAKE}" * 247, []),
])
def test_a_search_finds_what_its_terms_say(library, client, q, numbers):
    assert found(search(client, q)) == numbers


def test_a_plus_is_a_space(library, client):
    response = client("GET", "/search/issues?q=is:issue+label:heat+repo:sneks-united%2Fattic")
    assert found(response) == [("attic", 1)]
    [item] = response.json["items"]
    assert item["score"] == 1.0 and item["title"] == "Lamps everywhere"


def test_search_results_are_sorted(library, client):
    newest = [("attic", 1), ("terrarium", 12)]
    assert found(search(client, "is:issue", sort="created")) == newest
    assert found(search(client, "is:issue", sort="created", order="asc")) == newest[::-1]
    assert found(search(client, "is:issue", order="asc")) == newest
    assert found(search(client, "is:issue", sort="comments", order="desc")) == newest[::-1]
    assert search(client, "is:issue", sort="heart").status == 422


def test_a_token_finds_only_what_it_may_read(fake, app, library):
    assert found(search(with_permissions(fake, app, issues="read"), "is:pr")) == []
    assert found(search(with_permissions(fake, app, pull_requests="read"), "is:issue")) == []
    response = search(with_permissions(fake, app, members="read"), "is:issue")
    assert (response.status, response.headers["x-accepted-github-permissions"]) == (403, "metadata=read")
    token = mint(app, {"repositories": ["attic"]}).json["token"]
    narrow = Client(fake, f"Bearer {token}")
    assert found(search(narrow, "is:issue")) == [("attic", 1)]
    assert search(narrow, "is:issue repo:sneks-united/terrarium").status == 422


@pytest.mark.parametrize("q,said", [
    (None, "missing"), ("", "missing"), ("  ", "missing"),
    ("lamp", "Query must include 'is:issue' or 'is:pull-request'"),
    ("-is:pr", "Query must include"),
    ("is:issue repo:lizard-lounge/rock", "cannot be searched"),
    ("is:issue org:lizard-lounge", "cannot be searched"),
    ("is:issue author:nobody", "users do not exist"),
    ("is:issue assignee:viper-vik", "qualifier assignee:viper-vik"),
    ("is:issue is:locked", "qualifier is:locked"),
    ("is:issue " + "x" * 248, "longer than 256"),
])
def test_a_search_that_github_would_not_make_is_422(library, client, q, said):
    response = client("GET", "/search/issues") if q is None else search(client, q)
    assert response.status == 422
    problem = response.json["errors"][0] if "errors" in response.json else response.json
    assert said in problem.get("message", problem.get("code")), response
    if "errors" in response.json:
        assert (problem["resource"], problem["field"]) == ("Search", "q")


def test_searches_come_in_pages_and_only_a_thousand(fake, client):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/crowd", "issues": [
        {"number": n, "title": "x"} for n in range(1, 1101)]}]})
    q = "is:issue repo:sneks-united/crowd"
    first = search(client, q, per_page=100)
    assert first.json["total_count"] == 1100 and len(first.json["items"]) == 100
    links = dict(reversed(part.split("; rel=")) for part in first.headers["link"].split(", "))
    assert links['"last"'].endswith("per_page=100&page=10>")
    assert urllib.parse.quote_plus(q) in links['"next"']
    last = client("GET", links['"last"'][1:-1].removeprefix(fake.url))
    assert last.json["items"][-1]["number"] == 101 and 'rel="next"' not in last.headers["link"]
    beyond = search(client, q, per_page=100, page=11)
    assert (beyond.status, beyond.json["message"]) == (
        422, "Only the first 1000 search results are available")


# -- repositories


def test_an_installation_lists_its_repositories_a_page_at_a_time(fake, app, library, client):
    first = client("GET", "/installation/repositories?per_page=1")
    assert (first.json["total_count"], first.json["repository_selection"]) == (2, "all")
    assert [one["full_name"] for one in first.json["repositories"]] == ["sneks-united/terrarium"]
    assert f"<{fake.url}/installation/repositories?per_page=1&page=2>; rel=\"next\"" in (
        first.headers["link"])
    token = mint(app, {"repositories": ["attic"]}).json["token"]
    narrow = Client(fake, f"Bearer {token}")("GET", "/installation/repositories").json
    assert (narrow["total_count"], narrow["repository_selection"]) == (1, "selected")
    assert narrow["repositories"][0]["owner"]["type"] == "Organization"
    assert with_permissions(fake, app, members="read")("GET", "/installation/repositories").status \
        == 403


def test_a_repository_has_a_name_and_a_number(fake, client):
    by_name, by_number = client("GET", REPO), client("GET", "/repositories/80201")
    assert by_name.json == by_number.json
    assert (by_name.json["id"], by_name.json["open_issues_count"]) == (80201, 2)
    assert by_name.json["issues_url"] == f"{fake.url}{REPO}/issues{{/number}}"
    assert client("GET", "/repositories/80201/issues/12").json["number"] == 12
    assert client("POST", "/repositories/80201/issues/12/comments", {"body": "x"}).status == 201
    assert "/repositories/80201/issues?" in client(
        "GET", "/repositories/80201/issues?per_page=1").headers["link"]
    for nowhere in ("1", "080201", "x", "-80201", "99999999999999999999"):
        assert client("GET", f"/repositories/{nowhere}/issues/12").status == 404
    assert fake.requests(path="/repositories/1/.*")[0].get("unknown") is None
    assert client("GET", "/repositories/80201/x").status == 404


@pytest.fixture
def renamed(fake):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", "former_names": [
        "sneks-united/vivarium", "python-petra/vivarium"]}]})


@pytest.mark.parametrize("former", ["sneks-united/vivarium", "Python-Petra/Vivarium"])
def test_a_former_name_redirects_to_the_number(fake, renamed, client, former):
    for method, rest, status in (("GET", "/issues/12?a=b%20c", 301), ("HEAD", "", 301),
                                 ("POST", "/issues/12/comments", 307),
                                 ("DELETE", "/issues/12/labels/a%2Fb", 307)):
        body = {"body": "x"} if method == "POST" else None
        response = client(method, f"/repos/{former}{rest}", body)
        assert (response.status, response.headers["location"]) == (
            status, f"{fake.url}/repositories/80201{rest}")
        if method != "HEAD":
            assert response.json["message"] == "Moved Permanently"
            assert response.json["url"] == response.headers["location"]
    assert fake.bot_comments(12) == []


def test_a_former_name_is_given_up_when_it_is_taken_again_and_is_no_way_around_limits(
        fake, app, renamed, client):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/attic"}]})
    token = mint(app, {"repositories": ["attic"]}).json["token"]
    narrow = Client(fake, f"Bearer {token}")
    assert narrow("GET", "/repos/sneks-united/vivarium").status == 404
    assert narrow("GET", "/repositories/80201").status == 404
    fake.patch_state({"repositories": [{"full_name": "sneks-united/vivarium"}]})
    assert client("GET", "/repos/sneks-united/vivarium").json["name"] == "vivarium"


# -- GraphQL


QUERY = "query($owner: String!, $after: String) { organization(login: $owner) { id } }"


def graphql(client, query, variables=None, **more):
    body = {"query": query, "variables": variables, **more}
    return client("POST", "/graphql", {k: v for k, v in body.items() if v is not None})


def script(fake, *entries):
    fake.patch_state({"graphql": list(entries)})


def test_a_document_gets_the_response_of_the_state(fake, client):
    problem = {"message": "Could not resolve", "type": "NOT_FOUND", "path": ["a"]}
    script(fake, {"contains": "mutation", "data": {"changed": True}, "times": 2},
           {"contains": "organization", "variables": {"owner": "a", "after": "c1"},
            "data": {"page": 2}},
           {"contains": "organization", "variables": {"owner": "a"}, "data": {"page": 1}},
           {"contains": "organization", "variables": {"owner": "b"}, "data": None,
            "errors": [problem]})
    assert graphql(client, QUERY, {"owner": "a", "after": None}).json == {"data": {"page": 1}}
    response = graphql(client, QUERY, {"owner": "a", "after": "c1", "first": 10},
                     operationName="x")
    assert (response.status, response.json) == (200, {"data": {"page": 2}})
    assert graphql(client, QUERY, {"owner": "b"}).json == {"data": None, "errors": [problem]}
    for _ in range(2):
        assert graphql(client, "mutation { change }").json == {"data": {"changed": True}}
    assert "no response to this document" in graphql(client, "mutation { change }").json["errors"][0][
        "message"]
    assert len(fake.state["graphql"]) == 3
    recorded = fake.requests(path="/graphql")[0]["body"]
    assert recorded == {"query": QUERY, "variables": {"owner": "a", "after": None}}


@pytest.mark.parametrize("document,said", [
    ("query { viewer { login }", "Unexpected end of document"),
    ("  # only a comment {}", "Unexpected end of document"),
    ("query {\n  viewer { login }}}", 'Parse error on "}" (RCURLY) at [2, 20]'),
    ("query { a(b: 1] }", 'Parse error on "]" (RBRACKET) at [1, 15]'),
    ("query { a(b: 1 }", 'Parse error on "}" (RCURLY) at [1, 16]'),
])
def test_a_document_whose_brackets_do_not_close_is_an_error_in_a_200(client, document, said):
    response = graphql(client, document)
    assert response.status == 200 and "data" not in response.json
    assert response.json["errors"][0]["message"] == said


def test_brackets_in_strings_and_comments_are_none(fake, client):
    script(fake, {"data": {"a": 1}})
    document = 'query { a(b: "}\\"{", c: """ " } """, d: [{e: 1}]) # }\n { f } }'
    assert graphql(client, document).json == {"data": {"a": 1}}


@pytest.mark.parametrize("body,status,said", [
    ({}, 200, "A query attribute must be specified and must be a string."),
    ({"query": ["x"]}, 200, "A query attribute must be specified and must be a string."),
    ({"query": "{ a }", "variables": "{}"}, 422, "variables is not an object"),
    ({"query": "{ a }", "operationName": 1}, 422, "operationName"),
    ({"query": "{ a }", "varriables": {}}, 422, "not a permitted key"),
    (b'{"query": ', 400, "Problems parsing JSON"),
    (b"[]", 400, "Body should be a JSON object"),
])
def test_a_malformed_graphql_request_is_rejected(client, body, status, said):
    response = client("POST", "/graphql", body)
    assert response.status == status
    assert said in str(response.json.get("errors", response.json))


def test_graphql_wants_a_token(app, anyone):
    for asks in (app, anyone):
        assert graphql(asks, "{ a }").status == 401


@pytest.mark.parametrize("entry", [
    {}, {"contains": "x"}, {"data": []}, {"errors": []}, {"errors": [{"type": "x"}]},
    {"data": {}, "times": 0}, {"data": {}, "variables": []}, {"data": {}, "query": "x"}])
def test_a_scripted_response_that_makes_no_sense_is_rejected(fake, entry):
    response = snek.request("PATCH", f"{fake.url}/_fake/state", {"graphql": [entry]})
    assert response.status == 422 and "graphql[0]" in response.json["message"]


# -- limits


def test_searches_and_graphql_have_limits_of_their_own(fake, client):
    script(fake, {"data": {}})
    fake.settings(rate_limit=2, search_rate_limit=1, graphql_rate_limit=1)
    response = search(client, "is:issue")
    assert (response.status, used(response)) == (200, (1, "search"))
    assert 0 < int(response.headers["x-ratelimit-reset"]) - time.time() <= 61
    response = search(client, "is:issue")
    assert (response.status, response.headers["x-ratelimit-remaining"]) == (403, "0")
    assert "rate limit exceeded for installation ID" in response.json["message"]
    response = graphql(client, "{ a }")
    assert (response.json, used(response)) == ({"data": {}}, (1, "graphql"))
    response = graphql(client, "{ a }")
    assert (response.status, used(response)) == (200, (1, "graphql"))
    assert response.json["errors"][0]["type"] == "RATE_LIMITED"
    assert response.headers["x-ratelimit-remaining"] == "0"
    response = client("GET", MEMBER)
    assert (response.status, used(response)) == (200, (1, "core"))
    assert 3000 < int(response.headers["x-ratelimit-reset"]) - time.time() <= 3601


def test_a_limit_is_an_installations_own_and_ends_with_its_window(fake, client, other):
    fake.settings(rate_limit=1, rate_window_s=10)
    assert [client("GET", MEMBER).status for _ in range(2)] == [200, 403]
    assert other("GET", MEMBER).status == 200
    fake.settings(clock_skew_s=11)
    assert [client("GET", MEMBER).status for _ in range(2)] == [200, 403]


def test_limits_that_make_no_sense_are_rejected(fake):
    for wrong in ({"search_rate_limit": -1}, {"graphql_rate_limit": -1}, {"rate_window_s": 0}):
        assert snek.request("POST", f"{fake.url}/_fake/settings", wrong).status == 422


# -- times, and the order of lists


def listed(client, query):
    response = client("GET", f"/repos/sneks-united/terrarium/issues?state=all&{query}")
    assert response.status == 200, response
    return [issue["number"] for issue in response.json]


def test_issues_are_sorted_as_asked_and_those_since_a_time_are_listed(fake, client):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", "issues": [
        {"number": 12, "created_at": "-9 d", "updated_at": "-1 h"},
        {"number": 21, "created_at": "-3 d", "updated_at": "-3 d"},
        {"number": 22, "created_at": "-6 d", "updated_at": "-2 d"}]}]})
    assert listed(client, "") == listed(client, "sort=created&direction=desc") == [21, 22, 12]
    assert listed(client, "direction=asc") == [12, 22, 21]
    assert listed(client, "sort=updated") == [12, 22, 21]
    assert listed(client, "sort=updated&direction=asc") == [21, 22, 12]
    assert listed(client, "sort=comments")[0] == 12
    pulls = search(client, "is:pr repo:sneks-united/terrarium", sort="updated", order="asc")
    assert [number for _, number in found(pulls)] == [21, 22]
    since = client("GET", "/repos/sneks-united/terrarium/issues/22").json["updated_at"]
    assert listed(client, f"since={since}") == [22, 12]
    for query in ("sort=age", "direction=up", "since=yesterday", "since=-3+d"):
        assert client("GET", f"/repos/sneks-united/terrarium/issues?{query}").status == 422, query


def test_what_happens_to_an_issue_moves_the_time_of_its_update(fake, client):
    aged = {"repositories": [{"full_name": "sneks-united/terrarium",
                              "issues": [{"number": 12, "updated_at": "-8 d"}]}]}
    issue = "/repos/sneks-united/terrarium/issues/12"

    def updated():
        return client("GET", issue).json["updated_at"]

    for method, path, body in (("POST", "/comments", {"body": "Hi"}),
                               ("POST", "/labels", {"labels": ["heat"]}),
                               ("DELETE", "/labels/heat", None),
                               ("PATCH", "", {"title": "Brighter"})):
        fake.patch_state(aged)
        before = updated()
        assert client(method, issue + path, body).status in (200, 201)
        assert updated() > before, (method, path)
    fake.patch_state(aged)
    before = updated()
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", "comments": [
        {"id": 77, "issue": 12, "user": "viper-vik", "body": "x", "created_at": "-1 h"}]}]})
    assert updated() > before
    aged["repositories"][0]["comments"] = [{"id": 78, "issue": 12, "body": "y"}]
    fake.patch_state(aged)
    assert updated() < client("GET", f"{issue}/comments?since=2024-01-01").json[-2]["updated_at"]


@pytest.mark.parametrize("text", ["-3", "3 d", "yesterday", "-3 days", "", "2025-13-01", "- 3 d"])
@pytest.mark.parametrize("member", ["created_at", "updated_at"])
def test_what_is_no_time_is_rejected_with_the_forms_that_are(fake, member, text):
    before = fake.state
    response = snek.request("PATCH", f"{fake.url}/_fake/state", {"repositories": [
        {"full_name": "sneks-united/terrarium", "issues": [{"number": 12, member: text}]}]})
    assert response.status == 422
    assert f'{member}: "{text}" is no time; write' in response.json["message"]
    assert fake.state == before
