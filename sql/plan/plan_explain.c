// SPDX-License-Identifier: GPL-3.0-or-later
//
// EXPLAIN: the tree of nodes as text or as a document (sql/plan/explain_document.h), in PostgreSQL's manner.
#include <math.h>

#include "core/invariant.h"
#include "sql/function/sample.h"
#include "sql/plan/plan_internal.h"

// Where a node of a document stands beneath another.
struct node_place {
    const char *relationship; // PostgreSQL's word for it.
    const char *subplan;      // Its name; or NULL.
};

struct plan_printer {
    const struct plan *plan;
    const struct explain_form *form;
    const struct run *run; // Measured; or NULL.
    struct explain_document document; // Unless the form is text.
    bool qualified;        // Columns are named with their table: there is more than one.
    struct arena *arena;
    struct scalar_namer namer;
    uint32_t name_depth;
    const char **lines;
    uint32_t count, capacity;
};

// --- names -------------------------------------------------------------------------------------------

// Beside tables and WITH queries in the binder's map, which a plan keeps.
#define SHOWN_SCALAR (UINT64_C(2) << 40)
#define SHOWN_CALL (UINT64_C(3) << 40)
#define NAME_DEPTH_MAX 8u // Names within names.

void plan_show_scalar(struct planner *planner, var_id var, const struct scalar *scalar)
{
    hashmap_put_u64(&planner->binder->tables, SHOWN_SCALAR + var, (void *)(uintptr_t)scalar);
}

void plan_show_call(struct planner *planner, var_id var, const struct shown_call *call)
{
    struct shown_call *copy = ARENA_NEW(planner->arena, struct shown_call);
    *copy = *call;
    hashmap_put_u64(&planner->binder->tables, SHOWN_CALL + var, copy);
}

const struct scalar *plan_shown_scalar(const struct binder *binder, var_id var)
{
    return hashmap_get_u64(&binder->tables, SHOWN_SCALAR + var);
}

const struct shown_call *plan_shown_call(const struct binder *binder, var_id var)
{
    return hashmap_get_u64(&binder->tables, SHOWN_CALL + var);
}

static const char *call_text(struct plan_printer *explain, const struct shown_call *call)
{
    struct buffer out;
    buffer_init(&out, explain->arena);
    buffer_printf(&out, "%s(%s", call->function->name, call->distinct ? "DISTINCT " : "");
    if (call->arg_count == 0 && call->function->kind == FUNCTION_AGGREGATE)
        buffer_append_u8(&out, '*');
    for (uint32_t i = 0; i < call->arg_count; i++) {
        if (i > 0) buffer_append_string(&out, ", ");
        scalar_format(&out, call->args[i], &explain->namer);
    }
    buffer_append_u8(&out, ')');
    if (call->filter != NULL) {
        buffer_append_string(&out, " FILTER (WHERE ");
        scalar_format(&out, call->filter, &explain->namer);
        buffer_append_u8(&out, ')');
    }
    if (call->window) buffer_append_string(&out, " OVER (?)");
    return buffer_string(&out);
}

static const char *var_name(const struct scalar_namer *namer, var_id var)
{
    struct plan_printer *explain = (struct plan_printer *)(uintptr_t)namer->context;
    const struct binder *binder = explain->plan->binder;
    if (var >= binder->var_count) return "?";
    const struct var_info *info = &binder->vars[var];
    const struct shown_call *call = plan_shown_call(binder, var);
    const struct scalar *scalar = plan_shown_scalar(binder, var);
    if ((call != NULL || scalar != NULL) && explain->name_depth < NAME_DEPTH_MAX) {
        struct buffer out;
        const char *text;
        explain->name_depth++;
        buffer_init(&out, explain->arena);
        if (call == NULL) scalar_format(&out, scalar, &explain->namer);
        text = call != NULL ? call_text(explain, call) : buffer_string(&out);
        explain->name_depth--;
        return text;
    }
    if (info->table == NULL || !explain->qualified) return info->name;
    return arena_printf(explain->arena, "%s.%s", info->table, info->name);
}

