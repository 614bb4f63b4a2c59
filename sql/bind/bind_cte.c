// SPDX-License-Identifier: GPL-3.0-or-later
//
// Common table expressions: WITH, WITH RECURSIVE, and data-modifying ones.
#include "core/invariant.h"
#include "sql/bind/bind.h"
#include "sql/bind/bind_cte.h"
#include "sql/bind/recursion.h"

static struct status bind_cte_statement(struct binder *binder, struct scope *scope,
    const struct with_clause *with, const struct cte *cte, struct rel_cte *out, struct query *query)
{
    const struct statement *statement = cte->statement;
    if (statement->tag != STATEMENT_SELECT && with != binder->with)
        return bind_error(binder, cte->position, E_FEATURE_NOT_SUPPORTED,
            "WITH clause containing a data-modifying statement must be at the top level");
    switch (statement->tag) {
    case STATEMENT_SELECT:
        return bind_select(binder, scope, statement->as.select, false, query);
    case STATEMENT_INSERT:
        out->modifies = true;
        return bind_insert(binder, scope, statement->as.insert, query);
    case STATEMENT_UPDATE:
        out->modifies = true;
        return bind_update(binder, scope, statement->as.update, query);
    case STATEMENT_DELETE:
        out->modifies = true;
        return bind_delete(binder, scope, statement->as.delete_, query);
    default: return bind_unsupported(binder, cte->position, "this statement in WITH");
    }
}

struct status bind_cte_columns(struct binder *binder, const struct cte *cte,
    const struct query *query, struct cte_scope *scope, struct rel_cte *out)
{
    uint32_t count = query->column_count;
    if (cte->columns.count > count)
        return bind_error(binder, cte->position, E_INVALID_COLUMN_REFERENCE,
            "table \"%s\" has %u columns available but %u columns specified", cte->name, count,
            cte->columns.count);
    scope->name = cte->name;
    scope->columns = ARENA_ARRAY(binder->arena, const char *, count);
    scope->types = ARENA_ARRAY(binder->arena, struct type, count);
    out->vars = ARENA_ARRAY(binder->arena, var_id, count);
    out->var_count = count;
    for (uint32_t i = 0; i < count; i++) {
        scope->columns[i] =
            i < cte->columns.count ? cte->columns.items[i] : query->columns[i].name;
        scope->types[i] = query->columns[i].type;
        out->vars[i] = query->columns[i].var;
    }
    return STATUS_OK;
}

static void recursive_outputs(
    struct binder *binder, const struct query *start, struct rel *rel, struct query *query)
{
    rel->set.inputs = ARENA_ARRAY(binder->arena, struct rel *, 2);
    rel->set.input_vars = ARENA_ARRAY(binder->arena, var_id *, 2);
    rel->set.input_count = 2;
    rel->set.var_count = start->column_count;
    rel->set.vars = ARENA_ARRAY(binder->arena, var_id, start->column_count);
    rel->set.input_vars[0] = ARENA_ARRAY(binder->arena, var_id, start->column_count);
    rel->set.input_vars[1] = ARENA_ARRAY(binder->arena, var_id, start->column_count);
    rel->set.inputs[0] = start->rel;
    for (uint32_t i = 0; i < start->column_count; i++) {
        const struct output *column = &start->columns[i];
        rel->set.input_vars[0][i] = column->var;
        rel->set.vars[i] = bind_new_var(binder, column->name, NULL, column->type);
        bind_add_output(binder, query,
            (struct output){.name = column->name,
                .var = rel->set.vars[i],
                .type = column->type,
                .position = column->position});
    }
}

static struct status recursive_step(struct binder *binder, const struct cte *cte,
    struct query *step, struct rel *rel, struct query *query)
{
    struct status st = STATUS_OK;
    if (step->column_count != rel->set.var_count)
        return bind_error(binder, cte->position, E_SYNTAX_ERROR,
            "each UNION query must have the same number of columns");
    struct rel *project = rel_new(binder->arena, REL_PROJECT);
    project->left = step->rel;
    for (uint32_t i = 0; i < step->column_count; i++) {
        struct scalar *scalar = bind_var(binder, step->columns[i].var, POSITION_NONE);
        bool done;
        rel->set.input_vars[1][i] = step->columns[i].var;
        struct type type = query->columns[i].type;
        if (type.typmod != -1 && scalar->type.oid == type.oid && scalar->type.typmod != type.typmod)
            return status_hint(binder->arena,
                bind_error(binder, cte->position, E_DATATYPE_MISMATCH,
                    "recursive query \"%s\" column %u has type %s in non-recursive term but type "
                    "%s "
                    "overall",
                    cte->name, i + 1, bind_type_text(binder, type),
                    bind_type_text(binder, TYPE_OF(type.oid))),
                "Cast the output of the non-recursive term to the correct type.");
        if (scalar->type.oid == type.oid) continue;
        TRY(bind_coerce(
            binder, &scalar, TYPE_OF(query->columns[i].type.oid), CAST_IMPLICIT, &done));
        if (!done)
            return status_hint(binder->arena,
                bind_error(binder, query->columns[i].position, E_DATATYPE_MISMATCH,
                    "recursive query \"%s\" column %u has type %s in non-recursive term but type %s "
                    "overall",
                    cte->name, i + 1, bind_type_text(binder, query->columns[i].type),
                    bind_type_text(binder, step->columns[i].type)),
                "Cast the output of the non-recursive term to the correct type.");
        var_id var = bind_new_var(binder, step->columns[i].name, NULL, scalar->type);
        rel_item_add(binder->arena, &project->project, var, scalar);
        rel->set.input_vars[1][i] = var;
    }
    rel->set.inputs[1] = project;

out:
    return st;
}

