// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "core/conn.h"
#include "core/crypto.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "core/reactor.h"
#include "core/rest.h"
#include "core/rpc_internal.h"
#include "core/tls.h"

#define OPEN_TIMEOUT_NS UINT64_C(5000000000)
// An attempt to connect can be swallowed by a network that is cut, and the kernel waits ever longer before it makes the next: a node
// that is reached again would not be noticed for seconds. Where there is somebody, one comes back within a round trip.
#define CONNECT_MIN_NS UINT64_C(250000000)
#define CONNECT_MAX_NS UINT64_C(1000000000)
#define CONNECT_ATTEMPTS 4
#define PING_NS UINT64_C(1000000000)
#define PING_REST_NS UINT64_C(4000000000) // While nobody waits for an answer, and the node is heard of.
#define SILENCE_NS UINT64_C(3000000000)          // Without an answer to a ping.
#define SILENCE_ACCEPTED_NS UINT64_C(10000000000)
#define PEER_TELL_NS UINT64_C(100000000)
#define IDLE_NS UINT64_C(60000000000)
#define BACK_OFF_MIN_NS UINT64_C(20000000)
#define BACK_OFF_MAX_NS UINT64_C(1000000000)
#define HELLO_BYTES_MAX 4096u
#define CLOCK_WARN_NS UINT64_C(10000000000)

static METRIC_DEFINE(metric_conns, "rpc.connections", METRIC_GAUGE, METRIC_COUNT, false,
    "Open connections to and from other nodes");
static METRIC_DEFINE(metric_bytes_out, "rpc.bytes.sent", METRIC_COUNTER, METRIC_BYTES, false,
    "Bytes of frames sent to other nodes");
static METRIC_DEFINE(metric_bytes_in, "rpc.bytes.received", METRIC_COUNTER, METRIC_BYTES, false,
    "Bytes of frames received from other nodes");

// --- making and ending -----------------------------------------------------------------------------

static struct rpc_conn *conn_new(struct rpc_shard *rpc)
{
    struct rpc_conn *conn = calloc(1, sizeof *conn);
    invariant(conn != NULL);
    conn->rpc = rpc;
    arena_init(&conn->failure_arena, NULL);
    list_append(&rpc->conns, &conn->link);
    return conn;
}

static void conn_maybe_free(struct rpc_conn *conn)
{
    if (conn->state != RPC_CLOSED || conn->busy || conn->in_input) return;
    hashmap_fini(&conn->calls);
    hashmap_fini(&conn->streams);
    hashmap_fini(&conn->inbound);
    arena_fini(&conn->failure_arena);
    free(conn->backlog);
    list_remove(&conn->link);
    free(conn);
}

static void watch_tell(struct rpc_shard *rpc, uint32_t node, bool up)
{
    for (struct rpc_watch *watch = rpc->rpc->watches; watch != NULL; watch = watch->next)
        if (watch->changed != NULL) watch->changed(watch, rpc->shard, node, up);
}

static void peer_up(struct rpc_conn *conn, bool up)
{
    struct rpc_shard *rpc = conn->rpc;
    rpc->connections += up ? 1u : UINT32_MAX;
    metric_add(&metric_conns, 0, up ? 1 : -1);
    if (conn->accepted || conn->node == 0) return;
    struct rpc_peer *peer = hashmap_get_u64(&rpc->peers, conn->node);
    if (peer == NULL) return;
    peer->up += up ? 1u : UINT32_MAX;
    if (peer->up == (up ? 1u : 0u)) watch_tell(rpc, conn->node, up);
}

void rpc_conn_fail(struct rpc_conn *conn, struct status why)
{
    if (conn->state == RPC_CLOSED) return;
    bool was_open = conn->state == RPC_OPEN;
    conn->state = RPC_CLOSED;
    timer_disarm(conn->rpc->shard, &conn->timer);
    if (conn->conn != NULL) {
        conn_abort(conn->conn);
        conn->conn = NULL;
    }
    if (was_open) peer_up(conn, false);
    rpc_calls_fail(conn, why);
    rpc_streams_fail(conn, why);
    rpc_inbound_drop(conn);
    wait_queue_wake_all(&conn->room, STATUS_OK);
    conn_maybe_free(conn);
}

