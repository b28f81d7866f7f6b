/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operations of the SQLite store; store.c has their table. */
#ifndef SNEK_INBOX_SQLITE_OPERATIONS_H
#define SNEK_INBOX_SQLITE_OPERATIONS_H

#include "base/payload.h"
#include "inbox/deliveries.h"
#include "inbox/maintenance.h"
#include "inbox/sqlite/query.h"

/* Carries out the operation. Returns its result, or -1 with `err` and store->broken. */
typedef int sqlite_operation(struct sqlite_store *store, struct inbox_operation *operation,
                             struct error *err);

/* put.c */
sqlite_operation sqlite_put;
/* timers.c */
sqlite_operation sqlite_finish_timers, sqlite_timers_due, sqlite_fire;
/* claim.c */
sqlite_operation sqlite_claim;
/* runs.c */
sqlite_operation sqlite_finish, sqlite_renew, sqlite_lease_check, sqlite_stats;
/* journal.c */
sqlite_operation sqlite_intend, sqlite_complete, sqlite_journal_read;
/* audit.c */
sqlite_operation sqlite_audit_read;
/* plugin_state.c */
sqlite_operation sqlite_set_has, sqlite_set_add, sqlite_set_remove, sqlite_key_get, sqlite_key_put,
    sqlite_key_delete, sqlite_reserve;
/* hosts.c */
sqlite_operation sqlite_host_seen, sqlite_hosts;

/* bot_user.c */
sqlite_operation sqlite_bot_user_get, sqlite_bot_user_put;
/* pull.c */
sqlite_operation sqlite_pull_begin, sqlite_pull_note, sqlite_pull_due, sqlite_pull_fail,
    sqlite_pull_forget;
/* rate_limits.c */
sqlite_operation sqlite_rate_limit_put, sqlite_rate_limit_get;
/* holds.c */
sqlite_operation sqlite_hold_put, sqlite_hold_end, sqlite_holds;
/* admin.c */
sqlite_operation sqlite_list, sqlite_body, sqlite_rerun, sqlite_discard;
/* installations.c */
sqlite_operation sqlite_installations, sqlite_installation_release;
/* console.c */
struct inbox_entry;
sqlite_operation sqlite_console;
/* Fills an entry from a row of SHARED_LIST_COLUMNS. 0; -1: out of memory. */
int sqlite_entry(sqlite3_stmt *row, struct inbox_entry *entry);
/* previews.c */
sqlite_operation sqlite_preview, sqlite_preview_apply;
/* maintenance.c */
sqlite_operation sqlite_elect, sqlite_prune, sqlite_find_missing, sqlite_count_redelivery,
    sqlite_uncount_redelivery, sqlite_clock_set_back;

/* Shared by all. */

/* Runs that a dead host left running are due again. 0, -1. */
int sqlite_recover(struct sqlite_store *store, int64_t now_ms, struct error *err);
/* Renews the lease of a run that this claim holds. 1; 0 it does not hold it; -1. */
int sqlite_renew_lease(struct sqlite_store *store, int64_t run, int64_t token, int64_t lease_ms,
                       struct error *err);
/* The queued runs of the installation, so many as one operation may change, are due then. 0, -1. */
int sqlite_delay_runs(struct sqlite_store *store, const char *installation, int64_t until_ms,
                      struct error *err);
/* Order: see deliveries.h. 1 when no run holds the key; 0; -1. */
int sqlite_key_is_free(struct sqlite_store *store, const char *plugin, const char *key,
                       struct error *err);
/* If the key is free, its next run holds it. 1 and when that run is due, unless `due_ms` is NULL; 0
 * when none does; -1. */
int sqlite_promote(struct sqlite_store *store, const char *plugin, const char *key, int64_t *due_ms,
                   struct error *err);
