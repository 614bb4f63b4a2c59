// SPDX-License-Identifier: GPL-3.0-or-later
//
// crdb_internal: the nodes of the cluster, as this one knows them (kv/cluster.h), and its ranges. System interface alone.
#include <string.h>

#include "kv/cluster_admin.h"
#include "kv/key.h"
#include "kv/kv_node.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege.h"
#include "sql/session/show.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

static const char *const memberships[] = {[CLUSTER_ACTIVE] = "active",
    [CLUSTER_DECOMMISSIONING] = "decommissioning",
    [CLUSTER_DECOMMISSIONED] = "decommissioned"};

static struct status check(struct task *task, struct session *session)
{
    bool may = session->superuser || session->internal;
    if (session->tenant != TENANT_SYSTEM)
        return status_hint(task->arena,
            status_make(E_FEATURE_NOT_SUPPORTED, "operation is unsupported within a virtual cluster"),
            "Ask in the system interface.");
    if (may) return STATUS_OK;
    return privilege_check_system(task, session, "VIEWCLUSTERMETADATA");
}

// A copy: rows are sent by what suspends.
static struct status nodes_copy(
    struct task *task, struct arena *arena, struct cluster_node **nodes, uint32_t *count)
{
    const struct cluster_node *now = cluster_nodes(task->shard, count);
    *nodes = ARENA_ARRAY(arena, struct cluster_node, *count + 1);
    if (*count > 0) memcpy(*nodes, now, *count * sizeof **nodes);
    return STATUS_OK;
}

static int64_t pg_us(int64_t wall_ns)
{
    return wall_ns / 1000 - INT64_C(946684800000000);
}

// The columns that every table of nodes has.
static void node_put(struct pg_row *row, const struct cluster_node *node)
{
    pg_put_int(row, "node_id", node->id);
    pg_put_text(row, "network", "tcp");
    pg_put_text(row, "address", node->address);
    pg_put_text(row, "attrs", node->attrs);
    pg_put_text(row, "locality", node->locality);
    pg_put_text(row, "server_version", node->version);
    pg_put_int(row, "started_at", pg_us(node->started_at_ns));
    pg_put_bool(row, "is_live", node->alive);
}

