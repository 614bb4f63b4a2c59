// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/mvcc.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "kv/key.h"

#define FLAG_TOMBSTONE 1u
#define FLAG_PIECES 2u
// From here on a value is a blob to WiredTiger, outside of its pages.
#define LONG_BYTES (256u << 10)
#define PIECE_BYTES (64u << 10)
#define PIECE_NUMBER_BYTES 4u
#define SIZE_BYTES 8u // In the place of a value in pieces.
// Scratch above this is given back after use: one large value must not stay in memory for good.
#define SCRATCH_KEEP_BYTES (256u << 10)
#define NEWCOMERS_LIKELY 16u

static struct {
    uint32_t value_bytes, piece_bytes;
} bounds = {LONG_BYTES, PIECE_BYTES};

static const struct status malformed = {
    E_DATA_CORRUPTED, RETRY_NEVER, 0, "malformed version record"};

void mvcc_init(struct mvcc *mvcc, struct store *store)
{
    *mvcc = (struct mvcc){.store = store};
}

void mvcc_fini(struct mvcc *mvcc)
{
    free(mvcc->key.data);
    free(mvcc->value.data);
    *mvcc = (struct mvcc){0};
}

static uint8_t *scratch_reserve(struct mvcc_scratch *scratch, size_t size)
{
    if (LIKELY(size <= scratch->capacity)) return scratch->data;
    size_t capacity = size < 1024 ? 1024 : size + size / 2;
    free(scratch->data);
    scratch->data = malloc(capacity);
    invariant(scratch->data != NULL);
    scratch->capacity = capacity;
    return scratch->data;
}

static void scratch_trim(struct mvcc_scratch *scratch)
{
    if (LIKELY(scratch->capacity <= SCRATCH_KEEP_BYTES)) return;
    free(scratch->data);
    *scratch = (struct mvcc_scratch){0};
}

// --- records' forms --------------------------------------------------------------------------------------

// hlc_decode without a call: it is done for each row of each scan.
static inline struct hlc_timestamp timestamp_decode(const uint8_t *in)
{
    uint64_t wall_ns;
    uint32_t logical;
    memcpy(&wall_ns, in, sizeof wall_ns);
    memcpy(&logical, in + sizeof wall_ns, sizeof logical);
    return (struct hlc_timestamp){be64toh(wall_ns), be32toh(logical)};
}

// The bytes of a record after its flags.
static struct status pieces_decode(struct bytes value, struct mvcc_version *version)
{
    uint64_t size;
    if (value.size != SIZE_BYTES) return malformed;
    memcpy(&size, value.data, sizeof size);
    size = be64toh(size);
    if (size == 0 || size > UINT32_MAX) return malformed;
    version->pieces = true;
    version->value = bytes_of(NULL, size);
    return STATUS_OK;
}

static inline struct status current_decode(struct bytes record, struct mvcc_version *version)
{
    if (UNLIKELY(record.size < MVCC_CURRENT_HEADER_BYTES)) return malformed;
    const uint8_t flags = record.data[HLC_ENCODED_BYTES];
    version->ts = timestamp_decode(record.data);
    version->tombstone = flags & FLAG_TOMBSTONE;
    version->pieces = false;
    version->value =
        version->tombstone ? bytes_of(NULL, 0) : bytes_skip(record, MVCC_CURRENT_HEADER_BYTES);
    return UNLIKELY(flags & FLAG_PIECES) ? pieces_decode(version->value, version) : STATUS_OK;
}

struct status mvcc_current_decode(struct bytes record, struct mvcc_version *version)
{
    return current_decode(record, version);
}

static size_t escape(uint8_t *out, struct bytes key)
{
    size_t size = 0;
    while (key.size > 0) {
        const uint8_t *zero = memchr(key.data, 0, key.size);
        size_t plain = zero == NULL ? key.size : (size_t)(zero - key.data);
        memcpy(out + size, key.data, plain);
        size += plain;
        if (zero == NULL) break;
        out[size++] = 0x00;
        out[size++] = 0xff;
        key = bytes_skip(key, plain + 1);
    }
    return size;
}

static void encode_descending(struct hlc_timestamp ts, uint8_t *out)
{
    hlc_encode((struct hlc_timestamp){~ts.wall_ns, ~ts.logical}, out);
}

