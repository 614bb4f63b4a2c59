// SPDX-License-Identifier: GPL-3.0-or-later
//
// What all shards of all nodes have counted, put together; and forgetting it everywhere.
#include <math.h>
#include <string.h>

#include "core/codec.h"
#include "core/hash.h"
#include "core/hashmap.h"
#include "core/rpc.h"
#include "core/shard.h"
#include "kv/cluster.h"
#include "sql/insight/insight.h"

#define ANSWER_NS UINT64_C(3000000000)
#define ANSWER_BYTES_MAX (6u << 20) // A node tells the most recently used that fit.
#define ENTRY_BYTES_MIN 180u

enum insight_method {
    INSIGHT_RPC_LIST = RPC_SQL + 8, // u64 tenant, u8 kind -> list
    INSIGHT_RPC_RESET,              // u64 tenant, text user, text database, u64 id
};

// --- putting together ----------------------------------------------------------------------------------

static void counts_add(struct insight_counts *to, const struct insight_counts *from)
{
    double calls = (double)to->calls, more = (double)from->calls;
    if (calls > 0 && more > 0) {
        double apart = from->total_ms / more - to->total_ms / calls;
        to->deviation += apart * apart * calls * more / (calls + more);
    }
    to->deviation += from->deviation;
    if (more > 0 && (calls == 0 || from->min_ms < to->min_ms)) to->min_ms = from->min_ms;
    if (from->max_ms > to->max_ms) to->max_ms = from->max_ms;
    if (from->retries_max > to->retries_max) to->retries_max = from->retries_max;
    if (from->memory_max > to->memory_max) to->memory_max = from->memory_max;
    if (to->first_us == 0 || from->first_us < to->first_us) to->first_us = from->first_us;
    if (from->last_us > to->last_us) {
        to->last_us = from->last_us;
        if (from->last_error != 0) to->last_error = from->last_error;
    }
    to->calls += from->calls;
    to->failures += from->failures;
    to->retries += from->retries;
    to->rows += from->rows;
    to->total_ms += from->total_ms;
}

struct gathering {
    uint64_t tenant;
    enum insight_kind kind;
    enum insight_grouping grouping;
    uint32_t node; // Of this node's shards.
    struct arena *arena;
    struct hashmap by_key;
    struct insight_list *list;
};

static uint64_t group_of(const struct gathering *gathering, const struct insight *entry)
{
    switch (gathering->grouping) {
    case INSIGHT_BY_NODE: return hash_combine(entry->key, entry->node);
    case INSIGHT_BY_CONTEXT: break;
    case INSIGHT_BY_TEXT: {
        uint64_t key = hash_combine(entry->id, hash_bytes(bytes_of_string(entry->user)));
        return hash_combine(key, hash_bytes(bytes_of_string(entry->database)));
    }
    }
    return entry->key;
}

// `entry` is copied; its texts, too, when they are a shard's (`copies`).
static void add(struct gathering *gathering, const struct insight *entry, bool copies)
{
    struct insight_list *list = gathering->list;
    uint64_t key = group_of(gathering, entry);
    struct insight *known = hashmap_get_u64(&gathering->by_key, key);
    if (known != NULL) {
        counts_add(&known->counts, &entry->counts);
        return;
    }
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 256 : list->capacity * 2;
        list->items = arena_grow(
            gathering->arena, list->items, list->count * sizeof *list->items, capacity * sizeof *list->items);
        list->capacity = capacity;
    }
    struct insight *copy = ARENA_NEW(gathering->arena, struct insight);
    *copy = *entry;
    copy->link = (struct list_link){0};
    if (copies) {
        copy->user = arena_strdup(gathering->arena, entry->user);
        copy->database = arena_strdup(gathering->arena, entry->database);
        copy->application = arena_strdup(gathering->arena, entry->application);
        copy->text = arena_strdup(gathering->arena, entry->text);
    }
    list->items[list->count++] = copy;
    hashmap_put_u64(&gathering->by_key, key, copy);
}

static struct status gather_shard(struct task *task, void *arg)
{
    struct gathering *gathering = arg;
    struct insight_shard *shard = insight_of(task->shard, gathering->tenant);
    const struct list_link *head = insight_first(shard, gathering->kind);
    for (const struct list_link *at = head->next; at != head; at = at->next) {
        struct insight entry = *container_of(at, const struct insight, link);
        entry.node = gathering->node;
        add(gathering, &entry, true);
    }
    int64_t reset_us = insight_reset_us(shard);
    gathering->list->evicted += insight_evicted(shard);
    if (gathering->list->reset_us == 0 || reset_us < gathering->list->reset_us) gathering->list->reset_us = reset_us;
    return STATUS_OK;
}

