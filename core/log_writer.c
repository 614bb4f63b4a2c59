// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/log_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/log_segment.h"
#include "core/mark.h"
#include "core/reactor.h"

#define SEGMENT_BYTES_DEFAULT (64u << 20)
#define SEGMENT_BYTES_MAX (1u << 30)
#define BATCH_BYTES_DEFAULT (4u << 20)
#define BATCH_BUFFER_BYTES (64u << 10) // First size.
#define QUEUED_BYTES_MAX (64u << 20)
#define QUEUED_BYTES_LOW (32u << 20)
#define BATCHES_KEPT 2u
#define ZERO_BYTES (1u << 20)
#define ROOM_RETRY_NS 1000000000ull

// What leaves in one write. Its place is known when it is begun, so that positions are, too.
struct log_batch {
    struct log_batch *next;
    uint64_t segment_sequence, offset;
    uint8_t *buffer;
    size_t used, capacity;
    size_t limit; // `used` may not pass it.
    uint32_t record_count;
    log_position end;
    struct log_append *first, **last;
};

struct log_writer {
    struct shard *shard;
    char *dir;
    uint64_t segment_bytes;
    size_t batch_bytes_max;
    uint32_t spares_wanted;
    void (*failed_fn)(struct log_writer *log, struct status st, void *arg);
    void (*batch_end_fn)(struct log_writer *log, void *arg);
    void *failed_arg;

    struct log_segment *segments; // Live ones, oldest first; the last is the current one.
    struct log_segment *current;
    struct log_segment *following; // Prepared, with its header; NULL: not yet.
    struct log_segment *spares;    // Pre-written.
    struct log_segment *condemned; // To be removed.
    uint32_t spare_count;
    uint32_t name_next;

    struct log_batch *batches, **batches_end; // The first may be in flight, the last is filled.
    struct log_batch *free_batches;
    uint32_t free_count;
    bool in_flight;
    struct disk_op op;
    uint64_t tail_offset;    // Of the current segment: where the next batch goes.
    uint64_t batch_sequence; // Of the last batch sealed.
    size_t queued_bytes;
    log_position appended, durable;
    struct turn_hook hook;
    struct wait_queue waiters;

    bool has_failed;
    struct status failure;
    bool maintaining; // A task prepares or removes segments.
    bool no_room;     // It found no room; tried again from time to time.
    struct timer room_timer;
    bool closing;
    struct task *closer;
};

static void maintain_start(struct log_writer *log);

// --- appending --------------------------------------------------------------------------------------

static struct log_batch *batch_begin(
    struct log_writer *log, uint64_t segment_sequence, uint64_t offset, uint64_t room)
{
    struct log_batch *batch = log->free_batches;
    if (batch != NULL) {
        log->free_batches = batch->next;
        log->free_count--;
    } else {
        batch = calloc(1, sizeof *batch);
        invariant(batch != NULL);
    }
    batch->next = NULL;
    batch->segment_sequence = segment_sequence;
    batch->offset = offset;
    batch->limit = room < log->batch_bytes_max ? (size_t)room : log->batch_bytes_max;
    batch->used = LOG_BATCH_HEADER_BYTES;
    batch->record_count = 0;
    batch->first = NULL;
    batch->last = &batch->first;
    *log->batches_end = batch;
    log->batches_end = &batch->next;
    return batch;
}

static void batch_free(struct log_writer *log, struct log_batch *batch)
{
    if (log->free_count < BATCHES_KEPT && batch->capacity <= BATCH_BYTES_DEFAULT) {
        batch->next = log->free_batches;
        log->free_batches = batch;
        log->free_count++;
        return;
    }
    free(batch->buffer);
    free(batch);
}

static void batch_grow(struct log_batch *batch, size_t bytes)
{
    size_t needed = (size_t)log_block_round(batch->used + bytes);
    if (needed <= batch->capacity) return;
    size_t capacity = batch->capacity == 0 ? BATCH_BUFFER_BYTES : batch->capacity * 2;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *buffer = aligned_alloc(LOG_BLOCK_BYTES, capacity);
    invariant(buffer != NULL);
    if (batch->buffer != NULL) memcpy(buffer, batch->buffer, batch->used);
    free(batch->buffer);
    batch->buffer = buffer;
    batch->capacity = capacity;
}

