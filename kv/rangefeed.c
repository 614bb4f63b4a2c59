// SPDX-License-Identifier: GPL-3.0-or-later
//
// The consumer's side: a queue of batches from the leader (kv/feed.h).
//
// From another node events come over a stream, whose other end is such a queue there; the pair of
// queues and the stream's window bound what is under way.
//
// Closing does not wait: the leader is told by a message that comes back, and until it is back
// batches may still arrive and are dropped. The struct goes with that message.
#include "kv/rangefeed.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/rpc.h"
#include "kv/feed.h"
#include "kv/leader_range.h"
#include "kv/leader_wire.h"
#include "kv/router.h"
#include "kv/txn.h"

#define METHOD_FEED (RPC_LEADER + 43u)
#define EVENT_BYTES_LEAST (4u + HLC_ENCODED_BYTES)

struct rangefeed {
    struct shard *shard;
    uint64_t slice, feed;
    uint32_t leader_shard;
    struct feed_batch *first, *last; // Not taken yet.
    struct feed_batch *current;      // Lent to the caller of rangefeed_next.
    uint32_t queued_events;
    struct wait_queue waiting;
    struct status end;
    bool closing;
    struct shard_message close;
    // Of a leader on another node.
    struct rpc_stream *stream;
    struct arena arena; // Of the events lent.
};

void rangefeed_deliver(struct shard *shard, struct shard_message *message)
{
    struct feed_batch *batch = container_of(message, struct feed_batch, message);
    struct rangefeed *feed = batch->to;
    (void)shard;
    if (feed->closing) {
        feed_batch_free(batch);
        return;
    }
    batch->next = NULL;
    *(feed->last == NULL ? &feed->first : &feed->last->next) = batch;
    feed->last = batch;
    feed->queued_events += batch->count;
    wait_queue_wake_all(&feed->waiting, STATUS_OK);
}

// --- events between nodes ------------------------------------------------------------------------

static void options_put(struct buffer *out, const struct rangefeed_options *options)
{
    wire_put_u64(out, options->tenant);
    wire_put_u64(out, options->slice);
    wire_put_span(out, options->span);
    wire_put_u64(out, options->expected_count);
    for (uint32_t i = 0; i < options->expected_count; i++)
        wire_put_span(out, options->expected[i]);
    wire_put_ts(out, options->after);
    wire_put_u64(out, options->resolved_every_ns);
}

static void options_take(struct wire_in *in, struct rangefeed_options *options)
{
    options->tenant = wire_take_u64(in);
    options->slice = wire_take_u64(in);
    options->span = wire_take_span(in);
    options->expected_count = wire_take_count(in, 2);
    struct span *expected = ARENA_ARRAY(in->arena, struct span, options->expected_count);
    for (uint32_t i = 0; i < options->expected_count && !in->bad; i++)
        expected[i] = wire_take_span(in);
    options->expected = expected;
    options->after = wire_take_ts(in);
    options->resolved_every_ns = wire_take_u64(in);
    if (in->rest.size > 0) in->bad = true;
}

static void events_put(
    struct buffer *out, const struct rangefeed_event *events, uint32_t count)
{
    wire_put_u64(out, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_u64(out, events[i].kind);
        wire_put_bytes(out, events[i].version.key);
        wire_put_bytes(out, events[i].version.value);
        wire_put_ts(out, events[i].version.ts);
        wire_put_bool(out, events[i].version.tombstone);
    }
}

static const struct rangefeed_event *events_take(struct wire_in *in, uint32_t *count)
{
    *count = wire_take_count(in, EVENT_BYTES_LEAST);
    struct rangefeed_event *events = ARENA_ARRAY(in->arena, struct rangefeed_event, *count);
    for (uint32_t i = 0; i < *count && !in->bad; i++) {
        events[i].kind = (enum rangefeed_event_kind)wire_take_enum(in, RANGEFEED_CLEARED);
        events[i].version.key = wire_take_bytes(in);
        events[i].version.value = wire_take_bytes(in);
        events[i].version.ts = wire_take_ts(in);
        events[i].version.tombstone = wire_take_bool(in);
    }
    if (in->rest.size > 0) in->bad = true;
    return events;
}

static struct status feed_serve(
    struct task *task, const struct rpc_request *request, struct rpc_stream *stream)
{
    struct status st = STATUS_OK;
    struct rangefeed *feed = NULL;
    struct rangefeed_options options = {0};
    struct wire_in in = {.rest = request->body, .arena = task->arena};
    struct arena arena;
    arena_init(&arena, NULL);
    options_take(&in, &options);
    if (in.bad) TRY(status_make(E_PROTOCOL_VIOLATION, "malformed request"));
    TRY(rangefeed_open_here(task, &options, &feed));
    for (;;) {
        const struct rangefeed_event *events;
        uint32_t count;
        struct buffer body;
        TRY(rangefeed_next(task, feed, &events, &count));
        arena_reset(&arena);
        buffer_init(&body, &arena);
        events_put(&body, events, count);
        TRY(rpc_stream_send(task, stream, buffer_bytes(&body)));
    }
out:
    if (feed != NULL) rangefeed_close(task, feed);
    arena_fini(&arena);
    return status_is(st, K_END) ? STATUS_OK : st;
}

void rangefeed_register(void)
{
    static const struct rpc_method method = {.id = METHOD_FEED, .name = "leader.feed",
        .class = TASK_BULK, .bulk = true, .stream = feed_serve};
    rpc_method_register(&method);
}

// Whoever hears that somebody else leads, or nobody, opens the feed anew.
static struct status lost_leader(struct status st)
{
    if (!status_is(st, K_NOT_LEADER) && !status_is(st, K_UNREACHABLE)) return st;
    return status_make_retry(
        K_WRONG_RANGE, RETRY_STATEMENT, "the slice is led by another node");
}

