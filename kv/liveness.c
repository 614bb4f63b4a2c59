// SPDX-License-Identifier: GPL-3.0-or-later
//
// Liveness records, 0x01 'N' <node id>: format u8 | epoch u64 | expiration (HLC) | draining u8 | membership u8 |
// membership version u32 | store id | incarnation number u64 | incarnation. Of format 1 (earlier releases): without an
// incarnation. And 0x01 'i': the last node id given out.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/rest.h"
#include "core/log.h"
#include "core/mark.h"
#include "kv/client.h"
#include "kv/cluster_internal.h"
#include "kv/key.h"
#include "kv/reliance.h"
#include "kv/txn.h"

#define RECORD_FORMAT 2
#define RECORD_FORMAT_PLAIN 1
#define LEAVE_POLL_NS UINT64_C(1000000)
#define RENEW_NS (CLUSTER_LIVENESS_NS / 3)
#define RENEW_RETRY_NS UINT64_C(200000000)
#define ATTEMPTS_MAX 20u
#define LOOK_NS UINT64_C(100000000)
#define STORE_CHECK_NS UINT64_C(1000000000)

struct record {
    struct cluster_liveness liveness;
    uint32_t membership_version;
    uint8_t store_id[16];
    struct rpc_incarnation incarnation;
    bool found;
};

// --- records ---------------------------------------------------------------------------------------

static struct bytes record_key(uint8_t key[6], uint32_t node)
{
    key[0] = 0x01;
    key[1] = 'N';
    for (uint32_t i = 0; i < 4; i++)
        key[2 + i] = (uint8_t)(node >> (24 - 8 * i));
    return bytes_of(key, 6);
}

bool cluster_liveness_key(struct bytes key)
{
    return key.size == 6 && key.data[0] == 0x01 && key.data[1] == 'N';
}

static struct bytes record_encode(struct arena *arena, const struct record *record)
{
    struct buffer out;
    buffer_init(&out, arena);
    codec_put_u8(&out, RECORD_FORMAT);
    codec_put_u64(&out, record->liveness.epoch);
    codec_put_hlc(&out, record->liveness.expiration);
    codec_put_u8(&out, record->liveness.draining);
    codec_put_u8(&out, (uint8_t)record->liveness.membership);
    codec_put_u32(&out, record->membership_version);
    buffer_append(&out, record->store_id, sizeof record->store_id);
    codec_put_u64(&out, record->incarnation.number);
    buffer_append(&out, record->incarnation.id, sizeof record->incarnation.id);
    return buffer_bytes(&out);
}

static struct status record_decode(uint32_t node, struct bytes value, struct record *record)
{
    *record = (struct record){.liveness.node = node};
    if (value.data == NULL) return STATUS_OK;
    struct codec_reader in = codec_read(value);
    uint8_t format = codec_get_u8(&in);
    record->liveness.epoch = codec_get_u64(&in);
    record->liveness.expiration = codec_get_hlc(&in);
    record->liveness.draining = codec_get_bool(&in);
    uint8_t membership = codec_get_u8(&in);
    record->membership_version = codec_get_u32(&in);
    const uint8_t *store = codec_take(&in, sizeof record->store_id);
    const uint8_t *incarnation = NULL;
    if (format == RECORD_FORMAT) {
        record->incarnation.number = codec_get_u64(&in);
        incarnation = codec_take(&in, sizeof record->incarnation.id);
    }
    bool known = format == RECORD_FORMAT || format == RECORD_FORMAT_PLAIN;
    if (!codec_done(&in) || !known || membership > CLUSTER_DECOMMISSIONED)
        return status_make(E_DATA_CORRUPTED, "malformed liveness record");
    record->liveness.membership = (enum cluster_membership)membership;
    memcpy(record->store_id, store, sizeof record->store_id);
    if (incarnation != NULL) memcpy(record->incarnation.id, incarnation, sizeof record->incarnation.id);
    record->found = true;
    return STATUS_OK;
}

// Changes a record in a transaction; `change` gives false to leave it as it is.
typedef struct status (*record_change_fn)(struct task *task, struct record *record, void *arg, bool *write);

