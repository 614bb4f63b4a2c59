// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/stream.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/codec.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/rangefeed.h"
#include "repl/frame.h"
#include "repl/internal.h"
#include "repl/producer.h"
#include "sql/function/function_table.h"
#include "tenant/tenant.h"

#define SCAN_PIECE_BYTES (512u << 10)
#define E_READ_TOO_SLOWLY SQLSTATE('5', '3', '4', '0', '0')
#define RESOLVED_MS_MAX 60000
#define REOPENS_MAX 20u
#define REOPEN_PAUSE_NS 20000000u

enum stream_state { STREAM_SCANNING, STREAM_SCANNED, STREAM_FOLLOWING };

struct stream {
    enum stream_state state;
    struct producer *producer;
    uint64_t slice;
    int64_t topology;
    struct span *spans;        // To be scanned, in the order of keys.
    uint32_t span_count, span; // The one being scanned.
    struct kv_export export;
    bool exporting;
    bool mark_due;             // A frame of the scan was sent: say how far it is.
    struct bytes resume;       // All keys below it were sent.
    struct buffer resume_key;  // Its memory.
    struct hlc_timestamp from; // Of the scan; then what is resolved.
    enum frame_codec codec;
    uint64_t resolved_every_ns;
    struct rangefeed *feed;
    const struct rangefeed_event *events; // Of the feed's batch: not sent yet.
    uint32_t event_count;
    uint32_t reopened; // Feeds in a row that gave no mark.
    struct task *task;
    struct arena arena; // One frame.
};

// --- opening -----------------------------------------------------------------------------------------

static struct status moved(void)
{
    return status_make(
        E_TOPOLOGY_CHANGED, "the topology of the replicated virtual cluster has changed");
}

static struct status take_spans(
    struct function_call *call, struct stream *stream, struct bytes encoded)
{
    struct status bad = status_make(
        E_INVALID_PARAMETER_VALUE, "the spans that a replication stream is to scan are malformed");
    struct codec_reader in = codec_read(arena_copy(call->state_arena, encoded));
    struct span all = key_tenant_span(call->state_arena, stream->producer->tenant);
    struct bytes last = all.start;
    if (encoded.size == 0) return STATUS_OK;
    uint32_t count = codec_get_count(&in, 8);
    stream->spans = ARENA_ARRAY(call->state_arena, struct span, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        struct span span = {.start = codec_get_bytes(&in)};
        span.end = codec_get_bytes(&in);
        if (in.bad || bytes_compare(span.start, last) < 0 ||
            bytes_compare(span.start, span.end) >= 0 || bytes_compare(all.end, span.end) < 0)
            return bad;
        last = span.end;
        stream->spans[stream->span_count++] = span;
    }
    return codec_done(&in) ? STATUS_OK : bad;
}

static struct status check_topology(struct task *task, const struct stream *stream)
{
    struct arena arena;
    struct topology topology;
    arena_init(&arena, NULL);
    struct status st = topology_read(task, &arena, stream->producer->tenant, false, &topology);
    if (failed(st))
        st = status_copy(task->arena, st);
    else if (topology.hash != stream->topology)
        st = moved();
    arena_fini(&arena);
    return st;
}

static void resume_set(struct stream *stream, struct bytes key)
{
    stream->resume_key.size = 0;
    buffer_append_bytes(&stream->resume_key, key);
    stream->resume = buffer_bytes(&stream->resume_key);
}

static struct status take_args(
    struct function_call *call, struct stream *stream, const struct datum *args)
{
    struct status st;
    TRY(producer_read(call->task, call->state_arena, args[0].integer, &stream->producer));
    TRY(producer_require_running(call->task, stream->producer, "stream a partition"));
    stream->slice = (uint64_t)args[1].integer;
    stream->topology = args[2].integer;
    if (!repl_hlc_parse(args[3], &stream->from) ||
        hlc_less(stream->from, stream->producer->protected))
        TRY(status_format(call->arena, E_NOT_IN_PREREQUISITE_STATE,
            "the history that replication stream %" PRId64 " asks for is no longer kept",
            stream->producer->stream));
    TRY(take_spans(call, stream, datum_as_bytes(args[4])));
    stream->state = stream->span_count > 0 ? STREAM_SCANNING : STREAM_SCANNED;
    if (!frame_codec_parse(datum_as_bytes(args[5]), &stream->codec))
        TRY(status_make(E_INVALID_PARAMETER_VALUE, "unknown compression of replication frames"));
    if (args[6].integer < 1 || args[6].integer > RESOLVED_MS_MAX)
        TRY(status_make(
            E_INVALID_PARAMETER_VALUE, "resolved marks come every 1 to 60000 milliseconds"));
    stream->resolved_every_ns = (uint64_t)args[6].integer * 1000000u;
out:
    return st;
}

