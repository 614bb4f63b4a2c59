// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/sql_gen.h"

#include <stdio.h>

static const char *const type_names[GEN_TYPES] = {"INT", "BIGINT", "TEXT", "BOOL", "NUMERIC(8,2)", "DATE"};
static const char *const words[] = {"", "a", "b", "ab", "ba", "A", "zz", "a_b", "a%"};

uint32_t gen_below(struct sql_gen *gen, uint32_t bound)
{
    return (uint32_t)sim_random_below(gen->random, bound);
}

bool gen_chance(struct sql_gen *gen, uint32_t percent)
{
    return gen_below(gen, 100) < percent;
}

void gen_put(struct sql_gen *gen, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_append(&gen->out, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

void gen_begin(struct sql_gen *gen)
{
    buffer_init(&gen->out, gen->arena);
    gen->aliases = 0;
}

const char *gen_end(struct sql_gen *gen)
{
    return buffer_string(&gen->out);
}

const char *gen_name(struct sql_gen *gen, char kind)
{
    return arena_printf(gen->arena, "%c%u", kind, ++gen->names);
}

const char *gen_type_name(enum gen_type type)
{
    return type_names[type];
}

bool gen_type_parse(const char *name, enum gen_type *type)
{
    static const char *const shown[GEN_TYPES] = {"integer", "bigint", "text", "boolean", "numeric", "date"};
    for (int i = 0; i < GEN_TYPES; i++) {
        if (strcmp(shown[i], name) != 0) continue;
        *type = (enum gen_type)i;
        return true;
    }
    return false;
}

enum gen_type gen_type_draw(struct sql_gen *gen)
{
    return gen_chance(gen, 40) ? GEN_INT : (enum gen_type)gen_below(gen, GEN_TYPES);
}

const struct gen_table *gen_table_draw(struct sql_gen *gen)
{
    return &gen->schema->tables[gen_below(gen, gen->schema->table_count)];
}

enum gen_type gen_type_in(struct sql_gen *gen, const struct gen_scope *scope)
{
    if (scope->count == 0 || gen_chance(gen, 10)) return gen_type_draw(gen);
    const struct gen_source *source = &scope->sources[gen_below(gen, scope->count)];
    return source->columns[gen_below(gen, source->column_count)].type;
}

void gen_literal(struct sql_gen *gen, enum gen_type type)
{
    if (gen_chance(gen, 8))
        gen_put(gen, "NULL::%s", gen_type_name(type));
    else
        gen_value(gen, type);
}

void gen_value(struct sql_gen *gen, enum gen_type type)
{
    int number = (int)gen_below(gen, 26) - 5;
    switch (type) {
    case GEN_INT: gen_put(gen, number < 0 ? "(%d)" : "%d", number); break;
    case GEN_BIGINT: gen_put(gen, "%u::bigint", gen_below(gen, 30)); break;
    case GEN_TEXT: gen_put(gen, "'%s'", words[gen_below(gen, sizeof words / sizeof words[0])]); break;
    case GEN_BOOL: gen_put(gen, gen_chance(gen, 50) ? "TRUE" : "FALSE"); break;
    case GEN_NUMERIC: gen_put(gen, "'%d.%u'::numeric(8,2)", number, 25 * gen_below(gen, 4)); break;
    default: gen_put(gen, "DATE '2024-02-%02u'", 20 + gen_below(gen, 10));
    }
}

// --- expressions ---------------------------------------------------------------------------------

static bool put_column(struct sql_gen *gen, const struct gen_scope *scope, enum gen_type type)
{
    uint32_t found = 0;
    const struct gen_column *chosen = NULL;
    const char *alias = NULL;
    for (; scope != NULL && found == 0; scope = scope->outer) {
        if (scope->outer != NULL && gen_chance(gen, 30)) continue;
        for (uint32_t i = 0; i < scope->count; i++) {
            for (uint32_t k = 0; k < scope->sources[i].column_count; k++) {
                const struct gen_column *column = &scope->sources[i].columns[k];
                if (column->type != type || gen_below(gen, ++found) != 0) continue;
                chosen = column;
                alias = scope->sources[i].alias;
            }
        }
    }
    if (chosen != NULL && alias != NULL) gen_put(gen, "%s.%s", alias, chosen->name);
    if (chosen != NULL && alias == NULL) gen_put(gen, "%s", chosen->name);
    return chosen != NULL;
}

// Mostly something that is not the same for all rows.
static void operand(struct sql_gen *gen, const struct gen_scope *scope, enum gen_type type, uint32_t depth)
{
    if (gen_chance(gen, 65) && put_column(gen, scope, type)) return;
    gen_expression(gen, scope, type, depth);
}

static void pair(struct sql_gen *gen, const struct gen_scope *scope, enum gen_type type,
    uint32_t depth, const char *operator)
{
    gen_put(gen, "(");
    gen_expression(gen, scope, type, depth);
    gen_put(gen, " %s ", operator);
    gen_expression(gen, scope, type, depth);
    gen_put(gen, ")");
}

static void call(struct sql_gen *gen, const struct gen_scope *scope, enum gen_type type,
    uint32_t depth, const char *function, const char *more)
{
    gen_put(gen, "%s(", function);
    gen_expression(gen, scope, type, depth);
    gen_put(gen, "%s)", more);
}

static void call_two(struct sql_gen *gen, const struct gen_scope *scope, enum gen_type type,
    uint32_t depth, const char *function)
{
    gen_put(gen, "%s(", function);
    gen_expression(gen, scope, type, depth);
    gen_put(gen, ", ");
    gen_expression(gen, scope, type, depth);
    gen_put(gen, ")");
}

static const char *comparison(struct sql_gen *gen)
{
    static const char *const operators[] = {"=", "=", "=", "<>", "<", "<=", ">", ">=",
        "IS DISTINCT FROM", "IS NOT DISTINCT FROM"};
    return operators[gen_below(gen, sizeof operators / sizeof operators[0])];
}

static void in_subquery(struct sql_gen *gen, const struct gen_scope *scope, uint32_t depth)
{
    enum gen_type types[2] = {gen_type_in(gen, scope), gen_type_in(gen, scope)};
    uint32_t count = gen_chance(gen, 25) ? 2 : 1;
    if (count == 2) gen_put(gen, "(");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) gen_put(gen, ", ");
        gen_expression(gen, scope, types[i], 0);
    }
    gen_put(gen, count == 2 ? ") %sIN (" : " %sIN (", gen_chance(gen, 30) ? "NOT " : "");
    gen_query(gen, scope, types, count, depth - 1);
    gen_put(gen, ")");
}

