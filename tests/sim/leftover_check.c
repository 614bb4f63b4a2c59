// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/leftover_check.h"

#include <inttypes.h>
#include <stdio.h>

#include "kv/lock.h"
#include "kv/push.h"
#include "kv/slice_internal.h"

// Each leader watches a record for so long before it collects it, and a leader may be followed by others.
#define WITHIN_NS (4 * RECORD_KEEP_NS)

static struct leftovers {
    char what[120]; // The first that was found; empty: none.
    uint32_t serving;
} found; // Of the walk over replicas under way.

static uint32_t records_count(struct slice *slice)
{
    struct arena arena;
    struct slice_record *records;
    uint32_t count = 0;
    arena_init(&arena, NULL);
    if (failed(slice_record_list(slice, &arena, &records, &count))) count = UINT32_MAX;
    arena_fini(&arena);
    return count;
}

static void look_at(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    const char *what = NULL;
    uint64_t count = 0;
    (void)kv;
    if (slice->role != SLICE_SERVING) return;
    found.serving++;
    if (!list_empty(&slice->prepared)) what = "prepared writes";
    if (!list_empty(&slice->staged)) what = "staged writes";
    if ((count = slice->locks->lock_count) > 0) what = "locks";
    if (what == NULL && (count = records_count(slice)) > 0) what = "records";
    if (what != NULL && found.what[0] == '\0')
        snprintf(found.what, sizeof found.what, "%" PRIu64 " %s in slice %u, served by node %u", count, what,
            (uint32_t)slice->id, node->id);
}

static bool is_clean(void *arg)
{
    struct kv_world *kv = arg;
    found = (struct leftovers){0};
    kv_world_replicas_each(kv, look_at);
    kv->world.stuck_on = found.what;
    return found.what[0] == '\0' && found.serving > 0;
}

void leftover_check(struct kv_world *kv)
{
    world_expect(&kv->world, "nothing of any transaction is left", is_clean, kv, WITHIN_NS);
    if (!kv->world.run->violated) kv->world.stuck_on = NULL;
}
