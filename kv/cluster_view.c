// SPDX-License-Identifier: GPL-3.0-or-later
//
// Each shard's copy of the cluster's tables (kv/gossip.c has those of shard 0): how it gets them, and what it answers.
#include <stdlib.h>

#include "core/invariant.h"
#include "kv/cluster_internal.h"

// --- nodes ------------------------------------------------------------------------------------------

struct nodes_message {
    struct shard_message message;
    uint32_t count;
    bool alone;
    struct cluster_node nodes[];
};

static const struct cluster_node *find_in(const struct cluster_node *nodes, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (nodes[i].id == id) return &nodes[i];
    return NULL;
}

static bool node_differs(const struct cluster_node *a, const struct cluster_node *b)
{
    return a == NULL || a->alive != b->alive || a->draining != b->draining ||
           a->membership != b->membership || a->started_at_ns != b->started_at_ns ||
           strcmp(a->address, b->address) != 0;
}

static void nodes_install(struct shard *shard, const struct nodes_message *message)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    if (copy == NULL) return;
    struct cluster_node *old = copy->nodes;
    uint32_t old_count = copy->count;
    size_t size = message->count * sizeof copy->nodes[0];
    copy->nodes = malloc(size == 0 ? 1 : size);
    invariant(copy->nodes != NULL);
    memcpy(copy->nodes, message->nodes, size);
    copy->count = message->count;
    copy->alone = message->alone;
    for (uint32_t i = 0; i < copy->count; i++) {
        const struct cluster_node *node = &copy->nodes[i];
        if (!node_differs(find_in(old, old_count, node->id), node)) continue;
        if (node->id != shard->node->id) rpc_peer_set(shard, node->id, node->address);
        for (struct cluster_watch *watch = copy->watches; watch != NULL; watch = watch->next)
            watch->changed(watch, shard, node);
    }
    free(old);
}

void cluster_watch_add(struct shard *shard, struct cluster_watch *watch)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    if (copy == NULL) return;
    watch->next = copy->watches;
    copy->watches = watch;
}

void cluster_watch_remove(struct shard *shard, struct cluster_watch *watch)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    struct cluster_watch **at = copy == NULL ? NULL : &copy->watches;
    while (at != NULL && *at != NULL && *at != watch) at = &(*at)->next;
    if (at != NULL && *at == watch) *at = watch->next;
}

static void nodes_deliver(struct shard *shard, struct shard_message *arrived)
{
    struct nodes_message *message = container_of(arrived, struct nodes_message, message);
    nodes_install(shard, message);
    free(message);
}

void cluster_view_publish(struct cluster *cluster)
{
    struct shard *zero = cluster->node->shards[0];
    if (!cluster->dirty) return;
    cluster->dirty = false;
    for (uint32_t i = cluster->node->shard_count; i-- > 0;) {
        struct nodes_message *message =
            malloc(sizeof *message + cluster->count * sizeof message->nodes[0]);
        invariant(message != NULL);
        *message = (struct nodes_message){
            .message.deliver = nodes_deliver, .count = cluster->count, .alone = cluster->alone};
        for (uint32_t n = 0; n < cluster->count; n++)
            message->nodes[n] = cluster->nodes[n].node;
        if (i == 0) {
            nodes_deliver(zero, &message->message);
        } else {
            shard_send(zero, i, &message->message);
        }
    }
}

// --- who leads which slice ---------------------------------------------------------------------------

bool cluster_view_is_newer(const struct cluster_slice *a, const struct cluster_slice *b)
{
    if (b == NULL) return true;
    if (a->term != b->term) return a->term > b->term;
    if (a->config != b->config) return a->config > b->config;
    return a->leader != 0 && b->leader == 0;
}

