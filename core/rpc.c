// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/rpc.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/conn.h"
#include "core/invariant.h"
#include "core/metrics.h"
#include "core/reactor.h"
#include "core/rpc_internal.h"
#include "core/tls.h"

#define MAX_OFFSET_DEFAULT_NS INT64_C(500000000)
#define END_POLL_NS UINT64_C(1000000)

static METRIC_DEFINE(metric_calls, "rpc.calls", METRIC_COUNTER, METRIC_COUNT, false, "Calls to other nodes");
static METRIC_DEFINE(metric_unreachable, "rpc.calls.unreachable", METRIC_COUNTER, METRIC_COUNT, false,
    "Calls to other nodes that had no answer");
static METRIC_DEFINE(metric_latency, "rpc.call.latency", METRIC_HISTOGRAM, METRIC_NANOSECONDS, false,
    "Time from sending a call to its answer");
static METRIC_DEFINE(metric_served, "rpc.calls.served", METRIC_COUNTER, METRIC_COUNT, false,
    "Calls and streams of other nodes that were served");
static METRIC_DEFINE(metric_dropped, "rpc.messages.dropped", METRIC_COUNTER, METRIC_COUNT, false,
    "One-way messages that were not sent since too much was queued or the node is not reachable");

// --- methods ---------------------------------------------------------------------------------------

static const struct rpc_method *methods[RPC_METHODS_MAX];

void rpc_method_register(const struct rpc_method *method)
{
    invariant(method->id > 0 && method->id < RPC_METHODS_MAX);
    invariant((method->call != NULL) + (method->message != NULL) + (method->stream != NULL) == 1);
    if (methods[method->id] == method) return;
    invariant(methods[method->id] == NULL);
    methods[method->id] = method;
}

const struct rpc_method *rpc_method_find(uint32_t id)
{
    return id < RPC_METHODS_MAX ? methods[id] : NULL;
}

bool rpc_restricted_allows(const struct rpc_conn *conn, const struct rpc_method *method)
{
    return !conn->restricted || method->for_clients;
}

// --- a node's transport ----------------------------------------------------------------------------

struct rpc_shard *rpc_shard_of(struct shard *shard)
{
    return shard->slots[SHARD_SLOT_RPC];
}

// All of them; or, with an address, those that we opened to it.
static void conns_fail(struct rpc_shard *rpc, uint32_t node, const char *address, struct status why)
{
    struct list_link *link = rpc->conns.next;
    while (link != &rpc->conns) {
        struct rpc_conn *conn = container_of(link, struct rpc_conn, link);
        link = link->next;
        if (address != NULL &&
            (conn->accepted || conn->node != node || strcmp(conn->address, address) != 0))
            continue;
        rpc_conn_fail(conn, why);
    }
}

static void rpc_exit(struct shard_exit_hook *hook)
{
    struct rpc_shard *rpc = container_of(hook, struct rpc_shard, exit_hook);
    uint32_t cursor = 0;
    rpc->exiting = true;
    if (rpc->listener != NULL) listener_close(rpc->listener);
    conns_fail(rpc, 0, NULL, status_make(K_UNREACHABLE, "the node is shutting down"));
    for (struct hashmap_entry *entry; (entry = hashmap_next(&rpc->peers, &cursor)) != NULL;)
        free(entry->value);
    hashmap_fini(&rpc->peers);
    rpc->shard->slots[SHARD_SLOT_RPC] = NULL;
    free(rpc);
}

static void node_exit(struct node_exit_hook *hook)
{
    free(container_of(hook, struct rpc_node, exit_hook));
}

struct start_call {
    struct rpc_node *rpc;
    uint8_t cluster_id[16];
    uint32_t node_id;
};

