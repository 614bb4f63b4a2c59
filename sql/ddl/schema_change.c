// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/ddl/schema_change_internal.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/shard.h"
#include "kv/key.h"
#include "sql/catalog/descriptor.h"
#include "sql/parse/parse.h"
#include "sql/exec/row.h"
#include "sql/type/timezone.h"

// --- filling an index --------------------------------------------------------------------------------------

struct fill {
    uint32_t table_id, index_id;
    struct bytes resume; // First key of the next batch; empty: the beginning.
    struct bytes next;   // Where the batch ended, in the batch's arena.
    uint64_t rows;
    uint32_t rows_max, attempts;
    struct buffer last;  // The last row's key.
    bool done;
};

static struct status read_table(
    struct task *task, struct change_batch *batch, uint32_t id, struct table_desc **table)
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

struct row_reader {
    struct row_index primary, index;
    struct row_decoder decoder;
    struct datum *row;
    struct datum **columns;
};

static struct status reader_init(struct change_batch *batch, const struct table_desc *table,
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
    struct task *task, struct change_batch *batch, const struct row_reader *reader)
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

// Entries of a batch that need no look at what is there: they are put in their order, which costs a fraction. Pairs and
// what they point to are in `arena`.
struct entry_list {
    struct arena arena;
    struct entry {
        uint64_t prefix; // The first bytes after those that all share, big end first: most comparisons end there.
        struct kv_pair pair;
    } *entries;
    uint32_t count, capacity;
    size_t shared, bytes;
};

#define ENTRY_RUN 1024u

static void entry_list_add(struct entry_list *list, struct bytes key, struct bytes value)
{
    if (list->count == list->capacity) {
        const uint32_t capacity = list->capacity == 0 ? 1024 : list->capacity * 2;
        list->entries = arena_grow(&list->arena, list->entries,
            list->capacity * sizeof *list->entries, capacity * sizeof *list->entries);
        list->capacity = capacity;
    }
    struct entry *entry = &list->entries[list->count++];
    entry->prefix = 0;
    for (size_t i = 0; i < sizeof entry->prefix; i++)
        entry->prefix = entry->prefix << 8 | (list->shared + i < key.size ? key.data[list->shared + i] : 0);
    entry->pair = (struct kv_pair){arena_copy(&list->arena, key), arena_copy(&list->arena, value)};
    list->bytes += key.size + value.size + 3 * sizeof *entry; // Grown, and once more to be sorted.
}

static int entry_order(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
    return bytes_compare(a->pair.key, b->pair.key);
}

static struct status entry_list_merge(
    struct task *task, struct entry_list *list, uint32_t run, const struct entry *from, struct entry *to)
{
    struct status st = STATUS_OK;
    for (uint32_t start = 0; start < list->count; start += 2 * run) {
        const uint32_t middle = list->count - start < run ? list->count : start + run;
        const uint32_t end = list->count - middle < run ? list->count : middle + run;
        uint32_t left = start, right = middle;
        for (uint32_t at = start; at < end; at++) {
            const bool first = right == end || (left < middle && entry_order(&from[left], &from[right]) <= 0);
            to[at] = from[first ? left++ : right++];
            if (at % 1024 == 1023) TRY(task_yield_if_due(task));
        }
    }
out:
    return st;
}

// By runs, so that no step takes long.
static struct status entry_list_sort(struct task *task, struct entry_list *list)
{
    struct status st = STATUS_OK;
    struct entry *spare = ARENA_ARRAY(&list->arena, struct entry, list->count + 1);
    TRY(arena_check(&list->arena));
    for (uint32_t start = 0; start < list->count; start += ENTRY_RUN) {
        const uint32_t left = list->count - start;
        qsort(list->entries + start, left < ENTRY_RUN ? left : ENTRY_RUN, sizeof *spare, entry_order);
        TRY(task_yield_if_due(task));
    }
    for (uint32_t run = ENTRY_RUN; run < list->count; run *= 2) {
        TRY(entry_list_merge(task, list, run, list->entries, spare));
        struct entry *merged = spare;
        spare = list->entries;
        list->entries = merged;
    }
out:
    return st;
}