bool cluster_view_set(struct cluster_slice **slices, const struct cluster_slice *slice)
{
    struct cluster_slice **at = &slices[slice->slice];
    if (!cluster_view_is_newer(slice, *at)) return false;
    struct cluster_slice next = *slice;
    if (*at == NULL) {
        *at = malloc(sizeof **at);
        invariant(*at != NULL);
    } else if (next.voter_count == 0) {
        // A hint knows the leader only.
        next = **at;
        next.term = slice->term;
        next.leader = slice->leader;
    }
    **at = next;
    return true;
}

static void slice_deliver(struct shard *shard, struct shard_message *arrived)
{
    struct cluster_slice_message *message = container_of(arrived, struct cluster_slice_message, message);
    struct cluster_shard *copy = cluster_shard_of(shard);
    if (copy != NULL) (void)cluster_view_set(copy->slices, &message->slice);
    free(message);
}

void cluster_view_send(struct shard *from, uint32_t to, const struct cluster_slice *slice,
    void (*deliver)(struct shard *shard, struct shard_message *message), bool announce)
{
    struct cluster_slice_message *message = malloc(sizeof *message);
    invariant(message != NULL);
    *message = (struct cluster_slice_message){.message.deliver = deliver, .slice = *slice, .announce = announce};
    if (from->index == to) {
        deliver(from, &message->message);
    } else {
        shard_send(from, to, &message->message);
    }
}

void cluster_view_publish_slice(struct cluster *cluster, const struct cluster_slice *slice)
{
    for (uint32_t i = 0; i < cluster->node->shard_count; i++)
        cluster_view_send(cluster->node->shards[0], i, slice, slice_deliver, false);
}

void cluster_slice_hint(struct shard *shard, uint64_t slice, uint64_t term, uint32_t leader)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    if (copy == NULL || slice == 0 || slice > KV_SLICES_MAX) return;
    const struct cluster_slice *known = copy->slices[slice];
    struct cluster_slice hint = {.slice = slice, .term = term, .leader = leader};
    if (known != NULL) hint.config = known->config;
    (void)cluster_view_set(copy->slices, &hint);
}

// --- what everyone may ask -------------------------------------------------------------------------

const struct cluster_node *cluster_nodes(struct shard *shard, uint32_t *count)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    *count = copy == NULL ? 0 : copy->count;
    return copy == NULL ? NULL : copy->nodes;
}

const struct cluster_node *cluster_node(struct shard *shard, uint32_t id)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    return copy == NULL ? NULL : find_in(copy->nodes, copy->count, id);
}

bool cluster_alive(struct shard *shard, uint32_t id)
{
    if (id == shard->node->id) return true;
    const struct cluster_node *node = cluster_node(shard, id);
    return node != NULL && node->alive;
}

uint64_t cluster_slices_hash(struct shard *shard)
{
    const struct cluster *cluster = cluster_of(shard->node);
    invariant(shard->index == 0);
    return cluster == NULL ? 0 : cluster->slices_hash;
}

bool cluster_slice(struct shard *shard, uint64_t slice, struct cluster_slice *where)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    if (slice == 0 || slice > KV_SLICES_MAX) return false;
    if (copy != NULL && copy->slices[slice] != NULL) {
        *where = *copy->slices[slice];
        return true;
    }
    if (!cluster_alone(shard)) return false;
    uint32_t own = shard->node->id;
    *where = (struct cluster_slice){.slice = slice, .leader = own, .voter_count = 1, .voters = {own}};
    return true;
}

bool cluster_slice_shard(struct shard *shard, uint32_t node, uint64_t slice, uint32_t *target)
{
    uint32_t shard_count = shard->node->shard_count;
    if (node != shard->node->id) {
        const struct cluster_node *known = cluster_node(shard, node);
        if (known == NULL) return false;
        shard_count = known->shard_count;
    }
    *target = (uint32_t)((slice - 1) % shard_count);
    return true;
}

bool cluster_alone(struct shard *shard)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    return copy == NULL || copy->alone;
}

int64_t cluster_max_offset_ns(struct shard *shard)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    return copy == NULL ? CLUSTER_MAX_OFFSET_NS : copy->cluster->max_offset_ns;
}
