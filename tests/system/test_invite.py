# SPDX-License-Identifier: MIT OR Apache-2.0
"""plugins/invite through the real binaries: original.md, "Invite", in its order."""

import pytest

import snek


@pytest.fixture
def merged():
    return snek.payload("pull_request.closed.merged")


def facts(payload):
    return payload["organization"]["login"], payload["pull_request"]["user"]["login"]


def test_a_first_merge_brings_an_invitation_and_a_welcome_in_that_order(fake, start_bot, merged):
    org, user = facts(merged)
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged)
    host.wait_log(msg="done", delivery=delivery, plugin="invite")
    calls = [(r["method"], r["path"], r["status"]) for r in fake.api_requests()]
    path = f"/orgs/{org}/memberships/{user}"
    comments = snek.path_of(merged["pull_request"]["comments_url"])
    assert calls == [("GET", path, 404), ("PUT", path, 200), ("POST", comments, 201)]
    put, post = fake.api_requests()[1:]
    assert put["body"] == {"role": "member"}
    text = post["body"]["body"]
    assert f"@{user}" in text
    assert fake.member(user)["state"] == "pending"


def test_the_second_merge_of_the_same_person_makes_no_request(fake, start_bot, merged):
    host = start_bot(plugins=["invite"])
    host.wait_log(msg="done", delivery=host.deliver("pull_request", merged))
    fake.forget_requests()
    host.wait_log(msg="skipped", delivery=host.deliver("pull_request", merged))
    assert fake.requests() == []


@pytest.mark.parametrize("state", ["active", "pending"])
def test_somebody_who_is_a_member_or_invited_is_recorded_and_left_alone(fake, start_bot, merged, state):
    organization, user = facts(merged)
    known = fake.state
    known["organizations"][0]["members"].append({"login": user, "state": state})
    fake.put_state(known)
    assert known["organizations"][0]["login"] == organization
    host = start_bot(plugins=["invite"])
    host.wait_log(msg="skipped", delivery=host.deliver("pull_request", merged))
    assert [r["method"] for r in fake.api_requests()] == ["GET"]
    fake.forget_requests()
    host.wait_log(msg="skipped", delivery=host.deliver("pull_request", merged))
    assert fake.requests() == []


def change(payload, path, value):
    return snek.changed(payload, {path: value})


@pytest.mark.parametrize("path,value", [
    ("pull_request.merged", False),
    ("pull_request.user.type", "Bot"),
    ("pull_request.user.type", "bot"),
    ("pull_request.user.type", "BOT"),
    ("pull_request.user", None),
    ("organization", ...),
])
def test_what_is_no_first_merge_into_an_organization_makes_no_request(fake, start_bot, merged, path, value):
    host = start_bot(plugins=["invite"])
    host.wait_log(msg="skipped", delivery=host.deliver("pull_request", change(merged, path, value)))
    assert fake.requests() == []


@pytest.mark.parametrize("action", ["opened", "reopened", "edited", "synchronize"])
def test_only_closed_is_subscribed_to(fake, start_bot, merged, action):
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", change(merged, "action", action))
    assert host.wait_log(msg="stored", delivery=delivery)["runs"] == "0"
    assert fake.requests() == []


def test_an_error_of_the_membership_endpoint_is_retried_and_nobody_is_invited(fake, start_bot, merged):
    org, user = facts(merged)
    fake.fail(method="GET", path=f"/orgs/{org}/memberships/{user}", status=500, times=4)
    host = start_bot(plugins=["invite"])
    line = host.wait_log(msg="retry", delivery=host.deliver("pull_request", merged))
    assert "500" in line["reason"]
    assert 5000 <= int(line["again_ms"]) <= 6000
    assert [r["method"] for r in fake.api_requests()] == ["GET"] * 4  # the broker's own patience
    host.wait_log(msg="done", delivery=line["delivery"], timeout=15)
    assert [r["method"] for r in fake.api_requests()] == ["GET"] * 5 + ["PUT", "POST"]


def test_a_failed_welcome_is_retried_without_a_second_invitation(fake, start_bot, merged):
    comments = snek.path_of(merged["pull_request"]["comments_url"])
    fake.fail(method="POST", path=comments, status=502, times=1)
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged)
    host.wait_log(msg="retry", delivery=delivery)
    # The record was made before the welcome, so the retry finds it: strictly original.md's order.
    host.wait_log(msg="skipped", delivery=delivery, timeout=15)
    assert [r["method"] for r in fake.api_requests()].count("PUT") == 1


def test_the_record_is_by_organization_and_user_id_not_by_login(fake, start_bot, merged):
    host = start_bot(plugins=["invite"])
    host.wait_log(msg="done", delivery=host.deliver("pull_request", merged))
    fake.forget_requests()
    renamed = change(merged, "pull_request.user.login", "renamed-since")
    host.wait_log(msg="skipped", delivery=host.deliver("pull_request", renamed))
    assert fake.requests() == []


def test_a_token_is_asked_for_with_the_declared_permissions_only(fake, start_bot, merged):
    host = start_bot(plugins=["invite"])
    host.wait_log(msg="done", delivery=host.deliver("pull_request", merged))
    mints = fake.requests(path="/app/.*/access_tokens")
    assert len(mints) == 1
    assert set(mints[0]["body"]) == {"permissions"}
    assert mints[0]["body"]["permissions"]["members"] == "write"
    assert "administration" not in mints[0]["body"]["permissions"]


def test_an_installation_that_is_gone_is_final(fake, start_bot, merged):
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", change(merged, "installation.id", 777))
    line = host.wait_log(msg=("dead", "retry"), delivery=delivery)
    assert line["msg"] == "dead"
    assert "777" in line["reason"] and "not installed" in line["reason"]


def test_a_permission_that_was_not_granted_is_named(fake, start_bot, merged):
    known = fake.state
    known["installations"][0]["permissions"] = {"metadata": "read", "issues": "write"}
    fake.put_state(known)
    host = start_bot(plugins=["invite"])
    line = host.wait_log(msg="retry", delivery=host.deliver("pull_request", merged))
    assert "members" in line["reason"] and "invite" in line["reason"]
    assert fake.api_requests() == []