// What a node is ordered or grouped by: in parentheses when it is not a column.
static const char *key_name(struct plan_printer *explain, var_id var, bool made_here)
{
    const struct binder *binder = explain->plan->binder;
    const char *text = var_name(&explain->namer, var);
    for (uint32_t i = 0; i < NAME_DEPTH_MAX; i++) {
        if (plan_shown_call(binder, var) != NULL) break;
        const struct scalar *scalar = plan_shown_scalar(binder, var);
        if (scalar == NULL || scalar->kind == SCALAR_CONST) return text;
        if (scalar->kind != SCALAR_VAR) break;
        var = scalar->var;
    }
    return made_here ? text : arena_printf(explain->arena, "(%s)", text);
}

static bool is_document(const struct plan_printer *explain)
{
    return explain->form->format != EXPLAIN_TEXT;
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

// --- properties --------------------------------------------------------------------------------------

// A line of a node: `label: value`.
static void add_property(
    struct plan_printer *explain, uint32_t depth, const char *label, const char *value)
{
    if (is_document(explain))
        document_text(&explain->document, label, value);
    else
        add_line(
            explain, depth, false, arena_printf(explain->arena, "%s: %s", label, value));
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

static bool is_sample(const struct scalar *conjunct)
{
    return conjunct->kind == SCALAR_CALL && sample_is_call(conjunct->function);
}

static bool is_sampled(const struct node *node)
{
    const struct scalar_list *list = node->scan.conjuncts;
    for (uint32_t i = 0; list != NULL && i < list->count; i++)
        if (is_sample(list->items[i])) return true;
    return false;
}

// "bernoulli ('10'::real) REPEATABLE ('42'::double precision)"
static void add_sampling(struct plan_printer *explain, uint32_t depth, const struct scalar *call)
{
    struct buffer out;
    buffer_init(&out, explain->arena);
    buffer_printf(&out, "%s (", call->function->name);
    scalar_format(&out, call->args[0], &explain->namer);
    buffer_append_u8(&out, ')');
    if (call->args[2]->value.integer == 0) {
        buffer_append_string(&out, " REPEATABLE (");
        scalar_format(&out, call->args[1], &explain->namer);
        buffer_append_u8(&out, ')');
    }
    add_property(explain, depth, "Sampling", buffer_string(&out));
}

static void document_sampling(struct plan_printer *explain, const struct scalar *call)
{
    struct buffer percent, seed;
    buffer_init(&percent, explain->arena);
    buffer_init(&seed, explain->arena);
    scalar_format(&percent, call->args[0], &explain->namer);
    scalar_format(&seed, call->args[1], &explain->namer);
    const char *parameters[] = {buffer_string(&percent)};
    document_text(&explain->document, "Sampling Method", call->function->name);
    document_names(&explain->document, "Sampling Parameters", parameters, 1);
    if (call->args[2]->value.integer == 0) document_text(&explain->document, "Repeatable Seed", buffer_string(&seed));
}

static void add_conjuncts(struct plan_printer *explain, uint32_t depth, const char *label,
    const struct scalar_list *list)
{
    struct scalar_list others = {0};
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        if (is_sample(list->items[i]) && is_document(explain))
            document_sampling(explain, list->items[i]);
        else if (is_sample(list->items[i]))
            add_sampling(explain, depth, list->items[i]);
        else
            scalar_list_add(explain->arena, &others, list->items[i]);
    }
    if (others.count > 0) add_property(explain, depth, label, conjuncts_text(explain, &others));
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
    if (index->inverted)
        return arena_printf(explain->arena, "Bitmap Index Scan using %s on %s%s", index->name,
            scan->table->name, alias);
    if (full && index->primary)
        return arena_printf(explain->arena, "%s Scan%s on %s%s", is_sampled(node) ? "Sample" : "Seq",
            scan->reverse ? " Backward" : "",
            scan->table->name, alias);
    return arena_printf(explain->arena, "Index%s Scan%s using %s on %s%s",
        scan->primary == NULL && !index->primary ? " Only" : "", scan->reverse ? " Backward" : "",
        index->name, scan->table->name, alias);
}

static const char *join_title(const struct node *node)
{
    bool hash = node->kind == NODE_HASH_JOIN;
    if (node->kind == NODE_MERGE_JOIN)
        return node->join.kind == REL_LEFT   ? "Merge Left Join"
               : node->join.kind == REL_SEMI ? "Merge Semi Join"
               : node->join.kind == REL_ANTI ? "Merge Anti Join"
                                             : "Merge Join";
    switch (node->join.kind) {
    case REL_LEFT: return hash ? "Hash Left Join" : "Nested Loop Left Join";
    case REL_FULL: return hash ? "Hash Full Join" : "Nested Loop Full Join";
    case REL_SEMI: return hash ? "Hash Semi Join" : "Nested Loop Semi Join";
    case REL_ANTI: return hash ? "Hash Anti Join" : "Nested Loop Anti Join";
    default: return hash ? "Hash Join" : "Nested Loop";
    }
}

// How many sets of groups are empty, and how many are not.
static void count_sets(const struct node_aggregate *aggregate, uint32_t *empty, uint32_t *others)
{
    *empty = *others = 0;
    for (uint32_t s = 0; s < aggregate->set_count; s++) {
        bool any = false;
        for (uint32_t i = 0; i < aggregate->group_count; i++)
            any |= aggregate->in_set[s * aggregate->group_count + i];
        *(any ? others : empty) += 1;
    }
}

enum aggregate_strategy { STRATEGY_PLAIN, STRATEGY_SORTED, STRATEGY_HASHED, STRATEGY_MIXED };
static enum aggregate_strategy strategy_of(const struct node_aggregate *aggregate)
{
    uint32_t empty, others;
    count_sets(aggregate, &empty, &others);
    if (aggregate->ordered) return STRATEGY_SORTED;
    if (aggregate->group_count == 0 || (empty > 0 && others == 0)) return STRATEGY_PLAIN;
    return empty > 0 ? STRATEGY_MIXED : STRATEGY_HASHED;
}

static const char *title(struct plan_printer *explain, const struct node *node)
{
    static const char *const aggregates[] = {[STRATEGY_PLAIN] = "Aggregate",
        [STRATEGY_SORTED] = "GroupAggregate", [STRATEGY_HASHED] = "HashAggregate",
        [STRATEGY_MIXED] = "MixedAggregate"};
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
    case NODE_MERGE_JOIN:
    case NODE_LOOP_JOIN: return join_title(node);
    case NODE_AGGREGATE: return aggregates[strategy_of(&node->aggregate)];
    case NODE_WINDOW: return "WindowAgg";
    case NODE_DISTINCT: return "HashAggregate";
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
    if (scan->inverted_count > 0) return "parts of values";
    if (scan->access.point) return scan->access.multi ? "several points" : "a point";
    bool bounded = scan->access.lower_count > 0 || scan->access.upper_count > 0;
    if (scan->access.equal_count == 0 && !bounded) return "FULL SCAN";
    if (scan->access.multi) return bounded ? "several ranges" : "several prefixes";
    return bounded ? "a range" : "a prefix";
}

// Names: in documents an array, in text between commas.
static void add_names(struct plan_printer *explain, uint32_t depth, const char *label,
    const char *const *names, uint32_t count)
{
    struct buffer out;
    buffer_init(&out, explain->arena);
    if (!is_document(explain)) {
        for (uint32_t i = 0; i < count; i++)
            buffer_printf(&out, "%s%s", i > 0 ? ", " : "", names[i]);
        add_property(explain, depth, label, buffer_string(&out));
        return;
    }
    document_names(&explain->document, label, names, count);
}

static void sort_keys(struct plan_printer *explain, uint32_t depth, const struct node *node)
{
    const char **names = ARENA_ARRAY(explain->arena, const char *, node->sort.count);
    for (uint32_t i = 0; i < node->sort.count; i++) {
        const struct node_sort_key *key = &node->sort.keys[i];
        const char *nulls = key->nulls_first == key->descending ? ""
            : key->nulls_first                                  ? " NULLS FIRST"
                                                                : " NULLS LAST";
        names[i] = arena_printf(explain->arena, "%s%s%s",
            key_name(explain, node->layout.vars[key->column], false),
            key->descending ? " DESC" : "", nulls);
    }
    add_names(explain, depth, "Sort Key", names, node->sort.count);
}

// One line for each grouping set: the empty one is no matter of hashing.
static void set_keys(struct plan_printer *explain, uint32_t depth, const struct node *node)
{
    const struct node_aggregate *aggregate = &node->aggregate;
    const char **names = ARENA_ARRAY(explain->arena, const char *, aggregate->group_count + 1);
    if (is_document(explain))
        document_open(&explain->document, GROUP_LIST, "Grouping Sets", "Grouping Sets");
    for (uint32_t s = 0; s < aggregate->set_count; s++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < aggregate->group_count; i++)
            if (aggregate->in_set[s * aggregate->group_count + i])
                names[count++] = key_name(explain, node->layout.vars[i], true);
        if (!is_document(explain)) {
            if (count == 0) names[0] = "()";
            add_names(explain, depth, count == 0 ? "Group Key" : "Hash Key", names,
                count == 0 ? 1 : count);
            continue;
        }
        const char *keys = count == 0 ? "Group Keys" : "Hash Keys";
        document_open(&explain->document, GROUP_OBJECT, "Grouping Set", NULL);
        document_open(&explain->document, GROUP_LIST, keys, keys);
        document_item(&explain->document, count == 0 ? "Group Key" : "Hash Key", names, count);
        document_close(&explain->document, GROUP_LIST, keys);
        document_close(&explain->document, GROUP_OBJECT, "Grouping Set");
    }
    if (is_document(explain)) document_close(&explain->document, GROUP_LIST, "Grouping Sets");
}

