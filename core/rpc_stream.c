// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>

#include "core/invariant.h"
#include "core/reactor.h"
#include "core/rpc_internal.h"

#define WINDOW_MIN 4096u
#define WINDOW_MAX (64u << 20)
#define BODY_OVERHEAD 32u // What a body counts for beyond its size.

struct stream_body {
    struct stream_body *next;
    size_t size;
    uint8_t data[];
};

// One side of a stream. Credit counts bytes: what the other side granted and this one has not yet used.
struct rpc_stream {
    struct rpc_shard *rpc;
    struct rpc_conn *conn; // NULL: lost, or ended by both.
    uint64_t id;
    bool opener;
    struct stream_body *first, *last;
    int64_t granted;       // What the other side may still send.
    uint32_t window, taken; // Taken by the reader since it was last granted more.
    int64_t credit;
    struct wait_queue readers, writers;
    bool ended;            // The other side has ended; `st` says how.
    bool end_sent;
    struct status st;
    struct arena st_arena;
};

static struct rpc_stream *stream_new(struct rpc_conn *conn, uint64_t id, uint32_t window, uint32_t credit)
{
    struct rpc_stream *stream = calloc(1, sizeof *stream);
    invariant(stream != NULL);
    stream->rpc = conn->rpc;
    stream->conn = conn;
    stream->id = id;
    stream->window = window;
    stream->granted = window;
    stream->credit = credit;
    arena_init(&stream->st_arena, NULL);
    hashmap_put_u64(&conn->streams, id, stream);
    conn->rpc->streams++;
    return stream;
}

void rpc_stream_free(struct rpc_stream *stream)
{
    if (stream->conn != NULL) hashmap_remove_u64(&stream->conn->streams, stream->id);
    while (stream->first != NULL) {
        struct stream_body *body = stream->first;
        stream->first = body->next;
        free(body);
    }
    arena_fini(&stream->st_arena);
    stream->rpc->streams--;
    free(stream);
}

static uint32_t window_bounded(uint32_t window)
{
    if (window == 0) return RPC_STREAM_WINDOW;
    return window < WINDOW_MIN ? WINDOW_MIN : window > WINDOW_MAX ? WINDOW_MAX : window;
}

struct rpc_stream *rpc_stream_accept(struct rpc_conn *conn, uint64_t id, uint32_t window)
{
    // The same in both directions.
    window = window_bounded(window);
    return stream_new(conn, id, window, window);
}

static void stream_wake(struct rpc_stream *stream)
{
    wait_queue_wake_all(&stream->readers, STATUS_OK);
    wait_queue_wake_all(&stream->writers, STATUS_OK);
}

static void stream_ended(struct rpc_stream *stream, struct status st)
{
    if (stream->ended) return;
    stream->ended = true;
    stream->st = status_copy(&stream->st_arena, st);
    stream_wake(stream);
}

void rpc_streams_fail(struct rpc_conn *conn, struct status why)
{
    uint32_t cursor = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&conn->streams, &cursor)) != NULL;) {
        struct rpc_stream *stream = entry->value;
        stream->conn = NULL;
        stream_ended(stream, why);
        stream_wake(stream);
    }
    hashmap_clear(&conn->streams);
}

static void frame_send(struct rpc_stream *stream, enum rpc_frame_kind kind, struct bytes body)
{
    if (stream->conn != NULL)
        rpc_conn_write(stream->conn, &(struct rpc_frame){.kind = kind, .id = stream->id}, &body, 1);
}

static void end_send(struct rpc_stream *stream, struct status st)
{
    struct arena arena;
    struct buffer body;
    if (stream->end_sent) return;
    stream->end_sent = true;
    arena_init(&arena, NULL);
    buffer_init(&body, &arena);
    status_encode(&body, st);
    frame_send(stream, RPC_STREAM_END, buffer_bytes(&body));
    arena_fini(&arena);
}

void rpc_stream_finish(struct rpc_stream *stream, struct status st)
{
    end_send(stream, st);
    rpc_stream_free(stream);
}

// --- frames ------------------------------------------------------------------------------------------

static bool data_take(struct rpc_stream *stream, struct bytes data)
{
    if (stream->granted <= 0 || stream->ended) return stream->ended && stream->opener;
    struct stream_body *body = malloc(sizeof *body + data.size);
    invariant(body != NULL);
    body->next = NULL;
    body->size = data.size;
    if (data.size > 0) memcpy(body->data, data.data, data.size);
    stream->granted -= (int64_t)(data.size + BODY_OVERHEAD);
    if (stream->first == NULL) {
        stream->first = body;
    } else {
        stream->last->next = body;
    }
    stream->last = body;
    wait_queue_wake_all(&stream->readers, STATUS_OK);
    return true;
}

