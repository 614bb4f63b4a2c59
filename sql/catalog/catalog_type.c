// SPDX-License-Identifier: GPL-3.0-or-later
//
// User-defined types between the catalog and the shard's table of types.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/shard.h"
#include "core/task.h"
#include "sql/catalog/catalog_store.h"
#include "sql/type/collation.h"
#include "sql/parse/deparse.h"
#include "sql/session/session.h"
#include "sql/session/shard_state.h"

static struct user_types *current_types(uint64_t *tenant)
{
    struct task *task = task_current();
    if (task == NULL) return NULL;
    *tenant = task->tenant;
    return catalog_user_types(task->shard);
}

static struct collations **current_collations(void)
{
    struct task *task = task_current();
    return task == NULL || task->shard == NULL ? NULL : &sql_shard(task->shard)->collations;
}

void catalog_types_register(void)
{
    user_types_current = current_types;
    collations_current = current_collations;
    (void)collation_built_in(0); // While there is one thread.
}

void catalog_type_install(struct session *session, const struct table_desc *type)
{
    struct user_types *types = catalog_user_types(session->shard);
    type_oid oid = catalog_type_oid(type);
    if (types == NULL) return;
    if (session->catalog != NULL && catalog_view_is_changed(session->catalog) &&
        user_types_know(types, session->tenant, oid))
        return;
    struct type_field *fields = calloc(type->column_count + 1u, sizeof *fields);
    struct user_type_facts facts = {.name = type->name,
        .labels = type->labels,
        .label_count = type->label_count,
        .fields = fields};
    invariant(fields != NULL);
    for (uint32_t i = 0; i < type->column_count; i++) {
        const struct column_desc *column = &type->columns[i];
        if (column->hidden || column->state != ELEMENT_PUBLIC) continue;
        // Rows of tables are not stored as values: they have the columns of now.
        uint32_t slot = type->kind == RELATION_COMPOSITE ? column->id - 1 : facts.field_count;
        fields[facts.field_count++] = (struct type_field){column->name, column->type, slot};
    }
    user_types_put(types, session->tenant, oid, type->version, &facts);
    free(fields);
}

struct status catalog_install_column_types(
    struct task *task, struct session *session, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    const struct table_desc *type;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!type_is_user(table->columns[i].type.oid)) continue;
        TRY(catalog_table_by_id(task, session, type_user_id(table->columns[i].type.oid), &type));
        catalog_type_install(session, type);
        if (type->kind == RELATION_COMPOSITE)
            TRY(catalog_install_column_types(task, session, type));
    }
out:
    return st;
}

struct status catalog_type_text(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *type, const char **text)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    struct buffer out;
    TRY(catalog_schema_by_id(task, session, type->schema_id, &schema));
    buffer_init(&out, arena);
    deparse_identifier(&out, schema->name);
    buffer_append_u8(&out, '.');
    deparse_identifier(&out, type->name);
    *text = buffer_string(&out);
out:
    return st;
}