static struct status record_change_once(struct task *task, uint32_t node, record_change_fn change,
    void *arg, struct record *record, struct hlc_timestamp *ts)
{
    struct kv_txn_options options = {.tenant = 0};
    struct kv_txn *txn;
    struct bytes value;
    uint8_t key[6];
    bool write = true;
    struct status st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    struct kv_read read = {.lock = KV_LOCK_UPDATE};
    TRY(kv_get(task, txn, &read, record_key(key, node), task->arena, &value));
    TRY(record_decode(node, value, record));
    TRY(change(task, record, arg, &write));
    if (write) TRY(kv_put(task, txn, record_key(key, node), record_encode(task->arena, record)));
out:
    if (failed(st) || !write) {
        st = status_copy(task->arena, st);
        kv_txn_rollback(task, txn);
        return st;
    }
    return kv_txn_commit(task, txn, ts);
}

// *ts (may be NULL) is set when it wrote.
static struct status record_change(struct task *task, uint32_t node, record_change_fn change, void *arg,
    struct record *record, struct hlc_timestamp *ts)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        st = record_change_once(task, node, change, arg, record, ts);
        if (!status_is(st, E_SERIALIZATION_FAILURE) && !status_is(st, E_AMBIGUOUS_RESULT)) break;
    }
    return st;
}

struct status cluster_liveness_read(
    struct task *task, struct arena *arena, struct cluster_liveness **records, uint32_t *count)
{
    struct status st;
    static const uint8_t start[] = {0x01, 'N'}, end[] = {0x01, 'N' + 1};
    struct kv_txn_options options = {.tenant = 0, .read_only = true};
    struct kv_txn *txn;
    uint32_t capacity = 16;
    *count = 0;
    *records = ARENA_ARRAY(arena, struct cluster_liveness, capacity);
    st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    struct kv_scan scan;
    kv_scan_init(&scan, (struct span){bytes_of(start, 2), bytes_of(end, 2)});
    for (;;) {
        struct kv_batch batch;
        TRY(kv_scan_next(task, txn, &scan, arena, &batch));
        if (batch.count == 0) break;
        for (uint32_t i = 0; i < batch.count; i++) {
            struct record record;
            struct bytes key = batch.pairs[i].key;
            if (key.size != 6) continue;
            uint32_t node = (uint32_t)key.data[2] << 24 | (uint32_t)key.data[3] << 16 |
                            (uint32_t)key.data[4] << 8 | key.data[5];
            TRY(record_decode(node, batch.pairs[i].value, &record));
            if (*count == capacity) {
                size_t size = capacity * sizeof **records;
                *records = arena_grow(arena, *records, size, size * 2);
                capacity *= 2;
            }
            (*records)[(*count)++] = record.liveness;
        }
    }
out:
    kv_txn_rollback(task, txn);
    return st;
}

// Whether a store that says that it is the record's node's may be: it is that node's, in its last incarnation or a later one.
static struct status store_may_be(struct arena *arena, const struct record *record, const uint8_t store_id[16],
    const struct rpc_incarnation *incarnation)
{
    uint32_t node = record->liveness.node;
    if (!record->found) return STATUS_OK; // Its id was given to it, and it has not lived yet.
    if (memcmp(record->store_id, store_id, sizeof record->store_id) != 0)
        return status_hint(arena, status_format(arena, E_NOT_IN_PREREQUISITE_STATE, "node %u has another store", node),
            "Start with an empty --store to join as a new node.");
    if (record->liveness.membership == CLUSTER_DECOMMISSIONED)
        return status_hint(arena, status_format(arena, E_NOT_IN_PREREQUISITE_STATE, "node %u was decommissioned", node),
            "Start with an empty --store to join as a new node.");
    return liveness_incarnation_check(arena, node, &record->incarnation, incarnation);
}

struct status liveness_incarnation_check(struct arena *arena, uint32_t node, const struct rpc_incarnation *last,
    const struct rpc_incarnation *incarnation)
{
    bool same = incarnation->number == last->number && memcmp(incarnation->id, last->id, sizeof last->id) == 0;
    if (same || incarnation->number > last->number) return STATUS_OK;
    covered("liveness.store_copy");
    return status_hint(arena,
        status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
            "the store is a copy or an old state of the store of node %u, which has run with another one since", node),
        CLUSTER_STORE_COPIED);
}

