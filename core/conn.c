// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/reactor.h"
#include "core/tls.h"

// --- pools ------------------------------------------------------------------------------------------

static struct conn_chunk *chunk_take(struct net_shard *net, size_t capacity)
{
    if (capacity <= CONN_CHUNK_BYTES) {
        capacity = CONN_CHUNK_BYTES;
        struct conn_chunk *chunk = net->free_chunks;
        if (chunk != NULL) {
            net->free_chunks = chunk->next;
            net->free_chunk_count--;
            chunk->next = NULL;
            chunk->size = 0;
            return chunk;
        }
    }
    struct conn_chunk *chunk = malloc(sizeof *chunk + capacity);
    invariant(chunk != NULL);
    *chunk = (struct conn_chunk){.capacity = capacity};
    return chunk;
}

static void chunk_give(struct net_shard *net, struct conn_chunk *chunk)
{
#ifndef ISOPOD_ASAN
    if (chunk->capacity == CONN_CHUNK_BYTES && net->free_chunk_count < CONN_POOL_MAX) {
        chunk->next = net->free_chunks;
        net->free_chunks = chunk;
        net->free_chunk_count++;
        return;
    }
#else
    (void)net;
#endif
    free(chunk);
}

static void chunks_give(struct net_shard *net, struct conn_chunks *chunks)
{
    while (chunks->first != NULL) {
        struct conn_chunk *chunk = chunks->first;
        chunks->first = chunk->next;
        chunk_give(net, chunk);
    }
    *chunks = (struct conn_chunks){0};
}

static void chunks_append(struct conn_chunks *chunks, struct conn_chunk *chunk)
{
    if (chunks->last != NULL) {
        chunks->last->next = chunk;
    } else {
        chunks->first = chunk;
    }
    chunks->last = chunk;
}

static void chunks_splice(struct conn_chunks *to, struct conn_chunks *from)
{
    if (from->first == NULL) return;
    chunks_append(to, from->first);
    to->last = from->last;
    to->bytes += from->bytes;
    *from = (struct conn_chunks){0};
}

static uint8_t *chunks_reserve(struct net_shard *net, struct conn_chunks *chunks, size_t size)
{
    struct conn_chunk *last = chunks->last;
    if (last == NULL || last->capacity - last->size < size) {
        last = chunk_take(net, size);
        chunks_append(chunks, last);
    }
    return last->data + last->size;
}

static void chunks_write(
    struct net_shard *net, struct conn_chunks *chunks, const void *data, size_t size)
{
    const uint8_t *at = data;
    chunks->bytes += size;
    while (size > 0) {
        struct conn_chunk *last = chunks->last;
        if (last == NULL || last->size == last->capacity) {
            last = chunk_take(net, 1);
            chunks_append(chunks, last);
        }
        size_t part = last->capacity - last->size;
        if (part > size) part = size;
        memcpy(last->data + last->size, at, part);
        last->size += part;
        at += part;
        size -= part;
    }
}

static uint8_t *input_take(struct net_shard *net)
{
    uint8_t *buffer = net->free_inputs;
    if (buffer != NULL) {
        memcpy(&net->free_inputs, buffer, sizeof net->free_inputs);
        net->free_input_count--;
        return buffer;
    }
    buffer = malloc(CONN_INPUT_BYTES);
    invariant(buffer != NULL);
    return buffer;
}

static void input_give(struct conn *conn)
{
    if (conn->input == NULL) return;
#ifndef ISOPOD_ASAN
    struct net_shard *net = net_shard_of(conn->shard);
    if (conn->input_capacity == CONN_INPUT_BYTES && net->free_input_count < CONN_POOL_MAX) {
        memcpy(conn->input, &net->free_inputs, sizeof net->free_inputs);
        net->free_inputs = conn->input;
        net->free_input_count++;
        conn->input = NULL;
    }
#endif
    free(conn->input);
    conn->input = NULL;
    conn->input_start = conn->input_end = conn->input_capacity = 0;
}

void conn_buffers_free(struct conn *conn)
{
    struct net_shard *net = net_shard_of(conn->shard);
    input_give(conn);
    chunks_give(net, &conn->plain);
    chunks_give(net, &conn->wire);
    chunks_give(net, &conn->sending);
}

