# SPDX-License-Identifier: MIT OR Apache-2.0
"""The view of a plugin's author: the installed project and nothing else. It is installed into a
temporary place, where it must work although it was built for another."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

import processes
import snek

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
STRICT = ["-Wall", "-Wextra", "-Werror"]


def run(command, **more):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=240, **more)
    return done.returncode, done.stdout


class Installed:
    def __init__(self, destdir, prefix):
        self.destdir, self.prefix = destdir, prefix
        self.pc = next(prefix.rglob("snekomatic.pc"))
        self.env = snek.clean_environment(PKG_CONFIG_PATH=self.pc.parent)
        self.env["PATH"] = f"{prefix / 'bin'}:{self.env['PATH']}"
        self.env["HOME"] = str(destdir)

    def shell(self, text, folder):
        return run(["bash", "-euxc", text], cwd=folder, env=self.env)

    def pkg_config(self, *what):
        status, output = run(["pkg-config", *what, "snekomatic"], env=self.env)
        assert status == 0, output
        return output.split()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    destdir = tmp_path_factory.mktemp("destdir")
    status, output = run(["meson", "install", "-C", snek.build_directory(), "--no-rebuild",
                          "--quiet", "--destdir", destdir])
    assert status == 0, output
    found = list(destdir.rglob("bin/snekomatic"))
    assert len(found) == 1
    return Installed(destdir, found[0].parent.parent)


def test_all_that_is_installed_is_below_the_prefix(installed):
    files = [path for path in installed.destdir.rglob("*") if path.is_file()]
    outside = [path for path in files if installed.prefix not in path.parents]
    assert not outside
    names = {str(path.relative_to(installed.prefix)) for path in files}
    for wanted in (r"bin/snekomatic", r"bin/snekomatic-test", r"libexec/snekomatic/snekomatic-host",
                   r".*/snekomatic-worker",
                   r"include/snekomatic/snekomatic\.h", r".*/pkgconfig/snekomatic\.pc",
                   r".*/snekomatic/dco\.so", r".*/snekomatic/hello\.so", r".*/snekomatic/invite\.so",
                   r".*/snekomatic/ping\.so", r".*/snekomatic/stale\.so", r".*/snekomatic/welcome\.so",
                   r"share/snekomatic/payloads/issues\.opened\.json",
                   r"share/doc/snekomatic/(snekomatic\.toml|plugins\.md|scenarios\.md|fake-github\.md|abi\.md)",
                   r"share/man/man1/snekomatic(-test)?\.1", r"share/man/man5/snekomatic\.toml\.5",
                   r"share/man/man5/snekomatic-scenario\.5", r"share/man/man7/snekomatic-plugin\.7",
                   r"share/bash-completion/completions/snekomatic(-test)?",
                   r"share/zsh/site-functions/_snekomatic"):
        assert any(re.fullmatch(wanted, name) for name in names), wanted


def test_the_pc_file_knows_where_plugins_and_programs_are(installed):
    plugins = pathlib.Path(installed.pkg_config("--variable=plugindir")[0]).resolve()
    assert (plugins / "invite.so").is_file()
    programs = pathlib.Path(installed.pkg_config("--variable=bindir")[0]).resolve()
    assert programs == installed.prefix / "bin"
    documents = pathlib.Path(installed.pkg_config("--variable=docdir")[0])
    assert (documents / "plugins.md").is_file()
    assert (documents / "fake-github.md").is_file()
    assert installed.pkg_config("--libs") == []


def test_three_commands_make_a_tested_plugin_that_one_line_runs(installed, fake, tmp_path,
                                                                monkeypatch):
    status, output = installed.shell(
        "snekomatic new-plugin greeter; cd greeter; meson setup build; meson test -C build",
        tmp_path)
    assert status == 0, output
    assert re.search(r"^Ok: +1", output, re.M), output
    plugin = tmp_path / "greeter" / "build" / "greeter.so"
    monkeypatch.setattr(processes, "program", lambda name: installed.prefix / "bin" / name)
    bot = snek.Bot(fake, tmp_path / "bot", plugins=[{"path": plugin}])
    comment = snek.payload("issue_comment.created", {"comment.body": "/greeter"})
    bot.wait_log(msg="done", plugin="greeter", delivery=bot.deliver("issue_comment", comment))
    [text] = fake.bot_comments(12)
    assert snek.visible({"body": text}) == {"body": "greeter is listening."}
    bot.stop()


def test_a_scenario_of_a_new_plugin_can_fail(installed, tmp_path):
    installed.shell("snekomatic new-plugin greeter", tmp_path)
    source = tmp_path / "greeter" / "greeter.c"
    source.write_text(source.read_text().replace("is listening", "is gone"))
    status, output = installed.shell("cd greeter; meson setup build; meson test -C build", tmp_path)
    assert status != 0
    assert re.search(r"^Fail: +1", output, re.M), output


def test_a_permission_that_is_not_known_is_warned_of(installed, tmp_path):
    installed.shell("snekomatic new-plugin greeter", tmp_path)
    source = tmp_path / "greeter" / "greeter.c"
    source.write_text(source.read_text().replace('"issues"', '"isues"'))
    (tmp_path / "snekomatic.toml").write_text('[[plugin]]\npath = "./greeter.so"\n')
    status, output = installed.shell(
        "cc -shared -fPIC $(pkg-config --cflags snekomatic) greeter/greeter.c -o greeter.so\n"
        "snekomatic plugins", tmp_path)
    assert status == 0, output
    assert "declares the permission isues, which this version does not know; did you mean issues?" in output
    assert "permission pull_requests" not in output


@pytest.mark.parametrize("name", ["Greeter", "1st", "a b", "", "../x", "-x", "x" * 65, "é"])
def test_a_name_that_cannot_be_a_plugins_is_rejected(installed, tmp_path, name):
    status, output = run([installed.prefix / "bin" / "snekomatic", "new-plugin", "--", name],
                         cwd=tmp_path)
    assert status == 64, output
    assert "cannot be a plugin's name" in output
    assert list(tmp_path.iterdir()) == []


def test_new_plugin_overwrites_no_file(installed, tmp_path):
    (tmp_path / "mine.c").write_text("mine")
    status, output = installed.shell("snekomatic new-plugin --directory . mine", tmp_path)
    assert status == 73
    assert "mine.c: File exists" in output
    assert (tmp_path / "mine.c").read_text() == "mine"


@pytest.mark.parametrize("compiler,source", [
    ("cc", "plugins/hello/hello.c"), ("cc", "plugins/invite/invite.c"),
    ("cc", "plugins/welcome/welcome.c"), ("c++", "tests/abi/hello.cpp")])
def test_a_plugin_builds_out_of_tree_with_a_plain_compiler_and_loads(installed, fake, tmp_path,
                                                                     compiler, source):
    name = pathlib.Path(source).stem
    status, output = run([compiler, *STRICT, "-shared", "-fPIC", *installed.pkg_config("--cflags"),
                          SOURCE / source, "-o", tmp_path / f"{name}.so"])
    assert status == 0, output
    (tmp_path / "secret").write_text("a secret")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "snekomatic.toml").write_text(
        f'[github]\napp_id = 1\nprivate_key_file = "{fake.key}"\nwebhook_secret_file = "secret"\n'
        f'[[plugin]]\npath = "./{name}.so"\n')
    status, output = installed.shell("snekomatic check", tmp_path)
    assert status == 0, output
    assert name in output


def test_a_plugin_in_cpp_builds_with_meson(installed, tmp_path):
    shutil.copy(SOURCE / "tests/abi/hello.cpp", tmp_path)
    (tmp_path / "meson.build").write_text(
        "project('hello', 'cpp')\n"
        "shared_module('hello', 'hello.cpp', name_prefix: '',"
        " dependencies: dependency('snekomatic'))\n")
    status, output = installed.shell("meson setup build; ninja -C build", tmp_path)
    assert status == 0, output
    assert (tmp_path / "build" / "hello.so").is_file()


def text_of(page):
    """A page as words: roff's escapes and requests gone."""
    text = re.sub(r"^\.\w* ?", "", page.read_text(encoding="utf-8"), flags=re.M)
    return re.sub(r"\\(f[A-Z]|&|)", "", text)


