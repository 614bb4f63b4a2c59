// SPDX-License-Identifier: GPL-3.0-or-later
//
// How much room tables and databases take, and how sizes are written.
//
// Ranges know what they hold. One that lies within the span asked for counts whole; of one that holds more than it,
// the part is counted (a range is bounded, and the part may be a small table's).
#include <inttypes.h>

#include "core/shard.h"
#include "core/text.h"
#include "kv/admin.h"
#include "sql/function/function_table.h"
#include "sql/type/numeric.h"
#include "sql/catalog/pg_catalog.h"

#define NEED_SESSION() \
    if (call->session == NULL || call->task == NULL) \
    return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session")

static struct bytes later(struct bytes a, struct bytes b)
{
    return bytes_compare(a, b) < 0 ? b : a;
}
static struct bytes earlier(struct bytes a, struct bytes b)
{
    return bytes_compare(a, b) < 0 ? a : b;
}

static struct status span_bytes(
    struct task *task, struct session *session, struct arena *arena, struct span span, uint64_t *bytes)
{
    struct status st;
    struct kv_range *ranges;
    uint32_t count;
    TRY(kv_ranges(task, span, arena, &ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (span_contains_span(span, ranges[i].span)) {
            *bytes += ranges[i].bytes;
            continue;
        }
        struct span part = {
            later(span.start, ranges[i].span.start), earlier(span.end, ranges[i].span.end)};
        struct kv_fingerprint counted;
        if (bytes_compare(part.start, part.end) >= 0) continue;
        TRY(kv_fingerprint(task, session->tenant, part, hlc_now(&task->shard->hlc), &counted));
        *bytes += counted.bytes;
    }
out:
    return st;
}

struct status pg_relation_bytes(struct task *task, struct session *session,
    const struct table_desc *table, const struct index_desc *index, uint64_t *bytes)
{
    struct arena arena;
    *bytes = 0;
    if (table->kind != RELATION_TABLE) return STATUS_OK;
    arena_init(&arena, &session->account);
    struct span span = index != NULL
                           ? catalog_index_span(&arena, session->tenant, table->id, index->id)
                           : catalog_relation_span(&arena, session->tenant, table->id);
    struct status st = span_bytes(task, session, &arena, span, bytes);
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status relation_of(
    struct function_call *call, struct datum oid, struct pg_relation *relation)
{
    return pg_relation_by_oid(call->task, call->session, (uint32_t)oid.integer, relation);
}

// The rows alone: an index, or a table's primary one.
BODY(main_bytes)
{
    struct pg_relation relation;
    uint64_t bytes = 0;
    struct status st;
    NEED_SESSION();
    *result = DATUM_NULL;
    TRY(relation_of(call, args[0], &relation));
    if (relation.table == NULL) return st;
    const struct index_desc *index = relation.index;
    if (index == NULL && relation.table->index_count > 0) index = &relation.table->indexes[0];
    TRY(pg_relation_bytes(call->task, call->session, relation.table, index, &bytes));
    *result = datum_int((int64_t)bytes);
out:
    return st;
}

BODY(index_bytes)
{
    struct pg_relation relation;
    uint64_t bytes, total = 0;
    struct status st;
    NEED_SESSION();
    *result = DATUM_NULL;
    TRY(relation_of(call, args[0], &relation));
    if (relation.table == NULL) return st;
    for (uint32_t i = 1; relation.index == NULL && i < relation.table->index_count; i++) {
        TRY(pg_relation_bytes(
            call->task, call->session, relation.table, &relation.table->indexes[i], &bytes));
        total += bytes;
    }
    *result = datum_int((int64_t)total);
out:
    return st;
}

BODY(fork_bytes)
{
    static const char *const forks[] = {"main", "fsm", "vm", "init"};
    struct bytes fork = datum_as_bytes(args[1]);
    for (unsigned i = 0; i < TABLE_COUNT(forks); i++) {
        if (!bytes_equal(fork, bytes_of_string(forks[i]))) continue;
        struct status st = main_bytes(call, args, result);
        if (i > 0 && !result->null) *result = datum_int(0); // There is but one.
        return st;
    }
    return status_hint(call->arena,
        status_make(E_INVALID_PARAMETER_VALUE, "invalid fork name"),
        "Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\".");
}

BODY(total_bytes)
{
    struct pg_relation relation;
    uint64_t bytes = 0;
    struct status st;
    NEED_SESSION();
    *result = DATUM_NULL;
    TRY(relation_of(call, args[0], &relation));
    if (relation.table == NULL) return st;
    TRY(pg_relation_bytes(call->task, call->session, relation.table, relation.index, &bytes));
    *result = datum_int((int64_t)bytes);
out:
    return st;
}

static struct status give_database(
    struct function_call *call, const struct database_desc *database, struct datum *result)
{
    const struct table_desc **tables;
    uint32_t count;
    uint64_t bytes, total = 0;
    struct status st;
    TRY(catalog_list_tables(
        call->task, call->session, call->arena, database->id, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        TRY(pg_relation_bytes(call->task, call->session, tables[i], NULL, &bytes));
        total += bytes;
    }
    *result = datum_int((int64_t)total);
out:
    return st;
}

BODY(database_bytes)
{
    const struct database_desc *database;
    NEED_SESSION();
    struct status st = catalog_database_by_id(
        call->task, call->session, pg_id((uint32_t)args[0].integer), &database);
    *result = DATUM_NULL;
    if (status_is(st, E_INVALID_CATALOG_NAME)) return STATUS_OK;
    return failed(st) ? st : give_database(call, database, result);
}

BODY(database_bytes_by_name)
{
    const struct database_desc *database;
    NEED_SESSION();
    struct status st = catalog_database(call->task, call->session,
        arena_string(call->arena, datum_as_bytes(args[0])), false, &database);
    return failed(st) ? st : give_database(call, database, result);
}

// The one tablespace that there is holds every database.
static struct status give_tablespace(
    struct function_call *call, bool is_default, struct datum *result)
{
    static const struct database_desc every = {.id = 0};
    *result = datum_int(0);
    return is_default ? give_database(call, &every, result) : STATUS_OK;
}

BODY(tablespace_bytes)
{
    NEED_SESSION();
    *result = DATUM_NULL;
    int64_t oid = args[0].integer;
    bool known = oid == PG_TABLESPACE_DEFAULT || oid == PG_TABLESPACE_GLOBAL;
    return known ? give_tablespace(call, oid == PG_TABLESPACE_DEFAULT, result) : STATUS_OK;
}

BODY(tablespace_bytes_by_name)
{
    NEED_SESSION();
    struct bytes name = datum_as_bytes(args[0]);
    bool is_default = bytes_equal(name, bytes_of_string("pg_default"));
    if (is_default || bytes_equal(name, bytes_of_string("pg_global")))
        return give_tablespace(call, is_default, result);
    return status_format(call->arena, E_UNDEFINED_OBJECT, "tablespace \"%.*s\" does not exist",
        bytes_shown(name), (const char *)name.data);
}

// --- text ----------------------------------------------------------------------------------------------

// Halves away from zero, as PostgreSQL: the unit goes up from 10 of its kind on.
BODY(pretty_size)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    int64_t size = args[0].integer;
    uint32_t unit = 0;
    bool negative = size < 0;
    uint64_t left = negative ? (uint64_t)0 - (uint64_t)size : (uint64_t)size;
    uint64_t limit = 10240;
    if (left >= limit) {
        // One binary digit more than is shown is kept for rounding.
        left >>= 9;
        unit = 1;
        for (limit = 20480 - 1; unit + 1 < sizeof units / sizeof units[0] && left >= limit; unit++)
            left >>= 10;
        left = (left + 1) / 2;
    }
    *result = datum_text(
        arena_printf(call->arena, "%s%" PRIu64 " %s", negative ? "-" : "", left, units[unit]));
    return STATUS_OK;
}

// Sums of sizes are numeric.
BODY(pretty_numeric)
{
    double size = numeric_to_double(args[0]);
    if (size > -10240 && size < 10240) {
        struct buffer out;
        buffer_init(&out, call->arena);
        type_output(&out, call->context, TYPE_NUMERIC, args[0]);
        buffer_append_string(&out, " bytes");
        *result = datum_bytes(buffer_bytes(&out));
        return STATUS_OK;
    }
    if (!(size > -9.2e18 && size < 9.2e18)) return number_out_of_range(TYPE_INT8);
    struct datum whole = datum_int((int64_t)size);
    return pretty_size(call, &whole, result);
}

#define VOLATILE(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, \
        .strict = true, .fn = fn_, .volatility = FUNCTION_VOLATILE, FN_ARGS(__VA_ARGS__)}

static const struct function functions[] = {
    VOLATILE("pg_relation_size", 2325, INT8, main_bytes, TYPE_REGCLASS),
    VOLATILE("pg_relation_size", 2332, INT8, fork_bytes, TYPE_REGCLASS, TYPE_TEXT),
    VOLATILE("pg_table_size", 2997, INT8, main_bytes, TYPE_REGCLASS),
    VOLATILE("pg_indexes_size", 2998, INT8, index_bytes, TYPE_REGCLASS),
    VOLATILE("pg_total_relation_size", 2286, INT8, total_bytes, TYPE_REGCLASS),
    VOLATILE("pg_database_size", 2324, INT8, database_bytes, TYPE_OID),
    VOLATILE("pg_database_size", 2168, INT8, database_bytes_by_name, TYPE_NAME),
    VOLATILE("pg_tablespace_size", 2322, INT8, tablespace_bytes, TYPE_OID),
    VOLATILE("pg_tablespace_size", 2323, INT8, tablespace_bytes_by_name, TYPE_NAME),
    SCALAR("pg_size_pretty", 2288, TEXT, pretty_size, TYPE_INT8),
    SCALAR("pg_size_pretty", 3166, TEXT, pretty_numeric, TYPE_NUMERIC),
};

void pg_functions_size_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}
