// SPDX-License-Identifier: GPL-3.0-or-later
//
// PostgreSQL's functions about the numbers of transactions and about snapshots: chapter 9.26.7.
#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/service/xact.h"
#include "sql/session/session.h"
#include "sql/type/xid.h"

#define NEED_TRANSACTION() \
    if (call->session == NULL || call->task == NULL || call->session->txn == NULL) \
    return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a transaction")

BODY(current_id)
{
    uint64_t id;
    (void)args;
    NEED_TRANSACTION();
    struct status st = xact_current(call->task, call->session, &id);
    *result = failed(st) ? DATUM_NULL : datum_int((int64_t)id);
    return st;
}

// PostgreSQL's has one from its first write on.
BODY(current_id_if_assigned)
{
    NEED_TRANSACTION();
    if (xact_assigned(call->session) != 0 || kv_txn_has_writes(call->session->txn)) return current_id(call, args, result);
    *result = DATUM_NULL;
    return STATUS_OK;
}

BODY(id_status)
{
    const char *status;
    NEED_TRANSACTION();
    struct status st = xact_status(call->task, call->session, (uint64_t)args[0].integer, &status);
    *result = failed(st) || status == NULL ? DATUM_NULL : datum_text(status);
    return st;
}

BODY(current_snapshot)
{
    struct bytes snapshot = {0};
    (void)args;
    NEED_TRANSACTION();
    struct status st = xact_snapshot(call->task, call->session, call->arena, &snapshot);
    *result = datum_bytes(snapshot);
    return st;
}

BODY(snapshot_least)
{
    (void)call;
    *result = datum_int((int64_t)xid_load(datum_as_bytes(args[0]), 0));
    return STATUS_OK;
}

BODY(snapshot_next)
{
    (void)call;
    *result = datum_int((int64_t)xid_load(datum_as_bytes(args[0]), 1));
    return STATUS_OK;
}

BODY(is_visible)
{
    (void)call;
    *result = datum_bool(xid_is_visible(datum_as_bytes(args[1]), (uint64_t)args[0].integer));
    return STATUS_OK;
}

struct running {
    struct bytes snapshot;
    size_t at;
};

static struct status running_start(struct function_call *call, void *state, const struct datum *args)
{
    *(struct running *)state = (struct running){.snapshot = arena_copy(call->state_arena, datum_as_bytes(args[0]))};
    return STATUS_OK;
}

static struct status running_next(struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct running *running = state;
    (void)call;
    *done = running->at == xid_snapshot_count(running->snapshot);
    if (!*done) row[0] = datum_int((int64_t)xid_load(running->snapshot, 2 + running->at++));
    return STATUS_OK;
}

static const struct set_ops running_ids = {.column_count = 1,
    .column_names = (const char *const[]){"pg_snapshot_xip"},
    .column_types = (const type_oid[]){TYPE_XID8},
    .state_bytes = sizeof(struct running),
    .start = running_start,
    .next = running_next};
static const struct set_ops running_numbers = {.column_count = 1,
    .column_names = (const char *const[]){"txid_snapshot_xip"},
    .column_types = (const type_oid[]){TYPE_INT8},
    .state_bytes = sizeof(struct running),
    .start = running_start,
    .next = running_next};

BODY(compare_ids)
{
    (void)call;
    const uint64_t a = (uint64_t)args[0].integer, b = (uint64_t)args[1].integer;
    *result = datum_int((a > b) - (a < b));
    return STATUS_OK;
}

BODY(id_to_xid)
{
    (void)call;
    *result = datum_int((int64_t)(uint32_t)args[0].integer);
    return STATUS_OK;
}

#define VOLATILE(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, .strict = true, .fn = fn_, \
        .volatility = FUNCTION_VOLATILE, FN_ARGS(__VA_ARGS__)}
#define WRITING(name_, oid_, result_, fn_) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, .strict = true, .fn = fn_, \
        .volatility = FUNCTION_STABLE, .writes = true}

// clang-format off
static const struct function functions[] = {
    WRITING("pg_current_xact_id", 5059, XID8, current_id),
    WRITING("pg_current_xact_id_if_assigned", 5060, XID8, current_id_if_assigned),
    WRITING("txid_current", 2943, INT8, current_id),
    WRITING("txid_current_if_assigned", 3348, INT8, current_id_if_assigned),
    SCALAR_NO_ARGS("pg_current_snapshot", 5061, PG_SNAPSHOT, current_snapshot, FUNCTION_STABLE),
    SCALAR_NO_ARGS("txid_current_snapshot", 2944, TXID_SNAPSHOT, current_snapshot, FUNCTION_STABLE),
    VOLATILE("pg_xact_status", 5066, TEXT, id_status, TYPE_XID8),
    VOLATILE("txid_status", 3360, TEXT, id_status, TYPE_INT8),
    SCALAR("pg_snapshot_xmin", 5062, XID8, snapshot_least, TYPE_PG_SNAPSHOT),
    SCALAR("pg_snapshot_xmax", 5063, XID8, snapshot_next, TYPE_PG_SNAPSHOT),
    SET_RETURNING("pg_snapshot_xip", 5064, XID8, &running_ids, TYPE_PG_SNAPSHOT),
    SCALAR("pg_visible_in_snapshot", 5065, BOOL, is_visible, TYPE_XID8, TYPE_PG_SNAPSHOT),
    SCALAR("txid_snapshot_xmin", 2945, INT8, snapshot_least, TYPE_TXID_SNAPSHOT),
    SCALAR("txid_snapshot_xmax", 2946, INT8, snapshot_next, TYPE_TXID_SNAPSHOT),
    SET_RETURNING("txid_snapshot_xip", 2947, INT8, &running_numbers, TYPE_TXID_SNAPSHOT),
    SCALAR("txid_visible_in_snapshot", 2948, BOOL, is_visible, TYPE_INT8, TYPE_TXID_SNAPSHOT),
    SCALAR("xid8cmp", 5096, INT4, compare_ids, TYPE_XID8, TYPE_XID8),
};
// clang-format on

void function_xact_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}

struct status cast_xid8_to_xid(struct function_call *call, const struct datum *args, struct datum *result)
{
    return id_to_xid(call, args, result);
}
