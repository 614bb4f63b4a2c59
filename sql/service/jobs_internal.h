// SPDX-License-Identifier: GPL-3.0-or-later
//
// What running jobs (jobs.c), adopting them (jobs_adopt.c) and waiting for them (jobs_wait.c) share.
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
    struct list_link waiters;   // struct job_waiter
};

struct run_request {
    uint64_t tenant;
    int64_t id;
    struct task *task; // NULL until it has begun.
    bool cancelled;    // As struct job.
    struct list_link link;
};

// Whoever waits for a job, on its own stack.
struct job_waiter {
    uint64_t tenant;
    int64_t id;
    bool cancels; // Whoever begins to run the job from now on does so as one that is cancelled.
    bool let_go;  // The job has ended, or is run here no longer: the record says which.
    struct wait_queue queue;
    struct list_link link;
};
// Of this shard, unless the job is still run here. Does not suspend.
void jobs_wake_waiters(struct shard *shard, uint64_t tenant, int64_t id);
// Whether one of them cancels it.
bool jobs_waiter_cancels(struct shard *shard, uint64_t tenant, int64_t id);

struct jobs_shard *jobs_of(struct shard *shard);
// The node goes down: drained, or because of a failure. What ends now ends because of that.
bool jobs_go_down(const struct task *task);
void job_request_stop(struct job *job);
// What another attempt may not meet again.
bool jobs_is_temporary(struct status st);
struct status jobs_no_such(struct task *task, int64_t id);
