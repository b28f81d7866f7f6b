# SPDX-License-Identifier: MIT OR Apache-2.0
"""The benchmarks of `./dev bench`: the host beside its peers, in one run on one machine. The server
runs on one processor core and the load on another. The candidates alternate, and a figure is the
median of all rounds. `--json FILE` keeps every round."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "postgres"))
import server as postgres_server  # noqa: E402

BODIES = "@octokit/webhooks-examples/api.github.com/index.json"
SECRET = "a secret of the benchmark"
CONSOLE_TOKEN = "admin-token-of-the-benchmark-0123456789"


def pin(core):
    """Arguments that run a command on the core, if the machine has it."""
    cores = sorted(os.sched_getaffinity(0))
    if ARGS.unpinned or len(cores) < 2 or not shutil.which("taskset"):
        return []
    return ["taskset", "-c", str(cores[core % len(cores)])]


def children_of(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    found = [int(child) for child in text.split()]
    return found + [below for child in found for below in children_of(child)]


def read_proc(pid, name):
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def usage_of(pids):
    """Processor seconds and bytes written to the disk, of processes and their living children."""
    seconds = written = 0
    for pid in pids:
        fields = read_proc(pid, "stat").rpartition(")")[2].split()
        if fields:
            seconds += sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        for line in read_proc(pid, "io").splitlines():
            if line.startswith("write_bytes:"):
                written += int(line.split()[1])
    return seconds, written


def nice_of(stat):
    return int(stat.rpartition(")")[2].split()[16])


def yielding_seconds(pids):
    """Processor seconds of the threads that have a lower priority than their process: the console's."""
    nanoseconds = 0
    for pid in pids:
        for thread in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            stat = read_proc(pid, f"task/{thread.name}/stat")
            if stat and nice_of(stat) > nice_of(read_proc(pid, "stat")):
                nanoseconds += int(read_proc(pid, f"task/{thread.name}/schedstat").split()[0])
    return nanoseconds / 1e9


def memory_of(pids):
    """MiB: the sum of the resident sets, and of the proportional ones (shared pages divided)."""
    rss = pss = 0
    for pid in pids:
        for line in read_proc(pid, "smaps_rollup").splitlines():
            if line.startswith("Rss:"):
                rss += int(line.split()[1])
            elif line.startswith("Pss:"):
                pss += int(line.split()[1])
    return rss / 1024, pss / 1024


class Server:
    """A measured server: its process, its port, and the processes that count as its own."""

    def __init__(self, process, port, others=(), cleanup=None):
        self.process, self.port, self.others, self.cleanup = process, port, others, cleanup

    def pids(self):
        roots = [self.process.pid, *self.others]
        return roots + [child for root in roots for child in children_of(root)]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.cleanup:
            self.cleanup()


def start(arguments, find_port, **options):
    process = subprocess.Popen([*pin(0), *arguments], stdout=subprocess.PIPE, text=True, **options)
    for line in process.stdout:
        port = find_port(line)
        if port:
            return process, port
    raise SystemExit(f"bench: {arguments[0]} does not start")


def drain(process):
    """The log is read, like a log collector would: a full pipe would stop the server."""
    return subprocess.Popen(["sh", "-c", "cat > /dev/null"], stdin=process.stdout)


def port_alone(line):
    return int(line) if line.strip().isdigit() else None


def port_of_log(line):
    words = dict(word.partition("=")[::2] for word in line.split())
    return int(words["port"]) if words.get("msg") == "listening" else None


def start_peer(store, directory):
    """`store`: None, "sqlite" or a URL."""
    argument = [f"sqlite:{directory}/peer.db"] if store == "sqlite" else [store] if store else []
    process, port = start([ARGS.build / "tests/bench/bench_peer", *argument], port_alone)
    return process, port