static struct status record_read(struct task *task, uint32_t node, struct record *record)
{
    struct kv_txn_options options = {.tenant = 0, .read_only = true};
    struct kv_txn *txn;
    struct kv_read read = {0};
    struct bytes value;
    uint8_t key[6];
    struct status st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    st = kv_get(task, txn, &read, record_key(key, node), task->arena, &value);
    if (!failed(st)) st = record_decode(node, value, record);
    if (failed(st)) st = status_copy(task->arena, st);
    kv_txn_rollback(task, txn);
    return st;
}

struct status liveness_store_check(
    struct task *task, struct cluster *cluster, const struct gossip_node *entry, const struct rpc_incarnation *incarnation)
{
    struct record record;
    const struct gossip_node *known = gossip_find(cluster, entry->node.id);
    if (!cluster->serving || cluster->alone) return STATUS_OK; // A cluster that starts: its first renewal decides.
    bool taken_in = known != NULL && known->node.alive && known->node.started_at_ns == entry->node.started_at_ns;
    if (taken_in || entry->node.id == cluster->node_id) return STATUS_OK;
    uint64_t deadline_ns = task->deadline_ns, until_ns = task_now_ns(task) + STORE_CHECK_NS;
    task->deadline_ns = until_ns < deadline_ns ? until_ns : deadline_ns;
    struct status st = record_read(task, entry->node.id, &record);
    task->deadline_ns = deadline_ns;
    if (task->cancelled) return st;
    return failed(st) ? STATUS_OK : store_may_be(task->arena, &record, entry->node.store_id, incarnation);
}

struct status liveness_node_id(struct task *task, uint32_t *id)
{
    static const uint8_t key[] = {0x01, 'i'};
    int64_t value;
    struct status st = kv_increment(task, 0, bytes_of(key, sizeof key), 2, 1, &value);
    if (failed(st)) return st;
    if (value < 2 || value >= CLUSTER_NODES_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "the cluster has had its 1,023 nodes");
    *id = (uint32_t)value;
    return STATUS_OK;
}

// --- the own record --------------------------------------------------------------------------------

struct epoch_message {
    struct shard_message message;
    uint64_t epoch;
    int64_t expiration_ns;
    bool reset;
};

static void rely_anew(struct shard *shard, struct cluster_shard *copy)
{
    const int64_t wall_ns = shard->env->wall_ns(shard->env);
    copy->rely_from_ns = wall_ns + copy->cluster->max_offset_ns + (int64_t)CLUSTER_CHANGE_NS;
}

static void epoch_deliver(struct shard *shard, struct shard_message *arrived)
{
    struct epoch_message *message = container_of(arrived, struct epoch_message, message);
    struct cluster_shard *copy = cluster_shard_of(shard);
    if (copy != NULL) {
        if (message->reset) {
            announcements_reset(shard);
            rely_anew(shard, copy);
        }
        copy->epoch = message->epoch;
        copy->expiration_ns = message->expiration_ns;
    }
    free(message);
}

static void epoch_publish(struct cluster *cluster, bool reset)
{
    for (uint32_t i = cluster->node->shard_count; i-- > 0;) {
        struct epoch_message *message = malloc(sizeof *message);
        invariant(message != NULL);
        *message = (struct epoch_message){.message.deliver = epoch_deliver,
            .epoch = cluster->epoch,
            .expiration_ns = cluster->expiration_ns,
            .reset = reset};
        if (i == 0) {
            epoch_deliver(cluster->node->shards[0], &message->message);
        } else {
            shard_send(cluster->node->shards[0], i, &message->message);
        }
    }
}

// Without a moment's gap since the last renewal: then nothing announced can have been missed.
static bool epoch_valid(const struct cluster *cluster)
{
    struct env *env = cluster->node->env;
    return cluster->epoch != 0 && env->wall_ns(env) + cluster->max_offset_ns < cluster->expiration_ns;
}

struct renew_call {
    struct cluster *cluster;
    int64_t expiration_ns;
    bool leave; // The last one: it expires at once.
};

static struct status renew(struct task *task, struct record *record, void *arg, bool *write)
{
    struct renew_call *call = arg;
    struct cluster *cluster = call->cluster;
    struct status st = store_may_be(task->arena, record, cluster->store_id, &cluster->incarnation);
    *write = true;
    if (failed(st)) return st;
    if (!record->found) {
        record->liveness.epoch = 1;
        memcpy(record->store_id, cluster->store_id, sizeof record->store_id);
    }
    if (call->leave) {
        record->liveness.expiration = HLC_ZERO;
    } else {
        record->liveness.expiration = (struct hlc_timestamp){(uint64_t)call->expiration_ns, 0};
    }
    record->liveness.draining = cluster->draining;
    if (cluster->incarnated) record->incarnation = cluster->incarnation;
    return STATUS_OK;
}

