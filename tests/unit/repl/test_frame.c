// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/frame.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "core/crypto.h"

static struct bytes batch(struct arena *arena, enum frame_codec codec, uint32_t count)
{
    struct frame_builder builder;
    struct bytes frame = {0};
    frame_begin(&builder, arena, FRAME_CHANGES);
    for (uint32_t i = 0; i < count; i++) {
        char key[32], value[64];
        snprintf(key, sizeof key, "key %u", i);
        snprintf(value, sizeof value, "the value of key number %u", i);
        struct frame_event event = {.kind = i % 3 == 2 ? FRAME_TOMBSTONE : FRAME_VALUE,
            .key = bytes_of_string(key),
            .ts = {1000 + i, i}};
        if (event.kind == FRAME_VALUE) event.value = bytes_of_string(value);
        frame_add(&builder, &event);
    }
    cr_assert(!failed(frame_end(&builder, codec, &frame)));
    return frame;
}

// What goes in comes out, in each codec, from no event to many.
Test(frame, events_come_back_as_they_were)
{
    static const uint32_t counts[] = {0, 1, 2, 1000};
    for (int codec = FRAME_PLAIN; codec <= FRAME_ZSTD; codec++) {
        for (unsigned n = 0; n < 4; n++) {
            struct arena arena;
            arena_init(&arena, NULL);
            struct bytes bytes = batch(&arena, (enum frame_codec)codec, counts[n]);
            struct frame frame;
            cr_assert(!failed(frame_decode(&arena, bytes, &frame)));
            cr_assert_eq(frame.kind, FRAME_CHANGES);
            cr_assert_eq(frame.count, counts[n]);
            for (uint32_t i = 0; i < frame.count; i++) {
                char key[32];
                snprintf(key, sizeof key, "key %u", i);
                cr_assert(bytes_equal(frame.events[i].key, bytes_of_string(key)));
                cr_assert_eq(frame.events[i].kind, i % 3 == 2 ? FRAME_TOMBSTONE : FRAME_VALUE);
                cr_assert_eq(frame.events[i].value.size == 0, i % 3 == 2);
                cr_assert_eq(frame.events[i].ts.wall_ns, 1000 + i);
                cr_assert_eq(frame.events[i].ts.logical, i);
            }
            arena_fini(&arena);
        }
    }
}

// Compression pays for itself or is left out.
Test(frame, a_compressed_batch_is_smaller)
{
    struct arena arena;
    arena_init(&arena, NULL);
    size_t plain = batch(&arena, FRAME_PLAIN, 1000).size;
    cr_assert_lt(batch(&arena, FRAME_LZ4, 1000).size, plain / 2);
    cr_assert_lt(batch(&arena, FRAME_ZSTD, 1000).size, plain / 2);
    cr_assert_eq(batch(&arena, FRAME_ZSTD, 1).size, batch(&arena, FRAME_PLAIN, 1).size);
    arena_fini(&arena);
}

Test(frame, marks_come_back_as_they_were)
{
    struct arena arena;
    struct frame frame;
    arena_init(&arena, NULL);
    cr_assert(!failed(
        frame_decode(&arena, frame_resolved(&arena, (struct hlc_timestamp){77, 3}), &frame)));
    cr_assert_eq(frame.kind, FRAME_RESOLVED);
    cr_assert_eq(frame.resolved.wall_ns, 77);
    cr_assert_eq(frame.resolved.logical, 3);
    cr_assert(
        !failed(frame_decode(&arena, frame_scanned(&arena, BYTES_LITERAL("abc"), false), &frame)));
    cr_assert_eq(frame.kind, FRAME_SCANNED);
    cr_assert(bytes_equal(frame.resume, BYTES_LITERAL("abc")) && !frame.scanned_all);
    cr_assert(
        !failed(frame_decode(&arena, frame_scanned(&arena, (struct bytes){0}, true), &frame)));
    cr_assert(frame.scanned_all);
    arena_fini(&arena);
}

// No byte may be changed, no end cut off, without notice.
Test(frame, damage_is_noticed)
{
    for (int codec = FRAME_PLAIN; codec <= FRAME_ZSTD; codec++) {
        struct arena arena;
        struct frame frame;
        arena_init(&arena, NULL);
        struct bytes good = batch(&arena, (enum frame_codec)codec, 20);
        uint8_t *copy = arena_alloc(&arena, good.size);
        for (size_t i = 0; i < good.size; i++) {
            memcpy(copy, good.data, good.size);
            copy[i] ^= 0x41;
            cr_assert(status_is(frame_decode(&arena, bytes_of(copy, good.size), &frame), E_DATA_CORRUPTED),
                "byte %zu", i);
        }
        memcpy(copy, good.data, good.size);
        for (size_t size = 0; size < good.size; size++)
            cr_assert(failed(frame_decode(&arena, bytes_of(copy, size), &frame)), "size %zu", size);
        arena_fini(&arena);
    }
}

// Whoever waits for frames of another version to become whole waits for ever: that is said, and is no damage.
Test(frame, another_version_is_refused_by_its_number)
{
    struct arena arena;
    struct frame frame;
    arena_init(&arena, NULL);
    struct bytes good = batch(&arena, FRAME_ZSTD, 20);
    uint8_t *copy = arena_alloc(&arena, good.size);
    memcpy(copy, good.data, good.size);
    copy[3] = FRAME_VERSION + 6;
    uint32_t crc = crypto_crc32c(0, copy, 20);
    crc = crypto_crc32c(crc, copy + FRAME_HEADER_BYTES, good.size - FRAME_HEADER_BYTES);
    codec_store(copy + 20, crc, 4);
    struct status st = frame_decode(&arena, bytes_of(copy, good.size), &frame);
    cr_assert(status_is(st, E_FEATURE_NOT_SUPPORTED));
    cr_assert(strstr(st.message, "version 7") != NULL && strstr(st.message, "reads version 1") != NULL);
    arena_fini(&arena);
}
