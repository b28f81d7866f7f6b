# SPDX-License-Identifier: MIT OR Apache-2.0
"""The fake GitHub is as strict as the real one, and fails when a test asks for it."""

import http.client
import http.server
import json
import subprocess
import threading
import time
import tomllib

import pytest

import snek
from fake_client import ALL, ORG, REPO, Client, mint, with_permissions


# -- the app's own requests


def test_a_good_jwt_gets_the_apps_data(app):
    response = app("GET", "/app")
    assert response.status == 200
    assert (response.json["id"], response.json["slug"]) == (snek.APP_ID, snek.APP_SLUG)


def test_a_jwt_may_name_the_app_as_text_and_expire_in_ten_minutes(fake, key):
    jwt = snek.make_jwt(key, issuer=str(snek.APP_ID), issued_s=0, expires_s=600)
    assert Client(fake, f"Bearer {jwt}")("GET", "/app").status == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"expires_s": 0}, "'Expiration time' claim ('exp') must be"),
        ({"expires_s": -30}, "'Expiration time' claim ('exp') must be"),
        ({"expires_s": 660}, "'Expiration time' claim ('exp') is too far in the future"),
        ({"exp": None}, "'Expiration time' claim ('exp') must be"),
        ({"exp": "soon"}, "'Expiration time' claim ('exp') must be"),
        ({"issued_s": 30}, "'Issued at' claim ('iat') must be"),
        ({"iat": None}, "'Issued at' claim ('iat') must be"),
        ({"issuer": snek.APP_ID + 1}, "could not be decoded"),
        ({"iss": None}, "could not be decoded"),
        ({"algorithm": "HS256"}, "could not be decoded"),
        ({"algorithm": "none"}, "could not be decoded"),
    ],
)
def test_a_bad_claim_is_rejected(fake, key, changes, message):
    response = Client(fake, f"Bearer {snek.make_jwt(key, **changes)}")("GET", "/app")
    assert response.status == 401
    assert message in response.json["message"]


def test_a_jwt_of_another_key_is_rejected(fake, tmp_path):
    other = snek.make_key(tmp_path / "other.pem")
    assert Client(fake, f"Bearer {snek.make_jwt(other)}")("GET", "/app").status == 401


def test_a_jwt_that_was_changed_or_cut_is_rejected(fake, key):
    head, claims, signed = snek.make_jwt(key).split(".")
    other_claims = snek.make_jwt(key, expires_s=300).split(".")[1]
    for jwt in (f"{head}.{other_claims}.{signed}", f"{head}.{claims}.", f"{head}.{claims}",
                f"{head}.{claims}.{signed}.{signed}", f"{head}.{claims}.{signed}=", "..",
                f"{head}.{claims}.{signed[:-4]}", f"{head}.{claims}. {signed}"):
        response = Client(fake, f"Bearer {jwt}")("GET", "/app")
        assert response.status == 401, jwt


def test_a_jwt_wants_the_scheme_bearer(fake, key):
    assert Client(fake, f"token {snek.make_jwt(key)}")("GET", "/app").status == 401


def test_an_installation_token_is_no_jwt(client):
    assert client("GET", "/app").status == 401


def test_either_of_two_keys_counts_during_a_rotation(key, tmp_path):
    second = snek.make_key(tmp_path / "second.pem")
    fake = snek.FakeGitHub([key, second])
    try:
        for one in (key, second):
            assert Client(fake, f"Bearer {snek.make_jwt(one)}")("GET", "/app").status == 200
    finally:
        fake.stop()


def test_a_public_key_is_enough(key, tmp_path):
    public = tmp_path / "public.pem"
    subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True,
                   capture_output=True)
    fake = snek.FakeGitHub(public)
    try:
        assert Client(fake, f"Bearer {snek.make_jwt(key)}")("GET", "/app").status == 200
    finally:
        fake.stop()


# -- tokens


def test_a_token_has_the_permissions_that_were_asked_for(app):
    response = mint(app, {"permissions": {"members": "read", "issues": "write"}})
    assert response.status == 201
    token = response.json["token"]
    assert token.startswith("ghs_") and len(token) == 40
    assert response.json["permissions"] == {"members": "read", "issues": "write",
                                          "metadata": "read"}
    assert response.json["repository_selection"] == "all"


def test_a_token_without_a_wish_has_all_that_is_granted(app):
    assert mint(app).json["permissions"] == {**ALL, "metadata": "read"}


@pytest.mark.parametrize(
    "permissions",
    [{"contents": "read"}, {"members": "admin"}, {"pull-requests": "write"}, {"issues": "all"},
     {"issues": True}, ["issues"], {"workflows": "read"}],
)
def test_a_permission_that_is_not_granted_or_not_known_is_422(app, permissions):
    assert mint(app, {"permissions": permissions}).status == 422


def test_a_level_above_the_granted_one_is_422(fake, app):
    fake.patch_state({"installations": [{"id": snek.INSTALLATION,
                                         "permissions": {"members": "read"}}]})
    assert mint(app, {"permissions": {"members": "read"}}).status == 201
    response = mint(app, {"permissions": {"members": "write"}})
    assert response.status == 422
    assert "not granted" in response.json["message"]


