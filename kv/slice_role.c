// SPDX-License-Identifier: GPL-3.0-or-later
//
// A replica's role: what raft says, made into serving or not; the lease; closed time at followers.
#include "core/invariant.h"
#include "core/log.h"
#include "kv/lock_carry.h"
#include "kv/replica.h"
#include "kv/slice_internal.h"
#include "kv/snapshot.h"

#define LEAD_AGAIN_NS UINT64_C(100000000)
#define TRANSFER_DRAIN_NS UINT64_C(2000000000)
#define TRANSFER_NS UINT64_C(3000000000)
#define CLOSED_NOTE_BYTES (HLC_ENCODED_BYTES + 8u)

static_assert(CLOSED_NOTE_BYTES <= RAFT_NOTE_BYTES, "closed time fits the note of an append");

// --- asking ----------------------------------------------------------------------------------------------

struct status slice_not_leader(void)
{
    return status_make_retry(K_NOT_LEADER, RETRY_STATEMENT, "the slice is led by another node");
}

struct status slice_check_role(const struct slice *slice)
{
    if (UNLIKELY(failed(slice->failed))) return slice->failed;
    if (UNLIKELY(!slice->running || slice->kv->stopping))
        return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    if (UNLIKELY(slice->role != SLICE_SERVING)) return slice_not_leader();
    return STATUS_OK;
}

bool slice_lease_holds(const struct slice *slice)
{
    if (LIKELY(!slice->leased)) return true;
    struct env *env = slice->shard->env;
    uint64_t wall_ns = (uint64_t)env->wall_ns(env);
    return wall_ns + slice->kv->node->options.max_offset_ns < slice->ceiling.wall_ns;
}

struct status slice_check(const struct slice *slice)
{
    struct status st = slice_check_role(slice);
    if (UNLIKELY(failed(st))) return st;
    return LIKELY(slice_lease_holds(slice)) ? STATUS_OK : slice_not_leader();
}

struct status slice_may_serve(struct task *task, struct slice *slice)
{
    struct status st = slice_check_role(slice);
    if (UNLIKELY(!failed(st) && !slice_lease_holds(slice))) st = slice_lease_wait(task, slice);
    return st;
}

uint32_t slice_leader(const struct slice *slice)
{
    return raft_log_leader(&slice->log);
}

void slice_let_go(struct slice *slice)
{
    invariant(slice->holders > 0);
    // Who takes over a snapshot waits for all but itself.
    if (--slice->holders <= 1) wait_queue_wake_all(&slice->idle_waiters, STATUS_OK);
}

void slice_lease_update(struct slice *slice)
{
    const struct raft *raft = &slice->log.raft;
    slice->leased =
        raft_config_voters(&raft->config) > 1 || raft_config_voters(&raft->committed) > 1;
}

struct status slice_await(struct task *task, struct slice *slice)
{
    struct status st = STATUS_OK;
    while (slice->role != SLICE_SERVING) {
        if (failed(slice->failed)) return slice->failed;
        if (!slice->running) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
        TRY(task_wait(task, &slice->role_waiters));
    }
out:
    return st;
}

// --- beginning to serve ----------------------------------------------------------------------------------

static void modules_follow(struct slice *slice)
{
    while (slice->modules_leading > 0) {
        const struct kv_module *module = kv_modules[--slice->modules_leading];
        if (module->slice_following != NULL) module->slice_following(slice);
    }
}

static bool deposed(const struct slice *slice, uint64_t turn)
{
    return slice->turn != turn || !slice->running || failed(slice->failed);
}

// Everything given out by earlier leaders is at or below the ceiling, and their leases end before this clock
// has passed it.
static struct status ceiling_pass(struct task *task, struct slice *slice, uint64_t turn)
{
    struct env *env = slice->shard->env;
    struct status st = STATUS_OK;
    for (;;) {
        int64_t wall_ns = env->wall_ns(env);
        if (deposed(slice, turn)) return slice_not_leader();
        if (wall_ns > (int64_t)slice->ceiling.wall_ns) return STATUS_OK;
        uint64_t wait_ns = (uint64_t)((int64_t)slice->ceiling.wall_ns - wall_ns) + 1000;
        st = task_wait_until(task, &slice->role_waiters, task_now_ns(task) + wait_ns,
            status_make(K_END, "time is up"));
        if (failed(st) && !status_is(st, K_END)) return st;
    }
}

