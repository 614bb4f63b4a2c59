// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writes of rows, and changes of the schema.
#include "tests/sim/sql_gen.h"

static struct gen_scope scope_of(const struct gen_table *table, const char *alias)
{
    struct gen_scope scope = {.count = 1};
    scope.sources[0] = (struct gen_source){alias, table->columns, table->column_count};
    return scope;
}

static void returning(struct sql_gen *gen, const struct gen_table *table)
{
    struct gen_scope scope = scope_of(table, NULL);
    if (!gen_chance(gen, 35)) return;
    gen_put(gen, " RETURNING *");
    if (gen_chance(gen, 60)) return;
    gen_put(gen, ", ");
    gen_expression(gen, &scope, gen_type_in(gen, &scope), 1);
    gen_put(gen, " AS r");
}

// --- rows ----------------------------------------------------------------------------------------

// What a key is made of is drawn from few numbers, so that rows meet.
static void new_value(struct sql_gen *gen, const struct gen_column *column)
{
    struct gen_scope none = {0};
    if (column->refers != NULL && gen_chance(gen, 85)) { // "t6(k7)"
        const char *open = strchr(column->refers, '(');
        int size = (int)strcspn(open + 1, ")");
        gen_put(gen, "(SELECT %.*s FROM %.*s ORDER BY 1 LIMIT 1 OFFSET %u)", size, open + 1,
            (int)(open - column->refers), column->refers, gen_below(gen, 8));
    } else if (column->filled && column->type == GEN_INT && !gen_chance(gen, 1)) {
        gen_put(gen, "%u", gen_below(gen, 60));
    } else if (column->filled && column->type == GEN_TEXT) {
        gen_put(gen, "'%c%u'", (char)('a' + gen_below(gen, 3)), gen_below(gen, 5));
    } else if (column->filled) {
        gen_value(gen, column->type);
    } else if (gen_chance(gen, 6)) {
        gen_put(gen, "DEFAULT");
    } else {
        gen_expression(gen, &none, column->type, gen_chance(gen, 15) ? 1 : 0);
    }
}

static const struct gen_column *written_column(struct sql_gen *gen, const struct gen_table *table)
{
    for (uint32_t tries = 0; tries < 8; tries++) {
        const struct gen_column *column = &table->columns[gen_below(gen, table->column_count)];
        if (!column->generated) return column;
    }
    return &table->columns[0];
}

static void set_list(struct sql_gen *gen, const struct gen_scope *scope, const struct gen_table *table, uint32_t depth)
{
    const struct gen_column *last = NULL;
    for (uint32_t i = 1 + gen_below(gen, 2); i > 0; i--) {
        const struct gen_column *column = written_column(gen, table);
        if (column == last) continue;
        gen_put(gen, "%s%s = ", last == NULL ? "" : ", ", column->name);
        // Keys are moved more seldom than values.
        if (column->filled && column->type == GEN_INT && gen_chance(gen, 60))
            gen_put(gen, "%u", gen_below(gen, 40));
        else
            gen_expression(gen, scope, column->type, depth);
        last = column;
    }
}

static void conflict(struct sql_gen *gen, const struct gen_table *table)
{
    struct gen_scope scope = {.count = 2};
    uint32_t what = gen_below(gen, 10);
    scope.sources[0] = (struct gen_source){table->name, table->columns, table->column_count};
    scope.sources[1] = (struct gen_source){"excluded", table->columns, table->column_count};
    if (what < 4) return;
    if (what == 4 || table->key == NULL) {
        gen_put(gen, " ON CONFLICT DO NOTHING");
    } else if (what == 5) {
        gen_put(gen, " ON CONFLICT (%s) DO NOTHING", table->key);
    } else {
        gen_put(gen, " ON CONFLICT (%s) DO UPDATE SET ", table->key);
        set_list(gen, &scope, table, 1);
        if (!gen_chance(gen, 25)) return;
        gen_put(gen, " WHERE ");
        gen_expression(gen, &scope, GEN_BOOL, 1);
    }
}

