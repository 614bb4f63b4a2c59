// SPDX-License-Identifier: GPL-3.0-or-later
//
// Commit over several slices, in one round where all that was read is written, too (below, "in parallel"), otherwise in
// two phases:
//
//   lock       every written key, in all slices at once. From here on nothing waits for a lock.
//   prepare    each slice validates its reads, chooses its lowest possible timestamp and logs the
//              writes as prepared. Readers at or above that timestamp wait; readers below never see
//              them.
//   choose     the commit timestamp is the highest of those.
//   validate   each slice that was read checks that nothing changed up to the commit timestamp, and
//   commits
//              nothing at or below it any more.
//   record     the fate is logged in the first slice written. This is the commit: now it is
//              acknowledged.
//   resolve    in the background each slice turns its prepared writes into versions and lets go of
//              the locks, then the record ends.
//
// A crash leaves prepared writes behind. At start, before anybody is served, each is resolved by
// its record: committed when there is one that says so, dropped otherwise. Within a start the
// transaction's own shard always ends what it began, so nobody else has to look at records.
//
// In parallel: prepare and a record that is staged, at once. It is committed, at the highest timestamp of its prepared
// writes, from the moment when all of that is durable; then the record is made to say so, then it is resolved. Anybody
// can find out: a staged record names the participants. Nobody takes back a staged record but its client, when some part
// of it failed, and who has made sure that a participant never prepares it (leader_give_up).
//
// Source   Parallel commits: Taft et al., "CockroachDB: The Resilient Geo-Distributed SQL Database", 2020. Two-phase commit with presumed abort: Mohan, Lindsay, Obermarck, "Transaction Management
//          in the R* Distributed Database Management System", 1986. Choosing the timestamp as the
//          highest proposed one: Skeen's ordering.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "kv/cluster.h"
#include "kv/leader_internal.h"
#include "kv/txn.h"

#define PARALLEL_WRITES_MAX 1024u
#define STOP_PATIENCE_NS UINT64_C(2000000000)
#define RESOLVE_RETRY_NS 10000000u // When a slice cannot take the entry now: its disk is full.

METRIC_DEFINE(metric_multi, "txn.commits.multislice", METRIC_COUNTER, METRIC_COUNT, false,
    "Transactions committed over several slices");

// What outlives the transaction: enough to end it in each slice.
struct fate {
    struct shard *shard;
    struct list_link link; // client->fates.
    struct task *task;     // NULL: none of its own, or not begun.
    uint64_t txn;
    uint64_t record_slice;
    bool commit, recorded;
    bool implied;    // Its record is staged: what it says now comes first.
    bool keep_locks; // The transaction goes on with them.
    uint64_t lock_id;
    struct fate_wait *wait; // Who waits for the end; NULL: nobody.
    struct hlc_timestamp ts;
    uint32_t slice_count;
    uint64_t slices[];
};

struct fate_wait {
    struct wait_queue ended;
    bool over;
    struct status st;
};

// --- resolving -----------------------------------------------------------------------------------

static struct status resolve_slice(struct task *task, const struct fate *fate, uint64_t slice)
{
    struct leader_resolve resolve = {.commit = fate->commit, .keep_locks = fate->keep_locks};
    resolve.call.slice = slice;
    resolve.call.holder = fate->lock_id;
    resolve.call.owner.txn = fate->txn;
    resolve.call.read_ts = fate->ts;
    struct status st = leader_call(task, &resolve.call, task->arena, LEADER_RESOLVE);
    leader_reply_end(&resolve.call);
    return st;
}

static struct status record_put(struct task *task, const struct leader_record_put *wanted)
{
    struct leader_record_put put = *wanted;
    struct status st = leader_call(task, &put.call, task->arena, LEADER_RECORD_PUT);
    leader_reply_end(&put.call);
    return st;
}

