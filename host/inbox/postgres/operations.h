/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operations of the PostgreSQL store; store.c has their table. */
#ifndef SNEK_INBOX_POSTGRES_OPERATIONS_H
#define SNEK_INBOX_POSTGRES_OPERATIONS_H

#include "inbox/deliveries.h"
#include "inbox/maintenance.h"
#include "inbox/postgres/query.h"
#include "inbox/stats.h"

/* Reads the row of PG_SQL_STATS. */
void postgres_read_stats(struct inbox_stats *stats, PGresult *result);

/* How an operation goes through a group. Each returns -1 with `err` and store->broken. An operation
 * without send() only settles. One without take() ignores its results. */
struct postgres_operation {
    /* 0; 1: it sent nothing, and settle() must follow. */
    int (*send)(struct postgres_store *store, struct inbox_operation *operation, struct error *err);
    /* The nth result (from 0) of what send() sent. 0; 1: settle() must follow. */
    int (*take)(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                PGresult *result, struct error *err);
    int (*settle)(struct postgres_store *store, struct inbox_operation *operation,
                  struct error *err);
};

/* put.c */
extern const struct postgres_operation postgres_put;
/* timers.c */
extern const struct postgres_operation postgres_finish_timers, postgres_timers_due, postgres_fire;
/* claim.c */
extern const struct postgres_operation postgres_claim;
/* runs.c */
extern const struct postgres_operation postgres_finish, postgres_renew, postgres_lease_check,
    postgres_stats;
/* journal.c */
extern const struct postgres_operation postgres_intend, postgres_complete, postgres_journal_read;
/* plugin_state.c */
extern const struct postgres_operation postgres_set_has, postgres_set_change, postgres_key_get,
    postgres_key_change, postgres_reserve;
/* audit.c */
extern const struct postgres_operation postgres_audit_read;
/* hosts.c */
extern const struct postgres_operation postgres_host_seen, postgres_hosts;

/* bot_user.c */
extern const struct postgres_operation postgres_bot_user_get, postgres_bot_user_put;
/* pull.c */
extern const struct postgres_operation postgres_pull_begin, postgres_pull_note, postgres_pull_due,
    postgres_pull_fail, postgres_pull_forget;
/* rate_limits.c */
extern const struct postgres_operation postgres_rate_limit_put, postgres_rate_limit_get;
/* holds.c */
extern const struct postgres_operation postgres_hold_put, postgres_hold_end, postgres_holds;
/* admin.c */
extern const struct postgres_operation postgres_list, postgres_body, postgres_change;
/* installations.c */
extern const struct postgres_operation postgres_installations, postgres_installation_release;
/* console.c */
struct inbox_entry;
extern const struct postgres_operation postgres_console;
/* Fills an entry from a row of SHARED_LIST_COLUMNS. 0; -1: out of memory. */
int postgres_entry(PGresult *result, int row, struct inbox_entry *entry);
/* previews.c */
extern const struct postgres_operation postgres_preview, postgres_preview_apply;
/* maintenance.c */
extern const struct postgres_operation postgres_elect, postgres_prune, postgres_find_missing,
    postgres_count_redelivery, postgres_uncount_redelivery, postgres_clock_set_back;

/* Shared by all. */

/* Checks that the writer's claim still holds the run. 1: it does, and its lease lasts long enough;
 * 0: it does not; -1. No other claim can take the run until the group ends. */
int postgres_held(struct postgres_store *store, const struct inbox_journal_writer *writer,
                  struct error *err);
/* Writes the records; the last one's outcome is `outcome` when it is a change. 0, -1. */
int postgres_write_records(struct postgres_store *store, const struct inbox_journal_writer *writer,
                           int64_t outcome, struct error *err);
/* Reads the journals of all runs of the claim. 0, -1. */
int postgres_take_journals(struct postgres_store *store, struct inbox_claim *claim,
                           const PGresult *result, struct error *err);

/* Locks the delivery's row, as pruning does, so that pruning cannot delete the body of a run that
 * becomes due at the same time; and the keys of its runs if `discards`. 1, `*delivery`, and
 * `*pruned`: it has no body; 0 there is none; -1. */
int postgres_lock_delivery(struct postgres_store *store, const char *guid, bool discards,
                           int64_t *delivery, bool *pruned, struct error *err);
/* Retries the runs of the locked delivery, due at `at_ms`, or discards them at that time. `plugin`:
 * NULL all. Returns how many changed, or -1. */
int64_t postgres_change_runs(struct postgres_store *store, bool discards, int64_t delivery,
                             const char *plugin, int64_t at_ms, struct error *err);