static void distinct_keys(struct plan_printer *explain, uint32_t depth, const struct node *node)
{
    const struct node *input = node->left;
    while (input->kind == NODE_PROJECT) input = input->left;
    const char **names = ARENA_ARRAY(explain->arena, const char *, node->distinct.count + 1);
    for (uint32_t i = 0; i < node->distinct.count; i++)
        names[i] = key_name(explain, node->layout.vars[node->distinct.columns[i]],
            input->kind != NODE_AGGREGATE);
    add_names(explain, depth, "Group Key", names, node->distinct.count);
}

static void group_keys(struct plan_printer *explain, uint32_t depth, const struct node *node)
{
    const struct node_aggregate *aggregate = &node->aggregate;
    if (aggregate->set_count > 0) {
        set_keys(explain, depth, node);
        return;
    }
    if (aggregate->group_count == 0) return;
    const char **names = ARENA_ARRAY(explain->arena, const char *, aggregate->group_count);
    for (uint32_t i = 0; i < aggregate->group_count; i++)
        names[i] = key_name(explain, node->layout.vars[i], true);
    add_names(explain, depth, "Group Key", names, aggregate->group_count);
}

static void conflict_lines(struct plan_printer *explain, uint32_t depth, const struct node_write *write)
{
    const struct insert_plan *insert = write->insert;
    const char **names = ARENA_ARRAY(explain->arena, const char *, write->arbiter_count);
    if (insert->conflict == CONFLICT_NONE) return;
    add_property(explain, depth, "Conflict Resolution", insert->conflict == CONFLICT_NOTHING ? "NOTHING" : "UPDATE");
    if (insert->any_arbiter) return;
    for (uint32_t i = 0; i < write->arbiter_count; i++) names[i] = insert->arbiters[i]->name;
    add_names(explain, depth, "Conflict Arbiter Indexes", names, write->arbiter_count);
}