static struct status shard_start(struct task *task, void *arg)
{
    const struct start_call *call = arg;
    struct rpc_shard *rpc = calloc(1, sizeof *rpc);
    invariant(rpc != NULL && task->shard->slots[SHARD_SLOT_RPC] == NULL);
    rpc->shard = task->shard;
    rpc->rpc = call->rpc;
    rpc->node_id = call->node_id;
    memcpy(rpc->cluster_id, call->cluster_id, sizeof rpc->cluster_id);
    list_init(&rpc->conns);
    list_init(&rpc->running);
    // Connections are closed by their own hook; ours has to run before it, so it comes later.
    (void)net_shard_of(task->shard);
    rpc->exit_hook.fn = rpc_exit;
    shard_at_exit(task->shard, &rpc->exit_hook);
    task->shard->slots[SHARD_SLOT_RPC] = rpc;
    return STATUS_OK;
}

struct status rpc_start(struct task *task, const struct rpc_options *options)
{
    static const uint8_t unknown[16];
    struct node *node = task->shard->node;
    struct rpc_node *rpc = calloc(1, sizeof *rpc);
    invariant(rpc != NULL && task->shard->index == 0);
    rpc->exit_hook.fn = node_exit;
    node_at_exit(node, &rpc->exit_hook);
    rpc->tls_server = options->tls_server;
    rpc->tls_client = options->tls_client;
    rpc->version = options->version == 0 ? RPC_VERSION : options->version;
    rpc->max_offset_ns = options->max_offset_ns == 0 ? MAX_OFFSET_DEFAULT_NS : options->max_offset_ns;
    node->slots[NODE_SLOT_RPC] = rpc;
    metric_register(&metric_dropped);
    metric_register(&metric_unreachable);
    struct start_call call = {.rpc = rpc};
    memcpy(call.cluster_id, options->cluster_id, sizeof call.cluster_id);
    call.node_id = memcmp(unknown, options->cluster_id, sizeof unknown) == 0 ? 0 : node->id;
    return shard_call_all(task, shard_start, &call);
}

static struct status shard_identity(struct task *task, void *arg)
{
    const struct start_call *call = arg;
    struct rpc_shard *rpc = rpc_shard_of(task->shard);
    rpc->node_id = call->node_id;
    memcpy(rpc->cluster_id, call->cluster_id, sizeof rpc->cluster_id);
    struct list_link *link = rpc->conns.next;
    while (link != &rpc->conns) {
        struct rpc_conn *conn = container_of(link, struct rpc_conn, link);
        link = link->next;
        // A client that asked for this very change waits for its answer.
        if (!conn->accepted || conn->node != 0)
            rpc_conn_fail(conn, status_make(K_UNREACHABLE, "the node has joined a cluster"));
    }
    return STATUS_OK;
}

struct status rpc_identity_set(struct task *task, uint32_t node_id, const uint8_t cluster_id[16])
{
    struct start_call call = {.node_id = node_id};
    memcpy(call.cluster_id, cluster_id, sizeof call.cluster_id);
    return shard_call_all(task, shard_identity, &call);
}

static struct status shard_incarnation(struct task *task, void *arg)
{
    rpc_shard_of(task->shard)->incarnation = *(const struct rpc_incarnation *)arg;
    return STATUS_OK;
}

struct status rpc_incarnation_set(struct task *task, const struct rpc_incarnation *incarnation)
{
    struct rpc_incarnation copy = *incarnation;
    return shard_call_all(task, shard_incarnation, &copy);
}

void rpc_tls_set(struct node *node, struct tls_context *tls_server, struct tls_context *tls_client)
{
    struct rpc_node *rpc = node->slots[NODE_SLOT_RPC];
    __atomic_store_n(&rpc->tls_server, tls_server, __ATOMIC_RELEASE);
    __atomic_store_n(&rpc->tls_client, tls_client, __ATOMIC_RELEASE);
}

void rpc_watch_add(struct node *node, struct rpc_watch *watch)
{
    struct rpc_node *rpc = node->slots[NODE_SLOT_RPC];
    watch->next = rpc->watches;
    rpc->watches = watch;
}

