// SPDX-License-Identifier: GPL-3.0-or-later
//
// User-defined types as pg_catalog shows them: their rows of pg_type, pg_enum, their names.
#include <string.h>

#include "core/text.h"
#include "sql/catalog/catalog_text.h"
#include "sql/parse/deparse.h"
#include "sql/catalog/pg_catalog.h"

// --- pg_type -------------------------------------------------------------------------------------------

static void put_common(struct pg_row *row, type_oid oid, const char *name, uint32_t schema, uint32_t owner)
{
    pg_put_int(row, "oid", oid);
    pg_put_text(row, "typname", name);
    pg_put_int(row, "typnamespace", schema);
    pg_put_int(row, "typowner", owner);
    pg_put_bool(row, "typisdefined", true);
    pg_put_bool(row, "typispreferred", false);
    pg_put_int(row, "typdelim", ',');
    pg_put_int(row, "typrelid", 0);
    pg_put_int(row, "typsubscript", 0);
    pg_put_int(row, "typmodin", 0);
    pg_put_int(row, "typmodout", 0);
    pg_put_int(row, "typanalyze", 0);
    pg_put_int(row, "typndims", 0);
}

static void put_functions(struct pg_row *row, const uint32_t oid[4], char align, char storage)
{
    pg_put_int(row, "typinput", oid[0]);
    pg_put_int(row, "typoutput", oid[1]);
    pg_put_int(row, "typreceive", oid[2]);
    pg_put_int(row, "typsend", oid[3]);
    pg_put_int(row, "typalign", align);
    pg_put_int(row, "typstorage", storage);
}

static struct status plain_row(struct pg_rows *rows, const struct table_desc *type,
    uint32_t schema, uint32_t owner, bool array)
{
    static const uint32_t enum_functions[] = {3506, 3507, 3532, 3533};
    static const uint32_t record_functions[] = {2290, 2291, 2402, 2403};
    bool composite = relation_has_row_type(type->kind);
    char align = composite ? 'd' : 'i';
    if (type->kind == RELATION_DOMAIN) {
        const struct pg_type_functions *functions = pg_type_functions(type->columns[0].type.oid);
        if (functions != NULL && functions->align == 'd') align = 'd';
    }
    static const uint32_t array_functions[] = {750, 751, 2400, 2401};
    struct pg_row row;
    type_oid oid = catalog_type_oid(type), array_oid = type_array_of(oid);
    const struct user_type *user = type_user(oid);
    pg_row_begin(&row, rows->sink);
    // Of the rows of a table or view, the relation's own privileges count.
    if (!array && relation_is_type(type->kind))
        pg_put(&row, "typacl", pg_acl_shared(&rows->arena, OBJECT_TYPE, type));
    put_common(&row, array ? array_oid : oid, array ? user->array.name : type->name, schema, owner);
    if (composite && !array) pg_put_int(&row, "typrelid", pg_oid(type->id));
    pg_put_int(&row, "typlen", array || composite ? -1 : 4);
    pg_put_bool(&row, "typbyval", !array && !composite);
    pg_put_int(&row, "typtype", array ? 'b' : composite ? 'c' : 'e');
    pg_put_int(&row, "typcategory", array ? 'A' : composite ? 'C' : 'E');
    pg_put_int(&row, "typelem", array ? oid : 0);
    pg_put_int(&row, "typarray", array ? 0 : array_oid);
    put_functions(&row, array ? array_functions : composite ? record_functions : enum_functions,
        align, array || composite ? 'x' : 'p');
    pg_put_bool(&row, "typnotnull", false);
    pg_put_int(&row, "typbasetype", 0);
    pg_put_int(&row, "typtypmod", -1);
    const struct column_desc *value = type->kind == RELATION_DOMAIN ? &type->columns[0] : NULL;
    pg_put_int(&row, "typcollation", value == NULL ? 0 : pg_column_collation(value, value->type.oid));
    return pg_row_send(&row);
}

static struct status domain_row(struct pg_rows *rows, const struct table_desc *type, uint32_t schema,
    uint32_t owner)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    const struct column_desc *value = &type->columns[0];
    const struct type_info *base = type_info(value->type.oid);
    const struct pg_type_functions *functions = pg_type_functions(value->type.oid);
    const char *text;
    TRY(pg_column_default_text(rows->task, rows->session, &rows->arena, type, value, &text));
    pg_row_begin(&row, rows->sink);
    put_common(&row, catalog_type_oid(type), type->name, schema, owner);
    pg_put_int(&row, "typlen", base->length);
    pg_put_bool(&row, "typbyval", base->length > 0 && base->length <= 8);
    pg_put_int(&row, "typtype", 'd');
    pg_put_int(&row, "typcategory", base->category);
    pg_put_int(&row, "typelem", 0);
    pg_put_int(&row, "typarray", type_array_of(catalog_type_oid(type)));
    // Input is domain_in's own; the rest is the base type's.
    const uint32_t oid[] = {2597, functions == NULL ? 0 : functions->oid[1], 2598,
        functions == NULL ? 0 : functions->oid[3]};
    put_functions(&row, oid, functions == NULL ? 'i' : functions->align,
        functions == NULL ? 'p' : functions->storage);
    pg_put_bool(&row, "typnotnull", value->not_null);
    pg_put_int(&row, "typbasetype", value->domain != 0 ? value->domain : value->type.oid);
    pg_put_int(&row, "typtypmod", value->domain != 0 ? -1 : value->type.typmod);
    pg_put_int(&row, "typcollation", pg_column_collation(value, value->type.oid));
    pg_put_text(&row, "typdefault", text);
    pg_put_text(&row, "typdefaultbin", text);
    pg_put(&row, "typacl", pg_acl_shared(&rows->arena, OBJECT_TYPE, type));
    st = pg_row_send(&row);
