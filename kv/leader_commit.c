// SPDX-License-Identifier: GPL-3.0-or-later
//
// Commits at the leader: locks not held yet, validation, the timestamp, the log; what a transaction of several slices
// asks of each (leader_lock, leader_prepare, leader_validate, leader_resolve); and requests that come twice.
#include "core/mark.h"
#include "kv/leader_internal.h"
#include "kv/move_side.h"
#include "kv/range.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"
#include "kv/txn.h"
#include "kv/validate.h"

#define VALIDATE_ROUNDS_MAX 8u
#define AFTER_MAX_NS UINT64_C(10000000000)

// A transaction cannot run longer than its reads could be repeated.
static struct status check_threshold(struct slice *slice, const struct leader_call *call)
{
    if (hlc_less_equal(slice_gc_threshold(slice, call->tenant), call->read_ts)) return STATUS_OK;
    return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "could not serialize access: transaction is older than the garbage collection threshold");
}

// What it receives is another cluster's: a session that slept through the stop of its service writes no more.
static struct status check_own(const struct slice *slice, const struct leader_commit *commit)
{
    if (LIKELY(!slice_tenant_ingesting(slice, commit->call.tenant))) return STATUS_OK;
    return status_make(
        E_NOT_IN_PREREQUISITE_STATE, "the virtual cluster is replicated from another cluster");
}

// Whether one range of the tenant's has the first and the last key, so all in between: they are in order.
static bool serves_between(struct slice *slice, const struct leader_commit *commit)
{
    const struct bytes first = commit->writes[0]->key;
    const struct bytes last = commit->writes[commit->write_count - 1]->key;
    if (failed(leader_check_key(commit->call.tenant, first)) || failed(leader_check_key(commit->call.tenant, last)))
        return false;
    struct range_entry *entry = range_set_find(slice->ranges, first);
    if (entry == NULL || !span_contains(entry->range.span, last)) return false;
    for (uint32_t i = 0; i < commit->write_count; i++) range_entry_ask(entry, commit->writes[i]->key);
    return true;
}

// With a task it may yield; without, the answer is of this moment as a whole.
static struct status serves_writes(
    struct task *task, struct slice *slice, const struct leader_commit *commit)
{
    struct status st = STATUS_OK;
    if (commit->write_count > 1 && slice->moves == NULL && serves_between(slice, commit)) return STATUS_OK;
    for (uint32_t i = 0; i < commit->write_count; i++) {
        TRY(leader_serves_key(slice, commit->call.tenant, commit->writes[i]->key));
        if (move_shuts(slice, commit->writes[i]->key, leader_holder(&commit->call))) {
            st = leader_wrong_range();
            goto out;
        }
        if (task != NULL && i % 1024 == 1023) TRY(task_yield_if_due(task));
    }
out:
    return st;
}

// Locks every written key. Needed by whoever waits for a lock, or keeps locks beyond this request.
static struct status lock_writes(
    struct task *task, struct slice *slice, struct leader_commit *commit)
{
    struct status st = STATUS_OK;
    struct kv_read read = {.wait = commit->no_wait ? KV_WAIT_FAIL : KV_WAIT_BLOCK};
    for (uint32_t i = 0; i < commit->write_count && !failed(st); i++) {
        struct lock_answer answer;
        read.lock = write_node_lock(commit->writes[i]);
        st = leader_lock_key(task, slice, &commit->call, &read, commit->writes[i]->key, &answer);
    }
    // They were held, and went with an earlier leader: the client begins its commit anew, and waits for them.
    if (commit->no_wait && status_is(st, E_LOCK_NOT_AVAILABLE)) st = leader_wrong_range();
    return st;
}

