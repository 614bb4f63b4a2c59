// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/xact.h"

#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "core/work.h"
#include "kv/client.h"
#include "kv/key.h"
#include "sql/catalog/catalog.h"
#include "sql/session/session.h"
#include "sql/type/xid.h"

#define SETTLE_MAX 4096u // Numbers that are looked at in one transaction.
#define SETTLES_MAX 64u
#define TAKES_MAX 8u

enum xact_index { XACT_COUNTER = 1, XACT_SUMMARY = 2, XACT_OUTCOMES = 3, XACT_RUNNING = 4, XACT_GATE = 5 };
#define COMMITTED "c"
#define ABORTED "a"

struct xact {
    uint64_t id; // Of the transaction at hand; 0: none.
    struct kv_txn *running; // Holds the lock that says so.
    // The newest answer of xact_snapshot: `size` bytes of the snapshot at `taken`.
    struct hlc_timestamp taken;
    uint64_t taken_id;
    uint8_t *snapshot;
    size_t size;
};

struct numbers {
    uint64_t *items;
    uint32_t count, capacity;
};

static void add_number(struct arena *arena, struct numbers *numbers, uint64_t id)
{
    if (numbers->count == numbers->capacity) {
        const uint32_t capacity = numbers->capacity == 0 ? 16 : numbers->capacity * 2;
        numbers->items = arena_grow(arena, numbers->items, numbers->capacity * sizeof *numbers->items,
            capacity * sizeof *numbers->items);
        numbers->capacity = capacity;
    }
    numbers->items[numbers->count++] = id;
}

static bool has_number(const struct numbers *numbers, uint64_t id)
{
    for (uint32_t i = 0; i < numbers->count; i++)
        if (numbers->items[i] == id) return true;
    return false;
}

// --- keys ------------------------------------------------------------------------------------------------

static struct bytes key_of(struct arena *arena, uint64_t tenant, enum xact_index index, uint64_t id)
{
    struct buffer key;
    buffer_init(&key, arena);
    catalog_append_index_prefix(&key, tenant, CATALOG_TRANSACTIONS, index);
    if (index == XACT_OUTCOMES || index == XACT_RUNNING) key_append_uvarint(&key, id);
    return buffer_bytes(&key);
}

static uint64_t load(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | at[i];
    return value;
}

// What all numbers up to `upto` but `open` have come to is known: they are over.
struct summary {
    uint64_t upto;
    struct numbers open;
};

static struct status read_summary(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    uint64_t tenant, struct arena *arena, struct summary *summary)
{
    struct status st = STATUS_OK;
    struct bytes value;
    *summary = (struct summary){.upto = XACT_FIRST - 1};
    TRY(kv_get(task, txn, read, key_of(arena, tenant, XACT_SUMMARY, 0), arena, &value));
    if (value.data == NULL) goto out;
    if (value.size % 8 != 0 || value.size == 0)
        return status_make(E_DATA_CORRUPTED, "the summary of transactions does not decode");
    summary->upto = load(value.data);
    for (size_t at = 8; at < value.size; at += 8) add_number(arena, &summary->open, load(value.data + at));

out:
    return st;
}

static struct status read_counter(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    uint64_t tenant, struct arena *arena, uint64_t *last)
{
    struct status st = STATUS_OK;
    struct bytes value;
    *last = XACT_FIRST - 1;
    TRY(kv_get(task, txn, read, key_of(arena, tenant, XACT_COUNTER, 0), arena, &value));
    if (value.data == NULL) goto out;
    if (value.size != 8) return status_make(E_DATA_CORRUPTED, "the counter of transactions does not decode");
    *last = load(value.data);

out:
    return st;
}

