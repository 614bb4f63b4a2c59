// SPDX-License-Identifier: GPL-3.0-or-later
//
// Statements as text, to a tree and back.
#pragma once
#include <criterion/criterion.h>

#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"

// All statements of `text`, back as text, with "; " between them.
static inline const char *round_trip(struct arena *arena, const char *text, uint32_t flags)
{
    struct statement_list list;
    struct status st = parse_sql(arena, bytes_of_string(text), &list);
    cr_assert(!failed(st), "%s: %s", text, st.message);
    struct buffer buffer;
    buffer_init(&buffer, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        if (i > 0) buffer_append_string(&buffer, "; ");
        deparse_statement(&buffer, list.items[i], flags);
    }
    return buffer_string(&buffer);
}

struct row {
    const char *text;
    const char *want; // NULL: the text itself.
};

// The tree's text is as wanted, and makes the same text again.
static inline void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        arena_init(&arena, NULL);
        const char *want = rows[i].want == NULL ? rows[i].text : rows[i].want;
        const char *once = round_trip(&arena, rows[i].text, 0);
        cr_expect_str_eq(once, want, "%s\ngot  %s\nwant %s", rows[i].text, once, want);
        const char *twice = round_trip(&arena, once, 0);
        cr_expect_str_eq(twice, once, "%s\nagain %s", once, twice);
        arena_fini(&arena);
    }
}
