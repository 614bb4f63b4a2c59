// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions in SQL: what a call of one does. Each statement of the body is planned once a shard (sql/plan/plan_cache.c)
// and runs in the transaction of the statement that calls, as its user.
//
// Shard    The session's. Calls suspend.
// Memory   Results live in the call's arena.
// Errors   As the body's statements; 54001 beyond FUNCTION_DEPTH_MAX calls within calls.
#pragma once
#include "sql/catalog/catalog.h"
#include "sql/function/function.h"

#define FUNCTION_DEPTH_MAX 12u

// The parameters' names, while a statement of a body is planned: $n can be called by its name.
struct function_frame {
    const char *function;
    const char *const *names; // "": none.
    uint32_t count;
    bool kept; // Names in the body mean for ever what they meant: they need no USAGE of schemas.
    bool checked; // The body is planned to see what is wrong with it, not to run: indexes may come later.
};

CHECKED struct status function_sql_call(
    struct function_call *call, const struct datum *args, struct datum *result);
CHECKED struct status function_sql_start(
    struct function_call *call, void *state, const struct datum *args);
CHECKED struct status function_sql_next(
    struct function_call *call, void *state, struct datum *row, bool *done);
extern const size_t function_sql_state_bytes;
// The function's own settings are put in force, until vars_function_end(session, *begun), whatever this returns.
struct var_undo;
CHECKED struct status function_settings_begin(struct session *session, struct arena *arena,
    const struct table_desc *function, const struct var_undo **begun);
// The text under which a statement of the body is planned: no other function's is the same.
const char *function_sql_text(
    struct arena *arena, const struct table_desc *function, uint32_t statement);
// What a parameter is: one that is given by the caller.
static inline bool function_is_input(char mode)
{
    return mode == 'i' || mode == 'b' || mode == 'v';
}
static inline bool function_is_output(char mode)
{
    return mode == 'o' || mode == 'b' || mode == 't';
}
uint32_t function_output_count(const struct table_desc *function);
