# SPDX-License-Identifier: MIT OR Apache-2.0
"""Roles of commands through the real binaries and the fake GitHub: people, their permissions, what
GitHub answers about them, and what a person sees who is denied."""

import pytest

import snek

REPOSITORY = "sneks-united/terrarium"
PEOPLE = {"hatchling-hana": 90301, "python-petra": 90302, "viper-vik": 90303}
LEVEL = "/repos/sneks-united/terrarium/collaborators/{}/permission"
MEMBER = "/orgs/sneks-united/members/{}"


@pytest.fixture
def host(start_bot):
    return start_bot(plugins=["roles"], config={"dispatch": {"max_attempts": 3}})


def comment(words, by="hatchling-hana", on=12, author="hatchling-hana", **changes):
    """A comment by somebody on an issue of somebody."""
    payload = snek.payload("issue_comment.created", {
        "comment.body": words, "issue.number": on, "issue.user.login": author,
        "issue.user.id": PEOPLE.get(author, 1), **changes})
    for person in (payload["comment"]["user"], payload["sender"]):
        person.update(login=by, id=PEOPLE.get(by, 99))
    payload["comment"]["author_association"] = "CONTRIBUTOR"
    return payload


def give(host, words, by="hatchling-hana", result="done", **more):
    """Delivers it and waits for the result; the line of the log."""
    delivery = host.deliver("issue_comment", comment(words, by, **more))
    return host.wait_log(msg=result, delivery=delivery)


def patch(fake, **repository):
    fake.patch_state({"repositories": [{"full_name": REPOSITORY, **repository}]})


def hurry(host, delivery):
    """The same GUID again makes a run that waits for its retry due now."""
    host.wait_log(msg="retry", delivery=delivery)
    assert host.post("issue_comment", comment("/x"), delivery=delivery).status == 200


def collaborator(fake, login, role, **more):
    patch(fake, collaborators=[{"login": login, "role": role, **more}])


def said(fake):
    """The texts and reactions that the bot has written."""
    posted = [r["body"] for r in fake.api_requests() if r["method"] == "POST"]
    return [snek.visible(body)["body"] if "body" in body else body["content"] for body in posted]


def warnings(host):
    """The warnings that the worker has logged."""
    return [line["text"] for line in host.log(msg="plugin", level="warning")]


def reads(fake):
    return [(r["path"], r["status"]) for r in fake.api_requests() if r["method"] == "GET"]


LEVELS = ["triage", "write", "maintain", "admin"]


@pytest.mark.parametrize("role", ["read", *LEVELS])
def test_a_level_includes_the_lower_ones_and_one_comment_asks_once(fake, host, role):
    collaborator(fake, "hatchling-hana", role)
    give(host, "\n".join(f"/{level}" for level in LEVELS),
         result="skipped" if role == "read" else "done")
    allowed = LEVELS[:LEVELS.index(role) + 1] if role in LEVELS else []
    assert said(fake) == [f"/{level} is allowed" for level in allowed]
    assert reads(fake) == [(LEVEL.format("hatchling-hana"), 200)]


@pytest.mark.parametrize("base,allowed", [("read", 0), ("triage", 1), ("write", 2),
                                          ("maintain", 3), ("admin", 4)])
def test_a_custom_role_counts_like_the_role_it_is_based_on(fake, host, base, allowed):
    collaborator(fake, "hatchling-hana", "snake-keeper", base=base)
    give(host, "\n".join(f"/{level}" for level in LEVELS), result="done" if allowed else "skipped")
    assert said(fake) == [f"/{level} is allowed" for level in LEVELS[:allowed]]


def test_a_teams_permission_counts(fake, host):
    patch(fake, teams=[{"slug": "keepers", "role": "maintain", "members": ["hatchling-hana"]}])
    give(host, "/maintain")
    assert said(fake) == ["/maintain is allowed"]


