// SPDX-License-Identifier: GPL-3.0-or-later
//
// Queries: joins, groups, windows, sets, and the order of all columns where LIMIT needs one.
#include "tests/sim/sql_gen.h"

#define COLUMNS_MAX 4u

static const char *const query_names[COLUMNS_MAX] = {"c1", "c2", "c3", "c4"};

static const char *alias_new(struct sql_gen *gen)
{
    return arena_printf(gen->arena, "q%u", ++gen->aliases);
}

// --- FROM ----------------------------------------------------------------------------------------

static void source_table(struct sql_gen *gen, struct gen_source *source)
{
    uint32_t at = gen_below(gen, gen->schema->table_count);
    const struct gen_table *table = &gen->schema->tables[at];
    gen_put(gen, "%s%c%c AS %s", table->name, GEN_HINT, (char)('a' + at), source->alias);
    source->columns = table->columns;
    source->column_count = table->column_count;
}

static void source_query(
    struct sql_gen *gen, const struct gen_scope *outer, struct gen_source *source, uint32_t depth)
{
    enum gen_type types[COLUMNS_MAX];
    uint32_t count = 1 + gen_below(gen, 3);
    struct gen_column *columns = ARENA_ARRAY(gen->arena, struct gen_column, count);
    for (uint32_t i = 0; i < count; i++) {
        types[i] = gen_type_draw(gen);
        columns[i] = (struct gen_column){.name = query_names[i], .type = types[i]};
    }
    gen_put(gen, "(");
    gen_query(gen, outer, types, count, depth - 1);
    gen_put(gen, ") AS %s", source->alias);
    source->columns = columns;
    source->column_count = count;
}

// The newest source's columns against those before it.
static void join_condition(struct sql_gen *gen, const struct gen_scope *scope, bool equal_only)
{
    const struct gen_source *last = &scope->sources[scope->count - 1];
    const struct gen_source *other = &scope->sources[gen_below(gen, scope->count - 1)];
    uint32_t found = 0, left = 0, right = 0;
    for (uint32_t i = 0; i < other->column_count; i++) {
        for (uint32_t k = 0; k < last->column_count; k++) {
            if (other->columns[i].type != last->columns[k].type || gen_below(gen, ++found) != 0) continue;
            left = i;
            right = k;
        }
    }
    if (found == 0 && equal_only)
        gen_put(gen, "TRUE");
    else if (found == 0)
        gen_put(gen, "%s.%s IS NOT NULL", last->alias, last->columns[0].name);
    else
        gen_put(gen, "%s.%s = %s.%s", other->alias, other->columns[left].name, last->alias, last->columns[right].name);
    if (equal_only || !gen_chance(gen, 25)) return;
    gen_put(gen, " AND ");
    gen_expression(gen, scope, GEN_BOOL, 1);
}

static void from(struct sql_gen *gen, struct gen_scope *scope, uint32_t depth)
{
    static const char *const joins[] = {" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "};
    uint32_t wanted = gen_chance(gen, 45) ? 1 : gen_chance(gen, 70) ? 2 : 3;
    gen_put(gen, " FROM ");
    while (scope->count < wanted) {
        struct gen_source *source = &scope->sources[scope->count];
        uint32_t how = gen_below(gen, 5);
        bool cross = scope->count > 0 && gen_chance(gen, 12);
        bool lateral = scope->count > 0 && depth > 0 && gen_chance(gen, 10);
        source->alias = alias_new(gen);
        if (lateral) {
            struct gen_scope before = *scope;
            gen_put(gen, gen_chance(gen, 50) ? " JOIN LATERAL " : " LEFT JOIN LATERAL ");
            source_query(gen, &before, source, depth);
            gen_put(gen, " ON TRUE");
            scope->count++;
            continue;
        }
        if (scope->count > 0) gen_put(gen, "%s", cross ? " CROSS JOIN " : joins[how]);
        if (depth > 0 && gen_chance(gen, 20))
            source_query(gen, scope->outer, source, depth);
        else
            source_table(gen, source);
        scope->count++;
        if (scope->count == 1 || cross) continue;
        gen_put(gen, " ON ");
        join_condition(gen, scope, how == 4);
    }
}

// --- SELECT --------------------------------------------------------------------------------------

