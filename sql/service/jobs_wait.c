// SPDX-License-Identifier: GPL-3.0-or-later
//
// Waiting for jobs. Who waits on the shard that runs the job is woken when it ends; others look from time to time.
#include "core/log.h"
#include "core/shard.h"
#include "core/work.h"
#include "sql/service/jobs_internal.h"

#define WAIT_PAUSE_MIN_NS 1000000ull
#define WAIT_PAUSE_MAX_NS 100000000ull

// Adoption may have asked for the job, too: one of them runs it, and the other ends at once.
static bool is_here(const struct jobs_shard *jobs, uint64_t tenant, int64_t id)
{
    for (struct list_link *at = jobs->claims.next; at != &jobs->claims; at = at->next) {
        const struct run_request *request = container_of(at, struct run_request, link);
        if (request->tenant == tenant && request->id == id) return true;
    }
    for (struct list_link *at = jobs->running.next; at != &jobs->running; at = at->next) {
        const struct job *job = container_of(at, struct job, link);
        if (job->tenant == tenant && job->id == id) return true;
    }
    return false;
}

void jobs_wake_waiters(struct shard *shard, uint64_t tenant, int64_t id)
{
    struct jobs_shard *jobs = jobs_of(shard);
    if (is_here(jobs, tenant, id)) return;
    for (struct list_link *at = jobs->waiters.next; at != &jobs->waiters; at = at->next) {
        struct job_waiter *waiter = container_of(at, struct job_waiter, link);
        if (waiter->tenant != tenant || waiter->id != id) continue;
        waiter->let_go = true;
        wait_queue_wake_all(&waiter->queue, STATUS_OK);
    }
}

bool jobs_waiter_cancels(struct shard *shard, uint64_t tenant, int64_t id)
{
    const struct jobs_shard *jobs = jobs_of(shard);
    for (struct list_link *at = jobs->waiters.next; at != &jobs->waiters; at = at->next) {
        const struct job_waiter *waiter = container_of(at, struct job_waiter, link);
        if (waiter->tenant == tenant && waiter->id == id && waiter->cancels) return true;
    }
    return false;
}

// One look at the record: whether the wait is over, and what it gives then.
static struct status look(struct task *task, uint64_t tenant, int64_t id, enum job_status *status, bool *over)
{
    struct arena_mark mark = arena_mark(task->arena);
    struct job *job;
    struct status st = job_read(task, tenant, task->arena, id, &job);
    *over = true;
    if (failed(st)) {
        // What has been begun goes on: who waits for it may not be told that it did not come to be.
        *over = !jobs_is_temporary(st);
        return st;
    }
    if (job == NULL) return jobs_no_such(task, id);
    if (status != NULL) *status = job->status;
    if (job->status == JOB_SUCCEEDED || job->status == JOB_PAUSED) return STATUS_OK;
    if (job_status_terminal(job->status))
        return failed(job->error) ? job->error : status_make(E_QUERY_CANCELED, "the job was canceled");
    *over = false;
    arena_release(task->arena, mark);
    return STATUS_OK;
}

// With `here` not NULL the job was cancelled on this node, and the wait ends, too, when it is run no longer by whoever ran
// it when this began: *here is whether the record says that the job is over.
static struct status wait_until_ended(
    struct task *task, uint64_t tenant, int64_t id, enum job_status *status, bool *here)
{
    struct status st = STATUS_OK;
    struct job_waiter waiter = {.tenant = tenant, .id = id, .cancels = here != NULL};
    bool over = false;
    wait_queue_init(&waiter.queue);
    list_append(&jobs_of(task->shard)->waiters, &waiter.link);
    for (uint64_t pause = WAIT_PAUSE_MIN_NS;;) {
        const bool let_go = waiter.let_go;
        waiter.let_go = false;
        st = look(task, tenant, id, status, &over);
        if (over || (here != NULL && let_go && !failed(st))) break;
        if (waiter.let_go) continue;
        st = task_wait_until(task, &waiter.queue, task_now_ns(task) + pause, STATUS_OK);
        if (failed(st)) break;
        pause = pause * 2 > WAIT_PAUSE_MAX_NS ? WAIT_PAUSE_MAX_NS : pause * 2;
    }
    list_remove(&waiter.link);
    if (here != NULL) *here = over;
    return st;
}

