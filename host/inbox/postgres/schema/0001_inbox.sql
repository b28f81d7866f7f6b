-- SPDX-License-Identifier: MIT OR Apache-2.0
-- The first schema of the inbox in PostgreSQL. A migration that was released never changes: the
-- host compares existing databases with the schema that it makes.

CREATE TABLE schema_migrations (
    version bigint PRIMARY KEY,
    name text NOT NULL,
    applied_ms bigint NOT NULL
);

CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guid text NOT NULL UNIQUE,
    event text NOT NULL,
    action text NOT NULL,
    installation text NOT NULL,
    repository text NOT NULL,
    sender text NOT NULL,
    item text COLLATE "C" NOT NULL,
    received_ms bigint NOT NULL,
    body_codec bigint NOT NULL CHECK (body_codec IN (0, 1)),
    body_bytes bigint NOT NULL CHECK (body_bytes >= 0),
    body bytea
);

-- item: the key of the issue, pull request or discussion, "ID#NUMBER"; '' when the delivery is
-- about none.
-- body_codec: 0 as it came, 1 LZ4 (host/inbox/common/codec.h); body_bytes: the size as it came.
-- Without PostgreSQL's own compression, which cost more than it saved (docs/many-hosts.md).
ALTER TABLE deliveries ALTER COLUMN body SET STORAGE EXTERNAL;

-- Each row is in one of these indexes. Pruning reads them from the oldest row on, and lists read them
-- from the newest one on. They have the event, so that a list of a rare event reads no other rows.
-- A NULL body was pruned.
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
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery bigint NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    plugin text NOT NULL,
    installation text COLLATE "C" NOT NULL,
    order_key text COLLATE "C" NOT NULL DEFAULT '',
    outside boolean NOT NULL DEFAULT false,
    by_hand boolean NOT NULL DEFAULT false,
    coalesce_key bigint NOT NULL DEFAULT 0,
    first_due_ms bigint NOT NULL DEFAULT 0,
    waited_ms bigint NOT NULL DEFAULT 0,
    state text NOT NULL
        CHECK (state IN ('queued', 'blocked', 'held', 'running', 'parked', 'done', 'dead')),
    attempt bigint NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    crashes bigint NOT NULL DEFAULT 0,
    suspect boolean NOT NULL DEFAULT false,
    granted boolean NOT NULL DEFAULT false, -- more, since its attempt began
    due_ms bigint NOT NULL,
    host bigint NOT NULL DEFAULT 0,
    token bigint NOT NULL DEFAULT 0,
    lease_until_ms bigint NOT NULL DEFAULT 0,
    label text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    finished_ms bigint,
    hold bigint NOT NULL DEFAULT 0,
    UNIQUE (delivery, plugin)
);

-- Each index has only the runs of one state, so finished runs do not make it grow.
CREATE INDEX runs_turn ON runs (plugin, suspect, installation, due_ms, id) WHERE state = 'queued';
-- A statement that reads the plugin's runs in the order of due times says `due_ms >= 0`. The others do
-- not, so that the server cannot take this index for the runs of one installation.
CREATE INDEX runs_due ON runs (plugin, suspect, due_ms, id) WHERE state = 'queued' AND due_ms >= 0;
CREATE UNIQUE INDEX runs_holder ON runs (plugin, order_key)
    WHERE order_key <> '' AND outside = false AND state IN ('queued', 'held', 'running');
CREATE INDEX runs_blocked ON runs (plugin, order_key, outside, by_hand DESC, id)
    WHERE state = 'blocked';
CREATE INDEX runs_waiting ON runs (state, plugin, id)
    WHERE label = 'waiting' AND state IN ('queued', 'blocked');
CREATE INDEX runs_outside ON runs (due_ms, id) WHERE state = 'blocked' AND outside;
CREATE INDEX runs_held ON runs (hold, id) WHERE state = 'held';
CREATE INDEX runs_coalesce ON runs (plugin, order_key, coalesce_key, id)
    WHERE coalesce_key <> 0 AND state IN ('queued', 'blocked', 'held');
CREATE INDEX runs_leased ON runs (lease_until_ms) WHERE state = 'running';
CREATE INDEX runs_parked ON runs (delivery, plugin, id) WHERE state = 'parked';
CREATE INDEX runs_dead ON runs (finished_ms, id, plugin) WHERE state = 'dead';

-- Runs that must wait (host/inbox/holds.h). A run in the state 'held' has the id of its hold; when
-- the hold is gone, it is queued again. until_ms: 0 until it is ended by hand.
CREATE TABLE holds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plugin text NOT NULL,
    scope text NOT NULL CHECK (scope IN ('plugin', 'installation', 'repository', 'item')),
    value text NOT NULL,
    cause text NOT NULL CHECK (cause IN ('paused', 'quarantined', 'loop')),
    reason text NOT NULL,
    since_ms bigint NOT NULL,
    until_ms bigint NOT NULL,
    UNIQUE (plugin, scope, value, cause)
);