def test_an_unknown_installation_is_404(app):
    assert mint(app, installation=60002).status == 404
    assert mint(app, installation="xyzzy").status == 404


def test_a_suspended_installation_gets_and_uses_no_token(fake, app, client):
    fake.patch_state({"installations": [{"id": snek.INSTALLATION, "suspended": True}]})
    assert mint(app).status == 403
    assert client("GET", f"{ORG}/memberships/viper-vik").status == 403


def test_tokens_expire(fake, app, client):
    assert client("GET", f"{ORG}/memberships/viper-vik").status == 200
    assert fake.expire_tokens() == 1
    response = client("GET", f"{ORG}/memberships/viper-vik")
    assert (response.status, response.json["message"]) == (401, "Bad credentials")
    fake.settings(token_lifetime_s=0)
    assert with_permissions(fake, app, members="read")("GET", f"{ORG}/members/x").status == 401


def test_long_tokens_work(fake, app):
    fake.settings(token_bytes=520)
    token = mint(app).json["token"]
    assert len(token) == 520
    assert Client(fake, f"token {token}")("GET", f"{ORG}/memberships/viper-vik").status == 200


def test_a_token_can_be_narrowed_to_repositories(fake, app):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/attic",
                                        "issues": [{"number": 1}]}]})
    response = mint(app, {"repositories": ["attic"]})
    assert response.json["repository_selection"] == "selected"
    narrow = Client(fake, f"Bearer {response.json['token']}")
    assert narrow("GET", "/repos/sneks-united/attic/issues/1").status == 200
    assert narrow("GET", f"{REPO}/issues/12").status == 404
    assert mint(app, {"repositories": ["nowhere"]}).status == 422
    assert mint(app, {"repository_ids": [1]}).status == 422


# -- who may ask what


def test_without_or_with_a_made_up_token_there_is_401(fake, anyone):
    response = anyone("GET", f"{ORG}/memberships/viper-vik")
    assert (response.status, response.json["message"]) == (401, "Requires authentication")
    for made_up in ("Bearer ghs_" + "x" * 36, "Bearer ", "Basic dTpw", "ghs_x"):
        response = Client(fake, made_up)("GET", f"{ORG}/memberships/viper-vik")
        assert (response.status, response.json["message"]) == (401, "Bad credentials")


def test_a_jwt_is_no_installation_token(app):
    assert app("GET", f"{ORG}/memberships/viper-vik").status == 401


def test_another_accounts_resources_are_404(fake, app):
    fake.patch_state({
        "organizations": [{"login": "lizard-lounge", "members": [{"login": "viper-vik"}]}],
        "repositories": [{"full_name": "lizard-lounge/rock", "issues": [{"number": 1}]}],
        "installations": [{"id": 60009, "account": "lizard-lounge", "permissions": ALL}],
    })
    ours = Client(fake, f"Bearer {mint(app).json['token']}")
    theirs = Client(fake, f"Bearer {mint(app, installation=60009).json['token']}")
    for path in ("/orgs/lizard-lounge/memberships/viper-vik", "/repos/lizard-lounge/rock/issues/1"):
        assert theirs("GET", path).status == 200
        assert ours("GET", path).status == 404
    assert theirs("PUT", f"{ORG}/memberships/hatchling-hana").status == 404
    assert fake.member("hatchling-hana") is None


@pytest.mark.parametrize(
    ("method", "path", "body", "granted", "accepted"),
    [
        ("GET", f"{ORG}/memberships/viper-vik", None, {"issues": "write"}, "members=read"),
        ("PUT", f"{ORG}/memberships/hatchling-hana", {}, {"members": "read"}, "members=write"),
        ("DELETE", f"{ORG}/memberships/viper-vik", None, {"members": "read"}, "members=write"),
        ("POST", f"{REPO}/issues/12/comments", {"body": "x"}, {"issues": "read"},
         "issues=write; pull_requests=write"),
        ("POST", f"{REPO}/pulls/22/comments/46001/replies", {"body": "x"}, {"issues": "write"},
         "pull_requests=write"),
        ("POST", f"{REPO}/issues/12/reactions", {"content": "heart"}, {"members": "write"},
         "issues=write; pull_requests=write"),
        ("GET", f"{REPO}/collaborators/viper-vik/permission", None, {"members": "write"},
         "metadata=read"),
        ("GET", f"{ORG}/members/viper-vik", None, {"issues": "write"}, "members=read"),
    ],
)
def test_a_missing_permission_is_403(fake, app, method, path, body, granted, accepted):
    before = fake.state
    response = with_permissions(fake, app, **granted)(method, path, body)
    assert response.status == 403
    assert response.json["message"] == "Resource not accessible by integration"
    assert response.headers["x-accepted-github-permissions"] == accepted
    assert fake.state == before


