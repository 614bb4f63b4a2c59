// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions over large objects, and the descriptors that most of them take (sql/service/large_object.h).
//
// Source   PostgreSQL 15 manual, chapters 35.3 and 35.4.
#include <stdio.h>
#include <string.h>

#include "sql/function/function_table.h"
#include "sql/service/large_object.h"
#include "sql/session/execute.h"
#include "sql/session/vars.h"
#include "sql/user/privilege.h"

#define MODE_WRITE 0x20000
#define MODE_READ 0x40000
#define DESCRIPTORS_FIRST 16u
#define DESCRIPTORS_MAX 65536u

struct descriptor {
    bool open, writes;
    uint32_t oid;
    int64_t position;
    uint64_t mark;   // Of one for reading alone: what the transaction wrote later is not seen. 0: all is.
    uint64_t serial; // As portals': for ROLLBACK TO SAVEPOINT.
};
struct large_object_descriptors { // In the transaction's arena.
    struct descriptor *items;
    uint32_t capacity;
    int64_t statement_us; // That has looked at large objects last: when it started.
    uint64_t mark;        // Before anything that it has done to them.
};

static void forget_all(struct task *task, struct session *session, bool committed)
{
    (void)task, (void)committed;
    if (session->statements != NULL) session->statements->large_objects = NULL;
}

void large_objects_rolled_back_to(struct session *session, uint64_t serial)
{
    struct large_object_descriptors *all = session->statements->large_objects;
    for (uint32_t i = 0; all != NULL && i < all->capacity; i++)
        if (all->items[i].serial > serial) all->items[i].open = false;
}

// --- what all of them ask --------------------------------------------------------------------------------

static struct status check_session(const struct function_call *call)
{
    if (call->task == NULL || call->session == NULL || call->session->txn == NULL ||
        call->session->statements == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "large objects cannot be used here");
    return STATUS_OK;
}

static struct large_object_descriptors *descriptors_of(struct session *session)
{
    struct large_object_descriptors *all = session->statements->large_objects;
    if (all != NULL) return all;
    all = ARENA_NEW(&session->txn_arena, struct large_object_descriptors);
    return session->statements->large_objects = all;
}

// Notes what there was before the statement: what only reads does not see what the same statement writes. Statements of
// functions' bodies see all that was done before them.
static uint64_t statement_mark(struct session *session)
{
    struct large_object_descriptors *all = descriptors_of(session);
    if (all->mark == 0 || all->statement_us != session->statement_start_us) {
        all->mark = kv_txn_mark(session->txn);
        all->statement_us = session->statement_start_us;
    }
    return session->function_depth > 0 ? kv_txn_mark(session->txn) : all->mark;
}

static struct status check_may_write(const struct function_call *call, const char *what)
{
    struct session *session = call->session;
    struct status st = check_session(call);
    if (failed(st)) return st;
    if (!session->txn_read_only && session->reader == 0 && hlc_is_zero(session->txn_as_of)) {
        statement_mark(session);
        return st;
    }
    return status_format(
        call->arena, E_READ_ONLY_TRANSACTION, "cannot execute %s in a read-only transaction", what);
}

static struct status find_object(struct function_call *call, uint32_t oid, bool write, struct large_object *object)
{
    struct status st = STATUS_OK;
    // Who writes keeps it from being dropped meanwhile, whoever else gets privileges of it.
    const struct kv_read read = {.lock = write ? KV_LOCK_KEY_SHARE : KV_LOCK_NONE,
        .no_validate = write,
        .mark = write ? 0 : statement_mark(call->session)};
    TRY(large_object_find(call->task, call->session, call->arena, oid, &read, object));
    TRY(large_object_check(call->task, call->session, object, PRIVILEGE_SELECT));
    if (write) TRY(large_object_check(call->task, call->session, object, PRIVILEGE_UPDATE));
out:
    return st;
}

static struct status find_descriptor(struct function_call *call, int64_t number, struct descriptor **found)
{
    struct status st = check_session(call);
    if (failed(st)) return st;
    const struct large_object_descriptors *all = call->session->statements->large_objects;
    if (all == NULL || number < 0 || number >= all->capacity || !all->items[number].open)
        return status_format(
            call->arena, E_UNDEFINED_OBJECT, "invalid large-object descriptor: %d", (int32_t)number);
    *found = &all->items[number];
    return STATUS_OK;
}

static struct status find_writable(struct function_call *call, int64_t number, struct descriptor **found)
{
    struct status st = find_descriptor(call, number, found);
    if (!failed(st) && !(*found)->writes)
        st = status_format(call->arena, E_NOT_IN_PREREQUISITE_STATE,
            "large object descriptor %d was not opened for writing", (int32_t)number);
    return st;
}

