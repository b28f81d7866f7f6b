/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is common to all stores: the queue of operations, the writer's thread that does what waits
 * in one transaction (which is all there is to group commit), and the answers. */
#include "inbox/inbox.h"
#include "inbox/admin.h"
#include "inbox/deliveries.h"
#include "inbox/maintenance.h"
#include "inbox/plugin_state.h"
#include "inbox/rate_limits.h"
#include "inbox/stats.h"

#include "inbox/codec.h"
#include "inbox/store.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Of one group: enough to share a commit among many, little enough that the first of them does not
 * wait long, and that a store that sends a group in one go need not hold much. */
#define GROUP_OPERATIONS_MAX 256
#define GROUP_TRIES_MAX 4 /* each may take the server's deadlock_timeout, 1 s, to give way */
#define GROUP_BYTES_MAX ((size_t)8 << 20) /* one operation may be larger, and then is alone */

struct inbox {
    struct store *store;
    pthread_t writer;
    atomic_bool healthy;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;
    struct mail *first, **last; /* operations that wait, linked by their mail */
    bool stopping;
};

static struct inbox_operation *of_mail(struct mail *mail) {
    return CONTAINER_OF(mail, struct inbox_operation, mail);
}

static void open_answer(struct mail *mail) {
    struct inbox_operation *operation = of_mail(mail);
    operation->on_result(operation);
}

static struct inbox_put *put_of(struct inbox_operation *operation) {
    return operation->kind == INBOX_PUT ? CONTAINER_OF(operation, struct inbox_put, operation)
                                        : NULL;
}

static void answer(struct inbox_operation *operation) {
    struct inbox_put *put = put_of(operation);
    if (put) {
        free(put->packed);
        put->packed = NULL;
    }
    operation->mail.open = open_answer;
    mailbox_post(operation->reply_to, &operation->mail);
}

static size_t bytes_of_records(const struct inbox_journal_writer *writer) {
    size_t bytes = 0;
    for (size_t i = 0; i < writer->n_records; i++) {
        bytes += writer->records[i]->headers.bytes + writer->records[i]->body.bytes;
    }
    return bytes;
}

static size_t bytes_of(const struct inbox_operation *operation) {
    switch (operation->kind) {
    case INBOX_PUT: {
        const struct inbox_put *put = CONTAINER_OF(operation, const struct inbox_put, operation);
        return put->packed ? put->packed_bytes : put->body_bytes;
    }
    case INBOX_SET_ADD:
    case INBOX_SET_REMOVE:
    case INBOX_KEY_PUT:
    case INBOX_KEY_DELETE: {
        const struct inbox_plugin_state *item =
            CONTAINER_OF(operation, const struct inbox_plugin_state, operation);
        return item->value_in_bytes + bytes_of_records(&item->writer);
    }
    case INBOX_INTEND:
        return bytes_of_records(
            &CONTAINER_OF(operation, const struct inbox_intend, operation)->writer);
    case INBOX_COMPLETE:
        return CONTAINER_OF(operation, const struct inbox_complete, operation)->record->body.bytes;
    default:
        return 0;
    }
}

static void clear_put(struct inbox_put *put) {
    for (size_t i = 0; i < put->n_runs; i++) {
        put->runs[i].id = put->runs[i].token = 0;
    }
    put->unparked = 0;
}

static void clear_claim(struct inbox_claim *claim) {
    claim->runs = NULL;
    claim->n_runs = 0;
    claim->next_due_ms = INT64_MAX;
    for (size_t i = 0; i < claim->n_shares; i++) {
        claim->shares[i].suspects_due = false;
    }
}

static void clear_list(struct inbox_list *list) {
    list->entries = NULL;
    list->n_entries = 0;
    list->next = 0;
}

static void clear_renew(struct inbox_renew *renew) {
    for (size_t i = 0; i < renew->n_held; i++) {
        renew->held[i].ours = false;
    }
}

