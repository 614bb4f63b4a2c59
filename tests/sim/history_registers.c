// SPDX-License-Identifier: GPL-3.0-or-later
//
// With unique values each read names its write. All operations of a value form a group; the group's
// zone lies between its first end and its last beginning. The history is linearizable when no read
// ends before its write begins, no two forward zones overlap, and no backward zone lies within a
// forward one.
#include <inttypes.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "tests/sim/history.h"

struct zone {
    uint64_t value;
    bool written, seen;
    uint64_t write_began_ns;
    uint64_t first_end_ns, last_begin_ns;
};

void register_history_init(struct register_history *history, struct sim_run *run, uint32_t ops)
{
    memset(history, 0, sizeof *history);
    history->run = run;
    history->op_capacity = ops;
    history->ops = ARENA_ARRAY(&run->arena, struct register_op, ops);
}

struct register_op *register_op_begin(struct register_history *history)
{
    if (history->op_count == history->op_capacity) return NULL;
    struct register_op *op = &history->ops[history->op_count++];
    memset(op, 0, sizeof *op);
    return op;
}

static struct zone *zone_of(struct zone *zones, uint32_t *count, uint64_t value)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (zones[i].value == value) return &zones[i];
    }
    zones[*count] = (struct zone){.value = value, .first_end_ns = UINT64_MAX};
    return &zones[(*count)++];
}

static void zone_add(struct zone *zone, const struct register_op *op)
{
    uint64_t end = op->fate == FATE_DONE ? op->ended_ns : UINT64_MAX;
    if (end < zone->first_end_ns) zone->first_end_ns = end;
    if (op->began_ns > zone->last_begin_ns) zone->last_begin_ns = op->began_ns;
    if (op->write) {
        zone->written = true;
        zone->write_began_ns = op->began_ns;
    } else {
        zone->seen = true;
    }
}

static bool forward(const struct zone *zone)
{
    return zone->first_end_ns < zone->last_begin_ns;
}

static void check_pair(
    struct sim_run *run, uint32_t key, const struct zone *a, const struct zone *b)
{
    if (forward(a) && forward(b) && a->first_end_ns < b->last_begin_ns &&
        b->first_end_ns < a->last_begin_ns)
        sim_violation(run,
            "register %u is not linearizable: %" PRIu64 " and %" PRIu64 " were both there at once",
            key, a->value, b->value);
    if (forward(a) && !forward(b) && b->last_begin_ns > a->first_end_ns &&
        b->first_end_ns < a->last_begin_ns)
        sim_violation(run,
            "register %u is not linearizable: %" PRIu64 " came while %" PRIu64 " stayed", key,
            b->value, a->value);
}

static void check_key(struct register_history *history, uint32_t key, struct zone *zones)
{
    struct sim_run *run = history->run;
    uint32_t count = 0;
    struct zone *initial = zone_of(zones, &count, 0);
    initial->written = true;
    initial->first_end_ns = 0;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct register_op *op = &history->ops[i];
        if (op->key != key || op->fate == FATE_VOID) continue;
        if (!op->write && op->fate != FATE_DONE) continue;
        zone_add(zone_of(zones, &count, op->value), op);
    }
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct register_op *op = &history->ops[i];
        if (op->key != key || op->write || op->fate != FATE_DONE) continue;
        const struct zone *zone = zone_of(zones, &count, op->value);
        if (!zone->written)
            sim_violation(run, "register %u was read as %" PRIu64 ", which was refused or never written",
                key, op->value);
        else if (op->ended_ns < zone->write_began_ns)
            sim_violation(run, "register %u was read as %" PRIu64 " before that was written", key,
                op->value);
    }
    for (uint32_t i = 0; i < count; i++) {
        // A write whose end is unknown and that nobody saw may not have happened.
        if (zones[i].first_end_ns == UINT64_MAX && !zones[i].seen) continue;
        for (uint32_t k = 0; k < count; k++) {
            if (i == k || (zones[k].first_end_ns == UINT64_MAX && !zones[k].seen)) continue;
            check_pair(run, key, &zones[i], &zones[k]);
        }
    }
}

void register_history_check(struct register_history *history)
{
    struct zone *zones = calloc(history->op_count + 2, sizeof *zones);
    invariant(zones != NULL);
    for (uint32_t key = 0; key < HISTORY_REGISTERS_MAX; key++)
        check_key(history, key, zones);
    free(zones);
}
