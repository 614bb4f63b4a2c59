// SPDX-License-Identifier: GPL-3.0-or-later
//
// SHOW SESSIONS, QUERIES, TRANSACTIONS, RANGES.
#include <inttypes.h>

#include "core/shard.h"
#include "kv/admin.h"
#include "kv/cluster.h"
#include "kv/key.h"
#include "sql/insight/activity.h"
#include "sql/type/datetime.h"
#include "sql/exec/row.h"
#include "sql/session/show.h"

// --- sessions of all nodes ---------------------------------------------------------------------------------

static struct status gather(struct statement_context *context, struct arena *arena, struct activity_list *list)
{
    const struct session *session = context->session;
    bool everywhere = context->statement->as.show->scope != SHOW_SCOPE_LOCAL;
    struct status st = activity_list(context->task, session->tenant, everywhere, arena, list);
    if (!failed(st) && list->silent > 0)
        ddl_notice(context, "%u nodes do not answer: what they run is not shown", list->silent);
    return st;
}

static struct status sees_all(struct statement_context *context, bool *all)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    *all = session->internal || session->superuser;
    if (!*all)
        TRY(privilege_has_system(context->task, session, session->user, "VIEWACTIVITY", all));
    if (!*all)
        TRY(privilege_has_system(
            context->task, session, session->user, "VIEWACTIVITYREDACTED", all));
out:
    return st;
}

static const struct result_column session_columns[] = {SHOW_INT("node_id"), SHOW_TEXT("session_id"),
    SHOW_TEXT("status"), SHOW_TEXT("user_name"), SHOW_TEXT("authentication_method"),
    SHOW_TEXT("client_address"), SHOW_TEXT("application_name"), SHOW_TEXT("active_queries"),
    SHOW_TEXT("last_active_query"), SHOW_INT("num_txns_executed"), SHOW_TIME("session_start"),
    SHOW_TIME("active_query_start")};
SHOW_DESCRIBE(describe_sessions, session_columns)

static struct status show_sessions(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct activity_list list = {0};
    struct arena arena;
    bool all;

    arena_init(&arena, NULL);
    TRY(SHOW_SEND_COLUMNS(context, session_columns));
    TRY(sees_all(context, &all));
    TRY(gather(context, &arena, &list));
    for (uint32_t i = 0; i < list.count; i++) {
        const struct activity *info = &list.items[i];
        if (!all && strcmp(info->user, context->session->user) != 0) continue;
        bool active = info->statement != NULL;
        struct datum row[] = {datum_int(info->node),
            datum_text(activity_id_format(context->arena, info->node, info->session)),
            datum_text(active                        ? "ACTIVE"
                       : info->txn_state == TXN_IDLE ? "IDLE"
                                                     : "OPEN"),
            datum_text(info->user), datum_text(info->authentication), datum_text(info->address),
            datum_text(info->application), datum_text(active ? info->statement : ""),
            datum_text(info->last_statement), datum_int((int64_t)info->txns_ended), datum_int(info->start_us),
            active ? datum_int(info->statement_us) : DATUM_NULL};
        TRY(show_row(context, row));
    }
out:
    st = status_copy(context->task->arena, st);
    arena_fini(&arena);
    return st;
}

static const struct result_column query_columns[] = {SHOW_TEXT("query_id"), SHOW_INT("node_id"),
    SHOW_TEXT("session_id"), SHOW_TEXT("user_name"), SHOW_TIME("start"), SHOW_TEXT("query"),
    SHOW_TEXT("client_address"), SHOW_TEXT("application_name"), SHOW_BOOL("distributed"),
    SHOW_BOOL("full_scan"), SHOW_TEXT("plan_gist"), SHOW_TEXT("database"), SHOW_TEXT("phase"),
    SHOW_TEXT("isolation_level")};
SHOW_DESCRIBE(describe_queries, query_columns)

