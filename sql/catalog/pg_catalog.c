// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog tables of the current database's objects: classes, attributes, indexes, constraints.
#include "sql/insight/insight.h"
#include "sql/type/array.h"
#include "sql/type/collation.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/catalog/pg_xid.h"

#include <string.h>

#include "core/invariant.h"
#include "core/text.h"
#include "sql/catalog/catalog_text.h"
#include "sql/exec/foreign_key.h"
#include "sql/parse/deparse.h"
#include "sql/type/inverted.h"
#include "sql/plan/plan.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// --- shared ----------------------------------------------------------------------------------------------

// Through the cache: joins of pg_type scan it many times.
struct status pg_rows_types(struct pg_rows *rows)
{
    struct status st = STATUS_OK;
    uint32_t count = rows->database->type_count;
    if (count == 0) return st;
    const uint32_t *ids = rows->database->types;
    rows->types = ARENA_ARRAY(&rows->arena, const struct table_desc *, count);
    for (uint32_t i = 0; i < count; i++) {
        TRY(catalog_table_by_id(rows->task, rows->session, ids[i], &rows->types[i]));
        catalog_type_install(rows->session, rows->types[i]);
        rows->type_count++;
    }
out:
    return st;
}

struct status pg_rows_open(struct pg_rows *rows, struct task *task, struct session *session,
    struct virtual_table_sink *sink)
{
    struct status st;
    *rows = (struct pg_rows){.task = task, .session = session, .sink = sink};
    arena_init(&rows->arena, &session->account);
    TRY(catalog_database(task, session, session->database, false, &rows->database));
    TRY(catalog_list_schemas(
        task, session, &rows->arena, rows->database->id, &rows->schemas, &rows->schema_count));
    TRY(catalog_list_tables(
        task, session, &rows->arena, rows->database->id, &rows->tables, &rows->table_count));
    TRY(pg_rows_types(rows));
out:
    if (failed(st)) {
        st = status_copy(&session->statement_arena, st);
        arena_fini(&rows->arena);
    }
    return st;
}

void pg_rows_close(struct pg_rows *rows)
{
    arena_fini(&rows->arena);
}

const char *pg_schema_name(const struct pg_rows *rows, uint32_t schema_id)
{
    for (uint32_t i = 0; i < rows->schema_count; i++)
        if (rows->schemas[i]->id == schema_id) return rows->schemas[i]->name;
    return "";
}

int64_t pg_attnum(const struct table_desc *table, uint32_t column_id)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].id == column_id) return (int64_t)i + 1;
    return 0;
}

struct status pg_role_oid(struct task *task, struct session *session, const char *name, uint32_t *oid)
{
    *oid = PG_ADMIN_OID;
    if (name == NULL || strcmp(name, "node") == 0 || strcmp(name, ROLE_ADMIN) == 0) return STATUS_OK;
    return role_id(task, session, name, oid);
}

// In the order of PostgreSQL's lists.
static void acl_letters(struct buffer *out, uint32_t privileges, uint32_t grantable)
{
    static const uint32_t order[] = {PRIVILEGE_INSERT, PRIVILEGE_SELECT, PRIVILEGE_UPDATE,
        PRIVILEGE_DELETE, PRIVILEGE_TRUNCATE, PRIVILEGE_REFERENCES, PRIVILEGE_TRIGGER,
        PRIVILEGE_EXECUTE, PRIVILEGE_USAGE, PRIVILEGE_CREATE, PRIVILEGE_TEMPORARY,
        PRIVILEGE_CONNECT};
    for (unsigned i = 0; i < COUNT(order); i++) {
        if (!(privileges & order[i])) continue;
        buffer_append_u8(out, (uint8_t)privilege_acl_letter(order[i]));
        if (grantable & order[i]) buffer_append_u8(out, '*');
    }
}

