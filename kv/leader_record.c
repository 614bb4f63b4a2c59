// SPDX-License-Identifier: GPL-3.0-or-later
//
// Records of transactions over several slices, at their leader.
#include "core/mark.h"
#include "kv/leader_internal.h"
#include "kv/push.h"
#include "kv/slice_internal.h"

static struct status record_find(
    struct slice *slice, const struct leader_call *call, struct arena *arena,
    struct slice_record *record, bool *found)
{
    return slice_record_get(slice, call->owner.txn, arena, record, found);
}

// Of a client that stood still, or on a way that did: the transaction may have been given up, and that forgotten
// (kv/push.h).
static bool comes_late(const struct slice *slice, const struct entry_op *op)
{
    struct env *env = slice->shard->env;
    if (op->kind != ENTRY_RECORD || op->over || !(op->commit || op->staged)) return false;
    return (int64_t)(op->ts.wall_ns + RECORD_LATE_NS) < env->wall_ns(env) || SIM_MAYBE("commit.record_stood_still");
}

static struct status record_propose(
    struct task *task, struct slice *slice, const struct entry_op *op)
{
    struct status st = STATUS_OK;
    struct entry_builder builder;
    entry_begin(&builder, task->arena);
    entry_op_append(&builder, op);
    struct bytes payload = entry_end(&builder);
    TRY(slice_admit(task, slice, op->kind == ENTRY_RECORD_END ? 0 : payload.size));
    if (comes_late(slice, op)) {
        covered("commit.record_late");
        TRY(leader_given_up());
    }
    TRY(slice_propose(task, slice, payload));
out:
    return st;
}

struct status leader_record_put(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_record_put *put = arg;
    struct slice *slice;
    struct slice_record record = {0};
    bool found = false;
    const struct entry_op op = {
        .kind = put->end ? ENTRY_RECORD_END : ENTRY_RECORD,
        .txn = put->call.owner.txn,
        .commit = put->commit,
        .staged = put->staged,
        .over = put->over,
        .ts = put->call.read_ts,
        .value = bytes_of((const uint8_t *)put->slices, put->slice_count * sizeof(uint64_t)),
    };
    TRY(leader_slice(task, &put->call, &slice));
    if (!put->end) TRY(record_find(slice, &put->call, task->arena, &record, &found));
    if (!found || (record.staged && put->over)) TRY(record_propose(task, slice, &op));
    if (put->end) goto out;
    // Another's may have come first, on its way through the log.
    TRY(record_find(slice, &put->call, task->arena, &record, &found));
    bool aborted = found && !record.commit && !record.staged;
    if (aborted && (put->commit || put->staged)) {
        st = leader_given_up();
        goto out;
    }
    if (put->commit) TRY(leader_clock_pass(task, put->call.read_ts));
out:
    return st;
}

struct status leader_record_get(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_record_get *get = arg;
    struct slice *slice;
    struct slice_record record = {0};
    TRY(leader_slice(task, &get->call, &slice));
    TRY(record_find(slice, &get->call, get->call.arena, &record, &get->found));
    get->commit = get->found && record.commit;
    get->staged = get->found && record.staged;
    get->ts = get->found ? record.ts : HLC_ZERO;
    get->slice_count = 0;
    if (!get->found) goto out;
    get->slice_count = (uint32_t)(record.value.size / sizeof(uint64_t));
    get->slices = ARENA_ARRAY(get->call.arena, uint64_t, get->slice_count);
    memcpy(get->slices, record.value.data, get->slice_count * sizeof(uint64_t));
out:
    return st;
}

static bool is_prepared(struct slice *slice, struct leader_give_up *give_up)
{
    const struct pending *prepared = slice_prepared_find(slice, give_up->call.owner.txn);
    give_up->prepared = prepared != NULL;
    give_up->ts = prepared != NULL ? prepared->ts : HLC_ZERO;
    return give_up->prepared;
}

struct status leader_give_up(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_give_up *give_up = arg;
    struct slice *slice;
    const struct entry_op op = {
        .kind = ENTRY_RECORD,
        .txn = give_up->call.owner.txn,
        .over = give_up->over,
        .unless_prepared = true,
    };
    TRY(leader_slice(task, &give_up->call, &slice));
    if (is_prepared(slice, give_up)) goto out;
    covered("commit.given_up");
    TRY(record_propose(task, slice, &op));
    TRY(slice_check(slice));
    is_prepared(slice, give_up); // It may have come before, through the log.
out:
    return st;
}
