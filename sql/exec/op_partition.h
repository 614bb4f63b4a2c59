// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows put off: an operator that keeps a hash table and has no room for more keys writes the rows of other
// keys to the temporary file, divided by hash, and comes back to one part at a time, which may be divided
// again.
//
// Memory   A block for each part while rows are written: charged to the statement.
#pragma once
#include "sql/exec/op.h"

#define PARTITION_BITS 3u
#define PARTITIONS (1u << PARTITION_BITS)
#define PARTITION_LEVELS 10u // Beyond it the parts hold one key each, or nearly.

struct partition {
    struct partition *next;
    uint32_t level;             // How often its rows have been divided.
    struct spill_tape tapes[2]; // Two inputs' rows.
};
struct partitions {
    struct op *op;
    uint32_t level;             // Of what is read now; 0: the input itself.
    struct partition *written[PARTITIONS]; // Or NULL.
    struct partition *waiting;
};
void partitions_init(struct partitions *parts, struct op *op);
void partitions_reset(struct partitions *parts);
// Whether what is read now can be divided once more.
bool partitions_can(const struct partitions *parts);
// The row's place among the tapes of input `side`, 0 or 1.
struct spill_tape *partitions_tape(struct partitions *parts, uint32_t side, uint64_t hash);
// All rows of what was read have been put somewhere: what was written waits now.
CHECKED struct status partitions_end(struct task *task, struct partitions *parts);
// The part to read next, which the caller frees; NULL when there is none.
struct partition *partitions_next(struct partitions *parts);
void partition_free(struct partition *part);