// Roles in access lists have quotes around anything but letters, digits and underscores.
static void acl_role(struct buffer *out, const char *name)
{
    bool plain = true;
    for (const char *c = name; *c != 0; c++)
        plain &= (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || ascii_digit(*c) ||
                 *c == '_' || (uint8_t)*c >= 0x80;
    if (!plain) buffer_append_u8(out, '"');
    for (const char *c = name; *c != 0; c++) {
        if (*c == '"') buffer_append_u8(out, '"');
        buffer_append_u8(out, (uint8_t)*c);
    }
    if (!plain) buffer_append_u8(out, '"');
}

static struct datum acl_item(struct arena *arena, const char *owner, struct privilege_grant grant)
{
    if (grant.grantor != NULL) owner = grant.grantor;
    struct buffer text;
    buffer_init(&text, arena);
    if (strcmp(grant.role, ROLE_PUBLIC_NAME) != 0) acl_role(&text, grant.role);
    buffer_append_u8(&text, '=');
    acl_letters(&text, grant.privileges, grant.grantable);
    buffer_append_u8(&text, '/');
    acl_role(&text, owner);
    return datum_bytes(buffer_bytes(&text));
}

struct datum pg_acl_shared(
    struct arena *arena, enum object_kind kind, const struct table_desc *object)
{
    const char *owner = object->owner;
    uint32_t everybody = privilege_of_everybody(kind) & ~object->public_revoked, count = 0;
    struct datum acl;
    if (object->grant_count == 0 && object->public_revoked == 0) return DATUM_NULL;
    struct datum *items = ARENA_ARRAY(arena, struct datum, object->grant_count + 2u);
    if (everybody != 0)
        items[count++] = acl_item(arena, owner,
            (struct privilege_grant){.role = ROLE_PUBLIC_NAME, .privileges = everybody});
    items[count++] = acl_item(
        arena, owner, (struct privilege_grant){.role = owner, .privileges = privilege_all(kind)});
    for (uint32_t i = 0; i < object->grant_count; i++)
        items[count++] = acl_item(arena, owner, object->grants[i]);
    return failed(array_make(arena, TYPE_ACLITEM, items, count, &acl)) ? DATUM_NULL : acl;
}

struct datum pg_acl(struct arena *arena, enum object_kind kind, const char *owner,
    const struct privilege_grant *grants, uint32_t count)
{
    if (count == 0) return DATUM_NULL;
    struct datum *items = ARENA_ARRAY(arena, struct datum, count + 1u);
    uint32_t item_count = 0;
    // What everybody has from the start comes first.
    for (uint32_t i = 0; kind == OBJECT_DATABASE && i < count; i++)
        if (strcmp(grants[i].role, ROLE_PUBLIC_NAME) == 0)
            items[item_count++] = acl_item(arena, owner, grants[i]);
    bool public_done = item_count > 0;
    // The owner's own privileges cannot be taken away here, so they are always there. Columns have none.
    if (kind != OBJECT_COLUMN)
        items[item_count++] = acl_item(
            arena, owner, (struct privilege_grant){.role = owner, .privileges = privilege_all(kind)});
    for (uint32_t i = 0; i < count; i++)
        if (kind == OBJECT_COLUMN ||
            (strcmp(grants[i].role, owner) != 0 &&
                !(public_done && strcmp(grants[i].role, ROLE_PUBLIC_NAME) == 0)))
            items[item_count++] = acl_item(arena, owner, grants[i]);
    struct datum acl;
    return failed(array_make(arena, TYPE_ACLITEM, items, item_count, &acl)) ? DATUM_NULL : acl;
}

static struct datum numbers(struct arena *arena, type_oid element, const int64_t *values, uint32_t count)
{
    struct datum *items = ARENA_ARRAY(arena, struct datum, count + 1u);
    for (uint32_t i = 0; i < count; i++) items[i] = datum_int(values[i]);
    struct datum array;
    return failed(array_make(arena, element, items, count, &array)) ? DATUM_NULL : array;
}

static struct datum column_numbers(
    struct arena *arena, const struct table_desc *table, const uint32_t *ids, uint32_t count)
{
    int64_t *values = ARENA_ARRAY(arena, int64_t, count + 1u);
    for (uint32_t i = 0; i < count; i++) values[i] = pg_attnum(table, ids[i]);
    return numbers(arena, TYPE_INT2, values, count);
}

// --- pg_namespace ----------------------------------------------------------------------------------------

static const struct virtual_column namespace_columns[] = {
    {"oid", TYPE_OID}, {"nspname", TYPE_NAME}, {"nspowner", TYPE_OID}, {"nspacl", 1034}};

static struct status namespace_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct pg_rows rows;
    static const struct {
        uint32_t oid;
        const char *name;
    } fixed[] = {{PG_NAMESPACE_CATALOG, "pg_catalog"}, {PG_NAMESPACE_INFORMATION, "information_schema"},
        {PG_NAMESPACE_INTERNAL, "crdb_internal"}};
    TRY(pg_rows_open(&rows, task, session, sink));
    for (unsigned i = 0; i < COUNT(fixed); i++) {
        struct datum row[] = {datum_int(fixed[i].oid), datum_text(fixed[i].name), datum_int(PG_ADMIN_OID), DATUM_NULL};
        if (failed(st = virtual_table_row(sink, row))) break;
    }
    for (uint32_t i = 0; i < rows.schema_count && !failed(st); i++) {
        const struct schema_desc *schema = rows.schemas[i];
        uint32_t owner;
        st = pg_role_oid(task, session, schema->owner, &owner);
        if (failed(st)) break;
        struct datum row[] = {datum_int(pg_oid(schema->id)), datum_text(schema->name), datum_int(owner),
            pg_acl(&rows.arena, OBJECT_SCHEMA, schema->owner, schema->grants, schema->grant_count)};
        st = virtual_table_row(sink, row);
    }
    pg_rows_close(&rows);
out:
    return st;
}

// --- pg_class --------------------------------------------------------------------------------------------

static const struct virtual_column class_columns[] = {{"oid", TYPE_OID}, {"relname", TYPE_NAME},
    {"relnamespace", TYPE_OID}, {"reltype", TYPE_OID}, {"reloftype", TYPE_OID}, {"relowner", TYPE_OID},
    {"relam", TYPE_OID}, {"relfilenode", TYPE_OID}, {"reltablespace", TYPE_OID}, {"relpages", TYPE_INT4},
    {"reltuples", TYPE_FLOAT4}, {"relallvisible", TYPE_INT4}, {"reltoastrelid", TYPE_OID},
    {"relhasindex", TYPE_BOOL}, {"relisshared", TYPE_BOOL}, {"relpersistence", TYPE_CHAR_INTERNAL},
    {"relkind", TYPE_CHAR_INTERNAL}, {"relnatts", TYPE_INT2}, {"relchecks", TYPE_INT2},
    {"relhasrules", TYPE_BOOL}, {"relhastriggers", TYPE_BOOL}, {"relhassubclass", TYPE_BOOL},
    {"relrowsecurity", TYPE_BOOL}, {"relforcerowsecurity", TYPE_BOOL}, {"relispopulated", TYPE_BOOL},
    {"relreplident", TYPE_CHAR_INTERNAL}, {"relispartition", TYPE_BOOL}, {"relrewrite", TYPE_OID},
    {"relfrozenxid", TYPE_XID}, {"relminmxid", TYPE_XID}, {"relacl", 1034}, {"reloptions", 1009},
    {"relpartbound", TYPE_PG_NODE_TREE}};