-- The times until which GitHub accepts no requests of an installation: none at all, no searches, no
-- GraphQL. released_ms: when an operator ended them last.
CREATE TABLE rate_limits (
    installation text COLLATE "C" PRIMARY KEY,
    all_ms bigint NOT NULL,
    search_ms bigint NOT NULL,
    graphql_ms bigint NOT NULL,
    released_ms bigint NOT NULL DEFAULT 0
);

-- The requests of a run and their results: see journal.h.
CREATE TABLE journal (
    run bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('read', 'effect', 'change')),
    state text NOT NULL CHECK (state IN ('intended', 'completed', 'unsent')),
    token bigint NOT NULL,
    key bytea NOT NULL,
    marker text NOT NULL,
    dry boolean NOT NULL,
    at_ms bigint NOT NULL,
    method text NOT NULL,
    url text NOT NULL,
    outcome bigint NOT NULL,
    status bigint NOT NULL,
    message text NOT NULL,
    headers bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE INDEX journal_in_doubt ON journal (run) WHERE state = 'intended';

-- Attempts of runs that failed, waited or were parked; the newest 50 of a run. Most runs have none.
-- how: retry, wait, park or dead.
CREATE TABLE attempts (
    run bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    ended_ms bigint NOT NULL,
    attempt bigint NOT NULL,
    how text NOT NULL,
    label text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (run, ended_ms)
);

CREATE TABLE plugin_sets (
    plugin text NOT NULL,
    scope text NOT NULL,
    name text NOT NULL,
    entry text NOT NULL,
    PRIMARY KEY (plugin, scope, name, entry)
);

CREATE TABLE plugin_keys (
    plugin text NOT NULL,
    scope text NOT NULL,
    name text NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (plugin, scope, name)
);

-- Names that runs have reserved (host/inbox/plugin_state.h), each of a thing that a plugin makes once.
CREATE TABLE reservations (
    plugin text NOT NULL,
    scope text NOT NULL,
    name text NOT NULL,
    run bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    PRIMARY KEY (plugin, scope, name)
);

CREATE INDEX reservations_run ON reservations (run);

-- Every effect: see audit.h. counts: the request was sent, or may have been.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms bigint NOT NULL,
    plugin text NOT NULL,
    installation text NOT NULL,
    delivery text NOT NULL,
    sender text NOT NULL,
    item text NOT NULL,
    method text NOT NULL,
    url text NOT NULL,
    state text NOT NULL CHECK (state IN ('intended', 'completed', 'unsent', 'found', 'dry')),
    counts boolean NOT NULL,
    status bigint NOT NULL,
    request_id text NOT NULL DEFAULT ''
);

CREATE INDEX audit_delivery ON audit (delivery);
CREATE INDEX audit_hour ON audit (plugin, installation, at_ms) WHERE counts;
CREATE INDEX audit_item ON audit (plugin, item, at_ms) WHERE counts AND item <> '';

-- The last hold for too many effects of a plugin on an item. Effects count from began_ms on; wait_ms:
-- how long the hold was to last.
CREATE TABLE loops (
    plugin text NOT NULL,
    item text NOT NULL,
    began_ms bigint NOT NULL,
    wait_ms bigint NOT NULL,
    PRIMARY KEY (plugin, item)
);

-- The ids of the apps' bot users.
CREATE TABLE bot_users (
    app text PRIMARY KEY,
    user_id bigint NOT NULL
);

-- Pull mode: entries of GitHub's list of deliveries. due_ms: when a host may fetch the payload, by
-- GitHub's clock; NULL: the entry is handled.
CREATE TABLE pulled (
    id bigint PRIMARY KEY,
    guid text NOT NULL,
    event text NOT NULL,
    redelivery bigint NOT NULL CHECK (redelivery IN (0, 1)),
    delivered_ms bigint NOT NULL,
    attempts bigint NOT NULL,
    due_ms bigint
);

CREATE INDEX pulled_waiting ON pulled (delivered_ms, id) WHERE due_ms IS NOT NULL;
CREATE INDEX pulled_guid ON pulled (guid) WHERE due_ms IS NOT NULL;
CREATE INDEX pulled_old ON pulled (delivered_ms);

-- How far the hosts have read GitHub's list: see pull.h.
CREATE TABLE pull_place (
    only_row bigint PRIMARY KEY CHECK (only_row = 1),
    started_ms bigint NOT NULL,
    oldest_ms bigint NOT NULL,
    place_ms bigint NOT NULL,
    full_ms bigint NOT NULL
);

-- The bytes of each plugin's sets and keys, counted as plugin_state.h says.
CREATE TABLE plugin_usage (
    plugin text PRIMARY KEY,
    bytes bigint NOT NULL
);