// Opening did not succeed: those who wait are told, and for a while nobody tries again.
static void conn_open_failed(struct rpc_conn *conn, struct status why)
{
    struct rpc_shard *rpc = conn->rpc;
    if (conn->conn != NULL) conn_abort(conn->conn);
    conn->conn = NULL;
    conn->state = RPC_FAILED;
    arena_reset(&conn->failure_arena);
    conn->failure = status_copy(&conn->failure_arena, why);
    conn->failure.code = K_UNREACHABLE;
    conn->back_off_ns = conn->back_off_ns == 0 ? BACK_OFF_MIN_NS : conn->back_off_ns * 2;
    if (conn->back_off_ns > BACK_OFF_MAX_NS) conn->back_off_ns = BACK_OFF_MAX_NS;
    uint64_t jitter = rpc->shard->env->random(rpc->shard->env) % (conn->back_off_ns / 2 + 1);
    conn->retry_at_ns = shard_now_ns(rpc->shard) + conn->back_off_ns / 2 + jitter;
    conn->backlog_bytes = 0;
    rpc_calls_fail(conn, conn->failure);
    rpc_streams_fail(conn, conn->failure);
    wait_queue_wake_all(&conn->room, STATUS_OK);
}

// --- frames out ------------------------------------------------------------------------------------

static void header_fill(struct rpc_shard *rpc, const struct rpc_frame *frame, const struct bytes *parts,
    uint32_t part_count, uint8_t header[RPC_HEADER_BYTES])
{
    size_t size = RPC_HEADER_BYTES - 8;
    for (uint32_t i = 0; i < part_count; i++)
        size += parts[i].size;
    invariant(size <= RPC_FRAME_BYTES_MAX);
    codec_store(header, size, 4);
    header[8] = (uint8_t)frame->kind;
    header[9] = (uint8_t)(frame->class | frame->depth << 4);
    codec_store(header + 10, frame->method, 2);
    codec_store(header + 12, rpc->shard->hlc.last.logical, 4);
    codec_store(header + 16, rpc->shard->hlc.last.wall_ns, 8);
    codec_store(header + 24, frame->id, 8);
    uint32_t crc = crypto_crc32c(0, header + 8, RPC_HEADER_BYTES - 8);
    for (uint32_t i = 0; i < part_count; i++)
        crc = crypto_crc32c(crc, parts[i].data, parts[i].size);
    codec_store(header + 4, crc, 4);
    metric_add(&metric_bytes_out, 0, (int64_t)size + 8);
}

static void backlog_append(struct rpc_conn *conn, const void *data, size_t size)
{
    if (conn->backlog_capacity - conn->backlog_bytes < size) {
        size_t capacity = conn->backlog_capacity == 0 ? 4096 : conn->backlog_capacity * 2;
        while (capacity - conn->backlog_bytes < size)
            capacity *= 2;
        conn->backlog = realloc(conn->backlog, capacity);
        invariant(conn->backlog != NULL);
        conn->backlog_capacity = capacity;
    }
    if (size > 0) memcpy(conn->backlog + conn->backlog_bytes, data, size);
    conn->backlog_bytes += size;
}

void rpc_conn_write(struct rpc_conn *conn, const struct rpc_frame *frame, const struct bytes *parts,
    uint32_t part_count)
{
    uint8_t header[RPC_HEADER_BYTES];
    header_fill(conn->rpc, frame, parts, part_count, header);
    if (frame->kind != RPC_PING && frame->kind != RPC_PONG)
        conn->used_ns = shard_now_ns(conn->rpc->shard);
    if (conn->state != RPC_OPEN) {
        invariant(conn->state == RPC_OPENING);
        backlog_append(conn, header, sizeof header);
        for (uint32_t i = 0; i < part_count; i++)
            backlog_append(conn, parts[i].data, parts[i].size);
        return;
    }
    conn_write(conn->conn, header, sizeof header);
    for (uint32_t i = 0; i < part_count; i++)
        if (parts[i].size > 0) conn_write(conn->conn, parts[i].data, parts[i].size);
    conn_flush(conn->conn);
}

size_t rpc_conn_queued(const struct rpc_conn *conn)
{
    return conn->state == RPC_OPEN ? conn_output_bytes(conn->conn) : conn->backlog_bytes;
}

struct status rpc_conn_room(struct task *task, struct rpc_conn *conn, size_t bytes_max)
{
    if (rpc_conn_queued(conn) <= bytes_max) return STATUS_OK;
    if (conn->state == RPC_OPENING) return task_wait(task, &conn->room);
    struct status st = conn_drain(task, conn->conn, bytes_max);
    return status_is(st, E_CONNECTION_FAILURE) ? STATUS_OK : st;
}

// --- frames in -------------------------------------------------------------------------------------

enum parsed { PARSE_MORE, PARSE_WHOLE, PARSE_BAD };

