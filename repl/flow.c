// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/flow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "sql/settings.h"

#define TICK_NS 50000000u
#define CONTROL_TICK_NS 100000000u
#define SILENCE_NS 30000000000ull // A stream that is not heard of for this long is given up.
#define SPLITS_MAX 1024u

METRIC_DEFINE(metric_replicated, "physical_replication.replicated_time_seconds", METRIC_GAUGE,
    METRIC_SECONDS, false,
    "The replicated time, in seconds since 1970; 0 when nothing is replicated");
METRIC_DEFINE(metric_running, "physical_replication.running", METRIC_GAUGE, METRIC_COUNT, false,
    "Streams being received");
METRIC_DEFINE(metric_scanning, "physical_replication.scanning_ranges", METRIC_GAUGE, METRIC_COUNT,
    false, "Streams that send their backfill");
METRIC_DEFINE(metric_replans, "physical_replication.distsql_replan_count", METRIC_COUNTER,
    METRIC_COUNT, false,
    "Times that streams were planned anew because the source's topology had changed");

// --- news from the streams -----------------------------------------------------------------------------

static struct hlc_timestamp frontier_of(const struct consumer *consumer)
{
    struct hlc_timestamp frontier = HLC_MAX;
    for (uint32_t i = 0; i < consumer->partition_count; i++) {
        const struct partition *partition = &consumer->partitions[i];
        if (!partition->scanned || hlc_is_zero(partition->frontier)) return HLC_ZERO;
        frontier = hlc_min(frontier, partition->frontier);
    }
    return consumer->partition_count == 0 ? HLC_ZERO : frontier;
}

static void resume_take(struct partition *partition, struct bytes key)
{
    if (key.size > partition->resume_capacity) {
        uint8_t *grown = realloc(partition->resume, key.size);
        invariant(grown != NULL);
        partition->resume = grown;
        partition->resume_capacity = key.size;
    }
    if (key.size > 0) memcpy(partition->resume, key.data, key.size);
    partition->resume_size = key.size;
}

static void count_scanning(const struct consumer *consumer)
{
    int64_t scanning = 0;
    for (uint32_t i = 0; i < consumer->partition_count; i++)
        scanning += !consumer->partitions[i].scanned;
    metric_set(&metric_scanning, 0, scanning);
}

void flow_news(struct task *task, const struct partition_news *news)
{
    struct partition *partition = news->partition;
    struct consumer *consumer = partition->consumer;
    partition->heard_ns = task_now_ns(task);
    partition->bytes += news->bytes;
    if (news->resume.data != NULL && !partition->scanned) resume_take(partition, news->resume);
    if (news->scanned && !partition->scanned) {
        partition->scanned = true;
        partition->resume_size = 0;
        // The backfill is of that time: what was committed up to it is here.
        partition->frontier = hlc_max(partition->frontier, consumer->record->start);
        count_scanning(consumer);
    }
    // A mark before the end of the scan would be of another stream: streams do not send any.
    if (partition->scanned) partition->frontier = hlc_max(partition->frontier, news->resolved);
    struct hlc_timestamp frontier = frontier_of(consumer);
    if (!hlc_less(consumer->frontier, frontier)) return;
    consumer->frontier = frontier;
    consumer->advanced = true;
    metric_set(&metric_replicated, 0, (int64_t)(frontier.wall_ns / 1000000000u));
    bool reached = !hlc_is_zero(consumer->record->cutover) &&
                   hlc_less_equal(consumer->record->cutover, frontier);
    if (reached || consumer->record->phase == CONSUMER_INITIALIZING)
        wait_queue_wake_all(&consumer->wake, STATUS_OK);
}

// --- the record ----------------------------------------------------------------------------------------

static uint64_t setting_ns(const struct consumer *consumer, const char *name)
{
    return settings_duration_ns(consumer->shard, TENANT_SYSTEM, name);
}

static struct hlc_timestamp retained_of(const struct consumer *consumer)
{
    const struct consumer_record *record = consumer->record;
    uint64_t retention_ns = (uint64_t)record->retention_s * 1000000000u;
    struct hlc_timestamp retained = record->replicated;
    retained.wall_ns = retained.wall_ns > retention_ns ? retained.wall_ns - retention_ns : 0;
    if (retention_ns > 0) retained.logical = 0;
    retained = hlc_max(retained, hlc_max(record->retained, record->start));
    // Where it is to be cut over to must stay readable until then.
    if (!hlc_is_zero(record->cutover))
        retained = hlc_min(retained, hlc_max(record->cutover, record->retained));
    return retained;
}

