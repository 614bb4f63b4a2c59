// SPDX-License-Identifier: GPL-3.0-or-later
//
// Commit in one slice: one request, one log entry, one fdatasync. The leader's side is kv/leader_commit.c.
#include "core/invariant.h"
#include "core/work.h"
#include "kv/txn.h"

// What an item costs beside its key and value: two lengths and flags.
#define ITEM_FRAMING_BYTES 16u

struct status commit_payload(struct task *task, struct kv_txn *txn, const struct txn_part *part,
    uint64_t record_slice, struct bytes *payload)
{
    struct status st = STATUS_OK;
    struct entry_builder builder;
    entry_begin(&builder, &txn->arena);
    // Most often one part is all of it: room for it at once, instead of growing by copies.
    if (part->write_count == txn->writes.count) {
        buffer_reserve(&builder.buffer,
            txn->writes.bytes + txn->writes.count * ITEM_FRAMING_BYTES);
    }
    const struct entry_op op = {
        .kind = record_slice == 0 ? ENTRY_WRITES : ENTRY_PREPARE,
        .tenant = txn->tenant,
        .txn = txn->id,
        .record_slice = record_slice,
    };
    entry_op_append(&builder, &op);
    for (uint32_t i = 0; i < part->write_count; i++) {
        const struct write_node *node = part->writes[i];
        const struct entry_item item = {
            .key = node->key,
            .value = node->value,
            .tombstone = node->kind == WRITE_DELETE,
        };
        TRY(entry_item_add(task, &builder, &item));
        TRY(task_work(task, 32 + item.key.size + item.value.size));
    }
    *payload = entry_end(&builder);
out:
    return st;
}

// The lower of two bounds, of which zero is none.
static struct hlc_timestamp commit_bound(const struct kv_txn *txn)
{
    const struct hlc_timestamp one = txn->relied.until, other = txn->commit_until;
    if (hlc_is_zero(one) || hlc_is_zero(other)) return hlc_max(one, other);
    return hlc_min(one, other);
}

void commit_request_init(struct kv_txn *txn, struct task *task, const struct txn_part *part,
    struct leader_commit *commit)
{
    memset(commit, 0, sizeof *commit);
    txn_call_init(txn, task, part->slice, &commit->call);
    commit->writes = part->writes;
    commit->write_count = part->write_count;
    commit->reads = part->reads;
    commit->read_count = part->read_count;
    commit->held = part->held;
    commit->held_count = part->held_count;
    commit->after = txn->commit_after;
    commit->until = commit_bound(txn);
    commit->checked_ts =
        hlc_is_zero(txn->unlocked_ts) ? txn->read_ts : txn->unlocked_ts;
}

struct status commit_one(struct task *task, struct kv_txn *txn, const struct txn_part *part,
    struct hlc_timestamp *commit_ts)
{
    struct leader_commit commit;
    commit_request_init(txn, task, part, &commit);
    struct status st = commit_payload(task, txn, part, 0, &commit.payload);
    if (failed(st)) return st;
    // The leader may have to wait for locks, and they stay if it then fails.
    txn_note_locks(txn, part->slice);
    st = leader_call(task, &commit.call, &txn->arena, LEADER_COMMIT);
    leader_reply_end(&commit.call);
    if (!failed(st)) txn_locks_gone(txn, part->slice);
    if (status_is(st, K_LATE)) txn_attempt_anew(txn);
    *commit_ts = commit.commit_ts;
    return st;
}
