// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who this node is: the identity file, making a cluster, joining one, finding the others again.
#include "kv/cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/crypto.h"
#include "core/disk.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/version.h"
#include "kv/cluster_admin.h"
#include "kv/cluster_internal.h"
#include "kv/leader_wire.h"
#include "kv/recovery.h"

#define IDENTITY_BYTES_MAX 4096u
#define PEERS_BYTES_MAX (4u << 20)
#define JOIN_EVERY_NS UINT64_C(1000000000)
#define TROUBLE_ATTEMPTS 5u
#define CONTACT_TIMEOUT_NS UINT64_C(3000000000)
#define CONTACT_MAX (CLUSTER_JOIN_MAX + 32u)
#define PEERS_MAGIC "isopod peers 2\n"
#define PEERS_MAGIC_PLAIN "isopod peers 1\n" // Of earlier releases; as long.

// --- the identity file -------------------------------------------------------------------------------

struct identity {
    uint8_t cluster_id[16], store_id[16];
    uint32_t node_id;
    bool alone;
    struct rpc_incarnation incarnation;
};

static bool id_parse(const char *text, uint8_t out[16])
{
    size_t size;
    return crypto_hex_decode(bytes_of_string(text), out, 16, &size) && size == 16;
}

static struct status identity_read(
    struct task *task, const char *dir, struct identity *identity, bool *found)
{
    struct bytes content;
    char cluster[40], store[40], alone[8], incarnation[40];
    const char *path = arena_printf(task->arena, "%s/CLUSTER", dir);
    struct status st = disk_read_file(task, path, IDENTITY_BYTES_MAX, &content);
    *found = !failed(st);
    if (status_is(st, E_UNDEFINED_FILE)) return STATUS_OK;
    if (failed(st)) return st;
    const char *text = arena_string(task->arena, content);
    int fields = sscanf(text, "isopod node 1\ncluster %32s\nnode %u\nstore %32s\nalone %3s\nincarnation %" SCNu64 " %32s\n",
        cluster, &identity->node_id, store, alone, &identity->incarnation.number, incarnation);
    // Stores of earlier releases have no incarnation.
    bool whole = fields == 4 || (fields == 6 && id_parse(incarnation, identity->incarnation.id));
    if (whole && identity->node_id > 0 && id_parse(cluster, identity->cluster_id) &&
        id_parse(store, identity->store_id)) {
        identity->alone = strcmp(alone, "yes") == 0;
        return STATUS_OK;
    }
    return status_hint(task->arena,
        status_format(task->arena, E_DATA_CORRUPTED, "malformed file \"%s\"", path),
        "The store belongs to another release or is damaged. Start with an empty --store and join as a new node.");
}

struct status cluster_identity_write(
    struct task *task, struct cluster *cluster, bool alone, const struct rpc_incarnation *incarnation)
{
    struct buffer text;
    char id[33], store[33], state[33];
    crypto_hex_encode(bytes_of(cluster->cluster_id, 16), id);
    crypto_hex_encode(bytes_of(cluster->store_id, 16), store);
    crypto_hex_encode(bytes_of(incarnation->id, 16), state);
    buffer_init(&text, task->arena);
    buffer_printf(&text, "isopod node 1\ncluster %s\nnode %u\nstore %s\nalone %s\n", id,
        cluster->node_id, store, alone ? "yes" : "no");
    if (incarnation->number > 0) buffer_printf(&text, "incarnation %" PRIu64 " %s\n", incarnation->number, state);
    return disk_write_file(
        task, arena_printf(task->arena, "%s/CLUSTER", cluster->dir), buffer_bytes(&text));
}

// --- the saved table ---------------------------------------------------------------------------------