SHAPES = {  # the body of a 200, and the highest level that it stands for
    "every flag": ({"permission": "read", "role_name": "read", "user": {"permissions": {
        "pull": True, "triage": True, "push": True, "maintain": False, "admin": False}}}, "write"),
    "flags win over the texts": ({"permission": "admin", "role_name": "admin", "user": {
        "permissions": {"pull": True, "triage": True, "push": False, "maintain": False,
                        "admin": False}}}, "triage"),
    "flags of an old server": ({"permission": "write", "user": {"permissions": {
        "pull": True, "push": True, "admin": False}}}, "write"),
    "an old server's maintainer": ({"permission": "write", "role_name": "maintain", "user": {
        "permissions": {"pull": True, "push": True, "admin": False}}}, "maintain"),
    "no flags": ({"permission": "admin", "role_name": "admin", "user": {}}, "admin"),
    "no user": ({"permission": "write", "role_name": "write", "user": None}, "write"),
    "only a triager's role": ({"permission": "read", "role_name": "triage"}, "triage"),
    "a custom role that sounds like one": ({"permission": "read", "role_name": "admin"}, None),
    "none": ({"permission": "none", "role_name": "none"}, None),
    "another account has the login now": ({"permission": "admin", "user": {"id": 7, "permissions": {
        "admin": True}}}, None),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_githubs_200_is_understood(fake, host, shape):
    body, highest = SHAPES[shape]
    fake.fail(path=LEVEL.format("hatchling-hana"), status=200, body=body)
    give(host, "\n".join(f"/{level}" for level in LEVELS), result="done" if highest else "skipped")
    allowed = LEVELS[:LEVELS.index(highest) + 1] if highest else []
    assert said(fake) == [f"/{level} is allowed" for level in allowed]


def test_a_200_that_answers_nothing_is_retried(fake, host):
    fake.fail(path=LEVEL.format("hatchling-hana"), status=200, body={"hello": 1})
    line = give(host, "/triage", result="retry")
    assert "neither `user.permissions` nor `permission`" in line["reason"]


def test_a_404_denies_without_a_word_of_warning(fake, host):
    line = give(host, "/triage\n/member", by="somebody-else", result="skipped")
    assert line["reason"] == "somebody-else may not use /member"
    assert [status for _, status in reads(fake)] == [404, 404]
    assert said(fake) == ["This is for members."]
    assert warnings(host) == []


@pytest.mark.parametrize("words,path", [("/triage", LEVEL), ("/member", MEMBER)])
def test_a_403_denies_and_names_the_missing_permission(fake, host, words, path):
    fake.fail(path=path.format("viper-vik"), status=403,
              headers={"X-Accepted-GitHub-Permissions": "members=read"},
              body={"message": "Resource not accessible by integration"})
    collaborator(fake, "viper-vik", "admin")
    give(host, words, by="viper-vik", result="skipped")
    assert "viper-vik is allowed" not in " ".join(said(fake))
    [line] = warnings(host)
    assert "does not let this app know" in line and "it needs members=read" in line


def test_a_token_that_may_not_see_the_members_gets_403(fake, host):
    """The fake's own check, without a failure that a test asks for."""
    state = fake.state
    state["installations"][0]["permissions"] = {"issues": "write", "pull_requests": "write"}
    fake.put_state(state)
    delivery = host.deliver("issue_comment", comment("/member", by="viper-vik"))
    host.wait_log(msg="parked", delivery=delivery)


def test_a_302_for_a_membership_is_not_followed_and_denies(fake, host):
    fake.patch_state({"organizations": [{"login": "sneks-united", "members": [
        {"login": "viper-vik", "public": True}]}]})
    fake.fail(path=MEMBER.format("viper-vik"), status=302, body="",
              headers={"Location": f"{fake.url}/orgs/sneks-united/public_members/viper-vik"})
    give(host, "/member", by="viper-vik", result="skipped")
    assert reads(fake) == [(MEMBER.format("viper-vik"), 302)]
    assert said(fake) == ["This is for members."]
    assert "does not let this app know the membership of viper-vik" in warnings(host)[0]


@pytest.mark.parametrize("words,path", [("/triage", LEVEL), ("/member", MEMBER)])
def test_a_failure_of_github_is_retried_and_then_decided(fake, host, words, path):
    collaborator(fake, "viper-vik", "triage")
    fake.fail(path=path.format("viper-vik"), status=500, times=4)
    delivery = host.deliver("issue_comment", comment(words, by="viper-vik"))
    host.wait_log(msg="retry", delivery=delivery)
    assert said(fake) == []
    fake.fail_no_more()
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert said(fake) == [f"{words} is allowed"]


def test_a_rate_limit_sends_the_run_back_and_costs_no_attempt(fake, host):
    collaborator(fake, "viper-vik", "triage")
    fake.fail(path=LEVEL.format("viper-vik"), status=403, headers={"Retry-After": "60"},
              body={"message": "You have exceeded a secondary rate limit"})
    delivery = host.deliver("issue_comment", comment("/triage", by="viper-vik"))
    line = host.wait_log(msg="requeued", delivery=delivery)
    assert line["attempt"] == "1" and said(fake) == []


def test_a_private_member_shows_as_contributor_and_is_accepted(fake, host):
    give(host, "/member", by="viper-vik")
    assert reads(fake) == [(MEMBER.format("viper-vik"), 204)]
    assert said(fake) == ["/member is allowed"]


def test_the_author_of_the_item_needs_no_request(fake, host):
    give(host, "/author", by="hatchling-hana", author="hatchling-hana")
    assert reads(fake) == [] and said(fake) == ["/author is allowed"]


def test_an_author_is_known_by_id_and_not_by_login(fake, host):
    """Renamed between the issue and the comment; and another account with the old login."""
    payload = comment("/author", by="renamed-hana", author="hatchling-hana")
    payload["comment"]["user"]["id"] = PEOPLE["hatchling-hana"]
    host.wait_log(msg="done", delivery=host.deliver("issue_comment", payload))
    payload = comment("/author", by="hatchling-hana", author="hatchling-hana")
    payload["comment"]["user"]["id"] = 4711
    host.wait_log(msg="skipped", delivery=host.deliver("issue_comment", payload))
    assert said(fake) == ["/author is allowed", "-1"]


def test_a_login_in_the_text_is_a_text(fake, host):
    give(host, "@python-petra says:\n\n/admin @python-petra\n\n/mixed python-petra",
         by="somebody-else", result="skipped")
    assert {path for path, _ in reads(fake)} == {LEVEL.format("somebody-else"),
                                                 MEMBER.format("somebody-else")}
    assert said(fake) == ["This is not for you."]


def test_a_bot_has_no_permission_but_may_use_commands_for_anybody(fake, host):
    fake.patch_state({"users": [{"login": "dependabot[bot]", "id": 99, "type": "Bot"}]})
    give(host, "/triage\n/anybody", by="dependabot[bot]")
    # The first event of any bot makes the host ask who itself is.
    assert reads(fake) == [("/users/sneks-bot%5Bbot%5D", 200),
                           (LEVEL.format("dependabot%5Bbot%5D"), 404)]
    assert said(fake) == ["/anybody is allowed"]


def test_a_renamed_user_is_looked_up_by_the_login_of_the_payload(fake, host):
    """GitHub does not know the old login any more: that is a 404. Nobody else gets the permission."""
    state = fake.state
    for user in state["users"]:
        user["login"] = user["login"].replace("viper-vik", "adder-vik")
    state["organizations"][0]["members"][1]["login"] = "adder-vik"
    fake.put_state(state)
    give(host, "/triage\n/member", by="viper-vik", result="skipped")
    assert [status for _, status in reads(fake)] == [404, 404]


def test_a_renamed_repository_is_followed(fake, host):
    collaborator(fake, "viper-vik", "admin")
    patch(fake, former_names=[REPOSITORY.replace("terrarium", "vivarium")])
    payload = comment("/admin", by="viper-vik", **{"repository.name": "vivarium"})
    host.wait_log(msg="done", delivery=host.deliver("issue_comment", payload))
    assert reads(fake) == [(LEVEL.format("viper-vik").replace("terrarium", "vivarium"), 301),
                           ("/repositories/80201/collaborators/viper-vik/permission", 200)]


def test_a_transferred_issue_asks_nothing(fake, host):
    payload = snek.payload("issues.opened", {"issue.body": "/admin"})
    payload["changes"] = {"old_issue": {"number": 7}}
    host.wait_log(msg="skipped", delivery=host.deliver("issues", payload))
    assert fake.api_requests() == []


def test_a_denial_is_sent_once_an_hour_per_person_and_item_also_after_a_restart(fake, host):
    """The hour itself is in tests/worker/roles.c."""
    give(host, "/mixed\n/member\n/mixed", by="somebody-else", result="skipped")
    assert said(fake) == ["This is not for you."]
    host.stop()
    host.start()
    give(host, "/mixed", by="somebody-else", result="skipped")
    assert said(fake) == ["This is not for you."]
    payload = comment("/puzzled", by="somebody-else", on=21)
    host.wait_log(msg="skipped", delivery=host.deliver("issue_comment", payload))
    assert said(fake) == ["This is not for you.", "confused"]
    payload = comment("/mixed", by="another")
    for person in (payload["comment"]["user"], payload["sender"]):
        person["id"] = 100
    host.wait_log(msg="skipped", delivery=host.deliver("issue_comment", payload))
    assert said(fake) == ["This is not for you.", "confused", "This is not for you."]


def test_a_silent_denial_stores_and_sends_nothing(fake, host):
    give(host, "/write", result="skipped")
    give(host, "/member", result="skipped")
    assert said(fake) == ["This is for members."]


@pytest.mark.parametrize("ring", ["worker", "host"])
def test_a_retry_replays_the_decision_that_an_effect_followed(fake, host, ring):
    """Between the crash and the retry the person loses the permission."""
    collaborator(fake, "viper-vik", "admin")
    path = f"/repos/{REPOSITORY}/issues/12/comments"
    fake.fail(method="POST", path=path, after=True, delay_ms=60000)
    delivery = host.deliver("issue_comment", comment("/admin", by="viper-vik"))
    fake.wait_requests(method="GET")
    snek.wait_until(lambda: [r for r in fake.requests(method="POST", path=path)], lambda: "no POST")
    host.kill(ring)
    fake.release()
    patch(fake, collaborators=[{"login": "viper-vik", "_remove": True}])
    if ring == "worker":
        hurry(host, delivery)
    line = host.wait_log(msg="done", delivery=delivery, timeout=200 + snek.PATIENCE_S)
    assert line["attempt"] in ("1", "2")
    assert said(fake) == ["/admin is allowed"]
    assert [entry for entry in reads(fake) if "collaborators" in entry[0]] == [
        (LEVEL.format("viper-vik"), 200)]


def test_a_denial_is_not_sent_twice_after_a_crash(fake, host):
    path = f"/repos/{REPOSITORY}/issues/12/comments"
    fake.fail(method="POST", path=path, after=True, delay_ms=60000)
    delivery = host.deliver("issue_comment", comment("/member", by="somebody-else"))
    snek.wait_until(lambda: fake.requests(method="POST", path=path), lambda: "no POST")
    host.kill("worker")
    fake.release()
    hurry(host, delivery)
    host.wait_log(msg="skipped", delivery=delivery)
    assert said(fake) == ["This is for members."]


@pytest.mark.parametrize("login,roles,answer", [
    ("hatchling-hana", 1, "11"), ("python-petra", 1, "00"), ("PYTHON-petra", 16, "11"),
    ("viper-vik", 32, "11"), ("nobody-knows", 32, "00"), ("nobody-knows", 0, "11"),
    ("viper-vik", 2 | 32, "11"), ("viper-vik", 30, "00")])
def test_a_handler_may_ask_about_anybody(fake, host, login, roles, answer):
    give(host, f"/ask {login} {roles}", author="hatchling-hana")
    assert said(fake) == [f"{login}: {answer}"]
    paths = [path for path, _ in reads(fake)]
    assert len(paths) == len(set(paths)) <= 2


def test_an_unknown_role_is_the_plugins_error(host):
    assert "no enum snek_role_flag" in give(host, "/ask viper-vik 64", result="retry")["reason"]


def test_a_command_in_a_discussion_is_answered_there(fake, start_bot):
    installation = {"id": snek.INSTALLATION, "permissions": {"discussions": "write"}}
    fake.patch_state({"installations": [installation], "graphql": [
        {"contains": "addDiscussionComment", "data": {}}, {"contains": "addReaction", "data": {}}]})
    host = start_bot(plugins=["roles-discussions"])
    payload = snek.payload("discussion.created", {"discussion.body": "/author\n\n/member"})
    host.wait_log(msg="done", delivery=host.deliver("discussion", payload))
    payload = snek.payload("discussion_comment.created", {"comment.body": "/author"})
    host.wait_log(msg="skipped", delivery=host.deliver("discussion_comment", payload))
    asked = [r["body"]["variables"] for r in fake.requests(path="/graphql")]
    discussion = payload["discussion"]["node_id"]
    assert asked == [
        {"discussion": discussion, "body": "/author is allowed", "parent": None},
        {"discussion": discussion, "body": "This is for members.", "parent": None},
        {"subject": payload["comment"]["node_id"], "content": "THUMBS_DOWN"}]
