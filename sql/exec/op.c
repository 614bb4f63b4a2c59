// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/op.h"

#include "core/hash.h"
#include "core/invariant.h"
#include "sql/exec/memory.h"
#include "sql/exec/row_list.h"

#define EMIT_BYTES (1u << 20) // Of copied values in a batch.

bool run_spills(const struct run *run, const struct memory_account *account, uint64_t more)
{
    return run->session != NULL && memory_spills(run->session, account, more);
}

const struct type_context *run_types(const struct run *run)
{
    static const struct type_context plain = {.extra_float_digits = 1};
    return run->session == NULL ? &plain : &run->session->types;
}

struct status op_keep_list(struct op *op, struct row_list *list)
{
    uint64_t more = list->store.count * 2 * sizeof(struct datum *);
    if (!list->spilled && run_spills(op->run, list->store.arena.account, more))
        row_list_spill(list);
    return arena_check(&list->store.arena);
}

struct status op_emit_list(struct task *task, struct op *op, struct row_list_reader *reader,
    const uint32_t *map, uint64_t *at)
{
    struct status st = STATUS_OK;
    const struct row_list *list = reader->list;
    const type_oid *types = list->store.types;
    uint32_t count = 0;
    uint64_t bytes = 0;
    arena_reset(&op->arena);
    for (; count < op->run->capacity && bytes < EMIT_BYTES && *at < list->count; count++, (*at)++) {
        struct datum *row;
        bool copy = *at >= list->store.count;
        TRY(row_list_get(task, reader, *at, &row));
        for (uint32_t c = 0; c < op->out.column_count; c++) {
            uint32_t from = map == NULL ? c : map[c];
            struct datum value = row[from];
            if (copy && !value.null && !type_is_by_value(types[from])) {
                bytes += value.size;
                value.data = task_copy(&op->arena, datum_as_bytes(value)).data;
            }
            op->out.columns[c][count] = value;
        }
    }
    op->out.count = op->out.selected = count;
    op->out.selection = NULL;
    op->rows += count;

out:
    return st;
}

void op_alloc_columns(struct op *op, uint32_t count)
{
    op->out.columns = ARENA_ARRAY(op->run->arena, struct datum *, count);
    op->out.column_count = count;
    for (uint32_t i = 0; i < count; i++)
        op->out.columns[i] =
            arena_alloc(op->run->arena, op->run->capacity * sizeof(struct datum));
}

struct status op_create(
    struct task *task, struct run *run, const struct node *node, struct op **out)
{
    struct status st = STATUS_OK;
    const struct op_class *class = op_class_of(node->kind);
    struct op *op = arena_alloc_zero(run->arena, class->size);
    *out = op;
    op->class = class;
    op->node = node;
    op->run = run;
    arena_init(&op->arena, run->account);
    memory_account_init(&op->memory, run->account, "operator", 0);
    if (run->measured) {
        op->stats = ARENA_NEW(run->arena, struct op_stats);
        run->measured_ops = arena_grow(run->arena, run->measured_ops,
            run->measured_count * sizeof op, (run->measured_count + 1) * sizeof op);
        run->measured_ops[run->measured_count++] = op;
    }
    if (node->left != NULL) TRY(op_create(task, run, node->left, &op->left));
    if (node->right != NULL) TRY(op_create(task, run, node->right, &op->right));
    TRY(class->open(task, op));

out:
    return st;
}

void op_close(struct op *op)
{
    if (op == NULL) return;
    op_close(op->left);
    op_close(op->right);
    if (op->class->close != NULL) op->class->close(op);
    arena_fini(&op->arena);
    memory_account_fini(&op->memory);
}

// --- EXPLAIN ANALYZE ---------------------------------------------------------------------------------

struct measure {
    uint64_t ns;
    struct kv_txn_stats kv;
};

