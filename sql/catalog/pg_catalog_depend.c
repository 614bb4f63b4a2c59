// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_depend, pg_rewrite and pg_extension: what depends on what, as DROP goes by it and pg_dump orders by it. A view depends through
// its rule "_RETURN", as in PostgreSQL.
#include <string.h>

#include "sql/function/function.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/type/type_reference.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

#define PG_ATTRDEF_OID 2604u
#define PG_CONSTRAINT_OID 2606u
#define PG_TYPE_OID 1247u
#define PG_PROC_OID 1255u
#define PG_REWRITE_OID 2618u

struct object {
    uint32_t class, oid;
    int64_t column;
};

static struct status depends(struct pg_rows *rows, struct object object, struct object on, char kind)
{
    struct pg_row row;
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "classid", object.class);
    pg_put_int(&row, "objid", object.oid);
    pg_put_int(&row, "objsubid", object.column);
    pg_put_int(&row, "refclassid", on.class);
    pg_put_int(&row, "refobjid", on.oid);
    pg_put_int(&row, "refobjsubid", on.column);
    pg_put_int(&row, "deptype", kind);
    return pg_row_send(&row);
}

static struct object relation(uint32_t oid, int64_t column)
{
    return (struct object){PG_CLASS_OID, oid, column};
}

// The users' functions and types in a stored expression.
static struct status text_depends(struct pg_rows *rows, struct object object, const char *text)
{
    struct status st = STATUS_OK;
    struct stored_word word;
    struct stored_reference reference;
    while (text != NULL && stored_word_next(&text, &word)) {
        struct object on = {PG_PROC_OID, 0, 0};
        if (!stored_reference_at(&rows->arena, word, &reference)) continue;
        on.oid = pg_oid(reference.id);
        if (reference.type) {
            const struct table_desc *type;
            TRY(catalog_table_by_id(rows->task, rows->session, reference.id, &type));
            on = (struct object){PG_TYPE_OID, catalog_type_oid(type), 0};
        }
        TRY(depends(rows, object, on, 'n'));
    }
out:
    return st;
}

// A view has no defaults: their ids are free.
static uint32_t rule_oid(const struct table_desc *view)
{
    return pg_default_oid(view->id, 1);
}

static struct status sequence_depends(struct pg_rows *rows, const struct table_desc *table)
{
    const struct table_desc *owner;
    if (table->sequence.owner_table == 0) return STATUS_OK;
    struct status st =
        catalog_table_by_id(rows->task, rows->session, table->sequence.owner_table, &owner);
    if (failed(st)) return st;
    const struct column_desc *column = table_column_by_id(owner, table->sequence.owner_column);
    return depends(rows, relation(pg_oid(table->id), 0),
        relation(pg_oid(owner->id), pg_attnum(owner, table->sequence.owner_column)),
        column != NULL && column->identity != 0 ? 'i' : 'a');
}

static struct status view_depends(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st;
    struct object rule = {PG_REWRITE_OID, rule_oid(table), 0};
    TRY(depends(rows, rule, relation(pg_oid(table->id), 0), 'i'));
    TRY(depends(rows, rule, relation(pg_oid(table->id), 0), 'n'));
    for (uint32_t i = 0; i < table->depends_on_count; i++)
        TRY(depends(rows, rule, relation(pg_oid(table->depends_on[i]), 0), 'n'));
    TRY(text_depends(rows, rule, table->view_sql));
out:
    return st;
}

static struct status columns_depend(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        if (column->hidden || pg_column_default(column) == NULL) continue;
        struct object expression = {PG_ATTRDEF_OID, pg_default_oid(table->id, column->id), 0};
        TRY(depends(rows, expression, relation(pg_oid(table->id), (int64_t)i + 1), 'a'));
        if (column->owned_sequence != 0)
            TRY(depends(rows, expression, relation(pg_oid(column->owned_sequence), 0), 'n'));
        TRY(text_depends(rows, expression, pg_column_default(column)));
    }
out:
    return st;
}