// In the order of what is gathered: equal ones look the same.
static void gathered(struct sql_gen *gen, const struct gen_scope *scope)
{
    struct buffer before = gen->out;
    buffer_init(&gen->out, gen->arena);
    gen_expression(gen, scope, GEN_TEXT, 1);
    const char *each = buffer_string(&gen->out);
    gen->out = before;
    gen_put(gen, "string_agg(");
    buffer_append_string(&gen->out, each);
    gen_put(gen, ", ',' ORDER BY ");
    buffer_append_string(&gen->out, each);
    gen_put(gen, ")");
}

static void aggregate(struct sql_gen *gen, const struct gen_scope *outer, enum gen_type type, uint32_t depth)
{
    // One of an outer query's columns alone would belong to that query.
    struct gen_scope inner = *outer, *scope = &inner;
    inner.outer = NULL;
    const char *distinct = gen_chance(gen, 15) ? "DISTINCT " : "";
    switch (type) {
    case GEN_INT:
        if (gen_chance(gen, 40)) {
            gen_put(gen, "count(*)");
        } else {
            gen_put(gen, "%s(%s", gen_chance(gen, 40) ? "count" : gen_chance(gen, 50) ? "min" : "sum", distinct);
            gen_expression(gen, scope, GEN_INT, depth);
            gen_put(gen, ")");
        }
        break;
    case GEN_BIGINT:
        gen_put(gen, "sum(%s", distinct);
        gen_expression(gen, scope, GEN_INT, depth);
        gen_put(gen, ")");
        break;
    case GEN_BOOL:
        gen_put(gen, gen_chance(gen, 50) ? "bool_and(" : "bool_or(");
        gen_expression(gen, scope, GEN_BOOL, depth);
        gen_put(gen, ")");
        break;
    case GEN_NUMERIC:
        gen_put(gen, "%s(%s", gen_chance(gen, 50) ? "sum" : "max", distinct);
        gen_expression(gen, scope, GEN_NUMERIC, depth);
        gen_put(gen, ")");
        break;
    case GEN_TEXT:
    case GEN_DATE:
    default:
        if (type == GEN_TEXT && gen_chance(gen, 30)) {
            gathered(gen, scope);
        } else {
            gen_put(gen, gen_chance(gen, 50) ? "min(" : "max(");
            gen_expression(gen, scope, type, depth);
            gen_put(gen, ")");
        }
    }
    if (gen_chance(gen, 15)) {
        gen_put(gen, " FILTER (WHERE ");
        gen_expression(gen, scope, GEN_BOOL, 1);
        gen_put(gen, ")");
    }
    if (type == GEN_INT) gen_put(gen, "::int");
    if (type == GEN_BIGINT) gen_put(gen, "::bigint");
}

static void where(struct sql_gen *gen, const struct gen_scope *scope, uint32_t depth)
{
    if (gen_chance(gen, 35)) return;
    gen_put(gen, " WHERE ");
    gen_expression(gen, scope, GEN_BOOL, depth);
    for (uint32_t i = gen_below(gen, 3); i > 0; i--) {
        gen_put(gen, " AND ");
        gen_expression(gen, scope, GEN_BOOL, 1);
    }
}

// The SELECT list stands before FROM, which says what it may name: made behind it, and put before it.
static struct buffer list_begin(struct sql_gen *gen)
{
    struct buffer before = gen->out;
    buffer_init(&gen->out, gen->arena);
    return before;
}

static struct buffer list_middle(struct sql_gen *gen)
{
    struct buffer clauses = gen->out;
    buffer_init(&gen->out, gen->arena);
    return clauses;
}

static void list_end(struct sql_gen *gen, struct buffer before, struct buffer clauses)
{
    buffer_append_bytes(&before, buffer_bytes(&gen->out));
    buffer_append_bytes(&before, buffer_bytes(&clauses));
    gen->out = before;
}

