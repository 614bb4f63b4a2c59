// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions beyond PostgreSQL that speak of the cluster: unique_rowid() and those of crdb_internal.
#include "core/env.h"
#include "core/shard.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "sql/catalog/catalog_store.h"
#include "sql/catalog/rowid.h"
#include "sql/type/datetime.h"
#include "sql/ddl/ddl.h"
#include "sql/function/function_table.h"
#include "sql/service/settings.h"
#include "sql/service/zone_bounds.h"
#include "sql/type/json.h"

static struct status no_session(void)
{
    return status_make(E_FEATURE_NOT_SUPPORTED, "this function cannot be used here");
}

BODY(unique_rowid)
{
    (void)args;
    if (call->task == NULL) return no_session();
    struct status st = rowid_wait(call->task);
    if (!failed(st)) *result = datum_int(catalog_unique_rowid(call->task->shard));
    return st;
}

// The same numbers with their low bits in front: they spread over the whole key space.
BODY(unordered_unique_rowid)
{
    (void)args;
    if (call->task == NULL) return no_session();
    struct status st = rowid_wait(call->task);
    if (failed(st)) return st;
    uint64_t id = (uint64_t)catalog_unique_rowid(call->task->shard), reversed = 0;
    for (int i = 0; i < 63; i++) {
        reversed = reversed << 1 | (id & 1);
        id >>= 1;
    }
    *result = datum_int((int64_t)reversed);
    return STATUS_OK;
}

BODY(random_uuid)
{
    (void)args;
    if (call->task == NULL) return no_session();
    struct env *env = call->task->shard->env;
    uint8_t *bytes = arena_alloc(call->arena, 16);
    env->random_bytes(env, bytes, 16);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); // Version 4,
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80); // variant of RFC 4122.
    *result = datum_bytes((struct bytes){bytes, 16});
    return STATUS_OK;
}

BODY(node_id)
{
    (void)args;
    if (call->session == NULL) return no_session();
    *result = datum_int(call->session->shard->node->id);
    return STATUS_OK;
}

BODY(cluster_id)
{
    (void)args;
    if (call->session == NULL) return no_session();
    *result = datum_bytes(
        arena_copy(call->arena, (struct bytes){kv_cluster_id(call->session->shard->node), 16}));
    return STATUS_OK;
}

BODY(is_admin)
{
    (void)args;
    if (call->session == NULL) return no_session();
    *result = datum_bool(call->session->superuser || call->session->internal);
    return STATUS_OK;
}

BODY(executable_version)
{
    (void)call;
    (void)args;
    *result = datum_text(CLUSTER_VERSION);
    return STATUS_OK;
}

// Without its first args[1] parts.
BODY(pretty_key)
{
    const char *text = key_format(call->arena, datum_as_bytes(args[0]));
    for (int64_t skip = args[1].integer; skip > 0 && *text != 0; skip--) {
        const char *next = strchr(text + 1, '/');
        text = next == NULL ? "" : next;
    }
    *result = datum_text(text);
    return STATUS_OK;
}

// --- reads of the past -------------------------------------------------------------------------------------------

// Behind this every replica has heard what is closed: it is told with each heartbeat, and at most so long after.
#define FOLLOWER_LAG_US 4200000

// Times for AS OF SYSTEM TIME that any replica can serve. In constant folding there is no task: the statement's time.
static int64_t follower_read_us(const struct function_call *call)
{
    if (call->task == NULL) return function_context(call)->now_us - FOLLOWER_LAG_US;
    struct env *env = call->task->shard->env;
    return env->wall_ns(env) / 1000 - UNIX_EPOCH_US - FOLLOWER_LAG_US;
}

BODY(follower_read_timestamp)
{
    (void)args;
    *result = datum_int(follower_read_us(call));
    return STATUS_OK;
}

// Not before the given time; as old as any replica can serve, otherwise.
BODY(with_min_timestamp)
{
    int64_t us = follower_read_us(call);
    *result = datum_int(args[0].integer > us ? args[0].integer : us);
    return STATUS_OK;
}

BODY(with_max_staleness)
{
    __int128 span = interval_span(interval_of(args[0]));
    if (span < 0) return status_make(E_INVALID_PARAMETER_VALUE, "interval duration for with_max_staleness must be greater or equal to 0");
    int64_t us = follower_read_us(call);
    *result = datum_int(span >= FOLLOWER_LAG_US ? us : us + FOLLOWER_LAG_US - (int64_t)span);
    return STATUS_OK;
}

