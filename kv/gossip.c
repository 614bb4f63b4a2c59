// SPDX-License-Identifier: GPL-3.0-or-later
//
// The cluster's tables and how they spread: a digest to some others every tick, then what either side lacks.
#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/rest.h"
#include "core/log.h"
#include "kv/cluster_internal.h"
#include "kv/kv_node.h"
#include "kv/maintenance.h"
#include "kv/raft_transport.h"

#define FANOUT 20u            // Nodes told in a tick: all of them in a small cluster.
#define DIGEST_BYTES 36u
// Of a delta: the slices in it.
enum { SLICES_NONE, SLICES_ALL, SLICES_SOME };
#define CLOCK_FRESH_NS UINT64_C(20000000000)
#define SAVE_TICKS 4u
#define LOAD_NEWS_PART 256u

enum gossip_kind { GOSSIP_DIGEST = 1, GOSSIP_DELTA };

// --- entries as bytes ------------------------------------------------------------------------------

void gossip_node_put(struct buffer *out, const struct gossip_node *entry)
{
    const struct cluster_node *node = &entry->node;
    codec_put_u32(out, node->id);
    codec_put_u32(out, node->shard_count);
    buffer_append(out, node->store_id, sizeof node->store_id);
    codec_put_u64(out, node->incarnation.number);
    buffer_append(out, node->incarnation.id, sizeof node->incarnation.id);
    codec_put_string(out, node->address);
    codec_put_string(out, node->sql_address);
    codec_put_string(out, node->http_address);
    codec_put_string(out, node->locality);
    codec_put_string(out, node->attrs);
    codec_put_string(out, node->version);
    codec_put_i64(out, node->started_at_ns);
    codec_put_i64(out, node->heartbeat_at_ns);
    codec_put_u64(out, node->heartbeat);
    codec_put_u64(out, node->disk_bytes);
    codec_put_u64(out, node->disk_free_bytes);
    codec_put_u64(out, node->data_bytes);
    codec_put_u32(out, node->replicas);
    codec_put_u32(out, node->leaders);
    codec_put_u32(out, node->ranges);
    codec_put_u8(out, node->draining);
    codec_put_u8(out, (uint8_t)node->membership);
    codec_put_u32(out, entry->version);
    codec_put_u32(out, entry->membership_version);
}

static bool node_get(struct codec_reader *in, struct gossip_node *entry, bool plain)
{
    struct cluster_node *node = &entry->node;
    *entry = (struct gossip_node){0};
    node->id = codec_get_u32(in);
    node->shard_count = codec_get_u32(in);
    const uint8_t *store = codec_take(in, sizeof node->store_id);
    if (store != NULL) memcpy(node->store_id, store, sizeof node->store_id);
    if (!plain) {
        node->incarnation.number = codec_get_u64(in);
        const uint8_t *incarnation = codec_take(in, sizeof node->incarnation.id);
        if (incarnation != NULL) memcpy(node->incarnation.id, incarnation, sizeof node->incarnation.id);
    }
    codec_get_text(in, node->address, sizeof node->address);
    codec_get_text(in, node->sql_address, sizeof node->sql_address);
    codec_get_text(in, node->http_address, sizeof node->http_address);
    codec_get_text(in, node->locality, sizeof node->locality);
    codec_get_text(in, node->attrs, sizeof node->attrs);
    codec_get_text(in, node->version, sizeof node->version);
    node->started_at_ns = codec_get_i64(in);
    node->heartbeat_at_ns = codec_get_i64(in);
    node->heartbeat = codec_get_u64(in);
    node->disk_bytes = codec_get_u64(in);
    node->disk_free_bytes = codec_get_u64(in);
    node->data_bytes = codec_get_u64(in);
    node->replicas = codec_get_u32(in);
    node->leaders = codec_get_u32(in);
    node->ranges = codec_get_u32(in);
    node->draining = codec_get_bool(in);
    uint8_t membership = codec_get_u8(in);
    entry->version = codec_get_u32(in);
    entry->membership_version = codec_get_u32(in);
    if (membership > CLUSTER_DECOMMISSIONED || node->shard_count == 0 || node->shard_count > 1024)
        in->bad = true;
    node->membership = (enum cluster_membership)membership;
    return !in->bad;
}