-- The plugins that the store's hosts have configured. A host renews its own while it runs. Runs of
-- other plugins wait, and end once no host has had the plugin for the retention.
CREATE TABLE configured_plugins (
    name text PRIMARY KEY,
    until_ms bigint NOT NULL
);

-- The runs that an operator was shown before they are retried or discarded: see previews.h. A row
-- of preview_runs is deleted when its run was handled.
CREATE TABLE previews (
    id bigint PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('retry', 'discard')),
    made_ms bigint NOT NULL
);

CREATE TABLE preview_runs (
    preview bigint NOT NULL REFERENCES previews (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    run bigint NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (preview, number)
);

-- Timers that have not fired: see timers.h. guid, body: of the delivery that the timer will be.
CREATE TABLE timers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plugin text NOT NULL,
    installation text NOT NULL,
    name text NOT NULL,
    due_ms bigint NOT NULL,
    guid text NOT NULL,
    body bytea NOT NULL,
    UNIQUE (plugin, installation, name)
);

CREATE INDEX timers_due ON timers (due_ms, id);

-- The last slot of each schedule and target that was taken. guid: the delivery of the last firing.
CREATE TABLE schedule_slots (
    plugin text NOT NULL,
    schedule text NOT NULL,
    installation text NOT NULL,
    repository text NOT NULL,
    slot_ms bigint NOT NULL,
    guid text NOT NULL,
    PRIMARY KEY (plugin, schedule, installation, repository)
);

-- Deliveries that GitHub listed and the inbox did not have. requests: how many redeliveries the host
-- requested; duplicates: how many arrivals counted as these. fetched: the host fetched the payload
-- itself, so all requested redeliveries are duplicates; otherwise one of them stored the delivery.
CREATE TABLE redeliveries (
    guid text PRIMARY KEY,
    requests bigint NOT NULL,
    requested_ms bigint NOT NULL,
    duplicates bigint NOT NULL DEFAULT 0,
    fetched bigint NOT NULL DEFAULT 0
);

-- Which host does the maintenance. session_lock: 1 if the session of that host holds the advisory
-- lock whose key is the number of the host. The server frees it when the host is gone.
-- The store writes the row 'probe' to test whether it can commit.
CREATE TABLE elections (
    name text PRIMARY KEY,
    host bigint NOT NULL,
    lease_until_ms bigint NOT NULL,
    session_lock bigint NOT NULL CHECK (session_lock IN (0, 1))
);
INSERT INTO elections (name, host, lease_until_ms, session_lock)
    VALUES ('maintenance', 0, 0, 0), ('probe', 0, 0, 0);

-- The hosts of the store, each seen at least every 30 s while it runs. fingerprints: of the webhook
-- secrets that it accepts, made with the salt that it was asked for; empty unless one is asked for.
CREATE TABLE hosts (
    name text PRIMARY KEY,
    seen_ms bigint NOT NULL,
    salt text NOT NULL,
    fingerprints text NOT NULL
);

-- The salt that `snekomatic hook --rotate` asks the hosts for.
CREATE TABLE secret_checks (
    one bigint PRIMARY KEY CHECK (one = 1),
    salt text NOT NULL,
    asked_ms bigint NOT NULL
);

-- What the console reads instead of many deliveries (host/inbox/console.h). Only the elected host
-- writes it. Each filter says which names deliveries with these ids may have: a Bloom filter
-- (host/inbox/common/name_filter.h). The filters cover all ids up to the last one without a gap.
CREATE TABLE name_filters (
    first_id bigint PRIMARY KEY,
    last_id bigint NOT NULL,
    bits bytea NOT NULL
);
-- Its 640 bytes lie in the row, because a search reads all of them.
ALTER TABLE name_filters ALTER COLUMN bits SET STORAGE PLAIN;

-- Sums over time: of the deliveries that came in the step_ms from start_ms on, or with a plugin of
-- its runs. ended: how many runs had ended when they were summed. latency: from the arrival to the
-- end.
CREATE TABLE series (
    step_ms bigint NOT NULL,
    start_ms bigint NOT NULL,
    plugin text NOT NULL,
    count bigint NOT NULL,
    ended bigint NOT NULL,
    latency_sum_ms bigint NOT NULL,
    latency_max_ms bigint NOT NULL,
    PRIMARY KEY (step_ms, start_ms, plugin)
);

-- The last delivery that is in the sums.
CREATE TABLE series_place (
    only_row bigint PRIMARY KEY CHECK (only_row = 1),
    last_id bigint NOT NULL,
    received_ms bigint NOT NULL
);

-- What persons did: see console.h.
CREATE TABLE actions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms bigint NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    target text NOT NULL,
    result text NOT NULL
);

CREATE INDEX actions_target ON actions (target, id);
