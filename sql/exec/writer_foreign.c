// SPDX-License-Identifier: GPL-3.0-or-later
//
// Foreign keys: what rows leave behind is queued while a statement writes, and settled at its end.
#include "core/invariant.h"
#include "sql/type/collation.h"
#include "sql/exec/deferred.h"
#include "sql/catalog/descriptor.h"
#include "sql/exec/foreign_key.h"
#include "sql/exec/scan.h"
#include "sql/exec/writer.h"

#define PARENTS_AT_ONCE 512u

static struct arena *error_arena(struct writer *writer)
{
    return &writer->run->session->statement_arena;
}

// How casts between the types of a key's two sides are called: their results live in `arena`.
static struct function_call cast_call(struct task *task, const struct writer *writer, struct arena *arena)
{
    return (struct function_call){.task = task,
        .session = writer->run->session,
        .arena = arena,
        .context = run_types(writer->run),
        .state_arena = arena};
}

static struct status mixed_nulls(
    struct writer *writer, const struct table_plan_reference *reference)
{
    const struct table_desc *table = writer->plan->table->table;
    struct arena *arena = error_arena(writer);
    struct status st = status_format(arena, E_FOREIGN_KEY_VIOLATION,
        "insert or update on table \"%s\" violates foreign key constraint \"%s\"", table->name,
        reference->constraint->name);
    st = status_detail(
        arena, st, "MATCH FULL does not allow mixing of null and nonnull key values.");
    return writer_names(writer, st, table, NULL, reference->constraint->name);
}

struct status writer_note_parents(
    struct task *task, struct writer *writer, const struct datum *row, const bool *changed)
{
    struct status st = STATUS_OK;
    const struct table_plan *plan = writer->plan->table;
    struct datum values[32];
    struct datum *columns[32];
    for (uint32_t i = 0; i < plan->reference_count; i++) {
        const struct table_plan_reference *reference = &plan->references[i];
        bool null = false, all_null = true, touched = changed == NULL;
        uint32_t number;
        bool added;
        if (reference->count > 32)
            return status_make(E_TOO_MANY_COLUMNS, "a foreign key has at most 32 columns");
        for (uint32_t c = 0; c < reference->count; c++) {
            values[c] = row[reference->ordinals[c]];
            columns[c] = &values[c];
            null |= values[c].null;
            all_null &= values[c].null;
            touched |= changed != NULL && changed[reference->ordinals[c]];
        }
        if (touched && null && !all_null && reference->constraint->match_full)
            return mixed_nulls(writer, reference);
        // A new row's is looked at even if it refers to nothing, as PostgreSQL has it.
        if (changed == NULL || (touched && !null))
            TRY(deferred_touch(writer->run->session, plan->table->id, plan->table->id, reference->constraint));
        if (null || !touched) continue; // MATCH SIMPLE: a NULL refers to nothing.
        TRY(row_hash_find(
            task, &writer->references[i].keys, columns, 0, &number, &added));
        TRY(arena_check(&writer->references[i].keys.keys.arena));
    }

out:
    return st;
}

static bool is_referenced(const struct writer *writer, uint32_t index)
{
    const struct table_plan *plan = writer->plan->table;
    if (index == 0) return false; // The row's own key: whoever changes that has locked it.
    for (uint32_t i = 0; i < plan->back_reference_count; i++)
        if (plan->back_references[i].key_index == &plan->table->indexes[index]) return true;
    return false;
}

struct status writer_lock_gone(
    struct task *task, struct writer *writer, uint32_t index, struct bytes key)
{
    const struct kv_read read = {.lock = KV_LOCK_UPDATE, .no_validate = true};
    struct bytes value;
    if (!is_referenced(writer, index)) return STATUS_OK;
    return kv_get(task, writer->run->txn, &read, key, &writer->arena, &value);
}

