// SPDX-License-Identifier: GPL-3.0-or-later
//
// Long work in steps: who looks at, or makes, things of any size says how many bytes they were, and the clock is
// read once every some KiB. So others run in between, and a cancelled statement ends soon.
//
// Shard    The task's own. What is counted belongs to the shard, so that small steps of all tasks add up.
// Errors   57014 as of any suspension.
#pragma once
#include "core/task.h"

// Bytes between two looks at the clock.
#define WORK_BYTES 32768u

// `bytes` more have been looked at or made: yields when that is due. Does nothing without a task, or in one that
// may not suspend.
CHECKED struct status task_work(struct task *task, uint64_t bytes);

// The same, in the task that runs, for code without a status (order, hashes, text forms of long values).
// False: it was cancelled. Break off then, with any answer: who acts on it asks task_check first.
bool task_goes_on(uint64_t bytes);

// memcpy of something of any size; into the arena; at the end of a buffer. Cut short when the task is cancelled: the first
// gives how much there is, the second has anything behind it, a buffer ends there.
size_t task_copy_to(uint8_t *to, struct bytes bytes);
struct bytes task_copy(struct arena *arena, struct bytes bytes);
void task_append(struct buffer *out, struct bytes bytes);

// What a suspension would fail with, without one.
CHECKED struct status task_check(struct task *task);
