// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a column's name means where it stands: of which range of FROM, in this query or in one around it; t.*.
#include "sql/bind/bind.h"
#include "sql/catalog/pg_catalog.h"

static struct status is_ambiguous(struct binder *binder, const struct expr *expr, const char *name)
{
    return bind_error(binder, expr->position, E_AMBIGUOUS_COLUMN, "column reference \"%s\" is ambiguous", name);
}

static struct status find_unqualified(struct binder *binder, const struct scope *scope,
    const struct expr *expr, const char *name, struct range_column **found)
{
    *found = NULL;
    for (uint32_t i = 0; i < scope->names.column_count; i++) {
        struct range_column *column = &scope->names.columns[i];
        if (column->name[0] != name[0] || column->merged || strcmp(column->name, name) != 0) continue;
        if (*found != NULL) return is_ambiguous(binder, expr, name);
        *found = column;
    }
    return STATUS_OK;
}

struct range *bind_find_range(const struct scope *scope, const char *schema, const char *name)
{
    for (struct range *range = scope->names.ranges; range != NULL; range = range->next) {
        if (strcmp(range->name, name) != 0) continue;
        if (schema == NULL) return range;
        if (range->home == NULL) continue;
        if (strcmp(range->home, schema) == 0) return range;
        // pg_temp is the session's own.
        if (strcmp(schema, "pg_temp") == 0 && strncmp(range->home, "pg_temp_", 8) == 0) return range;
    }
    return NULL;
}

// The range is there, but by another name, or out of reach from here.
static struct status out_of_reach(
    struct binder *binder, const struct expr *expr, const char *table, const char *alias)
{
    struct status st = bind_error(binder, expr->position, E_UNDEFINED_TABLE,
        "invalid reference to FROM-clause entry for table \"%s\"", table);
    return alias != NULL
               ? status_hint(binder->arena, st, "Perhaps you meant to reference the table alias \"%s\".", alias)
               : status_hint(binder->arena, st,
                     "There is an entry for table \"%s\", but it cannot be referenced from this part of the query.", table);
}

static struct status qualified_range(struct binder *binder, const struct scope *scope,
    const struct expr *expr, uint32_t name_count, struct range **range)
{
    const char *schema = name_count >= 2 ? expr->column.names[name_count - 2] : NULL;
    const char *table = expr->column.names[name_count - 1];
    if (name_count >= 3 && binder->session != NULL &&
        strcmp(expr->column.names[name_count - 3], binder->session->database) != 0)
        return bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
            "cross-database references are not implemented: %s.%s.%s%s%s", expr->column.names[name_count - 3], schema, table,
            expr->column.star ? ".*" : name_count < expr->column.count ? "." : "",
            name_count < expr->column.count ? expr->column.names[name_count] : "");
    for (const struct scope *s = scope; s != NULL; s = s->parent) {
        *range = bind_find_range(s, schema, table);
        if (*range == NULL) continue;
        for (const struct range *other = (*range)->next; other != NULL && schema == NULL; other = other->next)
            if (strcmp(other->name, table) == 0)
                return bind_error(binder, expr->position, SQLSTATE('4', '2', 'P', '0', '9'),
                    "table reference \"%s\" is ambiguous", table);
        return STATUS_OK;
    }
    for (const struct scope *s = scope; s != NULL; s = s->parent) {
        for (const struct range *at = s->names.ranges; at != NULL; at = at->next) {
            const struct relation *relation =
                binder->names == NULL ? NULL : bind_names_by_id(binder->names, at->relation_id);
            if (relation != NULL && strcmp(relation->table->name, table) == 0 &&
                strcmp(at->name, table) != 0 && (schema == NULL || strcmp(relation->schema, schema) == 0))
                return out_of_reach(binder, expr, table, at->name);
            if (strcmp(at->name, table) == 0) return out_of_reach(binder, expr, table, NULL);
        }
    }
    return bind_error(binder, expr->position, E_UNDEFINED_TABLE,
        "missing FROM-clause entry for table \"%s\"", table);
}

