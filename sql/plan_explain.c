// SPDX-License-Identifier: GPL-3.0-or-later
//
// EXPLAIN: the tree of nodes as text, in PostgreSQL's manner.
#include <math.h>

#include "core/invariant.h"
#include "sql/plan_internal.h"

struct plan_printer {
    const struct plan *plan;
    struct arena *arena;
    struct scalar_namer namer;
    const char **lines;
    uint32_t count, capacity;
};

static const char *var_name(const struct scalar_namer *namer, var_id var)
{
    const struct plan_printer *explain = namer->context;
    const struct binder *binder = explain->plan->binder;
    if (var >= binder->var_count) return "?";
    const struct var_info *info = &binder->vars[var];
    if (info->table == NULL) return info->name;
    return arena_printf(explain->arena, "%s.%s", info->table, info->name);
}

static void add_line(struct plan_printer *explain, uint32_t depth, bool node, const char *text)
{
    if (explain->count == explain->capacity) {
        uint32_t capacity = explain->capacity == 0 ? 16 : explain->capacity * 2;
        explain->lines = arena_grow(explain->arena, explain->lines,
            explain->capacity * sizeof(char *), capacity * sizeof(char *));
        explain->capacity = capacity;
    }
    // A node's own lines stand two columns to the right of its arrow.
    int indent = depth == 0 ? (node ? 0 : 2) : (int)(depth * 6 - (node ? 4u : 0u) + (node ? 0u : 2u));
    explain->lines[explain->count++] = arena_printf(
        explain->arena, "%*s%s%s", indent, "", node && depth > 0 ? "->  " : "", text);
}

static char *conjuncts_text(struct plan_printer *explain, const struct scalar_list *list)
{
    struct buffer out;
    buffer_init(&out, explain->arena);
    if (list->count > 1) buffer_append_u8(&out, '(');
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0) buffer_append_string(&out, " AND ");
        scalar_format(&out, list->items[i], &explain->namer);
    }
    if (list->count > 1) buffer_append_u8(&out, ')');
    return buffer_string(&out);
}

static void add_conjuncts(struct plan_printer *explain, uint32_t depth, const char *label,
    const struct scalar_list *list)
{
    if (list == NULL || list->count == 0) return;
    add_line(explain, depth, false,
        arena_printf(explain->arena, "%s: %s", label, conjuncts_text(explain, list)));
}

static const char *scan_title(struct plan_printer *explain, const struct node *node)
{
    const struct node_scan *scan = &node->scan;
    const struct index_desc *index = scan->index->index;
    bool full = scan->access.equal_count == 0 && scan->access.lower_count == 0 &&
                scan->access.upper_count == 0 && !scan->access.not_null;
    const char *alias = strcmp(scan->alias, scan->table->name) == 0
        ? ""
        : arena_printf(explain->arena, " %s", scan->alias);
    if (full && index->primary)
        return arena_printf(explain->arena, "Seq Scan%s on %s%s", scan->reverse ? " Backward" : "",
            scan->table->name, alias);
    return arena_printf(explain->arena, "Index%s Scan%s using %s on %s%s",
        scan->primary == NULL && !index->primary ? " Only" : "", scan->reverse ? " Backward" : "",
        index->name, scan->table->name, alias);
}

static const char *join_title(const struct node *node)
{
    bool hash = node->kind == NODE_HASH_JOIN;
    switch (node->join.kind) {
    case REL_LEFT: return hash ? "Hash Left Join" : "Nested Loop Left Join";
    case REL_FULL: return hash ? "Hash Full Join" : "Nested Loop Full Join";
    case REL_SEMI: return hash ? "Hash Semi Join" : "Nested Loop Semi Join";
    case REL_ANTI: return hash ? "Hash Anti Join" : "Nested Loop Anti Join";
    default: return hash ? "Hash Join" : "Nested Loop";
    }
}

static const char *title(struct plan_printer *explain, const struct node *node)
{
    switch (node->kind) {
    case NODE_ONE:
    case NODE_EMPTY: return "Result";
    case NODE_SCAN: return scan_title(explain, node);
    case NODE_VIRTUAL:
        return arena_printf(
            explain->arena, "Virtual Scan on %s", node->virtual_scan.table->name);
    case NODE_SEQUENCE:
        return arena_printf(
            explain->arena, "Sequence Scan on %s", node->virtual_scan.table->name);
    case NODE_VALUES: return "Values Scan on \"*VALUES*\"";
    case NODE_FUNCTION:
        return arena_printf(explain->arena, "Function Scan on %s%s%s",
            node->function.calls[0].function->name,
            strcmp(node->function.alias, node->function.calls[0].function->name) == 0 ? "" : " ",
            strcmp(node->function.alias, node->function.calls[0].function->name) == 0
                ? ""
                : node->function.alias);
    case NODE_PROJECT_SET: return "ProjectSet";
    case NODE_FILTER: return "Filter";
    case NODE_PROJECT: return "Project";
    case NODE_HASH_JOIN:
    case NODE_LOOP_JOIN: return join_title(node);
    case NODE_AGGREGATE: return node->aggregate.group_count > 0 ? "HashAggregate" : "Aggregate";
    case NODE_WINDOW: return "WindowAgg";
    case NODE_DISTINCT: return "HashAggregate (distinct)";
    case NODE_SORT: return "Sort";
    case NODE_LIMIT: return "Limit";
    case NODE_APPEND: return "Append";
    case NODE_SET:
        return node->set.kind == SELECT_INTERSECT ? "HashSetOp Intersect" : "HashSetOp Except";
    case NODE_WITH: return "With";
    case NODE_CTE: return arena_printf(explain->arena, "CTE Scan on %s", node->cte.name);
    case NODE_RECURSIVE: return "Recursive Union";
    case NODE_WORKTABLE: return "WorkTable Scan";
    case NODE_MATERIALIZE: return "Materialize";
    case NODE_LOCK: return "LockRows";
    case NODE_INSERT:
        return arena_printf(
            explain->arena, "Insert on %s", node->write->writer->table->table->name);
    case NODE_UPDATE:
        return arena_printf(
            explain->arena, "Update on %s", node->write->writer->table->table->name);
    case NODE_DELETE:
        return arena_printf(
            explain->arena, "Delete on %s", node->write->writer->table->table->name);
    }
    return "?";
}