static void select_plain(struct sql_gen *gen, const struct gen_scope *outer, const enum gen_type *types,
    uint32_t count, uint32_t depth)
{
    struct gen_scope scope = {.outer = outer};
    struct buffer before = list_begin(gen);
    from(gen, &scope, depth);
    where(gen, &scope, depth);
    struct buffer clauses = list_middle(gen);
    bool windows = gen_chance(gen, 12);
    gen_put(gen, "SELECT %s", gen_chance(gen, 15) ? "DISTINCT " : "");
    for (uint32_t i = 0; i < count; i++) {
        if (windows && (types[i] == GEN_INT || types[i] == GEN_BIGINT)) {
            static const char *const functions[] = {"rank()", "dense_rank()", "count(*)"};
            gen_put(gen, "(%s OVER (", functions[gen_below(gen, 3)]);
            if (gen_chance(gen, 50)) {
                gen_put(gen, "PARTITION BY ");
                gen_expression(gen, &scope, gen_type_in(gen, &scope), 1);
            }
            gen_put(gen, " ORDER BY ");
            gen_expression(gen, &scope, gen_type_in(gen, &scope), 1);
            gen_put(gen, "))::%s", gen_type_name(types[i]));
        } else {
            gen_expression(gen, &scope, types[i], depth);
        }
        gen_put(gen, " AS %s%s", query_names[i], i + 1 < count ? ", " : "");
    }
    list_end(gen, before, clauses);
}

// What is grouped by stands in the list word by word.
static void select_grouped(struct sql_gen *gen, const struct gen_scope *outer, const enum gen_type *types,
    uint32_t count, uint32_t depth)
{
    struct gen_scope scope = {.outer = outer};
    bool grouped[COLUMNS_MAX], some = false;
    const char *keys[COLUMNS_MAX];
    struct buffer before = list_begin(gen);
    from(gen, &scope, depth);
    where(gen, &scope, depth);
    for (uint32_t i = 0; i < count; i++) {
        grouped[i] = gen_chance(gen, 45);
        if (!grouped[i]) continue;
        struct buffer clauses = list_middle(gen);
        // A number alone would be the place of a column in the list.
        gen_put(gen, "CAST(");
        gen_expression(gen, &scope, types[i], 1);
        gen_put(gen, " AS %s)", gen_type_name(types[i]));
        keys[i] = buffer_string(&gen->out);
        gen->out = clauses;
        some = true;
    }
    if (some) {
        bool sets = gen_chance(gen, 12), first = true;
        gen_put(gen, sets ? " GROUP BY ROLLUP (" : " GROUP BY ");
        for (uint32_t i = 0; i < count; i++) {
            if (!grouped[i]) continue;
            gen_put(gen, "%s", first ? "" : ", ");
            buffer_append_string(&gen->out, keys[i]);
            first = false;
        }
        if (sets) gen_put(gen, ")");
        if (gen_chance(gen, 25)) {
            gen_put(gen, " HAVING ");
            aggregate(gen, &scope, GEN_INT, 1);
            gen_put(gen, " > %u", gen_below(gen, 4));
        }
    }
    struct buffer clauses = list_middle(gen);
    gen_put(gen, "SELECT ");
    for (uint32_t i = 0; i < count; i++) {
        if (grouped[i])
            buffer_append_string(&gen->out, keys[i]);
        else
            aggregate(gen, &scope, types[i], 1);
        gen_put(gen, " AS %s%s", query_names[i], i + 1 < count ? ", " : "");
    }
    list_end(gen, before, clauses);
}

static void set_operation(struct sql_gen *gen, const struct gen_scope *outer, const enum gen_type *types,
    uint32_t count, uint32_t depth)
{
    static const char *const operations[] = {"UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"};
    gen_put(gen, "(");
    gen_query(gen, outer, types, count, depth - 1);
    gen_put(gen, ") %s (", operations[gen_below(gen, 6)]);
    gen_query(gen, outer, types, count, depth - 1);
    gen_put(gen, ")");
}

static void values(struct sql_gen *gen, const enum gen_type *types, uint32_t count)
{
    const char *alias = alias_new(gen);
    gen_put(gen, "SELECT * FROM (VALUES ");
    for (uint32_t row = 1 + gen_below(gen, 4); row > 0; row--) {
        for (uint32_t i = 0; i < count; i++) {
            gen_put(gen, i == 0 ? "(" : ", ");
            gen_literal(gen, types[i]);
        }
        gen_put(gen, row > 1 ? "), " : ")");
    }
    gen_put(gen, ") AS %s (", alias);
    for (uint32_t i = 0; i < count; i++)
        gen_put(gen, "%s%s", query_names[i], i + 1 < count ? ", " : ")");
}

