// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of RPC, shared by core/rpc.c (methods, calls, messages), core/rpc_conn.c (connections: opening, hello,
// frames, pings) and core/rpc_stream.c. Everyone else sees core/rpc.h.
//
// A frame: u32 bytes after the first eight, u32 CRC-32C of those, u8 kind, u8 class and depth, u16 method, u32 and
// u64 HLC of the sender, u64 id, body. Who opened the connection sends calls, messages and stream requests; who
// accepted it answers.
//
// Shard    A connection belongs to its shard; one that was accepted elsewhere is moved before its first call.
// Memory   Connections, inbound calls and streams are malloc'ed; what refers to a connection is on one of its
//          lists and is told when it goes.
#pragma once
#include "core/codec.h"
#include "core/hashmap.h"
#include "core/rpc.h"

#define RPC_HEADER_BYTES 32u
#define RPC_FRAME_BYTES_MAX (RPC_BODY_BYTES_MAX + 4096u)
#define RPC_STREAM_QUEUE_BYTES (1u << 20) // Streams leave the rest of the output to calls.

enum rpc_frame_kind {
    RPC_HELLO = 1,
    RPC_WELCOME,
    RPC_REFUSED,
    RPC_PING,
    RPC_PONG,
    RPC_CALL,
    RPC_REPLY,
    RPC_FAILURE,
    RPC_CANCEL,
    RPC_MESSAGE,
    RPC_STREAM_OPEN,
    RPC_STREAM_DATA,
    RPC_STREAM_CREDIT,
    RPC_STREAM_END,   // The handler has returned, or the opener sends no more.
    RPC_STREAM_CLOSE, // The opener is gone.
};

struct rpc_frame {
    enum rpc_frame_kind kind;
    uint8_t class, depth;
    uint16_t method;
    uint64_t id;
    struct bytes body;
};

struct rpc_node {
    uint32_t version; // Of the protocol that it says it speaks.
    struct node_exit_hook exit_hook;
    struct tls_context *tls_server, *tls_client;
    int64_t max_offset_ns;
    struct rpc_watch *watches;
};

struct rpc_peer {
    uint32_t node;
    char address[NET_ADDRESS_BYTES];
    uint32_t up; // Open connections to it.
    uint64_t heard_ns; // By any connection, from it or to it.
};

struct rpc_shard {
    struct shard *shard;
    struct rpc_node *rpc;
    uint32_t node_id; // As told by rpc_identity_set.
    uint8_t cluster_id[16];
    struct rpc_incarnation incarnation; // As told by rpc_incarnation_set.
    struct hashmap peers;    // By node.
    struct list_link conns;  // Outgoing and accepted.
    struct listener *listener;
    struct shard_exit_hook exit_hook;
    uint64_t last_id;
    uint64_t clock_warned_ns;
    uint32_t connections, calls_in_flight, inbound, streams;
    struct list_link running; // struct rpc_inbound
    uint64_t ended[4];        // Methods that are not served any more: a bit each.
    uint64_t messages_dropped;
    bool exiting;
};

enum rpc_state { RPC_OPENING, RPC_OPEN, RPC_FAILED, RPC_CLOSED };

struct rpc_conn {
    struct rpc_shard *rpc;
    struct list_link link; // Of rpc->conns.
    enum rpc_state state;
    bool accepted;
    bool restricted;       // One side is no node of the cluster: methods for clients only.
    bool busy;             // A task opens it: frees it when it is closed meanwhile.
    bool in_input;         // on_input runs: frees it.
    uint32_t node, shard;  // Of the other side.
    bool bulk;
    char address[NET_ADDRESS_BYTES];
    struct conn *conn;     // NULL while it is being connected.
    struct status failure; // Of the last opening, in failure_arena.
    struct arena failure_arena;
    uint64_t retry_at_ns, back_off_ns;
    // Written before it was open.
    uint8_t *backlog;
    size_t backlog_bytes, backlog_capacity;
    // Opened: by us.
    struct hashmap calls;      // By id: struct rpc_call.
    struct hashmap streams;    // By id: both sides.
    // Accepted.
    struct hashmap inbound;    // By id: struct rpc_inbound.
    struct wait_queue room;    // For tasks that wait until it is open, or fails.
    struct timer timer;
    uint64_t heard_ns, peer_told_ns, used_ns, ping_sent_ns, pinged_ns;
    int64_t ping_wall_ns;
    uint32_t target_shard;     // Of an accepted one, while it moves.
    struct rpc_incarnation said; // In the hello.
};

struct rpc_wait {
    struct wait_queue queue;
    uint32_t pending;
};

// A call or stream that runs here for another node.
struct rpc_inbound {
    struct list_link link; // Of rpc->running.
    struct rpc_conn *conn; // NULL: nobody waits for the answer any more.
    struct rpc_shard *rpc;
    const struct rpc_method *method;
    struct task *task;
    struct rpc_stream *stream;
    uint64_t id;
    struct rpc_request request;
    char peer[NET_ADDRESS_BYTES];
    bool cancelled;
    uint8_t body[];
};

struct rpc_shard *rpc_shard_of(struct shard *shard);
const struct rpc_method *rpc_method_find(uint32_t id);
bool rpc_restricted_allows(const struct rpc_conn *conn, const struct rpc_method *method);

// --- connections ---------------------------------------------------------------------------------

// The connection for this, made and being opened when there is none. NULL: there is no such node, or it could not be
// reached a moment ago (*why says it, static or of the connection).
struct rpc_conn *rpc_conn_get(struct rpc_shard *rpc, uint32_t node, const char *address, uint32_t shard,
    bool bulk, struct status *why);
// Queues a frame; the connection is opening or open.
void rpc_conn_write(struct rpc_conn *conn, const struct rpc_frame *frame, const struct bytes *parts,
    uint32_t part_count);
size_t rpc_conn_queued(const struct rpc_conn *conn);
// Suspends while more than `bytes_max` are queued. Afterwards the connection may be gone, whatever is returned.
CHECKED struct status rpc_conn_room(struct task *task, struct rpc_conn *conn, size_t bytes_max);
// Ends it: calls and streams are told, inbound calls cancelled. May free it.
void rpc_conn_fail(struct rpc_conn *conn, struct status why);

// A frame has come for what was called or opened here (rpc.c, rpc_stream.c). False: against the protocol.
bool rpc_answer_take(struct rpc_conn *conn, const struct rpc_frame *frame);
bool rpc_request_take(struct rpc_conn *conn, const struct rpc_frame *frame);
bool rpc_stream_take(struct rpc_conn *conn, const struct rpc_frame *frame);
// The connection goes.
void rpc_calls_fail(struct rpc_conn *conn, struct status why);
void rpc_inbound_drop(struct rpc_conn *conn);
void rpc_streams_fail(struct rpc_conn *conn, struct status why);
// The backlog left: what is in it may be executed from now on.
void rpc_calls_sent(struct rpc_conn *conn);

// The stream of an inbound request, and its end.
struct rpc_stream *rpc_stream_accept(struct rpc_conn *conn, uint64_t id, uint32_t window);
void rpc_stream_finish(struct rpc_stream *stream, struct status st);
void rpc_stream_free(struct rpc_stream *stream);
