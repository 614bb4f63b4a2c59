// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sequences: nextval and its family. The last value is a counter key beside the data, incremented outside of
// any transaction, so that it never makes two transactions wait for each other; gaps are normal.
//
// Shard    Any. Suspends.
// Errors   55000 currval of sequence "s" is not yet defined in this session; 2200H at the limits; 42809.
#pragma once
#include "core/status.h"
#include "sql/catalog/catalog.h"

CHECKED struct status sequence_next(
    struct task *task, struct session *session, const struct table_desc *sequence, int64_t *value);
CHECKED struct status sequence_set(struct task *task, struct session *session,
    const struct table_desc *sequence, int64_t value, bool is_called);
// What SELECT last_value, is_called FROM s shows.
CHECKED struct status sequence_peek(struct task *task, struct session *session,
    const struct table_desc *sequence, int64_t *last_value, bool *is_called);
// Frees what the session remembers of its sequences. At the session's end, and for DISCARD SEQUENCES.
void sequence_session_reset(struct session *session);
void sequence_functions_register(void);
