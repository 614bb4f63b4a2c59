// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/consumer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/log.h"
#include "kv/admin.h"
#include "repl/connection.h"
#include "repl/cutover.h"
#include "repl/failback.h"
#include "repl/flow.h"
#include "repl/internal.h"
#include "sql/service/announce.h"
#include "sql/service/settings.h"

#define DELAY_FIRST_NS 100000000u
#define DELAY_MAX_NS 15000000000ull
#define POLL_NS 100000000u
#define TELL_TIMEOUT_NS 5000000000ull
#define CHECKPOINT_WAIT_NS 2000000000u
#define CHECKPOINT_POLL_NS 5000000u

// --- seen from elsewhere -----------------------------------------------------------------------------

// A shard's part, in SHARD_SLOT_REPL.
struct repl_shard {
    struct list_link running; // struct consumer
    struct shard *shard;
    struct shard_exit_hook exit_hook;
};

static void on_exit_of_shard(struct shard_exit_hook *hook)
{
    struct repl_shard *repl = container_of(hook, struct repl_shard, exit_hook);
    repl->shard->slots[SHARD_SLOT_REPL] = NULL;
    free(repl);
}

static struct list_link *running_consumers(struct shard *shard)
{
    struct repl_shard *repl = shard->slots[SHARD_SLOT_REPL];
    if (repl == NULL) {
        repl = calloc(1, sizeof *repl);
        invariant(repl != NULL);
        list_init(&repl->running);
        repl->shard = shard;
        repl->exit_hook.fn = on_exit_of_shard;
        shard_at_exit(shard, &repl->exit_hook);
        shard->slots[SHARD_SLOT_REPL] = repl;
    }
    return &repl->running;
}

static struct consumer *find(struct shard *shard, int64_t job)
{
    struct list_link *list = running_consumers(shard);
    for (struct list_link *at = list->next; at != list; at = at->next) {
        struct consumer *consumer = container_of(at, struct consumer, link);
        if (consumer->record->job == job) return consumer;
    }
    return NULL;
}

static struct status poke_heard(struct task *task, struct bytes body)
{
    uint64_t job;
    if (!announced_u64(body, &job)) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    struct consumer *consumer = find(task->shard, (int64_t)job);
    if (consumer == NULL) return STATUS_OK;
    consumer->poked = true;
    wait_queue_wake_all(&consumer->wake, STATUS_OK);
    // A primary that does not answer must not keep a cutover waiting.
    if (consumer->connecting && consumer->job->task != NULL) {
        consumer->connecting = false;
        consumer->interrupted = true;
        task_cancel(consumer->job->task,
            status_make(E_QUERY_CANCELED, "the replication job looks at its record anew"));
    }
    return STATUS_OK;
}

// Until the next checkpoint, in bounded time: what is asked for is as new as can be, not more.
static struct status checkpoint_heard(struct task *task, struct bytes body)
{
    struct status st = STATUS_OK;
    uint64_t job;
    if (!announced_u64(body, &job)) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    struct consumer *consumer = find(task->shard, (int64_t)job);
    if (consumer == NULL || !consumer->following) return STATUS_OK;
    uint64_t before = consumer->checkpoints, until = task_now_ns(task) + CHECKPOINT_WAIT_NS;
    consumer->poked = true;
    wait_queue_wake_all(&consumer->wake, STATUS_OK);
    // A checkpoint that is under way may not have all: one more.
    while (task_now_ns(task) < until) {
        TRY(task_sleep(task, CHECKPOINT_POLL_NS));
        consumer = find(task->shard, (int64_t)job);
        if (consumer == NULL || !consumer->following || consumer->checkpoints > before + 1) break;
        if (consumer->checkpoints > before && !consumer->poked) consumer->poked = true;
    }
out:
    return st;
}

static const struct cluster_announcement announcement = {
    .id = ANNOUNCE_POKE, .name = "a replication job's new goal", .heard = poke_heard};
static const struct cluster_announcement checkpoint_announcement = {.id = ANNOUNCE_CHECKPOINT,
    .name = "a replication job's checkpoint",
    .heard = checkpoint_heard};

void consumer_announcements_register(void)
{
    cluster_announcement_register(&announcement);
    cluster_announcement_register(&checkpoint_announcement);
}