struct status writer_note_gone(struct task *task, struct writer *writer, const struct datum *old,
    const struct datum *replaced)
{
    const struct table_plan *plan = writer->plan->table;
    (void)task;
    for (uint32_t i = 0; i < plan->back_reference_count; i++) {
        const struct table_plan_back_reference *back = &plan->back_references[i];
        bool null = false, same = replaced != NULL;
        for (uint32_t c = 0; c < back->count; c++) {
            struct datum before = old[back->ordinals[c]];
            null |= before.null;
            if (replaced == NULL || before.null) continue;
            struct datum after = replaced[back->ordinals[c]];
            same &= !after.null && type_equal(collation_type_plain(writer->plan->key_types[i][c]), before, after);
        }
        if (null || same) continue;
        const enum reference_action action = replaced != NULL ? back->constraint->on_update : back->constraint->on_delete;
        if (action == REFERENCE_NO_ACTION) {
            struct status st =
                deferred_touch(writer->run->session, plan->table->id, back->child->table->id, back->constraint);
            if (failed(st)) return st;
        }
        struct row_store *rows = &writer->back_references[i].rows;
        struct datum *row = row_store_new(rows);
        for (uint32_t c = 0; c < back->count; c++) {
            row_store_set(rows, row, c, old[back->ordinals[c]]);
            row_store_set(rows, row, back->count + c,
                replaced == NULL ? DATUM_NULL : replaced[back->ordinals[c]]);
        }
        row[back->count * 2] = datum_bool(replaced != NULL);
    }
    return STATUS_OK;
}

struct status writer_note_duplicate(
    struct task *task, struct writer *writer, uint32_t index, const struct datum *row)
{
    struct status st = STATUS_OK;
    const struct row_index *entries = &writer->plan->indexes[index];
    struct session *session = writer->run->session;
    struct arena *arena = &writer->arena;
    struct buffer key;
    struct kv_scan scan;
    struct kv_batch found;
    struct bytes prefix;
    struct datum values[INDEX_COLUMNS_MAX];

    // What is not public yet is checked when it becomes so.
    if (entries->index->state != ELEMENT_PUBLIC) return st;
    buffer_init(&key, arena);
    TRY(row_key_own(entries, row, &key));
    prefix = buffer_bytes(&key);
    kv_scan_init(&scan, (struct span){prefix, key_prefix_end(arena, prefix)});
    scan.limit = 2;
    // Whoever else puts an equal one in meanwhile is found at the commit, at READ COMMITTED too.
    kv_txn_weaken(writer->run->txn, false);
    st = kv_scan_next(task, writer->run->txn, &scan, arena, &found);
    kv_txn_weaken(writer->run->txn, session->reads_weak && session->txn_state == TXN_OPEN);
    TRY(st);
    if (found.count < 2) return st;
    for (uint32_t i = 0; i < entries->column_count; i++)
        values[i] = row[entries->keys[i].ordinal];
    st = deferred_note_duplicate(session, entries->table, entries->index, values);
out:
    return st;
}

// --- messages ----------------------------------------------------------------------------------------

static void append_key(struct writer *writer, struct buffer *names, struct buffer *values,
    const struct table_desc *table, const uint32_t *ordinals, const struct datum *key,
    uint32_t count)
{
    buffer_init(names, error_arena(writer));
    buffer_init(values, error_arena(writer));
    for (uint32_t c = 0; c < count; c++) {
        const struct column_desc *column = &table->columns[ordinals[c]];
        if (c > 0) {
            buffer_append_string(names, ", ");
            buffer_append_string(values, ", ");
        }
        buffer_append_string(names, column->name);
        if (key[c].null) buffer_append_string(values, "null");
        else type_output(values, &writer->run->session->types, column->type.oid, key[c]);
    }
}

static struct status missing_parent(struct writer *writer, uint32_t at, const struct datum *key)
{
    const struct table_plan_reference *reference = &writer->plan->table->references[at];
    const struct table_desc *table = writer->plan->table->table;
    struct arena *arena = error_arena(writer);
    struct buffer names, values;
    if (deferred_is(writer->run->session, table->id, reference->constraint)) {
        const struct deferred_key later = {.child = table,
            .constraint = reference->constraint,
            .parent = reference->parent,
            .child_columns = reference->ordinals,
            .parent_columns = reference->parent_ordinals,
            .values = key,
            .count = reference->count};
        return deferred_note(writer->run->session, &later);
    }
    append_key(writer, &names, &values, table, reference->ordinals, key, reference->count);
    struct status st = status_format(arena, E_FOREIGN_KEY_VIOLATION,
        "insert or update on table \"%s\" violates foreign key constraint \"%s\"", table->name,
        reference->constraint->name);
    st = status_detail(arena, st, "Key (%s)=(%s) is not present in table \"%s\".",
        buffer_string(&names), buffer_string(&values), reference->parent->name);
    return writer_names(writer, st, table, NULL, reference->constraint->name);
}

