# SPDX-License-Identifier: MIT OR Apache-2.0
"""The fake GitHub asks for the permission of each endpoint, and of each scripted response."""

import json
import os
import pathlib
import re
import urllib.parse

import pytest

import snek
from endpoints import REQUESTS
from fake_client import REPO, with_permissions
from player import client_step, play  # noqa: F401  (a fixture)

MODULES = os.environ.get("SNEK_CONFORMANCE_MODULES")
# Paths below these belong to a repository, an organization or a team.
OWNED = re.compile(r"/(repos|orgs|teams)/")


def need(fake, method, path):
    query = urllib.parse.urlencode({"method": method, "path": path})
    return snek.request("GET", f"{fake.url}/_fake/permission?{query}").json


def test_every_path_that_github_describes_for_apps_has_a_permission(fake):
    whole = pathlib.Path(MODULES) / "@octokit/openapi/generated/api.github.com.json"
    paths = json.loads(whole.read_text(encoding="utf-8"))["paths"]
    described = {(method.upper(), path) for path, ways in paths.items() for method, way in ways.items()
                 if OWNED.match(path) and way.get("x-github", {}).get("enabledForGitHubApps")}
    assert len(described) > 500
    needs = {one: need(fake, *one) for one in described}
    assert [one for one, found in needs.items() if not found] == []
    names = {found[key]: found["level"] for found in needs.values() for key in ("name", "or_else")
             if found[key]}
    fake.patch_state({"installations": [{"id": snek.INSTALLATION, "permissions": names}]})


# From "Permissions required for GitHub Apps" of GitHub's documentation.
@pytest.mark.parametrize("method,path,name,level", [
    ("GET", "", "metadata", "read"), ("PATCH", "", "administration", "write"),
    ("POST", "/issues", "issues", "write"), ("GET", "/issues", "issues", "read"),
    ("PUT", "/pulls/1/merge", "contents", "write"), ("GET", "/pulls/1/files", "pull_requests", "read"),
    ("POST", "/pulls/1/reviews", "pull_requests", "write"),
    ("POST", "/check-runs", "checks", "write"), ("GET", "/commits/a/check-runs", "checks", "read"),
    ("POST", "/statuses/a", "statuses", "write"), ("GET", "/commits/a/status", "statuses", "read"),
    ("GET", "/commits/a", "contents", "read"), ("PUT", "/contents/a/b/c", "contents", "write"),
    ("GET", "/git/ref/heads/main", "contents", "read"), ("POST", "/git/refs", "contents", "write"),
    ("GET", "/actions/runs", "actions", "read"), ("PUT", "/actions/secrets/A", "secrets", "write"),
    ("POST", "/dispatches", "contents", "write"), ("GET", "/topics", "metadata", "read"),
    ("PUT", "/topics", "administration", "write"), ("POST", "/releases", "contents", "write"),
    ("GET", "/collaborators/x/permission", "metadata", "read"),
    ("PUT", "/collaborators/x", "administration", "write"), ("GET", "/hooks", "repository_hooks", "read"),
    ("POST", "/deployments", "deployments", "write"), ("GET", "/branches/a", "contents", "read"),
    ("GET", "/branches/a/protection", "administration", "read"), ("POST", "/pages", "pages", "write"),
])
def test_the_permission_is_the_documented_one(fake, method, path, name, level):
    found = need(fake, method, REPO + path)
    assert (found["name"], found["level"]) == (name, level)


def test_every_endpoint_rejects_a_token_without_its_permission(fake, app):
    poor = with_permissions(fake, app, metadata="read")
    rejected = 0
    for method, path, *body in REQUESTS:
        found = need(fake, method, path.partition("?")[0])
        if found["name"] in (None, "metadata"):
            continue
        response = poor(method, path, *body)
        assert (response.status, response.json["message"]) == (
            403, "Resource not accessible by integration"), (method, path)
        rejected += 1
    assert rejected > 60


def test_a_scripted_response_needs_the_permission_too(play):
    """The plugin declares `members` and `issues`."""
    text = f"""
[[response]]
request = "POST {REPO}/releases"
status = 201
""" + client_step(f"POST {REPO}/releases", requests=f'["POST {REPO}/releases"]')
    outcome = play(text, plugin="client")
    assert outcome.status == 1
    assert "-> 403 (scripted) Resource not accessible by integration" in outcome.text, outcome.text


def test_a_scripted_response_of_another_repository_is_not_found(play):
    text = """
[[response]]
request = "GET /repos/others/den/topics"
""" + client_step("GET /repos/others/den/topics", requests='["GET /repos/others/den/topics"]')
    outcome = play(text, plugin="client")
    assert "-> 404 (scripted) Not Found" in outcome.text, outcome.text


# GitHub's documentation has these names; its description of the API lacks them.
ONLY_DOCUMENTED = {
    "actions_variables", "artifact_metadata", "attestations", "codespaces_secrets", "discussions",
    "merge_queues", "organization_actions_variables", "organization_dependabot_secrets",
    "repository_advisories"}


def test_the_names_and_levels_are_those_of_githubs_description(fake):
    whole = pathlib.Path(MODULES) / "@octokit/openapi/generated/api.github.com.json"
    schema = json.loads(whole.read_text(encoding="utf-8"))["components"]["schemas"]["app-permissions"]
    described = {name: sorted(one["enum"]) for name, one in schema["properties"].items()}
    ours = {name: sorted(levels) for name, levels in snek.request(
        "GET", f"{fake.url}/_fake/permissions").json.items()}
    assert len(described) > 40
    assert {name: levels for name, levels in described.items() if ours.get(name) != levels} == {}
    assert set(ours) - set(described) == ONLY_DOCUMENTED
