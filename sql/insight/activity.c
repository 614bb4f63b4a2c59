// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/insight/activity.h"

#include <inttypes.h>
#include <string.h>

#include "core/codec.h"
#include "core/rpc.h"
#include "core/shard.h"
#include "core/text.h"
#include "core/tls.h"
#include "kv/client.h"
#include "kv/cluster.h"
#include "sql/insight/insight.h"
#include "sql/wire/pgwire.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/session/vars.h"

enum activity_method {
    ACTIVITY_RPC_LIST = RPC_SQL, // u64 tenant -> sessions
    ACTIVITY_RPC_SIGNAL,         // u64 session, bool terminate -> bool found
    ACTIVITY_RPC_CANCEL,         // u32 process, u32 secret
};

// --- names ---------------------------------------------------------------------------------------------

const char *activity_id_format(struct arena *arena, uint32_t node, uint64_t session)
{
    return arena_printf(arena, "%016" PRIx64 "%016" PRIx64, session, (uint64_t)node);
}

static bool parse_hex(const char *text, uint64_t *value)
{
    *value = 0;
    for (uint32_t i = 0; i < 16; i++) {
        char c = text[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                                                : 16;
        if (digit == 16) return false;
        *value = *value << 4 | digit;
    }
    return true;
}

bool activity_id_parse(const char *text, uint32_t *node, uint64_t *session)
{
    uint64_t low;
    if (strlen(text) != 32 || !parse_hex(text, session) || !parse_hex(text + 16, &low)) return false;
    *node = (uint32_t)low;
    return low < CLUSTER_NODES_MAX;
}

// --- of this node --------------------------------------------------------------------------------------

static struct activity *list_add(struct activity_list *list, struct arena *arena)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        list->items = arena_grow(arena, list->items, list->count * sizeof *list->items,
            capacity * sizeof *list->items);
        list->capacity = capacity;
    }
    struct activity *activity = &list->items[list->count++];
    *activity = (struct activity){0};
    return activity;
}

struct collect_call {
    uint64_t tenant;
    struct arena *arena; // Several shards add to it, one after the other.
    struct activity_list *list;
};

static const char *copied(struct arena *arena, const char *text)
{
    return arena_strdup(arena, text == NULL ? "" : text);
}

static struct status collect(struct task *task, void *arg)
{
    const struct collect_call *call = arg;
    struct arena *arena = call->arena;
    for (struct session *at = session_first(task->shard); at != NULL; at = session_next(at)) {
        if (at->tenant != call->tenant || at->internal) continue;
        if (call->list->count == ACTIVITY_SESSIONS_MAX) break;
        struct activity *activity = list_add(call->list, arena);
        *activity = (struct activity){.node = task->shard->node->id,
            .session = at->id,
            .process = pgwire_process(at),
            .user = copied(arena, at->session_user),
            .database = copied(arena, at->database),
            .application = copied(arena, at->application_name),
            .address = copied(arena, at->client_address),
            .statement = at->statement_text == NULL ? NULL : arena_strdup(arena, at->statement_text),
            .start_us = at->start_us,
            .txn_us = at->txn_start_us,
            .statement_us = at->statement_start_us,
            .txn_state = at->txn_state,
            .last_statement = copied(arena, insight_last_statement(at)),
            .authentication = copied(arena, at->authentication),
            .isolation = copied(arena, vars_get(at, "transaction_isolation")),
            .txn_statements = at->insight.count + (at->statement_text != NULL),
            .txn_retries = (uint32_t)at->insight.retries,
            .txns_ended = at->insight.txns_ended,
            .txn = at->txn == NULL ? 0 : kv_txn_id(at->txn)};
        struct tls_session *tls = at->wire == NULL ? NULL : conn_tls(at->wire->conn);
        if (tls == NULL) continue;
        activity->tls_version = arena_strdup(arena, tls_session_version(tls));
        activity->tls_cipher = arena_strdup(arena, tls_session_cipher(tls, &activity->tls_bits));
        const char *peer = tls_session_peer_name(tls);
        if (peer != NULL) activity->tls_peer = arena_printf(arena, "/CN=%s", peer);
    }
    return STATUS_OK;
}

static struct status list_here(
    struct task *task, uint64_t tenant, struct arena *arena, struct activity_list *list)
{
    struct collect_call call = {.tenant = tenant, .arena = arena, .list = list};
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < task->shard->node->shard_count; i++)
        TRY(shard_call(task, i, collect, &call));