static void details(struct plan_printer *explain, const struct node *node, uint32_t depth)
{
    static const char *const lock_names[] = {[REL_LOCK_KEY_SHARE] = "key share",
        [REL_LOCK_SHARE] = "share", [REL_LOCK_NO_KEY_UPDATE] = "no key update",
        [REL_LOCK_UPDATE] = "update"};
    switch (node->kind) {
    case NODE_SCAN:
        add_conjuncts(explain, depth, "Index Cond", &node->scan.access_conjuncts);
        add_property(explain, depth, "Spans",
            arena_printf(explain->arena, "%s%s", span_text(&node->scan),
                node->scan.primary != NULL ? " (rows looked up by the primary key)" : ""));
        add_conjuncts(explain, depth, "Filter", node->scan.conjuncts);
        if (node->scan.lock != REL_LOCK_NONE)
            add_property(explain, depth, "Lock",
                lock_names[node->scan.lock]);
        break;
    case NODE_VIRTUAL: add_conjuncts(explain, depth, "Filter", node->virtual_scan.conjuncts); break;
    case NODE_FILTER: add_conjuncts(explain, depth, "Filter", node->filter.conjuncts); break;
    case NODE_MERGE_JOIN:
        add_conjuncts(explain, depth, "Merge Cond", node->join.merge);
        add_conjuncts(explain, depth, "Join Filter", node->join.on);
        break;
    case NODE_HASH_JOIN:
        add_conjuncts(explain, depth, "Hash Cond", node->join.merge);
        add_conjuncts(explain, depth, "Join Filter", node->join.on);
        break;
    case NODE_AGGREGATE: group_keys(explain, depth, node); break;
    case NODE_LOOP_JOIN: add_conjuncts(explain, depth, "Join Filter", node->join.on); break;
    case NODE_SORT: sort_keys(explain, depth, node); break;
    case NODE_DISTINCT: distinct_keys(explain, depth, node); break;
    case NODE_INSERT: conflict_lines(explain, depth, node->write); break;
    default: break;
    }
}

