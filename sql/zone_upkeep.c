// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tables come and go: storage hears of the zones of those that are there. One task a shard; it rests between.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/shard.h"
#include "sql/shard_state.h"
#include "sql/zone_object.h"

#define SETTLE_NS UINT64_C(1000000000) // Schema changes come in several statements.
#define TENANTS_MAX 64u                // What is beyond is noted by its next change.

struct zone_upkeep {
    uint64_t tenants[TENANTS_MAX];
    uint32_t count;
    struct task *task; // NULL before it has begun and once it has ended.
    bool running, stopping;
    struct wait_queue work, ended;
};

void zone_objects_note(struct shard *shard, uint64_t tenant)
{
    struct zone_upkeep *state = sql_shard(shard)->zones;
    if (state == NULL || state->stopping) return;
    for (uint32_t i = 0; i < state->count; i++)
        if (state->tenants[i] == tenant) return;
    if (state->count < TENANTS_MAX) state->tenants[state->count++] = tenant;
    wait_queue_wake_all(&state->work, STATUS_OK);
}

static struct status upkeep_main(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct zone_upkeep *state = arg;
    state->task = task;
    while (!state->stopping) {
        if (state->count == 0) {
            TRY(task_wait(task, &state->work));
            TRY(task_sleep(task, SETTLE_NS));
            continue;
        }
        const uint64_t tenant = state->tenants[--state->count];
        const uint64_t begun_ns = task_now_ns(task);
        struct arena_mark mark = arena_mark(task->arena);
        struct status told = zone_objects_tell(task, tenant);
        if (failed(told) && !task->cancelled) log_info(tenant, "zones of tables are told later: %s", told.message);
        arena_release(task->arena, mark);
        TRY(task_sleep(task, 4 * (task_now_ns(task) - begun_ns) + 1));
    }
out:
    return st;
}

static void upkeep_ended(struct task *task, struct status st, void *arg)
{
    struct zone_upkeep *state = arg;
    (void)task;
    (void)st;
    state->task = NULL;
    state->running = false;
    wait_queue_wake_all(&state->ended, STATUS_OK);
}

static struct status start_here(struct task *task, void *arg)
{
    struct sql_shard *shard = sql_shard(task->shard);
    struct zone_upkeep *state = calloc(1, sizeof *state);
    (void)arg;
    invariant(state != NULL && shard->zones == NULL);
    wait_queue_init(&state->work);
    wait_queue_init(&state->ended);
    const struct task_options options = {.fn = upkeep_main, .arg = state, .kind = "zones", .class = TASK_BULK,
        .ended = upkeep_ended, .ended_arg = state};
    struct status st = task_start(task->shard, &options);
    if (failed(st)) {
        free(state);
        return st;
    }
    state->running = true;
    shard->zones = state;
    return st;
}

struct status zone_objects_start(struct task *task)
{
    return shard_call_all(task, start_here, NULL);
}

void zone_objects_stop(struct task *task)
{
    struct sql_shard *shard = sql_shard(task->shard);
    struct zone_upkeep *state = shard->zones;
    if (state == NULL) return;
    state->stopping = true;
    bool cancelled = task->cancelled;
    struct status because = task->cancel_status;
    if (cancelled) task_cancel_clear(task); // It waits while it cleans up.
    if (state->task != NULL) task_cancel(state->task, status_make(E_ADMIN_SHUTDOWN, "the node stops"));
    while (state->running) {
        struct status st = task_wait(task, &state->ended);
        if (failed(st) && state->running) task_cancel_clear(task);
    }
    if (cancelled) task_cancel(task, because);
    shard->zones = NULL;
    free(state);
}