static struct status lead_once(struct task *task, struct slice *slice, uint64_t turn)
{
    struct status st = STATUS_OK;
    while (slice->committed != NULL || slice->applying) {
        if (deposed(slice, turn)) return slice_not_leader();
        TRY(task_wait(task, &slice->role_waiters));
    }
    TRY(ceiling_pass(task, slice, turn));
    slice_lease_update(slice);
    uint32_t at = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&slice->tenants, &at)) != NULL) {
        // What an earlier leadership proposed, and did not come about.
        struct slice_tenant *tenant = entry->value;
        tenant->gc_proposed = tenant->gc_threshold;
    }
    slice->ceiling_proposed = slice->ceiling;
    slice->last_commit = hlc_max(slice->last_commit, slice->ceiling);
    slice->read_high = hlc_max(slice->read_high, slice->ceiling);
    hlc_update(&slice->shard->hlc, slice->last_commit);
    while (kv_modules[slice->modules_leading] != NULL) {
        const struct kv_module *module = kv_modules[slice->modules_leading++];
        if (module->slice_leading != NULL) TRY(module->slice_leading(task, slice));
        if (deposed(slice, turn)) return slice_not_leader();
    }
out:
    return st;
}

static struct status lead_task(struct task *task, void *arg)
{
    struct slice *slice = arg;
    while (slice->role == SLICE_LEADING && slice->running && !failed(slice->failed)) {
        uint64_t turn = slice->turn;
        struct status st = lead_once(task, slice, turn);
        if (failed(st) && task->cancelled) task_cancel_clear(task);
        if (!failed(st) && !deposed(slice, turn)) {
            slice->epoch++;
            slice->role = SLICE_SERVING;
            replica_changed(slice);
            break;
        }
        modules_follow(slice);
        if (deposed(slice, turn)) continue;
        log_warning(0, "slice %llu: this node leads, but cannot serve yet: %s",
            (unsigned long long)slice->id, st.message);
        if (failed(task_sleep(task, LEAD_AGAIN_NS))) task_cancel_clear(task);
    }
    slice->stepping = false;
    wait_queue_wake_all(&slice->role_waiters, STATUS_OK);
    return STATUS_OK;
}

static void hook_leading(struct raft_log *log)
{
    struct slice *slice = log->arg;
    invariant(slice->role == SLICE_FOLLOWER);
    slice->turn++;
    slice->role = SLICE_LEADING;
    slice_apply_now(slice);
    if (slice->stepping) {
        wait_queue_wake_all(&slice->role_waiters, STATUS_OK); // It begins anew.
        return;
    }
    slice->stepping = true;
    struct status st = slice_task_start(slice, lead_task, "slice lead", TASK_SYSTEM);
    if (failed(st)) {
        slice->stepping = false;
        slice_fail(slice, st, "beginning to lead");
    }
}

// --- ceasing to ------------------------------------------------------------------------------------------

static void readers_wake(struct list_link *list, struct status st)
{
    for (struct list_link *link = list->next; link != list; link = link->next)
        wait_queue_wake_all(&container_of(link, struct pending, link)->readers, st);
}

void slice_turn_away(struct slice *slice, struct status st)
{
    if (!slice->stepping) modules_follow(slice);
    readers_wake(&slice->pending, st);
    readers_wake(&slice->prepared, st);
    if (slice->receiver != NULL) task_cancel(slice->receiver, st);
}

void slice_depose(struct slice *slice)
{
    const struct status st = slice_not_leader();
    if (slice->role == SLICE_FOLLOWER) return;
    slice->turn++;
    slice->role = SLICE_FOLLOWER;
    if (!slice->stepping) modules_follow(slice); // Otherwise the task that readies them does.
    wait_queue_wake_all(&slice->ceiling_waiters, st);
    wait_queue_wake_all(&slice->admit_waiters, st);
    readers_wake(&slice->pending, st);
    readers_wake(&slice->prepared, st);
    wait_queue_wake_all(&slice->role_waiters, STATUS_OK);
}

static void hook_following(struct raft_log *log, uint32_t leader)
{
    (void)leader;
    slice_depose(log->arg);
}

static void hook_batch_end(struct raft_log *log)
{
    slice_apply_committed(log->arg);
}

static void hook_config_changed(struct raft_log *log)
{
    struct slice *slice = log->arg;
    slice_lease_update(slice);
    wait_queue_wake_all(&slice->role_waiters, STATUS_OK);
    replica_changed(slice);
}

static void hook_snapshot_send(struct raft_log *log, uint32_t node, bool learner)
{
    (void)learner;
    snapshot_send(log->arg, node);
}

static void hook_member_damaged(struct raft_log *log, uint32_t node)
{
    replica_member_damaged(log->arg, node);
}

