# SPDX-License-Identifier: MIT OR Apache-2.0
"""The fake GitHub's side of the manifest flow: it is as strict as GitHub."""

import json
import urllib.parse

import pytest

import snek
from fake_client import Client
from setup_flow import Browser

MANIFEST = {
    "name": "Sneks Bot", "url": "https://bot.example.org", "redirect_url": "http://127.0.0.1:9/back", "public": False,
    "hook_attributes": {"url": "https://bot.example.org/webhook/github", "active": True},
    "default_permissions": {"issues": "write", "members": "read"}, "default_events": ["issues", "issue_comment"],
}


def post(fake, manifest, owner="organizations/sneks-united/", state="abc"):
    form = {"action": f"{fake.url}/{owner}settings/apps/new?state={state}",
            "fields": {"manifest": manifest if isinstance(manifest, str) else json.dumps(manifest)}}
    return Browser().submit(fake.url, form)


def create(fake, manifest, **changes):
    """The query of the redirect."""
    page = post(fake, manifest)
    assert page.status == 200, page
    created = Browser().submit(fake.url, page.forms[0], **changes)
    assert created.status == 302 and created.location.startswith(MANIFEST["redirect_url"] + "?"), created
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(created.location).query))


def convert(fake, code):
    return Client(fake)("POST", f"/app-manifests/{code}/conversions")


@pytest.mark.parametrize("changes, words", [
    ({"name": ""}, "Name can't be blank"),
    ({"name": ...}, "Name can't be blank"),
    ({"name": "x" * 35}, "Name is too long"),
    ({"url": ...}, "Url must be a valid URL"),
    ({"url": "bot.example.org"}, "Url must be a valid URL"),
    ({"redirect_url": "ftp://x.example"}, "Redirect url must be a valid URL"),
    ({"hook_attributes": {}}, "Hook url can't be blank"),
    ({"hook_attributes": {"url": "http://127.0.0.1:8000/webhook"}}, "isn't reachable over the public Internet"),
    ({"hook_attributes": {"url": "https://localhost/webhook"}}, "isn't reachable over the public Internet"),
    ({"hook_attributes": {"url": "https://10.0.0.1/webhook"}}, "isn't reachable over the public Internet"),
    ({"hook_attributes": {"url": "https://bot/webhook"}}, "isn't reachable over the public Internet"),
    ({"default_permissions": {"snakes": "write"}}, "Default permission records resource is not included"),
    ({"default_permissions": {"issues": "admin"}}, "Default permission records action is not included"),
    ({"default_events": ["installation"]}, "Default events unsupported: installation"),
    ({"default_events": ["installation_repositories"]}, "Default events unsupported: installation_repositories"),
    ({"default_events": ["snekomatic.timer"]}, "Default events unsupported: snekomatic.timer"),
    ({"default_events": ["pull_request"]}, "Default events are not supported by permissions: pull_request"),
    ({"surprise": 1}, "Unknown key: surprise"),
])
def test_a_wrong_manifest_is_rejected(fake, changes, words):
    page = post(fake, snek.changed(MANIFEST, changes))
    assert page.status == 422 and words in page.text.replace("&#39;", "'"), page


def test_a_manifest_that_is_no_json_is_rejected(fake):
    for text in ("", "{", "[]", '"x"'):
        assert post(fake, text).status == 422


def test_a_hook_that_is_not_active_may_have_any_url(fake):
    hook = {"url": "http://127.0.0.1/webhook", "active": False}
    assert post(fake, {**MANIFEST, "hook_attributes": hook}).status == 200
    assert post(fake, {**MANIFEST, "hook_attributes": {"url": "https://snekomatic.invalid/x"}}).status == 200


def test_only_an_organization_that_exists_gets_an_app(fake):
    assert post(fake, MANIFEST, "organizations/nobody/").status == 404
    assert post(fake, MANIFEST, "").status == 200