static const struct write_node *commit_find(const struct leader_commit *commit, struct bytes key)
{
    uint32_t low = 0;
    uint32_t high = commit->write_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = bytes_compare(commit->writes[middle]->key, key);
        if (order == 0) return commit->writes[middle];
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static enum kv_lock commit_lock(const void *arg, struct bytes key)
{
    const struct write_node *node = commit_find(arg, key);
    return node == NULL ? KV_LOCK_NONE : write_node_lock(node);
}

static bool commit_checks(const void *arg, struct bytes key)
{
    const struct write_node *node = commit_find(arg, key);
    return node != NULL && node->checked;
}

static bool writes_have_writer(struct slice *slice, const struct leader_commit *commit)
{
    // A load is mostly alone with what it has staged.
    if (list_empty(&slice->prepared) && !staged_by_other(slice, commit->call.owner.txn)) return false;
    for (uint32_t i = 0; i < commit->write_count; i++) {
        bool other;
        struct status st =
            leader_writer_other(slice, commit->writes[i]->key, commit->call.owner.txn, &other);
        if (failed(st) || other) return true; // Whoever takes the lock then is told.
    }
    return false;
}

static bool writes_are_free(struct slice *slice, const struct leader_commit *commit)
{
    if (UNLIKELY(leader_has_writers(slice)) && writes_have_writer(slice, commit)) return false;
    const uint64_t holder = leader_holder(&commit->call), others = lock_count_of_others(slice->locks, holder);
    if (others == 0) return true;
    // Who writes much looks at the few locks that others have, everybody else at the few keys written.
    if (others < commit->write_count / 16) {
        return !lock_taken_by_other_any(slice->locks, holder, commit_lock, commit);
    }
    for (uint32_t i = 0; i < commit->write_count; i++) {
        const struct write_node *write = commit->writes[i];
        if (lock_taken_by_other(slice->locks, holder, write->key, write_node_lock(write))) return false;
    }
    return true;
}

// What was inserted must still be as it was when the transaction looked. Many are looked at with
// yields; what came in between is in the validator.
static struct status validate_writes(
    struct task *task, struct slice *slice, const struct leader_commit *commit)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < commit->write_count; i++) {
        if (!commit->writes[i]->checked) continue;
        const struct read_entry entry = {.start = commit->writes[i]->key};
        TRY(validate_reads(task, slice, &entry, 1, commit->checked_ts));
        if (i % 1024 == 1023) TRY(task_yield_if_due(task));
    }
out:
    return st;
}

// Whether a checked write was met by somebody else's after the mark.
static enum validator_answer writes_since(
    struct slice *slice, const struct leader_commit *commit, uint64_t mark)
{
    if (commit->write_count == 0) return VALIDATOR_SAME;
    const struct validator_keys keys = {
        .first = commit->writes[0]->key,
        .last = commit->writes[commit->write_count - 1]->key,
        .wanted = commit_checks,
        .arg = commit,
    };
    return validator_keys_since(slice->validator, &keys, mark, commit->call.owner.txn);
}

// Reads and writes as of one moment: nothing suspends between the last look and the return.
static struct status validate_all(
    struct task *task, struct slice *slice, const struct leader_commit *commit)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < VALIDATE_ROUNDS_MAX; attempt++) {
        uint64_t mark = validator_mark(slice->validator);
        TRY(validate_writes(task, slice, commit));
        TRY(validate_reads(
            task, slice, commit->reads, commit->read_count, commit->call.read_ts));
        if (validator_mark(slice->validator) == mark) return STATUS_OK;
        // It suspended, and others committed: the reads were validated last, the writes before.
        enum validator_answer answer = writes_since(slice, commit, mark);
        if (answer == VALIDATOR_SAME) return STATUS_OK;
        if (answer == VALIDATOR_CHANGED) break;
    }
    st = status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "could not serialize access due to concurrent update");
out:
    return st;
}

// With room in the log: nothing suspends between the last look and the return.
static struct status validate_admitted(
    struct task *task, struct slice *slice, const struct leader_commit *commit)
{
    struct status st = STATUS_OK;
    do {
        TRY(slice_admit(task, slice, commit->payload.size));
        TRY(check_threshold(slice, &commit->call));
        TRY(check_own(slice, commit));
        TRY(validate_all(task, slice, commit));
        // Validating much suspends: a large entry may have begun to go out in parts.
    } while (slice->parts_open);
    TRY(slice_admit(task, slice, commit->payload.size)); // Does not wait now.
    TRY(check_own(slice, commit));
out:
    return st;
}