static bool is_passing(struct task *task, struct status st)
{
    bool again = status_is(st, E_DISK_FULL) || status_is(st, E_OUT_OF_MEMORY) ||
        status_is(st, E_CONNECTION_FAILURE) || status_is(st, E_AMBIGUOUS_RESULT);
    bool stopping = task_now_ns(task) >= client_of(task)->patience_end_ns;
    return again && !stopping;
}

// As long as the record is staged the prepared writes are the commit: none is resolved before it says so itself.
static struct status record_explicit(struct task *task, const struct fate *fate)
{
    const struct leader_record_put put = {
        .call = {.slice = fate->record_slice, .read_ts = fate->ts, .owner.txn = fate->txn},
        .commit = true,
        .over = true,
        .slices = fate->slices,
        .slice_count = fate->slice_count,
    };
    for (;;) {
        struct status st = record_put(task, &put);
        if (!is_passing(task, st)) return st;
        st = task_sleep(task, RESOLVE_RETRY_NS);
        if (failed(st)) return st;
    }
}

// Keeps at it until it is done or storage stops: what is left then is for the next start.
static struct status resolve_all(struct task *task, struct fate *fate)
{
    struct status st = STATUS_OK;
    if (fate->implied) TRY(record_explicit(task, fate));
    for (uint32_t i = 0; i < fate->slice_count; i++) {
        for (;;) {
            st = resolve_slice(task, fate, fate->slices[i]);
            bool again = status_is(st, E_DISK_FULL) || status_is(st, E_OUT_OF_MEMORY) ||
                status_is(st, E_CONNECTION_FAILURE);
            bool stopping = task_now_ns(task) >= client_of(task)->patience_end_ns;
            if (!again || stopping) break;
            TRY(task_sleep(task, RESOLVE_RETRY_NS));
        }
        TRY(st);
    }
    if (!fate->recorded) goto out;
    const struct leader_record_put end = {
        .call.slice = fate->record_slice, .call.owner.txn = fate->txn, .end = true};
    TRY(record_put(task, &end));
out:
    return st;
}

static struct status resolve_task(struct task *task, void *arg)
{
    struct fate *fate = arg;
    fate->task = task;
    return resolve_all(task, fate);
}

static void resolve_ended(struct task *task, struct status st, void *arg)
{
    struct fate *fate = arg;
    (void)task;
    if (failed(st) && !status_is(st, E_ADMIN_SHUTDOWN)) {
        log_warning(0, "transaction %llu is left for others, or the next start, to resolve: %s",
            (unsigned long long)fate->txn, st.message);
    }
    struct kv_shard *kv = kv_shard_of(fate->shard);
    ((struct client *)kv->module_state[KV_SLOT_CLIENT])->resolving--;
    if (fate->wait != NULL) {
        fate->wait->over = true;
        fate->wait->st = failed(st) ? status_make(st.code, "the former attempt is not resolved") : st;
        wait_queue_wake_all(&fate->wait->ended, STATUS_OK);
    }
    list_remove(&fate->link);
    free(fate);
}

// From here on the fate owns the locks in its slices, unless they are kept. Its status is that of starting the task.
static struct status fate_start(struct kv_txn *txn, struct fate *fate)
{
    struct kv_shard *kv = kv_shard_of(txn->shard);
    struct client *client = kv->module_state[KV_SLOT_CLIENT];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < txn->locked_count; i++) {
        bool taken = false;
        for (uint32_t k = 0; k < fate->slice_count && !fate->keep_locks; k++) {
            taken = taken || fate->slices[k] == txn->locked_slices[i];
        }
        if (!taken) txn->locked_slices[kept++] = txn->locked_slices[i];
    }
    txn->locked_count = kept;

    client->resolving++;
    list_append(&client->fates, &fate->link);
    const struct task_options options = {
        .fn = resolve_task,
        .arg = fate,
        .kind = "kv.resolve",
        .class = TASK_SYSTEM,
        .ended = resolve_ended,
        .ended_arg = fate,
    };
    return task_start(txn->shard, &options);
}