// The key of the version at `ts`, in the key scratch; *prefix_size is the part that all versions share.
static struct bytes history_key(
    struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts, size_t *prefix_size)
{
    uint8_t *out = scratch_reserve(&mvcc->key, 2 * key.size + 2 + HLC_ENCODED_BYTES + PIECE_NUMBER_BYTES);
    size_t size = escape(out, key);
    out[size++] = 0x00;
    out[size++] = 0x01;
    *prefix_size = size;
    encode_descending(ts, out + size);
    return bytes_of(out, size + HLC_ENCODED_BYTES);
}

static struct bytes piece_key(
    struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts, uint32_t number)
{
    size_t prefix_size;
    const struct bytes version = history_key(mvcc, key, ts, &prefix_size);
    const uint32_t big_endian = htobe32(number);
    memcpy(mvcc->key.data + version.size, &big_endian, PIECE_NUMBER_BYTES);
    return bytes_of(version.data, version.size + PIECE_NUMBER_BYTES);
}

struct status mvcc_history_key_decode(struct bytes record_key, struct mvcc_scratch *scratch,
    struct bytes *key, struct hlc_timestamp *ts)
{
    if (record_key.size < 2 + HLC_ENCODED_BYTES) return malformed;
    uint8_t *out = scratch_reserve(scratch, record_key.size);
    size_t size = 0, end = record_key.size - HLC_ENCODED_BYTES - 2;
    for (size_t i = 0; i < end; i++) {
        out[size++] = record_key.data[i];
        if (record_key.data[i] == 0 && (++i >= end || record_key.data[i] != 0xff)) return malformed;
    }
    if (record_key.data[end] != 0 || record_key.data[end + 1] != 1) return malformed;
    struct hlc_timestamp flipped = hlc_decode(record_key.data + end + 2);
    *ts = (struct hlc_timestamp){~flipped.wall_ns, ~flipped.logical};
    *key = bytes_of(out, size);
    return STATUS_OK;
}

struct span mvcc_history_span(struct arena *arena, struct span span)
{
    uint8_t *start = arena_alloc(arena, 2 * span.start.size);
    uint8_t *end = arena_alloc(arena, 2 * span.end.size);
    size_t start_size = escape(start, span.start), end_size = escape(end, span.end);
    return (struct span){bytes_of(start, start_size), bytes_of(end, end_size)};
}

struct status mvcc_history_decode(struct bytes record, struct mvcc_version *version)
{
    if (UNLIKELY(record.size < 1)) return malformed;
    version->tombstone = record.data[0] & FLAG_TOMBSTONE;
    version->pieces = false;
    version->value = version->tombstone ? bytes_of(NULL, 0) : bytes_skip(record, 1);
    return UNLIKELY(record.data[0] & FLAG_PIECES) ? pieces_decode(version->value, version) : STATUS_OK;
}

struct status mvcc_time_key_decode(
    struct bytes record_key, uint64_t *tenant, struct hlc_timestamp *ts, struct bytes *key)
{
    struct status st = key_decode_uvarint(&record_key, tenant);
    if (failed(st) || record_key.size < HLC_ENCODED_BYTES) return malformed;
    *ts = hlc_decode(record_key.data);
    *key = bytes_skip(record_key, HLC_ENCODED_BYTES);
    return STATUS_OK;
}

struct span mvcc_time_span(
    struct arena *arena, uint64_t tenant, struct hlc_timestamp from, struct hlc_timestamp to)
{
    struct buffer start, end;
    buffer_init(&start, arena);
    buffer_init(&end, arena);
    key_append_uvarint(&start, tenant);
    key_append_uvarint(&end, tenant);
    hlc_encode(from, buffer_reserve(&start, HLC_ENCODED_BYTES));
    start.size += HLC_ENCODED_BYTES;
    if (hlc_equal(to, HLC_MAX))
        return (struct span){buffer_bytes(&start), key_prefix_end(arena, buffer_bytes(&end))};
    hlc_encode(to, buffer_reserve(&end, HLC_ENCODED_BYTES));
    end.size += HLC_ENCODED_BYTES;
    return (struct span){buffer_bytes(&start), buffer_bytes(&end)};
}

// --- reading -----------------------------------------------------------------------------------------------