/* Ends the waiting runs that the put's runs replace. 0, -1. */
int sqlite_supersede(struct sqlite_store *store, struct inbox_put *put, struct error *err);
/* Ends the run of a RETRY or REQUEUE if a newer one replaces it. 1, 0, -1. */
int sqlite_superseded(struct sqlite_store *store, const struct inbox_finish *finish,
                      struct error *err);
/* Runs outside of their lines that are due join them. 0, -1. */
int sqlite_join_lines(struct sqlite_store *store, int64_t now_ms, struct error *err);
/* 1 and `*delivery`, 0 there is none, -1. */
int sqlite_find_delivery(struct sqlite_store *store, const char *guid, int64_t *delivery,
                         struct error *err);
/* Retries the delivery's runs, due at `at_ms`, or discards them at that time. `plugin`: NULL all.
 * Returns how many changed, or -1. */
int sqlite_change_runs(struct sqlite_store *store, bool discards, int64_t delivery,
                       const char *plugin, int64_t at_ms, struct error *err);
/* Was the body of the existing delivery pruned? 1, 0, -1. */
int sqlite_is_pruned(struct sqlite_store *store, int64_t delivery, struct error *err);
/* Reads the body into a new payload, without a copy in SQLite's memory. */
int sqlite_read_body(struct sqlite_store *store, int64_t delivery, struct payload **payload,
                     struct error *err);
/* Notes that the host fetched the payload itself, so every later arrival of its GUID is a
 * duplicate. 0, -1. */
int sqlite_redelivery_fetched(struct sqlite_store *store, const char *guid, struct error *err);
/* Marks the entry from which the delivery was pulled as handled, and put->took_entry. 0, -1. */
int sqlite_take_entry(struct sqlite_store *store, struct inbox_put *put, struct error *err);
/* Is this arrival of a known GUID one that the host requested? 1 yes, 0 no, -1. */
int sqlite_redelivery_arrived(struct sqlite_store *store, const char *guid, struct error *err);
/* Checks that the writer's claim still holds the run. 1: it does, and its lease lasts long enough;
 * 0: it does not; -1. */
int sqlite_held(struct sqlite_store *store, const struct inbox_journal_writer *writer,
                struct error *err);
/* Writes the records; the last one's outcome is `outcome` when it is a change. 0, -1. */
int sqlite_write_records(struct sqlite_store *store, const struct inbox_journal_writer *writer,
                         int64_t outcome, struct error *err);
/* Adds a run's records to `records`. 0, -1. */
int sqlite_read_records(struct sqlite_store *store, int64_t run, struct inbox_record **records,
                        size_t *n_records, struct error *err);
/* Keeps only the effects of a finished run, without their bodies. 0, -1. */
int sqlite_cut_back_journal(struct sqlite_store *store, int64_t run, struct error *err);

/* Writes the row of the intent's effect into the audit. 0; INBOX_INTEND_HOUR_FULL or
 * INBOX_INTEND_ITEM_HELD, without a row; or -1. */
int sqlite_audit_intent(struct sqlite_store *store, struct inbox_intend *intend, struct error *err);
/* Writes the response into the audit. 0, -1. */
int sqlite_audit_response(struct sqlite_store *store, const struct inbox_complete *complete,
                          struct error *err);
/* Makes held runs due whose hold has ended, and reads the claim's holds. Call it first. 0, -1. */
int sqlite_begin_holds(struct sqlite_store *store, struct inbox_claim *claim, struct error *err);
/* Sets the claimed runs aside that a hold covers. Call it last. 0, -1. */
int sqlite_set_aside(struct sqlite_store *store, struct inbox_claim *claim, struct error *err);

/* Deletes the timers of an installation, and the slots of its schedules. 0, -1. */
int sqlite_uninstall_timers(struct sqlite_store *store, const char *installation,
                            struct error *err);
/* Deletes those of plugins that are not configured any more. 0, -1. */
int sqlite_forget_timers(struct sqlite_store *store, const struct inbox_prune *prune,
                         struct error *err);

#endif