// Which numbers of (after, upto] have no row, and those that the summary calls open whatever they have.
static struct status find_open(struct task *task, struct kv_txn *txn, uint64_t tenant, struct arena *arena,
    const struct summary *summary, uint64_t upto, struct numbers *open)
{
    struct status st = STATUS_OK;
    struct kv_scan scan;
    struct kv_batch batch;
    const struct span all = catalog_index_span(arena, tenant, CATALOG_TRANSACTIONS, XACT_OUTCOMES);
    uint64_t next = summary->upto + 1;
    *open = (struct numbers){0};
    for (uint32_t i = 0; i < summary->open.count; i++) add_number(arena, open, summary->open.items[i]);
    if (upto <= summary->upto) return st;
    kv_scan_init(&scan, (struct span){key_of(arena, tenant, XACT_OUTCOMES, summary->upto + 1),
                            key_of(arena, tenant, XACT_OUTCOMES, upto + 1)});
    scan.read.no_validate = true;
    for (;;) {
        TRY(kv_scan_next(task, txn, &scan, arena, &batch));
        if (batch.count == 0) break;
        for (uint32_t i = 0; i < batch.count; i++) {
            struct bytes key = bytes_skip(batch.pairs[i].key, all.start.size);
            uint64_t id;
            TRY(key_decode_uvarint(&key, &id));
            for (; next < id; next++) add_number(arena, open, next);
            next = id + 1;
        }
        TRY(task_check(task));
    }
    for (; next <= upto; next++) add_number(arena, open, next);

out:
    return st;
}

// --- what has come of them -------------------------------------------------------------------------------

static struct status put_summary(struct task *task, struct kv_txn *txn, uint64_t tenant, struct arena *arena,
    uint64_t upto, const struct numbers *open)
{
    struct buffer value;
    buffer_init(&value, arena);
    xid_store(&value, upto);
    for (uint32_t i = 0; i < open->count; i++) xid_store(&value, open->items[i]);
    return kv_put(task, txn, key_of(arena, tenant, XACT_SUMMARY, 0), buffer_bytes(&value));
}

static struct status settle_in(
    struct task *task, struct kv_txn *txn, uint64_t tenant, struct arena *arena, uint64_t *upto)
{
    struct status st = STATUS_OK;
    const struct kv_read taking = {.lock = KV_LOCK_UPDATE, .wait = KV_WAIT_SKIP};
    const struct kv_read closing = {.lock = KV_LOCK_UPDATE};
    struct summary summary;
    struct numbers open, left = {0};
    struct bytes nothing;
    uint64_t last;
    // Whoever has a number that is given out by then has its lock, too.
    TRY(kv_get(task, txn, &closing, key_of(arena, tenant, XACT_GATE, 0), arena, &nothing));
    TRY(kv_txn_step(task, txn));
    TRY(read_summary(task, txn, NULL, tenant, arena, &summary));
    TRY(read_counter(task, txn, &(struct kv_read){.no_validate = true}, tenant, arena, &last));
    *upto = last - summary.upto > SETTLE_MAX && last > summary.upto ? summary.upto + SETTLE_MAX : last;
    if (*upto < summary.upto) *upto = summary.upto;
    TRY(find_open(task, txn, tenant, arena, &summary, *upto, &open));
    struct bytes *keys = ARENA_ARRAY(arena, struct bytes, open.count + 1u);
    struct bytes *values = ARENA_ARRAY(arena, struct bytes, open.count + 1u);
    bool *skipped = ARENA_ARRAY(arena, bool, open.count + 1u);
    for (uint32_t i = 0; i < open.count; i++) keys[i] = key_of(arena, tenant, XACT_RUNNING, open.items[i]);
    if (open.count > 0) TRY(kv_get_many(task, txn, &taking, keys, open.count, arena, values, skipped));
    for (uint32_t i = 0; i < open.count; i++) keys[i] = key_of(arena, tenant, XACT_OUTCOMES, open.items[i]);
    if (open.count > 0) TRY(kv_get_many(task, txn, NULL, keys, open.count, arena, values, NULL));
    for (uint32_t i = 0; i < open.count; i++) {
        if (skipped[i]) {
            add_number(arena, &left, open.items[i]);
        } else if (values[i].data == NULL) {
            TRY(kv_put(task, txn, keys[i], bytes_of_string(ABORTED)));
        }
    }
    if (*upto == summary.upto && left.count == summary.open.count) goto out;
    TRY(put_summary(task, txn, tenant, arena, *upto, &left));
    for (uint64_t id = summary.upto; *upto > XACT_KEPT && id < *upto; id++) {
        if (id <= XACT_KEPT + XACT_FIRST || has_number(&left, id - XACT_KEPT)) continue;
        TRY(kv_delete(task, txn, key_of(arena, tenant, XACT_OUTCOMES, id - XACT_KEPT)));
    }

out:
    return st;
}

