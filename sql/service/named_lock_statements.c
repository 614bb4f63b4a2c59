// SPDX-License-Identifier: GPL-3.0-or-later
//
// What SQL shows of locks by name: LOCK TABLE, the pg_advisory_* functions, pg_locks.
#include <string.h>

#include "sql/type/array.h"
#include "sql/function/function_table.h"
#include "sql/service/named_lock.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege.h"
#include "sql/service/row_locks.h"
#include "sql/session/execute.h"

#define E_NO_ACTIVE_TRANSACTION_BLOCK SQLSTATE('2', '5', 'P', '0', '1')
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// --- LOCK TABLE --------------------------------------------------------------------------------------------

static struct status check_lock_privilege(
    struct statement_context *context, const struct table_desc *table, enum named_lock_mode mode)
{
    const uint32_t writes = PRIVILEGE_UPDATE | PRIVILEGE_DELETE | PRIVILEGE_TRUNCATE;
    const uint32_t wanted = mode == LOCK_MODE_ACCESS_SHARE    ? writes | PRIVILEGE_INSERT | PRIVILEGE_SELECT
                            : mode <= LOCK_MODE_ROW_EXCLUSIVE ? writes | PRIVILEGE_INSERT
                                                              : writes;
    struct status st = STATUS_OK;
    for (uint32_t bit = 1; bit <= PRIVILEGE_TRUNCATE; bit <<= 1) {
        if (!(wanted & bit)) continue;
        st = privilege_check_table(context->task, context->session, table, bit);
        if (!failed(st)) return st;
    }
    return st;
}

static struct status lock_one(
    struct statement_context *context, const struct object_name *name, enum named_lock_mode mode, bool nowait)
{
    struct status st;
    const struct table_desc *table;
    bool granted;
    TRY(catalog_table(
        context->task, context->session, name->catalog, name->schema, name->name, false, &table));
    if (table->kind != RELATION_TABLE && table->kind != RELATION_VIEW)
        return status_format(context->arena, E_WRONG_OBJECT_TYPE, "cannot lock relation \"%s\"", table->name);
    TRY(check_lock_privilege(context, table, mode));
    struct named_lock_wish wish = {.tag = {.kind = LOCK_ON_RELATION, .database = table->database_id, .object = table->id},
        .mode = mode,
        .scope = LOCK_OF_TRANSACTION,
        .try = nowait};
    TRY(named_lock_acquire(context->task, context->session, &wish, &granted));
    if (!granted)
        return status_format(context->arena, E_LOCK_NOT_AVAILABLE,
            "could not obtain lock on relation \"%s\"", table->name);
    catalog_depend_read(context->session, table); // It stays as it is, or the commit says so.
out:
    return st;
}

static struct status lock_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct lock_table *lock = context->statement->as.lock_table;
    if (!statement_in_block(context->session))
        return status_make(
            E_NO_ACTIVE_TRANSACTION_BLOCK, "LOCK TABLE can only be used in transaction blocks");
    for (uint32_t i = 0; i < lock->tables.count; i++)
        TRY(lock_one(context, &lock->tables.items[i], named_lock_mode_of(lock->mode), lock->nowait));
out:
    return st;
}

static const struct statement_handler handlers[] = {
    {.tag = STATEMENT_LOCK_TABLE, .flags = HANDLER_READ_ONLY, .execute = lock_execute},
};

// --- advisory locks ----------------------------------------------------------------------------------------

