// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/leader.h"

#include "core/invariant.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/leader_internal.h"
#include "kv/leader_wire.h"
#include "kv/move_side.h"
#include "kv/range.h"
#include "kv/router.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"
#include "kv/txn.h"
#include "kv/validate.h"

#define VALIDATE_ROUNDS_MAX 8u
#define AFTER_MAX_NS UINT64_C(10000000000)
#define SCAN_ROWS_DEFAULT 1024u // As kv/slice_read.c has it.

// --- what every request is checked for -----------------------------------------------------------

static struct status foreign(void)
{
    return status_make(E_INSUFFICIENT_PRIVILEGE, "key does not belong to this virtual cluster");
}

struct status leader_check_key(uint64_t tenant, struct bytes key)
{
    bool own = tenant == 0 ? span_contains(range_meta_span(), key) : key_in_tenant(key, tenant);
    return own ? STATUS_OK : foreign();
}

// The end of a span is no key of it: it may be the first one past the tenant's.
static bool is_tenant_end(uint64_t tenant, struct bytes end)
{
    if (tenant == 0) return bytes_equal(end, range_meta_span().end);
    struct arena arena;
    arena_init(&arena, NULL);
    bool is_end = bytes_equal(end, key_tenant_span(&arena, tenant).end);
    arena_fini(&arena);
    return is_end;
}

struct status leader_check_span(uint64_t tenant, struct span span)
{
    if (bytes_compare(span.start, span.end) > 0) {
        return status_make(E_INTERNAL, "span ends before it starts");
    }
    struct status st = leader_check_key(tenant, span.start);
    if (failed(st)) return st;
    if (!failed(leader_check_key(tenant, span.end))) return STATUS_OK;
    return is_tenant_end(tenant, span.end) ? STATUS_OK : foreign();
}

static struct status wrong_range(void)
{
    return status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT, "the slice does not serve this key");
}

static struct status serves_key(struct slice *slice, uint64_t tenant, struct bytes key)
{
    struct status st = leader_check_key(tenant, key);
    if (failed(st)) return st;
    struct range_entry *entry = range_set_find(slice->ranges, key);
    if (entry == NULL) return wrong_range();
    range_entry_ask(entry, key);
    return STATUS_OK;
}

static struct status serves_span(struct slice *slice, uint64_t tenant, struct span span)
{
    struct status st = leader_check_span(tenant, span);
    if (failed(st)) return st;
    if (!range_set_covers(slice->ranges, span)) return wrong_range();
    struct range_entry *entry = range_set_find(slice->ranges, span.start);
    if (entry != NULL) range_entry_ask(entry, span.start);
    return STATUS_OK;
}

// Whoever goes by a descriptor that has changed since looks it up again. What this leader has not heard of yet is newer.
static struct status serves_as_told(struct slice *slice, const struct leader_call *call, struct bytes key)
{
    if (call->generation == 0) return STATUS_OK;
    const struct range_entry *entry = range_set_find(slice->ranges, key);
    return entry != NULL && call->generation < entry->range.generation ? wrong_range() : STATUS_OK;
}

struct status leader_slice(
    struct task *task, const struct leader_call *call, struct slice **slice)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    *slice = kv_slice_find(kv, call->slice);
    if (*slice != NULL) {
        // A follower's reads look for themselves whether it is far enough.
        if (call->follower) return STATUS_OK;
        struct status st = slice_may_serve(task, *slice);
        return failed(st) ? st : leader_staged_check(*slice, call);
    }
    // Of a slice that is nowhere no replica will ever be found.
    if (client_of(task)->directory == NULL) return wrong_range();
    return status_make_retry(K_NOT_LEADER, RETRY_STATEMENT, "the slice has no replica here");
}

struct status leader_run(struct task *task, struct leader_call *call, enum leader_kind kind)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    struct slice *slice = kv == NULL ? NULL : kv_slice_find(kv, call->slice);
    call->leader = 0;
    if (UNLIKELY(slice == NULL)) return leader_codec(kind)->run(task, call);
    slice_hold(slice);
    call->locks_since = 0; // Of what another leader has answered, none.
    const uint64_t turn = slice->turn;
    struct status st = leader_codec(kind)->run(task, call);
    // With other replicas that is no last word, nor is what a replica says whose log or store has failed.
    const bool unknown = status_is(st, E_AMBIGUOUS_RESULT);
    if (UNLIKELY(unknown || status_is(st, E_IO_ERROR)) && slice->leased &&
        (failed(slice->failed) || (unknown && slice->turn != turn)))
        st = status_make_retry(K_FATE_ELSEWHERE, RETRY_STATEMENT,
            "the replica lost its leadership while the request was under way");
    if (UNLIKELY(status_is(st, K_NOT_LEADER))) {
        uint32_t leader = slice_leader(slice);
        call->leader = leader == task->shard->node->id ? 0 : leader;
    }
    slice_let_go(slice);
    return st;
}