static struct log_batch *batch_newest(struct log_writer *log)
{
    if (log->batches == NULL) return NULL;
    return container_of(log->batches_end, struct log_batch, next);
}

// The batch that takes `bytes` more; NULL when there is no room on the disk for it.
static struct log_batch *batch_for(struct log_writer *log, size_t bytes)
{
    struct log_batch *newest = batch_newest(log);
    bool in_flight = newest != NULL && newest == log->batches && log->in_flight;
    if (newest != NULL && !in_flight && newest->limit - newest->used >= bytes) return newest;

    uint64_t sequence = log->current->sequence, offset = log->tail_offset;
    if (newest != NULL) {
        sequence = newest->segment_sequence;
        offset = newest->offset + log_block_round(newest->used);
    }
    uint64_t size = sequence == log->current->sequence ? log->current->bytes : log->segment_bytes;
    uint64_t room = size - offset;
    bool ready_early = log->following != NULL && log->following->sequence == sequence + 1;
    bool rotate = ready_early && offset > LOG_BLOCK_BYTES && SIM_MAYBE("log.rotate_early");
    if (rotate || room < LOG_BATCH_HEADER_BYTES + bytes) {
        covered("log.next_segment");
        sequence++;
        offset = LOG_BLOCK_BYTES;
        room = log->segment_bytes - LOG_BLOCK_BYTES;
        bool ready = log->following != NULL && log->following->sequence == sequence;
        if (!ready && log->no_room) return NULL;
    }
    return batch_begin(log, sequence, offset, room);
}

struct status log_writer_append(struct log_writer *log, struct log_append *append)
{
    if (log->has_failed) return log->failure;
    size_t payload_bytes = append->record.payload.size;
    if (payload_bytes > log->batch_bytes_max ||
        LOG_BATCH_HEADER_BYTES + log_record_bytes(payload_bytes) > log->batch_bytes_max)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "the write is too large for a log record");
    size_t bytes = log_record_bytes(payload_bytes);
    if (log->queued_bytes > QUEUED_BYTES_MAX)
        return status_make(E_OUT_OF_MEMORY, "too many bytes wait to be written to the log");
    struct log_batch *batch = batch_for(log, bytes);
    if (batch == NULL) return status_make(E_DISK_FULL, "no room on the disk for the log");

    batch_grow(batch, bytes);
    struct log_record_header header = {.stream = append->record.stream,
        .term = append->record.term,
        .index = append->record.index,
        .payload_bytes = (uint32_t)payload_bytes,
        .kind = append->record.kind};
    uint8_t *at = batch->buffer + batch->used;
    memcpy(at, &header, sizeof header);
    at += sizeof header;
    if (payload_bytes > 0) memcpy(at, append->record.payload.data, payload_bytes);
    memset(at + payload_bytes, 0, bytes - sizeof header - payload_bytes);
    batch->used += bytes;
    batch->record_count++;
    log->queued_bytes += bytes;
    append->position = log_position_at(batch->segment_sequence, batch->offset + batch->used);
    batch->end = append->position;
    invariant(append->position > log->appended);
    log->appended = append->position;
    append->next = NULL;
    *batch->last = append;
    batch->last = &append->next;
    turn_hook_arm(log->shard, &log->hook);
    return STATUS_OK;
}

struct status log_writer_wait(struct task *task, struct log_writer *log)
{
    while (!log->has_failed && log->queued_bytes > QUEUED_BYTES_LOW) {
        struct status st = task_wait(task, &log->waiters);
        if (failed(st)) return st;
    }
    return log->has_failed ? log->failure : STATUS_OK;
}

// --- flushing ---------------------------------------------------------------------------------------

static void close_check(struct log_writer *log)
{
    if (log->closer == NULL || log->closer->parked_on != &log->closer) return;
    if (log->batches == NULL && !log->maintaining) task_unpark(log->closer);
}

static struct log_batch *batch_take(struct log_writer *log)
{
    struct log_batch *batch = log->batches;
    log->batches = batch->next;
    if (log->batches == NULL) log->batches_end = &log->batches;
    return batch;
}

