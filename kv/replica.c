// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/replica.h"

#include <stdlib.h>

#include "core/codec.h"
#include "core/disk.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/rpc.h"
#include "kv/cache_share.h"
#include "kv/cluster.h"
#include "kv/range.h"
#include "kv/recovery.h"
#include "kv/slice_internal.h"
#include "kv/snapshot.h"

#define LOAD_NS UINT64_C(1000000000)

enum replica_method {
    METHOD_CREATE = RPC_REPLICA,
    METHOD_DESTROY,
    METHOD_CHANGE,
    METHOD_TRANSFER,
    METHOD_LIST,
    METHOD_FORCE_ALONE,
};

static struct kv_shard *kv_here(struct task *task, struct status *st)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    bool gone = kv == NULL || kv->stopping;
    *st = gone ? status_make(E_ADMIN_SHUTDOWN, "storage is stopping") : STATUS_OK;
    return gone ? NULL : kv;
}

static uint32_t shard_of_slice(const struct task *task, uint64_t slice)
{
    return kv_slice_shard(slice, task->shard->node->shard_count);
}

// --- the list in STORE, on shard 0 ------------------------------------------------------------------------

struct line_change {
    struct recovery_replica line;
    uint64_t generation_expected; // Of the line as it is; UINT64_MAX: any.
};

static struct status line_write(
    struct task *task, struct kv_node *node, const struct line_change *change)
{
    struct recovery_replica *line = recovery_replica_find(node->store, change->line.slice);
    struct recovery_replica before = {.slice = change->line.slice, .state = RECOVERY_GONE};
    if (line != NULL) before = *line;
    if (change->generation_expected != UINT64_MAX &&
        before.generation != change->generation_expected)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the replica has been replaced meanwhile");
    *recovery_replica_get(node->store, change->line.slice) = change->line;
    struct status st = recovery_store_write(task, node->dir, node->store);
    if (failed(st)) *recovery_replica_get(node->store, change->line.slice) = before;
    return st;
}

static struct status line_set(struct task *task, void *arg)
{
    struct status st;
    struct kv_shard *kv = kv_here(task, &st);
    if (kv == NULL) return st;
    struct kv_node *node = kv->node;
    while (node->store_busy) {
        TRY(task_wait(task, &node->store_waiters));
        if (kv_here(task, &st) == NULL) return st; // The node may be gone with it.
    }
    node->store_busy = true;
    st = line_write(task, node, arg);
    node->store_busy = false;
    wait_queue_wake_all(&node->store_waiters, STATUS_OK); // Also who waits to stop.
out:
    return st;
}

struct status replica_line_set(
    struct task *task, const struct recovery_replica *replica, uint64_t generation_expected)
{
    struct line_change change = {.line = *replica, .generation_expected = generation_expected};
    return shard_call(task, 0, line_set, &change);
}

static struct status line_get(struct task *task, void *arg)
{
    struct recovery_replica *line = arg;
    struct status st;
    struct kv_shard *kv = kv_here(task, &st);
    if (kv == NULL) return st;
    const struct recovery_replica *found = recovery_replica_find(kv->node->store, line->slice);
    if (found != NULL) *line = *found;
    return STATUS_OK;
}

// --- making one --------------------------------------------------------------------------------------------

struct creation {
    uint64_t slice;
    const struct raft_config *config;
};

static struct status create_files(struct task *task, struct kv_shard *kv,
    const struct recovery_replica *line, const struct raft_config *config, struct slice **slice)
{
    struct slice_options options = {
        .id = line->slice,
        .generation = line->generation,
        .home = recovery_home(task->arena, kv->node->dir, line->slice, line->generation),
        .cache_bytes = kv->node->options.cache_bytes / kv->shard->node->shard_count /
                       (kv->slice_count + 1),
    };
    if (config != NULL) options.config = *config;
    // What a snapshot that was cut short has left there.
    struct status st = replica_home_erase(task, options.home);
    if (failed(st)) return st;
    return slice_open(task, kv, &options, slice);
}