bool rpc_stream_take(struct rpc_conn *conn, const struct rpc_frame *frame)
{
    struct rpc_stream *stream = hashmap_get_u64(&conn->streams, frame->id);
    struct status st;
    if (stream == NULL) return true; // Ended here meanwhile.
    struct codec_reader in = codec_read(frame->body);
    switch (frame->kind) {
    case RPC_STREAM_DATA: return data_take(stream, frame->body);
    case RPC_STREAM_CREDIT:
        stream->credit += codec_get_u32(&in);
        wait_queue_wake_all(&stream->writers, STATUS_OK);
        return codec_done(&in) && stream->credit <= (int64_t)WINDOW_MAX * 2;
    case RPC_STREAM_END:
    case RPC_STREAM_CLOSE:
        st = STATUS_OK;
        if (frame->kind == RPC_STREAM_END) {
            struct arena arena;
            arena_init(&arena, NULL);
            bool good = status_decode(&arena, frame->body, &st);
            if (status_is(st, E_ADMIN_SHUTDOWN))
                st = status_make(K_UNREACHABLE, "the other node is shutting down");
            if (good) stream_ended(stream, st);
            arena_fini(&arena);
            return good;
        }
        stream_ended(stream, status_make(E_QUERY_CANCELED, "the other node closed the stream"));
        return true;
    default: return false;
    }
}

// --- for tasks ---------------------------------------------------------------------------------------

struct status rpc_stream_open(
    struct task *task, const struct rpc_stream_options *options, struct rpc_stream **opened)
{
    struct rpc_shard *rpc = rpc_shard_of(task->shard);
    const struct rpc_method *method = rpc_method_find(options->method);
    struct status st = STATUS_OK;
    struct rpc_conn *conn;
    *opened = NULL;
    invariant(method != NULL && method->stream != NULL && options->target.node != task->shard->node->id);
    for (;;) {
        conn = rpc_conn_get(rpc, options->target.node, NULL, options->target.shard, method->bulk, &st);
        if (conn == NULL) return status_copy(task->arena, st);
        if (rpc_conn_queued(conn) <= RPC_OUTPUT_BYTES_MAX) break;
        TRY(rpc_conn_room(task, conn, RPC_OUTPUT_BYTES_MAX));
    }
    uint8_t head[20];
    uint64_t now = task_now_ns(task), left = 0;
    uint32_t window = window_bounded(options->window_bytes);
    if (task->deadline_ns != UINT64_MAX) left = task->deadline_ns > now ? task->deadline_ns - now : 1;
    codec_store(head, left, 8);
    codec_store(head + 8, task->tenant, 8);
    codec_store(head + 16, window, 4);
    struct rpc_stream *stream = stream_new(conn, ++rpc->last_id, window, window);
    stream->opener = true;
    struct bytes parts[2] = {bytes_of(head, sizeof head), options->body};
    rpc_conn_write(conn,
        &(struct rpc_frame){.kind = RPC_STREAM_OPEN,
            .class = (uint8_t)task->class,
            .method = options->method,
            .id = stream->id},
        parts, 2);
    *opened = stream;
out:
    return st;
}

bool rpc_stream_ready(const struct rpc_stream *stream)
{
    return stream->first != NULL || stream->ended;
}

static void credit_give(struct rpc_stream *stream, size_t size)
{
    uint8_t body[4];
    stream->taken += (uint32_t)(size + BODY_OVERHEAD);
    if (stream->taken < stream->window / 2 || stream->ended) return;
    codec_store(body, stream->taken, sizeof body);
    stream->granted += stream->taken;
    stream->taken = 0;
    frame_send(stream, RPC_STREAM_CREDIT, bytes_of(body, sizeof body));
}

struct status rpc_stream_next(
    struct task *task, struct rpc_stream *stream, struct arena *arena, struct bytes *out)
{
    while (stream->first == NULL && !stream->ended) {
        struct status st = task_wait(task, &stream->readers);
        if (failed(st)) return st;
    }
    struct stream_body *body = stream->first;
    if (body == NULL) {
        if (failed(stream->st)) return status_copy(arena, stream->st);
        return status_make(K_END, "the stream has ended");
    }
    stream->first = body->next;
    *out = arena_copy(arena, bytes_of(body->data, body->size));
    credit_give(stream, body->size);
    free(body);
    return STATUS_OK;
}

struct status rpc_stream_send(struct task *task, struct rpc_stream *stream, struct bytes body)
{
    struct status st = STATUS_OK;
    invariant(body.size <= RPC_BODY_BYTES_MAX && !stream->end_sent);
    for (;;) {
        // An opener that sends no more may still be read to.
        if (stream->conn == NULL || (stream->ended && (stream->opener || failed(stream->st)))) {
            if (failed(stream->st)) return status_copy(task->arena, stream->st);
            return status_make(K_END, "the stream has ended");
        }
        if (stream->credit <= 0) {
            TRY(task_wait(task, &stream->writers));
        } else if (rpc_conn_queued(stream->conn) > RPC_STREAM_QUEUE_BYTES) {
            TRY(rpc_conn_room(task, stream->conn, RPC_STREAM_QUEUE_BYTES));
        } else {
            break;
        }
    }
    stream->credit -= (int64_t)(body.size + BODY_OVERHEAD);
    frame_send(stream, RPC_STREAM_DATA, body);
out:
    return st;
}

void rpc_stream_end(struct rpc_stream *stream)
{
    invariant(stream->opener);
    end_send(stream, STATUS_OK);
}

void rpc_stream_close(struct rpc_stream *stream)
{
    if (!stream->ended) frame_send(stream, RPC_STREAM_CLOSE, (struct bytes){NULL, 0});
    rpc_stream_free(stream);
}