struct class_row {
    uint32_t oid, namespace, owner, access_method, row_type;
    const char *name;
    char kind;
    int64_t column_count, check_count;
    bool has_index, has_triggers, is_temp, is_unlogged, is_empty;
    double rows;
    struct datum acl, options;
};

static struct status class_row(struct virtual_table_sink *sink, const struct class_row *class)
{
    const bool has_rows = class->kind == 'r' || class->kind == 'm';
    struct datum row[] = {datum_int(class->oid), datum_text(class->name), datum_int(class->namespace),
        datum_int(class->row_type), datum_int(0), datum_int(class->owner), datum_int(class->access_method),
        datum_int(class->oid), datum_int(0), datum_int(0), datum_real(class->rows), datum_int(0), datum_int(0),
        datum_bool(class->has_index), datum_bool(false),
        datum_int(class->is_temp ? 't' : class->is_unlogged ? 'u' : 'p'), datum_int(class->kind),
        datum_int(class->column_count), datum_int(class->check_count), datum_bool(class->kind == 'v' || class->kind == 'm'),
        datum_bool(class->has_triggers), datum_bool(false), datum_bool(false), datum_bool(false),
        datum_bool(!class->is_empty), datum_int(has_rows ? 'd' : 'n'), datum_bool(false), datum_int(0),
        datum_int(has_rows ? PG_XID_FIRST : 0), datum_int(has_rows ? PG_MXID_FIRST : 0), class->acl, class->options, DATUM_NULL};
    return virtual_table_row(sink, row);
}

static int64_t visible_columns(const struct table_desc *table)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++)
        if (!table->columns[i].hidden && table->columns[i].state == ELEMENT_PUBLIC) count++;
    return count;
}

bool pg_index_shown(const struct table_desc *table, const struct index_desc *index)
{
    if (index->state != ELEMENT_PUBLIC || table->kind != RELATION_TABLE) return false;
    if (!index->primary || index->column_count != 1) return true;
    const struct column_desc *column = table_column_by_id(table, index->columns[0].column_id);
    return column == NULL || !column->hidden;
}

static struct datum view_options(struct arena *arena, const struct table_desc *view)
{
    const char *options[3];
    uint32_t count = 0;
    if (view->security_barrier != 0)
        options[count++] =
            view->security_barrier == 't' ? "security_barrier=true" : "security_barrier=false";
    if (view->security_invoker != 0)
        options[count++] =
            view->security_invoker == 't' ? "security_invoker=true" : "security_invoker=false";
    if (view->check_option != 0)
        options[count++] =
            view->check_option == 'l' ? "check_option=local" : "check_option=cascaded";
    return count == 0 ? DATUM_NULL : pg_text_array(arena, TYPE_TEXT, options, count);
}

bool pg_has_triggers(const struct table_desc *table)
{
    for (uint32_t i = 0; i < table->constraint_count; i++)
        if (table->constraints[i].kind == TABLE_FOREIGN_KEY) return true;
    return table->referenced_by_count > 0;
}

static struct status table_class_rows(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st;
    uint32_t owner;
    TRY(pg_role_oid(rows->task, rows->session, table->owner, &owner));
    bool shown_index = false;
    int64_t checks = 0;
    for (uint32_t i = 0; i < table->index_count; i++) shown_index |= pg_index_shown(table, &table->indexes[i]);
    for (uint32_t i = 0; i < table->constraint_count; i++) checks += table->constraints[i].kind == TABLE_CHECK;
    struct class_row class = {.oid = pg_oid(table->id),
        .namespace = pg_oid(table->schema_id),
        .owner = owner,
        .access_method = table->kind == RELATION_TABLE ? 2 : 0,
        .name = table->name,
        .kind = table->materialized ? 'm' : table->kind == RELATION_TABLE ? 'r' : table->kind == RELATION_VIEW ? 'v' : table->kind == RELATION_COMPOSITE ? 'c' : 'S',
        .row_type = relation_has_row_type(table->kind) ? catalog_type_oid(table) : 0,
        .column_count = visible_columns(table),
        .check_count = checks,
        .has_index = shown_index,
        .is_temp = strncmp(pg_schema_name(rows, table->schema_id), "pg_temp_", 8) == 0,
        .is_unlogged = table->unlogged,
        .is_empty = table->materialized && !table->populated,
        .has_triggers = pg_has_triggers(table),
        .rows = table->row_estimate == 0 ? -1 : (double)table->row_estimate,
        .acl = pg_acl(&rows->arena,
            table->kind == RELATION_SEQUENCE ? OBJECT_SEQUENCE : OBJECT_TABLE, table->owner, table->grants, table->grant_count)};
    class.options = view_options(&rows->arena, table);
    TRY(class_row(rows->sink, &class));
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!pg_index_shown(table, index)) continue;
        struct class_row index_class = {.oid = pg_index_oid(table->id, index->id),
            .namespace = pg_oid(table->schema_id),
            .owner = owner,
            .access_method = index->inverted ? PG_AM_GIN : PG_AM_BTREE,
            .name = index->name,
            .kind = 'i',
            .column_count = index->column_count + index->stored_count,
            .rows = class.rows,
            .is_unlogged = table->unlogged,
            .acl = DATUM_NULL,
            .options = DATUM_NULL};
        TRY(class_row(rows->sink, &index_class));
    }
