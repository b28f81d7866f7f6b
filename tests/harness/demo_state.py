# SPDX-License-Identifier: MIT OR Apache-2.0
"""Shows people what a fake GitHub has, for ./dev run.

    demo_state.py URL              the members and the conversations
    demo_state.py URL --comment    the text of the comment that was written last
"""

import json
import re
import sys
import urllib.request


def ask(url, path):
    """Not through a proxy: the fake is on this machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url + path, timeout=10) as response:
        return json.load(response)


def visible(text):
    """The text as GitHub shows it: without comments of HTML, such as the host's marker."""
    return re.sub(r"<!--.*?-->", "", text, flags=re.S).strip()


def indented(text, by):
    return "\n".join(" " * by + line if line else "" for line in text.splitlines())


def last_comment(url):
    written = [request for request in ask(url, "/_fake/requests")["requests"]
               if request["method"] == "POST" and request["status"] == 201
               and re.search(r"/(comments|replies)$", request["path"])]
    return visible(written[-1]["body"]["body"]) if written else ""


def reactions_of(thing, by):
    return [" " * by + f"{reaction['user']} reacts with {reaction['content']}"
            for reaction in thing.get("reactions", [])]


def describe_issue(issue, comments, review_comments):
    kind = "pull request" if issue.get("pull_request") else "issue"
    lines = [f"  {kind} {issue['number']}: {issue['title']} (by {issue['user']}, {issue['state']})"]
    lines += reactions_of(issue, 4)
    for comment in [*comments, *review_comments]:
        if comment.get("issue", comment.get("pull")) == issue["number"]:
            lines += [f"    {comment['user']} writes:", indented(visible(comment["body"]), 6),
                      *reactions_of(comment, 6)]
    return lines


def describe(state):
    lines = []
    for organization in state["organizations"]:
        lines.append(f"Organization {organization['login']}:")
        for member in organization["members"]:
            role = "invited" if member["state"] == "pending" else member["role"]
            lines.append(f"  {member['login']} ({role})")
    for repository in state["repositories"]:
        lines.append(f"Repository {repository['full_name']}:")
        for issue in repository["issues"]:
            lines += describe_issue(issue, repository["comments"], repository["review_comments"])
    return "\n".join(lines)


def main(url, *options):
    print(last_comment(url) if "--comment" in options else describe(ask(url, "/_fake/state")))


if __name__ == "__main__":
    main(*sys.argv[1:])