// The record is as the last renewal left it, unless somebody has changed it since, which the commit finds out: one request.
static struct status renew_known(
    struct task *task, struct cluster *cluster, struct renew_call *call, struct record *record)
{
    struct kv_txn_options options = {.tenant = 0};
    struct kv_txn *txn;
    uint8_t bytes[6];
    struct bytes key = record_key(bytes, cluster->node_id);
    bool write;
    *record = (struct record){.liveness = cluster->renewed.liveness,
        .membership_version = cluster->renewed.membership_version,
        .incarnation = cluster->renewed.incarnation,
        .found = true};
    memcpy(record->store_id, cluster->store_id, sizeof record->store_id);
    struct status st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    txn_back_to(txn, cluster->renewed.ts);
    kv_txn_depend(txn, key);
    st = renew(task, record, call, &write);
    if (!failed(st)) st = kv_put(task, txn, key, record_encode(task->arena, record));
    if (!failed(st)) return kv_txn_commit(task, txn, &cluster->renewed.ts);
    st = status_copy(task->arena, st);
    kv_txn_rollback(task, txn);
    return st;
}

static struct status renew_record(
    struct task *task, struct cluster *cluster, struct renew_call *call, struct record *record)
{
    struct status st = STATUS_OK;
    if (!hlc_is_zero(cluster->renewed.ts)) {
        st = renew_known(task, cluster, call, record);
        if (!failed(st)) goto out;
        covered("liveness.read_again");
        cluster->renewed.ts = HLC_ZERO;
    }
    st = record_change(task, cluster->node_id, renew, call, record, &cluster->renewed.ts);
out:
    if (failed(st)) {
        cluster->renewed.ts = HLC_ZERO;
        return st;
    }
    cluster->renewed.liveness = record->liveness;
    cluster->renewed.membership_version = record->membership_version;
    cluster->renewed.incarnation = record->incarnation;
    return st;
}

// The record is known to have it: the next one may be begun.
static bool incarnation_is_known(const struct cluster *cluster)
{
    const struct rpc_incarnation *own = &cluster->incarnation, *last = &cluster->renewed.incarnation;
    return cluster->incarnated && own->number == last->number && memcmp(own->id, last->id, sizeof own->id) == 0;
}

// The store's next incarnation, behind the one in the record. Until it is in the record, too, the record's number is the
// one before, whatever becomes of this node: who comes again with either is taken in. Renewals go on meanwhile with the
// one before.
static struct status incarnation_step(struct task *task, struct cluster *cluster)
{
    struct status st;
    struct env *env = task->shard->env;
    const uint64_t number = cluster->renewed.incarnation.number + 1;
    struct rpc_incarnation next = {.number = number > cluster->incarnation.number ? number : cluster->incarnation.number};
    env->random_bytes(env, next.id, sizeof next.id);
    cluster->stepped_ns = task_now_ns(task);
    TRY(cluster_identity_write(task, cluster, cluster->alone, &next));
    // Nobody hears of it who could have been told of the one before, and take that for an old state.
    TRY(rpc_incarnation_set(task, &next));
    cluster->incarnation = next;
out:
    return st; // Having failed, whichever of them is in the file now.
}

static struct status step_task(struct task *task, void *arg)
{
    struct cluster *cluster = arg;
    cluster->stepper = task;
    struct status st = incarnation_step(task, cluster);
    if (failed(st) && !task->cancelled)
        log_info(0, "cluster: the store's incarnation stays as it was: %s", st.message);
    return STATUS_OK;
}

static void step_ended(struct task *task, struct status st, void *arg)
{
    (void)task;
    (void)st;
    struct cluster *cluster = arg;
    cluster->stepping = false;
    cluster->stepper = NULL;
}