static enum parsed frame_parse(
    struct bytes input, size_t size_max, struct rpc_frame *frame, struct hlc_timestamp *ts, size_t *taken)
{
    if (input.size < 8) return PARSE_MORE;
    size_t size = (size_t)codec_load(input.data, 4);
    if (size < RPC_HEADER_BYTES - 8 || size > size_max) return PARSE_BAD;
    if (input.size - 8 < size) return PARSE_MORE;
    const uint8_t *at = input.data;
    if (crypto_crc32c(0, at + 8, size) != (uint32_t)codec_load(at + 4, 4)) return PARSE_BAD;
    *frame = (struct rpc_frame){.kind = (enum rpc_frame_kind)at[8],
        .class = at[9] & 0xf,
        .depth = at[9] >> 4,
        .method = (uint16_t)codec_load(at + 10, 2),
        .id = codec_load(at + 24, 8),
        .body = bytes_of(at + RPC_HEADER_BYTES, size + 8 - RPC_HEADER_BYTES)};
    *ts = (struct hlc_timestamp){codec_load(at + 16, 8), (uint32_t)codec_load(at + 12, 4)};
    *taken = size + 8;
    return PARSE_WHOLE;
}

static void clock_learn(struct rpc_conn *conn, struct hlc_timestamp ts)
{
    struct rpc_shard *rpc = conn->rpc;
    struct env *env = rpc->shard->env;
    if (hlc_less_equal(ts, rpc->shard->hlc.last)) return;
    int64_t wall_ns = env->wall_ns(env);
    if (ts.wall_ns > (uint64_t)INT64_MAX || (int64_t)ts.wall_ns - wall_ns > rpc->rpc->max_offset_ns) {
        uint64_t now = shard_now_ns(rpc->shard);
        if (rpc->clock_warned_ns != 0 && now - rpc->clock_warned_ns < CLOCK_WARN_NS) return;
        rpc->clock_warned_ns = now;
        log_warning(0, "rpc: node %u (%s) has a clock more than %lld ms ahead of ours", conn->node,
            conn->address, (long long)(rpc->rpc->max_offset_ns / 1000000));
        return;
    }
    hlc_update(&rpc->shard->hlc, ts);
}

static bool pong_take(struct rpc_conn *conn, struct bytes body)
{
    struct codec_reader in = codec_read(body);
    struct rpc_shard *rpc = conn->rpc;
    struct env *env = rpc->shard->env;
    int64_t theirs = codec_get_i64(&in);
    if (!codec_done(&in) || conn->ping_sent_ns == 0) return false;
    int64_t now = env->wall_ns(env), sent = conn->ping_wall_ns;
    conn->ping_sent_ns = 0;
    if (conn->node == 0 || theirs <= 0 || now < sent) return true;
    int64_t middle = sent + (now - sent) / 2;
    for (struct rpc_watch *watch = rpc->rpc->watches; watch != NULL; watch = watch->next)
        if (watch->clock != NULL)
            watch->clock(watch, rpc->shard, conn->node, theirs - middle, (now - sent) / 2 + 1);
    return true;
}

static void ping_answer(struct rpc_conn *conn)
{
    struct env *env = conn->rpc->shard->env;
    uint8_t wall[8];
    codec_store(wall, (uint64_t)env->wall_ns(env), sizeof wall);
    struct bytes part = bytes_of(wall, sizeof wall);
    rpc_conn_write(conn, &(struct rpc_frame){.kind = RPC_PONG}, &part, 1);
}

// What it was refused for may be a state that the store has left since.
static void hello_refused(struct rpc_conn *conn, struct status why)
{
    struct rpc_shard *rpc = conn->rpc;
    bool still = conn->said.number == rpc->incarnation.number &&
                 memcmp(conn->said.id, rpc->incarnation.id, sizeof conn->said.id) == 0;
    if (!status_is(why, K_STALE_STORE) || !still) return;
    for (struct rpc_watch *watch = rpc->rpc->watches; watch != NULL; watch = watch->next)
        if (watch->stale != NULL) watch->stale(watch, rpc->shard, why);
}

// Who opened the connection will not have it, now that it has heard who is here.
static bool refusal_take(struct rpc_conn *conn, struct bytes body)
{
    struct arena arena;
    struct status why;
    arena_init(&arena, NULL);
    bool good = conn->accepted && conn->node != 0 && status_decode(&arena, body, &why);
    if (good) hello_refused(conn, why);
    arena_fini(&arena);
    return good;
}

static bool frame_take(struct rpc_conn *conn, const struct rpc_frame *frame)
{
    switch (frame->kind) {
    case RPC_PING:
        if (!conn->accepted) return false;
        ping_answer(conn);
        return true;
    case RPC_PONG: return !conn->accepted && pong_take(conn, frame->body);
    case RPC_CALL:
    case RPC_CANCEL:
    case RPC_MESSAGE:
    case RPC_STREAM_OPEN:
    case RPC_STREAM_CLOSE: return conn->accepted && rpc_request_take(conn, frame);
    case RPC_REPLY:
    case RPC_FAILURE: return !conn->accepted && rpc_answer_take(conn, frame);
    case RPC_STREAM_DATA:
    case RPC_STREAM_CREDIT:
    case RPC_STREAM_END: return rpc_stream_take(conn, frame);
    case RPC_REFUSED: return refusal_take(conn, frame->body);
    case RPC_HELLO:
    case RPC_WELCOME: break;
    }
    return false;
}

