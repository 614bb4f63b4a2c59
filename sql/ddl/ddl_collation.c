// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE, ALTER and DROP COLLATION; the collations that columns and indexes are declared with.
#include "sql/parse/deparse.h"
#include "sql/ddl/ddl_internal.h"

#include "core/text.h"
#include "sql/type/collation.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege.h"

// --- finding -----------------------------------------------------------------------------------------

// One that somebody has made, along the search path; NULL: none.
static struct status find_made(struct statement_context *context, const struct object_name *name,
    const struct table_desc **found)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    const struct database_desc *database;
    const struct table_desc **list;
    uint32_t count, best = UINT32_MAX;

    *found = NULL;
    TRY(catalog_check_usage(task, session, name->catalog, name->schema));
    TRY(catalog_database(task, session, name->catalog, true, &database));
    if (database == NULL || database->collation_count == 0) goto out;
    TRY(catalog_list_collations(task, session, context->arena, database->id, &list, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct schema_desc *schema;
        uint32_t place = 0;
        if (strcmp(list[i]->name, name->name) != 0) continue;
        TRY(catalog_schema_by_id(task, session, list[i]->schema_id, &schema));
        if (name->schema != NULL) {
            if (strcmp(schema->name, name->schema) != 0) continue;
        } else {
            while (session->search_path[place] != NULL &&
                   strcmp(session->search_path[place], schema->name) != 0)
                place++;
            if (session->search_path[place] == NULL) continue;
        }
        if (place >= best) continue;
        best = place;
        *found = list[i];
    }
out:
    return st;
}

static struct status missing(struct statement_context *context, const struct object_name *name)
{
    return ddl_at(context,
        ddl_error(context, E_UNDEFINED_OBJECT,
            "collation \"%s%s%s\" for encoding \"UTF8\" does not exist",
            name->schema == NULL ? "" : name->schema, name->schema == NULL ? "" : ".", name->name),
        name->position);
}

struct status ddl_collation(struct statement_context *context, const struct object_name *name,
    struct type type, const char **definition)
{
    struct status st = STATUS_OK;
    const struct table_desc *made;

    *definition = NULL;
    if (name->name == NULL) goto out;
    if (!collation_takes(type.oid))
        return ddl_error(context, E_DATATYPE_MISMATCH, "collations are not supported by type %s",
            type_format(context->arena, TYPE_OF(type.oid)));
    if (name->schema == NULL || strcmp(name->schema, "pg_catalog") == 0) {
        const struct collation *found = collation_built_in_named(name->name);
        if (found != NULL) {
            if (found->provider != COLLATION_DEFAULT)
                *definition = collation_definition(context->arena, found);
            goto out;
        }
    }
    TRY(find_made(context, name, &made));
    if (made == NULL) return missing(context, name);
    *definition = arena_strdup(context->arena, made->collation);
out:
    return st;
}

struct status ddl_qualify_collations(
    struct statement_context *context, struct object_name *const *names, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        const struct table_desc *made;
        const struct schema_desc *schema;
        if (names[i]->schema != NULL || collation_built_in_named(names[i]->name) != NULL) continue;
        TRY(find_made(context, names[i], &made));
        if (made == NULL) continue; // Binding says so.
        TRY(catalog_schema_by_id(context->task, context->session, made->schema_id, &schema));
        names[i]->schema = arena_strdup(context->arena, schema->name);
    }
out:
    return st;
}

struct status ddl_keep_collation(struct statement_context *context, struct column_desc *column)
{
    uint32_t collation = column->type.collation;
    column->type.collation = COLLATION_NONE;
    if (collation == COLLATION_CONFLICT)
        return status_hint(context->arena,
            ddl_error(context, E_INDETERMINATE_COLLATION,
                "no collation was derived for column \"%s\" with collatable type %s", column->name,
                type_format(context->arena, TYPE_OF(column->type.oid))),
            "Use the COLLATE clause to set the collation explicitly.");
    if (collation_is_set(collation))
        column->collation = arena_strdup(context->arena, collation_definition_of(collation));
    return STATUS_OK;
}

// --- CREATE ------------------------------------------------------------------------------------------

struct wish { // What the options say.
    const char *locale, *collate, *ctype, *provider;
    bool deterministic;
};

static bool says_false(const char *text)
{
    return strcmp(text, "false") == 0 || strcmp(text, "off") == 0 || strcmp(text, "0") == 0;
}

static const char *option_text(struct arena *arena, const struct option *option)
{
    const struct expr *value = option->value;
    if (value == NULL) return "true";
    if (value->kind != EXPR_LITERAL) return "";
    if (value->literal.kind == LITERAL_BOOL) return value->literal.boolean ? "true" : "false";
    if (value->literal.kind == LITERAL_INTEGER) return value->literal.integer == 0 ? "0" : "1";
    return arena_string(arena, value->literal.text);
}