void rpc_peer_set(struct shard *shard, uint32_t node, const char *address)
{
    struct rpc_shard *rpc = rpc_shard_of(shard);
    struct rpc_peer *peer = hashmap_get_u64(&rpc->peers, node);
    if (peer != NULL && address != NULL && strcmp(peer->address, address) == 0) return;
    if (peer != NULL)
        conns_fail(rpc, node, peer->address, status_make(K_UNREACHABLE, "the node has another address now"));
    if (address == NULL || strlen(address) >= sizeof peer->address) {
        free(hashmap_remove_u64(&rpc->peers, node));
        return;
    }
    if (peer == NULL) {
        peer = calloc(1, sizeof *peer);
        invariant(peer != NULL);
        peer->node = node;
        hashmap_put_u64(&rpc->peers, node, peer);
    }
    snprintf(peer->address, sizeof peer->address, "%s", address);
}

struct rpc_figures rpc_figures(struct shard *shard)
{
    struct rpc_shard *rpc = rpc_shard_of(shard);
    struct rpc_figures figures = {.connections = rpc->connections,
        .calls_in_flight = rpc->calls_in_flight,
        .inbound = rpc->inbound,
        .streams = rpc->streams,
        .messages_dropped = rpc->messages_dropped};
    for (struct list_link *link = rpc->conns.next; link != &rpc->conns; link = link->next)
        figures.output_bytes += rpc_conn_queued(container_of(link, struct rpc_conn, link));
    return figures;
}

// --- a port of its own -----------------------------------------------------------------------------

static void on_first_input(struct conn *conn)
{
    if (rpc_match(conn_input(conn)) == RPC_YES)
        rpc_accept(conn);
    else if (conn_ended(conn) || rpc_match(conn_input(conn)) == RPC_NO)
        conn_abort(conn);
}

static const struct conn_handler first_handler = {.on_input = on_first_input};

static void on_accept(struct listener *listener, struct conn *conn)
{
    (void)listener;
    conn_set_handler(conn, &first_handler, NULL);
    if (conn_input(conn).size > 0) on_first_input(conn);
}

struct listen_call {
    const char *address;
    char bound[64];
};

static struct status shard_listen(struct task *task, void *arg)
{
    struct listen_call *call = arg;
    struct rpc_shard *rpc = rpc_shard_of(task->shard);
    struct listener_options options = {.address = call->bound[0] == '\0' ? call->address : call->bound,
        .input_bytes_max = 16384,
        .on_accept = on_accept};
    struct status st = net_listen(task, &options, &rpc->listener);
    if (!failed(st) && call->bound[0] == '\0')
        snprintf(call->bound, sizeof call->bound, "%s", listener_address(rpc->listener));
    return st;
}

struct status rpc_listen(struct task *task, const char *address, char bound[64])
{
    struct listen_call call = {.address = address};
    struct status st = shard_call_all(task, shard_listen, &call);
    memcpy(bound, call.bound, sizeof call.bound);
    return st;
}

// --- calling ---------------------------------------------------------------------------------------

static void call_finish(struct rpc_call *call, struct status st)
{
    call->status = st;
    call->done = true;
    call->conn = NULL;
    if (--call->wait->pending == 0) wait_queue_wake_all(&call->wait->queue, STATUS_OK);
}

static void call_forget(struct rpc_call *call)
{
    if (call->conn == NULL) return;
    hashmap_remove_u64(&call->conn->calls, call->id);
    call->conn->rpc->calls_in_flight--;
}

static struct arena *call_arena(struct task *task, const struct rpc_call *call)
{
    return call->arena != NULL ? call->arena : task->arena;
}

