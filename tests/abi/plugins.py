# SPDX-License-Identifier: MIT OR Apache-2.0
"""A plugin exports one symbol and needs nothing of ours: the bundled ones as they were built (their
files are the arguments), each again out of tree as its author would build it, and one in C++."""

import ctypes
import pathlib
import re
import sys
import tempfile

import sdk

ENTRY = "snek_plugin_entry"
PLUGINS = sdk.ROOT / "plugins"
HERE = pathlib.Path(__file__).resolve().parent
# A sanitizer's build brings these with it.
SANITIZERS = r"lib(asan|ubsan|tsan|clang_rt\.\w+)[-\w]*\.so"
LIBC = r"(libc|ld-linux[-\w]*|linux-vdso)\.so"
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]


def exported(path):
    _, output = sdk.run(["nm", "-D", "--defined-only", "--format=posix", path])
    names = [line.split()[0] for line in output.splitlines()]
    return [name for name in names if not re.match(r"__(odr_)?asan", name)]


def needed_of_ours(path):
    _, symbols = sdk.run(["nm", "-D", "--undefined-only", "--format=posix", path])
    _, dynamic = sdk.run(["readelf", "-d", path])
    libraries = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    foreign = [lib for lib in libraries if not re.match(rf"{LIBC}|{SANITIZERS}", lib)]
    return foreign + re.findall(r"^snek\w*", symbols, re.M)


class Head(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_char * 4),
        ("major", ctypes.c_uint16),
        ("minor", ctypes.c_uint16),
        ("required_minor", ctypes.c_uint16),
        ("reserved", ctypes.c_uint16),
        ("struct_bytes", ctypes.c_uint32),
        ("name", ctypes.c_char_p),  # of struct snek_plugin, right behind the head
    ]


def head(path):
    entry = getattr(ctypes.CDLL(str(path)), ENTRY)
    entry.restype = ctypes.POINTER(Head)
    found = entry().contents
    return (found.magic, found.major, found.minor, found.name.decode())


def check(tap, path, what, name):
    names = exported(path)
    tap.ok(names == [ENTRY], f"{what} exports one symbol", names)
    version = sdk.current_version()
    found = head(path)
    tap.ok(found == (b"SNEK", *version, name), f"{what} says what it is", found)


def build(compiler, flags, source, target):
    return sdk.run(
        [compiler, "-shared", "-fPIC", *flags, "-I", sdk.HEADERS, source, "-o", target]
    )


def check_source(tap, directory, source):
    name = source.stem
    for compiler in sdk.compilers("cc", "gcc", "clang"):
        for flags in ([], STRICT):
            what = f"{name} by {compiler} {' '.join(flags[:1])}".rstrip()
            target = directory / f"{name}-{compiler}-{len(flags)}.so"
            status, output = build(compiler, flags, source, target)
            tap.ok(status == 0, f"{what} builds out of tree", output)
            if status == 0:
                check(tap, target, what, name)
                foreign = needed_of_ours(target)
                tap.ok(not foreign, f"{what} needs nothing but libc", foreign)


tap = sdk.Tap()
bundled = [pathlib.Path(argument) for argument in sys.argv[1:]]
sources = sorted(PLUGINS.glob("*/*.c"))
tap.ok([p.stem for p in sorted(bundled)] == [p.stem for p in sources], "each plugin is built",
       f"{bundled}, but there are {sources}")
for path in bundled:
    tap.ok(exported(path) == [ENTRY], f"{path.name} as bundled exports one symbol", exported(path))
    foreign = needed_of_ours(path)
    tap.ok(not foreign, f"{path.name} as bundled needs nothing of ours", foreign)

with tempfile.TemporaryDirectory() as name:
    directory = pathlib.Path(name)
    for source in sources:
        tap.ok(source.parent.name == source.stem, f"{source.name} is in a folder of its name")
        tap.ok((source.parent / "README.md").is_file(), f"{source.stem} has a README.md")
        check_source(tap, directory, source)

    for compiler in sdk.compilers("g++", "clang++"):
        target = directory / f"hello-{compiler}.so"
        for standard, source in (("c++17", "hello.cpp"), ("c++20", "hello20.cpp")):
            flags = [f"-std={standard}", *STRICT[1:]]
            what = f"hello in {standard} by {compiler}"
            status, output = build(compiler, flags, HERE / source, target)
            tap.ok(status == 0, f"{what} builds", output)
            if status == 0:
                check(tap, target, what, "hello")

    spoilt = directory / "spoilt.c"
    spoilt.write_text((PLUGINS / "hello" / "hello.c").read_text() + "int snek_log_open(void);\n"
                      "int also(void);\nint also(void) { return snek_log_open(); }\n")
    build("cc", [], spoilt, directory / "spoilt.so")
    names = exported(directory / "spoilt.so")
    foreign = needed_of_ours(directory / "spoilt.so")
    tap.ok(len(names) == 2 and foreign == ["snek_log_open"],
           "a second symbol, and one of ours, would be seen", f"{names} {foreign}")

hello = (PLUGINS / "hello" / "hello.c").read_text().splitlines()
tap.ok(len(hello) - 2 < 15, "hello is under 15 lines of code", len(hello))
readme = (sdk.ROOT / "README.md").read_text()
tap.ok("\n".join(hello[2:]) in readme, "the main README shows hello whole")
tap.done()