static struct status take_options(
    struct statement_context *context, const struct option_list *options, struct wish *wish)
{
    *wish = (struct wish){.provider = "libc", .deterministic = true};
    for (uint32_t i = 0; i < options->count; i++) {
        const struct option *option = &options->items[i];
        const char *text = option_text(context->arena, option);
        const char **place = strcmp(option->name, "locale") == 0     ? &wish->locale
                             : strcmp(option->name, "lc_collate") == 0 ? &wish->collate
                             : strcmp(option->name, "lc_ctype") == 0   ? &wish->ctype
                             : strcmp(option->name, "provider") == 0   ? &wish->provider
                                                                       : NULL;
        if (place != NULL) *place = text;
        else if (strcmp(option->name, "deterministic") == 0) wish->deterministic = !says_false(text);
        else if (strcmp(option->name, "version") != 0)
            return ddl_error(context, E_SYNTAX_ERROR, "collation attribute \"%s\" not recognized",
                option->name);
    }
    if (wish->locale != NULL && (wish->collate != NULL || wish->ctype != NULL))
        return status_detail(context->arena,
            ddl_error(context, E_SYNTAX_ERROR, "conflicting or redundant options"),
            "LOCALE cannot be specified together with LC_COLLATE or LC_CTYPE.");
    return STATUS_OK;
}

static bool is_byte_locale(const char *locale)
{
    return strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0 ||
           strcmp(locale, "C.UTF-8") == 0 || strcmp(locale, "C.utf8") == 0;
}

static struct status make(struct statement_context *context, const struct create_collation *create,
    struct collation *collation)
{
    struct status st = STATUS_OK;
    struct wish wish;

    TRY(take_options(context, &create->options, &wish));
    bool icu = text_equal_nocase(bytes_of_string(wish.provider), bytes_of_string("icu"));
    if (!icu && !text_equal_nocase(bytes_of_string(wish.provider), bytes_of_string("libc")))
        return ddl_error(context, E_INVALID_OBJECT_DEFINITION,
            "unrecognized collation provider: %s", wish.provider);
    if (wish.locale == NULL) wish.locale = wish.collate;
    if (wish.locale == NULL)
        return ddl_error(context, E_INVALID_OBJECT_DEFINITION,
            icu ? "parameter \"locale\" must be specified"
                : "parameter \"lc_collate\" must be specified");
    if (!icu && wish.collate != NULL && wish.ctype == NULL)
        return ddl_error(
            context, E_INVALID_OBJECT_DEFINITION, "parameter \"lc_ctype\" must be specified");
    if (!icu && !wish.deterministic)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "nondeterministic collations not supported with this provider");
    if (!icu && !is_byte_locale(wish.locale))
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "locale \"%s\" of the provider libc is not supported", wish.locale);
    for (const char *at = wish.locale; *at != 0; at++)
        if ((unsigned char)*at <= ' ')
            return ddl_error(context, E_INVALID_PARAMETER_VALUE,
                "could not open collator for locale \"%s\": U_ILLEGAL_ARGUMENT_ERROR", wish.locale);
    if (icu) TRY(collation_check_locale(context->arena, wish.locale));
    collation->provider = icu ? COLLATION_ICU : COLLATION_LIBC;
    collation->deterministic = wish.deterministic;
    collation->locale = wish.locale;
out:
    return st;
}

// FROM another one.
static struct status copy(struct statement_context *context, const struct create_collation *create,
    struct collation *collation)
{
    struct status st;
    const char *definition;
    TRY(ddl_collation(context, &create->from, TYPE_OF(TYPE_TEXT), &definition));
    if (definition == NULL)
        return ddl_error(context, E_INVALID_OBJECT_DEFINITION,
            "collation \"default\" cannot be copied");
    if (!collation_parse(context->arena, definition, collation))
        return status_make(E_DATA_CORRUPTED, "a collation's definition does not decode");
out:
    return st;
}

static struct status check_free(struct statement_context *context, const struct schema_desc *schema,
    const char *name, bool *taken)
{
    struct status st = STATUS_OK;
    const struct table_desc **list;
    uint32_t count;
    *taken = false;
    TRY(catalog_list_collations(
        context->task, context->session, context->arena, schema->database_id, &list, &count));
    for (uint32_t i = 0; i < count; i++)
        *taken |= list[i]->schema_id == schema->id && strcmp(list[i]->name, name) == 0;
out:
    return st;
}

