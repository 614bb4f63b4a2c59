// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/row_seen.h"

#include "sql/exec/row_sort.h"

#define SEEN_MARK_ROWS 64u
#define FILTER_PROBES 4u

void row_seen_init(struct row_seen *seen, struct op *op, const type_oid *types, uint32_t width)
{
    *seen = (struct row_seen){.op = op};
    memory_account_init(&seen->memory, &op->memory, "hash", 0);
    row_hash_init(&seen->hash, &seen->memory, types, width);
    arena_init(&seen->arena, &op->memory);
}

void row_seen_reset(struct row_seen *seen)
{
    for (uint32_t i = 0; i < seen->run_count; i++) {
        row_list_reader_fini(&seen->runs[i]->reader);
        row_list_fini(&seen->runs[i]->rows);
    }
    seen->runs = NULL;
    seen->run_count = seen->run_capacity = 0;
    arena_reset(&seen->arena);
    row_hash_reset(&seen->hash);
}

void row_seen_fini(struct row_seen *seen)
{
    if (seen->op == NULL) return;
    row_seen_reset(seen);
    arena_fini(&seen->arena);
    row_hash_fini(&seen->hash);
    memory_account_fini(&seen->memory);
}

// --- runs --------------------------------------------------------------------------------------------

static uint64_t probe(const struct seen_run *run, uint64_t hash, uint32_t number)
{
    return (hash + number * ((hash >> 32) | 1u)) & run->filter_mask;
}

