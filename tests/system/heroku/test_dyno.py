# SPDX-License-Identifier: MIT OR Apache-2.0
"""The buildpack from nothing to a running dyno, as Heroku does it: `./dev heroku`. Compiled as a user
without root, where only the build image's kind of packages is; then moved to /app where only the run
image's kind is, with another user's id. Debian stands in for Heroku's Ubuntu.

SNEK_HEROKU names the folder that has the two systems, `build` and `run`."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

import snek

ROOT = pathlib.Path(__file__).resolve().parents[3]
SYSTEMS = pathlib.Path(os.environ["SNEK_HEROKU"]).resolve()
BUILDER, DYNO = 1000, 23456  # user ids
HEROKU_BUILD_S, HEROKU_GRACE_S, HEROKU_SLUG_BYTES = 15 * 60, 30, 500 << 20

# The shell stays as the first process, as Heroku's own does, and has the others below it.
ENTER = """
set -e
root=$1 user=$2; shift 2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
/usr/sbin/chroot --userspec="$user:$user" --groups="$user" "$root" /usr/bin/env -i "$@" &
status=0; wait "$!" || status=$?
exit "$status"
"""

# A dyno starts a process type with this command.
BOOT = 'cd "$HOME"; for file in .profile.d/*.sh; do . "$file"; done; exec bash -c "$0"'


def enter(system, user, *words):
    """The command that runs another one in a system, in its own tree of processes."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", ENTER, "enter",
            SYSTEMS / system, str(user), "PATH=/usr/local/bin:/usr/bin:/bin", "STACK=heroku-24", *words]


def give(path, user):
    for folder, folders, files in os.walk(path):
        for name in [".", *folders, *files]:
            os.lchown(os.path.join(folder, name), user, user)


def checkout(path):
    """The files that git has of this repository now."""
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, check=True, capture_output=True).stdout
    path.mkdir(parents=True)
    subprocess.run(["tar", "--null", "--files-from=-", "--create", "--file=" + str(path) + ".tar"],
                   cwd=ROOT, input=files, check=True)
    subprocess.run(["tar", "--extract", "--file=" + str(path) + ".tar"], cwd=path, check=True)
    os.unlink(str(path) + ".tar")


class Compiled:
    """One run of bin/compile: `app` is a dictionary of files, or a folder to copy."""

    count = 0

    def __init__(self, app, cache, buildpack=None, config_vars=None):
        Compiled.count += 1
        work = SYSTEMS / "build/tmp"
        self.folder = work / f"build_{Compiled.count:08x}"
        env, cache = work / f"env_{Compiled.count}", work / cache
        if isinstance(app, dict):
            for name, text in app.items():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_text(text)
        else:
            shutil.copytree(app, self.folder)
        for folder in (env, cache):
            folder.mkdir(exist_ok=True)
        for name, value in (config_vars or {}).items():
            (env / name).write_text(value)
        for path in (self.folder, cache, env):
            give(path, BUILDER)
        before = time.monotonic()
        seen = [f"/tmp/{path.name}" for path in (buildpack or self.folder, self.folder, cache, env)]
        self.command = enter("build", BUILDER, "HOME=/app", f"{seen[0]}/bin/compile", *seen[1:])
        done = subprocess.run(self.command, capture_output=True, text=True, check=False,
                              timeout=HEROKU_BUILD_S)
        self.seconds, self.status = time.monotonic() - before, done.returncode
        self.output = done.stdout + done.stderr
        print(f"compile: status {self.status} after {self.seconds:.1f} s\n{self.output}")

    def bytes(self):
        return sum(path.lstat().st_size for path in self.folder.rglob("*"))


