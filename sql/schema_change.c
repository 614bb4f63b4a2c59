// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/schema_change.h"

#include "core/invariant.h"
#include "core/shard.h"
#include "kv/key.h"
#include "sql/internal.h"
#include "sql/jobs.h"
#include "sql/row.h"

// A transaction that fills an index puts entries in their order, so the more the better; one that rows changed under
// begins anew with fewer.
#define BATCH_ROWS 500u
#define BATCH_ROWS_MAX 32000u
#define BATCH_BYTES_MAX (8u << 20)
#define BATCH_RETRIES_MAX 30u
#define PROGRESS_ROWS 10000u
#define PROGRESS_BATCHES 20u
#define ERASE_BATCH_KEYS 1000u
#define ERASE_DELAY_NS 30000000000ull

enum change_kind { CHANGE_PUBLISH = 'P', CHANGE_REWRITE = 'R', CHANGE_ERASE = 'E' };

// --- payloads --------------------------------------------------------------------------------------------

struct change {
    enum change_kind kind;
    uint32_t table_id;
    uint32_t *indexes,
        *constraints; // To be published; or indexes to be erased (none: the whole relation).
    uint32_t index_count, constraint_count;
    struct bytes target; // CHANGE_REWRITE: the encoded descriptor.
    const char **column_sql;
    uint32_t column_count;
    uint32_t *sequences; // Made for the change: dropped when it fails.
    uint32_t sequence_count;
};

static void append_bytes(struct buffer *out, struct bytes bytes)
{
    key_append_uvarint(out, bytes.size);
    buffer_append_bytes(out, bytes);
}

static void append_ids(struct buffer *out, const uint32_t *ids, uint32_t count)
{
    key_append_uvarint(out, count);
    for (uint32_t i = 0; i < count; i++)
        key_append_uvarint(out, ids[i]);
}

static struct bytes change_encode(struct arena *arena, const struct change *change)
{
    struct buffer out;
    buffer_init(&out, arena);
    buffer_append_u8(&out, (uint8_t)change->kind);
    key_append_uvarint(&out, change->table_id);
    append_ids(&out, change->indexes, change->index_count);
    append_ids(&out, change->constraints, change->constraint_count);
    append_ids(&out, change->sequences, change->sequence_count);
    append_bytes(&out, change->target);
    key_append_uvarint(&out, change->column_count);
    for (uint32_t i = 0; i < change->column_count; i++) {
        const char *sql = change->column_sql[i];
        append_bytes(&out, sql == NULL ? (struct bytes){NULL, 0} : bytes_of_string(sql));
    }
    return buffer_bytes(&out);
}

static struct status read_bytes(struct bytes *in, struct bytes *out)
{
    uint64_t size;
    struct status st = key_decode_uvarint(in, &size);
    if (failed(st)) return st;
    if (size > in->size)
        return status_make(E_DATA_CORRUPTED, "a schema change's record does not decode");
    *out = (struct bytes){in->data, (size_t)size};
    *in = bytes_skip(*in, (size_t)size);
    return STATUS_OK;
}

static struct status read_ids(
    struct arena *arena, struct bytes *in, uint32_t **ids, uint32_t *count)
{
    struct status st = STATUS_OK;
    uint64_t value;
    TRY(key_decode_uvarint(in, &value));
    if (value > in->size)
        return status_make(E_DATA_CORRUPTED, "a schema change's record does not decode");
    *count = (uint32_t)value;
    *ids = ARENA_ARRAY(arena, uint32_t, *count);
    for (uint32_t i = 0; i < *count; i++) {
        TRY(key_decode_uvarint(in, &value));
        (*ids)[i] = (uint32_t)value;
    }
out:
    return st;
}

static struct status change_decode(struct arena *arena, struct bytes in, struct change *change)
{
    struct status st = STATUS_OK;
    uint64_t value;

    *change = (struct change){0};
    if (in.size == 0)
        return status_make(E_DATA_CORRUPTED, "a schema change's record does not decode");
    change->kind = (enum change_kind)in.data[0];
    in = bytes_skip(in, 1);
    TRY(key_decode_uvarint(&in, &value));
    change->table_id = (uint32_t)value;
    TRY(read_ids(arena, &in, &change->indexes, &change->index_count));
    TRY(read_ids(arena, &in, &change->constraints, &change->constraint_count));
    TRY(read_ids(arena, &in, &change->sequences, &change->sequence_count));
    TRY(read_bytes(&in, &change->target));
    TRY(key_decode_uvarint(&in, &value));
    if (value > TABLE_COLUMNS_MAX + 1)
        return status_make(E_DATA_CORRUPTED, "a schema change's record does not decode");
    change->column_count = (uint32_t)value;
    change->column_sql = ARENA_ARRAY(arena, const char *, change->column_count);
    for (uint32_t i = 0; i < change->column_count; i++) {
        struct bytes sql;
        TRY(read_bytes(&in, &sql));
        change->column_sql[i] = sql.size == 0 ? NULL : arena_string(arena, sql);
    }
out:
    return st;
}

