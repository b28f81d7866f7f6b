# SPDX-License-Identifier: MIT OR Apache-2.0
"""The fake GitHub executes GraphQL: the mutations and queries that bots use, with GitHub's errors."""

import base64
import json
import os
import pathlib
import subprocess

import pytest

import snek
from fake_client import REPO, with_permissions

MODULES = os.environ.get("SNEK_CONFORMANCE_MODULES")
NODE = os.environ.get("SNEK_NODE", "node")
JUDGE = pathlib.Path(__file__).resolve().parent.parent / "conformance" / "graphql.mjs"

ISSUE, PULL, COMMENT, DISCUSSION = (
    "I_c25lazozMDAxMg", "PR_c25lazozMTAyMg", "IC_c25lazo0MDEwMQ", "D_c25lazozMDAzMQ")
HEAD = "12332b51928add22c85b10c4747994e27b6f371d"
FORBIDDEN = "Resource not accessible by integration"

ADD_ITEM = """mutation($project: ID!, $item: ID!) {
  addProjectV2ItemById(input: {projectId: $project, contentId: $item, clientMutationId: "m"}) {
    clientMutationId item { id type content { ... on Issue { number } ... on PullRequest { number } } } } }"""
FIND_PROJECT = """query($owner: String!, $number: Int!) {
  organization(login: $owner) { projectV2(number: $number) { id title } } }"""
ADD_COMMENT = """mutation($input: AddDiscussionCommentInput!) { addDiscussionComment(input: $input) {
  comment { id body author { login } replyTo { databaseId } discussion { number } } } }"""
ADD_REACTION = """mutation($id: ID!, $content: ReactionContent!) {
  addReaction(input: {subjectId: $id, content: $content}) { reaction { content } subject { id } } }"""
COMMIT = """mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) {
  commit { oid message parents(first: 1) { nodes { oid } } } ref { name target { oid } } } }"""
FIND_HEAD = """query($owner: String!, $name: String!, $ref: String!) {
  repository(owner: $owner, name: $name) { ref(qualifiedName: $ref) { target { oid } } } }"""
LIST_COMMENTS = """query($after: String) { repository(owner: "sneks-united", name: "terrarium") {
  discussion(number: 31) { comments(first: 2, after: $after) {
    totalCount nodes { databaseId replies(last: 5) { nodes { databaseId } } }
    pageInfo { hasNextPage endCursor } } } } }"""
PERMISSIONS = {"contents": "write", "discussions": "write", "issues": "write",
               "organization_projects": "write", "pull_requests": "write"}


@pytest.fixture
def state(fake):
    fake.patch_state({
        "installations": [{"id": snek.INSTALLATION, "permissions": {**PERMISSIONS, "workflows": "write"}}],
        "organizations": [{"login": "sneks-united", "projects": [
            {"number": 3, "id": "PVT_3", "title": "Board"}]}],
        "repositories": [{"full_name": "sneks-united/terrarium",
                          "branches": [{"name": "main", "sha": HEAD}],
                          "contents": [{"path": "old.txt", "text": "old"}],
                          "issues": [{"number": 22, "reviews": [{"id": 45001}]}],
                          "discussions": [{"number": 31, "id": 30031, "title": "Plants?"}],
                          "discussion_comments": [
                              {"id": 47001, "discussion": 31, "user": "viper-vik", "body": "Moss"},
                              {"id": 47002, "discussion": 31, "reply_to": 47001, "body": "Yes"}]}]})
    return fake


@pytest.fixture
def ask(state, app):
    client = with_permissions(state, app, **PERMISSIONS)

    def send(query, **variables):
        response = client("POST", "/graphql", {"query": query, "variables": variables})
        assert response.status == 200
        return response.json

    return send


def error_of(response):
    [error] = response["errors"]
    return error


def terrarium(fake):
    return fake.state["repositories"][0]


# -- Projects