static struct status checkpoint(struct task *task, struct consumer *consumer)
{
    struct status st;
    struct consumer_record *record = consumer->record;
    struct arena arena;
    uint8_t id[16];
    arena_init(&arena, NULL);
    uint32_t count = consumer->partition_count;
    struct consumer_partition *partitions =
        ARENA_ARRAY(&arena, struct consumer_partition, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct partition *partition = &consumer->partitions[i];
        partitions[i] = (struct consumer_partition){.slice = partition->slice,
            .scanned = partition->scanned,
            .frontier = partition->frontier,
            .resume = bytes_of(partition->resume, partition->resume_size)};
    }
    if (count > 0) record->partitions = consumer_partitions_encode(&arena, partitions, count);
    record->replicated = hlc_max(record->replicated, consumer->frontier);
    if (!hlc_is_zero(record->replicated) && record->phase == CONSUMER_INITIALIZING)
        record->phase = CONSUMER_REPLICATING;
    record->retained = retained_of(consumer);
    // First the promise to keep no more, then the deed: what the record calls retained must be there.
    TRY(consumer_write(task, record));
    consumer->written_ns = task_now_ns(task);
    if (hlc_less(consumer->protected, record->retained)) {
        consumer_protection_id(record->job, id);
        TRY(kv_protect_move(task, id, record->retained));
        consumer->protected = record->retained;
    }
out:
    record->partitions = (struct bytes){0}; // Lay in this arena; later writes leave what is stored.
    arena_fini(&arena);
    return st;
}

// --- planning ------------------------------------------------------------------------------------------

static void partitions_free(struct consumer *consumer)
{
    for (uint32_t i = 0; i < consumer->partition_count; i++)
        free(consumer->partitions[i].resume);
    free(consumer->partitions);
    consumer->partitions = NULL;
    consumer->partition_count = 0;
}

// Where a stream goes on. Streams of another topology do not count: a span may have come from a slice that was
// further behind. Then all go on from the replicated time, or scan again.
static struct status partition_resume(struct consumer *consumer, const struct source_spec *spec)
{
    struct status st;
    struct consumer_record *record = consumer->record;
    struct consumer_partition *saved;
    uint32_t saved_count;
    bool same = record->topology == spec->topology;
    TRY(consumer_partitions_decode(&consumer->arena, record->partitions, &saved, &saved_count));
    if (!same && saved_count > 0) metric_add(&metric_replans, 0, 1);
    for (uint32_t i = 0; i < consumer->partition_count; i++) {
        struct partition *partition = &consumer->partitions[i];
        const struct consumer_partition *old = NULL;
        for (uint32_t j = 0; same && j < saved_count; j++)
            if (saved[j].slice == partition->slice) old = &saved[j];
        if (old != NULL) {
            partition->scanned = old->scanned;
            partition->frontier = old->frontier;
            resume_take(partition, old->resume);
        } else if (!hlc_is_zero(record->replicated)) {
            partition->scanned = true;
            partition->frontier = record->replicated;
        }
    }
    record->topology = spec->topology;
    consumer->frontier = hlc_max(record->replicated, frontier_of(consumer));
out:
    return st;
}

