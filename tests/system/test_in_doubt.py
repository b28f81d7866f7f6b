# SPDX-License-Identifier: MIT OR Apache-2.0
"""Promise 2 where a response was lost: the effect is in doubt, and looked for or repeated."""

import contextlib
import signal
import sqlite3

import pytest

import snek
from effect_steps import MEMBER, PATHS, comments, effect, host, hurry, lose, rename_issue


def test_reads_before_an_effect_in_doubt_are_replayed(fake, host):
    rename_issue(fake, "old")
    lose(fake, "POST", PATHS["comment"])
    delivery = host.deliver("effects", effect("quote_title"))
    host.wait_log(msg="retry", delivery=delivery)
    rename_issue(fake, "new")
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    [text] = comments(fake)
    assert snek.visible({"body": text}) == {"body": "old"}
    assert not host.log(msg="reads_anew", delivery=delivery)


@pytest.mark.parametrize("how", [{"drop": True}, {"status": 502}, {"status": 500}])
def test_a_comment_whose_response_was_lost_is_found_and_not_written_again(fake, host, how):
    fake.fail(method="POST", path=PATHS["comment"], after=True, times=1, **how)
    delivery = host.deliver("effects", effect("comment"))
    hurry(host, delivery)
    host.wait_log(msg="comment_found", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert len(comments(fake)) == 1


@pytest.mark.parametrize("skew_s", [-3500, 3500])
def test_a_lost_comment_is_found_though_the_clock_is_almost_an_hour_off(fake, host, skew_s):
    fake.settings(clock_skew_s=skew_s)
    lose(fake, "POST", PATHS["comment"])
    delivery = host.deliver("effects", effect("comment"))
    hurry(host, delivery)
    host.wait_log(msg="comment_found", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert len(comments(fake)) == 1


def test_a_rejected_repetition_does_not_end_the_doubt(fake, host):
    """The list lags for long, so the comment is sent once more. GitHub's response to that does not say
    what became of the first one."""
    lose(fake, "POST", PATHS["comment"])
    delivery = host.deliver("effects", effect("quote_title"))
    host.wait_log(msg="retry", delivery=delivery, attempt=1)
    fake.fail(method="GET", path=PATHS["comment"], status=200, body=[], times=-1)
    fake.fail(method="POST", path=PATHS["comment"], status=403, times=1)
    rename_issue(fake, "other")  # and what led to it is not read anew
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="retry", delivery=delivery, attempt=2)
    fake.fail_no_more()
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="comment_found", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert len(comments(fake)) == 1


def test_a_comment_that_never_arrived_is_written_once(fake, host):
    fake.fail(method="POST", path=PATHS["comment"], drop=True, times=1)
    delivery = host.deliver("effects", effect("comment"))
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert len(comments(fake)) == 1


def test_a_handler_that_tries_again_by_itself_writes_no_second_comment(fake, host):
    lose(fake, "POST", PATHS["comment"])
    host.wait_log(msg="done", delivery=host.deliver("effects", effect("comment_again")))
    assert len(comments(fake)) == 1


@pytest.mark.parametrize("page", [
    {"status": 200, "body": {"message": "here is no list"}},
    {"status": 200, "body": "a page of a proxy"},
    {"status": 200, "body": [1, 2]},
    {"status": 403}])
def test_a_search_that_cannot_tell_leaves_the_comment_in_doubt(fake, host, page):
    lose(fake, "POST", PATHS["comment"])
    delivery = host.deliver("effects", effect("comment"))
    host.wait_log(msg="retry", delivery=delivery, attempt=1)
    fake.fail(method="GET", path=PATHS["comment"], times=1, **page)
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    line = host.wait_log(msg="retry", delivery=delivery, attempt=2)
    assert "an earlier attempt may have written" in line["reason"], line
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="comment_found", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert len(comments(fake)) == 1


@pytest.mark.parametrize("action", ["comment", "delete_and_comment"])
def test_a_comment_that_a_dead_host_was_writing_is_looked_for_once_it_must_be_there(fake, host,
                                                                                    action):
    """GitHub is slow to carry out the request, and the host is killed meanwhile. The retry first
    makes the DELETE anew, which found nothing."""
    fake.fail(method="POST", path=PATHS["comment"], delay_ms=6000, times=1)
    delivery = host.deliver("effects", effect(action))
    snek.wait_until(lambda: fake.requests(method="POST", path=PATHS["comment"]), "the request")
    host.kill("host", signal.SIGKILL)
    host.wait_log(msg="requeued", delivery=delivery, timeout=20)
    host.wait_log(msg="comment_found", delivery=delivery, timeout=40)
    host.wait_log(msg="done", delivery=delivery)
    assert len(comments(fake)) == 1


@contextlib.contextmanager
def stalled_store(fake, host):
    """A comment of the action `named_twice`, whose response the host gets while its store stalls.
    The handler gets it too, and again for its second request of that name."""
    fake.fail(method="POST", path=PATHS["comment"], delay_ms=60000, times=1)
    delivery = host.deliver("effects", effect("named_twice"))
    fake.wait_arrived(method="POST", path=PATHS["comment"])
    store = sqlite3.connect(host.folder / "snekomatic.db", timeout=10, isolation_level=None)
    with contextlib.closing(store):
        store.execute("BEGIN IMMEDIATE")
        fake.release()
        host.wait_log(delivery=delivery, text="the same id")
        assert store.execute("SELECT state FROM journal").fetchall() == [("intended",)]
        yield delivery


def recorded(host):
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db", timeout=10)) as store:
        return store.execute("SELECT state, status FROM journal").fetchall()


def test_a_handler_gets_its_response_before_it_is_stored_and_its_run_ends_after_that(fake, host):
    with stalled_store(fake, host) as delivery:
        assert not host.log(msg="done", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert recorded(host) == [("completed", 201)]
    assert len(comments(fake)) == 1


def test_a_comment_that_a_dead_host_had_not_stored_yet_is_found(fake, host):
    with stalled_store(fake, host) as delivery:
        host.kill("host", signal.SIGKILL)
    before = host.mark()
    host.wait_log(msg="comment_found", delivery=delivery, timeout=45)
    host.wait_log(msg="done", delivery=delivery, after=before)
    assert recorded(host) == [("completed", 201)]
    assert len(comments(fake)) == 1


def test_a_run_ends_only_when_its_response_is_stored(fake, host):
    """The store fails for both operations, because it stalls for too long."""
    with stalled_store(fake, host) as delivery:
        host.wait_log(msg="response_not_recorded", delivery=delivery)
        host.wait_log(msg="completion_failed", delivery=delivery)
        assert not host.log(msg="done", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert recorded(host) == [("completed", 201)]
    assert len(comments(fake)) == 1
    assert host.log(msg="started", delivery=delivery)[1:] == [], "there is one attempt"


def test_a_put_in_doubt_is_repeated(fake, host):
    lose(fake, "PUT", PATHS["PUT"])
    delivery = host.deliver("effects", effect("welcome"))
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert [r["method"] for r in fake.api_requests()] == ["GET", "PUT", "PUT", "POST"]
    assert fake.member(MEMBER)["state"] == "pending" and len(comments(fake)) == 1


def test_a_404_to_a_delete_in_doubt_is_success(fake, host):
    host.wait_log(msg="done", delivery=host.deliver("effects", effect("welcome")))
    lose(fake, "DELETE", PATHS["PUT"])
    delivery = host.deliver("effects", effect("delete"))
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert fake.requests(method="DELETE")[-1]["status"] == 404
    assert fake.member(MEMBER) is None


def test_a_page_of_a_proxy_is_no_success_of_a_delete_in_doubt(fake, host):
    host.wait_log(msg="done", delivery=host.deliver("effects", effect("welcome")))
    fake.fail(method="DELETE", path=PATHS["PUT"], drop=True, times=1)  # it never arrives
    fake.fail(method="DELETE", path=PATHS["PUT"], status=404, body="<html>Not found</html>", times=1)
    delivery = host.deliver("effects", effect("delete"))
    hurry(host, delivery)
    before = host.mark()
    assert "github.api_url" in host.wait_log(msg="retry", delivery=delivery, attempt=2)["reason"]
    assert fake.member(MEMBER) is not None
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="done", delivery=delivery, after=before)
    assert fake.member(MEMBER) is None


def test_a_404_to_a_delete_that_is_not_in_doubt_is_an_error(host):
    delivery = host.deliver("effects", effect("delete"))
    assert "404" in host.wait_log(msg="retry", delivery=delivery)["reason"]


def test_any_other_post_in_doubt_fails_by_name_and_is_not_repeated(fake, host):
    lose(fake, "POST", PATHS["react"])
    delivery = host.deliver("effects", effect("react"))
    before = host.mark()
    hurry(host, delivery)
    host.wait_log(msg="in_doubt_again", delivery=delivery, after=before)
    line = host.wait_log(msg="retry", delivery=delivery, attempt=2, after=before)
    assert "may have sent this request already" in line["reason"]
    assert len(fake.requests(method="POST", path=PATHS["react"])) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_post_that_a_server_error_follows_is_in_doubt(fake, host, status):
    fake.fail(method="POST", path=PATHS["react"], after=True, status=status, times=1)
    delivery = host.deliver("effects", effect("react"))
    hurry(host, delivery)
    host.wait_log(msg="in_doubt_again", delivery=delivery)
    assert len(fake.requests(method="POST", path=PATHS["react"])) == 1


def test_a_post_that_may_be_repeated_is(fake, host):
    lose(fake, "POST", PATHS["react"])
    delivery = host.deliver("effects", effect("react_repeatable"))
    hurry(host, delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert len(fake.requests(method="POST", path=PATHS["react"])) == 2


def test_an_effect_in_doubt_stays_so_when_it_is_not_sent_again(fake, host):
    host.wait_log(msg="done", delivery=host.deliver("effects", effect("welcome")))
    lose(fake, "DELETE", PATHS["PUT"])
    delivery = host.deliver("effects", effect("delete"))
    host.wait_log(msg="retry", delivery=delivery, attempt=1)
    fake.expire_tokens()
    fake.fail(path=f"/app/installations/{snek.INSTALLATION}/access_tokens", status=400, times=1)
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="retry", delivery=delivery, attempt=2)
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
    host.wait_log(msg="done", delivery=delivery)  # of a 404, which else would be an error
    assert fake.requests(method="DELETE")[-1]["status"] == 404


def test_a_named_comment_whose_response_was_lost_is_found_though_its_body_differs(fake, host):
    lose(fake, "POST", PATHS["comment"])
    delivery = host.deliver("effects", effect("named"))
    hurry(host, delivery)
    host.wait_log(msg="comment_found", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert [snek.visible({"body": text})["body"] for text in comments(fake)] == ["attempt 1"]


def test_a_name_in_doubt_is_not_given_to_another_request(fake, host):
    """Only the first request could show whether it happened."""
    lose(fake, "POST", PATHS["comment"])
    delivery = host.deliver("effects", effect("named_other_place"))
    hurry(host, delivery)
    line = host.wait_log(msg="retry", delivery=delivery, attempt=2)
    assert "may have made this named effect with another request" in line["reason"]
    assert not fake.requests(method="POST", path="/repos/sneks-united/terrarium/issues/13/comments")
