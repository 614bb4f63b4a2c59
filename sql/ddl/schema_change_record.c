// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/ddl/schema_change_internal.h"

#include "core/shard.h"
#include "kv/key.h"
#include "sql/service/settings.h"
#include "sql/session/vars.h"

#define SETTINGS_MAX 16u

#define BATCH_RETRIES_MAX 30u
#define CHECKPOINT_ROWS 10000u
#define CHECKPOINT_NS 500000000ull
#define SECOND_NS 1000000000ull

// --- what to do -------------------------------------------------------------------------------------------

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

struct bytes change_encode(struct arena *arena, const struct change *change)
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
    append_bytes(&out, bytes_of_string(change->database == NULL ? "" : change->database));
    key_append_uvarint(&out, change->setting_count);
    for (uint32_t i = 0; i < 2 * change->setting_count; i++)
        append_bytes(&out, bytes_of_string(change->settings[i]));
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

struct status change_decode(struct arena *arena, struct bytes in, struct change *change)
{
    struct status st = STATUS_OK;
    struct bytes text;
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
    if (in.size == 0) goto out; // Of a version that did not write it.
    TRY(read_bytes(&in, &text));
    change->database = text.size == 0 ? NULL : arena_string(arena, text);
    TRY(key_decode_uvarint(&in, &value));
    if (value > SETTINGS_MAX)
        return status_make(E_DATA_CORRUPTED, "a schema change's record does not decode");
    change->setting_count = (uint32_t)value;
    change->settings = ARENA_ARRAY(arena, const char *, 2 * change->setting_count + 1);
    for (uint32_t i = 0; i < 2 * change->setting_count; i++) {
        TRY(read_bytes(&in, &text));
        change->settings[i] = arena_string(arena, text);
    }
out:
    return st;
}

// --- the session that it comes from ------------------------------------------------------------------------

void change_note_session(struct arena *arena, const struct session *session, struct change *change)
{
    static const char *const names[] = {
        "search_path", "TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output", "xmlbinary",
        "xmloption"};
    static_assert(sizeof names / sizeof names[0] <= SETTINGS_MAX, "all of them are read back");
    change->database = session->database;
    change->settings = ARENA_ARRAY(arena, const char *, 2 * SETTINGS_MAX);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = vars_get(session, names[i]);
        if (value == NULL) continue;
        change->settings[2 * change->setting_count] = names[i];
        change->settings[2 * change->setting_count++ + 1] = arena_strdup(arena, value);
    }
}

struct status change_use_session(struct session *session, struct arena *arena, const struct change *change)
{
    struct status st = STATUS_OK;
    if (change->database != NULL) session->database = arena_strdup(&session->arena, change->database);
    for (uint32_t i = 0; i < change->setting_count; i++)
        TRY(vars_set(session, arena, change->settings[2 * i], change->settings[2 * i + 1], VARS_SESSION));
out:
    return st;
}

// --- how far it is ----------------------------------------------------------------------------------------

static struct bytes progress_encode(struct arena *arena, const struct change_progress *progress)
{
    struct buffer out;
    buffer_init(&out, arena);
    key_append_uvarint(&out, progress->finished);
    key_append_uvarint(&out, progress->rows);
    key_append_uvarint(&out, progress->total);
    buffer_append_bytes(&out, progress->resume);
    return buffer_bytes(&out);
}

struct status change_progress_read(
    struct arena *arena, struct bytes in, struct change_progress *progress)
{
    struct status st = STATUS_OK;
    uint64_t finished;
    *progress = (struct change_progress){0};
    if (in.size == 0) return st;
    TRY(key_decode_uvarint(&in, &finished));
    TRY(key_decode_uvarint(&in, &progress->rows));
    TRY(key_decode_uvarint(&in, &progress->total));
    progress->finished = (uint32_t)finished;
    progress->resume = arena_copy(arena, in);
out:
    return st;
}

