// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whoever serves a tenant adopts its unfinished jobs, and lets go of them before it stops.
#include <stdlib.h>

#include "core/log.h"
#include "sql/service/announce.h"
#include "sql/session/internal.h"
#include "sql/service/jobs_internal.h"
#include "sql/service/settings.h"

#define ADOPT_INTERVAL_NS 5000000000ull
#define CLEAN_INTERVAL_NS 3600000000000ull

static struct status adopt(struct task *task, uint64_t tenant)
{
    struct status st = STATUS_OK;
    struct internal_result result;
    struct datum params[] = {datum_int(job_coordinator(task->shard))};

    TRY(internal_query(task, tenant, NULL, task->arena, &result,
        "SELECT id, coordinator_id FROM system.public.jobs WHERE status IN ('pending', 'running', "
        "'pause-requested', 'cancel-requested', 'reverting') AND "
        "(coordinator_id IS NULL OR coordinator_id <> $1 OR status = 'pending') AND "
        "(start_after <= now() OR coordinator_id <> $1) ORDER BY id",
        1, params, (const type_oid[]){TYPE_INT8}));
    for (uint64_t i = 0; i < result.row_count; i++) {
        struct datum coordinator = internal_value(&result, i, 1);
        uint32_t node = coordinator.null ? 0 : (uint32_t)((uint64_t)coordinator.integer >> JOB_INCARNATION_BITS);
        if (node != 0 && node != task->shard->node->id && cluster_alive(task->shard, node)) continue;
        TRY(job_start_committed(task, tenant, internal_value(&result, i, 0).integer));
    }
out:
    return st;
}

static struct status clean(struct task *task, uint64_t tenant)
{
    int64_t retention_us =
        (int64_t)(settings_duration_ns(task->shard, tenant, "jobs.retention_time") / 1000);
    struct datum params[] = {datum_int(retention_us)};
    return internal_query(task, tenant, NULL, task->arena, NULL,
        "DELETE FROM system.public.jobs WHERE finished < now() - $1 * interval '1 microsecond'", 1,
        params, (const type_oid[]){TYPE_INT8});
}

static struct status adoption_loop(struct task *task, void *arg)
{
    struct adoption *adoption = arg;
    uint64_t cleaned_ns = task_now_ns(task);
    adoption->task = task;
    while (!adoption->stop && !jobs_go_down(task)) {
        struct arena_mark mark = arena_mark(task->arena);
        struct status st = adopt(task, adoption->tenant);
        if (!failed(st) && task_now_ns(task) - cleaned_ns > CLEAN_INTERVAL_NS) {
            cleaned_ns = task_now_ns(task);
            st = clean(task, adoption->tenant);
        }
        if (failed(st) && !adoption->stop)
            log_info(adoption->tenant, "adopting jobs: %s", st.message);
        arena_release(task->arena, mark);
        st = task_sleep(task, ADOPT_INTERVAL_NS);
        if (failed(st)) break;
    }
    adoption->task = NULL;
    return STATUS_OK;
}

static void adoption_ended(struct task *task, struct status st, void *arg)
{
    struct adoption *adoption = arg;
    (void)task;
    (void)st;
    list_remove(&adoption->link);
    free(adoption);
}

struct status jobs_tenant_start(struct task *task, uint64_t tenant)
{
    struct jobs_shard *jobs = jobs_of(task->shard);
    struct adoption *adoption = calloc(1, sizeof *adoption);
    if (adoption == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    adoption->tenant = tenant;
    list_append(&jobs->adoptions, &adoption->link);
    struct task_options options = {.fn = adoption_loop,
        .arg = adoption,
        .kind = "job adoption",
        .tenant = tenant,
        .class = TASK_DEFAULT,
        .ended = adoption_ended,
        .ended_arg = adoption};
    struct status st = task_start(task->shard, &options);
    if (failed(st)) {
        list_remove(&adoption->link);
        free(adoption);
    }
    return st;
}

struct quiet_call {
    uint64_t tenant;
    bool busy;
};

// Asks everything of the tenant on this shard to end, and says whether something is still there.
static struct status quiet_here(struct task *task, void *arg)
{
    struct quiet_call *call = arg;
    struct jobs_shard *jobs = jobs_of(task->shard);
    for (struct list_link *at = jobs->adoptions.next; at != &jobs->adoptions; at = at->next) {
        struct adoption *adoption = container_of(at, struct adoption, link);
        if (adoption->tenant != call->tenant) continue;
        call->busy = true;
        if (adoption->stop) continue;
        adoption->stop = true;
        if (adoption->task != NULL)
            task_cancel(adoption->task, status_make(E_QUERY_CANCELED, "the service stops"));
    }
    for (struct list_link *at = jobs->claims.next; at != &jobs->claims; at = at->next) {
        struct run_request *request = container_of(at, struct run_request, link);
        if (request->tenant != call->tenant) continue;
        call->busy = true;
        // Not a claim that may be kept while nobody runs the job, unless all of it ends anyway.
        if (request->task != NULL && jobs_go_down(task))
            task_cancel(request->task, status_make(E_QUERY_CANCELED, "the service stops"));
    }
    for (struct list_link *at = jobs->running.next; at != &jobs->running; at = at->next) {
        struct job *job = container_of(at, struct job, link);
        if (job->tenant != call->tenant) continue;
        call->busy = true;
        job_request_stop(job);
    }
    return STATUS_OK;
}

struct status jobs_tenant_stop(struct task *task, uint64_t tenant)
{
    struct status st = STATUS_OK;
    for (;;) {
        struct quiet_call call = {.tenant = tenant};
        // One shard after the other: the answer is gathered in one place.
        for (uint32_t i = 0; i < task->shard->node->shard_count; i++)
            TRY(shard_call(task, i, quiet_here, &call));
        if (!call.busy) break;
        TRY(task_sleep(task, 2000000));
    }
out:
    return st;
}
