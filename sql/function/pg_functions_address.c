// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_identify_object, pg_identify_object_as_address and pg_get_object_address: objects by their catalog's and their own oid, and
// by names that mean the same in any database. Each kind of object is one query over the catalogs, as the session's user.
#include <string.h>

#include "sql/catalog/pg_catalog.h"
#include "sql/function/function_table.h"
#include "sql/session/internal.h"
#include "sql/type/array.h"

#define START(name) \
    static struct status name(struct function_call *call, void *state_, const struct datum *args)
#define NEXT(name) \
    static struct status name( \
        struct function_call *call, void *state_, struct datum *row, bool *done)

// --- from oids to names ----------------------------------------------------------------------------------

// A type's name that does not depend on the search path; those that SQL itself names have no schema.
#define TYPE_NAME_OF(oid) \
    "(SELECT CASE WHEN tn.nspname = 'pg_catalog' AND b.typname IN ('bit', 'bool', 'bpchar', 'float4', 'float8', 'int2', 'int4', 'int8'," \
    " 'interval', 'numeric', 'time', 'timetz', 'timestamp', 'timestamptz', 'varbit', 'varchar') THEN format_type(b.oid, NULL)" \
    " ELSE format('%I.%I', tn.nspname, b.typname) END || CASE WHEN b.oid = ty.oid THEN '' ELSE '[]' END" \
    " FROM pg_catalog.pg_type ty JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN ty.typcategory = 'A' AND ty.typlen = -1" \
    " THEN ty.typelem ELSE ty.oid END JOIN pg_catalog.pg_namespace tn ON tn.oid = b.typnamespace WHERE ty.oid = " oid ")"
#define TYPE_NAMES_OF(oids) \
    "ARRAY(SELECT " TYPE_NAME_OF("x") " FROM unnest(" oids "::oid[]) WITH ORDINALITY AS u (x, n) ORDER BY n)"
#define RELATION_KIND \
    "CASE c.relkind WHEN 'r' THEN 'table' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'" \
    " WHEN 'm' THEN 'materialized view' WHEN 'c' THEN 'composite type' ELSE 'relation' END"
#define NAMED(kind, table, column) \
    "SELECT '" kind "', NULL, quote_ident(" column "), quote_ident(" column "), ARRAY[" column "::text], '{}'::text[]" \
    " FROM pg_catalog." table " WHERE oid = $1 AND $2 = $2"
#define NAMED_IN_SCHEMA(kind, table, column, schema) \
    "SELECT '" kind "', quote_ident(nspname), quote_ident(" column "), format('%I.%I', nspname, " column ")," \
    " ARRAY[nspname::text, " column "::text], '{}'::text[] FROM pg_catalog." table " o" \
    " JOIN pg_catalog.pg_namespace n ON n.oid = " schema " WHERE o.oid = $1 AND $2 = $2"
#define CLASS_OR_FAMILY(kind, table, prefix) \
    "SELECT '" kind "', quote_ident(nspname), quote_ident(" prefix "name), format('%I.%I USING %I', nspname, " prefix "name, amname)," \
    " ARRAY[amname::text, nspname, " prefix "name], '{}'::text[] FROM pg_catalog." table " o JOIN pg_catalog.pg_am a ON a.oid = " \
    prefix "method JOIN pg_catalog.pg_namespace n ON n.oid = " prefix "namespace WHERE o.oid = $1 AND $2 = $2"