struct status change_checkpoint(
    struct task *task, struct job *job, const struct change_progress *progress, double fraction)
{
    struct arena_mark mark = arena_mark(task->arena);
    struct status st = job_update(task, job, progress_encode(task->arena, progress), fraction,
        arena_printf(task->arena, "%llu rows", (unsigned long long)progress->rows));
    // What the job holds of it goes with the arena.
    job->progress = (struct bytes){0};
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

static uint64_t rows_per_second(struct task *task, const struct job *job)
{
    return (uint64_t)settings_int(
        task->shard, job->tenant, "sql.schema_change.max_rows_per_second");
}

uint32_t change_batch_rows(
    struct task *task, const struct job *job, struct change_pace *pace, uint32_t rows)
{
    uint64_t rate = rows_per_second(task, job);
    pace->rows_per_second = rate;
    return rate > 0 && rate < rows ? (uint32_t)rate : rows;
}

// By the rate that the batch was begun under: 32000 rows of a time without one would rest for hours when it is one a second
// by their end.
static struct status rest(
    struct task *task, const struct job *job, const struct change_pace *pace, uint64_t rows)
{
    struct status st = STATUS_OK;
    uint64_t rate = pace->rows_per_second;
    if (rate == 0) return task_yield(task);
    uint64_t left_ns = rows * SECOND_NS / rate;
    while (left_ns > 0 && rows_per_second(task, job) == rate) {
        uint64_t part_ns = left_ns < SECOND_NS ? left_ns : SECOND_NS;
        TRY(task_sleep(task, part_ns));
        left_ns -= part_ns;
    }
out:
    return st;
}

struct status change_pace(struct task *task, struct job *job, struct change_pace *pace,
    const struct change_progress *progress, uint64_t batch_rows, double from, double to)
{
    struct status st = STATUS_OK;
    TRY(job_check(job));
    if (progress->rows - pace->told_rows >= CHECKPOINT_ROWS ||
        task_now_ns(task) - pace->told_ns >= CHECKPOINT_NS) {
        double share = progress->total == 0 ? 0 : (double)progress->rows / (double)progress->total;
        if (share > 1) share = 1;
        pace->told_rows = progress->rows;
        pace->told_ns = task_now_ns(task);
        TRY(change_checkpoint(task, job, progress, from + (to - from) * share));
    }
    TRY(rest(task, job, pace, batch_rows));
out:
    return st;
}

struct count_call {
    uint32_t table_id;
    uint64_t rows;
};

static struct status count_now(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct count_call *call = arg;
    struct statement_context context = change_context(task, session);
    const struct table_desc *table;
    struct internal_result result;
    const char *name;
    TRY(catalog_table_by_id(task, session, call->table_id, &table));
    if (table->materialized && !table->populated) goto out;
    TRY(ddl_qualified_name(&context, table, &name));
    TRY(internal_query(task, session->tenant, session, task->arena, &result,
        arena_printf(task->arena, "SELECT count(*) FROM %s", name), 0, NULL, NULL));
    call->rows = (uint64_t)internal_value(&result, 0, 0).integer;
out:
    return st;
}

struct status change_count_rows(
    struct task *task, uint64_t tenant, uint32_t table_id, uint64_t *rows)
{
    struct count_call call = {.table_id = table_id};
    struct status st = internal_transaction(task, tenant, count_now, &call);
    *rows = call.rows;
    return st;
}

struct status change_gone(void)
{
    return status_make(E_UNDEFINED_TABLE, "the table of the schema change is gone");
}

// --- transactions of the jobs' own -------------------------------------------------------------------------

struct status change_run_batch(struct task *task, struct change_batch *batch,
    struct status (*fn)(struct task *task, struct change_batch *batch))
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
        // What has lost to the last is a failure: the job begins anew.
        if (!failed(st) || st.retry != RETRY_TRANSACTION || attempt + 1 == BATCH_RETRIES_MAX) break;
        TRY(task_sleep(task, 1000000ull << (attempt < 8 ? attempt : 8)));
    }
out:
    return st;
}