struct status leader_commit_begin(struct task *task, struct slice *slice,
    struct leader_commit *commit, bool keep_locks)
{
    struct status st = STATUS_OK;
    const uint64_t tenant = commit->call.tenant;
    uint64_t version = slice->ranges->version;
    TRY(serves_writes(task, slice, commit));
    TRY(leader_serves_reads(slice, tenant, commit->reads, commit->read_count));
    TRY(leader_check_held(slice, &commit->call, commit->held, commit->held_count));
    // Most commits find their keys free, and write them in this very turn: no need for locks then.
    bool locked = keep_locks || !writes_are_free(slice, commit);
    if (locked) TRY(lock_writes(task, slice, commit));
    for (;;) {
        TRY(validate_admitted(task, slice, commit));
        if (slice->ranges->version != version) {
            TRY(serves_writes(NULL, slice, commit));
            TRY(leader_serves_reads(slice, tenant, commit->reads, commit->read_count));
        }
        // Validating long spans suspends, and others may have come in between: then the keys must be locked first.
        if (keep_locks || writes_are_free(slice, commit)) {
            // Nothing suspends from here on; before, something may have.
            return leader_check_held(slice, &commit->call, commit->held, commit->held_count);
        }
        if (locked) break;
        covered("leader.locked_late");
        TRY(lock_writes(task, slice, commit));
        locked = true;
    }
    st = status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "could not serialize access due to concurrent update");
out:
    return st;
}

struct status leader_commit_ts(struct slice *slice, struct leader_commit *commit)
{
    // No clock is so far ahead that somebody could have committed there.
    const uint64_t now_ns = hlc_now(&slice->shard->hlc).wall_ns;
    if (UNLIKELY(commit->after.wall_ns > now_ns + AFTER_MAX_NS))
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "timestamp is in the future");
    const struct hlc_timestamp least = hlc_is_zero(commit->after) ? HLC_ZERO : hlc_next(commit->after);
    commit->commit_ts = slice_commit_ts_above(slice, least);
    if (hlc_is_zero(commit->until) || hlc_less_equal(commit->commit_ts, commit->until)) return STATUS_OK;
    return status_make_retry(K_LATE, RETRY_STATEMENT, "the commit comes too late for what it relies on");
}

// An acknowledged commit lies before any snapshot taken afterwards on whatever shard: all of a node
// read one wall clock, and their snapshots are at or above it. So an acknowledgement waits for that
// clock to pass.
struct status leader_clock_pass(struct task *task, struct hlc_timestamp ts)
{
    struct env *env = task->shard->env;
    for (;;) {
        int64_t now_ns = env->wall_ns(env);
        if (now_ns > 0 && (uint64_t)now_ns > ts.wall_ns) return STATUS_OK;
        struct status st = task_sleep(task, ts.wall_ns - (uint64_t)now_ns + 1);
        // Committed is committed: a cancelled task ends a moment early rather than not at all.
        if (failed(st)) return STATUS_OK;
    }
}

// Commits of other nodes' clients may come twice: the answer to the first was lost.
struct leader_guard {
    struct list_link link;
    uint64_t txn;
    struct wait_queue ended;
};

static struct list_link *guards_of(struct client *client, uint64_t txn)
{
    return &client->commits[txn % CLIENT_COMMIT_LISTS];
}

static struct leader_guard *guard_find(struct client *client, uint64_t txn)
{
    struct list_link *guards = guards_of(client, txn);
    for (struct list_link *at = guards->next; at != guards; at = at->next) {
        struct leader_guard *guard = container_of(at, struct leader_guard, link);
        if (guard->txn == txn) return guard;
    }
    return NULL;
}

static bool was_refused(const struct client *client, uint64_t txn)
{
    uint64_t count = client->refused_count;
    if (count > CLIENT_REFUSED_MAX) count = CLIENT_REFUSED_MAX;
    for (uint64_t i = 0; i < count; i++) {
        if (client->refused[i] == txn) return true;
    }
    return false;
}