static void insert(struct sql_gen *gen, struct gen_statement *statement)
{
    const struct gen_table *table = gen_table_draw(gen);
    enum gen_type types[GEN_COLUMNS_MAX];
    bool upsert = gen_chance(gen, 12), query = !upsert && gen_chance(gen, 20);
    const struct gen_column *chosen[GEN_COLUMNS_MAX];
    uint32_t count = 0, most = query ? 4 : GEN_COLUMNS_MAX;
    for (uint32_t i = 0; i < table->column_count && count < most; i++) {
        const struct gen_column *column = &table->columns[i];
        if (column->generated || (!column->filled && (query || gen_chance(gen, 15)))) continue;
        types[count] = column->type;
        chosen[count++] = column;
    }
    if (count == 0) chosen[count] = &table->columns[0], types[count++] = table->columns[0].type;
    gen_put(gen, "%s INTO %s (", upsert ? "UPSERT" : "INSERT", table->name);
    for (uint32_t i = 0; i < count; i++)
        gen_put(gen, "%s%s", chosen[i]->name, i + 1 < count ? ", " : ") ");
    statement->many = true;
    if (query) {
        gen_query(gen, NULL, types, count, 1);
        if (gen_chance(gen, 30)) gen_put(gen, " ON CONFLICT DO NOTHING");
        returning(gen, table);
        return;
    }
    gen_put(gen, "VALUES ");
    for (uint32_t row = 1 + (gen_chance(gen, 60) ? gen_below(gen, 8) : 0); row > 0; row--) {
        for (uint32_t i = 0; i < count; i++) {
            gen_put(gen, i == 0 ? "(" : ", ");
            new_value(gen, chosen[i]);
        }
        gen_put(gen, row > 1 ? "), " : ")");
    }
    if (!upsert) conflict(gen, table);
    returning(gen, table);
}

void sql_gen_fill(struct sql_gen *gen, struct gen_unit *unit)
{
    const struct gen_table *table = gen_table_draw(gen);
    *unit = (struct gen_unit){.count = 1};
    gen_begin(gen);
    gen_put(gen, "INSERT INTO %s VALUES ", table->name);
    for (uint32_t row = 10 + gen_below(gen, 30); row > 0; row--) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            gen_put(gen, i == 0 ? "(" : ", ");
            if (table->columns[i].generated)
                gen_put(gen, "DEFAULT");
            else
                new_value(gen, &table->columns[i]);
        }
        gen_put(gen, row > 1 ? "), " : ")");
    }
    gen_put(gen, " ON CONFLICT DO NOTHING");
    unit->statements[0] = (struct gen_statement){.sql = gen_end(gen), .writes = true, .many = true};
}

static void update(struct sql_gen *gen, struct gen_statement *statement)
{
    const struct gen_table *table = gen_table_draw(gen), *other = gen_table_draw(gen);
    struct gen_scope scope = scope_of(table, "a");
    statement->many = true;
    gen_put(gen, "UPDATE %s AS a SET ", table->name);
    // Each row meets one row of the other table at most.
    bool joined = other->key != NULL && strchr(other->key, ',') == NULL && gen_chance(gen, 25);
    if (joined) {
        scope.sources[scope.count++] = (struct gen_source){"b", other->columns, other->column_count};
        set_list(gen, &scope, table, 1);
        gen_put(gen, " FROM %s AS b WHERE b.%s = ", other->name, other->key);
        scope.count--;
        gen_expression(gen, &scope, GEN_INT, 0);
        scope.count++;
        if (!gen_chance(gen, 40)) goto out;
        gen_put(gen, " AND ");
        gen_expression(gen, &scope, GEN_BOOL, 1);
        goto out;
    }
    set_list(gen, &scope, table, 2);
    if (!gen_chance(gen, 12)) {
        gen_put(gen, " WHERE ");
        gen_expression(gen, &scope, GEN_BOOL, 2);
    }
out:
    if (gen_chance(gen, 30)) gen_put(gen, " RETURNING a.*");
}

static void erase(struct sql_gen *gen, struct gen_statement *statement)
{
    const struct gen_table *table = gen_table_draw(gen), *other = gen_table_draw(gen);
    struct gen_scope scope = scope_of(table, "a");
    statement->many = true;
    gen_put(gen, "DELETE FROM %s AS a", table->name);
    if (gen_chance(gen, 20)) {
        scope.sources[scope.count++] = (struct gen_source){"b", other->columns, other->column_count};
        gen_put(gen, " USING %s AS b", other->name);
    }
    gen_put(gen, " WHERE ");
    gen_expression(gen, &scope, GEN_BOOL, 2);
    gen_put(gen, " AND ");
    gen_expression(gen, &scope, GEN_BOOL, 1);
    // Of two sources many rows may have met it.
    if (gen_chance(gen, 30)) gen_put(gen, " RETURNING a.*");
}