struct status ddl_create_collation(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_collation *create = context->statement->as.create_collation;
    const struct schema_desc *found;
    struct database_desc *database;
    struct collation collation = {.name = create->name.name};
    bool taken;

    TRY(ddl_target_schema(context, &create->name, &found));
    struct schema_desc schema = *found; // The view may drop the original.
    if (create->from.name != NULL) TRY(copy(context, create, &collation));
    else TRY(make(context, create, &collation));
    TRY(check_free(context, &schema, create->name.name, &taken));
    if (taken && create->if_not_exists) {
        ddl_notice_exists(context, E_DUPLICATE_OBJECT, "collation \"%s\" already exists, skipping", create->name.name);
        goto out;
    }
    if (taken)
        return ddl_error(context, E_DUPLICATE_OBJECT, "collation \"%s\" already exists",
            create->name.name);
    struct table_desc made = {.kind = RELATION_COLLATION,
        .database_id = schema.database_id,
        .schema_id = schema.id,
        .name = create->name.name,
        .owner = ddl_owner(context->session),
        .next_column_id = 1,
        .next_index_id = 1,
        .next_constraint_id = 1};
    TRY(catalog_new_id(context->task, context->session->tenant, &made.id));
    collation.id = pg_oid(made.id);
    collation.name = made.name;
    made.collation = collation_definition(context->arena, &collation);
    TRY(catalog_edit_database(
        context->task, context->session, context->arena, made.database_id, &database));
    TRY(catalog_put_table(context->task, context->session, &made));
    DDL_APPEND(context->arena, database->collations, database->collation_count, made.id);
    TRY(catalog_put_database(context->task, context->session, database));
out:
    return st;
}

// --- DROP --------------------------------------------------------------------------------------------

struct status ddl_remove_collation(
    struct statement_context *context, const struct table_desc *made)
{
    struct status st;
    struct database_desc *database;
    uint32_t id = made->id;
    TRY(catalog_edit_database(
        context->task, context->session, context->arena, made->database_id, &database));
    TRY(catalog_delete_descriptor(context->task, context->session, id));
    ddl_remove_id(database->collations, &database->collation_count, id);
    TRY(catalog_put_database(context->task, context->session, database));
out:
    return st;
}

struct status ddl_drop_collation(
    struct statement_context *context, const struct table_desc *collation, enum drop_behavior behavior)
{
    struct status st;
    const char *label = arena_printf(context->arena, "collation %s", ddl_shown(context, collation));
    const struct schema_desc *schema;
    struct buffer text;
    buffer_init(&text, context->arena);
    TRY(catalog_schema_by_id(context->task, context->session, collation->schema_id, &schema));
    buffer_append_string(&text, "COLLATE ");
    deparse_identifier(&text, schema->name);
    buffer_append_u8(&text, '.');
    deparse_identifier(&text, collation->name);
    TRY(ddl_release_named(context, collation->database_id, buffer_string(&text), pg_oid(collation->id), label, behavior));
    TRY(ddl_remove_collation(context, collation));
out:
    return st;
}

static struct status drop_named(struct statement_context *context, const struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    const struct table_desc *found;

    TRY(find_made(context, name, &found));
    if (found == NULL && drop->if_exists) {
        ddl_notice(context, "collation \"%s\" does not exist, skipping", name->name);
        goto out;
    }
    if (found == NULL) return missing(context, name);
    TRY(privilege_check_owner(
        context->task, context->session, found->owner, OBJECT_COLLATION, found->name));
    struct table_desc made = *found;
    made.name = arena_strdup(context->arena, found->name);
    TRY(ddl_drop_collation(context, &made, drop->behavior));
out:
    return st;
}

struct status ddl_drop_collations(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    for (uint32_t i = 0; i < drop->names.count; i++)
        TRY(drop_named(context, &drop->names.items[i]));
out:
    return st;
}

// --- ALTER -------------------------------------------------------------------------------------------

struct status ddl_alter_collation(struct statement_context *context,
    const struct object_name *name, const char *new_name, const char *owner, const char *new_schema)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;
    const struct schema_desc *schema;
    struct table_desc *made;
    bool taken = false;

    TRY(find_made(context, name, &found));
    if (found == NULL) return missing(context, name);
    TRY(privilege_check_owner(
        context->task, context->session, found->owner, OBJECT_COLLATION, found->name));
    uint32_t id = found->id;
    TRY(catalog_edit_table(context->task, context->session, context->arena, id, &made));
    if (owner != NULL) made->owner = owner;
    if (new_schema != NULL) {
        struct object_name target = {.schema = new_schema, .name = made->name};
        TRY(ddl_target_schema(context, &target, &schema));
        if (schema->id != made->schema_id) TRY(check_free(context, schema, made->name, &taken));
        made->schema_id = schema->id;
    }
    if (new_name != NULL) {
        TRY(catalog_schema_by_id(context->task, context->session, made->schema_id, &schema));
        TRY(check_free(context, schema, new_name, &taken));
        made->name = new_name;
    }
    if (taken)
        return ddl_error(context, E_DUPLICATE_OBJECT,
            "collation \"%s\" for encoding \"UTF8\" already exists in schema \"%s\"", made->name,
            schema->name);
    TRY(catalog_put_table(context->task, context->session, made));
out:
    return st;
}