// --- transactions of the jobs' own -------------------------------------------------------------------------

// Runs fn in a key-value transaction, again when it conflicts. After some attempts fn reads with locks.
struct batch {
    uint64_t tenant;
    struct arena *arena; // Of one attempt: reset before each.
    struct kv_txn *txn;
    uint32_t attempt;
    bool lock;
    void *arg;
};

static struct status run_batch(struct task *task, struct batch *batch,
    struct status (*fn)(struct task *task, struct batch *batch))
{
    struct status st = STATUS_OK;
    struct kv_txn_options options = {.tenant = batch->tenant, .account = &task->shard->account};
    for (uint32_t attempt = 0; attempt < BATCH_RETRIES_MAX; attempt++) {
        arena_reset(batch->arena);
        batch->attempt = attempt;
        batch->lock = attempt >= 2;
        TRY(kv_txn_begin(task, &options, &batch->txn));
        st = fn(task, batch);
        if (failed(st)) {
            st = status_copy(task->arena, st);
            kv_txn_rollback(task, batch->txn);
        } else {
            st = kv_txn_commit(task, batch->txn, NULL);
        }
        if (!failed(st) || st.retry != RETRY_TRANSACTION) break;
        TRY(task_sleep(task, 1000000ull << (attempt < 8 ? attempt : 8)));
    }
out:
    return st;
}

// --- filling an index --------------------------------------------------------------------------------------

struct fill {
    uint32_t table_id, index_id;
    struct bytes resume; // First key of the next batch; empty: the beginning.
    struct bytes next;   // Where the batch ended, in the batch's arena.
    uint64_t rows;
    uint32_t rows_max;
    struct buffer last;  // The last row's key.
    bool done;
};

static struct status read_table(
    struct task *task, struct batch *batch, uint32_t id, struct table_desc **table)
{
    struct status st = STATUS_OK;
    struct bytes value;
    *table = NULL;
    TRY(kv_get(task, batch->txn, NULL, catalog_descriptor_key(batch->arena, batch->tenant, id),
        batch->arena, &value));
    if (value.data == NULL) goto out;
    *table = ARENA_NEW(batch->arena, struct table_desc);
    TRY(descriptor_decode_table(batch->arena, value, *table));
out:
    return st;
}

static struct status gone(void)
{
    return status_make(E_UNDEFINED_TABLE, "the table of the schema change is gone");
}

struct row_reader {
    struct row_index primary, index;
    struct row_decoder decoder;
    struct datum *row;
    struct datum **columns;
};

static struct status reader_init(struct batch *batch, const struct table_desc *table,
    const struct index_desc *index, struct row_reader *reader)
{
    struct status st = STATUS_OK;
    struct arena *arena = batch->arena;
    uint32_t width = row_width(table);
    uint32_t *ordinals = ARENA_ARRAY(arena, uint32_t, table->column_count);

    reader->row = ARENA_ARRAY(arena, struct datum, width);
    reader->columns = ARENA_ARRAY(arena, struct datum *, table->column_count);
    for (uint32_t i = 0; i < width; i++)
        reader->row[i] = DATUM_NULL;
    for (uint32_t i = 0; i < table->column_count; i++) {
        ordinals[i] = i;
        reader->columns[i] = &reader->row[i];
    }
    TRY(row_index_init(arena, batch->tenant, table, &table->indexes[0], &reader->primary));
    TRY(row_index_init(arena, batch->tenant, table, index, &reader->index));
    TRY(row_decoder_init(arena, &reader->primary, ordinals, table->column_count, &reader->decoder));
out:
    return st;
}

static struct status write_inverted(
    struct task *task, struct batch *batch, const struct row_reader *reader)
{
    struct status st = STATUS_OK;
    struct buffer value;
    struct bytes *keys;
    uint32_t count;
    TRY(row_inverted_keys(&reader->index, reader->row, batch->arena, &keys, &count));
    buffer_init(&value, batch->arena);
    row_value(&reader->index, reader->row, &value);
    for (uint32_t i = 0; i < count; i++)
        TRY(kv_put(task, batch->txn, keys[i], buffer_bytes(&value)));
out:
    return st;
}