// Queues the request. False: it has failed, and call->status says how.
static bool call_start(struct task *task, struct rpc_call *call)
{
    struct rpc_shard *rpc = rpc_shard_of(task->shard);
    const struct rpc_method *method = rpc_method_find(call->method);
    struct status st = STATUS_OK;
    struct rpc_conn *conn;
    invariant(method != NULL && call->body.size <= RPC_BODY_BYTES_MAX);
    for (;;) {
        conn = rpc_conn_get(rpc, call->node, call->address, call->shard, method->bulk, &st);
        if (conn == NULL || rpc_conn_queued(conn) <= RPC_OUTPUT_BYTES_MAX) break;
        TRY(rpc_conn_room(task, conn, RPC_OUTPUT_BYTES_MAX));
    }
    if (conn == NULL) {
        st = status_copy(call_arena(task, call), st);
        goto out;
    }
    uint8_t head[16];
    uint64_t now = task_now_ns(task), left = 0;
    if (task->deadline_ns != UINT64_MAX) left = task->deadline_ns > now ? task->deadline_ns - now : 1;
    codec_store(head, left, 8);
    codec_store(head + 8, task->tenant, 8);
    call->id = ++rpc->last_id;
    call->conn = conn;
    call->sent = conn->state == RPC_OPEN;
    hashmap_put_u64(&conn->calls, call->id, call);
    rpc->calls_in_flight++;
    metric_add(&metric_calls, 0, 1);
    struct bytes parts[2] = {bytes_of(head, sizeof head), call->body};
    uint8_t depth = task->call_depth < SHARD_CALL_DEPTH_MAX ? task->call_depth : SHARD_CALL_DEPTH_MAX;
    rpc_conn_write(conn,
        &(struct rpc_frame){.kind = RPC_CALL,
            .class = (uint8_t)task->class,
            .depth = depth,
            .method = call->method,
            .id = call->id},
        parts, 2);
    return true;
out:
    metric_add(&metric_unreachable, 0, 1);
    call->status = st;
    call->done = true;
    return false;
}

struct own_call {
    struct rpc_call *call;
    struct arena arena;
    struct buffer reply;
    struct rpc_request request;
};

static struct status own_serve(struct task *task, void *arg)
{
    struct own_call *own = arg;
    const struct rpc_method *method = rpc_method_find(own->call->method);
    return method->call(task, &own->request, &own->reply);
}

// Of the own node: the same without a connection.
static struct status call_own(struct task *task, struct rpc_call *call)
{
    struct node *node = task->shard->node;
    struct own_call own = {.call = call,
        .request = {.node = node->id, .shard = task->shard->index, .method = call->method, .body = call->body, .peer = "this node"}};
    uint32_t target = call->shard == RPC_ANY_SHARD ? task->shard->index : call->shard;
    call->done = true;
    if (target >= node->shard_count)
        return call->status = status_make(K_UNREACHABLE, "the node has no such shard");
    invariant(rpc_method_find(call->method)->call != NULL);
    arena_init(&own.arena, NULL);
    buffer_init(&own.reply, &own.arena);
    call->sent = true;
    call->status = shard_call(task, target, own_serve, &own);
    if (!failed(call->status)) call->reply = arena_copy(call_arena(task, call), buffer_bytes(&own.reply));
    arena_fini(&own.arena);
    return call->status;
}

