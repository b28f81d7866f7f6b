# SPDX-License-Identifier: MIT OR Apache-2.0
"""Heroku's side of the repository, as far as it can be seen without Heroku's kind of system: what
runs there is tested by `./dev heroku`."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

import snek

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "config/heroku/template"


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          check=False, timeout=60, **more)


@pytest.mark.parametrize("folder", [TEMPLATE, ROOT], ids=["the_template", "this_repository"])
def test_a_bot_is_detected(folder):
    result = run(ROOT / "bin/detect", folder)
    assert (result.returncode, result.stdout) == (0, "snekomatic\n")


def test_another_app_is_not_detected(tmp_path):
    (tmp_path / "package.json").write_text("{}")
    result = run(ROOT / "bin/detect", tmp_path)
    assert result.returncode == 1
    assert "snekomatic.toml" in result.stderr


def web(text):
    return re.search(r"(?m)^ *web: (.*)$", text).group(1)


def test_procfile_and_release_start_the_same_which_is_a_verb():
    procfile, release = (ROOT / "Procfile").read_text(), run(ROOT / "bin/release", ROOT).stdout
    assert release.startswith("---\ndefault_process_types:\n")
    assert web(procfile) == web(release)
    name, verb = web(procfile).split()
    assert run(snek.program(name), verb, "--help").returncode == 0


def test_the_deploy_button_asks_for_what_the_program_needs(tmp_path):
    app = json.loads((ROOT / "app.json").read_text(encoding="utf-8"))
    assert any(addon.startswith("heroku-postgresql") for addon in app["addons"])
    assert set(app["formation"]) == {"web"}
    for name, variable in app["env"].items():
        assert len(variable["description"]) > 20, name
    assert app["env"]["GITHUB_WEBHOOK_SECRET"]["generator"] == "secret"
    rejected = run(snek.program("snekomatic"), "check", cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    missing = re.search(r"not configured:((?: \w+)+) not set", rejected.stderr).group(1).split()
    required = {name for name, variable in app["env"].items() if variable.get("required", True)}
    assert required == set(missing)


def test_the_configuration_names_each_variable_of_the_deploy_button():
    app = json.loads((ROOT / "app.json").read_text(encoding="utf-8"))
    explained = (ROOT / "config/snekomatic.toml").read_text(encoding="utf-8")
    assert [name for name in app["env"] if name not in explained] == []


def test_the_template_compiles_and_loads(tmp_path):
    shutil.copytree(TEMPLATE, tmp_path / "bot")
    plugin = tmp_path / "bot/plugins/coffee"
    built = run("cc", "-shared", "-fPIC", "-Wall", "-Werror", f"-I{ROOT}/sdk-headers",
                f"{plugin}.c", "-o", f"{plugin}.so")
    assert built.returncode == 0, built.stderr
    shown = run(snek.program("snekomatic"), "plugins", cwd=tmp_path / "bot",
                env=snek.clean_environment())
    assert shown.returncode == 0, shown.stderr
    assert "/coffee (anybody)" in shown.stdout and "/ping (anybody)" in shown.stdout


def test_sqlite_on_a_dyno_is_warned_of_loudly(start_bot):
    bot = start_bot(env={"DYNO": "web.1"})
    (warning,) = bot.log(msg="disk_ephemeral")
    assert warning["level"] == "warning"
    assert "ERASES" in warning["reason"] and "heroku-postgresql" in warning["reason"]


def test_sqlite_elsewhere_is_not_warned_of(start_bot):
    assert start_bot().log(msg="disk_ephemeral") == []


def test_the_guides_commands_make_the_branch_that_is_pushed(tmp_path):
    guide = (ROOT / "docs/heroku.md").read_text(encoding="utf-8")
    copy = re.search(r"^ +(cp -r config/heroku/template ~/my-bot .*)\n +(git init .*)$", guide, re.M)
    pushed = re.search(r"^ +git push heroku (\S+)$", guide, re.M).group(1)
    # On a fresh Debian, too, no setting names another first branch than git's own.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1",
                   "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
                   "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
    result = run("bash", "-ec", f"{copy.group(1)}\n{copy.group(2)}\ngit branch --show-current",
                 cwd=ROOT, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == pushed
    readme = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    assert f"git init -b {pushed}" in readme