static struct status stream_start(struct function_call *call, void *state, const struct datum *args)
{
    struct status st;
    struct stream **held = state;
    TRY(producer_require_privilege(call));
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    *held = stream;
    stream->task = call->task;
    arena_init(&stream->arena, NULL);
    buffer_init(&stream->resume_key, call->state_arena);
    TRY(take_args(call, stream, args));
    st = check_topology(call->task, stream);
out:
    return st;
}

static void stream_end(struct function_call *call, void *state)
{
    struct stream **held = state;
    struct stream *stream = *held;
    (void)call;
    if (stream == NULL) return;
    *held = NULL;
    rangefeed_close(stream->task, stream->feed);
    arena_fini(&stream->arena);
    free(stream);
}

// --- the backfill ------------------------------------------------------------------------------------

// Goes on with the next span that is not done; false when there is none.
static bool scan_position(struct stream *stream)
{
    while (!stream->exporting && stream->span < stream->span_count) {
        struct span span = stream->spans[stream->span];
        if (bytes_compare(stream->resume, span.end) >= 0) {
            stream->span++;
            continue;
        }
        if (bytes_compare(span.start, stream->resume) < 0)
            span.start = arena_copy(stream->resume_key.arena, stream->resume);
        stream->export = (struct kv_export){.tenant = stream->producer->tenant,
            .span = span,
            .at = stream->from,
            .bytes_max = SCAN_PIECE_BYTES};
        stream->exporting = true;
    }
    return stream->exporting;
}

static struct status backfill_frame(
    struct stream *stream, const struct kv_version *versions, uint32_t count, struct bytes *frame)
{
    struct frame_builder builder;
    frame_begin(&builder, &stream->arena, FRAME_BACKFILL);
    for (uint32_t i = 0; i < count; i++) {
        if (versions[i].tombstone) continue;
        struct frame_event event = {.kind = FRAME_VALUE,
            .key = versions[i].key,
            .value = versions[i].value,
            .ts = versions[i].ts};
        frame_add(&builder, &event);
    }
    return frame_end(&builder, stream->codec, frame);
}

// frame->size 0: nothing is left to scan.
static struct status scan_next(struct task *task, struct stream *stream, struct bytes *frame)
{
    struct status st = STATUS_OK;
    *frame = (struct bytes){0};
    if (stream->mark_due) {
        stream->mark_due = false;
        *frame = frame_scanned(&stream->arena, stream->resume, false);
        return STATUS_OK;
    }
    while (frame->size == 0 && scan_position(stream)) {
        struct kv_version *versions;
        uint32_t count;
        TRY(kv_export_next(task, &stream->export, &stream->arena, &versions, &count));
        if (stream->export.done) {
            stream->exporting = false;
            resume_set(stream, stream->export.span.end);
        } else {
            resume_set(stream, stream->export.resume);
        }
        if (count == 0) continue;
        TRY(backfill_frame(stream, versions, count, frame));
        stream->mark_due = true;
    }
out:
    return st;
}

// --- following ---------------------------------------------------------------------------------------

// What the stream's slice holds by the plan that the stream was made for.
static struct status spans_expected(
    struct task *task, struct stream *stream, struct arena *arena, struct rangefeed_options *options)
{
    struct status st;
    struct topology topology;
    TRY(topology_read(task, arena, stream->producer->tenant, false, &topology));
    if (topology.hash != stream->topology) TRY(moved());
    struct span *spans = ARENA_ARRAY(arena, struct span, topology.count + 1);
    options->expected = spans;
    for (uint32_t i = 0; i < topology.count; i++)
        if (topology.spans[i].slice == stream->slice) spans[options->expected_count++] = topology.spans[i].span;
    // Of a plan without anything for it.
    if (options->expected_count == 0) TRY(moved());
out:
    return st;
}