static struct status partitions_make(struct consumer *consumer, const struct source_spec *spec)
{
    partitions_free(consumer);
    consumer->partitions = calloc(spec->count, sizeof *consumer->partitions);
    if (consumer->partitions == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    consumer->partition_count = spec->count;
    uint32_t shards = consumer->shard->node->shard_count;
    for (uint32_t i = 0; i < spec->count; i++)
        consumer->partitions[i] = (struct partition){.consumer = consumer,
            .slice = spec->partitions[i].slice,
            .bytes_estimate = spec->partitions[i].bytes,
            .target = (consumer->shard->index + i) % shards};
    return partition_resume(consumer, spec);
}

// Before anything is here: makes ranges as the source has them and spreads them over this node's slices.
static struct status split_target(
    struct task *task, struct consumer *consumer, const struct source_spec *spec)
{
    struct status st;
    struct arena arena;
    struct kv_slice_info *slices;
    uint32_t slice_count, splits = 0;
    arena_init(&arena, NULL);
    struct span all = key_tenant_span(&arena, consumer->record->tenant);
    struct span source = key_tenant_span(&arena, consumer->record->source_tenant);
    TRY(kv_slices(task, &arena, &slices, &slice_count));
    for (uint32_t i = 0; i < spec->count && spec->count > 1; i++) {
        for (uint32_t j = 0; j < spec->partitions[i].span_count && splits < SPLITS_MAX; j++) {
            struct bytes start = spec->partitions[i].starts[j];
            if (!span_contains(source, start)) continue;
            start = key_rewrite_tenant(&arena, start, consumer->record->tenant);
            if (bytes_compare(start, all.start) > 0) TRY(kv_split(task, start));
            splits++;
        }
    }
    if (splits == 0) goto out;
    struct kv_range *ranges;
    uint32_t count;
    TRY(kv_ranges(task, all, &arena, &ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t slice = slices[i % slice_count].id;
        if (ranges[i].slice != slice) TRY(kv_move_empty(task, ranges[i].span, slice));
    }
out:
    // How data is spread decides about speed only.
    if (failed(st))
        log_warning(TENANT_SYSTEM, "ranges of virtual cluster %s were not spread: %s",
            consumer->record->tenant_name, st.message);
    arena_fini(&arena);
    return STATUS_OK;
}

static struct status plan(struct task *task, struct consumer *consumer, struct pgclient *client)
{
    struct status st;
    struct arena arena;
    struct source_spec spec;
    arena_init(&arena, NULL);
    TRY(source_spec(task, client, &arena, consumer->record->stream, &spec));
    if (consumer->record->topology == 0) TRY(split_target(task, consumer, &spec));
    TRY(partitions_make(consumer, &spec));
    consumer->topology_ns = task_now_ns(task);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status check_topology(
    struct task *task, struct consumer *consumer, struct pgclient *client)
{
    struct status st;
    struct arena arena;
    struct source_spec spec;
    arena_init(&arena, NULL);
    TRY(source_spec(task, client, &arena, consumer->record->stream, &spec));
    if (spec.topology != consumer->record->topology)
        st = status_make(E_NOT_IN_PREREQUISITE_STATE,
            "the topology of the replicated virtual cluster has changed");
    consumer->topology_ns = task_now_ns(task);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- streams -------------------------------------------------------------------------------------------

static struct status partition_task(struct task *task, void *arg)
{
    struct partition *partition = arg;
    struct consumer *consumer = partition->consumer;
    const struct consumer_record *record = consumer->record;
    bool compress = settings_bool(
        task->shard, TENANT_SYSTEM, "physical_replication.consumer.stream_compression.enabled");
    struct partition_run run = {.partition = partition,
        .home = task->shard->index,
        .uri = consumer->uri,
        .stream = record->stream,
        .topology = record->topology,
        .slice = partition->slice,
        .source_tenant = record->source_tenant,
        .tenant = record->tenant,
        .from = partition->scanned ? partition->frontier : record->start,
        .scan = !partition->scanned,
        .resume = arena_copy(task->arena, bytes_of(partition->resume, partition->resume_size)),
        .codec = compress ? arena_strdup(task->arena,
                                settings_string(task->shard, TENANT_SYSTEM,
                                    "physical_replication.consumer.stream_compression.codec"))
                          : "none",
        .resolved_ms =
            setting_ns(consumer, "physical_replication.producer.min_checkpoint_frequency") /
            1000000u};
    if (run.resolved_ms == 0) run.resolved_ms = 1;
    partition->task = task;
    return shard_call(task, partition->target, partition_stream, &run);
}

static void partition_ended(struct task *task, struct status st, void *arg)
{
    struct partition *partition = arg;
    (void)task;
    // The status' memory goes with the task.
    snprintf(partition->reason, sizeof partition->reason, "%s",
        failed(st) ? st.message : "the stream has ended");
    partition->status = status_make(failed(st) ? st.code : E_CONNECTION_FAILURE, partition->reason);
    partition->running = false;
    partition->task = NULL;
    partition->consumer->running_count--;
    wait_queue_wake_all(&partition->consumer->wake, STATUS_OK);
}

static struct status streams_start(struct task *task, struct consumer *consumer)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < consumer->partition_count; i++) {
        struct partition *partition = &consumer->partitions[i];
        struct task_options options = {.fn = partition_task,
            .arg = partition,
            .kind = "replication stream",
            .class = consumer_job.class,
            .ended = partition_ended,
            .ended_arg = partition};
        partition->heard_ns = task_now_ns(task);
        partition->status = STATUS_OK;
        TRY(task_start(task->shard, &options));
        partition->running = true;
        consumer->running_count++;
    }
    metric_set(&metric_running, 0, consumer->running_count);
    count_scanning(consumer);
out:
    return st;
}

// Returns when none runs any more, whatever happens to this task meanwhile.
static void streams_stop(struct task *task, struct consumer *consumer)
{
    while (consumer->running_count > 0) {
        for (uint32_t i = 0; i < consumer->partition_count; i++) {
            struct partition *partition = &consumer->partitions[i];
            if (partition->running && partition->task != NULL)
                task_cancel(partition->task,
                    status_make(E_QUERY_CANCELED, "the replication stream is stopped"));
        }
        if (consumer->control != NULL)
            task_cancel(consumer->control,
                status_make(E_QUERY_CANCELED, "the replication stream is stopped"));
        task_cancel_clear(task);
        uint64_t deadline = task->deadline_ns;
        task->deadline_ns = UINT64_MAX;
        struct status st =
            task_wait_until(task, &consumer->wake, task_now_ns(task) + TICK_NS, STATUS_OK);
        task->deadline_ns = deadline;
        if (failed(st)) continue; // Cancelled again: the streams have to end all the same.
    }
    metric_set(&metric_running, 0, 0);
    metric_set(&metric_scanning, 0, 0);
}

static struct status streams_check(struct task *task, const struct consumer *consumer)
{
    if (failed(consumer->control_status)) return status_copy(task->arena, consumer->control_status);
    for (uint32_t i = 0; i < consumer->partition_count; i++) {
        const struct partition *partition = &consumer->partitions[i];
        if (failed(partition->status)) return status_copy(task->arena, partition->status);
        if (task_now_ns(task) - partition->heard_ns > SILENCE_NS)
            return status_make(E_CONNECTION_FAILURE, "the source cluster has fallen silent");
    }
    return STATUS_OK;
}

// --- the attempt ---------------------------------------------------------------------------------------

static struct status heartbeat(
    struct task *task, struct consumer *consumer, struct pgclient *client)
{
    struct status st;
    enum source_status status;
    consumer->heartbeat_ns = task_now_ns(task);
    TRY(source_progress(
        task, client, consumer->record->stream, consumer->record->retained, &status));
    if (status == SOURCE_INACTIVE)
        st = status_format(task->arena, E_SOURCE_GONE,
            "the producer job %" PRId64 " in the source cluster is no longer active",
            consumer->record->stream);
    if (status == SOURCE_PAUSED)
        st = status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
            "the producer job %" PRId64 " in the source cluster is paused",
            consumer->record->stream);
out:
    return st;
}

// Talks to the primary while the streams run: a task of its own, since a primary that hangs must not hold up a
// cutover.
static struct status control_task(struct task *task, void *arg)
{
    struct status st;
    struct consumer *consumer = arg;
    consumer->control = task;
    for (;;) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(task_sleep(task, CONTROL_TICK_NS));
        uint64_t now = task_now_ns(task);
        if (now - consumer->heartbeat_ns >=
            setting_ns(consumer, "physical_replication.consumer.heartbeat_frequency"))
            TRY(heartbeat(task, consumer, consumer->client));
        if (now - consumer->topology_ns >=
            setting_ns(consumer, "physical_replication.consumer.replan_flow_frequency"))
            TRY(check_topology(task, consumer, consumer->client));
        arena_release(task->arena, mark);
    }
out:
    return st;
}