out:
    return st;
}

struct status pg_each_table(struct task *task, struct session *session,
    struct virtual_table_sink *sink,
    struct status (*row)(struct pg_rows *rows, const struct table_desc *table))
{
    struct status st;
    struct pg_rows rows;
    TRY(pg_rows_open(&rows, task, session, sink));
    for (uint32_t i = 0; i < rows.table_count && !failed(st); i++) {
        st = row(&rows, rows.tables[i]);
        if (!failed(st)) st = task_yield_if_due(task);
    }
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}

// The same for composite types, which have rows of pg_class and pg_attribute too.
static struct status each_composite(struct task *task, struct session *session,
    struct virtual_table_sink *sink,
    struct status (*row)(struct pg_rows *rows, const struct table_desc *table))
{
    struct status st;
    struct pg_rows rows;
    TRY(pg_rows_open(&rows, task, session, sink));
    for (uint32_t i = 0; i < rows.type_count && !failed(st); i++)
        if (rows.types[i]->kind == RELATION_COMPOSITE) st = row(&rows, rows.types[i]);
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}

bool pg_is_catalog_table(const struct table_desc *table)
{
    return table->kind == RELATION_VIRTUAL && pg_relation_oid(table) < PG_OID_BASE;
}

static struct status virtual_class_rows(struct session *session, struct virtual_table_sink *sink)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    for (uint32_t i = 0; (table = pg_next_virtual_table(session, &i)) != NULL;) {
        uint32_t oid = pg_relation_oid(table);
        struct class_row class = {.oid = oid,
            .namespace = pg_namespace_oid(table->schema_id),
            .owner = PG_ADMIN_OID,
            .access_method = pg_is_catalog_table(table) ? PG_AM_HEAP : 0,
            .name = table->name,
            .kind = pg_is_catalog_table(table) ? 'r' : 'v',
            .column_count = table->column_count,
            .rows = -1,
            .acl = DATUM_NULL,
            .options = DATUM_NULL};
        TRY(class_row(sink, &class));
    }
out:
    return st;
}

static struct status class_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    TRY(virtual_class_rows(session, sink));
    TRY(each_composite(task, session, sink, table_class_rows));
    st = pg_each_table(task, session, sink, table_class_rows);
out:
    return st;
}

// --- pg_attribute, pg_attrdef ------------------------------------------------------------------------------

static const struct virtual_column attribute_columns[] = {{"attrelid", TYPE_OID}, {"attname", TYPE_NAME},
    {"atttypid", TYPE_OID}, {"attstattarget", TYPE_INT4}, {"attlen", TYPE_INT2}, {"attnum", TYPE_INT2},
    {"attndims", TYPE_INT4}, {"attcacheoff", TYPE_INT4}, {"atttypmod", TYPE_INT4}, {"attbyval", TYPE_BOOL},
    {"attalign", TYPE_CHAR_INTERNAL}, {"attstorage", TYPE_CHAR_INTERNAL}, {"attcompression", TYPE_CHAR_INTERNAL},
    {"attnotnull", TYPE_BOOL}, {"atthasdef", TYPE_BOOL}, {"atthasmissing", TYPE_BOOL},
    {"attidentity", TYPE_CHAR_INTERNAL}, {"attgenerated", TYPE_CHAR_INTERNAL}, {"attisdropped", TYPE_BOOL},
    {"attislocal", TYPE_BOOL}, {"attinhcount", TYPE_INT4}, {"attcollation", TYPE_OID}, {"attacl", 1034},
    {"attoptions", 1009}, {"attfdwoptions", 1009}, {"attmissingval", TYPE_TEXT}};

uint32_t pg_column_collation(const struct column_desc *column, type_oid type)
{
    return column != NULL && column->collation != NULL ? collation_definition_id(column->collation)
                                                       : pg_type_collation(type);
}

static struct status attribute_acl_row(struct virtual_table_sink *sink, uint32_t relation, const char *name,
    struct type type, int64_t number, const struct column_desc *column, struct datum acl)
{
    const struct type_info *info = type_info(type.oid);
    const struct pg_type_functions *functions = pg_type_functions(type.oid);
    bool has_default = column != NULL && pg_column_default(column) != NULL;
    struct datum row[] = {datum_int(relation), datum_text(name),
        datum_int(column != NULL && column->domain != 0 ? column->domain : type.oid),
        datum_int(column == NULL ? -1 : (int64_t)column->statistics_target - 1),
        datum_int(info == NULL ? -1 : info->length), datum_int(number), datum_int(type_is_array(type.oid) ? 1 : 0),
        datum_int(-1), datum_int(type.typmod), datum_bool(type_is_by_value(type.oid)),
        datum_int(functions == NULL ? 'i' : functions->align),
        datum_int(functions != NULL ? functions->storage
                  : info != NULL && info->length > 0 ? 'p'
                                                     : 'x'), datum_int(0),
        datum_bool(column != NULL && column->not_null), datum_bool(has_default), datum_bool(false),
        datum_int(column == NULL ? 0 : column->identity),
        datum_int(column != NULL && column->generated_sql != NULL ? 's' : 0), datum_bool(false), datum_bool(true),
        datum_int(0), datum_int(pg_column_collation(column, type.oid)), acl, DATUM_NULL, DATUM_NULL, DATUM_NULL};
    return virtual_table_row(sink, row);
}

