// SPDX-License-Identifier: GPL-3.0-or-later
//
// Jobs: long work with a durable record in system.jobs of its virtual cluster. A record survives restarts; a
// server that starts adopts the unfinished ones and goes on from their progress. Types are registered by
// whoever does the work: schema changes here, replication above.
//
//   pending -> running -> succeeded
//      |          |  `--> reverting -> failed | canceled | revert-failed
//      |          |-> pause-requested -> paused -> (RESUME) running
//      |          `-> cancel-requested -> reverting
// A job whose type can undo all that it did in one transaction goes from running (or cancel-requested) to failed or
// canceled at once.
//
// Shard    A job runs as one task on one shard; the registry of running ones is per node. Everything suspends.
// Time     created, started... are microseconds since 2000-01-01 UTC.
// Memory   struct job and its texts live in the job's task arena while it runs.
// Safety   A record changes only in transactions that check the status they start from.
// Errors   42704 job with ID n does not exist; 55000 for a change that its status forbids.
#pragma once
#include "core/arena.h"
#include "core/shard.h"
#include "core/status.h"
#include "core/task.h"

struct session;
struct statement_context;

enum job_status {
    JOB_PENDING,
    JOB_RUNNING,
    JOB_PAUSE_REQUESTED,
    JOB_PAUSED,
    JOB_CANCEL_REQUESTED,
    JOB_REVERTING,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_CANCELED,
    JOB_REVERT_FAILED,
};
const char *job_status_name(enum job_status status); // "pause-requested"
bool job_status_terminal(enum job_status status);

struct job {
    int64_t id;
    uint64_t tenant;
    const struct job_type *type;
    const char *description, *user_name;
    enum job_status status;
    struct bytes payload;  // What to do: written once.
    struct bytes progress; // How far it is: written by job_update.
    double fraction;
    const char *running_status;
    struct hlc_timestamp created;
    bool stop_requested;   // Set when it is to pause, to cancel, or the node drains.
    bool cancelled;        // By the statement that waits for it: its record does not say so yet.
    struct status error;   // Why it reverts.
    struct task *task;     // That runs it; NULL when only read.
    struct list_link link; // Of the running ones on this shard.
};

struct job_type {
    const char *name; // "SCHEMA CHANGE", "REPLICATION STREAM INGESTION"
    // Does the work, from job->progress on. Returning ok means succeeded. A failure means reverting (when
    // there is `revert`) or failed. After stop_requested it returns soon (57014 is fine): then it is paused
    // or reverted, not failed. Retryable errors (40001, 57P01, 08006) run it again after a pause.
    struct status (*resume)(struct task *task, struct job *job);
    // Undoes what was done; may be called again after a crash. May be NULL.
    struct status (*revert)(struct task *task, struct job *job);
    // The same, in the transaction that records the job's end; may be called again when that conflicts. For types whose
    // revert is one transaction; where it fails, revert is called. *stands: it cannot, as the last step was done and it
    // was not known (40003): the job has succeeded. May be NULL.
    struct status (*undo)(struct task *task, struct session *session, struct job *job, bool *stands);
    bool not_cancelable;
    bool automatic;        // Shown by SHOW AUTOMATIC JOBS only.
    enum task_class class; // TASK_BULK, unless it must keep up.
    // Called when PAUSE or RESUME is asked for; a failure refuses it. May be NULL.
    struct status (*on_pause)(struct task *task, struct job *job);
    struct status (*on_resume)(struct task *task, struct job *job);
};
void job_type_register(const struct job_type *type);

struct job_options {
    const struct job_type *type;
    const char *description, *user_name;
    struct bytes payload;
    const char *statement; // The SQL text, for SHOW JOBS; may be NULL.
    uint64_t delay_ns;     // Does not start before now + delay,
    bool while_here;       // unless this node goes down before that: then somebody starts it at once.
    int64_t id;            // 0: a new one.
    bool paused;           // Starts paused.
};
// Writes the record in the session's transaction (session NULL: in one of its own on `tenant`). The job starts
// once it has committed: at once after job_start_committed, else when adoption finds it.
CHECKED struct status job_create(struct task *task, uint64_t tenant, struct session *session,
    const struct job_options *options, int64_t *id);