struct status job_wait(struct task *task, uint64_t tenant, int64_t id, enum job_status *status)
{
    return wait_until_ended(task, tenant, id, status, NULL);
}

// --- the statement that is cancelled ----------------------------------------------------------------------------

struct take_back {
    uint64_t tenant;
    int64_t id;
    enum job_status status;
    struct status outcome; // Of the job.
    bool ended;
    bool found; // The job, or whoever is about to run it, on this node.
};

static struct status cancel_here(struct task *task, void *arg)
{
    struct take_back *call = arg;
    struct jobs_shard *jobs = jobs_of(task->shard);
    for (struct list_link *at = jobs->claims.next; at != &jobs->claims; at = at->next) {
        struct run_request *request = container_of(at, struct run_request, link);
        if (request->tenant != call->tenant || request->id != call->id) continue;
        call->found = request->cancelled = true;
    }
    for (struct list_link *at = jobs->running.next; at != &jobs->running; at = at->next) {
        struct job *job = container_of(at, struct job, link);
        if (job->tenant != call->tenant || job->id != call->id || job->type->not_cancelable) continue;
        call->found = true;
        // One that reverts does so to its end.
        if (job->status != JOB_RUNNING || job->task == NULL) continue;
        job->cancelled = true;
        job_request_stop(job);
    }
    return STATUS_OK;
}

// Where the job runs, which is this shard unless it was adopted since. The record need not know: who runs the job writes
// there that it was cancelled, in the transaction that takes back what it did.
static struct status cancel_on_node(struct task *task, struct take_back *call)
{
    struct status st = cancel_here(task, call);
    const uint32_t count = task->shard->node->shard_count;
    for (uint32_t i = 0; i < count && !call->found && !failed(st); i++)
        if (i != task->shard->index) st = shard_call(task, i, cancel_here, call);
    return st;
}

// By its record, wherever it is.
static struct status cancel_recorded(struct task *task, struct take_back *call)
{
    struct status st = STATUS_OK;
    for (uint64_t pause = WAIT_PAUSE_MIN_NS;; pause *= 2) {
        st = job_cancel(task, call->tenant, call->id, false);
        if (!failed(st) || !jobs_is_temporary(st)) break;
        if (pause > WAIT_PAUSE_MAX_NS) pause = WAIT_PAUSE_MAX_NS;
        TRY(task_sleep(task, pause));
    }
    // It has ended, or reverts for a reason of its own.
    if (status_is(st, E_NOT_IN_PREREQUISITE_STATE)) st = STATUS_OK;
out:
    return st;
}

static struct status take_back(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct take_back *call = arg;
    bool over = false;
    task->deadline_ns = task_now_ns(task) + JOB_TAKE_BACK_NS; // Only here: whoever called puts its own back.
    TRY(cancel_on_node(task, call));
    if (call->found) {
        call->outcome = wait_until_ended(task, call->tenant, call->id, &call->status, &over);
        TRY(task_check(task));
    }
    if (!over || call->status == JOB_PAUSED) {
        TRY(cancel_recorded(task, call));
        call->outcome = wait_until_ended(task, call->tenant, call->id, &call->status, NULL);
    }
    st = task_check(task);
    call->ended = !failed(st);

out:
    return st;
}

struct status job_wait_own(
    struct task *task, uint64_t tenant, int64_t id, enum job_status *status)
{
    struct status st = job_wait(task, tenant, id, status);
    const struct status because = task_check(task);
    if (!status_is(because, E_QUERY_CANCELED)) return st;
    struct take_back call = {.tenant = tenant, .id = id};
    st = task_uncancelled(task, take_back, &call);
    if (!call.ended) {
        log_info(tenant, "job %lld: cancelled with its statement: %s", (long long)id, st.message);
        return status_hint(task->arena, because, "Job %lld goes on; SHOW JOBS shows it.", (long long)id);
    }
    if (status != NULL) *status = call.status;
    if (call.status == JOB_CANCELED) return because;
    task_cancel_clear(task);
    task->deadline_ns = UINT64_MAX;
    return call.outcome;
}
