// SPDX-License-Identifier: GPL-3.0-or-later
//
// A statement as a table: SELECT * FROM [SHOW JOBS]. It becomes a set-returning function without arguments, whose
// start runs the statement's handler and keeps its rows.
//
// Taken are statements named SHOW that describe their columns without waiting; others are 0A000.
//
// Shard    Of the session. Making it does not suspend.
// Memory   The function lives in the arena given, the statement must live as long; rows live as long as the run
//          and are charged to the session.
#pragma once
#include "sql/function/function.h"
#include "sql/session/statement.h"

CHECKED struct status statement_table_make(struct arena *arena, struct session *session,
    const struct statement *statement, const struct function **function);
