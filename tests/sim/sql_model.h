// SPDX-License-Identifier: GPL-3.0-or-later
//
// A table as a plain array, random statements over it, and what a correct database answers to each: rows, command
// tag or SQLSTATE. The table is sql_model_create's; one client alone writes to it.
//
// Memory   Statements and answers in the arena given.
#pragma once
#include "core/arena.h"
#include "core/env_sim.h"

#define SQL_MODEL_KEYS 24u
#define SQL_MODEL_NULL "~" // In rows as text: columns divided by '|', rows ended by '\n'.

struct sql_model {
    struct sql_model_row {
        bool here, null;
        int32_t v;
        uint8_t word;
    } rows[SQL_MODEL_KEYS];
};
struct sql_model_statement {
    const char *sql;
    const char *code; // The SQLSTATE it fails with; NULL: it does not.
    const char *tag;  // Otherwise; NULL: any.
    const char *rows; // NULL: none.
};
const char *sql_model_create(struct arena *arena, const char *table);
// Draws a statement and carries it out on the model.
void sql_model_draw(struct sql_model *model, struct sim_random *random, struct arena *arena,
    const char *table, struct sql_model_statement *out);
// All rows, in the order of their keys.
void sql_model_all(const struct sql_model *model, struct arena *arena, const char *table,
    struct sql_model_statement *out);
