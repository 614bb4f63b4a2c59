// SPDX-License-Identifier: GPL-3.0-or-later
//
// information_schema: types that users make, what is of them, and the functions that users make: queries over pg_catalog.
//
// Source   PostgreSQL 15 manual, chapter 37.
#include "sql/catalog/pg_catalog.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_, sql_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink) \
    { \
        return pg_query_rows(task, session, sink, sql_); \
    }

// Columns of what is of the type `t`, an alias of pg_type in the schema `n`.
#define DATA_TYPE(t, n) \
    "CASE WHEN " t ".typelem <> 0 AND " t ".typlen = -1 THEN 'ARRAY' " \
    "WHEN " n ".nspname = 'pg_catalog' THEN format_type(" t ".oid, NULL) ELSE 'USER-DEFINED' END"
#define CHARACTERS(t, m) \
    "CASE WHEN " t " IN (1042, 1043) AND " m " >= 4 THEN " m " - 4 " \
    "WHEN " t " IN (1560, 1562) AND " m " >= 0 THEN " m " END, " \
    "CASE WHEN " t " IN (1042, 1043) AND " m " >= 4 THEN (" m " - 4) * 4 " \
    "WHEN " t " IN (25, 1042, 1043) THEN 1073741824 END, NULL, NULL, NULL"
#define NUMBERS(t, m) \
    "CASE WHEN " t " = 21 THEN 16 WHEN " t " = 23 THEN 32 WHEN " t " = 20 THEN 64 WHEN " t " = 700 THEN 24 " \
    "WHEN " t " = 701 THEN 53 WHEN " t " = 1700 AND " m " >= 4 THEN ((" m " - 4) >> 16) & 65535 END, " \
    "CASE WHEN " t " IN (20, 21, 23, 700, 701) THEN 2 WHEN " t " = 1700 THEN 10 END, " \
    "CASE WHEN " t " IN (20, 21, 23) THEN 0 WHEN " t " = 1700 AND " m " >= 4 THEN (" m " - 4) & 2047 END, " \
    "CASE WHEN " t " = 1082 THEN 0 WHEN " t " IN (1083, 1266, 1114, 1184) THEN CASE WHEN " m " < 0 THEN 6 ELSE " m " END " \
    "WHEN " t " = 1186 THEN CASE WHEN " m " < 0 OR " m " & 65535 = 65535 THEN 6 ELSE " m " & 65535 END END, NULL, NULL"
#define COLLATED "CASE WHEN l.oid <> 100 THEN current_database() END, CASE WHEN l.oid <> 100 THEN nl.nspname END, " \
    "CASE WHEN l.oid <> 100 THEN l.collname END"
#define NULLS_4 "NULL, NULL, NULL, NULL"
#define NULLS_24 NULLS_4 ", " NULLS_4 ", " NULLS_4 ", " NULLS_4 ", " NULLS_4 ", " NULLS_4

// --- types ---------------------------------------------------------------------------------------------

ROWS(attribute_rows,
    "SELECT current_database(), nc.nspname, c.relname, a.attname, a.attnum::int4, NULL, "
    "CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END, " DATA_TYPE("t", "nt") ", "
    CHARACTERS("t.oid", "a.atttypmod") ", " COLLATED ", " NUMBERS("t.oid", "a.atttypmod") ", "
    "current_database(), nt.nspname, t.typname, NULL, NULL, NULL, NULL, a.attnum::text, 'NO' "
    "FROM pg_class c JOIN pg_namespace nc ON nc.oid = c.relnamespace "
    "JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid "
    "JOIN pg_namespace nt ON nt.oid = t.typnamespace LEFT JOIN pg_collation l ON l.oid = a.attcollation "
    "LEFT JOIN pg_namespace nl ON nl.oid = l.collnamespace "
    "WHERE c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped")