// Where it reads and writes. Names may have changed since, so that all but the number is looked up again; an object that
// this transaction has dropped is empty.
static struct status object_of(
    struct function_call *call, const struct descriptor *descriptor, struct large_object *object)
{
    const struct database_desc *database;
    struct status st = catalog_database(call->task, call->session, NULL, false, &database);
    if (!failed(st)) *object = (struct large_object){.database_id = database->id, .oid = descriptor->oid};
    return st;
}

// --- descriptors -----------------------------------------------------------------------------------------

static struct status free_descriptor(struct function_call *call, uint32_t *number)
{
    struct session *session = call->session;
    struct large_object_descriptors *all = descriptors_of(session);
    for (*number = 0; *number < all->capacity; (*number)++)
        if (!all->items[*number].open) return STATUS_OK;
    if (all->capacity >= DESCRIPTORS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too many large objects are open in one transaction");
    const uint32_t capacity = all->capacity == 0 ? DESCRIPTORS_FIRST : 2 * all->capacity;
    struct descriptor *items = ARENA_ARRAY(&session->txn_arena, struct descriptor, capacity);
    if (all->capacity > 0) memcpy(items, all->items, all->capacity * sizeof *items);
    all->items = items;
    all->capacity = capacity;
    return arena_check(&session->txn_arena);
}

BODY(lo_open)
{
    struct status st = STATUS_OK;
    const bool write = (args[1].integer & MODE_WRITE) != 0;
    struct large_object object;
    uint32_t number = 0;
    if ((args[1].integer & (MODE_READ | MODE_WRITE)) == 0)
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "invalid flags for opening a large object: %d", (int32_t)args[1].integer);
    TRY(write ? check_may_write(call, "lo_open(INV_WRITE)") : check_session(call));
    TRY(find_object(call, (uint32_t)args[0].integer, write, &object));
    TRY(free_descriptor(call, &number));
    struct session *session = call->session;
    session->statements->large_objects->items[number] = (struct descriptor){.open = true,
        .writes = write,
        .oid = object.oid,
        .mark = write ? 0 : statement_mark(session),
        .serial = ++session->statements->cursor_serial};
    *result = datum_int(number);
out:
    return st;
}

BODY(lo_close)
{
    struct descriptor *descriptor;
    struct status st = find_descriptor(call, args[0].integer, &descriptor);
    if (!failed(st)) descriptor->open = false;
    *result = datum_int(0);
    return st;
}

BODY(lo_read)
{
    struct status st = STATUS_OK;
    struct descriptor *descriptor;
    struct large_object object;
    int64_t whole;
    size_t read = 0;
    TRY(find_descriptor(call, args[0].integer, &descriptor));
    TRY(object_of(call, descriptor, &object));
    TRY(large_object_size(call->task, call->session, &object, descriptor->mark, &whole));
    // Room for what is there, whatever is asked for.
    int64_t size = whole - descriptor->position;
    if (size < 0 || args[1].integer < 0) size = 0;
    if (size > args[1].integer && args[1].integer >= 0) size = args[1].integer;
    uint8_t *data = function_room(call, (uint64_t)size);
    if (data == NULL) return function_no_memory((uint64_t)size);
    TRY(large_object_read(call->task, call->session, &object, descriptor->mark, descriptor->position, data,
        (size_t)size, &read));
    descriptor->position += (int64_t)read;
    *result = datum_bytes(bytes_of(data, read));
out:
    return st;
}

static struct status write_at(struct function_call *call, uint32_t oid, int64_t offset, struct bytes data)
{
    const struct descriptor at = {.oid = oid};
    struct large_object object;
    if ((int64_t)data.size + offset > LARGE_OBJECT_BYTES_MAX)
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "invalid large object write request size: %zu", data.size);
    struct status st = object_of(call, &at, &object);
    return failed(st) ? st : large_object_write(call->task, call->session, &object, offset, data);
}

BODY(lo_write)
{
    struct status st = STATUS_OK;
    const struct bytes data = datum_as_bytes(args[1]);
    struct descriptor *descriptor;
    TRY(find_writable(call, args[0].integer, &descriptor));
    TRY(check_may_write(call, "lowrite()"));
    TRY(write_at(call, descriptor->oid, descriptor->position, data));
    descriptor->position += (int64_t)data.size;
    *result = datum_int((int64_t)data.size);
out:
    return st;
}

static struct status check_target(struct function_call *call, const char *what, int64_t target)
{
    if (target >= 0 && target <= LARGE_OBJECT_BYTES_MAX) return STATUS_OK;
    return status_format(
        call->arena, E_INVALID_PARAMETER_VALUE, "invalid large object %s target: %lld", what, (long long)target);
}