static struct status still_referenced(struct writer *writer, uint32_t at, const struct datum *key)
{
    const struct table_plan_back_reference *back = &writer->plan->table->back_references[at];
    const struct table_desc *table = writer->plan->table->table;
    const struct table_desc *child = back->child->table;
    struct arena *arena = error_arena(writer);
    struct buffer names, values;
    enum reference_action action =
        key[back->count * 2].boolean ? back->constraint->on_update : back->constraint->on_delete;
    if (action != REFERENCE_RESTRICT &&
        deferred_is(writer->run->session, child->id, back->constraint)) {
        const struct deferred_key later = {.child = child,
            .constraint = back->constraint,
            .parent = table,
            .parent_changed = true,
            .child_columns = back->child_ordinals,
            .parent_columns = back->ordinals,
            .values = key,
            .count = back->count};
        return deferred_note(writer->run->session, &later);
    }
    append_key(writer, &names, &values, table, back->ordinals, key, back->count);
    struct status st = status_format(arena, E_FOREIGN_KEY_VIOLATION,
        "update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"",
        table->name, back->constraint->name, child->name);
    st = status_detail(arena, st, "Key (%s)=(%s) is still referenced from table \"%s\".",
        buffer_string(&names), buffer_string(&values), child->name);
    return writer_names(writer, st, child, NULL, back->constraint->name);
}

// --- parents -----------------------------------------------------------------------------------------

static struct status parent_key(const struct row_index *index, const struct datum *values,
    uint32_t count, struct arena *arena, struct bytes *key)
{
    struct status st = STATUS_OK;
    struct buffer buffer;
    buffer_init(&buffer, arena);
    buffer_append_bytes(&buffer, index->prefix);
    for (uint32_t c = 0; c < count; c++)
        TRY(type_key_encode(&buffer, index->keys[c].type, values[c], index->keys[c].order));
    *key = buffer_bytes(&buffer);

out:
    return st;
}

// A key of this table's types in the parent's. *possible false: no parent can have it.
static struct status as_parents(struct function_call *call, const struct table_plan_reference *reference,
    const type_oid *types, const struct datum *key, struct datum *values, bool *possible)
{
    struct status st = STATUS_OK;
    *possible = true;
    for (uint32_t c = 0; c < reference->count && *possible; c++) {
        const struct column_desc *column = &reference->parent->columns[reference->parent_ordinals[c]];
        TRY(foreign_key_value(call, types[c], column->type.oid, key[c], &values[c], possible));
    }

out:
    return st;
}

static struct status check_parents(struct task *task, struct writer *writer, uint32_t at, bool *work)
{
    struct status st = STATUS_OK;
    struct reference_queue *queue = &writer->references[at];
    const struct table_plan_reference *reference = &writer->plan->table->references[at];
    // The parent stays until we commit, whatever the isolation; what else becomes of it is no matter.
    const struct kv_read read = {.lock = KV_LOCK_KEY_SHARE, .no_validate = true};
    struct function_call call = cast_call(task, writer, &writer->check_arena);
    struct datum parent_values[32];
    while (queue->done < queue->keys.keys.count) {
        uint32_t left = (uint32_t)queue->keys.keys.count - queue->done;
        uint32_t count = left < PARENTS_AT_ONCE ? left : PARENTS_AT_ONCE;
        *work = true;
        arena_reset(&writer->check_arena);
        struct bytes *keys = arena_alloc(&writer->check_arena, count * sizeof *keys);
        struct bytes *values = arena_alloc(&writer->check_arena, count * sizeof *values);
        const struct datum **asked = ARENA_ARRAY(&writer->check_arena, const struct datum *, count);
        uint32_t asked_count = 0;
        for (uint32_t i = 0; i < count; i++) {
            const struct datum *key = queue->keys.keys.rows[queue->done + i];
            bool possible;
            TRY(as_parents(&call, reference, writer->plan->reference_types[at], key, parent_values, &possible));
            if (!possible) {
                TRY(missing_parent(writer, at, key));
                continue;
            }
            TRY(parent_key(&writer->plan->parents[at], parent_values, reference->count,
                &writer->check_arena, &keys[asked_count]));
            asked[asked_count++] = key;
        }
        TRY(kv_get_many(task, writer->run->txn, &read, keys, asked_count, &writer->check_arena, values,
            NULL));
        for (uint32_t i = 0; i < asked_count; i++)
            if (values[i].data == NULL) TRY(missing_parent(writer, at, asked[i]));
        queue->done += count;
    }

out:
    if (failed(st)) st = status_copy(error_arena(writer), st); // What a cast says lies in check_arena.
    return st;
}