static void clear_journal(struct inbox_journal_read *journal) {
    journal->records = NULL;
    journal->n_records = 0;
}

static void clear_prune(struct inbox_prune *prune) {
    prune->bodies = prune->forgotten = 0;
    prune->next = prune->after;
    prune->more = false;
}

/* What an operation returns starts empty: the asker may have left anything there. */
static void clear_outputs(struct inbox_operation *operation) {
    operation->result = 0;
    operation->error.text[0] = '\0';
    switch (operation->kind) {
    case INBOX_PUT:
        clear_put(CONTAINER_OF(operation, struct inbox_put, operation));
        break;
    case INBOX_CLAIM:
        clear_claim(CONTAINER_OF(operation, struct inbox_claim, operation));
        break;
    case INBOX_KEY_GET:
        CONTAINER_OF(operation, struct inbox_plugin_state, operation)->value =
            (struct buffer)BUFFER_INIT(0);
        break;
    case INBOX_RATE_LIMIT_GET: {
        struct inbox_rate_limit *wait = CONTAINER_OF(operation, struct inbox_rate_limit, operation);
        memset(wait->until_ms, 0, sizeof wait->until_ms);
        break;
    }
    case INBOX_LIST:
        clear_list(CONTAINER_OF(operation, struct inbox_list, operation));
        break;
    case INBOX_JOURNAL_READ:
        clear_journal(CONTAINER_OF(operation, struct inbox_journal_read, operation));
        break;
    case INBOX_BODY:
        CONTAINER_OF(operation, struct inbox_body, operation)->body = NULL;
        break;
    case INBOX_RERUN:
    case INBOX_DISCARD:
        CONTAINER_OF(operation, struct inbox_change, operation)->runs = 0;
        break;
    case INBOX_RENEW:
        clear_renew(CONTAINER_OF(operation, struct inbox_renew, operation));
        break;
    case INBOX_PRUNE:
        clear_prune(CONTAINER_OF(operation, struct inbox_prune, operation));
        break;
    default:
        break;
    }
}

/* Takes back what an operation returned in a transaction that was not committed. */
static void free_outputs(struct inbox_operation *operation) {
    if (operation->kind == INBOX_CLAIM) {
        struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
        inbox_runs_free(claim->runs, claim->n_runs);
    } else if (operation->kind == INBOX_KEY_GET) {
        buffer_finish(&CONTAINER_OF(operation, struct inbox_plugin_state, operation)->value);
    } else if (operation->kind == INBOX_LIST) {
        struct inbox_list *list = CONTAINER_OF(operation, struct inbox_list, operation);
        inbox_entries_free(list->entries, list->n_entries);
    } else if (operation->kind == INBOX_JOURNAL_READ) {
        struct inbox_journal_read *journal =
            CONTAINER_OF(operation, struct inbox_journal_read, operation);
        inbox_records_free(journal->records, journal->n_records);
    } else if (operation->kind == INBOX_BODY) {
        (void)payload_unref(CONTAINER_OF(operation, struct inbox_body, operation)->body);
    }
    clear_outputs(operation);
}

static void reject(struct inbox_operation *operation, const struct error *error) {
    operation->result = -1;
    operation->error = *error;
    answer(operation);
}

/* Does operations[0..n). One that fails by itself takes nobody with it: those before it, which went
 * well, are done again without it, then it is tried alone, then those after it. A group that gave
 * way to another host's is done again as it is. */