def permission(client, login):
    """(permission, role_name, the highest flag) of a user in the terrarium."""
    response = client("GET", f"{REPO}/collaborators/{login}/permission")
    assert response.status == 200 and response.json["user"]["login"] == login
    flags = response.json["user"]["permissions"]
    order = ["pull", "triage", "push", "maintain", "admin"]
    held = [flag for flag in order if flags[flag]]
    assert held == order[:len(held)] and response.json["user"]["role_name"] == response.json["role_name"]
    return response.json["permission"], response.json["role_name"], (held or [None])[-1]


@pytest.mark.parametrize("grants,want", [
    ({}, ("read", "read", "pull")),
    ({"private": True}, ("none", "none", None)),
    ({"collaborators": [{"login": "hatchling-hana", "role": "triage"}]}, ("read", "triage", "triage")),
    ({"collaborators": [{"login": "hatchling-hana", "role": "maintain"}]},
     ("write", "maintain", "maintain")),
    ({"collaborators": [{"login": "hatchling-hana", "role": "keeper", "base": "write"}]},
     ("write", "keeper", "push")),
    ({"teams": [{"slug": "a", "role": "triage", "members": ["hatchling-hana"]},
                {"slug": "b", "role": "admin", "members": ["hatchling-hana"]},
                {"slug": "c", "role": "read", "members": ["Hatchling-Hana"]}],
      "private": True}, ("admin", "admin", "admin")),
])
def test_a_permission_is_the_strongest_grant(fake, client, grants, want):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", **grants}]})
    assert permission(client, "hatchling-hana") == want


def test_members_have_the_base_role_and_owners_are_admins(fake, client):
    fake.patch_state({"organizations": [{"login": "sneks-united", "base_role": "write"}]})
    assert permission(client, "viper-vik") == ("write", "write", "push")
    assert permission(client, "python-petra") == ("admin", "admin", "admin")


def test_bots_and_strangers_have_no_permission_to_show(fake, client):
    fake.patch_state({"users": [{"login": "a-bot", "type": "Bot"}]})
    for login in ("a-bot", "nobody"):
        assert client("GET", f"{REPO}/collaborators/{login}/permission").status == 404


def test_a_member_is_private_unless_public(fake, client):
    fake.patch_state({"organizations": [{"login": "sneks-united", "members": [
        {"login": "viper-vik", "public": False}]}]})
    for login, member, public in (("viper-vik", 204, 404), ("python-petra", 204, 204),
                                  ("hatchling-hana", 404, 404)):
        assert client("GET", f"{ORG}/members/{login}").status == member
        assert client("GET", f"{ORG}/public_members/{login}").status == public


def test_either_permission_is_enough_to_comment(fake, app):
    for name in ("issues", "pull_requests"):
        writer = with_permissions(fake, app, **{name: "write"})
        assert writer("POST", f"{REPO}/issues/21/comments", {"body": name}).status == 201
    assert fake.bot_comments(21) == ["issues", "pull_requests"]


# -- the request itself


def test_a_request_without_user_agent_is_403(client):
    assert client("GET", f"{ORG}/memberships/viper-vik", User_Agent=None).status == 403
    assert client("GET", f"{ORG}/memberships/viper-vik", User_Agent="").status == 403


def test_an_unknown_api_version_is_400(client):
    response = client("GET", f"{ORG}/memberships/viper-vik", X_GitHub_Api_Version="v3")
    assert response.status == 400
    assert "not a supported version" in response.json["message"]
    assert client("GET", f"{ORG}/members/viper-vik", X_GitHub_Api_Version=None).status == 204


def test_an_accept_header_that_shuts_out_json_is_415(client):
    assert client("GET", f"{ORG}/memberships/viper-vik", Accept="text/html").status == 415


def test_an_unknown_route_is_404_with_githubs_body(client, anyone):
    for asks in (client, anyone):
        for method, path in (("GET", "/nothing"), ("PATCH", "/app"), ("GET", "/"),
                             ("GET", f"{ORG}/memberships/"), ("GET", f"{ORG}/memberships/a/b"),
                             ("GET", f"{ORG}/memberships/a%2Fb/c"), ("GET", "/orgs/%00/members/x")):
            response = asks(method, path)
            assert response.status == 404, path
            assert response.json == {"message": "Not Found", "status": "404",
                                   "documentation_url": "https://docs.github.com/rest"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400), (b'{"body":"x"}}', 400), (b'"body"', 400), (b"[]", 400), (b"\xff", 400),
        ({}, 422), ({"body": None}, 422), ({"body": 1}, 422), ({"body": ""}, 422),
        ({"body": " \n"}, 422), ({"body": "x" * 65537}, 422), ({"body": "x", "bodi": "y"}, 422),
        (None, 422),
    ],
)
def test_a_bad_body_is_rejected(fake, client, body, status):
    response = client("POST", f"{REPO}/issues/12/comments", body)
    assert response.status == status
    if status == 422:
        assert response.json["message"] == "Validation Failed"
        assert response.json["errors"][0]["resource"] == "IssueComment"
    elif isinstance(body, bytes) and body[:1] == b"{":
        assert response.json["message"] == "Problems parsing JSON"
    assert fake.bot_comments(12) == []


def test_characters_are_counted_not_bytes(client):
    response = client("POST", f"{REPO}/issues/12/comments", {"body": "\N{SNAKE}" * 65536})
    assert response.status == 201


