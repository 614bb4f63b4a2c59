// SPDX-License-Identifier: GPL-3.0-or-later
//
// Texts of arrays: {1,NULL,"a b"}, nested, perhaps with bounds in front: [0:1]={1,2}.
//
// Which texts are arrays is as in PostgreSQL 15, with what follows from the way in which it counts: nothing may be nested
// in empty braces, and items that lie at several depths are counted as if they lay at the deepest.
//
// Shard    Suspends in long texts, where a task runs that may.
// Memory   The value is the arena's. Items of one depth are not held in any other form meanwhile.
// Errors   22P02 no array's text; 2202E bounds that lie the wrong way round; 54000 too many dimensions or items; what
//          items' types say of their texts, once the whole is known to be an array's.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "sql/type/datum.h"
#include "sql/type/type.h"

CHECKED struct status array_literal_read(struct arena *arena, const struct type_context *context,
    struct type element, struct bytes text, struct datum *value);
