# SPDX-License-Identifier: MIT OR Apache-2.0
"""A walk through the console in Debian's chromium, driven by Playwright. axe looks at every page.
SNEK_SCREENSHOTS names a folder for pictures of the pages."""

import json
import os
import pathlib
import subprocess

import pytest

import snek
from console_client import ADMIN, start_console

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "browser/console.mjs"
MODULES = os.environ.get("SNEK_BROWSER_MODULES")
CHROMIUM = "/usr/bin/chromium"

needs_browser = pytest.mark.skipif(not MODULES or not pathlib.Path(CHROMIUM).exists(),
                                   reason="`./dev test` installs chromium and sets SNEK_BROWSER_MODULES")

WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
COMMENTS = "/repos/sneks-united/terrarium/issues/12/comments"
HOSTILE = "<script>alert(1)</script>\u202e\"><img src=x onerror=alert(1)>"


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def comment(text):
    """A delivery about an issue, whose run comments there."""
    return trouble("comment", url=COMMENTS, repository={"id": 7, "full_name": "sneks-united/terrarium"},
                   issue={"number": 12, "body": text}, sender={"login": "Ada", "id": 5}, long="x" * 10_000)


def walk(bot, tmp_path, name, **settings):
    pictures = os.environ.get("SNEK_SCREENSHOTS")
    if pictures:
        pictures = pathlib.Path(pictures) / f"console-{name}"
        pictures.mkdir(parents=True, exist_ok=True)
    file = tmp_path / "browser.json"
    # To the browser localhost is another site than 127.0.0.1.
    other = bot.url.replace("127.0.0.1", "localhost") + "/healthz"
    file.write_text(json.dumps({"modules": MODULES, "chromium": CHROMIUM, "url": bot.url, "other": other,
                                "patience_ms": int(snek.PATIENCE_S * 1000),
                                "screenshots": pictures and str(pictures), **settings}))
    # Chromium keeps a profile in HOME.
    done = subprocess.run([os.environ.get("SNEK_NODE", "node"), SCRIPT, file], text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, capture_output=True, timeout=280)
    assert done.returncode == 0, done
    report = json.loads(done.stdout)
    assert "problem" not in report, (report, bot.process.output())
    assert not report["violations"] and not report["wide"] and not report["cut"], report
    assert report["quotas"] == (1 if settings["scripts"] and settings["viewport"] is NARROW else 0)
    assert not report["errors"], report["errors"]
    assert all(url.startswith(bot.url) for url in report["requests"]), report["requests"]
    assert report["wrong"] == "This token is wrong." and report["found"] == 1
    assert "<script>alert(1)</script>" in report["hostile"] and report["open"] == 1
    assert report["after"] == f"{bot.url}/console/login" and report["framed"] == 0
    return report


def walk_as_admin(bot, fake, tmp_path, name, **settings):
    """An admin retries runs, one and several, and pauses a plugin."""
    report = walk(bot, tmp_path, name, token=ADMIN, retries=True, **settings)
    assert report["retried"] == "One run is due now." and report["state"] == "done"
    assert report["preview"] == "2 runs would be retried." and report["applied"] == "2 runs are due now."
    assert report["paused"] == "The plugin is paused." and report["resumed"] == "The pause has ended."
    assert "it wants" in report["why"] or "it matches" in report["why"]
    assert len(fake.requests(method="POST", path=COMMENTS, status=201)) == 1
    return report


def stage(start_bot, fake):
    """A bot with one dead run about an issue, and two others."""
    bot = start_console(start_bot, plugins=["trouble", "roles", "ping"], config={"dispatch": {"max_attempts": 1}})
    fake.fail(method="POST", path=COMMENTS, status=422, times=100)
    for payload in (trouble("fail"), trouble("fail"), comment(HOSTILE)):
        bot.wait_log(msg="dead", delivery=bot.deliver("trouble", payload))
    fake.fail_no_more()
    return bot
