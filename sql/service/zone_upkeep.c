// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tables come and go: storage hears of the zones of those that are there. One task a shard; it rests between.
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/shard.h"
#include "kv/cluster.h"
#include "kv/key.h"
#include "sql/service/background.h"
#include "sql/session/shard_state.h"
#include "sql/service/zone_bounds.h"
#include "sql/service/zone_object.h"

#define SETTLE_NS UINT64_C(1000000000) // Schema changes come in several statements.
#define RETRY_NS UINT64_C(1000000000)
#define RETRY_NS_MAX UINT64_C(256000000000) // Some will not do until somebody changes what it says.
#define LOST_NS CLUSTER_LIVENESS_NS // What the node that was lost was about is committed by then, or never.
#define TENANTS_MAX 64u                // Beyond, all are looked at.

struct zone_upkeep {
    uint64_t tenants[TENANTS_MAX]; // The oldest first.
    uint32_t count;
    bool all, again;   // Each virtual cluster is looked at; from the beginning, whoever is under way.
    uint64_t upto;     // Up to this one already.
    bool looked;       // The last turn was for all.
    uint64_t retry_ns; // 0: nothing has failed.
    uint64_t lost_ns;  // A node went silent: all are looked at then; 0: none.
    struct cluster_watch watch;
    struct background background;
};

static void note_all(struct zone_upkeep *state)
{
    state->all = state->again = true;
    state->upto = 0;
}

void zone_objects_note(struct shard *shard, uint64_t tenant)
{
    struct zone_upkeep *state = sql_shard(shard)->zones;
    if (state == NULL || state->background.stopping) return;
    for (uint32_t i = 0; i < state->count; i++)
        if (state->tenants[i] == tenant) return;
    if (state->count < TENANTS_MAX) {
        state->tenants[state->count++] = tenant;
    } else {
        note_all(state);
    }
    wait_queue_wake_all(&state->background.work, STATUS_OK);
}

// The next one above `after` whose data can be read; 0: there is none.
static struct status tenant_next(struct task *task, uint64_t after, uint64_t *tenant)
{
    if (zone_bounds_source != NULL) return zone_bounds_source->next(task, after, tenant);
    *tenant = after < TENANT_SYSTEM ? TENANT_SYSTEM : 0;
    return STATUS_OK;
}

// What was dropped, or is filled by replication now, needs no telling.
static struct status tell(struct task *task, uint64_t tenant)
{
    struct status st;
    uint64_t there;
    if (tenant == ZONE_OBJECTS_BOUNDED) return zone_objects_tell_bounded(task);
    TRY(tenant_next(task, tenant - 1, &there));
    if (there == tenant) st = zone_objects_tell(task, tenant);
out:
    return st;
}

static struct status tell_first(struct task *task, struct zone_upkeep *state)
{
    struct status st;
    const uint64_t tenant = state->tenants[0];
    state->count--;
    memmove(state->tenants, state->tenants + 1, state->count * sizeof state->tenants[0]);
    st = tell(task, tenant);
    if (failed(st)) zone_objects_note(task->shard, tenant); // Behind the others.
    return st;
}

// Who cannot be told holds up nobody else.
static struct status tell_next_of_all(struct task *task, struct zone_upkeep *state)
{
    struct status st;
    uint64_t tenant;
    state->again = false;
    TRY(tenant_next(task, state->upto, &tenant));
    if (tenant != 0) st = zone_objects_tell(task, tenant);
    if (failed(st) && task->cancelled) goto out;
    if (failed(st)) zone_objects_note(task->shard, tenant);
    if (state->again) goto out;
    state->upto = tenant;
    state->all = tenant != 0;
out:
    return st;
}

static uint64_t retry_after(struct zone_upkeep *state, struct status why)
{
    if (state->retry_ns == 0) log_info(0, "zones of tables are told later: %s", why.message);
    state->retry_ns = state->retry_ns == 0 ? RETRY_NS : state->retry_ns * 2;
    if (state->retry_ns > RETRY_NS_MAX) state->retry_ns = RETRY_NS_MAX;
    return state->retry_ns;
}

// With what it had noted. Whoever starts looks at all; but this one may never do.
static void node_changed(struct cluster_watch *watch, struct shard *shard, const struct cluster_node *node)
{
    struct zone_upkeep *state = container_of(watch, struct zone_upkeep, watch);
    if (node->alive || node->id == shard->node->id || state->background.stopping) return;
    state->lost_ns = shard_now_ns(shard) + LOST_NS;
    wait_queue_wake_all(&state->background.work, STATUS_OK);
}

// One node of those that are left is enough. Should it be lost, too, that is noticed in its turn.
static bool is_first_alive(struct shard *shard)
{
    uint32_t count;
    const struct cluster_node *nodes = cluster_nodes(shard, &count);
    for (uint32_t i = 0; i < count; i++)
        if (nodes[i].alive) return nodes[i].id == shard->node->id;
    return true;
}

static void look_for_the_lost(struct task *task, struct zone_upkeep *state)
{
    if (state->lost_ns == 0 || state->all || task_now_ns(task) < state->lost_ns) return;
    state->lost_ns = 0;
    if (is_first_alive(task->shard)) note_all(state);
}

static struct status upkeep_main(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct zone_upkeep *state = arg;
    while (!state->background.stopping) {
        look_for_the_lost(task, state);
        if (state->count == 0 && !state->all) {
            if (state->lost_ns == 0)
                TRY(task_wait(task, &state->background.work));
            else
                TRY(task_wait_until(task, &state->background.work, state->lost_ns, STATUS_OK));
            TRY(task_sleep(task, SETTLE_NS));
            continue;
        }
        const uint64_t begun_ns = task_now_ns(task);
        struct arena_mark mark = arena_mark(task->arena);
        state->looked = state->all && (state->count == 0 || !state->looked); // In turns: some fail for long.
        struct status told = state->looked ? tell_next_of_all(task, state) : tell_first(task, state);
        if (task->cancelled) goto out;
        const uint64_t now_ns = task_now_ns(task);
        uint64_t rest_ns = 4 * (now_ns - begun_ns) + 1;
        if (failed(told)) {
            rest_ns = retry_after(state, told);
        } else {
            state->retry_ns = 0;
        }
        arena_release(task->arena, mark);
        // Others that are noted need not wait for what has failed.
        TRY(task_wait_until(task, failed(told) ? &state->background.work : NULL, now_ns + rest_ns, STATUS_OK));
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
    if (task->shard->index != 0) return st;
    note_all(state); // Of what was noted before this start nothing is left.
    state->watch.changed = node_changed;
    cluster_watch_add(task->shard, &state->watch);
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
    cluster_watch_remove(task->shard, &state->watch);
    background_stop(task, &state->background);
    shard->zones = NULL;
    free(state);
}