def test_responses_have_githubs_headers(client):
    response = client("GET", f"{ORG}/memberships/viper-vik")
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["x-github-media-type"] == "github.v3; format=json"
    assert response.headers["x-github-api-version-selected"] == "2022-11-28"
    assert response.headers["x-github-request-id"]
    assert response.headers["x-ratelimit-limit"] == "5000"
    assert response.headers["x-ratelimit-remaining"] == "4999"
    assert int(response.headers["x-ratelimit-reset"]) > time.time()
    assert response.headers["date"].endswith(" GMT")


def test_the_rate_limit_is_kept(fake, client):
    fake.settings(rate_limit=2)
    assert [client("GET", f"{ORG}/members/viper-vik").status for _ in range(3)] == [204, 204, 403]
    response = client("GET", f"{ORG}/members/viper-vik")
    assert "rate limit exceeded" in response.json["message"]
    assert response.headers["x-ratelimit-remaining"] == "0"


# -- members


def test_a_put_invites_and_a_second_one_leaves_it_pending(fake, client):
    path = f"{ORG}/memberships/hatchling-hana"
    assert client("GET", path).status == 404
    for _ in range(2):
        response = client("PUT", path, {"role": "member"})
        assert (response.status, response.json["state"], response.json["role"]) == (
            200, "pending", "member")
    assert response.json["user"]["login"] == "hatchling-hana"
    assert response.json["organization"]["login"] == "sneks-united"
    assert client("GET", path).json["state"] == "pending"
    assert client("GET", f"{ORG}/members/hatchling-hana").status == 404
    assert fake.member("hatchling-hana") == {
        "login": "hatchling-hana", "role": "member", "state": "pending"}


def test_a_put_for_an_active_member_changes_the_role_only(client):
    response = client("PUT", f"{ORG}/memberships/VIPER-vik", {"role": "admin"})
    assert (response.status, response.json["state"], response.json["role"]) == (200, "active", "admin")


@pytest.mark.parametrize("body", [{"role": "owner"}, {"role": 1}, {"role": None}, {"rolle": "x"}])
def test_a_put_with_another_role_is_422(fake, client, body):
    assert client("PUT", f"{ORG}/memberships/hatchling-hana", body).status == 422
    assert fake.member("hatchling-hana") is None


def test_a_put_for_nobody_is_404_unless_users_are_created(fake, client):
    assert client("PUT", f"{ORG}/memberships/nobody", {"role": "member"}).status == 404
    fake.settings(auto_create=["users"])
    assert client("PUT", f"{ORG}/memberships/nobody", {"role": "member"}).status == 200


def test_a_delete_removes_the_member(fake, client):
    assert client("DELETE", f"{ORG}/memberships/viper-vik").status == 204
    assert client("DELETE", f"{ORG}/memberships/viper-vik").status == 404
    assert fake.member("viper-vik") is None


# -- comments and reactions


def test_a_comment_is_kept_and_listed(fake, client):
    response = client("POST", f"{REPO}/issues/12/comments", {"body": "Hello"})
    assert response.status == 201
    assert response.headers["location"] == response.json["url"]
    assert response.json["user"]["login"] == f"{snek.APP_SLUG}[bot]"
    assert response.json["user"]["type"] == "Bot"
    listed = client("GET", f"{REPO}/issues/12/comments").json
    assert [comment["body"] for comment in listed] == [
        "Are you there, bot?\n\n/ping", "Hello"]
    assert client("GET", f"{REPO}/issues/12").json["comments"] == 2
    assert client("GET", f"{REPO}/issues/21/comments").json == []


def test_lists_come_in_pages(fake, client):
    for n in range(4):
        client("POST", f"{REPO}/issues/21/comments", {"body": str(n)})
    first = client("GET", f"{REPO}/issues/21/comments?per_page=3")
    assert [comment["body"] for comment in first.json] == ["0", "1", "2"]
    path = f"{fake.url}{REPO}/issues/21/comments?per_page=3"
    assert first.headers["link"] == (f'<{path}&page=2>; rel="next", <{path}&page=2>; rel="last"')
    second = client("GET", f"{REPO}/issues/21/comments?per_page=3&page=2")
    assert [comment["body"] for comment in second.json] == ["3"]
    assert second.headers["link"] == f'<{path}&page=1>; rel="prev", <{path}&page=1>; rel="first"'


def test_an_unknown_issue_is_404_unless_issues_are_created(fake, client):
    for number in ("999", "0", "012", "x", "-1"):
        response = client("POST", f"{REPO}/issues/{number}/comments", {"body": "x"})
        assert response.status == 404, number
    fake.settings(auto_create=["issues"])
    assert client("POST", f"{REPO}/issues/999/comments", {"body": "x"}).status == 201
    assert client("POST", f"{REPO}/issues/x/comments", {"body": "x"}).status == 404


def test_a_locked_issue_takes_no_comment(fake, client):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium",
                                        "issues": [{"number": 12, "locked": True}]}]})
    assert client("POST", f"{REPO}/issues/12/comments", {"body": "x"}).status == 403