// Adds the entries of some rows. An entry that a writer has put already is the same.
static struct status write_entries(struct task *task, struct batch *batch,
    const struct table_desc *table, const struct index_desc *index, struct row_reader *reader,
    const struct kv_batch *rows, struct arena *arena)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < rows->count; i++) {
        struct buffer key, value;
        struct bytes existing = {0};
        bool has_null = false;
        TRY(row_decode(
            &reader->decoder, rows->pairs[i].key, rows->pairs[i].value, arena, reader->columns, 0));
        if (index->inverted) {
            TRY(write_inverted(task, batch, reader));
            continue;
        }
        buffer_init(&key, arena);
        buffer_init(&value, arena);
        TRY(row_key(&reader->index, reader->row, &key, &has_null));
        row_value(&reader->index, reader->row, &value);
        if (!index->unique || has_null) {
            TRY(kv_put(task, batch->txn, buffer_bytes(&key), buffer_bytes(&value)));
            continue;
        }
        TRY(kv_insert(
            task, batch->txn, buffer_bytes(&key), buffer_bytes(&value), arena, &existing));
        if (existing.data != NULL && !bytes_equal(existing, buffer_bytes(&value)))
            return ddl_duplicate(&type_context_default, task->arena, table, index, reader->row);
    }
out:
    return st;
}

static struct status fill_rows(struct task *task, struct batch *batch, struct kv_scan *scan,
    const struct table_desc *table, const struct index_desc *index, struct row_reader *reader)
{
    struct status st = STATUS_OK;
    struct fill *fill = batch->arg;
    struct arena arena;
    struct kv_batch rows;
    arena_init(&arena, batch->arena->account);
    while (fill->rows < fill->rows_max && kv_txn_write_bytes(batch->txn) < BATCH_BYTES_MAX) {
        arena_reset(&arena);
        TRY(kv_scan_next(task, batch->txn, scan, &arena, &rows));
        fill->done = rows.count == 0;
        if (fill->done) break;
        TRY(write_entries(task, batch, table, index, reader, &rows, &arena));
        fill->rows += rows.count;
        struct bytes last = rows.pairs[rows.count - 1].key;
        fill->last.size = 0;
        buffer_append_bytes(&fill->last, last);
        TRY(task_yield_if_due(task));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status fill_batch(struct task *task, struct batch *batch)
{
    struct status st = STATUS_OK;
    struct fill *fill = batch->arg;
    struct table_desc *table;
    struct row_reader reader;
    struct kv_scan scan;

    TRY(read_table(task, batch, fill->table_id, &table));
    const struct index_desc *index =
        table == NULL ? NULL : table_index_by_id(table, fill->index_id);
    if (index == NULL) return gone();
    TRY(reader_init(batch, table, index, &reader));
    struct span span = row_index_span(batch->arena, batch->tenant, table->id, table->indexes[0].id);
    if (fill->resume.size > 0 && bytes_compare(fill->resume, span.start) > 0)
        span.start = fill->resume;
    kv_scan_init(&scan, span);
    scan.batch_rows = BATCH_ROWS;
    if (batch->lock) scan.read.lock = KV_LOCK_EXCLUSIVE;
    if (batch->attempt > 0)
        fill->rows_max = fill->rows_max / 4 < BATCH_ROWS ? BATCH_ROWS : fill->rows_max / 4;
    fill->rows = 0;
    fill->done = false;
    buffer_init(&fill->last, batch->arena);
    TRY(fill_rows(task, batch, &scan, table, index, &reader));
    fill->next = key_next(batch->arena, buffer_bytes(&fill->last));
out:
    return st;
}

// Progress: how many indexes are full, then the next key of the one after them.
static struct bytes progress_encode(struct arena *arena, uint32_t finished, struct bytes resume)
{
    struct buffer out;
    buffer_init(&out, arena);
    key_append_uvarint(&out, finished);
    buffer_append_bytes(&out, resume);
    return buffer_bytes(&out);
}

static struct status fill_index(struct task *task, struct job *job, const struct change *change,
    uint32_t at, struct bytes resume, uint64_t *rows)
{
    struct status st = STATUS_OK;
    struct arena batch_arena, resume_arena;
    struct fill fill = {.table_id = change->table_id,
        .index_id = change->indexes[at],
        .resume = resume,
        .rows_max = BATCH_ROWS};
    uint64_t told = *rows;

    arena_init(&batch_arena, &task->shard->account);
    arena_init(&resume_arena, &task->shard->account);
    struct batch batch = {.tenant = job->tenant, .arena = &batch_arena, .arg = &fill};
    while (!fill.done) {
        TRY(job_check(job));
        TRY(run_batch(task, &batch, fill_batch));
        *rows += fill.rows;
        struct bytes next = fill.next;
        // The former key may lie in the arena that is reset: copy through the task's.
        struct arena_mark mark = arena_mark(task->arena);
        next = arena_copy(task->arena, next);
        arena_reset(&resume_arena);
        fill.resume = arena_copy(&resume_arena, next);
        arena_release(task->arena, mark);
        if (fill.rows_max < BATCH_ROWS_MAX) fill.rows_max *= 2;
        if (*rows - told >= PROGRESS_ROWS) {
            told = *rows;
            mark = arena_mark(task->arena);
            TRY(job_update(task, job, progress_encode(task->arena, at, fill.resume), -1,
                arena_printf(task->arena, "backfilling: %llu rows", (unsigned long long)*rows)));
            arena_release(task->arena, mark);
        }
        TRY(task_yield(task));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    job->progress = (struct bytes){0};
    arena_fini(&resume_arena);
    arena_fini(&batch_arena);
    return st;
}

// --- publishing --------------------------------------------------------------------------------------------

struct publish {
    struct job *job;
    const struct change *change;
};

static bool has_id(const uint32_t *ids, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] == id) return true;
    }
    return false;
}