static struct status peers_read(struct task *task, struct cluster *cluster)
{
    struct bytes content;
    const char *path = arena_printf(task->arena, "%s/PEERS", cluster->dir);
    struct status st = disk_read_file(task, path, PEERS_BYTES_MAX, &content);
    if (status_is(st, E_UNDEFINED_FILE)) return STATUS_OK;
    if (failed(st)) return st;
    size_t head = sizeof PEERS_MAGIC - 1 + 4;
    bool plain = bytes_has_prefix(content, BYTES_LITERAL(PEERS_MAGIC_PLAIN));
    bool good = content.size >= head && (plain || bytes_has_prefix(content, BYTES_LITERAL(PEERS_MAGIC))) &&
                crypto_crc32c(0, content.data + head, content.size - head) ==
                    (uint32_t)codec_load(content.data + head - 4, 4);
    if (good) {
        struct codec_reader in = codec_read(bytes_skip(content, head));
        good = plain ? gossip_tables_merge_plain(&in, cluster) : gossip_tables_merge(&in, cluster);
    }
    // Only a help: without it --join has to do.
    if (!good) log_warning(0, "cluster: %s is damaged and not used", path);
    return STATUS_OK;
}

static struct status peers_task(struct task *task, void *arg)
{
    struct cluster *cluster = arg;
    struct buffer file;
    buffer_init(&file, task->arena);
    buffer_append_string(&file, PEERS_MAGIC);
    codec_put_u32(&file, 0);
    size_t head = file.size;
    gossip_tables_put(&file, cluster);
    codec_store(file.data + head - 4, crypto_crc32c(0, file.data + head, file.size - head), 4);
    return disk_write_file(
        task, arena_printf(task->arena, "%s/PEERS", cluster->dir), buffer_bytes(&file));
}

static void peers_ended(struct task *task, struct status st, void *arg)
{
    (void)task;
    struct cluster *cluster = arg;
    cluster->saving = false;
    if (failed(st)) cluster->peers_dirty = true;
}

// Before this node serves: started again it finds its own by what is saved, whatever --join says then.
static void peers_write(struct task *task, struct cluster *cluster)
{
    if (!cluster->peers_dirty) return;
    cluster->peers_dirty = false;
    struct status st = peers_task(task, cluster);
    if (!failed(st)) return;
    cluster->peers_dirty = true; // Once more with a later tick.
    log_warning(0, "cluster: the table of nodes is not saved: %s", st.message);
}

void cluster_peers_save(struct cluster *cluster)
{
    if (cluster->saving) return;
    struct task_options options = {.fn = peers_task,
        .arg = cluster,
        .kind = "cluster peers",
        .class = TASK_SYSTEM,
        .ended = peers_ended,
        .ended_arg = cluster};
    cluster->saving = true;
    cluster->peers_dirty = false;
    if (failed(task_start(cluster->node->shards[0], &options))) cluster->saving = false;
}

// --- failing -----------------------------------------------------------------------------------------

void cluster_fail(struct cluster *cluster, struct status why)
{
    if (failed(cluster->failure)) return;
    cluster->failure = status_copy(&cluster->arena, why);
    const struct status_report *report = status_report_of(cluster->failure);
    log_error(0, "cluster: %s%s%s", cluster->failure.message,
        report != NULL && report->hint != NULL ? " " : "",
        report != NULL && report->hint != NULL ? report->hint : "");
    wait_queue_wake_all(&cluster->changed, STATUS_OK);
    node_stop(cluster->node);
}

struct status cluster_failure(struct node *node)
{
    const struct cluster *cluster = cluster_of(node);
    return cluster == NULL ? STATUS_OK : cluster->failure;
}

// --- answering who joins -----------------------------------------------------------------------------

struct join_call {
    const struct rpc_request *request;
    struct arena arena; // Of the reply: unaccounted, crosses shards.
    struct buffer reply;
};