static struct status seek(struct function_call *call, const struct datum *args, struct descriptor **descriptor)
{
    struct status st = STATUS_OK;
    struct large_object object;
    int64_t from = 0, target;
    TRY(find_descriptor(call, args[0].integer, descriptor));
    switch (args[2].integer) {
    case SEEK_SET: break;
    case SEEK_CUR: from = (*descriptor)->position; break;
    case SEEK_END:
        TRY(object_of(call, *descriptor, &object));
        TRY(large_object_size(call->task, call->session, &object, (*descriptor)->mark, &from));
        break;
    default:
        return status_format(
            call->arena, E_INVALID_PARAMETER_VALUE, "invalid whence setting: %d", (int32_t)args[2].integer);
    }
    // As it is added there, where it goes round.
    target = (int64_t)((uint64_t)from + (uint64_t)args[1].integer);
    TRY(check_target(call, "seek", target));
    (*descriptor)->position = target;
out:
    return st;
}

static struct status small_position(
    struct function_call *call, const char *name, int64_t number, int64_t position, struct datum *result)
{
    if (position > INT32_MAX)
        return status_format(call->arena, E_NUMERIC_OUT_OF_RANGE,
            "%s result out of range for large-object descriptor %d", name, (int32_t)number);
    *result = datum_int(position);
    return STATUS_OK;
}

BODY(lo_lseek)
{
    struct descriptor *descriptor;
    struct status st = seek(call, args, &descriptor);
    return failed(st) ? st : small_position(call, "lo_lseek", args[0].integer, descriptor->position, result);
}

BODY(lo_lseek64)
{
    struct descriptor *descriptor;
    struct status st = seek(call, args, &descriptor);
    if (!failed(st)) *result = datum_int(descriptor->position);
    return st;
}

BODY(lo_tell)
{
    struct descriptor *descriptor;
    struct status st = find_descriptor(call, args[0].integer, &descriptor);
    return failed(st) ? st : small_position(call, "lo_tell", args[0].integer, descriptor->position, result);
}

BODY(lo_tell64)
{
    struct descriptor *descriptor;
    struct status st = find_descriptor(call, args[0].integer, &descriptor);
    if (!failed(st)) *result = datum_int(descriptor->position);
    return st;
}

BODY(lo_truncate)
{
    struct status st = STATUS_OK;
    struct descriptor *descriptor;
    struct large_object object;
    TRY(find_writable(call, args[0].integer, &descriptor));
    TRY(check_may_write(call, "lo_truncate()"));
    TRY(check_target(call, "truncation", args[1].integer));
    TRY(object_of(call, descriptor, &object));
    TRY(large_object_truncate(call->task, call->session, &object, args[1].integer));
    *result = datum_int(0);
out:
    return st;
}

// --- whole objects ---------------------------------------------------------------------------------------

static struct status make_object(struct function_call *call, const char *name, uint32_t oid, struct datum *result)
{
    uint32_t created = 0;
    struct status st = check_may_write(call, name);
    if (!failed(st)) st = large_object_create(call->task, call->session, oid, &created);
    *result = datum_int(created);
    return st;
}

BODY(lo_creat)
{
    (void)args;
    return make_object(call, "lo_creat()", 0, result);
}

BODY(lo_create)
{
    return make_object(call, "lo_create()", (uint32_t)args[0].integer, result);
}

BODY(lo_from_bytea)
{
    struct status st = make_object(call, "lo_from_bytea()", (uint32_t)args[0].integer, result);
    return failed(st) ? st : write_at(call, (uint32_t)result->integer, 0, datum_as_bytes(args[1]));
}

BODY(lo_unlink)
{
    struct status st = STATUS_OK;
    struct large_object object;
    TRY(check_may_write(call, "lo_unlink()"));
    TRY(large_object_find(
        call->task, call->session, call->arena, (uint32_t)args[0].integer,
        &(struct kv_read){.lock = KV_LOCK_UPDATE}, &object));
    if (!vars_bool(call->session, "lo_compat_privileges"))
        TRY(large_object_check_owner(call->task, call->session, &object));
    struct large_object_descriptors *all = call->session->statements->large_objects;
    for (uint32_t i = 0; all != NULL && i < all->capacity; i++)
        if (all->items[i].oid == object.oid) all->items[i].open = false;
    TRY(large_object_drop(call->task, call->session, &object));
    *result = datum_int(1);
out:
    return st;
}

