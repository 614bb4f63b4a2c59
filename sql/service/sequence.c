// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/sequence.h"

#include <stdlib.h>

#include "kv/key.h"
#include "sql/catalog/catalog_store.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/function/function.h"
#include "sql/function/function_table.h"
#include "sql/parse/parse.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege.h"
#include "sql/session/session.h"

// What a session remembers of one sequence: its last value, and the rest of its cached run.
struct sequence_memory {
    struct sequence_memory *next;
    uint32_t id;
    uint32_t version; // Of the descriptor that the run was taken under.
    bool has_value;
    int64_t value;       // currval()
    int64_t cached_next; // The next value of the run.
    int64_t cached_left;
};

static struct sequence_memory *memory_find(struct session *session, uint32_t id)
{
    for (struct sequence_memory *at = session->sequences; at != NULL; at = at->next) {
        if (at->id == id) return at;
    }
    return NULL;
}

static struct sequence_memory *memory_of(struct session *session, uint32_t id)
{
    struct sequence_memory *memory = memory_find(session, id);
    if (memory != NULL) return memory;
    memory = calloc(1, sizeof *memory);
    if (memory == NULL) return NULL;
    memory->id = id;
    memory->next = session->sequences;
    session->sequences = memory;
    return memory;
}

void sequence_session_reset(struct session *session)
{
    while (session->sequences != NULL) {
        struct sequence_memory *memory = session->sequences;
        session->sequences = memory->next;
        free(memory);
    }
    session->has_last_sequence_value = false;
}

static struct status limit_reached(
    struct task *task, const struct table_desc *sequence, bool maximum)
{
    return status_format(task->arena, SQLSTATE('2', '2', '0', '0', 'H'),
        "nextval: reached %s value of sequence \"%s\" (%lld)", maximum ? "maximum" : "minimum",
        sequence->name,
        (long long)(maximum ? sequence->sequence.maximum : sequence->sequence.minimum));
}

// --- taking values -------------------------------------------------------------------------------

static int64_t stored_value(struct bytes bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8 && i < bytes.size; i++)
        value = value << 8 | bytes.data[i];
    return (int64_t)value;
}