/* Order: see deliveries.h. */

/* The locks of the group's operations, one a line, which the caller frees; "" for none. `*first` is
 * the first operation that needs one. NULL when memory is short. */
char *postgres_list_locks(struct inbox_operation *const *operations, size_t n, size_t *first,
                          struct error *err);
/* A run of the plugin is queued that this host did not lease, due at `due_ms`. */
static inline void postgres_queued(struct postgres_store *store, const char *plugin,
                                   int64_t due_ms) {
    store->queued = true;
    if (store->queued_due_ms == 0 || due_ms < store->queued_due_ms) {
        store->queued_due_ms = due_ms;
    }
    turns_queued(&store->turns, plugin, due_ms);
}

/* If the key is free, its next run holds it. The key must be locked. The result has a row then. */
int postgres_send_promote(struct postgres_store *store, const char *plugin, const char *key,
                          struct error *err);
/* The same, at once: 1 when a run holds it now, 0, -1. */
int postgres_promote(struct postgres_store *store, const char *plugin, const char *key,
                     struct error *err);
/* Ends the waiting runs that the put's runs replace; two statements for each run that replaces. */
int postgres_send_supersede(struct postgres_store *store, const struct inbox_put *put,
                            struct error *err);
/* The same, at once. 0, -1. */
int postgres_supersede(struct postgres_store *store, struct inbox_put *put, struct error *err);
/* Takes the nth result of these. 1; 0: there are fewer; -1. */
int postgres_take_superseded(struct postgres_store *store, struct inbox_put *put, unsigned nth,
                             const PGresult *result, struct error *err);
/* Ends the run of a RETRY or REQUEUE if a newer one replaces it. */
int postgres_send_superseded(struct postgres_store *store, const struct inbox_finish *finish,
                             struct error *err);
/* Looks for runs that are due outside of their lines, and locks their keys. */
int postgres_send_due(struct postgres_store *store, int64_t now_ms, struct error *err);
/* Takes its result into store->comers. */
void postgres_take_due(struct postgres_store *store, const PGresult *result);
/* The runs in store->comers join their lines. 1 when one of them holds its key now, 0, -1. */
int postgres_join_lines(struct postgres_store *store, struct error *err);

/* Writes the row of the intent's effect into the audit, once no other result is outstanding. 0;
 * INBOX_INTEND_HOUR_FULL or INBOX_INTEND_ITEM_HELD, without a row; or -1. */
int postgres_audit_intent(struct postgres_store *store, struct inbox_intend *intend,
                          struct error *err);
/* Queues the response for the audit. 0, -1. */
int postgres_audit_response(struct postgres_store *store, const struct inbox_complete *complete,
                            struct error *err);
/* Stores the hold, and deletes those that ended long ago. 0, -1. */
int postgres_write_hold(struct postgres_store *store, const struct inbox_hold *hold,
                        struct error *err);
/* Makes held runs due whose hold has ended, and reads the claim's holds: two statements. 0, -1. */
int postgres_send_holds(struct postgres_store *store, const struct inbox_claim *claim,
                        struct error *err);
/* The result of the second one. 0, -1. */
int postgres_take_holds(struct postgres_store *store, PGresult *result, struct inbox_hold **holds,
                        size_t *n_holds, struct error *err);
/* Sets the claimed runs aside that a hold covers. 0, -1. */
int postgres_set_aside(struct postgres_store *store, struct inbox_claim *claim, struct error *err);

/* Takes the run in the row (run, plugin, state, token), from `column` on. A run that should be
 * leased and is not gets no id: its installation waits for a rate limit, or another run holds its
 * key. */
void postgres_take_id(struct inbox_put *put, const PGresult *result, int row, int column);
/* Other hosts may be notified of the put's runs if this host does not lease them. */
void postgres_note_queued(struct postgres_store *store, const struct inbox_put *put);
/* PUT and FINISH (of INBOX_DONE) at once, in settle(). 0 and the operation's result; or the result
 * of FINISH; -1. */
int postgres_put_now(struct postgres_store *store, struct inbox_put *put, struct error *err);
int postgres_finish_now(struct postgres_store *store, struct inbox_finish *finish,
                        struct error *err);
/* Deletes the timers of an installation, and the slots of its schedules: two statements. 0, -1. */
int postgres_send_uninstall_timers(struct postgres_store *store, const char *installation,
                                   struct error *err);
/* Deletes those of plugins that are not configured any more. 0, -1. */
int postgres_forget_timers(struct postgres_store *store, const struct inbox_prune *prune,
                           struct error *err);

#endif