struct status rpc_call_many(struct task *task, struct rpc_call *calls, uint32_t count)
{
    struct rpc_wait wait = {.pending = 0};
    struct status st = STATUS_OK;
    uint64_t started = task_now_ns(task);
    wait_queue_init(&wait.queue);
    for (uint32_t i = 0; i < count; i++) {
        struct rpc_call *call = &calls[i];
        call->wait = &wait;
        call->reply = (struct bytes){(const uint8_t *)"", 0};
        call->status = STATUS_OK;
        call->arena = call_arena(task, call);
        call->conn = NULL;
        call->sent = call->done = false;
    }
    // While one waits for room the answers of others come.
    for (uint32_t i = 0; i < count; i++) {
        bool own = calls[i].node != 0 && calls[i].node == task->shard->node->id;
        if (!own && call_start(task, &calls[i])) wait.pending += !calls[i].done;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!calls[i].done && calls[i].conn == NULL) (void)call_own(task, &calls[i]).code;
    while (wait.pending > 0) {
        st = task_wait(task, &wait.queue);
        if (failed(st)) break;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct rpc_call *call = &calls[i];
        if (call->done) continue;
        // Given up: what came too late finds nobody.
        call->status = st;
        call->done = true;
        struct rpc_conn *conn = call->conn;
        rpc_conn_write(conn, &(struct rpc_frame){.kind = RPC_CANCEL, .id = call->id}, NULL, 0);
        call_forget(call);
        call->sent = true;
    }
    st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++)
        if (failed(calls[i].status) && !failed(st)) st = calls[i].status;
    metric_record(&metric_latency, 0, task_now_ns(task) - started);
    return st;
}

struct status rpc_call(struct task *task, struct rpc_call *call)
{
    return rpc_call_many(task, call, 1);
}

void rpc_calls_sent(struct rpc_conn *conn)
{
    uint32_t cursor = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&conn->calls, &cursor)) != NULL;)
        ((struct rpc_call *)entry->value)->sent = true;
}

void rpc_calls_fail(struct rpc_conn *conn, struct status why)
{
    uint32_t cursor = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&conn->calls, &cursor)) != NULL;) {
        struct rpc_call *call = entry->value;
        metric_add(&metric_unreachable, 0, 1);
        conn->rpc->calls_in_flight--;
        call_finish(call, status_copy(call->arena, why));
    }
    hashmap_clear(&conn->calls);
}

bool rpc_answer_take(struct rpc_conn *conn, const struct rpc_frame *frame)
{
    struct rpc_call *call = hashmap_remove_u64(&conn->calls, frame->id);
    if (call == NULL) return true; // Given up meanwhile.
    conn->rpc->calls_in_flight--;
    struct status st = STATUS_OK;
    if (frame->kind == RPC_REPLY) {
        call->reply = arena_copy(call->arena, frame->body);
    } else if (!status_decode(call->arena, frame->body, &st) || !failed(st)) {
        call_finish(call, status_make(K_UNREACHABLE, "the other node's answer is malformed"));
        return false;
    } else if (status_is(st, E_ADMIN_SHUTDOWN)) {
        st = status_make(K_UNREACHABLE, "the other node is shutting down");
    }
    call_finish(call, st);
    return true;
}

// --- messages --------------------------------------------------------------------------------------

// To the own node: travels as a message between shards.
struct own_message {
    struct shard_message message;
    struct rpc_request request;
    uint8_t body[];
};

static void own_deliver(struct shard *shard, struct shard_message *message)
{
    struct own_message *own = container_of(message, struct own_message, message);
    if (shard->slots[SHARD_SLOT_RPC] != NULL)
        rpc_method_find(own->request.method)->message(shard, &own->request);
    free(own);
}

static bool send_own(struct shard *shard, uint32_t target, uint16_t method, const struct bytes *parts,
    uint32_t count)
{
    size_t size = 0;
    if (target == RPC_ANY_SHARD) target = shard->index;
    if (target >= shard->node->shard_count) return false;
    for (uint32_t i = 0; i < count; i++)
        size += parts[i].size;
    struct own_message *own = malloc(sizeof *own + size);
    invariant(own != NULL);
    own->message.deliver = own_deliver;
    own->request = (struct rpc_request){.node = shard->node->id,
        .shard = shard->index,
        .method = method,
        .body = bytes_of(own->body, size),
        .peer = "this node"};
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].size > 0) memcpy(own->body + at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    shard_send(shard, target, &own->message);
    return true;
}

