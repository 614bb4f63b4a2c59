// SPDX-License-Identifier: GPL-3.0-or-later
//
// The window functions' names and types. What they do is in sql/exec/op_window.c.
#include "sql/function/function_table.h"

#define WINDOW(name_, oid_, result_, window_, ...) \
    {.name = name_, .kind = FUNCTION_WINDOW, .oid = oid_, .result = TYPE_##result_, \
        .window = window_, FN_ARGS(__VA_ARGS__)}
#define WINDOW_PLAIN(name_, oid_, result_, window_) \
    {.name = name_, .kind = FUNCTION_WINDOW, .oid = oid_, .result = TYPE_##result_, \
        .window = window_}

// clang-format off
static const struct function table[] = {
    WINDOW_PLAIN("row_number", 3100, INT8, WINDOW_ROW_NUMBER),
    WINDOW_PLAIN("rank", 3101, INT8, WINDOW_RANK),
    WINDOW_PLAIN("dense_rank", 3102, INT8, WINDOW_DENSE_RANK),
    WINDOW_PLAIN("percent_rank", 3103, FLOAT8, WINDOW_PERCENT_RANK),
    WINDOW_PLAIN("cume_dist", 3104, FLOAT8, WINDOW_CUME_DIST),
    WINDOW("ntile", 3105, INT4, WINDOW_NTILE, TYPE_INT4),
    WINDOW("lag", 3106, ANYELEMENT, WINDOW_LAG, TYPE_ANYELEMENT),
    WINDOW("lag", 3107, ANYELEMENT, WINDOW_LAG, TYPE_ANYELEMENT, TYPE_INT4),
    WINDOW("lag", 3108, ANYCOMPATIBLE, WINDOW_LAG, TYPE_ANYCOMPATIBLE, TYPE_INT4, TYPE_ANYCOMPATIBLE),
    WINDOW("lead", 3109, ANYELEMENT, WINDOW_LEAD, TYPE_ANYELEMENT),
    WINDOW("lead", 3110, ANYELEMENT, WINDOW_LEAD, TYPE_ANYELEMENT, TYPE_INT4),
    WINDOW("lead", 3111, ANYCOMPATIBLE, WINDOW_LEAD, TYPE_ANYCOMPATIBLE, TYPE_INT4, TYPE_ANYCOMPATIBLE),
    WINDOW("first_value", 3112, ANYELEMENT, WINDOW_FIRST_VALUE, TYPE_ANYELEMENT),
    WINDOW("last_value", 3113, ANYELEMENT, WINDOW_LAST_VALUE, TYPE_ANYELEMENT),
    WINDOW("nth_value", 3114, ANYELEMENT, WINDOW_NTH_VALUE, TYPE_ANYELEMENT, TYPE_INT4),
};
// clang-format on

void functions_window_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
