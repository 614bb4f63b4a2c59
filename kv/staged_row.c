// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/staged_row.h"

#include "core/invariant.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/slice_internal.h"

// A record of a run stays within a page of the store, which keeps larger ones elsewhere.
#define RUN_BYTES 12288u
#define RUN_ROWS 256u
#define ROW_HEADER_BYTES 8u
#define RUN_HEADER_BYTES 12u
#define VERSION_HEADER_BYTES 13u

static struct status malformed(void)
{
    return status_make(E_DATA_CORRUPTED, "malformed staged write");
}

static struct bytes single_name(struct arena *arena, struct bytes key)
{
    uint8_t *name = arena_alloc(arena, 1 + key.size);
    name[0] = META_STAGED;
    if (key.size > 0) memcpy(name + 1, key.data, key.size);
    return bytes_of(name, 1 + key.size);
}

static struct bytes run_name(struct arena *arena, uint64_t txn, struct bytes key)
{
    uint8_t *name = arena_alloc(arena, META_NUMBER_KEY_BYTES + key.size);
    meta_number_key(META_STAGE_RUN, txn, name);
    if (key.size > 0) memcpy(name + META_NUMBER_KEY_BYTES, key.data, key.size);
    return bytes_of(name, META_NUMBER_KEY_BYTES + key.size);
}

// --- versions --------------------------------------------------------------------------------------------

static struct status version_next(struct bytes *rest, struct row_version *version)
{
    uint32_t size;
    if (rest->size < VERSION_HEADER_BYTES) return malformed();
    memcpy(&version->epoch, rest->data, 8);
    version->tombstone = rest->data[8];
    memcpy(&size, rest->data + 9, 4);
    *rest = bytes_skip(*rest, VERSION_HEADER_BYTES);
    if (size > rest->size) return malformed();
    version->value = bytes_of(rest->data, size);
    *rest = bytes_skip(*rest, size);
    return STATUS_OK;
}

static bool is_hidden(const struct staged_view *view, uint64_t epoch)
{
    for (uint32_t i = 0; i < view->hidden_count; i++) {
        if (view->hidden[i].from <= epoch && epoch < view->hidden[i].to) return true;
    }
    return false;
}

struct status row_visible(struct row_versions versions, const struct staged_view *view,
    struct row_version *version, bool *found)
{
    *found = false;
    while (!*found && versions.own.size + versions.run.size > 0) {
        struct bytes *newer = versions.own.size > 0 ? &versions.own : &versions.run;
        struct status st = version_next(newer, version);
        if (failed(st)) return st;
        *found = !is_hidden(view, version->epoch);
    }
    return STATUS_OK;
}

static void version_append(struct buffer *row, const struct entry_item *item)
{
    uint64_t epoch = item->ts.wall_ns;
    uint32_t size = item->tombstone ? 0 : (uint32_t)item->value.size;
    uint8_t *at = buffer_reserve(row, VERSION_HEADER_BYTES + size);
    memcpy(at, &epoch, 8);
    at[8] = item->tombstone;
    memcpy(at + 9, &size, 4);
    if (size > 0) memcpy(at + VERSION_HEADER_BYTES, item->value.data, size);
    row->size += VERSION_HEADER_BYTES + size;
}

// --- rows by themselves ----------------------------------------------------------------------------------

static struct status single_txn(struct bytes *rest, uint64_t *txn)
{
    if (rest->size < ROW_HEADER_BYTES) return malformed();
    memcpy(txn, rest->data, 8);
    *rest = bytes_skip(*rest, ROW_HEADER_BYTES);
    return STATUS_OK;
}

// Reads a row; *owner 0: there is none. *versions stays until store_release.
static struct status single_get(struct slice *slice, struct arena *arena, struct bytes key,
    uint64_t *owner, struct bytes *versions)
{
    bool found;
    *owner = 0;
    struct status st =
        store_get(slice->store, STORE_META, single_name(arena, key), versions, &found);
    if (failed(st) || !found) return st;
    return single_txn(versions, owner);
}