class Dyno(snek.Bot):
    """A slug at /app; its process type `web`."""

    def __init__(self, fake, compiled, env=None):
        self.fake, self.folder = fake, SYSTEMS / "run/app"
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(compiled.folder, self.folder, symlinks=True)
        give(self.folder, DYNO)
        web = re.search(r"(?m)^ *web: *(.+)$", self._process_types()).group(1)
        variables = {"HOME": "/app", "DYNO": "web.1", "PORT": "0", "GITHUB_APP_ID": snek.APP_ID,
                     "GITHUB_PRIVATE_KEY": pathlib.Path(fake.key).read_text(),
                     "GITHUB_WEBHOOK_SECRET": snek.WEBHOOK_SECRET, "GITHUB_API_URL": fake.url,
                     **(env or {})}
        command = enter("run", DYNO, *[f"{name}={value}" for name, value in variables.items()],
                        "bash", "-c", BOOT, web)
        self.process = snek.Process(command, snek.clean_environment())
        self.port = int(self.process.wait_log(msg="listening")["port"])
        self.url = f"http://127.0.0.1:{self.port}"
        self.wait_ready()

    def _process_types(self):
        procfile = self.folder / "Procfile"
        return procfile.read_text() if procfile.exists() else subprocess.run(
            [ROOT / "bin/release", self.folder], capture_output=True, text=True, check=True).stdout

    def all_pids(self):
        """All processes in the dyno but its first."""
        first, found = snek.children(self.process.pid), []
        look = list(first)
        while look:
            below = snek.children(look.pop())
            look += below
            found += below
        return found

    def stop(self):
        """SIGTERM to all at once, again and again. The seconds that it took to end."""
        before, status = time.monotonic(), None
        while status is None and time.monotonic() - before < HEROKU_GRACE_S:
            for pid in self.all_pids():
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass
            try:
                status = self.process.popen.wait(0.5)
            except subprocess.TimeoutExpired:
                pass
        took = time.monotonic() - before
        assert status == 0, f"{status} after {took:.1f} s:\n{self.process.output()}"
        return took


BUNDLED = {"snekomatic.toml": '[server]\nlisten = "127.0.0.1:8000"\n[[plugin]]\npath = "invite"\n'}


@pytest.fixture(scope="session", autouse=True)
def tidy():
    for path in (SYSTEMS / "build/tmp").iterdir():
        shutil.rmtree(path)
    (SYSTEMS / "build/tmp").chmod(0o1777)


@pytest.fixture(scope="session")
def buildpack(tidy):
    path = SYSTEMS / "build/tmp/buildpack"
    checkout(path)
    give(path, BUILDER)
    return path


@pytest.fixture(scope="session")
def cold(buildpack):
    return Compiled(BUNDLED, "cache", buildpack)


@pytest.fixture
def dyno(fake):
    dynos = []

    def start(compiled, **options):
        dynos.append(Dyno(fake, compiled, **options))
        return dynos[-1]

    yield start
    for one in dynos:
        if one.process.popen.poll() is None:
            one.process.popen.kill()


def test_the_stand_ins_lack_what_heroku_lacks():
    for name in ("meson", "ninja", "cmark-gfm"):
        assert not (SYSTEMS / "build/usr/bin" / name).exists()
    for system in ("build", "run"):
        libraries = {path.name for path in (SYSTEMS / system / "usr/lib").rglob("*.so*")}
        assert not [name for name in libraries if re.match("lib(microhttpd|cmark|tomlplusplus)", name)]
    assert not list((SYSTEMS / "run/usr/bin").glob("*gcc*"))


def test_a_cold_build_makes_a_small_slug_without_root(cold):
    assert cold.status == 0, cold.output
    assert "plugin invite" in cold.output
    assert cold.bytes() < HEROKU_SLUG_BYTES / 10
    for path in (cold.folder / ".snekomatic").rglob("*"):
        assert path.is_symlink() or not path.lstat().st_mode & 0o022, path


def test_libraries_of_the_image_are_used_and_not_carried(cold):
    carried = {path.name.split(".")[0] for path in (cold.folder / ".snekomatic/lib").glob("*.so*")}
    assert carried == {"libmicrohttpd", "libcmark-gfm", "libcmark-gfm-extensions", "libyaml-0",
                       "libtomlplusplus"}
    # ... but used: with a -dev package's link left dangling, the linker takes the static archive.
    program = cold.folder / ".snekomatic/libexec/snekomatic/snekomatic-host"
    dynamic = subprocess.run(["readelf", "-d", program],
                             check=True, capture_output=True, text=True).stdout
    used = set(re.findall(r"NEEDED.*\[(lib[a-z0-9]+)", dynamic))
    assert {"libjansson", "libsqlite3", "libpq", "libcurl", "libgnutls", "libnettle"} <= used


def test_a_build_without_database_and_credentials_says_so(cold):
    assert "THERE IS NO DATABASE_URL" in cold.output
    assert "GITHUB_APP_ID GITHUB_PRIVATE_KEY GITHUB_WEBHOOK_SECRET" in cold.output


def test_a_warm_build_takes_all_from_the_cache(cold, buildpack):
    warm = Compiled(BUNDLED, "cache", buildpack, {
        "DATABASE_URL": "postgres://nobody@127.0.0.1/none", "GITHUB_APP_ID": "1",
        "GITHUB_PRIVATE_KEY": "x", "GITHUB_WEBHOOK_SECRET": "x"})
    assert warm.status == 0, warm.output
    assert warm.output.count("from the cache") == 2
    assert "DATABASE_URL" not in warm.output and "Not set yet" not in warm.output
    assert warm.seconds < cold.seconds