static void resolve_start(struct task *task, struct kv_txn *txn, struct fate *fate)
{
    struct status st = fate_start(txn, fate);
    if (!failed(st)) return;
    // No fiber to be had: this one does it.
    st = resolve_all(task, fate);
    resolve_ended(task, st, fate);
}

// Its attempt to commit is over, having found a route that was stale: what of it was prepared is dropped, and then another
// begins, under another id: what is still under way of the first finds nothing to join. The locks stay, so that nobody
// comes in between: what was read under them is as true as it was. What was read without is validated anew.
static struct status renew(struct task *task, struct kv_txn *txn, struct fate *fate)
{
    struct status st = STATUS_OK;
    struct fate_wait wait = {0};
    wait_queue_init(&wait.ended);
    fate->keep_locks = true;
    fate->wait = &wait;
    resolve_start(task, txn, fate);
    while (!wait.over && !failed(st)) st = task_wait(task, &wait.ended);
    if (!wait.over) fate->wait = NULL;
    if (failed(st)) return st;
    if (failed(wait.st))
        return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
            "could not serialize access: its rows moved during the commit");
    covered("commit.renewed");
    txn_attempt_anew(txn);
    return STATUS_OK;
}

// --- the phases ----------------------------------------------------------------------------------

struct multi {
    struct kv_txn *txn;
    struct txn_parts *parts;
    struct leader_item *items;
    struct leader_commit *commits; // One for each part that writes.
    struct leader_validate *checks;
    uint32_t writer_count;
    uint64_t record_slice;
    struct hlc_timestamp ts;
};

// Sends them all. The first failure among them; routes that were stale come last, because any other
// failure stands.
static struct status items_run(
    struct task *task, struct leader_item *items, uint32_t count, struct arena *arena)
{
    struct status st = STATUS_OK;
    leader_call_many(task, items, count, arena);
    for (uint32_t i = 0; i < count; i++) {
        struct status one = items[i].status;
        if (!failed(one)) continue;
        if (!failed(st) || status_is(st, K_WRONG_RANGE)) st = one;
    }
    return st;
}

static struct status commits_send(
    struct task *task, struct multi *multi, enum leader_kind kind)
{
    struct kv_txn *txn = multi->txn;
    uint32_t n = 0;
    for (uint32_t i = 0; i < multi->parts->count; i++) {
        const struct txn_part *part = &multi->parts->parts[i];
        if (part->write_count == 0) continue;
        struct leader_commit *commit = &multi->commits[n];
        struct bytes payload = commit->payload;
        commit_request_init(txn, task, part, commit);
        commit->payload = payload;
        txn_note_locks(txn, part->slice);
        multi->items[n++] = (struct leader_item){.kind = kind, .call = &commit->call};
    }
    struct status st = items_run(task, multi->items, n, &txn->arena);
    for (uint32_t i = 0; i < n; i++) {
        txn_count(txn, &multi->commits[i].call);
        leader_reply_end(&multi->commits[i].call);
    }
    return st;
}

static struct status payloads_make(struct task *task, struct multi *multi)
{
    struct status st = STATUS_OK;
    uint32_t n = 0;
    for (uint32_t i = 0; i < multi->parts->count; i++) {
        const struct txn_part *part = &multi->parts->parts[i];
        if (part->write_count == 0) continue;
        TRY(commit_payload(
            task, multi->txn, part, multi->record_slice, &multi->commits[n++].payload));
    }
out:
    return st;
}

