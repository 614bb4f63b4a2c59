// SPDX-License-Identifier: GPL-3.0-or-later
//
// Time for what is done from time to time and need not be exact: on a grid, so that timers of about the same period fire
// together, and those of nodes that share a clock, too. A shard at rest wakes once for all of them.
//
// Shard    Any.
// Time     Monotonic nanoseconds. Up to a quarter of the delay earlier than asked for, never later.
#pragma once
#include "core/task.h"
#include "core/timer.h"

// When about `delay_ns` from now is.
static inline uint64_t timer_about(uint64_t now_ns, uint64_t delay_ns)
{
    if (delay_ns < 8 * TIMER_TICK_NS) return now_ns + delay_ns;
    uint64_t grid = UINT64_C(1) << (61 - __builtin_clzll(delay_ns)); // At most a quarter of it.
    return (now_ns + delay_ns) & ~(grid - 1);
}

// Sleeps about so long.
static inline CHECKED struct status task_rest(struct task *task, uint64_t duration_ns)
{
    return task_wait_until(task, NULL, timer_about(task_now_ns(task), duration_ns), STATUS_OK);
}