// --- children ----------------------------------------------------------------------------------------

struct children {
    struct writer *writer;    // The child's.
    struct kv_scan scan;
    struct arena arena;       // Of the batch.
    struct arena span_arena;
    const struct row_index *index;
    const struct row_decoder *keys;
    const struct datum *key;  // What they refer to.
    const struct table_plan_back_reference *back;
    const type_oid *types;    // Of the key.
    struct datum **key_columns;
    enum rel_lock lock;
    struct datum **columns;   // The batch found: whole rows by ordinal.
    uint16_t *rows;
    uint32_t count;
};

static struct status open_children(
    struct writer *parent, uint32_t at, const struct datum *key, struct children *children)
{
    struct status st = STATUS_OK;
    const struct writer_plan *plan = parent->plan;
    *children = (struct children){.index = &plan->children[at],
        .keys = &plan->child_keys[at],
        .key = key,
        .back = &plan->table->back_references[at],
        .types = plan->key_types[at]};
    struct run *run = parent->run;
    children->writer = writer_of(run, parent->plans, children->back->child->index);
    arena_init(&children->arena, run->account);
    arena_init(&children->span_arena, run->account);
    struct bytes prefix = children->index->prefix;
    if (children->back->child_index != NULL)
        TRY(parent_key(
            children->index, key, children->back->count, &children->span_arena, &prefix));
    kv_scan_init(&children->scan,
        (struct span){prefix, key_prefix_end(&children->span_arena, prefix)});
    children->scan.batch_rows = run->capacity;

out:
    return st;
}

static struct status refers(
    struct function_call *call, const struct children *children, uint32_t row, bool *refers)
{
    struct status st = STATUS_OK;
    *refers = true;
    for (uint32_t c = 0; c < children->back->count && *refers; c++) {
        uint32_t ordinal = children->back->child_ordinals[c];
        struct datum value = children->columns[ordinal][row];
        bool possible = !value.null;
        if (possible)
            TRY(foreign_key_value(call, children->back->child->table->columns[ordinal].type.oid,
                collation_type_plain(children->types[c]), value, &value, &possible));
        *refers = possible && type_equal(children->types[c], value, children->key[c]);
    }

out:
    return st;
}

static void alloc_children(struct children *children, uint32_t count)
{
    const struct table_desc *table = children->back->child->table;
    struct arena *arena = &children->arena;
    uint32_t keys = children->keys->slot_count;
    children->columns = ARENA_ARRAY(arena, struct datum *, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++)
        children->columns[i] = ARENA_ARRAY(arena, struct datum, count);
    children->key_columns = ARENA_ARRAY(arena, struct datum *, keys);
    for (uint32_t i = 0; i < keys; i++)
        children->key_columns[i] = ARENA_ARRAY(arena, struct datum, count);
    children->rows = ARENA_ARRAY(arena, uint16_t, count);
    for (uint32_t i = 0; i < table->column_count; i++)
        for (uint32_t r = 0; r < count; r++) children->columns[i][r] = DATUM_NULL;
}

// The next children that refer to the key, whole and locked. children->count 0 with *end at the end.
static struct status next_children(struct task *task, struct children *children, bool *end)
{
    struct status st = STATUS_OK;
    struct writer *writer = children->writer;
    struct arena *arena = &children->arena;
    const struct writer_plan *plan = writer->plan;
    const struct kv_read read = scan_read(children->lock, LOCK_WAIT_BLOCK);
    struct function_call call = cast_call(task, writer, arena);
    struct kv_batch batch;
    *end = false;
    children->count = 0;
    arena_reset(arena);
    TRY(kv_scan_next(task, writer->run->txn, &children->scan, arena, &batch));
    if (batch.count == 0) {
        *end = true;
        return st;
    }
    alloc_children(children, batch.count);
    struct bytes *keys = ARENA_ARRAY(arena, struct bytes, batch.count);
    struct bytes *values = ARENA_ARRAY(arena, struct bytes, batch.count);
    uint32_t primary_count = plan->table->table->indexes[0].column_count;
    for (uint32_t i = 0; i < batch.count; i++) {
        TRY(row_decode(children->keys, batch.pairs[i].key, batch.pairs[i].value, arena,
            children->key_columns, i));
        for (uint32_t k = 0; k < primary_count; k++)
            writer->old_row[plan->indexes[0].keys[k].ordinal] = children->key_columns[k][i];
        struct buffer key;
        buffer_init(&key, arena);
        TRY(row_key(&plan->indexes[0], writer->old_row, &key, NULL));
        keys[i] = buffer_bytes(&key);
    }
    TRY(kv_get_many(task, writer->run->txn, &read, keys, batch.count, arena, values, NULL));
    struct datum **slots = ARENA_ARRAY(arena, struct datum *, plan->all.slot_count);
    uint32_t slot = 0;
    for (uint32_t i = 0; i < plan->table->table->column_count; i++)
        if (row_index_has(&plan->indexes[0], i)) slots[slot++] = children->columns[i];
    for (uint32_t i = 0; i < batch.count; i++) {
        if (values[i].data == NULL) continue;
        TRY(row_decode(&plan->all, keys[i], values[i], arena, slots, i));
        bool found;
        TRY(refers(&call, children, i, &found));
        if (found) children->rows[children->count++] = (uint16_t)i;
    }
    TRY(arena_check(arena));

out:
    return st;
}