static struct status attribute_row(struct virtual_table_sink *sink, uint32_t relation, const char *name,
    struct type type, int64_t number, const struct column_desc *column)
{
    return attribute_acl_row(sink, relation, name, type, number, column, DATUM_NULL);
}

struct status pg_column_default_text(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const struct column_desc *column, const char **text)
{
    *text = pg_column_default(column);
    if (*text == NULL) return STATUS_OK;
    return plan_expression_text(task, session, arena,
        column->generated_sql != NULL ? table : NULL, *text, column->type, false, text);
}

const char *pg_column_default(const struct column_desc *column)
{
    if (column->generated_sql != NULL) return column->generated_sql;
    return column->identity != 0 ? NULL : column->default_sql;
}

// An expression's column of an index is named like the function it calls, or "expr".
static const char *expression_name(struct arena *arena, const char *sql)
{
    size_t size = 0;
    while ((sql[size] >= 'a' && sql[size] <= 'z') || (sql[size] >= '0' && sql[size] <= '9') || sql[size] == '_')
        size++;
    return size > 0 && sql[size] == '(' ? arena_string(arena, bytes_of(sql, size)) : "expr";
}

static struct status index_attribute_rows(
    struct pg_rows *rows, const struct table_desc *table, const struct index_desc *index)
{
    struct status st = STATUS_OK;
    uint32_t relation = pg_index_oid(table->id, index->id);
    for (uint32_t j = 0; j < index->column_count + index->stored_count; j++) {
        const struct index_column *part = j < index->column_count ? &index->columns[j] : NULL;
        if (part != NULL && part->expression_sql != NULL) {
            TRY(attribute_row(rows->sink, relation, expression_name(&rows->arena, part->expression_sql),
                TYPE_OF(part->column_id), (int64_t)j + 1, NULL));
            continue;
        }
        const struct column_desc *column = table_column_by_id(
            table, part != NULL ? part->column_id : index->stored[j - index->column_count]);
        if (column == NULL) continue;
        TRY(attribute_row(rows->sink, relation, column->name, column->type, (int64_t)j + 1, NULL));
    }
out:
    return st;
}

static struct status sequence_attribute_rows(struct pg_rows *rows, const struct table_desc *table)
{
    static const struct column_desc columns[] = {{.name = "last_value", .type = {TYPE_INT8, -1, 0}, .not_null = true},
        {.name = "log_cnt", .type = {TYPE_INT8, -1, 0}, .not_null = true},
        {.name = "is_called", .type = {TYPE_BOOL, -1, 0}, .not_null = true}};
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < COUNT(columns); i++)
        TRY(attribute_row(rows->sink, pg_oid(table->id), columns[i].name, columns[i].type, (int64_t)i + 1, &columns[i]));
out:
    return st;
}

static struct status table_attribute_rows(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    if (table->kind == RELATION_SEQUENCE) return sequence_attribute_rows(rows, table);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        if (column->hidden || column->state != ELEMENT_PUBLIC) continue;
        TRY(attribute_acl_row(rows->sink, pg_oid(table->id), column->name, column->type, (int64_t)i + 1, column,
            pg_acl(&rows->arena, OBJECT_COLUMN, table->owner, column->grants, column->grant_count)));
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!pg_index_shown(table, index)) continue;
        TRY(index_attribute_rows(rows, table, index));
    }
out:
    return st;
}

static struct status attribute_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    for (uint32_t i = 0; (table = pg_next_virtual_table(session, &i)) != NULL;)
        for (uint32_t j = 0; j < table->column_count; j++)
            TRY(attribute_row(sink, pg_relation_oid(table), table->columns[j].name,
                table->columns[j].type, (int64_t)j + 1, NULL));
    TRY(each_composite(task, session, sink, table_attribute_rows));
    st = pg_each_table(task, session, sink, table_attribute_rows);
out:
    return st;
}

static const struct virtual_column attrdef_columns[] = {
    {"oid", TYPE_OID}, {"adrelid", TYPE_OID}, {"adnum", TYPE_INT2}, {"adbin", TYPE_PG_NODE_TREE}};

static struct status table_attrdef_rows(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        const char *text = pg_column_default(column);
        if (text == NULL || column->hidden) continue;
        TRY(pg_column_default_text(rows->task, rows->session, &rows->arena, table, column, &text));
        struct datum row[] = {datum_int(pg_default_oid(table->id, column->id)), datum_int(pg_oid(table->id)),
            datum_int((int64_t)i + 1), datum_text(text)};
        TRY(virtual_table_row(rows->sink, row));
    }
out:
    return st;
}

static struct status attrdef_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    return pg_each_table(task, session, sink, table_attrdef_rows);
}

// --- pg_index, pg_constraint -------------------------------------------------------------------------------

