# SPDX-License-Identifier: MIT OR Apache-2.0
"""The steps of the tests in which processes die."""

import contextlib
import sqlite3

import snek


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def on(store, **dispatch):
    """The configuration of a bot on either_store, with more in its [dispatch]."""
    return {**store, "dispatch": {"delay_ms": 0, **store.get("dispatch", {}), **dispatch}}


def handled_neighbour(host):
    """invite, in its own worker, goes on as if nothing had happened."""
    delivery = host.deliver("pull_request", snek.payload("pull_request.closed.merged"))
    return host.wait_log(msg=("done", "skipped"), plugin="invite", delivery=delivery)


def state(host, delivery):
    """The (state, attempt) of its run."""
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db")) as store:
        return store.execute(
            "SELECT state, attempt FROM runs JOIN deliveries d ON d.id = delivery WHERE guid = ?",
            [delivery]).fetchone()


def wait_done(host, deliveries):
    wanted = dict.fromkeys(deliveries, "done")
    snek.wait_until(lambda: wanted.items() <= host.states().items(), host.process.output, pause_s=0.2)


def state_of(host, plugin):
    """The plugin's state in /readyz."""
    plugins = host.request("GET", "/readyz").json["plugins"]
    return next(entry["state"] for entry in plugins if entry["name"] == plugin)
