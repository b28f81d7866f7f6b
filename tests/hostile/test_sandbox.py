# SPDX-License-Identifier: MIT OR Apache-2.0
"""Promise 4 with a real hostile plugin: the level of its sandbox is shown, and it gains nothing by
forged frames, foreign addresses, permissions that it did not declare, and texts for terminals."""

import os
import pathlib
import re
import shutil
import socket
import struct

import pytest

import processes
import snek

FULL = snek.best_level() == "full"
needs_the_sandbox = pytest.mark.skipif(not FULL, reason="this build or kernel has no full sandbox")
FRAMES_HEADER = pathlib.Path(__file__).resolve().parents[2] / "host/protocol/frames.h"
NO_SUCH_RUN = 1 << 40


def hostile(**more):
    return {"installation": {"id": snek.INSTALLATION}, **more}


def start(start_bot, **options):
    return start_bot(plugins=[{"name": "hostile", **options}, "trouble"],
                     config={"dispatch": {"max_attempts": 1}})


@pytest.fixture
def host(start_bot):
    return start(start_bot)


def neighbour_is_well(host):
    host.wait_log(msg="done", delivery=host.deliver("trouble", hostile(action="fine")))


def end_of(host, event, **payload):
    delivery = host.deliver(event, hostile(**payload))
    return host.wait_log(msg=("done", "skipped", "rejected", "retry", "dead"), delivery=delivery)


# ---- the level ----

def shown_level(host, plugin="hostile"):
    ready = host.request("GET", "/readyz").json["plugins"]
    return next(one["sandbox"] for one in ready if one["name"] == plugin)


def test_the_level_is_in_the_log_in_readyz_and_in_plugins(host):
    level = snek.best_level()
    line = host.wait_log(msg="worker_started", plugin="hostile")
    assert line["sandbox"] == level
    assert ("sandbox_reason" in line) == (level != "full")
    assert shown_level(host) == level
    assert f"\n  sandbox      {level}" in host.verb("plugins").stdout


def test_the_kernel_confirms_the_level(host):
    for pid in host.pids("worker"):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == ("0" if snek.best_level() == "off" else "2")
        if snek.best_level() != "off":
            assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0


def test_off_is_shown_as_off(start_bot):
    host = start(start_bot, sandbox="off")
    assert host.wait_log(msg="worker_started", plugin="hostile")["sandbox"] == "off"
    assert shown_level(host) == "off" and shown_level(host, "trouble") == snek.best_level()
    assert '  sandbox      off: plugin.sandbox is "off"\n' in host.verb("plugins").stdout


@needs_the_sandbox
def test_strict_accepts_the_full_level(start_bot):
    assert shown_level(start(start_bot, sandbox="strict")) == "full"


@pytest.fixture
def without_landlock(monkeypatch, tmp_path):
    """The programs of a kernel without Landlock."""
    if os.environ.get("SNEK_SANITIZED"):
        pytest.skip("a sanitized build has no sandbox")
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in "snekomatic", "snekomatic-host":
        shutil.copy2(snek.program(name), folder / name)
    shutil.copy2(snek.program("snekomatic-worker-partial"), folder / "snekomatic-worker")
    found = processes.program
    monkeypatch.setattr(processes, "program", lambda name: folder / name if name == "snekomatic"
                        else found(name))
    return folder


def test_without_landlock_the_level_is_partial_and_says_why(start_bot, without_landlock):
    host = start(start_bot)
    line = host.wait_log(msg="worker_started", plugin="hostile")
    assert line["sandbox"] == "partial" and "no Landlock" in line["sandbox_reason"]
    assert shown_level(host) == "partial"


def test_strict_rejects_a_plugin_below_the_full_level(fake, tmp_path, without_landlock):
    bot = snek.Bot(fake, tmp_path / "bot", start=False,
                   plugins=[{"name": "hostile", "sandbox": "strict"}])
    assert ('plugin.sandbox = "strict" requires the full sandbox, and this kernel'
            in bot.verb("plugins", status=78).stderr)


# ---- the real rings ----

@needs_the_sandbox
@pytest.mark.parametrize("ring", ["supervisor", "host"])
@pytest.mark.parametrize("probe,errno", [("read another process's environment", 13),
                                         ("read another process's memory by /proc", 13),
                                         ("kill another process", 1), ("stop another process", 1),
                                         ("signal the owner of a pipe", 1),
                                         ("limit another process", 1)])
def test_a_plugin_reaches_no_ring(host, ring, probe, errno):
    payload = {"name": probe, "directory": str(host.folder), "victim": host.pids(ring)[0]}
    assert end_of(host, "probe", **payload)["reason"] == f"outcome {errno}"
    neighbour_is_well(host)


@needs_the_sandbox
def test_an_attack_ends_the_worker_and_the_log_says_so(host):
    line = end_of(host, "probe", name="mount", directory="/", victim=host.pids("host")[0])
    assert "signal 31" in line["reason"]
    assert "a system call that the sandbox forbids" in line["reason"]
    neighbour_is_well(host)


# ---- forged frames ----

def frame_kinds():
    """The numbers of the kinds of frames by their names, as the header counts them."""
    body = re.search(r"^enum frame_kind {$(.*?)^};$", FRAMES_HEADER.read_text(), re.DOTALL | re.MULTILINE)[1]
    kinds, number = {}, -1
    for name, value in re.findall(r"^ +FRAME_(\w+)(?: = (\d+))?,$", body, re.MULTILINE):
        number = int(value) if value else number + 1
        kinds[name] = number
    return kinds


KINDS = frame_kinds()
NO_KIND = max(KINDS.values()) + 100