// Whether a node that says `entry` may be in the cluster.
static struct status join_check(
    struct task *task, struct cluster *cluster, const struct gossip_node *entry)
{
    struct arena *arena = task->arena;
    const struct cluster_node *node = &entry->node;
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *known = &cluster->nodes[i].node;
        bool same = known->id == node->id;
        if (!same && known->alive && strcmp(known->address, node->address) == 0)
            return status_hint(arena,
                status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
                    "the address %s is that of node %u, which is alive", node->address, known->id),
                "Give each node an --advertise-addr of its own.");
        if (!same && memcmp(known->store_id, node->store_id, 16) == 0)
            return status_hint(arena,
                status_format(arena, E_NOT_IN_PREREQUISITE_STATE, "the store is that of node %u", known->id),
                "A store must not be copied: start with an empty --store to join as a new node.");
        if (!same) continue;
        if (memcmp(known->store_id, node->store_id, 16) != 0)
            return status_hint(arena,
                status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
                    "node %u has another store than the one at %s", known->id, node->address),
                "Start with an empty --store to join as a new node.");
        if (known->alive && strcmp(known->address, node->address) != 0 &&
            known->started_at_ns != node->started_at_ns)
            return status_hint(arena,
                status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
                    "node %u is alive at %s: the store at %s is a copy of its", known->id,
                    known->address, node->address),
                "A store must not be copied: start with an empty --store to join as a new node.");
        if (known->membership == CLUSTER_DECOMMISSIONED)
            return status_hint(arena,
                status_format(arena, E_NOT_IN_PREREQUISITE_STATE, "node %u was decommissioned", known->id),
                "Start with an empty --store to join as a new node.");
    }
    return STATUS_OK;
}

static struct status join_on_zero(struct task *task, void *arg)
{
    struct join_call *call = arg;
    struct cluster *cluster = cluster_of(task->shard->node);
    struct codec_reader in = codec_read(call->request->body);
    struct gossip_node *entry = ARENA_NEW(task->arena, struct gossip_node);
    struct status st;
    if (cluster == NULL || cluster->node_id == 0)
        return status_hint(task->arena,
            status_make(E_CANNOT_CONNECT_NOW, "this node belongs to no cluster yet"),
            "Run `isopod init --host=ADDRESS` once, for one node of a new cluster.");
    const uint8_t *cluster_id = codec_take(&in, 16);
    struct rpc_incarnation incarnation = {.number = codec_get_u64(&in)};
    const uint8_t *incarnation_id = codec_take(&in, 16);
    if (!gossip_node_get(&in, entry) || !codec_done(&in) || cluster_id == NULL || incarnation_id == NULL)
        return status_make(E_PROTOCOL_VIOLATION, "malformed request to join");
    memcpy(incarnation.id, incarnation_id, sizeof incarnation.id);
    static const uint8_t unknown[16];
    uint32_t id = entry->node.id;
    if (memcmp(cluster_id, cluster->cluster_id, 16) != 0 && memcmp(cluster_id, unknown, 16) != 0)
        return status_hint(task->arena,
            status_make(E_NOT_IN_PREREQUISITE_STATE, "the node belongs to another cluster"),
            "Give --join addresses of the cluster that the store was made for, or start with an empty --store.");
    TRY(join_check(task, cluster, entry));
    if (id == 0) {
        if (!cluster->serving)
            return status_make(E_CANNOT_CONNECT_NOW, "the node is starting");
        TRY(liveness_begin(task, cluster));
        TRY(liveness_node_id(task, &id));
        log_info(0, "cluster: a new node at %s gets the id %u", entry->node.address, id);
    } else {
        TRY(liveness_store_check(task, cluster, entry, &incarnation));
        gossip_merge(cluster, entry);
        cluster_view_publish(cluster);
    }
    buffer_append(&call->reply, cluster->cluster_id, 16);
    codec_put_u32(&call->reply, id);
    gossip_tables_put(&call->reply, cluster);
out:
    return st;
}

static struct status serve_join(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct join_call call = {.request = request};
    arena_init(&call.arena, NULL);
    buffer_init(&call.reply, &call.arena);
    struct status st = shard_call(task, 0, join_on_zero, &call);
    if (!failed(st)) buffer_append_bytes(reply, buffer_bytes(&call.reply));
    arena_fini(&call.arena);
    return st;
}

// --- asking others -----------------------------------------------------------------------------------

// What this node says of itself.
static void own_entry(struct cluster *cluster, struct gossip_node *entry)
{
    const struct gossip_node *own = gossip_find(cluster, cluster->node_id);
    if (own != NULL) *entry = *own;
    entry->node.id = cluster->node_id;
}

static struct bytes join_request(struct arena *arena, struct cluster *cluster, const struct gossip_node *own)
{
    struct buffer body;
    buffer_init(&body, arena);
    buffer_append(&body, cluster->cluster_id, 16);
    codec_put_u64(&body, cluster->incarnation.number);
    buffer_append(&body, cluster->incarnation.id, 16);
    gossip_node_put(&body, own);
    return buffer_bytes(&body);
}