// Puts `cursor` on the key's newest history version at or below `ts`.
static struct status history_seek(struct mvcc *mvcc, struct store_cursor *cursor, struct bytes key,
    struct hlc_timestamp ts, struct mvcc_version *version, bool *found)
{
    size_t prefix_size;
    struct bytes at = history_key(mvcc, key, ts, &prefix_size);
    struct status st = store_seek(cursor, STORE_FORWARD, at, found);
    if (failed(st) || !*found) return st;
    // Nothing sorts between two versions of a key: the first record at or after is one of them or none is.
    if (cursor->key.size != at.size || memcmp(cursor->key.data, at.data, prefix_size) != 0) {
        *found = false;
        return STATUS_OK;
    }
    struct hlc_timestamp flipped = hlc_decode(cursor->key.data + prefix_size);
    version->ts = (struct hlc_timestamp){~flipped.wall_ns, ~flipped.logical};
    return mvcc_history_decode(cursor->value, version);
}

static struct status version_copy(struct arena *arena, struct mvcc_version *version)
{
    if (version->tombstone || version->pieces) return STATUS_OK;
    if (arena == NULL) {
        version->value = bytes_of("", 0);
        return STATUS_OK;
    }
    size_t size = version->value.size;
    uint8_t *out =
        size > ARENA_UNCHECKED_BYTES ? arena_try_alloc(arena, size) : arena_alloc(arena, size);
    if (out == NULL) return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: a large value");
    if (size > 0) memcpy(out, version->value.data, size);
    version->value = bytes_of(out, size);
    return STATUS_OK;
}

static struct status get_older(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct arena *arena, struct mvcc_version *version, bool *found)
{
    struct status st;
    struct store_cursor *cursor = NULL;
    TRY(store_cursor_open(mvcc->store, STORE_HISTORY, &cursor));
    TRY(history_seek(mvcc, cursor, key, ts, version, found));
    if (*found) TRY(version_copy(arena, version));
out:
    store_cursor_close(cursor);
    return st;
}

struct status mvcc_get_standing(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct arena *arena, struct mvcc_version *version, bool *found)
{
    struct bytes record;
    struct status st = store_get(mvcc->store, STORE_CURRENT, key, &record, found);
    if (failed(st) || !*found) return st;
    st = mvcc_current_decode(record, version);
    if (failed(st)) return st;
    if (LIKELY(hlc_less_equal(version->ts, ts))) return version_copy(arena, version);
    return get_older(mvcc, key, ts, arena, version, found);
}

void mvcc_release(struct mvcc *mvcc)
{
    store_release(mvcc->store);
}

struct status mvcc_get(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct arena *arena, struct mvcc_version *version, bool *found)
{
    struct status st = mvcc_get_standing(mvcc, key, ts, arena, version, found);
    store_release(mvcc->store);
    return st;
}

struct status mvcc_newest(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp *ts)
{
    struct mvcc_version version;
    bool found;
    struct status st = mvcc_get(mvcc, key, HLC_MAX, NULL, &version, &found);
    *ts = !failed(st) && found ? version.ts : HLC_ZERO;
    return st;
}

// --- long values ---------------------------------------------------------------------------------------------

void mvcc_pieces_set(uint32_t value_bytes, uint32_t piece_bytes)
{
    bounds.value_bytes = value_bytes == 0 ? LONG_BYTES : value_bytes;
    bounds.piece_bytes = piece_bytes == 0 ? PIECE_BYTES : piece_bytes;
}

uint32_t mvcc_piece_count(size_t value_bytes)
{
    if (LIKELY(value_bytes <= bounds.value_bytes)) return 0;
    return (uint32_t)((value_bytes + bounds.piece_bytes - 1) / bounds.piece_bytes);
}

struct status mvcc_fetch_begin(struct arena *arena, struct bytes key,
    const struct mvcc_version *version, struct mvcc_fetch *fetch)
{
    invariant(version->pieces);
    *fetch = (struct mvcc_fetch){.key = key, .ts = version->ts, .size = version->value.size};
    fetch->data = arena_try_alloc(arena, fetch->size);
    if (fetch->data == NULL)
        return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: a large value");
    return STATUS_OK;
}

// A piece was not there: is that because the version is not?
static struct status fetch_lost(struct mvcc *mvcc, const struct mvcc_fetch *fetch, bool *lost)
{
    struct mvcc_version version;
    bool found;
    struct status st = mvcc_get(mvcc, fetch->key, fetch->ts, NULL, &version, &found);
    *lost = !found || !hlc_equal(version.ts, fetch->ts) || !version.pieces;
    return !failed(st) && !*lost ? malformed : st;
}

