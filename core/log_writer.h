// SPDX-License-Identifier: GPL-3.0-or-later
//
// A shard's log: one append-only, segmented file sequence for all slices that the shard owns. The only
// synchronous write in the system.
//
// Appends of one reactor turn leave as one O_DIRECT + DSYNC write at the end of the turn; while it is in
// flight the next batch gathers. Segments are pre-written with zeroes and recycled after checkpoints, so
// that a flush never extends a file. The log knows nothing of what a record means: a record is a stream
// number (the slice), a term, an index, a kind and a payload.
//
// On disk  Segment: 4 KiB header block (magic, format version, sequence, salt, crc), then batches. A batch
//          starts on a 4 KiB boundary: header (magic, sequences of segment and batch, salt, payload bytes,
//          record count, crc32c of everything) and its records. What a recycled segment still holds of its
//          former life has another salt and so cannot be taken for this one's. Layout: core/log_segment.h.
// Recovery log_writer_open reads all segments in order and hands each record to `replay`. A torn tail (the last
//          batch, with nothing valid after it) was never acknowledged: it is cut. A damaged batch with
//          valid ones after it is corruption: XX001, and the caller decides.
// Failure  A failed or short write is fatal to the log: `failed` is called once, every pending and later append
//          fails, nothing is retried over it. Disk full is no exception once a segment exists; running out of
//          room for a *new* segment is 53100 on append and heals when there is room again.
//
// Shard    Owned by one shard; every function runs there.
// Memory   Two batch buffers of batch_bytes_max each, page-aligned; an append copies its payload.
// Checked  tests/unit/core/test_log_writer.c; tests/sim/scenario_log.c: a crash at every disk operation.
#pragma once
#include "core/bytes.h"
#include "core/shard.h"
#include "core/task.h"

struct log_writer;

struct log_record {
    uint64_t stream; // Slice id.
    uint64_t term;
    uint64_t index;
    uint32_t kind; // The owner's: what the payload is.
    struct bytes payload;
};

struct log_writer_options {
    const char *dir;          // Made when absent.
    uint64_t segment_bytes;   // 0: 64 MiB.
    uint32_t segments_spare;  // Pre-written segments to keep ready; 0: 1.
    size_t batch_bytes_max;   // 0: 4 MiB. Also bounds a record: larger is 54000.
    void (*failed)(struct log_writer *log, struct status st, void *arg);
    // After the last `durable` of each batch, on the shard, not in a task: for work that is done once a
    // batch (applying entries in one store transaction). May be NULL.
    void (*batch_end)(struct log_writer *log, void *arg);
    void *arg;
};

// Position of a record's end in the log; comparable, grows.
typedef uint64_t log_position;

// Opens or creates, and replays. `replay` may be NULL; a failure of it ends the open. Suspends.
CHECKED struct status log_writer_open(struct task *task, const struct log_writer_options *options,
    struct status (*replay)(struct task *task, void *arg, const struct log_record *record,
        log_position position),
    void *replay_arg, struct log_writer **log);

// A durability callback: `durable` runs on the shard, not in a task, once the record is durable
// (st ok) or never will be. Embedded in the caller's memory; must stay put until called.
struct log_append {
    struct log_record record; // Payload is copied by log_writer_append.
    log_position position;    // Filled in.
    void (*durable)(struct log_append *append, struct status st);
    struct log_append *next;
};

// Queues the record for this turn's batch. Completion in order of appending, over all streams.
// Errors, at once and without calling `durable`: 53100 no room for a segment, 54000 record too large,
// 58030 the log has failed, 53200 more than 64 MiB queued (back off: log_writer_wait).
CHECKED struct status log_writer_append(struct log_writer *log, struct log_append *append);
// Suspends until the queue is below its mark.
CHECKED struct status log_writer_wait(struct task *task, struct log_writer *log);

log_position log_writer_appended(const struct log_writer *log);
log_position log_writer_durable(const struct log_writer *log);
// Bytes in segments that hold records at or above the last truncation.
uint64_t log_writer_bytes(const struct log_writer *log);
// Everything at or below `position` is no longer needed by any stream: whole segments are recycled.
void log_writer_truncate(struct log_writer *log, log_position position);

// Flushes and closes. Suspends.
CHECKED struct status log_writer_close(struct task *task, struct log_writer *log);

// Reads a closed log's records without opening it for writing (another core count at restart).
CHECKED struct status log_writer_scan(struct task *task, const char *dir,
    struct status (*replay)(struct task *task, void *arg, const struct log_record *record,
        log_position position),
    void *replay_arg);
