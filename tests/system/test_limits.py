# SPDX-License-Identifier: MIT OR Apache-2.0
"""The limits that the configuration sets for a plugin, each with a sentence that names its key."""

import json

import snek


def probe(do, **what):
    return {"action": "x", "installation": {"id": snek.INSTALLATION}, "do": do, **what}


def end_of(bot, delivery):
    """The line with which the delivery's run ended, or ended an attempt."""
    return bot.wait_log(msg=("done", "retry", "rejected", "requeued", "dead"), delivery=delivery)


def put(bot, name, count):
    """Stores a value of so many bytes, and returns the end of the run."""
    payload = probe("store", op="put", scope=0, name=name, value="x" * count)
    return end_of(bot, bot.deliver("probe", payload))


def test_a_plugin_can_store_no_more_than_store_mib(start_bot, either_store):
    bot = start_bot(plugins=[{"name": "test-probe", "store_mib": 1}], config=either_store)
    for i in range(15):
        assert put(bot, f"key-{i}", 65536)["msg"] == "done"
    line = put(bot, "key-15", 65536)
    assert line["msg"] == "retry"
    assert line["reason"] == ("the store of plugin probe is full: its sets and keys may have "
                              "1 MiB. Let the plugin remove entries, or raise plugin.store_mib")
    # A smaller value fits, and what is there can be replaced.
    assert put(bot, "key-16", 60000)["msg"] == "done"
    assert put(bot, "key-0", 65536)["msg"] == "done"
    metrics = bot.request("GET", "/metrics").body.decode()
    assert ('snekomatic_plugin_limits_reached_total{plugin="probe",limit="store_mib"} 1'
            in metrics)


def test_a_plugin_that_declares_more_than_its_list_is_rejected(fake, tmp_path):
    reason = ("it declares the permission members: write, which plugin.permissions does not list: "
              'add "members:write" to the list, or disable the plugin')
    bot = snek.Bot(fake, tmp_path / "bot", start=False, plugins=[
        {"name": "test-probe", "permissions": ["members:read", "issues:write"]}])
    for verb in ("check", "plugins"):
        assert f"is rejected: {reason}" in bot.verb(verb, status=78).stderr
    process = snek.Process([snek.program("snekomatic"), "serve", "-c", bot.file],
                           snek.clean_environment(), cwd=bot.folder)
    assert process.wait_log(msg="plugin_rejected")["reason"] == reason
    assert process.wait(timeout=60) == 78


def test_a_plugin_within_its_list_runs_and_the_list_is_shown(start_bot):
    bot = start_bot(plugins=[{"name": "test-probe",
                              "permissions": ["members:write", "issues:write"]}])
    assert put(bot, "key", 1)["msg"] == "done"
    assert ("  may ask for  members:write, issues:write (plugin.permissions)\n"
            in bot.verb("plugins").stdout)


COMMENTS = "/repos/sneks-united/terrarium/issues/12/comments"


def comments(fake):
    """The texts of the bot's comments without their markers."""
    return [snek.visible({"body": text})["body"] for text in fake.bot_comments(12)]


def client(*steps):
    return {"action": "x", "installation": {"id": snek.INSTALLATION}, "steps": list(steps)}


def comment(text="hi", **more):
    return {"request": f"POST {COMMENTS}", "body": f'{{"body": "{text}"}}', **more}


def test_a_run_that_wants_more_than_effects_per_run_is_rejected(fake, start_bot):
    bot = start_bot(plugins=[{"name": "client", "effects_per_run": 2}])
    steps = [comment(str(i), go_on=True) for i in range(4)]
    delivery = bot.deliver("client", client(*steps, {"request": "GET /meta", "go_on": True}))
    line = end_of(bot, delivery)
    reason = "the run made 2 effects and wants more, which plugin.effects_per_run does not allow"
    assert (line["msg"], line["reason"]) == ("rejected", reason)
    assert comments(fake) == ["0", "1"]
    # The rejected run sends nothing more, not even a read.
    assert not [entry for entry in fake.requests() if entry["path"] == "/meta"]
    assert end_of(bot, bot.deliver("client", client(*steps[2:])))["msg"] == "done"


def test_replays_are_no_new_effects(fake, start_bot):
    bot = start_bot(plugins=[{"name": "client", "effects_per_run": 1}])
    fake.fail(method="GET", path="/orgs/sneks-united/members/x", status=500, times=4)
    delivery = bot.deliver("client", client(comment("once"),
                                            {"request": "GET /orgs/sneks-united/members/x"},
                                            {"request": "GET /meta", "go_on": True}))
    bot.wait_log(msg="retry", delivery=delivery)
    assert bot.post("client", client(), delivery=delivery).status == 200
    bot.wait_log(msg="replayed", delivery=delivery)
    assert comments(fake) == ["once"]


def test_an_effect_that_is_not_declared_is_rejected(fake, start_bot):
    bot = start_bot(plugins=["client-declared"])
    def sent(step):
        return end_of(bot, bot.deliver("client", client(step)))
    assert sent(comment())["msg"] == "done"
    assert sent({"request": f"POST {fake.api_url}{COMMENTS}?x=1",
                 "body": '{"body": "absolute"}'})["msg"] == "done"
    fake.forget_requests()
    for request in ("POST /repos/sneks-united/terrarium/issues/12/reactions",
                    "DELETE /orgs/sneks-united/memberships/viper-vik",
                    "POST /graphql"):
        line = sent({"request": request, "body": '{"query": "mutation { x }"}'})
        assert line["msg"] == "retry"
        assert line["reason"] == (f"{request} is no effect that plugin client declares: add it to "
                                  "the effects in its descriptor")
    assert fake.effects() == []
    # Reads need no declaration.
    assert sent({"request": "GET /orgs/sneks-united/members/x", "go_on": True})["msg"] == "done"


