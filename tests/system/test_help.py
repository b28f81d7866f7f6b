# SPDX-License-Identifier: MIT OR Apache-2.0
"""--help, the man page and the completions agree with the program, and a hint of the command line
is a command that works as it is printed."""

import pathlib
import re
import shlex
import subprocess

import pytest

import snek
from processes import build_directory

SOURCE = pathlib.Path(__file__).resolve().parents[2]
WORD = re.compile(r"^  ([a-z][a-z-]*)  ", re.M)
OPTION = re.compile(r"--[a-z][a-z-]*")


def help_of(*words):
    return subprocess.run([snek.program("snekomatic"), *words, "--help"], check=True, timeout=60,
                          env=snek.clean_environment(), capture_output=True, text=True).stdout


VERBS = WORD.findall(help_of())


def source_of(verb):
    """The text of the files that parse the verb's words."""
    files = [SOURCE / "host/cli" / f"{verb.replace('-', '_')}.c"]
    if verb == "plugins":
        files += [SOURCE / "host/cli/plugin_holds.c", SOURCE / "host/cli/plugin_timers.c"]
    if verb == "check":
        files += [SOURCE / "host/cli/plugin_check.c"]
    return "".join(file.read_text(encoding="utf-8") for file in files)


def complete(*words):
    script = (f". {SOURCE}/completions/snekomatic.bash; COMP_WORDS=({shlex.join(words)}); "
              f"COMP_CWORD={len(words) - 1}; _snekomatic {snek.program('snekomatic')}; "
              "printf '%s\\n' \"${COMPREPLY[@]}\"")
    return subprocess.run(["bash", "-c", script], check=True, timeout=60, capture_output=True,
                          env=snek.clean_environment(), text=True).stdout.split()


def test_the_main_help_has_every_verb_of_the_program():
    main = (SOURCE / "host/main.c").read_text(encoding="utf-8")
    shown = re.findall(r'\{"([a-z-]+)",\s+"', main)
    assert len(shown) > 10 and sorted(shown) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_has_exactly_its_options(verb):
    known = set(re.findall(r'\{"([a-z-]+)", (?:no|required|optional)_argument', source_of(verb)))
    known |= set(re.findall(r'cli_config_switch\([^)]*, "([a-z-]+)", &', source_of(verb)))
    if re.search(r"cli_config_(?:option|switch)\(", source_of(verb)):
        known |= {"config", "help"}
    # A word before the verb, or in an example of another program, is no option of ours.
    described = set(re.findall(r"^ +(?:-[a-z], )?--([a-z-]+)(?: |$)", help_of(verb), re.M))
    assert described == known


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_fits_and_names_its_exit_status(verb):
    text = help_of(verb)
    assert text.startswith(f"Usage: snekomatic {verb}")
    assert max(map(len, text.splitlines())) <= 100
    assert "Exit status:" in text or verb == "version"


@pytest.mark.parametrize("verb", VERBS)
def test_the_man_page_has_the_help_of_each_verb(verb):
    page = (build_directory() / "man/snekomatic.1.scd").read_text(encoding="utf-8")
    assert help_of(verb).rstrip() in page


@pytest.mark.parametrize("verb", VERBS)
def test_bash_completes_the_actions_and_options_of_each_verb(verb):
    text = help_of(verb)
    assert set(complete("snekomatic", verb, "--")) == set(OPTION.findall(text))
    actions = set(re.findall(rf"^(?:Usage:|      ) snekomatic {verb} ([a-z|]+)(?: |$)", text, re.M))
    actions = {action for group in actions for action in group.split("|")}
    if actions:
        assert set(complete("snekomatic", verb, "''")) == actions == set(WORD.findall(text))


def test_bash_offers_files_only_where_the_usage_has_one():
    for verb in ("version", "recover", "token", "reload"):
        assert complete("snekomatic", verb, "''") == [], verb
    assert complete("snekomatic", "send", "ping", "/")
    assert complete("snekomatic", "recover", "-c", "/")


def test_the_changelog_has_every_verb():
    changelog = (SOURCE / "CHANGELOG.md").read_text(encoding="utf-8")
    missing = [verb for verb in VERBS if not re.search(rf"`(?:snekomatic )?{verb}\b", changelog)]
    assert not missing


# -- hints ---------------------------------------------------------------------------------------

def test_every_hint_of_the_command_line_is_made_with_its_configuration():
    # The setup's process starts without a configuration only.
    files = set((SOURCE / "host/cli").glob("*.c")) - {SOURCE / "host/cli/setup_page.c"}
    for file in files:
        text = file.read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"static const char usage\[\] =.*?;\n", "", text, flags=re.S)
        hints = re.findall(r"`snekomatic (?!VERB|%s --help|--help|serve` starts|host`)[^`]*`", text)
        assert not hints, f"{file.name}: use cli_command()"


@pytest.fixture
def bot(fake, tmp_path):
    """A bot in a folder whose name a shell would split."""
    return snek.Bot(fake, tmp_path / "the bot's", plugins=("ping",), start=False,
                    config={"server": {"public_url": "https://bot.example.org"}})


@pytest.mark.parametrize("words,status,command", [
    (["reload"], 69, "serve"), (["check", "--online"], 78, "hook --set-url")])
def test_a_hint_can_be_copied(bot, fake, words, status, command):
    fake.settings(webhook_url="https://old.example.org/webhook/github")
    [hint] = re.findall(r"`(snekomatic [^`]*)`", bot.verb(*words, status=status).stderr)
    assert shlex.split(hint) == ["snekomatic", *command.split(), "-c", str(bot.file)]