def test_a_project_is_found_by_its_number(ask):
    assert ask(FIND_PROJECT, owner="sneks-united", number=3) == {
        "data": {"organization": {"projectV2": {"id": "PVT_3", "title": "Board"}}}}
    response = ask(FIND_PROJECT, owner="sneks-united", number=4)
    assert response["data"] == {"organization": {"projectV2": None}}
    assert error_of(response) == {
        "type": "NOT_FOUND", "path": ["organization", "projectV2"],
        "locations": [{"line": 2, "column": 33}],
        "message": "Could not resolve to a ProjectV2 with the number 4."}
    response = ask(FIND_PROJECT, owner="others", number=3)
    assert error_of(response)["message"] == (
        "Could not resolve to an Organization with the login of 'others'.")


def test_an_item_is_on_a_project_once(ask, state):
    first = ask(ADD_ITEM, project="PVT_3", item=ISSUE)["data"]["addProjectV2ItemById"]
    assert first["item"]["content"] == {"number": 12} and first["clientMutationId"] == "m"
    assert ask(ADD_ITEM, project="PVT_3", item=ISSUE)["data"]["addProjectV2ItemById"] == first
    pull = ask(ADD_ITEM, project="PVT_3", item=PULL)["data"]["addProjectV2ItemById"]
    assert pull["item"]["type"] == "PULL_REQUEST" and pull["item"]["id"] != first["item"]["id"]
    [project] = state.state["organizations"][0]["projects"]
    assert [item["number"] for item in project["items"]] == [12, 22]


@pytest.mark.parametrize("project,item,message", [
    ("PVT_4", ISSUE, "Could not resolve to a node with the global id of 'PVT_4'"),
    (ISSUE, ISSUE, f"Could not resolve to ProjectV2 node with the global id of '{ISSUE}'"),
    ("PVT_3", "I_x", "Could not resolve to a node with the global id of 'I_x'"),
    ("PVT_3", COMMENT, "The item must be an issue or a pull request"),
])
def test_an_item_that_is_none_is_an_error(ask, project, item, message):
    response = ask(ADD_ITEM, project=project, item=item)
    assert response["data"] == {"addProjectV2ItemById": None}
    assert error_of(response)["message"] == message


# -- discussions


def test_a_comment_is_added_to_a_discussion(ask, state):
    comment = ask(ADD_COMMENT, input={"discussionId": DISCUSSION, "body": "Fern"})["data"][
        "addDiscussionComment"]["comment"]
    assert comment["body"] == "Fern" and comment["author"]["login"].endswith("[bot]")
    assert comment["replyTo"] is None and comment["discussion"] == {"number": 31}
    reply = ask(ADD_COMMENT, input={"discussionId": DISCUSSION, "body": "Too",
                                    "replyToId": "DC_c25lazo0NzAwMQ"})
    assert reply["data"]["addDiscussionComment"]["comment"]["replyTo"] == {"databaseId": 47001}
    made = terrarium(state)["discussion_comments"][2:]
    assert [(one["body"], one["reply_to"]) for one in made] == [("Fern", None), ("Too", 47001)]


@pytest.mark.parametrize("change,message", [
    ({"body": " \n"}, "Body can't be blank"),
    ({"body": "x" * 65537}, "Body is too long (maximum is 65536 characters)"),
    ({"discussionId": ISSUE}, f"Could not resolve to Discussion node with the global id of '{ISSUE}'"),
    ({"replyToId": "DC_c25lazo0NzAwMg"}, "Parent comment is already in a thread, cannot reply to it"),
])
def test_a_comment_that_github_rejects_changes_nothing(ask, state, change, message):
    response = ask(ADD_COMMENT, input={"discussionId": DISCUSSION, "body": "x", **change})
    assert response["data"] == {"addDiscussionComment": None}
    assert error_of(response)["message"] == message
    assert len(terrarium(state)["discussion_comments"]) == 2


def test_a_locked_discussion_takes_no_comment(ask, state):
    state.patch_state({"repositories": [{"full_name": "sneks-united/terrarium",
                                         "discussions": [{"number": 31, "locked": True}]}]})
    error = error_of(ask(ADD_COMMENT, input={"discussionId": DISCUSSION, "body": "x"}))
    assert error["type"] == "FORBIDDEN" and "locked" in error["message"]