// Puts one write on top of the row. Again is nothing: of an epoch the last one written counts.
static struct status single_put(
    struct slice *slice, struct arena *arena, uint64_t txn, const struct entry_item *item)
{
    struct status st = STATUS_OK;
    struct bytes name = single_name(arena, item->key);
    struct bytes former;
    struct buffer row;
    bool found;
    TRY(store_get(slice->store, STORE_META, name, &former, &found));
    buffer_init(&row, arena);
    buffer_append(&row, (const uint8_t *)&txn, 8);
    version_append(&row, item);
    if (found) {
        uint64_t owner;
        TRY(single_txn(&former, &owner));
        if (owner != txn) {
            st = status_make(E_DATA_CORRUPTED, "two transactions have staged one key");
            goto out;
        }
        struct bytes older = former;
        struct row_version top;
        TRY(version_next(&older, &top));
        if (item->ts.wall_ns < top.epoch) goto out;
        buffer_append_bytes(&row, top.epoch == item->ts.wall_ns ? older : former);
    }
    store_release(slice->store);
    return store_put(slice->store, STORE_META, name, buffer_bytes(&row));
out:
    store_release(slice->store);
    return st;
}

struct status single_remove(struct slice *slice, struct arena *arena, struct bytes key)
{
    return store_remove(slice->store, STORE_META, single_name(arena, key));
}

struct status row_owner(struct slice *slice, struct bytes key, uint64_t but, uint64_t *owner)
{
    struct arena arena;
    struct bytes versions;
    arena_init(&arena, NULL);
    struct status st = single_get(slice, &arena, key, owner, &versions);
    store_release(slice->store);
    arena_fini(&arena);
    if (*owner == but) *owner = 0;
    return st;
}

// --- runs ------------------------------------------------------------------------------------------------

// Whether the record under `name` is a run of the transaction.
static bool is_run_of(struct bytes name, uint64_t txn)
{
    uint8_t prefix[META_NUMBER_KEY_BYTES];
    meta_number_key(META_STAGE_RUN, txn, prefix);
    return name.size > sizeof prefix && memcmp(name.data, prefix, sizeof prefix) == 0;
}

static uint64_t run_sequence(const struct run *run)
{
    uint64_t sequence;
    memcpy(&sequence, run->data.data, sizeof sequence);
    return sequence;
}

static struct status run_open(struct bytes record, struct run *run)
{
    *run = (struct run){.data = record};
    if (record.size < RUN_HEADER_BYTES) return malformed();
    memcpy(&run->count, record.data + 8, 4);
    if (run->count == 0 || run->count > (record.size - RUN_HEADER_BYTES) / 4) return malformed();
    return STATUS_OK;
}

static uint32_t run_start(const struct run *run, uint32_t at)
{
    uint32_t start;
    if (at == run->count) return (uint32_t)run->data.size;
    memcpy(&start, run->data.data + RUN_HEADER_BYTES + 4 * (size_t)at, 4);
    return start;
}

static struct status run_go(struct run *run, uint32_t at)
{
    uint32_t start = run_start(run, at), end = run_start(run, at + 1), key_size;
    if (end > run->data.size || start > end || end - start < 4) return malformed();
    memcpy(&key_size, run->data.data + start, 4);
    if (key_size > end - start - 4) return malformed();
    run->at = at;
    run->key = bytes_of(run->data.data + start + 4, key_size);
    run->versions = bytes_of(run->data.data + start + 4 + key_size, end - start - 4 - key_size);
    return STATUS_OK;
}