static struct status made_here(struct task *task, void *arg)
{
    const uint64_t slice = *(const uint64_t *)arg;
    kv_shard_of(task->shard)->made[slice / 64] |= UINT64_C(1) << slice % 64;
    return STATUS_OK;
}

static struct status made_tell(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    (void)arg;
    for (uint32_t i = 0; i < kv->slice_count; i++) TRY(shard_call_all(task, made_here, &kv->slices[i]->id));
out:
    return st;
}

struct status replica_made_tell(struct task *task)
{
    return shard_call_all(task, made_tell, NULL);
}

static struct status create_here(struct task *task, void *arg)
{
    const struct creation *creation = arg;
    struct slice *slice = NULL;
    struct status st;
    struct kv_shard *kv = kv_here(task, &st);
    if (kv == NULL) return st;
    if (kv_slice_find(kv, creation->slice) != NULL) return STATUS_OK;
    // Asked while the shard's log is still being read, or its replicas are being started one by one.
    if (!kv->serving) return status_make(E_CANNOT_CONNECT_NOW, "storage is starting");
    if (kv->changing) return status_make(E_NOT_IN_PREREQUISITE_STATE, "a replica is being made");
    kv->changing = true;
    struct recovery_replica line = {.slice = creation->slice, .generation = UINT64_MAX};
    TRY(shard_call(task, 0, line_get, &line));
    const uint64_t before = line.generation;
    line.generation = before + 1; // The first one is 0.
    line.state = creation->config != NULL ? RECOVERY_FOUNDED : RECOVERY_HERE;
    line.since = log_writer_appended(kv->log);
    TRY(replica_line_set(task, &line, before));
    st = create_files(task, kv, &line, creation->config, &slice);
    if (!failed(st)) {
        kv_slice_add(kv, slice);
        cache_share(kv);
        st = slice_start(task, slice);
        if (failed(st)) slice_fail(slice, st, "starting a new replica");
    }
    if (failed(st)) {
        const uint64_t made = line.generation;
        line.state = RECOVERY_GONE;
        if (slice == NULL && failed(replica_line_set(task, &line, made)))
            log_warning(0, "slice %llu: a replica that could not be made stays listed",
                (unsigned long long)line.slice);
        goto out;
    }
    TRY(shard_call_all(task, made_here, &line.slice));
    log_info(0, "slice %llu: new replica%s", (unsigned long long)line.slice,
        creation->config != NULL ? " of a new slice" : "");
    if (creation->config != NULL) TRY(slice_await(task, slice));
out:
    kv->changing = false;
    return st;
}

// --- erasing one -------------------------------------------------------------------------------------------

struct destruction {
    uint64_t slice;
    bool forced;
};

struct status replica_home_erase(struct task *task, const char *home)
{
    char **names;
    struct status st = disk_list(task, home, &names);
    if (status_is(st, E_UNDEFINED_FILE)) return STATUS_OK;
    TRY(st);
    for (char **name = names; *name != NULL; name++)
        TRY(disk_unlink(task, arena_printf(task->arena, "%s/%s", home, *name)));
out:
    return st;
}

static struct status destroy_slice(struct task *task, struct kv_shard *kv, struct slice *slice)
{
    const struct recovery_replica line = {.slice = slice->id,
        .generation = slice->generation,
        .state = RECOVERY_GONE,
        .since = log_writer_appended(kv->log)};
    const char *home = recovery_home(task->arena, kv->node->dir, slice->id, slice->generation);
    struct status st;
    // From here on it is gone after a crash, too.
    TRY(replica_line_set(task, &line, slice->generation));
    slice_depose(slice);
    slice_drain(task, slice);
    while (slice->holders > 0) {
        if (failed(task_wait(task, &slice->idle_waiters))) task_cancel_clear(task);
    }
    kv_slice_remove(kv, slice);
    kv_slice_modules_fini(slice);
    TRY(slice_stop(task, slice, false));
    cache_share(kv);
    TRY(replica_home_erase(task, home));
    log_info(0, "slice %llu: replica erased", (unsigned long long)line.slice);
out:
    return st;
}

