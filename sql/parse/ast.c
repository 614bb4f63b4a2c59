// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/parse/ast.h"

#include "core/invariant.h"

const char *statement_tag_name(enum statement_tag tag)
{
    static const char *const names[] = {
#define STATEMENT_TAG_NAME(tag, member, name) [STATEMENT_##tag] = name,
        STATEMENT_TAGS(STATEMENT_TAG_NAME)
#undef STATEMENT_TAG_NAME
    };
    invariant((unsigned)tag < STATEMENT_TAG_COUNT);
    return names[tag];
}

static const char *const object_names[] = {
    [OBJECT_TABLE] = "table",
    [OBJECT_VIEW] = "view",
    [OBJECT_MATERIALIZED_VIEW] = "materialized view",
    [OBJECT_INDEX] = "index",
    [OBJECT_SEQUENCE] = "sequence",
    [OBJECT_SCHEMA] = "schema",
    [OBJECT_DATABASE] = "database",
    [OBJECT_TYPE] = "type",
    [OBJECT_DOMAIN] = "domain",
    [OBJECT_FUNCTION] = "function",
    [OBJECT_PROCEDURE] = "procedure",
    [OBJECT_ROUTINE] = "routine",
    [OBJECT_AGGREGATE] = "aggregate",
    [OBJECT_COLUMN] = "column",
    [OBJECT_CONSTRAINT] = "constraint",
    [OBJECT_DOMAIN_CONSTRAINT] = "constraint of a domain",
    [OBJECT_ROLE] = "role",
    [OBJECT_TRIGGER] = "trigger",
    [OBJECT_POLICY] = "policy",
    [OBJECT_EXTENSION] = "extension",
    [OBJECT_STATISTICS] = "statistics object",
    [OBJECT_COLLATION] = "collation",
    [OBJECT_ATTRIBUTE] = "attribute",
    [OBJECT_LANGUAGE] = "language",
    [OBJECT_LARGE_OBJECT] = "large object",
    [OBJECT_TABLESPACE] = "tablespace",
    [OBJECT_OTHER] = "object",
    [OBJECT_RANGE] = "range",
    [OBJECT_PARTITION] = "partition",
};

const char *object_kind_name(enum object_kind kind)
{
    return object_names[kind];
}

// Upper-case names after a verb, for command tags.
static const char *drop_name(enum object_kind kind)
{
    static const char *const names[] = {
        [OBJECT_TABLE] = "DROP TABLE",
        [OBJECT_VIEW] = "DROP VIEW",
        [OBJECT_MATERIALIZED_VIEW] = "DROP MATERIALIZED VIEW",
        [OBJECT_INDEX] = "DROP INDEX",
        [OBJECT_SEQUENCE] = "DROP SEQUENCE",
        [OBJECT_SCHEMA] = "DROP SCHEMA",
        [OBJECT_DATABASE] = "DROP DATABASE",
        [OBJECT_TYPE] = "DROP TYPE",
        [OBJECT_DOMAIN] = "DROP DOMAIN",
        [OBJECT_FUNCTION] = "DROP FUNCTION",
        [OBJECT_PROCEDURE] = "DROP PROCEDURE",
        [OBJECT_ROUTINE] = "DROP ROUTINE",
        [OBJECT_AGGREGATE] = "DROP AGGREGATE",
        [OBJECT_ROLE] = "DROP ROLE",
        [OBJECT_TRIGGER] = "DROP TRIGGER",
        [OBJECT_POLICY] = "DROP POLICY",
        [OBJECT_EXTENSION] = "DROP EXTENSION",
        [OBJECT_STATISTICS] = "DROP STATISTICS",
        [OBJECT_COLLATION] = "DROP COLLATION",
        [OBJECT_PARTITION] = NULL,
    };
    return names[kind] == NULL ? "DROP" : names[kind];
}