static const struct virtual_column index_table_columns[] = {{"indexrelid", TYPE_OID}, {"indrelid", TYPE_OID},
    {"indnatts", TYPE_INT2}, {"indnkeyatts", TYPE_INT2}, {"indisunique", TYPE_BOOL},
    {"indnullsnotdistinct", TYPE_BOOL}, {"indisprimary", TYPE_BOOL}, {"indisexclusion", TYPE_BOOL},
    {"indimmediate", TYPE_BOOL}, {"indisclustered", TYPE_BOOL}, {"indisvalid", TYPE_BOOL},
    {"indcheckxmin", TYPE_BOOL}, {"indisready", TYPE_BOOL}, {"indislive", TYPE_BOOL},
    {"indisreplident", TYPE_BOOL}, {"indkey", TYPE_INT2VECTOR}, {"indcollation", TYPE_OIDVECTOR},
    {"indclass", TYPE_OIDVECTOR}, {"indoption", TYPE_INT2VECTOR}, {"indexprs", TYPE_PG_NODE_TREE},
    {"indpred", TYPE_PG_NODE_TREE}};

static type_oid index_column_type(const struct table_desc *table, const struct index_column *part)
{
    if (part->expression_sql != NULL) return part->column_id;
    const struct column_desc *column = table_column_by_id(table, part->column_id);
    return column == NULL ? 0 : column->type.oid;
}

static struct status index_expressions(struct pg_rows *rows, const struct table_desc *table,
    const struct index_desc *index, struct datum *result)
{
    struct status st = STATUS_OK;
    struct buffer out;
    const char *text;
    buffer_init(&out, &rows->arena);
    for (uint32_t j = 0; j < index->column_count; j++) {
        if (index->columns[j].expression_sql == NULL) continue;
        TRY(plan_expression_text(rows->task, rows->session, &rows->arena, table,
            index->columns[j].expression_sql, (struct type){0}, false, &text));
        if (out.size > 0) buffer_append_string(&out, ", ");
        buffer_append_string(&out, text);
    }
    *result = out.size == 0 ? DATUM_NULL : datum_bytes(buffer_bytes(&out));
out:
    return st;
}

static struct status table_index_rows(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!pg_index_shown(table, index)) continue;
        uint32_t keys = index->column_count, all = keys + index->stored_count;
        int64_t *numbers_of = ARENA_ARRAY(&rows->arena, int64_t, all + 1u);
        int64_t *options = ARENA_ARRAY(&rows->arena, int64_t, all + 1u);
        int64_t *classes = ARENA_ARRAY(&rows->arena, int64_t, all + 1u);
        int64_t *collations = ARENA_ARRAY(&rows->arena, int64_t, all + 1u);
        for (uint32_t j = 0; j < all; j++) {
            if (j < keys) {
                type_oid type = index_column_type(table, &index->columns[j]);
                options[j] = (index->columns[j].descending ? 1 : 0) |
                             (index->columns[j].descending != index->columns[j].nulls_reversed ? 2 : 0);
                classes[j] = index->columns[j].operator_class;
                if (classes[j] == 0) classes[j] = pg_operator_class(type);
                const struct column_desc *column = index->columns[j].expression_sql != NULL
                    ? NULL
                    : table_column_by_id(table, index->columns[j].column_id);
                collations[j] = index->columns[j].collation != NULL
                    ? collation_definition_id(index->columns[j].collation)
                    : pg_column_collation(column, type);
            }
            if (j < keys && index->columns[j].expression_sql != NULL) continue;
            numbers_of[j] = pg_attnum(table, j < keys ? index->columns[j].column_id : index->stored[j - keys]);
        }
        struct datum expressions;
        const char *predicate;
        TRY(index_expressions(rows, table, index, &expressions));
        TRY(pg_index_predicate(
            rows->task, rows->session, &rows->arena, table, index, false, &predicate));
        struct datum row[] = {datum_int(pg_index_oid(table->id, index->id)), datum_int(pg_oid(table->id)),
            datum_int(all), datum_int(keys), datum_bool(index->unique || index->primary),
            datum_bool(index->nulls_not_distinct), datum_bool(index_is_key(index)), datum_bool(false), datum_bool(!index->deferrable), datum_bool(false), datum_bool(true),
            datum_bool(false), datum_bool(true), datum_bool(true), datum_bool(false),
            pg_vector(&rows->arena, TYPE_INT2, numbers_of, all), pg_vector(&rows->arena, TYPE_OID, collations, keys),
            pg_vector(&rows->arena, TYPE_OID, classes, keys), pg_vector(&rows->arena, TYPE_INT2, options, keys),
            expressions, predicate == NULL ? DATUM_NULL : datum_text(predicate)};
        TRY(virtual_table_row(rows->sink, row));
    }
out:
    return st;
}

static struct status index_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    return pg_each_table(task, session, sink, table_index_rows);
}

static const struct virtual_column constraint_columns[] = {{"oid", TYPE_OID}, {"conname", TYPE_NAME},
    {"connamespace", TYPE_OID}, {"contype", TYPE_CHAR_INTERNAL}, {"condeferrable", TYPE_BOOL},
    {"condeferred", TYPE_BOOL}, {"convalidated", TYPE_BOOL}, {"conrelid", TYPE_OID}, {"contypid", TYPE_OID},
    {"conindid", TYPE_OID}, {"conparentid", TYPE_OID}, {"confrelid", TYPE_OID},
    {"confupdtype", TYPE_CHAR_INTERNAL}, {"confdeltype", TYPE_CHAR_INTERNAL}, {"confmatchtype", TYPE_CHAR_INTERNAL},
    {"conislocal", TYPE_BOOL}, {"coninhcount", TYPE_INT4}, {"connoinherit", TYPE_BOOL}, {"conkey", 1005},
    {"confkey", 1005}, {"conpfeqop", 1028}, {"conppeqop", 1028}, {"conffeqop", 1028}, {"confdelsetcols", 1005},
    {"conexclop", 1028}, {"conbin", TYPE_PG_NODE_TREE}};