static struct status destroy_here(struct task *task, void *arg)
{
    const struct destruction *destruction = arg;
    struct status st;
    struct kv_shard *kv = kv_here(task, &st);
    if (kv == NULL) return st;
    struct slice *slice = kv_slice_find(kv, destruction->slice);
    if (slice == NULL) return STATUS_OK;
    bool member = raft_config_find(raft_log_config(&slice->log), kv->node->node_id) != NULL;
    if (member && !slice->log.raft.removed && !destruction->forced)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the replica is a member of its slice");
    if (!kv->serving) return status_make(E_CANNOT_CONNECT_NOW, "storage is starting");
    if (kv->changing) return status_make(E_NOT_IN_PREREQUISITE_STATE, "a replica is being made");
    kv->changing = true;
    st = destroy_slice(task, kv, slice);
    kv->changing = false;
    return st;
}

// --- at the leader -----------------------------------------------------------------------------------------

struct member_change {
    uint64_t slice;
    enum raft_change change;
    uint32_t member;
};

static bool change_done(const struct slice *slice, const struct member_change *change)
{
    const struct raft_member *member =
        raft_config_find(raft_log_config(&slice->log), change->member);
    switch (change->change) {
    case RAFT_ADD_LEARNER: return member != NULL;
    case RAFT_PROMOTE: return member != NULL && !member->learner;
    case RAFT_DEMOTE: return member != NULL && member->learner;
    case RAFT_REMOVE: return member == NULL;
    }
    return false;
}

static struct status change_members(
    struct task *task, struct slice *slice, const struct member_change *change)
{
    struct status st = slice_check_role(slice);
    if (failed(st) || change_done(slice, change)) return st;
    // Of a group that has gone quiet nobody was heard lately: who asks again finds it awake.
    if (change->change == RAFT_PROMOTE) raft_log_wake(&slice->log);
    TRY(raft_log_config_change(&slice->log, change->change, change->member));
    slice_lease_update(slice);
    if (change->member == slice->damaged_member) slice->damaged_member = 0;
    while (!change_done(slice, change)) {
        TRY(task_wait(task, &slice->role_waiters));
        if (!change_done(slice, change)) TRY(slice_check_role(slice));
    }
    log_info(0, "slice %llu: node %u %s", (unsigned long long)slice->id, change->member,
        change->change == RAFT_ADD_LEARNER ? "joins as a learner"
        : change->change == RAFT_PROMOTE   ? "is a voter"
        : change->change == RAFT_DEMOTE    ? "is a learner"
                                           : "is no member any more");
out:
    return st;
}

static struct status slice_here(struct task *task, uint64_t id, struct slice **slice)
{
    struct status st;
    struct kv_shard *kv = kv_here(task, &st);
    if (kv == NULL) return st;
    *slice = kv_slice_find(kv, id);
    return *slice == NULL ? slice_not_leader() : STATUS_OK;
}

static struct status change_here(struct task *task, void *arg)
{
    const struct member_change *change = arg;
    struct slice *slice;
    struct status st = slice_here(task, change->slice, &slice);
    if (failed(st)) return st;
    slice_hold(slice);
    st = change_members(task, slice, change);
    slice_let_go(slice);
    return st;
}

static struct status transfer_here(struct task *task, void *arg)
{
    const struct member_change *change = arg;
    struct slice *slice;
    struct status st = slice_here(task, change->slice, &slice);
    if (failed(st)) return st;
    return slice_transfer(task, slice, change->member);
}

