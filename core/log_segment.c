// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/log_segment.h"

#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "core/invariant.h"
#include "core/log.h"

static_assert(sizeof(struct log_batch_header) == LOG_BATCH_HEADER_BYTES, "on disk");
static_assert(sizeof(struct log_record_header) == LOG_RECORD_HEADER_BYTES, "on disk");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structures are written as they are");

#define READ_BYTES (1u << 20)
#define CRC_SKIP 8u // The batch's magic and checksum.

// --- format -----------------------------------------------------------------------------------------

static uint32_t segment_header_crc(const struct log_segment_header *header)
{
    return crypto_crc32c(0, &header->sequence, sizeof *header - 16);
}

void log_segment_header_encode(uint8_t block[LOG_BLOCK_BYTES], const struct log_segment *segment)
{
    struct log_segment_header header = {.magic = LOG_SEGMENT_MAGIC,
        .version = LOG_FORMAT_VERSION,
        .sequence = segment->sequence,
        .salt = segment->salt,
        .segment_bytes = segment->bytes};
    header.crc = segment_header_crc(&header);
    memset(block, 0, LOG_BLOCK_BYTES);
    memcpy(block, &header, sizeof header);
}

void log_batch_seal(uint8_t *batch, const struct log_segment *segment, uint64_t batch_sequence,
    uint32_t record_count, size_t batch_bytes)
{
    struct log_batch_header header = {.magic = LOG_BATCH_MAGIC,
        .segment_sequence = segment->sequence,
        .batch_sequence = batch_sequence,
        .salt = segment->salt,
        .payload_bytes = batch_bytes - LOG_BATCH_HEADER_BYTES,
        .record_count = record_count};
    memcpy(batch, &header, sizeof header);
    header.crc = crypto_crc32c(0, batch + CRC_SKIP, batch_bytes - CRC_SKIP);
    memcpy(batch, &header, sizeof header);
    memset(batch + batch_bytes, 0, (size_t)log_block_round(batch_bytes) - batch_bytes);
}

void log_segment_free(struct log_segment *segment)
{
    if (segment == NULL) return;
    free(segment->path);
    free(segment);
}

struct status log_segment_open(
    struct task *task, const char *path, uint32_t flags, struct disk_file *file)
{
    struct status st = disk_open(task, path, flags | DISK_DIRECT, file);
    // Some file systems refuse O_DIRECT with EINVAL: there the page cache is all there is.
    if (!status_is(st, E_IO_ERROR)) return st;
    struct status again = disk_open(task, path, flags, file);
    if (failed(again)) return st;
    log_warning(0, "log %s: the file system has no direct I/O, flushes will be slower", path);
    return STATUS_OK;
}

// --- reading ----------------------------------------------------------------------------------------

// A window on a segment's file.
struct reader {
    struct task *task;
    struct log_segment *segment;
    uint8_t *buffer;
    size_t capacity;
    uint64_t start, end; // What the buffer holds.
};

static void reader_open(struct reader *reader, struct log_segment *segment)
{
    reader->segment = segment;
    reader->start = reader->end = 0;
}

// Makes [offset, offset + size) present, offset at a block; *at is NULL when the file ends before.
static struct status reader_need(
    struct reader *reader, uint64_t offset, uint64_t size, const uint8_t **at)
{
    struct status st = STATUS_OK;
    uint64_t file_bytes = reader->segment->bytes;
    *at = NULL;
    if (offset > file_bytes || size > file_bytes - offset) goto out;
    if (offset < reader->start || offset + size > reader->end) {
        uint64_t wanted = log_block_round(size);
        if (wanted < READ_BYTES) wanted = READ_BYTES;
        if (wanted > reader->capacity) {
            free(reader->buffer);
            reader->capacity = (size_t)wanted;
            reader->buffer = aligned_alloc(LOG_BLOCK_BYTES, reader->capacity);
            invariant(reader->buffer != NULL);
        }
        size_t got = 0;
        reader->start = reader->end = 0;
        TRY(disk_read(reader->task, &reader->segment->file, offset, reader->buffer, (size_t)wanted,
            &got));
        reader->start = offset;
        reader->end = offset + got;
        if (size > got) goto out;
    }
    *at = reader->buffer + (offset - reader->start);
out:
    return st;
}

// A batch at `offset` whose checksum fits, whatever segment it is of; *batch is NULL when there is none.
static struct status batch_read(
    struct reader *reader, uint64_t offset, const struct log_batch_header **batch)
{
    struct status st = STATUS_OK;
    const uint8_t *at;
    *batch = NULL;
    TRY(reader_need(reader, offset, LOG_BLOCK_BYTES, &at));
    if (at == NULL) goto out;
    const struct log_batch_header *header = (const void *)at;
    if (header->magic != LOG_BATCH_MAGIC) goto out;
    if (header->payload_bytes > reader->segment->bytes - offset - LOG_BATCH_HEADER_BYTES) goto out;
    uint64_t bytes = LOG_BATCH_HEADER_BYTES + header->payload_bytes;
    TRY(reader_need(reader, offset, bytes, &at));
    if (at == NULL) goto out;
    header = (const void *)at;
    if (crypto_crc32c(0, at + CRC_SKIP, (size_t)bytes - CRC_SKIP) != header->crc) goto out;
    *batch = header;
out:
    return st;
}

