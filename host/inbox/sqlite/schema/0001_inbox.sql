-- SPDX-License-Identifier: MIT OR Apache-2.0
-- The first schema of the inbox. A migration that was released never changes: the host
-- compares existing databases with the schema that it makes. SQLite keeps the text of each
-- statement, so write comments outside of the statements.

CREATE TABLE schema_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_ms INTEGER NOT NULL
) STRICT;

-- item: the key of the issue, pull request or discussion, "ID#NUMBER"; '' when the delivery is
-- about none.
-- body_codec: 0 as it came, 1 LZ4 (host/inbox/common/codec.h); body_bytes: the size as it came.
-- The body is the last column, so reading the other columns does not read the body's pages, and the
-- body can be inserted as zeros and then written piece by piece. A NULL body was pruned.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    guid TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    action TEXT NOT NULL,
    installation TEXT NOT NULL,
    repository TEXT NOT NULL,
    sender TEXT NOT NULL,
    item TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    body_codec INTEGER NOT NULL CHECK (body_codec IN (0, 1)),
    body_bytes INTEGER NOT NULL CHECK (body_bytes >= 0),
    body BLOB
) STRICT;

-- Each row is in one of these indexes. Pruning reads them from the oldest row on, and lists read them
-- from the newest one on. They have the event, so that a list of a rare event reads no other rows.
CREATE INDEX deliveries_kept ON deliveries (received_ms, id, event) WHERE body IS NOT NULL;
CREATE INDEX deliveries_pruned ON deliveries (received_ms, id, event) WHERE body IS NULL;

-- order_key: runs of a plugin with the same key go one at a time, in the order of their ids
-- (host/inbox/deliveries.h); '' for a run without an order. The one that is queued, held or running
-- holds the key, and the others are blocked.
-- outside: a blocked run that has given its place up until it is due, or a held one that has given
-- it up until its hold ends.
-- by_hand: an operator retried it, so it goes first.
-- coalesce_key: a newer run with the same one replaces it while it waits; 0: none does.
-- first_due_ms: when the first of the runs was due that this one replaces.
-- waited_ms: how long its handler has asked to wait, in all. Until it is due, a run that waits has
-- the label 'waiting'.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    delivery INTEGER NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    plugin TEXT NOT NULL,
    installation TEXT NOT NULL,
    order_key TEXT NOT NULL DEFAULT '',
    outside INTEGER NOT NULL DEFAULT 0 CHECK (outside IN (0, 1)),
    by_hand INTEGER NOT NULL DEFAULT 0 CHECK (by_hand IN (0, 1)),
    coalesce_key INTEGER NOT NULL DEFAULT 0,
    first_due_ms INTEGER NOT NULL DEFAULT 0,
    waited_ms INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL
        CHECK (state IN ('queued', 'blocked', 'held', 'running', 'parked', 'done', 'dead')),
    attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    crashes INTEGER NOT NULL DEFAULT 0,
    suspect INTEGER NOT NULL DEFAULT 0 CHECK (suspect IN (0, 1)),
    granted INTEGER NOT NULL DEFAULT 0 CHECK (granted IN (0, 1)), -- more, since its attempt began
    due_ms INTEGER NOT NULL,
    host INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0,
    lease_until_ms INTEGER NOT NULL DEFAULT 0,
    label TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    finished_ms INTEGER,
    hold INTEGER NOT NULL DEFAULT 0,
    UNIQUE (delivery, plugin)
) STRICT;

-- Each index has only the runs of one state, so finished runs do not make it grow. SQLite counts
-- runs without reading their rows only if the index has the column state too.
CREATE INDEX runs_turn ON runs (plugin, suspect, installation, due_ms) WHERE state = 'queued';
CREATE INDEX runs_due ON runs (plugin, suspect, due_ms) WHERE state = 'queued';
CREATE UNIQUE INDEX runs_holder ON runs (plugin, order_key)
    WHERE order_key <> '' AND outside = FALSE AND state IN ('queued', 'held', 'running');
CREATE INDEX runs_blocked ON runs (plugin, order_key, outside, by_hand DESC, id)
    WHERE state = 'blocked';
CREATE INDEX runs_waiting ON runs (state, plugin)
    WHERE label = 'waiting' AND state IN ('queued', 'blocked');
CREATE INDEX runs_outside ON runs (due_ms, id) WHERE state = 'blocked' AND outside;
CREATE INDEX runs_held ON runs (hold) WHERE state = 'held';
CREATE INDEX runs_coalesce ON runs (plugin, order_key, coalesce_key, id)
    WHERE coalesce_key <> 0 AND state IN ('queued', 'blocked', 'held');