static struct status entry_list_put(struct task *task, struct kv_txn *txn, struct entry_list *list)
{
    struct status st = STATUS_OK;
    TRY(entry_list_sort(task, list));
    for (uint32_t i = 0; i < list->count; i++) {
        TRY(kv_put(task, txn, list->entries[i].pair.key, list->entries[i].pair.value));
        if (i % 1024 == 1023) TRY(task_yield_if_due(task));
    }
out:
    return st;
}

// Adds the entries of some rows. An entry that a writer has put already is the same.
static struct status write_entries(struct task *task, struct change_batch *batch,
    const struct table_desc *table, const struct index_desc *index, struct row_reader *reader,
    const struct kv_batch *rows, struct arena *arena, struct entry_list *list)
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
        if (!index_is_unique(index) || has_null) {
            entry_list_add(list, buffer_bytes(&key), buffer_bytes(&value));
            continue;
        }
        TRY(kv_insert(
            task, batch->txn, buffer_bytes(&key), buffer_bytes(&value), arena, &existing));
        if (existing.data != NULL && !bytes_equal(existing, buffer_bytes(&value)))
            return ddl_duplicate(NULL, task->arena, table, index, reader->row);
    }
out:
    return st;
}

static struct status fill_rows(struct task *task, struct change_batch *batch, struct kv_scan *scan,
    const struct table_desc *table, const struct index_desc *index, struct row_reader *reader)
{
    struct status st = STATUS_OK;
    struct fill *fill = batch->arg;
    struct arena arena;
    struct kv_batch rows;
    struct entry_list list = {.shared = reader->index.prefix.size};
    arena_init(&arena, batch->arena->account);
    arena_init(&list.arena, batch->arena->account);
    while (fill->rows < fill->rows_max &&
        kv_txn_write_bytes(batch->txn) + list.bytes < CHANGE_BATCH_BYTES_MAX) {
        arena_reset(&arena);
        TRY(kv_scan_next(task, batch->txn, scan, &arena, &rows));
        fill->done = rows.count == 0;
        if (fill->done) break;
        TRY(write_entries(task, batch, table, index, reader, &rows, &arena, &list));
        TRY(arena_check(&list.arena));
        fill->rows += rows.count;
        struct bytes last = rows.pairs[rows.count - 1].key;
        fill->last.size = 0;
        buffer_append_bytes(&fill->last, last);
        TRY(task_yield_if_due(task));
    }
    TRY(entry_list_put(task, batch->txn, &list));
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&list.arena);
    arena_fini(&arena);
    return st;
}

// Ends the span behind the last row that there is now. Who adds rows behind it later makes their entries, since the index
// is known, and need not be what the batch loses against.
static struct status trim(struct task *task, struct change_batch *batch, struct span *span)
{
    struct status st = STATUS_OK;
    struct kv_scan scan;
    struct kv_batch last;
    kv_scan_init(&scan, *span);
    scan.reverse = true;
    scan.limit = 1;
    scan.read.no_validate = true;
    TRY(kv_scan_next(task, batch->txn, &scan, batch->arena, &last));
    span->end = last.count == 0 ? span->start : key_next(batch->arena, last.pairs[0].key);
out:
    return st;
}

static struct status fill_batch(struct task *task, struct change_batch *batch)
{
    struct status st = STATUS_OK;
    struct fill *fill = batch->arg;
    struct table_desc *table;
    struct row_reader reader;
    struct kv_scan scan;