static void store_value(int64_t value, uint8_t out[8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
}

// As stored: the last value given out; NULL when there is none yet.
static struct status read_counter(struct task *task, struct kv_txn *txn, uint64_t tenant,
    const struct table_desc *sequence, bool lock, bool *found, int64_t *value)
{
    struct status st = STATUS_OK;
    struct kv_read read = {.lock = lock ? KV_LOCK_UPDATE : KV_LOCK_NONE, .no_validate = !lock};
    struct bytes bytes;
    TRY(kv_get(task, txn, &read, catalog_sequence_key(task->arena, tenant, sequence->id),
        task->arena, &bytes));
    *found = bytes.data != NULL;
    if (*found) *value = stored_value(bytes);
out:
    return st;
}

// The slow way, in a transaction of its own: near a limit, where an increment could overflow, and for
// sequences that begin again.
static struct status advance_checked(struct task *task, struct kv_txn *txn, uint64_t tenant,
    const struct table_desc *sequence, int64_t *value)
{
    struct status st = STATUS_OK;
    const struct sequence_options *options = &sequence->sequence;
    int64_t last, next;
    uint8_t encoded[8];
    bool found;

    TRY(read_counter(task, txn, tenant, sequence, true, &found, &last));
    bool up = options->increment > 0;
    if (!found)
        next = options->start;
    else if (__builtin_add_overflow(last, options->increment, &next) ||
             (up ? next > options->maximum : next < options->minimum)) {
        if (!options->cycle) {
            st = limit_reached(task, sequence, up);
            goto out;
        }
        next = up ? options->minimum : options->maximum;
    }
    store_value(next, encoded);
    TRY(kv_put(task, txn, catalog_sequence_key(task->arena, tenant, sequence->id),
        (struct bytes){encoded, 8}));
    *value = next;
out:
    return st;
}

static struct status advance_slowly(
    struct task *task, struct session *session, const struct table_desc *sequence, int64_t *value)
{
    struct status st = STATUS_OK;
    struct kv_txn_options options = {.tenant = session->tenant};
    for (int attempt = 0; attempt < 20; attempt++) {
        struct kv_txn *txn;
        TRY(kv_txn_begin(task, &options, &txn));
        st = advance_checked(task, txn, session->tenant, sequence, value);
        if (failed(st)) {
            kv_txn_rollback(task, txn);
        } else {
            st = kv_txn_commit(task, txn, NULL);
        }
        if (!failed(st) || st.retry != RETRY_TRANSACTION) break;
    }
out:
    return st;
}

// Takes a run of `cache` values at once; the first of them is given.
static struct status advance(struct task *task, struct session *session,
    const struct table_desc *sequence, int64_t *value, int64_t *left)
{
    struct status st = STATUS_OK;
    const struct sequence_options *options = &sequence->sequence;
    int64_t span, initial, last;

    *left = 0;
    int64_t count = options->cache < 1 ? 1 : options->cache;
    // The counter holds the last value of the last run.
    bool overflow = __builtin_mul_overflow(options->increment, count, &span) ||
                    __builtin_add_overflow(options->start, span - options->increment, &initial);
    int64_t room = INT64_MAX / 4;
    if (options->cycle || overflow || span > room || span < -room)
        return advance_slowly(task, session, sequence, value);
    struct arena_mark mark = arena_mark(task->arena);
    struct bytes key = catalog_sequence_key(task->arena, session->tenant, sequence->id);
    st = kv_increment(task, session->tenant, key, initial, span, &last);
    if (!failed(st)) arena_release(task->arena, mark);
    if (failed(st)) {
        if (!status_is(st, E_NUMERIC_OUT_OF_RANGE)) return st;
        return limit_reached(task, sequence, options->increment > 0);
    }
    *value = last - span + options->increment;
    bool up = options->increment > 0;
    if (up ? *value > options->maximum : *value < options->minimum)
        return limit_reached(task, sequence, up);
    // Of a run that passes the limit, what lies before it is good.
    int64_t past = up ? last - options->maximum : options->minimum - last;
    int64_t step = up ? options->increment : -options->increment;
    *left = count - 1;
    if (past > 0) *left -= (past + step - 1) / step;
    if (*left < 0) *left = 0;
    return STATUS_OK;
}

struct status sequence_next(
    struct task *task, struct session *session, const struct table_desc *sequence, int64_t *value)
{
    struct status st = STATUS_OK;

    if (session->txn_read_only || session->reader != 0)
        return status_make(
            E_READ_ONLY_TRANSACTION, "cannot execute nextval() in a read-only transaction");
    struct sequence_memory *memory = memory_of(session, sequence->id);
    if (memory == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    if (memory->version != sequence->version) memory->cached_left = 0;
    memory->version = sequence->version;
    if (memory->cached_left > 0) {
        memory->cached_left--;
        *value = memory->cached_next;
    } else {
        TRY(advance(task, session, sequence, value, &memory->cached_left));
    }
    memory->cached_next = *value + sequence->sequence.increment * (memory->cached_left > 0);
    memory->value = *value;
    memory->has_value = true;
    session->last_sequence_value = (uint64_t)*value;
    session->last_sequence = sequence->id;
    session->has_last_sequence_value = true;
out:
    return st;
}

struct status sequence_set(struct task *task, struct session *session,
    const struct table_desc *sequence, int64_t value, bool is_called)
{
    struct status st = STATUS_OK;
    const struct sequence_options *options = &sequence->sequence;
    struct kv_txn_options txn_options = {.tenant = session->tenant};
    int64_t stored = value;
    uint8_t encoded[8];

    if (session->txn_read_only || session->reader != 0)
        return status_make(
            E_READ_ONLY_TRANSACTION, "cannot execute setval() in a read-only transaction");
    if (value < options->minimum || value > options->maximum)
        return status_format(task->arena, E_NUMERIC_OUT_OF_RANGE,
            "setval: value %lld is out of bounds for sequence \"%s\" (%lld..%lld)",
            (long long)value, sequence->name, (long long)options->minimum,
            (long long)options->maximum);
    if (!is_called && __builtin_sub_overflow(value, options->increment, &stored))
        return status_make(E_NUMERIC_OUT_OF_RANGE, "setval: value is out of bounds");
    store_value(stored, encoded);
    for (int attempt = 0; attempt < 20; attempt++) {
        struct kv_txn *txn;
        TRY(kv_txn_begin(task, &txn_options, &txn));
        st = kv_put(task, txn, catalog_sequence_key(task->arena, session->tenant, sequence->id),
            (struct bytes){encoded, 8});
        if (!failed(st) && !is_called) {
            uint8_t start[8];
            store_value(value, start);
            st = kv_put(task, txn,
                catalog_sequence_start_key(task->arena, session->tenant, sequence->id),
                (struct bytes){start, 8});
        }
        if (failed(st))
            kv_txn_rollback(task, txn);
        else
            st = kv_txn_commit(task, txn, NULL);
        if (!failed(st) || st.retry != RETRY_TRANSACTION) break;
    }
    TRY(st);
    struct sequence_memory *memory = memory_of(session, sequence->id);
    if (memory == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    memory->cached_left = 0;
    if (is_called) {
        memory->value = value;
        memory->has_value = true;
        if (session->last_sequence == sequence->id) session->last_sequence_value = (uint64_t)value;
    }
out:
    return st;
}

struct status sequence_peek(struct task *task, struct session *session,
    const struct table_desc *sequence, int64_t *last_value, bool *is_called)
{
    struct status st = STATUS_OK;
    struct arena_mark mark = arena_mark(task->arena);
    const struct sequence_options *options = &sequence->sequence;
    struct kv_read read = {.no_validate = true};
    struct bytes start;
    int64_t before;

    TRY(read_counter(task, session->txn, session->tenant, sequence, false, is_called, last_value));
    if (!*is_called) {
        *last_value = options->start;
        goto out;
    }
    TRY(kv_get(task, session->txn, &read,
        catalog_sequence_start_key(task->arena, session->tenant, sequence->id), task->arena,
        &start));
    if (start.data != NULL &&
        !__builtin_sub_overflow(stored_value(start), options->increment, &before) &&
        *last_value == before) {
        *last_value = stored_value(start);
        *is_called = false;
    }
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

// --- functions -------------------------------------------------------------------------------------

static struct status find_sequence(
    struct function_call *call, struct datum id, uint32_t bits, const struct table_desc **sequence)
{
    struct status st = STATUS_OK;
    if (call->task == NULL || call->session == NULL || call->session->txn == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "sequences cannot be used here");
    // What clients and stored defaults hold is the oid.
    st = catalog_table_by_id(call->task, call->session,
        id.integer >= PG_OID_BASE ? (uint32_t)(id.integer - PG_OID_BASE) : 0, sequence);
    if (status_is(st, E_UNDEFINED_TABLE))
        return status_format(call->arena, E_INTERNAL, "could not open relation with OID %u", (uint32_t)id.integer);
    TRY(st);
    if ((*sequence)->kind != RELATION_SEQUENCE)
        return status_format(
            call->arena, E_WRONG_OBJECT_TYPE, "\"%s\" is not a sequence", (*sequence)->name);
    TRY(privilege_check_table(call->task, call->session, *sequence, bits));
out:
    return st;
}

// The text forms look the name up at each call, as PostgreSQL's late binding does.
static struct status find_by_name(struct function_call *call, struct datum text, uint32_t bits,
    const struct table_desc **sequence)
{
    struct status st = STATUS_OK;
    char *parts[PG_NAME_PARTS_MAX];
    uint32_t count;
    if (call->task == NULL || call->session == NULL || call->session->txn == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "sequences cannot be used here");
    TRY(pg_split_name(call->arena, datum_as_bytes(text), parts, &count));
    TRY(catalog_table(call->task, call->session, count > 2 ? parts[0] : NULL,
        count > 1 ? parts[count - 2] : NULL, parts[count - 1], false, sequence));
    if ((*sequence)->kind != RELATION_SEQUENCE)
        return status_format(
            call->arena, E_WRONG_OBJECT_TYPE, "\"%s\" is not a sequence", (*sequence)->name);
    TRY(privilege_check_table(call->task, call->session, *sequence, bits));
out:
    return st;
}

static struct status next_of(
    struct function_call *call, const struct table_desc *sequence, struct datum *result)
{
    int64_t value = 0;
    struct status st = sequence_next(call->task, call->session, sequence, &value);
    *result = datum_int(value);
    return st;
}

static struct status current_of(
    struct function_call *call, const struct table_desc *sequence, struct datum *result)
{
    struct sequence_memory *memory = memory_find(call->session, sequence->id);
    if (memory == NULL || !memory->has_value)
        return status_format(call->arena, E_NOT_IN_PREREQUISITE_STATE,
            "currval of sequence \"%s\" is not yet defined in this session", sequence->name);
    *result = datum_int(memory->value);
    return STATUS_OK;
}

#define SEQUENCE_BODY(name, find, bits, then)                                                      \
    BODY(name)                                                                                     \
    {                                                                                              \
        const struct table_desc *sequence;                                                         \
        struct status st = find(call, args[0], bits, &sequence);                                   \
        return failed(st) ? st : then(call, sequence, result);                                     \
    }
SEQUENCE_BODY(nextval_by_id, find_sequence, PRIVILEGE_USAGE, next_of)
SEQUENCE_BODY(nextval_by_name, find_by_name, PRIVILEGE_USAGE, next_of)
SEQUENCE_BODY(currval_by_id, find_sequence, PRIVILEGE_SELECT, current_of)
SEQUENCE_BODY(currval_by_name, find_by_name, PRIVILEGE_SELECT, current_of)

static struct status set_of(struct function_call *call, const struct table_desc *sequence,
    const struct datum *args, struct datum *result)
{
    bool is_called = call->arg_count < 3 || args[2].boolean;
    *result = args[1];
    return sequence_set(call->task, call->session, sequence, args[1].integer, is_called);
}

BODY(setval_by_id)
{
    const struct table_desc *sequence;
    struct status st = find_sequence(call, args[0], PRIVILEGE_UPDATE, &sequence);
    return failed(st) ? st : set_of(call, sequence, args, result);
}

BODY(setval_by_name)
{
    const struct table_desc *sequence;
    struct status st = find_by_name(call, args[0], PRIVILEGE_UPDATE, &sequence);
    return failed(st) ? st : set_of(call, sequence, args, result);
}

BODY(last_value)
{
    (void)args;
    struct session *session = call->session;
    const struct table_desc *sequence;
    bool known = session != NULL && session->has_last_sequence_value;
    // Of one that has been dropped since there is none.
    if (!known || failed(catalog_table_by_id(call->task, session, session->last_sequence, &sequence)))
        return status_make(
            E_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session");
    *result = datum_int((int64_t)session->last_sequence_value);
    return STATUS_OK;
}

BODY(last_value_of)
{
    const struct table_desc *sequence;
    int64_t value;
    bool is_called;
    struct status st = find_sequence(call, args[0], PRIVILEGE_SELECT, &sequence);
    if (!failed(st)) st = sequence_peek(call->task, call->session, sequence, &value, &is_called);
    *result = failed(st) || !is_called ? DATUM_NULL : datum_int(value);
    return st;
}

#define SEQUENCE_FUNCTION(name_, oid_, fn_, ...)                                                   \
    {                                                                                              \
        .name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_INT8, .strict = true,  \
        .fn = fn_, .volatility = FUNCTION_VOLATILE, FN_ARGS(__VA_ARGS__)                           \
    }

static const struct function functions[] = {
    SEQUENCE_FUNCTION("nextval", 1574, nextval_by_id, TYPE_REGCLASS),
    SEQUENCE_FUNCTION("nextval", 110001, nextval_by_name, TYPE_TEXT),
    SEQUENCE_FUNCTION("currval", 1575, currval_by_id, TYPE_REGCLASS),
    SEQUENCE_FUNCTION("currval", 110002, currval_by_name, TYPE_TEXT),
    SEQUENCE_FUNCTION("setval", 1576, setval_by_id, TYPE_REGCLASS, TYPE_INT8),
    SEQUENCE_FUNCTION("setval", 110003, setval_by_name, TYPE_TEXT, TYPE_INT8),
    SEQUENCE_FUNCTION("setval", 1765, setval_by_id, TYPE_REGCLASS, TYPE_INT8, TYPE_BOOL),
    SEQUENCE_FUNCTION("setval", 110004, setval_by_name, TYPE_TEXT, TYPE_INT8, TYPE_BOOL),
    SEQUENCE_FUNCTION("pg_sequence_last_value", 6224, last_value_of, TYPE_REGCLASS),
    {.name = "lastval",
        .kind = FUNCTION_SCALAR,
        .oid = 2559,
        .result = TYPE_INT8,
        .fn = last_value,
        .volatility = FUNCTION_VOLATILE},
};

void sequence_functions_register(void)
{
    function_register(functions, sizeof functions / sizeof functions[0]);
}
