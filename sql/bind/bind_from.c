// SPDX-License-Identifier: GPL-3.0-or-later
//
// FROM: table references, joins and the names they bring. What these names mean: sql/bind/bind_column.c.
#include "core/deep.h"
#include "core/work.h"
#include "sql/bind/bind.h"
#include "sql/bind/resolution.h"
#include "sql/catalog/statement_table.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege.h"

// Views within views.
#define VIEW_DEPTH_MAX 32u

static struct status bind_from_item(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel);

// --- names -------------------------------------------------------------------------------------------

static struct relation *find_in_view(const struct relation *view, const struct object_name *name)
{
    for (uint32_t i = 0; i < view->depend_count; i++) {
        struct relation *used = view->depends[i];
        if (strcmp(used->table->name, name->name) == 0 &&
            (name->schema == NULL || strcmp(used->schema, name->schema) == 0))
            return used;
    }
    return NULL;
}

struct status bind_relation(struct binder *binder, const struct scope *scope,
    const struct object_name *name, struct relation **relation)
{
    *relation = NULL;
    for (const struct scope *s = scope; s != NULL && *relation == NULL; s = s->parent)
        if (s->view != NULL) *relation = find_in_view(s->view, name);
    if (*relation == NULL && binder->names != NULL)
        *relation = bind_names_find(binder->names, name);
    if (*relation != NULL) return STATUS_OK;
    enum other_relation other =
        binder->names != NULL ? bind_names_other(binder->names, name) : OTHER_NOTHING;
    if (other == OTHER_DENIED) return bind_check_schema(binder, name->schema);
    if (other != OTHER_NOTHING)
        return bind_error(binder, name->position, E_WRONG_OBJECT_TYPE, "\"%s\" is %s", name->name,
            other == OTHER_INDEX ? "an index" : "a composite type");
    if (name->schema != NULL)
        return bind_error(binder, name->position, E_UNDEFINED_TABLE,
            "relation \"%s.%s\" does not exist", name->schema, name->name);
    return bind_error(
        binder, name->position, E_UNDEFINED_TABLE, "relation \"%s\" does not exist", name->name);
}

static struct range *new_range(struct binder *binder, const char *name, uint32_t column_count)
{
    struct range *range = ARENA_NEW(binder->arena, struct range);
    range->name = name;
    range->base = VAR_NONE;
    range->found = VAR_NONE;
    range->columns = ARENA_ARRAY(binder->arena, struct range_column, column_count);
    range->column_count = column_count;
    return range;
}

// What SELECT ... FOR UPDATE of the range locks.
static void lock_query(struct range *range, const struct query *query, bool is_view)
{
    range->rel = query->rel;
    // A view is not looked into as far as it reads no table.
    range->no_locks = is_view && !query->reads_tables ? NULL : query->no_locks;
}

static void add_columns(struct binder *binder, struct from_names *names,
    const struct range_column *columns, uint32_t count)
{
    (void)deep_goes_on((names->column_count + count) / 8);
    names->columns = arena_grow(binder->arena, names->columns,
        names->column_count * sizeof(struct range_column),
        (names->column_count + count) * sizeof(struct range_column));
    if (count > 0)
        memcpy(names->columns + names->column_count, columns, count * sizeof(struct range_column));
    names->column_count += count;
}

static void add_range(struct binder *binder, struct from_names *names, struct range *range)
{
    range->next = names->ranges;
    names->ranges = range;
    add_columns(binder, names, range->columns, range->column_count);
}

// Relations of one name are told apart by their schemas, unless either has the name as an alias.
static bool told_apart(const struct range *a, const struct range *b)
{
    return a->home != NULL && b->home != NULL && strcmp(a->home, b->home) != 0;
}

struct status bind_check_alias(struct binder *binder, const struct from_names *names,
    const struct range *range, uint32_t position)
{
    (void)position; // PostgreSQL tells none.
    for (const struct range *other = names->ranges; other != NULL; other = other->next)
        if (other != range && strcmp(other->name, range->name) == 0 && !told_apart(other, range))
            return bind_error(binder, POSITION_NONE, E_DUPLICATE_ALIAS,
                "table name \"%s\" specified more than once", range->name);
    return STATUS_OK;
}

// Moves `from`'s names into `into`, refusing ambiguous table names.
static struct status merge_names(struct binder *binder, struct from_names *into,
    const struct from_names *from, uint32_t position)
{
    struct status st = STATUS_OK;
    for (struct range *range = from->ranges; range != NULL;) {
        struct range *next = range->next;
        TRY(bind_check_alias(binder, into, range, position));
        range->next = into->ranges;
        into->ranges = range;
        range = next;
    }
    TRY(bind_work(binder, 1 + into->column_count / 64));
    add_columns(binder, into, from->columns, from->column_count);

out:
    return st;
}