static struct status force_alone_here(struct task *task, void *arg)
{
    uint64_t id = *(const uint64_t *)arg;
    struct status st;
    struct kv_shard *kv = kv_here(task, &st);
    if (kv == NULL) return st;
    struct slice *slice = kv_slice_find(kv, id);
    if (slice == NULL) return status_make(E_NOT_IN_PREREQUISITE_STATE, "no replica of the slice is here");
    slice_hold(slice);
    if (slice->role != SLICE_SERVING) {
        log_error(0, "slice %llu: by an operator's order this replica goes on alone, from index %llu of term %llu: "
                     "what others had committed above it is LOST",
            (unsigned long long)id, (unsigned long long)raft_log_last(&slice->log),
            (unsigned long long)slice->log.raft.last_term);
        st = raft_log_force_alone(&slice->log);
    }
    if (!failed(st)) slice_lease_update(slice);
    if (!failed(st)) st = slice_await(task, slice);
    slice_let_go(slice);
    return st;
}

// --- looking -----------------------------------------------------------------------------------------------

void kv_replica_look(struct slice *slice, struct kv_replica *replica)
{
    struct store_figures figures;
    store_figures(slice->store, &figures);
    uint64_t now_ns = shard_now_ns(slice->shard);
    uint64_t passed_ns = now_ns - slice->load_since_ns;
    if (passed_ns >= LOAD_NS) {
        // Half of it is the last period's: one quiet second does not move a leader.
        uint64_t rate = (slice->load_count - slice->load_seen) * LOAD_NS / passed_ns;
        slice->load_rate = (slice->load_rate + rate) / 2;
        slice->load_seen = slice->load_count;
        const uint64_t calls = slice->calls - slice->calls_seen;
        const uint64_t movable = slice->calls_movable - slice->calls_movable_seen;
        slice->load_movable = calls == 0 ? 0 : (uint64_t)((double)slice->load_rate * (double)movable / (double)calls);
        slice->calls_seen = slice->calls;
        slice->calls_movable_seen = slice->calls_movable;
        slice->load_since_ns = now_ns;
    }
    *replica = (struct kv_replica){
        .slice = slice->id,
        .role = slice->role,
        .leader = slice_leader(slice),
        .term = raft_log_term(&slice->log),
        .applied_index = slice->applied_index,
        .last_index = raft_log_last(&slice->log),
        .last_term = slice->log.raft.last_term,
        .closed = slice_closed(slice),
        .bytes = figures.bytes,
        .load = slice->load_rate,
        .load_movable = slice->load_movable,
        .ranges = slice->ranges == NULL ? 0 : slice->ranges->count,
        .receiving = slice->receiving,
        .damaged_member = slice->damaged_member,
        .config = *raft_log_config(&slice->log),
    };
    for (uint32_t i = 0; i < replica->config.count && slice->role == SLICE_SERVING; i++) {
        bool heard = raft_hears(&slice->log.raft, replica->config.members[i].node);
        replica->silent_members |= heard ? 0 : UINT32_C(1) << i;
    }
}

struct looking {
    struct buffer *out;
};

static void config_put(struct buffer *out, const struct raft_config *config)
{
    uint8_t encoded[RAFT_CONFIG_BYTES_MAX];
    codec_put_u64(out, config->index);
    codec_put_bytes(
        out, bytes_of(encoded, config->count == 0 ? 0 : raft_config_encode(config, encoded)));
}

static void config_get(struct codec_reader *in, struct raft_config *config)
{
    const uint64_t index = codec_get_u64(in);
    const struct bytes encoded = codec_get_bytes(in);
    *config = (struct raft_config){0};
    if (encoded.size > 0 && !raft_config_decode(encoded, config)) in->bad = true;
    config->index = index;
}

static void replica_encode(struct buffer *out, const struct kv_replica *replica)
{
    codec_put_u64(out, replica->slice);
    codec_put_u8(out, (uint8_t)replica->role);
    codec_put_u32(out, replica->leader);
    codec_put_u64(out, replica->term);
    codec_put_u64(out, replica->applied_index);
    codec_put_u64(out, replica->last_index);
    codec_put_u64(out, replica->last_term);
    codec_put_hlc(out, replica->closed);
    codec_put_u64(out, replica->bytes);
    codec_put_u64(out, replica->load);
    codec_put_u64(out, replica->load_movable);
    codec_put_u32(out, replica->ranges);
    codec_put_u8(out, replica->receiving);
    codec_put_u32(out, replica->damaged_member);
    codec_put_u32(out, replica->silent_members);
    config_put(out, &replica->config);
}