out:
    return st;
}

struct status pg_user_type_rows(struct pg_rows *rows)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < rows->type_count; i++) {
        const struct table_desc *type = rows->types[i];
        uint32_t schema = pg_namespace_oid(type->schema_id), owner;
        TRY(pg_role_oid(rows->task, rows->session, type->owner, &owner));
        if (type->kind != RELATION_DOMAIN) {
            TRY(plain_row(rows, type, schema, owner, false));
            TRY(plain_row(rows, type, schema, owner, true));
        } else {
            TRY(domain_row(rows, type, schema, owner));
            TRY(plain_row(rows, type, schema, owner, true));
        }
    }
    for (uint32_t i = 0; i < rows->table_count; i++) {
        const struct table_desc *table = rows->tables[i];
        uint32_t owner;
        if (!relation_has_row_type(table->kind)) continue;
        catalog_type_install(rows->session, table);
        TRY(pg_role_oid(rows->task, rows->session, table->owner, &owner));
        TRY(plain_row(rows, table, pg_namespace_oid(table->schema_id), owner, false));
        TRY(plain_row(rows, table, pg_namespace_oid(table->schema_id), owner, true));
    }
out:
    return st;
}

// --- pg_enum -------------------------------------------------------------------------------------------

static struct status enum_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct pg_rows rows;
    struct pg_row row;
    TRY(pg_rows_open(&rows, task, session, sink));
    for (uint32_t i = 0; i < rows.type_count && !failed(st); i++) {
        const struct table_desc *type = rows.types[i];
        for (uint32_t k = 0; k < type->label_count && !failed(st); k++) {
            const struct type_label *label = &type->labels[k];
            pg_row_begin(&row, sink);
            pg_put_int(&row, "oid", type_label_oid(type->id, label->id));
            pg_put_int(&row, "enumtypid", catalog_type_oid(type));
            pg_put(&row, "enumsortorder",
                datum_real((double)((float)label->order / (float)TYPE_LABEL_STEP)));
            pg_put_text(&row, "enumlabel", label->name);
            st = pg_row_send(&row);
        }
    }
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}

// --- names -------------------------------------------------------------------------------------------------

struct status pg_find_type(struct task *task, struct session *session, struct arena *arena,
    struct bytes text, uint32_t *oid)
{
    struct status st = STATUS_OK;
    char *parts[PG_NAME_PARTS_MAX];
    uint32_t count = 0;
    const struct table_desc *type = NULL;
    struct bytes name = text_trim(text);
    bool array = false;
    while (name.size > 2 && memcmp(name.data + name.size - 2, "[]", 2) == 0) {
        array = true;
        name.size -= 2;
    }
    TRY(pg_split_name(arena, name, parts, &count));
    TRY(catalog_type(task, session, count > 2 ? parts[0] : NULL,
        count > 1 ? parts[count - 2] : NULL, parts[count - 1], &type));
    if (type == NULL) {
        TRY(catalog_table(task, session, count > 2 ? parts[0] : NULL, count > 1 ? parts[count - 2] : NULL,
            parts[count - 1], true, &type));
        if (type != NULL && !relation_has_row_type(type->kind)) type = NULL;
    }
    if (type == NULL)
        return status_format(arena, E_UNDEFINED_OBJECT, "type \"%.*s\" does not exist",
            bytes_shown(text), (const char *)text.data);
    catalog_type_install(session, type);
    *oid = catalog_type_oid(type);
    if (array) *oid = type_array_of(*oid);
out:
    return st;
}

// The type of a user-defined oid; NULL: there is none.
static const struct table_desc *type_of(struct task *task, struct session *session, uint32_t oid)
{
    const struct table_desc *type;
    if (!type_is_user(oid) ||
        failed(catalog_table_by_id(task, session, type_user_id(oid), &type)) ||
        !(relation_is_type(type->kind) || relation_has_row_type(type->kind)))
        return NULL;
    return type;
}

struct status pg_user_type_visible(
    struct task *task, struct session *session, uint32_t oid, bool *exists, bool *visible)
{
    struct status st = STATUS_OK;
    const struct table_desc *type = type_of(task, session, oid), *found = NULL;
    *exists = type != NULL;
    *visible = false;
    if (type == NULL) return st;
    uint32_t id = type->id;
    if (relation_is_type(type->kind))
        TRY(catalog_type(task, session, NULL, NULL, type->name, &found));
    else
        TRY(catalog_table(task, session, NULL, NULL, type->name, true, &found));
    *visible = found != NULL && found->id == id;
out:
    return st;
}

bool pg_print_user_type(
    struct task *task, struct session *session, uint32_t oid, struct buffer *out)
{
    const struct table_desc *type = type_of(task, session, oid);
    const struct schema_desc *schema;
    bool exists, visible;
    if (type == NULL || failed(pg_user_type_visible(task, session, oid, &exists, &visible)) ||
        failed(catalog_schema_by_id(task, session, type->schema_id, &schema)))
        return false;
    pg_print_name(out, visible ? NULL : schema->name, type->name);
    if (type_is_array(oid)) buffer_append_string(out, "[]");
    return true;
}

static const struct pg_table tables[] = {
    {"pg_enum", "oid oid, enumtypid oid, enumsortorder float4, enumlabel name", enum_rows},
};

void pg_catalog_user_types_register(void)
{
    pg_tables_register("pg_catalog", tables, 1);
}