static void do_group(struct inbox *inbox, struct inbox_operation **operations, size_t n) {
    size_t at = 0, end = n;
    unsigned tries = 0;
    while (at < n) {
        struct store_failure failure = {.culprit = STORE_NOBODY, .broken = true};
        bool probe = !atomic_load(&inbox->healthy);
        struct inbox_operation **group = operations + at;
        size_t count = end - at;
        if (inbox->store->methods->transact(inbox->store, group, count, probe, &failure) == 0) {
            atomic_store(&inbox->healthy, true);
            for (size_t i = 0; i < count; i++) {
                answer(group[i]);
            }
            at = end;
            end = n;
            tries = 0;
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            free_outputs(group[i]);
        }
        if (failure.again && ++tries < GROUP_TRIES_MAX) {
            continue;
        }
        if (failure.culprit != STORE_NOBODY && failure.culprit > 0) {
            end = at + failure.culprit;
            continue;
        }
        if (failure.broken) {
            atomic_store(&inbox->healthy, false);
        }
        size_t lost = failure.culprit == STORE_NOBODY ? count : 1;
        for (size_t i = 0; i < lost; i++) {
            reject(group[i], &failure.error);
        }
        at += lost;
        end = n;
        tries = 0;
    }
}

/* Waits for work; the operations taken, 0 when there will be no more. */
static size_t take_group(struct inbox *inbox, struct inbox_operation **operations) {
    size_t n = 0, bytes = 0;
    (void)pthread_mutex_lock(&inbox->lock);
    while (!inbox->first && !inbox->stopping) {
        (void)pthread_cond_wait(&inbox->work, &inbox->lock);
    }
    while (inbox->first && n < GROUP_OPERATIONS_MAX) {
        struct inbox_operation *operation = of_mail(inbox->first);
        size_t more = bytes_of(operation);
        if (n > 0 && (more > GROUP_BYTES_MAX || bytes > GROUP_BYTES_MAX - more)) {
            break;
        }
        bytes = more > GROUP_BYTES_MAX ? GROUP_BYTES_MAX : bytes + more;
        operations[n++] = operation;
        inbox->first = inbox->first->next;
    }
    if (!inbox->first) {
        inbox->last = &inbox->first;
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    return n;
}

static void *write_groups(void *argument) {
    struct inbox *inbox = argument;
    struct inbox_operation *operations[GROUP_OPERATIONS_MAX];
    for (size_t n; (n = take_group(inbox, operations)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            clear_outputs(operations[i]);
        }
        do_group(inbox, operations, n);
    }
    return NULL;
}

int inbox_start(struct store *store, struct inbox **inbox, struct error *err) {
    struct inbox *made = calloc(1, sizeof *made);
    if (!made) {
        store->methods->free(store);
        return error_set(err, "starting the inbox: out of memory");
    }
    made->store = store;
    made->last = &made->first;
    atomic_init(&made->healthy, true);
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->work, NULL);
    int failed = pthread_create(&made->writer, NULL, write_groups, made);
    if (failed) {
        (void)pthread_cond_destroy(&made->work);
        (void)pthread_mutex_destroy(&made->lock);
        free(made);
        store->methods->free(store);
        return error_set(err, "starting the inbox's writer: %s", strerror(failed));
    }
    *inbox = made;
    return 0;
}

#define SQLITE_SCHEME "sqlite:"

int inbox_open_tool(const char *url, bool write, struct inbox **inbox, struct error *err) {
    size_t bytes = strlen(SQLITE_SCHEME);
    return strncmp(url, SQLITE_SCHEME, bytes) == 0
               ? inbox_open_sqlite_tool(url + bytes, write, inbox, err)
               : inbox_open_postgres_tool(url, write, inbox, err);
}

int inbox_check(const char *url, struct error *err) {
    size_t bytes = strlen(SQLITE_SCHEME);
    return strncmp(url, SQLITE_SCHEME, bytes) == 0 ? inbox_check_sqlite(url + bytes, err)
                                                   : inbox_check_postgres(url, err);
}

int inbox_open(const char *url, int64_t now_ms, struct inbox **inbox, struct error *err) {
    size_t bytes = strlen(SQLITE_SCHEME);
    return strncmp(url, SQLITE_SCHEME, bytes) == 0
               ? inbox_open_sqlite(url + bytes, now_ms, inbox, err)
               : inbox_open_postgres(url, now_ms, inbox, err);
}