// Answers to a request to join. True: one told us who we are (or knows us).
static struct status join_answer(struct cluster *cluster, const struct rpc_call *call, bool *known)
{
    struct codec_reader in = codec_read(call->reply);
    const uint8_t *cluster_id = codec_take(&in, 16);
    uint32_t id = codec_get_u32(&in);
    if (in.bad || id == 0) return status_make(E_PROTOCOL_VIOLATION, "malformed answer to a request to join");
    if (cluster->node_id == 0) {
        memcpy(cluster->cluster_id, cluster_id, 16);
        // Before anybody is heard of: who is taken for this node itself is never looked for.
        cluster->node_id = cluster->node->id = id;
    }
    if (!gossip_tables_merge(&in, cluster) || !codec_done(&in))
        log_warning(0, "cluster: the table of nodes from %s is malformed", call->address);
    gossip_answered(cluster, call->address);
    *known = true;
    return STATUS_OK;
}

// Refused before it came to asking: another cluster, another release.
static bool refuses_to_talk(struct status st)
{
    const struct status_report *report = status_is(st, K_UNREACHABLE) ? status_report_of(st) : NULL;
    return report != NULL && report->hint != NULL;
}

// Nobody takes this node for one of theirs, and somebody says why: then that is how it is.
static struct status taken_in(bool known, struct status refusal)
{
    if (known || !failed(refusal)) return STATUS_OK;
    refusal.code = E_NOT_IN_PREREQUISITE_STATE;
    return refusal;
}

static uint32_t address_add(const char **addresses, uint32_t count, const char *address)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(addresses[i], address) == 0) return count;
    if (count < CONTACT_MAX) addresses[count++] = address;
    return count;
}

// Asks everyone of whom an address is known and who is silent. A refusal ends this node, when it says that the node
// does not belong to the cluster.
// *refusal: of those who would not even talk to this node, why (and *known false: nobody else did).
static struct status contact(struct task *task, struct cluster *cluster, const struct gossip_node *own, bool *known,
    struct status *refusal)
{
    struct status st = STATUS_OK;
    const char **addresses = ARENA_ARRAY(task->arena, const char *, CONTACT_MAX);
    uint32_t count = 0;
    *known = false;
    *refusal = STATUS_OK;
    for (uint32_t i = 0; i < cluster->join_count; i++)
        count = address_add(addresses, count, cluster->join[i]);
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *node = &cluster->nodes[i].node;
        if (node->id == cluster->node_id || node->alive || node->membership == CLUSTER_DECOMMISSIONED)
            continue;
        count = address_add(addresses, count, arena_strdup(task->arena, node->address));
    }
    struct rpc_call *calls = ARENA_ARRAY(task->arena, struct rpc_call, CONTACT_MAX);
    struct bytes body = join_request(task->arena, cluster, own);
    uint32_t asked = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(addresses[i], own->node.address) == 0) continue;
        calls[asked++] = (struct rpc_call){.address = addresses[i],
            .shard = RPC_ANY_SHARD,
            .method = CLUSTER_RPC_JOIN,
            .body = body};
        // A new node takes the first id that it is given: it asks one after the other.
        if (cluster->node_id != 0) continue;
        task->deadline_ns = task_now_ns(task) + CONTACT_TIMEOUT_NS;
        st = rpc_call(task, &calls[asked - 1]);
        task->deadline_ns = UINT64_MAX;
        if (task->cancelled) return st;
        if (!failed(st)) break;
        if (status_is(st, E_NOT_IN_PREREQUISITE_STATE)) return st;
        log_info(0, "cluster: %s: %s", calls[asked - 1].address, st.message);
        snprintf(cluster->trouble, sizeof cluster->trouble, "%s", st.message);
    }
    if (asked == 0) return STATUS_OK;
    if (cluster->node_id != 0) {
        task->deadline_ns = task_now_ns(task) + CONTACT_TIMEOUT_NS;
        st = rpc_call_many(task, calls, asked);
        task->deadline_ns = UINT64_MAX;
        if (task->cancelled) return st;
    }
    st = STATUS_OK;
    for (uint32_t i = 0; i < asked; i++) {
        if (status_is(calls[i].status, E_NOT_IN_PREREQUISITE_STATE)) return calls[i].status;
        if (refuses_to_talk(calls[i].status)) *refusal = calls[i].status;
        if (!failed(calls[i].status)) TRY(join_answer(cluster, &calls[i], known));
    }