static struct statement_context context_of(struct task *task, struct session *session)
{
    // Helpers of DDL ask which statement they work for.
    static const struct statement alter = {.tag = STATEMENT_ALTER_TABLE};
    return (struct statement_context){
        .task = task, .session = session, .arena = task->arena, .statement = &alter};
}

static struct status validate(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct publish *publish = arg;
    const struct table_desc *table;
    struct statement_context context = context_of(task, session);

    TRY(catalog_table_by_id(task, session, publish->change->table_id, &table));
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        if (!has_id(publish->change->constraints, publish->change->constraint_count,
                table->constraints[i].id))
            continue;
        TRY(ddl_validate_constraint(&context, table, &table->constraints[i]));
    }
out:
    return st;
}

static struct status make_public(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    const struct change *change = ((struct publish *)arg)->change;
    struct table_desc *table;

    TRY(catalog_edit_table(task, session, task->arena, change->table_id, &table));
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (has_id(change->indexes, change->index_count, table->indexes[i].id))
            table->indexes[i].state = ELEMENT_PUBLIC;
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        if (has_id(change->constraints, change->constraint_count, table->constraints[i].id))
            table->constraints[i].state = ELEMENT_PUBLIC;
    }
    TRY(catalog_put_table(task, session, table));
out:
    return st;
}

static struct status publish_resume(struct task *task, struct job *job, const struct change *change)
{
    struct status st = STATUS_OK;
    struct publish publish = {.job = job, .change = change};
    uint64_t finished = 0, rows = 0;
    struct bytes resume = arena_copy(task->arena, job->progress);

    if (resume.size > 0) TRY(key_decode_uvarint(&resume, &finished));
    for (uint32_t i = (uint32_t)finished; i < change->index_count; i++) {
        TRY(fill_index(task, job, change, i, resume, &rows));
        resume = (struct bytes){0};
        TRY(job_update(task, job, progress_encode(task->arena, i + 1, resume),
            0.9 * (i + 1) / change->index_count, NULL));
    }
    // The rows that were there before are checked at one snapshot; later ones were checked by their writers.
    if (change->constraint_count > 0)
        TRY(internal_transaction(task, job->tenant, validate, &publish));
    TRY(internal_transaction(task, job->tenant, make_public, &publish));
out:
    return st;
}