void gen_write(struct sql_gen *gen, struct gen_statement *statement)
{
    *statement = (struct gen_statement){.writes = true};
    gen_begin(gen);
    uint32_t what = gen_below(gen, 10);
    if (what < 5)
        insert(gen, statement);
    else if (what < 8)
        update(gen, statement);
    else
        erase(gen, statement);
    statement->sql = gen_end(gen);
}

// --- the schema ----------------------------------------------------------------------------------

static void new_column(struct sql_gen *gen, const struct gen_table *table)
{
    enum gen_type type = gen_type_draw(gen);
    uint32_t what = gen_below(gen, 20);
    gen_put(gen, "%s %s", gen_name(gen, 'c'), gen_type_name(type));
    if (what < 4) {
        gen_put(gen, " DEFAULT ");
        gen_literal(gen, type);
    } else if (what < 6) {
        gen_put(gen, " NOT NULL DEFAULT ");
        gen_literal(gen, type);
    } else if (what == 6) {
        gen_put(gen, " UNIQUE");
    } else if (what == 7 && table != NULL) {
        static const struct gen_scope none = {0};
        gen_put(gen, " GENERATED ALWAYS AS (");
        struct gen_scope scope = scope_of(table, NULL);
        gen_expression(gen, gen_chance(gen, 80) ? &scope : &none, type, 1);
        gen_put(gen, ") STORED");
    }
}