static struct status wish_of(struct function_call *call, const struct datum *args, bool shared,
    enum named_lock_scope scope, struct named_lock_wish *wish)
{
    const struct database_desc *database;
    if (call->session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    struct status st = catalog_database(
        call->task, call->session, call->session->database, false, &database);
    if (failed(st)) return st;
    uint64_t number = (uint64_t)args[0].integer;
    bool two = call->arg_count == 2;
    *wish = (struct named_lock_wish){.tag = {.kind = LOCK_ADVISORY,
                                         .database = database->id,
                                         .class = two ? (uint32_t)number : (uint32_t)(number >> 32),
                                         .object = two ? (uint32_t)args[1].integer : (uint32_t)number,
                                         .sub = two ? 2 : 1},
        .mode = shared ? LOCK_MODE_SHARE : LOCK_MODE_EXCLUSIVE,
        .scope = scope};
    return st;
}

static struct status advisory_lock(struct function_call *call, const struct datum *args, bool shared,
    enum named_lock_scope scope, bool try, struct datum *result)
{
    struct status st;
    struct named_lock_wish wish;
    bool granted;
    TRY(wish_of(call, args, shared, scope, &wish));
    wish.try = try;
    TRY(named_lock_acquire(call->task, call->session, &wish, &granted));
    if (try) *result = datum_bool(granted);
out:
    return st;
}

static struct status advisory_unlock(
    struct function_call *call, const struct datum *args, bool shared, struct datum *result)
{
    struct status st;
    struct named_lock_wish wish;
    bool released;
    TRY(wish_of(call, args, shared, LOCK_OF_SESSION, &wish));
    TRY(named_lock_release(call->task, call->session, &wish, &released));
    if (!released)
        session_notice(call->session, "WARNING",
            status_format(call->arena, SQLSTATE('0', '1', '0', '0', '0'),
                "you don't own a lock of type %s", named_lock_mode_name(wish.mode)));
    *result = datum_bool(released);
out:
    return st;
}

#define LOCK_BODY(name_, shared_, scope_, try_) \
    BODY(name_) \
    { \
        return advisory_lock(call, args, shared_, scope_, try_, result); \
    }
LOCK_BODY(lock_session, false, LOCK_OF_SESSION, false)
LOCK_BODY(lock_session_shared, true, LOCK_OF_SESSION, false)
LOCK_BODY(lock_transaction, false, LOCK_OF_TRANSACTION, false)
LOCK_BODY(lock_transaction_shared, true, LOCK_OF_TRANSACTION, false)
LOCK_BODY(try_session, false, LOCK_OF_SESSION, true)
LOCK_BODY(try_session_shared, true, LOCK_OF_SESSION, true)
LOCK_BODY(try_transaction, false, LOCK_OF_TRANSACTION, true)
LOCK_BODY(try_transaction_shared, true, LOCK_OF_TRANSACTION, true)

BODY(unlock)
{
    return advisory_unlock(call, args, false, result);
}

BODY(unlock_shared)
{
    return advisory_unlock(call, args, true, result);
}

BODY(unlock_all)
{
    (void)args;
    (void)result;
    if (call->session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    return named_lock_release_advisory(call->task, call->session);
}

#define VOLATILE(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, \
        .strict = true, .fn = fn_, .volatility = FUNCTION_VOLATILE, FN_ARGS(__VA_ARGS__)}
#define ADVISORY(name_, oid_one_, oid_two_, result_, fn_) \
    VOLATILE(name_, oid_one_, result_, fn_, TYPE_INT8), \
        VOLATILE(name_, oid_two_, result_, fn_, TYPE_INT4, TYPE_INT4)

static const struct function functions[] = {
    ADVISORY("pg_advisory_lock", 2880, 2886, VOID, lock_session),
    ADVISORY("pg_advisory_lock_shared", 2881, 2887, VOID, lock_session_shared),
    ADVISORY("pg_advisory_xact_lock", 3089, 3093, VOID, lock_transaction),
    ADVISORY("pg_advisory_xact_lock_shared", 3090, 3094, VOID, lock_transaction_shared),
    ADVISORY("pg_try_advisory_lock", 2882, 2888, BOOL, try_session),
    ADVISORY("pg_try_advisory_lock_shared", 2883, 2889, BOOL, try_session_shared),
    ADVISORY("pg_try_advisory_xact_lock", 3091, 3095, BOOL, try_transaction),
    ADVISORY("pg_try_advisory_xact_lock_shared", 3092, 3096, BOOL, try_transaction_shared),
    ADVISORY("pg_advisory_unlock", 2884, 2890, BOOL, unlock),
    ADVISORY("pg_advisory_unlock_shared", 2885, 2891, BOOL, unlock_shared),
    SCALAR_NO_ARGS("pg_advisory_unlock_all", 2892, VOID, unlock_all, FUNCTION_VOLATILE),
};

// --- pg_locks ----------------------------------------------------------------------------------------------

static struct status lock_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct arena arena;
    struct named_lock_info *locks;
    uint32_t count;
    struct pg_row row;
    arena_init(&arena, NULL); // Filled in on another shard.
    TRY(named_lock_list(task, session, &arena, &locks, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct named_lock_info *lock = &locks[i];
        pg_row_begin(&row, sink);
        bool advisory = lock->tag.kind == LOCK_ADVISORY;
        pg_put_text(&row, "locktype", advisory ? "advisory" : "relation");
        pg_put_int(&row, "database", pg_oid(lock->tag.database));
        if (advisory) {
            pg_put_int(&row, "classid", lock->tag.class);
            pg_put_int(&row, "objid", lock->tag.object);
            pg_put_int(&row, "objsubid", lock->tag.sub);
        } else {
            pg_put_int(&row, "relation", pg_oid(lock->tag.object));
        }
        pg_put_text(&row, "virtualtransaction", arena_printf(&arena, "%u/0", lock->process));
        pg_put_int(&row, "pid", lock->process);
        pg_put_text(&row, "mode", named_lock_mode_name(lock->mode));
        pg_put_bool(&row, "granted", lock->granted);
        pg_put_bool(&row, "fastpath", false);
        TRY(pg_row_send(&row));
    }
    TRY(row_locks_send(task, session, sink));
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- pg_blocking_pids --------------------------------------------------------------------------------------

struct pids {
    struct datum *items;
    uint32_t count;
};

static void pids_add(struct pids *pids, uint32_t process)
{
    for (uint32_t i = 0; i < pids->count; i++) {
        if (pids->items[i].integer == process) return;
    }
    pids->items[pids->count++] = datum_int(process);
}

// Locks by name: who has one that excludes what the process waits for, or stands before it.
static void named_blockers(
    const struct named_lock_info *locks, uint32_t count, int64_t process, struct pids *pids)
{
    for (uint32_t i = 0; i < count; i++) {
        if (locks[i].granted || locks[i].process != process) continue;
        for (uint32_t k = 0; k < count; k++) {
            const bool ahead = locks[k].granted || k < i;
            if (!ahead || locks[k].process == process) continue;
            if (memcmp(&locks[k].tag, &locks[i].tag, sizeof locks[k].tag) != 0) continue;
            if (named_lock_modes_conflict(locks[i].mode, locks[k].mode)) pids_add(pids, locks[k].process);
        }
    }
}

BODY(blocking_pids)
{
    struct status st;
    struct arena arena;
    struct named_lock_info *locks;
    uint32_t *processes, named, rows;
    struct pids pids;
    if (call->session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    arena_init(&arena, NULL); // Filled in on other shards.
    TRY(named_lock_list(call->task, call->session, &arena, &locks, &named));
    TRY(row_locks_blocking(
        call->task, call->session, (uint32_t)args[0].integer, &arena, &processes, &rows));
    pids = (struct pids){.items = ARENA_ARRAY(&arena, struct datum, named + rows + 1)};
    named_blockers(locks, named, args[0].integer, &pids);
    for (uint32_t i = 0; i < rows; i++) pids_add(&pids, processes[i]);
    TRY(array_make(call->arena, TYPE_INT4, pids.items, pids.count, result));
out:
    st = status_copy(call->task->arena, st);
    arena_fini(&arena);
    return st;
}

static const struct function blocking_functions[] = {
    VOLATILE("pg_blocking_pids", 2561, INT4_ARRAY, blocking_pids, TYPE_INT4),
};

static const struct pg_table tables[] = {
    {"pg_locks",
        "locktype text, database oid, relation oid, page int4, tuple int2, virtualxid text, "
        "transactionid xid, classid oid, objid oid, objsubid int2, virtualtransaction text, "
        "pid int4, mode text, granted bool, fastpath bool, waitstart timestamptz",
        lock_rows},
};

void named_lock_register(void)
{
    named_lock_hooks_register();
    statement_handler_register(handlers, COUNT(handlers));
    function_register(functions, TABLE_COUNT(functions));
    function_register(blocking_functions, TABLE_COUNT(blocking_functions));
    pg_tables_register("pg_catalog", tables, COUNT(tables));
}