// To the first row at or above the key; *found false when all are below.
static struct status run_seek(struct run *run, struct bytes key, bool *found)
{
    struct status st = STATUS_OK;
    uint32_t low = 0, high = run->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        TRY(run_go(run, middle));
        if (bytes_compare(run->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < run->count;
    if (*found) TRY(run_go(run, low));
out:
    return st;
}

// What the run says of the key, in `arena`; nothing when none does.
static struct status run_read(
    struct staged *staged, struct bytes key, struct arena *arena, struct bytes *versions)
{
    struct status st = STATUS_OK;
    struct store_cursor *cursor = NULL;
    struct arena scratch;
    struct run run;
    bool found;
    *versions = bytes_of(NULL, 0);
    if (store_gap_has(&staged->run_gap, key)) return STATUS_OK;
    arena_init(&scratch, NULL);
    TRY(store_cursor_open(staged->slice->store, STORE_META, &cursor));
    struct bytes after = run_name(&scratch, staged->txn, key_next(&scratch, key));
    TRY(store_seek(cursor, STORE_BACKWARD, after, &found));
    if (found && is_run_of(cursor->key, staged->txn)) {
        TRY(run_open(cursor->value, &run));
        TRY(run_seek(&run, key, &found));
        if (found && bytes_equal(run.key, key)) *versions = arena_copy(arena, run.versions);
    } else {
        found = false;
    }
    if (versions->size > 0) {
        store_gap_found(&staged->run_gap);
    } else if (!found && store_gap_missed(&staged->run_gap)) {
        TRY(store_seek(cursor, STORE_FORWARD, after, &found));
        bool any = found && is_run_of(cursor->key, staged->txn);
        store_gap_learn(&staged->run_gap, key,
            any ? bytes_skip(cursor->key, META_NUMBER_KEY_BYTES) : bytes_of(NULL, 0));
    }
out:
    store_cursor_close(cursor);
    arena_fini(&scratch);
    return st;
}

struct status run_remove(struct slice *slice, struct arena *arena, uint64_t txn, struct bytes first)
{
    return store_remove(slice->store, STORE_META, run_name(arena, txn, first));
}

struct status row_read(
    struct staged *staged, struct bytes key, struct arena *arena, struct row_versions *versions)
{
    struct slice *slice = staged->slice;
    struct bytes own;
    uint64_t owner;
    *versions = (struct row_versions){0};
    struct status st = single_get(slice, arena, key, &owner, &own);
    if (!failed(st) && owner == staged->txn) versions->own = arena_copy(arena, own);
    store_release(slice->store);
    return failed(st) ? st : run_read(staged, key, arena, &versions->run);
}

struct status row_in_run(struct staged *staged, struct bytes key, bool *there)
{
    struct bytes versions;
    struct arena arena;
    arena_init(&arena, NULL);
    struct status st = run_read(staged, key, &arena, &versions);
    *there = versions.size > 0;
    arena_fini(&arena);
    return st;
}

struct status row_there(struct staged *staged, struct bytes key, bool *there)
{
    struct row_versions versions;
    struct arena arena;
    arena_init(&arena, NULL);
    struct status st = row_read(staged, key, &arena, &versions);
    *there = versions.own.size + versions.run.size > 0;
    arena_fini(&arena);
    return st;
}

// --- putting ---------------------------------------------------------------------------------------------

static void bounds_widen(struct span *bounds, struct bytes key)
{
    if (bounds->end.data == NULL) {
        *bounds = (struct span){key, key};
        return;
    }
    if (bytes_compare(key, bounds->start) < 0) bounds->start = key;
    if (bytes_compare(bounds->end, key) < 0) bounds->end = key;
}

// Whether the entry's keys ascend, with no other row and no part of a run among them: then they go into runs. What an
// earlier attempt to apply the same entry has put does not count, so that the answer stays what it was.
static struct status fits_runs(
    struct slice *slice, struct arena *arena, const struct entry_op *op, bool *fits)
{
    struct status st = STATUS_OK;
    struct row_iterator rows = {0};
    struct entry_items items;
    struct entry_item item;
    struct bytes first, last;
    *fits = false;
    entry_items_open(op, &items);
    if (!entry_item_next(&items, &item)) return STATUS_OK;
    first = last = item.key;
    while (entry_item_next(&items, &item)) {
        if (bytes_compare(item.key, last) <= 0) return STATUS_OK;
        last = item.key;
    }
    TRY(rows_open(slice, op->txn, arena, STORE_FORWARD, first, &rows));
    *fits = true;
    while (*fits && rows.found && bytes_compare(rows.key, last) <= 0) {
        *fits = rows.at_run && run_sequence(&rows.run) == op->sequence;
        if (*fits) TRY(rows_step(&rows));
    }
    // They may lie between two rows of one run.
    if (rows.run_found && rows.run.at > 0 && run_sequence(&rows.run) != op->sequence) *fits = false;
out:
    rows_close(&rows);
    return st;
}

// As a run has it: the key with its size, the version.
static void row_append(struct buffer *rows, const struct entry_item *item)
{
    const uint32_t key_size = (uint32_t)item->key.size;
    uint8_t *at = buffer_reserve(rows, 4 + key_size);
    memcpy(at, &key_size, 4);
    memcpy(at + 4, item->key.data, key_size);
    rows->size += 4 + key_size;
    version_append(rows, item);
}

struct run_builder {
    struct slice *slice;
    const struct entry_op *op;
    struct arena arena;
    struct buffer rows;
    struct bytes first;
    uint32_t count;
    uint32_t starts[RUN_ROWS];
};

// How an entry is cut does not change either: a record that is put again is the same. `last` is behind the rows that were
// gathered, counted with them: one so large that it is copied once. NULL: there is none.
static struct status run_flush(struct run_builder *builder, const struct entry_item *last)
{
    struct buffer record;
    if (builder->count == 0) return STATUS_OK;
    const uint32_t head = RUN_HEADER_BYTES + 4 * builder->count;
    const size_t behind = last == NULL ? 0 : 4 + last->key.size + VERSION_HEADER_BYTES + last->value.size;
    buffer_init(&record, &builder->arena);
    uint8_t *at = buffer_reserve(&record, head + builder->rows.size + behind);
    memcpy(at, &builder->op->sequence, 8);
    memcpy(at + 8, &builder->count, 4);
    for (uint32_t i = 0; i < builder->count; i++) {
        uint32_t start = head + builder->starts[i];
        memcpy(at + RUN_HEADER_BYTES + 4 * (size_t)i, &start, 4);
    }
    if (builder->rows.size > 0) memcpy(at + head, builder->rows.data, builder->rows.size);
    record.size = head + builder->rows.size;
    if (last != NULL) row_append(&record, last);
    struct bytes name = run_name(&builder->arena, builder->op->txn, builder->first);
    struct status st = store_put(builder->slice->store, STORE_META, name, buffer_bytes(&record));
    struct staged *staged = staged_find(builder->slice, builder->op->txn);
    if (staged != NULL) store_gap_forget(&staged->run_gap);
    builder->count = 0;
    arena_reset(&builder->arena);
    buffer_init(&builder->rows, &builder->arena);
    return st;
}

static struct status run_add(struct run_builder *builder, const struct entry_item *item)
{
    const bool first = builder->count == 0;
    if (first) builder->first = item->key;
    builder->starts[builder->count++] = (uint32_t)builder->rows.size;
    if (!item->tombstone && item->value.size >= RUN_BYTES) return run_flush(builder, item);
    if (first) buffer_reserve(&builder->rows, 2 * RUN_BYTES);
    row_append(&builder->rows, item);
    bool full = builder->count == RUN_ROWS || builder->rows.size >= RUN_BYTES;
    return full ? run_flush(builder, NULL) : STATUS_OK;
}

static struct status put_runs(struct slice_apply *apply, const struct entry_op *op)
{
    struct status st = STATUS_OK;
    struct entry_items items;
    struct entry_item item;
    struct run_builder builder = {.slice = apply->slice, .op = op};
    arena_init(&builder.arena, NULL);
    buffer_init(&builder.rows, &builder.arena);
    covered("staged.run");
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item)) {
        TRY(run_add(&builder, &item));
        TRY(slice_apply_pause(apply, item.key.size + item.value.size + 64));
    }
    TRY(run_flush(&builder, NULL));
out:
    arena_fini(&builder.arena);
    return st;
}