static void reference(struct sql_gen *gen)
{
    static const char *const deletes[] = {"", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON DELETE RESTRICT"};
    static const char *const updates[] = {"", "", " ON UPDATE CASCADE", " ON UPDATE SET NULL"};
    const struct gen_table *other = gen_table_draw(gen);
    if (other->key == NULL || strchr(other->key, ',') != NULL) return;
    gen_put(gen, " REFERENCES %s (%s)%s%s%s", other->name, other->key, deletes[gen_below(gen, 4)],
        updates[gen_below(gen, 4)], gen_chance(gen, 20) ? " DEFERRABLE INITIALLY DEFERRED" : "");
}

static void create_table(struct sql_gen *gen)
{
    const char *name = gen_name(gen, 't'), *key = gen_name(gen, 'k');
    uint32_t how = gen_below(gen, 10);
    gen_put(gen, "CREATE TABLE %s (%s INT%s", name, key, how < 7 ? " PRIMARY KEY" : how == 7 ? "" : " NOT NULL");
    for (uint32_t i = 2 + gen_below(gen, 4); i > 0; i--) {
        gen_put(gen, ", ");
        new_column(gen, NULL);
    }
    if (gen->schema->table_count > 0 && gen_chance(gen, 50)) {
        gen_put(gen, ", %s INT", gen_name(gen, 'c'));
        reference(gen);
    }
    if (how > 7) {
        const char *more = gen_name(gen, 'k');
        gen_put(gen, ", %s %s NOT NULL, PRIMARY KEY (%s, %s)", more, gen_chance(gen, 50) ? "INT" : "TEXT", key, more);
    }
    gen_put(gen, ")");
}

void sql_gen_table(struct sql_gen *gen, struct gen_unit *unit)
{
    *unit = (struct gen_unit){.schema = true, .count = 1};
    gen_begin(gen);
    create_table(gen);
    unit->statements[0] = (struct gen_statement){.sql = gen_end(gen), .writes = true};
}

static void create_index(struct sql_gen *gen, const struct gen_table *table)
{
    struct gen_scope scope = scope_of(table, NULL);
    gen_put(gen, "CREATE %sINDEX %s ON %s (", gen_chance(gen, 25) ? "UNIQUE " : "", gen_name(gen, 'i'), table->name);
    uint32_t count = 1 + gen_below(gen, 2), first = gen_below(gen, table->column_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct gen_column *column = &table->columns[(first + i) % table->column_count];
        if (gen_chance(gen, 12)) {
            gen_put(gen, "(");
            gen_expression(gen, &scope, gen_type_in(gen, &scope), 1);
            gen_put(gen, ")");
        } else {
            gen_put(gen, "%s", column->name);
        }
        gen_put(gen, "%s%s", gen_chance(gen, 20) ? " DESC" : "", i + 1 < count ? ", " : ")");
    }
    if (gen_chance(gen, 25)) gen_put(gen, " INCLUDE (%s)", table->columns[(first + count) % table->column_count].name);
    if (!gen_chance(gen, 25)) return;
    gen_put(gen, " WHERE ");
    gen_expression(gen, &scope, GEN_BOOL, 1);
}

static void alter(struct sql_gen *gen, const struct gen_table *table)
{
    const struct gen_column *column = &table->columns[gen_below(gen, table->column_count)];
    struct gen_scope scope = scope_of(table, NULL);
    gen_put(gen, "ALTER TABLE %s ", table->name);
    uint32_t what = gen_below(gen, 14);
    if (what < 3 && table->column_count >= 8) what = 3;
    if ((what == 7 || what == 8) && table->constraint_count == 0) what = 9;
    switch (what) {
    case 0:
    case 1:
    case 2:
        gen_put(gen, "ADD COLUMN ");
        new_column(gen, table);
        break;
    case 3: gen_put(gen, "DROP COLUMN %s%s", column->name, gen_chance(gen, 40) ? " CASCADE" : ""); break;
    case 4:
        gen_put(gen, "ADD CONSTRAINT %s CHECK (", gen_name(gen, 'x'));
        gen_expression(gen, &scope, GEN_BOOL, 1);
        gen_put(gen, ")");
        break;
    case 5: gen_put(gen, "ADD CONSTRAINT %s UNIQUE (%s)", gen_name(gen, 'x'), column->name); break;
    case 6:
        gen_put(gen, "ADD CONSTRAINT %s FOREIGN KEY (%s)", gen_name(gen, 'x'), column->name);
        reference(gen);
        break;
    case 7:
    case 8:
        gen_put(gen, "DROP CONSTRAINT %s%s", table->constraints[gen_below(gen, table->constraint_count)],
            gen_chance(gen, 20) ? " CASCADE" : "");
        break;
    case 9: gen_put(gen, "ALTER COLUMN %s %s NOT NULL", column->name, gen_chance(gen, 50) ? "SET" : "DROP"); break;
    case 10:
        gen_put(gen, "ALTER COLUMN %s SET DEFAULT ", column->name);
        gen_literal(gen, column->type);
        break;
    case 11: gen_put(gen, "ALTER COLUMN %s DROP DEFAULT", column->name); break;
    case 12: gen_put(gen, "RENAME COLUMN %s TO %s", column->name, gen_name(gen, 'c')); break;
    default: {
        enum gen_type type = gen_type_draw(gen);
        gen_put(gen, "ALTER COLUMN %s TYPE %s USING ", column->name, gen_type_name(type));
        gen_expression(gen, &scope, type, 1);
    }
    }
}

void gen_change(struct sql_gen *gen, struct gen_statement *statement)
{
    const struct gen_table *table = gen_table_draw(gen);
    uint32_t what = gen_below(gen, 20);
    *statement = (struct gen_statement){.writes = true, .many = true};
    gen_begin(gen);
    if (what < 7 && table->index_count + 1 < GEN_INDEXES_MAX)
        create_index(gen, table);
    else if (what < 9 && table->index_count > 0)
        gen_put(gen, "DROP INDEX %s", table->indexes[gen_below(gen, table->index_count)]);
    else if (what == 9 && gen->schema->table_count < GEN_TABLES_MAX)
        create_table(gen);
    else if (what == 10 && gen->schema->table_count > 2 && gen_chance(gen, 40))
        gen_put(gen, "DROP TABLE %s%s", table->name, gen_chance(gen, 50) ? " CASCADE" : "");
    else if (what == 11 && gen_chance(gen, 40))
        gen_put(gen, "TRUNCATE %s%s", table->name, gen_chance(gen, 50) ? " CASCADE" : "");
    else
        alter(gen, table);
    statement->sql = gen_end(gen);
}