    TRY(read_table(task, batch, fill->table_id, &table));
    const struct index_desc *index =
        table == NULL ? NULL : table_index_by_id(table, fill->index_id);
    if (index == NULL) return change_gone();
    TRY(reader_init(batch, table, index, &reader));
    struct span span = row_index_span(batch->arena, batch->tenant, table->id, table->indexes[0].id);
    if (fill->resume.size > 0 && bytes_compare(fill->resume, span.start) > 0)
        span.start = fill->resume;
    TRY(trim(task, batch, &span));
    kv_scan_init(&scan, span);
    if (batch->lock) scan.read.lock = KV_LOCK_UPDATE;
    scan.batch_rows = fill->rows_max < CHANGE_BATCH_ROWS ? fill->rows_max : CHANGE_BATCH_ROWS;
    if (batch->attempt > 0 && fill->rows_max > CHANGE_BATCH_ROWS)
        fill->rows_max = fill->rows_max / 4 < CHANGE_BATCH_ROWS ? CHANGE_BATCH_ROWS : fill->rows_max / 4;
    fill->attempts = batch->attempt;
    fill->rows = 0;
    fill->done = bytes_equal(span.start, span.end);
    buffer_init(&fill->last, batch->arena);
    if (!fill->done) TRY(fill_rows(task, batch, &scan, table, index, &reader));
    fill->next = key_next(batch->arena, buffer_bytes(&fill->last));
out:
    return st;
}

static struct status fill_index(struct task *task, struct job *job, const struct change *change,
    struct change_progress *progress)
{
    struct status st = STATUS_OK;
    struct arena batch_arena, resume_arena;
    struct fill fill = {.table_id = change->table_id,
        .index_id = change->indexes[progress->finished],
        .resume = progress->resume};
    struct change_pace pace = {.told_rows = progress->rows};
    double share = 0.9 / (change->index_count + change->constraint_count), from = share * progress->finished;
    uint32_t rows_max = CHANGE_BATCH_ROWS, rows_most = 2 * CHANGE_BATCH_ROWS_MAX;

    arena_init(&batch_arena, &task->shard->account);
    arena_init(&resume_arena, &task->shard->account);
    struct change_batch batch = {.tenant = job->tenant, .arena = &batch_arena, .arg = &fill};
    while (!fill.done) {
        TRY(job_check(job));
        fill.rows_max = change_batch_rows(task, job, &pace, rows_max);
        st = change_run_batch(task, &batch, fill_batch);
        if (status_is(st, E_OUT_OF_MEMORY) && rows_max > CHANGE_BATCH_ROWS) {
            // What others take of the memory is theirs: with less it takes longer.
            rows_most = rows_max = rows_max / 2;
            fill.done = false;
            continue;
        }
        TRY(st);
        rows_max = fill.attempts > 0 ? CHANGE_BATCH_ROWS : rows_max;
        progress->rows += fill.rows;
        // The former key may lie in the arena that is reset: copy through the task's.
        struct arena_mark mark = arena_mark(task->arena);
        struct bytes next = arena_copy(task->arena, fill.next);
        arena_reset(&resume_arena);
        progress->resume = fill.resume = arena_copy(&resume_arena, next);
        arena_release(task->arena, mark);
        if (rows_max * 2 <= rows_most) rows_max *= 2;
        TRY(change_pace(task, job, &pace, progress, fill.rows, from, from + share));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    progress->resume = (struct bytes){0};
    arena_fini(&resume_arena);
    arena_fini(&batch_arena);
    return st;
}

// --- publishing --------------------------------------------------------------------------------------------

struct publish {
    struct job *job;
    const struct change *change;
};

struct statement_context change_context(struct task *task, struct session *session)
{
    // Helpers of DDL ask which statement they work for.
    static const struct statement alter = {.tag = STATEMENT_ALTER_TABLE};
    return (struct statement_context){
        .task = task, .session = session, .arena = task->arena, .statement = &alter};
}

static struct status make_public(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    const struct change *change = ((struct publish *)arg)->change;
    struct table_desc *table;

    TRY(catalog_edit_table(task, session, task->arena, change->table_id, &table));
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (!ddl_has_id(change->indexes, change->index_count, table->indexes[i].id)) continue;
        table->indexes[i].state = ELEMENT_PUBLIC;
        if (row_index_is_uncertain(&table->indexes[i])) table->writes_blocked = false;
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        if (ddl_has_id(change->constraints, change->constraint_count, table->constraints[i].id))
            table->constraints[i].state = ELEMENT_PUBLIC;
    }
    TRY(catalog_put_table(task, session, table));
    struct statement_context context = change_context(task, session);
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (ddl_has_id(change->indexes, change->index_count, table->indexes[i].id))
            TRY(ddl_validate_deferrable(&context, table, &table->indexes[i]));
    }
