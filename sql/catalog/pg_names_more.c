// SPDX-License-Identifier: GPL-3.0-or-later
//
// Operators and collations by name: regoper, regoperator, regcollation.
#include "core/text.h"
#include "sql/type/collation.h"
#include "sql/parse/deparse.h"
#include "sql/function/function.h"
#include "sql/catalog/pg_catalog.h"

static bool is_symbol(uint8_t byte)
{
    return byte != 0 && strchr("+-*/<>=~!@#%^&|`?", byte) != NULL;
}

// "pg_catalog.+" without its schema; NULL bytes: of another schema, which has no operators.
static struct bytes operator_name(struct bytes text)
{
    const char schema[] = "pg_catalog.";
    text = text_trim(text);
    if (text.size > 0 && is_symbol(text.data[0])) return text;
    size_t size = sizeof schema - 1;
    if (text.size > size && memcmp(text.data, schema, size) == 0) return bytes_skip(text, size);
    return (struct bytes){0};
}

static struct status no_operator(struct arena *arena, struct bytes text)
{
    return status_format(arena, E_UNDEFINED_FUNCTION, "operator does not exist: %.*s",
        bytes_shown(text), (const char *)text.data);
}

static struct status take_type(struct task *task, struct session *session, struct arena *arena,
    struct bytes text, type_oid *type)
{
    text = text_trim(text);
    *type = 0;
    if (text_equal_nocase(text, bytes_of_string("none"))) return STATUS_OK;
    bool array = text.size > 2 && memcmp(text.data + text.size - 2, "[]", 2) == 0;
    const struct type_info *info =
        type_by_name(arena_string(arena, bytes_of(text.data, text.size - (array ? 2 : 0))));
    if (info == NULL) return pg_find_type(task, session, arena, text, type);
    *type = array ? info->array : info->oid;
    return STATUS_OK;
}

struct status pg_find_operator(struct task *task, struct session *session, struct arena *arena,
    struct bytes text, bool with_types, uint32_t *oid)
{
    struct status st = STATUS_OK;
    type_oid types[2] = {0, 0};
    struct bytes name = text;
    uint32_t matches = 0;
    if (with_types) {
        const uint8_t *open = memchr(text.data, '(', text.size);
        const uint8_t *comma = memchr(text.data, ',', text.size);
        if (open == NULL)
            return status_make(E_INVALID_TEXT_REPRESENTATION, "expected a left parenthesis");
        if (comma == NULL || comma < open || text.data[text.size - 1] != ')')
            return status_make(E_TOO_MANY_ARGUMENTS, "missing argument");
        name = bytes_of(text.data, (size_t)(open - text.data));
        TRY(take_type(task, session, arena, bytes_of(open + 1, (size_t)(comma - open - 1)), &types[0]));
        TRY(take_type(task, session, arena,
            bytes_of(comma + 1, (size_t)(text.data + text.size - 1 - (comma + 1))), &types[1]));
    }
    name = operator_name(name);
    *oid = 0;
    if (name.data == NULL) return no_operator(arena, text);
    const char *wanted = arena_string(arena, name);
    for (const struct function *at = NULL; (at = function_next_named(wanted, at)) != NULL;) {
        if (at->kind != FUNCTION_OPERATOR) continue;
        type_oid left = at->arg_count == 2 ? at->args[0] : 0;
        type_oid right = at->args[at->arg_count - 1];
        if (with_types && (left != types[0] || right != types[1])) continue;
        *oid = at->oid;
        matches++;
    }
    if (matches == 0) return no_operator(arena, text);
    if (matches > 1 && !with_types)
        return status_format(arena, E_AMBIGUOUS_FUNCTION, "more than one operator named %.*s",
            bytes_shown(text), (const char *)text.data);

out:
    return st;
}

bool pg_write_operator(uint32_t oid, bool with_types, struct buffer *out)
{
    const struct function *operator = function_by_oid(FUNCTION_OPERATOR, oid);
    if (operator == NULL) return false;
    uint32_t matches = 0;
    for (const struct function *at = NULL;
         (at = function_next_named(operator->name, at)) != NULL;)
        matches += at->kind == FUNCTION_OPERATOR;
    // One of several of its name is not found by it alone: then with its schema, as PostgreSQL writes it.
    if (!with_types && matches > 1) buffer_append_string(out, "pg_catalog.");
    buffer_append_string(out, operator->name);
    if (!with_types) return true;
    const struct type_info *right = type_info(operator->args[operator->arg_count - 1]);
    const struct type_info *left = operator->arg_count == 2 ? type_info(operator->args[0]) : NULL;
    buffer_printf(out, "(%s,%s)", left == NULL ? "NONE" : left->sql_name,
        right == NULL ? "-" : right->sql_name);
    return true;
}

struct status pg_find_collation(struct task *task, struct session *session, struct arena *arena,
    struct bytes text, uint32_t *oid)
{
    struct status st;
    char *parts[PG_NAME_PARTS_MAX];
    uint32_t count = 0;
    const struct table_desc **list;
    const struct database_desc *database;
    uint32_t made;
    TRY(pg_split_name(arena, text, parts, &count));
    const char *name = parts[count - 1], *schema = count > 1 ? parts[count - 2] : NULL;
    const struct collation *built_in = collation_built_in_named(name);
    if (built_in != NULL && (schema == NULL || strcmp(schema, "pg_catalog") == 0)) {
        *oid = built_in->id;
        return st;
    }
    TRY(catalog_check_usage(task, session, NULL, schema));
    TRY(catalog_database(task, session, NULL, false, &database));
    TRY(catalog_list_collations(task, session, arena, database->id, &list, &made));
    for (uint32_t i = 0; i < made; i++) {
        const struct schema_desc *in;
        TRY(catalog_schema_by_id(task, session, list[i]->schema_id, &in));
        bool found = schema != NULL && strcmp(schema, in->name) == 0;
        for (uint32_t k = 0; schema == NULL && session->search_path[k] != NULL; k++)
            found |= strcmp(session->search_path[k], in->name) == 0;
        if (!found || strcmp(list[i]->name, name) != 0) continue;
        *oid = pg_oid(list[i]->id);
        return st;
    }
    st = status_format(arena, E_UNDEFINED_OBJECT,
        "collation \"%.*s\" for encoding \"UTF8\" does not exist", bytes_shown(text),
        (const char *)text.data);

out:
    return st;
}

bool pg_write_collation(
    struct task *task, struct session *session, uint32_t oid, struct buffer *out)
{
    const struct collation *each;
    const struct table_desc *made;
    const struct schema_desc *schema;
    bool visible = false;
    for (uint32_t i = 0; (each = collation_built_in(i)) != NULL; i++)
        if (each->id == oid) {
            if (oid == COLLATION_ID_DEFAULT) buffer_append_string(out, "\"default\"");
            else deparse_identifier(out, each->name);
            return true;
        }
    if (pg_id(oid) == 0 || failed(catalog_table_by_id(task, session, pg_id(oid), &made)) ||
        made->kind != RELATION_COLLATION ||
        failed(catalog_schema_by_id(task, session, made->schema_id, &schema)))
        return false;
    for (uint32_t k = 0; session->search_path[k] != NULL; k++)
        visible |= strcmp(session->search_path[k], schema->name) == 0;
    pg_print_name(out, visible ? NULL : schema->name, made->name);
    return true;
}
