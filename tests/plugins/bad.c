/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin with one mistake, which a macro of the build sets. The worker rejects each with its own
 * sentence. */
#include <snekomatic/snekomatic.h>

/* Meson cannot pass this text as an argument. */
#define TWO_LINES "a\nb"

#ifndef BAD_MAGIC
#define BAD_MAGIC SNEK_ABI_MAGIC
#endif
#ifndef BAD_MAJOR
#define BAD_MAJOR SNEK_ABI_MAJOR
#endif
#ifndef BAD_REQUIRED
#define BAD_REQUIRED 0
#endif
#ifndef BAD_BYTES
#define BAD_BYTES sizeof(struct snek_plugin)
#endif
#ifndef BAD_NAME
#define BAD_NAME "bad"
#endif
#ifndef BAD_VERSION
#define BAD_VERSION "1"
#endif
#ifndef BAD_SUMMARY
#define BAD_SUMMARY "is rejected"
#endif
#ifndef BAD_ORDER
#define BAD_ORDER SNEK_ORDER_NONE
#endif
#ifndef BAD_PERMISSIONS
#define BAD_PERMISSIONS                                                                            \
    { "issues", "write" }
#endif
#ifndef BAD_SUBSCRIPTION
#define BAD_SUBSCRIPTION                                                                           \
    { .event = "push", .handler = handler }
#endif
#ifndef BAD_COMMANDS
#define BAD_COMMANDS                                                                               \
    { "bad", "/bad", SNEK_ROLE_ANYBODY, 0, handler, NULL }
#endif
#ifndef BAD_SUBSCRIPTIONS_COUNT
#define BAD_SUBSCRIPTIONS_COUNT 1
#endif
#ifndef BAD_COMMANDS_COUNT
#define BAD_COMMANDS_COUNT (sizeof commands / sizeof *commands)
#endif
#ifndef BAD_COMMANDS_BYTES
#define BAD_COMMANDS_BYTES sizeof *commands
#endif
#ifndef BAD_COMMANDS_TABLE
#define BAD_COMMANDS_TABLE commands
#endif
#ifndef BAD_DESTROY
#define BAD_DESTROY NULL
#endif
#ifndef BAD_ENTRY
#define BAD_ENTRY snek_plugin_entry
#endif
#ifndef BAD_OPTIONAL
#define BAD_OPTIONAL                                                                               \
    { "pages", "read" }
#endif
#ifndef BAD_EFFECT
#define BAD_EFFECT                                                                                 \
    { "POST", "/graphql" }
#endif
#ifndef BAD_DESCRIPTOR
#define BAD_DESCRIPTOR &plugin
#endif

static void hang(void *state) {
    (void)state;
    for (volatile unsigned i = 0;; i++) {}
}

static int32_t handler(struct snek_run *run) {
    (void)run;
    return SNEK_DONE;
}

static const struct snek_permission permissions[] = {BAD_PERMISSIONS};
static const struct snek_permission optional_permissions[] = {BAD_OPTIONAL};
static const struct snek_subscription subscriptions[] = {BAD_SUBSCRIPTION};
static const struct snek_command commands[] = {BAD_COMMANDS};

static const struct snek_effect effects[] = {BAD_EFFECT};
#ifdef BAD_SETTING
static const struct snek_setting settings[] = {BAD_SETTING};
#endif
#ifndef BAD_CONFIG
#define BAD_CONFIG NULL
#endif
#ifdef BAD_ACTION
static const struct snek_check_action check_actions[] = {BAD_ACTION};
#endif

static const struct snek_plugin plugin = {
    .head = {BAD_MAGIC, BAD_MAJOR, SNEK_ABI_MINOR, BAD_REQUIRED, 0, BAD_BYTES},
    .name = BAD_NAME,
    .version = BAD_VERSION,
    .summary = BAD_SUMMARY,
    .order = BAD_ORDER,
    .permissions = permissions,
    .permissions_count = sizeof permissions / sizeof *permissions,
    .permissions_bytes = sizeof *permissions,
    .optional_permissions = optional_permissions,
    .optional_permissions_count = 1,
    .optional_permissions_bytes = sizeof *optional_permissions,
    .subscriptions = subscriptions,
    .subscriptions_count = BAD_SUBSCRIPTIONS_COUNT,
    .subscriptions_bytes = sizeof *subscriptions,
    .commands = BAD_COMMANDS_TABLE,
    .commands_count = BAD_COMMANDS_COUNT,
    .commands_bytes = BAD_COMMANDS_BYTES,
    .effects = effects,
    .effects_count = 1,
    .effects_bytes = sizeof *effects,
#ifdef BAD_ACTION
    .check_actions = check_actions,
    .check_actions_count = sizeof check_actions / sizeof *check_actions,
    .check_actions_bytes = sizeof *check_actions,
#endif
    .repository_config = BAD_CONFIG,
#ifdef BAD_SETTING
    .settings = settings,
    .settings_count = sizeof settings / sizeof *settings,
    .settings_bytes = sizeof *settings,
#endif
    .destroy = BAD_DESTROY,
};

SNEK_EXPORT const struct snek_plugin *BAD_ENTRY(void);
SNEK_EXPORT const struct snek_plugin *BAD_ENTRY(void) {
    (void)&plugin;
    (void)commands;
    (void)hang;
    return BAD_DESCRIPTOR;
}