static struct status take_back(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    const struct change *change = ((struct publish *)arg)->change;
    struct statement_context context = context_of(task, session);
    struct table_desc *table;

    st = catalog_edit_table(task, session, task->arena, change->table_id, &table);
    if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK; // Dropped meanwhile.
    TRY(st);
    for (uint32_t i = 0; i < table->index_count;) {
        struct index_desc index = table->indexes[i];
        if (!has_id(change->indexes, change->index_count, index.id)) {
            i++;
            continue;
        }
        DDL_REMOVE(table->indexes, table->index_count, i);
        TRY(catalog_free_name(task, session, table->database_id, table->schema_id, index.name));
        TRY(ddl_erase_later(&context, table->id, &index.id, 1));
    }
    for (uint32_t i = 0; i < table->constraint_count;) {
        struct constraint_desc constraint = table->constraints[i];
        if (!has_id(change->constraints, change->constraint_count, constraint.id)) {
            i++;
            continue;
        }
        DDL_REMOVE(table->constraints, table->constraint_count, i);
        if (constraint.kind != TABLE_FOREIGN_KEY) continue;
        struct table_desc *parent = table;
        if (constraint.referenced_table != table->id)
            TRY(catalog_edit_table(
                task, session, task->arena, constraint.referenced_table, &parent));
        for (uint32_t k = 0; k < parent->referenced_by_count; k++) {
            if (parent->referenced_by[k].table_id != table->id ||
                parent->referenced_by[k].constraint_id != constraint.id)
                continue;
            DDL_REMOVE(parent->referenced_by, parent->referenced_by_count, k);
            break;
        }
        if (parent != table) TRY(catalog_put_table(task, session, parent));
    }
    TRY(catalog_put_table(task, session, table));
out:
    return st;
}

// --- erasing -----------------------------------------------------------------------------------------------

struct erase {
    struct span span;
    uint64_t keys;
};

static struct status erase_batch(struct task *task, struct batch *batch)
{
    struct status st = STATUS_OK;
    struct erase *erase = batch->arg;
    struct kv_scan scan;
    struct kv_batch found;

    kv_scan_init(&scan, erase->span);
    scan.limit = ERASE_BATCH_KEYS;
    erase->keys = 0;
    for (;;) {
        TRY(kv_scan_next(task, batch->txn, &scan, batch->arena, &found));
        if (found.count == 0) break;
        for (uint32_t i = 0; i < found.count; i++)
            TRY(kv_delete(task, batch->txn, found.pairs[i].key));
        erase->keys += found.count;
    }
out:
    return st;
}

// Ordinary deletes: they replicate, and reads in the past still find the rows until they are collected.
static struct status erase_span(struct task *task, struct job *job, struct span span)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct erase erase = {.span = span, .keys = ERASE_BATCH_KEYS};

    arena_init(&arena, &task->shard->account);
    struct batch batch = {.tenant = job->tenant, .arena = &arena, .arg = &erase};
    while (erase.keys == ERASE_BATCH_KEYS) {
        TRY(job_check(job));
        TRY(run_batch(task, &batch, erase_batch));
        TRY(task_yield(task));
    }
out:
    arena_fini(&arena);
    return st;
}

static struct status erase_resume(struct task *task, struct job *job)
{
    struct status st = STATUS_OK;
    struct change change;

    TRY(change_decode(task->arena, job->payload, &change));
    if (change.index_count == 0)
        return erase_span(task, job, row_table_span(task->arena, job->tenant, change.table_id));
    for (uint32_t i = 0; i < change.index_count; i++)
        TRY(erase_span(task, job,
            row_index_span(task->arena, job->tenant, change.table_id, change.indexes[i])));
out:
    return st;
}

static const struct job_type erase_type = {.name = "SCHEMA CHANGE GC",
    .resume = erase_resume,
    .not_cancelable = true,
    .automatic = true,
    .class = TASK_BULK};

// Whether the transaction sees nothing in a span. Rows that come after its snapshot make it conflict.
static struct status is_empty(struct statement_context *context, struct span span, bool *empty)
{
    struct kv_scan scan;
    struct kv_batch batch;
    kv_scan_init(&scan, span);
    scan.limit = 1;
    struct status st =
        kv_scan_next(context->task, context->session->txn, &scan, context->arena, &batch);
    *empty = !failed(st) && batch.count == 0;
    return st;
}

static struct status nothing_to_erase(struct statement_context *context, uint32_t table_id,
    const uint32_t *index_ids, uint32_t count, bool *empty)
{
    struct status st = STATUS_OK;
    uint64_t tenant = context->session->tenant;
    if (count == 0)
        return is_empty(context, row_table_span(context->arena, tenant, table_id), empty);
    *empty = true;
    for (uint32_t i = 0; i < count && *empty; i++)
        TRY(is_empty(
            context, row_index_span(context->arena, tenant, table_id, index_ids[i]), empty));
out:
    return st;
}

struct status ddl_erase_later(
    struct statement_context *context, uint32_t table_id, const uint32_t *index_ids, uint32_t count)
{
    bool empty;
    struct status st = nothing_to_erase(context, table_id, index_ids, count, &empty);
    if (failed(st) || empty) return st;
    struct change change = {.kind = CHANGE_ERASE,
        .table_id = table_id,
        .indexes = (uint32_t *)(uintptr_t)index_ids,
        .index_count = count};
    struct job_options options = {.type = &erase_type,
        .description = arena_printf(context->arena, "GC for relation %u", table_id),
        .payload = change_encode(context->arena, &change),
        .delay_ns = ERASE_DELAY_NS};
    int64_t id;
    // Started by adoption once its time has come.
    return job_create(context->task, context->session->tenant, context->session, &options, &id);
}

