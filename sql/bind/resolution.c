// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/bind/resolution.h"

#include <stdlib.h>
#include <string.h>

#include "sql/function/function.h"
#include "sql/type/type_reference.h"

// The statement is its owner's who asked for the records; the binder only reads it.
static struct expr *writable(const struct expr *expr)
{
    return (struct expr *)(uintptr_t)expr;
}

#define APPEND(resolutions, items, count, value)                                                   \
    do {                                                                                           \
        (items) = arena_grow((resolutions)->arena, (items), (count) * sizeof *(items),             \
            ((count) + 1) * sizeof *(items));                                                      \
        (items)[(count)++] = (value);                                                              \
    } while (0)

void resolution_add(struct resolutions *resolutions, const struct resolution *resolution)
{
    APPEND(resolutions, resolutions->items, resolutions->count, *resolution);
}

void resolution_add_star(struct resolutions *resolutions, const struct resolved_star *star)
{
    for (uint32_t i = 0; i < resolutions->star_count; i++)
        if (resolutions->stars[i].expr == star->expr) return; // Bound twice.
    APPEND(resolutions, resolutions->stars, resolutions->star_count, *star);
}

void resolution_add_output(struct resolutions *resolutions, const struct resolved_output *output)
{
    APPEND(resolutions, resolutions->outputs, resolutions->output_count, *output);
}

void resolution_add_join(
    struct resolutions *resolutions, const struct from_item *item, const struct name_list *using)
{
    const struct resolved_join join = {item, *using};
    APPEND(resolutions, resolutions->joins, resolutions->join_count, join);
}

void resolution_add_using(struct resolutions *resolutions, const struct resolved_using *using)
{
    APPEND(resolutions, resolutions->using, resolutions->using_count, *using);
}

void resolution_add_spelling(struct resolutions *resolutions, const struct expr *expr, const struct expr *as)
{
    const struct resolved_spelling spelling = {expr, as};
    APPEND(resolutions, resolutions->spellings, resolutions->spelling_count, spelling);
}

void resolution_add_literal(
    struct resolutions *resolutions, const struct expr *expr, const struct scalar *scalar)
{
    const struct resolved_literal literal = {.expr = expr, .scalar = scalar};
    APPEND(resolutions, resolutions->literals, resolutions->literal_count, literal);
}

void resolution_read_literal(
    struct resolutions *resolutions, const struct scalar *scalar, struct bytes text)
{
    for (uint32_t i = resolutions->literal_count; i-- > 0;) {
        if (resolutions->literals[i].scalar != scalar) continue;
        resolutions->literals[i].text = text;
        return;
    }
}

void resolution_add_call(struct resolutions *resolutions, struct function_expr *call, uint32_t id)
{
    const struct resolved_call resolved = {call, id};
    APPEND(resolutions, resolutions->calls, resolutions->call_count, resolved);
}

void resolution_add_type(struct resolutions *resolutions, const struct type_name *name, uint32_t id)
{
    const struct resolved_type resolved = {(struct type_name *)(uintptr_t)name, id};
    APPEND(resolutions, resolutions->types, resolutions->type_count, resolved);
}

void resolution_note_target(
    struct resolutions *resolutions, uint32_t first, const struct target *target)
{
    for (uint32_t i = first; i < resolutions->count; i++)
        if (resolutions->items[i].expr == target->expr)
            resolutions->items[i].target = (struct target *)(uintptr_t)target;
}

void resolutions_alias_table(
    struct resolutions *resolutions, uint32_t table_id, const char *name, const char *alias)
{
    for (uint32_t i = 0; i < resolutions->count; i++) {
        struct resolution *item = &resolutions->items[i];
        if (item->table_id != table_id || item->expr->kind != EXPR_COLUMN) continue;
        if (item->range != NULL && strcmp(item->range, name) == 0) item->range = alias;
        if (item->column != NULL) continue;
        struct expr *row = writable(item->expr);
        if (strcmp(row->column.names[row->column.count - 1], name) != 0) continue;
        row->column.names = ARENA_ARRAY(resolutions->arena, const char *, 1);
        row->column.names[0] = alias;
        row->column.count = 1;
    }
}

// --- writing out -----------------------------------------------------------------------------------------

static void qualify(struct resolutions *resolutions, const struct resolution *item)
{
    struct expr *expr = writable(item->expr);
    if (item->range == NULL || item->column == NULL) return;
    const char **names = ARENA_ARRAY(resolutions->arena, const char *, 2);
    names[0] = item->range;
    names[1] = item->column;
    expr->column.names = names;
    expr->column.count = 2;
}

// Several stars of a list are in its order.
static void expand(struct resolutions *resolutions, const struct resolved_star *star)
{
    struct target_list *list = (struct target_list *)(uintptr_t)star->list;
    uint32_t at = 0;
    while (at < list->count && list->items[at].expr != star->expr) at++;
    if (at == list->count) return;
    struct target *items =
        ARENA_ARRAY(resolutions->arena, struct target, list->count + star->count);
    uint32_t count = at;
    memcpy(items, list->items, at * sizeof *items);
    for (uint32_t i = 0; i < star->count; i++)
        items[count++] =
            (struct target){.expr = star->columns[i], .position = list->items[at].position};
    memcpy(items + count, list->items + at + 1, (list->count - at - 1) * sizeof *items);
    list->count += star->count - 1;
    list->items = items;
}

