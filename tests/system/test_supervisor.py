# SPDX-License-Identifier: MIT OR Apache-2.0
"""The supervisor when things fail around it: a host dies while it waits for a JWT or while it drains,
and the supervisor itself stands still."""

import re
import signal
import subprocess

import pytest

import snek

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000

COMMENTS = "/repos/sneks-united/terrarium/issues/12/comments"


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def test_a_host_that_dies_while_it_waits_for_a_jwt_costs_no_effect(fake, start_bot):
    bot = start_bot(plugins=["trouble"])
    bot.kill("supervisor", signal.SIGSTOP)
    delivery = bot.deliver("trouble", trouble("comment", url=fake.url + COMMENTS))
    bot.wait_log(msg="started", delivery=delivery)
    # The host has asked for the JWT when it waits for it: nothing else happens in this run.
    host = bot.pids("host")
    bot.kill("host")
    snek.wait_until_gone(host)
    bot.kill("supervisor", signal.SIGCONT)
    bot.wait_log(msg="host_died", signal="KILL")
    # The next host cannot know that nothing was sent, so it waits for the request's timeout.
    bot.wait_log(msg="done", delivery=delivery, timeout=60)
    assert len(fake.bot_comments(12)) == 1


def test_a_host_that_is_killed_while_it_drains_ends_the_bot_with_its_signal(start_bot):
    bot = start_bot(plugins=["trouble"])
    delivery = bot.deliver("trouble", trouble("fine", ms=5000))
    bot.wait_log(msg="started", delivery=delivery)
    bot.process.popen.send_signal(signal.SIGTERM)
    bot.wait_log(msg="stopping", drain_ms=20000)
    bot.kill("host")
    assert bot.process.wait(snek.PATIENCE_S) == 128 + signal.SIGKILL
    bot.start()
    bot.wait_log(msg="done", delivery=delivery)


def test_a_supervisor_that_stands_still_delays_only_what_needs_it(start_bot):
    bot = start_bot(plugins=["trouble"])
    bot.kill("supervisor", signal.SIGSTOP)
    for _ in range(3):
        bot.wait_log(msg="done", delivery=bot.deliver("trouble", trouble("fine")))
    assert bot.request("GET", "/readyz").status == 200
    bot.kill("supervisor", signal.SIGCONT)


@pytest.mark.parametrize("more", [{}, {"dispatch": {"delai_ms": 0}}], ids=["alone", "with another"])
def test_the_problem_of_a_url_is_reported_at_the_start_as_all_others_are(fake, tmp_path, more):
    """The supervisor does not judge URLs: snekomatic-host does."""
    bot = snek.Bot(fake, tmp_path / "bot", plugins=[], start=False,
                   config={"server": {"public_url": "http://bot.example"}, **more})
    serve, check = (subprocess.run([snek.program("snekomatic"), verb, "-c", bot.file], text=True,
                                   env=snek.clean_environment(), capture_output=True, check=False)
                    for verb in ("serve", "check"))
    assert (serve.returncode, serve.stdout) == (78, "")
    assert "server.public_url must start with https://" in serve.stderr
    assert ("delai_ms" in serve.stderr) == bool(more)
    assert serve.stderr == check.stderr


def test_the_process_with_the_key_has_only_the_libraries_that_it_needs():
    dynamic = subprocess.run(["readelf", "-d", snek.program("snekomatic")], check=True, text=True,
                             capture_output=True).stdout
    needed = set(re.findall(r"NEEDED.*\[(lib[a-z0-9+-]+)", dynamic))
    assert not needed & {"libcurl", "libcurl-gnutls", "libpq", "libsqlite3", "libmicrohttpd", "liblz4",
                         "libseccomp"}, needed