bool gossip_node_get(struct codec_reader *in, struct gossip_node *entry)
{
    return node_get(in, entry, false);
}

static void slice_put(struct buffer *out, const struct cluster_slice *slice)
{
    codec_put_u32(out, (uint32_t)slice->slice);
    codec_put_u64(out, slice->term);
    codec_put_u64(out, slice->config);
    codec_put_u32(out, slice->leader);
    codec_put_u8(out, (uint8_t)slice->voter_count);
    codec_put_u8(out, (uint8_t)slice->learner_count);
    for (uint32_t i = 0; i < slice->voter_count; i++)
        codec_put_u32(out, slice->voters[i]);
    for (uint32_t i = 0; i < slice->learner_count; i++)
        codec_put_u32(out, slice->learners[i]);
}

static bool slice_get(struct codec_reader *in, struct cluster_slice *slice)
{
    *slice = (struct cluster_slice){0};
    slice->slice = codec_get_u32(in);
    slice->term = codec_get_u64(in);
    slice->config = codec_get_u64(in);
    slice->leader = codec_get_u32(in);
    slice->voter_count = codec_get_u8(in);
    slice->learner_count = codec_get_u8(in);
    if (slice->slice == 0 || slice->slice > KV_SLICES_MAX ||
        slice->voter_count > CLUSTER_REPLICAS_MAX || slice->learner_count > CLUSTER_REPLICAS_MAX)
        in->bad = true;
    for (uint32_t i = 0; !in->bad && i < slice->voter_count; i++)
        slice->voters[i] = codec_get_u32(in);
    for (uint32_t i = 0; !in->bad && i < slice->learner_count; i++)
        slice->learners[i] = codec_get_u32(in);
    return !in->bad;
}

// Slices that are newer than what `than` has; NULL: all.
static void slices_put(struct buffer *out, struct cluster_slice **slices, struct cluster_slice **than);

// --- the tables on shard 0 -------------------------------------------------------------------------

struct gossip_node *gossip_find(struct cluster *cluster, uint32_t id)
{
    for (uint32_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].node.id == id) return &cluster->nodes[i];
    return NULL;
}

static struct gossip_node *node_add(struct cluster *cluster, const struct gossip_node *entry)
{
    if (cluster->count >= CLUSTER_NODES_MAX) return NULL;
    if (cluster->count == cluster->capacity) {
        cluster->capacity = cluster->capacity == 0 ? 8 : cluster->capacity * 2;
        cluster->nodes = realloc(cluster->nodes, cluster->capacity * sizeof cluster->nodes[0]);
        invariant(cluster->nodes != NULL);
    }
    uint32_t at = cluster->count++;
    for (; at > 0 && cluster->nodes[at - 1].node.id > entry->node.id; at--)
        cluster->nodes[at] = cluster->nodes[at - 1];
    cluster->nodes[at] = *entry;
    cluster->nodes[at].node.alive = false;
    cluster->nodes[at].node.heard_at_ns = 0;
    cluster->nodes[at].node.clock_offset_ns = 0;
    return &cluster->nodes[at];
}

// Whether `a` says something newer of the node than what is known.
static int entry_order(int64_t a_started, uint32_t a_version, const struct gossip_node *b)
{
    if (a_started != b->node.started_at_ns) return a_started < b->node.started_at_ns ? -1 : 1;
    return (a_version > b->version) - (a_version < b->version);
}

static void heard(struct cluster *cluster, struct gossip_node *known)
{
    known->node.heard_at_ns = shard_now_ns(cluster->node->shards[0]);
    if (known->node.alive) return;
    known->node.alive = true;
    cluster->dirty = true;
    log_info(0, "cluster: node %u at %s is alive", known->node.id, known->node.address);
}