void conn_pools_free(struct net_shard *net)
{
    while (net->free_chunks != NULL) {
        struct conn_chunk *chunk = net->free_chunks;
        net->free_chunks = chunk->next;
        free(chunk);
    }
    while (net->free_inputs != NULL) {
        uint8_t *buffer = net->free_inputs;
        memcpy(&net->free_inputs, buffer, sizeof net->free_inputs);
        free(buffer);
    }
}

// --- input ------------------------------------------------------------------------------------------

static size_t input_size(const struct conn *conn)
{
    return conn->input_end - conn->input_start;
}

// Room for `size` bytes after the unread ones.
static uint8_t *input_reserve(struct conn *conn, size_t size)
{
    if (conn->input == NULL && size <= CONN_INPUT_BYTES) {
        conn->input = input_take(net_shard_of(conn->shard));
        conn->input_capacity = CONN_INPUT_BYTES;
    }
    if (conn->input_capacity - conn->input_end >= size) return conn->input + conn->input_end;
    size_t unread = input_size(conn);
    if (conn->input_capacity - unread >= size && conn->input_start >= conn->input_capacity / 4) {
        memmove(conn->input, conn->input + conn->input_start, unread);
    } else {
        // Also when it would just fit, so that bytes are not moved again and again.
        size_t capacity = conn->input_capacity == 0 ? CONN_INPUT_BYTES : conn->input_capacity * 2;
        while (capacity - unread < size)
            capacity *= 2;
        // For a long message all of it at once: copies of its beginning would take milliseconds.
        if (capacity < conn->input_wanted && capacity >= LARGE_INPUT_BYTES) capacity = conn->input_wanted + size + 1;
        uint8_t *grown = malloc(capacity);
        invariant(grown != NULL);
        if (unread > 0) memcpy(grown, conn->input + conn->input_start, unread);
        free(conn->input);
        conn->input = grown;
        conn->input_capacity = capacity;
    }
    conn->input_start = 0;
    conn->input_end = unread;
    return conn->input + unread;
}

void *conn_input_detach(struct conn *conn, size_t size)
{
    const size_t unread = input_size(conn), rest = unread - size;
    invariant(size <= unread);
    if (size < LARGE_INPUT_BYTES || conn->input_end == conn->input_capacity) return NULL;
    uint8_t *memory = conn->input;
    const uint8_t *left = memory + conn->input_start + size;
    conn->input = NULL;
    conn->input_start = conn->input_end = conn->input_capacity = 0;
    if (rest > 0) memcpy(input_reserve(conn, rest), left, rest);
    conn->input_end = rest;
    return memory;
}

void conn_notify(struct conn *conn)
{
    if (conn->state != CONN_OPEN) return;
    if (!wait_queue_empty(&conn->input_waiters)) {
        if (conn->ended || input_size(conn) >= conn->input_wanted)
            wait_queue_wake_all(&conn->input_waiters, STATUS_OK);
        return;
    }
    if (conn->handler != NULL) conn->handler->on_input(conn);
}

static void conn_end(struct conn *conn, bool broken)
{
    conn->ended = true;
    if (!broken) return;
    conn->broken = true;
    wait_queue_wake_all(&conn->drain_waiters, STATUS_OK);
}

// Moves plain text from the TLS session to the input, as far as it has room.
static void tls_pull(struct conn *conn)
{
    while (!conn->tls_ended && input_size(conn) < conn->input_bytes_max) {
        size_t room = 4096, got = 0;
        uint8_t *at = input_reserve(conn, room);
        bool ended = false;
        struct status st = tls_session_read(conn->tls, at, room, &got, &ended);
        if (failed(st) || ended) {
            conn->tls_ended = true;
            conn_end(conn, failed(st));
        }
        conn->input_end += got;
        if (got == 0) break;
    }
    conn->tls_withheld = input_size(conn) >= conn->input_bytes_max;
    if (input_size(conn) == 0) input_give(conn);
    // Reading can make the session say something itself: an alert, a key update.
    if (tls_session_output(conn->tls).size > 0 && conn->state == CONN_OPEN) conn_flush(conn);
}