struct status mvcc_fetch_next(struct mvcc *mvcc, struct mvcc_fetch *fetch, bool *lost)
{
    struct bytes piece;
    bool found;
    *lost = false;
    struct status st = store_get(mvcc->store, STORE_PIECES,
        piece_key(mvcc, fetch->key, fetch->ts, fetch->next), &piece, &found);
    if (!failed(st) && found) {
        if (piece.size == 0 || piece.size > fetch->size - fetch->fetched) st = malformed;
        else memcpy(fetch->data + fetch->fetched, piece.data, piece.size);
    }
    store_release(mvcc->store);
    if (failed(st)) return st;
    if (!found) return fetch_lost(mvcc, fetch, lost);
    fetch->fetched += piece.size;
    fetch->next++;
    return st;
}

struct status mvcc_fetch(
    struct mvcc *mvcc, struct bytes key, struct arena *arena, struct mvcc_version *version)
{
    struct mvcc_fetch fetch;
    struct status st = STATUS_OK;
    bool lost = false;
    if (LIKELY(!version->pieces)) return st;
    TRY(mvcc_fetch_begin(arena, key, version, &fetch));
    while (fetch.fetched < fetch.size) {
        TRY(mvcc_fetch_next(mvcc, &fetch, &lost));
        if (lost) TRY(malformed); // Nothing has suspended since its record was read.
    }
    version->value = bytes_of(fetch.data, fetch.size);
out:
    return st;
}

struct status mvcc_put_piece(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct bytes value, uint32_t number)
{
    struct bytes piece = bytes_skip(value, (size_t)number * bounds.piece_bytes);
    if (piece.size > bounds.piece_bytes) piece.size = bounds.piece_bytes;
    return store_put(mvcc->store, STORE_PIECES, piece_key(mvcc, key, ts, number), piece);
}

static struct status pieces_remove(
    struct mvcc *mvcc, struct bytes key, const struct mvcc_version *version)
{
    if (LIKELY(!version->pieces)) return STATUS_OK;
    struct status st;
    struct arena arena;
    struct span span;
    arena_init(&arena, NULL);
    covered("mvcc.pieces_erased");
    span.start = arena_copy(&arena, piece_key(mvcc, key, version->ts, 0));
    span.end = piece_key(mvcc, key, version->ts, UINT32_MAX);
    st = store_clear(mvcc->store, STORE_PIECES, span);
    arena_fini(&arena);
    return st;
}

// What stands for the value in a record.
static struct bytes record_value(const struct mvcc_version *version, uint8_t size[SIZE_BYTES])
{
    if (LIKELY(!version->pieces)) return version->value;
    const uint64_t big_endian = htobe64(version->value.size);
    memcpy(size, &big_endian, SIZE_BYTES);
    return bytes_of(size, SIZE_BYTES);
}

static uint8_t record_flags(const struct mvcc_version *version)
{
    return version->tombstone ? FLAG_TOMBSTONE : version->pieces ? FLAG_PIECES : 0;
}

// --- changes -------------------------------------------------------------------------------------------------

// `added` NULL: whatever is there.
static struct status put_current_if(
    struct mvcc *mvcc, struct bytes key, const struct mvcc_version *version, bool *added)
{
    uint8_t long_size[SIZE_BYTES];
    const struct bytes value = record_value(version, long_size);
    size_t size = MVCC_CURRENT_HEADER_BYTES + value.size;
    uint8_t *out = scratch_reserve(&mvcc->value, size);
    hlc_encode(version->ts, out);
    out[HLC_ENCODED_BYTES] = record_flags(version);
    if (value.size > 0) memcpy(out + MVCC_CURRENT_HEADER_BYTES, value.data, value.size);
    struct status st = added == NULL
                           ? store_put(mvcc->store, STORE_CURRENT, key, bytes_of(out, size))
                           : store_add(mvcc->store, key, bytes_of(out, size), added);
    scratch_trim(&mvcc->value);
    return st;
}

static struct status put_current(
    struct mvcc *mvcc, struct bytes key, const struct mvcc_version *version)
{
    return put_current_if(mvcc, key, version, NULL);
}

static struct status put_history(
    struct mvcc *mvcc, struct bytes key, const struct mvcc_version *version)
{
    uint8_t long_size[SIZE_BYTES];
    const struct bytes value = record_value(version, long_size);
    size_t prefix_size, size = 1 + value.size;
    uint8_t *out = scratch_reserve(&mvcc->value, size);
    out[0] = record_flags(version);
    if (value.size > 0) memcpy(out + 1, value.data, value.size);
    struct bytes at = history_key(mvcc, key, version->ts, &prefix_size);
    struct status st = store_put(mvcc->store, STORE_HISTORY, at, bytes_of(out, size));
    scratch_trim(&mvcc->value);
    return st;
}

