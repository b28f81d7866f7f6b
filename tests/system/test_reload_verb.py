# SPDX-License-Identifier: MIT OR Apache-2.0
"""`snekomatic reload` and its socket, which only the user of the host may use."""

import contextlib
import os
import pathlib
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile

import pytest

import snek
from reloading import build, edit, reload, trouble

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "trouble.so"
    build(path)
    return path


@pytest.fixture
def runtime(tmp_path):
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def own_host(start_bot, plugin, runtime):
    """A host whose runtime directory is the test's."""
    return start_bot(plugins=[{"path": str(plugin)}], env={"RUNTIME_DIRECTORY": str(runtime)})


def the_socket(runtime):
    (path,) = runtime.glob("reload-*.socket")
    return path


def verb_command(host):
    return [snek.program("snekomatic"), "reload", "-c", host.file]


def verb(host, runtime, status=0, timeout=60):
    """Runs `snekomatic reload`; its output."""
    result = subprocess.run(verb_command(host), env=snek.clean_environment(RUNTIME_DIRECTORY=str(runtime)),
                            capture_output=True, text=True, timeout=timeout, check=False)
    assert result.returncode == status, (result.returncode, result.stdout, result.stderr)
    return result.stderr if status else result.stdout


def connected(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # An address has at most 107 bytes.
    directory = os.open(path.parent, os.O_PATH)
    try:
        client.connect(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
    # Not before: connect() must wait while many others do.
    client.settimeout(snek.PATIENCE_S)
    return client


def test_the_verb_reloads_and_prints_what_changed_and_what_needs_a_restart(own_host, plugin, runtime):
    assert verb(own_host, runtime) == "reloaded\n"
    build(plugin, "2")
    edit(own_host, 'listen = "127.0.0.1:0"', 'listen = "127.0.0.2:0"')
    with own_host.file.open("a") as file:
        file.write(f'[[plugin]]\npath = "{snek.program("ping.so")}"\n')
    mark = own_host.mark()
    assert verb(own_host, runtime) == (f"reloaded\nplugins: {plugin} (changed), {snek.program('ping.so')} (added)\n"
                                       "needs a restart: server.listen\n")
    # The first reload's host may report its worker after the mark.
    own_host.wait_log(msg="worker_started", plugin="trouble", version="2", after=mark)
    own_host.wait_log(msg="done", delivery=own_host.deliver("trouble", trouble()))


def test_the_verb_prints_the_reason_of_a_rejection_that_the_log_has(own_host, plugin, runtime):
    edit(own_host, "delay_ms", "delai_ms")
    mark = own_host.mark()
    output = verb(own_host, runtime, status=78)
    assert "the present configuration stays in force" in output
    assert "did you mean dispatch.delay_ms" in output
    assert "did you mean dispatch.delay_ms" in own_host.wait_log(msg="reload_rejected", after=mark)["reason"]
    edit(own_host, "delai_ms", "delay_ms")
    edit(own_host, "[server]", '[server]\npublic_url = "bot.example"')
    output = verb(own_host, runtime, status=78)
    assert "the present configuration stays in force" in output
    assert "server.public_url must start with https://" in output
    edit(own_host, 'public_url = "bot.example"', "")
    plugin.write_bytes(b"no shared object")
    assert "the old configuration and plugins stay in force" in verb(own_host, runtime, status=78)
    own_host.wait_log(msg="done", delivery=own_host.deliver("trouble", trouble()))


def test_without_a_host_the_verb_is_69_and_names_the_fix(own_host, runtime):
    other = own_host.file.with_name("other.toml")
    other.write_text(own_host.file.read_text())
    result = subprocess.run([snek.program("snekomatic"), "reload", "-c", other], capture_output=True, text=True,
                            env=snek.clean_environment(RUNTIME_DIRECTORY=str(runtime)), check=False)
    assert result.returncode == 69 and "snekomatic serve" in result.stderr
    own_host.stop()
    assert not list(runtime.glob("reload-*"))
    assert "snekomatic serve" in verb(own_host, runtime, status=69)


def test_a_reload_is_answered_when_the_host_stops(own_host, runtime):
    place = "/repos/sneks-united/terrarium/issues/12"
    own_host.fake.fail("GET", place, delay_ms=600000)
    own_host.deliver("trouble", trouble("get", url=place))
    snek.wait_until(lambda: own_host.fake.requests("GET", place), "a run that goes on")
    mark = own_host.mark()
    with subprocess.Popen(verb_command(own_host), stderr=subprocess.PIPE, text=True,
                          env=snek.clean_environment(RUNTIME_DIRECTORY=str(runtime))) as client:
        own_host.wait_log(msg="reloading", after=mark)
        own_host.process.popen.send_signal(signal.SIGTERM)
        own_host.fake.release()
        assert own_host.process.wait() == 0
        assert "the host stopped" in client.communicate(timeout=snek.PATIENCE_S)[1]
    assert client.returncode == 69


def test_the_verb_waits_for_a_bounded_time(own_host, runtime):
    os.kill(own_host.process.pid, signal.SIGSTOP)
    result = subprocess.run([*verb_command(own_host), "--timeout", "1"], capture_output=True, text=True, check=False,
                            env=snek.clean_environment(RUNTIME_DIRECTORY=str(runtime)), timeout=60)
    mark = own_host.mark()
    os.kill(own_host.process.pid, signal.SIGCONT)
    assert result.returncode == 75 and "has not ended after 1 s" in result.stderr, result
    own_host.wait_log(msg="reloaded", after=mark)


def test_a_socket_that_cannot_accept_for_a_while_works_again(own_host, runtime):
    pid = own_host.process.pid

    def opened():
        return {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}

    with contextlib.ExitStack() as clients:
        # The supervisor's loop has then closed its ends of what it gave to the host and the worker at their start.
        with connected(the_socket(runtime)) as garbage:
            garbage.send(b"relo")
            assert garbage.recv(4096) and garbage.recv(4096) == b""
        # Silent clients lift the limit above the 14 descriptors of the supervisor's poll(), which would fail.
        settled = len(opened())
        for _ in range(4):
            clients.enter_context(connected(the_socket(runtime)))
        snek.wait_until(lambda: len(opened()) == settled + 4, "the silent clients' acceptance")
        lowest_free = min(set(range(settled + 5)) - opened())
        assert lowest_free >= 14
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
        with subprocess.Popen(verb_command(own_host), stdout=subprocess.PIPE, text=True,
                              env=snek.clean_environment(RUNTIME_DIRECTORY=str(runtime))) as client:
            own_host.wait_log(msg="reload_socket_failed")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
            assert client.communicate(timeout=snek.PATIENCE_S)[0] == "reloaded\n"
        assert client.returncode == 0


def test_the_socket_is_private_and_outlives_no_host(own_host, runtime):
    path = the_socket(runtime)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pids = own_host.pids("host")
    own_host.process.popen.kill()
    own_host.process.wait()
    # The next host needs the store.
    snek.wait_until_gone(pids)
    assert path.exists()
    own_host.start()
    assert verb(own_host, runtime) == "reloaded\n"


def test_two_hosts_do_not_disturb_each_other(start_bot, own_host, runtime):
    env = {"RUNTIME_DIRECTORY": str(runtime)}
    second = start_bot("second", plugins=["trouble"], env=env)
    assert len(list(runtime.glob("reload-*.socket"))) == 2
    mark = own_host.mark()
    assert verb(second, runtime) == "reloaded\n"
    assert not own_host.log(mark, msg="reloading")
    # With the same file, too: the first keeps the socket.
    command = [snek.program("snekomatic"), "serve", "-c", own_host.file]
    third = snek.Process(command, snek.clean_environment(DATABASE_URL="sqlite:third.db", **env),
                         cwd=own_host.folder)
    assert "SIGHUP" in third.wait_log(msg="reload_socket_failed")["reason"]
    third.wait_log(msg="listening")
    third.end()
    assert verb(own_host, runtime) == "reloaded\n"


def test_a_silent_client_a_malformed_request_and_a_thousand_clients_change_nothing(own_host, runtime):
    path = the_socket(runtime)
    mark = own_host.mark()
    with contextlib.ExitStack() as clients:
        silent = clients.enter_context(connected(path))
        for request in (b"relo", b"reload ", b"\0" * 100_000):
            garbage = clients.enter_context(connected(path))
            garbage.send(request)
            assert garbage.recv(4096) == b"failed\nthe request is malformed"
            assert garbage.recv(4096) == b""
        for _ in range(9):
            with contextlib.ExitStack() as crowd:
                for _ in range(100):
                    crowd.enter_context(connected(path))
        for _ in range(100):
            clients.enter_context(connected(path))
        assert verb(own_host, runtime) == "reloaded\n"
        assert silent.recv(4096) == b""
    assert len(own_host.log(mark, msg="reloading")) == 1


@pytest.mark.parametrize("there", ["symbolic link", "file"])
def test_what_is_not_a_socket_is_left_alone(own_host, runtime, tmp_path, there):
    path, victim = the_socket(runtime), tmp_path / "victim"
    own_host.stop()
    victim.write_text("precious")
    if there == "file":
        path.write_text("precious")
    else:
        path.symlink_to(victim)
    own_host.start()
    assert "is not a socket: remove it" in own_host.wait_log(msg="reload_socket_failed")["reason"]
    assert path.read_text() == victim.read_text() == "precious"
    assert stat.S_IMODE(victim.stat().st_mode) != 0o600
    reload(own_host)


AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    client.connect(sys.argv[1]); client.send(b"reload"); print(client.recv(4096))
except OSError as problem:
    print(type(problem).__name__)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_not_heard(start_bot):
    # In /tmp, which another user can search.
    with tempfile.TemporaryDirectory(prefix="snek-", dir="/tmp") as runtime:
        host = start_bot("open", plugins=["trouble"], env={"RUNTIME_DIRECTORY": runtime})
        path = the_socket(pathlib.Path(runtime))

        def response():
            command = [sys.executable, "-c", AS_NOBODY, str(path)]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

        mark = host.mark()
        assert response() == "PermissionError"
        os.chmod(runtime, 0o755)
        assert response() == "PermissionError"
        path.chmod(0o666)
        assert response() in ("b''", "ConnectionResetError", "BrokenPipeError")
        assert not host.log(mark, msg="reloading")
        host.stop()