struct status consumer_poke(struct task *task, int64_t job)
{
    return announce_u64(task, ANNOUNCE_POKE, (uint64_t)job);
}

struct status consumer_checkpoint(struct task *task, int64_t job)
{
    return announce_u64(task, ANNOUNCE_CHECKPOINT, (uint64_t)job);
}

// --- retrying ----------------------------------------------------------------------------------------

static struct status reload(struct task *task, struct consumer *consumer)
{
    struct consumer_record *record;
    struct arena arena = consumer->arena;
    arena_init(&consumer->arena, NULL);
    struct status st = consumer_read(task, NULL, &consumer->arena, consumer->job->id, &record);
    if (!failed(st) && record == NULL)
        st = status_make(E_DATA_CORRUPTED, "the record of this replication job is gone");
    if (failed(st)) {
        st = status_copy(task->arena, st);
        arena_fini(&consumer->arena);
        consumer->arena = arena;
        return st;
    }
    consumer->record = record;
    arena_fini(&arena);
    return st;
}

static bool is_permanent(struct status st)
{
    return status_is(st, E_SOURCE_GONE) || status_is(st, E_INSUFFICIENT_PRIVILEGE) ||
           status_is(st, E_INVALID_PARAMETER_VALUE) || status_is(st, E_UNDEFINED_OBJECT) ||
           status_is(st, E_UNDEFINED_FUNCTION) || status_is(st, E_FEATURE_NOT_SUPPORTED);
}

static struct status error_set(struct task *task, struct consumer *consumer, const char *error)
{
    snprintf(consumer->error, sizeof consumer->error, "%s", error);
    consumer->record->error = consumer->error;
    return consumer_write(task, consumer->record);
}

// Waits before the next attempt; a poke ends it, since a cutover may need no attempt at all.
static struct status wait_for_retry(struct task *task, struct consumer *consumer, uint64_t delay_ns)
{
    struct status st = STATUS_OK;
    uint64_t until = task_now_ns(task) + delay_ns;
    while (!consumer->poked && task_now_ns(task) < until) {
        TRY(job_check(consumer->job));
        TRY(task_wait_until(task, &consumer->wake, task_now_ns(task) + POLL_NS, STATUS_OK));
    }
    consumer->poked = false;
out:
    return st;
}

// The job is never failed by the outside world: it pauses, and nothing is lost.
static struct status give_up(struct task *task, struct consumer *consumer)
{
    struct status st;
    log_error(TENANT_SYSTEM, "replication of virtual cluster %s is paused: %s",
        consumer->record->tenant_name, consumer->error);
    char *text =
        arena_printf(task->arena, "ingestion job failed (%s) but is being paused", consumer->error);
    TRY(job_update(task, consumer->job, consumer->job->progress, -1, text));
    TRY(job_pause(task, TENANT_SYSTEM, consumer->job->id, consumer->error));
    st = status_make(E_QUERY_CANCELED, "the replication job is paused");
out:
    return st;
}

static uint64_t next_delay(uint64_t delay_ns)
{
    if (delay_ns == 0) return DELAY_FIRST_NS;
    return delay_ns * 2 > DELAY_MAX_NS ? DELAY_MAX_NS : delay_ns * 2;
}