static bool batch_belongs(
    const struct log_batch_header *batch, const struct log_segment *segment)
{
    return batch != NULL && batch->segment_sequence == segment->sequence &&
           batch->salt == segment->salt;
}

static struct status damaged(
    struct task *task, const struct log_segment *segment, uint64_t offset, const char *what)
{
    return status_format(task->arena, E_DATA_CORRUPTED, "log segment \"%s\" is damaged at byte %llu: %s",
        segment->path, (unsigned long long)offset, what);
}

static struct status batch_replay(struct reader *reader, const struct log_batch_header *batch,
    uint64_t offset, log_replay_fn replay, void *arg, log_position *last)
{
    struct status st = STATUS_OK;
    const uint8_t *start = (const uint8_t *)batch;
    uint64_t end = LOG_BATCH_HEADER_BYTES + batch->payload_bytes;
    uint64_t at = LOG_BATCH_HEADER_BYTES;
    uint32_t count = batch->record_count;
    for (uint32_t i = 0; i < count; i++) {
        struct log_record_header header;
        if (end - at < sizeof header) {
            st = damaged(reader->task, reader->segment, offset + at, "a record beyond its batch");
            goto out;
        }
        memcpy(&header, start + at, sizeof header);
        if (header.payload_bytes > end - at - sizeof header) {
            st = damaged(reader->task, reader->segment, offset + at, "a payload beyond its batch");
            goto out;
        }
        struct log_record record = {.stream = header.stream,
            .term = header.term,
            .index = header.index,
            .kind = header.kind,
            .payload = bytes_of(start + at + sizeof header, header.payload_bytes)};
        at += log_record_bytes(header.payload_bytes);
        if (at > end) at = end;
        *last = log_position_at(reader->segment->sequence, offset + at);
        if (replay != NULL) TRY(replay(reader->task, arg, &record, *last));
    }
out:
    return st;
}

// Whether a valid batch of the segment begins at or after `offset`.
static struct status batch_later(struct reader *reader, uint64_t offset, uint64_t *found)
{
    struct status st = STATUS_OK;
    *found = 0;
    for (; offset + LOG_BLOCK_BYTES <= reader->segment->bytes; offset += LOG_BLOCK_BYTES) {
        const uint8_t *at;
        TRY(reader_need(reader, offset, LOG_BLOCK_BYTES, &at));
        if (at == NULL) break;
        const struct log_batch_header *header = (const void *)at;
        // Cheap first: the checksum only where the rest fits.
        if (header->magic != LOG_BATCH_MAGIC || !batch_belongs(header, reader->segment)) continue;
        const struct log_batch_header *batch;
        TRY(batch_read(reader, offset, &batch));
        if (batch == NULL) continue;
        *found = offset;
        break;
    }
out:
    return st;
}

// Replays one segment. Its batches end where the first is that does not belong; whether that is the end
// of the log, of the segment, or damage is decided by what comes after.
static struct status segment_replay(struct reader *reader, struct log_contents *contents,
    log_replay_fn replay, void *arg)
{
    struct status st = STATUS_OK;
    struct log_segment *segment = reader->segment;
    uint64_t offset = LOG_BLOCK_BYTES;
    for (;;) {
        const struct log_batch_header *batch;
        TRY(batch_read(reader, offset, &batch));
        if (!batch_belongs(batch, segment)) break;
        if (contents->batch_sequence != 0 &&
            batch->batch_sequence != contents->batch_sequence + 1) {
            st = damaged(reader->task, segment, offset, "batches before this one are missing");
            goto out;
        }
        uint64_t sequence = batch->batch_sequence;
        uint64_t bytes = log_block_round(LOG_BATCH_HEADER_BYTES + batch->payload_bytes);
        TRY(batch_replay(reader, batch, offset, replay, arg, &segment->last));
        contents->batch_sequence = sequence;
        contents->last = segment->last;
        offset += bytes;
    }
    uint64_t later;
    TRY(batch_later(reader, offset, &later));
    if (later != 0) {
        st = damaged(reader->task, segment, offset, "valid batches follow");
        goto out;
    }
    // A segment with no batch at all is the next one, prepared: the tail stays before it.
    if (offset > LOG_BLOCK_BYTES || contents->tail == NULL) {
        contents->tail = segment;
        contents->tail_offset = offset;
    }
out:
    return st;
}

// --- a folder ---------------------------------------------------------------------------------------

static void segment_insert(struct log_segment **list, struct log_segment *segment)
{
    while (*list != NULL && (*list)->sequence <= segment->sequence)
        list = &(*list)->next;
    segment->next = *list;
    *list = segment;
}