def test_a_reply_goes_to_the_first_comment_of_a_thread_only(fake, client):
    path = f"{REPO}/pulls/22/comments"
    response = client("POST", f"{path}/46001/replies", {"body": "pong!"})
    assert (response.status, response.json["in_reply_to_id"]) == (201, 46001)
    assert client("POST", f"{path}/46002/replies", {"body": "x"}).status == 404
    assert client("POST", f"{path}/{response.json['id']}/replies", {"body": "x"}).status == 404
    assert client("POST", f"{REPO}/pulls/21/comments/46001/replies", {"body": "x"}).status == 404
    assert client("POST", f"{REPO}/pulls/12/comments/46001/replies", {"body": "x"}).status == 404
    assert fake.repository()["review_comments"][-1]["body"] == "pong!"


@pytest.mark.parametrize(
    "path", ["issues/12", "issues/21", "issues/comments/40101", "pulls/comments/46001"])
def test_a_reaction_is_new_once(fake, client, path):
    first = client("POST", f"{REPO}/{path}/reactions", {"content": "heart"})
    second = client("POST", f"{REPO}/{path}/reactions", {"content": "heart"})
    other = client("POST", f"{REPO}/{path}/reactions", {"content": "+1"})
    assert (first.status, second.status, other.status) == (201, 200, 201)
    assert first.json["id"] == second.json["id"] != other.json["id"]
    assert first.json["content"] == "heart"


def test_a_reaction_that_github_does_not_know_is_422(client):
    for body in ({"content": "snake"}, {"content": 1}, {}, {"content": "heart", "x": 1}):
        assert client("POST", f"{REPO}/issues/12/reactions", body).status == 422
    path = f"{REPO}/issues/comments/40102/reactions"
    assert client("POST", path, {"content": "heart"}).status == 404


# -- what is recorded


def test_every_request_is_recorded_without_its_token(fake, app, client):
    fake.forget_requests()
    client("PUT", f"{ORG}/memberships/hatchling-hana?x=1", {"role": "member"})
    app("GET", "/app")
    client("POST", f"{REPO}/issues/12/comments", b"{")
    first, second, third = fake.requests()
    assert (first["method"], first["path"], first["query"]) == (
        "PUT", f"{ORG}/memberships/hatchling-hana", "x=1")
    assert (first["body"], first["status"]) == ({"role": "member"}, 200)
    assert first["caller"] == {"kind": "installation", "installation": snek.INSTALLATION,
                               "permissions": {**ALL, "metadata": "read"}, "repositories": None}
    assert first["headers"]["user-agent"] == "a test"
    assert first["headers"]["authorization"] == "Bearer ..."
    assert second["caller"]["kind"] == "app"
    assert second["caller"]["claims"]["iss"] == snek.APP_ID
    assert (third["body"], third["body_text"], third["status"]) == (None, "{", 400)
    assert fake.unexpected() == [third]
    for secret in (client.authorization.split()[1], app.authorization.split()[1]):
        assert secret not in str([first, second, third]) + fake.process.output()


# -- failing on purpose


def test_a_failure_comes_as_often_as_it_was_asked_for(fake, client):
    fake.fail("GET", f"{ORG}/memberships/", status=502, times=2, body="<html>Bad gateway</html>",
              headers={"Retry-After": "3"})
    assert client("GET", f"{ORG}/members/viper-vik").status == 204
    path = f"{ORG}/memberships/viper-vik"
    responses = [client("GET", path) for _ in range(3)]
    assert [response.status for response in responses] == [502, 502, 200]
    assert responses[0].headers["retry-after"] == "3"
    assert responses[0].body == b"<html>Bad gateway</html>"
    assert fake.unexpected() == []


def test_a_failure_stops_the_effect_unless_it_comes_after_it(fake, client):
    path = f"{ORG}/memberships/hatchling-hana"
    fake.fail("PUT", "*/memberships/*", status=500, body={"message": "Server Error"})
    assert client("PUT", path, {"role": "member"}).status == 500
    assert fake.member("hatchling-hana") is None
    fake.fail("PUT", "*/memberships/*", status=500, after=True)
    assert client("PUT", path, {"role": "member"}).status == 500
    assert fake.member("hatchling-hana")["state"] == "pending"


def test_a_dropped_request_gets_no_response(fake, client):
    fake.fail("POST", REPO, drop=True)
    fake.fail("POST", REPO, drop=True, after=True)
    for before in (0, 0):
        assert len(fake.bot_comments(12)) == before
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            client("POST", f"{REPO}/issues/12/comments", {"body": "x"})
    assert fake.bot_comments(12) == ["x"]
    dropped = fake.requests(method="POST", path=".*/comments")
    assert [(entry["status"], entry["dropped"]) for entry in dropped] == [(None, True)] * 2


def test_a_delay_holds_up_nobody_else(fake, client):
    fake.fail("PUT", ORG, delay_ms=60000, after=True)
    path = f"{ORG}/memberships/hatchling-hana"
    slow = []
    thread = threading.Thread(target=lambda: slow.append(client("PUT", path, {"role": "member"})))
    thread.start()
    snek.wait_until(lambda: fake.member("hatchling-hana"), "the effect")
    assert client("GET", path).status == 200
    assert not slow
    fake.release()
    thread.join()
    assert slow[0].status == 200


