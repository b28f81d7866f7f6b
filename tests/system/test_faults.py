# SPDX-License-Identifier: MIT OR Apache-2.0
"""GitHub's bad days, through the real binaries: each ends with the one effect that was wanted."""

import pytest

import snek

MEMBER = "hatchling-hana"
MEMBERSHIP = f"/orgs/sneks-united/memberships/{MEMBER}"
COMMENTS = "/repos/sneks-united/terrarium/issues/12/comments"
TOKENS = f"/app/installations/{snek.INSTALLATION}/access_tokens"


@pytest.fixture
def host(start_bot):
    return start_bot(plugins=["effects"])


def welcome(host):
    return host.deliver("effects", {"action": "welcome", "installation": {"id": snek.INSTALLATION},
                                    "text": "Welcome!", "member": MEMBER})


def welcomed_once(fake):
    return fake.member(MEMBER)["state"] == "pending" and len(fake.bot_comments(12)) == 1


@pytest.mark.parametrize("offs_s", [600, -600])
def test_a_clock_that_is_ten_minutes_off_is_corrected_for(fake, start_bot, offs_s):
    fake.settings(clock_skew_s=offs_s)
    host = start_bot(plugins=["effects"])
    delivery = welcome(host)
    host.wait_log(msg="done", delivery=delivery)
    assert host.log(msg="retry") == []
    assert welcomed_once(fake)


def test_a_token_that_expires_in_the_middle_of_a_run_is_renewed(fake, start_bot):
    fake.fail(method="GET", path=MEMBERSHIP, delay_ms=60000)  # holds the run between two requests
    host = start_bot(plugins=["effects"])
    delivery = welcome(host)
    fake.wait_arrived(method="GET", path=MEMBERSHIP)
    fake.expire_tokens()
    fake.release()
    host.wait_log(msg="done", delivery=delivery)
    assert len(fake.requests(method="POST", path=TOKENS)) >= 2
    assert welcomed_once(fake)


@pytest.mark.parametrize("method,path", [("GET", MEMBERSHIP), ("PUT", MEMBERSHIP),
                                         ("POST", COMMENTS)])
def test_a_401_just_after_minting_is_waited_out(fake, host, method, path):
    fake.fail(method=method, path=path, status=401, body={"message": "Bad credentials"}, times=2)
    delivery = welcome(host)
    host.wait_log(msg="done", delivery=delivery)
    assert host.log(msg="retry") == []
    assert welcomed_once(fake)


LIMITS = {
    "403 secondary with Retry-After": (403, {"Retry-After": "1"}, "secondary rate limit"),
    "429 secondary with Retry-After": (429, {"Retry-After": "1"}, "secondary rate limit"),
    "403 primary": (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"},
                    "API rate limit exceeded"),
}


@pytest.mark.parametrize("kind", LIMITS)
@pytest.mark.parametrize("method,path", [("PUT", MEMBERSHIP), ("POST", COMMENTS)])
def test_a_limit_is_waited_for_and_nothing_is_made_twice(fake, host, kind, method, path):
    status, headers, message = LIMITS[kind]
    fake.fail(method=method, path=path, status=status, headers=headers,
              body={"message": f"You have exceeded a {message}."}, times=1)
    delivery = welcome(host)
    host.wait_log(msg="rate_limited")
    host.wait_log(msg="done", delivery=delivery)
    assert host.log(msg="retry") == []
    assert welcomed_once(fake)


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_limit_without_a_time_sends_the_run_back_without_an_attempt(fake, host, status):
    fake.fail(method="PUT", path=MEMBERSHIP, status=status,
              body={"message": "You have exceeded a secondary rate limit."}, times=1)
    delivery = welcome(host)
    line = host.wait_log(msg="requeued", delivery=delivery)
    assert 55000 <= int(line["again_ms"]) <= 70000
    assert line["attempt"] == "1"
    assert fake.member(MEMBER) is None


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_read_that_fails_in_passing_is_repeated_within_the_run(fake, host, status):
    fake.fail(method="GET", path=MEMBERSHIP, status=status, times=1)
    delivery = welcome(host)
    host.wait_log(msg="done", delivery=delivery)
    assert host.log(msg="retry") == []
    assert welcomed_once(fake)


def test_a_limit_on_tokens_costs_no_attempt_and_is_not_asked_through(fake, host):
    fake.fail(method="POST", path=TOKENS, status=429, headers={"Retry-After": "60"},
              body={"message": "You have exceeded a secondary rate limit."}, times=-1)
    first, *_ = [welcome(host) for _ in range(5)]
    line = host.wait_log(msg="requeued", delivery=first)
    assert line["attempt"] == "1" and 50000 <= int(line["again_ms"]) <= 70000
    # The others come back likewise, or are not begun: they wait in the inbox.
    assert host.log(msg="retry") == []
    assert len(fake.requests(method="POST", path=TOKENS)) == 1
