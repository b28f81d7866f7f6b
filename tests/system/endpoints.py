# SPDX-License-Identifier: MIT OR Apache-2.0
"""The fake GitHub's endpoints: their paths in GitHub's description, and requests that use each once,
in an order in which all succeed."""

import snek
from fake_client import ORG
from fake_client import REPO as TERRARIUM

REPO = "/repos/{owner}/{repo}"
DESCRIBED = [
    "/app",
    "/app/hook/config",
    "/app/hook/deliveries",
    "/app/hook/deliveries/{delivery_id}",
    "/app/installations/{installation_id}",
    "/app/installations/{installation_id}/access_tokens",
    "/installation/repositories",
    "/orgs/{org}/memberships/{username}",
    "/orgs/{org}/members",
    "/orgs/{org}/members/{username}",
    "/orgs/{org}/public_members/{username}",
    "/search/issues",
    REPO,
    REPO + "/collaborators/{username}/permission",
    REPO + "/issues",
    REPO + "/issues/{issue_number}",
    REPO + "/issues/{issue_number}/comments",
    REPO + "/issues/{issue_number}/labels",
    REPO + "/issues/{issue_number}/labels/{name}",
    REPO + "/issues/{issue_number}/reactions",
    REPO + "/issues/comments/{comment_id}/reactions",
    REPO + "/pulls/{pull_number}/comments/{comment_id}/replies",
    REPO + "/pulls/comments/{comment_id}/reactions",
]

# What a token needs for all of REQUESTS.
REQUIRED = {"issues": "write", "members": "write", "pull_requests": "write"}

APP_REQUESTS = [
    ("GET", "/app"),
    ("GET", "/app/hook/config"),
    ("PATCH", "/app/hook/config", {"secret": "another", "insecure_ssl": "0", "content_type": "json"}),
    ("GET", "/app/hook/deliveries"),
    ("GET", "/app/hook/deliveries/{delivery}"),
    ("POST", f"/app/installations/{snek.INSTALLATION}/access_tokens",
     {"permissions": {"issues": "read"}}),
]
REQUESTS = [
    ("GET", "/installation/repositories"),
    ("GET", "/search/issues?q=is:issue"),
    ("GET", f"{ORG}/memberships/viper-vik"),
    ("GET", f"{ORG}/members/viper-vik"),
    ("GET", f"{ORG}/members/hatchling-hana"),
    ("GET", f"{ORG}/public_members/viper-vik"),
    ("PUT", f"{ORG}/memberships/hatchling-hana", {"role": "member"}),
    ("DELETE", f"{ORG}/memberships/hatchling-hana"),
    ("GET", f"{ORG}/memberships/hatchling-hana"),
    ("GET", TERRARIUM),
    ("GET", f"{TERRARIUM}/collaborators/viper-vik/permission"),
    ("GET", f"{TERRARIUM}/collaborators/hatchling-hana/permission"),
    ("GET", f"{TERRARIUM}/collaborators/nobody/permission"),
    ("GET", f"{TERRARIUM}/issues?state=all"),
    ("GET", f"{TERRARIUM}/issues/21"),
    ("PATCH", f"{TERRARIUM}/issues/12", {"state": "closed"}),
    ("POST", f"{TERRARIUM}/issues/12/comments", {"body": "x"}),
    ("GET", f"{TERRARIUM}/issues/12/comments"),
    ("POST", f"{TERRARIUM}/issues/12/labels", {"labels": ["x"]}),
    ("GET", f"{TERRARIUM}/issues/12/labels"),
    ("DELETE", f"{TERRARIUM}/issues/12/labels/x"),
    ("POST", f"{TERRARIUM}/issues/12/reactions", {"content": "heart"}),
    ("POST", f"{TERRARIUM}/issues/comments/40101/reactions", {"content": "+1"}),
    ("POST", f"{TERRARIUM}/pulls/comments/46001/reactions", {"content": "+1"}),
    ("POST", f"{TERRARIUM}/pulls/22/comments/46001/replies", {"body": "x"}),
]