// --- rewriting ---------------------------------------------------------------------------------------------

struct copied_entry {
    struct bytes key, value;
    const struct index_desc *index;
    bool unique;
    const struct datum *row;
};

struct rewrite {
    struct job *job;
    struct table_desc *target;
    struct arena pending_arena; // Of the entries that wait.
    struct arena batch_arena;
    struct copied_entry *pending;
    uint32_t pending_count, pending_capacity, pending_rows;
    uint32_t row_width;
    const struct datum *last_row, *last_copy;
    uint64_t flushes;
};

static struct status flush_batch(struct task *task, struct batch *batch)
{
    struct status st = STATUS_OK;
    struct rewrite *rewrite = batch->arg;
    for (uint32_t i = 0; i < rewrite->pending_count; i++) {
        const struct copied_entry *entry = &rewrite->pending[i];
        struct bytes existing = {0};
        if (!entry->unique) {
            TRY(kv_put(task, batch->txn, entry->key, entry->value));
            continue;
        }
        TRY(kv_insert(task, batch->txn, entry->key, entry->value, batch->arena, &existing));
        if (existing.data != NULL)
            return ddl_duplicate(
                &type_context_default, task->arena, rewrite->target, entry->index, entry->row);
    }
out:
    return st;
}

static struct status flush(struct task *task, struct rewrite *rewrite)
{
    struct status st = STATUS_OK;
    if (rewrite->pending_count == 0) goto out;
    TRY(job_check(rewrite->job));
    struct batch batch = {
        .tenant = rewrite->job->tenant, .arena = &rewrite->batch_arena, .arg = rewrite};
    TRY(run_batch(task, &batch, flush_batch));
    arena_reset(&rewrite->pending_arena);
    rewrite->pending = NULL;
    rewrite->pending_count = rewrite->pending_capacity = rewrite->pending_rows = 0;
    rewrite->last_row = NULL;
    rewrite->flushes++;
out:
    return st;
}

static struct status copy_entry(
    struct task *task, struct ddl_feed *feed, const struct ddl_entry *entry)
{
    struct rewrite *rewrite = feed->arg;
    struct arena *arena = &rewrite->pending_arena;
    (void)task;
    if (rewrite->pending_count == rewrite->pending_capacity) {
        uint32_t capacity = rewrite->pending_capacity == 0 ? 1024 : rewrite->pending_capacity * 2;
        struct copied_entry *grown = ARENA_ARRAY(arena, struct copied_entry, capacity);
        if (rewrite->pending_count > 0)
            memcpy(grown, rewrite->pending, rewrite->pending_count * sizeof *grown);
        rewrite->pending = grown;
        rewrite->pending_capacity = capacity;
    }
    // The row is kept for the message about a duplicate.
    if (entry->unique && rewrite->last_row == NULL) {
        struct datum *copy = ARENA_ARRAY(arena, struct datum, rewrite->row_width);
        for (uint32_t i = 0; i < rewrite->row_width; i++) {
            copy[i] = DATUM_NULL;
            if (i < rewrite->target->column_count && !entry->row[i].null)
                copy[i] = type_copy(arena, rewrite->target->columns[i].type.oid, entry->row[i]);
        }
        rewrite->last_row = entry->row;
        rewrite->last_copy = copy;
    }
    rewrite->pending[rewrite->pending_count++] =
        (struct copied_entry){.key = arena_copy(arena, entry->key),
            .value = arena_copy(arena, entry->value),
            .index = entry->index,
            .unique = entry->unique,
            .row = rewrite->last_copy};
    return arena_check(arena);
}

static struct status row_copied(struct task *task, struct ddl_feed *feed)
{
    struct rewrite *rewrite = feed->arg;
    rewrite->last_row = NULL;
    if (++rewrite->pending_rows < BATCH_ROWS) return STATUS_OK;
    struct status st = flush(task, rewrite);
    if (failed(st) || rewrite->flushes % PROGRESS_BATCHES != 0) return st;
    struct arena_mark mark = arena_mark(task->arena);
    st = job_update(task, rewrite->job, (struct bytes){0}, -1,
        arena_printf(task->arena, "rewriting: %llu rows", (unsigned long long)feed->row_count));
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

static struct status copy_rows(struct task *task, struct job *job, const struct change *change,
    struct table_desc *target, uint32_t *index_ids)
{
    struct status st = STATUS_OK;
    struct session *session = NULL;
    const struct table_desc *source;
    struct rewrite *rewrite = ARENA_NEW(task->arena, struct rewrite);

