# SPDX-License-Identifier: MIT OR Apache-2.0
"""The host keeps little memory that only a burst needed."""

import base64
import os

import pytest

import snek

pytestmark = pytest.mark.skipif(bool(os.environ.get("SNEK_SANITIZED")),
                                reason="a sanitizer keeps freed memory for a while")


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
