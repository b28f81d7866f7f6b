# SPDX-License-Identifier: MIT OR Apache-2.0
"""Requests to the fake GitHub in the form of the bot's broker, for the tests of the fake itself."""

import snek

ORG = "/orgs/sneks-united"
REPO = "/repos/sneks-united/terrarium"
ALL = {"members": "write", "issues": "write", "pull_requests": "write"}


class Client:
    def __init__(self, fake, authorization=None, url=None):
        self.url, self.authorization = url or fake.url, authorization

    def __call__(self, method, path, body=None, **headers):
        given = {
            "User-Agent": "a test",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Content-Type": "application/json" if body is not None else None,
            "Authorization": self.authorization,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        sent = {name: value for name, value in given.items() if value is not None}
        return snek.request(method, self.url + path, body, sent)


def mint(app, body=None, installation=snek.INSTALLATION):
    return app("POST", f"/app/installations/{installation}/access_tokens", body)


def with_permissions(fake, app, **permissions):
    return Client(fake, f"Bearer {mint(app, {'permissions': permissions}).json['token']}")
