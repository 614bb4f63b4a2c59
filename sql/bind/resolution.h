// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the names of a query were found to mean while it was bound, and the query written out by that: every column
// behind the name of its table, stars as the columns of now, NATURAL as USING, output names in GROUP BY and ORDER BY as
// what they stand for, 'today' as the day. A view keeps its query so, and means the same whatever columns its tables get
// later; defaults, checks and predicates keep their literals so.
//
// Shard    The session's. Nothing suspends.
// Memory   Records are in the arena given; they point into the statement that was bound.
// Errors   None.
#pragma once
#include "core/arena.h"
#include "sql/parse/ast.h"

struct resolution {
    const struct expr *expr;
    const char *range;     // The name of the table or subquery in FROM; NULL: it cannot be written (merged, hidden).
    const char *column;    // NULL: the whole row.
    uint32_t table_id;     // Of a plain table, view or sequence in FROM, or of a composite type; else 0.
    uint32_t attribute;    // Number of that column or field in it.
    bool by_alias;         // FROM gives the columns names of its own, by their order.
    struct target *target; // Of which it is the whole; or NULL.
};
struct resolved_star {
    const struct target_list *list;
    const struct expr *expr;
    struct expr **columns;
    uint32_t count;
};
struct resolved_output { // A name in GROUP BY, ORDER BY or DISTINCT ON that means an output column.
    const struct expr *expr;
    const struct expr *target; // NULL: not known.
    uint32_t ordinal;          // From 1.
    bool group;
};
struct resolved_join { // NATURAL or USING.
    const struct from_item *item;
    struct name_list using;
};
struct resolved_using { // A table's column that a join is by, whatever it is called there.
    uint32_t table_id, attribute;
};
#define RESOLUTION_KEY UINT32_MAX // As the attribute: the table's primary key, for all of its columns are grouped by that.
struct resolved_spelling { // t.f that is a call, f(t) that is a column.
    const struct expr *expr, *as;
};
struct scalar;
struct resolved_literal { // A string whose type's reading depends on the session or the clock.
    const struct expr *expr;
    const struct scalar *scalar; // As which it was bound.
    struct bytes text;           // The value in a form that means the same in every session; data NULL: not needed.
};
struct resolved_call { // Of a user's function.
    struct function_expr *call;
    uint32_t id;
};
struct resolved_type { // A type that a user has made, or a table's rows.
    struct type_name *name;
    uint32_t id;
};
struct resolutions {
    struct arena *arena;
    struct resolution *items;
    struct resolved_star *stars;
    struct resolved_output *outputs;
    struct resolved_join *joins;
    struct resolved_using *using;
    struct resolved_literal *literals;
    struct resolved_spelling *spellings;
    struct resolved_call *calls;
    struct resolved_type *types;
    uint32_t call_count, type_count;
    uint32_t count, star_count, output_count, join_count, using_count, literal_count, spelling_count;
};

void resolution_add(struct resolutions *resolutions, const struct resolution *resolution);
void resolution_add_star(struct resolutions *resolutions, const struct resolved_star *star);
void resolution_add_output(struct resolutions *resolutions, const struct resolved_output *output);
void resolution_add_join(
    struct resolutions *resolutions, const struct from_item *item, const struct name_list *using);
void resolution_add_using(struct resolutions *resolutions, const struct resolved_using *using);
// `as` lives in the records' arena.
void resolution_add_spelling(struct resolutions *resolutions, const struct expr *expr, const struct expr *as);
void resolution_add_literal(
    struct resolutions *resolutions, const struct expr *expr, const struct scalar *scalar);
// The literal bound as `scalar` means `text`, kept by the caller in the records' arena.
void resolution_read_literal(
    struct resolutions *resolutions, const struct scalar *scalar, struct bytes text);
void resolution_add_call(struct resolutions *resolutions, struct function_expr *call, uint32_t id);
void resolution_add_type(struct resolutions *resolutions, const struct type_name *name, uint32_t id);
// What was added since `first` for `target`'s expression is the whole of it.
void resolution_note_target(
    struct resolutions *resolutions, uint32_t first, const struct target *target);

// What does not hang on FROM: 'today' becomes the day, and users' functions and types are named by their ids.
void resolutions_write_values(const struct resolutions *resolutions);
// The table is to have an alias where it stood by its `name`. Before writing out.
void resolutions_alias_table(
    struct resolutions *resolutions, uint32_t table_id, const char *name, const char *alias);
// Rewrites the statement that was bound, literals included. Once.
void resolutions_write_out(struct resolutions *resolutions);
// The statement's columns `from` of the table are called `to`; what they are called outside stays. After writing out.
void resolutions_rename_column(
    const struct resolutions *resolutions, uint32_t table_id, const char *from, const char *to);
// What is said behind the table's name `from` is said behind `to`.
void resolutions_rename_table(
    const struct resolutions *resolutions, uint32_t table_id, const char *from, const char *to);
// Whether the statement uses that column of the table, by itself or to join by: whole rows are of the columns of then.
bool resolutions_use(
    const struct resolutions *resolutions, uint32_t table_id, uint32_t attribute);