out:
    return st;
}

struct look {
    uint32_t table_id, index_id;
    bool plain; // The index has columns alone, of all rows.
};

static struct status look_at(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct look *look = arg;
    const struct table_desc *table;
    TRY(catalog_table_by_id(task, session, look->table_id, &table));
    const struct index_desc *index = table_index_by_id(table, look->index_id);
    if (index == NULL) return change_gone();
    look->plain = index->predicate_sql == NULL;
    for (uint32_t i = 0; i < index->column_count; i++)
        look->plain &= index->columns[i].expression_sql == NULL;
out:
    return st;
}

static struct status publish_resume(struct task *task, struct job *job, const struct change *change)
{
    struct status st = STATUS_OK;
    struct publish publish = {.job = job, .change = change};
    struct change_progress progress;

    TRY(change_progress_read(task->arena, job->progress, &progress));
    for (; progress.finished < change->index_count; progress.finished++) {
        if (progress.resume.size == 0) {
            progress.rows = 0;
            TRY(change_count_rows(task, job->tenant, change->table_id, &progress.total));
        }
        struct look look = {.table_id = change->table_id, .index_id = change->indexes[progress.finished]};
        TRY(internal_transaction(task, job->tenant, look_at, &look));
        if (look.plain)
            TRY(fill_index(task, job, change, &progress));
        else
            TRY(change_fill_parts(task, job, change, &progress));
        struct change_progress done = progress;
        done.finished++;
        TRY(change_checkpoint(task, job, &done,
            0.9 * done.finished / (change->index_count + change->constraint_count)));
    }
    TRY(change_validate(task, job, change, &progress));
    TRY(internal_transaction(task, job->tenant, make_public, &publish));
out:
    return st;
}