out:
    return st;
}

// --- between nodes -------------------------------------------------------------------------------------

static void put_text(struct buffer *out, const char *text)
{
    codec_put_u8(out, text != NULL);
    if (text != NULL) codec_put_string(out, text);
}

static const char *get_text(struct codec_reader *in, struct arena *arena)
{
    if (!codec_get_bool(in)) return NULL;
    struct bytes text = codec_get_bytes(in);
    return in->bad ? "" : arena_string(arena, text);
}

static void activity_put(struct buffer *out, const struct activity *activity)
{
    codec_put_u64(out, activity->session);
    codec_put_u32(out, activity->process);
    codec_put_i64(out, activity->start_us);
    codec_put_i64(out, activity->txn_us);
    codec_put_i64(out, activity->statement_us);
    codec_put_u8(out, (uint8_t)activity->txn_state);
    codec_put_u64(out, activity->txn);
    codec_put_u32(out, activity->txn_statements);
    codec_put_u32(out, activity->txn_retries);
    codec_put_u64(out, activity->txns_ended);
    codec_put_u32(out, (uint32_t)activity->tls_bits);
    const char *const texts[] = {activity->user, activity->database, activity->application, activity->address,
        activity->last_statement, activity->authentication, activity->isolation, activity->statement, activity->tls_version, activity->tls_cipher, activity->tls_peer};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        put_text(out, texts[i]);
}

static bool activity_get(struct codec_reader *in, struct arena *arena, struct activity *activity)
{
    activity->session = codec_get_u64(in);
    activity->process = codec_get_u32(in);
    activity->start_us = codec_get_i64(in);
    activity->txn_us = codec_get_i64(in);
    activity->statement_us = codec_get_i64(in);
    uint8_t state = codec_get_u8(in);
    activity->txn_state = state > TXN_FAILED ? TXN_IDLE : (enum txn_state)state;
    activity->txn = codec_get_u64(in);
    activity->txn_statements = codec_get_u32(in);
    activity->txn_retries = codec_get_u32(in);
    activity->txns_ended = codec_get_u64(in);
    activity->tls_bits = (int)(codec_get_u32(in) & 0xffff);
    const char **const texts[] = {&activity->user, &activity->database, &activity->application, &activity->address,
        &activity->last_statement, &activity->authentication, &activity->isolation, &activity->statement, &activity->tls_version, &activity->tls_cipher, &activity->tls_peer};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = get_text(in, arena);
        if (*texts[i] == NULL && i < 7) *texts[i] = "";
    }
    return !in->bad;
}

static struct status serve_list(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct status st = STATUS_OK;
    struct codec_reader in = codec_read(request->body);
    uint64_t tenant = codec_get_u64(&in);
    struct activity_list list = {0};
    struct arena arena;
    if (!codec_done(&in)) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    arena_init(&arena, NULL);
    TRY(list_here(task, tenant, &arena, &list));
    codec_put_u32(reply, list.count);
    for (uint32_t i = 0; i < list.count; i++)
        activity_put(reply, &list.items[i]);
out:
    arena_fini(&arena);
    return st;
}

static struct status reply_take(
    struct bytes reply, uint32_t node, struct arena *arena, struct activity_list *list)
{
    struct codec_reader in = codec_read(reply);
    uint32_t count = codec_get_count(&in, 64);
    for (uint32_t i = 0; i < count && list->count < ACTIVITY_SESSIONS_MAX; i++) {
        struct activity *activity = list_add(list, arena);
        activity->node = node;
        if (!activity_get(&in, arena, activity)) {
            list->count--;
            break;
        }
    }
    return in.bad ? status_make(E_PROTOCOL_VIOLATION, "the node's answer is malformed") : STATUS_OK;
}

