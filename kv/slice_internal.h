// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of slice share among themselves. Nobody else includes this.
#pragma once
#include "kv/kv_node.h"
#include "kv/slice.h"

#define CEILING_AHEAD_NS UINT64_C(500000000)
#define PENDING_KEYS_MAX 4096u // Above, a pending entry is indexed by its bounds alone.

struct slice_proposal {
    struct raft_proposal raft;
    struct slice *slice;
    struct bytes payload;
    uint64_t item_count;
    struct pending pending;
    bool is_pending;
    struct hlc_timestamp ceiling;
    struct status st;
    bool done;
    struct wait_queue waiter;
    bool is_part; // Of a large entry; the last one is the proposal itself.
    struct slice_proposal *next;
};

struct slice_tenant {
    uint64_t id;
    struct hlc_timestamp gc_threshold;
    struct hlc_timestamp gc_proposed; // At least gc_threshold.
    bool ingesting;
    struct hlc_timestamp ingest_high; // Newest version received.
};

struct slice_replay {
    uint64_t term, index; // Of the last record seen.
    log_position position;
    uint64_t applied_index;
    log_position applied_position;
    bool in_transaction;
    uint32_t entries;
    size_t bytes;
    struct arena arena;
    struct buffer parts;
    uint64_t parts_total; // Of the large entry that is being gathered; 0: none.
};

struct pending_key {
    uint64_t hash;
    struct bytes key;
    struct pending *pending;
    struct pending_key *next;
};

// --- pending.c
void pending_init(struct slice *slice);
void pending_fini(struct slice *slice);
// Gathers the keys of the operation's items into `pending` (memory from `arena`, or malloc when NULL).
void pending_gather(struct pending *pending, const struct entry_op *op, struct arena *arena);
void pending_add(struct slice *slice, struct pending *pending, struct list_link *list);
// Takes it out of the index and wakes its readers.
void pending_remove(struct slice *slice, struct pending *pending, struct status st);
// Highest timestamp of a pending write to the key (or into the span) above `after`.
bool pending_newest(const struct slice *slice, struct bytes key, struct hlc_timestamp *ts);
bool pending_in_span(const struct slice *slice, struct span span, struct hlc_timestamp after);
// A prepared transaction from its own entry (copied), registered.
struct pending *prepared_create(
    struct slice *slice, const struct entry_op *op, struct bytes payload);
void prepared_destroy(struct slice *slice, struct pending *prepared);

// --- slice_commit.c
// The ceiling to put into an entry that is proposed now.
struct hlc_timestamp slice_ceiling_next(struct slice *slice);
void slice_ceiling_durable(struct slice *slice, struct hlc_timestamp ceiling);
// Extends the ceiling in the background when less than half of it is left.
void slice_ceiling_ask(struct slice *slice);
// Suspends until the ceiling is at or above `ts`. 55000 when ts is far in the future.
CHECKED struct status slice_ceiling_wait(
    struct task *task, struct slice *slice, struct hlc_timestamp ts);

// --- slice_propose.c
extern const struct raft_log_hooks slice_log_hooks;
// slice_admit without regard to the disk's room: for what makes room, and for ceilings.
CHECKED struct status slice_admit_any(struct task *task, struct slice *slice);
void slice_fail(struct slice *slice, struct status st, const char *what);
// Applies what is durable: in place when it is little, otherwise in a task of the slice's own.
void slice_apply_committed(struct slice *slice);
// Commits what slice_replay gathered.
CHECKED struct status slice_replay_end(struct slice *slice);
// Starts a task that belongs to the slice: slice_stop waits for it.
CHECKED struct status slice_task_start(
    struct slice *slice, task_fn fn, const char *kind, enum task_class class);

// --- slice_apply.c
// Puts one entry into the store. `task` NULL: in one piece, within the running transaction; otherwise large
// entries are cut into several transactions, with yields in between.
struct slice_apply {
    struct slice *slice;
    struct task *task;
    size_t bytes, items; // In the running transaction.
};
CHECKED struct status slice_apply_entry(struct slice_apply *apply, struct bytes payload);
// The applied record, in the running transaction.
CHECKED struct status slice_apply_mark(
    struct slice *slice, uint64_t term, uint64_t index, struct hlc_timestamp ceiling);
// What applying changes in memory, once the transaction is committed.
void slice_apply_remember(struct slice *slice, struct bytes payload);
// Calls `tell` for each operation, resolved commits told as writes.
void slice_ops_tell(struct slice *slice, struct bytes payload, uint64_t index, bool applied);

// --- slice.c
struct slice_tenant *slice_tenant_get(
    const struct slice *slice, uint64_t tenant); // NULL: nothing special.
struct slice_tenant *slice_tenant_make(struct slice *slice, uint64_t tenant);
// What the store says; a tenant without a record is all zero.
CHECKED struct status slice_tenant_load(
    struct slice *slice, uint64_t tenant, struct slice_tenant *loaded);
CHECKED struct status slice_tenant_put(struct slice *slice, const struct slice_tenant *tenant);

// --- slice_read.c
// Waits until nothing pending at or below `ts` is left in the span; raises read_high; checks the GC threshold.
CHECKED struct status slice_read_begin(struct task *task, struct slice *slice, uint64_t tenant,
    struct span span, struct hlc_timestamp ts);

// Names in the meta table: a letter, then a number (big-endian) or a name.
enum meta_letter {
    META_APPLIED = 'a',
    META_TENANT = 'n',
    META_PREPARED = 'p',
    META_RECORD = 't',
    META_NAMED = 'x',
};
#define META_NUMBER_KEY_BYTES 9
struct bytes meta_number_key(
    enum meta_letter letter, uint64_t number, uint8_t out[META_NUMBER_KEY_BYTES]);