static struct status feed_open(struct task *task, struct stream *stream)
{
    struct status st;
    struct arena arena;
    arena_init(&arena, NULL);
    struct rangefeed_options options = {.tenant = stream->producer->tenant,
        .slice = stream->slice,
        .span = key_tenant_span(&stream->arena, stream->producer->tenant),
        .after = stream->from,
        .resolved_every_ns = stream->resolved_every_ns};
    TRY(spans_expected(task, stream, &arena, &options));
    // From here on the feed itself ends when a span moves; what moved before it was open is noticed there, too.
    TRY(rangefeed_open(task, &options, &stream->feed));
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static void feed_close(struct task *task, struct stream *stream)
{
    rangefeed_close(task, stream->feed);
    stream->feed = NULL;
    stream->event_count = 0;
}

// The feed has ended because the slice has another leader, or a span has left it. In the first case it goes on from
// the last mark.
static struct status feed_moved(struct task *task, struct stream *stream)
{
    struct status st;
    feed_close(task, stream);
    if (++stream->reopened > REOPENS_MAX) TRY(moved());
    TRY(task_sleep(task, REOPEN_PAUSE_NS * stream->reopened));
    TRY(check_topology(task, stream));
    covered("stream.other_leader");
out:
    return st;
}

// Data that is erased because its virtual cluster is dropped must not be erased at the standby as well.
static struct status check_cleared(struct task *task, const struct stream *stream)
{
    struct status st;
    struct arena arena;
    struct tenant *tenant;
    arena_init(&arena, NULL);
    TRY(tenant_read(task, NULL, &arena, stream->producer->tenant, &tenant));
    if (tenant == NULL || tenant->data_state != TENANT_READY)
        st = status_make(
            E_NOT_IN_PREREQUISITE_STATE, "the replicated virtual cluster has been dropped");
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// A frame of the values at the front of what the feed gave.
static struct status changes_frame(struct task *task, struct stream *stream, struct bytes *frame)
{
    struct status st = STATUS_OK;
    struct frame_builder builder;
    frame_begin(&builder, &stream->arena, FRAME_CHANGES);
    while (stream->event_count > 0 && stream->events[0].kind != RANGEFEED_RESOLVED &&
           builder.payload.size < FRAME_RAW_BYTES_TARGET) {
        const struct kv_version *version = &stream->events[0].version;
        struct frame_event event = {.kind = version->tombstone ? FRAME_TOMBSTONE : FRAME_VALUE,
            .key = version->key,
            .value = version->tombstone ? (struct bytes){0} : version->value,
            .ts = version->ts};
        if (stream->events[0].kind == RANGEFEED_CLEARED) {
            TRY(check_cleared(task, stream));
            event.kind = FRAME_CLEARED;
            event.value = version->value;
        }
        frame_add(&builder, &event);
        stream->events++;
        stream->event_count--;
    }
    st = frame_end(&builder, stream->codec, frame);
out:
    return st;
}

static struct status follow_next(struct task *task, struct stream *stream, struct bytes *frame)
{
    struct status st = STATUS_OK;
    while (stream->event_count == 0) {
        if (stream->feed == NULL) st = feed_open(task, stream);
        if (!failed(st))
            st = rangefeed_next(task, stream->feed, &stream->events, &stream->event_count);
        if (status_is(st, E_READ_TOO_SLOWLY)) {
            // All up to the last resolved mark was sent: go on from there.
            log_info(stream->producer->tenant,
                "replication stream %" PRId64 " of slice %" PRIu64 " catches up anew",
                stream->producer->stream, stream->slice);
            feed_close(task, stream);
            st = STATUS_OK;
            continue;
        }
        if (status_is(st, K_WRONG_RANGE)) st = feed_moved(task, stream);
        TRY(st);
    }
    if (stream->events[0].kind != RANGEFEED_RESOLVED) {
        st = changes_frame(task, stream, frame);
        goto out;
    }
    stream->from = stream->events[0].version.ts;
    stream->reopened = 0;
    stream->events++;
    stream->event_count--;
    *frame = frame_resolved(&stream->arena, stream->from);
out:
    return st;
}

static struct status stream_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct status st = STATUS_OK;
    struct stream *stream = *(struct stream **)state;
    struct bytes frame = {0};
    *done = false;
    arena_reset(&stream->arena);
    // It would never end by itself, and keep the node from stopping.
    if (call->task->shard->node->draining)
        return status_make(
            E_ADMIN_SHUTDOWN, "the replication stream ends: the node is shutting down");
    if (stream->state == STREAM_SCANNING) {
        TRY(scan_next(call->task, stream, &frame));
        if (frame.size == 0) stream->state = STREAM_SCANNED;
        else covered("stream.scan_frame");
    }
    if (frame.size == 0 && stream->state == STREAM_SCANNED) {
        stream->state = STREAM_FOLLOWING;
        frame = frame_scanned(&stream->arena, (struct bytes){0}, true);
    } else if (frame.size == 0) {
        TRY(follow_next(call->task, stream, &frame));
    }
    row[0] = datum_bytes(frame);
out:
    return st;
}

// --- registration ------------------------------------------------------------------------------------

static const char *const stream_columns[] = {"frame"};
static const type_oid stream_types[] = {TYPE_BYTEA};
static const struct set_ops stream_ops = {.column_count = 1,
    .column_names = stream_columns,
    .column_types = stream_types,
    .state_bytes = sizeof(struct stream *),
    .start = stream_start,
    .next = stream_next,
    .end = stream_end,
    .streaming = true};

static const struct function functions[] = {
    {.name = "stream_partition",
        .schema = "crdb_internal",
        .kind = FUNCTION_SET,
        .oid = 120005,
        .result = TYPE_BYTEA,
        .strict = true,
        .volatility = FUNCTION_VOLATILE,
        .set = &stream_ops,
        FN_ARGS(TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_TEXT, TYPE_BYTEA, TYPE_TEXT, TYPE_INT8)},
};

void stream_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}
