/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Measures how long webhooks wait in a store that is large already, alone and beside pruning or
 * claims. */
#include "bench.h"

#include "base/clock.h"
#include "base/mailbox.h"
#include "inbox/deliveries.h"
#include "inbox/inbox.h"
#include "inbox/maintenance.h"
#include "inbox/stats.h"

#include <assert.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char usage[] =
    "Usage: bench_growth --store URL [--seconds N] [--rate N] [--prune] [--claim N] [--stats]\n"
    "\n"
    "Puts N deliveries a second (default 200) into a store for so long (default 10 s), and "
    "measures\n"
    "how long each waits for its commit. Meanwhile --prune prunes as the host does, --claim\n"
    "claims and finishes up to N runs of the plugin 'invite' at a time, and --stats counts once a\n"
    "second. Times are in ms.\n";

#define DAY_MS 86400000LL
#define SAMPLES_MAX 1000000
#define PUTS_MAX 4096
#define BODY_BYTES 8000
/* host/maintenance/prune.c's. */
#define STEP_DELIVERIES 50
#define STEP_BYTES (UINT64_C(1) << 20)
#define PAUSE_FACTOR 4
#define PAUSE_MIN_MS 10

struct samples {
    const char *name;
    size_t n;
    double *ms;
};

static void add(struct samples *samples, double ms) {
    if (!samples->ms) {
        samples->ms = calloc(SAMPLES_MAX, sizeof *samples->ms);
    }
    if (!samples->ms) {
        bench_fail("out of memory");
    }
    if (samples->n < SAMPLES_MAX) {
        samples->ms[samples->n++] = ms;
    }
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void print(struct samples *samples) {
    if (samples->n == 0) {
        return;
    }
    qsort(samples->ms, samples->n, sizeof *samples->ms, compare);
    printf("%-8s n %7zu  p50 %8.2f  p99 %8.2f  max %8.2f\n", samples->name, samples->n,
           samples->ms[samples->n / 2], samples->ms[samples->n * 99 / 100],
           samples->ms[samples->n - 1]);
}

struct put {
    struct inbox_put put;
    struct inbox_put_run run;
    char guid[64];
    double started;
    bool busy;
};

struct bench {
    struct inbox *inbox;
    struct mailbox mailbox;
    unsigned in_flight, failed;
    const char *plugin;
    char body[BODY_BYTES + 1];
    struct put puts[PUTS_MAX];
    struct samples waited;
    /* pruning */
    struct inbox_prune prune;
    double prune_started, prune_next;
    bool pruning, prune_ended;
    uint64_t bodies, forgotten;
    struct samples pruned;
    /* claims */
    struct inbox_claim claim;
    struct inbox_claim_share share;
    double claim_started, claim_next;
    bool claiming;
    uint64_t claimed;
    struct samples claims, finishes;
    /* statistics */
    struct inbox_stats stats;
    double stats_started, stats_next;
    bool counting;
    struct samples counts;
};

static struct bench bench = {.plugin = "invite",
                             .waited = {.name = "put"},
                             .pruned = {.name = "prune"},
                             .claims = {.name = "claim"},
                             .finishes = {.name = "finish"},
                             .counts = {.name = "stats"}};

static void submit(struct inbox_operation *operation, int kind,
                   void (*on_result)(struct inbox_operation *operation)) {
    operation->kind = kind;
    operation->reply_to = &bench.mailbox;
    operation->on_result = on_result;
    bench.in_flight++;
    inbox_submit(bench.inbox, operation);
}

static double ended(const struct inbox_operation *operation, struct samples *samples,
                    double started) {
    double now = bench_now();
    bench.in_flight--;
    add(samples, (now - started) * 1e3);
    if (operation->result < 0 && bench.failed++ < 5) {
        fprintf(stderr, "bench: %s failed: %s\n", samples->name, operation->error.text);
    }
    return now;
}

static void on_put(struct inbox_operation *operation) {
    struct put *put = CONTAINER_OF(operation, struct put, put.operation);
    ended(operation, &bench.waited, put->started);
    inbox_put_finish(&put->put);
    put->busy = false;
}

static void start_put(double started) {
    static uint64_t count;
    struct put *put = NULL;
    for (size_t i = 0; i < PUTS_MAX && !put; i++) {
        put = bench.puts[i].busy ? NULL : &bench.puts[i];
    }
    if (!put) {
        bench_fail("%d deliveries wait", PUTS_MAX);
    }
    snprintf(put->guid, sizeof put->guid, "%d-%lld-%llu", (int)getpid(), (long long)clock_wall_ms(),
             (unsigned long long)count++);
    put->run = (struct inbox_put_run){.plugin = bench.plugin};
    put->put = (struct inbox_put){.guid = put->guid,
                                  .event = "issues",
                                  .action = "opened",
                                  .installation = count % 2 ? "7" : "8",
                                  .repository = "octo/cat",
                                  .sender = "mona",
                                  .repository_id = "99",
                                  .item = "99#12",
                                  .body = bench.body,
                                  .body_bytes = BODY_BYTES,
                                  .received_ms = clock_wall_ms(),
                                  .due_ms = clock_wall_ms() + 1000,
                                  .runs = &put->run,
                                  .n_runs = 1};
    put->busy = true;
    put->started = started;
    submit(&put->put.operation, INBOX_PUT, on_put);
}

static void on_prune(struct inbox_operation *operation) {
    double now = ended(operation, &bench.pruned, bench.prune_started);
    double pause = (now - bench.prune_started) * PAUSE_FACTOR;
    bench.pruning = false;
    bench.bodies += bench.prune.bodies;
    bench.forgotten += bench.prune.forgotten;
    bench.prune.after = bench.prune.next;
    bench.prune_next = now + (pause > PAUSE_MIN_MS / 1e3 ? pause : PAUSE_MIN_MS / 1e3);
    bench.prune_ended = operation->result < 0 || !bench.prune.more;
}

static void start_prune(double now) {
    int64_t wall_ms = clock_wall_ms();
    bench.prune = (struct inbox_prune){.done_before_ms = wall_ms - 7 * DAY_MS,
                                       .dead_before_ms = wall_ms - 30 * DAY_MS,
                                       .forget_before_ms = wall_ms - 35 * DAY_MS,
                                       .most = STEP_DELIVERIES,
                                       .most_bytes = STEP_BYTES,
                                       .after = bench.prune.after,
                                       .configured = "\ninvite\nping\n",
                                       .now_ms = wall_ms};
    bench.pruning = true;
    bench.prune_started = now;
    submit(&bench.prune.operation, INBOX_PRUNE, on_prune);
}

struct finish {
    struct inbox_finish finish;
    struct inbox_run run;
    double started;
};

static void on_finish(struct inbox_operation *operation) {
    struct finish *finish = CONTAINER_OF(operation, struct finish, finish.operation);
    ended(operation, &bench.finishes, finish->started);
    inbox_run_finish(&finish->run);
    free(finish);
}

static void start_finish(struct inbox_run *run, double now) {
    struct finish *finish = calloc(1, sizeof *finish);
    if (!finish) {
        bench_fail("out of memory");
    }
    finish->run = *run;
    finish->started = now;
    finish->finish = (struct inbox_finish){.run = run->id,
                                           .token = run->token,
                                           .plugin = bench.plugin,
                                           .order_key = finish->run.order_key,
                                           .how = INBOX_DONE,
                                           .label = "done",
                                           .reason = "",
                                           .now_ms = clock_wall_ms(),
                                           .due_ms = clock_wall_ms()};
    submit(&finish->finish.operation, INBOX_FINISH, on_finish);
}

static void on_claim(struct inbox_operation *operation) {
    double now = ended(operation, &bench.claims, bench.claim_started);
    bench.claiming = false;
    bench.claimed += operation->result == 0 ? bench.claim.n_runs : 0;
    for (size_t i = 0; operation->result == 0 && i < bench.claim.n_runs; i++) {
        start_finish(&bench.claim.runs[i], now);
    }
    free(bench.claim.runs);
    bench.claim_next = now + (bench.claim.n_runs > 0 ? 0.002 : 0.05);
}

static void start_claim(uint32_t runs, double now) {
    bench.share = (struct inbox_claim_share){
        .plugin = bench.plugin, .runs = runs, .most_bytes = 16 << 20, .alone = true};
    bench.claim = (struct inbox_claim){.now_ms = clock_wall_ms(),
                                       .host = 4711,
                                       .lease_ms = 30000,
                                       .shares = &bench.share,
                                       .n_shares = 1};
    bench.claiming = true;
    bench.claim_started = now;
    submit(&bench.claim.operation, INBOX_CLAIM, on_claim);
}

static void on_stats(struct inbox_operation *operation) {
    double now = ended(operation, &bench.counts, bench.stats_started);
    bench.counting = false;
    bench.stats_next = now + 1;
}

static void start_stats(double now) {
    bench.stats = (struct inbox_stats){.configured = "\ninvite\nping\n"};
    bench.counting = true;
    bench.stats_started = now;
    submit(&bench.stats.operation, INBOX_STATS, on_stats);
}

struct options {
    const char *store;
    double seconds, rate;
    bool prune, stats;
    uint32_t claim;
};

static void run(const struct options *options) {
    double began = bench_now(), next_put = began, now;
    while ((now = bench_now()) < began + options->seconds || bench.in_flight > 0) {
        bool over = now >= began + options->seconds;
        for (; !over && options->rate > 0 && next_put <= now; next_put += 1 / options->rate) {
            start_put(next_put);
        }
        if (!over && options->prune && !bench.pruning && !bench.prune_ended &&
            now >= bench.prune_next) {
            start_prune(now);
        }
        if (!over && options->claim > 0 && !bench.claiming && now >= bench.claim_next) {
            start_claim(options->claim, now);
        }
        if (!over && options->stats && !bench.counting && now >= bench.stats_next) {
            start_stats(now);
        }
        struct pollfd wanted = {.fd = bench.mailbox.event_fd, .events = POLLIN};
        poll(&wanted, 1, 1);
        mailbox_drain(&bench.mailbox);
    }
    double loads[1] = {0};
    getloadavg(loads, 1);
    printf("load %.1f\n", loads[0]);
    print(&bench.waited);
    print(&bench.pruned);
    if (options->prune) {
        printf("pruned %llu bodies, forgot %llu%s\n", (unsigned long long)bench.bodies,
               (unsigned long long)bench.forgotten, bench.prune_ended ? "; the pass ended" : "");
    }
    print(&bench.claims);
    print(&bench.finishes);
    if (options->claim > 0) {
        printf("claimed %llu runs\n", (unsigned long long)bench.claimed);
    }
    print(&bench.counts);
}

int main(int argc, char **argv) {
    static const struct option all[] = {
        {"store", required_argument, NULL, 's'}, {"seconds", required_argument, NULL, 'n'},
        {"rate", required_argument, NULL, 'r'},  {"prune", no_argument, NULL, 'p'},
        {"claim", required_argument, NULL, 'c'}, {"stats", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},        {0}};
    struct options options = {.seconds = 10, .rate = 200};
    for (int option; (option = getopt_long(argc, argv, "", all, NULL)) != -1;) {
        switch (option) {
        case 's':
            options.store = optarg;
            break;
        case 'n':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'r':
            options.rate = strtod(optarg, NULL);
            break;
        case 'p':
            options.prune = true;
            break;
        case 'c':
            options.claim = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 't':
            options.stats = true;
            break;
        default:
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : EX_USAGE;
        }
    }
    struct error err = {.text = ""};
    if (!options.store || mailbox_init(&bench.mailbox) != 0) {
        bench_fail("no store");
    }
    for (size_t i = 0; i < BODY_BYTES; i++) {
        bench.body[i] = (char)(' ' + rand() % 90);
    }
    if (inbox_open(options.store, clock_wall_ms(), &bench.inbox, &err) != 0) {
        bench_fail("%s", err.text);
    }
    run(&options);
    inbox_free(bench.inbox);
    mailbox_finish(&bench.mailbox);
    return bench.failed > 0 ? EX_SOFTWARE : 0;
}
