// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names in a text of SQL that are longer than names may be: the grammar cuts them, and who wrote them is told.
//
// Shard    Any. Pure; takes some nanoseconds a byte.
// Memory   Results lie in `arena`.
// Errors   None: of a text that is no SQL from some place on, the names before it.
// Source   PostgreSQL 15 manual, section 4.1.1 "Identifiers and Key Words".
#pragma once
#include "core/arena.h"
#include "core/status.h"

struct cut_name {
    struct cut_name *next; // In the order of the text.
    const char *name, *cut;
    uint32_t position; // Byte offset of its token.
};

struct cut_name *cut_names(struct arena *arena, struct bytes text);
// Of such a name that comes as a value: what is left of it. The name itself when it is short enough.
const char *cut_name_of(struct arena *arena, const char *name);
// 42622: what its writer is told.
struct status cut_name_notice(struct arena *arena, const char *name, const char *cut);