// --- what was measured -------------------------------------------------------------------------------

static struct op_stats measured(const struct plan_printer *explain, const struct node *node)
{
    struct op_stats sum = {0};
    for (uint32_t i = 0; explain->run != NULL && i < explain->run->measured_count; i++) {
        const struct op *op = explain->run->measured_ops[i];
        if (op->node != node) continue;
        sum.rows += op->stats->rows;
        sum.loops += op->stats->loops;
        sum.ns += op->stats->ns;
        sum.spilled_bytes += op->stats->spilled_bytes;
        if (sum.first_ns == 0) sum.first_ns = op->stats->first_ns;
        sum.parts = op->stats->parts;
        sum.shards = op->stats->shards;
        sum.kv.requests += op->stats->kv.requests;
        sum.kv.rows_read += op->stats->kv.rows_read;
        sum.kv.bytes_read += op->stats->kv.bytes_read;
        sum.kv.lock_wait_ns += op->stats->kv.lock_wait_ns;
    }
    return sum;
}

// PostgreSQL's figures are those of one loop.
static double per_loop_ms(const struct op_stats *stats, uint64_t ns)
{
    return stats->loops == 0 ? 0 : (double)ns / 1e6 / (double)stats->loops;
}

static double rows_per_loop(const struct op_stats *stats)
{
    return stats->loops == 0 ? 0 : (double)stats->rows / (double)stats->loops;
}

static const char *actual_text(struct plan_printer *explain, const struct op_stats *stats)
{
    if (explain->run == NULL) return "";
    if (stats->loops == 0) return " (never executed)";
    if (!explain->form->timing)
        return arena_printf(explain->arena, " (actual rows=%.0f loops=%llu)", rows_per_loop(stats),
            (unsigned long long)stats->loops);
    return arena_printf(explain->arena, " (actual time=%.3f..%.3f rows=%.0f loops=%llu)",
        per_loop_ms(stats, stats->first_ns), per_loop_ms(stats, stats->ns), rows_per_loop(stats),
        (unsigned long long)stats->loops);
}

// What went to the temporary file here, and what storage was asked for beneath this node.
static void kv_line(struct plan_printer *explain, const struct op_stats *stats, uint32_t depth)
{
    if (explain->run != NULL && stats->spilled_bytes > 0) {
        if (is_document(explain))
            document_number(&explain->document, "Spilled Bytes", (double)stats->spilled_bytes, 0);
        else
            add_line(explain, depth, false,
                arena_printf(explain->arena, "Spill: bytes=%llu",
                    (unsigned long long)stats->spilled_bytes));
    }
    if (explain->run != NULL && stats->parts > 0) {
        if (is_document(explain)) {
            document_number(&explain->document, "Parts", stats->parts, 0);
            document_number(&explain->document, "Cores", stats->shards, 0);
        } else {
            add_line(explain, depth, false,
                arena_printf(explain->arena, "Partial Aggregates: parts=%u cores=%u", stats->parts,
                    stats->shards));
        }
    }
    if (explain->run == NULL || stats->kv.requests == 0 || !explain->form->requests) return;
    const bool timed = explain->form->timing;
    if (is_document(explain)) {
        document_number(&explain->document, "KV Requests", (double)stats->kv.requests, 0);
        document_number(&explain->document, "KV Rows", (double)stats->kv.rows_read, 0);
        document_number(&explain->document, "KV Bytes", (double)stats->kv.bytes_read, 0);
        if (timed) document_number(&explain->document, "KV Contention Time", (double)stats->kv.lock_wait_ns / 1e6, 3);
        return;
    }
    const char *wait = stats->kv.lock_wait_ns == 0 || !timed
        ? ""
        : arena_printf(
              explain->arena, " contention=%.3f ms", (double)stats->kv.lock_wait_ns / 1e6);
    add_line(explain, depth, false,
        arena_printf(explain->arena, "KV: requests=%llu rows=%llu bytes=%llu%s",
            (unsigned long long)stats->kv.requests, (unsigned long long)stats->kv.rows_read,
            (unsigned long long)stats->kv.bytes_read, wait));
}