static struct status validate_all(struct task *task, struct multi *multi)
{
    struct kv_txn *txn = multi->txn;
    uint32_t n = 0;
    uint32_t writer = 0;
    for (uint32_t i = 0; i < multi->parts->count; i++) {
        const struct txn_part *part = &multi->parts->parts[i];
        const struct leader_commit *prepared =
            part->write_count == 0 && part->stage == NULL ? NULL : &multi->commits[writer++];
        if (part->read_count + part->held_count == 0) continue;
        struct leader_validate *check = &multi->checks[n];
        memset(check, 0, sizeof *check);
        txn_call_init(txn, task, part->slice, &check->call);
        check->reads = part->reads;
        check->read_count = part->read_count;
        check->held = part->held;
        check->held_count = part->held_count;
        check->prepared = prepared != NULL;
        check->mark = prepared == NULL ? 0 : prepared->mark;
        check->epoch = prepared == NULL ? 0 : prepared->epoch;
        check->to = multi->ts;
        multi->items[n++] = (struct leader_item){.kind = LEADER_VALIDATE, .call = &check->call};
    }
    if (n == 0) return STATUS_OK;
    struct status st = items_run(task, multi->items, n, &txn->arena);
    for (uint32_t i = 0; i < n; i++) leader_reply_end(&multi->checks[i].call);
    return st;
}

static struct status record(struct task *task, struct multi *multi, const struct fate *fate)
{
    const struct leader_record_put put = {
        .call = {.slice = multi->record_slice,
            .tenant = multi->txn->tenant,
            .read_ts = multi->ts,
            .owner = {multi->txn->id, multi->txn->age_ns}},
        .commit = true,
        .slices = fate->slices,
        .slice_count = fate->slice_count,
    };
    return record_put(task, &put);
}

static struct fate *fate_make(struct task *task, const struct multi *multi)
{
    struct fate *fate = calloc(1, sizeof *fate + multi->writer_count * sizeof(uint64_t));
    if (fate == NULL) return NULL;
    fate->shard = task->shard;
    fate->txn = multi->txn->id;
    fate->lock_id = multi->txn->lock_id;
    fate->record_slice = multi->record_slice;
    for (uint32_t i = 0; i < multi->parts->count; i++) {
        const struct txn_part *part = &multi->parts->parts[i];
        if (part->write_count > 0) fate->slices[fate->slice_count++] = part->slice;
    }
    return fate;
}

static void multi_init(struct multi *multi, struct kv_txn *txn, struct txn_parts *parts)
{
    *multi = (struct multi){.txn = txn, .parts = parts};
    for (uint32_t i = 0; i < parts->count; i++) {
        if (parts->parts[i].write_count == 0) continue;
        if (multi->writer_count++ == 0) multi->record_slice = parts->parts[i].slice;
    }
    multi->items = ARENA_ARRAY(&txn->arena, struct leader_item, parts->count + 1);
    multi->commits = ARENA_ARRAY(&txn->arena, struct leader_commit, parts->count);
    multi->checks = ARENA_ARRAY(&txn->arena, struct leader_validate, parts->count);
}

// Not what it writes is the matter, but where it went, or when.
static bool is_begun_anew(struct status st)
{
    return status_is(st, K_WRONG_RANGE) || status_is(st, K_LATE);
}

// A slice lost its leader while it prepared: without a record that says otherwise whatever of it was prepared is dropped, and
// the commit begins anew.
static struct status part_outcome(struct status st)
{
    if (!status_is(st, E_AMBIGUOUS_RESULT)) return st;
    covered("commit.part_lost");
    return status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT, "a slice lost its leader during the commit");
}

// --- in parallel ---------------------------------------------------------------------------------

