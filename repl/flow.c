// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/flow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "repl/producer.h"
#include "sql/service/settings.h"
#include "tenant/tenant.h"

#define TICK_NS 50000000u
#define FIRST_CHECK_NS 10000000000ull
#define JOIN_TIMEOUT_NS 5000000000ull
#define CONTROL_TICK_NS 100000000u
// A stream that is not heard of for this long is given up: while it comes to be, and once it gives marks.
#define SILENCE_NS 30000000000ull
#define SILENCE_FOLLOWING_NS 10000000000ull

METRIC_DEFINE(metric_replicated, "physical_replication.replicated_time_seconds", METRIC_GAUGE,
    METRIC_SECONDS, false,
    "The replicated time, in seconds since 1970; 0 when nothing is replicated");
METRIC_DEFINE(metric_running, "physical_replication.running", METRIC_GAUGE, METRIC_COUNT, false,
    "Streams being received");
METRIC_DEFINE(metric_scanning, "physical_replication.scanning_ranges", METRIC_GAUGE, METRIC_COUNT,
    false, "Streams that send their backfill");
METRIC_DEFINE(metric_catchup, "physical_replication.catchup_ranges", METRIC_GAUGE, METRIC_COUNT,
    false, "Streams that have no backfill left and have not given a mark yet");

// --- news from the streams -----------------------------------------------------------------------------

static void count_scanning(const struct consumer *consumer)
{
    int64_t scanning = 0, behind = 0;
    for (uint32_t i = 0; i < consumer->partition_count; i++) {
        scanning += !consumer->partitions[i].scanned;
        behind += consumer->partitions[i].scanned && !consumer->partitions[i].following;
    }
    metric_set(&metric_scanning, 0, scanning);
    metric_set(&metric_catchup, 0, behind);
}

void flow_metrics_register(void)
{
    metric_register(&metric_replicated);
    metric_register(&metric_running);
    metric_register(&metric_scanning);
    metric_register(&metric_catchup);
}

// Of what is to be scanned, all keys below `resume` are here as of the start.
static void scan_forward(struct consumer *consumer, const struct partition *partition,
    const struct bytes *resume)
{
    for (uint32_t i = 0; i < partition->missing_count; i++) {
        struct span span = partition->missing[i];
        if (resume != NULL && bytes_compare(*resume, span.end) < 0) span.end = *resume;
        if (bytes_compare(span.start, span.end) < 0)
            frontier_forward(&consumer->progress.frontier, span, consumer->record->start);
    }
}

static void news_take(
    struct consumer *consumer, struct partition *partition, const struct partition_news *news)
{
    partition->bytes += news->bytes;
    if (news->resume.data != NULL && !partition->scanned)
        scan_forward(consumer, partition, &news->resume);
    if (news->scanned && !partition->scanned) {
        partition->scanned = true;
        scan_forward(consumer, partition, NULL);
        count_scanning(consumer);
    }
    // A mark before the end of the scan would be of another stream: streams do not send any.
    if (!partition->scanned || hlc_is_zero(news->resolved)) return;
    if (!partition->following) {
        partition->following = true;
        count_scanning(consumer);
    }
    for (uint32_t i = 0; i < partition->span_count; i++)
        frontier_forward(&consumer->progress.frontier, partition->spans[i], news->resolved);
}

static struct status flow_news(struct task *task, void *arg, const struct partition_news *news)
{
    struct partition *partition = arg;
    struct consumer *consumer = partition->consumer;
    partition->heard_ns = task_now_ns(task);
    news_take(consumer, partition, news);
    struct hlc_timestamp frontier = frontier_min(&consumer->progress.frontier);
    if (!hlc_less(consumer->frontier, frontier)) return STATUS_OK;
    consumer->frontier = frontier;
    consumer->advanced = true;
    bool reached = !hlc_is_zero(consumer->record->cutover) &&
                   hlc_less_equal(consumer->record->cutover, frontier);
    if (reached || consumer->record->phase <= CONSUMER_INITIALIZING)
        wait_queue_wake_all(&consumer->wake, STATUS_OK);
    return STATUS_OK;
}

struct news_call {
    struct partition *partition;
    const struct partition_news *news;
};

static struct status news_at_home(struct task *task, void *arg)
{
    const struct news_call *call = arg;
    return flow_news(task, call->partition, call->news);
}