// --- the tree ----------------------------------------------------------------------------------------

static const char *join_type(enum rel_join kind)
{
    static const char *const names[] = {[REL_INNER] = "Inner", [REL_LEFT] = "Left",
        [REL_FULL] = "Full", [REL_SEMI] = "Semi", [REL_ANTI] = "Anti"};
    return names[kind];
}

static bool is_write(const struct node *node)
{
    return node->kind == NODE_INSERT || node->kind == NODE_UPDATE || node->kind == NODE_DELETE;
}

// "Seq Scan" of "Seq Scan on t": documents tell the rest apart.
static const char *node_type(struct plan_printer *explain, const struct node *node)
{
    if (node->kind == NODE_HASH_JOIN) return "Hash Join";
    if (node->kind == NODE_MERGE_JOIN) return "Merge Join";
    if (node->kind == NODE_LOOP_JOIN) return "Nested Loop";
    if (node->kind == NODE_AGGREGATE || node->kind == NODE_DISTINCT) return "Aggregate";
    if (is_write(node)) return "ModifyTable";
    char *text = arena_strdup(explain->arena, title(explain, node));
    static const char *const rest[] = {" Backward", " using ", " on "};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        char *end = node->kind == NODE_SCAN || i == 2 ? strstr(text, rest[i]) : NULL;
        if (end != NULL) *end = 0;
    }
    return text;
}

// `outer`: the node itself, or what is shown as a part of it; its figures are those of both.
static void document_head(struct plan_printer *explain, const struct node *node,
    const struct node *outer, const struct op_stats *stats, const struct node_place *place)
{
    static const char *const strategies[] = {[STRATEGY_PLAIN] = "Plain",
        [STRATEGY_SORTED] = "Sorted", [STRATEGY_HASHED] = "Hashed", [STRATEGY_MIXED] = "Mixed"};
    document_text(&explain->document, "Node Type", node_type(explain, node));
    if (place != NULL) {
        document_text(&explain->document, "Parent Relationship", place->relationship);
        if (place->subplan != NULL) document_text(&explain->document, "Subplan Name", place->subplan);
    }
    if (node->kind == NODE_HASH_JOIN || node->kind == NODE_MERGE_JOIN ||
        node->kind == NODE_LOOP_JOIN)
        document_text(&explain->document, "Join Type", join_type(node->join.kind));
    if (node->kind == NODE_AGGREGATE)
        document_text(&explain->document, "Strategy", strategies[strategy_of(&node->aggregate)]);
    if (node->kind == NODE_DISTINCT) document_text(&explain->document, "Strategy", "Hashed");
    if (node->kind == NODE_SCAN) {
        document_text(&explain->document, "Relation Name", node->scan.table->name);
        document_text(&explain->document, "Alias", node->scan.alias);
        document_text(&explain->document, "Index Name", node->scan.index->index->name);
        document_text(&explain->document, "Scan Direction", node->scan.reverse ? "Backward" : "Forward");
    }
    if (node->kind == NODE_VIRTUAL || node->kind == NODE_SEQUENCE)
        document_text(&explain->document, "Relation Name", node->virtual_scan.table->name);
    if (node->kind == NODE_CTE) document_text(&explain->document, "CTE Name", node->cte.name);
    if (is_write(node)) {
        static const char *const operations[] = {
            [NODE_INSERT] = "Insert", [NODE_UPDATE] = "Update", [NODE_DELETE] = "Delete"};
        document_text(&explain->document, "Operation", operations[node->kind]);
        document_text(&explain->document, "Relation Name", node->write->writer->table->table->name);
    }
    if (explain->form->costs) {
        document_number(&explain->document, "Startup Cost", 0, 2);
        document_number(&explain->document, "Total Cost", outer->cost, 2);
        document_number(&explain->document, "Plan Rows", outer->rows < 1 ? 1 : ceil(outer->rows), 0);
        document_number(&explain->document, "Plan Width", node->layout.count * 8.0, 0);
    }
    if (explain->run == NULL) return;
    if (explain->form->timing) {
        document_number(&explain->document, "Actual Startup Time", per_loop_ms(stats, stats->first_ns), 3);
        document_number(&explain->document, "Actual Total Time", per_loop_ms(stats, stats->ns), 3);
    }
    document_number(&explain->document, "Actual Rows", rows_per_loop(stats), 0);
    document_number(&explain->document, "Actual Loops", (double)stats->loops, 0);
}

