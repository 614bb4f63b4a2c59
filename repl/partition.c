// SPDX-License-Identifier: GPL-3.0-or-later
//
// One stream from the primary: takes frames off the connection, rewrites keys to this cluster's tenant and ingests.
#include <inttypes.h>
#include <string.h>

#include "core/crypto.h"
#include "core/metrics.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "repl/flow.h"
#include "repl/frame.h"

METRIC_DEFINE(metric_logical_bytes, "physical_replication.logical_bytes", METRIC_COUNTER,
    METRIC_BYTES, false, "Keys and values ingested by replication");
METRIC_DEFINE(metric_events, "physical_replication.events_ingested", METRIC_COUNTER, METRIC_COUNT,
    false, "Events ingested by replication");
METRIC_DEFINE(metric_resolved, "physical_replication.resolved_events_ingested", METRIC_COUNTER,
    METRIC_COUNT, false, "Resolved marks received by replication");
METRIC_DEFINE(metric_flushes, "physical_replication.flushes", METRIC_COUNTER, METRIC_COUNT, false,
    "Batches made durable by replication");
METRIC_DEFINE(metric_flush_ns, "physical_replication.flush_hist_nanos", METRIC_HISTOGRAM,
    METRIC_NANOSECONDS, false, "Time to make a batch durable");
METRIC_DEFINE(metric_flush_wait_ns, "physical_replication.flush_wait_nanos", METRIC_HISTOGRAM,
    METRIC_NANOSECONDS, false, "Time for which a stream is not received from while a batch is made durable and told of");
METRIC_DEFINE(metric_receive_ns, "physical_replication.receive_wait_nanos", METRIC_HISTOGRAM,
    METRIC_NANOSECONDS, false, "Time spent waiting for a frame");
METRIC_DEFINE(metric_commit_ns, "physical_replication.commit_latency", METRIC_HISTOGRAM,
    METRIC_NANOSECONDS, false,
    "From the commit at the source to durability here, of the oldest event of a batch");
METRIC_DEFINE(metric_admit_ns, "physical_replication.admit_latency", METRIC_HISTOGRAM,
    METRIC_NANOSECONDS, false,
    "From the commit at the source to its arrival here, of the oldest event of a batch");

// What has come and is not durable yet. Frames that are here already go into one batch: each batch costs a flush
// of the log, however small it is.
struct receiver {
    struct partition_run *run;
    struct pgclient *client;
    struct arena arena;         // Of the batch.
    struct span source, target; // The tenants' spans.
    struct kv_version *versions;
    uint32_t count, capacity;
    uint64_t bytes, oldest_ns;
    bool changes;               // Not only backfill.
    struct partition_news news; // To be told when the batch is durable.
    uint64_t waiting_since_ns, flushed_ns;
};

