// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which collation an expression has, and what that does to the functions that look at it. One that COLLATE names is
// explicit and wins; a column's own is implicit, and wins over the default one; two different ones of a kind leave it
// open, which is an error only where somebody needs to know.
#include "sql/bind/bind.h"

#include "sql/type/collation.h"
#include "sql/parse/deparse.h"

// --- names -------------------------------------------------------------------------------------------

struct status bind_collations_load(
    struct task *task, struct session *session, struct bind_names *names)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    TRY(catalog_database(task, session, NULL, true, &database));
    if (database == NULL || database->collation_count == 0) return st;
    names->collations = ARENA_ARRAY(names->arena, struct bind_collation, database->collation_count);
    for (uint32_t i = 0; i < database->collation_count; i++) {
        const struct table_desc *found;
        const struct schema_desc *schema;
        TRY(catalog_table_by_id(task, session, database->collations[i], &found));
        TRY(catalog_schema_by_id(task, session, found->schema_id, &schema));
        names->collations[names->collation_count++] =
            (struct bind_collation){.made = table_desc_copy(names->arena, found),
                .schema = arena_strdup(names->arena, schema->name)};
    }

out:
    return st;
}

static bool in_path(const struct binder *binder, const char *schema)
{
    if (binder->session == NULL) return strcmp(schema, "public") == 0;
    for (uint32_t i = 0; binder->session->search_path[i] != NULL; i++)
        if (strcmp(binder->session->search_path[i], schema) == 0) return true;
    return false;
}

struct status bind_collation_named(struct binder *binder, const struct object_name *name,
    uint32_t position, uint32_t *number)
{
    const struct bind_names *names = binder->names;
    const struct collation *built_in = NULL;
    struct status st = bind_check_schema(binder, name->schema);
    if (failed(st)) return st;
    if (name->schema == NULL || strcmp(name->schema, "pg_catalog") == 0)
        built_in = collation_built_in_named(name->name);
    if (built_in != NULL) {
        *number = collation_number(collation_definition(binder->arena, built_in));
        if (*number == COLLATION_CONFLICT)
            return bind_error(
                binder, position, E_PROGRAM_LIMIT_EXCEEDED, "too many collations are in use");
        return STATUS_OK;
    }
    for (uint32_t i = 0; names != NULL && i < names->collation_count; i++) {
        struct bind_collation *each = &names->collations[i];
        if (strcmp(each->made->name, name->name) != 0 ||
            (name->schema != NULL ? strcmp(name->schema, each->schema) != 0
                                  : !in_path(binder, each->schema)))
            continue;
        each->used = true;
        *number = collation_number(each->made->collation);
        if (*number == COLLATION_CONFLICT)
            return bind_error(
                binder, position, E_PROGRAM_LIMIT_EXCEEDED, "too many collations are in use");
        return STATUS_OK;
    }
    return bind_error(binder, position, E_UNDEFINED_OBJECT,
        "collation \"%s%s%s\" for encoding \"UTF8\" does not exist",
        name->schema == NULL ? "" : name->schema, name->schema == NULL ? "" : ".", name->name);
}

struct type bind_column_type(const struct column_desc *column)
{
    struct type type = column->type;
    if (column->collation != NULL) type.collation = collation_number(column->collation);
    return type;
}

// --- COLLATE -----------------------------------------------------------------------------------------

static struct scalar *with_collation(
    struct binder *binder, struct scalar *scalar, uint32_t collation)
{
    if (scalar->type.collation == collation) return scalar;
    struct scalar *copy = ARENA_NEW(binder->arena, struct scalar);
    *copy = *scalar;
    copy->type.collation = collation;
    return copy;
}

// As SQL: with its schema where the search path does not find it.
static const char *written(const struct binder *binder, const struct object_name *name)
{
    struct buffer out;
    buffer_init(&out, binder->arena);
    if (name->schema != NULL && !in_path(binder, name->schema)) {
        deparse_identifier(&out, name->schema);
        buffer_append_u8(&out, '.');
    }
    deparse_identifier(&out, name->name);
    return buffer_string(&out);
}

