// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names of catalog objects: from text to oid and back, for regclass and its kin, and visibility in the search
// path.
#include <string.h>

#include "core/invariant.h"
#include "core/text.h"
#include "sql/parse/deparse.h"
#include "sql/function/function.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/role.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// PostgreSQL's own catalogs, for whoever joins with them by oid.
static const struct {
    uint32_t oid;
    const char *name;
} system_classes[] = {{826, "pg_default_acl"}, {1213, "pg_tablespace"}, {1214, "pg_shdepend"},
    {1247, "pg_type"}, {1249, "pg_attribute"}, {1255, "pg_proc"}, {1259, "pg_class"},
    {1260, "pg_authid"}, {1261, "pg_auth_members"}, {1262, "pg_database"},
    {1417, "pg_foreign_server"}, {1418, "pg_user_mapping"}, {2224, "pg_sequence"},
    {2328, "pg_foreign_data_wrapper"}, {2396, "pg_shdescription"}, {2600, "pg_aggregate"},
    {2601, "pg_am"}, {2602, "pg_amop"}, {2603, "pg_amproc"}, {2604, "pg_attrdef"},
    {2605, "pg_cast"}, {2606, "pg_constraint"}, {2607, "pg_conversion"}, {2608, "pg_depend"},
    {2609, "pg_description"}, {2610, "pg_index"}, {2611, "pg_inherits"}, {2612, "pg_language"},
    {2613, "pg_largeobject"}, {2615, "pg_namespace"}, {2616, "pg_opclass"}, {2617, "pg_operator"},
    {2618, "pg_rewrite"}, {2619, "pg_statistic"}, {2620, "pg_trigger"}, {2753, "pg_opfamily"},
    {2964, "pg_db_role_setting"}, {2995, "pg_largeobject_metadata"}, {3079, "pg_extension"},
    {3118, "pg_foreign_table"}, {3256, "pg_policy"}, {3350, "pg_partitioned_table"},
    {3381, "pg_statistic_ext"}, {3394, "pg_init_privs"}, {3429, "pg_statistic_ext_data"},
    {3456, "pg_collation"}, {3466, "pg_event_trigger"}, {3501, "pg_enum"}, {3541, "pg_range"},
    {3576, "pg_transform"}, {3592, "pg_shseclabel"}, {3596, "pg_seclabel"}, {3600, "pg_ts_dict"},
    {3601, "pg_ts_parser"}, {3602, "pg_ts_config"}, {3603, "pg_ts_config_map"},
    {3764, "pg_ts_template"}, {6000, "pg_replication_origin"}, {6100, "pg_subscription"},
    {6102, "pg_subscription_rel"}, {6104, "pg_publication"}, {6106, "pg_publication_rel"},
    {6237, "pg_publication_namespace"}, {6243, "pg_parameter_acl"}};

uint32_t pg_relation_oid(const struct table_desc *table)
{
    if (table->kind == RELATION_VIRTUAL && table->schema_id == CATALOG_PG_CATALOG_ID)
        for (unsigned i = 0; i < COUNT(system_classes); i++)
            if (strcmp(system_classes[i].name, table->name) == 0) return system_classes[i].oid;
    return pg_oid(table->id);
}

// --- names as written --------------------------------------------------------------------------------------

static struct status invalid_name(void)
{
    return status_make(E_INVALID_NAME, "invalid name syntax");
}

// One part, from text->data on; takes it off.
static struct status take_part(struct arena *arena, struct bytes *text, char **part)
{
    struct buffer out;
    buffer_init(&out, arena);
    if (text->size > 0 && text->data[0] == '"') {
        size_t at = 1;
        for (; at < text->size; at++) {
            if (text->data[at] != '"') {
                buffer_append_u8(&out, text->data[at]);
            } else if (at + 1 < text->size && text->data[at + 1] == '"') {
                buffer_append_u8(&out, '"');
                at++;
            } else {
                break;
            }
        }
        if (at >= text->size || out.size == 0) return invalid_name();
        *text = bytes_of(text->data + at + 1, text->size - at - 1);
    } else {
        size_t at = 0;
        while (at < text->size && text->data[at] != '.' && text->data[at] != '"' &&
               !ascii_space((char)text->data[at])) {
            buffer_append_u8(&out, (uint8_t)ascii_lower((char)text->data[at]));
            at++;
        }
        if (at == 0) return invalid_name();
        *text = bytes_of(text->data + at, text->size - at);
    }
    char *name = buffer_string(&out);
    size_t size = strlen(name);
    if (size > IDENTIFIER_BYTES_MAX) { // Without a notice, as PostgreSQL has it.
        size = IDENTIFIER_BYTES_MAX;
        while (size > 0 && ((uint8_t)name[size] & 0xc0) == 0x80) size--;
        name[size] = '\0';
    }
    *part = name;
    return STATUS_OK;
}