// --- reading -------------------------------------------------------------------------------------

// Keys may be written by transactions that hold no lock of the table.
static bool has_writers(const struct slice *slice)
{
    return !list_empty(&slice->staged) || !list_empty(&slice->staging) ||
           !list_empty(&slice->prepared);
}

static struct status lock_key(struct task *task, struct slice *slice, struct leader_call *call,
    const struct kv_read *read, struct bytes key, struct lock_answer *answer)
{
    const struct lock_request request = {
        .owner = {leader_holder(call), call->owner.age_ns},
        .mode = read->lock,
        .wait = read->wait,
        .deadline_ns = call->lock_deadline_ns,
        .level = call->lock_level,
    };
    call->locks_taken++;
    if (move_shuts(slice, key, leader_holder(call))) return wrong_range();
    if (UNLIKELY(has_writers(slice))) {
        struct status st = leader_writer_known(slice, key, call->owner.txn);
        if (failed(st)) return st;
    }
    struct status st = lock_acquire(task, slice->locks, &request, key, answer);
    call->lock_wait_ns += answer->waited_ns;
    if (failed(st) || answer->skipped) return st;
    if (call->locks_since == 0) call->locks_since = answer->since;
    return st;
}

// Locks live in the leader's memory. Whoever relies on them instead of validating what it read is told when they went
// with an earlier leader, or were taken away because its node was silent; also if it has taken them again since.
static struct status check_held_key(
    struct slice *slice, const struct leader_call *call, const struct held_key *held)
{
    const struct bytes key = held->key;
    struct status st = serves_key(slice, call->tenant, key);
    if (failed(st)) return st;
    if (LIKELY(lock_held_since(slice->locks, leader_holder(call), key, held->mode, held->since)))
        return STATUS_OK;
    uint64_t writer = 0; // What is staged is locked by being there.
    if (!list_empty(&slice->staged)) st = staged_owner(slice, key, 0, &writer);
    if (failed(st) || writer == call->owner.txn) return st;
    covered("leader.lost_locks");
    return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "could not serialize access: the locks of the transaction were lost");
}

static struct status check_held(struct slice *slice, const struct leader_call *call,
    const struct held_key *keys, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count && !failed(st); i++)
        st = check_held_key(slice, call, &keys[i]);
    return st;
}

// While a request took its locks some of the slice may have been lost: those that it answers with are asked for all.
static bool locks_unsure(const struct slice *slice, const struct leader_call *call)
{
    return UNLIKELY(call->locks_since != 0 && call->locks_since != slice->locks->since);
}

// A node's own shards have one clock: what was acknowledged here is below any later snapshot.
static struct slice_reader reader_of(struct leader_call *call)
{
    return (struct slice_reader){
        .tenant = call->tenant,
        .ts = call->read_ts,
        .uncertain = call->uncertain,
        .certain = call->relayed ? call->certain : HLC_ZERO,
        .moved_to = &call->moved_to,
        .follower = call->follower,
    };
}

// What the transaction itself staged, if it did: that is locked, too.
static struct status get_staged(
    struct slice *slice, struct leader_get *get, uint32_t i, bool *found)
{
    const struct leader_call *call = &get->call;
    *found = false;
    if (LIKELY(call->view == NULL)) return STATUS_OK;
    struct status st = leader_staged_check(slice, call); // Former keys may have suspended.
    if (failed(st)) return st;
    st = staged_read(slice, call->owner.txn, call->view, get->keys[i],
        get->call.arena, &get->values[i], found);
    if (*found && get->skipped != NULL) get->skipped[i] = false;
    return st;
}