CREATE INDEX runs_leased ON runs (lease_until_ms) WHERE state = 'running';
CREATE INDEX runs_parked ON runs (delivery, plugin, state) WHERE state = 'parked';
CREATE INDEX runs_dead ON runs (finished_ms, id, plugin, state) WHERE state = 'dead';

-- Runs that must wait (host/inbox/holds.h). A run in the state 'held' has the id of its hold; when
-- the hold is gone, it is queued again. So no hold may get the id of an earlier one. until_ms: 0
-- until it is ended by hand.
CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('plugin', 'installation', 'repository', 'item')),
    value TEXT NOT NULL,
    cause TEXT NOT NULL CHECK (cause IN ('paused', 'quarantined', 'loop')),
    reason TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    UNIQUE (plugin, scope, value, cause)
) STRICT;

-- The times until which GitHub accepts no requests of an installation: none at all, no searches, no
-- GraphQL. released_ms: when an operator ended them last.
CREATE TABLE rate_limits (
    installation TEXT PRIMARY KEY,
    all_ms INTEGER NOT NULL,
    search_ms INTEGER NOT NULL,
    graphql_ms INTEGER NOT NULL,
    released_ms INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The requests of a run and their results: see journal.h. Large columns last.
CREATE TABLE journal (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('read', 'effect', 'change')),
    state TEXT NOT NULL CHECK (state IN ('intended', 'completed', 'unsent')),
    token INTEGER NOT NULL,
    key BLOB NOT NULL,
    marker TEXT NOT NULL,
    dry INTEGER NOT NULL CHECK (dry IN (0, 1)),
    at_ms INTEGER NOT NULL,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    outcome INTEGER NOT NULL,
    status INTEGER NOT NULL,
    message TEXT NOT NULL,
    headers BLOB NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (run, number)
) STRICT;

CREATE INDEX journal_in_doubt ON journal (run) WHERE state = 'intended';

