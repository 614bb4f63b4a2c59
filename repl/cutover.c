// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/cutover.h"

#include <inttypes.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "repl/producer.h"
#include "sql/service/zone_object.h"
#include "tenant/tenant.h"

#define TELL_TIMEOUT_NS 10000000000ull
#define SLOW_CLOSE_NS 500000000ull // Of simulations.
#define RETAIN_ID_BIT 0x400 // Tells the job that keeps history from the consumer's.

METRIC_DEFINE(metric_cutover, "physical_replication.cutover_progress", METRIC_GAUGE, METRIC_COUNT,
    false, "Ranges of virtual clusters being cut over that are still to be reverted");
METRIC_DEFINE(metric_failover, "physical_replication.failover_progress", METRIC_GAUGE, METRIC_COUNT,
    false, "As physical_replication.cutover_progress");
METRIC_DEFINE(metric_undone, "physical_replication.cutover_reverted_versions", METRIC_COUNTER,
    METRIC_COUNT, false, "Versions undone by cutovers");

static void left_set(int64_t ranges)
{
    metric_set(&metric_cutover, 0, ranges);
    metric_set(&metric_failover, 0, ranges);
}

int64_t cutover_work_done(struct cutover_work *work, uint64_t slice)
{
    for (uint32_t i = work->count; i-- > 0;)
        if (work->slices[i] == slice) work->slices[i] = work->slices[--work->count];
    return work->count;
}

static void slice_done(void *arg, uint64_t slice, uint64_t removed)
{
    (void)removed;
    left_set(cutover_work_done(arg, slice));
}

// The slices that the virtual cluster's ranges are in, one for each range.
static struct status work_list(struct task *task, uint64_t tenant, struct cutover_work *work)
{
    struct status st;
    struct kv_range *ranges;
    uint32_t count;
    TRY(kv_ranges(task, key_tenant_span(task->arena, tenant), task->arena, &ranges, &count));
    *work = (struct cutover_work){.slices = ARENA_ARRAY(task->arena, uint64_t, count + 1), .count = count};
    for (uint32_t i = 0; i < count; i++) work->slices[i] = ranges[i].slice;
    left_set(count);
out:
    return st;
}

static struct status undo(struct task *task, struct consumer *consumer)
{
    struct status st;
    const struct consumer_record *record = consumer->record;
    struct cutover_work work;
    char time[HLC_TEXT_BYTES];
    uint64_t removed = 0;
    char *text = arena_printf(task->arena, "starting to cut over to the given timestamp %s",
        hlc_format(record->cutover, time));
    TRY(job_update(task, consumer->job, consumer->job->progress, -1, text));
    log_info(TENANT_SYSTEM, "virtual cluster %s: %s", record->tenant_name, text);
    TRY(work_list(task, record->tenant, &work));
    TRY(kv_revert_told(task, record->tenant, record->cutover, &removed, slice_done, &work));
    metric_add(&metric_undone, 0, (int64_t)removed);
    if (removed > 0) covered("cutover.undoes");
    log_info(TENANT_SYSTEM, "virtual cluster %s: %" PRIu64 " versions undone", record->tenant_name,
        removed);
out:
    return st;
}

void cutover_zones_tell(struct task *task, uint64_t tenant)
{
    struct status st = zone_objects_tell(task, tenant);
    if (!failed(st) || task->cancelled) return;
    log_warning(tenant, "zones of the virtual cluster that was cut over are told later: %s", st.message);
    zone_objects_note(task->shard, tenant);
}

static struct status promote(struct task *task, struct consumer *consumer)
{
    struct status st;
    const struct consumer_record *record = consumer->record;
    struct tenant *tenant;
    if (SIM_MAYBE("cutover.slow_close")) TRY(task_sleep(task, SLOW_CLOSE_NS));
    TRY(kv_ingest_end(task, record->tenant, record->cutover));
    TRY(tenant_read(task, NULL, task->arena, record->tenant, &tenant));
    if (tenant == NULL)
        TRY(status_make(
            E_UNDEFINED_OBJECT, "the virtual cluster was dropped while it was cut over"));
    if (tenant->data_state == TENANT_ADD) {
        const char *source =
            arena_printf(task->arena, "%s:%" PRIu64, record->source_cluster, record->source_tenant);
        TRY(tenant_set_prior_replication(task, record->tenant, source, record->cutover));
        TRY(tenant_set_data_state(task, record->tenant, TENANT_ADD, TENANT_READY));
    }
    cutover_zones_tell(task, record->tenant);
    // The former primary may want to follow, from there on.
    TRY(producer_retain(task, record->job ^ RETAIN_ID_BIT, record->tenant, record->tenant_name,
        record->cutover));
    // Not before it is ready: one without a consumer that is not ready counts as half made.
    if (tenant->replication_job != 0) TRY(tenant_set_replication_job(task, record->tenant, 0));
out:
    return st;
}

static void tell_source(struct task *task, struct consumer *consumer)
{
    const struct consumer_record *record = consumer->record;
    struct status st = job_update(task, consumer->job, consumer->job->progress, -1,
        arena_printf(task->arena, "completing the producer job %" PRId64 " in the source cluster",
            record->stream));
    struct source_where where = flow_source(consumer);
    struct progress progress;
    progress_addresses(task->arena, record->partitions, &progress);
    where.addresses = progress.addresses;
    where.address_count = progress.address_count;
    if (!failed(st)) st = source_complete_at(task, &where, record->stream, true, TELL_TIMEOUT_NS);
    if (failed(st))
        log_warning(TENANT_SYSTEM,
            "the producer job %" PRId64 " in the source cluster was not told of the cutover: %s",
            record->stream, st.message);
}

static struct status move(
    struct task *task, struct consumer *consumer, enum consumer_phase to, bool *moved)
{
    struct status st = consumer_move(task, consumer->record, to, moved);
    if (!failed(st) && *moved) consumer->record->phase = to;
    return st;
}

void cutover_metrics_register(void)
{
    left_set(0);
    metric_register(&metric_undone);
}

struct status cutover_run(struct task *task, struct consumer *consumer, bool *done)
{
    struct status st = STATUS_OK;
    struct consumer_record *record = consumer->record;
    uint8_t id[16];
    bool moved = true;
    *done = false;
    invariant(!hlc_is_zero(record->cutover) && hlc_less_equal(record->cutover, record->replicated));
    if (record->phase < CONSUMER_CUTTING_OVER) {
        TRY(move(task, consumer, CONSUMER_CUTTING_OVER, &moved));
        if (!moved) goto out;
    }
    if (record->phase == CONSUMER_CUTTING_OVER) {
        TRY(undo(task, consumer));
        TRY(move(task, consumer, CONSUMER_PROMOTING, &moved));
        left_set(0);
        if (!moved) goto out; // Another node has taken the job over meanwhile: look anew.
    }
    if (record->phase == CONSUMER_PROMOTING) {
        TRY(promote(task, consumer));
        consumer_protection_id(record->job, id);
        TRY(kv_unprotect(task, id));
        tell_source(task, consumer);
        TRY(move(task, consumer, CONSUMER_DONE, &moved));
    }
    *done = true;
    log_info(TENANT_SYSTEM, "virtual cluster %s is cut over and ready", record->tenant_name);
    st = job_update(
        task, consumer->job, consumer->job->progress, 1, "stream ingestion finished successfully");
out:
    left_set(0);
    return st;
}