// Brings the summary up to `id`, or as far as it goes. Another who does the same is as good.
static struct status settle(struct task *task, struct session *session, uint64_t id)
{
    struct status st = STATUS_OK;
    const struct kv_txn_options options = {.tenant = session->tenant, .account = &session->account};
    uint64_t upto = 0, before = 0;
    if (session->reader != 0) return st; // What it shows is written elsewhere.
    for (uint32_t i = 0; i < SETTLES_MAX && (i == 0 || (upto < id && upto > before)); i++) {
        struct arena arena;
        struct kv_txn *txn;
        before = upto;
        TRY(kv_txn_begin(task, &options, &txn));
        arena_init(&arena, &session->account);
        st = settle_in(task, txn, session->tenant, &arena, &upto);
        if (!failed(st)) {
            st = kv_txn_commit(task, txn, NULL);
        } else {
            st = status_copy(&session->statement_arena, st);
            kv_txn_rollback(task, txn);
        }
        arena_fini(&arena);
        if (status_is(st, E_SERIALIZATION_FAILURE)) {
            upto = before + 1; // Somebody else settles: look again.
            st = STATUS_OK;
        }
        TRY(st);
    }

out:
    return st;
}

// The rows of now, of a transaction's of its own.
static struct status read_outcomes(struct task *task, struct session *session, struct arena *arena,
    const struct numbers *numbers, struct bytes *values)
{
    struct status st = STATUS_OK;
    const struct kv_txn_options options = {.tenant = session->tenant, .read_only = true, .account = &session->account};
    struct kv_txn *txn;
    if (numbers->count == 0) return st;
    struct bytes *keys = ARENA_ARRAY(arena, struct bytes, numbers->count);
    for (uint32_t i = 0; i < numbers->count; i++)
        keys[i] = key_of(arena, session->tenant, XACT_OUTCOMES, numbers->items[i]);
    TRY(kv_txn_begin(task, &options, &txn));
    st = kv_get_many(task, txn, NULL, keys, numbers->count, arena, values, NULL);
    for (uint32_t i = 0; !failed(st) && i < numbers->count; i++)
        if (values[i].data != NULL) values[i] = arena_copy(arena, values[i]);
    if (failed(st)) st = status_copy(arena, st);
    kv_txn_rollback(task, txn);

out:
    return st;
}

// --- of the session --------------------------------------------------------------------------------------

uint64_t xact_assigned(const struct session *session)
{
    return session->xact == NULL ? 0 : session->xact->id;
}

static struct status state_of(struct session *session)
{
    if (session->xact == NULL) session->xact = calloc(1, sizeof *session->xact);
    return session->xact == NULL ? status_make(E_OUT_OF_MEMORY, "out of memory") : STATUS_OK;
}

// Taken: the gate's lock was lost, and somebody has looked for it between its number and the lock.
static struct status hold(struct task *task, struct session *session, uint64_t id, bool *taken)
{
    struct status st = STATUS_OK;
    struct arena *arena = &session->statement_arena;
    const struct kv_txn_options options = {.tenant = session->tenant, .account = &session->account};
    const struct kv_read locking = {.lock = KV_LOCK_UPDATE};
    struct kv_txn *txn;
    struct bytes value;
    TRY(kv_txn_begin(task, &options, &txn));
    st = kv_get(task, txn, &locking, key_of(arena, session->tenant, XACT_RUNNING, id), arena, &value);
    // Whoever looked had its lock before: what it has written is there now.
    if (!failed(st)) st = kv_txn_step(task, txn);
    if (!failed(st)) st = kv_get(task, txn, NULL, key_of(arena, session->tenant, XACT_OUTCOMES, id), arena, &value);
    *taken = !failed(st) && value.data != NULL;
    if (!failed(st) && !*taken) {
        session->xact->running = txn;
        return st;
    }
    st = status_copy(arena, st);
    kv_txn_rollback(task, txn);

out:
    return st;
}

// Takes the next number and holds it, while nobody settles what has come of numbers.
static struct status take(struct task *task, struct session *session, uint64_t *id, bool *taken)
{
    struct status st;
    struct arena *arena = &session->statement_arena;
    const struct kv_txn_options options = {.tenant = session->tenant, .account = &session->account};
    const struct kv_read entering = {.lock = KV_LOCK_SHARE};
    struct kv_txn *gate;
    struct bytes nothing;
    int64_t next;
    TRY(kv_txn_begin(task, &options, &gate));
    st = kv_get(task, gate, &entering, key_of(arena, session->tenant, XACT_GATE, 0), arena, &nothing);
    if (!failed(st))
        st = kv_increment(task, session->tenant, key_of(arena, session->tenant, XACT_COUNTER, 0), XACT_FIRST, 1, &next);
    if (!failed(st)) {
        *id = (uint64_t)next;
        st = hold(task, session, *id, taken);
    }
    if (failed(st)) st = status_copy(arena, st);
    kv_txn_rollback(task, gate);

out:
    return st;
}