// One key under a lock: the newest there is, however new.
static struct status get_locked(struct task *task, struct slice *slice, struct leader_get *get,
    uint32_t i)
{
    struct status st = STATUS_OK;
    struct leader_call *call = &get->call;
    struct lock_answer answer;
    TRY(lock_key(task, slice, call, &get->read, get->keys[i], &answer));
    if (get->skipped != NULL) get->skipped[i] = answer.skipped;
    if (answer.skipped) {
        get->values[i] = (struct bytes){0};
        return STATUS_OK;
    }
    if (answer.suspended) TRY(serves_key(slice, call->tenant, get->keys[i]));
    const struct slice_reader reader = {.tenant = call->tenant, .newest = true};
    struct slice_value value;
    slice_read_high_raise(slice, call->read_ts);
    TRY(slice_read_point(task, slice, &reader, get->keys[i], call->arena, &value));
    get->values[i] = value.value;
    if (hlc_less(call->read_ts, value.ts)) {
        call->moved_to = hlc_max(call->moved_to, value.ts);
    }
out:
    return st;
}

static struct status serves_keys(struct slice *slice, const struct leader_get *get)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < get->count && !failed(st); i++)
        st = serves_key(slice, get->call.tenant, get->keys[i]);
    return st;
}

static struct status get_settle(struct slice *slice, struct leader_get *get)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < get->count; i++) {
        const struct held_key held = {.key = get->keys[i], .mode = get->read.lock};
        if (get->skipped == NULL || !get->skipped[i])
            TRY(check_held_key(slice, &get->call, &held));
    }
    get->call.locks_since = slice->locks->since;
out:
    return st;
}

struct status leader_get(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_get *get = arg;
    struct slice *slice;
    TRY(leader_slice(task, &get->call, &slice));
    const uint64_t version = slice->ranges->version;
    TRY(serves_keys(slice, get));
    if (get->count == 1) TRY(serves_as_told(slice, &get->call, get->keys[0]));
    const struct slice_reader reader = reader_of(&get->call);
    if (get->count > 1 && get->read.lock == KV_LOCK_NONE && get->call.view == NULL) {
        TRY(slice_read_points(
            task, slice, &reader, get->keys, get->count, get->call.arena, get->values));
        if (get->skipped != NULL) memset(get->skipped, 0, get->count * sizeof *get->skipped);
        goto read;
    }
    for (uint32_t i = 0; i < get->count; i++) {
        bool staged;
        TRY(get_staged(slice, get, i, &staged));
        if (UNLIKELY(staged)) continue;
        if (get->read.lock != KV_LOCK_NONE) {
            TRY(get_locked(task, slice, get, i));
        } else {
            struct slice_value value;
            TRY(slice_read_point(task, slice, &reader, get->keys[i], get->call.arena, &value));
            get->values[i] = value.value;
            if (get->skipped != NULL) get->skipped[i] = false;
        }
        if (i % 64 == 63) TRY(task_yield_if_due(task));
    }
read:
    // Whoever waited may find that the range has left: others may have written there since.
    if (UNLIKELY(slice->ranges->version != version)) TRY(serves_keys(slice, get));
    if (locks_unsure(slice, &get->call)) TRY(get_settle(slice, get));
out:
    return st;
}

struct status leader_present(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_present *get = arg;
    struct slice *slice;
    TRY(leader_slice(task, &get->call, &slice));
    TRY(serves_key(slice, get->call.tenant, get->key));
    TRY(serves_as_told(slice, &get->call, get->key));
    const struct slice_reader reader = {
        .tenant = get->call.tenant, .ts = slice_present(slice)};
    struct slice_value value;
    TRY(slice_read_point(task, slice, &reader, get->key, get->call.arena, &value));
    TRY(serves_key(slice, get->call.tenant, get->key));
    get->value = value.value;
out:
    return st;
}

static struct status scan_once(
    struct task *task, struct slice *slice, struct leader_scan *scan)
{
    const struct slice_reader reader = reader_of(&scan->call);
    struct slice_scan reading = {
        .span = scan->span, .reverse = scan->reverse, .rows_max = scan->rows_max};
    // What the transaction staged here is laid over rows that have been gathered.
    bool visits = scan->call.here && scan->read.lock == KV_LOCK_NONE && scan->call.view == NULL;
    if (!visits) scan->visitor = NULL;
    reading.visitor = scan->visitor;
    struct status st =
        slice_read_span(task, slice, &reader, &reading, scan->call.arena, &scan->batch);
    if (failed(st)) return st;
    scan->done = reading.done;
    scan->span = reading.span;
    scan->bytes_visited = reading.bytes_visited;
    return STATUS_OK;
}