static struct status indexes_depend(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!pg_index_shown(table, index)) continue;
        struct object self = relation(pg_index_oid(table->id, index->id), 0);
        bool constraint = index_is_key(index) || index->from_constraint;
        struct object owner = {PG_CONSTRAINT_OID, self.oid, 0};
        if (constraint) TRY(depends(rows, self, owner, 'i'));
        for (uint32_t j = 0; j < index->column_count; j++) {
            const struct index_column *part = &index->columns[j];
            int64_t column = part->expression_sql != NULL ? 0 : pg_attnum(table, part->column_id);
            TRY(depends(rows, constraint ? owner : self, relation(pg_oid(table->id), column), 'a'));
            TRY(text_depends(rows, self, part->expression_sql));
        }
        TRY(text_depends(rows, self, index->predicate_sql));
    }
out:
    return st;
}

static struct status statistics_depend(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->statistics_count; i++) {
        const struct statistics_desc *statistics = &table->statistics[i];
        struct object self = {PG_STATISTICS_OID, pg_oid(statistics->id), 0};
        for (uint32_t j = 0; j < statistics->column_count; j++)
            TRY(depends(rows, self,
                relation(pg_oid(table->id), pg_attnum(table, statistics->columns[j])), 'a'));
        if (statistics->column_count == 0) TRY(depends(rows, self, relation(pg_oid(table->id), 0), 'a'));
    }
out:
    return st;
}

static struct status constraint_depends(
    struct pg_rows *rows, const struct table_desc *table, const struct constraint_desc *constraint)
{
    struct status st = STATUS_OK;
    struct object self = {PG_CONSTRAINT_OID, pg_constraint_oid(table->id, constraint->id), 0};
    for (uint32_t j = 0; j < constraint->column_count; j++)
        TRY(depends(rows, self,
            relation(pg_oid(table->id), pg_attnum(table, constraint->columns[j])), 'a'));
    if (constraint->column_count == 0) TRY(depends(rows, self, relation(pg_oid(table->id), 0), 'a'));
    TRY(text_depends(rows, self, constraint->check_sql));
    if (constraint->kind != TABLE_FOREIGN_KEY) return st;
    const struct table_desc *referenced;
    TRY(catalog_table_by_id(rows->task, rows->session, constraint->referenced_table, &referenced));
    for (uint32_t j = 0; j < constraint->column_count; j++)
        TRY(depends(rows, self,
            relation(pg_oid(referenced->id), pg_attnum(referenced, constraint->referenced_columns[j])),
            'n'));
    uint32_t index = pg_referenced_index(
        referenced, constraint->referenced_columns, constraint->column_count);
    TRY(depends(rows, self, relation(index, 0), 'n'));
out:
    return st;
}

static struct status types_depend(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        type_oid type = column->domain != 0 ? column->domain : column->type.oid;
        if (!type_is_user(type)) continue;
        struct object on = {PG_TYPE_OID, type, 0};
        TRY(depends(rows, relation(pg_oid(table->id), (int64_t)i + 1), on, 'n'));
    }
out:
    return st;
}

// Types themselves: their schemas, domains' checks and what domains are over.
static struct status type_depends(struct pg_rows *rows)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < rows->type_count; i++) {
        const struct table_desc *type = rows->types[i];
        struct object self = {PG_TYPE_OID, catalog_type_oid(type), 0};
        struct object schema = {PG_NAMESPACE_OID, pg_oid(type->schema_id), 0};
        TRY(depends(rows, self, schema, 'n'));
        if (type->kind != RELATION_DOMAIN) continue;
        const struct column_desc *value = &type->columns[0];
        struct object base = {PG_TYPE_OID, value->domain != 0 ? value->domain : value->type.oid, 0};
        if (type_is_user(base.oid)) TRY(depends(rows, self, base, 'n'));
        for (uint32_t k = 0; k < type->constraint_count; k++) {
            struct object check = {
                PG_CONSTRAINT_OID, pg_constraint_oid(type->id, type->constraints[k].id), 0};
            TRY(depends(rows, check, self, 'a'));
            TRY(text_depends(rows, check, type->constraints[k].check_sql));
        }
        TRY(text_depends(rows, self, type->columns[0].default_sql));
    }
out:
    return st;
}