ROWS(user_type_rows,
    "SELECT current_database(), n.nspname, c.relname, 'STRUCTURED', 'YES', " NULLS_24
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'c'")

ROWS(domain_rows,
    "SELECT current_database(), nd.nspname, d.typname, " DATA_TYPE("t", "nt") ", "
    CHARACTERS("t.oid", "d.typtypmod") ", " COLLATED ", " NUMBERS("t.oid", "d.typtypmod") ", "
    "d.typdefault, current_database(), nt.nspname, t.typname, NULL, NULL, NULL, NULL, '1' "
    "FROM pg_type d JOIN pg_namespace nd ON nd.oid = d.typnamespace JOIN pg_type t ON t.oid = d.typbasetype "
    "JOIN pg_namespace nt ON nt.oid = t.typnamespace LEFT JOIN pg_collation l ON l.oid = d.typcollation "
    "LEFT JOIN pg_namespace nl ON nl.oid = l.collnamespace WHERE d.typtype = 'd'")

ROWS(domain_constraint_rows,
    "SELECT current_database(), nc.nspname, c.conname, current_database(), nd.nspname, d.typname, 'NO', 'NO' "
    "FROM pg_constraint c JOIN pg_namespace nc ON nc.oid = c.connamespace JOIN pg_type d ON d.oid = c.contypid "
    "JOIN pg_namespace nd ON nd.oid = d.typnamespace WHERE c.contypid <> 0")

ROWS(domain_use_rows,
    "SELECT current_database(), nt.nspname, t.typname, current_database(), nd.nspname, d.typname "
    "FROM pg_type d JOIN pg_namespace nd ON nd.oid = d.typnamespace JOIN pg_type t ON t.oid = d.typbasetype "
    "JOIN pg_namespace nt ON nt.oid = t.typnamespace WHERE d.typtype = 'd' AND pg_has_role(t.typowner, 'USAGE')")

#define COLUMN_TYPES \
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace nc ON nc.oid = c.relnamespace " \
    "JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace nt ON nt.oid = t.typnamespace "
#define COLUMN_SHOWN " AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'f', 'p')"

ROWS(column_domain_rows,
    "SELECT current_database(), nt.nspname, t.typname, current_database(), nc.nspname, c.relname, a.attname "
    COLUMN_TYPES "WHERE t.typtype = 'd' AND pg_has_role(t.typowner, 'USAGE')" COLUMN_SHOWN)

ROWS(column_type_rows,
    "SELECT current_database(), coalesce(nb.nspname, nt.nspname), coalesce(b.typname, t.typname), current_database(), "
    "nc.nspname, c.relname, a.attname " COLUMN_TYPES
    "LEFT JOIN pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd' LEFT JOIN pg_namespace nb ON nb.oid = b.typnamespace "
    "WHERE pg_has_role(coalesce(b.typowner, t.typowner), 'USAGE')" COLUMN_SHOWN)

static const struct pg_table tables[] = {
    {"attributes",
        "udt_catalog name, udt_schema name, udt_name name, attribute_name name, "
        "ordinal_position int4, attribute_default varchar, is_nullable varchar, "
        "data_type varchar, character_maximum_length int4, character_octet_length int4, "
        "character_set_catalog name, character_set_schema name, character_set_name name, "
        "collation_catalog name, collation_schema name, collation_name name, "
        "numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, "
        "datetime_precision int4, interval_type varchar, interval_precision int4, "
        "attribute_udt_catalog name, attribute_udt_schema name, attribute_udt_name name, "
        "scope_catalog name, scope_schema name, scope_name name, "
        "maximum_cardinality int4, dtd_identifier name, "
        "is_derived_reference_attribute varchar",
        attribute_rows},
    {"user_defined_types",
        "user_defined_type_catalog name, user_defined_type_schema name, "
        "user_defined_type_name name, user_defined_type_category varchar, "
        "is_instantiable varchar, is_final varchar, ordering_form varchar, "
        "ordering_category varchar, ordering_routine_catalog name, "
        "ordering_routine_schema name, ordering_routine_name name, "
        "reference_type varchar, data_type varchar, character_maximum_length int4, "
        "character_octet_length int4, character_set_catalog name, "
        "character_set_schema name, character_set_name name, collation_catalog name, "
        "collation_schema name, collation_name name, numeric_precision int4, "
        "numeric_precision_radix int4, numeric_scale int4, datetime_precision int4, "
        "interval_type varchar, interval_precision int4, source_dtd_identifier name, "
        "ref_dtd_identifier name",
        user_type_rows},
    {"domains",
        "domain_catalog name, domain_schema name, domain_name name, data_type varchar, "
        "character_maximum_length int4, character_octet_length int4, "
        "character_set_catalog name, character_set_schema name, character_set_name name, "
        "collation_catalog name, collation_schema name, collation_name name, "
        "numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, "
        "datetime_precision int4, interval_type varchar, interval_precision int4, "
        "domain_default varchar, udt_catalog name, udt_schema name, udt_name name, "
        "scope_catalog name, scope_schema name, scope_name name, "
        "maximum_cardinality int4, dtd_identifier name",
        domain_rows},
    {"domain_constraints",
        "constraint_catalog name, constraint_schema name, constraint_name name, "
        "domain_catalog name, domain_schema name, domain_name name, "
        "is_deferrable varchar, initially_deferred varchar",
        domain_constraint_rows},
    {"domain_udt_usage",
        "udt_catalog name, udt_schema name, udt_name name, domain_catalog name, "
        "domain_schema name, domain_name name",
        domain_use_rows},
    {"column_domain_usage",
        "domain_catalog name, domain_schema name, domain_name name, table_catalog name, "
        "table_schema name, table_name name, column_name name",
        column_domain_rows},
    {"column_udt_usage",
        "udt_catalog name, udt_schema name, udt_name name, table_catalog name, "
        "table_schema name, table_name name, column_name name",
        column_type_rows},
};

void information_schema_types_register(void)
{
    pg_tables_register("information_schema", tables, COUNT(tables));
}