static const char *span_text(const struct node_scan *scan)
{
    if (scan->access.point) return scan->access.multi ? "several points" : "a point";
    bool bounded = scan->access.lower_count > 0 || scan->access.upper_count > 0;
    if (scan->access.equal_count == 0 && !bounded) return "FULL SCAN";
    if (scan->access.multi) return bounded ? "several ranges" : "several prefixes";
    return bounded ? "a range" : "a prefix";
}

static void sort_keys(struct plan_printer *explain, uint32_t depth, const struct node *node)
{
    struct buffer out;
    buffer_init(&out, explain->arena);
    for (uint32_t i = 0; i < node->sort.count; i++) {
        const struct node_sort_key *key = &node->sort.keys[i];
        if (i > 0) buffer_append_string(&out, ", ");
        buffer_append_string(&out, var_name(&explain->namer, node->layout.vars[key->column]));
        if (key->descending) buffer_append_string(&out, " DESC");
        if (key->nulls_first != key->descending)
            buffer_append_string(&out, key->nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
    add_line(explain, depth, false,
        arena_printf(explain->arena, "Sort Key: %s", buffer_string(&out)));
}

static void details(struct plan_printer *explain, const struct node *node, uint32_t depth)
{
    switch (node->kind) {
    case NODE_SCAN:
        add_conjuncts(explain, depth, "Index Cond", &node->scan.access_conjuncts);
        add_line(explain, depth, false,
            arena_printf(explain->arena, "Spans: %s%s", span_text(&node->scan),
                node->scan.primary != NULL ? " (rows looked up by the primary key)" : ""));
        add_conjuncts(explain, depth, "Filter", node->scan.conjuncts);
        if (node->scan.lock != REL_LOCK_NONE)
            add_line(explain, depth, false,
                node->scan.lock == REL_LOCK_SHARED ? "Lock: shared" : "Lock: exclusive");
        break;
    case NODE_VIRTUAL: add_conjuncts(explain, depth, "Filter", node->virtual_scan.conjuncts); break;
    case NODE_FILTER: add_conjuncts(explain, depth, "Filter", node->filter.conjuncts); break;
    case NODE_HASH_JOIN:
    case NODE_LOOP_JOIN: add_conjuncts(explain, depth, "Join Filter", node->join.on); break;
    case NODE_SORT: sort_keys(explain, depth, node); break;
    default: break;
    }
}

static void explain_node(struct plan_printer *explain, const struct node *node, uint32_t depth)
{
    // A projection is a matter of the node beneath, as PostgreSQL shows it.
    while (node->kind == NODE_PROJECT) node = node->left;
    const char *text = arena_printf(explain->arena, "%s  (cost=%.2f rows=%.0f)",
        title(explain, node), node->cost, node->rows < 1 ? 1 : ceil(node->rows));
    add_line(explain, depth, true, text);
    details(explain, node, depth);
    if (node->kind == NODE_WITH)
        for (uint32_t i = 0; i < node->with.count; i++)
            explain_node(explain, node->with.ctes[i], depth + 1);
    if (node->kind == NODE_APPEND || node->kind == NODE_SET || node->kind == NODE_RECURSIVE)
        for (uint32_t i = 0; i < node->set.input_count; i++)
            explain_node(explain, node->set.inputs[i], depth + 1);
    if (node->left != NULL) explain_node(explain, node->left, depth + 1);
    if (node->right != NULL) explain_node(explain, node->right, depth + 1);
}

struct status plan_explain(struct task *task, struct session *session, const struct plan *plan,
    struct arena *arena, const char ***lines, uint32_t *count)
{
    (void)task;
    (void)session;
    struct plan_printer explain = {.plan = plan, .arena = arena};
    explain.namer.name = var_name;
    explain.namer.context = &explain;
    explain_node(&explain, plan->root, 0);
    for (uint32_t i = 0; i < plan->subplan_count; i++) {
        add_line(&explain, 0, false, arena_printf(arena, "SubPlan %u", i + 1));
        explain_node(&explain, plan->subplans[i], 1);
    }
    *lines = explain.lines;
    *count = explain.count;
    return STATUS_OK;
}