static void conn_take_bytes(struct conn *conn, const uint8_t *data, size_t size)
{
    conn->bytes_in += size;
    if (conn->state == CONN_CLOSING || conn->state == CONN_CLOSED) return; // Nobody reads them.
    if (conn->tls != NULL) {
        if (failed(tls_session_input(conn->tls, bytes_of(data, size)))) conn_end(conn, true);
        tls_pull(conn);
    } else {
        memcpy(input_reserve(conn, size), data, size);
        conn->input_end += size;
    }
    if (input_size(conn) >= conn->input_bytes_max) conn_recv_stop(conn);
}

static void recv_complete(struct net_op *op)
{
    struct conn *conn = container_of(op, struct conn, recv_op);
    bool last = !op->more;
    if (op->result > 0) {
        conn_take_bytes(conn, op->data, (size_t)op->result);
    } else if (op->result != -ECANCELED) {
        conn_end(conn, op->result < 0);
    }
    if (last) {
        conn->recv_armed = false;
        conn->recv_cancelling = false;
    }
    if (op->result != -ECANCELED) conn_notify(conn);
    if (!last) return;
    // Until here this operation has kept the connection from being freed.
    if (conn->state == CONN_CLOSING && conn->ended && conn->shut_down) {
        conn_abort(conn); // The peer has seen all there was.
    } else {
        conn_recv_resume(conn);
    }
    conn_op_ended(conn);
}

void conn_recv_resume(struct conn *conn)
{
    if (conn->recv_armed || conn->ended) return;
    if (conn->state != CONN_OPEN && conn->state != CONN_CLOSING) return;
    if (conn->state == CONN_OPEN && input_size(conn) >= conn->input_bytes_max) return;
    conn->recv_armed = true;
    conn->ops_in_flight++;
    conn->recv_op =
        (struct net_op){.kind = NET_RECV, .handle = conn->handle, .complete = recv_complete};
    conn->shard->env->net_submit(conn->shard->env, conn->shard, &conn->recv_op);
}

static void recv_cancel_complete(struct net_op *op)
{
    struct conn *conn = container_of(op, struct conn, recv_cancel_op);
    conn->recv_cancel_in_flight = false;
    conn_op_ended(conn);
}

void conn_recv_stop(struct conn *conn)
{
    if (!conn->recv_armed || conn->recv_cancelling || conn->recv_cancel_in_flight) return;
    conn->recv_cancelling = true;
    conn->recv_cancel_in_flight = true;
    conn->ops_in_flight++;
    conn->recv_cancel_op = (struct net_op){.kind = NET_RECV_CANCEL,
        .handle = conn->handle,
        .target = &conn->recv_op,
        .complete = recv_cancel_complete};
    conn->shard->env->net_submit(conn->shard->env, conn->shard, &conn->recv_cancel_op);
}

struct bytes conn_input(const struct conn *conn)
{
    if (conn->input == NULL) return (struct bytes){(const uint8_t *)"", 0};
    return bytes_of(conn->input + conn->input_start, input_size(conn));
}

void conn_consume(struct conn *conn, size_t size)
{
    invariant(size <= input_size(conn));
    conn->input_start += size;
    if (input_size(conn) == 0) input_give(conn);
    if (input_size(conn) * 2 > conn->input_bytes_max) {
        // Much is left. Should the owner take no more of it (the rest of a message is missing), receiving must go on.
        if (!conn->recv_armed || conn->tls_withheld) turn_hook_arm(conn->shard, &conn->resume_hook);
        return;
    }
    if (conn->tls != NULL && conn->tls_withheld) tls_pull(conn);
    conn_recv_resume(conn);
}

void conn_resume_hook(struct turn_hook *hook)
{
    struct conn *conn = container_of(hook, struct conn, resume_hook);
    if (conn->state == CONN_MIGRATING || conn->state == CONN_CLOSED) {
        conn_settle(conn);
        return;
    }
    if (conn->state != CONN_OPEN) return;
    size_t before = input_size(conn);
    if (conn->tls != NULL && conn->tls_withheld) tls_pull(conn);
    conn_recv_resume(conn);
    if (input_size(conn) != before) conn_notify(conn);
}