static const char *alter_name(enum object_kind kind)
{
    switch (kind) {
    case OBJECT_VIEW: return "ALTER VIEW";
    case OBJECT_MATERIALIZED_VIEW: return "ALTER MATERIALIZED VIEW";
    case OBJECT_INDEX: return "ALTER INDEX";
    case OBJECT_SEQUENCE: return "ALTER SEQUENCE";
    case OBJECT_SCHEMA: return "ALTER SCHEMA";
    case OBJECT_DATABASE: return "ALTER DATABASE";
    case OBJECT_TYPE:
    case OBJECT_ATTRIBUTE: return "ALTER TYPE";
    case OBJECT_DOMAIN:
    case OBJECT_DOMAIN_CONSTRAINT: return "ALTER DOMAIN";
    case OBJECT_FUNCTION: return "ALTER FUNCTION";
    case OBJECT_PROCEDURE: return "ALTER PROCEDURE";
    case OBJECT_ROUTINE: return "ALTER ROUTINE";
    case OBJECT_AGGREGATE: return "ALTER AGGREGATE";
    case OBJECT_ROLE: return "ALTER ROLE";
    case OBJECT_TRIGGER: return "ALTER TRIGGER";
    case OBJECT_POLICY: return "ALTER POLICY";
    case OBJECT_EXTENSION: return "ALTER EXTENSION";
    case OBJECT_STATISTICS: return "ALTER STATISTICS";
    case OBJECT_COLLATION: return "ALTER COLLATION";
    case OBJECT_LARGE_OBJECT: return "ALTER LARGE OBJECT";
    default: return "ALTER TABLE";
    }
}

static const char *job_name(const struct job_control *control)
{
    bool one = control->id != NULL;
    switch (control->action) {
    case JOB_PAUSE: return one ? "PAUSE JOB" : "PAUSE JOBS";
    case JOB_RESUME: return one ? "RESUME JOB" : "RESUME JOBS";
    default: return one ? "CANCEL JOB" : "CANCEL JOBS";
    }
}

static const char *split_name(enum split_kind kind)
{
    switch (kind) {
    case SPLIT_AT: return "SPLIT";
    case SCATTER: return "SCATTER";
    case RELOCATE_LEASE:
    case RELOCATE_VOTERS: return "ALTER RANGE";
    default: return "UNSPLIT";
    }
}

const char *statement_name(const struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_UNSUPPORTED: return statement->as.unsupported->feature;
    case STATEMENT_DROP: return drop_name(statement->as.drop->object);
    case STATEMENT_ALTER_TABLE: return alter_name(statement->as.alter_table->object);
    case STATEMENT_ALTER_OWNER: return alter_name(statement->as.alter_owner->object);
    case STATEMENT_ALTER_OBJECT_SCHEMA:
        return alter_name(statement->as.alter_object_schema->object);
    case STATEMENT_RENAME:
        return alter_name(statement->as.rename->object == OBJECT_COLUMN
                              ? statement->as.rename->relation
                              : statement->as.rename->object);
    case STATEMENT_FETCH: return statement->as.fetch->move ? "MOVE" : "FETCH";
    case STATEMENT_CLOSE_CURSOR:
        return statement->as.close_cursor->name == NULL ? "CLOSE CURSOR ALL" : "CLOSE CURSOR";
    case STATEMENT_DEALLOCATE:
        return statement->as.deallocate->name == NULL ? "DEALLOCATE ALL" : "DEALLOCATE";
    case STATEMENT_DISCARD: {
        static const char *const names[] = {
            "DISCARD ALL", "DISCARD PLANS", "DISCARD SEQUENCES", "DISCARD TEMP"};
        return names[statement->as.discard->what];
    }
    case STATEMENT_SHOW_VIRTUAL_CLUSTER:
        return statement->as.show_virtual_cluster->all ? "SHOW VIRTUAL CLUSTERS"
                                                       : "SHOW VIRTUAL CLUSTER";
    case STATEMENT_ALTER_VIRTUAL_CLUSTER:
        return statement->as.alter_virtual_cluster->kind >= ALTER_TENANT_PAUSE_REPLICATION &&
                       statement->as.alter_virtual_cluster->kind <= ALTER_TENANT_START_REPLICATION
                   ? "ALTER VIRTUAL CLUSTER REPLICATION"
                   : "ALTER VIRTUAL CLUSTER";
    case STATEMENT_JOB_CONTROL: return job_name(statement->as.job_control);
    case STATEMENT_CANCEL: return statement->as.cancel->session ? "CANCEL SESSION" : "CANCEL QUERY";
    case STATEMENT_SPLIT: return split_name(statement->as.split->kind);
    default: return statement_tag_name(statement->tag);
    }
}