def test_a_slug_invites_and_drains_on_sigterm_to_all(cold, dyno, fake):
    bot = dyno(cold)
    assert bot.request("GET", "/").status == 200
    assert bot.log(msg="disk_ephemeral", level="warning")
    fake.fail(method="PUT", path="/orgs/", delay_ms=3000)
    bot.deliver("pull_request", snek.payload("pull_request.closed.merged"))
    bot.wait_log(msg="started", plugin="invite")
    while not fake.requests(method="PUT"):  # until the invitation is under way
        time.sleep(0.05)
    assert len(bot.all_pids()) >= 3
    took = bot.stop()
    print(f"drained in {took:.1f} s")
    assert bot.log(msg="done", plugin="invite"), bot.process.output()
    assert fake.member("hatchling-hana")["state"] == "pending"
    assert len(fake.bot_comments(21)) == 1
    assert fake.unexpected() == []


def test_a_dyno_that_is_erased_forgets_nothing_of_what_is_in_postgresql(cold, dyno, fake, store):
    merged = snek.payload("pull_request.closed.merged")
    for count in (1, 2):
        bot = dyno(cold, env={"DATABASE_URL": store})
        assert bot.log(msg="disk_ephemeral") == []
        bot.deliver("pull_request", merged)
        bot.wait_log(msg=("done", "skipped"), plugin="invite")
        bot.stop()
        assert not list(bot.folder.rglob("*.db"))
        assert len(fake.requests(method="PUT")) == len(fake.bot_comments(21)) == 1, count


def test_the_template_runs_its_own_plugin(buildpack, dyno, fake, tmp_path):
    shutil.copytree(ROOT / "config/heroku/template", tmp_path / "app")
    with (tmp_path / "app/snekomatic.toml").open("a") as file:
        file.write('[server]\nlisten = "127.0.0.1:8000"\n')  # the port is PORT's
    compiled = Compiled(tmp_path / "app", "cache", buildpack)
    assert compiled.status == 0, compiled.output
    assert "Building plugins/coffee.c" in compiled.output
    bot = dyno(compiled)
    bot.deliver("issue_comment", snek.payload("issue_comment.created", {
        "comment.body": "/coffee", "comment.user.login": "hatchling-hana"}))
    bot.wait_log(msg="done", plugin="coffee")
    assert fake.bot_comments(12)[-1].startswith("Here you are: ☕")
    bot.stop()


def test_a_folder_of_new_plugin_is_built_and_loaded(buildpack, tmp_path):
    app = tmp_path / "app"
    (app / "plugins").mkdir(parents=True)
    subprocess.run([snek.program("snekomatic"), "new-plugin", "greeter"], cwd=app / "plugins",
                   check=True, capture_output=True)
    (app / "snekomatic.toml").write_text('[[plugin]]\npath = "./plugins/greeter.so"\n')
    compiled = Compiled(app, "cache", buildpack)
    assert compiled.status == 0, compiled.output
    assert "/greeter (anybody)" in compiled.output


@pytest.mark.parametrize("source, said", [
    ("int32_t nowhere(void);\nint32_t (*use)(void) = nowhere;",
     r"plugin \./plugins/bad\.so is rejected: .*nowhere"),
    ("int x;", r"plugin \./plugins/bad\.so is rejected: .*SNEK_PLUGIN"),
    ("in x;", r"plugins/bad\.c does not compile"),
], ids=["a_function_is_nowhere", "no_plugin", "no_c"])
def test_an_app_whose_plugin_does_not_load_is_not_deployed(buildpack, source, said):
    compiled = Compiled({
        "snekomatic.toml": '[[plugin]]\npath = "./plugins/bad.so"\n',
        "plugins/bad.c": "#include <stdint.h>\n" + source + "\n"}, "cache", buildpack)
    assert compiled.status == 1
    assert re.search(said, compiled.output), compiled.output
    assert "is not deployed" in compiled.output


def test_this_repository_deploys_itself(dyno, fake, tmp_path):
    checkout(tmp_path / "self")
    compiled = Compiled(tmp_path / "self", "cache-of-its-own")
    assert compiled.status == 0, compiled.output
    bot = dyno(compiled)
    bot.deliver("pull_request", snek.payload("pull_request.closed.merged"))
    bot.wait_log(msg="done", plugin="invite")
    assert fake.member("hatchling-hana")["state"] == "pending"
    bot.stop()
