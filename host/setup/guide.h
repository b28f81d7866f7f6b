/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state of the setup, and the routes that change it. guide.c has the routes, pages.c what they
 * show.
 *
 * Threads: ingest's. While an exchange is under way, the main thread has it and writes guide->app;
 * the guide only reads its phase then. `until_ms` and `finished` are for both. */
#ifndef SNEK_SETUP_GUIDE_H
#define SNEK_SETUP_GUIDE_H

#include "base/mailbox.h"
#include "github_app/needs.h"
#include "ingest/routes.h"
#include "setup/conversion.h"
#include "setup/files.h"
#include "setup/form.h"
#include "setup/manifest.h"
#include "setup/origins.h"
#include "setup/session.h"
#include "setup/setup.h"

#include <pthread.h>
#include <stdatomic.h>

#define GUIDE_ROUTES 5

enum guide_phase {
    GUIDE_ASKING,
    /* The main thread exchanges a code. */
    GUIDE_EXCHANGING,
    /* There is an App. */
    GUIDE_MADE,
};

struct guide;

/* A code on its way to GitHub. The guide makes it; the main thread posts it back. */
struct guide_exchange {
    struct mail mail;
    struct guide *guide;
    struct http_request *request;
    char code[SETUP_CODE_MAX + 1];
    struct setup_choices choices;
    /* The result of setup_convert(). */
    int result;
    struct error error;
};

struct guide {
    /* Borrowed. */
    const struct setup_options *options;
    const struct setup_files *files;
    struct mailbox *main;
    /* For `ending`: the main thread opens no more mail. */
    pthread_mutex_t lock;
    bool ending;
    struct app_needs needs;
    char web_url[SETUP_ORIGIN_MAX];
    struct setup_session session;
    enum guide_phase phase;
    struct setup_app app;
    /* The choices with which the App was made. */
    struct setup_choices choices;
    /* The credentials are in the files; otherwise the reason. */
    bool stored;
    struct error not_stored;
    /* GitHub made no webhook secret, so the host has. */
    bool own_secret;
    /* The key was shown. */
    bool shown;
    struct http_route routes[GUIDE_ROUTES];
    /* Monotonic: the end of the setup. */
    _Atomic int64_t until_ms;
    /* The person is done. */
    atomic_bool finished;
    struct mail finish_mail;
};

/* Posts an exchange back to ingest, which responds. From the main thread. */
void guide_reply(struct guide_exchange *exchange);
/* Called on the main thread: exchanges the code, stores the result, and posts the mail back. */
void guide_on_code(struct mail *mail);

/* 0, or -1. */
int guide_init(struct guide *guide, const struct setup_options *options,
               const struct setup_files *files, struct mailbox *main, struct error *err);
/* From now on no code is posted to the main thread. Main thread, before it opens its mail for the
 * last time. */
void guide_end(struct guide *guide);
/* After ingest_free(). */
void guide_finish(struct guide *guide);

/* ---- pages.c: each responds ---- */

void page_ask(struct guide *guide, struct http_request *request, unsigned status,
              const struct setup_choices *choices, const struct setup_problems *problems);
void page_send(struct guide *guide, struct http_request *request,
               const struct setup_attempt *attempt, const char *origin);
void page_made(struct guide *guide, struct http_request *request);
/* 0, or -1: out of memory, so that nothing was shown. */
int page_lines(struct guide *guide, struct http_request *request);
void page_finished(struct guide *guide, struct http_request *request);
/* The title is this program's; the sentences come from anywhere. `again` leads to the form. */
void page_problem(struct http_request *request, unsigned status, const char *title,
                  const char *problem, const char *fix, bool again);

#endif