static const struct write_node *part_find(const struct txn_part *part, struct bytes key)
{
    uint32_t low = 0;
    uint32_t high = part->write_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = bytes_compare(part->writes[middle]->key, key);
        if (order == 0) return part->writes[middle];
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

// Whether nothing was read but keys that are written: once they are prepared nobody else changes them, so what was
// validated then is true at any later commit timestamp.
static bool reads_are_written(const struct multi *multi)
{
    if (multi->txn->writes.count > PARALLEL_WRITES_MAX) return false;
    for (uint32_t i = 0; i < multi->parts->count; i++) {
        const struct txn_part *part = &multi->parts->parts[i];
        for (uint32_t k = 0; k < part->held_count; k++) {
            if (part_find(part, part->held[k].key) == NULL) return false;
        }
        for (uint32_t k = 0; k < part->read_count; k++) {
            if (!read_entry_is_key(&part->reads[k])) return false;
            if (part_find(part, part->reads[k].start) == NULL) return false;
        }
    }
    return true;
}

static bool locks_are_known(const struct multi *multi)
{
    for (uint32_t i = 0; i < multi->parts->count; i++) {
        const struct txn_part *part = &multi->parts->parts[i];
        for (uint32_t k = 0; k < part->write_count; k++) {
            if (!txn_lock_is_known(multi->txn, part->writes[k])) return false;
        }
    }
    return true;
}

// The record, staged, and all that is to be prepared, at once.
static struct status parallel_send(struct task *task, struct multi *multi, const struct fate *fate)
{
    struct kv_txn *txn = multi->txn;
    struct leader_record_put put = {
        .call = {.slice = multi->record_slice,
            .tenant = txn->tenant,
            .read_ts = hlc_now(&task->shard->hlc),
            .owner = {txn->id, txn->age_ns}},
        .staged = true,
        .slices = fate->slices,
        .slice_count = fate->slice_count,
    };
    uint32_t n = 0;
    for (uint32_t i = 0; i < multi->parts->count; i++) {
        const struct txn_part *part = &multi->parts->parts[i];
        if (part->write_count == 0) continue;
        struct leader_commit *commit = &multi->commits[n];
        struct bytes payload = commit->payload;
        commit_request_init(txn, task, part, commit);
        commit->payload = payload;
        commit->no_wait = true;
        txn_note_locks(txn, part->slice);
        multi->items[n++] = (struct leader_item){.kind = LEADER_PREPARE, .call = &commit->call};
    }
    multi->items[n] = (struct leader_item){.kind = LEADER_RECORD_PUT, .call = &put.call};
    struct status st = items_run(task, multi->items, n + 1, &txn->arena);
    for (uint32_t i = 0; i < n; i++) {
        txn_count(txn, &multi->commits[i].call);
        multi->ts = hlc_max(multi->ts, multi->commits[i].commit_ts);
        leader_reply_end(&multi->commits[i].call);
    }
    leader_reply_end(&put.call);
    return st;
}

// Not all of it is known to be prepared: what the record says when it is made to say something.
static struct status parallel_take_back(
    struct task *task, const struct multi *multi, struct leader_record_get *get)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn = multi->txn;
    const struct leader_record_put put = {
        .call = {.slice = multi->record_slice, .owner.txn = txn->id}, .over = true};
    *get = (struct leader_record_get){
        .call = {.slice = multi->record_slice, .owner.txn = txn->id}};
    TRY(record_put(task, &put));
    TRY(leader_record_look(task, get));
out:
    return st;
}

static struct status commit_parallel(struct task *task, struct multi *multi, struct fate *fate,
    struct hlc_timestamp *commit_ts)
{
    struct kv_txn *txn = multi->txn;
    struct leader_record_get get;
    struct status st = parallel_send(task, multi, fate);
    fate->ts = multi->ts;
    if (!failed(st)) {
        covered("commit.parallel");
        fate->commit = fate->recorded = fate->implied = true;
    } else {
        covered("commit.parallel_taken_back");
        st = status_copy(&txn->arena, st);
        struct status back = parallel_take_back(task, multi, &get);
        if (failed(back) || !get.found || get.staged) {
            free(fate); // Others will find out.
            return status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS,
                "the result of the commit is unknown: its record cannot be read");
        }
        fate->recorded = true;
        fate->commit = get.commit;
        if (get.commit) {
            fate->ts = get.ts;
            st = STATUS_OK;
        }
    }
    if (!failed(st)) {
        *commit_ts = fate->ts;
        metric_add(&metric_multi, 0, 1);
        TRY(leader_clock_pass(task, fate->ts));
    } else {
        st = part_outcome(st);
    }
out:
    if (is_begun_anew(st)) {
        const struct status renewed = renew(task, txn, fate);
        return failed(renewed) ? renewed : st;
    }
    resolve_start(task, txn, fate);
    return st;
}