struct status bind_column_aliases(struct binder *binder, struct range *range,
    const struct name_list *aliases, uint32_t position)
{
    uint32_t at = 0;
    range->aliased = aliases->count > 0;
    for (uint32_t i = 0; i < aliases->count; i++, at++) {
        while (at < range->column_count && range->columns[at].hidden) at++;
        if (at >= range->column_count)
            return bind_error(binder, position, E_INVALID_COLUMN_REFERENCE,
                "table \"%s\" has %u columns available but %u columns specified", range->name, at,
                aliases->count);
        range->columns[at].name = aliases->items[i];
    }
    return STATUS_OK;
}

struct range *bind_add_table_range(struct binder *binder, struct from_names *names,
    const struct table_desc *table, const char *alias, var_id base)
{
    struct range *range = new_range(binder, alias != NULL ? alias : table->name, table->column_count);
    const struct relation *relation = bind_names_by_id(binder->names, table->id);
    if (alias == NULL && relation != NULL) range->home = relation->schema;
    range->table = table;
    range->relation_id = table->id;
    range->base = base;
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        if (column->state != ELEMENT_PUBLIC) continue;
        range->columns[count++] = (struct range_column){.name = column->name,
            .scalar = bind_var(binder, base + i, POSITION_NONE),
            .hidden = column->hidden,
            .table_oid = pg_relation_oid(table),
            .attribute = (uint16_t)column->id,
            .used = relation == NULL || relation->table != table ? NULL : &relation->used[i]};
    }
    range->column_count = count;
    add_range(binder, names, range);
    return range;
}

// Nobody asks whether its columns may be read: a view's owner answers for them. Just added.
void bind_range_unasked(struct from_names *names, struct range *range)
{
    for (uint32_t i = 0; i < range->column_count; i++) {
        range->columns[i].used = NULL;
        if (names != NULL) names->columns[names->column_count - 1 - i].used = NULL;
    }
}

// They only help to estimate: what does not bind is left out.
static void bind_statistics_expressions(struct binder *binder, struct rel *scan)
{
    const struct table_desc *table = scan->scan.table;
    uint32_t count = 0;
    if (table->statistics_count == 0) return;
    for (uint32_t i = 0; i < table->statistics_count; i++)
        count += table->statistics[i].expression_count;
    struct scalar **next = scan->scan.statistics_expressions =
        ARENA_ARRAY(binder->arena, struct scalar *, count + 1);
    bool has_volatile = binder->has_volatile;
    for (uint32_t i = 0; i < table->statistics_count; i++)
        for (uint32_t k = 0; k < table->statistics[i].expression_count; k++, next++)
            if (failed(bind_table_expression(
                    binder, table, scan->scan.base, table->statistics[i].expressions[k].sql, next)))
                *next = NULL;
    binder->has_volatile = has_volatile;
}

struct rel *bind_scan(struct binder *binder, const struct relation *relation, const char *alias)
{
    const struct table_desc *table = relation->table;
    enum rel_kind kind = table->kind == RELATION_VIRTUAL ? REL_VIRTUAL
        : table->kind == RELATION_SEQUENCE               ? REL_SEQUENCE
                                                         : REL_SCAN;
    struct rel *rel = rel_new(binder->arena, kind);
    rel->scan.table = table;
    rel->scan.alias = alias;
    rel->scan.base = bind_new_row(binder, table, alias);
    bind_statistics_expressions(binder, rel);
    return rel;
}

// --- table references --------------------------------------------------------------------------------

// Two columns of a table reference are two, though one value stands in both: sets of groups may have one and not the other.
static void separate_columns(struct binder *binder, struct query *query)
{
    struct rel *project = NULL;
    for (uint32_t i = 0; i < query->column_count; i++) {
        struct output *column = &query->columns[i];
        bool again = false;
        for (uint32_t k = 0; k < i && !again; k++) again = query->columns[k].var == column->var;
        if (!again) continue;
        if (project == NULL) {
            project = rel_new(binder->arena, REL_PROJECT);
            project->left = query->rel;
            query->rel = project;
        }
        struct scalar *same = bind_var(binder, column->var, POSITION_NONE);
        column->var = bind_new_var(binder, column->name, NULL, same->type);
        binder->vars[column->var].row = bind_row_maker(binder, same);
        binder->vars[column->var].domain = same->domain;
        rel_item_add(binder->arena, &project->project, column->var, same);
    }
}

static struct range *query_range(struct binder *binder, const char *name, struct query *query)
{
    if (binder->separate) separate_columns(binder, query);
    struct range *range = new_range(binder, name, query->column_count);
    for (uint32_t i = 0; i < query->column_count; i++) {
        const struct output *column = &query->columns[i];
        range->columns[i] = (struct range_column){.name = column->name,
            .scalar = scalar_var(binder->arena, column->var, column->type, POSITION_NONE),
            .table_oid = column->table_oid,
            .attribute = column->attribute};
        range->columns[i].scalar->domain = binder->vars[column->var].domain;
    }
    return range;
}