bool rpc_send_parts(struct shard *shard, struct rpc_target target, uint16_t method_id,
    const struct bytes *parts, uint32_t count)
{
    struct rpc_shard *rpc = rpc_shard_of(shard);
    const struct rpc_method *method = rpc_method_find(method_id);
    struct status st;
    invariant(method != NULL && method->message != NULL);
    if (rpc == NULL) return false;
    if (target.node == shard->node->id) return send_own(shard, target.shard, method_id, parts, count);
    struct rpc_conn *conn = rpc_conn_get(rpc, target.node, NULL, target.shard, method->bulk, &st);
    if (conn == NULL || rpc_conn_queued(conn) > RPC_OUTPUT_BYTES_MAX) {
        rpc->messages_dropped++;
        metric_add(&metric_dropped, 0, 1);
        return false;
    }
    rpc_conn_write(conn, &(struct rpc_frame){.kind = RPC_MESSAGE, .method = method_id}, parts, count);
    return true;
}

bool rpc_send(struct shard *shard, struct rpc_target target, uint16_t method, struct bytes body)
{
    return rpc_send_parts(shard, target, method, &body, 1);
}

// --- serving ---------------------------------------------------------------------------------------

static void failure_write(struct rpc_conn *conn, enum rpc_frame_kind kind, uint64_t id, struct status st)
{
    struct arena arena;
    struct buffer body;
    arena_init(&arena, NULL);
    buffer_init(&body, &arena);
    status_encode(&body, st);
    struct bytes part = buffer_bytes(&body);
    rpc_conn_write(conn, &(struct rpc_frame){.kind = kind, .id = id}, &part, 1);
    arena_fini(&arena);
}

static void refuse(struct rpc_conn *conn, const struct rpc_frame *frame, struct status st)
{
    if (frame->kind == RPC_MESSAGE) return;
    failure_write(conn, frame->kind == RPC_CALL ? RPC_FAILURE : RPC_STREAM_END, frame->id, st);
}

static void inbound_ended(struct task *task, struct status st, void *arg)
{
    struct rpc_inbound *inbound = arg;
    (void)task;
    if (inbound->stream != NULL) {
        rpc_stream_finish(inbound->stream, st);
    } else if (inbound->conn != NULL && failed(st)) {
        failure_write(inbound->conn, RPC_FAILURE, inbound->id, st); // It never ran, or could not answer.
    }
    if (inbound->conn != NULL) hashmap_remove_u64(&inbound->conn->inbound, inbound->id);
    list_remove(&inbound->link);
    inbound->rpc->inbound--;
    free(inbound);
}

static struct status inbound_serve(struct task *task, void *arg)
{
    struct rpc_inbound *inbound = arg;
    struct buffer reply;
    struct status st;
    if (inbound->stream != NULL) return inbound->method->stream(task, &inbound->request, inbound->stream);
    buffer_init(&reply, task->arena);
    st = inbound->method->call(task, &inbound->request, &reply);
    if (failed(st)) return st;
    if (reply.size > RPC_BODY_BYTES_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "an answer to another node is too large");
    while (inbound->conn != NULL && rpc_conn_queued(inbound->conn) > RPC_OUTPUT_BYTES_MAX)
        TRY(rpc_conn_room(task, inbound->conn, RPC_OUTPUT_BYTES_MAX));
    if (inbound->conn != NULL) {
        struct bytes part = buffer_bytes(&reply);
        rpc_conn_write(inbound->conn, &(struct rpc_frame){.kind = RPC_REPLY, .id = inbound->id}, &part, 1);
    }
out:
    return st;
}

static bool has_ended(const struct rpc_shard *rpc, uint16_t method)
{
    return (rpc->ended[method / 64 % 4] >> method % 64 & 1) != 0;
}