static void replica_decode(struct codec_reader *in, struct kv_replica *replica)
{
    *replica = (struct kv_replica){.slice = codec_get_u64(in)};
    const uint8_t role = codec_get_u8(in);
    if (role > SLICE_SERVING) in->bad = true;
    replica->role = (enum slice_role)role;
    replica->leader = codec_get_u32(in);
    replica->term = codec_get_u64(in);
    replica->applied_index = codec_get_u64(in);
    replica->last_index = codec_get_u64(in);
    replica->last_term = codec_get_u64(in);
    replica->closed = codec_get_hlc(in);
    replica->bytes = codec_get_u64(in);
    replica->load = codec_get_u64(in);
    replica->load_movable = codec_get_u64(in);
    replica->ranges = codec_get_u32(in);
    replica->receiving = codec_get_bool(in);
    replica->damaged_member = codec_get_u32(in);
    replica->silent_members = codec_get_u32(in);
    config_get(in, &replica->config);
}

// Encoded by each shard into a buffer of its own, one after the other.
static struct status list_here(struct task *task, void *arg)
{
    struct looking *looking = arg;
    struct status st;
    struct kv_shard *kv = kv_here(task, &st);
    if (kv == NULL) return st;
    // Half a list would be taken for all there is.
    if (!kv->serving) return status_make(E_CANNOT_CONNECT_NOW, "storage is starting");
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct kv_replica replica;
        kv_replica_look(kv->slices[i], &replica);
        replica_encode(looking->out, &replica);
    }
    return STATUS_OK;
}

static struct status list_node(struct task *task, struct buffer *out)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < task->shard->node->shard_count; i++) {
        struct arena arena; // Not the task's: it is filled on another shard.
        struct buffer piece;
        struct looking looking = {&piece};
        arena_init(&arena, NULL);
        buffer_init(&piece, &arena);
        st = shard_call(task, i, list_here, &looking);
        if (!failed(st)) buffer_append_bytes(out, buffer_bytes(&piece));
        arena_fini(&arena);
        TRY(st);
    }
out:
    return st;
}

// --- by RPC ------------------------------------------------------------------------------------------------

struct status replica_malformed(void)
{
    return status_make(E_PROTOCOL_VIOLATION, "malformed message between replicas");
}

static bool slice_valid(uint64_t slice)
{
    return slice >= 1 && slice <= KV_SLICES_MAX;
}

static struct status serve_create(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct codec_reader in = codec_read(request->body);
    struct raft_config config;
    struct creation creation = {.slice = codec_get_u64(&in)};
    const bool founded = codec_get_bool(&in);
    (void)reply;
    config_get(&in, &config);
    if (!codec_done(&in) || !slice_valid(creation.slice)) return replica_malformed();
    if (founded) creation.config = &config;
    return shard_call(task, shard_of_slice(task, creation.slice), create_here, &creation);
}

static struct status serve_destroy(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct codec_reader in = codec_read(request->body);
    struct destruction destruction = {.slice = codec_get_u64(&in)};
    (void)reply;
    destruction.forced = codec_get_bool(&in);
    if (!codec_done(&in) || !slice_valid(destruction.slice)) return replica_malformed();
    return shard_call(task, shard_of_slice(task, destruction.slice), destroy_here, &destruction);
}

static bool change_decode(struct bytes body, struct member_change *change)
{
    struct codec_reader in = codec_read(body);
    *change = (struct member_change){.slice = codec_get_u64(&in)};
    const uint8_t kind = codec_get_u8(&in);
    change->change = (enum raft_change)kind;
    change->member = codec_get_u32(&in);
    return codec_done(&in) && slice_valid(change->slice) && kind <= RAFT_REMOVE &&
           change->member != 0;
}