static struct status bind_view(struct binder *binder, const struct relation *relation,
    const struct from_item *item, bool in_view, struct from_names *names, struct rel **rel)
{
    struct status st = STATUS_OK;
    struct bytes text = binder->text;
    struct scope scope = {.view = relation};
    struct query query = {0};
    if (binder->view_depth >= VIEW_DEPTH_MAX)
        return bind_error(binder, item->position, E_STATEMENT_TOO_COMPLEX,
            "views are nested deeper than %u", VIEW_DEPTH_MAX);
    struct resolutions *resolutions = binder->resolutions;
    binder->view_depth++;
    binder->resolutions = NULL;
    binder->text = (struct bytes){0}; // Positions in a view's text mean nothing to the client.
    st = bind_select(binder, &scope, relation->view, false, &query);
    binder->text = text;
    binder->resolutions = resolutions;
    binder->view_depth--;
    TRY(st);
    const struct table_desc *table = relation->table;
    struct range *range =
        query_range(binder, item->alias != NULL ? item->alias : table->name, &query);
    range->relation_id = table->id;
    lock_query(range, &query, true);
    if (item->alias == NULL) range->home = relation->schema;
    for (uint32_t i = 0; i < range->column_count; i++) {
        if (i < table->column_count) range->columns[i].name = table->columns[i].name;
        range->columns[i].table_oid = pg_relation_oid(table);
        range->columns[i].attribute = (uint16_t)(i + 1);
        range->columns[i].used = in_view || i >= table->column_count ? NULL : &relation->used[i];
    }
    TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
    add_range(binder, names, range);
    *rel = query.rel;
    if (table->security_barrier == 't') { // Conditions stay above a LIMIT, be it none.
        *rel = rel_new(binder->arena, REL_LIMIT);
        (*rel)->left = query.rel;
    }

out:
    return st;
}

// SELECT ... FROM sequence shows one row.
static struct status bind_sequence(struct binder *binder, struct relation *relation,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    static const struct {
        const char *name;
        type_oid type;
    } columns[] = {{"last_value", TYPE_INT8}, {"log_cnt", TYPE_INT8}, {"is_called", TYPE_BOOL}};
    struct rel *scan = rel_new(binder->arena, REL_SEQUENCE);
    struct table_desc *table = ARENA_NEW(binder->arena, struct table_desc);
    const char *name = item->alias != NULL ? item->alias : relation->table->name;
    *table = *relation->table;
    table->column_count = 3;
    table->columns = ARENA_ARRAY(binder->arena, struct column_desc, 3);
    for (uint32_t i = 0; i < 3; i++)
        table->columns[i] = (struct column_desc){
            .id = i + 1, .name = columns[i].name, .type = TYPE_OF(columns[i].type)};
    scan->scan.table = table;
    scan->scan.alias = name;
    scan->scan.base = bind_new_row(binder, table, name);
    bind_add_table_range(binder, names, table, item->alias, scan->scan.base);
    relation->privileges |= PRIVILEGE_SELECT;
    *rel = scan;
    return STATUS_OK;
}

static struct cte_scope *find_cte(
    const struct binder *binder, const struct scope *scope, const char *name)
{
    for (const struct scope *s = scope; s != NULL; s = s->parent)
        for (struct cte_scope *cte = s->ctes; cte != NULL; cte = cte->parent)
            if (strcmp(cte->name, name) == 0) return cte;
    for (struct cte_scope *cte = binder->ctes; cte != NULL; cte = cte->parent)
        if (strcmp(cte->name, name) == 0) return cte;
    return NULL;
}

static struct status bind_cte_reference(struct binder *binder, struct cte_scope *cte,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    struct status st = STATUS_OK;
    uint32_t count = cte->worktable_of != NULL ? cte->worktable_of->set.var_count
                                               : cte->cte->var_count;
    struct rel *read =
        rel_new(binder->arena, cte->worktable_of != NULL ? REL_WORKTABLE : REL_CTE);
    const char *name = item->alias != NULL ? item->alias : cte->name;
    struct range *range = new_range(binder, name, count);
    var_id *vars = ARENA_ARRAY(binder->arena, var_id, count);
    for (uint32_t i = 0; i < count; i++) {
        vars[i] = bind_new_var(binder, cte->columns[i], name, cte->types[i]);
        range->columns[i] = (struct range_column){
            .name = cte->columns[i],
            .scalar = bind_var(binder, vars[i], POSITION_NONE),
            .hidden = i >= count - cte->hidden};
    }
    if (cte->worktable_of != NULL) {
        cte->worktable_references++;
        range->itself = true;
        read->worktable.vars = vars;
        read->worktable.var_count = count;
        read->worktable.recursive = cte->worktable_of;
    } else {
        cte->cte->references++;
        read->cte.cte = cte->cte;
        read->cte.vars = vars;
    }
    TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
    range->unlockable = "a WITH query";
    add_range(binder, names, range);
    *rel = read;

out:
    return st;
}