static void batch_answer(struct log_writer *log, struct log_batch *batch, struct status st)
{
    struct log_append *append = batch->first;
    log->queued_bytes -= batch->used - LOG_BATCH_HEADER_BYTES;
    batch_free(log, batch);
    while (append != NULL) {
        struct log_append *next = append->next; // It may be gone after its callback.
        append->durable(append, st);
        append = next;
    }
    if (log->batch_end_fn != NULL) log->batch_end_fn(log, log->failed_arg);
}

static void log_fail(struct log_writer *log, struct status st)
{
    if (log->has_failed) return;
    log->has_failed = true;
    covered("log.fails");
    log->failure = st;
    log_error(0, "log %s takes no more writes: %s", log->dir, st.message);
    while (log->batches != NULL)
        batch_answer(log, batch_take(log), st);
    wait_queue_wake_all(&log->waiters, st);
    if (log->failed_fn != NULL) log->failed_fn(log, st, log->failed_arg);
}

static void write_complete(struct disk_op *op)
{
    struct log_writer *log = container_of(op, struct log_writer, op);
    log->in_flight = false;
    if (op->result < 0 || (size_t)op->result != op->size) {
        char text[128] = "cut short";
        const char *cause = text;
        if (op->result < 0) cause = strerror_r((int)-op->result, text, sizeof text);
        log_error(0, "log %s: a write failed: %s", log->dir, cause);
        // Whatever the cause, what is on the disk now is unknown: this is no lack of room to wait out.
        log_fail(log, status_make(E_IO_ERROR, "a write to the log failed"));
        close_check(log);
        return;
    }
    struct log_batch *batch = batch_take(log);
    log->tail_offset = batch->offset + log_block_round(batch->used);
    log->durable = batch->end;
    log->current->last = batch->end;
    if (log->batches != NULL) turn_hook_arm(log->shard, &log->hook);
    batch_answer(log, batch, STATUS_OK);
    if (log->queued_bytes <= QUEUED_BYTES_LOW) wait_queue_wake_all(&log->waiters, STATUS_OK);
    close_check(log);
}

static void log_flush_batches(struct turn_hook *hook)
{
    struct log_writer *log = container_of(hook, struct log_writer, hook);
    struct log_batch *batch = log->batches;
    if (log->in_flight || log->has_failed || batch == NULL) return;
    if (batch->segment_sequence != log->current->sequence) {
        struct log_segment *following = log->following;
        if (following == NULL) {
            maintain_start(log);
            return;
        }
        invariant(following->sequence == batch->segment_sequence);
        log->current->next = following;
        log->current = following;
        log->following = NULL;
        maintain_start(log);
    }
    log_batch_seal(
        batch->buffer, log->current, ++log->batch_sequence, batch->record_count, batch->used);
    log->in_flight = true;
    log->op = (struct disk_op){.kind = DISK_WRITE,
        .flags = DISK_DSYNC,
        .handle = log->current->file.handle,
        .offset = batch->offset,
        .buffer = batch->buffer,
        .size = (size_t)log_block_round(batch->used),
        .complete = write_complete};
    invariant(log->op.offset + log->op.size <= log->current->bytes);
    log->shard->env->disk_submit(log->shard->env, log->shard, &log->op);
}

// --- segments ---------------------------------------------------------------------------------------

// A new file, written from end to end, so that later writes change no metadata.
static struct status segment_make(
    struct task *task, struct log_writer *log, struct log_segment **made)
{
    struct status st = STATUS_OK;
    struct log_segment *segment = calloc(1, sizeof *segment);
    uint8_t *zeroes = aligned_alloc(LOG_BLOCK_BYTES, ZERO_BYTES);
    invariant(segment != NULL && zeroes != NULL);
    memset(zeroes, 0, ZERO_BYTES);
    segment->path = malloc(strlen(log->dir) + 32);
    invariant(segment->path != NULL);
    sprintf(segment->path, "%s/%08u%s", log->dir, log->name_next++, LOG_SEGMENT_SUFFIX);
    segment->file.handle = -1;
    segment->bytes = log->segment_bytes;
    TRY(log_segment_open(task, segment->path, DISK_CREATE, &segment->file));
    TRY(disk_allocate(task, &segment->file, segment->bytes));
    for (uint64_t at = 0; at < segment->bytes; at += ZERO_BYTES) {
        uint64_t size = segment->bytes - at < ZERO_BYTES ? segment->bytes - at : ZERO_BYTES;
        TRY(disk_write(task, &segment->file, at, zeroes, (size_t)size, 0));
        TRY(task_yield_if_due(task));
    }
    TRY(disk_sync(task, &segment->file));
    *made = segment;
    segment = NULL;
out:
    free(zeroes);
    if (segment != NULL) {
        struct status closed = disk_close(task, &segment->file);
        struct status removed = disk_unlink(task, segment->path);
        (void)closed;
        (void)removed; // Left behind it is a spare of the next start.
        log_segment_free(segment);
    }
    return st;
}

