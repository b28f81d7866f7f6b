# SPDX-License-Identifier: MIT OR Apache-2.0
"""SIGHUP and `snekomatic reload`: the configuration and the plugins' files take effect without a restart of the service;
nothing is lost or run twice, and what is wrong leaves the old ones in force."""

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
import threading
import time

import pytest

import snek

SANITIZED = bool(os.environ.get("SNEK_SANITIZED"))
RATE_PER_S = 20 if SANITIZED else 200


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


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "trouble.so"
    build(path)
    return path


@pytest.fixture
def host(start_bot, either_store, plugin):
    return start_bot(plugins=[{"path": str(plugin)}],
                     config={**either_store, "dispatch": {"delay_ms": 0}})


def reload(host, *, expect="reloaded"):
    mark = host.mark()
    os.kill(host.process.pid, signal.SIGHUP)
    return host.wait_log(msg=expect, after=mark)


def reloaded_version(host):
    """Reloads; the version of trouble that the host has loaded then."""
    mark = host.mark()
    reload(host)
    return host.wait_log(msg="worker_started", plugin="trouble", after=mark)["version"]


class Load(threading.Thread):
    """Delivers at a rate until it is stopped."""

    def __init__(self, host):
        super().__init__()
        self.host, self.sent, self.wrong, self.stopping = host, [], [], False

    def run(self):
        while not self.stopping:
            response = self.host.post("trouble", trouble(), timeout=30)
            self.sent.append(response.delivery)
            if response.status != 202:
                self.wrong.append(response)
            time.sleep(10 / RATE_PER_S)

    def end(self):
        self.stopping = True
        self.join()


@pytest.mark.parametrize("how", ["replaced", "overwritten"])
def test_every_delivery_is_handled_once_while_a_rebuilt_plugin_is_loaded(host, plugin, how):
    senders = [Load(host) for _ in range(10)]
    for sender in senders:
        sender.start()
    for number in (2, 3, 4):
        if how == "replaced":
            build(plugin, str(number))
        else:
            build(plugin.with_name("other.so"), str(number))
            plugin.write_bytes(plugin.with_name("other.so").read_bytes())
        assert reloaded_version(host) == str(number)
    for sender in senders:
        sender.end()
    sent = [delivery for sender in senders for delivery in sender.sent]
    assert not [response for sender in senders for response in sender.wrong]

    def done():
        return [line["delivery"] for line in host.log(msg="done")]

    snek.wait_until(lambda: set(sent) <= set(done()), lambda: f"{len(set(sent) - set(done()))} left",
                    timeout=60)
    assert sorted(sent) == sorted(done())
    assert host.process.popen.poll() is None


def test_a_run_that_goes_on_is_finished_by_the_old_build(host, plugin):
    slow = host.deliver("trouble", trouble("fine", ms=1500))
    host.wait_log(msg="started", delivery=slow)
    build(plugin, "2")
    reload(host)
    assert host.wait_log(msg="done", delivery=slow)["attempt"] == "1"
    assert len(host.log(msg="done", delivery=slow)) == 1


def test_a_run_that_takes_too_long_goes_back_so_that_webhooks_do_not_wait_for_it(start_bot, plugin):
    host = start_bot(plugins=[{"path": str(plugin), "deadline_ms": 600000}],
                     config={"dispatch": {"delay_ms": 0}, "server": {"drain_ms": 600000}})
    slow = host.deliver("trouble", trouble("fine", ms=500000))
    host.wait_log(msg="started", delivery=slow)
    mark = host.mark()
    os.kill(host.process.pid, signal.SIGHUP)
    assert host.wait_log(msg="requeued", delivery=slow, after=mark)["reason"] == "the host stopped"
    host.wait_log(msg="reloaded", after=mark)
    assert host.wait_log(msg="started", delivery=slow, after=mark)["attempt"] == "1"
    host.process.popen.kill()
    host.process.popen.wait()


def test_credentials_of_the_environment_survive_a_reload(start_bot, plugin, fake):
    host = start_bot(plugins=[{"path": str(plugin)}], credentials="environment",
                     config={"dispatch": {"delay_ms": 0}})
    for _ in range(2):
        reload(host)
        host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))


def edit(host, old, new):
    text = host.file.read_text()
    assert old in text
    host.file.write_text(text.replace(old, new))


def test_a_bad_configuration_is_rejected_with_its_error_and_the_old_one_stays(host):
    edit(host, "delay_ms", "delai_ms")
    line = reload(host, expect="reload_rejected")
    assert line["reason"].endswith("did you mean dispatch.delay_ms?")
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    assert len(host.log(msg="listening")) == 1
    edit(host, "delai_ms", "delay_ms")
    reload(host)


