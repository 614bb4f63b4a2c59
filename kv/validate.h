// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a slice committed lately, to answer at commit: has anything that this transaction read
// changed?
//
// Three fixed-size structures over commits from the moment they are proposed: a table of the
// highest commit timestamp by hash of key (for points: "no" is exact, "yes" is asked again of the
// store), a ring of recent writes (for spans), and the bounds of the latest large entries, whose
// keys are not noted one by one. What lies beyond their window is asked of the store.
//
// Prepared writes of multi-slice transactions count with their lowest possible timestamp, and again
// when they are resolved.
//
// Shard    The slice leader's.
// Memory   About 0.7 MiB a slice, allocated once.
// Safety   A transaction commits only if no key that it read has a version between its read and its
//          commit timestamp. Checked by tests/unit/kv/test_kv_history.c.
#pragma once
#include "core/bytes.h"
#include "core/hlc.h"
#include "core/task.h"
#include "kv/read_set.h"

struct slice;
struct validator;

CHECKED struct status validator_create(struct validator **validator);
void validator_destroy(struct validator *validator);

// A write of `key` at `ts`. Keys of transaction `txn` (0: none) do not count against itself.
void validator_note(
    struct validator *validator, struct bytes key, struct hlc_timestamp ts, uint64_t txn);
// The same of a write that may come to nothing yet: whoever read the key asks the store.
void validator_note_prepared(
    struct validator *validator, struct bytes key, struct hlc_timestamp ts, uint64_t txn);
// Many writes at `ts`, none outside of [first, last].
void validator_note_bulk(struct validator *validator, struct bytes first, struct bytes last,
    struct hlc_timestamp ts, uint64_t txn);
#define VALIDATOR_BULK_COUNT 1024u // Entries of more keys than this are noted so.

// Commits up to `floor` may have been made without being noted here (by another leader): whatever is asked about
// that time is unknown, and the store is asked.
void validator_reset(struct validator *validator, struct hlc_timestamp floor);

// A point in the order of notes, for validator_since.
uint64_t validator_mark(const struct validator *validator);

enum validator_answer { VALIDATOR_SAME, VALIDATOR_CHANGED, VALIDATOR_UNKNOWN };
enum validator_answer validator_key(
    const struct validator *validator, struct bytes key, struct hlc_timestamp after);
enum validator_answer validator_span(
    const struct validator *validator, struct span span, struct hlc_timestamp after);
// The same for many at once, sorted and apart from each other as read_set_entries gives them.
enum validator_answer validator_entries(const struct validator *validator,
    const struct read_entry *entries, uint32_t count, struct hlc_timestamp after);
// Whether an entry was written by another transaction than `txn` after the mark. Entries as above.
enum validator_answer validator_since(const struct validator *validator,
    const struct read_entry *entries, uint32_t count, uint64_t mark, uint64_t txn);
// The same for keys that `wanted` says yes to, all of them within [first, last].
struct validator_keys {
    struct bytes first, last;
    bool (*wanted)(const void *arg, struct bytes key);
    const void *arg;
};
enum validator_answer validator_keys_since(const struct validator *validator,
    const struct validator_keys *keys, uint64_t mark, uint64_t txn);

// Whether none of the entries has a version above `after`, as of the return: from there to a
// proposal nothing may suspend. Suspends only for spans beyond the window. 40001 when something
// changed.
CHECKED struct status validate_reads(struct task *task, struct slice *slice,
    const struct read_entry *entries, uint32_t count, struct hlc_timestamp after);
// The same, but for what the transaction `own` has prepared.
CHECKED struct status validate_reads_but(struct task *task, struct slice *slice,
    const struct read_entry *entries, uint32_t count, struct hlc_timestamp after, uint64_t own);