static void explain_node(
    struct plan_printer *explain, const struct node *node, const struct node_place *place, uint32_t depth);

static void explain_inputs(struct plan_printer *explain, const struct node *node, uint32_t depth)
{
    static const struct node_place outer = {"Outer", NULL}, inner = {"Inner", NULL}, member = {"Member", NULL};
    if (node->kind == NODE_WITH)
        for (uint32_t i = 0; i < node->with.count; i++)
            explain_node(explain, node->with.ctes[i], &(struct node_place){"InitPlan", NULL}, depth);
    if (node->kind == NODE_APPEND || node->kind == NODE_SET || node->kind == NODE_RECURSIVE)
        for (uint32_t i = 0; i < node->set.input_count; i++)
            explain_node(explain, node->set.inputs[i], &member, depth);
    if (node->left != NULL) explain_node(explain, node->left, &outer, depth);
    if (node->right != NULL) explain_node(explain, node->right, &inner, depth);
}

// Tables and what else stands in FROM, of the node and those beneath.
static uint32_t relation_count(const struct node *node)
{
    uint32_t count = 0;
    if (node == NULL) return 0;
    switch (node->kind) {
    case NODE_SCAN:
    case NODE_VIRTUAL:
    case NODE_SEQUENCE:
    case NODE_VALUES:
    case NODE_FUNCTION:
    case NODE_CTE:
    case NODE_WORKTABLE: count = 1; break;
    case NODE_WITH:
        for (uint32_t i = 0; i < node->with.count; i++) count += relation_count(node->with.ctes[i]);
        break;
    case NODE_APPEND:
    case NODE_SET:
    case NODE_RECURSIVE:
        for (uint32_t i = 0; i < node->set.input_count; i++)
            count += relation_count(node->set.inputs[i]);
        break;
    default: break;
    }
    return count + relation_count(node->left) + relation_count(node->right);
}

static bool has_inputs(const struct node *node)
{
    return node->left != NULL || node->right != NULL || node->kind == NODE_WITH ||
           node->kind == NODE_APPEND || node->kind == NODE_SET || node->kind == NODE_RECURSIVE;
}

static void explain_subplans(struct plan_printer *explain)
{
    for (uint32_t i = 0; i < explain->plan->subplan_count; i++) {
        const char *name = arena_printf(explain->arena, "SubPlan %u", i + 1);
        if (!is_document(explain)) add_line(explain, 0, false, name);
        explain_node(explain, explain->plan->subplans[i], &(struct node_place){"SubPlan", name}, 1);
    }
}

// VERBOSE: what a node gives to the one above it, or to the client.
static void output_line(struct plan_printer *explain, const struct node *node, uint32_t depth)
{
    const struct plan *plan = explain->plan;
    const bool root = node == plan->root;
    const uint32_t count = root ? plan->column_count : node->layout.count;
    if (!explain->form->verbose || count == 0) return;
    const char **names = ARENA_ARRAY(explain->arena, const char *, count);
    for (uint32_t i = 0; i < count; i++) {
        const var_id var = node->layout.vars[root ? plan->output_columns[i] : i];
        const bool made_here = node->left == NULL || layout_find(&node->left->layout, var) == UINT32_MAX;
        names[i] = key_name(explain, var, made_here);
    }
    add_names(explain, depth, "Output", names, count);
}

