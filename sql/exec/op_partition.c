// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/op_partition.h"

#include <stdlib.h>

#include "core/invariant.h"

void partitions_init(struct partitions *parts, struct op *op)
{
    *parts = (struct partitions){.op = op};
}

void partition_free(struct partition *part)
{
    if (part == NULL) return;
    spill_tape_clear(&part->tapes[0]);
    spill_tape_clear(&part->tapes[1]);
    free(part);
}

void partitions_reset(struct partitions *parts)
{
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        partition_free(parts->written[i]);
        parts->written[i] = NULL;
    }
    while (parts->waiting != NULL) {
        struct partition *part = parts->waiting;
        parts->waiting = part->next;
        partition_free(part);
    }
    parts->level = 0;
}

bool partitions_can(const struct partitions *parts)
{
    return parts->level < PARTITION_LEVELS;
}

// The upper half of the hash: the lower one says where a hash table has the key.
struct spill_tape *partitions_tape(struct partitions *parts, uint32_t side, uint64_t hash)
{
    uint32_t number = (uint32_t)(hash >> (64 - PARTITION_BITS * (parts->level + 1))) % PARTITIONS;
    struct partition *part = parts->written[number];
    if (part == NULL) {
        part = calloc(1, sizeof *part);
        invariant(part != NULL);
        part->level = parts->level + 1;
        for (uint32_t i = 0; i < 2; i++)
            spill_tape_init(
                &part->tapes[i], &parts->op->run->spill, &parts->op->spilled_bytes);
        parts->written[number] = part;
    }
    return &part->tapes[side];
}

struct status partitions_end(struct task *task, struct partitions *parts)
{
    struct status st = STATUS_OK;
    for (uint32_t i = PARTITIONS; i-- > 0;) {
        struct partition *part = parts->written[i];
        if (part == NULL) continue;
        TRY(spill_tape_end(task, &part->tapes[0]));
        TRY(spill_tape_end(task, &part->tapes[1]));
        parts->written[i] = NULL;
        part->next = parts->waiting;
        parts->waiting = part;
    }

out:
    return st;
}

struct partition *partitions_next(struct partitions *parts)
{
    struct partition *part = parts->waiting;
    if (part == NULL) return NULL;
    parts->waiting = part->next;
    parts->level = part->level;
    return part;
}