// tableoid of what is stored or of the catalog; xmax of what is stored: no row that is read has been replaced or
// locked as far as its reader is told, only what ON CONFLICT has replaced in this statement says so. *out NULL: it is none of these.
static struct status system_column(struct binder *binder, const struct scope *scope, struct range *range,
    const struct expr *expr, struct scalar **out)
{
    const char *name = expr->column.names[expr->column.count - 1];
    uint32_t position = expr->position;
    *out = NULL;
    bool is_tableoid = strcmp(name, "tableoid") == 0, is_xmax = strcmp(name, "xmax") == 0;
    if ((!is_tableoid && !is_xmax) || range == NULL || range->table == NULL) return STATUS_OK;
    bool is_virtual = range->table->kind == RELATION_VIRTUAL;
    if (!range->target && (range->rel == NULL || range->rel->kind != (is_virtual ? REL_VIRTUAL : REL_SCAN))) return STATUS_OK;
    if (is_xmax && (is_virtual || range->deleted)) return STATUS_OK;
    const struct range_column column = {.name = name};
    bind_note_column(binder, scope, NULL, range, expr, &column);
    if (is_xmax && range->xmax != NULL) {
        if (*range->xmax == VAR_NONE) *range->xmax = bind_new_var(binder, name, range->name, TYPE_OF(TYPE_XID));
        *out = bind_var(binder, *range->xmax, position);
        return STATUS_OK;
    }
    type_oid type = is_xmax ? TYPE_XID : TYPE_OID;
    *out = scalar_const(
        binder->arena, TYPE_OF(type), datum_int(is_xmax ? 0 : pg_relation_oid(range->table)), position);
    struct scalar *present = bind_present_column(binder, range);
    if (present != NULL) *out = bind_if_present(binder, present, *out);
    return STATUS_OK;
}

// --- names that are almost there -------------------------------------------------------------------------

#define LIKENESS_MAX 3u // Changed, added and missing letters.

// Up to two columns whose names differ least from the one that was written.
struct alike {
    const char *alias, *name;
    struct {
        const struct range *range;
        const char *name;
    } first, second;
    uint32_t distance;
};

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

// Between names of at most IDENTIFIER_BYTES_MAX: Wagner and Fischer, one row at a time.
static uint32_t name_distance(const char *a, const char *b)
{
    uint32_t row[IDENTIFIER_BYTES_MAX + 1];
    const uint32_t size = least((uint32_t)strlen(b), IDENTIFIER_BYTES_MAX);
    for (uint32_t i = 0; i <= size; i++) row[i] = i;
    for (uint32_t k = 1; *a != '\0'; a++, k++) {
        uint32_t corner = row[0];
        row[0] = k;
        for (uint32_t i = 1; i <= size; i++) {
            const uint32_t changed = corner + (*a != b[i - 1]);
            corner = row[i];
            row[i] = least(changed, least(row[i], row[i - 1]) + 1);
        }
    }
    return row[size];
}

static void consider(struct alike *alike, const struct range *range, const char *name)
{
    const uint32_t penalty = alike->alias == NULL ? 0 : name_distance(alike->alias, range->name);
    uint32_t distance = name_distance(name, alike->name);
    if (penalty > alike->distance || distance > strlen(alike->name) / 2) return;
    distance += penalty;
    if (distance < alike->distance) {
        alike->distance = distance;
        alike->first.range = range;
        alike->first.name = name;
        alike->second.range = NULL;
    } else if (distance == alike->distance && alike->second.range != NULL) {
        alike->first.range = alike->second.range = NULL; // Too many to tell.
        alike->distance = distance == 0 ? 0 : distance - 1;
    } else if (distance == alike->distance && alike->first.range != NULL) {
        alike->second.range = range;
        alike->second.name = name;
    }
}

// In the order of FROM: the last range was added first.
static void look_in_ranges(struct alike *alike, const struct range *ranges)
{
    const struct range *order[16];
    uint32_t count = 0;
    for (; ranges != NULL && count < sizeof order / sizeof *order; ranges = ranges->next)
        order[count++] = ranges;
    while (count-- > 0)
        for (uint32_t i = 0; i < order[count]->column_count && !order[count]->using_alias; i++)
            if (!order[count]->columns[i].hidden)
                consider(alike, order[count], order[count]->columns[i].name);
}

static struct status with_alike(struct binder *binder, const struct scope *scope,
    const char *alias, const char *name, struct status st)
{
    struct alike alike = {.alias = alias, .name = name, .distance = LIKENESS_MAX + 1};
    for (const struct scope *s = scope; s != NULL; s = s->parent)
        look_in_ranges(&alike, s->names.ranges);
    if (alike.first.range == NULL) return st;
    if (alike.second.range == NULL)
        return status_hint(binder->arena, st,
            "Perhaps you meant to reference the column \"%s.%s\".", alike.first.range->name,
            alike.first.name);
    return status_hint(binder->arena, st,
        "Perhaps you meant to reference the column \"%s.%s\" or the column \"%s.%s\".",
        alike.first.range->name, alike.first.name, alike.second.range->name, alike.second.name);
}