static struct status put_singles(struct slice_apply *apply, const struct entry_op *op)
{
    struct status st = STATUS_OK;
    struct entry_items items;
    struct entry_item item;
    struct arena scratch;
    arena_init(&scratch, NULL);
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item)) {
        TRY(single_put(apply->slice, &scratch, op->txn, &item));
        arena_reset(&scratch);
        TRY(slice_apply_pause(apply, item.key.size + item.value.size + 64));
    }
out:
    arena_fini(&scratch);
    return st;
}

struct status rows_put(struct slice_apply *apply, const struct entry_op *op, struct span *bounds)
{
    struct status st = STATUS_OK;
    struct entry_items items;
    struct entry_item item;
    struct arena arena;
    bool runs;
    arena_init(&arena, NULL);
    TRY(fits_runs(apply->slice, &arena, op, &runs));
    if (runs)
        TRY(put_runs(apply, op));
    else
        TRY(put_singles(apply, op));
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item)) bounds_widen(bounds, item.key);
out:
    arena_fini(&arena);
    return st;
}

// --- all rows of a transaction ---------------------------------------------------------------------------

static void single_look(struct row_iterator *rows, bool found)
{
    const struct bytes name = rows->singles->key;
    rows->single_found = found && name.size > 1 && name.data[0] == META_STAGED;
}

// The cursor stands on a record: its first row in the direction, when it is a run of the transaction.
static struct status run_look(struct row_iterator *rows, bool found)
{
    rows->run_found = found && is_run_of(rows->runs->key, rows->txn);
    if (!rows->run_found) return STATUS_OK;
    struct status st = run_open(rows->runs->value, &rows->run);
    if (failed(st)) return st;
    return run_go(&rows->run, rows->direction == STORE_FORWARD ? 0 : rows->run.count - 1);
}