def test_the_comments_of_a_discussion_have_pages(ask):
    for body in ("a", "b"):
        ask(ADD_COMMENT, input={"discussionId": DISCUSSION, "body": body})
    page = ask(LIST_COMMENTS)["data"]["repository"]["discussion"]["comments"]
    assert page["totalCount"] == 3 and page["pageInfo"]["hasNextPage"] is True
    assert page["nodes"][0] == {"databaseId": 47001, "replies": {"nodes": [{"databaseId": 47002}]}}
    page = ask(LIST_COMMENTS, after=page["pageInfo"]["endCursor"])
    page = page["data"]["repository"]["discussion"]["comments"]
    assert len(page["nodes"]) == 1 and page["pageInfo"]["hasNextPage"] is False
    error = error_of(ask(LIST_COMMENTS.replace("first: 2, ", "")))
    assert error["type"] == "MISSING_PAGINATION_BOUNDARIES"
    assert error["path"] == ["repository", "discussion", "comments"]
    assert error_of(ask(LIST_COMMENTS.replace("2,", "101,")))["type"] == "EXCESSIVE_PAGINATION"


# -- reactions


@pytest.mark.parametrize("subject,where", [
    (ISSUE, lambda r: r["issues"][0]), (PULL, lambda r: r["issues"][2]),
    (COMMENT, lambda r: r["comments"][0]),
    ("PRRC_c25lazo0NjAwMQ", lambda r: r["review_comments"][0]),
    ("PRR_c25lazo0NTAwMQ", lambda r: r["issues"][2]["reviews"][0]),
    (DISCUSSION, lambda r: r["discussions"][0]),
    ("DC_c25lazo0NzAwMQ", lambda r: r["discussion_comments"][0]),
])
def test_everything_takes_a_reaction_once(ask, state, subject, where):
    for _ in range(2):
        assert ask(ADD_REACTION, id=subject, content="THUMBS_UP")["data"]["addReaction"] == {
            "reaction": {"content": "THUMBS_UP"}, "subject": {"id": subject}}
    [reaction] = where(terrarium(state))["reactions"]
    assert reaction["content"] == "+1" and reaction["user"].endswith("[bot]")


# -- commits


def commit_input(**change):
    text = base64.b64encode(b"new\n").decode()
    return {"branch": {"repositoryNameWithOwner": "sneks-united/terrarium", "branchName": "main"},
            "message": {"headline": "Change files", "body": "Because"}, "expectedHeadOid": HEAD,
            "fileChanges": {"additions": [{"path": "a/new.txt", "contents": text}],
                            "deletions": [{"path": "old.txt"}]}, **change}


def test_a_commit_changes_files_and_moves_the_branch(ask, state):
    made = ask(COMMIT, input=commit_input())["data"]["createCommitOnBranch"]
    oid = made["commit"]["oid"]
    assert made["commit"]["message"] == "Change files\n\nBecause"
    assert made["commit"]["parents"] == {"nodes": [{"oid": HEAD}]}
    assert made["ref"] == {"name": "main", "target": {"oid": oid}} and oid != HEAD
    assert ask(FIND_HEAD, owner="sneks-united", name="terrarium", ref="refs/heads/main") == {
        "data": {"repository": {"ref": {"target": {"oid": oid}}}}}
    [file] = terrarium(state)["contents"]
    assert (file["path"], file["text"]) == ("a/new.txt", "new\n")
    stale = ask(COMMIT, input=commit_input())
    assert error_of(stale) == {
        "type": "STALE_DATA", "path": ["createCommitOnBranch"], "locations": [{"line": 1, "column": 48}],
        "message": f'Expected branch to point to "{HEAD}" but it did not.  Pull and try again.'}
    assert len(terrarium(state)["commits"]) == 1


def test_a_commit_to_a_pull_request_moves_its_head(ask, state):
    head = terrarium(state)["issues"][2]["head"]
    branch = {"repositoryNameWithOwner": "sneks-united/terrarium", "branchName": head["ref"]}
    made = ask(COMMIT, input=commit_input(branch=branch, expectedHeadOid=head["sha"]))
    oid = made["data"]["createCommitOnBranch"]["commit"]["oid"]
    pull = terrarium(state)["issues"][2]
    assert pull["head"]["sha"] == oid and pull["commits"][-1]["sha"] == oid


