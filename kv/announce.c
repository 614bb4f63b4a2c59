// SPDX-License-Identifier: GPL-3.0-or-later
//
// Announcements: every shard of every node hears of a change to what it caches, or has stopped to rely on its caches.
#include "core/invariant.h"
#include "core/log.h"
#include "kv/cluster_internal.h"
#include "kv/leader_internal.h"
#include "kv/reliance.h"

#define ANNOUNCEMENTS_MAX 64u
#define TRY_AGAIN_NS UINT64_C(100000000)
#define ANSWER_NS UINT64_C(3000000000)
static_assert(RELIANCE_NS < ANSWER_NS, "who answers may wait for those who rely");

static const struct cluster_announcement *announcements[ANNOUNCEMENTS_MAX];

void cluster_announcement_register(const struct cluster_announcement *announcement)
{
    invariant(announcement->id > 0 && announcement->id < ANNOUNCEMENTS_MAX);
    if (announcements[announcement->id] == announcement) return;
    invariant(announcements[announcement->id] == NULL);
    announcements[announcement->id] = announcement;
}

void announcements_reset(struct shard *shard)
{
    for (uint32_t id = 0; id < ANNOUNCEMENTS_MAX; id++)
        if (announcements[id] != NULL && announcements[id]->reset != NULL) announcements[id]->reset(shard);
}

struct hear_call {
    const struct cluster_announcement *announcement;
    struct bytes body;
    struct hlc_timestamp *relied; // By shard.
};

static struct status hear(struct task *task, void *arg)
{
    const struct hear_call *call = arg;
    struct status st = call->announcement->heard(task, call->body);
    if (!failed(st) && call->announcement->relied != NULL)
        call->relied[task->shard->index] = call->announcement->relied(task->shard, call->body);
    return st;
}

// *relied: as said by the one that says the latest.
static struct status hear_on_all(
    struct task *task, uint16_t id, struct bytes body, struct hlc_timestamp *relied)
{
    const uint32_t shards = task->shard->node->shard_count;
    struct hear_call call = {.body = body, .relied = ARENA_ARRAY(task->arena, struct hlc_timestamp, shards)};
    if (id >= ANNOUNCEMENTS_MAX || announcements[id] == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "the node does not know this announcement");
    call.announcement = announcements[id];
    struct status st = shard_call_all(task, hear, &call);
    for (uint32_t i = 0; i < shards; i++) *relied = hlc_max(*relied, call.relied[i]);
    return st;
}

static struct status serve_announce(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct codec_reader in = codec_read(request->body);
    uint16_t id = codec_get_u16(&in);
    struct hlc_timestamp relied = HLC_ZERO;
    if (in.bad) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    struct status st = hear_on_all(task, id, bytes_of(in.at, codec_left(&in)), &relied);
    if (!failed(st)) codec_put_hlc(reply, relied);
    return st;
}

static const struct rpc_method announce_method = {
    .id = CLUSTER_RPC_ANNOUNCE, .name = "cluster.announce", .class = TASK_SYSTEM, .call = serve_announce};

void announce_register(void)
{
    rpc_method_register(&announce_method);
}

// A node whose record has run out by our clock relies on nothing any more, and begins anew when it renews.
static bool may_rely(struct task *task, const struct cluster_liveness *record)
{
    int64_t wall_ns = task->shard->env->wall_ns(task->shard->env);
    return record->node != task->shard->node->id && record->membership != CLUSTER_DECOMMISSIONED &&
           wall_ns <= (int64_t)record->expiration.wall_ns;
}

// What an announcement has come to so far.
struct telling {
    uint64_t *told;      // Nodes, bit by bit.
    uint32_t left;       // How many did not answer.
    struct hlc_timestamp relied;
};

static bool is_told(const struct telling *telling, uint32_t node)
{
    return (telling->told[node / 64] >> node % 64 & 1) != 0;
}

static void answer_take(struct telling *telling, const struct rpc_call *call)
{
    struct codec_reader in = codec_read(call->reply);
    struct hlc_timestamp relied = codec_get_hlc(&in);
    if (failed(call->status) || !codec_done(&in)) {
        telling->left++;
        return;
    }
    telling->relied = hlc_max(telling->relied, relied);
    telling->told[call->node / 64] |= UINT64_C(1) << call->node % 64;
}

// Tells those whose records are valid. Of the others nothing goes on beyond their expiration.
static struct status tell(struct task *task, struct bytes body, struct telling *telling)
{
    struct cluster_liveness *records;
    struct status st;
    uint32_t count, calling = 0;
    telling->left = 0;
    TRY(cluster_liveness_read(task, task->arena, &records, &count));
    struct rpc_call *calls = ARENA_ARRAY(task->arena, struct rpc_call, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = records[i].node;
        if (is_told(telling, node) || node == task->shard->node->id) continue;
        if (!may_rely(task, &records[i])) {
            telling->relied = hlc_max(telling->relied, records[i].expiration);
            continue;
        }
        calls[calling++] =
            (struct rpc_call){.node = node, .shard = 0, .method = CLUSTER_RPC_ANNOUNCE, .body = body};
    }
    if (calling == 0) goto out;
    uint64_t deadline = task->deadline_ns, now = task_now_ns(task);
    if (deadline - now > ANSWER_NS) task->deadline_ns = now + ANSWER_NS;
    st = rpc_call_many(task, calls, calling);
    task->deadline_ns = deadline;
    // Why it ends, and not what became of its calls: that is for the layers below alone.
    st = task->cancelled ? task->cancel_status : STATUS_OK;
    TRY(st);
    for (uint32_t i = 0; i < calling; i++) answer_take(telling, &calls[i]);
out:
    return st;
}

static struct status announce(
    struct task *task, uint16_t id, struct bytes body, struct telling *telling)
{
    struct status st;
    struct buffer message;
    telling->told = ARENA_ARRAY(task->arena, uint64_t, CLUSTER_NODES_MAX / 64 + 1);
    TRY(hear_on_all(task, id, body, &telling->relied));
    if (cluster_alone(task->shard)) goto out;
    buffer_init(&message, task->arena);
    codec_put_u16(&message, id);
    buffer_append_bytes(&message, body);
    for (uint32_t round = 0;; round++) {
        TRY(tell(task, buffer_bytes(&message), telling));
        if (telling->left == 0) break;
        if (round == 0)
            log_info(0, "cluster: %s waits for %u silent nodes", announcements[id]->name, telling->left);
        TRY(task_sleep(task, TRY_AGAIN_NS));
    }
out:
    return st;
}

struct status cluster_announce(struct task *task, uint16_t id, struct bytes body)
{
    struct arena_mark mark = arena_mark(task->arena);
    struct telling telling = {0};
    struct status st = announce(task, id, body, &telling);
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

struct hlc_timestamp cluster_change_until(struct shard *shard)
{
    const int64_t wall_ns = shard->env->wall_ns(shard->env);
    return (struct hlc_timestamp){(uint64_t)(wall_ns < 0 ? 0 : wall_ns) + CLUSTER_CHANGE_NS, 0};
}

struct status cluster_announce_above(
    struct task *task, uint16_t id, struct bytes body, struct hlc_timestamp *after)
{
    struct status st;
    struct arena_mark mark = arena_mark(task->arena);
    struct telling telling = {0};
    TRY(announce(task, id, body, &telling));
    // Above what nodes have committed that have left, too: their records said so below this clock.
    *after = hlc_max(telling.relied, hlc_now(&task->shard->hlc));
    TRY(leader_clock_pass(task, *after));
out:
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}
