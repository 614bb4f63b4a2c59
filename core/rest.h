// SPDX-License-Identifier: GPL-3.0-or-later
//
// Time for what is done from time to time and need not be exact: on a grid of beats, REST_BEAT_NS apart by the wall clock.
// What has about the same period then comes together, and a shard at rest wakes once for all of it; nodes whose clocks
// agree tell each other what they have to tell at the same moment, when all of them are awake.
//
// Shard    Any.
// Time     Monotonic nanoseconds; the wall clock only says where the grid lies. Earlier than asked for, or (so that
//          what has just been does not come again) at most a sixteenth later.
#pragma once
#include "core/shard.h"
#include "core/task.h"
#include "core/timer.h"

#define REST_BEAT_NS UINT64_C(500000000)

// The last time on a grid of `grid_ns`, at most `delay_ns`, that is not after `delay_ns` from now.
static inline uint64_t rest_floor(const struct shard *shard, uint64_t delay_ns, uint64_t grid_ns)
{
    uint64_t now_ns = shard->env->mono_ns(shard->env);
    int64_t wall_ns = shard->env->wall_ns(shard->env);
    uint64_t after_ns = delay_ns - ((uint64_t)(wall_ns < 0 ? 0 : wall_ns) + delay_ns) % grid_ns;
    return now_ns + after_ns + (after_ns < grid_ns / 16 ? grid_ns : 0);
}

// When about `delay_ns` from now is: at most a quarter earlier, or (short of four beats) at a beat.
static inline uint64_t timer_about(const struct shard *shard, uint64_t delay_ns)
{
    uint64_t grid_ns = REST_BEAT_NS;
    while (grid_ns <= delay_ns / 8) grid_ns *= 2;
    while (grid_ns > delay_ns && grid_ns > REST_BEAT_NS / 8) grid_ns /= 2;
    if (grid_ns > delay_ns) return shard->env->mono_ns(shard->env) + delay_ns;
    return rest_floor(shard, delay_ns, grid_ns);
}

// For what all nodes do in the same period: at the last multiple of it that is not after `period_ns` from now.
static inline uint64_t timer_beat(const struct shard *shard, uint64_t period_ns)
{
    return rest_floor(shard, period_ns, period_ns);
}

// Sleeps about so long.
static inline CHECKED struct status task_rest(struct task *task, uint64_t duration_ns)
{
    return task_wait_until(task, NULL, timer_about(task->shard, duration_ns), STATUS_OK);
}
