// SPDX-License-Identifier: GPL-3.0-or-later
//
// Announcements: every shard of every node hears of a change to what it caches, or has stopped to rely on its caches.
#include "core/invariant.h"
#include "core/log.h"
#include "kv/cluster_internal.h"

#define ANNOUNCEMENTS_MAX 64u
#define TRY_AGAIN_NS UINT64_C(100000000)
#define ANSWER_NS UINT64_C(3000000000)

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
};

static struct status hear(struct task *task, void *arg)
{
    const struct hear_call *call = arg;
    return call->announcement->heard(task, call->body);
}

static struct status hear_on_all(struct task *task, uint16_t id, struct bytes body)
{
    struct hear_call call = {.body = body};
    if (id >= ANNOUNCEMENTS_MAX || announcements[id] == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "the node does not know this announcement");
    call.announcement = announcements[id];
    return shard_call_all(task, hear, &call);
}

static struct status serve_announce(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    (void)reply;
    struct codec_reader in = codec_read(request->body);
    uint16_t id = codec_get_u16(&in);
    if (in.bad) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    return hear_on_all(task, id, bytes_of(in.at, codec_left(&in)));
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

// Tells those whose records are valid; *left is how many did not answer.
static struct status tell(struct task *task, struct bytes body, uint64_t *told, uint32_t *left)
{
    struct cluster_liveness *records;
    struct status st;
    uint32_t count, calling = 0;
    *left = 0;
    TRY(cluster_liveness_read(task, task->arena, &records, &count));
    struct rpc_call *calls = ARENA_ARRAY(task->arena, struct rpc_call, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = records[i].node;
        if (!may_rely(task, &records[i]) || (told[node / 64] >> node % 64 & 1) != 0) continue;
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
    for (uint32_t i = 0; i < calling; i++) {
        if (failed(calls[i].status)) {
            ++*left;
        } else {
            told[calls[i].node / 64] |= UINT64_C(1) << calls[i].node % 64;
        }
    }
out:
    return st;
}

struct status cluster_announce(struct task *task, uint16_t id, struct bytes body)
{
    struct status st;
    struct arena_mark mark = arena_mark(task->arena);
    uint64_t *told = ARENA_ARRAY(task->arena, uint64_t, CLUSTER_NODES_MAX / 64 + 1);
    struct buffer message;
    uint32_t left;
    TRY(hear_on_all(task, id, body));
    if (cluster_alone(task->shard)) goto out;
    buffer_init(&message, task->arena);
    codec_put_u16(&message, id);
    buffer_append_bytes(&message, body);
    for (uint32_t round = 0;; round++) {
        TRY(tell(task, buffer_bytes(&message), told, &left));
        if (left == 0) break;
        if (round == 0) log_info(0, "cluster: %s waits for %u silent nodes", announcements[id]->name, left);
        TRY(task_sleep(task, TRY_AGAIN_NS));
    }
out:
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}