static void explain_node(
    struct plan_printer *explain, const struct node *node, const struct node_place *place, uint32_t depth)
{
    bool root = node == explain->plan->root;
    const struct node *given = node;
    // A projection is a matter of the node beneath, as PostgreSQL shows it.
    while (node->kind == NODE_PROJECT) node = node->left;
    const struct node *outer = node;
    const struct scalar_list *having = NULL;
    struct op_stats stats = measured(explain, node);
    if (node->kind == NODE_FILTER && node->left->kind == NODE_AGGREGATE) {
        having = node->filter.conjuncts;
        node = node->left;
        struct op_stats inner = measured(explain, node);
        stats.parts = inner.parts;
        stats.shards = inner.shards;
        stats.spilled_bytes += inner.spilled_bytes;
    }
    if (!is_document(explain)) {
        const char *cost = explain->form->costs
            ? arena_printf(explain->arena, "  (cost=0.00..%.2f rows=%.0f width=%u)", outer->cost,
                  outer->rows < 1 ? 1 : ceil(outer->rows), node->layout.count * 8)
            : "";
        add_line(explain, depth, true,
            arena_printf(explain->arena, "%s%s%s", title(explain, node), cost,
                actual_text(explain, &stats)));
        output_line(explain, given, depth);
        details(explain, node, depth);
        add_conjuncts(explain, depth, "Filter", having);
        kv_line(explain, &stats, depth);
        explain_inputs(explain, node, depth + 1);
        return;
    }
    struct explain_document *document = &explain->document;
    document_open(document, GROUP_OBJECT, "Plan", depth > 0 ? NULL : "Plan");
    document_head(explain, node, outer, &stats, place);
    output_line(explain, given, depth);
    details(explain, node, depth);
    add_conjuncts(explain, depth, "Filter", having);
    kv_line(explain, &stats, depth);
    if (has_inputs(node) || (root && explain->plan->subplan_count > 0)) {
        document_open(document, GROUP_LIST, "Plans", "Plans");
        explain_inputs(explain, node, depth + 1);
        if (root) explain_subplans(explain);
        document_close(document, GROUP_LIST, "Plans");
    }
    document_close(document, GROUP_OBJECT, "Plan");
}

static void explain_document(struct plan_printer *explain)
{
    struct explain_document *document = &explain->document;
    document_begin(document, explain->form->format, explain->arena);
    document_open(document, GROUP_OBJECT, "Query", NULL);
    explain_node(explain, explain->plan->root, NULL, 0);
    if (explain->form->summary) {
        document_number(document, "Planning Time", (double)explain->form->planning_ns / 1e6, 3);
        if (explain->run != NULL)
            document_number(document, "Execution Time", (double)explain->form->execution_ns / 1e6, 3);
    }
    document_close(document, GROUP_OBJECT, "Query");
    explain->lines = ARENA_ARRAY(explain->arena, const char *, 1);
    explain->lines[0] = document_end(document);
    explain->count = 1;
}

struct status plan_explain(struct task *task, struct session *session, const struct plan *plan,
    const struct explain_form *form, struct arena *arena, const char ***lines, uint32_t *count)
{
    (void)task;
    (void)session;
    struct plan_printer explain = {.plan = plan, .form = form, .arena = arena};
    explain.namer.name = var_name;
    explain.namer.context = &explain;
    if (form->run != NULL) explain.run = plan_run_measured(form->run);
    uint32_t relations = relation_count(plan->root);
    for (uint32_t i = 0; i < plan->subplan_count; i++)
        relations += relation_count(plan->subplans[i]);
    explain.qualified = relations > 1;
    if (is_document(&explain)) {
        explain_document(&explain);
    } else {
        explain_node(&explain, plan->root, NULL, 0);
        explain_subplans(&explain);
    }
    *lines = explain.lines;
    *count = explain.count;
    return STATUS_OK;
}