out:
    return st;
}

static struct status contact_task(struct task *task, void *arg)
{
    struct cluster *cluster = arg;
    struct gossip_node *own = ARENA_NEW(task->arena, struct gossip_node);
    struct status refusal;
    bool known;
    own_entry(cluster, own);
    struct status st = contact(task, cluster, own, &known, &refusal);
    if (status_is(st, E_NOT_IN_PREREQUISITE_STATE)) cluster_fail(cluster, st);
    return st;
}

static void contact_ended(struct task *task, struct status st, void *arg)
{
    (void)task;
    (void)st;
    ((struct cluster *)arg)->contacting = false;
}

void cluster_contact(struct cluster *cluster)
{
    if (cluster->contacting) return;
    struct task_options options = {.fn = contact_task,
        .arg = cluster,
        .kind = "cluster contact",
        .class = TASK_SYSTEM,
        .ended = contact_ended,
        .ended_arg = cluster};
    cluster->contacting = true;
    if (failed(task_start(cluster->node->shards[0], &options))) cluster->contacting = false;
}

// --- init --------------------------------------------------------------------------------------------

static struct status init_on_zero(struct task *task, void *arg)
{
    struct join_call *call = arg;
    struct cluster *cluster = cluster_of(task->shard->node);
    struct status st = STATUS_OK;
    if (cluster == NULL) return status_make(E_CANNOT_CONNECT_NOW, "the node is starting");
    if (cluster->node_id != 0 || cluster->init_asked)
        return status_hint(task->arena,
            status_make(E_NOT_IN_PREREQUISITE_STATE, "cluster has already been initialized"),
            "Nothing is left to be done: nodes that are started with its addresses as --join become members.");
    cluster->init_asked = true;
    wait_queue_wake_all(&cluster->changed, STATUS_OK);
    while (!cluster->serving) {
        TRY(task_wait(task, &cluster->changed));
        if (failed(cluster->failure)) return cluster->failure;
    }
    buffer_append(&call->reply, cluster->cluster_id, 16);
out:
    return st;
}

static struct status serve_init(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct join_call call = {.request = request};
    arena_init(&call.arena, NULL);
    buffer_init(&call.reply, &call.arena);
    struct status st = shard_call(task, 0, init_on_zero, &call);
    if (!failed(st)) buffer_append_bytes(reply, buffer_bytes(&call.reply));
    arena_fini(&call.arena);
    return st;
}

// --- start -------------------------------------------------------------------------------------------

static void shard_exit(struct shard_exit_hook *hook)
{
    struct cluster_shard *copy = container_of(hook, struct cluster_shard, exit_hook);
    copy->shard->slots[SHARD_SLOT_CLUSTER] = NULL;
    for (uint32_t id = 0; id <= KV_SLICES_MAX; id++)
        free(copy->slices[id]);
    free(copy->slices);
    free(copy->nodes);
    free(copy);
}

static void node_exit(struct node_exit_hook *hook)
{
    struct cluster *cluster = container_of(hook, struct cluster, exit_hook);
    gossip_free(cluster);
    for (uint32_t i = 0; i < cluster->join_count; i++)
        free(cluster->join[i]);
    arena_fini(&cluster->arena);
    free(cluster);
}

static struct status shard_start(struct task *task, void *arg)
{
    struct cluster_shard *copy = calloc(1, sizeof *copy);
    invariant(copy != NULL);
    copy->shard = task->shard;
    copy->cluster = arg;
    copy->slices = calloc(KV_SLICES_MAX + 1, sizeof copy->slices[0]);
    invariant(copy->slices != NULL);
    copy->exit_hook.fn = shard_exit;
    shard_at_exit(task->shard, &copy->exit_hook);
    task->shard->slots[SHARD_SLOT_CLUSTER] = copy;
    return STATUS_OK;
}