static const char *const sql_value_names[] = {
    [SQL_CURRENT_DATE] = "current_date",
    [SQL_CURRENT_TIME] = "current_time",
    [SQL_CURRENT_TIMESTAMP] = "current_timestamp",
    [SQL_LOCALTIME] = "localtime",
    [SQL_LOCALTIMESTAMP] = "localtimestamp",
    [SQL_CURRENT_ROLE] = "current_role",
    [SQL_CURRENT_USER] = "current_user",
    [SQL_USER] = "user",
    [SQL_SESSION_USER] = "session_user",
    [SQL_CURRENT_CATALOG] = "current_catalog",
    [SQL_CURRENT_SCHEMA] = "current_schema",
};

const char *sql_value_name(enum sql_value value)
{
    return sql_value_names[value];
}

const char *xml_form_name(enum xml_form form)
{
    static const char *const names[] = {[XML_FORM_CONCAT] = "xmlconcat", [XML_FORM_ELEMENT] = "xmlelement",
        [XML_FORM_FOREST] = "xmlforest", [XML_FORM_PARSE] = "xmlparse", [XML_FORM_PI] = "xmlpi",
        [XML_FORM_ROOT] = "xmlroot", [XML_FORM_SERIALIZE] = "xmlserialize", [XML_FORM_TABLE] = "xmltable"};
    return names[form];
}

// Strength 2 is a name worth having, 1 a makeshift that yields to a better one further in.
static const char *derived_name(const struct expr *expr, int *strength)
{
    *strength = 2;
    switch (expr->kind) {
    case EXPR_COLUMN:
        // "t.*" as a value is named after t.
        if (expr->column.count > 0) return expr->column.names[expr->column.count - 1];
        break;
    case EXPR_FIELD:
        if (expr->field.name != NULL) return expr->field.name;
        return derived_name(expr->field.arg, strength);
    case EXPR_SUBSCRIPT: return derived_name(expr->subscript.arg, strength);
    case EXPR_FUNCTION: return expr->function->name;
    case EXPR_NULLIF: return "nullif";
    case EXPR_COALESCE: return "coalesce";
    case EXPR_GREATEST: return "greatest";
    case EXPR_LEAST: return "least";
    case EXPR_GROUPING: return "grouping";
    case EXPR_ARRAY: return "array";
    case EXPR_SQL_VALUE: return sql_value_names[expr->sql_value.value];
    case EXPR_XML:
        if (xml_form_name(expr->xml->form) != NULL) return xml_form_name(expr->xml->form);
        break;
    case EXPR_ROW:
        if (expr->row.spelled || expr->row.items.count != 1) return "row";
        break;
    case EXPR_CAST: {
        const char *name = derived_name(expr->cast.arg, strength);
        if (*strength == 2) return name;
        *strength = 1;
        return expr->cast.type->name;
    }
    case EXPR_CASE: {
        if (expr->casing.otherwise != NULL) {
            const char *name = derived_name(expr->casing.otherwise, strength);
            if (*strength == 2) return name;
        }
        *strength = 1;
        return "case";
    }
    case EXPR_COLLATE: return derived_name(expr->collate.arg, strength);
    case EXPR_SUBLINK:
        if (expr->sublink.kind == SUBLINK_EXISTS) return "exists";
        if (expr->sublink.kind == SUBLINK_ARRAY) return "array";
        if (expr->sublink.kind == SUBLINK_SCALAR) {
            const struct select *query = expr->sublink.query;
            while (query->left != NULL)
                query = query->left;
            if (query->kind == SELECT_VALUES) {
                *strength = 1;
                return "column1";
            }
            if (query->targets.count > 0) {
                if (query->targets.items[0].alias != NULL) return query->targets.items[0].alias;
                return derived_name(query->targets.items[0].expr, strength);
            }
        }
        break;
    default: break;
    }
    *strength = 0;
    return "?column?";
}

const char *target_name(const struct target *target)
{
    if (target->alias != NULL) return target->alias;
    int strength;
    return derived_name(target->expr, &strength);
}
