// SPDX-License-Identifier: GPL-3.0-or-later
//
// A few threads for what would block a reactor: name resolution, store opens and checkpoints, slow
// hashes, and the file operations that io_uring does not have. First come, first served.
//
// Code above core calls helper_call (core/task.h); this is the production environment's side of it.
//
// Shard    helper_pool_submit: any thread. `fn` runs on a helper. `finished` runs there, too, after it.
// Memory   struct helper_job is the submitter's until `finished`.
#pragma once
#include <stdint.h>

#include "core/status.h"

struct helper_pool;

struct helper_job {
    void (*fn)(void *arg);
    void *arg;
    void (*finished)(struct helper_job *job);
    struct helper_job *next;
};

// Errors: 53000 no threads.
CHECKED struct status helper_pool_create(uint32_t threads, struct helper_pool **pool);
// Waits for all jobs.
void helper_pool_destroy(struct helper_pool *pool);
void helper_pool_submit(struct helper_pool *pool, struct helper_job *job);
