// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tables come and go: storage hears of the zones of those that are there. One task a shard; it rests between.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/shard.h"
#include "sql/service/background.h"
#include "sql/session/shard_state.h"
#include "sql/service/zone_object.h"

#define SETTLE_NS UINT64_C(1000000000) // Schema changes come in several statements.
#define TENANTS_MAX 64u                // What is beyond is noted by its next change.

struct zone_upkeep {
    uint64_t tenants[TENANTS_MAX];
    uint32_t count;
    struct background background;
};

void zone_objects_note(struct shard *shard, uint64_t tenant)
{
    struct zone_upkeep *state = sql_shard(shard)->zones;
    if (state == NULL || state->background.stopping) return;
    for (uint32_t i = 0; i < state->count; i++)
        if (state->tenants[i] == tenant) return;
    if (state->count < TENANTS_MAX) state->tenants[state->count++] = tenant;
    wait_queue_wake_all(&state->background.work, STATUS_OK);
}

static struct status upkeep_main(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct zone_upkeep *state = arg;
    while (!state->background.stopping) {
        if (state->count == 0) {
            TRY(task_wait(task, &state->background.work));
            TRY(task_sleep(task, SETTLE_NS));
            continue;
        }
        const uint64_t tenant = state->tenants[--state->count];
        const uint64_t begun_ns = task_now_ns(task);
        struct arena_mark mark = arena_mark(task->arena);
        struct status told =
            tenant == ZONE_OBJECTS_BOUNDED ? zone_objects_tell_bounded(task) : zone_objects_tell(task, tenant);
        if (failed(told) && !task->cancelled) log_info(tenant, "zones of tables are told later: %s", told.message);
        arena_release(task->arena, mark);
        TRY(task_sleep(task, 4 * (task_now_ns(task) - begun_ns) + 1));
    }
out:
    return st;
}

static struct status start_here(struct task *task, void *arg)
{
    struct sql_shard *shard = sql_shard(task->shard);
    struct zone_upkeep *state = calloc(1, sizeof *state);
    (void)arg;
    invariant(state != NULL && shard->zones == NULL);
    struct status st =
        background_start(task->shard, &state->background, upkeep_main, state, "zones");
    if (failed(st)) {
        free(state);
        return st;
    }
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
    background_stop(task, &state->background);
    shard->zones = NULL;
    free(state);
}
