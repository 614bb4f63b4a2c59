// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/cluster_admin.h"

#include "kv/cluster_internal.h"
#include "kv/loss.h"
#include "kv/zone.h"

static cluster_drain_fn drain_of_server;

void cluster_drain_register(cluster_drain_fn drain)
{
    drain_of_server = drain;
}

// --- serving -----------------------------------------------------------------------------------------

struct status_call {
    struct arena arena; // Unaccounted: crosses shards.
    struct buffer reply;
};

static void slices_count(struct cluster *cluster, uint32_t node, uint32_t *replicas, uint32_t *leaders)
{
    *replicas = *leaders = 0;
    for (uint32_t id = 1; id <= KV_SLICES_MAX; id++) {
        const struct cluster_slice *slice = cluster->slices[id];
        if (slice == NULL) continue;
        *leaders += slice->leader == node;
        for (uint32_t i = 0; i < slice->voter_count; i++)
            *replicas += slice->voters[i] == node;
        for (uint32_t i = 0; i < slice->learner_count; i++)
            *replicas += slice->learners[i] == node;
    }
}

static struct status status_on_zero(struct task *task, void *arg)
{
    struct status_call *call = arg;
    struct cluster *cluster = cluster_of(task->shard->node);
    if (cluster == NULL || cluster->node_id == 0)
        return status_hint(task->arena,
            status_make(E_CANNOT_CONNECT_NOW, "this node belongs to no cluster yet"),
            "Run `isopod init --host=ADDRESS` once, for one node of a new cluster.");
    codec_put_u32(&call->reply, cluster->node_id);
    codec_put_u32(&call->reply, cluster->count);
    for (uint32_t i = 0; i < cluster->count; i++) {
        uint32_t replicas, leaders;
        slices_count(cluster, cluster->nodes[i].node.id, &replicas, &leaders);
        gossip_node_put(&call->reply, &cluster->nodes[i]);
        codec_put_u8(&call->reply, cluster->nodes[i].node.alive);
        codec_put_u32(&call->reply, replicas);
        codec_put_u32(&call->reply, leaders);
    }
    return STATUS_OK;
}

static struct status serve_status(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    (void)request;
    struct status_call call = {0};
    arena_init(&call.arena, NULL);
    buffer_init(&call.reply, &call.arena);
    struct status st = shard_call(task, 0, status_on_zero, &call);
    if (!failed(st)) buffer_append_bytes(reply, buffer_bytes(&call.reply));
    arena_fini(&call.arena);
    return st;
}

// Copies of a slice that so many nodes can have: an odd number, of those that are wanted.
static uint32_t copies_on(uint32_t nodes, uint32_t wanted)
{
    if (nodes >= wanted) return wanted;
    return nodes % 2 == 0 && nodes > 0 ? nodes - 1 : nodes;
}

static struct status leaving_check(struct task *task, uint32_t node)
{
    struct zone zone;
    uint32_t count, now = 0, later = 0;
    struct status st;
    TRY(zone_get_whole(task, ZONE_ROOT, &zone));
    const struct cluster_node *nodes = cluster_nodes(task->shard, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].membership != CLUSTER_ACTIVE && nodes[i].id != node) continue;
        now++;
        later += nodes[i].id != node;
    }
    uint32_t copies = copies_on(later, zone.replicas);
    if (copies < copies_on(now, zone.replicas))
        st = status_hint(task->arena,
            status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
                "without node %u there are %u nodes left: room for %u copies of %u", node, later, copies, zone.replicas),
            "Add a node first, or decommission with --checks=skip: what is left may not survive the loss of a node.");
out:
    return st;
}

static struct status serve_membership(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    (void)reply;
    struct codec_reader in = codec_read(request->body);
    uint32_t node = codec_get_u32(&in);
    uint8_t membership = codec_get_u8(&in);
    bool checked = codec_get_bool(&in);
    struct cluster *cluster = cluster_of(task->shard->node);
    if (!codec_done(&in) || membership > CLUSTER_DECOMMISSIONED)
        return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    if (cluster == NULL || !cluster->serving)
        return status_make(E_CANNOT_CONNECT_NOW, "the node is starting");
    if (checked && membership == CLUSTER_DECOMMISSIONING && cluster_node(task->shard, node) != NULL) {
        struct status st = leaving_check(task, node);
        if (failed(st)) return st;
    }
    return cluster_membership_set(task, node, (enum cluster_membership)membership);
}