void partition_metrics_register(void)
{
    struct metric *const metrics[] = {&metric_logical_bytes, &metric_events, &metric_resolved,
        &metric_flushes, &metric_flush_ns, &metric_flush_wait_ns, &metric_receive_ns,
        &metric_commit_ns, &metric_admit_ns};
    for (unsigned i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        metric_register(metrics[i]);
}

// --- ingesting ---------------------------------------------------------------------------------------

static struct status foreign_key(void)
{
    return status_make(
        E_DATA_CORRUPTED, "the replication stream has sent a key of another virtual cluster");
}

static void record_age(struct task *task, struct metric *metric, uint64_t oldest_ns)
{
    int64_t age = task->shard->env->wall_ns(task->shard->env) - (int64_t)oldest_ns;
    metric_record(metric, 0, age > 0 ? (uint64_t)age : 0);
}

static void batch_begin(struct receiver *receiver)
{
    arena_reset(&receiver->arena);
    receiver->versions = NULL;
    receiver->count = receiver->capacity = 0;
    receiver->bytes = 0;
    receiver->oldest_ns = UINT64_MAX;
    receiver->changes = false;
    receiver->news = (struct partition_news){0};
}

static struct status ingest(struct task *task, struct receiver *receiver)
{
    struct status st = STATUS_OK;
    if (receiver->count == 0) return STATUS_OK;
    uint64_t started_ns = task_now_ns(task);
    TRY(kv_ingest(task, receiver->run->tenant, receiver->versions, receiver->count));
    metric_record(&metric_flush_ns, 0, task_now_ns(task) - started_ns);
    metric_add(&metric_flushes, 0, 1);
    metric_add(&metric_events, 0, receiver->count);
    metric_add(&metric_logical_bytes, 0, (int64_t)receiver->bytes);
    if (receiver->changes) record_age(task, &metric_commit_ns, receiver->oldest_ns);
    receiver->count = 0;
out:
    return st;
}

// Makes the batch durable, then says how far that is.
static struct status flush(struct task *task, struct receiver *receiver)
{
    struct status st;
    uint64_t started_ns = task_now_ns(task);
    TRY(ingest(task, receiver));
    receiver->news.bytes = receiver->bytes;
    TRY(receiver->run->tell(task, receiver->run->arg, &receiver->news));
    batch_begin(receiver);
    receiver->flushed_ns = task_now_ns(task);
    metric_record(&metric_flush_wait_ns, 0, receiver->flushed_ns - started_ns);
out:
    return st;
}

// Erases here what was erased there.
static struct status clear(
    struct task *task, struct receiver *receiver, const struct frame_event *event)
{
    struct status st;
    struct span span = {event->key, event->value};
    if (!span_contains_span(receiver->source, span) || bytes_compare(span.start, span.end) >= 0)
        return foreign_key();
    struct span target = {key_rewrite_tenant(&receiver->arena, span.start, receiver->run->tenant),
        receiver->target.end};
    // The end of the tenant is no key of the tenant.
    if (bytes_compare(span.end, receiver->source.end) < 0)
        target.end = key_rewrite_tenant(&receiver->arena, span.end, receiver->run->tenant);
    TRY(ingest(task, receiver));
    st = kv_ingest_clear(task, receiver->run->tenant, target);
out:
    return st;
}

static struct status make_room(struct receiver *receiver, uint32_t more)
{
    if (receiver->capacity - receiver->count >= more) return STATUS_OK;
    uint32_t capacity = receiver->count + more + receiver->capacity;
    struct kv_version *grown = arena_try_alloc(&receiver->arena, (size_t)capacity * sizeof *grown);
    if (grown == NULL) return status_make(E_OUT_OF_MEMORY, "no memory for a batch of changes");
    if (receiver->count > 0) memcpy(grown, receiver->versions, receiver->count * sizeof *grown);
    receiver->versions = grown;
    receiver->capacity = capacity;
    return STATUS_OK;
}

static struct status take_events(
    struct task *task, struct receiver *receiver, const struct frame *frame)
{
    struct status st;
    uint64_t oldest_ns = UINT64_MAX;
    TRY(make_room(receiver, frame->count));
    for (uint32_t i = 0; i < frame->count; i++) {
        const struct frame_event *event = &frame->events[i];
        if (!span_contains(receiver->source, event->key) || event->key.size > KEY_BYTES_MAX)
            TRY(foreign_key());
        if (event->kind == FRAME_CLEARED) {
            TRY(clear(task, receiver, event));
            continue;
        }
        receiver->versions[receiver->count++] = (struct kv_version){
            .key = key_rewrite_tenant(&receiver->arena, event->key, receiver->run->tenant),
            .value = event->value,
            .ts = event->ts,
            .tombstone = event->kind == FRAME_TOMBSTONE};
        receiver->bytes += event->key.size + event->value.size;
        if (event->ts.wall_ns < oldest_ns) oldest_ns = event->ts.wall_ns;
    }
    if (frame->kind == FRAME_CHANGES && frame->count > 0) {
        record_age(task, &metric_admit_ns, oldest_ns);
        receiver->changes = true;
        if (oldest_ns < receiver->oldest_ns) receiver->oldest_ns = oldest_ns;
    }
out:
    return st;
}

static struct status on_frame(
    struct task *task, void *arg, const struct bytes *values, uint32_t count)
{
    struct status st;
    struct receiver *receiver = arg;
    struct frame frame;
    if (count != 1 || values[0].data == NULL)
        return status_make(
            E_PROTOCOL_VIOLATION, "the replication stream has sent something other than a frame");
    metric_record(&metric_receive_ns, 0, task_now_ns(task) - receiver->waiting_since_ns);
    // Decoding copies: the connection's memory does not outlive a wait.
    TRY(frame_decode(&receiver->arena, values[0], &frame));
    bool more = pgclient_has_more(receiver->client);
    switch (frame.kind) {
    case FRAME_BACKFILL:
    case FRAME_CHANGES: TRY(take_events(task, receiver, &frame)); break;
    case FRAME_RESOLVED:
        metric_add(&metric_resolved, 0, 1);
        receiver->news.resolved = frame.resolved;
        break;
    case FRAME_SCANNED:
        receiver->news.scanned |= frame.scanned_all;
        if (!frame.scanned_all) receiver->news.resume = frame.resume;
        break;
    }
    // Also without news: it is heard from. Resolved marks keep coming, so what is held back is looked at again.
    bool due = task_now_ns(task) - receiver->flushed_ns >= receiver->run->flush_interval_ns;
    if ((!more && due) || receiver->bytes >= receiver->run->buffer_bytes) TRY(flush(task, receiver));
out:
    receiver->waiting_since_ns = task_now_ns(task);
    return st;
}

// --- the task ----------------------------------------------------------------------------------------

static struct bytes bytea_text(struct arena *arena, struct bytes bytes)
{
    char *text = arena_alloc(arena, 3 + 2 * bytes.size);
    text[0] = '\\';
    text[1] = 'x';
    crypto_hex_encode(bytes, text + 2);
    return bytes_of(text, 2 + 2 * bytes.size);
}

struct status partition_stream(struct task *task, void *arg)
{
    struct status st;
    struct partition_run *run = arg;
    struct pgclient *client = NULL;
    struct receiver receiver = {.run = run};
    struct arena arena;
    char from[HLC_TEXT_BYTES];
    arena_init(&arena, NULL);
    arena_init(&receiver.arena, NULL);
    receiver.source = key_tenant_span(&arena, run->source_tenant);
    receiver.target = key_tenant_span(&arena, run->tenant);
    batch_begin(&receiver);
    TRY(source_connect_node(task, &run->where, run->address, &client));
    receiver.client = client;
    receiver.waiting_since_ns = receiver.flushed_ns = task_now_ns(task);
    struct bytes params[] = {bytes_of_string(arena_printf(&arena, "%" PRId64, run->stream)),
        bytes_of_string(arena_printf(&arena, "%" PRIu64, run->slice)),
        bytes_of_string(arena_printf(&arena, "%" PRId64, run->topology)),
        bytes_of_string(hlc_format(run->from, from)), bytea_text(&arena, run->scan),
        bytes_of_string(run->codec),
        bytes_of_string(arena_printf(&arena, "%" PRIu64, run->resolved_ms))};
    struct pgclient_sink sink = {.row = on_frame, .arg = &receiver, .endless = true};
    TRY(pgclient_run(task, client,
        "SELECT * FROM crdb_internal.stream_partition($1, $2, $3, $4, $5, $6, $7)", params, 7,
        true, &sink));
    st = status_make(E_CONNECTION_FAILURE, "the source cluster has ended the replication stream");
out:
    st = status_copy(task->arena, st);
    pgclient_close(client);
    arena_fini(&receiver.arena);
    arena_fini(&arena);
    return st;
}