    rewrite->job = job;
    rewrite->target = target;
    rewrite->row_width = row_width(target);
    arena_init(&rewrite->pending_arena, &task->shard->account);
    arena_init(&rewrite->batch_arena, &task->shard->account);
    TRY(internal_session_open(task, job->tenant, "system", &session));
    // A snapshot of now: the rows do not change while writes are refused.
    TRY(kv_now(task, job->tenant, &session->txn_as_of));
    TRY(session_txn_begin(task, session, true));
    TRY(catalog_table_by_id(task, session, change->table_id, &source));
    struct ddl_feed feed = {.source = source,
        .target = target,
        .column_sql = change->column_sql,
        .index_ids = index_ids,
        .index_count = target->index_count,
        .write = copy_entry,
        .row_done = row_copied,
        .arg = rewrite};
    TRY(ddl_feed_run(task, session, task->arena, &feed));
    TRY(flush(task, rewrite));
out:
    if (failed(st)) st = status_copy(task->arena, st);
    if (session != NULL) {
        if (session->txn_state != TXN_IDLE) session_txn_rollback(task, session);
        internal_session_close(task, session);
    }
    arena_fini(&rewrite->batch_arena);
    arena_fini(&rewrite->pending_arena);
    return st;
}

struct replace {
    const struct change *change;
    struct table_desc *target;
};

static struct status replace_table(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct replace *replace = arg;
    struct table_desc *stored, target = *replace->target;
    struct statement_context context = context_of(task, session);

    TRY(catalog_edit_table(task, session, task->arena, target.id, &stored));
    if (!stored->writes_blocked) goto out; // A former run of this job got this far.
    uint32_t *old = ARENA_ARRAY(task->arena, uint32_t, stored->index_count);
    for (uint32_t i = 0; i < stored->index_count; i++)
        old[i] = stored->indexes[i].id;
    // What others may change meanwhile is theirs.
    target.grants = stored->grants;
    target.grant_count = stored->grant_count;
    target.referenced_by = stored->referenced_by;
    target.referenced_by_count = stored->referenced_by_count;
    target.depended_by = stored->depended_by;
    target.depended_by_count = stored->depended_by_count;
    target.writes_blocked = false;
    TRY(catalog_put_table(task, session, &target));
    TRY(ddl_erase_later(&context, target.id, old, stored->index_count));
out:
    return st;
}

static struct status rewrite_resume(struct task *task, struct job *job, const struct change *change)
{
    struct status st = STATUS_OK;
    struct table_desc *target = ARENA_NEW(task->arena, struct table_desc);