void gossip_answered(struct cluster *cluster, const char *address)
{
    struct gossip_node *known = NULL;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct gossip_node *each = &cluster->nodes[i];
        if (each->node.membership == CLUSTER_DECOMMISSIONED || strcmp(each->node.address, address) != 0) continue;
        if (known == NULL || each->node.started_at_ns > known->node.started_at_ns) known = each;
    }
    if (known == NULL || known->node.id == cluster->node_id || known->node.heard_at_ns != 0) return;
    heard(cluster, known);
    cluster_view_publish(cluster);
}

static void heartbeat_take(
    struct cluster *cluster, struct gossip_node *known, uint64_t heartbeat, int64_t wall_ns)
{
    if (heartbeat <= known->node.heartbeat) return;
    known->node.heartbeat = heartbeat;
    known->node.heartbeat_at_ns = wall_ns;
    heard(cluster, known);
}

static bool membership_take(struct cluster *cluster, struct gossip_node *known,
    enum cluster_membership membership, uint32_t version)
{
    if (version <= known->membership_version) return false;
    known->membership_version = version;
    known->node.membership = membership;
    cluster->dirty = cluster->peers_dirty = true;
    return true;
}

// Kept on disk: it is what a copy is told from its original by when all nodes start anew.
static bool incarnation_take(struct cluster *cluster, struct gossip_node *known, const struct rpc_incarnation *incarnation)
{
    if (incarnation->number <= known->node.incarnation.number) return false;
    known->node.incarnation = *incarnation;
    cluster->dirty = cluster->peers_dirty = true;
    return true;
}

// It is to be found elsewhere, or is another.
static bool node_moved(const struct cluster_node *a, const struct cluster_node *b)
{
    return memcmp(a->store_id, b->store_id, sizeof a->store_id) != 0 || strcmp(a->address, b->address) != 0 ||
           strcmp(a->sql_address, b->sql_address) != 0 || strcmp(a->locality, b->locality) != 0 ||
           strcmp(a->attrs, b->attrs) != 0 || a->shard_count != b->shard_count || a->membership != b->membership;
}

bool gossip_merge(struct cluster *cluster, const struct gossip_node *entry)
{
    if (entry->node.id == 0) return false;
    struct gossip_node *known = gossip_find(cluster, entry->node.id);
    if (known == NULL) {
        known = node_add(cluster, entry);
        cluster->dirty = cluster->peers_dirty = true;
        return known != NULL;
    }
    bool newer = membership_take(cluster, known, entry->node.membership, entry->membership_version);
    newer = incarnation_take(cluster, known, &entry->node.incarnation) || newer;
    if (entry->node.id == cluster->node_id) return newer;
    int order = entry_order(entry->node.started_at_ns, entry->version, known);
    if (order < 0) return newer;
    if (order > 0) {
        struct gossip_node next = *entry;
        next.node.incarnation = known->node.incarnation;
        next.node.membership = known->node.membership;
        next.membership_version = known->membership_version;
        next.node.alive = known->node.alive;
        next.node.heard_at_ns = known->node.heard_at_ns;
        next.node.clock_offset_ns = known->node.clock_offset_ns;
        if (entry->node.started_at_ns == known->node.started_at_ns &&
            known->node.heartbeat > entry->node.heartbeat) {
            next.node.heartbeat = known->node.heartbeat;
            next.node.heartbeat_at_ns = known->node.heartbeat_at_ns;
        } else {
            next.node.heartbeat = 0; // So that the new one counts as heard.
        }
        // What changes all the time is not worth a write.
        if (node_moved(&known->node, &next.node)) cluster->peers_dirty = true;
        *known = next;
        cluster->dirty = newer = true;
    }
    heartbeat_take(cluster, known, entry->node.heartbeat, entry->node.heartbeat_at_ns);
    return newer;
}

static uint64_t slice_hash(const struct cluster_slice *slice)
{
    if (slice == NULL) return 0;
    uint64_t hash = hash_combine(hash_u64(slice->slice), slice->term);
    return hash_combine(hash_combine(hash, slice->config), slice->leader);
}

bool gossip_merge_slice(struct cluster *cluster, const struct cluster_slice *slice)
{
    uint64_t before = slice_hash(cluster->slices[slice->slice]);
    if (!cluster_view_set(cluster->slices, slice)) return false;
    cluster->slices_hash += slice_hash(cluster->slices[slice->slice]) - before;
    cluster_view_publish_slice(cluster, slice);
    return true;
}