struct constraint_row {
    uint32_t oid, namespace, relation, index, referenced, domain;
    const char *name;
    char kind, on_update, on_delete;
    bool validated, deferrable, deferred, match_full, no_inherit;
    struct datum key, referenced_key, expression;
    struct datum operators[3]; // Of a foreign key.
};

static struct status constraint_row(struct virtual_table_sink *sink, const struct constraint_row *c)
{
    bool foreign = c->kind == 'f';
    struct datum row[] = {datum_int(c->oid), datum_text(c->name), datum_int(c->namespace), datum_int(c->kind),
        datum_bool(c->deferrable), datum_bool(c->deferred), datum_bool(c->validated), datum_int(c->relation), datum_int(c->domain),
        datum_int(c->index), datum_int(0), datum_int(c->referenced), datum_int(c->on_update),
        datum_int(c->on_delete), datum_int(c->kind != 'f' ? ' ' : c->match_full ? 'f' : 's'), datum_bool(true), datum_int(0),
        datum_bool(c->kind != 'c' || c->no_inherit), c->key, c->referenced_key,
        foreign ? c->operators[0] : DATUM_NULL, foreign ? c->operators[1] : DATUM_NULL,
        foreign ? c->operators[2] : DATUM_NULL, DATUM_NULL, DATUM_NULL, c->expression};
    return virtual_table_row(sink, row);
}

// The index of `table` that a foreign key leans on.
uint32_t pg_referenced_index(const struct table_desc *table, const uint32_t *columns, uint32_t count)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!(index->unique || index->primary) || index->column_count != count) continue;
        uint32_t matched = 0;
        for (uint32_t j = 0; j < count; j++)
            for (uint32_t k = 0; k < count; k++) matched += index->columns[j].column_id == columns[k];
        if (matched == count) return pg_index_oid(table->id, index->id);
    }
    return 0;
}

static struct status put_operators(struct pg_rows *rows, const struct table_desc *table,
    const struct table_desc *referenced, const struct constraint_desc *constraint, struct constraint_row *row)
{
    struct status st = STATUS_OK;
    uint32_t count = constraint->column_count;
    struct datum *items[3];
    for (uint32_t k = 0; k < 3; k++) items[k] = ARENA_ARRAY(&rows->arena, struct datum, count + 1u);
    for (uint32_t i = 0; i < count; i++) {
        const struct column_desc *from = table_column_by_id(table, constraint->columns[i]);
        const struct column_desc *to = table_column_by_id(referenced, constraint->referenced_columns[i]);
        struct foreign_key_operators found = {0};
        if (from != NULL && to != NULL) found = foreign_key_operators(&rows->arena, from->type.oid, to->type.oid);
        items[0][i] = datum_int(found.across);
        items[1][i] = datum_int(found.referenced);
        items[2][i] = datum_int(found.referring);
    }
    for (uint32_t k = 0; k < 3; k++) TRY(array_make(&rows->arena, TYPE_OID, items[k], count, &row->operators[k]));
out:
    return st;
}

static struct status foreign_key_row(struct pg_rows *rows, const struct table_desc *table,
    const struct constraint_desc *constraint)
{
    static const char actions[] = {'a', 'r', 'c', 'n', 'd'};
    struct status st;
    const struct table_desc *referenced;
    TRY(catalog_table_by_id(rows->task, rows->session, constraint->referenced_table, &referenced));
    struct constraint_row row = {.oid = pg_constraint_oid(table->id, constraint->id),
        .namespace = pg_oid(table->schema_id),
        .relation = pg_oid(table->id),
        .index = pg_referenced_index(referenced, constraint->referenced_columns, constraint->column_count),
        .referenced = pg_oid(referenced->id),
        .name = constraint->name,
        .kind = 'f',
        .on_update = actions[constraint->on_update],
        .on_delete = actions[constraint->on_delete],
        .validated = !constraint->not_valid,
        .deferrable = constraint->deferrable,
        .deferred = constraint->initially_deferred,
        .match_full = constraint->match_full,
        .key = column_numbers(&rows->arena, table, constraint->columns, constraint->column_count),
        .referenced_key = column_numbers(&rows->arena, referenced, constraint->referenced_columns, constraint->column_count),
        .expression = DATUM_NULL};
    TRY(put_operators(rows, table, referenced, constraint, &row));
    st = constraint_row(rows->sink, &row);
out:
    return st;
}

