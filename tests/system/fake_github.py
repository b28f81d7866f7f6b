# SPDX-License-Identifier: MIT OR Apache-2.0
"""A running fake GitHub, and its control API."""

import json
import pathlib
import re

from messages import APP_ID, APP_SLUG, PAYLOADS, request, rewrite
import processes
from processes import Process, clean_environment, wait_until

class FakeGitHub:
    """A running `snekomatic-test fake-github`. `key` is the app's key as a file; `public_url`, what
    the bot sees of it when something stands between."""

    def __init__(self, key, state=None, app_id=APP_ID, app_slug=APP_SLUG, listen="127.0.0.1:0",
                 public_url=None):
        self.key = key
        keys = [part for path in ([key] if isinstance(key, (str, pathlib.Path)) else key)
                for part in ("--app-key", path)]
        command = [processes.program("snekomatic-test"), "fake-github", "--listen", listen,
                   "--app-id", app_id, "--app-slug", app_slug, *keys,
                   *(["--public-url", public_url] if public_url else [])]
        self.process = Process(command, clean_environment())
        self.port = int(self.process.wait_log(msg="listening")["port"])
        self.url = f"http://127.0.0.1:{self.port}"
        # The URL in a bot's configuration.
        self.api_url = public_url or self.url
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

    def wait_arrived(self, count=1, **narrowed):
        """Waits until `count` such requests have arrived, whose responses may be held back."""
        wait_until(lambda: len(self.requests(**narrowed)) >= count, f"{count} requests {narrowed}")

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

    def release(self):
        """Ends the delays of requests that are under way."""
        self._control("POST", "release")

    def rename_app(self, slug):
        """The app gets another name, and its bot user another login."""
        self._control("POST", "app", {"slug": slug})

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

    def redeliver(self, delivery_id, **how):
        """A person presses Redeliver. The new entry of the log. no_payload=True as for deliver()."""
        return self._control("POST", "deliveries/redeliver", {"id": delivery_id, **how})

    def lose_payload(self, delivery_id, lost=True):
        """GitHub has no payload of this entry (any more), or has it now."""
        self._control("POST", "deliveries/payload", {"id": delivery_id, "no_payload": lost})

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