struct status mvcc_put(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct bytes value, bool tombstone, bool keep_lone_tombstone)
{
    const uint32_t pieces = tombstone ? 0 : mvcc_piece_count(value.size);
    for (uint32_t i = 0; i < pieces; i++) {
        struct status st = mvcc_put_piece(mvcc, key, ts, value, i);
        if (failed(st)) return st;
    }
    return mvcc_put_record(mvcc, key, ts, value, tombstone, keep_lone_tombstone);
}

struct status mvcc_put_record(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct bytes value, bool tombstone, bool keep_lone_tombstone)
{
    const struct mvcc_version version = {.value = tombstone ? bytes_of(NULL, 0) : value,
        .ts = ts,
        .tombstone = tombstone,
        .pieces = !tombstone && mvcc_piece_count(value.size) > 0};
    struct bytes record;
    bool found;
    struct status st;
    if (!tombstone && mvcc->newcomers > NEWCOMERS_LIKELY) {
        bool added;
        st = put_current_if(mvcc, key, &version, &added);
        if (failed(st) || added) return st;
        mvcc->newcomers -= NEWCOMERS_LIKELY;
    }
    st = store_get(mvcc->store, STORE_CURRENT, key, &record, &found);
    if (failed(st)) return st;
    if (!found && mvcc->newcomers <= NEWCOMERS_LIKELY) mvcc->newcomers++;
    if (found && mvcc->newcomers > 0) mvcc->newcomers--;
    if (found) {
        struct mvcc_version newest;
        TRY(mvcc_current_decode(record, &newest));
        int order = hlc_compare(newest.ts, ts);
        if (order > 0) {
            TRY(put_history(mvcc, key, &version));
            goto out;
        }
        if (order < 0) TRY(put_history(mvcc, key, &newest));
    } else if (tombstone && !keep_lone_tombstone) {
        goto out;
    }
    TRY(put_current(mvcc, key, &version));
out:
    store_release(mvcc->store);
    return st;
}

struct status mvcc_revert_key(
    struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts, uint64_t *removed)
{
    struct status st;
    struct store_cursor *cursor = NULL;
    struct mvcc_version newest, older = {0};
    struct bytes record;
    bool found, has_older = false;
    TRY(store_get(mvcc->store, STORE_CURRENT, key, &record, &found));
    if (!found) goto out;
    TRY(mvcc_current_decode(record, &newest));
    if (hlc_less_equal(newest.ts, ts)) goto out;
    TRY(pieces_remove(mvcc, key, &newest));
    // Take versions out of history from the newest down, until one may stay: that becomes current.
    struct hlc_timestamp at = newest.ts;
    for (;;) {
        TRY(store_cursor_open(mvcc->store, STORE_HISTORY, &cursor));
        TRY(history_seek(mvcc, cursor, key, at, &older, &has_older));
        if (has_older && hlc_less_equal(older.ts, ts)) TRY(put_current(mvcc, key, &older));
        store_cursor_close(cursor);
        cursor = NULL;
        (*removed)++;
        if (!has_older) break;
        size_t prefix_size;
        struct bytes at_key = history_key(mvcc, key, older.ts, &prefix_size);
        TRY(store_remove(mvcc->store, STORE_HISTORY, at_key));
        if (hlc_less_equal(older.ts, ts)) break;
        TRY(pieces_remove(mvcc, key, &older));
        at = older.ts;
    }
    if (!has_older) TRY(store_remove(mvcc->store, STORE_CURRENT, key));
out:
    store_cursor_close(cursor);
    store_release(mvcc->store);
    return st;
}