def test_a_delayed_response_comes_no_earlier(fake, client):
    fake.fail("PUT", ORG, delay_ms=400)
    start = time.monotonic()
    assert client("PUT", f"{ORG}/memberships/hatchling-hana", {"role": "member"}).status == 200
    assert time.monotonic() >= start + 0.4


def test_failures_can_be_taken_back(fake, client):
    fake.fail(path="/", status=503, times=-1)
    assert [client("GET", f"{ORG}/members/viper-vik").status for _ in range(3)] == [503] * 3
    fake.fail_no_more()
    assert client("GET", f"{ORG}/members/viper-vik").status == 204


@pytest.mark.parametrize(
    "rule", [{"status": 99}, {"times": 0}, {"delay_ms": -1}, {"sttus": 500}, {"path": 1},
             {"headers": {"a": 1}}, {"headers": []}])
def test_a_failure_that_makes_no_sense_is_rejected(fake, rule):
    response = snek.request("POST", f"{fake.url}/_fake/fail", rule)
    assert response.status == 422
    assert response.json["message"]


# -- state, settings, the program


def test_state_can_be_put_patched_and_read(fake, client):
    fake.patch_state({"organizations": [{"login": "sneks-united", "members": [
        {"login": "hatchling-hana", "state": "active"}, {"login": "viper-vik", "_remove": True}]}]})
    assert client("GET", f"{ORG}/members/hatchling-hana").status == 204
    assert client("GET", f"{ORG}/members/viper-vik").status == 404
    fake.put_state({"installations": [{"id": snek.INSTALLATION, "account": "sneks-united",
                                       "permissions": ALL}]})
    assert fake.state["organizations"] == []
    assert client("GET", f"{ORG}/members/hatchling-hana").status == 404


@pytest.mark.parametrize(
    "state",
    [{"organisations": []}, {"users": {}}, {"users": [{"id": 1}]},
     {"repositories": [{"full_name": "no-slash"}]}, {"settings": {"token_bytes": 10}},
     {"settings": {"auto_create": ["everything"]}},
     {"installations": [{"id": 1, "account": "a", "permissions": {"isues": "write"}}]},
     {"organizations": [{"login": "a", "members": [{"login": "b", "role": "owner"}]}]},
     {"organizations": [{"login": "a", "base_role": "owner"}]},
     {"repositories": [{"full_name": "a/b", "collaborators": [{"login": "c", "role": "keeper"}]}]},
     {"repositories": [{"full_name": "a/b", "collaborators": [
         {"login": "c", "role": "admin", "base": "read"}]}]},
     {"repositories": [{"full_name": "a/b", "teams": [{"slug": "c", "role": "read"}]}]},
     {"users": [{"login": "a"}, {"login": "A"}]}])
def test_a_state_that_makes_no_sense_is_rejected_and_changes_nothing(fake, state):
    before = fake.state
    response = snek.request("PUT", f"{fake.url}/_fake/state", state)
    assert response.status == 422
    assert response.json["message"]
    assert fake.state == before


def test_the_clock_can_be_skewed(fake, key, anyone):
    fake.settings(clock_skew_s=900)
    date = anyone("GET", "/nothing").headers["date"]
    seen = time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone
    assert abs(seen - time.time() - 900) < 5
    late = Client(fake, f"Bearer {snek.make_jwt(key)}")
    assert late("GET", "/app").status == 401
    right = Client(fake, f"Bearer {snek.make_jwt(key, issued_s=840, expires_s=960)}")
    assert right("GET", "/app").status == 200


def test_the_program_says_what_is_wrong_and_helps(key, tmp_path):
    tool = snek.program("snekomatic-test")

    def run(*arguments):
        return subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=20)

    assert run("--help").returncode == 0
    assert "--app-key" in run("fake-github", "--help").stdout
    assert run().returncode == 64
    assert run("fake-githob").returncode == 64
    got = run("fake-github", "--app-id", "1")
    assert got.returncode == 64 and "--app-id and --app-key belong together" in got.stderr
    assert run("fake-github", "--app-id", "x", "--app-key", key).returncode == 64
    bad = tmp_path / "bad.json"
    bad.write_text('{"users": [{"logn": "x"}]}')
    got = run("fake-github", "--app-id", "1", "--app-key", key, "--state", bad)
    assert got.returncode == 78 and "users[0]" in got.stderr
    got = run("fake-github", "--app-id", "1", "--app-key", bad)
    assert got.returncode == 78 and "not an RSA key" in got.stderr


def test_a_state_file_is_read_at_the_start(key):
    tool = snek.Process([snek.program("snekomatic-test"), "fake-github", "--app-id", 1,
                         "--app-key", key, "--state", snek.PAYLOADS / "github.json", "--quiet"],
                        snek.clean_environment())
    address = tool.wait_log(msg="listening")["address"]
    state = snek.request("GET", f"http://{address}/_fake/state").json
    snek.request("GET", f"http://{address}/app")
    assert state["repositories"][0]["full_name"] == "sneks-united/terrarium"
    assert tool.end() == 0
    assert len(tool.lines) == 1


