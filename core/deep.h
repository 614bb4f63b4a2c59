// SPDX-License-Identifier: GPL-3.0-or-later
//
// Work that recurses deeply over what may be long: its task is lent a big stack, on which it can yield.
// (stack_call of core/task.h is for what is deep and short: a shard has one such stack, so that nothing
// else runs meanwhile.)
//
// Shard    Stacks belong to the shard; a task has at most one of them.
// Memory   At most DEEP_STACKS_MAX x DEEP_STACK_BYTES of address space, mapped when first wanted; what a
//          call touched goes back to the system at its end.
// Errors   57014 from task_poll.
#pragma once
#include "core/task.h"

#define DEEP_STACK_BYTES (64u << 20)
#define DEEP_STACKS_MAX 8u

// Runs fn(arg) on a big stack, where it calls task_poll as it goes and waits for nothing else, so that
// stacks come back. Without a task, for one that may not suspend, and while all stacks are lent, it is
// stack_call, and task_poll does nothing.
void deep_call(struct task *task, void (*fn)(void *arg), void *arg);

// For work that runs on a big stack between nosuspend_begin and nosuspend_end, since nothing but yielding is safe in it:
// counts `steps` of some hundred nanoseconds, and yields when that is due. It does nothing anywhere else: on another
// stack, without a task, or where suspending is forbidden once more. False: the task was cancelled, so that any answer
// will do, since who began the work asks task_check at its end.
bool deep_goes_on(uint32_t steps);

// Yields when that is due and the task may. Call it every some thousand steps. NULL is no task.
CHECKED struct status task_poll(struct task *task);
