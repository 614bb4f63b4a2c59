// SPDX-License-Identifier: GPL-3.0-or-later
//
// The rows of what runs to its end when its first rows are asked for (RETURNING, statements that are no queries), while
// the client takes them a few at a time. Queries themselves run as far as they are asked: they need none of this.
//
// Shard    The session's.
// Memory   Charged to the session; beyond work_mem the rows go to a temporary file.
#pragma once
#include "sql/session/statement.h"

struct portal_rows;
struct portal_rows *portal_rows_make(struct session *session, const struct result_column *columns, uint32_t count);
void portal_rows_free(struct task *task, struct portal_rows *rows);
// Takes them.
struct result_sink *portal_rows_sink(struct portal_rows *rows);
// Gives the next ones, at most `rows_max` (0: all). *done: it was asked for more than there were.
CHECKED struct status portal_rows_give(
    struct task *task, struct portal_rows *rows, struct result_sink *sink, uint64_t rows_max, bool *done);