bool conn_ended(const struct conn *conn)
{
    return conn->ended;
}

void conn_input_bytes_max_set(struct conn *conn, size_t bytes)
{
    conn->input_bytes_max = bytes;
    if (conn->tls != NULL && conn->tls_withheld) tls_pull(conn);
    conn_recv_resume(conn);
}

struct status conn_wait_input(struct task *task, struct conn *conn, size_t size)
{
    if (size > conn->input_bytes_max)
        return status_make(E_PROTOCOL_VIOLATION, "message is larger than the connection allows");
    while (input_size(conn) < size) {
        if (conn->ended)
            return status_make(E_CONNECTION_FAILURE, "the connection was closed by the other side");
        conn->input_wanted = size;
        // Receiving may have stopped while there was much, and what is left may be less than what is wanted.
        if (conn->tls != NULL && conn->tls_withheld) tls_pull(conn);
        if (input_size(conn) >= size) break;
        conn_recv_resume(conn);
        struct status st = task_wait(task, &conn->input_waiters);
        if (failed(st)) return st;
    }
    return STATUS_OK;
}

// --- output -----------------------------------------------------------------------------------------

uint8_t *conn_write_reserve(struct conn *conn, size_t size)
{
    return chunks_reserve(net_shard_of(conn->shard), &conn->plain, size);
}

void conn_write_commit(struct conn *conn, size_t size)
{
    struct conn_chunk *last = conn->plain.last;
    invariant(last != NULL && size <= last->capacity - last->size);
    last->size += size;
    conn->plain.bytes += size;
}

void conn_write(struct conn *conn, const void *data, size_t size)
{
    chunks_write(net_shard_of(conn->shard), &conn->plain, data, size);
}

void conn_wire_write(struct conn *conn, const void *data, size_t size)
{
    chunks_write(net_shard_of(conn->shard), &conn->wire, data, size);
}

size_t conn_output_bytes(const struct conn *conn)
{
    return conn->plain.bytes + conn->wire.bytes + conn->sending.bytes;
}

void conn_flush(struct conn *conn)
{
    turn_hook_arm(conn->shard, &conn->flush_hook);
}

static void output_drop(struct conn *conn)
{
    struct net_shard *net = net_shard_of(conn->shard);
    chunks_give(net, &conn->plain);
    chunks_give(net, &conn->wire);
}

// What the owner wrote becomes what the socket shall get.
static void output_seal(struct conn *conn)
{
    if (conn->tls == NULL) {
        chunks_splice(&conn->wire, &conn->plain);
        return;
    }
    struct conn_chunk *chunk = conn->plain.first;
    for (; chunk != NULL && !conn->broken; chunk = chunk->next) {
        if (chunk->size > 0 && failed(tls_session_write(conn->tls, chunk->data, chunk->size)))
            conn_end(conn, true);
        struct bytes sealed = tls_session_output(conn->tls);
        conn_wire_write(conn, sealed.data, sealed.size);
        tls_session_output_consume(conn->tls, sealed.size);
    }
    chunks_give(net_shard_of(conn->shard), &conn->plain);
    struct bytes sealed = tls_session_output(conn->tls);
    conn_wire_write(conn, sealed.data, sealed.size);
    tls_session_output_consume(conn->tls, sealed.size);
}

static void send_complete(struct net_op *op)
{
    struct conn *conn = container_of(op, struct conn, send_op);
    bool ended = conn->ended;
    conn->send_in_flight = false;
    if (op->result < 0) {
        conn_end(conn, true);
    } else {
        conn->bytes_out += (uint64_t)op->result;
    }
    chunks_give(net_shard_of(conn->shard), &conn->sending);
    if (conn->broken) output_drop(conn);
    if (conn->state == CONN_OPEN || conn->state == CONN_CLOSING) conn_send_start(conn);
    if (conn->state == CONN_CLOSING && !conn->send_in_flight) conn_close_drained(conn);
    // The waiters look at what is queued themselves.
    wait_queue_wake_all(&conn->drain_waiters, STATUS_OK);
    // Receiving may have stopped while there was much input: nobody else tells the owner then.
    if (!ended && conn->ended) conn_notify(conn);
    conn_op_ended(conn);
}