// While the node runs, so that a copy of its store is an old state soon after. In a task of its own: a disk that stands
// still holds up no renewal. Each step has the others write down their tables: the more of them, the fewer steps.
static void incarnation_look(struct cluster *cluster)
{
    const uint64_t now_ns = shard_now_ns(cluster->node->shards[0]);
    const uint64_t nodes = cluster->count < CLUSTER_INCARNATION_NODES ? CLUSTER_INCARNATION_NODES : cluster->count;
    const uint64_t every_ns = CLUSTER_INCARNATION_NS / CLUSTER_INCARNATION_NODES * nodes;
    if (cluster->stepping || cluster->stopping || cluster->leaving || !incarnation_is_known(cluster)) return;
    if (now_ns - cluster->stepped_ns < every_ns) return;
    struct task_options options = {.fn = step_task,
        .arg = cluster,
        .kind = "cluster incarnation",
        .class = TASK_SYSTEM,
        .ended = step_ended,
        .ended_arg = cluster};
    cluster->stepping = true;
    if (failed(task_start(cluster->node->shards[0], &options))) cluster->stepping = false;
}

// What is in the record now, others may know.
static bool incarnation_tell(struct cluster *cluster, struct gossip_node *own)
{
    bool news = own->node.incarnation.number < cluster->renewed.incarnation.number;
    if (news) own->node.incarnation = cluster->renewed.incarnation;
    return news;
}

// Of this start. The record is written first as it is: what an earlier start of this node still has under way, if
// anything, comes too late from then on, and what was found in the record is what this step is made from.
static struct status incarnation_begin(struct task *task, struct cluster *cluster, struct renew_call *call)
{
    struct record record;
    struct status st = renew_record(task, cluster, call, &record);
    if (failed(st)) return st;
    st = incarnation_step(task, cluster);
    cluster->incarnated = !failed(st);
    if (!failed(st) || task->cancelled) return st;
    // A full disk, say: it lives as it is, and tries again.
    log_warning(0, "cluster: the store's new incarnation is not written down: %s", st.message);
    return STATUS_OK;
}

static struct status renew_once(struct task *task, struct cluster *cluster)
{
    struct record record;
    struct env *env = task->shard->env;
    struct renew_call call = {
        .cluster = cluster, .expiration_ns = env->wall_ns(env) + (int64_t)CLUSTER_LIVENESS_NS};
    task->deadline_ns = task_now_ns(task) + CLUSTER_LIVENESS_NS;
    struct status st = cluster->incarnated ? STATUS_OK : incarnation_begin(task, cluster, &call);
    if (!failed(st)) st = renew_record(task, cluster, &call, &record);
    task->deadline_ns = UINT64_MAX;
    if (failed(st)) return st;
    bool reset = !epoch_valid(cluster) || record.liveness.epoch != cluster->epoch;
    cluster->epoch = record.liveness.epoch;
    cluster->expiration_ns = call.expiration_ns;
    epoch_publish(cluster, reset);
    struct gossip_node *own = gossip_find(cluster, cluster->node_id);
    bool news = own != NULL && incarnation_tell(cluster, own);
    if (own != NULL && own->membership_version < record.membership_version) {
        own->membership_version = record.membership_version;
        own->node.membership = record.liveness.membership;
        news = true;
    }
    if (news) gossip_own_changed(cluster);
    wait_queue_wake_all(&cluster->changed, STATUS_OK);
    incarnation_look(cluster);
    return STATUS_OK;
}

static struct status renew_task(struct task *task, void *arg)
{
    struct cluster *cluster = arg;
    bool warned = false;
    cluster->renewer = task;
    while (!cluster->stopping && !cluster->leaving) {
        struct arena_mark mark = arena_mark(task->arena);
        struct status st = renew_once(task, cluster);
        if (task->cancelled) return st;
        if (status_is(st, E_NOT_IN_PREREQUISITE_STATE)) {
            cluster_fail(cluster, st);
            return st;
        }
        if (failed(st) && !warned) log_warning(0, "cluster: the liveness record was not renewed: %s", st.message);
        warned = failed(st);
        arena_release(task->arena, mark);
        // All nodes at the same moment: the meta slice wakes once for all of them.
        uint64_t next_ns = failed(st) ? task_now_ns(task) + RENEW_RETRY_NS : timer_beat(task->shard, RENEW_NS);
        st = task_wait_until(task, NULL, next_ns, STATUS_OK);
        if (failed(st)) return st;
    }
    return STATUS_OK;
}