static struct cluster *cluster_make(struct task *task, const struct cluster_options *options)
{
    struct cluster *cluster = calloc(1, sizeof *cluster);
    invariant(cluster != NULL);
    cluster->node = task->shard->node;
    cluster->exit_hook.fn = node_exit;
    node_at_exit(cluster->node, &cluster->exit_hook);
    arena_init(&cluster->arena, NULL);
    snprintf(cluster->dir, sizeof cluster->dir, "%s", options->dir);
    cluster->max_offset_ns =
        options->max_offset_ns == 0 ? CLUSTER_MAX_OFFSET_NS : options->max_offset_ns;
    for (uint32_t i = 0; options->join != NULL && options->join[i] != NULL && i < CLUSTER_JOIN_MAX; i++) {
        cluster->join[cluster->join_count++] = strdup(options->join[i]);
        invariant(cluster->join[i] != NULL);
    }
    cluster->slices = calloc(KV_SLICES_MAX + 1, sizeof cluster->slices[0]);
    invariant(cluster->slices != NULL);
    return cluster;
}

static struct status text_take(struct task *task, char *out, size_t size, const char *given, const char *what)
{
    if (given == NULL) given = "";
    if (strlen(given) >= size)
        return status_format(task->arena, E_INVALID_PARAMETER_VALUE, "%s is longer than %zu characters", what, size - 1);
    memcpy(out, given, strlen(given) + 1);
    return STATUS_OK;
}

static struct status describe(
    struct task *task, const struct cluster_options *options, struct cluster *cluster, struct gossip_node *own)
{
    struct env *env = task->shard->env;
    struct cluster_node *node = &own->node;
    struct status st;
    node->shard_count = task->shard->node->shard_count;
    node->started_at_ns = env->wall_ns(env);
    own->version = 1;
    memcpy(node->store_id, cluster->store_id, sizeof node->store_id);
    TRY(text_take(task, node->address, sizeof node->address, options->address, "--advertise-addr"));
    TRY(text_take(task, node->sql_address, sizeof node->sql_address,
        options->sql_address == NULL ? options->address : options->sql_address, "--advertise-sql-addr"));
    TRY(text_take(task, node->http_address, sizeof node->http_address, options->http_address, "--http-addr"));
    TRY(text_take(task, node->locality, sizeof node->locality, options->locality, "--locality"));
    TRY(text_take(task, node->attrs, sizeof node->attrs, options->attrs, "--attrs"));
    TRY(text_take(task, node->version, sizeof node->version, version_number(), "the version"));
out:
    return st;
}

// Waits until this store belongs to a cluster.
static struct status identity_wait(struct task *task, const struct cluster_options *options,
    struct cluster *cluster, const struct gossip_node *own, enum cluster_start *how)
{
    struct status st = STATUS_OK;
    if (options->waiting != NULL) options->waiting(options->arg, "to be initialized or to join");
    uint32_t asked = 0;
    for (bool known = false;;) {
        if (cluster->init_asked) break;
        struct status refusal;
        TRY(contact(task, cluster, own, &known, &refusal));
        TRY(taken_in(known, refusal));
        if (known) {
            *how = CLUSTER_JOINED;
            return STATUS_OK;
        }
        if (cluster->init_asked) break;
        if (++asked == TROUBLE_ATTEMPTS && cluster->trouble[0] != 0 && options->trouble != NULL)
            options->trouble(options->arg, cluster->trouble);
        struct status waited = task_wait_until(task, &cluster->changed,
            task_now_ns(task) + JOIN_EVERY_NS, status_make(K_END, "a second has passed"));
        if (failed(waited) && !status_is(waited, K_END)) return waited;
    }
    *how = CLUSTER_NEW;
out:
    return st;
}

