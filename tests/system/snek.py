# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the system tests are written with: the bot and the fake GitHub as real processes, signed
webhooks, payloads, and log lines as dictionaries. Only Python's standard library."""

import base64
import contextlib
import copy
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import threading
import time
import urllib.parse
import uuid

API = "https://api.github.com"
PAYLOADS = pathlib.Path(__file__).resolve().parent.parent / "payloads"
PATIENCE_S = float(os.environ.get("SNEK_PATIENCE_S", "20"))  # for valgrind and slow machines
APP_ID = 31415
APP_SLUG = "sneks-bot"
INSTALLATION = 60001  # in payloads/github.json and in every payload
WEBHOOK_SECRET = "not a secret: the tests' own"


# -- programs ------------------------------------------------------------------------------------


def build_directory():
    """Where Meson built; SNEK_BUILD says it."""
    path = os.environ.get("SNEK_BUILD")
    if not path:
        raise RuntimeError("SNEK_BUILD must name the build directory")
    return pathlib.Path(path).resolve()


def program(name):
    """The path of a program or plugin that was built, wherever below the build directory."""
    for folder in ("host", "host/worker", "tests/harness", "plugins", "tests/plugins"):
        path = build_directory() / folder / name
        if path.is_file():
            return path
    found = [path for path in build_directory().rglob(name) if path.is_file()]
    if not found:
        raise RuntimeError(f"{name} is not built below {build_directory()}")
    return found[0]


def clean_environment(**more):
    """Nothing of the caller's but what finds programs and steers the sanitizers."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.endswith("SAN_OPTIONS") or name in ("TMPDIR", "LD_LIBRARY_PATH")
    }
    return {"PATH": "/usr/bin:/bin", **kept, **{name: str(value) for name, value in more.items()}}


def make_key(path, bits=2048):
    """Makes an RSA key with whichever tool is there; PEM. Returns its path."""
    path = pathlib.Path(path)
    tools = (
        ["openssl", "genrsa", "-out", str(path), str(bits)],
        ["certtool", "--generate-privkey", "--key-type=rsa", f"--bits={bits}", f"--outfile={path}"],
    )
    for tool in tools:
        try:
            subprocess.run(tool, check=True, capture_output=True)
        except FileNotFoundError:
            continue
        path.chmod(0o600)
        return path
    raise RuntimeError("neither openssl nor certtool is installed")


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_jwt(key_path, issuer=APP_ID, issued_s=-60, expires_s=60, algorithm="RS256", **claims):
    """An app's JWT; the times count from now. A claim that is given as None is left out."""
    now = int(time.time())
    body = {"iat": now + issued_s, "exp": now + expires_s, "iss": issuer, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    head = {"alg": algorithm, "typ": "JWT"}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (head, body))
    signed = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", str(key_path)],
        input=text.encode(),
        check=True,
        capture_output=True,
    )
    return f"{text}.{base64url(signed.stdout)}"


def wait_until(condition, what, timeout=None, pause_s=0.02):
    """Waits until the condition is true, and returns its value. `what` describes it for the failure:
    a text, or a function that is called then."""
    deadline = time.monotonic() + (PATIENCE_S if timeout is None else timeout)
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"in vain: {what() if callable(what) else what}")
        time.sleep(pause_s)
    return value


# -- logfmt --------------------------------------------------------------------------------------

_FIELD = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^ ]*)')


def parse_logfmt(line):
    """A line as a dictionary of texts; JSON lines are taken too."""
    if line.startswith("{"):
        return {name: str(value) for name, value in json.loads(line).items()}
    fields = {}
    for name, value in _FIELD.findall(line):
        fields[name] = json.loads(value) if value.startswith('"') else value
    return fields