static struct status gather_node(struct task *task, struct gathering *gathering)
{
    struct status st = STATUS_OK;
    gathering->node = task->shard->node->id;
    for (uint32_t i = 0; i < task->shard->node->shard_count; i++)
        TRY(shard_call(task, i, gather_shard, gathering));
out:
    return st;
}

// --- between nodes -------------------------------------------------------------------------------------

static void put_double(struct buffer *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    codec_put_u64(out, bits);
}

static double get_double(struct codec_reader *in)
{
    uint64_t bits = codec_get_u64(in);
    double value;
    memcpy(&value, &bits, 8);
    return isfinite(value) ? value : 0;
}

static void entry_put(struct buffer *out, const struct insight *entry)
{
    const struct insight_counts *counts = &entry->counts;
    const uint64_t numbers[] = {entry->key, entry->id, counts->calls, counts->failures, counts->retries,
        counts->rows, counts->retries_max, counts->memory_max, (uint64_t)counts->first_us, (uint64_t)counts->last_us,
        counts->last_error};
    const double times[] = {counts->total_ms, counts->min_ms, counts->max_ms, counts->deviation};
    const char *const texts[] = {entry->user, entry->database, entry->application, entry->text, entry->tag};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) codec_put_u64(out, numbers[i]);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) put_double(out, times[i]);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) codec_put_string(out, texts[i]);
    codec_put_u8(out, entry->implicit);
    codec_put_u8(out, (uint8_t)entry->statement_count);
    for (uint32_t i = 0; i < entry->statement_count; i++) codec_put_u64(out, entry->statements[i]);
}

static void entry_get(struct codec_reader *in, struct arena *arena, struct insight *entry)
{
    struct insight_counts *counts = &entry->counts;
    uint64_t *const numbers[] = {&entry->key, &entry->id, &counts->calls, &counts->failures, &counts->retries,
        &counts->rows, &counts->retries_max, &counts->memory_max};
    double *const times[] = {&counts->total_ms, &counts->min_ms, &counts->max_ms, &counts->deviation};
    const char **const texts[] = {&entry->user, &entry->database, &entry->application, &entry->text, &entry->tag};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) *numbers[i] = codec_get_u64(in);
    counts->first_us = codec_get_i64(in);
    counts->last_us = codec_get_i64(in);
    counts->last_error = (uint32_t)codec_get_u64(in);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) *times[i] = get_double(in);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bytes text = codec_get_bytes(in);
        *texts[i] = in->bad ? "" : arena_string(arena, text);
    }
    entry->implicit = codec_get_bool(in);
    entry->statement_count = codec_get_u8(in);
    if (entry->statement_count > INSIGHT_STATEMENTS_MAX) in->bad = true;
    for (uint32_t i = 0; i < entry->statement_count && !in->bad; i++) entry->statements[i] = codec_get_u64(in);
}

static struct status serve_list(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct status st = STATUS_OK;
    struct codec_reader in = codec_read(request->body);
    struct insight_list list = {0};
    struct arena arena;
    struct gathering gathering = {.tenant = codec_get_u64(&in), .arena = &arena, .list = &list};
    uint8_t kind = codec_get_u8(&in);
    if (!codec_done(&in) || kind > INSIGHT_TRANSACTIONS) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    gathering.kind = (enum insight_kind)kind;
    arena_init(&arena, NULL);
    TRY(gather_node(task, &gathering));
    codec_put_u64(reply, list.evicted);
    codec_put_i64(reply, list.reset_us);
    size_t count_at = reply->size;
    uint32_t count = 0;
    codec_put_u32(reply, 0);
    for (; count < list.count && reply->size < ANSWER_BYTES_MAX; count++) entry_put(reply, list.items[count]);
    codec_store(reply->data + count_at, count, 4);
out:
    hashmap_fini(&gathering.by_key);
    arena_fini(&arena);
    return st;
}

static struct status take_answer(struct gathering *gathering, const struct rpc_call *call)
{
    struct codec_reader in = codec_read(call->reply);
    gathering->list->evicted += codec_get_u64(&in);
    int64_t reset_us = codec_get_i64(&in);
    if (reset_us < gathering->list->reset_us) gathering->list->reset_us = reset_us;
    uint32_t count = codec_get_count(&in, ENTRY_BYTES_MIN / 2);
    for (uint32_t i = 0; i < count && !in.bad; i++) {
        struct insight entry = {.node = call->node};
        entry_get(&in, gathering->arena, &entry);
        if (!in.bad) add(gathering, &entry, false);
    }
    return in.bad ? status_make(E_PROTOCOL_VIOLATION, "the node's answer is malformed") : STATUS_OK;
}