# -- the library that the other tests stand on


def test_payloads_are_rewritten_and_changed():
    changed = snek.payload("pull_request.closed.merged",
                           {"pull_request.user.login": "x", "organization": ...})
    assert "organization" not in changed
    text = str(snek.rewrite(changed, "http://127.0.0.1:1"))
    assert "'login': 'x'" in text and "https://api.github.com" not in text
    assert "http://127.0.0.1:1/repos/sneks-united/terrarium/issues/21/comments" in text


def test_logfmt_is_parsed():
    line = r'time=1 level=info msg="two words" path=/a said="a \"b\"\n" empty="" n=3'
    assert snek.parse_logfmt(line) == {"time": "1", "level": "info", "msg": "two words",
                                       "path": "/a", "said": 'a "b"\n', "empty": "", "n": "3"}


def test_configurations_are_written_as_toml():
    tables = {"server": {"listen": "x", "n": 1, "on": True},
              "plugin": [{"path": "p", "config": {"text": 'a "\N{SNAKE}"\n', "list": ["b"]}}]}
    assert tomllib.loads(snek.to_toml(tables)) == tables


def test_issues_are_listed_by_who_opened_them_oldest_or_newest_first(client):
    def numbers(query):
        return [issue["number"] for issue in client("GET", f"{REPO}/issues?{query}").json]

    assert numbers("state=all&creator=hatchling-hana&direction=asc") == [12, 21, 22]
    assert numbers("creator=Hatchling-Hana") == [22, 12]
    assert numbers("state=closed") == [21]
    assert numbers("state=all&creator=nobody") == []
    page = client("GET", f"{REPO}/issues?state=all&per_page=2")
    assert [issue["number"] for issue in page.json] == [22, 21]
    assert "state=all&per_page=2&page=2" in page.headers["link"]
    assert "pull_request" in page.json[0]


def test_labels_come_and_go(client):
    path = f"{REPO}/issues/12/labels"
    names = lambda response: [label["name"] for label in response.json]
    assert names(client("POST", path, {"labels": ["bug", "heat"]})) == ["bug", "heat"]
    assert names(client("POST", path, {"labels": ["Bug"]})) == ["bug", "heat"]
    assert names(client("DELETE", f"{path}/bug")) == ["heat"]
    assert client("DELETE", f"{path}/bug").status == 404
    assert names(client("GET", path)) == ["heat"]
    assert client("GET", f"{REPO}/issues/12").json["labels"][0]["name"] == "heat"
    for wrong in ({}, {"labels": []}, {"labels": [1]}, {"labels": ["x" * 51]}, {"label": ["x"]}):
        assert client("POST", path, wrong).status == 422


def test_an_issue_is_closed_and_renamed(client):
    path = f"{REPO}/issues/12"
    changed = client("PATCH", path, {"state": "closed", "title": "Dark"}).json
    assert (changed["state"], changed["title"]) == ("closed", "Dark")
    assert client("PATCH", path, {"state": "gone"}).status == 422
    assert client("PATCH", path, {"title": 1}).status == 422


def test_a_delay_ends_when_it_is_released(fake, app):
    fake.fail(path="/app", delay_ms=60000)
    responses = []
    asking = threading.Thread(target=lambda: responses.append(app("GET", "/app").status))
    asking.start()
    snek.wait_until(lambda: fake.requests(path="/app"), "the request")
    fake.release()
    asking.join(snek.PATIENCE_S)
    assert responses == [200]


# -- the app's webhook


PING = {"zen": "Mind your words, they are important.", "hook_id": 48001}


def deliveries(app, query=""):
    return app("GET", f"/app/hook/deliveries{query}")


def test_a_delivery_is_sent_signed_and_logged(fake, app):
    seen = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers, body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fake.settings(webhook_url=f"http://127.0.0.1:{server.server_port}/hook", webhook_secret="shh")
    payload = {"action": "opened", "installation": {"id": 7}, "repository": {"id": 8}}
    entry = fake.deliver("issues", payload)
    headers, body = seen[0]
    assert json.loads(body) == payload
    assert headers["X-Hub-Signature-256"] == snek.signature(body, "shh")
    assert (headers["X-GitHub-Event"], headers["X-GitHub-Delivery"]) == ("issues", entry["guid"])
    [listed] = deliveries(app).json
    assert listed == entry
    assert {key: listed[key] for key in ("status", "status_code", "redelivery", "action",
                                         "installation_id", "repository_id", "throttled_at")} == {
        "status": "OK", "status_code": 202, "redelivery": False, "action": "opened",
        "installation_id": 7, "repository_id": 8, "throttled_at": None}
    again = app("POST", f"/app/hook/deliveries/{entry['id']}/attempts")
    assert (again.status, again.json) == (202, {})
    snek.wait_until(lambda: len(seen) == 2 and fake.deliveries()[1]["status"] != "pending",
                    fake.deliveries)
    assert seen[1][1] == body and seen[1][0]["X-GitHub-Delivery"] == entry["guid"]
    newest = deliveries(app).json[0]
    assert newest["redelivery"] and newest["guid"] == entry["guid"] and newest["id"] != entry["id"]
    shown = app("GET", f"/app/hook/deliveries/{entry['id']}").json
    assert shown["request"]["payload"] == payload
    server.shutdown()
    server.server_close()


