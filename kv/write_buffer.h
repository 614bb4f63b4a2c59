// SPDX-License-Identifier: GPL-3.0-or-later
//
// A transaction's buffered writes: an ordered map from key to the newest write of it, with marks to
// roll back to. Reads overlay it on what the store says (kv/client_scan.c); COMMIT sends it in key
// order.
//
// A skip list in the transaction's arena: inserts and look-ups are O(log n), and an insert behind
// the last key (bulk loads) is O(1). Undo is a log of replaced writes, kept only while a mark
// exists. A write that is rolled back leaves its node behind as WRITE_NONE, which every reader of
// the map passes over.
//
// Shard    The transaction's. Nothing here suspends.
// Memory   Keys and values are copied into the arena given; they stay until it is reset, also when
//          they were replaced, because reads may have lent them out. The caller bounds `bytes`.
// Checked  tests/unit/kv/test_write_buffer.c, against a sorted array.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"
#include "kv/client.h"

#define WRITE_BUFFER_LEVELS 16u

enum write_kind {
    WRITE_NONE, // Rolled back.
    WRITE_PUT,
    WRITE_DELETE,
};

struct write_node {
    struct bytes key;
    struct bytes value;
    uint8_t kind;    // enum write_kind.
    bool checked;    // COMMIT fails if the key changed after the read timestamp: inserts.
    uint8_t levels;  // Links in next[].
    uint32_t epoch;  // The buffer's when it was written.
    struct write_node *previous;
    struct write_undo *older; // After write_buffer_chain: its last write of each earlier epoch, oldest first.
    struct write_undo *replaced; // The newest of what its writes replaced, as far as the undo log goes.
    struct write_node *next[];
};

// What a write replaced.
struct write_undo {
    struct write_undo *older;
    struct write_node *node;
    struct write_undo *chain; // Of the node's next epoch.
    struct write_undo *before; // What the node had before that.
    struct bytes value;
    uint32_t epoch;
    uint8_t kind;
    bool checked;
};

struct write_buffer {
    struct arena *arena;
    struct write_node *head[WRITE_BUFFER_LEVELS];
    struct write_node *last;                             // In key order; NULL when empty.
    struct write_node *last_at_level[WRITE_BUFFER_LEVELS]; // NULL: the head itself.
    struct write_undo *undo;
    uint64_t undo_count;
    uint64_t count; // Live writes (not WRITE_NONE).
    uint64_t node_count;
    uint64_t bytes; // Keys and values of all nodes, replaced ones too.
    uint32_t level_count;
    uint32_t random;
    uint32_t epoch; // Grows with each mark.
    bool marked; // A mark was taken: keep the undo log from now on.
    bool rewritten; // Some of what the undo log has was a write itself.
};

// The lock that the write needs. Of what is to be staged any epoch's write may come to be the one that counts.
static inline enum kv_lock write_node_lock(const struct write_node *node)
{
    bool deletes = node->kind == WRITE_DELETE;
    for (const struct write_undo *undo = node->older; undo != NULL; undo = undo->chain)
        deletes = deletes || undo->kind == WRITE_DELETE;
    return deletes ? KV_LOCK_UPDATE : KV_LOCK_NO_KEY_UPDATE;
}

void write_buffer_init(struct write_buffer *buffer, struct arena *arena);

// Puts (value.data may be NULL when its size is 0) or deletes. Copies both.
void write_buffer_put(
    struct write_buffer *buffer, struct bytes key, struct bytes value, bool checked);
// The value lies in the buffer's arena, for good.
void write_buffer_put_own(
    struct write_buffer *buffer, struct bytes key, struct bytes value, bool checked);
void write_buffer_delete(struct write_buffer *buffer, struct bytes key);

// The live write of `key`; NULL when there is none.
const struct write_node *write_buffer_find(const struct write_buffer *buffer, struct bytes key);

// Live writes in order: the first at or above `key`, the last below `key`, and their neighbours.
// With an empty `key` write_buffer_seek gives the first.
const struct write_node *write_buffer_seek(const struct write_buffer *buffer, struct bytes key);
const struct write_node *write_buffer_seek_below(
    const struct write_buffer *buffer, struct bytes key);
const struct write_node *write_node_next(const struct write_node *node);
const struct write_node *write_node_previous(const struct write_node *node);

// What the node said before `epoch` began (UINT64_MAX: what it says now); WRITE_NONE: nothing.
enum write_kind write_node_before(
    const struct write_node *node, uint64_t epoch, struct bytes *value);

// A mark, and taking back all writes made after it. A mark stays valid until one before it is
// rolled back to.
uint64_t write_buffer_mark(struct write_buffer *buffer);
void write_buffer_rollback(struct write_buffer *buffer, uint64_t mark);

// Makes node->older of all nodes, for who writes the whole buffer down with its marks. Valid until the next change.
void write_buffer_chain(struct write_buffer *buffer);
// Forgets all writes (the caller resets the arena). Epochs go on.
void write_buffer_clear(struct write_buffer *buffer);
// What is allocated for the writes, about.
uint64_t write_buffer_memory(const struct write_buffer *buffer);