static struct status serve_drain(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct codec_reader in = codec_read(request->body);
    uint32_t node = codec_get_u32(&in);
    bool shutdown = codec_get_bool(&in);
    struct status st;
    if (!codec_done(&in)) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    if (node != 0 && node != task->shard->node->id) {
        if (cluster_node(task->shard, node) == NULL)
            return status_format(task->arena, E_UNDEFINED_OBJECT, "node %u does not exist", node);
        struct rpc_call call = {.node = node, .shard = 0, .method = CLUSTER_RPC_DRAIN, .body = request->body};
        TRY(rpc_call(task, &call));
        buffer_append_bytes(reply, call.reply);
        goto out;
    }
    if (drain_of_server == NULL) return status_make(E_CANNOT_CONNECT_NOW, "the node is starting");
    uint64_t remaining;
    TRY(drain_of_server(task, shutdown, &remaining));
    codec_put_u64(reply, remaining);
out:
    return st;
}

static const struct rpc_method status_method = {.id = CLUSTER_RPC_STATUS,
    .name = "cluster.status",
    .class = TASK_SYSTEM,
    .for_clients = true,
    .call = serve_status};
static const struct rpc_method membership_method = {.id = CLUSTER_RPC_MEMBERSHIP,
    .name = "cluster.membership",
    .class = TASK_SYSTEM,
    .for_clients = true,
    .call = serve_membership};
static const struct rpc_method drain_method = {.id = CLUSTER_RPC_DRAIN,
    .name = "cluster.drain",
    .class = TASK_SYSTEM,
    .for_clients = true,
    .call = serve_drain};

void cluster_admin_register(void)
{
    rpc_method_register(&status_method);
    rpc_method_register(&membership_method);
    rpc_method_register(&drain_method);
    loss_register();
}

uint32_t cluster_leaderships(struct shard *shard, uint32_t node)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    uint32_t count = 0;
    for (uint32_t id = 1; copy != NULL && id <= KV_SLICES_MAX; id++)
        count += copy->slices[id] != NULL && copy->slices[id]->leader == node;
    return count;
}

// --- asking ------------------------------------------------------------------------------------------

static struct status ask(struct task *task, const char *address, uint16_t method, struct bytes body,
    struct arena *arena, struct bytes *reply)
{
    struct rpc_call call = {
        .address = address, .shard = RPC_ANY_SHARD, .method = method, .body = body, .arena = arena};
    struct status st = rpc_call(task, &call);
    *reply = call.reply;
    return st;
}

static struct status malformed(void)
{
    return status_make(E_PROTOCOL_VIOLATION, "the node's answer is malformed");
}

struct status cluster_admin_init(struct task *task, const char *address, uint8_t cluster_id[16])
{
    struct bytes reply;
    struct status st = ask(task, address, CLUSTER_RPC_INIT, BYTES_LITERAL(""), task->arena, &reply);
    if (failed(st)) return st;
    if (reply.size != 16) return malformed();
    memcpy(cluster_id, reply.data, 16);
    return STATUS_OK;
}

struct status cluster_admin_nodes(struct task *task, const char *address, struct arena *arena,
    struct cluster_admin_node **nodes, uint32_t *count, uint32_t *self)
{
    struct bytes reply;
    struct status st = ask(task, address, CLUSTER_RPC_STATUS, BYTES_LITERAL(""), task->arena, &reply);
    if (failed(st)) return st;
    struct codec_reader in = codec_read(reply);
    *self = codec_get_u32(&in);
    *count = codec_get_count(&in, 64);
    *nodes = ARENA_ARRAY(arena, struct cluster_admin_node, *count + 1);
    for (uint32_t i = 0; i < *count; i++) {
        struct gossip_node entry;
        struct cluster_admin_node *node = &(*nodes)[i];
        if (!gossip_node_get(&in, &entry)) return malformed();
        node->node = entry.node;
        node->node.alive = codec_get_bool(&in);
        node->replicas = codec_get_u32(&in);
        node->leaders = codec_get_u32(&in);
    }
    return codec_done(&in) ? STATUS_OK : malformed();
}

struct status cluster_admin_membership(struct task *task, const char *address, uint32_t node,
    enum cluster_membership membership, bool checked)
{
    uint8_t body[6];
    struct bytes reply;
    codec_store(body, node, 4);
    body[4] = (uint8_t)membership;
    body[5] = checked;
    return ask(task, address, CLUSTER_RPC_MEMBERSHIP, bytes_of(body, sizeof body), task->arena, &reply);
}

struct status cluster_admin_drain(
    struct task *task, const char *address, uint32_t node, bool shutdown, uint64_t *remaining)
{
    uint8_t body[5];
    struct bytes reply;
    codec_store(body, node, 4);
    body[4] = shutdown;
    struct status st =
        ask(task, address, CLUSTER_RPC_DRAIN, bytes_of(body, sizeof body), task->arena, &reply);
    if (failed(st)) return st;
    struct codec_reader in = codec_read(reply);
    *remaining = codec_get_u64(&in);
    return codec_done(&in) ? STATUS_OK : malformed();
}