struct status activity_list(struct task *task, uint64_t tenant, bool everywhere, struct arena *arena,
    struct activity_list *list)
{
    struct status st;
    uint32_t node_count, count = 0, own = task->shard->node->id;
    uint64_t deadline_ns = task->deadline_ns;
    uint8_t body[8];
    *list = (struct activity_list){0};
    TRY(list_here(task, tenant, arena, list));
    if (!everywhere) goto out;
    codec_store(body, tenant, sizeof body);
    const struct cluster_node *nodes = cluster_nodes(task->shard, &node_count);
    struct rpc_call *calls = ARENA_ARRAY(arena, struct rpc_call, node_count + 1);
    for (uint32_t i = 0; i < node_count; i++) {
        if (nodes[i].id == own || nodes[i].membership == CLUSTER_DECOMMISSIONED) continue;
        list->silent += !nodes[i].alive;
        if (!nodes[i].alive) continue;
        calls[count++] = (struct rpc_call){.node = nodes[i].id, .shard = 0, .method = ACTIVITY_RPC_LIST,
            .body = bytes_of(body, sizeof body), .arena = arena};
    }
    if (count == 0) goto out;
    uint64_t latest_ns = task_now_ns(task) + ACTIVITY_NODE_NS;
    if (deadline_ns == 0 || latest_ns < deadline_ns) task->deadline_ns = latest_ns;
    st = rpc_call_many(task, calls, count);
    task->deadline_ns = deadline_ns;
    if (failed(st) && task->cancelled) goto out;
    st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (failed(calls[i].status))
            list->silent++;
        else
            TRY(reply_take(calls[i].reply, calls[i].node, arena, list));
    }
out:
    return st;
}

// --- signals -------------------------------------------------------------------------------------------

static struct status serve_signal(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct codec_reader in = codec_read(request->body);
    uint64_t session = codec_get_u64(&in);
    bool terminate = codec_get_bool(&in), found = false;
    if (!codec_done(&in)) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    struct status st = pgwire_cancel_session(task, session, terminate, &found);
    codec_put_u8(reply, found);
    return st;
}

struct status activity_signal(
    struct task *task, uint32_t node, uint64_t session, bool terminate, bool *found)
{
    struct status st;
    *found = false;
    if (node == task->shard->node->id) return pgwire_cancel_session(task, session, terminate, found);
    if (cluster_node(task->shard, node) == NULL) return STATUS_OK;
    uint8_t body[9];
    codec_store(body, session, 8);
    body[8] = terminate;
    struct rpc_call call = {
        .node = node, .shard = 0, .method = ACTIVITY_RPC_SIGNAL, .body = bytes_of(body, sizeof body)};
    uint64_t deadline_ns = task->deadline_ns, latest_ns = task_now_ns(task) + ACTIVITY_NODE_NS;
    if (deadline_ns == 0 || latest_ns < deadline_ns) task->deadline_ns = latest_ns;
    st = rpc_call(task, &call);
    task->deadline_ns = deadline_ns;
    if (status_is(st, K_UNREACHABLE))
        return status_format(task->arena, E_CONNECTION_FAILURE, "node %u does not answer: %s", node, st.message);
    if (failed(st)) return st;
    struct codec_reader in = codec_read(call.reply);
    *found = codec_get_bool(&in);
    return STATUS_OK;
}

static struct status serve_cancel(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct codec_reader in = codec_read(request->body);
    uint32_t process = codec_get_u32(&in), secret = codec_get_u32(&in);
    (void)reply;
    if (!codec_done(&in)) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    return pgwire_cancel_process(task, task->shard->node, process, secret);
}

struct status activity_cancel_process(struct task *task, uint32_t process, uint32_t secret)
{
    uint32_t node = process >> ACTIVITY_PROCESS_BITS, own = task->shard->node->id;
    if (node == (own & (CLUSTER_NODES_MAX - 1)))
        return pgwire_cancel_process(task, task->shard->node, process, secret);
    if (!cluster_alive(task->shard, node)) return STATUS_OK;
    uint8_t body[8];
    codec_store(body, process, 4);
    codec_store(body + 4, secret, 4);
    struct rpc_call call = {
        .node = node, .shard = 0, .method = ACTIVITY_RPC_CANCEL, .body = bytes_of(body, sizeof body)};
    task->deadline_ns = task_now_ns(task) + ACTIVITY_NODE_NS;
    struct status st = rpc_call(task, &call);
    return task->cancelled ? st : STATUS_OK;
}

// --- registration --------------------------------------------------------------------------------------

static const struct rpc_method methods[] = {
    {.id = ACTIVITY_RPC_LIST, .name = "activity.list", .class = TASK_DEFAULT, .call = serve_list},
    {.id = ACTIVITY_RPC_SIGNAL, .name = "activity.signal", .class = TASK_SYSTEM, .call = serve_signal},
    {.id = ACTIVITY_RPC_CANCEL, .name = "activity.cancel", .class = TASK_SYSTEM, .call = serve_cancel},
};

void activity_register(void)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        rpc_method_register(&methods[i]);
}