static struct status identify(struct task *task, const struct cluster_options *options,
    struct cluster *cluster, struct gossip_node *own, enum cluster_start *how)
{
    struct env *env = task->shard->env;
    struct identity identity = {0};
    struct status st;
    bool found;
    TRY(disk_mkdir(task, options->dir));
    TRY(recovery_format_check(task, options->dir)); // Before anything else is read, or written.
    TRY(identity_read(task, options->dir, &identity, &found));
    if (found) {
        memcpy(cluster->cluster_id, identity.cluster_id, 16);
        memcpy(cluster->store_id, identity.store_id, 16);
        cluster->node_id = identity.node_id;
        cluster->alone = identity.alone;
        cluster->incarnation = identity.incarnation;
        *how = CLUSTER_RESTARTED;
        goto out;
    }
    env->random_bytes(env, cluster->store_id, sizeof cluster->store_id);
    memcpy(own->node.store_id, cluster->store_id, sizeof cluster->store_id);
    *how = CLUSTER_NEW;
    if (!options->single) TRY(identity_wait(task, options, cluster, own, how));
    if (*how == CLUSTER_NEW) {
        env->random_bytes(env, cluster->cluster_id, sizeof cluster->cluster_id);
        cluster->node_id = 1;
        cluster->alone = true;
    }
    TRY(cluster_identity_write(task, cluster, cluster->alone, &cluster->incarnation));
out:
    return st;
}

struct status cluster_start(
    struct task *task, const struct cluster_options *options, enum cluster_start *how)
{
    struct node *node = task->shard->node;
    struct gossip_node *own = ARENA_NEW(task->arena, struct gossip_node);
    struct status st, refusal = STATUS_OK;
    bool known = true;
    invariant(task->shard->index == 0 && cluster_of(node) == NULL);
    cluster_register();
    struct cluster *cluster = cluster_make(task, options);
    node->slots[NODE_SLOT_CLUSTER] = cluster;
    node->id = 0; // Not known yet, whatever it was called until now.
    TRY(shard_call_all(task, shard_start, cluster));
    TRY(describe(task, options, cluster, own));
    TRY(identify(task, options, cluster, own, how));
    memcpy(own->node.store_id, cluster->store_id, sizeof cluster->store_id);
    node->id = cluster->node_id;
    TRY(peers_read(task, cluster));
    // What was saved of this node itself is of an earlier run.
    own->node.id = cluster->node_id;
    struct gossip_node *saved = gossip_find(cluster, cluster->node_id);
    if (saved != NULL) {
        own->node.membership = saved->node.membership;
        own->membership_version = saved->membership_version;
        *saved = *own;
    } else {
        gossip_merge(cluster, own);
    }
    gossip_find(cluster, cluster->node_id)->node.alive = true;
    cluster->dirty = true;
    cluster_view_publish(cluster);
    gossip_watch(cluster);
    // Nobody is talked to before it is known whom to refuse.
    TRY(rpc_incarnation_set(task, &cluster->incarnation));
    TRY(rpc_identity_set(task, node->id, cluster->cluster_id));
    // Those who can be reached say whether this node belongs to them.
    if (!cluster->alone) TRY(contact(task, cluster, own, &known, &refusal));
    TRY(taken_in(known, refusal));
    if (!cluster->alone) peers_write(task, cluster);
    gossip_start(cluster);
out:
    return failed(cluster->failure) ? cluster->failure : st;
}

void cluster_stop(struct task *task)
{
    struct cluster *cluster = cluster_of(task->shard->node);
    if (cluster == NULL || cluster->stopping) return;
    struct gossip_node *own = gossip_find(cluster, cluster->node_id);
    cluster->serving = false;
    if (own != NULL) {
        own->node.draining = true;
        gossip_own_changed(cluster);
    }
    cluster->stopping = true;
    gossip_stop(cluster);
    wait_queue_wake_all(&cluster->changed, STATUS_OK);
}

const uint8_t *cluster_id(struct node *node)
{
    return cluster_of(node)->cluster_id;
}

// --- methods -----------------------------------------------------------------------------------------

static const struct rpc_method join_method = {.id = CLUSTER_RPC_JOIN,
    .name = "cluster.join",
    .class = TASK_SYSTEM,
    .for_clients = true,
    .call = serve_join};
static const struct rpc_method init_method = {.id = CLUSTER_RPC_INIT,
    .name = "cluster.init",
    .class = TASK_SYSTEM,
    .for_clients = true,
    .call = serve_init};

void cluster_register(void)
{
    rpc_method_register(&join_method);
    rpc_method_register(&init_method);
    gossip_register();
    leader_wire_register();
    announce_register();
    cluster_admin_register();
    leader_wire_register();
}