static struct status bind_table(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    struct status st = STATUS_OK;
    struct relation *relation;
    const struct object_name *name = &item->table.name;
    if (name->schema == NULL && name->catalog == NULL) {
        struct cte_scope *cte = find_cte(binder, scope, name->name);
        if (cte != NULL) TRY(bind_no_sample(binder, item));
        if (cte != NULL) return bind_cte_reference(binder, cte, item, names, rel);
    }
    TRY(bind_relation(binder, scope, name, &relation));
    bool in_view = false;
    for (const struct scope *s = scope; s != NULL; s = s->parent)
        in_view |= s->view != NULL && s->view->table->security_invoker != 't';
    // What a view reads is checked with the view: its reader needs no right to it.
    if (!in_view) relation->privileges |= PRIVILEGE_SELECT;
    if (relation->table->kind == RELATION_VIEW || relation->table->kind == RELATION_SEQUENCE)
        TRY(bind_no_sample(binder, item));
    if (relation->table->kind == RELATION_VIEW) return bind_view(binder, relation, item, in_view, names, rel);
    relation->read = true;
    if (relation->table->kind == RELATION_SEQUENCE)
        return bind_sequence(binder, relation, item, names, rel);
    const char *alias = item->alias != NULL ? item->alias : relation->table->name;
    struct rel *scan = bind_scan(binder, relation, alias);
    TRY(bind_sample(binder, scope, item, relation->table, scan));
    scan->scan.index_hint = item->table.index_hint;
    scan->scan.no_full_scan = item->table.no_full_scan;
    struct range *range = bind_add_table_range(binder, names, relation->table, item->alias, scan->scan.base);
    range->rel = scan;
    if (in_view) bind_range_unasked(names, range);
    if (item->column_aliases.count > 0) {
        TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
        names->column_count -= range->column_count;
        add_columns(binder, names, range->columns, range->column_count);
    }
    *rel = scan;

out:
    return st;
}

static const struct scope *select_scope(const struct scope *scope)
{
    while (scope->nested_from) scope = scope->parent;
    return scope;
}

static struct status bind_subquery(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    struct status st = STATUS_OK;
    struct query query = {0};
    // Without LATERAL the siblings to the left are not to be seen.
    struct scope outer = item->lateral ? *scope : *select_scope(scope);
    if (!item->lateral) outer.names = (struct from_names){0};
    outer.level = NULL;
    outer.clause = item->lateral ? "FROM clause of their own query level" : NULL;
    TRY(bind_select(binder, &outer, item->query, false, &query));
    struct range *range =
        query_range(binder, item->alias != NULL ? item->alias : "unnamed_subquery", &query);
    lock_query(range, &query, false);
    TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
    add_range(binder, names, range);
    *rel = query.rel;

out:
    return st;
}

// unnest(a, b) is unnest(a) beside unnest(b).
static struct expr_list split_unnest(struct binder *binder, const struct expr_list *calls)
{
    struct expr_list split = {0};
    uint32_t count = 0;
    for (uint32_t pass = 0; pass < 2; pass++) {
        if (pass == 1) split.items = ARENA_ARRAY(binder->arena, struct expr *, count);
        split.count = 0;
        for (uint32_t i = 0; i < calls->count; i++) {
            struct expr *call = calls->items[i];
            bool several = call->kind == EXPR_FUNCTION && call->function->args.count > 1 &&
                           strcmp(call->function->name, "unnest") == 0;
            for (uint32_t a = 0; a < (several ? call->function->args.count : 1); a++) {
                if (pass == 0) {
                    count++;
                    continue;
                }
                struct expr *one = call;
                if (several) {
                    one = ARENA_NEW(binder->arena, struct expr);
                    *one = *call;
                    one->function = ARENA_NEW(binder->arena, struct function_expr);
                    *one->function = *call->function;
                    one->function->args.items += a;
                    one->function->args.count = 1;
                }
                split.items[split.count++] = one;
            }
        }
    }
    return split;
}

// A column definition list is for functions of type record, which need one.
static struct status check_definitions(struct binder *binder, const struct from_item *item,
    const struct expr *expr, const struct rel_call *call, bool defined)
{
    bool record = call->var_count == 1 && call->types[0].oid == TYPE_RECORD;
    if (record == defined) return STATUS_OK;
    if (record)
        return bind_error(binder, expr->position, E_SYNTAX_ERROR,
            "a column definition list is required for functions returning \"record\"");
    return bind_error(binder, item->position, E_SYNTAX_ERROR,
        "a column definition list is only allowed for functions returning \"record\"");
}

// What it is called where it stands: a user's function may have another name by now.
static const char *call_name(const struct expr *expr, const struct rel_call *call)
{
    return call->function->user != NULL && expr->kind == EXPR_FUNCTION ? expr->function->name : call->function->name;
}

static struct status bind_xml_item(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    struct status st;
    const struct xml_expr *xml = item->function.calls.items[0]->xml;
    struct range *range = new_range(binder, item->alias != NULL ? item->alias : "xmltable", xml->column_count);
    struct scope inner = *scope;
    inner.clause = "functions in FROM";
    inner.sets_allowed = false;
    TRY(bind_xml_table(binder, &inner, xml, range, rel));
    range->unlockable = "a table function";
    if (item->column_aliases.count > range->column_count)
        return bind_error(binder, item->position, E_INVALID_COLUMN_REFERENCE,
            "XMLTABLE function has %u columns available but %u columns specified", range->column_count, item->column_aliases.count);
    TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
    add_range(binder, names, range);
out:
    return st;
}

