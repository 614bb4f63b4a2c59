// SPDX-License-Identifier: GPL-3.0-or-later
//
// Calls, one-way messages and streams between nodes.
//
// A connection joins one shard here with one shard of another node (opened when it is first needed,
// closed after a minute without use), one for bulk work and one for the rest. It shares the port with
// SQL: what begins with RPC_PREAMBLE is handed over to rpc_accept. Then TLS with certificates of both
// sides (common name "node"; "root" for what is open to clients), or none with --insecure; then a
// hello with version, cluster, node and shard, which the other side answers or refuses with a reason.
//
// Methods are registered once a process. A call runs its handler as a task on the shard that was
// asked; deadline, class, tenant and a cancel travel along, its status comes back whole (SQLSTATE,
// message, detail, hint, retry). A message runs its handler at once, not in a task. A stream is a pair
// of byte-counted queues between a task here and a task there.
//
// Not who is where (kv/cluster.h tells it with rpc_peer_set), nor retries: a call is sent at most once.
//
// Shard    Each shard has its own connections; everything below runs on the caller's shard.
// Time     Every frame carries the sender's HLC, which the receiver's shard learns of unless it is
//          more than max_offset_ns ahead of the wall clock.
// Memory   Bounded: RPC_BODY_BYTES_MAX a frame; RPC_OUTPUT_BYTES_MAX queued a connection, beyond which calls
//          and streams wait and messages are dropped; RPC_INBOUND_MAX calls a connection (53300); a
//          stream's window.
// Errors   K_UNREACHABLE: no answer from the node; `sent` says whether it may have acted. With a hint: it refuses to
//          talk to this node (another release, another cluster, a copy). 57014, 57P01.
#pragma once
#include "core/net.h"
#include "core/shard.h"

#define RPC_PREAMBLE "ISOPOD\1\n"
#define RPC_PREAMBLE_BYTES 8u
#define RPC_VERSION 10u // Of the protocol: nodes talk when theirs are equal.
#define RPC_BODY_BYTES_MAX (80u << 20)
#define RPC_OUTPUT_BYTES_MAX (8u << 20)
#define RPC_INBOUND_MAX 8192u
#define RPC_STREAM_WINDOW (1u << 20)
#define RPC_METHODS_MAX 256u
#define RPC_ANY_SHARD UINT32_MAX // Whichever takes the connection.

// The other node gave no answer: down, cut off, unknown or refusing.
#define K_UNREACHABLE SQLSTATE('K', '0', '0', '2', '0')
// What a watch refuses somebody for whose store is not the one that its node ran with last.
#define K_STALE_STORE SQLSTATE('K', '0', '0', '2', '1')

// Which of its states a node's store is in. Nodes tell it when they begin to talk (kv/cluster.h). The number of none is 0.
struct rpc_incarnation {
    uint64_t number;
    uint8_t id[16];
};

// Numbers of methods, by who owns them. They are part of the protocol.
enum rpc_method_range {
    RPC_CLUSTER = 1,   // kv/cluster*: 1..31
    RPC_RAFT = 32,     // kv/raft*: 32..47
    RPC_LEADER = 48,   // kv/leader_wire: 48..95
    RPC_REPLICA = 96,  // kv/slice*, placement: 96..127
    RPC_SQL = 128,     // sql/: 128..175
    RPC_TENANT = 176,  // tenant/: 176..191
    RPC_REPL = 192,    // repl/: 192..223
    RPC_TEST = 240,    // tests: 240..255
};

// --- serving -------------------------------------------------------------------------------------

struct rpc_stream;

struct rpc_request {
    uint32_t node;       // Who asks: proven by the certificate only to be a node; 0: a client.
    uint32_t shard;      // Its shard.
    uint16_t method;
    struct bytes body;   // Until the handler returns.
    const char *peer;    // Address of the connection, for messages.
};

// Exactly one of the handlers is set.
struct rpc_method {
    uint16_t id;
    const char *name;       // Static: "leader.get". For metrics, logs and the task's kind.
    enum task_class class;  // Of the tasks that serve it, unless the caller's is lower.
    bool bulk;              // Uses the connection for bulk work.
    bool for_clients;       // Also for those that are no node of the cluster (join, init, drain).
    // In a task. What is appended to `reply` (in the task's arena) goes back when it succeeds.
    struct status (*call)(struct task *task, const struct rpc_request *request, struct buffer *reply);
    // Not in a task; must not suspend.
    void (*message)(struct shard *shard, const struct rpc_request *request);
    // In a task; when it returns the stream ends with its status.
    struct status (*stream)(
        struct task *task, const struct rpc_request *request, struct rpc_stream *stream);
};
// The method must outlive the process's nodes. Before the first node starts, or again with the same.
void rpc_method_register(const struct rpc_method *method);
// The node serves calls and streams of the method no more: those that come are refused (callers get
// K_UNREACHABLE, as from a node that stops), those that run are cancelled,
// and it returns when they have ended. Before what they use stops. On any shard; for all.
CHECKED struct status rpc_method_end(struct task *task, uint16_t id);

// --- calling -------------------------------------------------------------------------------------

struct rpc_conn;
struct rpc_wait;

struct rpc_call {
    uint32_t node;       // Whom to ask (the own node too: then without a connection), or 0 with
    const char *address; // "host:port" of any node.
    uint32_t shard;      // Of that node; RPC_ANY_SHARD.
    uint16_t method;
    struct bytes body;   // The caller's until the call returns.
    struct arena *arena; // Where the reply and a failure's message go; NULL: task->arena.
    // Answers.
    struct bytes reply;
    struct status status;
    bool sent;           // With K_UNREACHABLE, 57014, 57P01: it may have been, or be being, executed.
    // The module's own.
    uint64_t id;
    struct rpc_conn *conn;
    struct rpc_wait *wait;
    struct list_link link;
    bool done;
};

