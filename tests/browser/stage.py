# SPDX-License-Identifier: MIT OR Apache-2.0
"""A bot in which something of everything has happened, for looks at the console: ordinary traffic, runs in
each state, and three plugins that are wrong. Alone, it runs until Ctrl-C."""

import pathlib
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
import snek  # noqa: E402
from console_client import ADMIN, start_console  # noqa: E402

COMMENTS = "/repos/sneks-united/terrarium/issues/12/comments"
HOSTILE = '<script>alert(1)</script>\u202e"><img src=x onerror=alert(1)> \u0000' + "W" * 300
# What each plugin does wrong: it lacks a permission, has a filter that nothing matches, crashes, and waits.
SOURCES = {
    "changelog": """
static int32_t merged(struct snek_run *run) {
    return snek_request(run, "PUT", "/repos/{owner}/{repo}/contents/NEWS", .json = "{}");
}
static const struct snek_permission permissions[] = {{"contents", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "closed", .handler = merged,
     .filters = {{"pull_request.merged", SNEK_IS, 0, {"true"}}}}};
SNEK_PLUGIN(.name = "changelog", .version = "0.3", .summary = "Adds merged pull requests to the change log.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
""",
    "triage": """
static int32_t opened(struct snek_run *run) { return snek_reply(run, "Somebody will look at it."); }
static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "issues", .action = "opened", .handler = opened,
     .filters = {{"repository.name", SNEK_IS, 0, {"terarium"}}}}};
SNEK_PLUGIN(.name = "triage", .version = "1.2", .summary = "Promises an answer to each new issue.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
""",
    "linter": """
static int32_t opened(struct snek_run *run) {
    const char *label = snek_string(run, "pull_request.labels[0].name");
    snek_log(run, SNEK_LOG_INFO, "reading the first label");
    return *label == 'x' ? SNEK_DONE : snek_skip(run, "an ordinary label");
}
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = opened}};
SNEK_PLUGIN(.name = "linter", .version = "2.0", .summary = "Checks the labels of a pull request.",
            SNEK_TABLE(subscriptions))
""",
    "deploy": """
static int32_t released(struct snek_run *run) {
    if (snek_exists(run, "wait")) {
        return snek_wait(run, 3600000, "the checks of the commit have not passed");
    }
    return snek_retry_after(run, 7200000, "the server of packages is away");
}
static const struct snek_subscription subscriptions[] = {{.event = "release", .handler = released}};
SNEK_PLUGIN(.name = "deploy", .version = "1.0", .summary = "Deploys each release.", SNEK_TABLE(subscriptions))
"""}


def compile_plugins(folder):
    built = []
    for name, text in SOURCES.items():
        source = folder / f"{name}.c"
        source.write_text("#include <snekomatic/snekomatic.h>\n#include <string.h>\n" + text)
        subprocess.run(["cc", "-shared", "-fPIC", "-I", HERE.parent.parent / "sdk-headers", source,
                        "-o", folder / f"{name}.so"], check=True)
        built.append({"path": str(folder / f"{name}.so")})
    return built


def issue(number, title, login, **more):
    return snek.payload("issues.opened", {"issue.number": number, "issue.title": title, "issue.user.login": login,
                                          "sender.login": login, **more})


def fill(bot, fake):
    """The GUIDs of what happened, by name."""
    guids = {}

    def deliver(name, event, payload, **wanted):
        guids[name] = bot.deliver(event, payload)
        if wanted:
            bot.wait_log(delivery=guids[name], **wanted)

    for number in range(3):
        deliver(f"command{number}", "issue_comment", snek.payload("issue_comment.created"), msg="done")
    deliver("chat", "issue_comment", snek.payload("issue_comment.created", {"comment.body": "Thank you!"}), msg="skipped")
    deliver("filtered", "issues", issue(12, "The heat lamp flickers", "hatchling-hana"), msg="done", plugin="welcome")
    deliver("parked", "pull_request", snek.payload("pull_request.closed.merged"), msg="parked")
    deliver("parked2", "pull_request", snek.payload("pull_request.closed.merged"), msg="parked")
    fake.fail(method="POST", path=COMMENTS, status=502, times=1)
    deliver("retried", "issue_comment", snek.payload("issue_comment.created"), msg="done")
    fake.fail(method="POST", path=COMMENTS, drop=True, after=True, times=100)
    fake.fail(method="GET", path=COMMENTS, status=502, times=100)
    deliver("doubt", "issue_comment", snek.payload("issue_comment.created"), msg="dead")
    fake.fail_no_more()
    deliver("waiting", "release", {**issue(1, "", "viper-vik"), "action": "published", "wait": 1}, msg="waiting")
    deliver("later", "release", {**issue(1, "", "viper-vik"), "action": "published"}, msg="retry")
    deliver("unknown", "star", {"action": "created", "sender": {"login": "viper-vik", "id": 90303}})
    deliver("hostile", "issues", issue(12, HOSTILE, "hatchling-hana", **{"issue.body": "x" * 1_000_000}), msg="skipped")
    deliver("crashed", "pull_request", snek.payload("pull_request.opened", {"pull_request.title": "Fix the lamp"}),
            msg="dead", plugin="linter")
    bot.verb("plugins", "pause", "stale")
    bot.verb("plugins", "pause", "welcome", "--item", "sneks-united/terrarium#13")
    bot.wait_log(msg="hold_began", plugin="welcome")
    deliver("paused", "issues", issue(13, "A second lamp", "hatchling-hana"), msg="stored")
    return guids


def start(folder, **console):
    folder = pathlib.Path(folder)
    folder.chmod(0o755)
    fake = snek.FakeGitHub(snek.make_key(folder / "app.pem"))
    plugins = [{"name": "ping"}, {"name": "welcome"}, {"name": "stale", "dry_run": True}, *compile_plugins(folder)]
    bot = start_console(lambda **options: snek.Bot(fake, folder / "bot", **options), plugins=plugins, console=console,
                        config={"dispatch": {"max_attempts": 3, "first_retry_ms": 300}})
    return bot, fake


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        bot, fake = start(temporary)
        print(fill(bot, fake))
        print(f"{bot.url}/console, token {ADMIN}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            bot.stop()
            fake.stop()
