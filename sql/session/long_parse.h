// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading long statements. The grammar takes some hundred nanoseconds a byte and cannot be interrupted, so that a
// shard which read a megabyte of SQL by itself would serve nobody else for a third of a second. A helper thread
// reads it, and who waits can be cancelled: the helper then reads on for nobody.
//
// Shard    Of the session. The helper has the text and the memory to itself until it has ended.
// Memory   Of the tree: `arena`, into which it comes when all has been read. While it is read: within what the
//          arena's account has left.
// Errors   Those of sql/parse/parse.h; 57014.
#pragma once
#include "core/task.h"
#include "sql/parse/parse.h"
#include "sql/session/session.h"

#define LONG_PARSE_BYTES (4u << 10) // From here on it is worth a thread;
#define LONG_PARSE_SIGNS 200u       // or with so many brackets and operators, which may nest: that takes as long as their square.

// As parse_sql_on_stack; the session's client is told of names that were cut. Suspends when the text is long and the task may.
CHECKED struct status long_parse_sql(struct task *task, struct session *session, struct arena *arena, struct bytes text,
    struct statement_list *out);

// The same of one expression, as a default or a check is stored.
CHECKED struct status long_parse_expression(struct task *task, struct session *session, struct arena *arena,
    struct bytes text, struct expr **out);