@pytest.mark.parametrize("program", ["snekomatic", "snekomatic-test"])
def test_the_man_page_has_every_verb_and_every_option(installed, program):
    page = text_of(installed.prefix / "share/man/man1" / f"{program}.1")
    path = installed.prefix / "bin" / program
    _, overview = run([path, "--help"])
    verbs = re.findall(r"^  ([a-z][a-z-]*)  ", overview, re.M)
    assert len(verbs) > 1
    for verb in verbs:
        _, about = run([path, verb, "--help"])
        assert f"{program} {verb}" in page
        for option in re.findall(r"--[a-z][a-z-]*", about):
            assert option in page, f"{verb} {option}"


def test_the_man_page_of_the_configuration_has_every_key_and_variable(installed):
    page = text_of(installed.prefix / "share/man/man5/snekomatic.toml.5")
    keys = (SOURCE / "host/config/keys.c").read_text(encoding="utf-8")
    raw = (installed.prefix / "share/man/man5/snekomatic.toml.5").read_text(encoding="utf-8")
    headings = re.findall(r"^\.SH (.*)", raw, re.M)
    assert len(set(headings)) == len(headings), "the entries to copy are no sections"
    assert "Welcomes people" not in page
    table = re.findall(r"\{(?:\.name = )?\"(\w+)\.(\w+)\"(.*?)\},?\n", keys, re.S)
    assert len(table) > 20
    for section, key, rest in table:
        if "KEY_UNSUPPORTED" in rest:
            continue
        assert re.search(rf"^{key} = |^\[{section}\.{key}\]", page, re.M), f"{section}.{key}"
        for variable in re.findall(r"\.variable = \"(\w+)\"", rest):
            assert variable in page, variable