// A fresh id, for records that must know it before.
int64_t job_new_id(struct shard *shard);
// Starts the job on this node now. To be called after commit.
CHECKED struct status job_start_committed(struct task *task, uint64_t tenant, int64_t id);
// Waits for a terminal status (or paused) and returns ok, or the job's error.
CHECKED struct status job_wait(
    struct task *task, uint64_t tenant, int64_t id, enum job_status *status);
// The same for the job of the statement that waits. When that is cancelled (57014; not when its session ends) the job is,
// too, and this returns what the cancel says once all is taken back. A job that runs on this node is stopped before
// anything is written, so that its writes are not waited for, and the transaction that takes them back records the cancel:
// a node that goes down before it leaves the job as one whose statement nobody has answered. A job that has ended before, or reverts already, is
// waited for: the cancel came too late then, and is over. Who is cancelled again, or has waited for JOB_TAKE_BACK_NS, is
// let go with a hint: the job goes on reverting, or (when nobody could be asked) as it was.
#define JOB_TAKE_BACK_NS 30000000000ull
CHECKED struct status job_wait_own(
    struct task *task, uint64_t tenant, int64_t id, enum job_status *status);

// From inside the job. Writes progress, fraction (negative: leave) and running status (NULL: leave).
// Fails with 57014 when the job was asked to stop, and with E_JOB_TAKEN, having written nothing, when another node
// runs it now.
CHECKED struct status job_update(struct task *task, struct job *job, struct bytes progress,
    double fraction, const char *running_status);
// 57014 when it was asked to stop. Cheap: call it in loops.
CHECKED struct status job_check(struct job *job);
// Whoever runs jobs on this node since its start, as system.jobs.coordinator_id says of the jobs that it runs. A node
// that was silent for long may have lost its jobs to others: what must not be written by two asks for it.
int64_t job_coordinator(struct shard *shard);
#define E_JOB_TAKEN SQLSTATE('K', '0', '2', '0', '1')
// E_JOB_TAKEN when another one runs the job now; it is asked to stop then.
CHECKED struct status job_check_own(struct task *task, struct job *job);
// Of the jobs of this module's statements: names of types, for PAUSE ALL x JOBS.
const struct job_type *job_type_at(uint32_t index); // NULL past the end.
// Fills *st (its arena: `arena`) with the error that a failed job left in its record.
CHECKED struct status job_error(
    struct task *task, uint64_t tenant, struct arena *arena, int64_t id, struct status *st);

// As PAUSE, RESUME and CANCEL JOB, without privilege checks. cancel forces even not_cancelable types when `force`.
CHECKED struct status job_pause(struct task *task, uint64_t tenant, int64_t id, const char *reason);
CHECKED struct status job_resume(struct task *task, uint64_t tenant, int64_t id);
CHECKED struct status job_cancel(struct task *task, uint64_t tenant, int64_t id, bool force);
// Reads a record; *job NULL when there is none.
CHECKED struct status job_read(
    struct task *task, uint64_t tenant, struct arena *arena, int64_t id, struct job **job);

// Adoption: starts every unfinished job of the tenant on this node, and keeps looking every few seconds.
// Called by the layer that serves the tenant; stop waits until its jobs have let go.
CHECKED struct status jobs_tenant_start(struct task *task, uint64_t tenant);
CHECKED struct status jobs_tenant_stop(struct task *task, uint64_t tenant);

void jobs_node_init(struct node *node); // On shard 0, before any tenant starts.
void jobs_node_fini(struct node *node);
void jobs_statements_register(void); // SHOW JOBS, PAUSE/RESUME/CANCEL JOB.