static void slices_put(struct buffer *out, struct cluster_slice **slices, struct cluster_slice **than)
{
    size_t count_at = out->size;
    uint32_t count = 0;
    codec_put_u32(out, 0);
    for (uint32_t id = 1; id <= KV_SLICES_MAX; id++) {
        if (slices[id] == NULL || (than != NULL && !cluster_view_is_newer(slices[id], than[id]))) continue;
        slice_put(out, slices[id]);
        count++;
    }
    codec_store(out->data + count_at, count, 4);
}

void gossip_tables_put(struct buffer *out, struct cluster *cluster)
{
    codec_put_u32(out, cluster->count);
    for (uint32_t i = 0; i < cluster->count; i++)
        gossip_node_put(out, &cluster->nodes[i]);
    slices_put(out, cluster->slices, NULL);
}

static bool nodes_merge(struct codec_reader *in, struct cluster *cluster, bool plain)
{
    uint32_t count = codec_get_count(in, 64);
    for (uint32_t i = 0; i < count; i++) {
        struct gossip_node entry;
        if (!node_get(in, &entry, plain)) return false;
        gossip_merge(cluster, &entry);
    }
    return !in->bad;
}

static bool slices_merge(struct codec_reader *in, struct cluster *cluster)
{
    uint32_t count = codec_get_count(in, 26);
    for (uint32_t i = 0; i < count; i++) {
        struct cluster_slice slice;
        if (!slice_get(in, &slice)) return false;
        gossip_merge_slice(cluster, &slice);
    }
    return !in->bad;
}

static bool tables_merge(struct codec_reader *in, struct cluster *cluster, bool plain)
{
    bool good = nodes_merge(in, cluster, plain) && slices_merge(in, cluster);
    cluster_view_publish(cluster);
    return good;
}

bool gossip_tables_merge(struct codec_reader *in, struct cluster *cluster)
{
    return tables_merge(in, cluster, false);
}

bool gossip_tables_merge_plain(struct codec_reader *in, struct cluster *cluster)
{
    return tables_merge(in, cluster, true);
}

// --- telling others --------------------------------------------------------------------------------

static void send_to(struct cluster *cluster, uint32_t node, struct bytes body)
{
    (void)rpc_send(cluster->node->shards[0], (struct rpc_target){node, 0}, CLUSTER_RPC_GOSSIP, body);
}

static void send_to_all(struct cluster *cluster, struct bytes body)
{
    for (uint32_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].node.id != cluster->node_id && cluster->nodes[i].node.alive)
            send_to(cluster, cluster->nodes[i].node.id, body);
}

static void digest_put(struct buffer *out, struct cluster *cluster)
{
    codec_put_u8(out, GOSSIP_DIGEST);
    codec_put_u32(out, cluster->count);
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct gossip_node *entry = &cluster->nodes[i];
        codec_put_u32(out, entry->node.id);
        codec_put_i64(out, entry->node.started_at_ns);
        codec_put_u64(out, entry->node.heartbeat);
        codec_put_i64(out, entry->node.heartbeat_at_ns);
        codec_put_u32(out, entry->version);
        codec_put_u32(out, entry->membership_version);
    }
    codec_put_u64(out, cluster->slices_hash);
}

// Everyone in a small cluster; in a large one some at random, of whom each tells others.
static void digests_send(struct cluster *cluster)
{
    struct env *env = cluster->node->env;
    struct arena arena;
    struct buffer body;
    if (cluster->count < 2) return;
    arena_init(&arena, NULL);
    buffer_init(&body, &arena);
    digest_put(&body, cluster);
    for (uint32_t i = 0; i < cluster->count && i < FANOUT; i++) {
        uint64_t at = cluster->count <= FANOUT ? i : env->random(env) % cluster->count;
        const struct cluster_node *node = &cluster->nodes[at].node;
        if (node->id == cluster->node_id || node->membership == CLUSTER_DECOMMISSIONED) continue;
        send_to(cluster, node->id, buffer_bytes(&body));
    }
    arena_fini(&arena);
}