// An expression is written out; where that would be a number, or evaluated twice, its place is.
static void replace_output(struct arena *arena, const struct resolved_output *output)
{
    struct expr *expr = writable(output->expr);
    bool column = output->target != NULL && output->target->kind == EXPR_COLUMN;
    bool literal = output->target == NULL || output->target->kind == EXPR_LITERAL;
    uint32_t position = expr->position;
    if (column || (output->group && !literal)) {
        *expr = *output->target;
        return;
    }
    *expr = (struct expr){.kind = EXPR_LITERAL, .position = position};
    expr->literal.kind = LITERAL_INTEGER;
    expr->literal.integer = (int32_t)output->ordinal;
    expr->literal.text = bytes_of_string(arena_printf(arena, "%u", output->ordinal));
}

void resolutions_write_values(const struct resolutions *resolutions)
{
    for (uint32_t i = 0; i < resolutions->call_count; i++)
        resolutions->calls[i].call->schema = function_reference(resolutions->arena, resolutions->calls[i].id);
    for (uint32_t i = 0; i < resolutions->type_count; i++)
        resolutions->types[i].name->schema = type_reference(resolutions->arena, resolutions->types[i].id);
    for (uint32_t i = 0; i < resolutions->literal_count; i++) {
        const struct resolved_literal *literal = &resolutions->literals[i];
        if (literal->text.data != NULL) writable(literal->expr)->literal.text = literal->text;
    }
}

void resolutions_write_out(struct resolutions *resolutions)
{
    resolutions_write_values(resolutions);
    for (uint32_t i = 0; i < resolutions->count; i++)
        qualify(resolutions, &resolutions->items[i]);
    for (uint32_t i = 0; i < resolutions->spelling_count; i++)
        *writable(resolutions->spellings[i].expr) = *resolutions->spellings[i].as;
    for (uint32_t i = 0; i < resolutions->output_count; i++)
        replace_output(resolutions->arena, &resolutions->outputs[i]);
    for (uint32_t i = 0; i < resolutions->star_count; i++)
        expand(resolutions, &resolutions->stars[i]);
    for (uint32_t i = 0; i < resolutions->join_count; i++) {
        struct from_item *item = (struct from_item *)(uintptr_t)resolutions->joins[i].item;
        item->join.natural = false;
        item->join.using_columns = resolutions->joins[i].using;
        if (item->join.using_columns.count == 0) item->join.kind = JOIN_CROSS;
    }
}

static bool is_of(const struct resolution *item, uint32_t table_id, const char *column)
{
    if (item->table_id != table_id || item->by_alias) return false;
    return item->column != NULL && strcmp(item->column, column) == 0;
}

static void replace_name(const struct resolutions *resolutions, const struct expr *expr,
    uint32_t at, const char *name)
{
    if (expr->kind == EXPR_FIELD) {
        writable(expr)->field.name = name;
        return;
    }
    const char **names = ARENA_ARRAY(resolutions->arena, const char *, expr->column.count);
    memcpy(names, expr->column.names, expr->column.count * sizeof *names);
    names[at] = name;
    writable(expr)->column.names = names;
}

void resolutions_rename_column(
    const struct resolutions *resolutions, uint32_t table_id, const char *from, const char *to)
{
    for (uint32_t i = 0; i < resolutions->count; i++) {
        const struct resolution *item = &resolutions->items[i];
        if (!is_of(item, table_id, from)) continue;
        const bool field = item->expr->kind == EXPR_FIELD;
        if (item->target != NULL && item->target->alias == NULL) item->target->alias = from;
        replace_name(resolutions, item->expr, field ? 0 : item->expr->column.count - 1, to);
    }
}

void resolutions_rename_table(
    const struct resolutions *resolutions, uint32_t table_id, const char *from, const char *to)
{
    for (uint32_t i = 0; i < resolutions->count; i++) {
        const struct resolution *item = &resolutions->items[i];
        uint32_t at = item->column == NULL ? item->expr->column.count : item->expr->column.count - 1;
        if (item->table_id != table_id || at == 0) continue;
        if (strcmp(item->expr->column.names[at - 1], from) == 0)
            replace_name(resolutions, item->expr, at - 1, to);
    }
}

bool resolutions_use(
    const struct resolutions *resolutions, uint32_t table_id, uint32_t attribute)
{
    for (uint32_t i = 0; i < resolutions->count; i++) {
        const struct resolution *item = &resolutions->items[i];
        if (item->table_id == table_id && item->column != NULL && item->attribute == attribute)
            return true;
    }
    for (uint32_t i = 0; i < resolutions->using_count; i++)
        if (resolutions->using[i].table_id == table_id &&
            resolutions->using[i].attribute == attribute)
            return true;
    return false;
}