struct status bind_collate(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *arg;
    uint32_t collation;
    TRY(bind_expr(binder, scope, expr->collate.arg, &arg));
    TRY(bind_resolve_unknown(binder, &arg));
    if (!collation_takes(arg->type.oid))
        return bind_error(binder, expr->position, E_DATATYPE_MISMATCH,
            "collations are not supported by type %s", bind_type_text(binder, arg->type));
    TRY(bind_collation_named(binder, &expr->collate.name, expr->position, &collation));
    struct scalar *copy = ARENA_NEW(binder->arena, struct scalar);
    *copy = *arg;
    copy->type.collation = collation;
    copy->collation_explicit = true;
    copy->collate = written(binder, &expr->collate.name);
    *out = copy;

out:
    return st;
}

// --- what an expression has --------------------------------------------------------------------------

enum strength { STRENGTH_NONE, STRENGTH_IMPLICIT, STRENGTH_EXPLICIT };
struct merge {
    uint32_t collation; // COLLATION_CONFLICT: of implicit ones.
    enum strength strength;
};

static const char *name_of(uint32_t collation)
{
    const struct collation *found = collation_of(collation);
    return found == NULL ? "default" : found->name;
}

static struct status merge(
    struct binder *binder, struct scalar *const *args, uint32_t count, struct merge *merge)
{
    *merge = (struct merge){0};
    for (uint32_t i = 0; i < count; i++) {
        const struct scalar *arg = args[i];
        uint32_t collation = arg->type.collation;
        if (!collation_takes(arg->type.oid)) continue;
        if (arg->collation_explicit) {
            if (merge->strength == STRENGTH_EXPLICIT && merge->collation != collation)
                return bind_error(binder, arg->position, E_COLLATION_MISMATCH,
                    "collation mismatch between explicit collations \"%s\" and \"%s\"",
                    name_of(merge->collation), name_of(collation));
            *merge = (struct merge){collation, STRENGTH_EXPLICIT};
        } else if (merge->strength == STRENGTH_NONE) {
            *merge = (struct merge){collation, STRENGTH_IMPLICIT};
        } else if (merge->strength == STRENGTH_IMPLICIT && merge->collation != collation) {
            if (merge->collation == COLLATION_NONE) merge->collation = collation;
            else if (collation != COLLATION_NONE) merge->collation = COLLATION_CONFLICT;
        }
    }
    return STATUS_OK;
}

static bool has_any(struct scalar *const *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (args[i]->type.collation != COLLATION_NONE || args[i]->collation_explicit) return true;
    return false;
}

static struct status indeterminate(struct binder *binder, uint32_t position, const char *what)
{
    return status_hint(binder->arena,
        bind_error(binder, position, E_INDETERMINATE_COLLATION,
            "could not determine which collation to use for %s", what),
        "Use the COLLATE clause to set the collation explicitly.");
}

// Two of the collations that the conflict is between.
static void find_two(const struct scalar *scalar, uint32_t two[2])
{
    uint32_t own = scalar->type.collation;
    if (collation_is_set(own) && (two[0] == 0 || own != two[0])) two[two[0] != 0] = own;
    for (uint32_t i = 0; own == COLLATION_CONFLICT && i < scalar->arg_count && two[1] == 0; i++)
        find_two(scalar->args[i], two);
}

struct status bind_collation_order(
    struct binder *binder, const struct scalar *scalar, uint32_t position)
{
    uint32_t two[2] = {0};
    if (scalar->type.collation != COLLATION_CONFLICT) return STATUS_OK;
    find_two(scalar, two);
    return status_hint(binder->arena,
        bind_error(binder, position, E_COLLATION_MISMATCH,
            "collation mismatch between implicit collations \"%s\" and \"%s\"", name_of(two[0]),
            name_of(two[1])),
        "You can choose the collation by applying the COLLATE clause to one or both expressions.");
}