// delta: entries, ids of which more is wanted, slices (when they are in it).
static void delta_begin(struct buffer *out, struct arena *arena)
{
    buffer_init(out, arena);
    codec_put_u8(out, GOSSIP_DELTA);
}

static bool digest_take(struct cluster *cluster, uint32_t from, struct codec_reader *in)
{
    struct arena arena;
    struct buffer out, wants;
    uint32_t offered = 0, wanted = 0, count = codec_get_count(in, DIGEST_BYTES);
    arena_init(&arena, NULL);
    delta_begin(&out, &arena);
    buffer_init(&wants, &arena);
    bool *seen = ARENA_ARRAY(&arena, bool, cluster->count + 1);
    size_t count_at = out.size;
    codec_put_u32(&out, 0);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = codec_get_u32(in);
        int64_t started = codec_get_i64(in);
        uint64_t heartbeat = codec_get_u64(in);
        int64_t wall_ns = codec_get_i64(in);
        uint32_t version = codec_get_u32(in), membership_version = codec_get_u32(in);
        struct gossip_node *known = gossip_find(cluster, id);
        int order = known == NULL ? 1 : entry_order(started, version, known);
        if (known != NULL) seen[known - cluster->nodes] = true;
        if (order > 0 || (known != NULL && membership_version > known->membership_version)) {
            codec_put_u32(&wants, id);
            wanted++;
        }
        if (known != NULL && (order < 0 || membership_version < known->membership_version)) {
            gossip_node_put(&out, known);
            offered++;
        }
        if (known != NULL && started == known->node.started_at_ns && id != cluster->node_id)
            heartbeat_take(cluster, known, heartbeat, wall_ns);
    }
    uint64_t hash = codec_get_u64(in);
    bool good = codec_done(in);
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (seen[i]) continue;
        gossip_node_put(&out, &cluster->nodes[i]);
        offered++;
    }
    codec_store(out.data + count_at, offered, 4);
    codec_put_bytes(&out, buffer_bytes(&wants));
    codec_put_u8(&out, hash != cluster->slices_hash ? SLICES_ALL : SLICES_NONE);
    if (hash != cluster->slices_hash) slices_put(&out, cluster->slices, NULL);
    if (good && (offered > 0 || wanted > 0 || hash != cluster->slices_hash))
        send_to(cluster, from, buffer_bytes(&out));
    arena_fini(&arena);
    cluster_view_publish(cluster);
    return good;
}

// Slices of which they told, as a table of theirs; merged into ours.
static bool slices_compare(
    struct cluster *cluster, struct codec_reader *in, struct arena *arena, struct cluster_slice **theirs)
{
    uint32_t count = codec_get_count(in, 26);
    for (uint32_t i = 0; i < count; i++) {
        struct cluster_slice *slice = ARENA_NEW(arena, struct cluster_slice);
        if (!slice_get(in, slice)) return false;
        theirs[slice->slice] = slice;
        gossip_merge_slice(cluster, slice);
    }
    return !in->bad;
}