// From another shard of this node.
static struct status tell_home(struct task *task, void *arg, const struct partition_news *news)
{
    struct news_call call = {arg, news};
    return shard_call(task, call.partition->home, news_at_home, &call);
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

// A time that is asked for is reached whatever the granularity.
static struct hlc_timestamp quantised(const struct consumer *consumer)
{
    struct hlc_timestamp frontier = consumer->frontier, cutover = consumer->record->cutover;
    uint64_t step_ns = setting_ns(consumer, "physical_replication.consumer.timestamp_granularity");
    bool first = hlc_is_zero(consumer->record->replicated);
    if (step_ns == 0 || first || (!hlc_is_zero(cutover) && hlc_less_equal(cutover, frontier)))
        return frontier;
    return (struct hlc_timestamp){.wall_ns = frontier.wall_ns - frontier.wall_ns % step_ns};
}

static struct status checkpoint(struct task *task, struct consumer *consumer)
{
    struct status st;
    struct consumer_record *record = consumer->record;
    struct arena arena;
    uint8_t id[16];
    arena_init(&arena, NULL);
    record->partitions = progress_encode(&arena, &consumer->progress);
    record->replicated = hlc_max(record->replicated, quantised(consumer));
    if (!hlc_is_zero(record->replicated) && record->phase == CONSUMER_INITIALIZING)
        record->phase = CONSUMER_REPLICATING;
    record->retained = retained_of(consumer);
    struct hlc_timestamp replicated = record->replicated, retained = record->retained;
    // First the promise to keep no more, then the deed: what the record calls retained must be there.
    TRY(consumer_write(task, record));
    consumer->written_ns = task_now_ns(task);
    consumer->checkpoints++;
    consumer->retained = retained;
    metric_set(&metric_replicated, 0, (int64_t)(replicated.wall_ns / 1000000000u));
    if (hlc_less(consumer->protected, retained)) {
        consumer_protection_id(record->job, id);
        TRY(kv_protect_move(task, id, retained));
        consumer->protected = retained;
    }
out:
    record->partitions = (struct bytes){0}; // Lay in this arena; later writes leave what is stored.
    arena_fini(&arena);
    return st;
}

struct source_where flow_source(const struct consumer *consumer)
{
    return (struct source_where){.uri = consumer->uri,
        .cluster_id = consumer->record->source_cluster,
        .addresses = consumer->progress.addresses,
        .address_count = consumer->progress.address_count};
}

// --- streams -------------------------------------------------------------------------------------------

// What is to be scanned, as the primary takes it.
static struct bytes scan_encode(struct arena *arena, const struct partition *partition)
{
    struct buffer out;
    buffer_init(&out, arena);
    if (partition->missing_count == 0) return bytes_of("", 0);
    codec_put_u32(&out, partition->missing_count);
    for (uint32_t i = 0; i < partition->missing_count; i++) {
        codec_put_bytes(&out, partition->missing[i].start);
        codec_put_bytes(&out, partition->missing[i].end);
    }
    return buffer_bytes(&out);
}

static const char *codec_of(struct task *task)
{
    if (!settings_bool(task->shard, TENANT_SYSTEM,
            "physical_replication.consumer.stream_compression.enabled"))
        return "none";
    return arena_strdup(
        task->arena, settings_string(task->shard, TENANT_SYSTEM,
                         "physical_replication.consumer.stream_compression.codec"));
}

static struct status partition_task(struct task *task, void *arg)
{
    struct partition *partition = arg;
    struct consumer *consumer = partition->consumer;
    const struct consumer_record *record = consumer->record;
    struct partition_run run = {.where = flow_source(consumer),
        .address = partition->address,
        .stream = record->stream,
        .topology = record->topology,
        .slice = partition->slice,
        .source_tenant = record->source_tenant,
        .tenant = record->tenant,
        .from = partition->from,
        .scan = scan_encode(task->arena, partition),
        .codec = codec_of(task),
        .resolved_ms =
            setting_ns(consumer, "physical_replication.producer.min_checkpoint_frequency") /
            1000000u,
        .flush_interval_ns =
            setting_ns(consumer, "physical_replication.consumer.minimum_flush_interval"),
        .buffer_bytes = settings_bytes(
            consumer->shard, TENANT_SYSTEM, "physical_replication.consumer.kv_buffer_size"),
        .tell = tell_home,
        .arg = partition};
    if (run.resolved_ms == 0) run.resolved_ms = 1;
    partition->task = task;
    if (partition->target.node == task->shard->node->id)
        return shard_call(task, partition->target.shard, partition_stream, &run);
    run.tell = flow_news;
    return relay_stream(task, partition->target, &run);
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
    metric_set(&metric_catchup, 0, 0);
}

static struct status streams_check(struct task *task, const struct consumer *consumer)
{
    if (failed(consumer->control_status)) return status_copy(task->arena, consumer->control_status);
    for (uint32_t i = 0; i < consumer->partition_count; i++) {
        const struct partition *partition = &consumer->partitions[i];
        if (status_is(partition->status, E_TOPOLOGY_CHANGED))
            return status_make(E_REPLAN, "the topology of the source cluster has changed");
        if (failed(partition->status)) return status_copy(task->arena, partition->status);
        uint64_t silence = partition->following ? SILENCE_FOLLOWING_NS : SILENCE_NS;
        if (task_now_ns(task) - partition->heard_ns > silence)
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
    // Only what is written down: after a crash the standby must not ask for more.
    TRY(source_progress(task, client, consumer->record->stream, consumer->retained, &status));
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

// For the first time soon: when it comes to be, or after a loss, a cluster changes most.
static uint64_t check_every_ns(const struct consumer *consumer)
{
    uint64_t every_ns = setting_ns(consumer, "physical_replication.consumer.replan_flow_frequency");
    return consumer->checked || every_ns < FIRST_CHECK_NS ? every_ns : FIRST_CHECK_NS;
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
        if (now - consumer->topology_ns >= check_every_ns(consumer)) {
            TRY(flow_plan_check(task, consumer, consumer->client));
            consumer->checked = true;
        }
        if (now - consumer->compared_ns >= setting_ns(consumer, "stream_replication.lag_check_frequency")) {
            consumer->compared_ns = now;
            TRY(flow_plan_compare(task, consumer));
        }
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

// What cannot be read from is replicated all the same, and tried again.
static bool reader_open(struct task *task, const struct consumer_record *record)
{
    struct status st = tenant_reader_open(task, record->tenant);
    if (!failed(st)) return true;
    log_warning(TENANT_SYSTEM, "virtual cluster %s cannot be read from yet: %s", record->tenant_name, st.message);
    return false;
}

static struct status follow(struct task *task, struct consumer *consumer)
{
    struct status st = STATUS_OK;
    struct consumer_record *record = consumer->record;
    const char *told = NULL;
    bool opened = false;
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
        // Writing is looking for a cutover time, too; a statement that sets one also says so, to whom it can reach.
        uint64_t look_ns =
            setting_ns(consumer, "physical_replication.consumer.failover_signal_poll_interval");
        if (every_ns == 0 || look_ns < every_ns) every_ns = look_ns;
        if (first || reached || consumer->poked || now - consumer->written_ns >= every_ns) {
            consumer->poked = false;
            TRY(checkpoint(task, consumer));
            TRY(tell_status(task, consumer, &told));
            if (!opened && !hlc_is_zero(record->replicated)) opened = reader_open(task, record);
        }
        if (!hlc_is_zero(record->cutover) && hlc_less_equal(record->cutover, record->replicated))
            break;
        TRY(streams_check(task, consumer));
        TRY(task_wait_until(task, &consumer->wake, now + TICK_NS, STATUS_OK));
    }
out:
    return st;
}

static struct status connect_source(
    struct task *task, struct consumer *consumer, struct pgclient **client)
{
    struct progress saved;
    struct source_where where = flow_source(consumer);
    progress_addresses(&consumer->arena, consumer->record->partitions, &saved);
    where.addresses = saved.addresses;
    where.address_count = saved.address_count;
    struct status st = source_connect_any(task, &where, client);
    if (failed(st) && !consumer->job->stop_requested)
        st = status_format(task->arena, st.code,
            "ingestion job %" PRId64
            " failed to connect to stream address or existing topology for planning: %s",
            consumer->job->id, st.message);
    return st;
}

// The attempt is over: nothing runs any more, and what was reached is written down.
static void wind_up(struct task *task, struct consumer *consumer)
{
    bool cancelled = task->cancelled;
    struct status cancel_status = task->cancel_status;
    if (!consumer->planned) return;
    streams_stop(task, consumer);
    struct status written = checkpoint(task, consumer);
    if (failed(written))
        log_warning(TENANT_SYSTEM, "progress of replication was not saved: %s", written.message);
    if (cancelled) task_cancel(task, cancel_status);
    flow_plan_end(consumer);
}

// Slices may have come to this cluster since the beginning. One that does not answer will be missed when it is needed.
static struct status join_slices(struct task *task, struct consumer *consumer)
{
    uint64_t deadline = task->deadline_ns, limit = task_now_ns(task) + JOIN_TIMEOUT_NS;
    if (limit < deadline) task->deadline_ns = limit;
    struct status st = kv_ingest_join(task, consumer->record->tenant);
    task->deadline_ns = deadline;
    if (failed(st))
        log_info(TENANT_SYSTEM, "replication of virtual cluster %s: not all slices take part: %s",
            consumer->record->tenant_name, st.message);
    return job_check(consumer->job);
}

struct status flow_run(struct task *task, struct consumer *consumer)
{
    struct status st;
    struct pgclient *client = NULL;
    consumer->connecting = true;
    consumer->checked = false;
    consumer->compared_ns = task_now_ns(task);
    consumer->retained = consumer->record->retained;
    TRY(connect_source(task, consumer, &client));
    TRY(heartbeat(task, consumer, client));
    TRY(flow_plan(task, consumer, client));
    consumer->connecting = false;
    TRY(join_slices(task, consumer));
    TRY(tell_start(task, consumer));
    log_info(TENANT_SYSTEM, "replication of virtual cluster %s: %u streams, %s from %" PRIu64,
        consumer->record->tenant_name, consumer->partition_count,
        hlc_is_zero(consumer->frontier) ? "scanning as of" : "following",
        hlc_is_zero(consumer->frontier) ? consumer->record->start.wall_ns
                                        : consumer->frontier.wall_ns);
    TRY(streams_start(task, consumer));
    TRY(control_start(task, consumer, client));
    consumer->following = true;
    st = follow(task, consumer);
out:
    consumer->connecting = consumer->following = false;
    if (failed(st)) st = status_copy(task->arena, st);
    wind_up(task, consumer);
    pgclient_close(client);
    return st;
}