static struct status serve_change(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct member_change change;
    (void)reply;
    if (!change_decode(request->body, &change)) return replica_malformed();
    return shard_call(task, shard_of_slice(task, change.slice), change_here, &change);
}

static struct status serve_transfer(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct member_change change;
    (void)reply;
    if (!change_decode(request->body, &change)) return replica_malformed();
    return shard_call(task, shard_of_slice(task, change.slice), transfer_here, &change);
}

static struct status serve_force_alone(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct codec_reader in = codec_read(request->body);
    uint64_t slice = codec_get_u64(&in);
    (void)reply;
    if (!codec_done(&in) || !slice_valid(slice)) return replica_malformed();
    return shard_call(task, shard_of_slice(task, slice), force_alone_here, &slice);
}

static struct status serve_list(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    (void)request;
    return list_node(task, reply);
}

static const struct rpc_method methods[] = {
    {.id = METHOD_CREATE, .name = "replica.create", .class = TASK_SYSTEM, .call = serve_create},
    {.id = METHOD_DESTROY, .name = "replica.destroy", .class = TASK_SYSTEM, .call = serve_destroy},
    {.id = METHOD_CHANGE, .name = "replica.change", .class = TASK_SYSTEM, .call = serve_change},
    {.id = METHOD_TRANSFER,
        .name = "replica.transfer",
        .class = TASK_SYSTEM,
        .call = serve_transfer},
    {.id = METHOD_FORCE_ALONE,
        .name = "replica.force_alone",
        .class = TASK_SYSTEM,
        .call = serve_force_alone},
    {.id = METHOD_LIST, .name = "replica.list", .class = TASK_SYSTEM, .call = serve_list},
};

void replica_register(void)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        rpc_method_register(&methods[i]);
    snapshot_register();
}

static struct status ask(struct task *task, uint32_t node, enum replica_method method,
    struct buffer *body, struct bytes *reply)
{
    struct rpc_call call = {.node = node,
        .shard = RPC_ANY_SHARD,
        .method = (uint16_t)method,
        .body = buffer_bytes(body)};
    struct status st = rpc_call(task, &call);
    if (reply != NULL) *reply = call.reply;
    return st;
}

static bool is_here(const struct task *task, uint32_t node)
{
    const struct kv_shard *kv = kv_shard_of(task->shard);
    return kv != NULL && kv->node->node_id == node;
}