static void control_ended(struct task *task, struct status st, void *arg)
{
    struct consumer *consumer = arg;
    (void)task;
    snprintf(consumer->control_reason, sizeof consumer->control_reason, "%s", st.message);
    consumer->control_status = status_make(st.code, consumer->control_reason);
    consumer->control = NULL;
    consumer->running_count--;
    wait_queue_wake_all(&consumer->wake, STATUS_OK);
}

static struct status control_start(
    struct task *task, struct consumer *consumer, struct pgclient *client)
{
    struct task_options options = {.fn = control_task,
        .arg = consumer,
        .kind = "replication control",
        .class = consumer_job.class,
        .ended = control_ended,
        .ended_arg = consumer};
    consumer->client = client;
    consumer->control_status = STATUS_OK;
    struct status st = task_start(task->shard, &options);
    if (!failed(st)) consumer->running_count++;
    return st;
}

static double scanned_share(const struct consumer *consumer)
{
    uint64_t total = 0, done = 0;
    for (uint32_t i = 0; i < consumer->partition_count; i++) {
        const struct partition *partition = &consumer->partitions[i];
        uint64_t estimate = partition->bytes_estimate + 1;
        total += estimate;
        done += partition->scanned || partition->bytes > estimate ? estimate : partition->bytes;
    }
    return total == 0 ? 0 : 0.99 * (double)done / (double)total;
}