static struct status bind_function_item(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    struct status st = STATUS_OK;
    if (item->function.calls.items[0]->kind == EXPR_XML) return bind_xml_item(binder, scope, item, names, rel);
    struct expr_list calls = split_unnest(binder, &item->function.calls);
    uint32_t call_count = calls.count;
    struct rel *function = rel_new(binder->arena, REL_FUNCTION);
    struct record_fields defined, *fields = NULL;
    if (item->function.column_count > 0) {
        fields = &defined;
        TRY(bind_record_fields(
            binder, item->function.columns, item->function.column_count, fields));
    }
    function->function.calls = ARENA_ARRAY(binder->arena, struct rel_call, call_count);
    function->function.call_count = call_count;
    function->function.ordinality = VAR_NONE;
    struct scope inner = *scope;
    inner.clause = "functions in FROM";
    inner.sets_allowed = false;
    uint32_t column_count = item->function.ordinality ? 1 : 0;
    for (uint32_t i = 0; i < call_count; i++) {
        TRY(bind_from_call(
            binder, &inner, calls.items[i], fields, &function->function.calls[i]));
        struct rel_call *call = &function->function.calls[i];
        bool row = call->var_count == 1 && type_is_composite(call->types[0].oid);
        TRY(check_definitions(binder, item, calls.items[i], call, fields != NULL));
        column_count += row              ? type_user(call->types[0].oid)->field_count
                        : fields != NULL ? fields->count
                                         : call->var_count;
    }
    const char *name = item->alias;
    if (name == NULL) name = call_name(calls.items[0], &function->function.calls[0]);
    struct range *range = new_range(binder, name, column_count);
    struct rel *project = rel_new(binder->arena, REL_PROJECT);
    project->left = function;
    uint32_t at = 0;
    for (uint32_t i = 0; i < call_count; i++) {
        struct rel_call *call = &function->function.calls[i];
        if (call->var_count == 1 &&
            (fields != NULL || type_is_composite(call->types[0].oid))) {
            bind_expand_record(binder, call, fields, project, range->columns, &at);
            continue;
        }
        for (uint32_t v = 0; v < call->var_count; v++, at++) {
            range->columns[at].name = binder->vars[call->vars[v]].name;
            range->columns[at].scalar = bind_var(binder, call->vars[v], POSITION_NONE);
            // A function of one column lends it the alias: FROM generate_series(1, 3) AS n.
            // One that names its column itself keeps it: json_array_elements(x) AS e has e.value.
            bool own_name = strcmp(range->columns[at].name, call_name(calls.items[i], call)) != 0;
            if (call_count == 1 && call->var_count == 1 && item->alias != NULL && !own_name)
                range->columns[at].name = item->alias;
        }
    }
    if (item->function.ordinality) {
        var_id var = bind_new_var(binder, "ordinality", name, TYPE_OF(TYPE_INT8));
        function->function.ordinality = var;
        range->columns[at].name = "ordinality";
        range->columns[at].scalar = bind_var(binder, var, POSITION_NONE);
    }
    function->function.alias = name;
    range->unlockable = "a function";
    range->scalar = column_count == 1 && project->project.count == 0 && fields == NULL;
    const struct rel_call *first = &function->function.calls[0];
    if (call_count == 1 && !item->function.ordinality && first->var_count == 1 && type_is_composite(first->types[0].oid))
        range->row_type = first->types[0].oid;
    TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
    add_range(binder, names, range);
    *rel = project->project.count > 0 ? project : function;

out:
    return st;
}

// [INSERT ... RETURNING]: a WITH query that is run once.
static void wrap_written(struct binder *binder, struct query *query)
{
    struct rel_cte *cte = ARENA_NEW(binder->arena, struct rel_cte);
    struct rel *owner = rel_new(binder->arena, REL_WITH);
    struct rel *read = rel_new(binder->arena, REL_CTE);
    cte->name = "statement";
    cte->rel = query->rel;
    cte->var_count = query->column_count;
    cte->vars = ARENA_ARRAY(binder->arena, var_id, query->column_count);
    cte->modifies = cte->materialized = true;
    cte->references = 1;
    cte->index = binder->spool_count++;
    read->cte.cte = cte;
    read->cte.vars = ARENA_ARRAY(binder->arena, var_id, query->column_count);
    for (uint32_t i = 0; i < query->column_count; i++) {
        struct output *column = &query->columns[i];
        cte->vars[i] = column->var;
        read->cte.vars[i] = bind_new_var(binder, column->name, NULL, column->type);
        column->var = read->cte.vars[i];
    }
    owner->with.ctes = ARENA_ARRAY(binder->arena, struct rel_cte *, 1);
    owner->with.ctes[owner->with.count++] = cte;
    owner->left = read;
    query->rel = owner;
}

