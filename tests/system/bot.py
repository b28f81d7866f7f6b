# SPDX-License-Identifier: MIT OR Apache-2.0
"""A running bot: its configuration, its processes, and the webhooks that it gets."""

import hashlib
import http.client
import json
import os
import pathlib
import shlex
import signal
import subprocess
import time
import urllib.parse
import uuid

from messages import APP_ID, WEBHOOK_SECRET, request, rewrite, signature
import processes
import slowness
from processes import Process, children, clean_environment

def to_toml(tables):
    """Dictionaries as TOML: {"server": {...}, "plugin": [{"path":..., "config": {...}}]}."""
    lines = []

    def put(name, table, brackets):
        lines.append(brackets[0] + name + brackets[1])
        nested = {key: value for key, value in table.items() if isinstance(value, dict)}
        for key, value in table.items():
            if key not in nested:
                # TOML knows JSON's escapes but for surrogate pairs, so no character is one.
                lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
        for key, value in nested.items():
            put(f"{name}.{key}", value, "[]")

    for name, value in tables.items():
        if isinstance(value, list):
            for table in value:
                put(name, table, ("[[", "]]"))
        else:
            put(name, value, "[]")
    return "\n".join(lines) + "\n"


def _arguments(pid):
    """The command line of a process; [] when it has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


class Bot:
    """A running `snekomatic serve`: configuration, database and credentials in `folder`.

    plugins      names ("invite"), or tables with "path" or "name" and what else the plugin takes
    config       more of the configuration, over the defaults: {"dispatch": {"delay_ms": 50}}
    credentials  "files", or "environment"
    env          more of the environment
    files        other files of the folder, that only their owner may read: {"console.token": TEXT}
    """

    def __init__(self, fake, folder, plugins=("invite",), config=None, credentials="files",
                 env=None, files=None, start=True):
        self.fake, self.folder = fake, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.env = dict(env or {})
        for name, text in (files or {}).items():
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)
        self.file = self.folder / "snekomatic.toml"
        self.process, self.port, self.url = None, None, None
        tables = {
            "server": {"listen": "127.0.0.1:0"},
            "github": {"app_id": APP_ID, "api_url": fake.api_url, "write_interval_ms": 0,
                       "notify_interval_ms": 0, "recover_interval_minutes": 0},
            "store": {"url": "sqlite:snekomatic.db"},
            # A failed run waits until a test makes it due (effect_steps.hurry), however slow the test is.
            "dispatch": {"delay_ms": 0, "first_retry_ms": 600000},
            "log": {"level": "debug"},
        }
        key = fake.key if isinstance(fake.key, (str, pathlib.Path)) else fake.key[0]
        if credentials == "files":
            (self.folder / "webhook.secret").write_text(WEBHOOK_SECRET + "\n")
            (self.folder / "webhook.secret").chmod(0o600)
            tables["github"]["private_key_file"] = str(key)
            tables["github"]["webhook_secret_file"] = "webhook.secret"
        else:
            self.env.setdefault("GITHUB_PRIVATE_KEY", pathlib.Path(key).read_text())
            self.env.setdefault("GITHUB_WEBHOOK_SECRET", WEBHOOK_SECRET)
        for name, table in (config or {}).items():
            tables[name] = {**tables.get(name, {}), **table}
        if tables["github"].get("receive") == "pull":  # which needs no secret
            tables["github"].pop("webhook_secret_file", None)
            self.env.pop("GITHUB_WEBHOOK_SECRET", None)
        tables["plugin"] = [self._plugin(plugin) for plugin in plugins]
        self.file.write_text(to_toml(tables))
        if start:
            self.start()

    @staticmethod
    def _plugin(plugin):
        table = {"name": plugin} if isinstance(plugin, str) else dict(plugin)
        if "name" in table:
            table["path"] = str(processes.program(f"{table.pop('name')}.so"))
        return {**table, "path": str(table["path"])}

    def start(self):
        """Starts it and waits until it serves. SNEK_WRAPPER may be a command such as valgrind."""
        wrapper = shlex.split(os.environ.get("SNEK_WRAPPER", ""))
        command = [*wrapper, processes.program("snekomatic"), "serve", "-c", self.file]
        self.process = Process(command, clean_environment(**self.env), cwd=self.folder)
        slowness.stall_children(self.process.popen)
        self.port = int(self.process.wait_log(msg="listening")["port"])
        self.url = f"http://127.0.0.1:{self.port}"
        self.wait_ready()
        return self

    def wait_ready(self, timeout=None):
        """Waits for /readyz to say yes."""
        deadline = time.monotonic() + (processes.PATIENCE_S if timeout is None else timeout)
        last = None
        while time.monotonic() < deadline and self.process.popen.poll() is None:
            try:
                with slowness.polling():
                    last = request("GET", f"{self.url}/readyz")
                if last.status == 200:
                    return
            except (OSError, http.client.HTTPException) as problem:
                last = problem
            time.sleep(0.05)
        raise AssertionError(f"not ready ({last}); the last lines:\n{self.process.output()}")

    def stop(self):
        """SIGTERM, after which it must end with 0."""
        status = self.process.end()
        assert status == 0, f"the bot ended with {status}:\n{self.process.output()}"

    def verb(self, *words, status=0):
        """Runs another verb of the program with the bot's configuration and environment. Returns the
        finished process, with its output as text."""
        slowness.pause()
        command = [processes.program("snekomatic"), *words, "-c", self.file]
        done = subprocess.run([str(word) for word in command], cwd=self.folder, timeout=120, text=True,
                              env=clean_environment(**self.env), capture_output=True,
                              check=False)
        assert done.returncode == status, (done, self.process.output() if self.process else None)
        return done

    def states(self):
        """The state of each delivery's run, by the store: a killed host's last lines may be missing from
        its log."""
        listed = json.loads(self.verb("deliveries", "list", "--json").stdout)
        return {run["delivery"]: run["state"] for run in listed}

    def mark(self):
        return self.process.mark()

    def log(self, after=0, **wanted):
        return self.process.log(after, **wanted)

    def wait_log(self, timeout=None, after=0, **wanted):
        return self.process.wait_log(timeout, after, **wanted)

    def post(self, event, payload=None, delivery=None, body=None, secret=WEBHOOK_SECRET,
             headers=None, content_type="application/json", timeout=None):
        """Posts a webhook as GitHub does; the payload's URLs are rewritten to the fake's.

        `body` is sent as it is instead of a payload; `headers` are put over GitHub's own, where
        None leaves one out. The response has the GUID as `delivery`."""
        delivery = delivery or str(uuid.uuid4())
        if body is None:
            body = json.dumps(rewrite(payload, self.fake.api_url)).encode()
            if content_type == "application/x-www-form-urlencoded":
                body = urllib.parse.urlencode({"payload": body.decode()}).encode()
        given = {
            "User-Agent": "GitHub-Hookshot/f00d1ed",
            "Accept": "*/*",
            "Content-Type": content_type,
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery,
            "X-GitHub-Hook-ID": "48001",
            "X-GitHub-Hook-Installation-Target-ID": str(APP_ID),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature-256": signature(body, secret),
            **(headers or {}),
        }
        sent = {name: value for name, value in given.items() if value is not None}
        response = request("POST", f"{self.url}/webhook/github", body, sent, timeout)
        response.delivery = delivery
        slowness.pause()
        return response

    def deliver(self, event, payload, **options):
        """post() that must be queued. The GUID."""
        response = self.post(event, payload, **options)
        assert response.status == 202, f"{response}:\n{self.process.output()}"
        return response.delivery

    def request(self, method, path, body=None, headers=None, timeout=None):
        """A request that is no webhook, or one that is wrong on purpose."""
        return request(method, self.url + path, body, headers, timeout)

    # -- its processes: supervisor -> host and workers

    def memory_kib(self, field, ring="host"):
        """A line of the process's /proc/PID/status, such as VmRSS."""
        status = pathlib.Path(f"/proc/{self.pids(ring)[0]}/status").read_text(encoding="ascii")
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(field)))

    def pids(self, ring, plugin=None):
        """The processes of a ring: "supervisor", "host", or "worker" (of one plugin)."""
        supervisor = [self.process.pid]
        if ring == "supervisor":
            return supervisor
        below = children(self.process.pid)
        if ring == "host":
            return [pid for pid in below if "host" in _arguments(pid)]
        if ring != "worker":
            raise ValueError(f"no such ring: {ring}")
        workers = [pid for pid in below
                   if any("snekomatic-worker" in word for word in _arguments(pid))]
        return workers if plugin is None else [p for p in workers if self._runs(p, plugin)]

    def _runs(self, pid, plugin):
        """Has this worker loaded the plugin? Asks the kernel, else (no right to look) the log."""
        digest = hashlib.sha256(processes.program(f"{plugin}.so").read_bytes()).hexdigest()
        try:
            maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
            if maps:
                return f"/{digest}.so" in maps
        except OSError:
            pass
        return bool(self.log(pid=pid, plugin=plugin))

    def release(self):
        """Lets runs of the plugin `trouble` go on that their payload holds: {"held": ATTEMPTS}."""
        self.kill("worker", signal.SIGUSR1, "trouble")

    def kill(self, ring, sig=signal.SIGKILL, plugin=None):
        """Sends a signal to a ring's processes and returns their ids. It does not wait: what is
        to happen then is in the log."""
        slowness.pause()
        if sig == signal.SIGSTOP:
            slowness.stall_no_more(self.process.popen)
        pids = self.pids(ring, plugin)
        assert pids, f"there is no {ring} {plugin or ''}:\n{self.process.output()}"
        for pid in pids:
            os.kill(pid, sig)
        return pids