def test_at_effects_per_hour_a_run_waits_and_loses_no_attempt(fake, start_bot, either_store):
    bot = start_bot(plugins=[{"name": "client", "effects_per_hour": 3}], config=either_store)
    assert end_of(bot, bot.deliver("client", client(comment("0"), comment("1"))))["msg"] == "done"
    delivery = bot.deliver("client", client(comment("2"), comment("3")))
    line = end_of(bot, delivery)
    assert line["msg"] == "requeued"
    assert line["reason"] == ("plugin client has sent 3 effects in the last hour to installation "
                              f"{snek.INSTALLATION}, which is plugin.effects_per_hour")
    assert 3500 * 1000 < int(line["again_ms"]) <= 3661 * 1000
    assert comments(fake) == ["0", "1", "2"]
    bot.stop()
    # It goes on where it was, and the attempt was not lost.
    bot.file.write_text(bot.file.read_text().replace("effects_per_hour = 3",
                                                     "effects_per_hour = 4"))
    bot.start()
    bot.verb("deliveries", "retry", delivery)
    assert bot.wait_log(msg="replayed", delivery=delivery)["attempt"] == "1"
    assert bot.wait_log(msg=("done", "dead", "rejected"), delivery=delivery)["msg"] == "done"
    assert comments(fake) == ["0", "1", "2", "3"]
    metrics = bot.request("GET", "/metrics").body.decode()
    assert 'snekomatic_plugin_limits_reached_total{plugin="client",limit="effects_per_hour"}' in metrics


def test_the_audit_shows_who_caused_which_request(fake, start_bot, either_store):
    bot = start_bot(plugins=["client"], config=either_store)
    payload = {**client(comment("hi"), {"request": "DELETE /orgs/sneks-united/memberships/nobody",
                                        "go_on": True}),
               "sender": {"login": "mona", "id": 5},
               "repository": {"full_name": "Sneks-United/Terrarium", "id": 1}}
    delivery = bot.deliver("client", payload)
    assert end_of(bot, delivery)["msg"] == "done"
    audit = json.loads(bot.verb("deliveries", "show", delivery, "--json").stdout)["audit"]
    assert [(row["plugin"], row["sender"], row["item"], row["method"], row["url"], row["state"],
             row["status"]) for row in audit] == [
        ("client", "mona", "sneks-united/terrarium#12", "POST", COMMENTS, "completed", 201),
        ("client", "mona", None, "DELETE", "/orgs/sneks-united/memberships/nobody", "completed",
         404)]
    # The fake's ids are made of its numbers of the requests. The broker repeated the DELETE, and the
    # last response counts.
    numbers = [f"FA4E:{entry['n']:06}" for entry in fake.requests() if entry["method"] != "GET"
               and not entry["path"].startswith("/app/")]
    assert [row["request_id"].rpartition(":")[0] for row in audit] == [numbers[0], numbers[-1]]
    assert (f": completed 201, by mona, request {audit[0]['request_id']}\n"
            in bot.verb("deliveries", "show", delivery).stdout)


def about(number, steps):
    """A delivery about an issue of the fake's repository, as the client plugin takes it."""
    return {**client(*steps), "sender": {"login": "mona", "id": 5},
            "issue": {"number": number},
            "repository": {"full_name": "sneks-united/terrarium", "id": 7001}}


def test_a_loop_on_one_issue_is_broken_and_can_be_released(fake, start_bot, either_store):
    bot = start_bot(plugins=["client"], config=either_store)
    many = [comment(str(i)) for i in range(21)]
    delivery = bot.deliver("client", about(12, many))
    line = bot.wait_log(msg="loop_broken", delivery=delivery)
    assert line["item"] == "sneks-united/terrarium#12"
    reason = ("the loop breaker holds plugin client on sneks-united/terrarium#12: it made 20 "
              "effects there in 10 minutes")
    assert line["reason"] == reason
    assert bot.wait_log(msg="requeued", delivery=delivery)["reason"] == reason
    # Further runs of the item wait, and are shown; those of another one go on.
    other = bot.deliver("client", about(12, [comment("x")]))
    def held():
        listed = json.loads(bot.verb("deliveries", "list", "--state", "held", "--json").stdout)
        return {row["delivery"] for row in listed} == {delivery, other}
    snek.wait_until(held, "both runs are held")
    assert end_of(bot, bot.deliver("client", client({
        "request": "POST /repos/sneks-united/terrarium/issues/21/comments",
        "body": '{"body": "elsewhere"}'})))["msg"] == "done"
    assert len(comments(fake)) == 20
    metrics = bot.request("GET", "/metrics").body.decode()
    assert 'snekomatic_plugin_limits_reached_total{plugin="client",limit="loop_breaker"} 1' in metrics
    released = bot.verb("plugins", "release", "client", "--item", "Sneks-United/Terrarium#12")
    assert "is released" in released.stdout
    for guid in (delivery, other):
        assert bot.wait_log(msg="done", delivery=guid)["attempt"] == "1"
    assert sorted(comments(fake)) == sorted([str(i) for i in range(21)] + ["x"])
