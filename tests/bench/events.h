/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The subscriptions of a plugin that handles every delivery of the benchmarks. */
#ifndef SNEK_TESTS_BENCH_EVENTS_H
#define SNEK_TESTS_BENCH_EVENTS_H

#include <snekomatic/snekomatic.h>

#define EACH(event, handler)                                                                       \
    {                                                                                              \
        event, NULL, handler, {                                                                    \
            { 0 }                                                                                  \
        }                                                                                          \
    }

#define EACH_EVENT(handler)                                                                        \
    EACH("branch_protection_rule", handler), EACH("check_run", handler),                           \
        EACH("check_suite", handler), EACH("code_scanning_alert", handler),                        \
        EACH("commit_comment", handler), EACH("dependabot_alert", handler),                        \
        EACH("deployment", handler), EACH("deployment_review", handler),                           \
        EACH("deployment_status", handler), EACH("discussion", handler),                           \
        EACH("discussion_comment", handler), EACH("fork", handler),                                \
        EACH("issue_comment", handler), EACH("issues", handler), EACH("package", handler),         \
        EACH("project_card", handler), EACH("pull_request", handler),                              \
        EACH("pull_request_review", handler), EACH("pull_request_review_comment", handler),        \
        EACH("pull_request_review_thread", handler), EACH("release", handler),                     \
        EACH("status", handler), EACH("workflow_job", handler), EACH("workflow_run", handler)

#endif