static struct status table_depends(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st;
    struct object schema = {PG_NAMESPACE_OID, pg_oid(table->schema_id), 0};
    TRY(depends(rows, relation(pg_oid(table->id), 0), schema, 'n'));
    if (table->kind == RELATION_SEQUENCE) TRY(sequence_depends(rows, table));
    if (table->view_sql != NULL) TRY(view_depends(rows, table));
    if (table->kind != RELATION_TABLE) return st;
    TRY(types_depend(rows, table));
    TRY(columns_depend(rows, table));
    TRY(indexes_depend(rows, table));
    TRY(statistics_depend(rows, table));
    for (uint32_t i = 0; i < table->constraint_count; i++)
        TRY(constraint_depends(rows, table, &table->constraints[i]));
out:
    return st;
}

// Functions: their schemas and types, and what bodies in SQL-standard form use.
static struct status functions_depend(struct pg_rows *rows)
{
    struct status st = STATUS_OK;
    const struct table_desc **functions;
    uint32_t count;
    TRY(catalog_list_functions(rows->task, rows->session, &rows->arena, rows->database->id, &functions, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct table_desc *function = functions[i];
        const struct object self = {PG_PROC_OID, pg_oid(function->id), 0};
        const type_oid result = function->function.result.oid;
        TRY(depends(rows, self, (struct object){PG_NAMESPACE_OID, pg_oid(function->schema_id), 0}, 'n'));
        if (type_is_user(result)) TRY(depends(rows, self, (struct object){PG_TYPE_OID, result, 0}, 'n'));
        for (uint32_t k = 0; k < function->column_count; k++) {
            const struct column_desc *parameter = &function->columns[k];
            if (type_is_user(parameter->type.oid))
                TRY(depends(rows, self, (struct object){PG_TYPE_OID, parameter->type.oid, 0}, 'n'));
            TRY(text_depends(rows, self, parameter->default_sql));
        }
        if (function->function.body_kind == 'q') continue;
        TRY(text_depends(rows, self, function->view_sql));
        for (uint32_t k = 0; k < function->depends_on_count; k++)
            TRY(depends(rows, self, relation(pg_oid(function->depends_on[k]), 0), 'n'));
    }
out:
    return st;
}

// Everything of crdb_internal belongs to the extension of that name.
static struct status extension_depends(struct pg_rows *rows)
{
    struct status st;
    const struct object extension = {PG_EXTENSION_OID, PG_EXTENSION_INTERNAL, 0};
    const struct table_desc *table;
    TRY(depends(rows, (struct object){PG_NAMESPACE_OID, PG_NAMESPACE_INTERNAL, 0}, extension, 'e'));
    for (uint32_t i = 0; (table = pg_next_virtual_table(rows->session, &i)) != NULL;)
        if (table->schema_id == CATALOG_CRDB_INTERNAL_ID)
            TRY(depends(rows, relation(pg_relation_oid(table), 0), extension, 'e'));
    const struct function *function;
    for (uint32_t i = 0; (function = function_at(i)) != NULL; i++)
        if (function->schema != NULL && strcmp(function->schema, "crdb_internal") == 0)
            TRY(depends(rows, (struct object){PG_PROC_OID, function->oid, 0}, extension, 'e'));
out:
    return st;
}

ROWS(depend_rows)
{
    struct pg_rows rows;
    struct status st;
    TRY(pg_rows_open(&rows, task, session, sink));
    st = extension_depends(&rows);
    if (!failed(st)) st = type_depends(&rows);
    if (!failed(st)) st = functions_depend(&rows);
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
    TRY(st);
    st = pg_each_table(task, session, sink, table_depends);
out:
    return st;
}

static const struct {
    const char *name, *version, *comment;
    uint32_t oid, schema;
} extensions[] = {
    {"crdb_internal", "1.0", "tables about the cluster", PG_EXTENSION_INTERNAL, PG_NAMESPACE_INTERNAL},
    {"pg_stat_statements", "1.10", "statistics of all SQL statements executed", PG_EXTENSION_STATEMENTS,
        PG_NAMESPACE_CATALOG},
    {"uuid-ossp", "1.1", "universally unique identifiers by time, name and at random", PG_EXTENSION_UUID, PG_NAMESPACE_CATALOG},
    {"pgcrypto", "1.3", "digests and random bytes", PG_EXTENSION_CRYPTO, PG_NAMESPACE_CATALOG},
};

uint32_t pg_extension_oid(const char *name)
{
    for (size_t i = 0; i < COUNT(extensions); i++)
        if (strcmp(extensions[i].name, name) == 0) return extensions[i].oid;
    return 0;
}

const char *pg_extension_comment(uint32_t oid)
{
    for (size_t i = 0; i < COUNT(extensions); i++)
        if (extensions[i].oid == oid) return extensions[i].comment;
    return NULL;
}

uint32_t pg_extension_at(uint32_t index)
{
    return index < COUNT(extensions) ? extensions[index].oid : 0;
}

ROWS(extension_rows)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    (void)task;
    (void)session;
    for (size_t i = 0; i < COUNT(extensions); i++) {
        pg_row_begin(&row, sink);
        pg_put_int(&row, "oid", extensions[i].oid);
        pg_put_text(&row, "extname", extensions[i].name);
        pg_put_int(&row, "extowner", PG_ADMIN_OID);
        pg_put_int(&row, "extnamespace", extensions[i].schema);
        pg_put_bool(&row, "extrelocatable", false);
        pg_put_text(&row, "extversion", extensions[i].version);
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

ROWS(available_extension_rows)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    (void)task;
    (void)session;
    for (size_t i = 0; i < COUNT(extensions); i++) {
        pg_row_begin(&row, sink);
        pg_put_text(&row, "name", extensions[i].name);
        pg_put_text(&row, "default_version", extensions[i].version);
        pg_put_text(&row, "installed_version", extensions[i].version);
        pg_put_text(&row, "comment", extensions[i].comment);
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

ROWS(extension_version_rows)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    (void)task;
    (void)session;
    for (size_t i = 0; i < COUNT(extensions); i++) {
        pg_row_begin(&row, sink);
        pg_put_text(&row, "name", extensions[i].name);
        pg_put_text(&row, "version", extensions[i].version);
        pg_put_bool(&row, "installed", true);
        pg_put_bool(&row, "superuser", true);
        pg_put_bool(&row, "trusted", false);
        pg_put_bool(&row, "relocatable", false);
        pg_put_text(&row, "comment", extensions[i].comment);
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

static struct status rewrite_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct pg_row row;
    if (table->view_sql == NULL) return STATUS_OK;
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "oid", rule_oid(table));
    pg_put_text(&row, "rulename", "_RETURN");
    pg_put_int(&row, "ev_class", pg_oid(table->id));
    pg_put_int(&row, "ev_type", '1');
    pg_put_int(&row, "ev_enabled", 'O');
    pg_put_bool(&row, "is_instead", true);
    pg_put_text(&row, "ev_qual", "<>");
    pg_put_text(&row, "ev_action", table->view_sql);
    return pg_row_send(&row);
}

ROWS(rewrite_rows)
{
    return pg_each_table(task, session, sink, rewrite_row);
}

static const struct pg_table tables[] = {
    {"pg_depend",
        "classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid, refobjsubid int4, "
        "deptype char",
        depend_rows},
    {"pg_rewrite",
        "oid oid, rulename name, ev_class oid, ev_type char, ev_enabled char, "
        "is_instead bool, ev_qual pg_node_tree, ev_action pg_node_tree",
        rewrite_rows},
    {"pg_extension",
        "oid oid, extname name, extowner oid, extnamespace oid, extrelocatable bool, "
        "extversion text, extconfig oid[], extcondition text[]",
        extension_rows},
    {"pg_available_extensions",
        "name name, default_version text, installed_version text, comment text",
        available_extension_rows},
    {"pg_available_extension_versions",
        "name name, version text, installed bool, superuser bool, trusted bool, "
        "relocatable bool, schema name, requires name[], comment text",
        extension_version_rows},
};

void pg_catalog_depend_register(void)
{
    pg_tables_register("pg_catalog", tables, COUNT(tables));
}