struct status mvcc_collect_key(
    struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts, uint64_t *removed)
{
    struct status st;
    struct store_cursor *cursor = NULL;
    struct mvcc_version version;
    struct bytes record;
    bool found;
    TRY(store_get(mvcc->store, STORE_CURRENT, key, &record, &found));
    if (!found) goto out;
    TRY(mvcc_current_decode(record, &version));
    bool drop_current = version.tombstone && hlc_less_equal(version.ts, ts);
    // The newest version at or below ts is what a read at ts sees; everything older goes.
    struct hlc_timestamp at = version.ts;
    if (hlc_less(ts, version.ts)) {
        TRY(store_cursor_open(mvcc->store, STORE_HISTORY, &cursor));
        TRY(history_seek(mvcc, cursor, key, ts, &version, &found));
        if (!found) goto out;
        at = version.ts;
        // A tombstone below everything that can be read says nothing more.
        if (version.tombstone) at = hlc_next(at);
        store_cursor_close(cursor);
        cursor = NULL;
    }
    while (!hlc_is_zero(at)) {
        TRY(store_cursor_open(mvcc->store, STORE_HISTORY, &cursor));
        TRY(history_seek(mvcc, cursor, key, hlc_previous(at), &version, &found));
        store_cursor_close(cursor);
        cursor = NULL;
        if (!found) break;
        size_t prefix_size;
        TRY(store_remove(
            mvcc->store, STORE_HISTORY, history_key(mvcc, key, version.ts, &prefix_size)));
        TRY(pieces_remove(mvcc, key, &version));
        at = version.ts;
        (*removed)++;
    }
    if (drop_current) {
        TRY(store_remove(mvcc->store, STORE_CURRENT, key));
        (*removed)++;
    }
out:
    store_cursor_close(cursor);
    store_release(mvcc->store);
    return st;
}

struct status mvcc_clear(struct mvcc *mvcc, struct span span)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct status st;
    TRY(store_clear(mvcc->store, STORE_CURRENT, span));
    const struct span versions = mvcc_history_span(&arena, span);
    TRY(store_clear(mvcc->store, STORE_HISTORY, versions));
    TRY(store_clear(mvcc->store, STORE_PIECES, versions));
out:
    arena_fini(&arena);
    return st;
}

struct status mvcc_time_put(
    struct mvcc *mvcc, uint64_t tenant, struct hlc_timestamp ts, struct bytes key)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct buffer out;
    buffer_init(&out, &arena);
    buffer_reserve(&out, key.size + 24);
    key_append_uvarint(&out, tenant);
    hlc_encode(ts, buffer_reserve(&out, HLC_ENCODED_BYTES));
    out.size += HLC_ENCODED_BYTES;
    buffer_append_bytes(&out, key);
    struct status st = store_put(mvcc->store, STORE_TIME, buffer_bytes(&out), BYTES_LITERAL(""));
    arena_fini(&arena);
    return st;
}

// --- scans -----------------------------------------------------------------------------------------------------

struct status mvcc_cursor_open(struct mvcc *mvcc, struct mvcc_cursor *cursor)
{
    *cursor = (struct mvcc_cursor){.mvcc = mvcc};
    return store_cursor_open(mvcc->store, STORE_CURRENT, &cursor->current);
}

void mvcc_cursor_close(struct mvcc_cursor *cursor)
{
    store_cursor_close(cursor->current);
    store_cursor_close(cursor->history);
    cursor->current = cursor->history = NULL;
}

static inline struct status cursor_take(struct mvcc_cursor *cursor, struct status st, bool found)
{
    if (failed(st) || !found) return st;
    return current_decode(cursor->current->value, &cursor->newest);
}

struct status mvcc_cursor_seek(
    struct mvcc_cursor *cursor, enum store_direction direction, struct bytes key, bool *found)
{
    struct status st = store_seek(cursor->current, direction, key, found);
    return cursor_take(cursor, st, *found);
}

struct status mvcc_cursor_step(
    struct mvcc_cursor *cursor, enum store_direction direction, bool *found)
{
    struct status st = store_step(cursor->current, direction, found);
    return cursor_take(cursor, st, *found);
}

struct status mvcc_cursor_at(
    struct mvcc_cursor *cursor, struct hlc_timestamp ts, struct mvcc_version *version, bool *found)
{
    if (LIKELY(hlc_less_equal(cursor->newest.ts, ts))) {
        *version = cursor->newest;
        *found = true;
        return STATUS_OK;
    }
    struct status st = STATUS_OK;
    if (cursor->history == NULL)
        st = store_cursor_open(cursor->mvcc->store, STORE_HISTORY, &cursor->history);
    if (failed(st)) return st;
    return history_seek(
        cursor->mvcc, cursor->history, mvcc_cursor_key(cursor), ts, version, found);
}

struct status mvcc_cursor_older(
    struct mvcc_cursor *cursor, struct mvcc_version *version, bool *found)
{
    *found = false;
    if (hlc_is_zero(version->ts)) return STATUS_OK;
    struct status st = STATUS_OK;
    if (cursor->history == NULL)
        st = store_cursor_open(cursor->mvcc->store, STORE_HISTORY, &cursor->history);
    if (failed(st)) return st;
    return history_seek(cursor->mvcc, cursor->history, mvcc_cursor_key(cursor),
        hlc_previous(version->ts), version, found);
}