void conn_send_start(struct conn *conn)
{
    if (conn->send_in_flight) return;
    // More of what was handed over before, then what was written since: one after the other, so that the
    // ciphertext keeps its order.
    if (conn->wire.first == NULL && conn->flush_wanted) {
        conn->flush_wanted = false;
        output_seal(conn);
    }
    if (conn->broken) output_drop(conn);
    if (conn->wire.bytes == 0) return;
    uint32_t count = 0;
    while (conn->wire.first != NULL && count < CONN_IOV_MAX) {
        struct conn_chunk *chunk = conn->wire.first;
        conn->wire.first = chunk->next;
        if (chunk->next == NULL) conn->wire.last = NULL;
        chunk->next = NULL;
        conn->wire.bytes -= chunk->size;
        conn->sending.bytes += chunk->size;
        chunks_append(&conn->sending, chunk);
        if (chunk->size == 0) continue; // Reserved and never filled.
        conn->iov[count++] = (struct net_buffer){chunk->data, chunk->size};
    }
    conn->send_in_flight = true;
    conn->ops_in_flight++;
    conn->send_op = (struct net_op){.kind = NET_SEND,
        .handle = conn->handle,
        .iov = conn->iov,
        .iov_count = count,
        .complete = send_complete};
    conn->shard->env->net_submit(conn->shard->env, conn->shard, &conn->send_op);
}

void conn_flush_hook(struct turn_hook *hook)
{
    struct conn *conn = container_of(hook, struct conn, flush_hook);
    conn->flush_wanted = true;
    if (conn->state == CONN_MIGRATING || conn->state == CONN_CLOSED) {
        conn_settle(conn);
        return;
    }
    conn_send_start(conn);
    if (conn->state == CONN_CLOSING && !conn->send_in_flight) conn_close_drained(conn);
    if (conn->broken) wait_queue_wake_all(&conn->drain_waiters, STATUS_OK);
}

struct status conn_drain(struct task *task, struct conn *conn, size_t bytes_max)
{
    if (conn->plain.bytes > 0) conn_flush(conn);
    while (!conn->broken && conn_output_bytes(conn) > bytes_max) {
        struct status st = task_wait(task, &conn->drain_waiters);
        if (failed(st)) return st;
    }
    if (!conn->broken) return STATUS_OK;
    return status_make(E_CONNECTION_FAILURE, "the connection was closed by the other side");
}

// --- TLS --------------------------------------------------------------------------------------------

struct handshake_call {
    struct tls_session *session;
    bool done;
    struct status st;
};

static void handshake_step(void *arg)
{
    struct handshake_call *call = arg;
    call->st = tls_session_handshake(call->session, &call->done);
}

struct status conn_tls_start(
    struct task *task, struct conn *conn, struct tls_context *context, const char *server_name)
{
    struct status st = STATUS_OK;
    struct tls_session *session = NULL;
    invariant(conn->tls == NULL);
    // What was written before goes out in the clear ("S", the answer to an SSLRequest).
    chunks_splice(&conn->wire, &conn->plain);
    TRY(tls_session_create(context, server_name, &session));
    struct handshake_call call = {.session = session};
    for (;;) {
        struct bytes unread = conn_input(conn);
        if (unread.size > 0) {
            TRY(tls_session_input(session, unread));
            conn_consume(conn, unread.size);
        }
        stack_call(handshake_step, &call);
        // Also after a failure: the alert tells the peer why.
        struct bytes said = tls_session_output(session);
        if (said.size > 0) {
            conn_wire_write(conn, said.data, said.size);
            tls_session_output_consume(session, said.size);
            conn_flush(conn);
        }
        TRY(call.st);
        if (call.done) break;
        TRY(conn_wait_input(task, conn, 1));
    }
    conn->tls = session;
    session = NULL;
    tls_pull(conn); // What came right behind the handshake.
out:
    if (session != NULL) tls_session_destroy(session);
    return st;
}

struct tls_session *conn_tls(const struct conn *conn)
{
    return conn->tls;
}