static struct status segment_found(struct reader *reader, const char *path, uint32_t open_flags,
    struct log_contents *contents)
{
    struct status st = STATUS_OK;
    struct task *task = reader->task;
    struct log_segment *segment = calloc(1, sizeof *segment);
    invariant(segment != NULL);
    segment->path = strdup(path);
    segment->file.handle = -1;
    struct log_segment **list = &contents->unused;
    TRY(log_segment_open(task, path, open_flags, &segment->file));
    // A write under way when the program died may be seen here and not be durable yet: what is read and
    // built upon now must not go with the next power cut.
    TRY(disk_sync(task, &segment->file));
    TRY(disk_size(task, &segment->file, &segment->bytes));
    segment->bytes = segment->bytes / LOG_BLOCK_BYTES * LOG_BLOCK_BYTES;
    reader_open(reader, segment);
    const uint8_t *at;
    TRY(reader_need(reader, 0, LOG_BLOCK_BYTES, &at));
    if (at == NULL) goto out; // Being made when the node stopped.
    struct log_segment_header header;
    memcpy(&header, at, sizeof header);
    if (header.magic != LOG_SEGMENT_MAGIC || header.crc != segment_header_crc(&header)) goto out;
    if (header.version != LOG_FORMAT_VERSION) {
        st = status_format(task->arena, E_FEATURE_NOT_SUPPORTED,
            "log segment \"%s\" has format version %u; this program reads version %u", path,
            header.version, LOG_FORMAT_VERSION);
        goto out;
    }
    if (header.segment_bytes > segment->bytes) {
        st = damaged(task, segment, segment->bytes, "the file is shorter than it was made");
        goto out;
    }
    segment->sequence = header.sequence;
    segment->salt = header.salt;
    list = &contents->segments;
out:
    segment_insert(list, segment);
    return st;
}

// A file without a valid header was being made, or made anew, when the node stopped. But if its first
// batch is one that the log lacks, the header was lost later.
static struct status unused_check(struct reader *reader, struct log_contents *contents)
{
    struct status st = STATUS_OK;
    uint64_t newest = 0;
    for (struct log_segment *at = contents->segments; at != NULL; at = at->next)
        newest = at->sequence;
    for (struct log_segment *at = contents->unused; at != NULL; at = at->next) {
        const struct log_batch_header *batch;
        if (at->bytes < 2 * LOG_BLOCK_BYTES) continue;
        reader_open(reader, at);
        TRY(batch_read(reader, LOG_BLOCK_BYTES, &batch));
        if (batch == NULL || batch->segment_sequence <= newest) continue;
        st = damaged(reader->task, at, 0, "its header is lost, and it holds the log's newest records");
        goto out;
    }
out:
    return st;
}

struct status log_contents_read(struct task *task, const char *dir, uint32_t open_flags,
    log_replay_fn replay, void *arg, struct log_contents *contents)
{
    struct status st = STATUS_OK;
    struct reader reader = {.task = task};
    char **names;
    *contents = (struct log_contents){0};
    TRY(disk_list(task, dir, &names));
    for (; *names != NULL; names++) {
        size_t length = strlen(*names), suffix = strlen(LOG_SEGMENT_SUFFIX);
        if (length <= suffix || strcmp(*names + length - suffix, LOG_SEGMENT_SUFFIX) != 0) continue;
        TRY(segment_found(
            &reader, arena_printf(task->arena, "%s/%s", dir, *names), open_flags, contents));
    }
    struct log_segment *segment = contents->segments;
    for (; segment != NULL && segment->next != NULL; segment = segment->next) {
        if (segment->next->sequence == segment->sequence + 1) continue;
        st = damaged(task, segment->next, 0, "segments before this one are missing");
        goto out;
    }
    TRY(unused_check(&reader, contents));
    for (segment = contents->segments; segment != NULL; segment = segment->next) {
        reader_open(&reader, segment);
        TRY(segment_replay(&reader, contents, replay, arg));
    }
    // Behind the tail there may be one whose first batch was torn, and one prepared; no more.
    segment = contents->tail != NULL ? contents->tail->next : NULL;
    if (segment != NULL && segment->next != NULL && segment->next->next != NULL)
        st = damaged(task, segment, LOG_BLOCK_BYTES, "it has lost its batches");
out:
    free(reader.buffer);
    if (failed(st)) log_contents_close(task, contents);
    return st;
}

static void segments_close(struct task *task, struct log_segment *segment)
{
    while (segment != NULL) {
        struct log_segment *next = segment->next;
        struct status closed = disk_close(task, &segment->file);
        if (failed(closed)) log_warning(0, "log: %s", closed.message);
        log_segment_free(segment);
        segment = next;
    }
}

void log_contents_close(struct task *task, struct log_contents *contents)
{
    segments_close(task, contents->segments);
    segments_close(task, contents->unused);
    *contents = (struct log_contents){0};
}