static bool delta_take(struct cluster *cluster, uint32_t from, struct codec_reader *in)
{
    struct arena arena;
    struct buffer out;
    uint32_t offered = 0;
    bool good = nodes_merge(in, cluster, false);
    struct bytes wants = codec_get_bytes(in);
    uint8_t has_slices = codec_get_u8(in);
    if (has_slices > SLICES_SOME) good = false;
    arena_init(&arena, NULL);
    delta_begin(&out, &arena);
    size_t count_at = out.size;
    codec_put_u32(&out, 0);
    for (size_t at = 0; good && at + 4 <= wants.size; at += 4) {
        struct gossip_node *known = gossip_find(cluster, (uint32_t)codec_load(wants.data + at, 4));
        if (known == NULL) continue;
        gossip_node_put(&out, known);
        offered++;
    }
    codec_store(out.data + count_at, offered, 4);
    codec_put_bytes(&out, (struct bytes){NULL, 0});
    size_t slices_at = out.size;
    bool more_slices = false;
    codec_put_u8(&out, SLICES_NONE);
    struct cluster_slice **theirs = NULL;
    if (good && has_slices != SLICES_NONE) {
        theirs = ARENA_ARRAY(&arena, struct cluster_slice *, KV_SLICES_MAX + 1);
        good = slices_compare(cluster, in, &arena, theirs);
    }
    // Who told of some only is not to be told of all others: the answer would be one of some, and so on for ever.
    if (good && has_slices == SLICES_ALL) {
        size_t before = out.size;
        slices_put(&out, cluster->slices, theirs);
        more_slices = codec_load(out.data + before, 4) > 0;
        out.data[slices_at] = more_slices ? SLICES_SOME : SLICES_NONE;
        if (!more_slices) out.size = before;
    }
    good = good && codec_done(in);
    if (good && (offered > 0 || more_slices)) send_to(cluster, from, buffer_bytes(&out));
    arena_fini(&arena);
    cluster_view_publish(cluster);
    return good;
}

static void serve_gossip(struct shard *shard, const struct rpc_request *request)
{
    struct cluster *cluster = cluster_of(shard->node);
    struct codec_reader in = codec_read(request->body);
    if (cluster == NULL || shard->index != 0 || cluster->node_id == 0 || cluster->stopping) return;
    // Who has let another node in has written down before that it is alone no more.
    if (cluster->alone && request->node != 0) {
        cluster_fail(cluster, status_hint(&cluster->arena,
            status_format(&cluster->arena, E_NOT_IN_PREREQUISITE_STATE,
                "node %u is of this cluster, and the store knows of no other node: it is a copy, or an old state", request->node),
            CLUSTER_STORE_COPIED));
        return;
    }
    uint8_t kind = codec_get_u8(&in);
    bool good = kind == GOSSIP_DIGEST  ? digest_take(cluster, request->node, &in)
                : kind == GOSSIP_DELTA ? delta_take(cluster, request->node, &in)
                                       : false;
    if (!good) log_warning(0, "cluster: gossip of node %u is malformed", request->node);
}

static const struct rpc_method gossip_method = {
    .id = CLUSTER_RPC_GOSSIP, .name = "cluster.gossip", .class = TASK_SYSTEM, .message = serve_gossip};

void gossip_register(void)
{
    rpc_method_register(&gossip_method);
}

void gossip_own_changed(struct cluster *cluster)
{
    struct gossip_node *own = gossip_find(cluster, cluster->node_id);
    if (own == NULL) return;
    own->version++;
    cluster->dirty = true;
    cluster_view_publish(cluster);
    digests_send(cluster);
}

static void slice_announced(struct shard *shard, struct shard_message *arrived)
{
    struct cluster_slice_message *message = container_of(arrived, struct cluster_slice_message, message);
    struct cluster *cluster = cluster_of(shard->node);
    if (cluster != NULL && !cluster->stopping && gossip_merge_slice(cluster, &message->slice) &&
        message->announce) {
        struct arena arena;
        struct buffer out;
        arena_init(&arena, NULL);
        delta_begin(&out, &arena);
        codec_put_u32(&out, 0);
        codec_put_bytes(&out, (struct bytes){NULL, 0});
        codec_put_u8(&out, SLICES_SOME);
        codec_put_u32(&out, 1);
        slice_put(&out, &message->slice);
        send_to_all(cluster, buffer_bytes(&out));
        arena_fini(&arena);
    }
    free(message);
}

void cluster_slice_announce(struct shard *shard, const struct cluster_slice *slice)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    if (copy == NULL) return;
    invariant(slice->slice >= 1 && slice->slice <= KV_SLICES_MAX);
    if (shard->index != 0) (void)cluster_view_set(copy->slices, slice);
    cluster_view_send(shard, 0, slice, slice_announced, true);
}

// --- clocks ----------------------------------------------------------------------------------------