static struct status run_step(struct row_iterator *rows)
{
    const struct run *run = &rows->run;
    bool found;
    if (rows->direction == STORE_FORWARD && run->at + 1 < run->count)
        return run_go(&rows->run, run->at + 1);
    if (rows->direction == STORE_BACKWARD && run->at > 0) return run_go(&rows->run, run->at - 1);
    struct status st = store_step(rows->runs, rows->direction, &found);
    return failed(st) ? st : run_look(rows, found);
}

// What comes next of both.
static struct status pick(struct row_iterator *rows)
{
    int order = !rows->run_found ? -1 : 1;
    rows->found = rows->single_found || rows->run_found;
    rows->at_single = rows->at_run = false;
    if (!rows->found) return STATUS_OK;
    if (rows->single_found && rows->run_found) {
        order = bytes_compare(bytes_skip(rows->singles->key, 1), rows->run.key);
        if (rows->direction == STORE_BACKWARD) order = -order;
    }
    rows->at_single = order <= 0;
    rows->at_run = order >= 0;
    rows->mine = rows->at_run;
    rows->versions = (struct row_versions){0};
    if (rows->at_run) {
        rows->key = rows->run.key;
        rows->versions.run = rows->run.versions;
    }
    if (rows->at_single) {
        struct bytes versions = rows->singles->value;
        uint64_t owner;
        struct status st = single_txn(&versions, &owner);
        if (failed(st)) return st;
        rows->key = bytes_skip(rows->singles->key, 1);
        if (owner == rows->txn) {
            rows->mine = true;
            rows->versions.own = versions;
        }
    }
    return STATUS_OK;
}

// Forward, the run that a key lies in begins below it.
static struct status runs_seek(struct row_iterator *rows, struct bytes key)
{
    struct status st = STATUS_OK;
    bool found;
    struct bytes name = run_name(rows->arena, rows->txn, key);
    TRY(store_seek(rows->runs, STORE_BACKWARD, name, &found));
    TRY(run_look(rows, found));
    if (!rows->run_found) {
        if (rows->direction == STORE_BACKWARD) goto out;
        TRY(store_seek(rows->runs, STORE_FORWARD, name, &found));
        TRY(run_look(rows, found));
        goto out;
    }
    TRY(run_seek(&rows->run, key, &found));
    if (rows->direction == STORE_BACKWARD) {
        // The first row is below the key: so is one before that which was found.
        TRY(run_go(&rows->run, found ? rows->run.at - 1 : rows->run.count - 1));
    } else if (!found) {
        TRY(store_step(rows->runs, STORE_FORWARD, &found));
        TRY(run_look(rows, found));
    }
out:
    return st;
}

struct status rows_open(struct slice *slice, uint64_t txn, struct arena *arena,
    enum store_direction direction, struct bytes key, struct row_iterator *rows)
{
    struct status st = STATUS_OK;
    bool found;
    *rows = (struct row_iterator){
        .slice = slice, .txn = txn, .arena = arena, .direction = direction};
    TRY(store_cursor_open(slice->store, STORE_META, &rows->singles));
    TRY(store_cursor_open(slice->store, STORE_META, &rows->runs));
    TRY(store_seek(rows->singles, direction, single_name(arena, key), &found));
    single_look(rows, found);
    TRY(runs_seek(rows, key));
    TRY(pick(rows));
out:
    return st;
}

struct status rows_step(struct row_iterator *rows)
{
    struct status st = STATUS_OK;
    bool found;
    const bool run = rows->at_run;
    if (rows->at_single) {
        TRY(store_step(rows->singles, rows->direction, &found));
        single_look(rows, found);
    }
    if (run) TRY(run_step(rows));
    TRY(pick(rows));
out:
    return st;
}

void rows_close(struct row_iterator *rows)
{
    store_cursor_close(rows->singles);
    store_cursor_close(rows->runs);
    rows->singles = rows->runs = NULL;
}

struct bytes rows_run_ending(const struct row_iterator *rows)
{
    if (!rows->at_run || rows->run.at + 1 < rows->run.count) return bytes_of(NULL, 0);
    return bytes_skip(rows->runs->key, META_NUMBER_KEY_BYTES);
}