static void filter_add(struct seen_run *run, uint64_t hash)
{
    for (uint32_t i = 0; i < FILTER_PROBES; i++) {
        const uint64_t bit = probe(run, hash, i);
        run->filter[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

static bool may_have(const struct seen_run *run, uint64_t hash)
{
    for (uint32_t i = 0; i < FILTER_PROBES; i++) {
        const uint64_t bit = probe(run, hash, i);
        if (!(run->filter[bit / 8] & 1u << bit % 8)) return false;
    }
    return true;
}

static int compare_hashes(const void *arg, const struct datum *a, const struct datum *b)
{
    (void)arg;
    const uint64_t x = (uint64_t)a[0].integer, y = (uint64_t)b[0].integer;
    return x < y ? -1 : x > y;
}

// The numbers of the table's rows by their hashes: rows of two numbers, hash and row.
static struct status by_hash(
    struct task *task, struct row_hash *hash, struct arena *arena, struct datum ***out)
{
    struct status st = STATUS_OK;
    const uint64_t count = hash->keys.count;
    struct datum *pairs = arena_try_alloc(arena, count * 2 * sizeof *pairs);
    struct datum **rows = arena_try_alloc(arena, count * sizeof *rows);
    struct datum **scratch = arena_try_alloc(arena, count * sizeof *scratch);
    if (pairs == NULL || rows == NULL || scratch == NULL)
        return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: rows of a recursive query");
    for (uint64_t i = 0; i < count; i++) {
        rows[i] = &pairs[i * 2];
        rows[i][0] = datum_int((int64_t)hash->hashes[i]);
        rows[i][1] = datum_int((int64_t)i);
    }
    TRY(rows_merge_sort(task, compare_hashes, NULL, rows, count, scratch));
    *out = rows;

out:
    return st;
}

static struct seen_run *run_new(struct row_seen *seen, uint64_t count)
{
    struct seen_run *run = ARENA_NEW(&seen->arena, struct seen_run);
    struct op *op = seen->op;
    const struct row_store *keys = &seen->hash.keys;
    uint64_t bits = 1024;
    while (bits < count * 8) bits *= 2;
    row_list_init(
        &run->rows, &op->memory, keys->types, keys->width, &op->run->spill, &op->spilled_bytes);
    row_list_reader_init(&run->reader, &run->rows, &op->memory);
    row_list_spill(&run->rows);
    run->filter_mask = bits - 1;
    run->filter = arena_alloc_zero(&seen->arena, bits / 8);
    run->marks = arena_alloc(&seen->arena, (count / SEEN_MARK_ROWS + 1) * sizeof *run->marks);
    if (seen->run_count == seen->run_capacity) {
        uint32_t capacity = seen->run_capacity == 0 ? 8 : seen->run_capacity * 2;
        seen->runs = arena_grow(&seen->arena, seen->runs,
            seen->run_capacity * sizeof *seen->runs, capacity * sizeof *seen->runs);
        seen->run_capacity = capacity;
    }
    seen->runs[seen->run_count++] = run;
    return run;
}

static struct status put_down(struct task *task, struct row_seen *seen)
{
    struct status st = STATUS_OK;
    struct row_hash *hash = &seen->hash;
    const uint64_t count = hash->keys.count;
    struct arena scratch;
    struct datum **order;
    arena_init(&scratch, &seen->memory);
    TRY(by_hash(task, hash, &scratch, &order));
    struct seen_run *run = run_new(seen, count);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t value = (uint64_t)order[i][0].integer;
        if (i % SEEN_MARK_ROWS == 0) run->marks[run->mark_count++] = value;
        filter_add(run, value);
        TRY(row_list_add_row(task, &run->rows, hash->keys.rows[order[i][1].integer]));
        if ((i & 255u) == 255u) TRY(task_yield_if_due(task));
    }
    row_hash_reset(hash);

out:
    arena_fini(&scratch);
    return st;
}

static bool is_row(const struct row_store *keys, const struct datum *row,
    struct datum *const *columns, uint32_t at)
{
    for (uint32_t c = 0; c < keys->width; c++) {
        const struct datum value = columns[c][at];
        if (value.null != row[c].null) return false;
        if (!value.null && !type_equal(keys->types[c], row[c], value)) return false;
    }
    return true;
}

static struct status run_find(struct task *task, struct row_seen *seen, struct seen_run *run,
    uint64_t hash, struct datum *const *columns, uint32_t at, bool *found)
{
    struct status st = STATUS_OK;
    uint64_t low = 0, high = run->mark_count;
    while (low < high) { // The first mark that is not below.
        const uint64_t middle = low + (high - low) / 2;
        if (run->marks[middle] < hash) low = middle + 1;
        else high = middle;
    }
    uint64_t end = low;
    while (end < run->mark_count && run->marks[end] == hash) end++;
    low = low == 0 ? 0 : (low - 1) * SEEN_MARK_ROWS;
    end = end * SEEN_MARK_ROWS < run->rows.count ? end * SEEN_MARK_ROWS : run->rows.count;
    for (; low < end && !*found; low++) {
        struct datum *row;
        TRY(row_list_get(task, &run->reader, low, &row));
        *found = is_row(&seen->hash.keys, row, columns, at);
    }

out:
    return st;
}

// --- rows --------------------------------------------------------------------------------------------

struct status row_seen_add(struct task *task, struct row_seen *seen, struct datum *const *columns,
    uint32_t at, bool *added)
{
    struct status st = STATUS_OK;
    const struct row_store *keys = &seen->hash.keys;
    uint32_t number;
    bool found = false;
    *added = false;
    if (seen->run_count > 0) {
        TRY(row_hash_find(task, &seen->hash, columns, at, &number, NULL));
        if (number != ROW_HASH_NONE) return st;
        const uint64_t hash = row_hash_of(keys->types, keys->width, columns, at);
        for (uint32_t i = 0; i < seen->run_count && !found; i++)
            if (may_have(seen->runs[i], hash))
                TRY(run_find(task, seen, seen->runs[i], hash, columns, at, &found));
        if (found) return st;
    }
    TRY(row_hash_find(task, &seen->hash, columns, at, &number, added));

out:
    return st;
}

struct status row_seen_check(struct task *task, struct row_seen *seen)
{
    struct status st = STATUS_OK;
    const uint64_t count = seen->hash.keys.count;
    struct run *run = seen->op->run;
    const uint64_t more = row_hash_growth(&seen->hash, run->capacity) +
        count * (2 * sizeof(struct datum) + 2 * sizeof(struct datum *) + 2);
    if (count > 0 && run_spills(run, &seen->memory, more)) TRY(put_down(task, seen));
    TRY(arena_check(&seen->hash.keys.arena));
    TRY(arena_check(&seen->arena));

out:
    return st;
}