static void on_clock(struct rpc_watch *watch, struct shard *shard, uint32_t node, int64_t offset_ns,
    int64_t error_ns)
{
    struct cluster *cluster = container_of(watch, struct cluster, rpc_watch);
    if (shard->index != 0) return;
    uint64_t now = shard_now_ns(shard);
    uint32_t at = 0;
    while (at < cluster->clock_count && cluster->clocks[at].node != node)
        at++;
    if (at == cluster->clock_count) {
        if (at == sizeof cluster->clocks / sizeof cluster->clocks[0]) return;
        cluster->clock_count++;
    }
    cluster->clocks[at].node = node;
    cluster->clocks[at].offset_ns = offset_ns;
    cluster->clocks[at].error_ns = error_ns;
    cluster->clocks[at].at_ns = now;
    struct gossip_node *known = gossip_find(cluster, node);
    if (known != NULL) known->node.clock_offset_ns = offset_ns;
}

// Whoever has forgotten what others count on is not talked to.
static struct status on_meeting(struct rpc_watch *watch, struct shard *shard, struct arena *arena, uint32_t node,
    const struct rpc_incarnation *incarnation)
{
    const struct cluster_node *known = cluster_node(shard, node);
    (void)watch;
    if (known == NULL || node == shard->node->id) return STATUS_OK;
    struct status st = liveness_incarnation_check(arena, node, &known->incarnation, incarnation);
    if (failed(st)) st.code = K_STALE_STORE;
    return st;
}

// Shard 0 has connections to all whom it knows.
static void on_stale(struct rpc_watch *watch, struct shard *shard, struct status why)
{
    struct cluster *cluster = container_of(watch, struct cluster, rpc_watch);
    if (shard->index != 0) return;
    why.code = E_NOT_IN_PREREQUISITE_STATE;
    cluster_fail(cluster, why);
}

// No connection is left: followers of what that node leads need not wait for a timeout. When it lives after all
// it says so, and goes on leading.
static void on_connection(struct rpc_watch *watch, struct shard *shard, uint32_t node, bool up)
{
    const struct kv_shard *kv = kv_shard_of(shard);
    (void)watch;
    if (!up && kv != NULL && kv->raft != NULL) raft_shard_node_down(kv->raft, node);
}

// A clock that is off from most others' by more than 80 % of the bound must not decide anything.
static void clocks_check(struct cluster *cluster)
{
    uint64_t now = shard_now_ns(cluster->node->shards[0]);
    uint32_t measured = 0, off = 0;
    int64_t worst_ns = 0, limit_ns = cluster->max_offset_ns / 10 * 8;
    for (uint32_t i = 0; i < cluster->clock_count; i++) {
        if (now - cluster->clocks[i].at_ns > CLOCK_FRESH_NS) continue;
        int64_t offset_ns = cluster->clocks[i].offset_ns;
        int64_t size_ns = offset_ns < 0 ? -offset_ns : offset_ns;
        measured++;
        if (size_ns - cluster->clocks[i].error_ns <= limit_ns) continue;
        off++;
        if (size_ns > (worst_ns < 0 ? -worst_ns : worst_ns)) worst_ns = offset_ns;
    }
    if (off * 2 <= measured + 1) return;
    cluster_fail(cluster,
        status_hint(&cluster->arena,
            status_format(&cluster->arena, E_NOT_IN_PREREQUISITE_STATE,
                "the clock of this node is off from %u of %u other nodes' by more than 80%% of --max-offset "
                "(%lld ms; off by up to %lld ms): it stops",
                off, measured, (long long)(cluster->max_offset_ns / 1000000),
                (long long)(worst_ns / 1000000)),
            "Synchronise the clocks of all nodes (NTP, chrony), then start this node again."));
}

// --- the tick --------------------------------------------------------------------------------------

static void alive_check(struct cluster *cluster)
{
    uint64_t now = shard_now_ns(cluster->node->shards[0]);
    // Through others it takes longer to be heard of.
    uint64_t silence_ns = cluster->count <= FANOUT ? CLUSTER_ALIVE_NS : CLUSTER_ALIVE_NS * 2;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i].node;
        if (node->id == cluster->node_id || !node->alive || now - node->heard_at_ns <= silence_ns)
            continue;
        node->alive = false;
        cluster->dirty = true;
        log_warning(0, "cluster: node %u at %s is silent", node->id, node->address);
    }
}

