# SPDX-License-Identifier: MIT OR Apache-2.0
"""The steps of the tests of a reload: a plugin with a visible version, SIGHUP, and the verb's socket."""

import os
import signal

import snek


def build(path, version="1"):
    """The plugin trouble with a visible version, put in place of what is at `path`."""
    code = snek.program("trouble.so").read_bytes()
    assert code.count(b"1\0the version of trouble") == 1
    new = path.with_suffix(".new")
    new.write_bytes(code.replace(b"1\0the version of trouble", version.encode() + b"\0the version of trouble"))
    new.chmod(0o644)
    new.rename(path)


def trouble(action="fine", **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def reload(host, *, expect="reloaded"):
    mark = host.mark()
    os.kill(host.process.pid, signal.SIGHUP)
    return host.wait_log(msg=expect, after=mark)


def edit(host, old, new):
    text = host.file.read_text()
    assert old in text
    host.file.write_text(text.replace(old, new))