// Makes `segment` the one with this sequence: from then on what it held is void.
static struct status segment_assign(
    struct task *task, struct log_writer *log, struct log_segment *segment, uint64_t sequence)
{
    uint8_t *block = aligned_alloc(LOG_BLOCK_BYTES, LOG_BLOCK_BYTES);
    invariant(block != NULL);
    struct env *env = log->shard->env;
    segment->sequence = sequence;
    segment->salt = env->random(env);
    segment->last = 0;
    segment->next = NULL;
    log_segment_header_encode(block, segment);
    struct status st = disk_write(task, &segment->file, 0, block, LOG_BLOCK_BYTES, DISK_DSYNC);
    free(block);
    return st;
}

// Spares that were part of the log still have their old headers. They are reused and removed oldest
// first, so that the sequences on the disk never have a gap: a gap means that a segment was lost.
static void spare_add(struct log_writer *log, struct log_segment *segment)
{
    struct log_segment **at = &log->spares;
    while (*at != NULL)
        at = &(*at)->next;
    segment->next = NULL;
    *at = segment;
    log->spare_count++;
}

static struct log_segment *spare_take(struct log_writer *log)
{
    struct log_segment *segment = log->spares;
    if (segment == NULL) return NULL;
    log->spares = segment->next;
    log->spare_count--;
    segment->next = NULL;
    return segment;
}

static void segment_condemn(struct log_writer *log, struct log_segment *segment)
{
    struct log_segment **at = &log->condemned;
    while (*at != NULL)
        at = &(*at)->next;
    segment->next = NULL;
    *at = segment;
}

static struct status condemned_remove(struct task *task, struct log_writer *log)
{
    struct status st = STATUS_OK;
    while (log->condemned != NULL) {
        struct log_segment *segment = log->condemned;
        TRY(disk_close(task, &segment->file));
        st = disk_unlink(task, segment->path);
        if (failed(st) && !status_is(st, E_UNDEFINED_FILE)) goto out;
        st = STATUS_OK;
        log->condemned = segment->next;
        log_segment_free(segment);
    }
out:
    return st;
}

static struct status following_prepare(struct task *task, struct log_writer *log)
{
    struct status st = STATUS_OK;
    TRY(condemned_remove(task, log));
    struct log_segment *segment = spare_take(log);
    if (segment == NULL) {
        TRY(segment_make(task, log, &segment));
    }
    // `current` cannot move on meanwhile: that takes the following segment.
    st = segment_assign(task, log, segment, log->current->sequence + 1);
    if (failed(st)) {
        // Its header is unknown now. It is still the oldest.
        segment->next = log->spares;
        log->spares = segment;
        log->spare_count++;
        goto out;
    }
    log->following = segment;
    if (log->batches != NULL) turn_hook_arm(log->shard, &log->hook);
out:
    return st;
}

static struct status maintain(struct task *task, struct log_writer *log)
{
    struct status st = STATUS_OK;
    TRY(condemned_remove(task, log));
    while (log->following == NULL && !log->has_failed)
        TRY(following_prepare(task, log));
    while (log->spare_count + 1 < log->spares_wanted && !log->closing) {
        struct log_segment *segment = NULL;
        TRY(segment_make(task, log, &segment));
        spare_add(log, segment);
    }
out:
    return st;
}

static void room_retry(struct timer *timer)
{
    maintain_start(container_of(timer, struct log_writer, room_timer));
}

