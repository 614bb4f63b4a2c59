// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/zone_span.h"

#include "core/codec.h"
#include "kv/client.h"
#include "kv/key.h"
#include "kv/leader.h"

#define FORMAT 1u
#define ATTEMPTS_MAX 50u

static const uint8_t prefix[] = {0x01, 'Y'};

static struct bytes key_of(struct arena *arena, struct bytes start)
{
    struct buffer key;
    buffer_init(&key, arena);
    buffer_append(&key, prefix, sizeof prefix);
    buffer_append_bytes(&key, start);
    return buffer_bytes(&key);
}

static struct bytes value_of(struct arena *arena, const struct zone_span *span)
{
    struct buffer out;
    buffer_init(&out, arena);
    codec_put_u8(&out, FORMAT);
    codec_put_bytes(&out, span->span.end);
    codec_put_bytes(&out, zone_encode(arena, &span->zone));
    return buffer_bytes(&out);
}

static struct status decode(struct arena *arena, const struct kv_pair *pair, struct zone_span *span)
{
    struct codec_reader in = codec_read(pair->value);
    bool known = codec_get_u8(&in) == FORMAT;
    struct bytes end = codec_get_bytes(&in), zone = codec_get_bytes(&in);
    if (!known || !codec_done(&in) || pair->key.size < sizeof prefix)
        return status_make(E_DATA_CORRUPTED, "the record of a zone is damaged");
    span->span.start = arena_copy(arena, bytes_skip(pair->key, sizeof prefix));
    span->span.end = arena_copy(arena, end);
    return zone_decode(zone, &span->zone);
}

static struct status read(struct task *task, struct kv_txn *txn, struct arena *arena, struct span span,
    struct zone_span **spans, uint32_t *count)
{
    struct status st = STATUS_OK;
    uint32_t capacity = 0;
    struct kv_scan scan;
    struct kv_batch batch;
    *spans = NULL;
    *count = 0;
    // The first may begin before the span.
    struct bytes from = key_of(arena, span.start);
    kv_scan_init(&scan, (struct span){bytes_of(prefix, sizeof prefix), key_next(arena, from)});
    scan.reverse = true;
    scan.limit = 1;
    TRY(kv_scan_next(task, txn, &scan, arena, &batch));
    if (batch.count == 1) from = arena_copy(arena, batch.pairs[0].key);
    kv_scan_init(&scan, (struct span){from, key_of(arena, span.end)});
    do {
        TRY(kv_scan_next(task, txn, &scan, arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++) {
            struct zone_span *one = ARENA_NEW(arena, struct zone_span);
            TRY(decode(arena, &batch.pairs[i], one));
            if (!span_overlaps(one->span, span)) continue;
            if (*count == capacity) {
                uint32_t grown = capacity == 0 ? 16 : capacity * 2;
                *spans = arena_grow(arena, *spans, capacity * sizeof **spans, grown * sizeof **spans);
                capacity = grown;
            }
            (*spans)[(*count)++] = *one;
        }
    } while (batch.count > 0);
out:
    return st;
}

struct status zone_spans_get(
    struct task *task, struct arena *arena, struct span span, struct zone_span **spans, uint32_t *count)
{
    const struct kv_txn_options options = {.read_only = true};
    struct kv_txn *txn;
    struct status st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    st = read(task, txn, arena, span, spans, count);
    kv_txn_rollback(task, txn);
    return st;
}

static bool same_span(struct arena *arena, const struct zone_span *a, const struct zone_span *b)
{
    return bytes_equal(a->span.start, b->span.start) && bytes_equal(value_of(arena, a), value_of(arena, b));
}

// Both lists are in order: what is in one alone goes or comes.
static struct status write(struct task *task, struct kv_txn *txn, struct arena *arena, struct span tenant,
    const struct zone_span *spans, uint32_t count, bool *any)
{
    struct status st;
    struct zone_span *before;
    uint32_t before_count;
    *any = false;
    TRY(read(task, txn, arena, tenant, &before, &before_count));
    for (uint32_t a = 0, b = 0; a < before_count || b < count;) {
        int order = a == before_count ? 1 : b == count ? -1 : bytes_compare(before[a].span.start, spans[b].span.start);
        if (order == 0 && same_span(arena, &before[a], &spans[b])) {
            a++;
            b++;
            continue;
        }
        *any = true;
        if (order < 0) {
            TRY(kv_delete(task, txn, key_of(arena, before[a++].span.start)));
            continue;
        }
        TRY(kv_put(task, txn, key_of(arena, spans[b].span.start), value_of(arena, &spans[b])));
        b++;
        a += order == 0;
    }
out:
    return st;
}

static struct status check(uint64_t tenant, const struct zone_span *spans, uint32_t count)
{
    struct status st = STATUS_OK;
    if (count > ZONE_SPANS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "more than 4096 tables and indexes with zone configurations");
    for (uint32_t i = 0; i < count; i++) {
        TRY(leader_check_span(tenant, spans[i].span));
        TRY(zone_check(&spans[i].zone));
        if (bytes_compare(spans[i].span.start, spans[i].span.end) >= 0 ||
            (i > 0 && bytes_compare(spans[i].span.start, spans[i - 1].span.end) < 0))
            return status_make(E_INTERNAL, "spans of zones overlap");
    }
out:
    return st;
}

struct status zone_spans_set(
    struct task *task, uint64_t tenant, const struct zone_span *spans, uint32_t count)
{
    struct arena arena;
    struct status st = check(tenant, spans, count);
    if (failed(st)) return st;
    arena_init(&arena, NULL);
    for (uint32_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const struct kv_txn_options options = {0};
        struct kv_txn *txn;
        bool any;
        TRY(kv_txn_begin(task, &options, &txn));
        st = write(task, txn, &arena, key_tenant_span(&arena, tenant), spans, count, &any);
        if (failed(st) || !any)
            kv_txn_rollback(task, txn);
        else
            st = kv_txn_commit(task, txn, NULL);
        if (!status_is(st, E_SERIALIZATION_FAILURE)) break;
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

const struct zone_span *zone_span_find(const struct zone_span *spans, uint32_t count, struct bytes key)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(key, spans[middle].span.end) >= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && bytes_compare(spans[low].span.start, key) <= 0 ? &spans[low] : NULL;
}

struct status zone_same(struct task *task, struct bytes a, struct bytes b, bool *same)
{
    struct status st;
    struct arena arena;
    struct bytes zones[2] = {{0}};
    const struct bytes keys[2] = {a, b};
    arena_init(&arena, NULL);
    for (int i = 0; i < 2; i++) {
        struct zone_span *spans;
        uint32_t count;
        TRY(zone_spans_get(task, &arena, (struct span){keys[i], key_next(&arena, keys[i])}, &spans, &count));
        if (count > 0) zones[i] = zone_encode(&arena, &spans[0].zone);
    }
    *same = bytes_equal(zones[0], zones[1]);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}