// A row of the parent with that key is there after all.
static struct status key_is_back(
    struct task *task, struct writer *writer, uint32_t at, const struct datum *key, bool *back)
{
    struct status st = STATUS_OK;
    const struct table_plan_back_reference *reference = &writer->plan->table->back_references[at];
    *back = false;
    for (uint32_t i = 0; i < writer->plan->table->table->index_count; i++) {
        const struct row_index *index = &writer->plan->indexes[i];
        if (!index_is_unique(index->index) || index->column_count != reference->count) continue;
        struct datum values[32];
        uint32_t found = 0;
        for (uint32_t k = 0; k < index->column_count && k < 32; k++)
            for (uint32_t c = 0; c < reference->count; c++)
                if (reference->ordinals[c] == index->keys[k].ordinal) {
                    values[k] = key[c];
                    found++;
                }
        if (found != reference->count) continue;
        struct bytes key_bytes, value;
        TRY(parent_key(index, values, index->column_count, &writer->check_arena, &key_bytes));
        TRY(kv_get(task, writer->run->txn, NULL, key_bytes, &writer->check_arena, &value));
        *back |= value.data != NULL;
        return st;
    }

out:
    return st;
}

static struct status set_children(struct task *task, struct children *children,
    enum reference_action action, const struct datum *new_key)
{
    struct status st = STATUS_OK;
    struct writer *writer = children->writer;
    const struct table_plan_back_reference *back = children->back;
    uint32_t columns = back->child->table->column_count;
    struct datum **to = writer_columns(writer);
    bool *changed = ARENA_ARRAY(&children->arena, bool, back->child->width);
    for (uint32_t i = 0; i < columns; i++)
        for (uint32_t r = 0; r < children->count; r++)
            to[i][r] = children->columns[i][children->rows[r]];
    if (action == REFERENCE_SET_DEFAULT) {
        struct batch batch = {.columns = to, .count = children->count, .selected = children->count};
        if (writer->defaults == NULL)
            writer->defaults = expr_state_new(writer->run->arena, writer->run,
                writer->plan->defaults, writer->run->capacity);
        TRY(expr_run(task, writer->defaults, &batch, &children->arena));
    }
    struct function_call call = cast_call(task, writer, &children->arena);
    for (uint32_t c = 0; c < back->count; c++) {
        uint32_t ordinal = back->child_ordinals[c];
        const struct column_desc *column = &back->child->table->columns[ordinal];
        struct datum assigned = DATUM_NULL;
        changed[ordinal] = true;
        if (action == REFERENCE_CASCADE)
            TRY(foreign_key_assigned(&call, column->name, column->type, collation_type_plain(children->types[c]),
                new_key[c], &assigned));
        const struct datum *defaults =
            action == REFERENCE_SET_DEFAULT ? expr_column(writer->defaults, ordinal) : NULL;
        for (uint32_t r = 0; r < children->count; r++)
            to[ordinal][r] = defaults != NULL ? defaults[r] : assigned;
    }
    for (uint32_t i = 0; i < back->child->computed.count; i++)
        changed[back->child->computed.items[i].var - back->child->row_base] = true;
    TRY(writer_check(
        task, writer, children->count, (struct writer_changes){changed, changed}));
    TRY(writer_update(
        task, writer, children->columns, children->rows, children->count, changed));

out:
    return st;
}