def test_a_name_is_taken_once(fake):
    create(fake, MANIFEST)
    assert "Name is already taken" in post(fake, {**MANIFEST, "name": "SNEKS bot"}).text
    # A person may choose another one at GitHub.
    page = post(fake, {**MANIFEST, "name": "Other"})
    assert Browser().submit(fake.url, page.forms[0], name="sneks bot").status == 422


def test_the_code_is_exchanged_once_for_the_app(fake):
    query = create(fake, MANIFEST, name="Better Bot")
    assert query["state"] == "abc"
    made = convert(fake, query["code"])
    assert made.status == 201
    assert made.json["name"] == "Better Bot" and made.json["slug"] == "better-bot"
    assert made.json["permissions"] == MANIFEST["default_permissions"]
    assert made.json["events"] == MANIFEST["default_events"]
    assert made.json["pem"].startswith("-----BEGIN RSA PRIVATE KEY-----") and made.json["webhook_secret"]
    assert made.json["html_url"] == f"{fake.url}/apps/better-bot"
    assert convert(fake, query["code"]).status == 404
    assert convert(fake, "0" * 40).status == 404


def test_a_code_lives_for_an_hour(fake):
    code = create(fake, MANIFEST)["code"]
    fake.settings(clock_skew_s=3600)
    assert convert(fake, code).status == 404
    fake.settings(clock_skew_s=3590)
    assert convert(fake, code).status == 201


def test_the_app_is_the_one_whose_jwts_count(fake, key, tmp_path):
    made = convert(fake, create(fake, MANIFEST)["code"]).json
    file = tmp_path / "new.pem"
    file.write_text(made["pem"])
    new = Client(fake, f"Bearer {snek.make_jwt(file, iss=made['id'])}")
    old = Client(fake, f"Bearer {snek.make_jwt(key)}")
    assert new("GET", "/app").json["id"] == made["id"]
    assert old("GET", "/app").status == 401
    config = new("GET", "/app/hook/config").json
    assert config["url"] == MANIFEST["hook_attributes"]["url"]


def test_a_secret_may_be_null(fake):
    fake.settings(manifest_secret=False)
    assert convert(fake, create(fake, MANIFEST)["code"]).json["webhook_secret"] is None


def test_a_new_app_is_installed_nowhere_and_its_accounts_keep_their_ids(fake):
    before, = fake.state["installations"]
    slug = convert(fake, create(fake, MANIFEST)["code"]).json["slug"]
    assert fake.state["installations"] == []
    url = f"{fake.url}/apps/{slug}/installations/new"
    assert Browser().submit(url, Browser().get(url).forms[0], account=before["account"]).status == 200
    after, = fake.state["installations"]
    assert (after["id"], after["account"]) == (before["id"], before["account"])


def test_webhooks_are_sent_elsewhere_only_if_the_apps_url_leads_somewhere(fake):
    fake.settings(webhook_url="https://snekomatic.invalid/webhook/github")
    response = snek.request("POST", f"{fake.url}/_fake/settings", b'{"webhook_via": "http://127.0.0.1:1"}')
    assert response.status == 422 and "under .invalid" in response.json["message"]
    assert fake.settings()["webhook_via"] == ""
    fake.settings(webhook_url="https://bot.example.org/webhook/github", webhook_via="http://127.0.0.1:1")


def test_an_installation_gets_the_permissions_of_the_app(fake):
    state = fake.state
    state["installations"] = []
    fake.put_state(state)
    fake.settings(webhook_via="http://127.0.0.1:1")
    slug = convert(fake, create(fake, MANIFEST)["code"]).json["slug"]
    url = f"{fake.url}/apps/{slug}/installations/new"
    form = Browser().get(url).forms[0]
    assert Browser().submit(url, form, account="sneks-united").status == 200
    installation, = fake.state["installations"]
    assert installation["account"] == "sneks-united"
    assert installation["permissions"] == MANIFEST["default_permissions"]
    assert Browser().get(f"{fake.url}/apps/another/installations/new").status == 404
    snek.wait_until(lambda: [e["event"] for e in fake.deliveries()] == ["installation"], "the webhook of GitHub's own")
