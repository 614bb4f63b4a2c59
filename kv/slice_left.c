// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a replica has promised to others and holds in the shard's log alone: hard state, entries not known to be
// committed, parts of a large entry whose rest is to come. When the log is given up (another number of shards takes over), that goes to the store until
// it is in the new log.
#include "core/invariant.h"
#include "core/mark.h"
#include "kv/slice_internal.h"

static const uint8_t left_letter = META_LEFT;

struct status slice_left_save(struct slice *slice, bool *any)
{
    struct arena arena;
    struct buffer left;
    struct status st = STATUS_OK;
    arena_init(&arena, NULL);
    buffer_init(&left, &arena);
    const struct slice_replay *replay = slice->replay;
    const struct bytes open = bytes_of(replay->open.data, replay->open.size);
    raft_log_left_encode(&slice->log, open, &left);
    if (open.size > 0) {
        covered("slice.parts_left");
        slice->left_until = replay->open.last;
    }
    *any = left.size > 0;
    if (*any) {
        TRY(store_begin(slice->store));
        st = store_put(slice->store, STORE_META, bytes_of(&left_letter, 1), buffer_bytes(&left));
        if (failed(st)) {
            store_rollback(slice->store);
        } else {
            st = store_commit(slice->store);
        }
        slice->has_left = !failed(st);
    }
out:
    arena_fini(&arena);
    return st;
}

struct status slice_left_load(struct slice *slice)
{
    struct bytes left;
    struct status st =
        store_get(slice->store, STORE_META, bytes_of(&left_letter, 1), &left, &slice->has_left);
    if (!failed(st) && slice->has_left) st = raft_log_left_decode(&slice->log, left);
    store_release(slice->store);
    return st;
}

struct status slice_left_drop(struct slice *slice)
{
    struct log_writer *log = slice->kv->log;
    // Written to the log when the replica started; but for what was applied by half.
    if (!slice->has_left || !slice->started || log_writer_durable(log) < slice->left_position ||
        slice->applied_index < slice->left_until)
        return STATUS_OK;
    struct status st;
    TRY(store_begin(slice->store));
    st = store_remove(slice->store, STORE_META, bytes_of(&left_letter, 1));
    if (failed(st)) {
        store_rollback(slice->store);
        goto out;
    }
    TRY(store_commit(slice->store));
    slice->has_left = false;
out:
    return st;
}