static struct status table_constraint_rows(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!pg_index_shown(table, index) || !(index_is_key(index) || index->from_constraint)) continue;
        uint32_t *ids = ARENA_ARRAY(&rows->arena, uint32_t, index->column_count + 1u);
        for (uint32_t j = 0; j < index->column_count; j++) ids[j] = index->columns[j].column_id;
        struct constraint_row row = {.oid = pg_index_oid(table->id, index->id),
            .namespace = pg_oid(table->schema_id),
            .relation = pg_oid(table->id),
            .index = pg_index_oid(table->id, index->id),
            .name = index->name,
            .kind = index_is_key(index) ? 'p' : 'u',
            .on_update = ' ',
            .on_delete = ' ',
            .validated = true,
            .deferrable = index->deferrable,
            .deferred = index->initially_deferred,
            .key = column_numbers(&rows->arena, table, ids, index->column_count),
            .referenced_key = DATUM_NULL,
            .expression = DATUM_NULL};
        TRY(constraint_row(rows->sink, &row));
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        const struct constraint_desc *constraint = &table->constraints[i];
        if (constraint->kind == TABLE_FOREIGN_KEY) {
            TRY(foreign_key_row(rows, table, constraint));
            continue;
        }
        const char *text;
        TRY(plan_expression_text(rows->task, rows->session, &rows->arena, table,
            constraint->check_sql, TYPE_OF(TYPE_BOOL), false, &text));
        struct constraint_row row = {.oid = pg_constraint_oid(table->id, constraint->id),
            .namespace = pg_oid(table->schema_id),
            .relation = pg_oid(table->id),
            .name = constraint->name,
            .kind = 'c',
            .on_update = ' ',
            .on_delete = ' ',
            .validated = !constraint->not_valid,
            .no_inherit = constraint->no_inherit,
            .key = column_numbers(&rows->arena, table, constraint->columns, constraint->column_count),
            .referenced_key = DATUM_NULL,
            .expression = datum_text(text)};
        TRY(constraint_row(rows->sink, &row));
    }
out:
    return st;
}

static struct status domain_constraint_rows(struct pg_rows *rows, const struct table_desc *domain)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; domain->kind == RELATION_DOMAIN && i < domain->constraint_count; i++) {
        const struct constraint_desc *check = &domain->constraints[i];
        const char *text;
        TRY(plan_expression_text(rows->task, rows->session, &rows->arena, domain,
            check->check_sql, TYPE_OF(TYPE_BOOL), false, &text));
        struct constraint_row row = {.oid = pg_constraint_oid(domain->id, check->id),
            .namespace = pg_oid(domain->schema_id),
            .domain = catalog_type_oid(domain),
            .name = check->name,
            .kind = 'c',
            .on_update = ' ',
            .on_delete = ' ',
            .validated = !check->not_valid,
            .key = DATUM_NULL,
            .referenced_key = DATUM_NULL,
            .expression = datum_text(text)};
        TRY(constraint_row(rows->sink, &row));
    }
out:
    return st;
}

static struct status constraint_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct pg_rows rows;
    TRY(pg_each_table(task, session, sink, table_constraint_rows));
    TRY(pg_rows_open(&rows, task, session, sink));
    for (uint32_t i = 0; i < rows.type_count && !failed(st); i++)
        st = domain_constraint_rows(&rows, rows.types[i]);
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}

// --- pg_sequence --------------------------------------------------------------------

static const struct virtual_column sequence_columns[] = {{"seqrelid", TYPE_OID}, {"seqtypid", TYPE_OID},
    {"seqstart", TYPE_INT8}, {"seqincrement", TYPE_INT8}, {"seqmax", TYPE_INT8}, {"seqmin", TYPE_INT8},
    {"seqcache", TYPE_INT8}, {"seqcycle", TYPE_BOOL}};

static struct status table_sequence_row(struct pg_rows *rows, const struct table_desc *table)
{
    if (table->kind != RELATION_SEQUENCE) return STATUS_OK;
    const struct sequence_options *options = &table->sequence;
    struct datum row[] = {datum_int(pg_oid(table->id)), datum_int(options->type), datum_int(options->start),
        datum_int(options->increment), datum_int(options->maximum), datum_int(options->minimum),
        datum_int(options->cache), datum_bool(options->cycle)};
    return virtual_table_row(rows->sink, row);
}

static struct status sequence_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    return pg_each_table(task, session, sink, table_sequence_row);
}

#define TABLE(table_name, columns_array, rows_function) \
    {.schema = "pg_catalog", .name = table_name, .columns = columns_array, \
        .column_count = COUNT(columns_array), .rows = rows_function}
static const struct virtual_table tables[] = {
    TABLE("pg_namespace", namespace_columns, namespace_rows),
    TABLE("pg_class", class_columns, class_rows),
    TABLE("pg_attribute", attribute_columns, attribute_rows),
    TABLE("pg_attrdef", attrdef_columns, attrdef_rows),
    TABLE("pg_index", index_table_columns, index_rows),
    TABLE("pg_constraint", constraint_columns, constraint_rows),
    TABLE("pg_sequence", sequence_columns, sequence_rows),
};

void pg_catalog_register(void)
{
    for (unsigned i = 0; i < COUNT(tables); i++) virtual_table_register(&tables[i]);
    pg_catalog_global_register();
    pg_catalog_types_register();
    pg_catalog_user_types_register();
    pg_catalog_views_register();
    pg_catalog_activity_register();
    pg_catalog_depend_register();
    pg_catalog_operators_register();
    pg_catalog_counters_register();
    pg_catalog_default_acl_register();
    pg_catalog_empty_register();
    information_schema_register();
    information_schema_constraints_register();
    information_schema_privileges_register();
    information_schema_routines_register();
    information_schema_empty_register();
    information_schema_sql_register();
    information_schema_types_register();
    crdb_internal_register();
    crdb_internal_node_register();
    crdb_internal_activity_register();
    insight_tables_register();
    pg_functions_register();
    pg_functions_definition_register();
    pg_functions_privilege_register();
    pg_functions_size_register();
    pg_functions_rows_register();
    pg_functions_describe_register();
    pg_functions_address_register();
    pg_statistics_register();
}