// Suspends until the answer, the task's deadline, a cancel (which is sent on) or the end of the
// connection. Returns call->status: the handler's, or K_UNREACHABLE, 57014, 57P01.
// A handler's internal conditions (class K0) come back as they are.
CHECKED struct status rpc_call(struct task *task, struct rpc_call *call);
// All at once; waits for all; returns the first failure. Each has its own status.
CHECKED struct status rpc_call_many(struct task *task, struct rpc_call *calls, uint32_t count);

struct rpc_target {
    uint32_t node, shard;
};
// A message: never suspends, is delivered at most once, in order for each pair of shards and class as long
// as the connection lives. False when it was dropped here: too much is queued, or the node is unknown.
// While the connection is being opened messages wait for it, within the same bound.
bool rpc_send(struct shard *shard, struct rpc_target target, uint16_t method, struct bytes body);
// The same in parts, for who gathers.
bool rpc_send_parts(struct shard *shard, struct rpc_target target, uint16_t method,
    const struct bytes *parts, uint32_t count);

// --- streams -------------------------------------------------------------------------------------

struct rpc_stream_options {
    struct rpc_target target;
    uint16_t method;
    struct bytes body;      // What the handler is asked.
    uint32_t window_bytes;  // Unread bytes that the other side may have sent; 0: RPC_STREAM_WINDOW.
};
// Opens and returns at once when the request is on its way: a refusal is seen by next or send.
CHECKED struct status rpc_stream_open(
    struct task *task, const struct rpc_stream_options *options, struct rpc_stream **stream);
// The next body, in `arena`. K_END once the other side has ended it without failure; else its failure.
CHECKED struct status rpc_stream_next(
    struct task *task, struct rpc_stream *stream, struct arena *arena, struct bytes *body);
// Suspends while the other side's window is used up. K_END when the other side has ended the stream.
CHECKED struct status rpc_stream_send(
    struct task *task, struct rpc_stream *stream, struct bytes body);
// Whether rpc_stream_next would return at once.
bool rpc_stream_ready(const struct rpc_stream *stream);
// The opener's: no more will be sent; then next goes on until K_END. Not needed before close.
void rpc_stream_end(struct rpc_stream *stream);
// The opener's: gone for the caller; the handler over there is cancelled when it still runs.
void rpc_stream_close(struct rpc_stream *stream);

// --- a node's transport --------------------------------------------------------------------------

struct rpc_options {
    struct tls_context *tls_server, *tls_client; // NULL: no TLS.
    uint8_t cluster_id[16];   // Zero: not yet known (a node that joins).
    int64_t max_offset_ns;    // 0: 500 ms.
    uint32_t version;         // Of the protocol, for tests of mixed releases; 0: RPC_VERSION.
};
// On shard 0, once a node, before it listens. It stops with the node.
CHECKED struct status rpc_start(struct task *task, const struct rpc_options *options);
// What a joining node learns (node->id with it). On shard 0; told to every shard. Connections made
// before are closed.
CHECKED struct status rpc_identity_set(
    struct task *task, uint32_t node_id, const uint8_t cluster_id[16]);
// On all shards; for connections that are opened from then on.
CHECKED struct status rpc_incarnation_set(struct task *task, const struct rpc_incarnation *incarnation);
// A port for RPC alone, on all shards.
CHECKED struct status rpc_listen(struct task *task, const char *address, char bound[64]);
// New certificates; connections that are there keep theirs.
void rpc_tls_set(struct node *node, struct tls_context *tls_server, struct tls_context *tls_client);

// Where a node is. On each shard (kv/cluster does it). A changed address closes what leads to the old
// one; NULL: forgets the node.
void rpc_peer_set(struct shard *shard, uint32_t node, const char *address);

// For who accepts connections on a port shared with others: how many of the first bytes are those of
// RPC. RPC_NO: hand it to someone else; RPC_MAYBE: wait for more.
enum rpc_match { RPC_NO, RPC_MAYBE, RPC_YES };
enum rpc_match rpc_match(struct bytes input);
// Takes a connection whose input begins with the preamble. Its owner lets go of it.
void rpc_accept(struct conn *conn);

// Called on each shard when a connection to the node was made (up) or lost (down: the last of this
// shard to it), and with what the exchange of pings says about its clock. Must not suspend.
struct rpc_watch {
    void (*changed)(struct rpc_watch *watch, struct shard *shard, uint32_t node, bool up);
    // The other clock minus ours, and how far that may be wrong (half the round trip).
    void (*clock)(struct rpc_watch *watch, struct shard *shard, uint32_t node, int64_t offset_ns,
        int64_t error_ns);
    // Before anything else is taken from a node or told to it: a failure is why not. May be NULL.
    struct status (*meets)(struct rpc_watch *watch, struct shard *shard, struct arena *arena, uint32_t node,
        const struct rpc_incarnation *incarnation);
    // Another node refuses this one with K_STALE_STORE, for what it still says of itself. May be NULL.
    void (*stale)(struct rpc_watch *watch, struct shard *shard, struct status why);
    struct rpc_watch *next;
};
void rpc_watch_add(struct node *node, struct rpc_watch *watch); // Right after rpc_start.

struct rpc_figures {
    uint32_t connections, calls_in_flight, inbound, streams;
    uint64_t messages_dropped, output_bytes;
};
struct rpc_figures rpc_figures(struct shard *shard);

// Status as bytes and back, for who keeps a failure or wraps it in a reply of its own. Decoding gives
// false for what is malformed.
void status_encode(struct buffer *out, struct status st);
bool status_decode(struct arena *arena, struct bytes in, struct status *st);