def test_a_commit_by_rest_moves_the_branch_too(ask, state, app):
    client = with_permissions(state, app, contents="write")
    made = client("PUT", f"{REPO}/contents/x", {"message": "m", "content": "eA=="}).json["commit"]
    assert made["parents"][0]["sha"] == HEAD
    error = error_of(ask(COMMIT, input=commit_input()))
    assert error["type"] == "STALE_DATA"
    assert ask(COMMIT, input=commit_input(expectedHeadOid=made["sha"]))["data"]["createCommitOnBranch"]


@pytest.mark.parametrize("change,kind,message", [
    ({"branch": {"repositoryNameWithOwner": "sneks-united/none", "branchName": "main"}}, "NOT_FOUND",
     "Could not resolve to a Repository with the name 'sneks-united/none'."),
    ({"branch": {"repositoryNameWithOwner": "sneks-united/terrarium", "branchName": "x"}}, "NOT_FOUND",
     "Could not resolve to a Ref with the name 'x'."),
    ({"branch": {"branchName": "main"}}, "UNPROCESSABLE",
     "branch needs an id, or repositoryNameWithOwner and branchName"),
    ({"fileChanges": {"deletions": [{"path": "none"}]}}, "UNPROCESSABLE",
     f"A path was requested for deletion which does not exist as of commit oid `{HEAD}`"),
    ({"fileChanges": {"additions": [{"path": "a", "contents": "?"}]}}, "UNPROCESSABLE",
     'The addition of "a" needs a path, and Base64'),
    ({"message": {"headline": ""}}, "UNPROCESSABLE", "The commit message needs a headline"),
    ({"fileChanges": {"additions": [{"path": ".github/workflows/a.yml", "contents": "eA=="}]}},
     "FORBIDDEN", FORBIDDEN),
])
def test_a_commit_that_github_rejects_changes_nothing(ask, state, change, kind, message):
    before = terrarium(state)
    response = ask(COMMIT, input=commit_input(**change))
    assert response["data"] == {"createCommitOnBranch": None}
    assert (error_of(response)["type"], error_of(response)["message"]) == (kind, message)
    assert terrarium(state) == before


# -- permissions


@pytest.mark.parametrize("lacks,query,variables,path", [
    ("organization_projects", FIND_PROJECT, {"owner": "sneks-united", "number": 3},
     ["organization", "projectV2"]),
    ("organization_projects", ADD_ITEM, {"project": "PVT_3", "item": ISSUE}, ["addProjectV2ItemById"]),
    ("issues pull_requests", ADD_ITEM, {"project": "PVT_3", "item": ISSUE}, ["addProjectV2ItemById"]),
    ("discussions", ADD_COMMENT, {"input": {"discussionId": DISCUSSION, "body": "x"}},
     ["addDiscussionComment"]),
    ("discussions", LIST_COMMENTS, {}, ["repository", "discussion"]),
    ("issues pull_requests", ADD_REACTION, {"id": COMMENT, "content": "EYES"}, ["addReaction"]),
    ("pull_requests", ADD_REACTION, {"id": "PRR_c25lazo0NTAwMQ", "content": "EYES"}, ["addReaction"]),
    ("contents", COMMIT, {"input": commit_input()}, ["createCommitOnBranch"]),
])
def test_a_token_without_the_permission_is_rejected(state, app, lacks, query, variables, path):
    granted = {name: level for name, level in PERMISSIONS.items() if name not in lacks.split()}
    client = with_permissions(state, app, **granted, metadata="read")
    before = state.state
    response = client("POST", "/graphql", {"query": query, "variables": variables})
    error = error_of(response.json)
    assert (response.status, error["type"], error["path"]) == (200, "FORBIDDEN", path)
    assert error["message"] == FORBIDDEN and error["extensions"] == {"saml_failure": False}
    assert state.state == before


# -- the document


