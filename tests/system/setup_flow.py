# SPDX-License-Identifier: MIT OR Apache-2.0
"""A browser without scripts, for the tests of the setup: it keeps cookies, does not follow redirects
by itself, and reads forms out of pages."""

import html.parser
import http.client
import urllib.parse

import snek

FORM = "application/x-www-form-urlencoded"


class Forms(html.parser.HTMLParser):
    """The forms of a page: method, action, and the fields with their values."""

    def __init__(self, page):
        super().__init__()
        self.forms, self.links = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            self.forms.append({"method": given.get("method", "get"), "action": given.get("action"), "fields": {}})
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "input" and self.forms and "name" in given:
            kind = given.get("type", "text")
            if kind not in ("radio", "checkbox") or "checked" in given:
                self.forms[-1]["fields"][given["name"]] = given.get("value", "")


class Page:
    def __init__(self, response, body):
        self.status, self.headers, self.text = response.status, response.headers, body.decode()
        self.location = response.headers.get("Location")
        parsed = Forms(self.text) if "html" in response.headers.get("Content-Type", "") else Forms("")
        self.forms, self.links = parsed.forms, parsed.links

    def form(self, action):
        """The form whose action ends so."""
        return next(form for form in self.forms if form["action"] and form["action"].split("?")[0].endswith(action))

    def __repr__(self):
        return f"{self.status} {self.location or ''}\n{self.text}"


class Browser:
    """Requests to any origin; cookies by origin. `hosts` says where a name is."""

    def __init__(self, hosts=None):
        self.cookies, self.hosts = {}, hosts or {}

    def request(self, method, url, body=None, headers=None):
        parts = urllib.parse.urlsplit(url)
        host, port = self.hosts.get(parts.netloc, (parts.hostname, parts.port))
        sent = {"Host": parts.netloc, "User-Agent": "Mozilla/5.0 (a test)", **(headers or {})}
        if parts.netloc in self.cookies:
            sent.setdefault("Cookie", self.cookies[parts.netloc])
        connection = http.client.HTTPConnection(host, port, timeout=snek.PATIENCE_S)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, {k: v for k, v in sent.items() if v is not None})
        response = connection.getresponse()
        page = Page(response, response.read())
        connection.close()
        cookie = response.headers.get("Set-Cookie")
        if cookie:
            self.cookies[parts.netloc] = cookie.split(";")[0]
        return page

    def get(self, url, headers=None):
        return self.request("GET", url, None, headers)

    def submit(self, url, form, /, headers=None, **changes):
        """Sends a form of the page at `url`; a change to None leaves the field out."""
        fields = {name: value for name, value in {**form["fields"], **changes}.items() if value is not None}
        action = urllib.parse.urljoin(url, form["action"] or "")
        return self.request("POST", action, urllib.parse.urlencode(fields),
                            {"Content-Type": FORM, **(headers or {})})