struct status commit_recover(
    struct task *task, uint64_t txn, uint64_t record_slice, const struct leader_record_get *get)
{
    struct status st = STATUS_OK;
    struct hlc_timestamp ts = HLC_ZERO;
    bool all = true;
    for (uint32_t i = 0; i < get->slice_count && all; i++) {
        struct leader_give_up ask = {
            .call = {.slice = get->slices[i], .owner.txn = txn},
            .over = get->slices[i] == record_slice,
        };
        st = leader_call(task, &ask.call, task->arena, LEADER_GIVE_UP);
        leader_reply_end(&ask.call);
        TRY(st);
        all = ask.prepared;
        ts = hlc_max(ts, ask.ts);
    }
    covered("commit.recovered");
    const struct leader_record_put put = {
        .call = {.slice = record_slice, .read_ts = ts, .owner.txn = txn},
        .commit = all,
        .over = true,
        .slices = get->slices,
        .slice_count = all ? get->slice_count : 0,
    };
    st = record_put(task, &put);
    // Another may have decided before.
    if (status_is(st, E_SERIALIZATION_FAILURE)) st = STATUS_OK;
out:
    return st;
}

struct status leader_record_look(struct task *task, struct leader_record_get *get)
{
    struct status st = leader_call(task, &get->call, task->arena, LEADER_RECORD_GET);
    if (!failed(st) && get->slice_count > 0) {
        uint64_t *slices = ARENA_ARRAY(task->arena, uint64_t, get->slice_count);
        memcpy(slices, get->slices, get->slice_count * sizeof *slices);
        get->slices = slices;
    }
    leader_reply_end(&get->call);
    return st;
}

// --- in two phases -------------------------------------------------------------------------------

static struct status decide(struct task *task, struct multi *multi, struct fate *fate,
    struct status st, struct hlc_timestamp *commit_ts);

struct status commit_multi(struct task *task, struct kv_txn *txn, struct txn_parts *parts,
    struct hlc_timestamp *commit_ts)
{
    struct status st = STATUS_OK;
    struct multi multi;
    multi_init(&multi, txn, parts);
    const bool parallel = reads_are_written(&multi);
    TRY(payloads_make(task, &multi));
    if (!parallel || !locks_are_known(&multi)) TRY(commits_send(task, &multi, LEADER_LOCK));
    struct fate *fate = fate_make(task, &multi);
    if (fate == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");

    if (parallel) return commit_parallel(task, &multi, fate, commit_ts);
    st = commits_send(task, &multi, LEADER_PREPARE);
    st = part_outcome(st);
    for (uint32_t i = 0; i < multi.writer_count; i++) {
        multi.ts = hlc_max(multi.ts, multi.commits[i].commit_ts);
    }
    st = decide(task, &multi, fate, st, commit_ts);
out:
    return st;
}

// With everything prepared, as `st` says, or not: the commit, or the end.
static struct status decide(struct task *task, struct multi *multi, struct fate *fate,
    struct status st, struct hlc_timestamp *commit_ts)
{
    if (!failed(st)) st = validate_all(task, multi);
    if (!failed(st)) st = record(task, multi, fate);
    // Some of it may be prepared and is being dropped: not to be tried again under the same id, under which rows may be
    // staged, too.
    const bool again = is_begun_anew(st) && multi->txn->stage_count == 0;
    if (is_begun_anew(st) && !again) {
        st = status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
            "could not serialize access: its rows moved during the commit");
    }
    // With the log gone nobody knows whether the record is in it: the next start will see.
    if (status_is(st, E_AMBIGUOUS_RESULT)) {
        free(fate);
        return st;
    }
    fate->commit = fate->recorded = !failed(st);
    fate->ts = multi->ts;
    if (!failed(st)) {
        *commit_ts = multi->ts;
        metric_add(&metric_multi, 0, 1);
    }
    if (again) {
        const struct status renewed = renew(task, multi->txn, fate);
        return failed(renewed) ? renewed : st;
    }
    resolve_start(task, multi->txn, fate);
    return st;
}