static struct status connection_lost(void)
{
    return status_make(K_UNREACHABLE, "the connection to the other node was lost");
}

// By any of its connections.
static void peer_heard(struct rpc_conn *conn)
{
    if (conn->node == 0 || conn->heard_ns - conn->peer_told_ns < PEER_TELL_NS) return;
    conn->peer_told_ns = conn->heard_ns;
    struct rpc_peer *peer = hashmap_get_u64(&conn->rpc->peers, conn->node);
    if (peer != NULL) peer->heard_ns = conn->heard_ns;
}

static void on_input(struct conn *net)
{
    struct rpc_conn *conn = conn_arg(net);
    struct bytes input = conn_input(net);
    size_t at = 0;
    conn->heard_ns = shard_now_ns(conn->rpc->shard);
    peer_heard(conn);
    conn->in_input = true;
    while (conn->state == RPC_OPEN) {
        struct rpc_frame frame;
        struct hlc_timestamp ts;
        size_t taken;
        enum parsed parsed = frame_parse(bytes_skip(input, at), RPC_FRAME_BYTES_MAX, &frame, &ts, &taken);
        if (parsed == PARSE_MORE) break;
        bool good = parsed == PARSE_WHOLE;
        if (good) {
            clock_learn(conn, ts);
            good = frame_take(conn, &frame);
            at += taken;
        }
        if (good || conn->state != RPC_OPEN) continue;
        log_warning(0, "rpc: what node %u (%s) sent is against the protocol: connection closed",
            conn->node, conn->address);
        rpc_conn_fail(conn, connection_lost());
    }
    conn->in_input = false;
    if (conn->state == RPC_OPEN) {
        metric_add(&metric_bytes_in, 0, (int64_t)at);
        conn_consume(net, at);
        if (conn_ended(net)) rpc_conn_fail(conn, connection_lost());
    } else {
        conn_maybe_free(conn);
    }
}

static const struct conn_handler rpc_handler = {.on_input = on_input};

// --- pings -----------------------------------------------------------------------------------------

static bool conn_in_use(const struct rpc_conn *conn)
{
    return conn->calls.count > 0 || conn->streams.count > 0 || conn->inbound.count > 0;
}

// Nothing asks for a sign of life, and there is another one.
static bool ping_can_wait(const struct rpc_conn *conn, uint64_t now)
{
    if (conn_in_use(conn) || now - conn->pinged_ns >= PING_REST_NS) return false;
    const struct rpc_peer *peer = hashmap_get_u64(&conn->rpc->peers, conn->node);
    return peer != NULL && now - peer->heard_ns < PING_NS;
}

static void on_timer(struct timer *timer)
{
    struct rpc_conn *conn = container_of(timer, struct rpc_conn, timer);
    struct shard *shard = conn->rpc->shard;
    uint64_t now = shard_now_ns(shard);
    if (conn->state != RPC_OPEN) return;
    if (conn->accepted) {
        if (now - conn->heard_ns > SILENCE_ACCEPTED_NS) {
            rpc_conn_fail(conn, connection_lost());
            return;
        }
    } else if (conn->ping_sent_ns != 0 && now - conn->ping_sent_ns > SILENCE_NS &&
               now - conn->heard_ns > SILENCE_NS) {
        log_warning(0, "rpc: node %u (%s) is silent: connection closed", conn->node, conn->address);
        rpc_conn_fail(conn, status_make(K_UNREACHABLE, "the other node is silent"));
        return;
    } else if (!conn_in_use(conn) && now - conn->used_ns > IDLE_NS) {
        rpc_conn_fail(conn, connection_lost());
        return;
    } else if (conn->ping_sent_ns == 0 && !ping_can_wait(conn, now)) {
        conn->ping_sent_ns = conn->pinged_ns = now;
        conn->ping_wall_ns = shard->env->wall_ns(shard->env);
        rpc_conn_write(conn, &(struct rpc_frame){.kind = RPC_PING}, NULL, 0);
    }
    timer_arm(shard, timer, timer_beat(shard, PING_NS));
}

