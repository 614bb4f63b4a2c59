// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/scan.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "sql/type/array.h"

static struct expr_state **states_of(
    struct arena *arena, struct run *run, struct expr_program **programs, uint32_t count)
{
    struct expr_state **states = ARENA_ARRAY(arena, struct expr_state *, count);
    for (uint32_t i = 0; i < count; i++) states[i] = expr_state_new(arena, run, programs[i], 1);
    return states;
}

void access_state_init(struct access_state *state, struct arena *arena, struct run *run,
    const struct access *access, const struct row_index *index)
{
    *state = (struct access_state){.access = access, .index = index};
    state->equals = ARENA_ARRAY(arena, struct expr_state **, access->equal_count);
    for (uint32_t i = 0; i < access->equal_count; i++)
        state->equals[i] = states_of(
            arena, run, access->equals[i].programs, access->equals[i].program_count);
    state->lower = states_of(arena, run, access->lower, access->lower_count);
    state->upper = states_of(arena, run, access->upper, access->upper_count);
}

struct kv_read scan_read(enum rel_lock lock, enum lock_wait wait)
{
    static const enum kv_lock locks[] = {[REL_LOCK_NONE] = KV_LOCK_NONE,
        [REL_LOCK_KEY_SHARE] = KV_LOCK_KEY_SHARE, [REL_LOCK_SHARE] = KV_LOCK_SHARE,
        [REL_LOCK_NO_KEY_UPDATE] = KV_LOCK_NO_KEY_UPDATE, [REL_LOCK_UPDATE] = KV_LOCK_UPDATE};
    static const enum kv_wait waits[] = {[LOCK_WAIT_BLOCK] = KV_WAIT_BLOCK,
        [LOCK_WAIT_SKIP] = KV_WAIT_SKIP, [LOCK_WAIT_ERROR] = KV_WAIT_FAIL};
    return (struct kv_read){.lock = locks[lock], .wait = waits[wait]};
}

struct key_list {
    struct bytes *items;
    uint32_t count, capacity;
};

static struct status add_key(struct arena *arena, struct key_list *list, struct bytes key)
{
    if (list->count >= ACCESS_SPANS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too many values in IN conditions");
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        list->items = arena_grow(arena, list->items, list->capacity * sizeof(struct bytes),
            capacity * sizeof(struct bytes));
        list->capacity = capacity;
    }
    list->items[list->count++] = key;
    return STATUS_OK;
}

static struct status encode_after(struct arena *arena, struct bytes prefix,
    const struct row_key_column *column, struct datum value, struct bytes *key)
{
    struct status st = STATUS_OK;
    struct buffer buffer;
    buffer_init(&buffer, arena);
    buffer_reserve(&buffer, prefix.size + 24);
    buffer_append_bytes(&buffer, prefix);
    TRY(row_key_encode(&buffer, column, value));
    *key = buffer_bytes(&buffer);

out:
    return st;
}

// Adds prefix + value for one prefix and every value of one equality.
static struct status extend_prefix(struct task *task, struct access_state *state, uint32_t at,
    struct bytes prefix, struct arena *arena, struct key_list *out)
{
    struct status st = STATUS_OK;
    const struct key_value *equal = &state->access->equals[at];
    const struct row_key_column *column = &state->index->keys[at];
    struct bytes key;
    struct datum value;
    for (uint32_t i = 0; i < equal->program_count; i++) {
        TRY(expr_run_single(task, state->equals[at][i], arena, &value));
        if (value.null && !equal->is_null) continue; // Nothing equals NULL.
        if (!equal->is_array) {
            TRY(encode_after(arena, prefix, column, value, &key));
            TRY(add_key(arena, out, key));
            continue;
        }
        struct array array;
        TRY(array_open(value, &array));
        struct array_cursor cursor = array_first(&array);
        struct datum item;
        while (array_next(&cursor, &item)) {
            if (item.null) continue;
            TRY(encode_after(arena, prefix, column, item, &key));
            TRY(add_key(arena, out, key));
        }
    }

out:
    return st;
}