// $1 the object, $2 its part: kind, schema, name, identity, names and arguments of the address. `absent`: the kind of what is
// not there; no query: there are no such objects.
static const struct object_class {
    uint32_t oid;
    const char *absent, *sql;
} classes[] = {
    {PG_CLASS_OID, "relation",
        "SELECT " RELATION_KIND " || CASE WHEN $2 = 0 THEN '' ELSE ' column' END,"
        " CASE WHEN a.attname IS NOT NULL OR $2 = 0 THEN quote_ident(nspname) END,"
        " CASE WHEN a.attname IS NOT NULL OR $2 = 0 THEN quote_ident(relname) END,"
        " CASE WHEN $2 = 0 THEN format('%I.%I', nspname, relname) WHEN a.attname IS NOT NULL THEN format('%I.%I.%I', nspname, relname, a.attname) END,"
        " CASE WHEN $2 = 0 THEN ARRAY[nspname::text, relname] WHEN a.attname IS NOT NULL THEN ARRAY[nspname::text, relname, a.attname] END,"
        " CASE WHEN a.attname IS NOT NULL OR $2 = 0 THEN '{}'::text[] END"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = $2 WHERE c.oid = $1"},
    {1247, "type",
        "SELECT 'type', quote_ident(nspname), quote_ident(typname), " TYPE_NAME_OF("t.oid") ", ARRAY[" TYPE_NAME_OF("t.oid") "], '{}'::text[]"
        " FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = typnamespace WHERE t.oid = $1 AND $2 = $2"},
    {1255, "routine",
        "SELECT CASE prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END, quote_ident(nspname), NULL,"
        " format('%I.%I(%s)', nspname, proname, array_to_string(" TYPE_NAMES_OF("proargtypes") ", ',')), ARRAY[nspname::text, proname],"
        " " TYPE_NAMES_OF("proargtypes") " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = pronamespace"
        " WHERE p.oid = $1 AND $2 = $2"},
    {1260, "role", NAMED("role", "pg_roles", "rolname")},
    {1262, "database", NAMED("database", "pg_database", "datname")},
    {1213, "tablespace", NAMED("tablespace", "pg_tablespace", "spcname")},
    {1417, "server", NULL},
    {1418, "user mapping", NULL},
    {2328, "foreign-data wrapper", NULL},
    {2601, "access method", NAMED("access method", "pg_am", "amname")},
    {2602, "operator of access method", NULL},
    {2603, "function of access method", NULL},
    {2604, "default value",
        "SELECT 'default value', NULL, NULL, format('for %I.%I.%I', nspname, relname, attname), ARRAY[nspname::text, relname, attname], '{}'::text[]"
        " FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = adrelid JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = adrelid AND a.attnum = adnum WHERE d.oid = $1 AND $2 = $2"},
    {2605, "cast",
        "SELECT 'cast', NULL, NULL, format('(%s AS %s)', " TYPE_NAME_OF("castsource") ", " TYPE_NAME_OF("casttarget") "),"
        " ARRAY[" TYPE_NAME_OF("castsource") "], ARRAY[" TYPE_NAME_OF("casttarget") "] FROM pg_catalog.pg_cast k WHERE k.oid = $1 AND $2 = $2"},
    {2606, "constraint",
        "SELECT CASE WHEN conrelid = 0 THEN 'domain constraint' ELSE 'table constraint' END, quote_ident(nspname), NULL,"
        " format('%I on %s', conname, CASE WHEN conrelid = 0 THEN " TYPE_NAME_OF("contypid") " ELSE format('%I.%I', nspname, relname) END),"
        " CASE WHEN conrelid = 0 THEN ARRAY[" TYPE_NAME_OF("contypid") "] ELSE ARRAY[nspname::text, relname, conname] END,"
        " CASE WHEN conrelid = 0 THEN ARRAY[conname::text] ELSE '{}'::text[] END FROM pg_catalog.pg_constraint k"
        " LEFT JOIN pg_catalog.pg_class c ON c.oid = conrelid JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(relnamespace, connamespace)"
        " WHERE k.oid = $1 AND $2 = $2"},
    {2607, "conversion", NULL},
    {2612, "language", NAMED("language", "pg_language", "lanname")},
    {2613, "large object",
        "SELECT 'large object', NULL, NULL, oid::text, ARRAY[oid::text], '{}'::text[] FROM pg_catalog.pg_largeobject_metadata"
        " WHERE oid = $1 AND $2 = $2"},
    {PG_NAMESPACE_OID, "schema",
        "SELECT 'schema', NULL, quote_ident(nspname), quote_ident(nspname), ARRAY[nspname::text], '{}'::text[]"
        " FROM pg_catalog.pg_namespace WHERE oid = $1 AND $2 = $2"},
    {2616, "operator class", CLASS_OR_FAMILY("operator class", "pg_opclass", "opc")},
    {2753, "operator family", CLASS_OR_FAMILY("operator family", "pg_opfamily", "opf")},
    {2617, "operator",
        "SELECT 'operator', quote_ident(nspname), NULL, format('%I.%s(%s,%s)', nspname, oprname, coalesce(" TYPE_NAME_OF("oprleft") ", 'NONE'),"
        " coalesce(" TYPE_NAME_OF("oprright") ", 'NONE')), ARRAY[nspname::text, oprname], array_remove(ARRAY[" TYPE_NAME_OF("oprleft") ", "
        TYPE_NAME_OF("oprright") "], NULL) FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = oprnamespace"
        " WHERE o.oid = $1 AND $2 = $2"},
    {2618, "rule",
        "SELECT 'rule', NULL, NULL, format('%I on %I.%I', rulename, nspname, relname), ARRAY[nspname::text, relname, rulename], '{}'::text[]"
        " FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = ev_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace"
        " WHERE r.oid = $1 AND $2 = $2"},
    {2620, "trigger", NULL},
    {PG_EXTENSION_OID, "extension", NAMED("extension", "pg_extension", "extname")},
    {3256, "policy", NULL},
    {PG_STATISTICS_OID, "statistics object", NAMED_IN_SCHEMA("statistics object", "pg_statistic_ext", "stxname", "stxnamespace")},
    {3456, "collation", NAMED_IN_SCHEMA("collation", "pg_collation", "collname", "collnamespace")},
    {3466, "event trigger", NULL},
    {3576, "transform", NULL},
    {3600, "text search dictionary", NULL},
    {3601, "text search parser", NULL},
    {3602, "text search configuration", NULL},
    {3764, "text search template", NULL},
    {6100, "subscription", NULL},
    {6104, "publication", NULL},
    {6106, "publication relation", NULL},
    {6237, "publication namespace", NULL},
};

#define IDENTITY_COLUMNS 6u // Of those queries.
struct identified {
    struct datum values[IDENTITY_COLUMNS];
    bool given;
};

START(identify_start)
{
    struct status st;
    struct identified *state = state_;
    const struct object_class *class = NULL;
    const type_oid types[] = {TYPE_OID, TYPE_INT4};
    struct internal_result found = {0};
    if (call->session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    for (unsigned i = 0; i < TABLE_COUNT(classes); i++)
        if (classes[i].oid == args[0].integer) class = &classes[i];
    if (class == NULL)
        return status_format(call->arena, E_INTERNAL, "unrecognized object class: %u",
            (uint32_t)args[0].integer);
    for (unsigned i = 0; i < IDENTITY_COLUMNS; i++) state->values[i] = DATUM_NULL;
    state->values[0] = datum_text(class->absent);
    if (class->sql == NULL) return STATUS_OK;
    TRY(internal_run(call->task, call->session, call->arena, &found, class->sql, 2, args + 1, types));
    for (unsigned i = 0; found.row_count > 0 && i < IDENTITY_COLUMNS; i++)
        state->values[i] = internal_value(&found, 0, i);
out:
    return st;
}

NEXT(identity_next)
{
    struct identified *state = state_;
    (void)call;
    *done = state->given;
    state->given = true;
    memcpy(row, state->values, 4 * sizeof *row);
    return STATUS_OK;
}

NEXT(address_next)
{
    struct identified *state = state_;
    (void)call;
    *done = state->given;
    state->given = true;
    row[0] = state->values[0];
    row[1] = state->values[4];
    row[2] = state->values[5];
    return STATUS_OK;
}

static const struct set_ops identity = {.column_count = 4,
    .column_names = (const char *const[]){"type", "schema", "name", "identity"},
    .column_types = (const type_oid[]){TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT},
    .state_bytes = sizeof(struct identified),
    .start = identify_start,
    .next = identity_next};

static const struct set_ops address = {.column_count = 3,
    .column_names = (const char *const[]){"type", "object_names", "object_args"},
    .column_types = (const type_oid[]){TYPE_TEXT, TYPE_TEXT_ARRAY, TYPE_TEXT_ARRAY},
    .state_bytes = sizeof(struct identified),
    .start = identify_start,
    .next = address_next};

// --- from names to oids ----------------------------------------------------------------------------------

enum address_form {
    FORM_RELATION, // names: a relation, along the search path
    FORM_COLUMN,   // and a column of it, or what else belongs to a relation.
    FORM_TYPE,     // names: one type as it is written
    FORM_ROUTINE,  // names: a routine; args: types
    FORM_NAME,     // names: one
    FORM_SCHEMA,   // names: a schema and a name
};
#define QUALIFIED "(SELECT string_agg(quote_ident(x), '.' ORDER BY n) FROM unnest($1::text[]) WITH ORDINALITY AS u (x, n))"
#define RELATION_OF_PART \
    "(SELECT string_agg(quote_ident(x), '.' ORDER BY n) FROM unnest($1::text[]) WITH ORDINALITY AS u (x, n)" \
    " WHERE n < cardinality($1::text[]))::regclass"
#define LAST "($1::text[])[cardinality($1::text[])]"
#define BY_RELATION(class, kinds) \
    "SELECT " class ", c.oid, 0, c.relkind IN (" kinds ") FROM pg_catalog.pg_class c WHERE c.oid = " QUALIFIED "::regclass AND $2 IS NOT NULL"
#define BY_COLUMN \
    "SELECT 1259, a.attrelid, a.attnum::int, true FROM pg_catalog.pg_attribute a WHERE a.attrelid = " RELATION_OF_PART \
    " AND a.attname = " LAST " AND NOT a.attisdropped AND $2 IS NOT NULL"
#define BY_NAME(class, table, column) \
    "SELECT " class ", oid, 0, true FROM pg_catalog." table " WHERE " column " = ($1::text[])[1] AND $2 IS NOT NULL"
#define BY_ROUTINE(kinds) \
    "SELECT 1255, p.oid, 0, p.prokind IN (" kinds ") FROM pg_catalog.pg_proc p WHERE p.oid = (" QUALIFIED \
    " || '(' || array_to_string($2::text[], ',') || ')')::regprocedure"
#define BY_TYPE "SELECT 1247, (($1::text[])[1]::regtype)::oid, 0, true WHERE $2 IS NOT NULL"

// $1 the names, $2 the arguments: class, object, part, whether it is of the kind.
static const struct address_kind {
    const char *name;
    enum address_form form;
    const char *sql;
} kinds[] = {
    {"table", FORM_RELATION, BY_RELATION("1259", "'r', 'p'")},
    {"index", FORM_RELATION, BY_RELATION("1259", "'i', 'I'")},
    {"sequence", FORM_RELATION, BY_RELATION("1259", "'S'")},
    {"view", FORM_RELATION, BY_RELATION("1259", "'v'")},
    {"materialized view", FORM_RELATION, BY_RELATION("1259", "'m'")},
    {"composite type", FORM_RELATION, BY_RELATION("1259", "'c'")},
    {"table column", FORM_COLUMN, BY_COLUMN},
    {"view column", FORM_COLUMN, BY_COLUMN},
    {"materialized view column", FORM_COLUMN, BY_COLUMN},
    {"default value", FORM_COLUMN,
        "SELECT 2604, d.oid, 0, true FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = adrelid AND a.attnum = adnum"
        " WHERE adrelid = " RELATION_OF_PART " AND a.attname = " LAST " AND $2 IS NOT NULL"},
    {"table constraint", FORM_COLUMN,
        "SELECT 2606, oid, 0, true FROM pg_catalog.pg_constraint WHERE conrelid = " RELATION_OF_PART " AND conname = " LAST " AND $2 IS NOT NULL"},
    {"rule", FORM_COLUMN,
        "SELECT 2618, oid, 0, true FROM pg_catalog.pg_rewrite WHERE ev_class = " RELATION_OF_PART " AND rulename = " LAST " AND $2 IS NOT NULL"},
    {"type", FORM_TYPE, BY_TYPE},
    {"function", FORM_ROUTINE, BY_ROUTINE("'f', 'w'")},
    {"procedure", FORM_ROUTINE, BY_ROUTINE("'p'")},
    {"aggregate", FORM_ROUTINE, BY_ROUTINE("'a'")},
    {"routine", FORM_ROUTINE, BY_ROUTINE("'f', 'w', 'p', 'a'")},
    {"schema", FORM_NAME, BY_NAME("2615", "pg_namespace", "nspname")},
    {"role", FORM_NAME, BY_NAME("1260", "pg_roles", "rolname")},
    {"database", FORM_NAME, BY_NAME("1262", "pg_database", "datname")},
    {"language", FORM_NAME, BY_NAME("2612", "pg_language", "lanname")},
    {"extension", FORM_NAME, BY_NAME("3079", "pg_extension", "extname")},
    {"tablespace", FORM_NAME, BY_NAME("1213", "pg_tablespace", "spcname")},
    {"access method", FORM_NAME, BY_NAME("2601", "pg_am", "amname")},
    {"collation", FORM_SCHEMA,
        "SELECT 3456, (" QUALIFIED "::regcollation)::oid, 0, true WHERE $2 IS NOT NULL"},
};

struct addressed {
    struct datum values[3];
    bool given;
};

static struct status check_form(
    struct function_call *call, const struct address_kind *kind, const struct array *names)
{
    if (names->count == 0)
        return status_make(E_INVALID_PARAMETER_VALUE, "name list length must be at least 1");
    if (names->has_null)
        return status_make(E_INVALID_PARAMETER_VALUE, "name or argument lists may not contain nulls");
    bool one = kind->form == FORM_NAME || kind->form == FORM_TYPE;
    if (one && names->count != 1)
        return status_make(E_INVALID_PARAMETER_VALUE, "name list length must be exactly 1");
    if (kind->form == FORM_COLUMN && names->count < 2)
        return status_make(E_INVALID_PARAMETER_VALUE, "name list length must be at least 2");
    (void)call;
    return STATUS_OK;
}

static struct status not_found(
    struct function_call *call, const struct address_kind *kind, const struct array *names)
{
    struct datum item = DATUM_NULL;
    for (struct array_cursor cursor = array_first(names); array_next(&cursor, &item);) continue;
    const char *last = arena_string(call->arena, datum_as_bytes(item));
    uint32_t code = kind->form == FORM_ROUTINE      ? E_UNDEFINED_FUNCTION
                    : strcmp(kind->name, "schema") == 0   ? E_INVALID_SCHEMA_NAME
                    : strcmp(kind->name, "database") == 0 ? E_INVALID_CATALOG_NAME
                    : strstr(kind->name, "column") != NULL ? E_UNDEFINED_COLUMN
                                                           : E_UNDEFINED_OBJECT;
    return status_format(call->arena, code, "%s \"%s\" does not exist",
        strstr(kind->name, "column") != NULL ? "column" : kind->name, last);
}

START(find_start)
{
    struct status st;
    struct addressed *state = state_;
    const struct address_kind *kind = NULL;
    const type_oid types[] = {TYPE_TEXT_ARRAY, TYPE_TEXT_ARRAY};
    struct internal_result found = {0};
    struct array names;
    if (call->session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    for (unsigned i = 0; i < TABLE_COUNT(kinds); i++)
        if (bytes_equal(datum_as_bytes(args[0]), bytes_of_string(kinds[i].name))) kind = &kinds[i];
    if (kind == NULL) {
        for (unsigned i = 0; i < TABLE_COUNT(classes); i++)
            if (bytes_equal(datum_as_bytes(args[0]), bytes_of_string(classes[i].absent)))
                return status_format(call->arena, E_FEATURE_NOT_SUPPORTED,
                    "pg_get_object_address of a %s is not supported", classes[i].absent);
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "unrecognized object type \"%s\"", arena_string(call->arena, datum_as_bytes(args[0])));
    }
    TRY(array_open(args[1], &names));
    TRY(check_form(call, kind, &names));
    TRY(internal_run(call->task, call->session, call->arena, &found, kind->sql, 2, args + 1, types));
    if (found.row_count == 0) return not_found(call, kind, &names);
    if (!internal_value(&found, 0, 3).boolean)
        return status_format(call->arena, E_WRONG_OBJECT_TYPE, "\"%s\" is not a%s %s",
            arena_string(call->arena, datum_as_bytes(array_item(&names, (int32_t[]){names.lower[0] + (int32_t)names.count - 1}, 1))),
            strchr("aeiou", kind->name[0]) != NULL ? "n" : "", kind->name);
    for (unsigned i = 0; i < 3; i++) state->values[i] = internal_value(&found, 0, i);
out:
    return st;
}

NEXT(found_next)
{
    struct addressed *state = state_;
    (void)call;
    *done = state->given;
    state->given = true;
    memcpy(row, state->values, sizeof state->values);
    return STATUS_OK;
}

static const struct set_ops found_address = {.column_count = 3,
    .column_names = (const char *const[]){"classid", "objid", "objsubid"},
    .column_types = (const type_oid[]){TYPE_OID, TYPE_OID, TYPE_INT4},
    .state_bytes = sizeof(struct addressed),
    .start = find_start,
    .next = found_next};

static const struct function functions[] = {
    {.name = "pg_identify_object", .kind = FUNCTION_SET, .oid = 3839, .result = TYPE_RECORD,
        .strict = true, .volatility = FUNCTION_STABLE, .set = &identity,
        FN_ARGS(TYPE_OID, TYPE_OID, TYPE_INT4)},
    {.name = "pg_identify_object_as_address", .kind = FUNCTION_SET, .oid = 3382,
        .result = TYPE_RECORD, .strict = true, .volatility = FUNCTION_STABLE, .set = &address,
        FN_ARGS(TYPE_OID, TYPE_OID, TYPE_INT4)},
    {.name = "pg_get_object_address", .kind = FUNCTION_SET, .oid = 3954, .result = TYPE_RECORD,
        .strict = true, .volatility = FUNCTION_STABLE, .set = &found_address,
        FN_ARGS(TYPE_TEXT, TYPE_TEXT_ARRAY, TYPE_TEXT_ARRAY)},
};

void pg_functions_address_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}