// SKIP LOCKED: of the rows in the snapshot those that can be had at once, as they are now.
static struct status lock_rows_skipping(
    struct task *task, struct slice *slice, struct leader_scan *scan)
{
    struct status st = STATUS_OK;
    struct leader_call *call = &scan->call;
    const struct slice_reader reader = {.tenant = call->tenant, .newest = true};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < scan->batch.count; i++) {
        struct kv_pair *pair = &scan->batch.pairs[i];
        struct lock_answer answer;
        TRY(lock_key(task, slice, call, &scan->read, pair->key, &answer));
        if (answer.skipped) continue;
        struct slice_value value;
        TRY(slice_read_point(task, slice, &reader, pair->key, call->arena, &value));
        if (hlc_less(call->read_ts, value.ts)) {
            call->moved_to = hlc_max(call->moved_to, value.ts);
            if (value.value.data == NULL) continue; // Deleted meanwhile.
            pair->value = value.value;
        }
        scan->batch.pairs[kept++] = *pair;
    }
    scan->batch.count = kept;
    // Others may change what is locked so: rows are as of the snapshot, and that moves first.
    if (scan->read.lock != KV_LOCK_KEY_SHARE || hlc_is_zero(call->moved_to)) goto out;
    call->moved_to = hlc_max(slice->last_commit, hlc_now(&slice->shard->hlc));
    st = status_make(K_MOVED, "rows changed after the snapshot");
out:
    return st;
}

// Locks every row of the batch. Afterwards the snapshot is either still the newest state of what
// was scanned, or the client has to move its snapshot and ask again: K_MOVED.
static struct status lock_rows(struct task *task, struct slice *slice, struct leader_scan *scan,
    struct span scanned)
{
    struct status st = STATUS_OK;
    struct leader_call *call = &scan->call;
    for (uint32_t i = 0; i < scan->batch.count; i++) {
        struct lock_answer answer;
        TRY(lock_key(task, slice, call, &scan->read, scan->batch.pairs[i].key, &answer));
    }
    TRY(serves_span(slice, call->tenant, scanned));
    const struct read_entry entry = {scanned.start, scanned.end};
    st = validate_reads(task, slice, &entry, 1, call->read_ts);
    if (!status_is(st, E_SERIALIZATION_FAILURE)) return st;
    call->moved_to = hlc_max(slice->last_commit, hlc_now(&slice->shard->hlc));
    st = status_make(K_MOVED, "rows changed after the snapshot");
out:
    return st;
}

static struct status scan_overlay(struct slice *slice, struct leader_scan *scan, struct span asked)
{
    struct staged_overlay overlay = {
        .txn = scan->call.owner.txn,
        .view = scan->call.view,
        .covered = asked,
        .reverse = scan->reverse,
        .rows_max = scan->rows_max == 0 ? SCAN_ROWS_DEFAULT : scan->rows_max,
        .arena = scan->call.arena,
        .batch = &scan->batch,
    };
    if (!scan->done && !scan->reverse) overlay.covered.end = scan->span.start;
    if (!scan->done && scan->reverse) overlay.covered.start = scan->span.end;
    struct status st = leader_staged_check(slice, &scan->call); // The scan may have suspended.
    if (!failed(st)) st = staged_overlay(slice, &overlay);
    if (failed(st) || !overlay.cut) return st;
    scan->done = false;
    scan->span = asked;
    if (scan->reverse) {
        scan->span.end = overlay.covered.start;
    } else {
        scan->span.start = overlay.covered.end;
    }
    return STATUS_OK;
}

static struct status scan_settle(struct slice *slice, struct leader_scan *scan)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < scan->batch.count; i++) {
        const struct held_key held = {.key = scan->batch.pairs[i].key, .mode = scan->read.lock};
        TRY(check_held_key(slice, &scan->call, &held));
    }
    scan->call.locks_since = slice->locks->since;
out:
    return st;
}