static struct status show_queries(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct activity_list list = {0};
    struct arena arena;
    bool all;

    arena_init(&arena, NULL);
    TRY(SHOW_SEND_COLUMNS(context, query_columns));
    TRY(sees_all(context, &all));
    TRY(gather(context, &arena, &list));
    for (uint32_t i = 0; i < list.count; i++) {
        const struct activity *info = &list.items[i];
        if (info->statement == NULL) continue;
        if (!all && strcmp(info->user, context->session->user) != 0) continue;
        // A session runs one statement at a time: its id names that one too.
        const char *id = activity_id_format(context->arena, info->node, info->session);
        struct datum row[] = {datum_text(id), datum_int(info->node),
            datum_text(id), datum_text(info->user), datum_int(info->statement_us),
            datum_text(info->statement), datum_text(info->address),
            datum_text(info->application), datum_bool(false), DATUM_NULL, DATUM_NULL,
            datum_text(info->database), datum_text("executing"), datum_text(info->isolation)};
        TRY(show_row(context, row));
    }
out:
    st = status_copy(context->task->arena, st);
    arena_fini(&arena);
    return st;
}

static const struct result_column transaction_columns[] = {SHOW_INT("node_id"), SHOW_TEXT("txn_id"),
    SHOW_TEXT("session_id"), SHOW_TEXT("application_name"), SHOW_INT("num_stmts"), SHOW_INT("num_retries"),
    SHOW_INT("num_auto_retries"), SHOW_TIME("start")};
SHOW_DESCRIBE(describe_transactions, transaction_columns)