static struct status bind_planned_item(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    struct status st = STATUS_OK;
    const struct statement *statement = item->statement;
    const struct scope *base = select_scope(scope);
    struct scope outer = {.parent = base->parent, .ctes = base->ctes, .view = base->view};
    struct query query = {0};
    switch (statement->tag) {
    case STATEMENT_INSERT: TRY(bind_insert(binder, &outer, statement->as.insert, &query)); break;
    case STATEMENT_UPDATE: TRY(bind_update(binder, &outer, statement->as.update, &query)); break;
    case STATEMENT_DELETE: TRY(bind_delete(binder, &outer, statement->as.delete_, &query)); break;
    default: TRY(bind_select(binder, &outer, statement->as.select, false, &query)); break;
    }
    if (statement->tag != STATEMENT_SELECT) wrap_written(binder, &query);
    struct range *range =
        query_range(binder, item->alias != NULL ? item->alias : "statement", &query);
    TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
    add_range(binder, names, range);
    *rel = query.rel;

out:
    return st;
}

// [SHOW ...]: a function that runs the statement.
static struct status bind_statement_item(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    struct status st = STATUS_OK;
    enum statement_tag tag = item->statement->tag;
    if (tag == STATEMENT_SELECT || tag == STATEMENT_INSERT || tag == STATEMENT_UPDATE ||
        tag == STATEMENT_DELETE)
        return bind_planned_item(binder, scope, item, names, rel);
    struct rel *statement = rel_new(binder->arena, REL_FUNCTION);
    struct rel_call *call = ARENA_NEW(binder->arena, struct rel_call);
    const char *name = item->alias != NULL ? item->alias : "statement";
    if (binder->session == NULL)
        return bind_unsupported(binder, item->position, "a statement as a table: [ ... ]");
    TRY(statement_table_make(
        binder->arena, binder->session, item->statement, &call->function));
    const struct set_ops *set = call->function->set;
    call->args = ARENA_ARRAY(binder->arena, struct scalar *, 1);
    call->vars = ARENA_ARRAY(binder->arena, var_id, set->column_count);
    call->types = ARENA_ARRAY(binder->arena, struct type, set->column_count);
    call->var_count = set->column_count;
    struct range *range = new_range(binder, name, set->column_count);
    for (uint32_t i = 0; i < set->column_count; i++) {
        call->types[i] = TYPE_OF(set->column_types[i]);
        call->vars[i] = bind_new_var(binder, set->column_names[i], name, call->types[i]);
        range->columns[i].name = set->column_names[i];
        range->columns[i].scalar = bind_var(binder, call->vars[i], POSITION_NONE);
    }
    statement->function.calls = call;
    statement->function.call_count = 1;
    statement->function.ordinality = VAR_NONE;
    statement->function.alias = name;
    TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
    add_range(binder, names, range);
    *rel = statement;

out:
    return st;
}

// --- joins -------------------------------------------------------------------------------------------

static struct range_column *find_plain(
    struct binder *binder, struct from_names *names, const char *name, bool *ambiguous)
{
    (void)binder;
    struct range_column *found = NULL;
    *ambiguous = false;
    for (uint32_t i = 0; i < names->column_count; i++) {
        if (names->columns[i].merged || strcmp(names->columns[i].name, name) != 0) continue;
        if (found != NULL) *ambiguous = true;
        found = &names->columns[i];
    }
    return found;
}

static struct status using_column(struct binder *binder, struct from_names *names, const char *name,
    const char *side, uint32_t position, struct range_column **column)
{
    bool ambiguous;
    if (!deep_goes_on(1 + names->column_count / 8)) return task_check(task_current());
    *column = find_plain(binder, names, name, &ambiguous);
    if (*column == NULL)
        return bind_error(binder, position, E_UNDEFINED_COLUMN,
            "column \"%s\" specified in USING clause does not exist in %s table", name, side);
    if (ambiguous)
        return bind_error(binder, position, E_AMBIGUOUS_COLUMN,
            "common column name \"%s\" appears more than once in %s table", name, side);
    return STATUS_OK;
}

struct using_merge {
    struct range_column *merged;
    uint32_t count;
    struct rel_item_list items; // Computed ones, of full joins.
};

