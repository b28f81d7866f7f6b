# SPDX-License-Identifier: MIT OR Apache-2.0
"""The host keeps little memory that only its start or a burst needed."""

import base64
import os

import pytest

import snek

pytestmark = pytest.mark.skipif(bool(os.environ.get("SNEK_SANITIZED")),
                                reason="a sanitizer keeps freed memory for a while")


@pytest.mark.parametrize("ring", ["host", "worker"])
def test_pages_of_code_that_only_the_start_needed_are_unmapped(start_bot, ring):
    host = start_bot(plugins=["ping"])
    # What was resident at most was so during the start.
    snek.wait_until(lambda: host.memory_kib("VmRSS", ring) < 0.75 * host.memory_kib("VmHWM", ring),
                    "the pages of code are unmapped")
    assert host.request("GET", "/readyz").status == 200


def test_a_burst_of_webhooks_leaves_little_memory_behind(start_bot):
    host = start_bot(plugins=["ping"])
    # Bytes that do not shrink: they fill the store's cache of 4 MiB.
    for _ in range(300):
        text = base64.b64encode(os.urandom(16 << 10)).decode()
        host.deliver("push", {"installation": {"id": snek.INSTALLATION}, "text": text})
    after_burst_kib = host.memory_kib("RssAnon")
    snek.wait_until(lambda: host.memory_kib("RssAnon") < after_burst_kib - (3 << 10),
                    "the host gives memory back", timeout=60)
    assert host.request("GET", "/readyz").status == 200
