// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/frontier.h"

#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"

static struct bytes key_own(struct bytes key)
{
    uint8_t *copy = malloc(key.size + 1);
    invariant(copy != NULL);
    if (key.size > 0) memcpy(copy, key.data, key.size);
    return bytes_of(copy, key.size);
}

static void key_free(struct bytes key)
{
    free((void *)(uintptr_t)key.data);
}

static void piece_insert(
    struct frontier *frontier, uint32_t at, struct bytes start, struct hlc_timestamp ts)
{
    if (frontier->count == frontier->capacity) {
        uint32_t capacity = frontier->capacity == 0 ? 8 : frontier->capacity * 2;
        struct frontier_piece *grown = realloc(frontier->pieces, capacity * sizeof *grown);
        invariant(grown != NULL);
        frontier->pieces = grown;
        frontier->capacity = capacity;
    }
    memmove(&frontier->pieces[at + 1], &frontier->pieces[at],
        (frontier->count - at) * sizeof frontier->pieces[0]);
    frontier->pieces[at] = (struct frontier_piece){key_own(start), ts};
    frontier->count++;
}

void frontier_init(struct frontier *frontier, struct span all)
{
    invariant(bytes_compare(all.start, all.end) < 0);
    *frontier = (struct frontier){.end = key_own(all.end)};
    piece_insert(frontier, 0, all.start, HLC_ZERO);
}

void frontier_fini(struct frontier *frontier)
{
    for (uint32_t i = 0; i < frontier->count; i++)
        key_free(frontier->pieces[i].start);
    free(frontier->pieces);
    key_free(frontier->end);
    *frontier = (struct frontier){0};
}

// The last piece that starts at or before `key`, which is in the frontier.
static uint32_t piece_at(const struct frontier *frontier, struct bytes key)
{
    uint32_t low = 0, high = frontier->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(frontier->pieces[middle].start, key) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static struct bytes piece_end(const struct frontier *frontier, uint32_t at)
{
    return at + 1 < frontier->count ? frontier->pieces[at + 1].start : frontier->end;
}

static struct span clip(const struct frontier *frontier, struct span span)
{
    if (bytes_compare(span.start, frontier->pieces[0].start) < 0)
        span.start = frontier->pieces[0].start;
    if (bytes_compare(frontier->end, span.end) < 0) span.end = frontier->end;
    return span;
}

// Makes `key` the start of a piece; false when there is no room. *at: the piece that holds it.
static bool split_at(struct frontier *frontier, struct bytes key, uint32_t *at)
{
    *at = piece_at(frontier, key);
    if (bytes_equal(frontier->pieces[*at].start, key)) return true;
    if (frontier->count == FRONTIER_PIECES_MAX) return false;
    piece_insert(frontier, *at + 1, key, frontier->pieces[*at].ts);
    ++*at;
    return true;
}

// Neighbours that are equally far become one.
static void join(struct frontier *frontier, uint32_t first, uint32_t last)
{
    uint32_t to = first == 0 ? 1 : first;
    if (last < frontier->count) last++;
    uint32_t from = to;
    for (; from < last; from++) {
        if (hlc_equal(frontier->pieces[from].ts, frontier->pieces[to - 1].ts))
            key_free(frontier->pieces[from].start);
        else
            frontier->pieces[to++] = frontier->pieces[from];
    }
    if (from == to) return;
    memmove(&frontier->pieces[to], &frontier->pieces[from],
        (frontier->count - from) * sizeof frontier->pieces[0]);
    frontier->count -= from - to;
}

void frontier_forward(struct frontier *frontier, struct span span, struct hlc_timestamp ts)
{
    uint32_t first, last = 0;
    span = clip(frontier, span);
    if (bytes_compare(span.start, span.end) >= 0) return;
    if (!hlc_less(frontier_min_of(frontier, span), ts)) return;
    if (!split_at(frontier, span.start, &first)) first++;
    if (bytes_equal(span.end, frontier->end))
        last = frontier->count;
    else
        // Without room for a piece, the one that reaches beyond the end stays where it is.
        (void)split_at(frontier, span.end, &last);
    for (uint32_t i = first; i < last; i++)
        frontier->pieces[i].ts = hlc_max(frontier->pieces[i].ts, ts);
    if (first < last) join(frontier, first, last);
}

struct hlc_timestamp frontier_min(const struct frontier *frontier)
{
    struct hlc_timestamp min = HLC_MAX;
    for (uint32_t i = 0; i < frontier->count; i++)
        min = hlc_min(min, frontier->pieces[i].ts);
    return frontier->count == 0 ? HLC_ZERO : min;
}

struct hlc_timestamp frontier_min_of(const struct frontier *frontier, struct span span)
{
    struct hlc_timestamp min = HLC_MAX;
    span = clip(frontier, span);
    if (bytes_compare(span.start, span.end) >= 0) return min;
    for (uint32_t i = piece_at(frontier, span.start); i < frontier->count; i++) {
        if (bytes_compare(span.end, frontier->pieces[i].start) <= 0) break;
        min = hlc_min(min, frontier->pieces[i].ts);
    }
    return min;
}

void frontier_missing(const struct frontier *frontier, struct arena *arena, struct span span,
    struct span **missing, uint32_t *count)
{
    *missing = NULL;
    *count = 0;
    span = clip(frontier, span);
    if (bytes_compare(span.start, span.end) >= 0) return;
    uint32_t first = piece_at(frontier, span.start), last = first;
    while (last < frontier->count && bytes_compare(frontier->pieces[last].start, span.end) < 0)
        last++;
    *missing = ARENA_ARRAY(arena, struct span, last - first);
    for (uint32_t i = first; i < last; i++) {
        if (!hlc_is_zero(frontier->pieces[i].ts)) continue;
        struct span piece = {frontier->pieces[i].start, piece_end(frontier, i)};
        if (bytes_compare(piece.start, span.start) < 0) piece.start = span.start;
        if (bytes_compare(span.end, piece.end) < 0) piece.end = span.end;
        (*missing)[(*count)++] = piece;
    }
}

// --- as bytes ----------------------------------------------------------------------------------------

void frontier_encode(struct buffer *out, const struct frontier *frontier)
{
    codec_put_u32(out, frontier->count);
    for (uint32_t i = 0; i < frontier->count; i++) {
        codec_put_hlc(out, frontier->pieces[i].ts);
        codec_put_bytes(out, frontier->pieces[i].start);
    }
}

struct status frontier_decode(struct codec_reader *in, struct span all, struct frontier *frontier)
{
    uint32_t count = codec_get_count(in, 16);
    frontier_init(frontier, all);
    bool good = count > 0 && count <= FRONTIER_PIECES_MAX;
    for (uint32_t i = 0; good && i < count; i++) {
        struct hlc_timestamp ts = codec_get_hlc(in);
        struct bytes start = codec_get_bytes(in);
        if (i == 0) {
            good = !in->bad && bytes_equal(start, all.start);
            frontier->pieces[0].ts = ts;
            continue;
        }
        good = !in->bad && bytes_compare(frontier->pieces[i - 1].start, start) < 0 &&
               bytes_compare(start, all.end) < 0;
        if (good) piece_insert(frontier, i, start, ts);
    }
    if (good) return STATUS_OK;
    frontier_fini(frontier);
    return status_make(E_DATA_CORRUPTED, "the progress of a replication consumer is damaged");
}
