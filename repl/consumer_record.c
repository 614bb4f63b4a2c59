// SPDX-License-Identifier: GPL-3.0-or-later
//
// system.replication_consumers: the consumer's records.
#include <string.h>

#include "kv/key.h"
#include "repl/consumer.h"
#include "repl/internal.h"
#include "sql/catalog/bootstrap.h"
#include "sql/session/internal.h"
#include "sql/service/jobs.h"

#define RECORD_COLUMNS                                                                             \
    "job_id, tenant_id, tenant_name, source_name, source_tenant_id, source_cluster_id, "           \
    "stream_id, start_time, "                                                                      \
    "replicated_time, retained_time, cutover_time, phase, retention_s, error, topology, "          \
    "partitions"

void consumer_protection_id(int64_t job, uint8_t id[16])
{
    memcpy(id, "repl-dst", 8);
    for (unsigned i = 0; i < 8; i++)
        id[8 + i] = (uint8_t)((uint64_t)job >> (56 - 8 * i));
}

static const char *text_of(struct arena *arena, struct datum datum)
{
    return datum.null ? "" : arena_string(arena, datum_as_bytes(datum));
}

struct status consumer_read(struct task *task, struct session *session, struct arena *arena,
    int64_t job, struct consumer_record **record)
{
    struct status st;
    struct internal_result result;
    struct datum params[] = {datum_int(job)};
    *record = NULL;
    TRY(internal_query(task, TENANT_SYSTEM, session, arena, &result,
        "SELECT " RECORD_COLUMNS " FROM system.public.replication_consumers WHERE job_id = $1", 1,
        params, (type_oid[]){TYPE_INT8}));
    if (result.row_count == 0) goto out;
    struct consumer_record *out = ARENA_NEW(arena, struct consumer_record);
    const struct datum *row = result.values;
    out->job = row[0].integer;
    out->tenant = (uint64_t)row[1].integer;
    out->tenant_name = text_of(arena, row[2]);
    out->source_name = text_of(arena, row[3]);
    out->source_tenant = (uint64_t)row[4].integer;
    out->source_cluster = text_of(arena, row[5]);
    out->stream = row[6].integer;
    if (!repl_hlc_parse(row[7], &out->start) || !repl_hlc_parse(row[8], &out->replicated) ||
        !repl_hlc_parse(row[9], &out->retained) || !repl_hlc_parse(row[10], &out->cutover))
        TRY(status_make(E_DATA_CORRUPTED, "the record of a replication consumer is damaged"));
    out->phase = (enum consumer_phase)row[11].integer;
    out->retention_s = row[12].integer;
    out->error = text_of(arena, row[13]);
    out->topology = row[14].integer;
    out->partitions = row[15].null ? (struct bytes){0} : datum_as_bytes(row[15]);
    *record = out;
out:
    return st;
}

static struct datum time_datum(struct hlc_timestamp ts, char text[HLC_TEXT_BYTES])
{
    return hlc_is_zero(ts) ? DATUM_NULL : datum_text(hlc_format(ts, text));
}

struct status consumer_insert(
    struct task *task, struct session *session, const struct consumer_record *record)
{
    char start[HLC_TEXT_BYTES];
    struct datum params[] = {datum_int(record->job), datum_int((int64_t)record->tenant),
        datum_text(record->tenant_name), datum_text(record->source_name),
        datum_int((int64_t)record->source_tenant), datum_text(record->source_cluster),
        datum_int(record->stream), time_datum(record->start, start),
        datum_int(record->retention_s), datum_int(record->phase)};
    return internal_query(task, TENANT_SYSTEM, session, task->arena, NULL,
        "INSERT INTO system.public.replication_consumers (" RECORD_COLUMNS
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $8, NULL, $10, $9, '', 0, NULL)",
        10, params,
        (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_TEXT, TYPE_TEXT, TYPE_INT8, TYPE_TEXT, TYPE_INT8,
            TYPE_TEXT, TYPE_INT8, TYPE_INT8});
}

struct status consumer_write(struct task *task, struct consumer_record *record)
{
    struct status st;
    struct arena arena;
    struct internal_result result;
    char replicated[HLC_TEXT_BYTES], retained[HLC_TEXT_BYTES];
    arena_init(&arena, NULL);
    // The phase as it is when it is a later one: promoted meanwhile, say.
    struct datum params[] = {datum_int(record->job), time_datum(record->replicated, replicated),
        time_datum(record->retained, retained), datum_int(record->phase), datum_text(record->error),
        datum_int(record->topology),
        record->partitions.data == NULL ? DATUM_NULL : datum_bytes(record->partitions),
        datum_int(job_coordinator(task->shard))};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, &arena, &result,
        "UPDATE system.public.replication_consumers SET replicated_time = $2, retained_time = $3, "
        "phase = CASE WHEN phase > $4 THEN phase ELSE $4 END, error = $5, "
        "topology = CASE WHEN $7 IS NULL THEN topology ELSE $6 END, partitions = coalesce($7, "
        "partitions) "
        "WHERE job_id = $1 AND EXISTS (SELECT 1 FROM system.public.jobs WHERE id = $1 AND "
        "coordinator_id = $8) RETURNING cutover_time, retention_s",
        8, params,
        (type_oid[]){TYPE_INT8, TYPE_TEXT, TYPE_TEXT, TYPE_INT8, TYPE_TEXT, TYPE_INT8, TYPE_BYTEA,
            TYPE_INT8}));
    if (result.row_count == 0)
        TRY(status_make(E_JOB_TAKEN, "another node has taken the replication job over"));
    if (!repl_hlc_parse(internal_value(&result, 0, 0), &record->cutover))
        TRY(status_make(E_DATA_CORRUPTED, "the record of a replication consumer is damaged"));
    record->retention_s = internal_value(&result, 0, 1).integer;
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status consumer_move(
    struct task *task, const struct consumer_record *record, enum consumer_phase to, bool *moved)
{
    struct internal_result result = {0};
    char cutover[HLC_TEXT_BYTES];
    struct datum params[] = {
        datum_int(record->job), datum_int(to), datum_text(hlc_format(record->cutover, cutover)),
        datum_int(job_coordinator(task->shard))};
    struct status st = internal_query(task, TENANT_SYSTEM, NULL, task->arena, &result,
        "UPDATE system.public.replication_consumers SET phase = $2, error = '' "
        "WHERE job_id = $1 AND phase < $2 AND cutover_time = $3 AND EXISTS (SELECT 1 FROM "
        "system.public.jobs WHERE id = $1 AND coordinator_id = $4)",
        4, params, (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_TEXT, TYPE_INT8});
    *moved = !failed(st) && result.row_count == 1;
    return st;
}

// --- registration ------------------------------------------------------------------------------------

static const struct bootstrap_table tables[] = {
    {.id = SYSTEM_REPL_FIRST + 1,
        .ddl = "CREATE TABLE system.public.replication_consumers (job_id int8 PRIMARY KEY, "
               "tenant_id int8 NOT NULL, tenant_name text NOT NULL, source_name text NOT NULL, "
               "source_tenant_id int8 NOT NULL, source_cluster_id text NOT NULL, stream_id int8 "
               "NOT NULL, "
               "start_time text NOT NULL, replicated_time text, retained_time text, cutover_time "
               "text, "
               "phase int8 NOT NULL, retention_s int8 NOT NULL, error text NOT NULL, topology int8 "
               "NOT NULL, "
               "partitions bytea)",
        .system_only = true,
        .protected = true},
};

void consumer_record_register(void)
{
    bootstrap_register(tables, 1);
}