static bool request_start(struct rpc_conn *conn, const struct rpc_method *method, const struct rpc_frame *frame)
{
    struct rpc_shard *rpc = conn->rpc;
    struct codec_reader in = codec_read(frame->body);
    uint64_t left_ns = codec_get_u64(&in), tenant = codec_get_u64(&in);
    uint32_t window = method->stream != NULL ? codec_get_u32(&in) : 0;
    size_t size = codec_left(&in);
    if (in.bad || frame->class > TASK_BULK) return false;
    if (hashmap_get_u64(&conn->inbound, frame->id) != NULL) return false;
    if (method->stream != NULL && hashmap_get_u64(&conn->streams, frame->id) != NULL) return false;
    if (conn->inbound.count >= RPC_INBOUND_MAX) {
        refuse(conn, frame, status_make(E_TOO_MANY_CONNECTIONS, "too many calls of the other node run here"));
        return true;
    }
    if (rpc->shard->reactor->stopping || has_ended(rpc, method->id)) {
        refuse(conn, frame, status_make(E_ADMIN_SHUTDOWN, "the node is shutting down"));
        return true;
    }
    struct rpc_inbound *inbound = malloc(sizeof *inbound + size);
    invariant(inbound != NULL);
    *inbound = (struct rpc_inbound){.conn = conn, .rpc = rpc, .method = method, .id = frame->id};
    if (size > 0) memcpy(inbound->body, in.at, size);
    snprintf(inbound->peer, sizeof inbound->peer, "%s", conn->address);
    inbound->request = (struct rpc_request){.node = conn->node,
        .shard = conn->shard,
        .method = frame->method,
        .body = bytes_of(inbound->body, size),
        .peer = inbound->peer};
    if (method->stream != NULL) inbound->stream = rpc_stream_accept(conn, frame->id, window);
    uint64_t now = shard_now_ns(rpc->shard);
    enum task_class class = (enum task_class)frame->class;
    struct task_options options = {.fn = inbound_serve,
        .arg = inbound,
        .kind = method->name,
        .tenant = tenant,
        .class = class < method->class ? method->class : class,
        .deadline_ns = left_ns == 0 || left_ns > UINT64_MAX - now ? UINT64_MAX : now + left_ns,
        .ended = inbound_ended,
        .ended_arg = inbound};
    uint8_t depth = frame->depth < SHARD_CALL_DEPTH_MAX ? (uint8_t)(frame->depth + 1) : SHARD_CALL_DEPTH_MAX;
    hashmap_put_u64(&conn->inbound, frame->id, inbound);
    list_append(&rpc->running, &inbound->link);
    rpc->inbound++;
    metric_add(&metric_served, 0, 1);
    struct status st = task_start_call(rpc->shard, &options, depth, &inbound->task);
    invariant(!failed(st)); // Calls are never refused for want of a fiber: they wait in line.
    return true;
}

static void inbound_cancel(struct rpc_inbound *inbound, struct status why)
{
    if (inbound->cancelled) return;
    inbound->cancelled = true;
    task_cancel(inbound->task, why);
}

static struct status end_here(struct task *task, void *arg)
{
    struct rpc_shard *rpc = rpc_shard_of(task->shard);
    const uint16_t method = *(const uint16_t *)arg;
    struct status st = STATUS_OK;
    if (rpc == NULL) return st;
    rpc->ended[method / 64 % 4] |= UINT64_C(1) << method % 64;
    for (bool runs = true; runs;) {
        runs = false;
        for (struct list_link *link = rpc->running.next; link != &rpc->running; link = link->next) {
            struct rpc_inbound *inbound = container_of(link, struct rpc_inbound, link);
            if (inbound->method->id != method) continue;
            inbound_cancel(inbound, status_make(E_ADMIN_SHUTDOWN, "the node is shutting down"));
            runs = true;
        }
        if (runs) TRY(task_sleep(task, END_POLL_NS));
    }
out:
    return st;
}

struct status rpc_method_end(struct task *task, uint16_t id)
{
    return shard_call_all(task, end_here, &id);
}