// --- staged writes -------------------------------------------------------------------------------

static struct fate *fate_of_stages(const struct kv_txn *txn)
{
    struct fate *fate = calloc(1, sizeof *fate + txn->stage_count * sizeof(uint64_t));
    if (fate == NULL) return NULL;
    fate->shard = txn->shard;
    fate->txn = txn->id;
    fate->lock_id = txn->lock_id;
    fate->record_slice = txn->stages[0].slice;
    fate->ts = txn->read_ts;
    for (uint32_t i = 0; i < txn->stage_count; i++) {
        fate->slices[fate->slice_count++] = txn->stages[i].slice;
    }
    return fate;
}

// Its parts are what was read and, in each slice where it staged something, nothing more to write.
static struct status stages_prepare(struct task *task, struct multi *multi)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn = multi->txn;
    TRY(txn_parts_reads(task, txn, multi->parts));
    TRY(txn_parts_held(task, txn, multi->parts));
    for (uint32_t i = 0; i < txn->stage_count; i++) {
        txn_parts_get(multi->parts, txn->stages[i].slice)->stage = &txn->stages[i];
    }
    const uint32_t count = multi->parts->count;
    multi->items = ARENA_ARRAY(&txn->arena, struct leader_item, count);
    multi->commits = ARENA_ARRAY(&txn->arena, struct leader_commit, count);
    multi->checks = ARENA_ARRAY(&txn->arena, struct leader_validate, count);
    multi->record_slice = txn->stages[0].slice;
out:
    return st;
}

static struct bytes seal_payload(const struct multi *multi, const struct txn_stage *stage)
{
    struct kv_txn *txn = multi->txn;
    struct entry_builder builder;
    struct buffer hidden;
    buffer_init(&hidden, &txn->arena);
    staged_hidden_encode(&hidden, &txn->view);
    const struct entry_op op = {
        .kind = ENTRY_SEAL,
        .tenant = txn->tenant,
        .txn = txn->id,
        .record_slice = multi->record_slice,
        .sequence = stage->sequence,
        .value = hidden.size == 0 ? BYTES_LITERAL("") : buffer_bytes(&hidden),
    };
    entry_begin(&builder, &txn->arena);
    entry_op_append(&builder, &op);
    return entry_end(&builder);
}

static struct status seals_send(struct task *task, struct multi *multi)
{
    struct kv_txn *txn = multi->txn;
    uint32_t n = 0;
    for (uint32_t i = 0; i < multi->parts->count; i++) {
        const struct txn_part *part = &multi->parts->parts[i];
        if (part->stage == NULL) continue;
        struct leader_commit *commit = &multi->commits[n];
        commit_request_init(txn, task, part, commit);
        commit->payload = seal_payload(multi, part->stage);
        multi->items[n++] = (struct leader_item){.kind = LEADER_SEAL, .call = &commit->call};
    }
    struct status st = items_run(task, multi->items, n, &txn->arena);
    for (uint32_t i = 0; i < n; i++) {
        txn_count(txn, &multi->commits[i].call);
        multi->ts = hlc_max(multi->ts, multi->commits[i].commit_ts);
        leader_reply_end(&multi->commits[i].call);
    }
    return st;
}