// The instant that the transaction reads at, as AS OF SYSTEM TIME takes it.
BODY(logical_timestamp)
{
    char text[HLC_TEXT_BYTES];
    (void)args;
    if (call->session == NULL || call->session->txn == NULL) return no_session();
    hlc_format(kv_txn_read_ts(call->session->txn), text);
    return type_input(call->arena, &type_context_default, TYPE_OF(TYPE_NUMERIC),
        bytes_of_string(arena_strdup(call->arena, text)), result);
}

// Of messages that statements take there is one.
BODY(json_to_pb)
{
    struct status st;
    struct zone_bounds bounds;
    struct buffer text;
    if (!bytes_equal(datum_as_bytes(args[0]), BYTES_LITERAL(ZONE_BOUNDS_MESSAGE)))
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE, "message \"%s\" is not known",
            arena_string(call->arena, datum_as_bytes(args[0])));
    buffer_init(&text, call->arena);
    json_print(&text, datum_as_bytes(args[1]));
    TRY(zone_bounds_parse(call->task, call->arena, buffer_bytes(&text), &bounds));
    *result = datum_bytes(zone_bounds_encode(call->arena, &bounds));
out:
    return st;
}

#define CLUSTER(name_, oid_, result_, fn_, volatility_)                                            \
    {                                                                                              \
        .name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, .fn = fn_,  \
        .volatility = FUNCTION_##volatility_                                                       \
    }
#define INTERNAL(name_, oid_, result_, fn_)                                                        \
    {                                                                                              \
        .name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, .fn = fn_,  \
        .volatility = FUNCTION_STABLE, .schema = "crdb_internal"                                   \
    }

static const struct function internal_functions[] = {
    INTERNAL("node_id", 110110, INT8, node_id),
    INTERNAL("cluster_id", 110111, UUID, cluster_id),
    INTERNAL("is_admin", 110112, BOOL, is_admin),
    INTERNAL("node_executable_version", 110113, TEXT, executable_version),
    {.name = "pretty_key",
        .kind = FUNCTION_SCALAR,
        .oid = 110114,
        .result = TYPE_TEXT,
        .strict = true,
        .fn = pretty_key,
        .schema = "crdb_internal",
        FN_ARGS(TYPE_BYTEA, TYPE_INT8)},
    {.name = "json_to_pb",
        .kind = FUNCTION_SCALAR,
        .oid = 110115,
        .result = TYPE_BYTEA,
        .strict = true,
        .fn = json_to_pb,
        .schema = "crdb_internal",
        FN_ARGS(TYPE_TEXT, TYPE_JSONB)},
};
static const struct function plain_functions[] = {
    CLUSTER("unique_rowid", 110100, INT8, unique_rowid, VOLATILE),
    CLUSTER("unordered_unique_rowid", 110101, INT8, unordered_unique_rowid, VOLATILE),
    CLUSTER("gen_random_uuid", 3432, UUID, random_uuid, VOLATILE),
    CLUSTER("uuid_generate_v4", 110102, UUID, random_uuid, VOLATILE),
    CLUSTER("follower_read_timestamp", 110103, TIMESTAMPTZ, follower_read_timestamp, VOLATILE),
    CLUSTER("cluster_logical_timestamp", 110106, NUMERIC, logical_timestamp, VOLATILE),
    {.name = "with_min_timestamp", .kind = FUNCTION_SCALAR, .oid = 110104, .result = TYPE_TIMESTAMPTZ,
        .strict = true, .fn = with_min_timestamp, .volatility = FUNCTION_VOLATILE, FN_ARGS(TYPE_TIMESTAMPTZ)},
    {.name = "with_max_staleness", .kind = FUNCTION_SCALAR, .oid = 110105, .result = TYPE_TIMESTAMPTZ,
        .strict = true, .fn = with_max_staleness, .volatility = FUNCTION_VOLATILE, FN_ARGS(TYPE_INTERVAL)},
};

static bool is_registered(const char *name)
{
    const struct function *function;
    for (uint32_t i = 0; (function = function_at(i)) != NULL; i++) {
        if (function->kind == FUNCTION_SCALAR && strcmp(function->name, name) == 0) return true;
    }
    return false;
}

void cluster_functions_register(void)
{
    function_register(internal_functions, sizeof internal_functions / sizeof internal_functions[0]);
    // Some of these may come with the tables of types.
    for (size_t i = 0; i < sizeof plain_functions / sizeof plain_functions[0]; i++) {
        if (!is_registered(plain_functions[i].name)) function_register(&plain_functions[i], 1);
    }
}