static bool others_missing(const struct cluster *cluster)
{
    uint32_t others = 0, alive = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *node = &cluster->nodes[i].node;
        if (node->id == cluster->node_id || node->membership == CLUSTER_DECOMMISSIONED) continue;
        others++;
        alive += node->alive;
    }
    return alive < others || (others == 0 && !cluster->alone);
}

static void on_tick(struct timer *timer)
{
    struct cluster *cluster = container_of(timer, struct cluster, timer);
    struct shard *shard = cluster->node->shards[0];
    if (cluster->stopping || node_stopping(cluster->node)) return;
    struct gossip_node *own = gossip_find(cluster, cluster->node_id);
    own->node.heartbeat++;
    own->node.heartbeat_at_ns = shard->env->wall_ns(shard->env);
    own->node.heard_at_ns = shard_now_ns(shard);
    cluster->ticks++;
    alive_check(cluster);
    clocks_check(cluster);
    digests_send(cluster);
    // Every eighth tick the heartbeats' times are handed on, too.
    if (cluster->ticks % 8 == 0) cluster->dirty = true;
    cluster_view_publish(cluster);
    if (cluster->ticks % 4 == 0 && others_missing(cluster)) cluster_contact(cluster);
    if (cluster->peers_dirty && cluster->ticks % SAVE_TICKS == 0) cluster_peers_save(cluster);
    timer_arm(shard, timer, timer_beat(shard, CLUSTER_GOSSIP_NS));
}

void gossip_start(struct cluster *cluster)
{
    struct shard *shard = cluster->node->shards[0];
    cluster->timer.fire = on_tick;
    timer_arm(shard, &cluster->timer, shard_now_ns(shard));
}

void gossip_watch(struct cluster *cluster)
{
    cluster->rpc_watch.clock = on_clock;
    cluster->rpc_watch.changed = on_connection;
    cluster->rpc_watch.meets = on_meeting;
    cluster->rpc_watch.stale = on_stale;
    rpc_watch_add(cluster->node, &cluster->rpc_watch);
}

void gossip_stop(struct cluster *cluster)
{
    timer_disarm(cluster->node->shards[0], &cluster->timer);
}

void gossip_free(struct cluster *cluster)
{
    free(cluster->nodes);
    for (uint32_t id = 0; cluster->slices != NULL && id <= KV_SLICES_MAX; id++)
        free(cluster->slices[id]);
    free(cluster->slices);
}

static bool differ_by(uint64_t a, uint64_t b, uint64_t least)
{
    return (a > b ? a - b : b - a) > least;
}

// Room and data change a little all the time, which is not worth telling.
static bool load_is_news(const struct cluster_load *told, const struct cluster_load *load)
{
    return told->disk_bytes != load->disk_bytes || told->replicas != load->replicas ||
           told->leaders != load->leaders || told->ranges != load->ranges ||
           maintenance_room_short(told->disk_bytes, told->disk_free_bytes) !=
               maintenance_room_short(load->disk_bytes, load->disk_free_bytes) ||
           differ_by(told->disk_free_bytes, load->disk_free_bytes, load->disk_bytes / LOAD_NEWS_PART) ||
           differ_by(told->data_bytes, load->data_bytes, told->data_bytes / LOAD_NEWS_PART);
}

void cluster_load_set(struct node *node, const struct cluster_load *load)
{
    struct cluster *cluster = cluster_of(node);
    struct gossip_node *own = cluster == NULL ? NULL : gossip_find(cluster, cluster->node_id);
    if (own == NULL) return;
    struct cluster_node *now = &own->node;
    bool news = load_is_news(&cluster->load_told, load);
    now->disk_bytes = load->disk_bytes;
    now->disk_free_bytes = load->disk_free_bytes;
    now->data_bytes = load->data_bytes;
    now->replicas = load->replicas;
    now->leaders = load->leaders;
    now->ranges = load->ranges;
    if (!news) return;
    cluster->load_told = *load;
    own->version++; // Goes with the next tick.
    cluster->dirty = true;
}