struct status pg_split_name(
    struct arena *arena, struct bytes text, char **parts, uint32_t *count)
{
    *count = 0;
    text = text_trim(text);
    for (;;) {
        if (*count == PG_NAME_PARTS_MAX) return invalid_name();
        struct status st = take_part(arena, &text, &parts[*count]);
        if (failed(st)) return st;
        (*count)++;
        text = text_trim(text);
        if (text.size == 0) return STATUS_OK;
        if (text.data[0] != '.') return invalid_name();
        text = text_trim(bytes_of(text.data + 1, text.size - 1));
    }
}

void pg_print_name(struct buffer *out, const char *schema, const char *name)
{
    if (schema != NULL) {
        deparse_identifier(out, schema);
        buffer_append_u8(out, '.');
    }
    deparse_identifier(out, name);
}

// --- relations ---------------------------------------------------------------------------------------------

// Failures that say "no such thing"; others (a cancelled task, storage) go on.
static bool is_absent(struct status st)
{
    return status_is(st, E_UNDEFINED_TABLE) || status_is(st, E_UNDEFINED_OBJECT) ||
           status_is(st, E_INVALID_SCHEMA_NAME) || status_is(st, E_INVALID_CATALOG_NAME) ||
           status_is(st, E_WRONG_OBJECT_TYPE);
}

struct status pg_relation_by_oid(
    struct task *task, struct session *session, uint32_t oid, struct pg_relation *relation)
{
    struct status st = STATUS_OK;
    *relation = (struct pg_relation){0};
    if (oid >= CATALOG_VIRTUAL_ID_FIRST) {
        relation->table = catalog_virtual_table_by_id(oid);
        return STATUS_OK;
    }
    for (unsigned i = 0; oid < PG_OID_BASE && i < COUNT(system_classes); i++)
        if (system_classes[i].oid == oid)
            relation->table = catalog_virtual_table("pg_catalog", system_classes[i].name);
    if (oid < PG_OID_BASE) return STATUS_OK;
    bool is_index = oid >= 0x80000000u;
    uint32_t id = is_index ? oid >> 10 & 0x1fffff : pg_id(oid);
    if (id == 0) return STATUS_OK;
    st = catalog_table_by_id(task, session, id, &relation->table);
    if (failed(st)) {
        relation->table = NULL;
        return is_absent(st) ? STATUS_OK : st;
    }
    if (is_index) {
        relation->index = table_index_by_id(relation->table, oid & 0x3ff);
        if (relation->index == NULL) relation->table = NULL;
    }
    return STATUS_OK;
}

struct status pg_relation_by_name(struct task *task, struct session *session,
    struct arena *arena, struct bytes text, bool missing_ok, struct pg_relation *relation)
{
    char *parts[PG_NAME_PARTS_MAX];
    uint32_t count = 0;
    struct status st;
    *relation = (struct pg_relation){0};
    TRY(pg_split_name(arena, text, parts, &count));
    const char *name = parts[count - 1];
    const char *schema = count > 1 ? parts[count - 2] : NULL;
    const char *database = count > 2 ? parts[0] : NULL;
    st = catalog_table(task, session, database, schema, name, true, &relation->table);
    if (!failed(st) && relation->table == NULL && database == NULL) {
        const struct table_desc *type;
        TRY(catalog_type(task, session, NULL, schema, name, &type));
        if (type != NULL && type->kind == RELATION_COMPOSITE) relation->table = type;
    }
    if (!failed(st) && relation->table == NULL)
        st = catalog_index(
            task, session, database, schema, name, true, &relation->table, &relation->index);
    if (failed(st) && missing_ok && is_absent(st)) st = STATUS_OK;
    TRY(st);
    if (relation->table == NULL && !missing_ok)
        st = status_format(arena, E_UNDEFINED_TABLE, "relation \"%.*s\" does not exist",
            bytes_shown(text), (const char *)text.data);
out:
    return st;
}