def test_deliveries_come_in_pages_by_cursor_and_for_three_days(fake, app, client):
    ids = [fake.deliver("ping", PING, age_s=age)["id"] for age in (3 * 86400, 500, 400, 300)]
    first = deliveries(app, "?per_page=2")
    assert [entry["id"] for entry in first.json] == [ids[3], ids[2]]
    assert 'rel="next"' in first.headers["link"]
    url = first.headers["link"].split(">")[0][1:]
    assert url.startswith(fake.url)
    last = app("GET", url[len(fake.url):])
    assert [entry["id"] for entry in last.json] == [ids[1]]  # the first is too old
    assert "link" not in last.headers
    assert app("POST", f"/app/hook/deliveries/{ids[0]}/attempts").status == 404
    assert app("GET", "/app/hook/deliveries/1").status == 404
    for wrong in ("?per_page=101", "?per_page=0", "?cursor=v1_5", "?cursor=2", "?status=bad"):
        assert deliveries(app, wrong).status == 422
    assert [entry["status_code"] for entry in deliveries(app, "?status=failure").json] == [502] * 3
    assert deliveries(app, "?status=success").json == []
    assert client("GET", "/app/hook/deliveries").status == 401


def test_the_app_sees_its_installations_and_which_are_suspended(fake, app):
    one = app("GET", f"/app/installations/{snek.INSTALLATION}")
    assert (one.status, one.json["account"]["login"], one.json["suspended_at"]) == (
        200, "sneks-united", None)
    fake.patch_state({"installations": [{"id": snek.INSTALLATION, "suspended": True}]})
    assert app("GET", f"/app/installations/{snek.INSTALLATION}").json["suspended_at"]
    assert [entry["id"] for entry in app("GET", "/app/installations").json] == [snek.INSTALLATION]
    assert app("GET", "/app/installations/1").status == 404


def test_the_rate_limit_is_shown_to_everybody_and_costs_nothing(anyone, client):
    before = client("GET", "/rate_limit").json["resources"]["core"]["used"]
    assert client("GET", "/rate_limit").json["resources"]["core"]["used"] == before
    assert anyone("GET", "/rate_limit").status == 200


def test_a_user_is_found_by_login_and_so_is_the_apps_own_bot(client):
    assert client("GET", "/users/Hatchling-Hana").json["id"] == 90301
    assert client("GET", f"/users/{snek.APP_SLUG}%5Bbot%5D").json["type"] == "Bot"
    assert client("GET", "/users/nobody-at-all").status == 404


def test_an_archived_repository_is_read_only_and_a_deleted_issue_is_gone(fake, client):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", "archived": True}]})
    comments = f"{REPO}/issues/12/comments"
    assert client("GET", comments).status == 200
    assert client("POST", comments, {"body": "x"}).status == 403
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", "archived": False,
                                        "issues": [{"number": 12, "deleted": True}]}]})
    assert client("POST", comments, {"body": "x"}).status == 410


@pytest.mark.parametrize("like,status,words", [
    ("abuse_detection", 403, "abuse detection"), ("secondary_limit", 403, "secondary rate limit"),
    ("submitted_too_quickly", 422, "was submitted too quickly"), ("blocked", 422, "User is blocked"),
    ("suspended", 403, "suspended"), ("archived", 403, "archived"), ("locked", 403, "locked"),
    ("deleted", 410, "deleted"), ("proxy_404", 404, "<html>"), ("sign_in_page", 200, "Sign in")])
def test_a_failure_can_be_asked_for_by_name(fake, client, like, status, words):
    fake.fail("GET", f"{REPO}/issues/12", like=like)
    response = client("GET", f"{REPO}/issues/12")
    assert response.status == status and words in response.body.decode()
    html = response.headers["content-type"].startswith("text/html")
    assert html == (like in ("proxy_404", "sign_in_page"))


def test_a_failure_with_an_unknown_name_is_rejected(fake):
    response = snek.request("POST", f"{fake.url}/_fake/fail", {"like": "gremlins"})
    assert response.status == 422 and "gremlins" in response.json["message"]


def test_a_delivery_can_have_a_lower_id_than_an_earlier_one_and_no_payload(fake, app):
    fake.deliver("ping", {"zen": "x"}, unsent=True, id=2000)
    fake.deliver("ping", {"zen": "y"}, unsent=True, id=1000, no_payload=True)
    assert {entry["id"] for entry in app("GET", "/app/hook/deliveries").json} == {1000, 2000}
    assert app("GET", "/app/hook/deliveries/1000").json["request"]["payload"] is None
    assert app("GET", "/app/hook/deliveries/2000").json["request"]["payload"] == {"zen": "x"}
