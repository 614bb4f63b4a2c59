// SPDX-License-Identifier: GPL-3.0-or-later
//
// What running jobs (jobs.c) and adopting them (jobs_adopt.c) share.
//
// Shard    A struct jobs_shard belongs to its shard.
// Memory   malloc'ed; what is linked frees itself when it ends.
#pragma once
#include "sql/service/jobs.h"

#define JOB_INCARNATION_BITS 48u // Of a coordinator: below the id of its node.

// The loop that adopts jobs of one tenant.
struct adoption {
    uint64_t tenant;
    struct task *task; // NULL once it has ended.
    bool stop;
    struct list_link link;
};

struct jobs_shard {
    struct list_link claims;    // struct run_request: not yet known whether it runs here.
    struct list_link running;   // struct job
    struct list_link adoptions; // struct adoption
};

struct run_request {
    uint64_t tenant;
    int64_t id;
    struct task *task; // NULL until it has begun.
    struct list_link link;
};

struct jobs_shard *jobs_of(struct shard *shard);
// The node goes down: drained, or because of a failure. What ends now ends because of that.
bool jobs_go_down(const struct task *task);
void job_request_stop(struct job *job);
