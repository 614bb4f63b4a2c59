// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/relocate.h"

#include "kv/admin.h"
#include "kv/cluster.h"
#include "kv/key.h"
#include "kv/placement.h"
#include "kv/range.h"
#include "kv/zone.h"
#include "sql/user/privilege.h"
#include "sql/session/show.h"

#define RANGES_MAX 10000u

static const struct result_column columns_shown[] = {SHOW_INT("range_id"), SHOW_TEXT("pretty"), SHOW_TEXT("result")};

struct status relocate_describe(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    (void)context;
    *columns = columns_shown;
    *count = sizeof columns_shown / sizeof columns_shown[0];
    return STATUS_OK;
}

// --- which -------------------------------------------------------------------------------------------

struct ids {
    struct result_sink sink;
    struct statement_context *context;
    int64_t *ids;
    uint32_t count, capacity;
};

static struct status id_add(struct ids *ids, int64_t id)
{
    if (ids->count == RANGES_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "more than 10000 ranges in one statement");
    if (ids->count == ids->capacity) {
        uint32_t grown = ids->capacity == 0 ? 16 : ids->capacity * 2;
        ids->ids = arena_grow(
            ids->context->arena, ids->ids, ids->capacity * sizeof *ids->ids, grown * sizeof *ids->ids);
        ids->capacity = grown;
    }
    ids->ids[ids->count++] = id;
    return STATUS_OK;
}

static struct status ids_columns(
    struct task *task, struct result_sink *sink, const struct result_column *columns, uint32_t count)
{
    struct ids *ids = container_of(sink, struct ids, sink);
    (void)task;
    const type_oid type = count == 1 ? columns[0].type.oid : 0;
    if (type == TYPE_INT8 || type == TYPE_INT4 || type == TYPE_INT2) return STATUS_OK;
    return ddl_error(ids->context, E_DATATYPE_MISMATCH, "expected one column of integers: ids of ranges");
}

static struct status ids_row(struct task *task, struct result_sink *sink, const struct datum *values)
{
    (void)task;
    return values[0].null ? STATUS_OK : id_add(container_of(sink, struct ids, sink), values[0].integer);
}

static struct status ids_read(struct statement_context *context, struct ids *ids)
{
    struct status st;
    const struct split *split = context->statement->as.split;
    struct datum value;
    *ids = (struct ids){.sink = {.columns = ids_columns, .row = ids_row}, .context = context};
    if (split->range == NULL) return statement_query(context, split->rows, &ids->sink);
    TRY(statement_constant(context, split->range, TYPE_OF(TYPE_INT8), &value));
    if (!value.null) TRY(id_add(ids, value.integer));
out:
    return st;
}

static struct status node_read(struct statement_context *context, const struct expr *expr, uint32_t *id)
{
    struct status st = STATUS_OK;
    struct datum value;
    uint32_t count;
    *id = 0;
    if (expr == NULL) return STATUS_OK;
    TRY(statement_constant(context, expr, TYPE_OF(TYPE_INT8), &value));
    const struct cluster_node *nodes = cluster_nodes(context->task->shard, &count);
    for (uint32_t i = 0; i < count && !value.null; i++)
        if ((int64_t)nodes[i].id == value.integer) *id = nodes[i].id;
    if (*id != 0) return STATUS_OK;
    st = value.null ? status_make(E_INVALID_PARAMETER_VALUE, "the id of a node cannot be NULL")
                    : status_format(context->arena, E_INVALID_PARAMETER_VALUE, "there is no node %lld",
                          (long long)value.integer);
    st = status_hint(context->arena, st, "Nodes and their ids are shown by \"isopod node status\".");
out:
    return st;
}

// --- where to ----------------------------------------------------------------------------------------

struct wish {
    enum split_kind kind;
    uint32_t from, to;
    struct kv_slice_info *slices;
    uint32_t slice_count;
};

static bool votes(const struct cluster_slice *slice, uint32_t node)
{
    for (uint32_t i = 0; i < slice->voter_count; i++)
        if (slice->voters[i] == node) return true;
    return false;
}

// How many nodes have a copy of both.
static uint32_t common(const struct cluster_slice *a, const struct cluster_slice *b)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->voter_count; i++) count += votes(b, a->voters[i]);
    return count;
}

static const struct kv_slice_info *slice_info(const struct wish *wish, uint64_t id)
{
    for (uint32_t i = 0; i < wish->slice_count; i++)
        if (wish->slices[i].id == id) return &wish->slices[i];
    return NULL;
}

// Of those with the range's zone; of several that do the one that changes least. 0: there is none.
static uint64_t slice_choose(
    struct shard *shard, const struct wish *wish, const struct cluster_slice *now, uint64_t zone)
{
    const struct kv_slice_info *best = NULL;
    uint32_t best_common = 0;
    for (uint32_t i = 0; i < wish->slice_count; i++) {
        const struct kv_slice_info *slice = &wish->slices[i];
        struct cluster_slice other;
        if (slice->zone != zone || slice->id == SLICE_META || !cluster_slice(shard, slice->id, &other)) continue;
        // One whose members are changing may be without the node soon.
        if (other.voter_count != now->voter_count || other.learner_count > 0) continue;
        if (wish->kind == RELOCATE_LEASE ? other.leader != wish->to
                                         : !votes(&other, wish->to) || votes(&other, wish->from))
            continue;
        const uint32_t same = common(now, &other);
        if (best != NULL && (same < best_common || (same == best_common && slice->ranges >= best->ranges))) continue;
        best = slice;
        best_common = same;
    }
    return best == NULL ? 0 : best->id;
}