static struct measure measure_begin(struct task *task, const struct op *op)
{
    struct measure measure = {.ns = task_now_ns(task)};
    if (op->run->txn != NULL) measure.kv = *kv_txn_stats(op->run->txn);
    return measure;
}

static void measure_end(struct task *task, struct op *op, const struct measure *before)
{
    struct op_stats *stats = op->stats;
    stats->ns += task_now_ns(task) - before->ns;
    stats->spilled_bytes = op->spilled_bytes;
    if (op->run->txn == NULL) return;
    const struct kv_txn_stats *now = kv_txn_stats(op->run->txn);
    stats->kv.requests += now->requests - before->kv.requests;
    stats->kv.rows_read += now->rows_read - before->kv.rows_read;
    stats->kv.bytes_read += now->bytes_read - before->kv.bytes_read;
    stats->kv.lock_wait_ns += now->lock_wait_ns - before->kv.lock_wait_ns;
}

struct status op_rewind_measured(struct task *task, struct op *op)
{
    struct measure before = measure_begin(task, op);
    op->stats->loops++;
    struct status st = op->class->rewind(task, op);
    measure_end(task, op, &before);
    return st;
}

struct status op_next_measured(struct task *task, struct op *op, struct batch **batch)
{
    struct measure before = measure_begin(task, op);
    struct status st = op->class->next(task, op, batch);
    measure_end(task, op, &before);
    if (failed(st)) return st;
    op->stats->rows += (*batch)->selected;
    if (op->stats->first_ns == 0) op->stats->first_ns = op->stats->ns;
    return st;
}

// --- rows kept ---------------------------------------------------------------------------------------

void row_store_init(
    struct row_store *store, struct memory_account *account, const type_oid *types, uint32_t width)
{
    *store = (struct row_store){.types = types, .width = width};
    arena_init(&store->arena, account);
}

void row_store_reset(struct row_store *store)
{
    arena_reset(&store->arena);
    store->rows = NULL;
    store->count = store->capacity = 0;
}

void row_store_fini(struct row_store *store)
{
    arena_fini(&store->arena);
    *store = (struct row_store){0};
}

struct datum *row_store_new(struct row_store *store)
{
    if (store->count == store->capacity) {
        uint64_t capacity = store->capacity == 0 ? 16 : store->capacity * 2;
        store->rows = arena_grow(&store->arena, store->rows,
            store->capacity * sizeof(struct datum *), capacity * sizeof(struct datum *));
        store->capacity = capacity;
    }
    struct datum *row = arena_alloc(&store->arena, store->width * sizeof(struct datum));
    store->rows[store->count++] = row;
    return row;
}

struct datum *row_store_add(
    struct row_store *store, struct datum *const *columns, const uint32_t *map, uint32_t at)
{
    struct datum *row = row_store_new(store);
    for (uint32_t c = 0; c < store->width; c++)
        row_store_set(store, row, c, columns[map == NULL ? c : map[c]][at]);
    return row;
}

// --- hash --------------------------------------------------------------------------------------------

#define HASH_BUCKETS_FIRST 64u
#define LONG_BYTES 16384u // A value that is worth a look at the clock by itself.

void row_hash_init(
    struct row_hash *hash, struct memory_account *account, const type_oid *types, uint32_t width)
{
    *hash = (struct row_hash){0};
    row_store_init(&hash->keys, account, types, width);
}

void row_hash_reset(struct row_hash *hash)
{
    row_store_reset(&hash->keys);
    hash->hashes = NULL;
    hash->buckets = NULL;
    hash->mask = 0;
}

void row_hash_fini(struct row_hash *hash)
{
    row_store_fini(&hash->keys);
}

uint64_t row_hash_growth(const struct row_hash *hash, uint64_t rows)
{
    uint64_t size = hash->buckets == NULL ? 0 : (uint64_t)hash->mask + 1, bytes = 0;
    while (hash->keys.count + rows > size / 2) {
        size = size == 0 ? HASH_BUCKETS_FIRST : size * 2;
        bytes += size / 2 * sizeof(uint64_t) + size * sizeof(uint32_t);
    }
    return bytes;
}