struct status pg_relation_visible(struct task *task, struct session *session,
    const struct pg_relation *relation, bool *visible)
{
    struct status st;
    const struct table_desc *found = NULL;
    const struct index_desc *found_index = NULL;
    *visible = false;
    if (relation->index == NULL && relation->table->kind == RELATION_COMPOSITE) {
        bool exists;
        return pg_user_type_visible(task, session, catalog_type_oid(relation->table), &exists, visible);
    } else if (relation->index == NULL) {
        st = catalog_table(task, session, NULL, NULL, relation->table->name, true, &found);
        *visible = !failed(st) && found != NULL && found->id == relation->table->id;
    } else {
        st = catalog_index(
            task, session, NULL, NULL, relation->index->name, true, &found, &found_index);
        *visible = !failed(st) && found_index != NULL && found->id == relation->table->id &&
                   found_index->id == relation->index->id;
    }
    return is_absent(st) ? STATUS_OK : st;
}

struct status pg_schema_by_oid(
    struct task *task, struct session *session, uint32_t oid, const struct schema_desc **schema)
{
    *schema = NULL;
    for (uint32_t i = 0; catalog_virtual_schema_at(i) != NULL; i++) {
        if (pg_namespace_oid(catalog_virtual_schema_at(i)->id) != oid) continue;
        *schema = catalog_virtual_schema_at(i);
        return STATUS_OK;
    }
    if (pg_id(oid) == 0) return STATUS_OK;
    struct status st = catalog_schema_by_id(task, session, pg_id(oid), schema);
    if (!failed(st)) return st;
    *schema = NULL;
    return is_absent(st) ? STATUS_OK : st;
}

struct status pg_constraint_by_oid(
    struct task *task, struct session *session, uint32_t oid, struct pg_constraint_of *found)
{
    struct pg_relation relation;
    struct status st = STATUS_OK;
    *found = (struct pg_constraint_of){0};
    if (oid >= 0x80000000u) {
        TRY(pg_relation_by_oid(task, session, oid, &relation));
        if (relation.index == NULL || !(index_is_key(relation.index) || relation.index->from_constraint))
            return STATUS_OK;
        *found = (struct pg_constraint_of){.table = relation.table, .index = relation.index};
        return STATUS_OK;
    }
    if (oid < 0x40000000u) return STATUS_OK;
    const struct table_desc *table;
    st = catalog_table_by_id(task, session, oid >> 9 & 0x1fffff, &table);
    if (failed(st)) return is_absent(st) ? STATUS_OK : st;
    for (uint32_t i = 0; i < table->constraint_count; i++)
        if (pg_constraint_oid(table->id, table->constraints[i].id) == oid)
            *found = (struct pg_constraint_of){.table = table, .constraint = &table->constraints[i]};
out:
    return st;
}

// --- functions by name -------------------------------------------------------------------------------------

static bool is_function(const struct function *function)
{
    return function->kind != FUNCTION_OPERATOR;
}

// A name that only pg_type's columns use.
static uint32_t type_function_oid(const char *name)
{
    const struct type_info *info;
    for (uint32_t i = 0; (info = type_info_at(i)) != NULL; i++) {
        const struct pg_type_functions *functions = pg_type_functions(info->oid);
        for (unsigned j = 0; functions != NULL && j < 4; j++)
            if (functions->name[j] != NULL && strcmp(functions->name[j], name) == 0) return functions->oid[j];
    }
    return 0;
}

// The same with its argument types.
static uint32_t type_procedure_oid(const char *name, const type_oid *types, uint32_t count)
{
    const struct type_info *info;
    type_oid args[3];
    for (uint32_t i = 0; (info = type_info_at(i)) != NULL; i++) {
        const struct pg_type_functions *functions = pg_type_functions(info->oid);
        for (unsigned j = 0; functions != NULL && j < 4; j++)
            if (functions->name[j] != NULL && strcmp(functions->name[j], name) == 0 &&
                pg_type_function_args(functions, j, args) == count &&
                memcmp(args, types, count * sizeof *args) == 0)
                return functions->oid[j];
    }
    return 0;
}

static const char *type_function_name(uint32_t oid)
{
    const struct type_info *info;
    for (uint32_t i = 0; (info = type_info_at(i)) != NULL; i++) {
        const struct pg_type_functions *functions = pg_type_functions(info->oid);
        for (unsigned j = 0; functions != NULL && j < 4; j++)
            if (functions->oid[j] == oid && functions->name[j] != NULL) return functions->name[j];
    }
    return NULL;
}

static struct status no_function(struct arena *arena, struct bytes text)
{
    return status_format(arena, E_UNDEFINED_FUNCTION, "function \"%.*s\" does not exist",
        bytes_shown(text), (const char *)text.data);
}