static struct status maintain_main(struct task *task, void *arg)
{
    struct log_writer *log = arg;
    struct status st = maintain(task, log);
    bool stopping = status_is(st, E_ADMIN_SHUTDOWN);
    if (failed(st) && !stopping) {
        if (!log->no_room)
            log_warning(0, "log %s: cannot prepare a segment: %s", log->dir, st.message);
        log->no_room = true;
    } else if (!failed(st)) {
        log->no_room = false;
    }
    return STATUS_OK;
}

static void maintain_ended(struct task *task, struct status st, void *arg)
{
    (void)task;
    (void)st;
    struct log_writer *log = arg;
    log->maintaining = false;
    if (log->no_room && !log->closing) {
        log->room_timer.fire = room_retry;
        timer_arm(log->shard, &log->room_timer, shard_now_ns(log->shard) + ROOM_RETRY_NS);
    } else if (log->following == NULL && !log->closing && !log->shard->reactor->stopping) {
        maintain_start(log); // Taken into use while the task was about to end.
    }
    close_check(log);
}

static void maintain_start(struct log_writer *log)
{
    if (log->maintaining) return;
    struct task_options options = {.fn = maintain_main,
        .arg = log,
        .kind = "log segments",
        .class = TASK_SYSTEM,
        .ended = maintain_ended,
        .ended_arg = log};
    if (!failed(task_start(log->shard, &options))) log->maintaining = true;
}

// --- truncation -------------------------------------------------------------------------------------

void log_writer_truncate(struct log_writer *log, log_position position)
{
    while (log->segments != log->current && log->segments->last <= position) {
        struct log_segment *segment = log->segments;
        log->segments = segment->next;
        if (segment->bytes == log->segment_bytes) {
            spare_add(log, segment);
        } else {
            while (log->spares != NULL)
                segment_condemn(log, spare_take(log));
            segment_condemn(log, segment);
        }
    }
    while (log->spare_count > log->spares_wanted)
        segment_condemn(log, spare_take(log));
    if (log->condemned != NULL || log->following == NULL) maintain_start(log);
}

log_position log_writer_appended(const struct log_writer *log)
{
    return log->appended;
}

log_position log_writer_durable(const struct log_writer *log)
{
    return log->durable;
}

uint64_t log_writer_bytes(const struct log_writer *log)
{
    uint64_t bytes = log->tail_offset;
    for (const struct log_segment *at = log->segments; at != log->current; at = at->next)
        bytes += at->bytes;
    return bytes;
}

// --- opening and closing ----------------------------------------------------------------------------

static struct log_writer *writer_create(
    struct shard *shard, const struct log_writer_options *options)
{
    struct log_writer *log = calloc(1, sizeof *log);
    invariant(log != NULL);
    log->shard = shard;
    log->dir = strdup(options->dir);
    log->batch_bytes_max =
        options->batch_bytes_max != 0 ? options->batch_bytes_max : BATCH_BYTES_DEFAULT;
    log->segment_bytes =
        log_block_round(options->segment_bytes != 0 ? options->segment_bytes : SEGMENT_BYTES_DEFAULT);
    // Any batch fits into an empty segment.
    uint64_t least = LOG_BLOCK_BYTES + log_block_round(log->batch_bytes_max);
    if (log->segment_bytes < least) log->segment_bytes = least;
    invariant(log->segment_bytes <= SEGMENT_BYTES_MAX);
    log->spares_wanted = options->segments_spare != 0 ? options->segments_spare : 1;
    log->failed_fn = options->failed;
    log->batch_end_fn = options->batch_end;
    log->failed_arg = options->arg;
    log->batches_end = &log->batches;
    log->hook.fn = log_flush_batches;
    return log;
}

static void segments_free(struct task *task, struct log_segment *segment)
{
    struct log_contents contents = {.segments = segment};
    log_contents_close(task, &contents);
}

static void writer_free(struct task *task, struct log_writer *log)
{
    timer_disarm(log->shard, &log->room_timer);
    struct log_segment *segments = log->segments;
    log->segments = log->current = NULL; // Closing takes time, and log_writer_bytes is asked at any.
    segments_free(task, segments);
    segments_free(task, log->following);
    segments_free(task, log->spares);
    segments_free(task, log->condemned);
    while (log->free_batches != NULL) {
        struct log_batch *batch = log->free_batches;
        log->free_batches = batch->next;
        free(batch->buffer);
        free(batch);
    }
    free(log->dir);
    free(log);
}