static void conn_opened(struct rpc_conn *conn)
{
    struct shard *shard = conn->rpc->shard;
    uint64_t now = shard_now_ns(shard);
    conn->state = RPC_OPEN;
    conn->heard_ns = conn->used_ns = now;
    conn->back_off_ns = 0;
    conn->timer.fire = on_timer;
    // The first exchange at once: it measures the clock.
    timer_arm(shard, &conn->timer, conn->accepted ? now + PING_NS : now);
    conn_input_bytes_max_set(conn->conn, RPC_FRAME_BYTES_MAX + 8);
    conn_set_handler(conn->conn, &rpc_handler, conn);
    peer_up(conn, true);
}

// --- hello -----------------------------------------------------------------------------------------

struct hello {
    uint32_t version;
    uint8_t cluster_id[16];
    uint32_t node, shard;       // Who says it.
    uint32_t to_node, to_shard; // Whom it takes the other for; node 0: anyone.
    uint32_t shard_count;
    bool bulk;
    struct rpc_incarnation incarnation;
};

static void hello_write(struct rpc_conn *conn, enum rpc_frame_kind kind)
{
    struct rpc_shard *rpc = conn->rpc;
    uint8_t header[RPC_HEADER_BYTES], body[4 + 16 + 5 * 4 + 1 + 8 + 16];
    codec_store(body, rpc->rpc->version, 4);
    memcpy(body + 4, rpc->cluster_id, 16);
    codec_store(body + 20, rpc->node_id, 4);
    codec_store(body + 24, rpc->shard->index, 4);
    codec_store(body + 28, conn->node, 4);
    codec_store(body + 32, conn->shard, 4);
    codec_store(body + 36, rpc->shard->node->shard_count, 4);
    body[40] = conn->bulk;
    codec_store(body + 41, rpc->incarnation.number, 8);
    memcpy(body + 49, rpc->incarnation.id, 16);
    conn->said = rpc->incarnation;
    struct bytes part = bytes_of(body, sizeof body);
    header_fill(rpc, &(struct rpc_frame){.kind = kind}, &part, 1, header);
    conn_write(conn->conn, header, sizeof header);
    conn_write(conn->conn, body, sizeof body);
    conn_flush(conn->conn);
}

static bool hello_read(struct bytes body, struct hello *hello)
{
    struct codec_reader in = codec_read(body);
    hello->version = codec_get_u32(&in);
    const uint8_t *id = codec_take(&in, 16);
    if (id != NULL) memcpy(hello->cluster_id, id, 16);
    hello->node = codec_get_u32(&in);
    hello->shard = codec_get_u32(&in);
    hello->to_node = codec_get_u32(&in);
    hello->to_shard = codec_get_u32(&in);
    hello->shard_count = codec_get_u32(&in);
    hello->bulk = codec_get_bool(&in);
    // Another version may say more, or less.
    if (hello->version != RPC_VERSION) return !in.bad;
    hello->incarnation.number = codec_get_u64(&in);
    id = codec_take(&in, 16);
    if (id != NULL) memcpy(hello->incarnation.id, id, 16);
    return codec_done(&in);
}

static void refusal_write(struct task *task, struct rpc_conn *conn, struct status why)
{
    struct buffer body;
    uint8_t header[RPC_HEADER_BYTES];
    buffer_init(&body, task->arena);
    status_encode(&body, why);
    struct bytes part = buffer_bytes(&body);
    header_fill(conn->rpc, &(struct rpc_frame){.kind = RPC_REFUSED}, &part, 1, header);
    conn_write(conn->conn, header, sizeof header);
    conn_write(conn->conn, body.data, body.size);
}

static struct status hello_meets(struct task *task, struct rpc_conn *conn, const struct hello *hello)
{
    struct rpc_shard *rpc = conn->rpc;
    struct status st = STATUS_OK;
    for (struct rpc_watch *watch = rpc->rpc->watches; watch != NULL && !failed(st); watch = watch->next)
        if (watch->meets != NULL && hello->node != 0)
            st = watch->meets(watch, rpc->shard, task->arena, hello->node, &hello->incarnation);
    return st;
}

// The one frame of a handshake; the rest of the input stays.
static struct status frame_wait(
    struct task *task, struct conn *net, struct rpc_frame *frame, size_t *taken, struct hlc_timestamp *ts)
{
    for (size_t wanted = 8;;) {
        struct status st = conn_wait_input(task, net, wanted);
        if (failed(st)) return st;
        struct bytes input = conn_input(net);
        switch (frame_parse(input, HELLO_BYTES_MAX, frame, ts, taken)) {
        case PARSE_WHOLE: return STATUS_OK;
        case PARSE_BAD: return status_make(E_PROTOCOL_VIOLATION, "the other side does not speak this protocol");
        case PARSE_MORE: break;
        }
        wanted = (size_t)codec_load(input.data, 4) + 8;
    }
}

static bool id_known(const uint8_t id[16])
{
    static const uint8_t zero[16];
    return memcmp(id, zero, 16) != 0;
}