// `range` NULL: the name is not qualified.
static struct status no_such_column(struct binder *binder, const struct scope *scope,
    const struct range *range, const char *name, uint32_t position)
{
    static const char *const system_columns[] = {"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"};
    bool stored = range != NULL && range->table != NULL;
    for (const struct range *each = scope->names.ranges; range == NULL && each != NULL; each = each->next)
        stored |= each->table != NULL;
    for (size_t i = 0; stored && i < sizeof system_columns / sizeof *system_columns; i++)
        if (strcmp(name, system_columns[i]) == 0)
            return status_hint(binder->arena,
                bind_error(binder, position, E_FEATURE_NOT_SUPPORTED,
                    "system column %s is not supported", name),
                strcmp(name, "ctid") == 0
                    ? "Rows have no place that names them: use the table's key, or rowid where it has none."
                    : "Transactions and commands have no numbers: keep a version in a column of your own.");
    struct status st = range == NULL
        ? bind_error(binder, position, E_UNDEFINED_COLUMN, "column \"%s\" does not exist", name)
        : bind_error(binder, position, E_UNDEFINED_COLUMN, "column %s.%s does not exist",
              range->name, name);
    return with_alike(binder, scope, range == NULL ? NULL : range->name, name, st);
}

struct status bind_column(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct range_column *column = NULL;
    uint32_t count = expr->column.count;
    const char *name = expr->column.names[count - 1];
    if (count == 1) {
        for (const struct scope *s = scope; s != NULL && column == NULL; s = s->parent) {
            TRY(find_unqualified(binder, s, expr, name, &column));
            if (column != NULL) bind_note_column(binder, scope, s, NULL, expr, column);
        }
        if (column == NULL) {
            struct range *ranges = scope->names.ranges;
            *out = NULL;
            for (struct range *range = ranges; range != NULL; range = range->next) {
                struct scalar *other = *out;
                TRY(system_column(binder, scope, range, expr, out));
                if (*out != NULL && other != NULL) return is_ambiguous(binder, expr, name);
                if (*out == NULL) *out = other;
            }
            if (*out != NULL) return st;
            for (const struct scope *s = scope; s != NULL; s = s->parent) {
                struct range *row = bind_find_range(s, NULL, name);
                if (row == NULL) continue;
                bind_note_row(binder, row, expr);
                *out = bind_whole_row(binder, s, row, expr->position);
                return st;
            }
            TRY(bind_routine_parameter(binder, expr, out));
            if (*out != NULL) return st;
            return no_such_column(binder, scope, NULL, name, expr->position);
        }
    } else {
        struct range *range;
        st = qualified_range(binder, scope, expr, count - 1, &range);
        if (failed(st)) {
            struct status missing = st;
            TRY(bind_routine_parameter(binder, expr, out));
            return *out != NULL ? st : missing;
        }
        for (uint32_t i = 0; i < range->column_count; i++) {
            if (strcmp(range->columns[i].name, name) != 0) continue;
            if (column != NULL) return is_ambiguous(binder, expr, name);
            column = &range->columns[i];
        }
        if (column == NULL) {
            TRY(system_column(binder, scope, range, expr, out));
            if (*out != NULL) return st;
        }
        if (column == NULL) TRY(bind_column_as_call(binder, scope, expr, range, out));
        if (column == NULL && *out != NULL) return st;
        if (column == NULL)
            return no_such_column(binder, scope, range, name, expr->position);
        bind_note_column(binder, scope, NULL, range, expr, column);
    }
    range_column_read(column);
    struct scalar *scalar = ARENA_NEW(binder->arena, struct scalar);
    *scalar = *column->scalar;
    scalar->position = expr->position;
    *out = scalar;

out:
    return st;
}

struct status bind_qualified_range(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct range **range)
{
    return qualified_range(binder, scope, expr, expr->column.count, range);
}

struct status bind_star(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct range_column **columns, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct range_column *all = scope->names.columns;
    uint32_t all_count = scope->names.column_count;
    bool qualified = expr->column.count > 0;
    if (qualified) {
        struct range *range;
        TRY(qualified_range(binder, scope, expr, expr->column.count, &range));
        all = range->columns;
        all_count = range->column_count;
    } else if (scope->names.ranges == NULL) {
        return bind_error(binder, expr->position, E_SYNTAX_ERROR,
            "SELECT * with no tables specified is not valid");
    }
    *columns = ARENA_ARRAY(binder->arena, struct range_column, all_count);
    *count = 0;
    for (uint32_t i = 0; i < all_count; i++) {
        if (all[i].hidden || (!qualified && all[i].merged)) continue;
        range_column_read(&all[i]);
        (*columns)[(*count)++] = all[i];
    }

out:
    return st;
}