struct status kv_replica_create(
    struct task *task, uint32_t node, uint64_t slice, const struct raft_config *config)
{
    struct creation creation = {.slice = slice, .config = config};
    invariant(slice_valid(slice));
    if (is_here(task, node))
        return shard_call(task, shard_of_slice(task, slice), create_here, &creation);
    struct buffer body;
    const struct raft_config none = {0};
    struct arena_mark mark = arena_mark(task->arena);
    buffer_init(&body, task->arena);
    codec_put_u64(&body, slice);
    codec_put_u8(&body, config != NULL);
    config_put(&body, config == NULL ? &none : config);
    struct status st = ask(task, node, METHOD_CREATE, &body, NULL);
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

struct status kv_replica_destroy(struct task *task, uint32_t node, uint64_t slice, bool forced)
{
    struct destruction destruction = {.slice = slice, .forced = forced};
    invariant(slice_valid(slice));
    if (is_here(task, node))
        return shard_call(task, shard_of_slice(task, slice), destroy_here, &destruction);
    struct buffer body;
    struct arena_mark mark = arena_mark(task->arena);
    buffer_init(&body, task->arena);
    codec_put_u64(&body, slice);
    codec_put_u8(&body, forced);
    struct status st = ask(task, node, METHOD_DESTROY, &body, NULL);
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

static struct status change_ask(struct task *task, uint32_t node, enum replica_method method,
    struct member_change *change)
{
    invariant(slice_valid(change->slice));
    if (is_here(task, node))
        return shard_call(task, shard_of_slice(task, change->slice),
            method == METHOD_CHANGE ? change_here : transfer_here, change);
    struct buffer body;
    struct arena_mark mark = arena_mark(task->arena);
    buffer_init(&body, task->arena);
    codec_put_u64(&body, change->slice);
    codec_put_u8(&body, (uint8_t)change->change);
    codec_put_u32(&body, change->member);
    struct status st = ask(task, node, method, &body, NULL);
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

struct status kv_replica_change(struct task *task, uint32_t node, uint64_t slice,
    enum raft_change change, uint32_t member)
{
    struct member_change asked = {.slice = slice, .change = change, .member = member};
    return change_ask(task, node, METHOD_CHANGE, &asked);
}

struct status kv_replica_transfer(
    struct task *task, uint32_t node, uint64_t slice, uint32_t member)
{
    struct member_change asked = {.slice = slice, .member = member};
    return change_ask(task, node, METHOD_TRANSFER, &asked);
}

struct status kv_replica_force_alone(struct task *task, uint32_t node, uint64_t slice)
{
    invariant(slice_valid(slice));
    if (is_here(task, node))
        return shard_call(task, shard_of_slice(task, slice), force_alone_here, &slice);
    struct buffer body;
    struct arena_mark mark = arena_mark(task->arena);
    buffer_init(&body, task->arena);
    codec_put_u64(&body, slice);
    struct status st = ask(task, node, METHOD_FORCE_ALONE, &body, NULL);
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

struct status kv_replicas(struct task *task, uint32_t node, struct arena *arena,
    struct kv_replica **replicas, uint32_t *count)
{
    struct buffer body;
    struct bytes list;
    struct status st;
    uint32_t capacity = 0;
    *replicas = NULL;
    *count = 0;
    buffer_init(&body, arena);
    if (is_here(task, node)) {
        TRY(list_node(task, &body));
        list = buffer_bytes(&body);
    } else {
        TRY(ask(task, node, METHOD_LIST, &body, &list));
    }
    struct codec_reader in = codec_read(list);
    while (codec_left(&in) > 0) {
        if (*count == capacity) {
            uint32_t grown = capacity == 0 ? 16 : capacity * 2;
            *replicas = arena_grow(arena, *replicas, capacity * sizeof **replicas,
                grown * sizeof **replicas);
            capacity = grown;
        }
        replica_decode(&in, &(*replicas)[(*count)++]);
        if (in.bad) return replica_malformed();
    }
out:
    return st;
}

// --- told by the slice's role --------------------------------------------------------------------------------

void replica_changed(struct slice *slice)
{
    const struct raft_config *config = raft_log_config(&slice->log);
    struct cluster_slice where = {
        .slice = slice->id,
        .term = raft_log_term(&slice->log),
        .config = config->index,
        .leader = slice_leader(slice),
    };
    if (slice->role != SLICE_SERVING) return;
    for (uint32_t i = 0; i < config->count; i++) {
        if (config->members[i].learner)
            where.learners[where.learner_count++] = config->members[i].node;
        else
            where.voters[where.voter_count++] = config->members[i].node;
    }
    cluster_slice_announce(slice->shard, &where);
}

struct removal {
    struct destruction destruction;
};

static struct status removal_task(struct task *task, void *arg)
{
    struct removal *removal = arg;
    struct status st = destroy_here(task, &removal->destruction);
    if (failed(st) && !status_is(st, E_ADMIN_SHUTDOWN))
        log_warning(0, "slice %llu: replica is to be erased: %s",
            (unsigned long long)removal->destruction.slice, st.message);
    free(removal);
    return st;
}

void replica_removed(struct slice *slice)
{
    struct removal *removal = malloc(sizeof *removal);
    if (removal == NULL) return; // Told again.
    *removal = (struct removal){.destruction = {.slice = slice->id}};
    struct status st = task_start(
        slice->shard, &(struct task_options){
                          .fn = removal_task, .arg = removal, .kind = "slice erase", .class = TASK_SYSTEM});
    if (failed(st)) free(removal);
}

void replica_member_damaged(struct slice *slice, uint32_t node)
{
    slice->damaged_member = node;
}