static void truth(struct sql_gen *gen, const struct gen_scope *scope, uint32_t depth)
{
    enum gen_type type = gen_type_in(gen, scope);
    static const enum gen_type one = GEN_INT;
    switch (gen_below(gen, depth > 1 ? 17 : 13)) {
    case 0: pair(gen, scope, GEN_BOOL, depth - 1, "AND"); break;
    case 1: pair(gen, scope, GEN_BOOL, depth - 1, "OR"); break;
    case 2: call(gen, scope, GEN_BOOL, depth - 1, "NOT ", ""); break;
    case 3:
        call(gen, scope, type, depth - 1, "", "");
        gen_put(gen, gen_chance(gen, 50) ? " IS NULL" : " IS NOT NULL");
        break;
    case 4:
        operand(gen, scope, type, 0);
        gen_put(gen, " IN (");
        for (uint32_t i = 1 + gen_below(gen, 4); i > 0; i--) {
            gen_literal(gen, type);
            gen_put(gen, i > 1 ? ", " : ")");
        }
        break;
    case 5:
        operand(gen, scope, type, 0);
        gen_put(gen, " BETWEEN ");
        gen_literal(gen, type);
        gen_put(gen, " AND ");
        gen_literal(gen, type);
        break;
    case 6:
        operand(gen, scope, GEN_TEXT, 1);
        gen_put(gen, " LIKE '%s%s'", gen_chance(gen, 30) ? "_" : "a", gen_chance(gen, 60) ? "%" : "");
        break;
    case 7:
        call(gen, scope, GEN_BOOL, depth - 1, "", "");
        gen_put(gen, gen_chance(gen, 50) ? " IS TRUE" : " IS NOT FALSE");
        break;
    case 13: in_subquery(gen, scope, depth); break;
    case 14:
        gen_put(gen, gen_chance(gen, 30) ? "NOT EXISTS (" : "EXISTS (");
        gen_query(gen, scope, &one, 1, depth - 1);
        gen_put(gen, ")");
        break;
    case 15:
        gen_expression(gen, scope, GEN_INT, 0);
        gen_put(gen, gen_chance(gen, 50) ? " >= ANY (" : " <> ALL (");
        gen_query(gen, scope, &one, 1, depth - 1);
        gen_put(gen, ")");
        break;
    default:
        gen_put(gen, "(");
        operand(gen, scope, type, depth - 1);
        gen_put(gen, " %s ", comparison(gen));
        gen_expression(gen, scope, type, depth - 1);
        gen_put(gen, ")");
    }
}

// A query of one row: the least, the greatest, the sum.
static void scalar_query(struct sql_gen *gen, const struct gen_scope *scope, enum gen_type type, uint32_t depth)
{
    gen_put(gen, "(SELECT %s(s.c1) FROM (", gen_chance(gen, 50) ? "min" : "max");
    gen_query(gen, scope, &type, 1, depth - 1);
    gen_put(gen, ") AS s)");
}