static struct status find_function(struct task *task, struct session *session,
    struct arena *arena, struct bytes text, uint32_t *oid)
{
    char *parts[PG_NAME_PARTS_MAX];
    uint32_t count = 0, matches = 0;
    struct status st = pg_split_name(arena, text, parts, &count);
    if (failed(st)) return st;
    const char *name = parts[count - 1], *schema = count > 1 ? parts[count - 2] : "pg_catalog";
    *oid = 0;
    for (const struct function *at = NULL; (at = function_next_named(name, at)) != NULL;) {
        if (!is_function(at)) continue;
        if (strcmp(at->schema == NULL ? "pg_catalog" : at->schema, schema) != 0) continue;
        *oid = at->oid;
        matches++;
    }
    uint32_t routines = 0;
    st = pg_routine_find(
        task, session, arena, count > 1 ? schema : NULL, name, NULL, 0, oid, &routines);
    if (failed(st)) return st;
    matches += routines;
    if (matches > 1)
        return status_format(arena, E_AMBIGUOUS_FUNCTION, "more than one function named \"%.*s\"",
            bytes_shown(text), (const char *)text.data);
    if (matches == 0 && strcmp(schema, "pg_catalog") == 0) *oid = type_function_oid(name);
    return *oid == 0 ? no_function(arena, text) : STATUS_OK;
}

static bool same_arguments(const struct function *function, const type_oid *types, uint32_t count)
{
    return function->arg_count == count &&
           (count == 0 || memcmp(function->args, types, count * sizeof *types) == 0);
}

// "name(type, type)".
static struct status find_procedure(struct task *task, struct session *session,
    struct arena *arena, struct bytes text, uint32_t *oid)
{
    char *parts[PG_NAME_PARTS_MAX];
    type_oid types[100];
    uint32_t part_count = 0, count = 0;
    const uint8_t *open = memchr(text.data, '(', text.size);
    if (open == NULL || text.size == 0 || text.data[text.size - 1] != ')')
        return status_make(E_INVALID_TEXT_REPRESENTATION, "expected a left parenthesis");
    struct status st = pg_split_name(
        arena, bytes_of(text.data, (size_t)(open - text.data)), parts, &part_count);
    if (failed(st)) return st;
    struct bytes rest = text_trim(
        bytes_of(open + 1, (size_t)(text.data + text.size - 1 - (open + 1))));
    while (rest.size > 0) {
        const uint8_t *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma == NULL ? rest.size : (size_t)(comma - rest.data);
        char *name = arena_string(arena, text_trim(bytes_of(rest.data, size)));
        size_t length = strlen(name);
        bool array = length > 2 && strcmp(name + length - 2, "[]") == 0;
        const struct type_info *info = type_by_name(
            array ? arena_string(arena, bytes_of((const uint8_t *)name, length - 2)) : name);
        uint32_t type = info == NULL ? 0 : array ? info->array : info->oid;
        if (count == COUNT(types)) return status_make(E_TOO_MANY_ARGUMENTS, "too many arguments");
        if (info == NULL) {
            st = pg_find_type(task, session, arena, bytes_of_string(name), &type);
            if (failed(st)) return st;
        }
        types[count++] = type;
        rest = comma == NULL ? bytes_of(NULL, 0) : bytes_of(comma + 1, rest.size - size - 1);
    }
    for (const struct function *at = NULL;
         (at = function_next_named(parts[part_count - 1], at)) != NULL;)
        if (is_function(at) && same_arguments(at, types, count)) {
            *oid = at->oid;
            return STATUS_OK;
        }
    *oid = type_procedure_oid(parts[part_count - 1], types, count);
    if (*oid != 0) return STATUS_OK;
    uint32_t matches = 0;
    st = pg_routine_find(task, session, arena, part_count > 1 ? parts[part_count - 2] : NULL,
        parts[part_count - 1], types, count, oid, &matches);
    if (failed(st) || matches > 0) return st;
    return no_function(arena, text);
}

static bool print_function(uint32_t oid, bool arguments, struct buffer *out)
{
    const struct function *function = function_by_oid(FUNCTION_SCALAR, oid);
    if (function == NULL) {
        const char *name = type_function_name(oid);
        if (name != NULL) buffer_append_string(out, name);
        return name != NULL;
    }
    pg_print_name(out, function->schema, function->name);
    if (!arguments) return true;
    for (uint32_t i = 0; i < function->arg_count; i++) {
        const struct type_info *info = type_info(function->args[i]);
        buffer_append_string(out, i == 0 ? "(" : ",");
        buffer_append_string(out, info == NULL ? "-" : info->sql_name);
    }
    buffer_append_string(out, function->arg_count == 0 ? "()" : ")");
    return true;
}

// --- regclass and its kin ----------------------------------------------------------------------------------