static const char *id_text(struct arena *arena, const uint8_t id[16])
{
    char hex[33];
    crypto_hex_encode(bytes_of(id, 16), hex);
    return arena_strdup(arena, hex);
}

// Whether the two may talk: what the acceptor refuses, with what to do about it.
static struct status hello_check(struct task *task, struct rpc_conn *conn, const struct hello *hello)
{
    struct rpc_shard *rpc = conn->rpc;
    struct arena *arena = task->arena;
    if (hello->version != rpc->rpc->version)
        return status_hint(arena,
            status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
                "protocol version %u does not go with version %u of node %u", hello->version,
                rpc->rpc->version, rpc->node_id),
            "Run the same release on all nodes of the cluster.");
    bool both = id_known(hello->cluster_id) && id_known(rpc->cluster_id);
    if (both && memcmp(hello->cluster_id, rpc->cluster_id, 16) != 0)
        return status_hint(arena,
            status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
                "this node belongs to cluster %s, the other one to cluster %s",
                id_text(arena, rpc->cluster_id), id_text(arena, hello->cluster_id)),
            "Give --join addresses of the cluster that the store was made for, or start with an empty --store.");
    if (hello->node != 0 && hello->node == rpc->node_id)
        return status_hint(arena,
            status_format(arena, E_NOT_IN_PREREQUISITE_STATE, "both nodes say that they are node %u", rpc->node_id),
            "A store must not be copied: start the copy with an empty --store and let it join as a new node.");
    // Otherwise the connection would be one for clients as long as it lasts.
    if (hello->to_node != 0 && rpc->node_id == 0)
        return status_make(E_CANNOT_CONNECT_NOW, "the node is starting, and does not know yet who it is");
    if (hello->to_node != 0 && hello->to_node != rpc->node_id)
        return status_format(arena, E_NOT_IN_PREREQUISITE_STATE, "this is node %u, not node %u", rpc->node_id,
            hello->to_node);
    return hello_meets(task, conn, hello);
}

// Nodes have certificates of nodes; `root` may use what is open to clients.
static struct status certificate_check(struct rpc_conn *conn, bool *root)
{
    struct tls_session *tls = conn_tls(conn->conn);
    *root = false;
    if (tls == NULL) return STATUS_OK;
    const char *name = tls_session_peer_name(tls);
    if (name != NULL && strcmp(name, "node") == 0) return STATUS_OK;
    *root = name != NULL && strcmp(name, "root") == 0 && conn->accepted;
    if (*root) return STATUS_OK;
    return status_make(E_INVALID_AUTHORIZATION, "the other side has no certificate of a node");
}

// --- opening ---------------------------------------------------------------------------------------

static struct status hello_exchange(struct task *task, struct rpc_conn *conn)
{
    struct status st = STATUS_OK;
    struct rpc_frame frame;
    struct hlc_timestamp ts;
    struct hello hello;
    size_t taken;
    hello_write(conn, RPC_HELLO);
    TRY(frame_wait(task, conn->conn, &frame, &taken, &ts));
    if (frame.kind == RPC_REFUSED) {
        if (!status_decode(task->arena, frame.body, &st) || !failed(st))
            st = status_make(E_PROTOCOL_VIOLATION, "the other node refuses, and does not say why");
        hello_refused(conn, st);
        goto out;
    }
    if (frame.kind != RPC_WELCOME || !hello_read(frame.body, &hello)) {
        st = status_make(E_PROTOCOL_VIOLATION, "the other side does not speak this protocol");
        goto out;
    }
    st = hello_meets(task, conn, &hello);
    if (failed(st)) {
        refusal_write(task, conn, st);
        conn_close(conn->conn);
        conn->conn = NULL;
        goto out;
    }
    conn->restricted = hello.node == 0 || conn->rpc->node_id == 0;
    clock_learn(conn, ts);
    conn_consume(conn->conn, taken);
out:
    return st;
}

static struct status tls_open(struct task *task, struct rpc_conn *conn)
{
    struct status st = STATUS_OK;
    struct tls_context *tls = conn->rpc->rpc->tls_client;
    bool root;
    if (tls == NULL) return STATUS_OK;
    TRY(conn_tls_start(task, conn->conn, tls, NULL));
    TRY(certificate_check(conn, &root));
out:
    return st;
}

