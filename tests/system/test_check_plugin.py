# SPDX-License-Identifier: MIT OR Apache-2.0
"""`snekomatic check --plugin` tries what a good plugin survives, and names what it does not."""

import json
import os
import pathlib
import re
import subprocess

import pytest

import snek

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def check(*words):
    return subprocess.run([snek.program("snekomatic"), "check", *map(str, words)], text=True,
                          capture_output=True, check=False)


def with_built_plugins(text):
    return re.sub(r'^path = "([a-z]+)(\.so)?"', lambda found: f'path = "{snek.program(found[1] + ".so")}"',
                  text, flags=re.M)


@pytest.mark.parametrize("where", ["config/snekomatic.toml", "plugins/dco/README.md", "plugins/stale/README.md",
                                   "plugins/invite/README.md", "plugins/welcome/README.md"])
def test_the_documented_configuration_of_a_bundled_plugin_is_accepted(tmp_path, where):
    text = (SOURCE / where).read_text(encoding="utf-8")
    if where.endswith(".md"):
        tables = re.search(r"^```toml\n(\[\[plugin\]\].*?)^```", text, re.M | re.S)[1]
    else:
        rest = text.partition('[[plugin]]\npath = "ping"\n')[2]
        tables = re.sub(r"^#(?! )", "", rest, flags=re.M)
    (tmp_path / "snekomatic.toml").write_text(with_built_plugins(tables), encoding="utf-8")
    done = subprocess.run([snek.program("snekomatic"), "plugins", "-c", tmp_path / "snekomatic.toml"],
                          text=True, capture_output=True, check=False, env=snek.clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    shown = len(re.findall("^plugin ", done.stdout, re.M))
    assert shown == tables.count("[[plugin]]") > 0, done.stdout


def test_a_crash_names_the_payload_the_missing_value_and_the_place():
    done = check("--plugin", snek.program("fragile.so"))
    assert done.returncode == 78
    lines = done.stdout.splitlines()
    crashes = [line for line in lines if line.startswith("FAIL issues.opened.json without issue: ")]
    assert len(crashes) == 1, done.stdout
    # A sanitizer turns the signal into an exit.
    how = "exited with status 1" if os.environ.get("SNEK_SANITIZED") else "was killed by signal 11"
    assert how in crashes[0]
    # Each is the same crash, and is shown once.
    assert re.search(r"^FAIL \d+ deliveries, whole, and with each value missing or null: 4 failed$",
                     done.stdout, re.MULTILINE), done.stdout
    failures = [line for line in lines if line.startswith("FAIL issues")]
    # The title is missing, too, when the SDK has no memory for it.
    assert len(failures) == 2, done.stdout
    assert failures[1].startswith("FAIL issues.opened.json when allocation 1 of the handler fails (the SDK): ")


def test_the_button_of_a_check_run_is_tried():
    done = check("--plugin", snek.program("check_actions-fragile.so"))
    assert done.returncode == 78
    assert "FAIL check_run.requested_action.json without " in done.stdout, done.stdout


def test_a_crash_in_destroy_is_reported(tmp_path):
    config = tmp_path / "snekomatic.toml"
    config.write_text(f'[[plugin]]\npath = "{snek.program("misbehave.so")}"\n'
                      '[plugin.config]\ncrash_in = "destroy"\n')
    config.chmod(0o600)
    done = check("--plugin", snek.program("misbehave.so"), "-c", config)
    assert done.returncode == 78
    assert "FAIL create() and destroy(): the worker " in done.stdout
    assert "FAIL create() and destroy(), 100 times: 100 failed\n" in done.stdout


@pytest.mark.parametrize("name,action,lines", [
    ("bad-destroy.so", "", ["FAIL create() and destroy(): destroy() does not return within 10 s",
                            "FAIL create() and destroy(), 100 times: 1 failed"]),
    ("misbehave.so", "spin", ["ok   create() and destroy(), 100 times",
                              "FAIL misbehave.spin.json: its handler does not return within 10 s",
                              "FAIL 1 deliveries, whole, and with each value missing or null: 1 failed"]),
])
def test_a_plugin_that_stalls_ends_the_check_after_one_deadline(tmp_path, name, action, lines):
    (tmp_path / "misbehave.spin.json").write_text(json.dumps({"action": action}))
    done = check("--plugin", snek.program(name), "--payloads", tmp_path)
    assert done.returncode == 78
    stalls = ", and no more was tried, because the plugin stalls"
    assert done.stdout.splitlines()[1:] == [*lines[:-1], lines[-1] + stalls]


def test_a_plugin_that_needs_a_configuration_gets_its_own(tmp_path):
    """invite rejects to start with an unknown key."""
    config = tmp_path / "snekomatic.toml"
    config.write_text(f'[[plugin]]\npath = "{snek.program("invite.so")}"\n'
                      "[plugin.config]\nno_such_key = 1\n")
    config.chmod(0o600)
    done = check("--plugin", snek.program("invite.so"), "-c", config)
    assert done.returncode == 78
    assert "plugin.config.no_such_key is unknown" in done.stdout
    assert check("--plugin", snek.program("invite.so")).returncode == 0


def test_what_is_no_plugin_and_what_is_not_there(tmp_path):
    missing = check("--plugin", tmp_path / "missing.so")
    assert missing.returncode == 66 and "No such file" in missing.stderr
    no_plugin = tmp_path / "text.so"
    no_plugin.write_text("no ELF")
    assert check("--plugin", no_plugin).returncode == 78
    folder = check("--plugin", snek.program("ping.so"), "--payloads", tmp_path / "none")
    assert folder.returncode == 66 and "--payloads" in folder.stderr


def test_a_plugin_without_a_payload_is_not_called_good(tmp_path):
    done = check("--plugin", snek.program("ping.so"), "--payloads", tmp_path)
    assert "none no payload in" in done.stdout and "deliveries" not in done.stdout
