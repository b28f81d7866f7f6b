# SPDX-License-Identifier: MIT OR Apache-2.0
"""A client of the console for tests: logs in, keeps the cookie, reads and sends forms."""

import html
import json
import re
import urllib.parse

from setup_flow import FORM, Browser

ADMIN = "admin-token-0123456789abcdefghijklmnop"
READER = "reader-token-0123456789abcdefghijklmno"


def start_console(start_bot, read_token=True, console=None, config=None, **options):
    """A bot with the console on, its tokens in files."""
    table = {"token_file": "console.token", **(console or {})}
    if read_token:
        table["read_token_file"] = "console-read.token"
    files = {"console.token": ADMIN + "\n", "console-read.token": READER + "\n"}
    return start_bot(config={**(config or {}), "console": table}, files=files, **options)


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", " ", page.text))


def words_of(page):
    """The text with single blanks."""
    return re.sub(r" (?=[.,;:)])", "", re.sub(r"\s+", " ", text_of(page)))


class Console:
    """A person's browser without scripts."""

    def __init__(self, url, hosts=None):
        self.url, self.browser = url, Browser(hosts)

    def get(self, path="", headers=None):
        return self.browser.get(f"{self.url}/console{path}", headers)

    def json(self, path, headers=None):
        page = self.get(path, {"Accept": "application/json", **(headers or {})})
        assert page.status == 200, page
        return json.loads(page.text)

    def post(self, path, fields, headers=None):
        return self.browser.request("POST", f"{self.url}/console{path}", urllib.parse.urlencode(fields),
                                    {"Content-Type": FORM, **(headers or {})})

    def login(self, token=ADMIN, person="", headers=None):
        return self.post("/login", {"token": token, "person": person, "next": "/console"}, headers)

    def token(self, path=""):
        """The token of the forms of a page."""
        return self.get(path).form("/logout")["fields"]["form"]

    def submit(self, path, form, **changes):
        """Sends a form of a page; returns the page that it leads to."""
        done = self.browser.submit(f"{self.url}/console{path}", form, **changes)
        if done.status == 303:
            return self.browser.get(urllib.parse.urljoin(self.url, done.location))
        return done