    TRY(descriptor_decode_table(task->arena, change->target, target));
    uint32_t *ids = ARENA_ARRAY(task->arena, uint32_t, target->index_count);
    for (uint32_t i = 0; i < target->index_count; i++) {
        ids[i] = target->indexes[i].id;
        // A run that was cut off left rows whose new values (of sequences, say) would not come again.
        TRY(erase_span(task, job, row_index_span(task->arena, job->tenant, target->id, ids[i])));
    }
    TRY(copy_rows(task, job, change, target, ids));
    struct replace replace = {.change = change, .target = target};
    TRY(internal_transaction(task, job->tenant, replace_table, &replace));
out:
    return st;
}

static struct status unblock(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct replace *replace = arg;
    const struct table_desc *target = replace->target;
    struct table_desc *stored;
    struct statement_context context = context_of(task, session);

    st = catalog_edit_table(task, session, task->arena, target->id, &stored);
    if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK;
    TRY(st);
    if (!stored->writes_blocked) goto out;
    stored->writes_blocked = false;
    uint32_t *ids = ARENA_ARRAY(task->arena, uint32_t, target->index_count);
    for (uint32_t i = 0; i < target->index_count; i++) {
        ids[i] = target->indexes[i].id;
        TRY(catalog_free_name(
            task, session, target->database_id, target->schema_id, target->indexes[i].name));
    }
    TRY(ddl_renumber_names(task, session, stored));
    TRY(catalog_put_table(task, session, stored));
    TRY(ddl_erase_later(&context, target->id, ids, target->index_count));
    for (uint32_t i = 0; i < replace->change->sequence_count; i++) {
        struct table_desc *sequence;
        TRY(catalog_edit_table(
            task, session, task->arena, replace->change->sequences[i], &sequence));
        TRY(ddl_drop_relation(&context, sequence, DROP_CASCADE));
    }
out:
    return st;
}

// --- the job type ------------------------------------------------------------------------------------------

static struct status change_resume(struct task *task, struct job *job)
{
    struct status st = STATUS_OK;
    struct change change;
    TRY(change_decode(task->arena, job->payload, &change));
    if (change.kind == CHANGE_PUBLISH) return publish_resume(task, job, &change);
    if (change.kind == CHANGE_REWRITE) return rewrite_resume(task, job, &change);
    st = status_make(E_DATA_CORRUPTED, "a schema change of an unknown kind");
out:
    return st;
}

static struct status change_revert(struct task *task, struct job *job)
{
    struct status st = STATUS_OK;
    struct change change;
    TRY(change_decode(task->arena, job->payload, &change));
    if (change.kind == CHANGE_PUBLISH) {
        struct publish publish = {.job = job, .change = &change};
        return internal_transaction(task, job->tenant, take_back, &publish);
    }
    if (change.kind == CHANGE_REWRITE) {
        struct table_desc *target = ARENA_NEW(task->arena, struct table_desc);
        TRY(descriptor_decode_table(task->arena, change.target, target));
        struct replace replace = {.change = &change, .target = target};
        return internal_transaction(task, job->tenant, unblock, &replace);
    }
out:
    return st;
}

static const struct job_type change_type = {
    .name = "SCHEMA CHANGE", .resume = change_resume, .revert = change_revert, .class = TASK_BULK};

void schema_change_register(void)
{
    job_type_register(&change_type);
    job_type_register(&erase_type);
}

// Commits what the statement has done so far, lets the job run to its end, and goes on in a new transaction.
static struct status run_change(struct statement_context *context, const struct change *change)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    int64_t id;
    struct job_options options = {.type = &change_type,
        .description = arena_string(context->arena, context->text),
        .user_name = session->user,
        .statement = arena_string(context->arena, context->text),
        .payload = change_encode(context->arena, change)};

    invariant(session->txn_state == TXN_IMPLICIT);
    TRY(job_create(context->task, session->tenant, session, &options, &id));
    TRY(ddl_add_job(session, id));
    TRY(session_txn_commit(context->task, session));
    TRY(job_wait(context->task, session->tenant, id, NULL));
    TRY(session_txn_begin(context->task, session, true));
out:
    return st;
}

struct status schema_change_publish(struct statement_context *context, struct table_desc *target)
{
    struct status st = STATUS_OK;
    struct change change = {.kind = CHANGE_PUBLISH, .table_id = target->id};

    for (uint32_t i = 0; i < target->index_count; i++) {
        if (target->indexes[i].state != ELEMENT_PUBLIC)
            DDL_APPEND(context->arena, change.indexes, change.index_count, target->indexes[i].id);
    }
    for (uint32_t i = 0; i < target->constraint_count; i++) {
        if (target->constraints[i].state != ELEMENT_PUBLIC)
            DDL_APPEND(context->arena, change.constraints, change.constraint_count,
                target->constraints[i].id);
    }
    TRY(catalog_put_table(context->task, context->session, target));
    TRY(ddl_validate_expressions(context, target));
    TRY(run_change(context, &change));
out:
    return st;
}

struct status schema_change_rewrite(struct statement_context *context,
    const struct table_desc *source, struct table_desc *target, const char **column_sql)
{
    struct status st = STATUS_OK;
    struct buffer encoded;
    struct table_desc blocked = *source;
    struct change change = {.kind = CHANGE_REWRITE,
        .table_id = target->id,
        .column_sql = column_sql,
        .column_count = target->column_count};

    blocked.writes_blocked = true;
    blocked.next_column_id = target->next_column_id;
    blocked.next_index_id = target->next_index_id;
    blocked.next_constraint_id = target->next_constraint_id;
    for (uint32_t i = 0; i < target->column_count; i++) {
        const struct column_desc *column = &target->columns[i];
        if (column->owned_sequence != 0 && table_column_by_id(source, column->id) == NULL)
            DDL_APPEND(
                context->arena, change.sequences, change.sequence_count, column->owned_sequence);
    }
    buffer_init(&encoded, context->arena);
    descriptor_encode_table(&encoded, target);
    change.target = buffer_bytes(&encoded);
    TRY(catalog_put_table(context->task, context->session, &blocked));
    TRY(ddl_renumber_names(context->task, context->session, target));
    TRY(run_change(context, &change));
out:
    return st;
}