static void hook_removed(struct raft_log *log)
{
    replica_removed(log->arg);
}

// --- handing over ----------------------------------------------------------------------------------------

static struct status transfer_wait(
    struct task *task, struct wait_queue *queue, uint64_t until_ns, bool *late)
{
    struct status st = task_wait_until(task, queue, until_ns, status_make(K_END, "time is up"));
    *late = status_is(st, K_END);
    return *late ? STATUS_OK : st;
}

static struct status transfer(struct task *task, struct slice *slice, uint32_t node, uint64_t turn)
{
    struct status st = STATUS_OK;
    bool late = false;
    uint64_t until_ns = task_now_ns(task) + TRANSFER_DRAIN_NS;
    while (slice->in_flight > 0 && slice->turn == turn && !late)
        TRY(transfer_wait(task, &slice->idle_waiters, until_ns, &late));
    if (slice->turn != turn) return slice_not_leader();
    if (late) return status_make(E_NOT_IN_PREREQUISITE_STATE, "the slice has writes under way");
    // From here on nothing is given out above what was: the next leader need not wait for more.
    TRY(lock_carry_propose(task, slice, hlc_max(slice->last_commit, slice->read_high)));
    if (slice->turn != turn) return slice_not_leader();
    TRY(raft_log_transfer(&slice->log, node));
    until_ns = task_now_ns(task) + TRANSFER_NS;
    while (slice->turn == turn && !late)
        TRY(transfer_wait(task, &slice->role_waiters, until_ns, &late));
    if (late) return status_make(E_NOT_IN_PREREQUISITE_STATE, "the other replica did not take over");
out:
    return st;
}

struct status slice_transfer(struct task *task, struct slice *slice, uint32_t node)
{
    struct status st = slice_check_role(slice);
    if (failed(st)) return st;
    if (slice->transferring)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the leadership is being handed over");
    uint64_t turn = slice->turn;
    slice->transferring = true;
    slice->role = SLICE_LEADING;
    slice_hold(slice);
    wait_queue_wake_all(&slice->ceiling_waiters, slice_not_leader());
    wait_queue_wake_all(&slice->admit_waiters, slice_not_leader());
    st = transfer(task, slice, node, turn);
    slice->transferring = false;
    if (slice->turn == turn && slice->running) {
        lock_carry_drop(slice);
        slice->role = SLICE_SERVING; // What was given up is the ceiling's height: the next one asks for more.
        wait_queue_wake_all(&slice->role_waiters, STATUS_OK);
    }
    slice_let_go(slice);
    return st;
}

// --- closed time -----------------------------------------------------------------------------------------

void slice_closed_update(struct slice *slice)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (slice->closed_next_index > slice->applied_index) return;
        slice->closed = hlc_max(slice->closed, slice->closed_next);
        slice->closed_next = slice->closed_last;
        slice->closed_next_index = slice->closed_last_index;
    }
}

struct hlc_timestamp slice_closed(const struct slice *slice)
{
    return slice->closed;
}

// Everything at or below the time lies in entries up to the index.
static uint8_t hook_note(struct raft_log *log, uint8_t out[RAFT_NOTE_BYTES])
{
    struct slice *slice = log->arg;
    if (slice->role != SLICE_SERVING || slice->parts_open) return 0;
    uint64_t index = raft_log_last(log);
    hlc_encode(slice_close_now(slice), out);
    memcpy(out + HLC_ENCODED_BYTES, &index, 8);
    return CLOSED_NOTE_BYTES;
}

static void hook_noted(struct raft_log *log, struct bytes note)
{
    struct slice *slice = log->arg;
    if (note.size != CLOSED_NOTE_BYTES) return;
    struct hlc_timestamp ts = hlc_decode(note.data);
    uint64_t index;
    memcpy(&index, note.data + HLC_ENCODED_BYTES, 8);
    // One is kept until it counts, lest a busy slice never gets there; and the last, lest one that goes to rest does not.
    slice->closed_last = ts;
    slice->closed_last_index = index;
    if (slice->closed_next_index > slice->applied_index && index > slice->applied_index) return;
    slice->closed_next = ts;
    slice->closed_next_index = index;
    slice_closed_update(slice);
}

const struct raft_log_hooks slice_log_hooks = {
    .committed = slice_entry_committed,
    .batch_end = hook_batch_end,
    .leading = hook_leading,
    .following = hook_following,
    .config_changed = hook_config_changed,
    .snapshot_send = hook_snapshot_send,
    .member_damaged = hook_member_damaged,
    .removed = hook_removed,
    .note = hook_note,
    .noted = hook_noted,
};
