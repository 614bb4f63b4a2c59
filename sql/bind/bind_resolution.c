// SPDX-License-Identifier: GPL-3.0-or-later
//
// Records of what names were found to mean, for those who ask the binder for them.
#include "sql/bind/bind.h"
#include "sql/bind/resolution.h"

// The range's name, where it means that range from `scope`, or one of several that their schemas tell apart; else NULL.
static const char *name_from(const struct scope *scope, const struct range *range)
{
    bool hidden = false;
    for (const struct scope *s = scope; s != NULL && !hidden; s = s->parent) {
        for (const struct range *found = s->names.ranges; found != NULL; found = found->next) {
            if (found == range) return range->name;
            hidden |= strcmp(found->name, range->name) == 0;
        }
    }
    return NULL;
}

static const struct range *owner(const struct from_names *names, const struct range_column *column)
{
    if (column->scalar->kind != SCALAR_VAR) return NULL;
    for (const struct range *range = names->ranges; range != NULL; range = range->next)
        for (uint32_t i = 0; i < range->column_count && !range->using_alias; i++) {
            const struct range_column *each = &range->columns[i];
            if (each->scalar->kind == SCALAR_VAR && each->scalar->var == column->scalar->var &&
                strcmp(each->name, column->name) == 0)
                return range;
        }
    return NULL;
}

// Whose column it is that was found behind the name of `range`, from `scope`; NULL: one that the join computes.
static const struct range *source(
    const struct scope *scope, const struct range *range, const struct range_column *column)
{
    if (!range->using_alias) return range;
    for (const struct scope *s = scope; s != NULL; s = s->parent)
        for (const struct range *each = s->names.ranges; each != NULL; each = each->next)
            if (each == range) return owner(&s->names, column);
    return NULL;
}

void bind_note_column(struct binder *binder, const struct scope *scope, const struct scope *found_in,
    const struct range *range, const struct expr *expr, const struct range_column *column)
{
    struct resolutions *resolutions = binder->resolutions;
    if (resolutions == NULL) return;
    range = range == NULL ? owner(&found_in->names, column) : source(scope, range, column);
    if (range == NULL) return;
    resolution_add(resolutions,
        &(struct resolution){.expr = expr,
            .range = name_from(scope, range),
            .column = column->name,
            .table_id = range->relation_id,
            .attribute = column->attribute,
            .by_alias = range->aliased});
}

void bind_note_routine(struct binder *binder, const struct function_expr *call, const struct function *function)
{
    if (binder->resolutions == NULL || function == NULL || function->user == NULL) return;
    const struct function_expr *written = call->written != NULL ? call->written : call;
    resolution_add_call(
        binder->resolutions, (struct function_expr *)(uintptr_t)written, function->user->id);
}

void bind_note_row(struct binder *binder, const struct range *range, const struct expr *expr)
{
    if (binder->resolutions == NULL) return;
    resolution_add(binder->resolutions,
        &(struct resolution){.expr = expr, .table_id = range->relation_id});
}

void bind_note_using(
    struct binder *binder, const struct from_names *names, const struct range_column *column)
{
    const struct range *range = binder->resolutions == NULL ? NULL : owner(names, column);
    if (range == NULL || range->relation_id == 0) return;
    resolution_add_using(binder->resolutions,
        &(struct resolved_using){.table_id = range->relation_id, .attribute = column->attribute});
}

void bind_note_field(
    struct binder *binder, type_oid oid, const char *name, const struct expr *expr)
{
    if (binder->resolutions == NULL || binder->names == NULL) return;
    const struct bind_type *type = bind_names_type_by_id(binder->names, type_user_id(oid));
    if (type == NULL || type->type->kind != RELATION_COMPOSITE) return;
    const struct column_desc *column = table_column(type->type, name);
    if (column == NULL) return;
    if (expr == NULL)
        resolution_add_using(binder->resolutions,
            &(struct resolved_using){.table_id = type->type->id, .attribute = column->id});
    else
        resolution_add(binder->resolutions,
            &(struct resolution){.expr = expr,
                .column = column->name,
                .table_id = type->type->id,
                .attribute = column->id});
}

struct expr **bind_note_field_star(struct binder *binder, const struct target_list *list,
    const struct expr *expr, type_oid oid, const struct range_column *columns, uint32_t count)
{
    struct resolutions *resolutions = binder->resolutions;
    if (resolutions == NULL) return NULL;
    struct resolved_star star = {.list = list,
        .expr = expr,
        .columns = ARENA_ARRAY(resolutions->arena, struct expr *, count + 1u),
        .count = count};
    for (uint32_t i = 0; i < count; i++) {
        struct expr *field = ARENA_NEW(resolutions->arena, struct expr);
        *field = *expr;
        field->field.name = columns[i].name;
        star.columns[i] = field;
        if (type_is_composite(oid)) bind_note_field(binder, oid, columns[i].name, field);
    }
    resolution_add_star(resolutions, &star);
    return star.columns;
}

struct expr **bind_note_star(struct binder *binder, struct scope *scope,
    const struct target_list *list, const struct expr *expr, const struct range_column *columns,
    uint32_t count)
{
    struct resolutions *resolutions = binder->resolutions;
    if (resolutions == NULL) return NULL;
    struct resolved_star star = {.list = list,
        .expr = expr,
        .columns = ARENA_ARRAY(resolutions->arena, struct expr *, count + 1u),
        .count = count};
    struct range *named = NULL;
    if (expr->column.count > 0 && failed(bind_qualified_range(binder, scope, expr, &named)))
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct range *range =
            named == NULL ? owner(&scope->names, &columns[i]) : source(scope, named, &columns[i]);
        if (range == NULL) range = named;
        const char *name = range == NULL ? NULL : name_from(scope, range);
        const char **parts = ARENA_ARRAY(resolutions->arena, const char *, 2);
        struct expr *column = ARENA_NEW(resolutions->arena, struct expr);
        *column = (struct expr){.kind = EXPR_COLUMN, .position = expr->position};
        column->column.names = parts;
        if (name != NULL) parts[column->column.count++] = name;
        parts[column->column.count++] = columns[i].name;
        star.columns[i] = column;
        if (range != NULL && range->relation_id != 0)
            resolution_add(resolutions,
                &(struct resolution){.expr = column,
                    .range = name,
                    .column = columns[i].name,
                    .table_id = range->relation_id,
                    .attribute = columns[i].attribute,
                    .by_alias = range->aliased});
    }
    resolution_add_star(resolutions, &star);
    return star.columns;
}