// Why there is no such slice.
static struct status explain(struct statement_context *context, const struct wish *wish,
    const struct kv_slice_info *slice, const char **why)
{
    struct status st;
    struct zone *zone = ARENA_NEW(context->arena, struct zone);
    const struct cluster_node *node = cluster_node(context->task->shard, wish->to);
    TRY(zone_get_whole(context->task, slice->zone == 0 ? ZONE_ROOT : ZONE_OF_SLICE + slice->id, zone));
    if (node != NULL && !zone_allows(zone, node->locality, node->attrs))
        *why = arena_printf(context->arena,
            "failed: node %u does not meet the constraints of the range's zone: change them with CONFIGURE ZONE", wish->to);
    else if (wish->kind == RELOCATE_LEASE)
        *why = arena_printf(context->arena,
            "failed: node %u leads no slice with the range's zone: lease_preferences (CONFIGURE ZONE) say who leads",
            wish->to);
    else
        *why = arena_printf(context->arena,
            "failed: no slice with the range's zone has a copy on node %u and none on node %u: "
            "constraints (CONFIGURE ZONE) say where copies are",
            wish->to, wish->from);
out:
    return st;
}

// *to is the slice that the range is in when all is as wished; *why says why it cannot be, else it is NULL.
static struct status choose(struct statement_context *context, const struct wish *wish, const struct kv_range *range,
    uint64_t *to, const char **why)
{
    struct shard *shard = context->task->shard;
    struct cluster_slice now;
    const struct cluster_node *node = cluster_node(shard, wish->to);
    const struct kv_slice_info *slice = slice_info(wish, range->slice);
    *to = range->slice;
    *why = NULL;
    if (slice == NULL || !cluster_slice(shard, range->slice, &now) || now.leader == 0)
        *why = "failed: nobody is known to lead the range now: try again";
    else if (wish->kind == RELOCATE_LEASE && now.leader == wish->to)
        return STATUS_OK;
    else if (wish->kind == RELOCATE_VOTERS && !votes(&now, wish->from))
        *why = arena_printf(context->arena, "failed: node %u has no copy of the range", wish->from);
    else if (wish->kind == RELOCATE_VOTERS && votes(&now, wish->to))
        *why = arena_printf(context->arena, "failed: node %u already has a copy of the range", wish->to);
    else if (node == NULL || node->membership != CLUSTER_ACTIVE || !cluster_alive(shard, wish->to))
        *why = arena_printf(context->arena, "failed: node %u is down or being decommissioned", wish->to);
    if (*why != NULL) return STATUS_OK;
    *to = slice_choose(shard, wish, &now, slice->zone);
    return *to == 0 ? explain(context, wish, slice, why) : STATUS_OK;
}

static struct status relocate_one(
    struct statement_context *context, const struct wish *wish, const struct kv_range *range)
{
    struct status st;
    struct task *task = context->task;
    uint64_t to;
    const char *why;
    TRY(choose(context, wish, range, &to, &why));
    if (why == NULL && to != range->slice) {
        st = kv_move(task, range->span, to);
        if (failed(st) && task->cancelled) return st;
        if (failed(st)) why = arena_printf(context->arena, "failed: %s", st.message);
    }
    if (why == NULL) {
        st = placement_rest_tell(task, range->span.start);
        if (failed(st) && task->cancelled) return st; // It is there all the same.
    }
    struct datum row[] = {datum_int((int64_t)range->id), datum_text(key_format(context->arena, range->span.start)),
        datum_text(why == NULL ? "ok" : why)};
    st = show_row(context, row);
out:
    return st;
}

static struct status wish_read(struct statement_context *context, struct wish *wish)
{
    struct status st = STATUS_OK;
    const struct split *split = context->statement->as.split;
    const struct session *session = context->session;
    *wish = (struct wish){.kind = split->kind};
    if (!session->superuser && !session->internal)
        TRY(privilege_check_system(context->task, context->session, "REPAIRCLUSTER"));
    TRY(node_read(context, split->from_node, &wish->from));
    TRY(node_read(context, split->to_node, &wish->to));
    TRY(kv_slices(context->task, context->arena, &wish->slices, &wish->slice_count));
out:
    return st;
}

struct status relocate_execute(struct statement_context *context)
{
    struct status st;
    static const uint8_t last[] = {0xff};
    const uint64_t tenant = context->session->tenant;
    struct wish wish;
    struct kv_range *ranges;
    struct ids ids;
    uint32_t count;
    TRY(wish_read(context, &wish));
    TRY(ids_read(context, &ids));
    // Operators move all there is but the cluster's own records (RANGE meta says where these are), others what is theirs.
    const struct span all = tenant == TENANT_SYSTEM ? (struct span){range_meta_span().end, bytes_of(last, 1)}
                                                    : key_tenant_span(context->arena, tenant);
    TRY(kv_ranges(context->task, all, context->arena, &ranges, &count));
    const struct kv_range **chosen = ARENA_ARRAY(context->arena, const struct kv_range *, ids.count + 1);
    for (uint32_t i = 0; i < ids.count; i++) {
        for (uint32_t k = 0; k < count; k++)
            if ((int64_t)ranges[k].id == ids.ids[i]) chosen[i] = &ranges[k];
        if (chosen[i] == NULL)
            return ddl_error(
                context, E_INVALID_PARAMETER_VALUE, "range %lld does not exist", (long long)ids.ids[i]);
    }
    TRY(context->sink->columns(
        context->task, context->sink, columns_shown, sizeof columns_shown / sizeof columns_shown[0]));
    for (uint32_t i = 0; i < ids.count; i++) TRY(relocate_one(context, &wish, chosen[i]));
out:
    return st;
}