static void deep(struct sql_gen *gen, const struct gen_scope *scope, enum gen_type type, uint32_t depth)
{
    uint32_t what = gen_below(gen, 12);
    if (type == GEN_BOOL) {
        truth(gen, scope, depth);
    } else if (what < 2) {
        call_two(gen, scope, type, depth - 1, "coalesce");
    } else if (what == 2) {
        gen_put(gen, "CASE WHEN ");
        gen_expression(gen, scope, GEN_BOOL, depth - 1);
        gen_put(gen, " THEN ");
        gen_expression(gen, scope, type, depth - 1);
        if (gen_chance(gen, 70)) {
            gen_put(gen, " ELSE ");
            gen_expression(gen, scope, type, depth - 1);
        }
        gen_put(gen, " END");
    } else if (what == 3) {
        call_two(gen, scope, type, depth - 1, "nullif");
    } else if (what == 4) {
        call_two(gen, scope, type, depth - 1, gen_chance(gen, 50) ? "greatest" : "least");
    } else if (what == 5 && depth > 1 && type != GEN_BOOL) {
        scalar_query(gen, scope, type, depth);
    } else if (type == GEN_INT) {
        if (what < 8)
            pair(gen, scope, type, depth - 1, gen_chance(gen, 60) ? "+" : "-");
        else if (what == 8)
            call(gen, scope, GEN_TEXT, depth - 1, "length", "");
        else if (what == 9)
            call(gen, scope, GEN_INT, depth - 1, "abs", "");
        else
            call(gen, scope, GEN_INT, depth - 1, "mod", ", 3");
    } else if (type == GEN_BIGINT) {
        if (what < 9)
            call(gen, scope, GEN_INT, depth - 1, "", "::bigint");
        else
            pair(gen, scope, type, depth - 1, "+");
    } else if (type == GEN_TEXT) {
        if (what < 8)
            pair(gen, scope, type, depth - 1, "||");
        else if (what == 8)
            call(gen, scope, GEN_TEXT, depth - 1, "upper", "");
        else if (what == 9)
            call(gen, scope, GEN_TEXT, depth - 1, "substr", ", 1, 2");
        else
            call(gen, scope, GEN_INT, depth - 1, "", "::text");
    } else if (type == GEN_NUMERIC) {
        pair(gen, scope, type, depth - 1, gen_chance(gen, 60) ? "+" : "-");
    } else {
        gen_put(gen, "(");
        gen_expression(gen, scope, GEN_DATE, depth - 1);
        gen_put(gen, " + %u)", gen_below(gen, 4));
    }
}

void gen_expression(
    struct sql_gen *gen, const struct gen_scope *scope, enum gen_type type, uint32_t depth)
{
    if (depth > 0 && gen_chance(gen, type == GEN_BOOL ? 90 : 40)) {
        deep(gen, scope, type, depth);
    } else if (type == GEN_BOOL && scope->count > 0 && gen_chance(gen, 85)) {
        enum gen_type of = gen_type_in(gen, scope);
        gen_put(gen, "(");
        operand(gen, scope, of, 0);
        gen_put(gen, " %s ", comparison(gen));
        operand(gen, scope, of, 0);
        gen_put(gen, ")");
    } else if (gen_chance(gen, type == GEN_BOOL ? 8 : 20) || !put_column(gen, scope, type)) {
        gen_literal(gen, type);
    }
}

// --- units ---------------------------------------------------------------------------------------

static struct gen_statement *add(struct gen_unit *unit)
{
    struct gen_statement *statement = &unit->statements[unit->count++];
    *statement = (struct gen_statement){0};
    return statement;
}

static void transaction(struct sql_gen *gen, struct gen_unit *unit)
{
    static const char *const begins[] = {
        "BEGIN", "BEGIN", "BEGIN", "BEGIN ISOLATION LEVEL READ COMMITTED", "BEGIN ISOLATION LEVEL REPEATABLE READ"};
    bool saved = false;
    const bool changes = gen_chance(gen, 25); // Of the schema, among the rest.
    unit->begin = begins[gen_below(gen, sizeof begins / sizeof begins[0])];
    for (uint32_t i = 2 + gen_below(gen, 5); i > 0 && unit->count + 3 <= GEN_STATEMENTS_MAX; i--) {
        if (!saved || gen_chance(gen, 25)) {
            add(unit)->sql = "SAVEPOINT s";
            saved = true;
        } else if (gen_chance(gen, 20)) {
            saved = gen_chance(gen, 70);
            add(unit)->sql = saved ? "ROLLBACK TO SAVEPOINT s" : "RELEASE SAVEPOINT s";
        }
        if (changes && gen_chance(gen, 40)) {
            unit->schema = true;
            gen_change(gen, add(unit));
        } else if (gen_chance(gen, 60))
            gen_write(gen, add(unit));
        else
            gen_read(gen, add(unit));
        if (!saved || gen_chance(gen, 5)) continue;
        add(unit)->sql = "ROLLBACK TO SAVEPOINT s";
        unit->statements[unit->count - 1].rescue = true;
    }
}

void sql_gen_unit(struct sql_gen *gen, struct gen_unit *unit)
{
    *unit = (struct gen_unit){0};
    uint32_t what = gen_below(gen, 100);
    if (gen->schema->table_count == 0) {
        sql_gen_table(gen, unit);
    } else if (what < 7) {
        sql_gen_fill(gen, unit);
    } else if (what < 30) {
        gen_read(gen, add(unit));
    } else if (what < 50) {
        gen_write(gen, add(unit));
    } else if (what < 85) {
        transaction(gen, unit);
    } else {
        unit->schema = true;
        gen_change(gen, add(unit));
    }
}