-- Attempts of runs that failed, waited or were parked; the newest 50 of a run. Most runs have none.
-- how: retry, wait, park or dead.
CREATE TABLE attempts (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    ended_ms INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    how TEXT NOT NULL,
    label TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run, ended_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE plugin_sets (
    plugin TEXT NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (plugin, scope, name, entry)
) STRICT, WITHOUT ROWID;

CREATE TABLE plugin_keys (
    plugin TEXT NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (plugin, scope, name)
) STRICT;

-- Names that runs have reserved (host/inbox/plugin_state.h), each of a thing that a plugin makes once.
CREATE TABLE reservations (
    plugin TEXT NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    PRIMARY KEY (plugin, scope, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_run ON reservations (run);

-- Every effect: see audit.h. counts: the request was sent, or may have been.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    installation TEXT NOT NULL,
    delivery TEXT NOT NULL,
    sender TEXT NOT NULL,
    item TEXT NOT NULL,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intended', 'completed', 'unsent', 'found', 'dry')),
    counts INTEGER NOT NULL CHECK (counts IN (0, 1)),
    status INTEGER NOT NULL,
    request_id TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX audit_delivery ON audit (delivery);
CREATE INDEX audit_hour ON audit (plugin, installation, at_ms) WHERE counts;
CREATE INDEX audit_item ON audit (plugin, item, at_ms) WHERE counts AND item <> '';

-- The last hold for too many effects of a plugin on an item. Effects count from began_ms on; wait_ms:
-- how long the hold was to last.
CREATE TABLE loops (
    plugin TEXT NOT NULL,
    item TEXT NOT NULL,
    began_ms INTEGER NOT NULL,
    wait_ms INTEGER NOT NULL,
    PRIMARY KEY (plugin, item)
) STRICT, WITHOUT ROWID;

-- The ids of the apps' bot users.
CREATE TABLE bot_users (
    app TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Pull mode: entries of GitHub's list of deliveries. due_ms: when a host may fetch the payload, by
-- GitHub's clock; NULL: the entry is handled.
CREATE TABLE pulled (
    id INTEGER PRIMARY KEY,
    guid TEXT NOT NULL,
    event TEXT NOT NULL,
    redelivery INTEGER NOT NULL CHECK (redelivery IN (0, 1)),
    delivered_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_ms INTEGER
) STRICT;

CREATE INDEX pulled_waiting ON pulled (delivered_ms, id) WHERE due_ms IS NOT NULL;
CREATE INDEX pulled_guid ON pulled (guid) WHERE due_ms IS NOT NULL;
CREATE INDEX pulled_old ON pulled (delivered_ms);

-- How far the hosts have read GitHub's list: see pull.h.
CREATE TABLE pull_place (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    started_ms INTEGER NOT NULL,
    oldest_ms INTEGER NOT NULL,
    place_ms INTEGER NOT NULL,
    full_ms INTEGER NOT NULL
) STRICT;

-- The bytes of each plugin's sets and keys, counted as plugin_state.h says.
CREATE TABLE plugin_usage (
    plugin TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The plugins that the store's hosts have configured. A host renews its own while it runs. Runs of
-- other plugins wait, and end once no host has had the plugin for the retention.
CREATE TABLE configured_plugins (
    name TEXT PRIMARY KEY,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The runs that an operator was shown before they are retried or discarded: see previews.h. A row
-- of preview_runs is deleted when its run was handled.
CREATE TABLE previews (
    id INTEGER PRIMARY KEY,
    action TEXT NOT NULL CHECK (action IN ('retry', 'discard')),
    made_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE preview_runs (
    preview INTEGER NOT NULL REFERENCES previews (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    run INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (preview, number)
) STRICT, WITHOUT ROWID;

-- Timers that have not fired: see timers.h. guid, body: of the delivery that the timer will be.
CREATE TABLE timers (
    id INTEGER PRIMARY KEY,
    plugin TEXT NOT NULL,
    installation TEXT NOT NULL,
    name TEXT NOT NULL,
    due_ms INTEGER NOT NULL,
    guid TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (plugin, installation, name)
) STRICT;

CREATE INDEX timers_due ON timers (due_ms, id);

-- The last slot of each schedule and target that was taken. guid: the delivery of the last firing.
CREATE TABLE schedule_slots (
    plugin TEXT NOT NULL,
    schedule TEXT NOT NULL,
    installation TEXT NOT NULL,
    repository TEXT NOT NULL,
    slot_ms INTEGER NOT NULL,
    guid TEXT NOT NULL,
    PRIMARY KEY (plugin, schedule, installation, repository)
) STRICT, WITHOUT ROWID;

-- Deliveries that GitHub listed and the inbox did not have. requests: how many redeliveries the host
-- requested; duplicates: how many arrivals counted as these. fetched: the host fetched the payload
-- itself, so all requested redeliveries are duplicates; otherwise one of them stored the delivery.
CREATE TABLE redeliveries (
    guid TEXT PRIMARY KEY,
    requests INTEGER NOT NULL,
    requested_ms INTEGER NOT NULL,
    duplicates INTEGER NOT NULL DEFAULT 0,
    fetched INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The hosts of the store, each seen at least every 30 s while it runs. fingerprints: of the webhook
-- secrets that it accepts, made with the salt that it was asked for; empty unless one is asked for.
CREATE TABLE hosts (
    name TEXT PRIMARY KEY,
    seen_ms INTEGER NOT NULL,
    salt TEXT NOT NULL,
    fingerprints TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The salt that `snekomatic hook --rotate` asks the hosts for.
CREATE TABLE secret_checks (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    salt TEXT NOT NULL,
    asked_ms INTEGER NOT NULL
) STRICT;

-- What the console reads instead of many deliveries (host/inbox/console.h). Only the elected host
-- writes it. Each filter says which names deliveries with these ids may have: a Bloom filter
-- (host/inbox/common/name_filter.h). The filters cover all ids up to the last one without a gap.
CREATE TABLE name_filters (
    first_id INTEGER PRIMARY KEY,
    last_id INTEGER NOT NULL,
    bits BLOB NOT NULL
) STRICT;

-- Sums over time: of the deliveries that came in the step_ms from start_ms on, or with a plugin of
-- its runs. ended: how many runs had ended when they were summed. latency: from the arrival to the
-- end.
CREATE TABLE series (
    step_ms INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    count INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    latency_sum_ms INTEGER NOT NULL,
    latency_max_ms INTEGER NOT NULL,
    PRIMARY KEY (step_ms, start_ms, plugin)
) STRICT, WITHOUT ROWID;

-- The last delivery that is in the sums.
CREATE TABLE series_place (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    last_id INTEGER NOT NULL,
    received_ms INTEGER NOT NULL
) STRICT;

-- What persons did: see console.h.
CREATE TABLE actions (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    target TEXT NOT NULL,
    result TEXT NOT NULL
) STRICT;

CREATE INDEX actions_target ON actions (target, id);
