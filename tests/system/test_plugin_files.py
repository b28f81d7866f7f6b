# SPDX-License-Identifier: MIT OR Apache-2.0
"""A worker loads a copy of the plugin's file, and only a file that nobody else could write."""

import hashlib
import pathlib
import shutil
import signal
import subprocess

import pytest

import snek


def build(path, version=b"0.9"):
    """The plugin client with a visible version, written over what is at `path`."""
    code = snek.program("client.so").read_bytes()
    assert code.count(b"\x000.9\x00") == 1
    path.write_bytes(code.replace(b"\x000.9\x00", b"\0" + version + b"\0"))
    path.chmod(0o644)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "mine" / "client.so"
    path.parent.mkdir(mode=0o755)
    build(path)
    return path


def configure(folder, plugin, **keys):
    """A configuration with all that `check` needs but a key; its path."""
    file = folder / "snekomatic.toml"
    file.write_text(snek.to_toml({
        "github": {"app_id": snek.APP_ID, "webhook_secret_file": "secret",
                   "private_key_file": "key.pem"},
        "server": {"listen": "127.0.0.1:0"}, "plugin": [{"path": str(plugin), **keys}]}))
    (folder / "secret").write_text(snek.WEBHOOK_SECRET)
    (folder / "secret").chmod(0o600)
    return file


def verb(*arguments):
    done = subprocess.run([snek.program("snekomatic"), *arguments], env=snek.clean_environment(),
                          capture_output=True, text=True, timeout=snek.PATIENCE_S, check=False)
    return done.returncode, done.stdout + done.stderr


UNSAFE = {
    "file": ("{plugin} is writable by everybody: chmod go-w {plugin}",
             lambda plugin: plugin.chmod(0o646)),
    "directory": ("{folder} is writable by its group: chmod go-w {folder}",
                  lambda plugin: plugin.parent.chmod(0o775)),
}


@pytest.mark.parametrize("what", UNSAFE)
def test_every_verb_rejects_an_unsafe_file_and_names_the_fix(key, plugin, tmp_path, what):
    sentence, spoil = UNSAFE[what]
    sentence = sentence.format(plugin=plugin, folder=plugin.parent)
    file = configure(tmp_path, plugin)
    shutil.copy(key if isinstance(key, (str, pathlib.Path)) else key[0], tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o600)
    assert verb("plugins", "-c", file)[0] == 0
    spoil(plugin)
    for name in ("plugins", "check", "serve"):
        status, output = verb(name, "-c", file)
        assert status == 78 and sentence in output, (name, status, output)


def test_the_scenario_runner_rejects_an_unsafe_file(plugin, tmp_path):
    scenario = tmp_path / "unsafe.toml"
    scenario.write_text(f'plugin = "{plugin}"\nrejected = "is writable by everybody: chmod go-w"\n')
    command = [snek.program("snekomatic-test"), "run", scenario]
    env = snek.clean_environment(SNEKOMATIC=snek.program("snekomatic"))
    safe = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    plugin.chmod(0o646)
    unsafe = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (safe.returncode == 0, unsafe.returncode) == (False, 0), unsafe.stdout + unsafe.stderr


def test_a_file_with_another_hash_is_rejected_with_both(plugin, tmp_path):
    digest = hashlib.sha256(plugin.read_bytes()).hexdigest()
    status, output = verb("plugins", "-c", configure(tmp_path, plugin, sha256=digest.upper()))
    assert status == 0 and digest in output
    build(plugin, b"0.8")
    status, output = verb("plugins", "-c", configure(tmp_path, plugin, sha256=digest))
    assert status == 78 and digest in output
    assert hashlib.sha256(plugin.read_bytes()).hexdigest() in output


@pytest.mark.parametrize("what", ["copy", "directory", "other file"])
def test_a_worker_restarts_when_somebody_cleans_the_directory_of_the_copies(start_bot, plugin,
                                                                            tmp_path, what):
    runtime = tmp_path / "runtime"
    host = start_bot(plugins=[{"path": str(plugin)}], env={"RUNTIME_DIRECTORY": runtime})
    first = host.wait_log(msg="worker_started")
    [copy] = (runtime / "plugins").glob("*.so")
    if what == "directory":
        shutil.rmtree(runtime)
    else:
        copy.unlink()
    if what == "other file":
        copy.write_text("no shared object")
    build(plugin, b"0.8")
    mark = host.mark()
    host.kill("worker", signal.SIGKILL)
    again = host.wait_log(msg="worker_started", after=mark)
    assert (again["version"], again["sha256"]) == ("0.9", first["sha256"])
    # Lines of the supervisor and of the host have no order.
    host.wait_log(msg="plugin_copy_restored", path=copy, after=mark)
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == copy.stem


@pytest.mark.parametrize("how", ["overwritten", "replaced", "deleted"])
def test_a_worker_that_restarts_loads_the_code_that_the_host_loaded(start_bot, plugin, how):
    host = start_bot(plugins=[{"path": str(plugin)}])
    first = host.wait_log(msg="worker_started")
    assert first["version"] == "0.9"
    assert hashlib.sha256(plugin.read_bytes()).hexdigest().startswith(first["sha256"])
    if how == "overwritten":
        build(plugin, b"0.8")
    elif how == "replaced":
        build(plugin.with_suffix(".new"), b"0.8")
        plugin.with_suffix(".new").rename(plugin)
    else:
        plugin.unlink()
    mark = host.mark()
    host.kill("worker", signal.SIGKILL)
    again = host.wait_log(msg="worker_started", after=mark)
    assert (again["version"], again["sha256"]) == ("0.9", first["sha256"])