char *inbox_show_url(const char *url, struct error *err) {
    if (strncmp(url, SQLITE_SCHEME, strlen(SQLITE_SCHEME)) != 0) {
        return postgres_show_url(url, err);
    }
    char *shown = strdup(url);
    if (!shown) {
        (void)error_set(err, "out of memory");
    }
    return shown;
}

void inbox_free(struct inbox *inbox) {
    if (!inbox) {
        return;
    }
    (void)pthread_mutex_lock(&inbox->lock);
    inbox->stopping = true;
    (void)pthread_cond_signal(&inbox->work);
    (void)pthread_mutex_unlock(&inbox->lock);
    (void)pthread_join(inbox->writer, NULL);
    inbox->store->methods->free(inbox->store);
    (void)pthread_cond_destroy(&inbox->work);
    (void)pthread_mutex_destroy(&inbox->lock);
    free(inbox);
}

void inbox_listen(struct inbox *inbox, void (*on_queued)(void *context), void *context) {
    if (inbox->store->methods->listen) {
        inbox->store->methods->listen(inbox->store, on_queued, context);
    }
}

/* Positive, and far from the largest, since the runs of an operation count from it. */
static int64_t random_token(void) {
    int64_t token;
    arc4random_buf(&token, sizeof token);
    return (token & (INT64_MAX >> 1)) + 1;
}

void inbox_submit(struct inbox *inbox, struct inbox_operation *operation) {
    struct inbox_put *put = put_of(operation);
    if (put) {
        put->packed = codec_pack(put->body, put->body_bytes, &put->packed_bytes);
        put->first_token = random_token();
    } else if (operation->kind == INBOX_CLAIM) {
        CONTAINER_OF(operation, struct inbox_claim, operation)->first_token = random_token();
    }
    operation->mail.next = NULL;
    (void)pthread_mutex_lock(&inbox->lock);
    *inbox->last = &operation->mail;
    inbox->last = &operation->mail.next;
    (void)pthread_cond_signal(&inbox->work);
    (void)pthread_mutex_unlock(&inbox->lock);
}

bool inbox_healthy(const struct inbox *inbox) {
    return atomic_load(&inbox->healthy);
}

int inbox_run_unpack(struct inbox_run *run, struct error *err) {
    struct payload *body = NULL;
    int result = codec_unpack(run->payload_codec, run->payload, run->payload_bytes, &body, err);
    if (result == 0) {
        (void)payload_unref(run->payload);
        run->payload = body;
        run->payload_codec = CODEC_RAW;
    }
    return result;
}

void inbox_record_finish(struct inbox_record *record) {
    free(record->method);
    free(record->url);
    free(record->message);
    buffer_finish(&record->headers);
    buffer_finish(&record->body);
}

void inbox_records_free(struct inbox_record *records, size_t n_records) {
    for (size_t i = 0; records && i < n_records; i++) {
        inbox_record_finish(&records[i]);
    }
    free(records);
}

void inbox_run_finish(struct inbox_run *run) {
    free(run->sender);
    free(run->repository);
    run->sender = run->repository = NULL;
    run->payload = payload_unref(run->payload);
    inbox_records_free(run->journal, run->n_journal);
    run->journal = NULL;
    run->n_journal = 0;
}

void inbox_runs_free(struct inbox_run *runs, size_t n_runs) {
    for (size_t i = 0; runs && i < n_runs; i++) {
        inbox_run_finish(&runs[i]);
    }
    free(runs);
}

void inbox_entries_free(struct inbox_entry *entries, size_t n_entries) {
    for (size_t i = 0; entries && i < n_entries; i++) {
        free(entries[i].repository);
        free(entries[i].sender);
        free(entries[i].label);
        free(entries[i].reason);
    }
    free(entries);
}
