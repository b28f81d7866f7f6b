/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "timer", revision 1: deliveries that a plugin sends to itself later.
 *
 *   set(run, "remind 12", 7 days, "{\"days\":7}")    the run ends well --> the timer is stored
 *        ... a week later: the event "snekomatic.timer"
 *             timer.key            "remind 12"
 *             timer.data.days      7
 *             repository, issue.number ...  those of the event of the run that set it
 *
 * A timer belongs to the plugin and the installation. It is stored in the transaction that ends the
 * run: when the run is retried or waits, the timer is not set yet, and a run that fails sets none.
 * The delivery is like any other: the plugin subscribes to "snekomatic.timer", the run is retried
 * and goes in the plugin's order. A timer fires some seconds after its time. It fires late if no
 * host was running, and not at all after the app was uninstalled. */
#ifndef SNEKOMATIC_TIMER_H
#define SNEKOMATIC_TIMER_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_TIMER_SERVICE "timer"
#define SNEK_TIMER_REVISION 1

/* The events of timers, and of the schedules that a plugin declares (plugin.h). */
#define SNEK_TIMER_EVENT "snekomatic.timer"
#define SNEK_SCHEDULE_EVENT "snekomatic.schedule"

struct snek_timer_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [any thread] Sets the timer of this key, `delay_ms` from now, at most 90 days. An earlier
     * timer of the key that has not fired is replaced. `key` is a line of at most 200 bytes, `data`
     * is JSON of at most 64 KiB or NULL; both are copied. 0; or SNEK_E_INVALID with a reason, also
     * when the plugin does not subscribe to "snekomatic.timer"; or SNEK_E_TOO_LARGE: a run may set
     * and cancel 100 timers, with 1 MiB in all. A plugin may have 10,000 timers in an installation;
     * a run that would set one more fails. Never blocks. */
    int32_t (*set)(struct snek_run *run, const char *key, int64_t delay_ms, const char *data);

    /* [any thread] Cancels the timer of this key, if there is one, when the run ends well. 0, or
     * the errors of set(). Never blocks. */
    int32_t (*cancel)(struct snek_run *run, const char *key);
};

#ifdef __cplusplus
}
#endif

#endif
