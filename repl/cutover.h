// SPDX-License-Identifier: GPL-3.0-or-later
//
// Cutover: the last steps of a consumer, when everything at or below the cutover time is here and no stream runs.
//
//   1  the phase becomes "cutting over": from now on the time is final
//   2  what lies above it is undone, by the index of what was ingested: costs what it undoes
//   3  the phase becomes "promoting"
//   4  ingestion ends; the record of the virtual cluster says where it came from, and becomes `ready`
//   5  the primary is told, if it can be reached; protection is released
//
// Safety   Each step can be done again after a crash, and none is begun before the one before it is durable: a
//          virtual cluster is `ready` only when all above the time is gone.
#pragma once
#include "repl/flow.h"

// What is still to be reverted: the slice of each range. The metric failover_progress says how many there are.
struct cutover_work {
    uint64_t *slices;
    uint32_t count;
};
// The slice has nothing to undo any more; gives how many ranges are left.
int64_t cutover_work_done(struct cutover_work *work, uint64_t slice);

// Zones came with the catalog: storage hears of them now. It can be done without, so nothing waits for it.
void cutover_zones_tell(struct task *task, uint64_t tenant);

// From the consumer's record on. *done false: the time was changed meanwhile, and the flow has to go on.
CHECKED struct status cutover_run(struct task *task, struct consumer *consumer, bool *done);