static struct status find_namespace(struct task *task, struct session *session,
    struct arena *arena, struct bytes text, uint32_t *oid)
{
    char *parts[PG_NAME_PARTS_MAX];
    uint32_t count = 0;
    const struct schema_desc *schema = NULL;
    struct status st;
    TRY(pg_split_name(arena, text, parts, &count));
    if (count > 1) return invalid_name();
    TRY(catalog_schema(task, session, NULL, parts[0], false, &schema));
    *oid = pg_namespace_oid(schema->id);
out:
    return st;
}

// Names are looked up in a transaction, by tasks that may wait.
static bool may_look_up(const struct task *task, const struct session *session)
{
    return task != NULL && task->nosuspend_depth == 0 && session->catalog != NULL;
}

static struct status names_find(
    void *arg, type_oid type, struct arena *arena, struct bytes text, uint32_t *id)
{
    struct session *session = arg;
    struct task *task = task_current();
    struct pg_relation relation;
    char *parts[PG_NAME_PARTS_MAX];
    uint32_t count = 0;
    struct status st;
    if (!may_look_up(task, session))
        return status_make(E_FEATURE_NOT_SUPPORTED, "names of catalog objects cannot be used here");
    switch (type) {
    case TYPE_REGPROC: return find_function(task, session, arena, text, id);
    case TYPE_REGPROCEDURE: return find_procedure(task, session, arena, text, id);
    case TYPE_REGTYPE: return pg_find_type(task, session, arena, text, id);
    case TYPE_REGNAMESPACE: return find_namespace(task, session, arena, text, id);
    case TYPE_REGOPER:
    case TYPE_REGOPERATOR:
        return pg_find_operator(
            task, session, arena, text, type == TYPE_REGOPERATOR, id);
    case TYPE_REGCOLLATION: return pg_find_collation(task, session, arena, text, id);
    case TYPE_REGROLE:
        TRY(pg_split_name(arena, text, parts, &count));
        if (count > 1) return invalid_name();
        st = role_id(task, session, parts[0], id);
        break;
    default:
        TRY(pg_relation_by_name(task, session, arena, text, false, &relation));
        *id = relation.index != NULL ? pg_index_oid(relation.table->id, relation.index->id)
                                     : pg_relation_oid(relation.table);
        break;
    }
out:
    return st;
}

static bool print_relation(
    struct task *task, struct session *session, uint32_t oid, struct buffer *out)
{
    struct pg_relation relation;
    const struct schema_desc *schema;
    bool visible;
    if (failed(pg_relation_by_oid(task, session, oid, &relation)) || relation.table == NULL ||
        failed(pg_relation_visible(task, session, &relation, &visible)) ||
        failed(catalog_schema_by_id(task, session, relation.table->schema_id, &schema)))
        return false;
    pg_print_name(out, visible ? NULL : schema->name,
        relation.index != NULL ? relation.index->name : relation.table->name);
    return true;
}

static bool print_role(struct task *task, struct session *session, uint32_t oid, struct buffer *out)
{
    struct role **roles;
    uint32_t count;
    bool found = false;
    struct arena arena;
    arena_init(&arena, &session->account);
    if (!failed(role_list(task, session, &arena, &roles, &count)))
        for (uint32_t i = 0; i < count && !found; i++)
            if (roles[i]->id == oid) {
                deparse_identifier(out, roles[i]->name);
                found = true;
            }
    arena_fini(&arena);
    return found;
}

static bool names_print(void *arg, type_oid type, uint32_t id, struct buffer *out)
{
    struct session *session = arg;
    struct task *task = task_current();
    const struct schema_desc *schema;
    if (type == TYPE_REGPROC || type == TYPE_REGPROCEDURE)
        return print_function(id, type == TYPE_REGPROCEDURE, out) ||
               (may_look_up(task, session) &&
                   pg_routine_print(task, session, id, type == TYPE_REGPROCEDURE, out));
    if (type == TYPE_REGOPER || type == TYPE_REGOPERATOR)
        return pg_write_operator(id, type == TYPE_REGOPERATOR, out);
    if (!may_look_up(task, session)) return false;
    switch (type) {
    case TYPE_REGCOLLATION: return pg_write_collation(task, session, id, out);
    case TYPE_REGCLASS: return print_relation(task, session, id, out);
    case TYPE_REGTYPE: return pg_print_user_type(task, session, id, out);
    case TYPE_REGROLE: return print_role(task, session, id, out);
    case TYPE_REGNAMESPACE:
        if (failed(pg_schema_by_oid(task, session, id, &schema)) || schema == NULL) return false;
        deparse_identifier(out, schema->name);
        return true;
    default: return false;
    }
}

const struct type_names pg_type_names = {.find = names_find, .print = names_print};