// What became of an earlier request for the same commit. *done: it committed.
static struct status fate_look(
    struct task *task, struct slice *slice, struct leader_commit *commit, bool *done)
{
    struct status st = STATUS_OK;
    struct client *client = client_of(task);
    const uint64_t txn = commit->call.owner.txn;
    *done = false;
    struct leader_guard *guard;
    while ((guard = guard_find(client, txn)) != NULL) TRY(task_wait(task, &guard->ended));
    TRY(leader_slice(task, &commit->call, &slice));
    // Its timestamp would be above its snapshot.
    switch (slice_txn_fate(slice, txn, commit->call.read_ts, &commit->commit_ts)) {
    case SLICE_FATE_COMMITTED: *done = true; break;
    case SLICE_FATE_NONE: break;
    case SLICE_FATE_UNKNOWN:
        if (!commit->call.again) break; // The first time, from a snapshot long ago.
        st = status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS,
            "the result of the commit is unknown: it is too long ago");
        break;
    }
    if (!*done && !failed(st) && was_refused(client, txn)) {
        st = status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
            "could not serialize access: the commit was refused before");
    }
out:
    return st;
}

static struct status commit_run(
    struct task *task, struct slice *slice, struct leader_commit *commit);

static struct status commit_guarded(struct task *task, struct slice *slice,
    struct leader_commit *commit,
    struct status (*run)(struct task *task, struct slice *slice, struct leader_commit *commit))
{
    struct client *client = client_of(task);
    struct leader_guard guard = {.txn = commit->call.owner.txn};
    wait_queue_init(&guard.ended);
    list_append(guards_of(client, guard.txn), &guard.link);
    struct status st = run(task, slice, commit);
    list_remove(&guard.link);
    wait_queue_wake_all(&guard.ended, STATUS_OK);
    return st;
}

static struct status commit_again(
    struct task *task, struct slice *slice, struct leader_commit *commit)
{
    struct status st = STATUS_OK;
    struct client *client = client_of(task);
    const uint64_t txn = commit->call.owner.txn;
    bool done;
    TRY(fate_look(task, slice, commit, &done));
    if (done) {
        lock_release_all(slice->locks, leader_holder(&commit->call));
        return leader_clock_pass(task, commit->commit_ts);
    }
    st = commit_guarded(task, slice, commit, commit_run);
    // Its client goes by this answer: a first request that is late must not commit after all.
    bool refused = failed(st) && !status_is(st, E_AMBIGUOUS_RESULT) && commit->call.again;
    if (refused) client->refused[client->refused_count++ % CLIENT_REFUSED_MAX] = txn;
out:
    return st;
}

struct status leader_commit(struct task *task, void *arg)
{
    struct leader_commit *commit = arg;
    struct slice *slice;
    struct status st = leader_slice(task, &commit->call, &slice);
    if (failed(st)) return st;
    // Whose first request went to another node finds itself beside the leader at the second.
    bool once = !commit->call.relayed && !commit->call.again;
    return LIKELY(once) ? commit_run(task, slice, commit) : commit_again(task, slice, commit);
}

static struct status commit_run(
    struct task *task, struct slice *slice, struct leader_commit *commit)
{
    struct status st = STATUS_OK;
    TRY(leader_commit_begin(task, slice, commit, false));
    TRY(leader_commit_ts(slice, commit));
    entry_ts_set(commit->payload, commit->commit_ts);
    TRY(slice_propose(task, slice, commit->payload));
    lock_release_all(slice->locks, leader_holder(&commit->call));
    TRY(leader_clock_pass(task, commit->commit_ts));
out:
    return st;
}

struct status leader_lock(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_commit *commit = arg;
    struct slice *slice;
    TRY(leader_slice(task, &commit->call, &slice));
    TRY(serves_writes(task, slice, commit));
    TRY(leader_check_held(slice, &commit->call, commit->held, commit->held_count));
    TRY(lock_writes(task, slice, commit));
out:
    return st;
}

