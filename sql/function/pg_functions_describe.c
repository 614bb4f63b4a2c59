// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_describe_object, and what index columns, indexes and their access method can do.
#include <string.h>

#include "core/text.h"
#include "sql/parse/deparse.h"
#include "sql/function/function_table.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/service/large_object.h"

#define NEED_SESSION() \
    if (call->session == NULL || call->task == NULL) \
    return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session")

// --- descriptions ------------------------------------------------------------------------------------------

static struct status put_relation(
    struct function_call *call, struct buffer *out, const struct pg_relation *relation)
{
    struct status st;
    const struct schema_desc *schema;
    const struct table_desc *table = relation->table;
    bool visible;
    TRY(pg_relation_visible(call->task, call->session, relation, &visible));
    TRY(catalog_schema_by_id(call->task, call->session, table->schema_id, &schema));
    const char *kind = relation->index != NULL            ? "index"
                       : table->materialized              ? "materialized view"
                       : table->kind == RELATION_VIEW     ? "view"
                       : table->kind == RELATION_SEQUENCE ? "sequence"
                       : table->kind == RELATION_VIRTUAL && pg_relation_oid(table) > PG_OID_BASE
                           ? "view"
                           : "table";
    buffer_printf(out, "%s ", kind);
    pg_print_name(out, visible ? NULL : schema->name,
        relation->index != NULL ? relation->index->name : table->name);
out:
    return st;
}

static struct status describe_relation(
    struct function_call *call, struct buffer *out, uint32_t oid, int64_t column)
{
    struct pg_relation relation;
    struct status st = pg_relation_by_oid(call->task, call->session, oid, &relation);
    if (failed(st) || relation.table == NULL) return st;
    if (column > 0 && column <= relation.table->column_count) {
        buffer_append_string(out, "column ");
        deparse_identifier(out, relation.table->columns[column - 1].name);
        buffer_append_string(out, " of ");
    }
    return put_relation(call, out, &relation);
}

static struct status describe_constraint(struct function_call *call, struct buffer *out, uint32_t oid)
{
    struct pg_constraint_of found;
    struct status st = pg_constraint_by_oid(call->task, call->session, oid, &found);
    if (failed(st) || found.table == NULL) return st;
    buffer_append_string(out, "constraint ");
    deparse_identifier(out, found.index != NULL ? found.index->name : found.constraint->name);
    if (found.table->kind == RELATION_DOMAIN) {
        buffer_printf(out, " on type %s", found.table->name);
        return st;
    }
    buffer_append_string(out, " on ");
    return put_relation(call, out, &(struct pg_relation){.table = found.table});
}

// The default of a column, or the rule of a view: both are made of their table's id.
static struct status describe_part(
    struct function_call *call, struct buffer *out, uint32_t oid, bool rule)
{
    struct pg_relation relation;
    uint32_t table_id = (oid & 0x1fffffffu) >> 11, column_id = oid & 0x7ffu;
    struct status st = pg_relation_by_oid(call->task, call->session, pg_oid(table_id), &relation);
    if (failed(st) || relation.table == NULL) return st;
    const struct column_desc *column = table_column_by_id(relation.table, column_id);
    if (!rule && column == NULL) return st;
    if (rule) {
        buffer_append_string(out, "rule _RETURN on ");
    } else {
        buffer_append_string(out, "default value for column ");
        deparse_identifier(out, column->name);
        buffer_append_string(out, " of ");
    }
    return put_relation(call, out, &relation);
}

static struct status describe_type(struct function_call *call, struct buffer *out, uint32_t oid)
{
    const struct type_info *info = type_info(oid);
    if (type_is_user(oid)) {
        buffer_append_string(out, "type ");
        if (!pg_print_user_type(call->task, call->session, oid, out)) out->size = 0;
    } else if (info != NULL) {
        buffer_printf(out, "type %s", info->sql_name);
    }
    return STATUS_OK;
}

static void describe_function(struct buffer *out, uint32_t oid)
{
    const struct function *function;
    for (uint32_t i = 0; (function = function_at(i)) != NULL; i++) {
        if (function->oid != oid || function->kind == FUNCTION_OPERATOR) continue;
        buffer_append_string(out, "function ");
        bool hidden = function->schema != NULL && strcmp(function->schema, "pg_catalog") != 0;
        pg_print_name(out, hidden ? function->schema : NULL, function->name);
        for (uint32_t a = 0; a < function->arg_count; a++) {
            const struct type_info *info = type_info(function->args[a]);
            buffer_printf(out, "%s%s", a == 0 ? "(" : ",", info == NULL ? "?" : info->sql_name);
        }
        buffer_append_string(out, function->arg_count == 0 ? "()" : ")");
        return;
    }
}

