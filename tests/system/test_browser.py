# SPDX-License-Identifier: MIT OR Apache-2.0
"""From nothing to the first invitation in Debian's chromium, driven by Playwright, with scripts turned
off. axe looks at every page. SNEK_SCREENSHOTS names a folder for pictures of the pages."""

import json
import os
import pathlib
import subprocess

import pytest

import snek
from test_setup import PUBLIC, Setup

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "browser/browser.mjs"
MODULES = os.environ.get("SNEK_BROWSER_MODULES")
CHROMIUM = "/usr/bin/chromium"

pytestmark = pytest.mark.skipif(not MODULES or not pathlib.Path(CHROMIUM).exists(),
                                reason="`./dev test` installs chromium and sets SNEK_BROWSER_MODULES")

STYLES = {"light": {"width": 1100, "height": 900}, "dark": {"width": 360, "height": 740}}

# Its table already has a key: the setup adds the others. The host reads GitHub's list each second.
PULLING = '[github]\npull_interval_seconds = 1\n\n[[plugin]]\npath = "invite"\n[[plugin]]\npath = "ping"\n'


def walk(setup, tmp_path, scheme, pull):
    """The report of the browser, which found nothing wrong. To it localhost is another site than the
    fake GitHub's 127.0.0.1, so the cookie must survive the way back from another site."""
    setup.url = setup.url.replace("127.0.0.1", "localhost")
    pictures = os.environ.get("SNEK_SCREENSHOTS")
    if pictures:
        pictures = pathlib.Path(pictures) / f"{scheme}-{'pull' if pull else 'webhook'}"
        pictures.mkdir(parents=True, exist_ok=True)
    settings = tmp_path / "browser.json"
    settings.write_text(json.dumps({
        "modules": MODULES, "chromium": CHROMIUM, "scheme": scheme, "viewport": STYLES[scheme],
        "link": setup.url + setup.path, "organization": "sneks-united", "name": "Sneks Bot", "public_url": PUBLIC,
        "pull": pull, "patience_ms": int(snek.PATIENCE_S * 1000), "screenshots": pictures and str(pictures)}))
    # Chromium keeps a profile in HOME.
    done = subprocess.run([os.environ.get("SNEK_NODE", "node"), SCRIPT, settings], text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, capture_output=True, timeout=240)
    assert done.returncode == 0, done
    report = json.loads(done.stdout)
    assert "problem" not in report, (report, setup.process.output())
    assert not report["violations"] and not report["errors"], report
    return report


def merge_a_pull_request(fake):
    """Somebody merges the pull request of a person who is no member."""
    installation = fake.state["installations"][0]["id"]
    payload = snek.payload("pull_request.closed.merged")
    payload["installation"]["id"] = installation
    return fake.deliver("pull_request", payload)


def start_from_nothing(fake, tmp_path, *words, **options):
    state = fake.state
    state["installations"] = []
    fake.put_state(state)
    return Setup(fake, tmp_path / "bot", *words, **options)


def check_invitation(setup, fake, report):
    login = snek.payload("pull_request.closed.merged")["pull_request"]["user"]["login"]
    checked = subprocess.run([snek.program("snekomatic"), "check", "--online"], cwd=setup.folder, env=setup.env,
                             text=True, capture_output=True, timeout=120, check=False)
    assert checked.returncode == 0 and "warning" not in checked.stderr, checked
    merge_a_pull_request(fake)
    setup.process.wait_log(msg="done", plugin="invite")
    assert fake.member(login)["state"] == "pending"
    assert report["installed"] == "GitHub App installed"
    # The browser asked nobody but the bot and GitHub, and the link's token did not stay in the address.
    assert all(url.startswith((setup.url, fake.url)) for url in report["requests"]), report["requests"]
    assert report["address"] == f"{setup.url}/setup"
    assert setup.process.end() == 0


def test_from_nothing_to_the_first_invitation_by_webhook(fake, tmp_path):
    setup = start_from_nothing(fake, tmp_path)
    fake.settings(webhook_via=setup.url)
    report = walk(setup, tmp_path, "light", pull=False)
    assert "Enter a name" in report["problems"] and "GITHUB_PRIVATE_KEY=" in report["variables"]
    setup.wait_ready()
    check_invitation(setup, fake, report)


def test_from_nothing_to_the_first_invitation_in_pull_mode(fake, tmp_path):
    setup = start_from_nothing(fake, tmp_path, "--setup", config=PULLING)
    # Nobody reaches a host below .invalid, and a resolver of this machine need not say so.
    fake.settings(webhook_via="http://127.0.0.1:1")
    report = walk(setup, tmp_path, "dark", pull=True)
    assert fake.settings()["webhook_url"].split("/")[2].endswith(".invalid")
    assert 'receive = "pull"' in setup.file("snekomatic.toml").read_text()
    setup.wait_ready()
    check_invitation(setup, fake, report)
