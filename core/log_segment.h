// SPDX-License-Identifier: GPL-3.0-or-later
//
// The files of a shard's log: their format, and reading them back. core/log_writer.c writes them; its
// header says what a log promises.
//
// A batch is valid in a segment when its checksum fits and it carries the segment's sequence and salt. The
// salt is random and drawn anew at each use of a file: neither what a recycled file still holds, nor a
// record whose payload imitates a batch, can be taken for one.
//
// Shard    Owned by one shard; what takes a task suspends.
// Memory   struct log_segment is malloc'ed, with its path.
// Source   All integers little-endian.
#pragma once
#include "core/disk.h"
#include "core/log_writer.h"

#define LOG_BLOCK_BYTES 4096u
#define LOG_SEGMENT_MAGIC 0x3130474f4c505349ull // "ISPLOG01"
#define LOG_BATCH_MAGIC 0x48435442u             // "BTCH"
#define LOG_FORMAT_VERSION 1u
#define LOG_BATCH_HEADER_BYTES 48u
#define LOG_RECORD_HEADER_BYTES 32u
#define LOG_SEGMENT_SUFFIX ".log"

// The first block of a segment, zeroes after it.
struct log_segment_header {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; // Of the fields below.
    uint64_t sequence;
    uint64_t salt;
    uint64_t segment_bytes;
};

struct log_batch_header {
    uint32_t magic;
    uint32_t crc; // Of the rest of the header, and the payload.
    uint64_t segment_sequence;
    uint64_t batch_sequence;
    uint64_t salt;
    uint64_t payload_bytes;
    uint32_t record_count;
    uint32_t reserved;
};

struct log_record_header {
    uint64_t stream;
    uint64_t term;
    uint64_t index;
    uint32_t payload_bytes;
    uint32_t kind;
};

struct log_segment {
    char *path;
    struct disk_file file;
    uint64_t sequence; // 0: never used, or its header was never whole.
    uint64_t salt;
    uint64_t bytes;    // Of the file.
    log_position last; // End of its last record; 0: none.
    struct log_segment *next;
};

static inline log_position log_position_at(uint64_t sequence, uint64_t offset)
{
    return sequence << 32 | offset;
}

static inline uint64_t log_block_round(uint64_t bytes)
{
    return (bytes + LOG_BLOCK_BYTES - 1) / LOG_BLOCK_BYTES * LOG_BLOCK_BYTES;
}

static inline size_t log_record_bytes(size_t payload_bytes)
{
    return LOG_RECORD_HEADER_BYTES + (payload_bytes + 7) / 8 * 8;
}

// Fills a block.
void log_segment_header_encode(uint8_t block[LOG_BLOCK_BYTES], const struct log_segment *segment);
// Writes the header over the start of `batch` and zeroes up to the end of its last block.
void log_batch_seal(uint8_t *batch, const struct log_segment *segment, uint64_t batch_sequence,
    uint32_t record_count, size_t batch_bytes);

void log_segment_free(struct log_segment *segment);
// Opens a segment's file, past the page cache where the file system can do that.
CHECKED struct status log_segment_open(
    struct task *task, const char *path, uint32_t flags, struct disk_file *file);

typedef struct status (*log_replay_fn)(
    struct task *task, void *arg, const struct log_record *record, log_position position);

// What reading a folder found. Segments are in order of their sequence.
struct log_contents {
    struct log_segment *segments; // With a valid header.
    struct log_segment *unused;   // Without one.
    struct log_segment *tail;     // Where the next batch goes; NULL: an empty log.
    uint64_t tail_offset;
    uint64_t batch_sequence;      // Of the last batch; 0: none.
    log_position last;
};

// Reads everything, handing each record to `replay` (may be NULL). On failure nothing is left open.
// Errors: XX001 a damaged batch with valid ones after it, or a missing segment; replay's; 58030.
CHECKED struct status log_contents_read(struct task *task, const char *dir, uint32_t open_flags,
    log_replay_fn replay, void *arg, struct log_contents *contents);
void log_contents_close(struct task *task, struct log_contents *contents);