uint64_t row_hash_of(const type_oid *types, uint32_t width, struct datum *const *columns, uint32_t at)
{
    uint64_t hash = 0x9ae16a3b2f90404fu;
    for (uint32_t c = 0; c < width; c++) {
        struct datum value = columns[c][at];
        hash = hash_combine(hash, value.null ? 0x5bd1e995u : type_hash(types[c], value));
    }
    return hash;
}

static struct status hash_grow(struct task *task, struct row_hash *hash)
{
    struct status st = STATUS_OK;
    uint32_t old_size = hash->buckets == NULL ? 0 : hash->mask + 1;
    uint32_t size = old_size == 0 ? HASH_BUCKETS_FIRST : old_size * 2;
    struct arena *arena = &hash->keys.arena;
    if (size > 1u << 30)
        return status_make(E_OUT_OF_MEMORY, "hash table is too large");
    // Half of the places at most are taken.
    uint64_t *hashes = arena_try_alloc(arena, size / 2 * sizeof(uint64_t));
    uint32_t *buckets = arena_try_alloc(arena, size * sizeof(uint32_t));
    if (hashes == NULL || buckets == NULL) {
        TRY(arena_check(arena));
        return status_make(E_OUT_OF_MEMORY, "out of memory");
    }
    if (hash->keys.count > 0)
        memcpy(hashes, hash->hashes, hash->keys.count * sizeof(uint64_t));
    memset(buckets, 0, size * sizeof(uint32_t));
    for (uint32_t i = 0; i < hash->keys.count; i++) {
        uint32_t at = (uint32_t)hashes[i] & (size - 1);
        while (buckets[at] != 0) at = (at + 1) & (size - 1);
        buckets[at] = i + 1;
        if ((i & 8191u) == 8191u) TRY(task_yield_if_due(task));
    }
    hash->hashes = hashes;
    hash->buckets = buckets;
    hash->mask = size - 1;

out:
    return st;
}

static bool hash_row_equal(const struct row_hash *hash, const struct datum *row,
    struct datum *const *columns, uint32_t at)
{
    for (uint32_t c = 0; c < hash->keys.width; c++) {
        struct datum a = row[c], b = columns[c][at];
        if (a.null || b.null) {
            if (a.null != b.null) return false;
            continue;
        }
        if (!type_equal(hash->keys.types[c], a, b)) return false;
    }
    return true;
}

struct status row_hash_find(struct task *task, struct row_hash *hash, struct datum *const *columns,
    uint32_t at, uint32_t *number, bool *added)
{
    struct status st = STATUS_OK;
    *number = ROW_HASH_NONE;
    if (hash->buckets == NULL || (added != NULL && hash->keys.count >= (hash->mask + 1) / 2)) {
        if (added == NULL) return st;
        TRY(hash_grow(task, hash));
    }
    for (uint32_t c = 0; c < hash->keys.width; c++)
        if (UNLIKELY(columns[c][at].size > LONG_BYTES)) TRY(task_work(task, columns[c][at].size));
    uint64_t value = row_hash_of(hash->keys.types, hash->keys.width, columns, at);
    uint32_t place = (uint32_t)value & hash->mask;
    for (; hash->buckets[place] != 0; place = (place + 1) & hash->mask) {
        uint32_t row = hash->buckets[place] - 1;
        if (hash->hashes[row] == value &&
            hash_row_equal(hash, hash->keys.rows[row], columns, at)) {
            *number = row;
            if (added != NULL) *added = false;
            return st;
        }
    }
    if (added == NULL) return st;
    *number = (uint32_t)hash->keys.count;
    row_store_add(&hash->keys, columns, NULL, at);
    hash->hashes[*number] = value;
    hash->buckets[place] = *number + 1;
    *added = true;

out:
    return st;
}