ROWS(gossip_node_rows)
{
    struct status st;
    struct arena arena;
    struct cluster_node *nodes;
    struct pg_row row;
    uint32_t count;
    arena_init(&arena, &session->account);
    TRY(check(task, session));
    TRY(nodes_copy(task, &arena, &nodes, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct cluster_node *node = &nodes[i];
        pg_row_begin(&row, sink);
        node_put(&row, node);
        pg_put_text(&row, "advertise_address", node->address);
        pg_put_text(&row, "sql_network", "tcp");
        pg_put_text(&row, "sql_address", node->sql_address);
        pg_put_text(&row, "advertise_sql_address", node->sql_address);
        pg_put_text(&row, "cluster_name", "");
        pg_put_text(&row, "build_tag", node->version);
        pg_put_int(&row, "ranges", node->ranges);
        pg_put_int(&row, "leases", cluster_leaderships(task->shard, node->id));
        TRY(pg_row_send(&row));
    }
out:
    arena_fini(&arena);
    return st;
}

ROWS(gossip_liveness_rows)
{
    struct status st;
    struct arena arena;
    struct cluster_liveness *records;
    struct pg_row row;
    uint32_t count;
    char expiration[HLC_TEXT_BYTES];
    arena_init(&arena, &session->account);
    TRY(check(task, session));
    TRY(cluster_liveness_read(task, &arena, &records, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct cluster_node *node = cluster_node(task->shard, records[i].node);
        int64_t updated_ns = node == NULL ? 0 : node->heartbeat_at_ns;
        pg_row_begin(&row, sink);
        pg_put_int(&row, "node_id", records[i].node);
        pg_put_int(&row, "epoch", (int64_t)records[i].epoch);
        pg_put_text(&row, "expiration", hlc_format(records[i].expiration, expiration));
        pg_put_bool(&row, "draining", records[i].draining);
        pg_put_bool(&row, "decommissioning", records[i].membership != CLUSTER_ACTIVE);
        pg_put_text(&row, "membership", memberships[records[i].membership]);
        if (updated_ns != 0) pg_put_int(&row, "updated_at", pg_us(updated_ns));
        TRY(pg_row_send(&row));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

ROWS(node_status_rows)
{
    struct status st;
    struct arena arena;
    struct cluster_node *nodes;
    struct pg_row row;
    uint32_t count;
    arena_init(&arena, &session->account);
    TRY(check(task, session));
    TRY(nodes_copy(task, &arena, &nodes, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct cluster_node *node = &nodes[i];
        pg_row_begin(&row, sink);
        node_put(&row, node);
        pg_put_text(&row, "tag", node->version);
        pg_put_int(&row, "updated_at", pg_us(node->heartbeat_at_ns));
        pg_put_int(&row, "shards", node->shard_count);
        pg_put_int(&row, "disk_bytes", (int64_t)node->disk_bytes);
        pg_put_int(&row, "disk_free_bytes", (int64_t)node->disk_free_bytes);
        pg_put_int(&row, "data_bytes", (int64_t)node->data_bytes);
        pg_put_bool(&row, "is_draining", node->draining);
        pg_put_text(&row, "membership", memberships[node->membership]);
        TRY(pg_row_send(&row));
    }
out:
    arena_fini(&arena);
    return st;
}

// All ranges of the cluster. Without leases: nobody is asked for sizes.
static struct status range_rows_send(
    struct task *task, struct session *session, struct virtual_table_sink *sink, bool leases)
{
    static const uint8_t first[] = {0x01}, last[] = {0xff};
    struct status st;
    struct arena arena;
    struct kv_range *ranges;
    struct range_copies copies;
    struct pg_row row;
    uint32_t count;
    arena_init(&arena, &session->account);
    TRY(check(task, session));
    TRY(kv_ranges(task, (struct span){bytes_of(first, 1), bytes_of(last, 1)}, &arena, &ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct kv_range *range = &ranges[i];
        range_copies_look(task->shard, &arena, range, &copies);
        pg_row_begin(&row, sink);
        pg_put_int(&row, "range_id", (int64_t)range->id);
        pg_put(&row, "start_key", datum_bytes(range->span.start));
        pg_put_text(&row, "start_pretty", key_format(&arena, range->span.start));
        pg_put(&row, "end_key", datum_bytes(range->span.end));
        pg_put_text(&row, "end_pretty", key_format(&arena, range->span.end));
        pg_put_int(&row, "slice_id", (int64_t)range->slice);
        pg_put_text(&row, "replicas", copies.replicas);
        pg_put_text(&row, "replica_localities", copies.localities);
        pg_put_text(&row, "voting_replicas", copies.voters);
        pg_put_text(&row, "learner_replicas", copies.learners);
        if (leases && range->node != 0) {
            pg_put_int(&row, "lease_holder", range->node);
            pg_put_text(&row, "lease_holder_locality", copies.leader_locality);
        }
        if (leases) pg_put_int(&row, "range_size", (int64_t)range->bytes);
        TRY(pg_row_send(&row));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

ROWS(range_rows)
{
    return range_rows_send(task, session, sink, true);
}

ROWS(range_no_lease_rows)
{
    return range_rows_send(task, session, sink, false);
}

// What is replicated as one: where its copies are, also of slices without ranges.
ROWS(slice_rows)
{
    struct status st;
    struct arena arena;
    struct range_copies copies;
    struct pg_row row;
    arena_init(&arena, &session->account);
    TRY(check(task, session));
    for (uint64_t id = 1; id <= KV_SLICES_MAX; id++) {
        struct cluster_slice where;
        if (!cluster_slice(task->shard, id, &where)) continue;
        const struct kv_range range = {.slice = id, .node = where.leader};
        range_copies_look(task->shard, &arena, &range, &copies);
        pg_row_begin(&row, sink);
        pg_put_int(&row, "slice_id", (int64_t)id);
        if (where.leader != 0) pg_put_int(&row, "lease_holder", where.leader);
        pg_put_text(&row, "voting_replicas", copies.voters);
        pg_put_text(&row, "learner_replicas", copies.learners);
        pg_put_text(&row, "replica_localities", copies.localities);
        TRY(pg_row_send(&row));
    }
out:
    arena_fini(&arena);
    return st;
}

#define RANGE_COLUMNS                                                                              \
    "range_id int8, start_key bytea, start_pretty text, end_key bytea, end_pretty text, "          \
    "slice_id int8, replicas text, replica_localities text, voting_replicas text, learner_replicas text"

static const struct pg_table tables[] = {
    {"ranges", RANGE_COLUMNS ", lease_holder int8, lease_holder_locality text, range_size int8", range_rows},
    {"slices",
        "slice_id int8, lease_holder int8, voting_replicas text, learner_replicas text, replica_localities text",
        slice_rows},
    {"ranges_no_leases", RANGE_COLUMNS, range_no_lease_rows},
    {"gossip_nodes",
        "node_id int8, network text, address text, advertise_address text, sql_network text, sql_address text, "
        "advertise_sql_address text, attrs text, locality text, cluster_name text, server_version text, "
        "build_tag text, started_at timestamptz, is_live bool, ranges int8, leases int8",
        gossip_node_rows},
    {"gossip_liveness",
        "node_id int8, epoch int8, expiration text, draining bool, decommissioning bool, membership text, "
        "updated_at timestamptz",
        gossip_liveness_rows},
    {"kv_node_status",
        "node_id int8, network text, address text, attrs text, locality text, server_version text, tag text, "
        "started_at timestamptz, updated_at timestamptz, shards int8, disk_bytes int8, disk_free_bytes int8, "
        "data_bytes int8, is_live bool, is_draining bool, membership text",
        node_status_rows},
};

void crdb_internal_node_register(void)
{
    pg_tables_register_system("crdb_internal", tables, COUNT(tables));
}