struct status commit_staged(struct task *task, struct kv_txn *txn, struct hlc_timestamp *commit_ts)
{
    struct status st = STATUS_OK;
    struct txn_parts parts = {.arena = &txn->arena};
    struct multi multi = {.txn = txn, .parts = &parts};
    TRY(txn_stage(task, txn));
    TRY(txn_rely_no_more(task, txn)); // To seal it all may take its time.
    // Finds conflicts, and routes that are stale, while nothing is prepared.
    TRY(txn_move(task, txn, txn->read_ts));
    TRY(stages_prepare(task, &multi));
    struct fate *fate = fate_of_stages(txn);
    if (fate == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    st = decide(task, &multi, fate, part_outcome(seals_send(task, &multi)), commit_ts);
    txn->stage_count = 0; // They are the fate's, or nobody's who knows.
out:
    return st;
}

void commit_abandon(struct kv_txn *txn)
{
    if (LIKELY(txn->stage_count == 0)) return;
    struct fate *fate = fate_of_stages(txn);
    txn->stage_count = 0;
    if (fate == NULL) return; // What is not dropped now is found by others.
    struct status st = fate_start(txn, fate);
    if (failed(st)) resolve_ended(NULL, st, fate);
}

// --- after a start -------------------------------------------------------------------------------

static struct status recover_prepared(
    struct task *task, struct slice *slice, const struct pending *prepared)
{
    struct status st = STATUS_OK;
    struct leader_record_get get = {.found = false};
    get.call.slice = prepared->record_slice;
    get.call.owner.txn = prepared->txn;
    TRY(leader_record_look(task, &get));
    if (get.staged) {
        TRY(commit_recover(task, prepared->txn, prepared->record_slice, &get));
        TRY(leader_record_look(task, &get));
    }
    const struct fate fate = {
        .txn = prepared->txn,
        .commit = get.commit,
        .ts = get.found ? get.ts : prepared->ts,
    };
    log_info(0, "slice %llu: %s the prepared transaction %llu", (unsigned long long)slice->id,
        fate.commit ? "commits" : "drops", (unsigned long long)fate.txn);
    TRY(resolve_slice(task, &fate, slice->id));
out:
    return st;
}

static struct status recover_shard(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    (void)arg;
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct slice *slice = kv->slices[i];
        while (!list_empty(&slice->prepared)) {
            const struct pending *prepared =
                container_of(slice->prepared.next, struct pending, link);
            TRY(recover_prepared(task, slice, prepared));
        }
    }
out:
    return st;
}

// Once nothing is prepared any more, no record is needed.
static struct status end_records(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    (void)arg;
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct slice_record *records;
        uint32_t count;
        TRY(slice_record_list(kv->slices[i], task->arena, &records, &count));
        for (uint32_t k = 0; k < count; k++) {
            const struct leader_record_put end = {.call.slice = kv->slices[i]->id,
                .call.owner.txn = records[k].txn,
                .end = true};
            TRY(record_put(task, &end));
        }
    }
out:
    return st;
}

static struct status started(struct task *task, struct kv_node *node)
{
    (void)node;
    metric_register(&metric_multi);
    // With other nodes around transactions go on while this one starts: see kv/push.h.
    if (!cluster_alone(task->shard)) return STATUS_OK;
    struct status st = shard_call_all(task, recover_shard, NULL);
    if (failed(st)) return st;
    return shard_call_all(task, end_records, NULL);
}

static void fates_cancel(struct client *client)
{
    struct list_link *next;
    for (struct list_link *link = client->fates.next; link != &client->fates; link = next) {
        struct fate *fate = container_of(link, struct fate, link);
        next = link->next;
        if (fate->task != NULL) task_cancel(fate->task, status_make(E_ADMIN_SHUTDOWN, "storage is stopping"));
    }
}

// What cannot be resolved because others do not answer is left to them. Nor is an entry of this node's own waited for
// that no majority takes.
static struct status wait_resolved(struct task *task, void *arg)
{
    struct client *client = client_of(task);
    (void)arg;
    client->patience_end_ns = task_now_ns(task) + STOP_PATIENCE_NS;
    while (client->resolving > 0) {
        if (task_now_ns(task) >= client->patience_end_ns) fates_cancel(client);
        if (failed(task_sleep(task, 1000000))) task_cancel_clear(task);
    }
    return STATUS_OK;
}

static void stopping(struct task *task, struct kv_node *node)
{
    (void)node;
    struct status st = shard_call_all(task, wait_resolved, NULL);
    if (failed(st)) log_warning(0, "stopping with transactions under way: %s", st.message);
}

const struct kv_module commit_multi_module = {
    .name = "commit_multi",
    .slot = KV_SLOT_CLIENT,
    .started = started,
    .stopping = stopping,
};