def frame(kind, *fields, run=0, request=0):
    """A frame of the kind with this name or number. A number is 8 bytes, a text has its length in front."""
    body = b"".join(struct.pack("=Q", field) if isinstance(field, int)
                    else struct.pack("=I", len(field)) + field for field in fields)
    return (struct.pack("=IIQQ", len(body), KINDS.get(kind, kind), run, request) + body).hex()


def http_call(run):
    return frame("HTTP_CALL", 0, b"GET", b"/user", b"", b"", b"", b"", b"", b"", run=run, request=1)


@pytest.mark.parametrize("forged,words", [
    (http_call(NO_SUCH_RUN), "named a run that it does not have"),
    (frame("STORE_CALL", 0, 0, b"set", b"entry", b"", run=NO_SUCH_RUN, request=1),
     "named a run that it does not have"),
    (frame("RESULT", 0, 0, b"", b"", run=NO_SUCH_RUN), "named a run that it does not have"),
    (frame("SANDBOX", 2, b""), "malformed frame"),
    (frame("DESCRIBED", 1), "malformed frame"),
    (frame("READY"), "malformed frame"),
    (frame("APP_CALL", 9), "malformed frame"),
    (frame("APP_CALL", 1, run=NO_SUCH_RUN), "named a run that it does not have"),
    (frame("LOG", 9, b"text"), "malformed frame"),
    (frame("LOG", 1, b"text") + "00", "malformed frame"),
    (frame(NO_KIND), "malformed frame"),
], ids=["request", "store", "result", "level", "description", "ready", "question", "question of no run",
       "log", "rest", "kind"])
def test_a_forged_frame_ends_the_worker_only(host, forged, words):
    # Bytes that are left over become the head of a next frame, which must be whole to be judged.
    payload = forged + ("ff" * 24 if forged.endswith("00") and words == "malformed frame" else "")
    host.deliver("frame", hostile(hex=payload))
    line = host.wait_log(msg="worker_died", plugin="hostile")
    assert words in line["how"]
    neighbour_is_well(host)
    assert len(host.pids("host")) == 1


def test_the_handle_of_a_finished_run_is_worth_nothing(host):
    assert end_of(host, "frame", hex="")["msg"] == "done"
    sent = len(host.fake.requests())
    host.deliver("frame", hostile(hex=http_call(1)))
    assert "named a run that it does not have" in host.wait_log(msg="worker_died")["how"]
    assert len(host.fake.requests()) == sent


# ---- requests ----

@pytest.fixture
def trap():
    """A server that nobody may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


FOREIGN = ["http://127.0.0.1:{port}/steal", "https://127.0.0.1:{port}/steal", "//127.0.0.1:{port}/steal",
           "HTTP://127.0.0.1:{port}/steal", "http:127.0.0.1:{port}/steal", "http:/127.0.0.1:{port}/steal",
           "http:///127.0.0.1:{port}/steal", "http://user@127.0.0.1:{port}/steal",
           "http://{api}@127.0.0.1:{port}/steal", "http://127.0.0.1:{port}#@{api}/",
           "http://127.0.0.1:{port}?@{api}/", "http://127.0.0.1:{port}\\@{api}/",
           "\\\\127.0.0.1:{port}\\steal", "/\\127.0.0.1:{port}/steal", "http://127.1:{port}/",
           "http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
           "http://localhost:{port}/", "http://localhost.:{port}/", " http://127.0.0.1:{port}/",
           "\thttp://127.0.0.1:{port}/", "http://127.0.0.1:{port}\r\n/", "ftp://127.0.0.1:{port}/",
           "file:///etc/passwd", "gopher://127.0.0.1:{port}/", "http://127.0.0.1%3a{port}/",
           "@127.0.0.1:{port}/", ":{port}/", "/..//127.0.0.1:{port}/", "/%2f127.0.0.1:{port}/"]


def test_a_foreign_origin_in_any_spelling_is_not_reached(host, trap):
    port, api = trap.getsockname()[1], host.fake.url.split("//", 1)[1]
    for spelling in FOREIGN:
        url = spelling.format(port=port, api=api)
        line = end_of(host, "request", method="GET", url=url)
        assert line["msg"] in ("retry", "dead", "rejected"), url
    with pytest.raises(TimeoutError):
        trap.accept()
    neighbour_is_well(host)


@pytest.mark.parametrize("method,url", [
    ("POST", "/repos/sneks-united/terrarium/issues/12/comments"),
    ("PUT", "/orgs/sneks-united/memberships/somebody"),
    ("POST", "/app/installations/{other}/access_tokens"), ("GET", "/app"),
    ("DELETE", "/app/installations/{other}"), ("PATCH", "/app/hook/config")])
def test_what_it_did_not_declare_is_rejected(host, method, url):
    line = end_of(host, "request", method=method, url=url.format(other=snek.INSTALLATION + 1))
    assert line["msg"] in ("retry", "dead", "rejected", "parked"), line


# ---- texts ----

TEXTS = ["\nlevel=error msg=forged plugin=trouble", "x\r\nlevel=error msg=forged", "\u2028msg=forged",
         "\x1b[2J\x1b]0;title\x07", "\x9b2J", "\x7f\x08\x08", "\u202egnp.exe", 'x" msg=forged y="',
         "x\\\" msg=forged"]


def test_texts_forge_no_line_and_control_no_terminal(host):
    for text in TEXTS:
        end_of(host, "say", text=text)
    assert not host.log(msg="forged")
    host.stop()
    output = host.process.output(last=100000)
    for unsafe in "\x1b\x07\x08\x7f\x9b\r\u2028\u202e":
        assert unsafe not in output, repr(unsafe)
    assert output.count("gnp.exe") >= 2
