// SPDX-License-Identifier: GPL-3.0-or-later
//
// Free SQL from a stream of randomness: tables, changes of them, queries and writes over whatever tables there are. All
// that it draws has one right answer: no order that is not asked for is needed, no time, nothing that names a node.
//
// Memory   Texts live in gen->arena.
#pragma once
#include "core/arena.h"
#include "core/env_sim.h"

#define GEN_TABLES_MAX 5u
#define GEN_COLUMNS_MAX 10u
#define GEN_INDEXES_MAX 10u
#define GEN_CONSTRAINTS_MAX 12u
#define GEN_STATEMENTS_MAX 18u

// Stands in a statement behind the name of a table that is read, where a hint of an index may stand: then a letter, the
// position of the table.
#define GEN_HINT '\x01'

enum gen_type { GEN_INT, GEN_BIGINT, GEN_TEXT, GEN_BOOL, GEN_NUMERIC, GEN_DATE, GEN_TYPES };

// What there is, as read from a catalog.
struct gen_column {
    const char *name;
    enum gen_type type;
    bool generated, filled; // Always; without a value there is an error.
    const char *refers; // "t6(k7)": a foreign key of one column; NULL: none.
};
struct gen_table {
    const char *name;
    const char *key; // "id" or "id, c4"; NULL: none.
    struct gen_column columns[GEN_COLUMNS_MAX];
    uint32_t column_count;
    const char *indexes[GEN_INDEXES_MAX]; // Those of constraints too.
    bool partial[GEN_INDEXES_MAX];
    uint32_t index_count;
    const char *constraints[GEN_CONSTRAINTS_MAX];
    uint32_t constraint_count;
};
struct gen_schema {
    struct gen_table tables[GEN_TABLES_MAX];
    uint32_t table_count;
};
bool gen_type_parse(const char *name, enum gen_type *type);

struct gen_statement {
    const char *sql;
    bool ordered; // Its rows come in an order that it asks for, whole.
    bool writes;  // Rows, or the schema.
    bool rescue;  // Said only when the one before has failed.
    bool many;    // It may break several rules at once, in whatever order.
};
struct gen_unit {
    const char *begin; // NULL: one statement by itself.
    bool schema;       // A change of it.
    struct gen_statement statements[GEN_STATEMENTS_MAX];
    uint32_t count;
};

struct sql_gen {
    struct sim_random *random;
    struct arena *arena;
    const struct gen_schema *schema;
    uint32_t names; // Given out, of tables, columns, indexes and constraints.
    // --- while a statement is drawn ---
    struct buffer out;
    uint32_t aliases;
};
// The first tables, then whatever comes.
void sql_gen_table(struct sql_gen *gen, struct gen_unit *unit);
void sql_gen_fill(struct sql_gen *gen, struct gen_unit *unit); // Some rows for one of them.
void sql_gen_unit(struct sql_gen *gen, struct gen_unit *unit);

// --- among its parts -----------------------------------------------------------------------------

// Tables whose columns an expression may name.
struct gen_scope {
    struct gen_source {
        const char *alias;
        const struct gen_column *columns;
        uint32_t column_count;
    } sources[4];
    uint32_t count;
    const struct gen_scope *outer;
};
uint32_t gen_below(struct sql_gen *gen, uint32_t bound);
bool gen_chance(struct sql_gen *gen, uint32_t percent);
void gen_put(struct sql_gen *gen, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *gen_type_name(enum gen_type type);
enum gen_type gen_type_draw(struct sql_gen *gen);
const struct gen_table *gen_table_draw(struct sql_gen *gen);
// Mostly one that some column of the scope has.
enum gen_type gen_type_in(struct sql_gen *gen, const struct gen_scope *scope);
void gen_value(struct sql_gen *gen, enum gen_type type);   // Never NULL.
void gen_literal(struct sql_gen *gen, enum gen_type type);
void gen_expression(
    struct sql_gen *gen, const struct gen_scope *scope, enum gen_type type, uint32_t depth);
// A query with columns of these types, named c1, c2, ...
void gen_query(struct sql_gen *gen, const struct gen_scope *outer, const enum gen_type *types,
    uint32_t count, uint32_t depth);
// A statement that reads.
void gen_read(struct sql_gen *gen, struct gen_statement *statement);
// One that writes rows.
void gen_write(struct sql_gen *gen, struct gen_statement *statement);
// One that changes the schema.
void gen_change(struct sql_gen *gen, struct gen_statement *statement);
const char *gen_name(struct sql_gen *gen, char kind); // A new one.
void gen_begin(struct sql_gen *gen);
const char *gen_end(struct sql_gen *gen);