def start_probot(github=None):
    environment = dict(os.environ, SECRET=SECRET, NODE_ENV="production")
    if github:
        environment["GITHUB"] = github
    # Node finds its packages beside the script.
    script = ARGS.node_modules.parent / "probot.mjs"
    shutil.copyfile(HERE / "probot.mjs", script)
    return start(["node", script], port_alone, env=environment)


def start_host(directory, plugin, store, github=None, console=False, slots=32):
    """The real host. `plugin`: a file; `store`: a URL; `slots`: how many runs at once."""
    key = directory / "key.pem"
    if not key.exists():
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    directory.chmod(0o700)
    (directory / "snekomatic.toml").write_text(f"""
[server]
listen = "127.0.0.1:0"
[github]
app_id = 1
private_key_file = "key.pem"
api_url = "{github or 'http://127.0.0.1:9'}"
recover_interval_minutes = 0
write_interval_ms = 0
notify_interval_ms = 0
[dispatch]
delay_ms = 0
[store]
url = "{store}"
[[plugin]]
path = "{plugin}"
concurrency = {slots}
effects_per_hour = 100000
""")
    (directory / "snekomatic.toml").chmod(0o600)
    environment = {"PATH": os.environ["PATH"], "GITHUB_WEBHOOK_SECRET": SECRET,
                   "RUNTIME_DIRECTORY": str(directory)}
    if console:
        environment["SNEKOMATIC_ADMIN_TOKEN"] = CONSOLE_TOKEN
    if "LD_LIBRARY_PATH" in os.environ:
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return start([ARGS.build / "host/snekomatic", "serve", "-c", directory / "snekomatic.toml"],
                 port_of_log, env=environment, cwd=directory)


# Ingest


def candidates(postgres):
    """Name -> a function of a directory that starts it. The first is what the goals compare with."""
    plugins = ARGS.build / "tests/bench"
    found = {}
    if ARGS.node_modules:
        found["Probot, empty handler, keeps nothing"] = lambda _: start_probot()
    found["libmicrohttpd and HMAC, keeps nothing"] = lambda at: start_peer(None, at)
    found["prototype, SQLite"] = lambda at: start_peer("sqlite", at)
    found["snekomatic, SQLite, ping"] = lambda at: start_host(
        at, ARGS.build / "plugins/ping.so", f"sqlite:{at}/inbox.db")
    found["snekomatic, SQLite, a run each"] = lambda at: start_host(
        at, plugins / "every.so", f"sqlite:{at}/inbox.db")
    if postgres:
        found["prototype, PostgreSQL"] = lambda at: start_peer(postgres.url(), at)
        found["snekomatic, PostgreSQL, a run each"] = lambda at: start_host(
            at, plugins / "every.so", postgres.url())
    return found


def start_candidate(name, begin, directory, postgres):
    others = []
    if postgres and "PostgreSQL" in name:
        forget(postgres)
        others = [postgres.process.pid]
    process, port = begin(directory)
    reader = drain(process)
    return Server(process, port, others, reader.wait)


def forget(postgres):
    subprocess.run(["psql", "-q", postgres.url(), "-c",
                    "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CHECKPOINT"],
                   check=True, capture_output=True)


def load(what, port, arguments):
    command = [*pin(1), ARGS.build / "tests/bench/bench_load", "--port", str(port),
               "--seconds", str(ARGS.seconds), *arguments, ARGS.bodies]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{done.stderr}bench: the load failed: {what}, {' '.join(arguments)}")
    return json.loads(done.stdout)


