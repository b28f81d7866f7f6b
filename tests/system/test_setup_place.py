# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where the setup's page is, for whom, and what the last steps of a setup are."""

import re
import shutil
import subprocess
import urllib.parse

import pytest

import snek
from setup_flow import Browser
from test_setup import PUBLIC, by_hand, start, text_of

__all__ = ["start"]


def test_with_a_public_url_the_log_has_the_link_of_this_machine_too(start):
    setup = start(env={"SNEKOMATIC_PUBLIC_URL": PUBLIC})
    line = setup.process.wait_log(msg="setup_link")
    assert line["link"].startswith(f"{PUBLIC}/setup?link=")
    assert line["local_link"] == f"http://127.0.0.1:{setup.port}{setup.path}"
    assert Browser().get(line["local_link"]).status == 303


def test_the_log_names_who_can_reach_the_page(start):
    place = start().process.wait_log(msg="listening")
    assert place["reachable_from"] == "every network of this machine"
    assert place["address"] == f"0.0.0.0:{place['port']}"
    place = start("--setup", config='[server]\nlisten = "127.0.0.1:0"\n[[plugin]]\npath = "ping"\n') \
        .process.wait_log(msg="listening")
    assert place["reachable_from"] == "this machine only"


def in_a_network_of_its_own(command, folder, **env):
    """Its port 8000 is free."""
    if subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespace for this user")
    line = f"ip link set lo up; exec {command}"
    return snek.Process(["unshare", "-rn", "sh", "-c", line], snek.clean_environment(**env), cwd=folder)


@pytest.mark.skipif(not shutil.which("ip", path="/usr/sbin:/usr/bin:/sbin:/bin"), reason="there is no iproute2")
@pytest.mark.parametrize("env, address, reachable_from", [
    ({}, "127.0.0.1:8000", "this machine only"),
    ({"PORT": "8001"}, "0.0.0.0:8001", "every network of this machine"),
    ({"SNEKOMATIC_PUBLIC_URL": PUBLIC}, "0.0.0.0:8000", "every network of this machine")])
def test_unless_something_else_is_configured_the_page_is_for_this_machine_only(tmp_path, env, address,
                                                                               reachable_from):
    setup = in_a_network_of_its_own(f"{snek.program('snekomatic')} serve", tmp_path, **env)
    try:
        place = setup.wait_log(msg="listening")
        assert (place["address"], place["reachable_from"]) == (address, reachable_from)
    finally:
        assert setup.end() == 0


def test_the_store_of_the_variable_is_stored(start):
    setup = start(env={"DATABASE_URL": "sqlite:other.db"})
    setup.make()
    assert f'\n[store]\nurl = "sqlite:{setup.folder}/other.db"\n' in setup.file("snekomatic.toml").read_text()
    setup.finish()
    setup.wait_ready()


def test_a_configuration_that_exists_gets_no_store(start):
    setup = start("--setup", env={"DATABASE_URL": "sqlite:other.db"}, config='[[plugin]]\npath = "ping"\n')
    setup.make()
    assert "store" not in setup.file("snekomatic.toml").read_text()


@pytest.mark.parametrize("address, why", [
    ("https://bot.invalid", "no name ends in .invalid"), ("https://[::1]", "is this machine itself"),
    ("https://[::ffff:127.0.0.1]", "is this machine itself")])
def test_an_address_that_github_cannot_reach_is_rejected(start, address, why):
    setup = start()
    setup.open()
    page = setup.choose(address=address)
    assert page.status == 422
    assert "The public address must be one that GitHub can reach, and this one " in text_of(page)
    assert why in text_of(page)


def test_the_page_names_the_github_that_the_bot_uses(start, fake):
    setup = start()
    assert f"As in the address {fake.url}/ORGANIZATION" in text_of(setup.open())


def test_in_pull_mode_the_start_comes_before_the_installation(start):
    setup = start()
    made = setup.make(pull="yes")
    assert "Start the bot before you install the App" in text_of(made)
    assert not [link for link in made.links if "/installations/" in link]
    assert [link for link in setup.finish(made).links if "/installations/" in link]
    assert "before you install" not in text_of(start(folder="second").make(name="Second Bot"))


def test_a_setup_from_a_terminal_ends_with_the_start_before_the_installation(fake, tmp_path):
    env = snek.clean_environment(PORT="0", GITHUB_API_URL=fake.url, SNEKOMATIC_PUBLIC_URL=PUBLIC)
    verb = snek.Process([snek.program("snekomatic"), "setup"], env, cwd=tmp_path)
    link = snek.wait_until(lambda: re.search(r"http://127\S+/setup\?link=\S+", verb.output()), verb.output).group()
    shown = verb.output()
    assert f"  {PUBLIC}/setup?link=" in shown and "reachable from every network of this machine" in shown
    port = urllib.parse.urlsplit(link).port
    assert f"ssh -L {port}:127.0.0.1:{port} THIS-MACHINE" in shown
    browser, url = Browser(), link.split("/setup")[0]
    assert browser.get(link).status == 303
    sent = browser.submit(url, browser.get(f"{url}/setup").form("/manifest"), organization="sneks-united",
                          name="Sneks Bot", pull="yes", address="")
    asked = browser.submit(url, sent.forms[0])
    # GitHub leads to the public URL, which exists in name only.
    back = browser.submit(fake.url, asked.forms[0]).location
    browser.get(back.replace(PUBLIC, url))
    end = text_of(browser.submit(url, browser.get(f"{url}/setup").form("/finish")))
    assert end.index("snekomatic serve -c") < end.index("Install the App") < end.index("check --online")
    assert verb.wait(snek.PATIENCE_S) == 0, verb.output()
    printed = verb.output()
    assert printed.index("1. Start the bot") < printed.index("2. Install the App") < printed.index("3. Ask GitHub")


def test_by_hand_ends_with_the_start_before_the_installation(fake, tmp_path, key):
    done = by_hand(tmp_path, fake, f"sneks-united\n\n{snek.APP_ID}\n{key}\n")
    assert done.returncode == 0, done
    shown = done.stdout
    assert shown.index("1. Start the bot") < shown.index("2. Install the App") < shown.index("3. Ask GitHub")
    assert f"open {fake.url}/organizations/sneks-united/settings/apps," in shown
    assert "Not before the bot runs" in shown and "https://snekomatic.invalid/webhook/github" in shown
    (tmp_path / "snekomatic.toml").unlink()
    assert "Not before" not in by_hand(tmp_path, fake, f"sneks-united\n{PUBLIC}\n{snek.APP_ID}\n{key}\n").stdout