static void renew_ended(struct task *task, struct status st, void *arg)
{
    (void)task;
    (void)st;
    struct cluster *cluster = arg;
    cluster->renewing = false;
    cluster->renewer = NULL;
}

// Written down before anybody hears of it: a node that started as one alone, when it is not, would tell nobody of
// what they must know.
static struct status end_alone(struct task *task, struct cluster *cluster)
{
    struct status st = STATUS_OK;
    while (cluster->ending_alone)
        TRY(task_wait(task, &cluster->changed));
    if (!cluster->alone) goto out;
    cluster->ending_alone = true;
    st = cluster_identity_write(task, cluster, false, &cluster->incarnation);
    cluster->ending_alone = false;
    wait_queue_wake_all(&cluster->changed, STATUS_OK);
    TRY(st);
    cluster->alone = false;
    cluster->dirty = true;
    cluster_view_publish(cluster);
out:
    return st;
}

struct status liveness_begin(struct task *task, struct cluster *cluster)
{
    struct status st = STATUS_OK;
    TRY(end_alone(task, cluster));
    if (!cluster->renewing) {
        struct task_options options = {.fn = renew_task,
            .arg = cluster,
            .kind = "cluster liveness",
            .class = TASK_SYSTEM,
            .ended = renew_ended,
            .ended_arg = cluster};
        cluster->renewing = true;
        st = task_start(task->shard, &options);
        if (failed(st)) cluster->renewing = false;
    }
    while (!failed(st) && !epoch_valid(cluster) && !failed(cluster->failure))
        st = task_wait_until(
            task, &cluster->changed, task_now_ns(task) + RENEW_NS, STATUS_OK);
    if (failed(cluster->failure)) st = cluster->failure;
out:
    return st;
}

struct status cluster_live(struct task *task)
{
    struct cluster *cluster = cluster_of(task->shard->node);
    struct status st = STATUS_OK;
    invariant(task->shard->index == 0);
    if (!cluster->alone) TRY(liveness_begin(task, cluster));
    cluster->serving = true;
    wait_queue_wake_all(&cluster->changed, STATUS_OK);
out:
    return st;
}

// Also one that is under way: storage is about to go.
static void renewals_end(struct task *task, struct cluster *cluster)
{
    cluster->leaving = true;
    while (cluster->renewing || cluster->stepping) {
        if (cluster->renewer != NULL) task_cancel(cluster->renewer, status_make(E_ADMIN_SHUTDOWN, "the node leaves"));
        if (cluster->stepper != NULL) task_cancel(cluster->stepper, status_make(E_ADMIN_SHUTDOWN, "the node leaves"));
        if (failed(task_sleep(task, LEAVE_POLL_NS))) return;
    }
}

void cluster_leave(struct task *task)
{
    struct cluster *cluster = cluster_of(task->shard->node);
    if (cluster == NULL) return;
    renewals_end(task, cluster);
    if (cluster->alone || cluster->epoch == 0) return;
    struct renew_call call = {.cluster = cluster, .leave = true};
    struct record record;
    cluster->stopping = true;
    cluster->epoch = 0;
    epoch_publish(cluster, true);
    // From here on nothing begins to rely on this node's record.
    if (failed(shard_call_all(task, reliance_settle, NULL))) return;
    uint64_t deadline = task->deadline_ns;
    task->deadline_ns = task_now_ns(task) + RENEW_NS / 2;
    // What was copied while it ran is none of its states any more.
    if (incarnation_is_known(cluster) && failed(incarnation_step(task, cluster)))
        log_info(0, "cluster: the store's last incarnation stays the one of this run");
    struct status st = record_change(task, cluster->node_id, renew, &call, &record, NULL);
    task->deadline_ns = deadline;
    struct gossip_node *own = gossip_find(cluster, cluster->node_id);
    if (!failed(st)) cluster->renewed.incarnation = record.incarnation;
    if (own != NULL && incarnation_tell(cluster, own)) gossip_own_changed(cluster);
    if (failed(st)) log_info(0, "cluster: the others wait for this node's record to lapse: %s", st.message);
}

uint64_t cluster_epoch(struct shard *shard)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    if (copy == NULL || copy->alone) return 1;
    int64_t wall_ns = shard->env->wall_ns(shard->env);
    return wall_ns + copy->cluster->max_offset_ns < copy->expiration_ns ? copy->epoch : 0;
}