static struct status tell_start(struct task *task, struct consumer *consumer)
{
    char time[HLC_TEXT_BYTES];
    bool scanning = hlc_is_zero(consumer->frontier);
    return job_update(task, consumer->job, consumer->job->progress, -1,
        arena_printf(task->arena, "resuming stream (producer job %" PRId64 ") from %s",
            consumer->record->stream,
            hlc_format(scanning ? consumer->record->start : consumer->frontier, time)));
}

static struct status tell_status(struct task *task, struct consumer *consumer, const char **told)
{
    // What is written down, not what is known: it holds after a crash, too.
    bool scanning = hlc_is_zero(consumer->record->replicated);
    const char *text = scanning ? "running initial scan" : "replicating";
    double share = scanning ? scanned_share(consumer) : -1;
    if (*told == text && share < consumer->job->fraction + 0.05) return STATUS_OK;
    *told = text;
    return job_update(task, consumer->job, consumer->job->progress, share, text);
}

static struct status follow(struct task *task, struct consumer *consumer)
{
    struct status st = STATUS_OK;
    struct consumer_record *record = consumer->record;
    const char *told = NULL;
    for (;;) {
        TRY(job_check(consumer->job));
        uint64_t now = task_now_ns(task);
        if (consumer->advanced && record->error[0] != '\0') {
            // It goes on: what was wrong is over.
            consumer->error[0] = '\0';
            record->error = "";
            consumer->poked = true;
        }
        bool first = record->phase == CONSUMER_INITIALIZING && !hlc_is_zero(consumer->frontier);
        bool reached =
            !hlc_is_zero(record->cutover) && hlc_less_equal(record->cutover, consumer->frontier);
        uint64_t every_ns =
            setting_ns(consumer, "physical_replication.consumer.job_checkpoint_frequency");
        if (first || reached || consumer->poked ||
            (every_ns > 0 && now - consumer->written_ns >= every_ns)) {
            consumer->poked = false;
            TRY(checkpoint(task, consumer));
            TRY(tell_status(task, consumer, &told));
        }
        if (!hlc_is_zero(record->cutover) && hlc_less_equal(record->cutover, record->replicated))
            break;
        TRY(streams_check(task, consumer));
        TRY(task_wait_until(task, &consumer->wake, now + TICK_NS, STATUS_OK));
    }
out:
    return st;
}

struct status flow_run(struct task *task, struct consumer *consumer)
{
    struct status st;
    struct pgclient *client = NULL;
    consumer->connecting = true;
    st = source_connect(task, consumer->uri, &client);
    if (failed(st) && !consumer->job->stop_requested)
        st = status_format(task->arena, st.code,
            "ingestion job %" PRId64
            " failed to connect to stream address or existing topology for planning: %s",
            consumer->job->id, st.message);
    TRY(st);
    TRY(heartbeat(task, consumer, client));
    TRY(plan(task, consumer, client));
    consumer->connecting = false;
    TRY(tell_start(task, consumer));
    log_info(TENANT_SYSTEM, "replication of virtual cluster %s: %u streams, %s from %" PRIu64,
        consumer->record->tenant_name, consumer->partition_count,
        hlc_is_zero(consumer->frontier) ? "scanning as of" : "following",
        hlc_is_zero(consumer->frontier) ? consumer->record->start.wall_ns
                                        : consumer->frontier.wall_ns);
    TRY(streams_start(task, consumer));
    TRY(control_start(task, consumer, client));
    st = follow(task, consumer);
out:
    consumer->connecting = false;
    if (failed(st)) st = status_copy(task->arena, st);
    if (consumer->partition_count > 0) {
        bool cancelled = task->cancelled;
        struct status cancel_status = task->cancel_status;
        streams_stop(task, consumer);
        struct status written = checkpoint(task, consumer);
        if (failed(written))
            log_warning(
                TENANT_SYSTEM, "progress of replication was not saved: %s", written.message);
        if (cancelled) task_cancel(task, cancel_status);
        partitions_free(consumer);
    }
    pgclient_close(client);
    return st;
}
