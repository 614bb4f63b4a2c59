// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/frame.h"

#include <lz4.h>
#include <string.h>
#include <zstd.h>

#include "core/crypto.h"
#include "core/invariant.h"
#include "core/task.h"

#define EVENT_HEADER_BYTES 21u
#define ZSTD_LEVEL 1
#define COMPRESS_BYTES_MIN 128u

static const char *const codec_names[] = {"none", "lz4", "zstd"};

const char *frame_codec_name(enum frame_codec codec)
{
    return codec_names[codec];
}

bool frame_codec_parse(struct bytes name, enum frame_codec *codec)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!bytes_equal(name, bytes_of_string(codec_names[i]))) continue;
        *codec = (enum frame_codec)i;
        return true;
    }
    return false;
}

// --- integers ----------------------------------------------------------------------------------------

static void put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void put_u64(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get_u64(const uint8_t *at)
{
    return (uint64_t)get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

// --- building ----------------------------------------------------------------------------------------

void frame_begin(struct frame_builder *builder, struct arena *arena, enum frame_kind kind)
{
    invariant(kind == FRAME_BACKFILL || kind == FRAME_CHANGES);
    builder->kind = kind;
    builder->count = 0;
    buffer_init(&builder->payload, arena);
}

void frame_add(struct frame_builder *builder, const struct frame_event *event)
{
    uint8_t *at = buffer_reserve(&builder->payload, EVENT_HEADER_BYTES);
    at[0] = (uint8_t)event->kind;
    put_u64(at + 1, event->ts.wall_ns);
    put_u32(at + 9, event->ts.logical);
    put_u32(at + 13, (uint32_t)event->key.size);
    put_u32(at + 17, (uint32_t)event->value.size);
    builder->payload.size += EVENT_HEADER_BYTES;
    buffer_append_bytes(&builder->payload, event->key);
    buffer_append_bytes(&builder->payload, event->value);
    builder->count++;
}

static struct bytes seal(struct arena *arena, enum frame_kind kind, enum frame_codec codec,
    uint32_t count, size_t raw_size, uint8_t *frame, size_t stored_size)
{
    (void)arena;
    memcpy(frame, "IRF", 3);
    frame[3] = FRAME_VERSION;
    frame[4] = (uint8_t)kind;
    frame[5] = (uint8_t)codec;
    frame[6] = frame[7] = 0;
    put_u32(frame + 8, count);
    put_u32(frame + 12, (uint32_t)raw_size);
    put_u32(frame + 16, (uint32_t)stored_size);
    uint32_t crc = crypto_crc32c(0, frame, 20);
    crc = crypto_crc32c(crc, frame + FRAME_HEADER_BYTES, stored_size);
    put_u32(frame + 20, crc);
    return bytes_of(frame, FRAME_HEADER_BYTES + stored_size);
}

struct compress_call {
    enum frame_codec codec;
    struct bytes in;
    uint8_t *out;
    size_t out_bytes, size; // size 0: it did not fit.
};

static void compress_on_stack(void *arg)
{
    struct compress_call *call = arg;
    if (call->codec == FRAME_LZ4) {
        int size = LZ4_compress_default((const char *)call->in.data, (char *)call->out,
            (int)call->in.size, (int)call->out_bytes);
        call->size = size > 0 ? (size_t)size : 0;
    } else {
        size_t size =
            ZSTD_compress(call->out, call->out_bytes, call->in.data, call->in.size, ZSTD_LEVEL);
        call->size = ZSTD_isError(size) ? 0 : size;
    }
}

static void run_on_stack(void (*fn)(void *arg), void *arg)
{
    if (task_current() == NULL)
        fn(arg); // A thread's own stack is large.
    else
        stack_call(fn, arg);
}

struct status frame_end(struct frame_builder *builder, enum frame_codec codec, struct bytes *frame)
{
    struct bytes raw = buffer_bytes(&builder->payload);
    struct arena *arena = builder->payload.arena;
    if (raw.size > FRAME_RAW_BYTES_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "a batch of changes is too large for a frame");
    uint8_t *out = arena_try_alloc(arena, FRAME_HEADER_BYTES + raw.size);
    if (out == NULL) return status_make(E_OUT_OF_MEMORY, "no memory for a frame");
    if (codec != FRAME_PLAIN && raw.size >= COMPRESS_BYTES_MIN) {
        // Must be smaller than the raw bytes to be of use.
        struct compress_call call = {
            .codec = codec, .in = raw, .out = out + FRAME_HEADER_BYTES, .out_bytes = raw.size - 1};
        run_on_stack(compress_on_stack, &call);
        if (call.size > 0) {
            *frame = seal(arena, builder->kind, codec, builder->count, raw.size, out, call.size);
            return STATUS_OK;
        }
    }
    if (raw.size > 0) memcpy(out + FRAME_HEADER_BYTES, raw.data, raw.size);
    *frame = seal(arena, builder->kind, FRAME_PLAIN, builder->count, raw.size, out, raw.size);
    return STATUS_OK;
}

struct bytes frame_resolved(struct arena *arena, struct hlc_timestamp ts)
{
    uint8_t *out = arena_alloc(arena, FRAME_HEADER_BYTES + HLC_ENCODED_BYTES);
    hlc_encode(ts, out + FRAME_HEADER_BYTES);
    return seal(arena, FRAME_RESOLVED, FRAME_PLAIN, 1, HLC_ENCODED_BYTES, out, HLC_ENCODED_BYTES);
}

struct bytes frame_scanned(struct arena *arena, struct bytes resume, bool all)
{
    uint8_t *out = arena_alloc(arena, FRAME_HEADER_BYTES + resume.size);
    if (resume.size > 0) memcpy(out + FRAME_HEADER_BYTES, resume.data, resume.size);
    return seal(arena, FRAME_SCANNED, FRAME_PLAIN, all ? 1 : 0, resume.size, out, resume.size);
}

// --- decoding ----------------------------------------------------------------------------------------

static struct status damaged(void)
{
    return status_make(E_DATA_CORRUPTED, "the replication stream has sent a damaged frame");
}

struct decompress_call {
    enum frame_codec codec;
    struct bytes in;
    uint8_t *out;
    size_t raw_size;
    bool good;
};

static void decompress_on_stack(void *arg)
{
    struct decompress_call *call = arg;
    if (call->codec == FRAME_LZ4) {
        int size = LZ4_decompress_safe((const char *)call->in.data, (char *)call->out,
            (int)call->in.size, (int)call->raw_size);
        call->good = size >= 0 && (size_t)size == call->raw_size;
    } else {
        size_t size = ZSTD_decompress(call->out, call->raw_size, call->in.data, call->in.size);
        call->good = !ZSTD_isError(size) && size == call->raw_size;
    }
}

static struct status payload_open(struct arena *arena, enum frame_codec codec, struct bytes stored,
    size_t raw_size, struct bytes *raw)
{
    uint8_t *out = arena_try_alloc(arena, raw_size);
    if (out == NULL) return status_make(E_OUT_OF_MEMORY, "no memory for a frame");
    *raw = bytes_of(out, raw_size);
    if (codec == FRAME_PLAIN) {
        if (stored.size != raw_size) return damaged();
        if (raw_size > 0) memcpy(out, stored.data, raw_size);
        return STATUS_OK;
    }
    struct decompress_call call = {.codec = codec, .in = stored, .out = out, .raw_size = raw_size};
    run_on_stack(decompress_on_stack, &call);
    return call.good ? STATUS_OK : damaged();
}

static struct status events_open(
    struct arena *arena, struct bytes raw, uint32_t count, const struct frame_event **events)
{
    // Each event takes its header at least: a count beyond that is no count.
    if (count > raw.size / EVENT_HEADER_BYTES) return damaged();
    struct frame_event *out = arena_try_alloc(arena, (size_t)count * sizeof *out + 1);
    if (out == NULL) return status_make(E_OUT_OF_MEMORY, "no memory for a frame");
    for (uint32_t i = 0; i < count; i++) {
        if (raw.size < EVENT_HEADER_BYTES) return damaged();
        const uint8_t *at = raw.data;
        size_t key_size = get_u32(at + 13), value_size = get_u32(at + 17);
        size_t rest = raw.size - EVENT_HEADER_BYTES;
        if (at[0] < FRAME_VALUE || at[0] > FRAME_CLEARED || key_size == 0 || key_size > rest ||
            value_size > rest - key_size || (at[0] == FRAME_TOMBSTONE && value_size > 0))
            return damaged();
        out[i] = (struct frame_event){.kind = (enum frame_event_kind)at[0],
            .key = bytes_of(at + EVENT_HEADER_BYTES, key_size),
            .value = bytes_of(at + EVENT_HEADER_BYTES + key_size, value_size),
            .ts = {.wall_ns = get_u64(at + 1), .logical = get_u32(at + 9)}};
        raw = bytes_skip(raw, EVENT_HEADER_BYTES + key_size + value_size);
    }
    *events = out;
    return raw.size == 0 ? STATUS_OK : damaged();
}

// Magic, version, stored size and checksum are in the same place in every version: so damage is not taken for another one.
static struct status header_check(struct arena *arena, struct bytes bytes)
{
    const uint8_t *at = bytes.data;
    if (bytes.size < FRAME_HEADER_BYTES || memcmp(bytes.data, "IRF", 3) != 0) return damaged();
    if (get_u32(at + 16) != bytes.size - FRAME_HEADER_BYTES) return damaged();
    uint32_t crc = crypto_crc32c(0, at, 20);
    crc = crypto_crc32c(crc, at + FRAME_HEADER_BYTES, bytes.size - FRAME_HEADER_BYTES);
    if (crc != get_u32(at + 20)) return damaged();
    if (at[3] != FRAME_VERSION)
        return status_format(arena, E_FEATURE_NOT_SUPPORTED,
            "the replication stream is of version %u and this cluster reads version %u: source and standby need the same release",
            at[3], FRAME_VERSION);
    if (at[4] < FRAME_BACKFILL || at[4] > FRAME_SCANNED || at[5] > FRAME_ZSTD || at[6] != 0 ||
        at[7] != 0)
        return damaged();
    if (get_u32(at + 12) > FRAME_RAW_BYTES_MAX)
        return status_make(
            E_PROGRAM_LIMIT_EXCEEDED, "the replication stream has sent too large a frame");
    return STATUS_OK;
}

struct status frame_decode(struct arena *arena, struct bytes bytes, struct frame *frame)
{
    struct status st;
    struct bytes raw;
    TRY(header_check(arena, bytes));
    *frame =
        (struct frame){.kind = (enum frame_kind)bytes.data[4], .count = get_u32(bytes.data + 8)};
    TRY(payload_open(arena, (enum frame_codec)bytes.data[5], bytes_skip(bytes, FRAME_HEADER_BYTES),
        get_u32(bytes.data + 12), &raw));
    switch (frame->kind) {
    case FRAME_BACKFILL:
    case FRAME_CHANGES: st = events_open(arena, raw, frame->count, &frame->events); break;
    case FRAME_RESOLVED:
        if (raw.size != HLC_ENCODED_BYTES || frame->count != 1) return damaged();
        frame->resolved = hlc_decode(raw.data);
        break;
    case FRAME_SCANNED:
        if (frame->count > 1) return damaged();
        frame->resume = raw;
        frame->scanned_all = frame->count == 1;
        break;
    }
out:
    return st;
}