def test_a_secret_that_is_not_there_is_rejected_and_the_host_goes_on(host):
    secret = host.folder / "webhook.secret"
    secret.rename(host.folder / "elsewhere")
    line = reload(host, expect="reload_rejected")
    assert "github.webhook_secret_file: cannot open" in line["reason"]
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    assert not host.log(msg="host_died")


def test_another_store_is_rejected_because_the_runs_are_in_the_old_one(host):
    edit(host, "[store]", "[store]  # as before")
    reload(host)
    text = host.file.read_text()
    url = next(line for line in text.splitlines() if line.startswith("url = "))
    host.file.write_text(text.replace(url, 'url = "sqlite:typing-eror.db"'))
    assert "store.url has changed" in reload(host, expect="reload_rejected")["reason"]
    assert not (host.folder / "typing-eror.db").exists()


def test_an_unsafe_or_absent_file_is_rejected_and_the_old_one_stays(host, plugin):
    plugin.chmod(0o646)
    assert "is writable by everybody" in reload(host, expect="reload_rejected")["reason"]
    plugin.unlink()
    assert "No such file" in reload(host, expect="reload_rejected")["reason"]
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))


def test_a_file_that_does_not_load_leaves_the_old_one_in_force(host, plugin):
    plugin.write_bytes(b"no shared object")
    mark = host.mark()
    reload(host, expect="reload_failed")
    assert not host.log(mark, msg="worker_started")
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    build(plugin, "2")
    assert reloaded_version(host) == "2"


def test_a_fixed_plugin_leaves_its_quarantine_by_a_reload(start_bot, plugin):
    host = start_bot(plugins=[{"path": str(plugin)}],
                     config={"dispatch": {"delay_ms": 0, "max_attempts": 1}})
    for _ in range(5):
        host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("exit")))
    reason = host.wait_log(msg="plugin_quarantined")["reason"]
    assert "SIGHUP" in reason and reason.endswith("snekomatic plugins release trouble")
    waiting = host.deliver("trouble", trouble())
    build(plugin, "2")
    assert reloaded_version(host) == "2"
    host.wait_log(msg="done", delivery=waiting)


def test_old_copies_do_not_pile_up(start_bot, plugin, tmp_path):
    runtime = tmp_path / "runtime"
    host = start_bot(plugins=[{"path": str(plugin)}], env={"RUNTIME_DIRECTORY": runtime})
    for number in range(2, 6):
        build(plugin, str(number))
        assert reloaded_version(host) == str(number)
    # At the last reload, a worker may still use the copy of the last build but one.
    assert len(list((runtime / "plugins").glob("*.so"))) <= 2


def test_a_plugin_is_added_and_removed(host):
    text = host.file.read_text()
    host.file.write_text(text + f'[[plugin]]\npath = "{snek.program("ping.so")}"\n')
    reload(host)
    host.wait_log(msg="worker_started", plugin="ping")
    host.file.write_text(text)
    mark = host.mark()
    reload(host)
    host.wait_log(msg="worker_started", plugin="trouble", after=mark)
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))


def test_what_needs_a_restart_is_named(host):
    edit(host, 'listen = "127.0.0.1:0"', 'listen = "127.0.0.2:0"')
    mark = host.mark()
    reload(host)
    assert host.log(mark, msg="reload_needs_restart", key="server.listen")
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    edit(host, f"app_id = {snek.APP_ID}", f"app_id = {snek.APP_ID + 1}")
    assert "needs a restart" in reload(host, expect="reload_rejected")["reason"]


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
    slow = own_host.deliver("trouble", trouble("fine", ms=3000))
    own_host.wait_log(msg="started", delivery=slow)
    mark = own_host.mark()
    with subprocess.Popen(verb_command(own_host), stderr=subprocess.PIPE, text=True,
                          env=snek.clean_environment(RUNTIME_DIRECTORY=str(runtime))) as client:
        own_host.wait_log(msg="reloading", after=mark)
        own_host.stop()
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
    own_host.process.popen.wait()
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


def test_a_reload_is_carried_out_while_no_host_can_start(start_bot, tmp_path):
    place = tmp_path / "store.db"
    host = start_bot(plugins=["ping"], config={"store": {"url": f"sqlite:{place}"}})
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    place.write_bytes(b"no database " * 1000)
    host.kill("host")
    host.wait_log(msg="host_died", **{"while": "starting"})
    # The next host has the new configuration, and fails like the others.
    reload(host, expect="reloading")
    host.wait_log(msg="reload_failed")
    place.unlink()
    reload(host)
    assert host.request("GET", "/readyz").status == 200
