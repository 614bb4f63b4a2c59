// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/fingerprint.h"

#include "core/hash.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "repl/consumer.h"
#include "sql/bind/as_of.h"
#include "sql/catalog/catalog.h"
#include "sql/user/privilege.h"
#include "sql/exec/row.h"
#include "tenant/tenant.h"

#define HISTORY_PIECE_BYTES (1u << 20)

static const struct result_column tenant_columns[] = {
    {.name = "tenant_name", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "start_ts", .type = {.oid = TYPE_NUMERIC, .typmod = -1}},
    {.name = "end_ts", .type = {.oid = TYPE_NUMERIC, .typmod = -1}},
    {.name = "fingerprint", .type = {.oid = TYPE_INT8, .typmod = -1}},
};
static const struct result_column table_columns[] = {
    {.name = "index_name", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "fingerprint", .type = {.oid = TYPE_INT8, .typmod = -1}},
};

static struct status describe(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    bool of_tenant = context->statement->as.fingerprints->of_tenant;
    *columns = of_tenant ? tenant_columns : table_columns;
    *count = of_tenant ? 4 : 2;
    return STATUS_OK;
}

static struct status numeric(struct arena *arena, struct hlc_timestamp ts, struct datum *value)
{
    char text[HLC_TEXT_BYTES];
    return type_input(arena, &type_context_default, TYPE_OF(TYPE_NUMERIC),
        bytes_of_string(hlc_format(ts, text)), value);
}

// --- of a virtual cluster ------------------------------------------------------------------------------

static struct status end_time(
    struct statement_context *context, const struct tenant *tenant, struct hlc_timestamp *ts)
{
    struct status st = STATUS_OK;
    struct consumer_record *record;
    *ts = context->session->txn_as_of;
    if (!hlc_is_zero(*ts)) goto out;
    if (tenant->data_state == TENANT_READY || tenant->replication_job == 0) {
        st = kv_now(context->task, tenant->id, ts);
        goto out;
    }
    TRY(consumer_read(context->task, NULL, context->arena, tenant->replication_job, &record));
    if (record != NULL) *ts = record->replicated;
    if (hlc_is_zero(*ts))
        st = status_format(context->arena, E_NOT_IN_PREREQUISITE_STATE,
            "virtual cluster \"%s\" has no replicated time yet", tenant->name);
out:
    return st;
}

// All versions in (start, end], deletions included.
static struct status history_hash(struct statement_context *context, const struct tenant *tenant,
    struct hlc_timestamp start, struct hlc_timestamp end, uint64_t *hash)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct kv_export export = {.tenant = tenant->id,
        .span = key_tenant_span(context->arena, tenant->id),
        .after = start,
        .at = end,
        .all = true,
        .bytes_max = HISTORY_PIECE_BYTES};
    arena_init(&arena, NULL);
    *hash = 0;
    while (!export.done) {
        struct kv_version *versions;
        uint32_t count;
        arena_reset(&arena);
        TRY(kv_export_next(context->task, &export, &arena, &versions, &count));
        for (uint32_t i = 0; i < count; i++) {
            struct bytes key = versions[i].key;
            uint64_t id;
            uint8_t ts[HLC_ENCODED_BYTES];
            TRY(key_decode_tenant_prefix(&key, &id));
            hlc_encode(versions[i].ts, ts);
            uint64_t one = hash_bytes_seed(versions[i].value, hash_bytes(key));
            *hash += hash_bytes_seed(bytes_of(ts, sizeof ts), one + versions[i].tombstone);
        }
        TRY(task_yield_if_due(context->task));
    }
out:
    if (failed(st)) st = status_copy(context->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status of_tenant(struct statement_context *context, const struct fingerprints *show)
{
    struct status st;
    struct tenant *tenant;
    struct hlc_timestamp end, start;
    struct datum row[4] = {[1] = DATUM_NULL};
    TRY(tenant_require_system(context->session, "fingerprint"));
    TRY(privilege_check_system(context->task, context->session, "MANAGEVIRTUALCLUSTER"));
    TRY(tenant_resolve(context, &show->tenant, &tenant));
    if (tenant->reads != 0)
        TRY(status_format(context->arena, E_FEATURE_NOT_SUPPORTED,
            "tenant \"%s\" has no data of its own: take the fingerprint of what it reads", tenant->name));
    TRY(end_time(context, tenant, &end));
    if (show->start_timestamp != NULL) {
        uint64_t hash;
        TRY(as_of_evaluate(context->task, context->session, context->arena, show->start_timestamp,
            AS_OF_PAST, &start));
        if (hlc_less(end, start))
            TRY(status_make(E_INVALID_PARAMETER_VALUE,
                "the start timestamp is after the end of the fingerprint"));
        TRY(history_hash(context, tenant, start, end, &hash));
        TRY(numeric(context->arena, start, &row[1]));
        row[3] = datum_int((int64_t)hash);
    } else {
        struct kv_fingerprint fingerprint;
        TRY(kv_fingerprint(context->task, tenant->id, key_tenant_span(context->arena, tenant->id),
            end, &fingerprint));
        row[3] = datum_int((int64_t)fingerprint.hash);
    }
    row[0] = tenant->name == NULL ? DATUM_NULL : datum_text(tenant->name);
    TRY(numeric(context->arena, end, &row[2]));
    TRY(context->sink->columns(context->task, context->sink, tenant_columns, 4));
    st = context->sink->row(context->task, context->sink, row);
out:
    return st;
}

// --- of a table ----------------------------------------------------------------------------------------

static struct status of_table(struct statement_context *context, const struct fingerprints *show)
{
    struct status st;
    struct session *session = context->session;
    struct task *task = context->task;
    const struct table_desc *table;
    TRY(catalog_table(
        task, session, show->table.catalog, show->table.schema, show->table.name, false, &table));
    TRY(privilege_check_table(task, session, table, PRIVILEGE_SELECT));
    struct hlc_timestamp at = session->txn_as_of;
    if (hlc_is_zero(at)) at = kv_txn_read_ts(session->txn);
    TRY(context->sink->columns(task, context->sink, table_columns, 2));
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        struct kv_fingerprint fingerprint;
        struct span span = row_index_span(context->arena, session->tenant, table->id, index->id);
        TRY(kv_fingerprint(task, session->tenant, span, at, &fingerprint));
        struct datum row[2] = {datum_text(index->name), datum_int((int64_t)fingerprint.hash)};
        TRY(context->sink->row(task, context->sink, row));
    }
out:
    return st;
}

static struct status execute(struct statement_context *context)
{
    const struct fingerprints *show = context->statement->as.fingerprints;
    return show->of_tenant ? of_tenant(context, show) : of_table(context, show);
}

static const struct statement_handler handlers[] = {
    {STATEMENT_SHOW_FINGERPRINTS, HANDLER_READ_ONLY, describe, execute},
};

void fingerprint_register(void)
{
    statement_handler_register(handlers, 1);
}
