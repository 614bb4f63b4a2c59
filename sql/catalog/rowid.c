// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/catalog/rowid.h"

#include "core/env.h"
#include "core/invariant.h"
#include "core/shard.h"
#include "kv/cluster.h"
#include "sql/catalog/catalog_cache.h"

#define NODE_BITS 10u
#define PLACE_BITS 5u
#define ROWID_AHEAD (ROWID_AHEAD_NS / ROWID_TICK_NS)
#define ROWIDS_UNREAD 64u

static_assert(CLUSTER_NODES_MAX == 1u << NODE_BITS && ROWID_PLACES == 1u << PLACE_BITS, "bits of a number");

// --- numbers ---------------------------------------------------------------------------------------------

uint32_t rowid_places(uint32_t shards)
{
    return shards >= ROWID_PLACES ? 1 : ROWID_PLACES / shards;
}

static uint32_t turns_of(uint32_t shards)
{
    return (shards + ROWID_PLACES - 1) / ROWID_PLACES;
}

uint64_t rowid_tick_from(uint64_t tick, uint32_t shards, uint32_t shard)
{
    const uint32_t turns = turns_of(shards), turn = shard / ROWID_PLACES;
    return tick + (turn + turns - tick % turns) % turns;
}

int64_t rowid_number(uint64_t tick, uint32_t place, uint32_t shards, uint32_t shard, uint32_t node)
{
    invariant(shard < shards && place < rowid_places(shards) && node < CLUSTER_NODES_MAX);
    const uint64_t among_all = place * shards + shard % ROWID_PLACES;
    invariant(among_all < ROWID_PLACES);
    return (int64_t)((tick << (PLACE_BITS + NODE_BITS) | among_all << NODE_BITS | node) & INT64_MAX);
}

// --- of a shard --------------------------------------------------------------------------------------------

// The wall clock as it was at the start, and what has passed since: it is not set back meanwhile.
static uint64_t clock_tick(const struct rowid_state *last, struct env *env)
{
    const uint64_t wall_ns = last->start_wall_ns + (env->mono_ns(env) - last->start_mono_ns);
    return wall_ns < ROWID_EPOCH_NS ? 0 : (wall_ns - ROWID_EPOCH_NS) / ROWID_TICK_NS;
}

static uint64_t own_tick_from(const struct shard *shard, uint64_t tick)
{
    return rowid_tick_from(tick, shard->node->shard_count, shard->index);
}

static uint32_t own_places(const struct shard *shard)
{
    return rowid_places(shard->node->shard_count);
}

void rowid_init(struct rowid_state *last, struct shard *shard)
{
    last->start_wall_ns = (uint64_t)shard->env->wall_ns(shard->env);
    last->start_mono_ns = shard->env->mono_ns(shard->env);
    last->tick = clock_tick(last, shard->env) + ROWID_AHEAD;
    last->place = own_places(shard) - 1;
    last->unread = 0;
}

struct status rowid_wait(struct task *task)
{
    struct status st = STATUS_OK;
    const struct rowid_state *last = &catalog_of(task->shard)->rowid;
    while (last->place + 1 >= own_places(task->shard)) {
        const uint64_t now = clock_tick(last, task->shard->env);
        const uint64_t next = own_tick_from(task->shard, last->tick + 1);
        if (now + ROWID_AHEAD >= next) goto out;
        TRY(task_sleep(task, (next - now - ROWID_AHEAD) * ROWID_TICK_NS));
    }
out:
    return st;
}

// The clock has passed the last one's tick, or more are wanted than a tick has: then a load is under way, which reads the
// clock seldom.
static void step(struct rowid_state *last, const struct shard *shard)
{
    const uint64_t now = clock_tick(last, shard->env);
    last->unread = now > last->tick ? 0 : ROWIDS_UNREAD;
    if (now <= last->tick && last->place + 1 < own_places(shard)) {
        last->place++;
        return;
    }
    last->tick = own_tick_from(shard, now > last->tick ? now : last->tick + 1);
    last->place = 0;
}

int64_t catalog_unique_rowid(struct shard *shard)
{
    struct rowid_state *last = &catalog_of(shard)->rowid;
    if (last->unread > 0 && last->place + 1 < own_places(shard)) {
        last->unread--;
        last->place++;
    } else {
        step(last, shard);
    }
    return rowid_number(last->tick, last->place, shard->node->shard_count, shard->index, shard->node->id);
}