static struct status get_part(
    struct function_call *call, uint32_t oid, int64_t offset, int64_t size, struct datum *result)
{
    struct status st = STATUS_OK;
    struct large_object object;
    int64_t whole;
    size_t read = 0;
    TRY(check_session(call));
    const uint64_t mark = statement_mark(call->session);
    TRY(find_object(call, oid, false, &object));
    TRY(large_object_size(call->task, call->session, &object, mark, &whole));
    TRY(check_target(call, "seek", offset));
    const int64_t left = whole > offset ? whole - offset : 0;
    if (size < 0 || size > left) size = left;
    if (size > FUNCTION_BYTES_MAX - 4)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "large object read request is too large");
    uint8_t *data = function_room(call, (uint64_t)size);
    if (data == NULL) return function_no_memory((uint64_t)size);
    TRY(large_object_read(call->task, call->session, &object, mark, offset, data, (size_t)size, &read));
    *result = datum_bytes(bytes_of(data, read));
out:
    return st;
}

BODY(lo_get)
{
    return get_part(call, (uint32_t)args[0].integer, 0, -1, result);
}

BODY(lo_get_part)
{
    if (args[2].integer < 0)
        return status_make(E_INVALID_PARAMETER_VALUE, "requested length cannot be negative");
    return get_part(call, (uint32_t)args[0].integer, args[1].integer, args[2].integer, result);
}

BODY(lo_put)
{
    struct status st = STATUS_OK;
    struct large_object object;
    (void)result;
    TRY(check_may_write(call, "lo_put()"));
    TRY(find_object(call, (uint32_t)args[0].integer, true, &object));
    TRY(check_target(call, "seek", args[1].integer));
    TRY(write_at(call, object.oid, args[1].integer, datum_as_bytes(args[2])));
    *result = datum_bytes(bytes_of("", 0));
out:
    return st;
}

// --- files of the server ---------------------------------------------------------------------------------

BODY(lo_file)
{
    (void)args, (void)result;
    return status_hint(call->arena,
        status_format(call->arena, E_FEATURE_NOT_SUPPORTED, "%s with a file of the server is not supported",
            call->function != NULL ? call->function->name : "lo_import"),
        "Clients have functions of that name, and psql has \\lo_import and \\lo_export.");
}

#define LO(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, .strict = true, \
        .fn = fn_, .volatility = FUNCTION_VOLATILE, FN_ARGS(__VA_ARGS__)}
static const struct function functions[] = {
    LO("lo_create", 715, OID, lo_create, TYPE_OID),
    LO("lo_import", 764, OID, lo_file, TYPE_TEXT),
    LO("lo_import", 767, OID, lo_file, TYPE_TEXT, TYPE_OID),
    LO("lo_export", 765, INT4, lo_file, TYPE_OID, TYPE_TEXT),
    LO("lo_open", 952, INT4, lo_open, TYPE_OID, TYPE_INT4),
    LO("lo_close", 953, INT4, lo_close, TYPE_INT4),
    LO("loread", 954, BYTEA, lo_read, TYPE_INT4, TYPE_INT4),
    LO("lowrite", 955, INT4, lo_write, TYPE_INT4, TYPE_BYTEA),
    LO("lo_lseek", 956, INT4, lo_lseek, TYPE_INT4, TYPE_INT4, TYPE_INT4),
    LO("lo_creat", 957, OID, lo_creat, TYPE_INT4),
    LO("lo_tell", 958, INT4, lo_tell, TYPE_INT4),
    LO("lo_unlink", 964, INT4, lo_unlink, TYPE_OID),
    LO("lo_truncate", 1004, INT4, lo_truncate, TYPE_INT4, TYPE_INT4),
    LO("lo_lseek64", 3170, INT8, lo_lseek64, TYPE_INT4, TYPE_INT8, TYPE_INT4),
    LO("lo_tell64", 3171, INT8, lo_tell64, TYPE_INT4),
    LO("lo_truncate64", 3172, INT4, lo_truncate, TYPE_INT4, TYPE_INT8),
    LO("lo_from_bytea", 3457, OID, lo_from_bytea, TYPE_OID, TYPE_BYTEA),
    LO("lo_get", 3458, BYTEA, lo_get, TYPE_OID),
    LO("lo_get", 3459, BYTEA, lo_get_part, TYPE_OID, TYPE_INT8, TYPE_INT4),
    LO("lo_put", 3460, VOID, lo_put, TYPE_OID, TYPE_INT8, TYPE_BYTEA),
};

void large_objects_register(void)
{
    static const struct session_txn_hook hook = {.after = forget_all};
    session_txn_hook_register(&hook);
    function_register(functions, TABLE_COUNT(functions));
    pg_large_object_register();
}