static struct status connect(struct task *task, const struct rpc_conn *conn, struct conn **net)
{
    struct status st = STATUS_OK;
    uint64_t patience_ns = CONNECT_MIN_NS;
    for (int attempt = 0; attempt < CONNECT_ATTEMPTS && conn->state == RPC_OPENING; attempt++) {
        uint64_t begun_ns = task_now_ns(task);
        st = net_connect_within(task, conn->address, HELLO_BYTES_MAX * 4, patience_ns, net);
        if (!failed(st) || task_now_ns(task) - begun_ns < patience_ns) return st;
        covered("rpc.connect_again");
        patience_ns = patience_ns * 2 < CONNECT_MAX_NS ? patience_ns * 2 : CONNECT_MAX_NS;
    }
    return st;
}

static struct status open_task(struct task *task, void *arg)
{
    struct rpc_conn *conn = arg;
    struct conn *net = NULL;
    struct status st;
    TRY(connect(task, conn, &net));
    if (conn->state == RPC_CLOSED) {
        conn_abort(net);
        goto out;
    }
    conn->conn = net;
    conn_write(net, RPC_PREAMBLE, RPC_PREAMBLE_BYTES);
    TRY(tls_open(task, conn));
    TRY(hello_exchange(task, conn));
out:
    if (conn->state == RPC_CLOSED) return STATUS_OK;
    if (failed(st)) {
        struct status told = conn->node == 0
                                 ? status_format(task->arena, st.code, "node at %s: %s", conn->address, st.message)
                                 : status_format(task->arena, st.code, "node %u at %s: %s", conn->node,
                                       conn->address, st.message);
        // A refusal says what to do about it.
        const struct status_report *report = status_report_of(st);
        if (report != NULL && report->hint != NULL) told = status_hint(task->arena, told, "%s", report->hint);
        conn_open_failed(conn, told);
        return STATUS_OK;
    }
    conn_opened(conn);
    if (conn->backlog_bytes > 0) {
        conn_write(conn->conn, conn->backlog, conn->backlog_bytes);
        conn_flush(conn->conn);
    }
    free(conn->backlog);
    conn->backlog = NULL;
    conn->backlog_bytes = conn->backlog_capacity = 0;
    rpc_calls_sent(conn);
    wait_queue_wake_all(&conn->room, STATUS_OK);
    on_input(conn->conn);
    return STATUS_OK;
}

static void open_ended(struct task *task, struct status st, void *arg)
{
    (void)task;
    (void)st;
    struct rpc_conn *conn = arg;
    conn->busy = false;
    // The task never ran: the node stops.
    if (conn->state == RPC_OPENING)
        conn_open_failed(conn, status_make(K_UNREACHABLE, "the node is shutting down"));
    conn_maybe_free(conn);
}

static void conn_open(struct rpc_conn *conn)
{
    struct shard *shard = conn->rpc->shard;
    struct task_options options = {.fn = open_task,
        .arg = conn,
        .kind = "rpc connect",
        .class = TASK_SYSTEM,
        .deadline_ns = shard_now_ns(shard) + OPEN_TIMEOUT_NS,
        .ended = open_ended,
        .ended_arg = conn};
    conn->state = RPC_OPENING;
    conn->busy = true;
    struct status st = task_start(shard, &options);
    if (!failed(st)) return;
    conn->busy = false;
    conn_open_failed(conn, st);
}

struct rpc_conn *rpc_conn_get(struct rpc_shard *rpc, uint32_t node, const char *address, uint32_t shard,
    bool bulk, struct status *why)
{
    if (rpc->exiting) {
        *why = status_make(K_UNREACHABLE, "the node is shutting down");
        return NULL;
    }
    if (node != 0) {
        const struct rpc_peer *peer = hashmap_get_u64(&rpc->peers, node);
        if (peer == NULL) {
            *why = status_make(K_UNREACHABLE, "the node's address is not known");
            return NULL;
        }
        address = peer->address;
    }
    struct rpc_conn *conn = NULL;
    for (struct list_link *link = rpc->conns.next; link != &rpc->conns; link = link->next) {
        struct rpc_conn *one = container_of(link, struct rpc_conn, link);
        if (one->accepted || one->state == RPC_CLOSED || one->node != node || one->shard != shard ||
            one->bulk != bulk || strcmp(one->address, address) != 0)
            continue;
        conn = one;
        break;
    }
    if (conn == NULL) {
        if (strlen(address) >= sizeof conn->address) {
            *why = status_make(K_UNREACHABLE, "the node's address is too long");
            return NULL;
        }
        conn = conn_new(rpc);
        conn->node = node;
        conn->shard = shard;
        conn->bulk = bulk;
        snprintf(conn->address, sizeof conn->address, "%s", address);
        conn_open(conn);
    } else if (conn->state == RPC_FAILED && shard_now_ns(rpc->shard) >= conn->retry_at_ns) {
        conn_open(conn);
    }
    if (conn->state != RPC_FAILED) return conn;
    *why = conn->failure;
    return NULL;
}

// --- accepting -------------------------------------------------------------------------------------