static struct status bind_recursive(struct binder *binder, struct scope *scope,
    const struct cte *cte, struct rel_cte *out, struct query *query)
{
    struct status st = STATUS_OK;
    const struct select *select = cte->statement->as.select;
    struct cte_paths paths = {.left = select->left, .right = select->right};
    struct query start = {0}, step = {0};
    struct rel *rel = rel_new(binder->arena, REL_RECURSIVE);
    struct cte_scope self = {.parent = scope->ctes};
    struct scope inner = {.parent = scope, .ctes = &self};
    rel->set.all = select->all;
    if (select->with != NULL)
        return bind_unsupported(binder, cte->position, "WITH inside of a recursive query");
    if (cte->search != NULL || cte->cycle != NULL)
        TRY(bind_cte_paths(binder, scope, cte, select, &paths));
    TRY(bind_select(binder, scope, paths.left, false, &start));
    recursive_outputs(binder, &start, rel, query);
    for (uint32_t i = 0; !select->all && i < query->column_count; i++)
        if (!type_is_ordered(query->columns[i].type.oid))
            return bind_error(binder, query->columns[i].position, E_UNDEFINED_FUNCTION,
                "could not identify an equality operator for type %s",
                bind_type_text(binder, query->columns[i].type));
    TRY(bind_cte_columns(binder, cte, query, &self, out));
    self.worktable_of = rel;
    self.hidden = paths.hidden;
    TRY(bind_select(binder, &inner, paths.right, false, &step));
    if (self.worktable_references != 1)
        return status_make(E_INTERNAL, "a recursive query has another number of references than it names");
    if (paths.depth) query->column_count--; // The last one is for the query itself.
    TRY(recursive_step(binder, cte, &step, rel, query));
    query->rel = rel;
    out->materialized = true;

out:
    return st;
}

static struct status bind_cte(struct binder *binder, struct scope *scope,
    const struct with_clause *with, const struct cte *cte, bool recursive, struct rel *owner)
{
    struct status st = STATUS_OK;
    struct rel_cte *out = ARENA_NEW(binder->arena, struct rel_cte);
    struct cte_scope *entry = ARENA_NEW(binder->arena, struct cte_scope);
    struct query query = {0};
    if (!recursive && (cte->search != NULL || cte->cycle != NULL))
        return bind_error(binder, cte->search != NULL ? cte->search->position : cte->cycle->position,
            E_SYNTAX_ERROR, "WITH query is not recursive");
    TRY(recursive ? bind_recursive(binder, scope, cte, out, &query)
                  : bind_cte_statement(binder, scope, with, cte, out, &query));
    TRY(bind_cte_columns(binder, cte, &query, entry, out));
    out->name = cte->name;
    out->rel = query.rel;
    out->materialized |= cte->materialized == CTE_MATERIALIZED || out->modifies;
    out->index = binder->spool_count++;
    entry->cte = out;
    entry->parent = scope->ctes;
    scope->ctes = entry;
    owner->with.ctes[owner->with.count++] = out;

out:
    return st;
}

static struct status check_names(struct binder *binder, const struct with_clause *with)
{
    struct hashmap names;
    hashmap_init(&names, binder->arena);
    for (uint32_t i = 0; i < with->count; i++) {
        const struct cte *cte = &with->items[i];
        if (hashmap_get(&names, bytes_of_string(cte->name)) != NULL)
            return bind_error(binder, cte->position, E_DUPLICATE_ALIAS,
                "WITH query name \"%s\" specified more than once", cte->name);
        hashmap_put(&names, bytes_of_string(cte->name), &names);
    }
    return STATUS_OK;
}

struct status bind_with(struct binder *binder, struct scope *scope, const struct with_clause *with,
    struct rel **owner)
{
    struct status st = STATUS_OK;
    struct recursion recursion;
    *owner = rel_new(binder->arena, REL_WITH);
    (*owner)->with.ctes = ARENA_ARRAY(binder->arena, struct rel_cte *, with->count);
    TRY(check_names(binder, with));
    TRY(recursion_check(binder, with, &recursion));
    for (uint32_t i = 0; i < with->count; i++) {
        const uint32_t at = recursion.order[i];
        TRY(bind_cte(binder, scope, with, &with->items[at], recursion.recursive[at], *owner));
    }

out:
    return st;
}