def scenario_keys():
    """The keys that the runner knows, by the name of its table."""
    text = (SOURCE / "tests/harness/scenario/scenario.c").read_text(encoding="utf-8")
    tables = re.findall(r"struct key (\w+)_keys\[\] = \{(.*?)\{0\}\};", text, re.S)
    return {name: re.findall(r'\{"(\w+)", ', keys) for name, keys in tables}


def test_the_man_page_of_scenarios_has_every_key(installed):
    keys = scenario_keys()
    assert {"top", "step", "request", "fail", "end"} <= set(keys) and sum(map(len, keys.values())) > 40
    path = installed.prefix / "share/man/man5/snekomatic-scenario.5"
    raw = re.sub(r"\\(&|)", r"", path.read_text(encoding="utf-8").replace("\\fB", "<").replace("\\fR", ">"))
    written = "\n".join(re.findall(r"<([^<>]*)>", raw))
    missing = [(name, key) for name, table in keys.items() for key in table
               if not re.search(rf"(^|[\[{{. ]){key}\b", written, re.M)]
    assert missing == []


def test_the_man_page_of_scenarios_has_every_heading_and_table_of_the_document(installed):
    page = text_of(installed.prefix / "share/man/man5/snekomatic-scenario.5")
    document = (SOURCE / "docs/scenarios.md").read_text(encoding="utf-8")
    for heading in re.findall(r"^## (.*)", document, re.M):
        assert heading.upper() in page
    assert "|" not in page and "`" not in page and "](" not in page


def complete(installed, *words):
    status, output = installed.shell(
        "set +x; . \"$0/share/bash-completion/completions/snekomatic\"; "
        f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _snekomatic \"$1\"; "
        "printf '%s\\n' \"${COMPREPLY[@]}\"".replace("$0", str(installed.prefix))
        .replace("$1", words[0]), installed.destdir)
    assert status == 0, output
    return output.splitlines()[1:]


def test_bash_completes_verbs_and_options(installed):
    assert "serve" in complete(installed, "snekomatic", "''")
    assert complete(installed, "snekomatic", "new") == ["new-plugin"]
    assert "--delivery" in complete(installed, "snekomatic", "send", "--")
    assert complete(installed, "snekomatic-test", "fa") == ["fake-github"]
    assert "--keep" in complete(installed, "snekomatic-test", "run", "--k")


def read_guide(installed):
    """The pages of the guide in the order of the reader: the first one, then one for each task."""
    folder = installed.prefix / "share/doc/snekomatic"
    pages = [folder / "plugins.md", *sorted(folder.glob("plugins-*.md"))]
    assert len(pages) >= 9
    return "".join(page.read_text(encoding="utf-8") for page in pages)


def test_the_guide_works_as_it_is_written(installed, tmp_path):
    blocks = re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", read_guide(installed), re.S)
    assert len(blocks) >= 25
    for what, text in blocks:
        if what == "run":
            status, output = installed.shell(text, tmp_path)
            assert status == 0, f"{text}\n{output}"
            continue
        path = tmp_path / what
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_the_guide_names_only_what_the_headers_have(installed):
    guide = read_guide(installed)
    headers = "".join(path.read_text(encoding="utf-8")
                      for path in (installed.prefix / "include/snekomatic").glob("*.h"))
    for name in set(re.findall(r"\b(?:snek|SNEK)_\w*[A-Za-z]\b", guide)):
        assert name in headers, name


def test_every_document_is_installed_and_links_only_to_what_is_there(installed):
    folder = installed.prefix / "share/doc/snekomatic"
    written = {page.name for page in [*SOURCE.glob("docs/*.md"), SOURCE / "README.md"]}
    assert {page.name for page in folder.glob("*.md")} == written
    for page in folder.glob("*.md"):
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        missing = [link for link in links if not (page.parent / link).is_file()]
        assert not missing, page.name


def anchors_of(page):
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_to_a_heading_finds_it(installed):
    folder = installed.prefix / "share/doc/snekomatic"
    for page in folder.glob("*.md"):
        links = re.findall(r"\]\(([^)#:]*)#([^)]*)\)", page.read_text(encoding="utf-8"))
        for name, anchor in links:
            assert anchor in anchors_of(folder / name if name else page), f"{page.name}: {name}#{anchor}"