def measure(name, begin, arguments, postgres):
    """One round of one candidate on a fresh store."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ARGS.directory) as place:
        directory = pathlib.Path(place)
        server = start_candidate(name, begin, directory, postgres)
        try:
            # JavaScript compiles what runs often; the others only fill their caches.
            load(name, server.port, [*arguments, "--seconds", str(min(3, ARGS.seconds))])
            seconds, written = usage_of(server.pids())
            figures = load(name, server.port, arguments)
            later, written_later = usage_of(server.pids())
            figures["rss_mib"], figures["pss_mib"] = memory_of(server.pids())
        finally:
            server.stop()
        sent = max(figures["sent"], 1)
        figures["cpu_s_per_1000"] = (later - seconds) / sent * 1000
        figures["disk_kib"] = (written_later - written) / sent / 1024
        if figures["rejected"]:
            raise SystemExit(f"bench: {name} rejected {figures['rejected']} deliveries")
        return figures


LOADS = {
    "64 connections": ["--connections", "64"],
    "1 connection": ["--connections", "1"],
    "256 connections": ["--connections", "256"],
    "64 connections, a new one for each delivery": ["--connections", "64", "--fresh"],
    "1,000 deliveries a second": ["--connections", "256", "--rate", "1000"],
}
COLUMNS = [("per_second", "a second", ",.0f"), ("p50_ms", "p50 ms", ".1f"),
           ("p99_ms", "p99 ms", ".1f"), ("p999_ms", "p99.9 ms", ".1f"),
           ("cpu_s_per_1000", "CPU s / 1,000", ".3f"), ("disk_kib", "disk KiB", ".1f"),
           ("rss_mib", "RSS MiB", ".0f")]


def print_table(title, medians):
    print(f"\n### {title}\n")
    first = next(iter(medians.values()))["per_second"]
    print("| | " + " | ".join(head for _, head, _ in COLUMNS) + " | ratio |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for name, figures in medians.items():
        cells = [format(figures[key], form) for key, _, form in COLUMNS]
        print(f"| {name} | {' | '.join(cells)} | {figures['per_second'] / max(first, 1):.2f} |", flush=True)


def medians_of(rounds):
    return {name: {key: statistics.median(each[key] for each in found) for key in found[0]}
            for name, found in rounds.items()}


def ingest(postgres):
    everything = {}
    for title, arguments in LOADS.items():
        if ARGS.only and title not in ARGS.only:
            continue
        rounds = {name: [] for name in candidates(postgres)}
        for _ in range(ARGS.rounds):
            for name, begin in candidates(postgres).items():
                rounds[name].append(measure(name, begin, arguments, postgres))
        everything[title] = rounds
        print_table(title, medians_of(rounds))
    return everything


# From the webhook to the comment

# Deliveries that are not yet commented, and slots of the plugin: Probot has no limit for either.
COMMENTS_AT_ONCE = 64


def dispatch_candidates():
    found = {}
    if ARGS.node_modules:
        found["Probot without its throttle, keeps nothing"] = lambda _, github: start_probot(github)
    found["snekomatic, SQLite"] = lambda at, github: start_host(
        at, ARGS.build / "tests/bench/comments.so", f"sqlite:{at}/inbox.db", github, slots=COMMENTS_AT_ONCE)
    return found


def measure_comments(begin, latency_ms):
    command = [*pin(1), ARGS.build / "tests/bench/bench_load", "--github", str(latency_ms),
               "--connections", str(COMMENTS_AT_ONCE), "--seconds", str(ARGS.seconds), "--warm-up",
               str(min(3, ARGS.seconds)), ARGS.bodies]
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ARGS.directory) as place:
        sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        github = f"http://127.0.0.1:{int(sender.stdout.readline())}"
        process, port = begin(pathlib.Path(place), github)
        server = Server(process, port, cleanup=drain(process).wait)
        try:
            seconds, written = usage_of(server.pids())
            text = sender.communicate(f"{port}\n")[0]
            later, written_later = usage_of(server.pids())
            figures = json.loads(text)
            figures["rss_mib"], figures["pss_mib"] = memory_of(server.pids())
        finally:
            server.stop()
        sent = max(figures["sent"], 1)
        figures["cpu_s_per_1000"] = (later - seconds) / sent * 1000
        figures["disk_kib"] = (written_later - written) / sent / 1024
        if not figures["per_second"]:
            raise SystemExit("bench: no delivery led to a comment")
        return figures


def dispatch(_):
    everything = {}
    for latency_ms in (0, 100):
        rounds = {name: [] for name in dispatch_candidates()}
        for _ in range(ARGS.rounds):
            for name, begin in dispatch_candidates().items():
                rounds[name].append(measure_comments(begin, latency_ms))
        title = f"webhook to comment, {COMMENTS_AT_ONCE} at a time, {latency_ms} ms at GitHub"
        everything[title] = rounds
        print_table(title, medians_of(rounds))
    return everything


# Ingest beside a console

CLIENTS = {"no console": None, "a person who clicks, a page a second": 1, "pages as fast as they come": 0}
BESIDE_LOADS = {name: LOADS[name] for name in ("64 connections", "1,000 deliveries a second")}


def load_beside(server, arguments, pause):
    """One round of the load, beside a client of the console."""
    viewer = None
    if pause is not None:
        viewer = subprocess.Popen([*pin(1), sys.executable, HERE / "console_client.py", str(server.port),
                                   CONSOLE_TOKEN, str(pause)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
    seconds, _ = usage_of(server.pids())
    console, began = yielding_seconds(server.pids()), time.monotonic()
    figures = load("beside a console", server.port, arguments)
    later, _ = usage_of(server.pids())
    figures["console_percent"] = \
        (yielding_seconds(server.pids()) - console) / (time.monotonic() - began) * 100
    figures["cpu_s_per_1000"] = (later - seconds) / max(figures["sent"], 1) * 1000
    shown = json.loads(viewer.communicate()[0]) if viewer else {"pages": 0, "mean_ms": 0, "longest_ms": 0}
    return {**figures, **shown}


def beside(postgres):
    """The conditions alternate on one host, so that each has the same store and the same machine."""
    everything = {}
    stores = {"SQLite": lambda at: f"sqlite:{at}/inbox.db"}
    if postgres:
        stores["PostgreSQL"] = lambda _: postgres.url()
    for store, url in stores.items():
        for title, arguments in BESIDE_LOADS.items():
            if ARGS.only and title not in ARGS.only:
                continue
            with tempfile.TemporaryDirectory(prefix="bench-", dir=ARGS.directory) as place:
                at = pathlib.Path(place)
                server = start_candidate(store, lambda at: start_host(
                    at, ARGS.build / "tests/bench/every.so", url(at), console=True), at, postgres)
                try:
                    load(store, server.port, [*arguments, "--seconds", str(min(3, ARGS.seconds))])
                    rounds = {name: [] for name in CLIENTS}
                    for _ in range(ARGS.rounds):
                        for name, pause in CLIENTS.items():
                            rounds[name].append(load_beside(server, arguments, pause))
                finally:
                    server.stop()
            everything[f"{store}, {title}"] = rounds
            print_beside(f"{store}, {title}", rounds)
    return everything


def print_beside(title, rounds):
    """A ratio is the median of the ratios of the rounds, each to the round without a console beside it."""
    print(f"\n### {title}, beside a console\n\n| | a second | p50 ms | p99 ms | CPU s / 1,000 | ratio a second "
          "| ratio p50 | ratio CPU | console's CPU % | pages | ms a page |\n" + "|---" * 11 + "|")
    for name, found in rounds.items():
        base = next(iter(rounds.values()))
        keys = ("per_second", "p50_ms", "cpu_s_per_1000")
        ratios = [statistics.median(one[key] / max(first[key], 1e-9) for one, first in zip(found, base))
                  for key in keys]
        cells = [format(statistics.median(one[key] for one in found), form) for key, form in
                 (("per_second", ",.0f"), ("p50_ms", ".2f"), ("p99_ms", ".1f"), ("cpu_s_per_1000", ".3f"))]
        cells += [f"{ratio:.2f}" for ratio in ratios]
        cells += [format(statistics.median(one[key] for one in found), form) for key, form in
                  (("console_percent", ".1f"), ("pages", ".0f"), ("mean_ms", ".0f"))]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


# Start and memory


def host_at(directory):
    process, port = start_host(directory, ARGS.build / "plugins/ping.so",
                               f"sqlite:{directory}/inbox.db")
    return Server(process, port, cleanup=drain(process).wait)


def first_webhook(directory):
    """Milliseconds from the start of the process to its first 202, and the server."""
    began = time.monotonic()
    server = host_at(directory)
    ready = time.monotonic()
    command = [ARGS.build / "tests/bench/bench_load", "--port", str(server.port), "--first",
               ARGS.bodies]
    took = json.loads(subprocess.run(command, capture_output=True, text=True,
                                     check=True).stdout)["p50_ms"]
    return (ready - began) * 1000 + took, server


def start_and_memory(_):
    milliseconds, idle = [], []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ARGS.directory) as place:
        for _ in range(ARGS.rounds + 1):
            took, server = first_webhook(pathlib.Path(place))
            try:
                time.sleep(min(1, ARGS.seconds))
                idle.append(memory_of(server.pids())[1])
            finally:
                server.stop()
            milliseconds.append(took)
    # The first one made the inbox.
    found = {"start_ms": milliseconds[1:], "start_new_inbox_ms": milliseconds[0], "idle_pss_mib": idle}
    print(f"\nfrom the start to the first 202, with an inbox: {statistics.median(milliseconds[1:]):.0f} ms"
          f" ({milliseconds[0]:.0f} ms without); PSS of all processes when idle:"
          f" {statistics.median(idle):.1f} MiB")
    return found


PARTS = {"ingest": ingest, "dispatch": dispatch, "beside": beside, "start": start_and_memory}


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"one of {', '.join(PARTS)}; all without it")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--bodies", type=pathlib.Path,
                        help="index.json of @octokit/webhooks-examples")
    parser.add_argument("--node-modules", type=pathlib.Path,
                        help="has probot; without it, Probot is not measured")
    parser.add_argument("--directory", type=pathlib.Path, default=ROOT / "build",
                        help="on the disk whose rate is of interest")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=LOADS, help="only these loads")
    parser.add_argument("--no-postgres", action="store_true")
    parser.add_argument("--unpinned", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--smoke", action="store_true",
                        help="a short round of each, with the packages of SNEK_NODE_MODULES")
    arguments = parser.parse_args()
    for part in arguments.part:
        if part not in PARTS:
            parser.error(f"no part {part}: {', '.join(PARTS)}")
    if arguments.smoke:
        modules = os.environ.get("SNEK_NODE_MODULES")
        if not modules:
            print("SNEK_NODE_MODULES is not set: ./dev test sets it")
            sys.exit(77)
        arguments.bodies = pathlib.Path(modules) / BODIES
        arguments.seconds, arguments.rounds, arguments.unpinned = 0.3, 1, True
    if not arguments.bodies:
        parser.error("--bodies is missing")
    return arguments


def describe():
    """What a reader of the figures must know."""
    processor = next((line.partition(":")[2].strip()
                      for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                      if line.startswith("model name")), "unknown")
    revision = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                              capture_output=True, text=True).stdout.strip()
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    found = {"revision": revision, "processor": processor, "cores": len(os.sched_getaffinity(0)),
             "load_before": loads, "seconds": ARGS.seconds, "rounds": ARGS.rounds,
             "pinned": bool(pin(0))}
    print(", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in found.items()))
    return found


def main():
    needs_server = not ARGS.no_postgres and {"ingest", "beside"} & set(ARGS.part or PARTS)
    postgres = postgres_server.Server(shared_buffers="128MB") if needs_server else None
    found = {"machine": describe()}
    try:
        for part in ARGS.part or PARTS:
            found[part] = PARTS[part](postgres)
    finally:
        if postgres:
            postgres.stop()
    if ARGS.json:
        ARGS.json.write_text(json.dumps(found, indent=1) + "\n")


ARGS = parse()
main()