static struct status show_transactions(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct activity_list list = {0};
    struct arena arena;
    bool all;

    arena_init(&arena, NULL);
    TRY(SHOW_SEND_COLUMNS(context, transaction_columns));
    TRY(sees_all(context, &all));
    TRY(gather(context, &arena, &list));
    for (uint32_t i = 0; i < list.count; i++) {
        const struct activity *info = &list.items[i];
        if (info->txn == 0) continue;
        if (!all && strcmp(info->user, context->session->user) != 0) continue;
        struct datum row[] = {datum_int(info->node),
            datum_text(arena_printf(context->arena, "%" PRIx64, info->txn)),
            datum_text(activity_id_format(context->arena, info->node, info->session)), datum_text(info->application),
            datum_int(info->txn_statements), datum_int(info->txn_retries), datum_int(info->txn_retries),
            datum_int(info->txn_us)};
        TRY(show_row(context, row));
    }
out:
    st = status_copy(context->task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- SHOW RANGES -------------------------------------------------------------------------------------------

// The columns that are always there, then those of the options, in this order.
static const struct result_column range_columns[] = {SHOW_TEXT("start_key"), SHOW_TEXT("end_key"),
    SHOW_INT("range_id"), SHOW_TEXT("replicas"), SHOW_TEXT("replica_localities"),
    SHOW_TEXT("voting_replicas"), SHOW_TEXT("non_voting_replicas"), SHOW_TEXT("learner_replicas"),
    SHOW_TIME("split_enforced_until")};
static const struct result_column key_columns[] = {
    {.name = "raw_start_key", .type = {.oid = TYPE_BYTEA, .typmod = -1}},
    {.name = "raw_end_key", .type = {.oid = TYPE_BYTEA, .typmod = -1}}};
static const struct result_column table_columns[] = {SHOW_TEXT("schema_name"),
    SHOW_TEXT("table_name"), SHOW_INT("table_id"), SHOW_TEXT("table_start_key"),
    SHOW_TEXT("table_end_key")};
static const struct result_column index_columns[] = {SHOW_TEXT("index_name"), SHOW_INT("index_id"),
    SHOW_TEXT("index_start_key"), SHOW_TEXT("index_end_key")};
static const struct result_column detail_columns[] = {SHOW_INT("range_size"),
    {.name = "range_size_mb", .type = {.oid = TYPE_FLOAT8, .typmod = -1}}, SHOW_INT("lease_holder"),
    SHOW_TEXT("lease_holder_locality"), SHOW_TEXT("span_stats")};
#define RANGE_COLUMNS_MAX 32u

static uint32_t add_columns(struct result_column *out, uint32_t count,
    const struct result_column *columns, size_t column_count)
{
    memcpy(out + count, columns, column_count * sizeof *columns);
    return count + (uint32_t)column_count;
}

static struct status describe_ranges(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    uint32_t flags = context->statement->as.show->flags;
    struct result_column *all =
        ARENA_ARRAY(context->arena, struct result_column, RANGE_COLUMNS_MAX);
    *count = add_columns(all, 0, range_columns, 2);
    if (flags & SHOW_WITH_KEYS) *count = add_columns(all, *count, key_columns, 2);
    *count = add_columns(all, *count, range_columns + 2, 7);
    if (flags & (SHOW_WITH_TABLES | SHOW_WITH_INDEXES))
        *count = add_columns(all, *count, table_columns, 5);
    if (flags & SHOW_WITH_INDEXES) *count = add_columns(all, *count, index_columns, 4);
    if (flags & SHOW_WITH_DETAILS) *count = add_columns(all, *count, detail_columns, 5);
    *columns = all;
    return STATUS_OK;
}

// What a row is about: a range, and with TABLES or INDEXES the part of it that belongs to one.
struct range_row {
    const struct kv_range *range;
    const struct table_desc *table;
    const char *schema;
    const struct index_desc *index;
};

static void put_id(struct buffer *out, uint32_t id)
{
    buffer_printf(out, out->size == 0 ? "{%u" : ",%u", id);
}

static void put_locality(struct buffer *out, const char *locality)
{
    buffer_append_bytes(out, bytes_of_string(out->size == 0 ? "{\"" : ",\""));
    for (; *locality != 0; locality++) {
        if (*locality == '"' || *locality == '\\') buffer_append_u8(out, '\\');
        buffer_append_u8(out, (uint8_t)*locality);
    }
    buffer_append_u8(out, '"');
}

static const char *closed(struct buffer *out)
{
    if (out->size == 0) return "{}";
    buffer_append_u8(out, '}');
    return buffer_string(out);
}

static const char *locality_of(struct shard *shard, uint32_t id)
{
    const struct cluster_node *node = cluster_node(shard, id);
    return node == NULL ? "" : node->locality;
}

void range_copies_look(struct shard *shard, struct arena *arena, const struct kv_range *range,
    struct range_copies *copies)
{
    struct cluster_slice where;
    struct buffer replicas, localities, voters, learners;
    if (!cluster_slice(shard, range->slice, &where))
        where = (struct cluster_slice){.leader = range->node, .voter_count = range->node != 0, .voters = {range->node}};
    buffer_init(&replicas, arena);
    buffer_init(&localities, arena);
    buffer_init(&voters, arena);
    buffer_init(&learners, arena);
    for (uint32_t id = 1; id < CLUSTER_NODES_MAX; id++) { // By node.
        bool votes = false, learns = false;
        for (uint32_t i = 0; i < where.voter_count; i++) votes = votes || where.voters[i] == id;
        for (uint32_t i = 0; i < where.learner_count; i++) learns = learns || where.learners[i] == id;
        if (votes) put_id(&voters, id);
        if (learns) put_id(&learners, id);
        if (!votes && !learns) continue;
        put_id(&replicas, id);
        put_locality(&localities, locality_of(shard, id));
    }
    copies->replicas = closed(&replicas);
    copies->localities = closed(&localities);
    copies->voters = closed(&voters);
    copies->learners = closed(&learners);
    copies->leader_locality = arena_strdup(arena, locality_of(shard, range->node));
}

static struct status send_range(struct statement_context *context, const struct range_row *from)
{
    struct arena *arena = context->arena;
    uint32_t flags = context->statement->as.show->flags, count = 0;
    const struct kv_range *range = from->range;
    uint64_t tenant = context->session->tenant;
    struct datum row[RANGE_COLUMNS_MAX];

    row[count++] = datum_text(key_format(arena, range->span.start));
    row[count++] = datum_text(key_format(arena, range->span.end));
    if (flags & SHOW_WITH_KEYS) {
        row[count++] = datum_bytes(range->span.start);
        row[count++] = datum_bytes(range->span.end);
    }
    struct range_copies copies;
    range_copies_look(context->task->shard, arena, range, &copies);
    row[count++] = datum_int((int64_t)range->id);
    row[count++] = datum_text(copies.replicas);
    row[count++] = datum_text(copies.localities);
    row[count++] = datum_text(copies.voters);
    row[count++] = datum_text("{}"); // Who is no voter is on its way to be one.
    row[count++] = datum_text(copies.learners);
    // For good is no moment.
    row[count++] = range->sticky_ns == 0 || range->sticky_ns == UINT64_MAX
                       ? DATUM_NULL
                       : datum_int((int64_t)(range->sticky_ns / 1000) - UNIX_EPOCH_US);
    if (flags & (SHOW_WITH_TABLES | SHOW_WITH_INDEXES)) {
        for (int i = 0; i < 5; i++)
            row[count + (uint32_t)i] = DATUM_NULL;
        if (from->table != NULL) {
            struct span span = row_table_span(arena, tenant, from->table->id);
            row[count] = datum_text(from->schema);
            row[count + 1] = datum_text(from->table->name);
            row[count + 2] = datum_int(from->table->id);
            row[count + 3] = datum_text(key_format(arena, span.start));
            row[count + 4] = datum_text(key_format(arena, span.end));
        }
        count += 5;
    }
    if (flags & SHOW_WITH_INDEXES) {
        for (int i = 0; i < 4; i++)
            row[count + (uint32_t)i] = DATUM_NULL;
        if (from->index != NULL) {
            struct span span = row_index_span(arena, tenant, from->table->id, from->index->id);
            row[count] = datum_text(from->index->name);
            row[count + 1] = datum_int(from->index->id);
            row[count + 2] = datum_text(key_format(arena, span.start));
            row[count + 3] = datum_text(key_format(arena, span.end));
        }
        count += 4;
    }
    if (flags & SHOW_WITH_DETAILS) {
        row[count++] = datum_int((int64_t)range->bytes);
        row[count++] = datum_real((double)range->bytes / 1e6);
        row[count++] = range->node == 0 ? DATUM_NULL : datum_int(range->node);
        row[count++] = range->node == 0 ? DATUM_NULL : datum_text(copies.leader_locality);
        row[count++] = datum_text(arena_printf(arena,
            "{\"approximate_disk_bytes\": %" PRIu64 ", \"key_count\": %" PRIu64 "}", range->bytes,
            range->keys));
    }
    return show_row(context, row);
}

static struct status send_parts(struct statement_context *context, const struct kv_range *range,
    const struct table_desc **tables, uint32_t table_count)
{
    struct status st = STATUS_OK;
    uint32_t flags = context->statement->as.show->flags;
    uint64_t tenant = context->session->tenant;
    bool sent = false;

    for (uint32_t i = 0; i < table_count; i++) {
        const struct table_desc *table = tables[i];
        const struct schema_desc *schema;
        if (table->kind != RELATION_TABLE) continue;
        if (!span_overlaps(range->span, row_table_span(context->arena, tenant, table->id)))
            continue;
        TRY(catalog_schema_by_id(context->task, context->session, table->schema_id, &schema));
        struct range_row row = {.range = range, .table = table, .schema = schema->name};
        if (!(flags & SHOW_WITH_INDEXES)) {
            TRY(send_range(context, &row));
            sent = true;
            continue;
        }
        for (uint32_t k = 0; k < table->index_count; k++) {
            row.index = &table->indexes[k];
            if (!span_overlaps(
                    range->span, row_index_span(context->arena, tenant, table->id, row.index->id)))
                continue;
            TRY(send_range(context, &row));
            sent = true;
        }
    }
    if (!sent) TRY(send_range(context, &(struct range_row){.range = range}));
out:
    return st;
}

// The span asked for, and the tables in it (for WITH TABLES and INDEXES).
static struct status ranges_target(struct statement_context *context, struct span *span,
    const struct table_desc ***tables, uint32_t *count)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    struct task *task = context->task;
    struct session *session = context->session;
    const struct database_desc *database;
    const struct table_desc *table;
    const struct index_desc *index;

    *span = key_tenant_span(context->arena, session->tenant);
    if (show->scope == SHOW_SCOPE_CLUSTER) { // Of everybody, and the cluster's own.
        static const uint8_t first[] = {0x01}, last[] = {0xff};
        if (session->tenant != TENANT_SYSTEM)
            return ddl_unsupported(context, "SHOW CLUSTER RANGES within a virtual cluster");
        TRY(privilege_check_system(task, session, "VIEWCLUSTERMETADATA"));
        *span = (struct span){bytes_of(first, 1), bytes_of(last, 1)};
    }
    if (show->has_target && show->object != OBJECT_DATABASE) {
        bool of_index = show->object == OBJECT_INDEX && show->target.table == NULL;
        if (of_index)
            TRY(catalog_index(task, session, show->target.catalog, show->target.schema,
                show->target.name, false, &table, &index));
        else
            TRY(catalog_table(task, session, show->target.catalog, show->target.schema,
                show->object == OBJECT_INDEX ? show->target.table : show->target.name, false,
                &table));
        TRY(ddl_check_kind(context, table, OBJECT_TABLE));
        TRY(privilege_check_table(task, session, table, PRIVILEGE_SELECT));
        *tables = ARENA_ARRAY(context->arena, const struct table_desc *, 1);
        (*tables)[0] = table;
        *count = 1;
        *span = row_table_span(context->arena, session->tenant, table->id);
        if (show->object == OBJECT_INDEX && !of_index) {
            index = NULL;
            for (uint32_t i = 0; i < table->index_count; i++) {
                if (strcmp(table->indexes[i].name, show->target.name) == 0)
                    index = &table->indexes[i];
            }
            if (index == NULL)
                return ddl_error(
                    context, E_UNDEFINED_OBJECT, "index \"%s\" does not exist", show->target.name);
        }
        if (show->object == OBJECT_INDEX)
            *span = row_index_span(context->arena, session->tenant, table->id, index->id);
        return STATUS_OK;
    }
    TRY(catalog_database(
        task, session, show->has_target ? show->target.name : NULL, false, &database));
    bool whole = !show->has_target && !(show->flags & SHOW_CURRENT_CATALOG);
    TRY(catalog_list_tables(
        task, session, context->arena, whole ? 0 : database->id, tables, count));
out:
    return st;
}

static struct status show_ranges(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    const struct result_column *columns;
    const struct table_desc **tables;
    struct kv_range *ranges;
    struct span span;
    uint32_t column_count, table_count, range_count;

    TRY(describe_ranges(context, &columns, &column_count));
    TRY(context->sink->columns(context->task, context->sink, columns, column_count));
    TRY(ranges_target(context, &span, &tables, &table_count));
    TRY(kv_ranges(context->task, span, context->arena, &ranges, &range_count));
    bool of_database = show->object == OBJECT_DATABASE || (show->flags & SHOW_CURRENT_CATALOG);
    for (uint32_t i = 0; i < range_count; i++) {
        if (of_database) {
            bool overlaps = false;
            for (uint32_t k = 0; k < table_count; k++)
                overlaps |= span_overlaps(ranges[i].span,
                    row_table_span(context->arena, context->session->tenant, tables[k]->id));
            if (!overlaps) continue;
        }
        if (show->flags & (SHOW_WITH_TABLES | SHOW_WITH_INDEXES))
            TRY(send_parts(context, &ranges[i], tables, table_count));
        else
            TRY(send_range(context, &(struct range_row){.range = &ranges[i]}));
    }
out:
    return st;
}

static const struct statement_handler handlers[] = {
    {STATEMENT_SHOW_SESSIONS, HANDLER_READ_ONLY, describe_sessions, show_sessions},
    {STATEMENT_SHOW_QUERIES, HANDLER_READ_ONLY, describe_queries, show_queries},
    {STATEMENT_SHOW_TRANSACTIONS, HANDLER_READ_ONLY, describe_transactions, show_transactions},
    {STATEMENT_SHOW_RANGES, HANDLER_READ_ONLY, describe_ranges, show_ranges},
};

void show_node_register(void)
{
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
