// SPDX-License-Identifier: GPL-3.0-or-later
//
// Frames of a replication stream: one row of crdb_internal.stream_partition each.
//
//   magic 'I' 'R' 'F', version, kind, codec, 2 bytes zero, count, raw size, stored size, crc32c, payload
//
// Integers are little-endian, 32 bits. The checksum covers the header before it and the payload. A batch's payload
// is one event after the other: kind (1 byte), wall time (8), logical (4), key size (4), value size (4), key, value.
// Payloads are compressed when that makes them smaller.
//
// Memory   Decoded events point into the arena given.
// Safety   Decoding checks every size and the checksum: nothing of a damaged frame is used.
// Errors   XX001 what is not a whole, undamaged frame; 0A000 one of another version; 54000 larger than FRAME_RAW_BYTES_MAX.
#pragma once
#include "core/arena.h"
#include "core/hlc.h"
#include "core/status.h"

#define FRAME_VERSION 1u
#define FRAME_HEADER_BYTES 24u
// A value of the largest size with its key and event header must fit.
#define FRAME_RAW_BYTES_MAX (80u << 20)
// Batches are cut at about this size.
#define FRAME_RAW_BYTES_TARGET (512u << 10)

enum frame_kind {
    FRAME_BACKFILL = 1, // Versions as of the start time, in the order of keys.
    FRAME_CHANGES = 2,  // What was committed, in commit order.
    FRAME_RESOLVED = 3, // No event at or below `resolved` will follow.
    FRAME_SCANNED = 4, // Of the backfill all keys below `resume` were sent; count 1: all there are.
};
enum frame_codec { FRAME_PLAIN = 0, FRAME_LZ4 = 1, FRAME_ZSTD = 2 };
enum frame_event_kind {
    FRAME_VALUE = 1,
    FRAME_TOMBSTONE = 2, // value is empty.
    FRAME_CLEARED = 3,   // All versions of [key, value) were erased.
};

struct frame_event {
    enum frame_event_kind kind;
    struct bytes key, value;
    struct hlc_timestamp ts;
};

// Gathers events of one kind of batch.
struct frame_builder {
    enum frame_kind kind;
    uint32_t count;
    struct buffer payload;
};
void frame_begin(struct frame_builder *builder, struct arena *arena, enum frame_kind kind);
void frame_add(struct frame_builder *builder, const struct frame_event *event);
// Compresses and seals; the frame is in the builder's arena. Must not be called with a full stack: it runs the
// compressor on the shard's big one.
CHECKED struct status frame_end(
    struct frame_builder *builder, enum frame_codec codec, struct bytes *frame);
struct bytes frame_resolved(struct arena *arena, struct hlc_timestamp ts);
struct bytes frame_scanned(struct arena *arena, struct bytes resume, bool all);

struct frame {
    enum frame_kind kind;
    uint32_t count;
    const struct frame_event *events; // Batches.
    struct hlc_timestamp resolved;    // FRAME_RESOLVED.
    struct bytes resume;              // FRAME_SCANNED.
    bool scanned_all;
};
CHECKED struct status frame_decode(struct arena *arena, struct bytes bytes, struct frame *frame);

// "zstd", "lz4", "none". False when it is none of these.
bool frame_codec_parse(struct bytes name, enum frame_codec *codec);
const char *frame_codec_name(enum frame_codec codec);
