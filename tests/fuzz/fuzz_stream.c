// SPDX-License-Identifier: GPL-3.0-or-later
//
// Frames and progress of replication from any bytes: refused, or sound. The checksum is put right first, so that
// what lies behind it is reached.
#include <stdint.h>
#include <string.h>

#include "core/crypto.h"
#include "core/invariant.h"
#include "repl/frame.h"
#include "repl/progress.h"
#include "repl/source.h"

#define RAW_BYTES_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(struct arena *arena, struct bytes bytes)
{
    struct frame frame;
    uint64_t sum = 0;
    if (failed(frame_decode(arena, bytes, &frame))) return;
    bool batch = frame.kind == FRAME_BACKFILL || frame.kind == FRAME_CHANGES;
    for (uint32_t i = 0; batch && i < frame.count; i++) {
        const struct frame_event *event = &frame.events[i];
        invariant(event->key.size > 0);
        // Every byte is there.
        for (size_t at = 0; at < event->key.size; at++) sum += event->key.data[at];
        for (size_t at = 0; at < event->value.size; at++) sum += event->value.data[at];
    }
    for (size_t at = 0; at < frame.resume.size; at++) sum += frame.resume.data[at];
    (void)sum;
}

// kind, codec, count (1 byte), raw size (3 bytes), payload.
static void made_frame(struct arena *arena, struct bytes in)
{
    if (in.size < 6) return;
    size_t payload = in.size - 6;
    uint32_t raw = ((uint32_t)in.data[3] | (uint32_t)in.data[4] << 8 | (uint32_t)in.data[5] << 16) % RAW_BYTES_MAX;
    uint8_t *frame = arena_alloc_zero(arena, FRAME_HEADER_BYTES + payload);
    memcpy(frame, "IRF\1", 4);
    frame[4] = (uint8_t)(1 + in.data[0] % 4);
    frame[5] = in.data[1] % 3;
    frame[8] = in.data[2];
    uint32_t sizes[] = {frame[5] == FRAME_PLAIN ? (uint32_t)payload : raw, (uint32_t)payload};
    for (unsigned i = 0; i < 8; i++) frame[12 + i] = (uint8_t)(sizes[i / 4] >> (8 * (i % 4)));
    memcpy(frame + FRAME_HEADER_BYTES, in.data + 6, payload);
    uint32_t crc = crypto_crc32c(0, frame, 20);
    crc = crypto_crc32c(crc, frame + FRAME_HEADER_BYTES, payload);
    for (unsigned i = 0; i < 4; i++) frame[20 + i] = (uint8_t)(crc >> (8 * i));
    check_frame(arena, bytes_of(frame, FRAME_HEADER_BYTES + payload));
}

// What is taken for progress is written so that it is taken for the same.
static void check_progress(struct arena *arena, struct bytes in)
{
    const struct span all = {BYTES_LITERAL("a"), BYTES_LITERAL("z")};
    struct progress first, second;
    if (failed(progress_decode(arena, in, all, &first))) return;
    struct bytes written = progress_encode(arena, &first);
    bool good = !failed(progress_decode(arena, written, all, &second));
    invariant(good && bytes_equal(progress_encode(arena, &second), written));
    frontier_fini(&first.frontier);
    frontier_fini(&second.frontier);
}

static void address(struct arena *arena, struct bytes in)
{
    struct pgclient_options options;
    char *uri = arena_string(arena, in);
    bool good = !failed(source_options(arena, uri, &options));
    invariant(!good || options.host_count > 0);
    invariant(source_redact(arena, uri) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct bytes in = {data, size};
    arena_init(&arena, NULL);
    check_frame(&arena, in);
    made_frame(&arena, in);
    check_progress(&arena, in);
    address(&arena, in);
    arena_fini(&arena);
    return 0;
}
