// SPDX-License-Identifier: GPL-3.0-or-later
//
// Commit in one slice: one request, one log entry, one fdatasync. The leader's side is kv/leader.c.
#include "core/invariant.h"
#include "kv/txn.h"

struct bytes commit_payload(struct kv_txn *txn, const struct txn_part *part, struct arena *arena,
    uint64_t txn_id, uint64_t record_slice)
{
    struct entry_builder builder;
    entry_begin(&builder, arena);
    const struct entry_op op = {
        .kind = txn_id == 0 ? ENTRY_WRITES : ENTRY_PREPARE,
        .tenant = txn->tenant,
        .txn = txn_id,
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
        entry_item_append(&builder, &item);
    }
    return entry_end(&builder);
}

void commit_request_init(struct kv_txn *txn, struct task *task, const struct txn_part *part,
    struct leader_commit *commit)
{
    memset(commit, 0, sizeof *commit);
    txn_call_init(txn, task, &commit->call);
    commit->call.slice = part->slice;
    commit->writes = part->writes;
    commit->write_count = part->write_count;
    commit->reads = part->reads;
    commit->read_count = part->read_count;
    commit->checked_ts =
        hlc_is_zero(txn->unlocked_ts) ? txn->read_ts : txn->unlocked_ts;
}

struct status commit_one(struct task *task, struct kv_txn *txn, const struct txn_part *part,
    struct hlc_timestamp *commit_ts)
{
    struct leader_commit commit;
    commit_request_init(txn, task, part, &commit);
    commit.payload = commit_payload(txn, part, &txn->arena, 0, 0);
    // The leader may have to wait for locks, and they stay if it then fails.
    txn_note_locks(txn, part->slice);
    struct status st = leader_call(task, &commit.call, &txn->arena, leader_commit);
    leader_reply_end(&commit.call);
    *commit_ts = commit.commit_ts;
    return st;
}