void rpc_inbound_drop(struct rpc_conn *conn)
{
    uint32_t cursor = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&conn->inbound, &cursor)) != NULL;) {
        struct rpc_inbound *inbound = entry->value;
        inbound->conn = NULL;
        inbound_cancel(inbound, status_make(E_QUERY_CANCELED, "the node that asked is gone"));
    }
    hashmap_clear(&conn->inbound);
}

bool rpc_request_take(struct rpc_conn *conn, const struct rpc_frame *frame)
{
    struct rpc_inbound *inbound;
    if (frame->kind == RPC_CANCEL || frame->kind == RPC_STREAM_CLOSE) {
        inbound = hashmap_get_u64(&conn->inbound, frame->id);
        if (inbound != NULL) inbound_cancel(inbound, status_make(E_QUERY_CANCELED, "the node that asked gave up"));
        return frame->kind == RPC_CANCEL || rpc_stream_take(conn, frame);
    }
    const struct rpc_method *method = rpc_method_find(frame->method);
    bool fits = method != NULL && (frame->kind == RPC_CALL          ? method->call != NULL
                                      : frame->kind == RPC_MESSAGE ? method->message != NULL
                                                                   : method->stream != NULL);
    if (!fits || !rpc_restricted_allows(conn, method)) {
        refuse(conn, frame,
            fits ? status_make(E_INSUFFICIENT_PRIVILEGE, "this is for nodes of the cluster only")
                 : status_make(E_FEATURE_NOT_SUPPORTED, "the other node does not know this request"));
        return true;
    }
    if (frame->kind != RPC_MESSAGE) return request_start(conn, method, frame);
    conn->used_ns = conn->heard_ns;
    struct rpc_request request = {.node = conn->node,
        .shard = conn->shard,
        .method = frame->method,
        .body = frame->body,
        .peer = conn->address};
    method->message(conn->rpc->shard, &request);
    return true;
}

// --- status as bytes -------------------------------------------------------------------------------

#define STATUS_FIELDS 7

static void field_put(struct buffer *out, const char *text)
{
    codec_put_u8(out, text != NULL);
    if (text != NULL) codec_put_string(out, text);
}

void status_encode(struct buffer *out, struct status st)
{
    const struct status_report *report = status_report_of(st);
    codec_put_u32(out, st.code);
    codec_put_u16(out, st.retry);
    codec_put_string(out, st.message == NULL ? "" : st.message);
    codec_put_u8(out, report != NULL);
    if (report == NULL) return;
    codec_put_u32(out, report->position);
    const char *fields[STATUS_FIELDS] = {report->detail, report->hint, report->schema, report->table,
        report->column, report->datatype, report->constraint};
    for (int i = 0; i < STATUS_FIELDS; i++)
        field_put(out, fields[i]);
}

bool status_decode(struct arena *arena, struct bytes bytes, struct status *st)
{
    struct codec_reader in = codec_read(bytes);
    *st = (struct status){.code = codec_get_u32(&in), .retry = codec_get_u16(&in)};
    struct bytes message = codec_get_bytes(&in);
    bool reported = codec_get_bool(&in);
    if (in.bad || st->retry > RETRY_AMBIGUOUS) return false;
    if (!reported) {
        st->message = arena_string(arena, message);
        return codec_done(&in);
    }
    struct status_report *report = arena_alloc_zero(arena, sizeof *report + message.size + 1);
    memcpy(report->message, message.data, message.size);
    report->position = codec_get_u32(&in);
    const char **fields[STATUS_FIELDS] = {&report->detail, &report->hint, &report->schema, &report->table,
        &report->column, &report->datatype, &report->constraint};
    for (int i = 0; i < STATUS_FIELDS; i++)
        if (codec_get_bool(&in)) *fields[i] = arena_string(arena, codec_get_bytes(&in));
    st->reported = 1;
    st->message = report->message;
    return codec_done(&in);
}