@pytest.mark.parametrize("document,code,message", [
    ("{ organization(login: \"x\") { nme } }", "undefinedField",
     "Field 'nme' doesn't exist on type 'Organization'"),
    ("{ organization(nme: \"x\") { id } }", "argumentNotAccepted",
     "Field 'organization' doesn't accept argument 'nme'"),
    ("{ organization { id } }", "missingRequiredArguments",
     "Field 'organization' is missing required arguments: login"),
    ("{ organization(login: \"x\") }", "selectionMismatch",
     "Field must have selections (field 'organization' returns Organization but has no selections. "
     "Did you mean 'organization { ... }'?)"),
    ("{ organization(login: \"x\") { id { x } } }", "selectionMismatch", "Selections can't be made on scalars"),
    ("{ organization(login: 1) { id } }", "argumentLiteralsIncompatible", "Could not coerce value 1 to String"),
    ("{ organization(login: $x) { id } }", "variableNotDefined",
     "Variable $x is used by anonymous query but not declared"),
    ("query Q($x: Int) { organization(login: \"x\") { id } }", "variableNotUsed",
     "Variable $x is declared by Q but not used"),
    ("query($x: String) { organization(login: $x) { id } }", "variableMismatch",
     "Type mismatch on variable $x (String / String!)"),
    ("query($x: Ding!) { organization(login: $x) { id } }", "variableMismatch", "Ding!"),
    ("{ node(id: \"x\") { ... on Isue { id } } }", "undefinedType", "No such type Isue"),
    ("{ node(id: \"x\") { ... on PageInfo { endCursor } } }", "cannotSpreadFragment",
     "Fragment on PageInfo can't be spread inside Node"),
    ("{ node(id: \"x\") { ...F } }", "useAndDefineFragment", "Fragment F was used, but not defined"),
    ("{ node(id: \"x\") { ...F } } fragment F on Node { ...F }", "infiniteLoop", "infinite loop"),
    ("mutation { addReaction(input: {subjectId: \"x\", content: THUMB}) { subject { id } } }",
     "argumentLiteralsIncompatible", "to be one of the values of ReactionContent"),
    ("mutation { addReaction(input: {subjectId: \"x\"}) { subject { id } } }",
     "argumentLiteralsIncompatible", "Expected value to not be null"),
    ("mutation { addReaction(input: {subjectId: \"x\", content: EYES, x: 1}) { subject { id } } }",
     "argumentLiteralsIncompatible", "Field is not defined on AddReactionInput"),
])
def test_a_document_outside_the_schema_is_an_error(ask, document, code, message):
    response = ask(document)
    assert "data" not in response
    assert message in " ".join(error["message"] for error in response["errors"])
    assert code in [error["extensions"]["code"] for error in response["errors"]]
    assert response["errors"][0]["path"][0] in ("query", "query Q", "mutation")


@pytest.mark.parametrize("variables,message", [
    ({}, "Variable $input of type AddDiscussionCommentInput! was provided invalid value"),
    ({"input": {"discussionId": DISCUSSION}}, "invalid value for body (Expected value to not be null)"),
    ({"input": {"discussionId": DISCUSSION, "body": 1}}, "for body (Could not coerce value 1 to String)"),
    ({"input": {"discussionId": DISCUSSION, "body": "x", "text": "x"}},
     "for text (Field is not defined on AddDiscussionCommentInput)"),
])
def test_a_variable_outside_the_schema_is_an_error(ask, variables, message):
    response = ask(ADD_COMMENT, **variables)
    assert "data" not in response and message in error_of(response)["message"]


def test_aliases_fragments_and_operation_names_work(state, app):
    client = with_permissions(state, app, **PERMISSIONS)
    document = """
      query One { a: node(id: "%s") { __typename ...Text } b: node(id: "%s") { __typename ...Text } }
      query Two { node(id: "%s") { id } }
      fragment Text on Node { ... on Issue { title } ... on Discussion { title category { slug } } }
    """ % (ISSUE, DISCUSSION, ISSUE)
    body = {"query": document, "operationName": "One"}
    assert client("POST", "/graphql", body).json == {"data": {
        "a": {"__typename": "Issue", "title": "The heat lamp stays bright at night"},
        "b": {"__typename": "Discussion", "title": "Plants?", "category": {"slug": "general"}}}}
    del body["operationName"]
    assert "operation name" in error_of(client("POST", "/graphql", body).json)["message"]


# -- GitHub's schema (@octokit/graphql-schema)