static enum rel_lock child_lock(const struct table_plan_back_reference *back,
    enum reference_action action, bool updated)
{
    if (action == REFERENCE_NO_ACTION || action == REFERENCE_RESTRICT) return REL_LOCK_KEY_SHARE;
    return action == REFERENCE_CASCADE && !updated ? REL_LOCK_UPDATE : back->update_lock;
}

// READ COMMITTED: whoever referred to the key before it was locked against them has committed, perhaps after the
// statement began. Nobody does from then on; when there are too many locks for that, what is read is validated.
static struct status look_anew(struct task *task, struct run *run)
{
    if (!kv_txn_is_weak(run->txn)) return STATUS_OK;
    struct status st = kv_txn_step(task, run->txn);
    if (!kv_txn_locks_rows(run->txn)) kv_txn_weaken(run->txn, false);
    return st;
}

static struct status settle_key(
    struct task *task, struct writer *writer, uint32_t at, const struct datum *row)
{
    struct status st = STATUS_OK;
    const struct table_plan_back_reference *back = &writer->plan->table->back_references[at];
    bool updated = row[back->count * 2].boolean;
    enum reference_action action =
        updated ? back->constraint->on_update : back->constraint->on_delete;
    struct children children = {0};
    struct run *run = writer->run;
    bool end = false, is_back = false;
    const bool weak = kv_txn_is_weak(run->txn);
    arena_reset(&writer->check_arena);
    if (action == REFERENCE_NO_ACTION || action == REFERENCE_RESTRICT) {
        TRY(key_is_back(task, writer, at, row, &is_back));
        if (is_back) return st;
    }
    TRY(open_children(writer, at, row, &children));
    children.lock = child_lock(back, action, updated);
    TRY(look_anew(task, run));
    while (!end) {
        TRY(next_children(task, &children, &end));
        if (children.count == 0) continue;
        if (action == REFERENCE_NO_ACTION || action == REFERENCE_RESTRICT)
            TRY(still_referenced(writer, at, row));
        else if (action == REFERENCE_CASCADE && !updated)
            TRY(writer_delete(
                task, children.writer, children.columns, children.rows, children.count));
        else
            TRY(set_children(task, &children, action, row + back->count));
        TRY(task_yield_if_due(task));
    }

out:
    if (weak) kv_txn_weaken(run->txn, true);
    if (failed(st)) st = status_copy(error_arena(writer), st); // What a cast says lies in the batch's arena.
    if (children.writer != NULL) {
        arena_fini(&children.arena);
        arena_fini(&children.span_arena);
    }
    return st;
}

static struct status settle_writer(struct task *task, struct writer *writer, bool *work)
{
    struct status st = STATUS_OK;
    const struct table_plan *plan = writer->plan->table;
    for (uint32_t i = 0; i < plan->back_reference_count; i++) {
        struct back_queue *queue = &writer->back_references[i];
        while (queue->done < queue->rows.count) {
            *work = true;
            TRY(settle_key(task, writer, i, queue->rows.rows[queue->done]));
            queue->done++;
        }
    }

out:
    return st;
}

static void reset_queues(struct writer *writer)
{
    const struct table_plan *plan = writer->plan->table;
    for (uint32_t i = 0; i < plan->reference_count; i++) {
        row_hash_reset(&writer->references[i].keys);
        writer->references[i].done = 0;
    }
    for (uint32_t i = 0; i < plan->back_reference_count; i++) {
        row_store_reset(&writer->back_references[i].rows);
        writer->back_references[i].done = 0;
    }
}

struct status writers_finish(struct task *task, struct run *run)
{
    struct status st = STATUS_OK;
    // Actions first: they may write rows that refer to others, in tables whose writers come to be here.
    for (bool work = true; work;) {
        work = false;
        for (uint32_t w = 0; w < run->writer_count; w++)
            if (run->writers[w] != NULL) TRY(settle_writer(task, run->writers[w], &work));
    }
    for (uint32_t w = 0; w < run->writer_count; w++) {
        struct writer *writer = run->writers[w];
        bool work = false;
        if (writer == NULL) continue;
        for (uint32_t i = 0; i < writer->plan->table->reference_count; i++)
            TRY(check_parents(task, writer, i, &work));
        reset_queues(writer);
    }
    TRY(deferred_settle_statement(task, run->session));

out:
    return st;
}