// Calls of all other nodes that live.
static struct rpc_call *calls_make(struct task *task, struct arena *arena, uint8_t method, struct bytes body,
    uint32_t *count, uint32_t *silent)
{
    uint32_t node_count;
    const struct cluster_node *nodes = cluster_nodes(task->shard, &node_count);
    struct rpc_call *calls = ARENA_ARRAY(arena, struct rpc_call, node_count + 1);
    *count = 0;
    for (uint32_t i = 0; i < node_count; i++) {
        if (nodes[i].id == task->shard->node->id || nodes[i].membership == CLUSTER_DECOMMISSIONED) continue;
        *silent += !nodes[i].alive;
        if (!nodes[i].alive) continue;
        calls[(*count)++] =
            (struct rpc_call){.node = nodes[i].id, .shard = 0, .method = method, .body = body, .arena = arena};
    }
    return calls;
}

// Those that do not answer in time have failed.
static struct status calls_run(struct task *task, struct rpc_call *calls, uint32_t count)
{
    uint64_t deadline_ns = task->deadline_ns, latest_ns = task_now_ns(task) + ANSWER_NS;
    if (count == 0) return STATUS_OK;
    if (deadline_ns == 0 || latest_ns < deadline_ns) task->deadline_ns = latest_ns;
    struct status st = rpc_call_many(task, calls, count);
    task->deadline_ns = deadline_ns;
    return task->cancelled ? st : STATUS_OK;
}

struct status insight_list(struct task *task, uint64_t tenant, enum insight_kind kind, bool everywhere,
    enum insight_grouping grouping, struct arena *arena, struct insight_list *list)
{
    struct status st;
    uint32_t count;
    uint8_t body[9];
    struct gathering gathering = {.tenant = tenant, .kind = kind, .grouping = grouping, .arena = arena, .list = list};
    *list = (struct insight_list){0};
    TRY(gather_node(task, &gathering));
    if (!everywhere) goto out;
    codec_store(body, tenant, 8);
    body[8] = (uint8_t)kind;
    struct rpc_call *calls =
        calls_make(task, arena, INSIGHT_RPC_LIST, bytes_of(body, sizeof body), &count, &list->silent);
    TRY(calls_run(task, calls, count));
    for (uint32_t i = 0; i < count; i++) {
        if (failed(calls[i].status))
            list->silent++;
        else
            TRY(take_answer(&gathering, &calls[i]));
    }
out:
    hashmap_fini(&gathering.by_key);
    return st;
}

// --- forgetting ----------------------------------------------------------------------------------------

struct forgetting {
    uint64_t tenant;
    struct insight_filter filter;
};

static struct status forget_shard(struct task *task, void *arg)
{
    const struct forgetting *forgetting = arg;
    insight_forget(insight_of(task->shard, forgetting->tenant), &forgetting->filter, session_now_us(task->shard));
    return STATUS_OK;
}

static struct status forget_node(struct task *task, struct forgetting *forgetting)
{
    return shard_call_all(task, forget_shard, forgetting);
}

static struct status serve_reset(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct codec_reader in = codec_read(request->body);
    struct forgetting forgetting = {.tenant = codec_get_u64(&in)};
    const char **const texts[] = {&forgetting.filter.user, &forgetting.filter.database};
    (void)reply;
    for (int i = 0; i < 2; i++) {
        struct bytes text = codec_get_bytes(&in);
        if (!in.bad && text.size > 0) *texts[i] = arena_string(task->arena, text);
    }
    forgetting.filter.id = codec_get_u64(&in);
    if (!codec_done(&in)) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    return forget_node(task, &forgetting);
}

struct status insight_reset(struct task *task, uint64_t tenant, const struct insight_filter *filter)
{
    struct status st;
    struct forgetting forgetting = {.tenant = tenant, .filter = *filter};
    struct buffer body;
    struct arena arena;
    uint32_t count, silent = 0;
    arena_init(&arena, NULL);
    buffer_init(&body, &arena);
    TRY(forget_node(task, &forgetting));
    codec_put_u64(&body, tenant);
    codec_put_string(&body, filter->user == NULL ? "" : filter->user);
    codec_put_string(&body, filter->database == NULL ? "" : filter->database);
    codec_put_u64(&body, filter->id);
    struct rpc_call *calls = calls_make(task, &arena, INSIGHT_RPC_RESET, buffer_bytes(&body), &count, &silent);
    TRY(calls_run(task, calls, count));
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static const struct rpc_method methods[] = {
    {.id = INSIGHT_RPC_LIST, .name = "insight.list", .class = TASK_DEFAULT, .call = serve_list},
    {.id = INSIGHT_RPC_RESET, .name = "insight.reset", .class = TASK_DEFAULT, .call = serve_reset},
};

void insight_gather_register(void)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) rpc_method_register(&methods[i]);
}
