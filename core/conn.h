// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a connection, shared by core/net.c (life: listening, connecting, closing, migration) and
// core/conn.c (bytes in and out, TLS). Everyone else sees core/net.h.
//
// Shard    A connection and its operations belong to conn->shard.
// Memory   An idle connection has neither input buffer nor output chunks: both come from small per-shard
//          pools when there are bytes and go back when there are none.
#pragma once
#include "core/list.h"
#include "core/net.h"
#include "core/timer.h"

#define CONN_CHUNK_BYTES ((16u << 10) - 32) // With its header a round 16 KiB.
#define LARGE_INPUT_BYTES ((size_t)1 << 20)     // From here on input is not copied where that can be helped.
#define CONN_INPUT_BYTES (16u << 10)        // First size of an input buffer.
#define CONN_POOL_MAX 256u                  // Of each kind, kept for reuse by a shard.
#define CONN_IOV_MAX 8u
#define CONN_LINGER_NS 5000000000ull

struct conn_chunk {
    struct conn_chunk *next;
    size_t size, capacity;
    uint8_t data[];
};

struct conn_chunks {
    struct conn_chunk *first, *last;
    size_t bytes;
};

enum conn_state {
    CONN_OPEN,
    CONN_MIGRATING, // Waits for its operations here to end.
    CONN_CLOSING,   // No longer its owner's: sends what is left.
    CONN_CLOSED,    // Waits for its operations to end, then is freed.
};

struct conn {
    struct shard *shard;
    int64_t handle;
    enum conn_state state;
    const struct conn_handler *handler;
    void *handler_arg;
    struct list_link link; // Of the shard's connections.
    uint64_t bytes_in, bytes_out;

    // Input: unread bytes are input[input_start, input_end).
    uint8_t *input;
    size_t input_start, input_end, input_capacity, input_bytes_max;
    size_t input_wanted; // What the waiting task needs.
    struct wait_queue input_waiters;
    struct turn_hook resume_hook; // Receives on when the owner has taken what it can.
    bool ended;        // No more will come.
    bool broken;       // Nothing more can be sent.
    bool recv_armed, recv_cancelling, recv_cancel_in_flight;

    // Output: plain is what the owner wrote, wire what the socket shall get (ciphertext, with TLS),
    // sending what the kernel has.
    struct conn_chunks plain, wire, sending;
    struct wait_queue drain_waiters;
    struct turn_hook flush_hook;
    bool send_in_flight;
    bool flush_wanted; // Of `plain`.

    struct tls_session *tls;
    bool tls_withheld; // It has plain text for which the input had no room.
    bool tls_ended;    // It will give no more.
    bool shut_down; // The peer was told that no more will come.

    uint32_t ops_in_flight;
    struct net_op recv_op, recv_cancel_op, send_op, close_op;
    struct net_buffer iov[CONN_IOV_MAX];
    struct timer linger_timer;

    struct shard_message migrate_message;
    uint32_t migrate_target;
    void (*adopted)(struct conn *conn, void *arg);
    void *adopted_arg;
    char peer[NET_ADDRESS_BYTES], here[NET_ADDRESS_BYTES];
};

// A shard's part: its connections and listeners, and buffers to reuse.
struct net_shard {
    struct list_link conns;
    struct list_link listeners;
    struct conn_chunk *free_chunks;
    uint8_t *free_inputs; // Each begins with a pointer to the next.
    uint32_t free_chunk_count, free_input_count;
    struct shard_exit_hook exit_hook;
    bool exiting;
};

struct net_shard *net_shard_of(struct shard *shard);

// Bytes have come or the stream has ended: tells the task that waits, or the owner.
void conn_notify(struct conn *conn);
// Arms receiving, unless it is, or the buffer is full, or the connection is going.
void conn_recv_resume(struct conn *conn);
void conn_recv_stop(struct conn *conn);
// Starts a send when there is something and none is in flight.
void conn_send_start(struct conn *conn);
// Appends to what the socket shall get.
void conn_wire_write(struct conn *conn, const void *data, size_t size);
void conn_flush_hook(struct turn_hook *hook);
void conn_resume_hook(struct turn_hook *hook);
void conn_buffers_free(struct conn *conn);
void conn_pools_free(struct net_shard *net);
// An operation has ended. When it was the last of a connection that waits for that, moves it on: the
// connection may be gone.
void conn_op_ended(struct conn *conn);
void conn_settle(struct conn *conn);
// The output is empty and the connection is closing.
void conn_close_drained(struct conn *conn);