struct status leader_scan(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_scan *scan = arg;
    struct slice *slice;
    TRY(leader_slice(task, &scan->call, &slice));
    TRY(serves_span(slice, scan->call.tenant, scan->span));
    TRY(serves_as_told(slice, &scan->call, scan->span.start));
    struct span asked = scan->span;
    uint64_t version = slice->ranges->version;
    TRY(scan_once(task, slice, scan));
    // A long scan yields: the range may have gone away with rows that came after.
    if (slice->ranges->version != version) TRY(serves_span(slice, scan->call.tenant, asked));
    if (scan->read.lock == KV_LOCK_NONE) goto overlay;
    if (scan->read.wait == KV_WAIT_SKIP) {
        st = lock_rows_skipping(task, slice, scan);
        if (status_is(st, K_MOVED)) scan->span = asked;
        TRY(st);
        TRY(serves_span(slice, scan->call.tenant, asked));
        goto overlay;
    }
    struct span scanned = asked;
    if (!scan->done && !scan->reverse) scanned.end = scan->span.start;
    if (!scan->done && scan->reverse) scanned.start = scan->span.end;
    st = lock_rows(task, slice, scan, scanned);
    if (status_is(st, K_MOVED)) scan->span = asked;
    TRY(st);
overlay:
    if (locks_unsure(slice, &scan->call)) TRY(scan_settle(slice, scan));
    if (UNLIKELY(scan->call.view != NULL)) st = scan_overlay(slice, scan, asked);
out:
    return st;
}

// --- validating ----------------------------------------------------------------------------------

static struct status serves_reads(struct slice *slice, uint64_t tenant,
    const struct read_entry *entries, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count && !failed(st); i++) {
        const struct read_entry *entry = &entries[i];
        st = read_entry_is_key(entry)
            ? serves_key(slice, tenant, entry->start)
            : serves_span(slice, tenant, (struct span){entry->start, entry->end});
    }
    return st;
}

struct status leader_refresh(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_refresh *refresh = arg;
    struct slice *slice;
    TRY(leader_slice(task, &refresh->call, &slice));
    TRY(serves_reads(slice, refresh->call.tenant, refresh->entries, refresh->count));
    slice_read_high_raise(slice, refresh->to);
    TRY(validate_reads(task, slice, refresh->entries, refresh->count, refresh->call.read_ts));
    TRY(serves_reads(slice, refresh->call.tenant, refresh->entries, refresh->count));
out:
    return st;
}

// --- committing ----------------------------------------------------------------------------------

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
        TRY(serves_key(slice, commit->call.tenant, commit->writes[i]->key));
        if (move_shuts(slice, commit->writes[i]->key, leader_holder(&commit->call))) {
            st = wrong_range();
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
        st = lock_key(task, slice, &commit->call, &read, commit->writes[i]->key, &answer);
    }
    // They were held, and went with an earlier leader: the client begins its commit anew, and waits for them.
    if (commit->no_wait && status_is(st, E_LOCK_NOT_AVAILABLE)) st = wrong_range();
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
    if (UNLIKELY(has_writers(slice)) && writes_have_writer(slice, commit)) return false;
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
    TRY(serves_reads(slice, tenant, commit->reads, commit->read_count));
    TRY(check_held(slice, &commit->call, commit->held, commit->held_count));
    // Most commits find their keys free, and write them in this very turn: no need for locks then.
    bool locked = keep_locks || !writes_are_free(slice, commit);
    if (locked) TRY(lock_writes(task, slice, commit));
    for (;;) {
        TRY(validate_admitted(task, slice, commit));
        if (slice->ranges->version != version) {
            TRY(serves_writes(NULL, slice, commit));
            TRY(serves_reads(slice, tenant, commit->reads, commit->read_count));
        }
        // Validating long spans suspends, and others may have come in between: then the keys must be locked first.
        if (keep_locks || writes_are_free(slice, commit)) {
            // Nothing suspends from here on; before, something may have.
            return check_held(slice, &commit->call, commit->held, commit->held_count);
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
    TRY(check_held(slice, &commit->call, commit->held, commit->held_count));
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
        st = status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
            "could not serialize access: transaction was given up by another");
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
    TRY(serves_reads(slice, call->tenant, check->reads, check->read_count));
    TRY(check_held(slice, call, check->held, check->held_count));
    slice_read_high_raise(slice, check->to);
    if (!check->prepared) {
        if (check->read_count == 0) goto out; // Locks alone.
        TRY(check_threshold(slice, call));
        TRY(validate_reads(task, slice, check->reads, check->read_count, call->read_ts));
        TRY(serves_reads(slice, call->tenant, check->reads, check->read_count));
        TRY(check_held(slice, call, check->held, check->held_count));
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
        TRY(serves_reads(slice, call->tenant, check->reads, check->read_count));
    }
    if (check->read_count > 0) TRY(check_held(slice, call, check->held, check->held_count));
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