// Takes over what reading found.
static void writer_adopt(struct log_writer *log, struct log_contents *contents)
{
    log->segments = contents->segments;
    log->current = contents->tail;
    log->tail_offset = contents->tail_offset;
    log->batch_sequence = contents->batch_sequence;
    log->appended = log->durable = contents->last;
    if (log->current != NULL) {
        // At most two follow the tail, without batches: the second becomes a spare.
        log->following = log->current->next;
        log->current->next = NULL;
        if (log->following != NULL && log->following->next != NULL) {
            spare_add(log, log->following->next);
            log->following->next = NULL;
        }
    }
    while (contents->unused != NULL) {
        struct log_segment *segment = contents->unused;
        contents->unused = segment->next;
        if (segment->bytes == log->segment_bytes) {
            spare_add(log, segment);
        } else {
            segment_condemn(log, segment); // Made only in part, or with another size.
        }
    }
}

// Names of new files come after all that are there.
static struct status names_begin(struct task *task, struct log_writer *log)
{
    struct status st = STATUS_OK;
    char **names;
    TRY(disk_list(task, log->dir, &names));
    for (; *names != NULL; names++) {
        unsigned long number = strtoul(*names, NULL, 10);
        if (number < UINT32_MAX && number >= log->name_next) log->name_next = (uint32_t)number + 1;
    }
out:
    return st;
}

struct status log_writer_open(struct task *task, const struct log_writer_options *options,
    struct status (*replay)(struct task *task, void *arg, const struct log_record *record,
        log_position position),
    void *replay_arg, struct log_writer **opened)
{
    struct status st = STATUS_OK;
    struct log_contents contents = {0};
    struct log_writer *log = writer_create(task->shard, options);
    TRY(disk_mkdir(task, log->dir));
    TRY(names_begin(task, log));
    TRY(log_contents_read(task, log->dir, 0, replay, replay_arg, &contents));
    writer_adopt(log, &contents);
    if (log->current == NULL) {
        struct log_segment *segment = spare_take(log);
        if (segment == NULL) TRY(segment_make(task, log, &segment));
        log->segments = log->current = segment;
        segment->next = NULL;
        TRY(segment_assign(task, log, segment, 1));
        log->tail_offset = LOG_BLOCK_BYTES;
    }
    maintain_start(log);
    *opened = log;
    log = NULL;
out:
    if (log != NULL) writer_free(task, log);
    return st;
}

struct status log_writer_close(struct task *task, struct log_writer *log)
{
    // A cancelled task closes, too: that is how a node ends.
    bool cancelled = task->cancelled;
    struct status cancel_status = task->cancel_status;
    task_cancel_clear(task);
    log->closing = true;
    timer_disarm(log->shard, &log->room_timer);
    log->closer = task;
    while (log->batches != NULL || log->maintaining) {
        bool waits_for_segment = log->batches != NULL && !log->in_flight && !log->maintaining &&
                                 log->batches->segment_sequence != log->current->sequence &&
                                 log->following == NULL;
        if (!waits_for_segment) {
            task_park(task, &log->closer);
            continue;
        }
        struct status st = following_prepare(task, log);
        if (failed(st)) log_fail(log, status_make(E_DISK_FULL, "no room on the disk for the log"));
    }
    log->closer = NULL;
    struct status st = log->has_failed ? log->failure : STATUS_OK;
    turn_hook_disarm(log->shard, &log->hook); // It may be armed with nothing left to flush.
    writer_free(task, log);
    if (cancelled) task_cancel(task, cancel_status);
    return st;
}

struct status log_writer_scan(struct task *task, const char *dir,
    struct status (*replay)(struct task *task, void *arg, const struct log_record *record,
        log_position position),
    void *replay_arg)
{
    struct log_contents contents;
    struct status st =
        log_contents_read(task, dir, DISK_READ_ONLY, replay, replay_arg, &contents);
    if (!failed(st)) log_contents_close(task, &contents);
    return st;
}