static struct status merge_using(struct binder *binder, const struct from_item *item,
    const struct name_list *using, struct from_names *left, struct from_names *right,
    struct rel *join, struct using_merge *merge)
{
    struct status st = STATUS_OK;
    merge->merged = ARENA_ARRAY(binder->arena, struct range_column, using->count);
    struct scalar **compared = ARENA_ARRAY(binder->arena, struct scalar *, 2 * using->count + 1);
    for (uint32_t i = 0; i < using->count; i++) {
        const char *name = using->items[i];
        struct range_column *l, *r;
        TRY(using_column(binder, left, name, "left", item->position, &l));
        TRY(using_column(binder, right, name, "right", item->position, &r));
        range_column_read(l);
        range_column_read(r);
        bind_note_using(binder, left, l);
        bind_note_using(binder, right, r);
        compared[2 * i] = l->scalar;
        compared[2 * i + 1] = r->scalar;
        struct scalar *pair[2] = {l->scalar, r->scalar};
        struct type type;
        TRY(bind_common_type(binder, "JOIN/USING", pair, 2, &type));
        struct range_column *merged = &merge->merged[merge->count++];
        *merged = *l;
        merged->scalar = item->join.kind == JOIN_RIGHT ? pair[1] : pair[0];
        if (item->join.kind == JOIN_FULL) {
            struct scalar *coalesce =
                scalar_with_args(binder->arena, SCALAR_COALESCE, type, POSITION_NONE, 2);
            coalesce->args[0] = pair[0];
            coalesce->args[1] = pair[1];
            merged->scalar = coalesce;
        }
        if (merged->scalar->kind != SCALAR_VAR) {
            var_id var = bind_new_var(binder, name, NULL, type);
            rel_item_add(binder->arena, &merge->items, var, merged->scalar);
            merged->scalar = bind_var(binder, var, POSITION_NONE);
        }
        l->merged = r->merged = true;
    }
    // What the columns have in common is told before how they compare.
    for (uint32_t i = 0; i < using->count; i++) {
        struct scalar *equal;
        if (!deep_goes_on(1)) return task_check(task_current());
        TRY(bind_operator(binder, "=", compared[2 * i], compared[2 * i + 1], POSITION_NONE, &equal)); // Told without a place.
        scalar_list_add_conjuncts(binder->arena, &join->join.on, equal);
    }

out:
    return st;
}

static struct status natural_columns(struct binder *binder, struct from_names *left,
    struct from_names *right, struct name_list *using)
{
    using->items = ARENA_ARRAY(binder->arena, const char *, left->column_count);
    for (uint32_t i = 0; i < left->column_count; i++) {
        bool ambiguous;
        if (left->columns[i].merged || left->columns[i].hidden) continue;
        if (!deep_goes_on(1 + right->column_count / 8)) return task_check(task_current());
        struct range_column *r =
            find_plain(binder, right, left->columns[i].name, &ambiguous);
        if (r != NULL && !r->hidden) using->items[using->count++] = left->columns[i].name;
    }
    return STATUS_OK;
}

static enum rel_join join_kind_of(enum join_kind kind)
{
    if (kind == JOIN_LEFT || kind == JOIN_RIGHT) return REL_LEFT;
    return kind == JOIN_FULL ? REL_FULL : REL_INNER;
}

static bool mentions_outputs(struct binder *binder, const struct rel *rel, const struct rel *of)
{
    struct var_set used = var_set_new(binder->arena, binder->var_count);
    struct var_set given = var_set_new(binder->arena, binder->var_count);
    rel_collect_vars(rel, &used);
    rel_output_vars(of, &given);
    return var_set_overlaps(&used, &given);
}

static void join_columns(struct binder *binder, struct from_names *names,
    const struct using_merge *merge, const struct from_names *left, const struct from_names *right)
{
    add_columns(binder, names, merge->merged, merge->count);
    const struct from_names *sides[2] = {left, right};
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t i = 0; i < sides[s]->column_count; i++)
            if (!sides[s]->columns[i].merged) add_columns(binder, names, &sides[s]->columns[i], 1);
}

// JOIN ... USING (...) AS u: the columns of USING, behind `u.` only.
static struct status add_using_alias(struct binder *binder, const struct from_item *item,
    const struct using_merge *merge, struct from_names *names)
{
    if (item->join.using_alias == NULL) return STATUS_OK;
    struct range *range = new_range(binder, item->join.using_alias, merge->count);
    if (merge->count > 0)
        memcpy(range->columns, merge->merged, merge->count * sizeof(struct range_column));
    range->unlockable = "a join";
    range->using_alias = true;
    range->next = names->ranges;
    names->ranges = range;
    if (binder->notes != NULL)
        hashmap_put_u64(&binder->notes->ranges, bind_note_key(&item->join.using_alias), range);
    return bind_check_alias(binder, names, range, item->position);
}

static void make_outer(struct range *ranges)
{
    for (struct range *range = ranges; range != NULL; range = range->next) range->outer = true;
}