static struct status describe_large_object(struct function_call *call, struct buffer *out, uint32_t oid)
{
    struct large_object object;
    struct status st = large_object_find(call->task, call->session, call->arena, oid, NULL, &object);
    if (status_is(st, E_UNDEFINED_OBJECT)) return STATUS_OK;
    if (!failed(st)) buffer_printf(out, "large object %u", oid);
    return st;
}

BODY(describe)
{
    struct status st = STATUS_OK;
    struct buffer out;
    const struct schema_desc *schema = NULL;
    uint32_t oid = (uint32_t)args[1].integer;
    NEED_SESSION();
    buffer_init(&out, call->arena);
    switch (args[0].integer) {
    case PG_CLASS_OID: TRY(describe_relation(call, &out, oid, args[2].integer)); break;
    case 2606: TRY(describe_constraint(call, &out, oid)); break;
    case 2604: TRY(describe_part(call, &out, oid, false)); break;
    case 2618: TRY(describe_part(call, &out, oid, true)); break;
    case 1247: TRY(describe_type(call, &out, oid)); break;
    case 1255: describe_function(&out, oid); break;
    case PG_LARGE_OBJECT_OID: TRY(describe_large_object(call, &out, oid)); break;
    case PG_NAMESPACE_OID:
        TRY(pg_schema_by_oid(call->task, call->session, oid, &schema));
        if (schema != NULL) buffer_printf(&out, "schema %s", schema->name);
        break;
    case PG_EXTENSION_OID:
        if (oid == PG_EXTENSION_INTERNAL) buffer_append_string(&out, "extension crdb_internal");
        break;
    default: break;
    }
    *result = out.size == 0 ? DATUM_NULL : datum_bytes(buffer_bytes(&out));
    if (out.size > 0) st = arena_check(call->arena);
out:
    return st;
}

// --- properties --------------------------------------------------------------------------------------------

struct property {
    const char *name;
    bool has;
};

static struct datum property_of(struct bytes name, const struct property *properties, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (text_equal_nocase(name, bytes_of_string(properties[i].name)))
            return datum_bool(properties[i].has);
    return DATUM_NULL;
}

BODY(method_property)
{
    static const struct property properties[] = {{"can_order", true}, {"can_unique", true},
        {"can_multi_col", true}, {"can_exclude", false}, {"can_include", true}};
    (void)call;
    *result = args[0].integer != PG_AM_BTREE
                  ? DATUM_NULL
                  : property_of(datum_as_bytes(args[1]), properties, TABLE_COUNT(properties));
    return STATUS_OK;
}

BODY(index_property)
{
    static const struct property properties[] = {{"clusterable", false}, {"index_scan", true},
        {"bitmap_scan", false}, {"backward_scan", true}};
    struct pg_relation relation;
    NEED_SESSION();
    struct status st =
        pg_relation_by_oid(call->task, call->session, (uint32_t)args[0].integer, &relation);
    *result = failed(st) || relation.index == NULL
                  ? DATUM_NULL
                  : property_of(datum_as_bytes(args[1]), properties, TABLE_COUNT(properties));
    return st;
}

BODY(column_property)
{
    struct pg_relation relation;
    NEED_SESSION();
    *result = DATUM_NULL;
    struct status st =
        pg_relation_by_oid(call->task, call->session, (uint32_t)args[0].integer, &relation);
    if (failed(st) || relation.index == NULL || args[1].integer < 1) return st;
    int64_t number = args[1].integer, keys = relation.index->column_count;
    struct bytes name = datum_as_bytes(args[2]);
    if (number > keys + relation.index->stored_count) return st;
    bool stored = number > keys, descending = false, nulls_first = false;
    if (!stored) {
        const struct index_column *part = &relation.index->columns[number - 1];
        descending = part->descending;
        nulls_first = part->descending != part->nulls_reversed;
    }
    const struct property properties[] = {{"returnable", true}, {"orderable", !stored},
        {"distance_orderable", false}, {"search_array", !stored}, {"search_nulls", !stored},
        {"asc", !descending}, {"desc", descending}, {"nulls_first", nulls_first},
        {"nulls_last", !nulls_first}};
    // What is only stored is in no order, and nothing is looked for in it.
    unsigned known = TABLE_COUNT(properties) - (stored ? 6 : 0);
    *result = property_of(name, properties, known);
    return st;
}

static const struct function functions[] = {
    STABLE("pg_describe_object", 3537, TEXT, describe, TYPE_OID, TYPE_OID, TYPE_INT4),
    STABLE("pg_indexam_has_property", 636, BOOL, method_property, TYPE_OID, TYPE_TEXT),
    STABLE("pg_index_has_property", 637, BOOL, index_property, TYPE_REGCLASS, TYPE_TEXT),
    STABLE("pg_index_column_has_property", 638, BOOL, column_property, TYPE_REGCLASS, TYPE_INT4,
        TYPE_TEXT),
};

void pg_functions_describe_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}