static struct status prepare_run(
    struct task *task, struct slice *slice, struct leader_commit *commit)
{
    struct status st = STATUS_OK;
    TRY(leader_commit_begin(task, slice, commit, true));
    commit->mark = validator_mark(slice->validator);
    commit->epoch = slice->epoch;
    TRY(leader_commit_ts(slice, commit));
    entry_ts_set(commit->payload, commit->commit_ts);
    TRY(slice_propose(task, slice, commit->payload));
    if (slice_prepared_find(slice, commit->call.owner.txn) == NULL) {
        st = leader_given_up();
    }
out:
    return st;
}

struct status leader_prepare(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_commit *commit = arg;
    const uint64_t txn = commit->call.owner.txn;
    struct slice *slice;
    TRY(leader_slice(task, &commit->call, &slice));
    if (LIKELY(!commit->call.relayed && !commit->call.again)) {
        return prepare_run(task, slice, commit);
    }
    struct leader_guard *guard;
    while ((guard = guard_find(client_of(task), txn)) != NULL) TRY(task_wait(task, &guard->ended));
    TRY(leader_slice(task, &commit->call, &slice));
    const struct pending *prepared = slice_prepared_find(slice, txn);
    if (prepared == NULL) return commit_guarded(task, slice, commit, prepare_run);
    // By the first request, validated up to that moment, which no validator's mark tells of any more: what was
    // read here counts as changed. No locks: who has them meanwhile waits for what is prepared.
    commit->commit_ts = prepared->ts;
    commit->epoch = 0;
    TRY(serves_writes(task, slice, commit));
out:
    return st;
}

struct status leader_validate(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_validate *check = arg;
    struct leader_call *call = &check->call;
    struct slice *slice;
    TRY(leader_slice(task, call, &slice));
    TRY(leader_serves_reads(slice, call->tenant, check->reads, check->read_count));
    TRY(leader_check_held(slice, call, check->held, check->held_count));
    slice_read_high_raise(slice, check->to);
    if (!check->prepared) {
        if (check->read_count == 0) goto out; // Locks alone.
        TRY(check_threshold(slice, call));
        TRY(validate_reads(task, slice, check->reads, check->read_count, call->read_ts));
        TRY(leader_serves_reads(slice, call->tenant, check->reads, check->read_count));
        TRY(leader_check_held(slice, call, check->held, check->held_count));
        goto out;
    }
    // Up to the prepare it was validated there; its own prepared writes are none of its conflicts. What came since is
    // known to the leader that prepared it, as far as it remembers: others look at what there is.
    if (check->epoch != slice->epoch ||
        validator_since(slice->validator, check->reads, check->read_count, check->mark,
            call->owner.txn) != VALIDATOR_SAME) {
        covered("leader.validated_anew");
        TRY(check_threshold(slice, call));
        TRY(validate_reads_but(task, slice, check->reads, check->read_count, call->read_ts, call->owner.txn));
        TRY(leader_serves_reads(slice, call->tenant, check->reads, check->read_count));
    }
    if (check->read_count > 0) TRY(leader_check_held(slice, call, check->held, check->held_count));
out:
    return st;
}

struct status leader_resolve(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_resolve *resolve = arg;
    struct leader_call *call = &resolve->call;
    struct slice *slice;
    struct entry_builder builder;
    TRY(leader_slice(task, call, &slice));
    if (staged_find(slice, call->owner.txn) != NULL) {
        TRY(leader_staged_end(task, slice, resolve));
    } else if (slice_prepared_find(slice, call->owner.txn) != NULL) {
        entry_begin(&builder, task->arena);
        const struct entry_op op = {
            .kind = ENTRY_RESOLVE,
            .txn = call->owner.txn,
            .commit = resolve->commit,
            .ts = call->read_ts,
        };
        entry_op_append(&builder, &op);
        TRY(slice_admit(task, slice, 0)); // Also on a full disk: somebody may be waiting for it.
        TRY(slice_propose(task, slice, entry_end(&builder)));
    }
    if (!resolve->keep_locks) lock_release_all(slice->locks, leader_holder(call));
    // By that name it was known here for what it had written, if at all: leader_writer_known.
    if (call->owner.txn != leader_holder(call)) lock_release_all(slice->locks, call->owner.txn);
out:
    return st;
}
