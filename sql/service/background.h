// SPDX-License-Identifier: GPL-3.0-or-later
//
// A task of a shard that looks after something for as long as the node runs: embedded in the state that it works on.
//
// Shard    Each shard's own. Starting does not suspend, stopping does.
// Memory   The owner's; free once it has stopped.
// Errors   Those of task_start.
#pragma once
#include "core/task.h"

struct background {
    struct task *task; // NULL before it has begun and once it has ended.
    bool running, stopping;
    task_fn fn;
    void *arg;
    struct wait_queue work, ended; // The owner wakes `work` when there is something to do.
};

// Runs fn(task, arg), which ends soon after `stopping` is set and it is cancelled.
CHECKED struct status background_start(struct shard *shard, struct background *background,
    task_fn fn, void *arg, const char *kind);
// Returns when it has ended, however the caller's task has been cancelled.
void background_stop(struct task *task, struct background *background);