static struct status run(struct task *task, struct consumer *consumer)
{
    struct status st;
    uint64_t failing_since_ns = 0, delay_ns = 0, replan_delay_ns = 0;
    for (;;) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(job_check(consumer->job));
        TRY(job_check_own(task, consumer->job));
        TRY(reload(task, consumer));
        struct consumer_record *record = consumer->record;
        bool reached =
            !hlc_is_zero(record->cutover) && hlc_less_equal(record->cutover, record->replicated);
        bool done = record->phase >= CONSUMER_DONE;
        if (done) break;
        consumer->advanced = false;
        struct status outcome;
        if (record->phase == CONSUMER_PREPARING)
            outcome = failback_prepare(task, consumer);
        else if (reached)
            outcome = cutover_run(task, consumer, &done);
        else
            outcome = flow_run(task, consumer);
        st = outcome;
        if (done) break;
        if (consumer->interrupted) {
            consumer->interrupted = false;
            if (!consumer->job->stop_requested) task_cancel_clear(task);
            continue;
        }
        if (!failed(outcome)) continue;
        TRY(job_check(consumer->job));
        st = outcome;
        if (node_stopping(task->shard->node) || task->shard->node->draining) break;
        if (status_is(outcome, E_REPLAN)) {
            // Nothing is wrong; but a plan that comes to nothing is not made over and over at full speed.
            replan_delay_ns = consumer->advanced ? 0 : next_delay(replan_delay_ns);
            if (replan_delay_ns > 0) TRY(wait_for_retry(task, consumer, replan_delay_ns));
            arena_release(task->arena, mark);
            continue;
        }
        if (consumer->advanced || failing_since_ns == 0) {
            failing_since_ns = task_now_ns(task);
            delay_ns = 0;
        }
        delay_ns = next_delay(delay_ns);
        log_warning(TENANT_SYSTEM, "replication of virtual cluster %s: %s", record->tenant_name,
            outcome.message);
        bool hopeless = is_permanent(outcome);
        TRY(error_set(task, consumer, outcome.message));
        uint64_t patience_ns = settings_duration_ns(
            task->shard, TENANT_SYSTEM, "physical_replication.consumer.retry_duration");
        if (hopeless || task_now_ns(task) - failing_since_ns >= patience_ns) {
            st = give_up(task, consumer);
            break;
        }
        TRY(wait_for_retry(task, consumer, delay_ns));
        arena_release(task->arena, mark);
    }
out:
    return st;
}

// --- the job -----------------------------------------------------------------------------------------

// What this cluster's own storage refuses is tried again, too: only a record that cannot be read ends the job.
static struct status never_fails(struct task *task, const struct job *job, struct status st)
{
    if (job->stop_requested) return status_make(E_QUERY_CANCELED, "the job was asked to stop");
    if (status_is(st, E_DATA_CORRUPTED)) return status_copy(task->arena, st);
    return status_format(task->arena, E_CONNECTION_EXCEPTION, "%s", st.message);
}

static struct status consumer_resume(struct task *task, struct job *job)
{
    struct status st;
    struct consumer consumer = {.shard = task->shard, .job = job};
    arena_init(&consumer.arena, NULL);
    wait_queue_init(&consumer.wake);
    TRY(connection_resolve(
        task, task->arena, arena_string(task->arena, job->payload), &consumer.uri));
    TRY(reload(task, &consumer));
    list_append(running_consumers(task->shard), &consumer.link);
    st = run(task, &consumer);
    list_remove(&consumer.link);
    if (status_is(st, E_JOB_TAKEN)) job->stop_requested = true;
out:
    if (failed(st)) st = never_fails(task, job, st);
    arena_fini(&consumer.arena);
    return st;
}

// Cancelled: the virtual cluster stays as it is, to be dropped; the primary need not keep anything for it.
static struct status consumer_revert(struct task *task, struct job *job)
{
    struct status st;
    struct consumer_record *record;
    uint8_t id[16];
    TRY(consumer_read(task, NULL, task->arena, job->id, &record));
    if (record == NULL) goto out;
    struct progress progress;
    progress_addresses(task->arena, record->partitions, &progress);
    const char *uri = arena_string(task->arena, job->payload);
    struct status resolved = connection_resolve(task, task->arena, uri, &uri);
    struct source_where where = {.uri = uri,
        .cluster_id = record->source_cluster,
        .addresses = progress.addresses,
        .address_count = progress.address_count};
    struct status told = failed(resolved)
        ? resolved : source_complete_at(task, &where, record->stream, false, TELL_TIMEOUT_NS);
    if (failed(told))
        log_warning(TENANT_SYSTEM,
            "the producer job %" PRId64 " in the source cluster was not told: %s", record->stream,
            told.message);
    consumer_protection_id(job->id, id);
    TRY(kv_unprotect(task, id));
    record->phase = CONSUMER_CANCELED;
    st = consumer_write(task, record);
out:
    return st;
}

const struct job_type consumer_job = {
    .name = "REPLICATION STREAM INGESTION",
    .resume = consumer_resume,
    .revert = consumer_revert,
    .class = TASK_DEFAULT,
};

void consumer_register(void)
{
    consumer_record_register();
    job_type_register(&consumer_job);
}
