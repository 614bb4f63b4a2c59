// SPDX-License-Identifier: GPL-3.0-or-later
//
// AS OF SYSTEM TIME and its kin: an operand becomes an instant. Taken are '-10s' and other negative intervals
// (from now), timestamps, nanoseconds since 1970 as a number (with the logical counter after the point, as
// cluster_logical_timestamp() prints it), and constant expressions of those types.
//
// Shard    Of the session; evaluating may suspend.
// Errors   22023 not an instant, or on the wrong side of now.
#pragma once
#include "core/hlc.h"
#include "sql/parse/ast.h"
#include "sql/session/session.h"

enum as_of_range {
    AS_OF_PAST, // Not later than now.
    AS_OF_ANY,  // Cutover times may lie in the future.
};
CHECKED struct status as_of_evaluate(struct task *task, struct session *session, struct arena *arena,
    const struct expr *expression, enum as_of_range range, struct hlc_timestamp *ts);
// From text alone: '-1h', '2026-01-02 03:04:05+00', '1695922878030920020.0000000000'.
CHECKED struct status as_of_parse(struct session *session, struct arena *arena, struct bytes text,
    int64_t now_ns, struct hlc_timestamp *ts);