static struct status take_back(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    const struct change *change = ((struct publish *)arg)->change;
    struct statement_context context = change_context(task, session);
    struct table_desc *table;

    st = catalog_edit_table(task, session, task->arena, change->table_id, &table);
    if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK; // Dropped meanwhile.
    TRY(st);
    for (uint32_t i = 0; i < table->index_count;) {
        struct index_desc index = table->indexes[i];
        if (!ddl_has_id(change->indexes, change->index_count, index.id)) {
            i++;
            continue;
        }
        DDL_REMOVE(table->indexes, table->index_count, i);
        if (row_index_is_uncertain(&index)) table->writes_blocked = false;
        TRY(catalog_free_name(task, session, table->database_id, table->schema_id, index.name));
        TRY(ddl_erase_later(&context, table->id, &index.id, 1));
    }
    for (uint32_t i = 0; i < table->constraint_count;) {
        struct constraint_desc constraint = table->constraints[i];
        if (!ddl_has_id(change->constraints, change->constraint_count, constraint.id)) {
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

// --- the job type ------------------------------------------------------------------------------------------

static struct status change_resume(struct task *task, struct job *job)
{
    struct status st = STATUS_OK;
    struct change change;
    TRY(change_decode(task->arena, job->payload, &change));
    if (change.kind == CHANGE_PUBLISH) return publish_resume(task, job, &change);
    if (change.kind == CHANGE_REWRITE) return change_rewrite_resume(task, job, &change);
    st = status_make(E_DATA_CORRUPTED, "a schema change of an unknown kind");
out:
    return st;
}

static struct status change_undo(struct task *task, struct session *session, struct job *job, bool *stands)
{
    struct status st = STATUS_OK;
    struct change change;
    TRY(change_decode(task->arena, job->payload, &change));
    if (change.kind == CHANGE_PUBLISH) {
        struct publish publish = {.job = job, .change = &change};
        return take_back(task, session, &publish);
    }
    if (change.kind == CHANGE_REWRITE) return change_rewrite_undo(task, session, &change, stands);
out:
    return st;
}

static struct status undo_alone(struct task *task, struct session *session, void *arg)
{
    bool stands;
    return change_undo(task, session, arg, &stands);
}

static struct status change_revert(struct task *task, struct job *job)
{
    return internal_transaction(task, job->tenant, undo_alone, job);
}

static const struct job_type change_type = {.name = "SCHEMA CHANGE",
    .resume = change_resume,
    .revert = change_revert,
    .undo = change_undo,
    .class = TASK_BULK};

void schema_change_register(void)
{
    job_type_register(&change_type);
    change_erase_register();
}

// The record of a job keeps an error's text, which tells the names that it is about.
static struct status add_names(struct statement_context *context, struct status st,
    const struct table_desc *target, const char *schema)
{
    struct arena *arena = context->arena;
    const char *column = NULL, *constraint = NULL;
    if (!status_is(st, E_NOT_NULL_VIOLATION) && !status_is(st, E_UNIQUE_VIOLATION) &&
        !status_is(st, E_CHECK_VIOLATION) && !status_is(st, E_FOREIGN_KEY_VIOLATION))
        return st;
    for (uint32_t i = 0; i < target->column_count; i++) {
        const char *name = target->columns[i].name;
        if (strcmp(st.message, arena_printf(arena, "column \"%s\" of relation \"%s\" contains null values",
                                   name, target->name)) == 0)
            column = name;
    }
    for (uint32_t i = 0; i < target->index_count; i++) {
        const char *name = target->indexes[i].name;
        if (strcmp(st.message, arena_printf(arena, "could not create unique index \"%s\"", name)) == 0)
            constraint = name;
    }
    for (uint32_t i = 0; i < target->constraint_count; i++) {
        const struct constraint_desc *made = &target->constraints[i];
        const char *text = made->kind == TABLE_CHECK
            ? arena_printf(arena, "check constraint \"%s\" of relation \"%s\" is violated by some row",
                  made->name, target->name)
            : arena_printf(arena, "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
                  target->name, made->name);
        if (strcmp(st.message, text) == 0) constraint = made->name;
    }
    return status_names(arena, st, schema, target->name, column, constraint);
}

// Commits what the statement has done so far, lets the job run to its end, and goes on in a new transaction.
static struct status run_change(struct statement_context *context, const struct change *change,
    const struct table_desc *target)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    const struct schema_desc *schema;
    int64_t id;
    enum job_status status;
    struct change whole = *change;
    change_note_session(context->arena, session, &whole);
    struct job_options options = {.type = &change_type,
        .description = arena_string(context->arena, context->text),
        .user_name = session->user,
        .statement = arena_string(context->arena, context->text),
        .payload = change_encode(context->arena, &whole)};

    invariant(session->txn_state == TXN_IMPLICIT);
    TRY(catalog_schema_by_id(context->task, session, target->schema_id, &schema));
    const char *schema_name = arena_strdup(context->arena, schema->name);
    TRY(job_create(context->task, session->tenant, session, &options, &id));
    TRY(ddl_add_job(session, id));
    TRY(session_txn_commit(context->task, session));
    st = job_wait_own(context->task, session->tenant, id, &status);
    st.retry = RETRY_NEVER; // It would meet what it has done itself.
    if (failed(st)) return add_names(context, st, target, schema_name);
    if (status == JOB_PAUSED)
        return status_hint(context->arena,
            ddl_error(context, E_NOT_IN_PREREQUISITE_STATE,
                "job %lld was paused before it completed", (long long)id),
            "RESUME JOB %lld lets it go on.", (long long)id);
    TRY(session_txn_begin(context->task, session, true));
out:
    return st;
}

struct status schema_change_publish(struct statement_context *context, struct table_desc *target)
{
    struct status st = STATUS_OK;
    struct change change = {.kind = CHANGE_PUBLISH, .table_id = target->id};

    for (uint32_t i = 0; i < target->index_count; i++) {
        if (target->indexes[i].state == ELEMENT_PUBLIC) continue;
        DDL_APPEND(context->arena, change.indexes, change.index_count, target->indexes[i].id);
        // Whether a row has its entry yet cannot be told of one that others change meanwhile.
        if (row_index_is_uncertain(&target->indexes[i])) target->writes_blocked = true;
    }
    for (uint32_t i = 0; i < target->constraint_count; i++) {
        if (target->constraints[i].state != ELEMENT_PUBLIC)
            DDL_APPEND(context->arena, change.constraints, change.constraint_count,
                target->constraints[i].id);
    }
    TRY(catalog_put_table(context->task, context->session, target));
    TRY(ddl_validate_expressions(context, target));
    TRY(run_change(context, &change, target));
out:
    return st;
}

// Whether whoever writes to the table can write the rows of the target too: its expressions can be bound anywhere, and
// its key can be computed again from a row.
static bool rewrites_online(struct statement_context *context, const struct table_desc *source,
    const struct table_desc *target, const char **column_sql)
{
    struct arena *arena = context->arena;
    if (source->materialized) return false;
    for (uint32_t i = 0; i < target->index_count; i++)
        if (row_index_is_uncertain(&target->indexes[i])) return false;
    for (uint32_t i = 0; i < target->column_count; i++) {
        struct ddl_expr_info info;
        struct expr *expr;
        bool in_key = false;
        if (column_sql[i] == NULL) continue;
        if (failed(parse_expression_on_stack(arena, bytes_of_string(column_sql[i]), &expr)))
            return false;
        ddl_expr_info(arena, expr, &info);
        for (uint32_t k = 0; k < target->indexes[0].column_count; k++)
            in_key |= target->indexes[0].columns[k].column_id == target->columns[i].id;
        if (info.unknown != NULL || (in_key && info.is_volatile)) return false;
    }
    return true;
}

static struct table_rewrite *new_rewrite(struct statement_context *context,
    const struct table_desc *target, const char **column_sql)
{
    const struct type_context *types = &context->session->types;
    struct table_rewrite *rewrite = ARENA_NEW(context->arena, struct table_rewrite);
    rewrite->target = ARENA_NEW(context->arena, struct table_desc);
    *rewrite->target = *target;
    rewrite->target->indexes = ARENA_ARRAY(context->arena, struct index_desc, target->index_count);
    for (uint32_t i = 0; i < target->index_count; i++) {
        rewrite->target->indexes[i] = target->indexes[i];
        rewrite->target->indexes[i].state = ELEMENT_WRITE_ONLY;
    }
    rewrite->column_sql = column_sql;
    rewrite->column_count = target->column_count;
    rewrite->zone = time_zone_name(types->zone);
    rewrite->date_style = types->date_style;
    rewrite->date_order = types->date_order;
    rewrite->interval_style = types->interval_style;
    rewrite->bytea_output = types->bytea_output;
    rewrite->xml_binary = types->xml_binary;
    rewrite->xml_option = types->xml_option;
    rewrite->float_digits = types->extra_float_digits;
    return rewrite;
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

    if (rewrites_online(context, source, target, column_sql))
        blocked.rewrite = new_rewrite(context, target, column_sql);
    else
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
    TRY(run_change(context, &change, target));
out:
    return st;
}