// --- opening -------------------------------------------------------------------------------------

struct status rangefeed_open_here(
    struct task *task, const struct rangefeed_options *options, struct rangefeed **opened)
{
    struct status st = STATUS_OK;
    *opened = NULL;
    struct rangefeed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    feed->shard = task->shard;
    feed->slice = options->slice;
    feed->leader_shard = router_shard(kv_shard_of(task->shard), options->slice);
    wait_queue_init(&feed->waiting);
    struct feed_open open = {
        .options = *options, .to = feed, .consumer_shard = task->shard->index};
    TRY(shard_call(task, feed->leader_shard, feed_open, &open));
    feed->feed = open.feed;
    *opened = feed;
    return STATUS_OK;
out:
    free(feed);
    return st;
}

static struct status open_there(struct task *task, const struct rangefeed_options *options,
    struct rpc_target target, struct rangefeed **opened)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct buffer body;
    arena_init(&arena, NULL);
    buffer_init(&body, &arena);
    options_put(&body, options);
    struct rangefeed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) TRY(status_make(E_OUT_OF_MEMORY, "out of memory"));
    feed->shard = task->shard;
    feed->slice = options->slice;
    wait_queue_init(&feed->waiting);
    arena_init(&feed->arena, NULL);
    const struct rpc_stream_options stream = {
        .target = target, .method = METHOD_FEED, .body = buffer_bytes(&body)};
    TRY(rpc_stream_open(task, &stream, &feed->stream));
    *opened = feed;
    feed = NULL;
out:
    free(feed);
    arena_fini(&arena);
    return st;
}

struct status rangefeed_open(
    struct task *task, const struct rangefeed_options *options, struct rangefeed **opened)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    *opened = NULL;
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    const struct leader_directory *directory = client_of(task)->directory;
    if (directory == NULL || directory->leader == NULL) {
        return rangefeed_open_here(task, options, opened);
    }
    // Whoever answers this leads.
    struct leader_look look = {.call.slice = options->slice};
    st = leader_call(task, &look.call, task->arena, LEADER_LOOK);
    leader_reply_end(&look.call);
    if (failed(st)) return st;
    st = look.node == task->shard->node->id
        ? rangefeed_open_here(task, options, opened)
        : open_there(task, options, (struct rpc_target){look.node, look.shard}, opened);
    return lost_leader(st);
}

static void current_return(struct rangefeed *feed)
{
    if (feed->current == NULL) return;
    struct feed_batch *batch = feed->current;
    feed->current = NULL;
    feed_batch_home(feed->shard, batch);
}

static struct status next_there(struct task *task, struct rangefeed *feed,
    const struct rangefeed_event **events, uint32_t *count)
{
    struct bytes body;
    if (failed(feed->end)) return feed->end;
    arena_reset(&feed->arena);
    struct status st = rpc_stream_next(task, feed->stream, &feed->arena, &body);
    if (failed(st)) {
        // A cancelled wait has not ended the feed.
        if (task->cancelled) return st;
        feed->end = lost_leader(status_is(st, K_END)
                ? status_make(K_NOT_LEADER, "the feed has ended") : st);
        struct status told = feed->end;
        if (told.reported) feed->end = status_make(told.code, "feed has failed");
        return told;
    }
    struct wire_in in = {.rest = body, .arena = &feed->arena};
    *events = events_take(&in, count);
    if (!in.bad) return STATUS_OK;
    *count = 0;
    feed->end = status_make(E_PROTOCOL_VIOLATION, "malformed events of a feed");
    return feed->end;
}

struct status rangefeed_next(struct task *task, struct rangefeed *feed,
    const struct rangefeed_event **events, uint32_t *count)
{
    struct status st = STATUS_OK;
    *events = NULL;
    *count = 0;
    if (feed->stream != NULL) return next_there(task, feed, events, count);
    current_return(feed);
    while (feed->first == NULL) {
        if (failed(feed->end)) return feed->end;
        TRY(task_wait(task, &feed->waiting));
    }
    struct feed_batch *batch = feed->first;
    feed->first = batch->next;
    if (feed->first == NULL) feed->last = NULL;
    feed->queued_events -= batch->count;
    feed->current = batch;
    if (failed(batch->end)) {
        feed->end = batch->end;
        return feed->end;
    }
    *events = batch->events;
    *count = batch->count;
out:
    return st;
}

uint32_t rangefeed_lag(const struct rangefeed *feed)
{
    return feed->queued_events;
}

static void close_home(struct shard *shard, struct shard_message *message)
{
    (void)shard;
    free(container_of(message, struct rangefeed, close));
}

static void close_deliver(struct shard *shard, struct shard_message *message)
{
    struct rangefeed *feed = container_of(message, struct rangefeed, close);
    uint32_t home = feed->shard->index;
    feed_close(shard, feed->slice, feed->feed);
    feed->close.deliver = close_home;
    feed_message_send(shard, home, &feed->close);
}

void rangefeed_close(struct task *task, struct rangefeed *feed)
{
    (void)task;
    if (feed == NULL) return;
    if (feed->stream != NULL) {
        rpc_stream_close(feed->stream);
        arena_fini(&feed->arena);
        free(feed);
        return;
    }
    feed->closing = true;
    feed_batch_free(feed->current);
    while (feed->first != NULL) {
        struct feed_batch *batch = feed->first;
        feed->first = batch->next;
        feed_batch_free(batch);
    }
    feed->close.deliver = close_deliver;
    feed_message_send(feed->shard, feed->leader_shard, &feed->close);
}