struct status bind_collation_compared(
    struct binder *binder, struct scalar **args, uint32_t count, uint32_t position)
{
    struct status st = STATUS_OK;
    struct merge merged;
    if (!has_any(args, count)) return st;
    TRY(merge(binder, args, count, &merged));
    if (merged.collation == COLLATION_CONFLICT)
        return indeterminate(binder, position, "string comparison");
    for (uint32_t i = 0; i < count && merged.strength != STRENGTH_NONE && !binder->verbatim; i++)
        if (collation_takes(args[i]->type.oid))
            args[i] = with_collation(binder, args[i], merged.collation);

out:
    return st;
}

struct status bind_collation_result(struct binder *binder, struct scalar *scalar,
    struct scalar *const *args, uint32_t count)
{
    struct status st = STATUS_OK;
    struct merge merged;
    if (!has_any(args, count) || !collation_takes(scalar->type.oid)) return st;
    TRY(merge(binder, args, count, &merged));
    if (merged.strength == STRENGTH_NONE) return st;
    scalar->type.collation = merged.collation;
    scalar->collation_explicit = merged.strength == STRENGTH_EXPLICIT;

out:
    return st;
}

// --- functions ---------------------------------------------------------------------------------------

struct status bind_collation_call(struct binder *binder, struct scalar *call)
{
    static const struct {
        const char *name;
        bool is_operator, nondeterministic; // Whether nondeterministic ones will do.
        const char *what, *refused;
    } uses[] = {{"~~", true, false, "LIKE", "LIKE"}, {"!~~", true, false, "LIKE", "LIKE"},
        {"~~*", true, false, "ILIKE", "ILIKE"}, {"!~~*", true, false, "ILIKE", "ILIKE"},
        {"~", true, false, "regular expression", "regular expressions"},
        {"!~", true, false, "regular expression", "regular expressions"},
        {"~*", true, false, "regular expression", "regular expressions"},
        {"!~*", true, false, "regular expression", "regular expressions"},
        {"^@", true, false, "string comparison", "substring searches"},
        {"lower", false, true, "lower() function", NULL},
        {"upper", false, true, "upper() function", NULL},
        {"initcap", false, true, "initcap() function", NULL},
        {"strpos", false, false, "substring search", "substring searches"},
        {"position", false, false, "substring search", "substring searches"},
        {"replace", false, false, "substring search", "substring searches"},
        {"split_part", false, false, "substring search", "substring searches"},
        {"starts_with", false, false, "string comparison", "substring searches"},
        {"regexp_replace", false, false, "regular expression", "regular expressions"},
        {"regexp_match", false, false, "regular expression", "regular expressions"},
        {"regexp_matches", false, false, "regular expression", "regular expressions"},
        {"regexp_split_to_array", false, false, "regular expression", "regular expressions"},
        {"regexp_split_to_table", false, false, "regular expression", "regular expressions"}};
    struct status st = STATUS_OK;
    struct merge merged;
    bool is_operator = call->function->kind == FUNCTION_OPERATOR;
    if (call->arg_count == 0 || !has_any(call->args, call->arg_count)) return st;
    if (scalar_compare_of(call) != COMPARE_NONE)
        return bind_collation_compared(binder, call->args, call->arg_count, call->position);
    TRY(bind_collation_result(binder, call, call->args, call->arg_count));
    TRY(merge(binder, call->args, call->arg_count, &merged));
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        if (uses[i].is_operator != is_operator || strcmp(uses[i].name, call->function->name) != 0)
            continue;
        if (merged.collation == COLLATION_CONFLICT)
            return indeterminate(binder, call->position, uses[i].what);
        if (!uses[i].nondeterministic && !collation_is_deterministic(merged.collation))
            return bind_error(binder, call->position, E_FEATURE_NOT_SUPPORTED,
                "nondeterministic collations are not supported for %s", uses[i].refused);
    }

out:
    return st;
}