static void with(struct sql_gen *gen, const struct gen_scope *outer, const enum gen_type *types,
    uint32_t count, uint32_t depth)
{
    static const char *const how[] = {"", "MATERIALIZED ", "NOT MATERIALIZED "};
    const char *name = alias_new(gen), *a = alias_new(gen), *b = alias_new(gen);
    gen_put(gen, "WITH %s AS %s(", name, how[gen_below(gen, 3)]);
    gen_query(gen, outer, types, count, depth - 1);
    gen_put(gen, ") SELECT ");
    for (uint32_t i = 0; i < count; i++)
        gen_put(gen, "%s.%s AS %s%s", gen_chance(gen, 70) ? a : b, query_names[i], query_names[i], i + 1 < count ? ", " : "");
    gen_put(gen, " FROM %s AS %s %sJOIN %s AS %s ON %s.c1 = %s.c1", name, a, gen_chance(gen, 40) ? "LEFT " : "", name, b, a, b);
}

static void order_all(struct sql_gen *gen, uint32_t count)
{
    static const char *const directions[] = {"", "", " DESC", " DESC NULLS LAST", " NULLS FIRST"};
    gen_put(gen, " ORDER BY ");
    uint32_t first = gen_below(gen, count);
    for (uint32_t i = 0; i < count; i++)
        gen_put(gen, "%u%s%s", (first + i) % count + 1, directions[gen_below(gen, 5)], i + 1 < count ? ", " : "");
}

static void limit(struct sql_gen *gen)
{
    if (gen_chance(gen, 70)) gen_put(gen, " LIMIT %u", gen_below(gen, 12));
    if (gen_chance(gen, 30)) gen_put(gen, " OFFSET %u", gen_below(gen, 5));
}

static void body(struct sql_gen *gen, const struct gen_scope *outer, const enum gen_type *types,
    uint32_t count, uint32_t depth)
{
    uint32_t what = gen_below(gen, 100);
    if (depth > 0 && what < 10)
        set_operation(gen, outer, types, count, depth);
    else if (depth > 0 && what < 15)
        with(gen, outer, types, count, depth);
    else if (what < 18)
        values(gen, types, count);
    else if (what < 40)
        select_grouped(gen, outer, types, count, depth);
    else
        select_plain(gen, outer, types, count, depth);
}

void gen_query(struct sql_gen *gen, const struct gen_scope *outer, const enum gen_type *types,
    uint32_t count, uint32_t depth)
{
    if (depth > 3) depth = 0; // Of a depth of 0 less 1.
    body(gen, outer, types, count, depth);
    if (!gen_chance(gen, 10)) return;
    order_all(gen, count);
    limit(gen);
}

// All rows of a table by some of its columns, and its rows locked.
static void read_table(struct sql_gen *gen, struct gen_statement *statement)
{
    static const char *const locks[] = {"", "", " FOR UPDATE", " FOR SHARE"};
    struct gen_scope scope = {.count = 1};
    uint32_t at = gen_below(gen, gen->schema->table_count);
    const struct gen_table *table = &gen->schema->tables[at];
    scope.sources[0] = (struct gen_source){"a", table->columns, table->column_count};
    gen_put(gen, "SELECT * FROM %s%c%c AS a", table->name, GEN_HINT, (char)('a' + at));
    where(gen, &scope, 2);
    statement->ordered = gen_chance(gen, 50);
    if (statement->ordered) {
        order_all(gen, table->column_count);
        if (gen_chance(gen, 50)) limit(gen);
    }
    gen_put(gen, "%s", locks[gen_below(gen, 4)]);
}

void gen_read(struct sql_gen *gen, struct gen_statement *statement)
{
    enum gen_type types[COLUMNS_MAX];
    uint32_t count = 1 + gen_below(gen, COLUMNS_MAX - 1);
    gen_begin(gen);
    *statement = (struct gen_statement){0};
    if (gen_chance(gen, 25)) {
        read_table(gen, statement);
    } else {
        for (uint32_t i = 0; i < count; i++)
            types[i] = gen_type_draw(gen);
        if (gen_chance(gen, 6)) {
            gen_put(gen, "SELECT DISTINCT ON (c1) * FROM (");
            body(gen, NULL, types, count, 2);
            gen_put(gen, ") AS d ORDER BY 1");
            for (uint32_t i = 2; i <= count; i++)
                gen_put(gen, ", %u", i);
            statement->ordered = true;
        } else {
            body(gen, NULL, types, count, 2);
            statement->ordered = gen_chance(gen, 50);
            if (statement->ordered) order_all(gen, count);
            if (statement->ordered && gen_chance(gen, 50)) limit(gen);
        }
    }
    statement->sql = gen_end(gen);
}