struct status xact_current(struct task *task, struct session *session, uint64_t *id)
{
    struct status st;
    bool taken = true;
    *id = xact_assigned(session);
    if (*id != 0) return STATUS_OK;
    if (session->reader != 0 || session->txn_read_only || !hlc_is_zero(session->txn_as_of))
        return status_make(E_READ_ONLY_TRANSACTION, "cannot assign a transaction id in a read-only transaction");
    TRY(state_of(session));
    for (uint32_t i = 0; i < TAKES_MAX && taken; i++) TRY(take(task, session, id, &taken));
    if (taken)
        return status_make_retry(
            E_SERIALIZATION_FAILURE, RETRY_TRANSACTION, "restart transaction: its id was taken away");
    session->xact->id = *id;
    if (*id % XACT_SETTLE_EACH == 0) TRY(settle(task, session, *id));

out:
    return st;
}

static bool is_before_kept(uint64_t id, uint64_t upto)
{
    return upto > XACT_KEPT && id < upto - XACT_KEPT;
}

struct status xact_status(struct task *task, struct session *session, uint64_t id, const char **status)
{
    struct status st = STATUS_OK;
    struct arena *arena = &session->statement_arena;
    const struct kv_txn_options options = {.tenant = session->tenant, .read_only = true, .account = &session->account};
    struct numbers asked = {.items = &id, .count = 1};
    struct bytes value;
    struct summary summary;
    struct kv_txn *txn;
    uint64_t last;
    *status = NULL;
    if (id == 0) return st;
    *status = "committed";
    if (id < XACT_FIRST) return st;
    *status = "in progress";
    if (id == xact_assigned(session)) return st;
    TRY(kv_txn_begin(task, &options, &txn));
    st = read_counter(task, txn, NULL, session->tenant, arena, &last);
    if (failed(st)) st = status_copy(arena, st);
    kv_txn_rollback(task, txn);
    TRY(st);
    if (id > last)
        return status_format(
            arena, E_INVALID_PARAMETER_VALUE, "transaction ID %llu is in the future", (unsigned long long)id);
    TRY(read_outcomes(task, session, arena, &asked, &value));
    if (value.data == NULL) {
        TRY(settle(task, session, id));
        TRY(read_outcomes(task, session, arena, &asked, &value));
    }
    if (value.data != NULL) {
        *status = bytes_equal(value, bytes_of_string(ABORTED)) ? "aborted" : "committed";
        goto out;
    }
    TRY(kv_txn_begin(task, &options, &txn));
    st = read_summary(task, txn, NULL, session->tenant, arena, &summary);
    if (failed(st)) st = status_copy(arena, st);
    kv_txn_rollback(task, txn);
    TRY(st);
    if (is_before_kept(id, summary.upto)) *status = NULL;

out:
    return st;
}

// Of the numbers that have no row in the snapshot, those that are not known to have come to nothing: in progress, as far as
// the snapshot goes.
static struct status keep_running(struct task *task, struct session *session, struct arena *arena, struct numbers *open)
{
    struct status st = STATUS_OK;
    const uint64_t own = xact_assigned(session);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < open->count; i++)
        if (open->items[i] != own) open->items[kept++] = open->items[i];
    open->count = kept;
    if (kept == 0) return st;
    TRY(settle(task, session, open->items[kept - 1]));
    struct bytes *values = ARENA_ARRAY(arena, struct bytes, kept);
    TRY(read_outcomes(task, session, arena, open, values));
    kept = 0;
    for (uint32_t i = 0; i < open->count; i++)
        if (values[i].data == NULL || !bytes_equal(values[i], bytes_of_string(ABORTED)))
            open->items[kept++] = open->items[i];
    open->count = kept;

out:
    return st;
}