def type_text(described):
    if described["kind"] in ("NON_NULL", "LIST"):
        inner = type_text(described["ofType"])
        return f"{inner}!" if described["kind"] == "NON_NULL" else f"[{inner}]"
    return described["name"]


def test_the_schema_is_a_part_of_githubs(fake):
    file = pathlib.Path(MODULES) / "@octokit/graphql-schema/schema.json"
    github = {one["name"]: one for one in json.loads(file.read_text(encoding="utf-8"))["__schema"]["types"]}
    kinds = {"type": "OBJECT", "interface": "INTERFACE", "input": "INPUT_OBJECT", "enum": "ENUM",
             "union": "UNION", "scalar": "SCALAR"}
    ours = snek.request("GET", f"{fake.url}/_fake/graphql").json
    assert len(ours) > 40
    for name, one in ours.items():
        theirs = github[name]
        assert kinds[one["kind"]] == theirs["kind"], name
        known = [value["name"] for key in ("enumValues", "interfaces", "possibleTypes")
                 for value in theirs[key] or []]
        assert set(one["of"]) <= set(known), name
        fields = {field["name"]: field for field in theirs["fields"] or theirs["inputFields"] or []}
        for field, is_ours in one.get("fields", {}).items():
            assert is_ours["type"] == type_text(fields[field]["type"]), (name, field)
            described = {given["name"]: given for given in fields[field].get("args", [])}
            for argument, text in is_ours["arguments"].items():
                assert text == type_text(described[argument]["type"]), (name, field, argument)
            required = {key for key, given in described.items()
                        if given["type"]["kind"] == "NON_NULL" and given["defaultValue"] is None}
            assert required <= set(is_ours["arguments"]), (name, field)
        if one["kind"] == "input":
            assert {key for key, field in fields.items() if field["type"]["kind"] == "NON_NULL"} <= set(
                one["fields"]), name


def judge(asked):
    done = subprocess.run([NODE, JUDGE, MODULES], input=json.dumps(asked).encode(), check=True,
                          stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def every_field(ours, name, depth=0):
    """Selections of all fields of a type that need no argument; the arguments of a page are given."""
    if depth > 3:
        return "__typename"
    parts = ["__typename"]
    for field, one in ours[name].get("fields", {}).items():
        kind = one["type"].strip("[]!")
        leaf = ours[kind]["kind"] in ("scalar", "enum")
        if any(text.endswith("!") for text in one["arguments"].values()):
            continue
        given = "(first: 5)" if "first" in one["arguments"] else ""
        parts.append(field + given if leaf else
                     f"{field}{given} {{ {every_field(ours, kind, depth + 1)} }}")
    return " ".join(parts)


def test_the_responses_are_as_github_describes_them(ask, fake):
    ours = snek.request("GET", f"{fake.url}/_fake/graphql").json
    asked = []

    def hold(document, **variables):
        response = ask(document, **variables)
        assert "errors" not in response, response
        asked.append({"document": document, "variables": variables, "data": response["data"]})

    for document, variables in ((ADD_ITEM, {"project": "PVT_3", "item": ISSUE}),
                                (ADD_COMMENT, {"input": {"discussionId": DISCUSSION, "body": "x"}}),
                                (ADD_REACTION, {"id": ISSUE, "content": "EYES"}),
                                (COMMIT, {"input": commit_input()}),
                                (FIND_PROJECT, {"owner": "sneks-united", "number": 3}),
                                (LIST_COMMENTS, {})):
        hold(document, **variables)
    for subject, kind in ((ISSUE, "Issue"), (PULL, "PullRequest"), (COMMENT, "IssueComment"),
                          (DISCUSSION, "Discussion"), ("DC_c25lazo0NzAwMQ", "DiscussionComment"),
                          ("PRR_c25lazo0NTAwMQ", "PullRequestReview"), ("PVT_3", "ProjectV2"),
                          ("R_c25lazo4MDIwMQ", "Repository"), ("O_c25lazo3MDEwMQ", "Organization")):
        hold(f'{{ node(id: "{subject}") {{ ... on {kind} {{ {every_field(ours, kind)} }} }} }}')
    assert judge(asked) == []
    assert judge([{"document": "{ organization(login: 1) { nme } }"}]) != []