class Process:
    """A program whose output is read by threads, so that it never waits for the test."""

    def __init__(self, command, environment, cwd=None):
        self.lines = []  # (text, fields), in order
        self.errors = []  # standard error's lines
        self._news = threading.Condition()
        self._open = 2
        self._stalled, self._stands = False, False
        self.popen = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
        )
        for stream, keep in (
            (self.popen.stdout, lambda text: self.lines.append((text, parse_logfmt(text)))),
            (self.popen.stderr, self.errors.append),
        ):
            threading.Thread(target=self._read, args=(stream, keep), daemon=True).start()

    def _read(self, stream, keep):
        with stream:
            for text in stream:
                with self._news:
                    try:
                        keep(text.rstrip("\n"))
                    except ValueError:
                        self.lines.append((text, {}))  # a line that starts like JSON, and is not
                    self._news.notify_all()
                    while self._stalled and stream is self.popen.stdout:
                        self._stands = True
                        self._news.notify_all()
                        self._news.wait()
        with self._news:
            self._open -= 1
            self._news.notify_all()

    def stall(self):
        """Reads standard output no more, and fills its pipe with lines of dashes: what writes there
        stands still from now on."""
        pipe = os.open(f"/proc/self/fd/{self.popen.stdout.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
        with self._news:
            self._stalled, self._stands = True, False
            os.write(pipe, b"-\n")
            while not self._stands:
                self._news.wait()
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while os.write(pipe, b"-" * (size - 1) + b"\n"):
                    pass
        os.close(pipe)

    def read_on(self):
        with self._news:
            self._stalled = False
            self._news.notify_all()

    @property
    def pid(self):
        return self.popen.pid

    def output(self, last=60):
        """The last lines of both streams, for a failure's text."""
        with self._news:
            out = [text for text, _ in self.lines[-last:]]
            return "\n".join(out + [f"(stderr) {text}" for text in self.errors[-last:]])

    def mark(self):
        """A place in the log; wait_log(after=mark) looks at later lines only."""
        with self._news:
            return len(self.lines)

    def log(self, after=0, **wanted):
        """All lines so far whose fields are as wanted; None means that the field is absent."""
        with self._news:
            return [fields for _, fields in self.lines[after:] if _fits(fields, wanted)]

    def wait_log(self, timeout=None, after=0, **wanted):
        """The first line whose fields are as wanted, waited for; a tuple means one of several.
        Fails when the program ends."""
        deadline = time.monotonic() + (PATIENCE_S if timeout is None else timeout)
        at = after
        with self._news:
            while True:
                for _, fields in self.lines[at:]:
                    if _fits(fields, wanted):
                        return fields
                at = max(at, len(self.lines))
                left = deadline - time.monotonic()
                if left <= 0 or self._open == 0:
                    break
                self._news.wait(left)
        why = "in time" if self._open else f"before the program ended ({self.popen.poll()})"
        raise AssertionError(f"no log line {wanted} came {why}; the last lines:\n{self.output()}")

    def end(self, sig=signal.SIGTERM, timeout=None):
        """Sends the signal and waits. Returns the exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
        try:
            return self.popen.wait(PATIENCE_S if timeout is None else timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"it did not end; the last lines:\n{self.output()}") from None


def _fits(fields, wanted):
    return all(
        fields.get(name) in ([str(one) for one in value] if isinstance(value, tuple)
                             else [None if value is None else str(value)])
        for name, value in wanted.items()
    )


# -- HTTP ----------------------------------------------------------------------------------------


class Response:
    """An HTTP response: status, headers (names in lower case), body, and the body as JSON."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"Response({self.status}, {self.body[:300]!r})"


def request(method, url, body=None, headers=None, timeout=None):
    """One request on a connection of its own; `body` is bytes, or an object that becomes JSON.
    Only the headers given are sent, besides Host and Content-Length."""
    parts = urllib.parse.urlsplit(url)
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    connection = http.client.HTTPConnection(
        parts.hostname, parts.port, timeout=PATIENCE_S if timeout is None else timeout
    )
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        got = connection.getresponse()
        response_headers = {name.lower(): value for name, value in got.getheaders()}
        return Response(got.status, response_headers, got.read())
    finally:
        connection.close()


# -- payloads ------------------------------------------------------------------------------------


def payload(name, changes=None):
    """A payload of tests/payloads by its name ("pull_request.closed.merged"), changed()."""
    return changed(json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8")), changes)


def changed(value, changes):
    """A copy with some values changed: {"pull_request.user.login": "nobody"}; ... removes a key."""
    result = copy.deepcopy(value)
    for path, new in (changes or {}).items():
        *way, last = path.split(".")
        place = result
        for key in way:
            place = place[key]
        if new is ...:
            del place[last]
        else:
            place[last] = copy.deepcopy(new)
    return result


_MARKER = re.compile(r"\n\n<!-- snekomatic:effect=[0-9a-f]{32} -->$")


def visible(body):
    """What people see of a comment's body, as the bot wrote it: it must end in one marker."""
    text, markers = _MARKER.subn("", body["body"])
    assert markers == 1, body
    return {**body, "body": text}


def rewrite(value, origin):
    """A copy in which every URL at https://api.github.com is one at `origin`."""
    if isinstance(value, dict):
        return {key: rewrite(item, origin) for key, item in value.items()}
    if isinstance(value, list):
        return [rewrite(item, origin) for item in value]
    if isinstance(value, str) and (value == API or value.startswith(API + "/")):
        return origin + value[len(API) :]
    return value


def signature(body, secret=WEBHOOK_SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


# -- the fake GitHub -----------------------------------------------------------------------------


class FakeGitHub:
    """A running `snekomatic-test fake-github`. `key` is the app's key as a file; `public_url`, what
    the bot sees of it when something stands between."""

    def __init__(self, key, state=None, app_id=APP_ID, app_slug=APP_SLUG, listen="127.0.0.1:0",
                 public_url=None):
        self.key = key
        keys = [part for path in ([key] if isinstance(key, (str, pathlib.Path)) else key)
                for part in ("--app-key", path)]
        command = [program("snekomatic-test"), "fake-github", "--listen", listen,
                   "--app-id", app_id, "--app-slug", app_slug, *keys,
                   *(["--public-url", public_url] if public_url else [])]
        self.process = Process(command, clean_environment())
        self.port = int(self.process.wait_log(msg="listening")["port"])
        self.url = f"http://127.0.0.1:{self.port}"
        self.api_url = public_url or self.url  # what a bot is told
        if state is None:
            state = json.loads((PAYLOADS / "github.json").read_text(encoding="utf-8"))
        self.put_state(state)

    def stop(self):
        """Ends it, which must succeed."""
        status = self.process.end()
        assert status == 0, f"the fake ended with {status}:\n{self.process.output()}"

    def _control(self, method, path, body=None):
        response = request(method, f"{self.url}/_fake/{path}", body)
        assert response.status < 300, f"{method} /_fake/{path}: {response}"
        return response.json if response.body else None

    def requests(self, method=None, path=None, status=None):
        """The recorded requests, in order; narrowed by method, by a regular expression that the
        whole path matches, by the status of the response."""
        return [
            entry
            for entry in self._control("GET", "requests")["requests"]
            if (method is None or entry["method"] == method)
            and (path is None or re.fullmatch(path, entry["path"]))
            and (status is None or entry["status"] == status)
        ]

    def api_requests(self):
        """All that was asked as an installation, in order."""
        return [entry for entry in self.requests() if not re.match("/app(/|$)", entry["path"])]

    def tokens(self):
        """The texts of all tokens that were handed out."""
        return [entry["token"] for entry in self._control("GET", "tokens")["tokens"]]

    def effects(self):
        """(method, path) of all that changed something, or tried; tokens are not effects."""
        return [
            (entry["method"], entry["path"])
            for entry in self.requests()
            if entry["method"] != "GET" and not entry["path"].startswith("/app/")
        ]

    def wait_requests(self, count=1, timeout=None, **narrowed):
        """Waits until `count` such requests have been completed or dropped; returns them."""
        def found():
            entries = [entry for entry in self.requests(**narrowed) if "dropped" in entry]
            return entries if len(entries) >= count else None

        def seen():
            entries = [(entry["method"], entry["path"], entry["status"])
                       for entry in self.requests()]
            return f"{count} requests {narrowed}; seen: {entries}"

        return wait_until(found, seen, timeout)

    def unexpected(self):
        """Requests that were rejected though no test asked for it: a test ends by looking here.
        A 404 is an response like others: "not a member"."""
        return [
            entry
            for entry in self.requests()
            if (entry["status"] or 0) >= 400 and entry["status"] != 404 and not entry["injected"]
        ]

    def forget_requests(self):
        self._control("DELETE", "requests")

    @property
    def state(self):
        return self._control("GET", "state")

    def put_state(self, state):
        return self._control("PUT", "state", state)

    def patch_state(self, changes):
        return self._control("PATCH", "state", changes)

    def fail(self, method=None, path=None, **what):
        """The next request that fits fails: status=, body=, headers=, delay_ms=, drop=True,
        after=True (once its effect is there), times= (-1: always), like= (a response by the name
        that docs/fake-github.md gives it)."""
        rule = {"method": method, "path": path, **what}
        return self._control("POST", "fail", {k: v for k, v in rule.items() if v is not None})

    def fail_no_more(self):
        self._control("DELETE", "fail")

    def expire_tokens(self, installation=None):
        body = {"installation": installation} if installation else {}
        return self._control("POST", "tokens/expire", body)["expired"]

    def settings(self, **changes):
        return self._control("POST", "settings", changes)

    def deliver(self, event, payload, guid=None, **how):
        """An event happens: its webhook is sent to the webhook_url of the settings. The log's entry.
        age_s= (it happened so long ago), unsent=True (GitHub does not reach the bot),
        lose_response=True (the bot gets it, and GitHub does not see the response), id= (GitHub's
        number of it), no_payload=True (GitHub no longer has its payload)."""
        body = {"event": event, "payload": rewrite(payload, self.api_url), "guid": guid, **how}
        return self._control("POST", "deliver", {k: v for k, v in body.items() if v is not None})

    def deliveries(self, guid=None):
        """All that was sent, in order: the log's entries."""
        return [entry for entry in self._control("GET", "deliveries")["deliveries"]
                if guid is None or entry["guid"] == guid]

    def age_deliveries(self, by_s):
        """All of the log is so much older from now on."""
        self._control("POST", "deliveries/age", {"by_s": by_s})

    def member(self, login, organization="sneks-united"):
        """The member's entry in the state, or None."""
        for entry in self.state["organizations"]:
            if entry["login"] == organization:
                return next((m for m in entry["members"] if m["login"] == login), None)
        return None

    def repository(self, full_name="sneks-united/terrarium"):
        return next(r for r in self.state["repositories"] if r["full_name"] == full_name)

    def bot_comments(self, number, slug=APP_SLUG):
        """The texts that the app has written at an issue or pull request."""
        return [comment["body"] for comment in self.repository()["comments"]
                if comment.get("issue") == number and comment["user"] == f"{slug}[bot]"]


# -- the bot -------------------------------------------------------------------------------------


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


class Bot:
    """A running `snekomatic serve`: configuration, database and credentials in `folder`.

    plugins      names ("invite"), or tables with "path" or "name" and what else the plugin takes
    config       more of the configuration, over the defaults: {"dispatch": {"delay_ms": 50}}
    credentials  "files", or "environment"
    env          more of the environment
    """

    def __init__(self, fake, folder, plugins=("invite",), config=None, credentials="files",
                 env=None, start=True):
        self.fake, self.folder = fake, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.env = dict(env or {})
        self.file = self.folder / "snekomatic.toml"
        self.process, self.port, self.url = None, None, None
        tables = {
            "server": {"listen": "127.0.0.1:0"},
            "github": {"app_id": APP_ID, "api_url": fake.api_url, "write_interval_ms": 0,
                       "notify_interval_ms": 0, "recover_interval_minutes": 0},
            "store": {"url": "sqlite:snekomatic.db"},
            "dispatch": {"delay_ms": 0},
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
        tables["plugin"] = [self._plugin(plugin) for plugin in plugins]
        self.file.write_text(to_toml(tables))
        if start:
            self.start()

    @staticmethod
    def _plugin(plugin):
        table = {"name": plugin} if isinstance(plugin, str) else dict(plugin)
        if "name" in table:
            table["path"] = str(program(f"{table.pop('name')}.so"))
        return {**table, "path": str(table["path"])}

    def start(self):
        """Starts it and waits until it serves. SNEK_WRAPPER may be a command such as valgrind."""
        wrapper = shlex.split(os.environ.get("SNEK_WRAPPER", ""))
        command = [*wrapper, program("snekomatic"), "serve", "-c", self.file]
        self.process = Process(command, clean_environment(**self.env), cwd=self.folder)
        self.port = int(self.process.wait_log(msg="listening")["port"])
        self.url = f"http://127.0.0.1:{self.port}"
        self.wait_ready()
        return self

    def wait_ready(self, timeout=None):
        """Waits for /readyz to say yes."""
        deadline = time.monotonic() + (PATIENCE_S if timeout is None else timeout)
        last = None
        while time.monotonic() < deadline and self.process.popen.poll() is None:
            try:
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
        return response

    def deliver(self, event, payload, **options):
        """post() that must be queued. The GUID."""
        response = self.post(event, payload, **options)
        assert response.status == 202, f"{response}:\n{self.process.output()}"
        return response.delivery

    def request(self, method, path, body=None, headers=None, timeout=None):
        """A request that is no webhook, or one that is wrong on purpose."""
        return request(method, self.url + path, body, headers, timeout)

    # -- its processes: supervisor -> host -> workers

    def pids(self, ring, plugin=None):
        """The processes of a ring: "supervisor", "host", or "worker" (of one plugin)."""
        supervisor = [self.process.pid]
        if ring == "supervisor":
            return supervisor
        hosts = children(self.process.pid)
        if ring == "host":
            return hosts
        if ring != "worker":
            raise ValueError(f"no such ring: {ring}")
        workers = [pid for host in hosts for pid in children(host)]
        return workers if plugin is None else [p for p in workers if self._runs(p, plugin)]

    def _runs(self, pid, plugin):
        """Has this worker loaded the plugin? Asks the kernel, else (no right to look) the log."""
        try:
            maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
            if maps:
                return f"/{plugin}.so" in maps
        except OSError:
            pass
        return bool(self.log(pid=pid, plugin=plugin))

    def kill(self, ring, sig=signal.SIGKILL, plugin=None):
        """Sends a signal to a ring's processes and returns their ids. It does not wait: what is
        to happen then is in the log."""
        pids = self.pids(ring, plugin)
        assert pids, f"there is no {ring} {plugin or ''}:\n{self.process.output()}"
        for pid in pids:
            os.kill(pid, sig)
        return pids


def is_running(pid):
    """Does a thread of the process still run? Its files stay open until the last one has ended,
    though the first may be a zombie already."""
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            text = stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended while we looked
        if text[text.rindex(")") + 2] not in "ZX":
            return True
    return False


def wait_until_gone(pids, timeout=None):
    """Waits until none of the processes runs. A killed process still accepts connections for a
    moment, so a test that expects its successor's response waits here first."""
    wait_until(lambda: not any(map(is_running, pids)), f"the end of {pids}", timeout)


def children(parent):
    """The ids of a process' children that still run."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # ended while we looked
        state, ppid = stat[stat.rindex(")") + 2 :].split()[:2]
        if int(ppid) == parent and state not in "ZX":
            found.append(int(entry.name))
    return sorted(found)