// Those that the summary calls open may have come to an end since.
static struct status drop_ended(
    struct task *task, struct session *session, struct arena *arena, uint32_t listed, struct numbers *open)
{
    struct status st = STATUS_OK;
    const struct kv_read reading = {.no_validate = true};
    uint32_t kept = 0;
    if (listed == 0) return st;
    struct bytes *keys = ARENA_ARRAY(arena, struct bytes, listed), *values = ARENA_ARRAY(arena, struct bytes, listed);
    for (uint32_t i = 0; i < listed; i++) keys[i] = key_of(arena, session->tenant, XACT_OUTCOMES, open->items[i]);
    TRY(kv_get_many(task, session->txn, &reading, keys, listed, arena, values, NULL));
    for (uint32_t i = 0; i < open->count; i++)
        if (i >= listed || values[i].data == NULL) open->items[kept++] = open->items[i];
    open->count = kept;

out:
    return st;
}

static struct status make_snapshot(
    struct task *task, struct session *session, struct arena *arena, struct buffer *snapshot)
{
    struct status st = STATUS_OK;
    const struct kv_read reading = {.no_validate = true};
    const uint64_t own = xact_assigned(session);
    struct summary summary;
    struct numbers open;
    uint64_t last;
    TRY(read_counter(task, session->txn, &reading, session->tenant, arena, &last));
    TRY(read_summary(task, session->txn, &reading, session->tenant, arena, &summary));
    TRY(find_open(task, session->txn, session->tenant, arena, &summary, last, &open));
    TRY(drop_ended(task, session, arena, summary.open.count, &open));
    TRY(keep_running(task, session, arena, &open));
    uint64_t least = open.count > 0 ? open.items[0] : last + 1;
    if (own != 0 && own < least) least = own;
    xid_store(snapshot, least);
    xid_store(snapshot, last + 1);
    for (uint32_t i = 0; i < open.count; i++) xid_store(snapshot, open.items[i]);

out:
    return st;
}

struct status xact_snapshot(
    struct task *task, struct session *session, struct arena *arena, struct bytes *snapshot)
{
    struct status st;
    struct arena own;
    struct buffer made;
    const struct hlc_timestamp now = kv_txn_read_ts(session->txn);
    TRY(state_of(session));
    struct xact *xact = session->xact;
    if (xact->size == 0 || !hlc_equal(xact->taken, now) || xact->taken_id != xact->id) {
        arena_init(&own, &session->account);
        buffer_init(&made, &own);
        st = make_snapshot(task, session, &own, &made);
        if (failed(st)) st = status_copy(arena, st);
        uint8_t *kept = failed(st) ? NULL : realloc(xact->snapshot, made.size);
        if (kept != NULL) {
            memcpy(kept, made.data, made.size);
            xact->taken_id = xact->id;
            xact->taken = now;
            xact->snapshot = kept;
            xact->size = made.size;
        } else if (!failed(st)) {
            st = status_make(E_OUT_OF_MEMORY, "out of memory");
        }
        arena_fini(&own);
        TRY(st);
    }
    *snapshot = arena_copy(arena, bytes_of(xact->snapshot, xact->size));

out:
    return st;
}

// --- the transaction's end -------------------------------------------------------------------------------

static struct status before_commit(struct task *task, struct session *session)
{
    struct arena *arena = &session->statement_arena;
    const uint64_t id = xact_assigned(session);
    struct bytes existing;
    if (id == 0) return STATUS_OK;
    struct status st = kv_insert(task, session->txn, key_of(arena, session->tenant, XACT_OUTCOMES, id),
        bytes_of_string(COMMITTED), arena, &existing);
    if (failed(st) || existing.data == NULL) return st;
    return status_make_retry(
        E_SERIALIZATION_FAILURE, RETRY_TRANSACTION, "restart transaction: it was taken for one that had ended");
}

static void after(struct task *task, struct session *session, bool committed)
{
    struct xact *xact = session->xact;
    (void)committed;
    if (xact == NULL) return;
    if (xact->running != NULL) kv_txn_rollback(task, xact->running);
    xact->running = NULL;
    xact->id = 0;
    xact->size = 0;
}

void xact_session_end(struct session *session)
{
    if (session->xact == NULL) return;
    free(session->xact->snapshot);
    free(session->xact);
    session->xact = NULL;
}

void xact_register(void)
{
    static const struct session_txn_hook hook = {.before_commit = before_commit, .after = after};
    session_txn_hook_register(&hook);
}
