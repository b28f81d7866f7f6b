# SPDX-License-Identifier: MIT OR Apache-2.0
"""The steps of the tests of effects, with the test plugin `effects`."""

import pytest

import snek

MEMBER = "hatchling-hana"
PATHS = {"PUT": f"/orgs/sneks-united/memberships/{MEMBER}",
         "comment": "/repos/sneks-united/terrarium/issues/12/comments",
         "react": "/repos/sneks-united/terrarium/issues/12/reactions"}


@pytest.fixture
def host(start_bot):
    return start_bot(plugins=["effects"])


def effect(action, text="Welcome!", member=MEMBER):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, "text": text,
            "member": member}


def comments(fake):
    return [text for text in fake.bot_comments(12)]


def lose(fake, method, path, **what):
    """The response gets lost, once, after the effect is there."""
    fake.fail(method=method, path=path, after=True, drop=True, times=1, **what)


def hurry(host, delivery):
    """The same GUID again makes a run that waits for its retry due now."""
    host.wait_log(msg="retry", delivery=delivery)
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200


def rename_issue(fake, title):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium",
                                        "issues": [{"number": 12, "title": title}]}]})