static struct status bind_join(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    struct status st = STATUS_OK;
    struct from_names left = {0}, right = {0};
    struct rel *left_rel, *right_rel;
    TRY(bind_from_item(binder, scope, item->join.left, &left, &left_rel));
    // The right side may be LATERAL over the left one.
    struct scope right_scope = *scope;
    struct from_names seen = left;
    right_scope.parent = scope;
    right_scope.names = seen;
    right_scope.ctes = NULL;
    right_scope.view = NULL;
    right_scope.nested_from = true;
    TRY(bind_from_item(binder, &right_scope, item->join.right, &right, &right_rel));
    struct rel *join = rel_join(binder->arena, join_kind_of(item->join.kind), left_rel, right_rel);
    join->join.lateral = mentions_outputs(binder, right_rel, left_rel);
    if (item->join.kind == JOIN_RIGHT) {
        join->left = right_rel;
        join->right = left_rel;
    }
    if (join->join.lateral && item->join.kind != JOIN_INNER && item->join.kind != JOIN_LEFT &&
        item->join.kind != JOIN_CROSS)
        return bind_error(binder, item->position, E_INVALID_COLUMN_REFERENCE,
            "invalid reference to FROM-clause entry: the combining JOIN type must be INNER or LEFT "
            "for a LATERAL reference");
    struct name_list using = item->join.using_columns;
    if (item->join.natural) TRY(natural_columns(binder, &left, &right, &using));
    if ((item->join.natural || using.count > 0) && binder->resolutions != NULL)
        resolution_add_join(binder->resolutions, item, &using);
    if (binder->notes != NULL) {
        struct name_list *noted = ARENA_NEW(binder->arena, struct name_list);
        *noted = using;
        hashmap_put_u64(&binder->notes->joins, bind_note_key(item), noted);
    }
    struct using_merge merge = {0};
    if (using.count > 0) TRY(merge_using(binder, item, &using, &left, &right, join, &merge));

    struct from_names all = {0};
    join_columns(binder, &all, &merge, &left, &right);
    if (item->join.kind == JOIN_LEFT || item->join.kind == JOIN_FULL) make_outer(right.ranges);
    if (item->join.kind == JOIN_RIGHT || item->join.kind == JOIN_FULL) make_outer(left.ranges);
    struct from_names ranges = {.ranges = left.ranges};
    struct from_names right_ranges = {.ranges = right.ranges};
    TRY(merge_names(binder, &ranges, &right_ranges, item->position));
    all.ranges = ranges.ranges;
    TRY(add_using_alias(binder, item, &merge, &all));
    if (item->join.on != NULL) {
        struct scope on_scope = *select_scope(scope);
        struct scalar *condition;
        on_scope.names = all;
        on_scope.level = NULL;
        TRY(bind_condition(binder, &on_scope, item->join.on, "JOIN/ON", &condition));
        scalar_list_add_conjuncts(binder->arena, &join->join.on, condition);
    }
    *rel = join;
    if (merge.items.count > 0) {
        struct rel *project = rel_new(binder->arena, REL_PROJECT);
        project->left = join;
        project->project = merge.items;
        *rel = project;
    }
    if (item->alias != NULL) { // (a JOIN b) AS j hides a and b.
        struct range *range = new_range(binder, item->alias, all.column_count);
        memcpy(range->columns, all.columns, all.column_count * sizeof(struct range_column));
        range->rel = *rel;
        range->unlockable = "a join";
        for (const struct range *inner = all.ranges; inner != NULL; inner = inner->next)
            if (range->no_locks == NULL) range->no_locks = inner->no_locks;
        TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
        add_range(binder, names, range);
    } else {
        TRY(merge_names(binder, names, &all, item->position));
    }

out:
    return st;
}

static struct status bind_item_kind(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    switch (item->kind) {
    case FROM_TABLE: return bind_table(binder, scope, item, names, rel);
    case FROM_SUBQUERY: return bind_subquery(binder, scope, item, names, rel);
    case FROM_FUNCTION: return bind_function_item(binder, scope, item, names, rel);
    case FROM_JOIN: return bind_join(binder, scope, item, names, rel);
    case FROM_STATEMENT:
        return bind_statement_item(binder, scope, item, names, rel);
    }
    return STATUS_OK;
}

static struct status bind_from_item(struct binder *binder, struct scope *scope,
    const struct from_item *item, struct from_names *names, struct rel **rel)
{
    struct status st = bind_item_kind(binder, scope, item, names, rel);
    // A row of (a JOIN b) AS j is made where it is wanted: it is never missing.
    if (!failed(st) && item->kind != FROM_JOIN && names->ranges != NULL) names->ranges->source = *rel;
    if (!failed(st) && binder->notes != NULL && names->ranges != NULL)
        hashmap_put_u64(&binder->notes->ranges, bind_note_key(item), names->ranges);
    return st;
}

struct status bind_from(
    struct binder *binder, struct scope *scope, const struct from_list *from, struct rel **rel)
{
    struct status st = STATUS_OK;
    *rel = NULL;
    for (uint32_t i = 0; i < from->count; i++) {
        struct from_names names = {0};
        struct rel *item;
        TRY(bind_from_item(binder, scope, from->items[i], &names, &item));
        TRY(merge_names(binder, &scope->names, &names, from->items[i]->position));
        if (*rel == NULL) {
            *rel = item;
        } else {
            struct rel *join = rel_join(binder->arena, REL_INNER, *rel, item);
            join->join.lateral = mentions_outputs(binder, item, *rel);
            *rel = join;
        }
    }
    if (*rel == NULL) *rel = rel_new(binder->arena, REL_ONE);

out:
    return st;
}
