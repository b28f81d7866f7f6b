# SPDX-License-Identifier: MIT OR Apache-2.0
"""Old plugins, today's and tomorrow's, in today's host and in tomorrow's. "Old" are the headers of
frozen-1.N/, "next" those of a pretended next minor; the plugins are the bundled ones, as they were
when the headers were frozen, and their scenarios say whether they work.

    python3 frozen.py BUILD NEXT_HEADERS NEXT_WORKER
"""

import os
import pathlib
import shutil
import sys
import tempfile

import sdk

HERE = pathlib.Path(__file__).resolve().parent
BUILD, NEXT_HEADERS, NEXT_WORKER = (pathlib.Path(argument) for argument in sys.argv[1:4])
MINOR = sdk.current_version()[1]
SCENARIOS = {"hello": ["hello"], "ping": ["targets"], "invite": ["first_merge", "configured"],
             "welcome": ["first_times", "texts"]}


def build(headers, source, target, *flags):
    return sdk.run(["cc", "-std=c99", "-shared", "-fPIC", *flags, "-I", headers, source,
                    "-o", target])


def build_all(tap, what, headers, sources, folder):
    folder.mkdir()
    for name in SCENARIOS:
        status, output = build(headers, sources(name), folder / f"{name}.so")
        tap.ok(status == 0, f"{name} of {what} builds", output)


def play(host, plugins, *scenarios):
    return sdk.run([BUILD / "tests/harness/snekomatic-test", "run", "--snekomatic", host,
                    "--plugins", plugins, *scenarios])


def scenarios_of(name):
    return [sdk.ROOT / f"plugins/{name}/scenarios/{one}.toml" for one in SCENARIOS[name]]


def check_runs(tap, hosts, plugins):
    for host_name, host in hosts.items():
        for plugin_name, folder in plugins.items():
            for name in SCENARIOS:
                status, output = play(host, folder, *scenarios_of(name))
                tap.ok(status == 0, f"{name} of {plugin_name} runs in {host_name}", output)


def check_requirement(tap, hosts, directory):
    """A plugin that cannot do without the next minor."""
    source = (sdk.ROOT / "plugins/hello/hello.c").read_text()
    needy = source.replace("SNEK_PLUGIN(", "SNEK_PLUGIN(.head.required_minor = SNEK_ABI_MINOR, ")
    (directory / "needy.c").write_text(needy)
    status, output = build(NEXT_HEADERS, directory / "needy.c", directory / "hello.so",
                           "-Wno-override-init")
    tap.ok(status == 0, "a plugin that needs the next minor builds", output)
    rejected = directory / "rejected.toml"
    rejected.write_text(f'plugin = "hello.so"\nrejected = "it requires ABI 1.{MINOR + 1}, this host '
                       f'speaks 1.{MINOR}: install a newer snekomatic"\n')
    status, output = play(hosts["today's host"], directory, rejected)
    tap.ok(status == 0, "it is rejected by today's host, with a sentence", output)
    status, output = play(hosts["the next host"], directory, *scenarios_of("hello"))
    tap.ok(status == 0, "it runs in the next host", output)


def types_library(headers, target):
    """All types of the ABI as debug information, for abidiff."""
    names = sorted({m.owner for m in sdk.all_members() if m.owner.startswith("struct")})
    source = "#include <snekomatic/snekomatic.h>\n" + "".join(
        f'__attribute__((visibility("default"))) const {name} *abi_{name.split()[1]};\n'
        for name in names)
    return sdk.run(["cc", "-x", "c", "-g", "-shared", "-fPIC", "-I", headers, "-", "-o", target],
                   input=source)


def check_abidiff(tap, version, headers, directory):
    sentence = f"abidiff finds nothing incompatible since {version}"
    if not shutil.which("abidiff"):
        tap.skip(sentence, "abidiff is not installed")
        return
    libraries = [directory / "old-types.so", directory / "types.so"]
    for where, library in zip((headers, sdk.HEADERS), libraries):
        status, output = types_library(where, library)
        tap.ok(status == 0, f"the types of {where.name} compile", output)
    status, output = sdk.run(["abidiff", *libraries])
    tap.ok(status & ~4 == 0, sentence, output)  # 4: a change; 8: an incompatible one


def main():
    tap = sdk.Tap()
    frozen = {path.name.removeprefix("frozen-"): path for path in sorted(HERE.glob("frozen-*"))}
    tap.ok(frozen, "something is frozen; tests/abi/freeze.sh does it")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        os.chmod(directory, 0o755)
        tomorrow = directory / "next-host"
        (tomorrow / "worker").mkdir(parents=True)
        for program in "snekomatic", "snekomatic-host":
            shutil.copy(BUILD / "host" / program, tomorrow / program)
        shutil.copy(NEXT_WORKER, tomorrow / "worker/snekomatic-worker")
        hosts = {"today's host": BUILD / "host/snekomatic",
                 "the next host": tomorrow / "snekomatic"}
        plugins = {}
        for version, headers in frozen.items():
            now = sdk.compiled_layout("cc")
            old = sdk.compiled_layout("cc", headers=headers)
            broken = sdk.broken_promises(old, now, True)
            tap.ok(not broken, f"today's headers keep what {version} had",
                   "\n".join([*broken, "If that minor is not released yet: tests/abi/freeze.sh"]))
            check_abidiff(tap, version, headers, directory)
            plugins[version] = directory / version
            build_all(tap, version, headers, lambda one: headers / f"plugins/{one}.c",
                      plugins[version])
        plugins["the next minor"] = directory / "next"
        build_all(tap, "the next minor", NEXT_HEADERS,
                  lambda one: sdk.ROOT / f"plugins/{one}/{one}.c", plugins["the next minor"])
        check_runs(tap, hosts, plugins)
        check_requirement(tap, hosts, directory)
    tap.done()


main()
