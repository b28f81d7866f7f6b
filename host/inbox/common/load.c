/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Counts busy time in windows of a second (load.h). */
#include "inbox/common/load.h"

#include <assert.h>

/* Counts the busy time up to `until_us`, which lies in the present window or at its end. */
static void count(struct load *load, int64_t until_us) {
    if (load->busy) {
        assert(until_us >= load->counted_us);
        load->present_us += until_us - load->counted_us;
        load->counted_us = until_us;
    }
}

static void advance(struct load *load, int64_t now_us) {
    int64_t windows = (now_us - load->window_us) / LOAD_WINDOW_US;
    assert(now_us >= load->window_us);
    if (windows == 1) {
        load->window_us += LOAD_WINDOW_US;
        count(load, load->window_us);
        load->before_us = load->present_us;
        load->present_us = 0;
    } else if (windows > 1) {
        /* Nothing changed during the whole window before the present one. */
        load->window_us += windows * LOAD_WINDOW_US;
        load->before_us = load->busy ? LOAD_WINDOW_US : 0;
        load->present_us = 0;
        load->counted_us = load->window_us;
    }
    count(load, now_us);
}

void load_begin(struct load *load, int64_t now_us) {
    assert(!load->busy);
    advance(load, now_us);
    load->busy = true;
    load->counted_us = now_us;
}

void load_end(struct load *load, int64_t now_us) {
    assert(load->busy);
    advance(load, now_us);
    load->busy = false;
}

unsigned load_percent(struct load *load, int64_t now_us) {
    advance(load, now_us);
    int64_t old_us = LOAD_WINDOW_US - (now_us - load->window_us);
    assert(old_us > 0 && load->before_us <= LOAD_WINDOW_US);
    int64_t busy_us = load->present_us + load->before_us * old_us / LOAD_WINDOW_US;
    return (unsigned)(busy_us * 100 / LOAD_WINDOW_US);
}