static int compare_keys(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static void sort_keys(struct key_list *list)
{
    if (list->count < 2) return;
    qsort(list->items, list->count, sizeof(struct bytes), compare_keys);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < list->count; i++)
        if (!bytes_equal(list->items[i], list->items[kept - 1])) list->items[kept++] = list->items[i];
    list->count = kept;
}

// Narrows [start, end) by one bound. *empty when it compares with NULL.
static struct status apply_bound(struct task *task, struct expr_state *program, bool inclusive,
    bool is_lower, const struct row_key_column *column, struct bytes prefix, struct arena *arena,
    struct span *span, bool *empty)
{
    struct status st = STATUS_OK;
    struct datum value;
    struct bytes key;
    TRY(expr_run_single(task, program, arena, &value));
    if (value.null) {
        *empty = true;
        return st;
    }
    TRY(encode_after(arena, prefix, column, value, &key));
    // In a descending column the lower bound of values is the upper one of keys.
    bool at_start = is_lower == (column->order == KEY_ASCENDING);
    if (at_start) {
        if (!inclusive) key = key_prefix_end(arena, key);
        if (bytes_compare(key, span->start) > 0) span->start = key;
    } else {
        if (inclusive) key = key_prefix_end(arena, key);
        if (bytes_compare(key, span->end) < 0) span->end = key;
    }

out:
    return st;
}

static struct status range_span(struct task *task, struct access_state *state,
    struct bytes prefix, struct arena *arena, struct span *span, bool *empty)
{
    struct status st = STATUS_OK;
    const struct access *access = state->access;
    *empty = false;
    *span = (struct span){prefix, key_prefix_end(arena, prefix)};
    if (access->equal_count >= state->index->key_count) return st;
    const struct row_key_column *column = &state->index->keys[access->equal_count];
    if (access->lower_count > 0 || access->upper_count > 0 || access->not_null) {
        struct bytes null_key;
        TRY(encode_after(arena, prefix, column, DATUM_NULL, &null_key));
        if (!row_key_nulls_first(column)) span->end = null_key;
        else span->start = key_prefix_end(arena, null_key);
    }
    for (uint32_t i = 0; i < access->lower_count && !*empty; i++)
        TRY(apply_bound(task, state->lower[i], access->lower_inclusive[i], true, column, prefix,
            arena, span, empty));
    for (uint32_t i = 0; i < access->upper_count && !*empty; i++)
        TRY(apply_bound(task, state->upper[i], access->upper_inclusive[i], false, column, prefix,
            arena, span, empty));
    if (bytes_compare(span->start, span->end) >= 0) *empty = true;

out:
    return st;
}

struct status access_spans(struct task *task, struct access_state *state, struct arena *arena)
{
    struct status st = STATUS_OK;
    const struct access *access = state->access;
    struct key_list prefixes = {0};
    state->count = 0;
    TRY(add_key(arena, &prefixes, state->index->prefix));
    for (uint32_t e = 0; e < access->equal_count; e++) {
        struct key_list longer = {0};
        for (uint32_t p = 0; p < prefixes.count; p++)
            TRY(extend_prefix(task, state, e, prefixes.items[p], arena, &longer));
        prefixes = longer;
    }
    if (access->multi) sort_keys(&prefixes);
    if (access->point) {
        state->points = prefixes.items;
        state->count = prefixes.count;
        return st;
    }
    state->spans = arena_alloc(arena, (prefixes.count + 1u) * sizeof(struct span));
    for (uint32_t p = 0; p < prefixes.count; p++) {
        bool empty;
        TRY(range_span(task, state, prefixes.items[p], arena, &state->spans[state->count], &empty));
        if (!empty) state->count++;
    }

out:
    return st;
}