enum rpc_match rpc_match(struct bytes input)
{
    size_t size = input.size < RPC_PREAMBLE_BYTES ? input.size : RPC_PREAMBLE_BYTES;
    if (memcmp(input.data, RPC_PREAMBLE, size) != 0) return RPC_NO;
    return size == RPC_PREAMBLE_BYTES ? RPC_YES : RPC_MAYBE;
}

// Now on the shard that was asked for.
static void accepted_here(struct rpc_conn *conn)
{
    hello_write(conn, RPC_WELCOME);
    conn_opened(conn);
    on_input(conn->conn);
}

static void on_adopted(struct conn *net, void *arg)
{
    struct rpc_conn *conn = arg;
    conn->rpc = rpc_shard_of(conn_shard(net));
    conn->conn = net;
    if (conn->rpc == NULL || conn->rpc->exiting) {
        conn_abort(net);
        arena_fini(&conn->failure_arena);
        free(conn);
        return;
    }
    list_append(&conn->rpc->conns, &conn->link);
    accepted_here(conn);
}

static struct status accept_handshake(struct task *task, struct rpc_conn *conn)
{
    struct status st = STATUS_OK;
    struct rpc_frame frame;
    struct hlc_timestamp ts;
    struct hello hello;
    size_t taken;
    bool root;
    struct tls_context *tls = __atomic_load_n(&conn->rpc->rpc->tls_server, __ATOMIC_ACQUIRE);
    conn_consume(conn->conn, RPC_PREAMBLE_BYTES);
    if (tls != NULL) TRY(conn_tls_start(task, conn->conn, tls, NULL));
    TRY(frame_wait(task, conn->conn, &frame, &taken, &ts));
    if (frame.kind != RPC_HELLO || !hello_read(frame.body, &hello)) {
        st = status_make(E_PROTOCOL_VIOLATION, "no hello");
        goto out;
    }
    conn_consume(conn->conn, taken);
    st = certificate_check(conn, &root);
    if (!failed(st)) st = hello_check(task, conn, &hello);
    if (failed(st)) {
        refusal_write(task, conn, st);
        goto out;
    }
    conn->node = root ? 0 : hello.node;
    conn->shard = hello.shard;
    conn->bulk = hello.bulk;
    conn->restricted = conn->node == 0 || conn->rpc->node_id == 0 || !id_known(hello.cluster_id);
    // Whoever knows this node from before it had another number of shards is told by another that what is asked for
    // is not there, as when it has moved.
    conn->target_shard = hello.to_shard == RPC_ANY_SHARD
                             ? conn->rpc->shard->index
                             : hello.to_shard % conn->rpc->shard->node->shard_count;
out:
    return st;
}

static struct status accept_task(struct task *task, void *arg)
{
    struct rpc_conn *conn = arg;
    struct status st = accept_handshake(task, conn);
    if (!failed(st) || conn->state == RPC_CLOSED) return st;
    log_info(0, "rpc: refused a connection from %s: %s", conn->address, st.message);
    // With what was said to it: the reason.
    conn_close(conn->conn);
    conn->conn = NULL;
    conn->state = RPC_CLOSED;
    return st;
}

static void accept_ended(struct task *task, struct status st, void *arg)
{
    struct rpc_conn *conn = arg;
    conn->busy = false;
    if (conn->state == RPC_CLOSED) {
        conn_maybe_free(conn);
        return;
    }
    if (failed(st)) {
        rpc_conn_fail(conn, connection_lost());
        return;
    }
    if (conn->target_shard == task->shard->index) {
        accepted_here(conn);
        return;
    }
    struct conn *net = conn->conn;
    list_remove(&conn->link);
    conn->conn = NULL;
    conn_migrate(net, conn->target_shard, on_adopted, conn);
}

void rpc_accept(struct conn *net)
{
    struct shard *shard = conn_shard(net);
    struct rpc_shard *rpc = rpc_shard_of(shard);
    conn_set_handler(net, NULL, NULL);
    if (rpc == NULL || rpc->exiting) {
        conn_abort(net);
        return;
    }
    struct rpc_conn *conn = conn_new(rpc);
    conn->accepted = true;
    conn->conn = net;
    snprintf(conn->address, sizeof conn->address, "%s", conn_peer(net));
    struct task_options options = {.fn = accept_task,
        .arg = conn,
        .kind = "rpc accept",
        .class = TASK_SYSTEM,
        .deadline_ns = shard_now_ns(shard) + OPEN_TIMEOUT_NS,
        .ended = accept_ended,
        .ended_arg = conn};
    conn->busy = true;
    if (!failed(task_start(shard, &options))) return;
    conn->busy = false;
    rpc_conn_fail(conn, connection_lost());
}