struct hlc_timestamp cluster_rely_until(struct shard *shard, uint64_t most_ns)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    const int64_t wall_ns = shard->env->wall_ns(shard->env);
    int64_t until_ns = wall_ns + (int64_t)most_ns;
    if (wall_ns <= 0) return HLC_ZERO;
    if (copy != NULL && !copy->alone) {
        if (wall_ns + copy->cluster->max_offset_ns >= copy->expiration_ns || copy->epoch == 0) return HLC_ZERO;
        if (copy->expiration_ns < until_ns) until_ns = copy->expiration_ns;
    }
    return (struct hlc_timestamp){(uint64_t)until_ns, 0};
}

struct hlc_timestamp cluster_rely_from(struct shard *shard)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    return (struct hlc_timestamp){copy == NULL ? 0 : (uint64_t)copy->rely_from_ns, 0};
}

void cluster_rely_anew(struct shard *shard)
{
    struct cluster_shard *copy = cluster_shard_of(shard);
    if (copy != NULL && !copy->alone) rely_anew(shard, copy);
}

// --- other nodes' records --------------------------------------------------------------------------

static struct status fence(struct task *task, struct record *record, void *arg, bool *write)
{
    bool *lapsed = arg;
    int64_t wall_ns = task->shard->env->wall_ns(task->shard->env);
    *lapsed = !record->found || wall_ns > (int64_t)record->liveness.expiration.wall_ns;
    *write = *lapsed && record->found;
    if (*write) record->liveness.epoch++;
    return STATUS_OK;
}

struct status cluster_fence(struct task *task, uint32_t node, bool *lapsed)
{
    struct record record;
    struct status st;
    for (;;) {
        TRY(record_change(task, node, fence, lapsed, &record, NULL));
        if (*lapsed || cluster_alive(task->shard, node)) break;
        TRY(task_sleep(task, LOOK_NS));
    }
out:
    return st;
}

static struct status membership(struct task *task, struct record *record, void *arg, bool *write)
{
    enum cluster_membership wanted = *(const enum cluster_membership *)arg;
    uint32_t node = record->liveness.node;
    enum cluster_membership now = record->liveness.membership;
    if (!record->found)
        return status_format(task->arena, E_UNDEFINED_OBJECT, "node %u does not exist", node);
    *write = now != wanted;
    if (now == wanted) return STATUS_OK;
    if (now == CLUSTER_DECOMMISSIONED)
        return status_hint(task->arena,
            status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE, "node %u was decommissioned", node),
            "Start a node with an empty --store to replace it.");
    if (wanted == CLUSTER_DECOMMISSIONED && now != CLUSTER_DECOMMISSIONING)
        return status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE, "node %u is not being decommissioned", node);
    record->liveness.membership = wanted;
    record->membership_version++;
    return STATUS_OK;
}

struct membership_told {
    uint32_t node;
    uint32_t version;
    enum cluster_membership membership;
};

static struct status membership_on_zero(struct task *task, void *arg)
{
    const struct membership_told *told = arg;
    struct cluster *cluster = cluster_of(task->shard->node);
    struct gossip_node *known = cluster == NULL ? NULL : gossip_find(cluster, told->node);
    if (known == NULL || known->membership_version >= told->version) return STATUS_OK;
    known->membership_version = told->version;
    known->node.membership = told->membership;
    cluster->dirty = cluster->peers_dirty = true;
    gossip_own_changed(cluster);
    return STATUS_OK;
}

struct status cluster_membership_set(struct task *task, uint32_t node, enum cluster_membership wanted)
{
    struct record record;
    struct status st;
    TRY(record_change(task, node, membership, &wanted, &record, NULL));
    struct membership_told told = {node, record.membership_version, record.liveness.membership};
    TRY(shard_call(task, 0, membership_on_zero, &told));
out:
    return st;
}

static struct status draining_on_zero(struct task *task, void *arg)
{
    struct cluster *cluster = cluster_of(task->shard->node);
    struct gossip_node *own = cluster == NULL ? NULL : gossip_find(cluster, cluster->node_id);
    if (own == NULL) return STATUS_OK;
    cluster->draining = own->node.draining = *(const bool *)arg;
    gossip_own_changed(cluster);
    return STATUS_OK;
}

struct status cluster_draining_set(struct task *task, bool draining)
{
    return shard_call(task, 0, draining_on_zero, &draining);
}
