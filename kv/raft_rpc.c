// SPDX-License-Identifier: GPL-3.0-or-later
//
// Consensus messages over the node's RPC.
#include "core/invariant.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/kv_node.h"
#include "kv/raft_transport.h"

static void on_message(struct shard *shard, const struct rpc_request *request)
{
    struct kv_shard *kv = kv_shard_of(shard);
    if (kv == NULL || kv->raft == NULL || request->node == 0) return;
    raft_shard_receive(kv->raft, request->node, request->shard, request->body);
}

static const struct rpc_method raft_method = {
    .id = RPC_RAFT, .name = "raft", .class = TASK_SYSTEM, .message = on_message};

static bool rpc_shard_of(void *arg, uint32_t node, uint64_t slice, uint32_t *target)
{
    return cluster_slice_shard(arg, node, slice, target);
}

static bool rpc_frame_send(void *arg, uint32_t node, uint32_t target, struct bytes frame)
{
    return rpc_send(arg, (struct rpc_target){node, target}, RPC_RAFT, frame);
}

struct raft_shard *raft_shard_create_rpc(struct shard *shard, uint32_t self)
{
    const struct raft_network network = {
        .shard_of = rpc_shard_of, .send = rpc_frame_send, .arg = shard};
    return raft_shard_create(shard, self, &network);
}

void raft_rpc_register(void)
{
    rpc_method_register(&raft_method);
}
